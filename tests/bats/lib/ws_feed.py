"""Cases of ws.bats: subscriptions to tables, filters, positions, and the hand-over to live."""

import asyncio
import random
import re
import threading
import time

import raw
from rdb import LIMIT, SANITIZED, Closed, Rest, connect, eventually_async, in_thread, main, sql, status_kb


def head():
    rest = Rest()
    try:
        return rest.query("SELECT 1")["lsn"]
    finally:
        rest.close()


async def one(s, *statements):
    """Runs statements and returns the one event they make."""
    sql(*statements)
    e = await s.event()
    await s.quiet()
    return e


async def event_shapes():
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, price REAL, data BLOB)")
    s = await connect()
    answer = await s.subscribe("table:t")
    assert answer["topic"] == "table:t" and answer["filter"] is None and answer["subscription_id"]
    assert answer["log_id"] == s.welcome["payload"]["log_id"], answer
    e = await one(s, "INSERT INTO t VALUES (1, 'a', 2, x'00ff')")
    assert e["lsn"] == answer["lsn"] + 1, (e, answer)
    assert e["topic"] == "table:t" and e["op"] == "insert" and "filter" not in e, e
    row = {"id": 1, "name": "a", "price": 2.0, "data": {"$base64": "AP8="}}
    assert e["row"] == row and e["old_row"] is None and e["changed_columns"] is None, e
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$", e["committed_at"]), e
    assert isinstance(e["tx"], int), e
    first = e
    e = await one(s, "UPDATE t SET name = 'b', price = 2.0 WHERE id = 1")
    assert e["op"] == "update" and e["old_row"] == row and e["row"] == {**row, "name": "b"}, e
    assert e["changed_columns"] == ["name"] and e["lsn"] == first["lsn"] + 1 and e["tx"] != first["tx"]
    e = await one(s, "UPDATE t SET id = 7 WHERE id = 1")
    assert e["op"] == "update" and e["changed_columns"] == ["id"], e
    e = await one(s, "UPDATE t SET name = name")
    assert e["changed_columns"] == [], e
    e = await one(s, "DELETE FROM t")
    assert e["op"] == "delete" and e["row"] is None and e["old_row"] == {**row, "id": 7, "name": "b"}
    assert e["changed_columns"] is None, e
    await s.close()


async def who_ever_made_the_change():
    """Triggers, cascades, REPLACE, UPSERT, WITHOUT ROWID, INSERT..SELECT, RETURNING."""
    sql(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, v UNIQUE)",
        "CREATE TABLE c (id TEXT PRIMARY KEY, p REFERENCES p ON DELETE CASCADE) WITHOUT ROWID",
        "CREATE TABLE a (n INTEGER PRIMARY KEY, what)",
        "CREATE TRIGGER log_p AFTER INSERT ON p BEGIN INSERT INTO a (what) VALUES ('p ' || new.id); END",
    )
    s = await connect()
    for t in "pca":
        await s.subscribe(f"table:{t}")

    async def made(statement, *wanted):
        before = head()
        sql(statement)
        events = await s.events(len(wanted))
        await s.quiet()
        events.sort(key=lambda e: e["lsn"])
        assert [e["lsn"] for e in events] == [before + 1 + n for n in range(len(wanted))], events
        got = [(e["topic"][6:], e["op"], (e["row"] or e["old_row"])) for e in events]
        assert [g[:2] for g in got] == [w[:2] for w in wanted], (statement, got)
        for g, w in zip(got, wanted):
            assert list(g[2].values())[: len(w) - 2] == list(w[2:]), (statement, g, w)
        assert len({e["tx"] for e in events}) <= 1, events

    await made("INSERT INTO p VALUES (1, 'x')", ("p", "insert", 1, "x"), ("a", "insert", 1, "p 1"))
    await made("INSERT INTO c VALUES ('k', 1), ('l', 1)", ("c", "insert", "k"), ("c", "insert", "l"))
    await made("DELETE FROM p", ("p", "delete", 1), ("c", "delete", "k"), ("c", "delete", "l"))
    await made("INSERT INTO p VALUES (2, 'y')", ("p", "insert", 2), ("a", "insert", 2, "p 2"))
    await made(
        "REPLACE INTO p VALUES (3, 'y')",
        ("p", "delete", 2, "y"),
        ("p", "insert", 3, "y"),
        ("a", "insert", 3, "p 3"),
    )
    await made(
        "INSERT INTO p VALUES (3, 'z') ON CONFLICT (id) DO UPDATE SET v = excluded.v",
        ("p", "update", 3, "z"),
    )
    await made("INSERT INTO p VALUES (3, 'q') ON CONFLICT DO NOTHING")
    await made("UPDATE c SET id = 'none'")
    await made("INSERT INTO a (what) SELECT v FROM p RETURNING n", ("a", "insert", 4, "z"))
    await made("UPDATE a SET what = p.v FROM p WHERE a.n = 4", ("a", "update", 4, "z"))
    sql("CREATE TABLE made_a_moment_ago (x)")
    await s.subscribe("table:made_a_moment_ago")
    await made("INSERT INTO made_a_moment_ago VALUES (1)", ("made_a_moment_ago", "insert", 1))
    sql("CREATE TABLE other (x)", "INSERT INTO other VALUES (1)", "DROP TABLE other")
    await s.quiet()
    await s.close()


async def rolled_back_work_is_silent():
    sql("CREATE TABLE t (x INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (0)")
    s = await connect()
    await s.subscribe("table:t")
    before = head()
    rest = Rest()
    for bad in (
        "INSERT INTO t VALUES (1), (2), (0)",
        "INSERT OR ROLLBACK INTO t VALUES (1), (0)",
        "INSERT INTO t SELECT abs(x - 9223372036854775807 - 1) FROM t",
    ):
        assert rest.raw("POST", "/query", {"sql": bad})[0] >= 400, bad
    # OR FAIL keeps what came before the failure: in SQLite's own words "does not back out prior
    # changes"; whether kept or not, rows and events agree.
    rest.raw("POST", "/query", {"sql": "INSERT OR FAIL INTO t VALUES (50), (0)"})
    kept = rest.value("SELECT count(*) FROM t WHERE x = 50")
    if kept:
        assert (await s.event())["row"] == {"x": 50}
    body = {"atomic": True, "statements": [{"sql": "INSERT INTO t VALUES (8)"}, {"sql": "INSERT INTO t VALUES (0)"}]}
    assert rest.raw("POST", "/batch", body)[0] >= 400
    tx = rest.call("POST", "/transactions")["transaction_id"]
    for statement in (
        "INSERT INTO t VALUES (11)",
        "SAVEPOINT a",
        "INSERT INTO t VALUES (12)",
        "SAVEPOINT b",
        "DELETE FROM t",
        "ROLLBACK TO b",
        "INSERT INTO t VALUES (13)",
        "RELEASE a",
        "SAVEPOINT c",
        "INSERT INTO t VALUES (14)",
        "ROLLBACK TO c",
    ):
        rest.call("POST", f"/transactions/{tx}/query", {"sql": statement})
    await s.quiet()
    rest.call("POST", f"/transactions/{tx}/commit")
    events = await s.events(3)
    assert [(e["op"], e["row"]["x"]) for e in events] == [("insert", n) for n in (11, 12, 13)]
    start = before + 1 + kept
    assert [e["lsn"] for e in events] == list(range(start, start + 3)), "no holes in lsn"
    assert len({e["tx"] for e in events}) == 1
    await s.quiet()
    await s.close()


async def ops():
    sql("CREATE TABLE t (x)")
    s = await connect()
    await s.subscribe("table:t", ops=["insert", "delete"])
    sql("INSERT INTO t VALUES (1)", "UPDATE t SET x = 2", "DELETE FROM t")
    assert [e["op"] for e in await s.events(2)] == ["insert", "delete"]
    await s.quiet()
    for bad in ([], ["insert", "truncate"], "insert", [1]):
        await s.refused("subscribe", {"topic": "table:t", "ops": bad}, "INVALID_MESSAGE")
    await s.close()


async def where():
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, price NUMERIC, note)")
    s = await connect()
    answer = await s.subscribe("table:t", where="price > 10")
    assert answer["filter"], answer
    sql("INSERT INTO t VALUES (1, 'a', 5, NULL), (2, 'b', '20', NULL), (3, 'c', NULL, NULL)")
    e = await s.event()
    # '20' became a number by the column's affinity.
    assert e["row"]["id"] == 2 and e["filter"] == answer["filter"], e
    sql("UPDATE t SET price = price + 6")
    assert [e["row"]["id"] for e in await s.events(2)] == [1, 2]
    sql("UPDATE t SET price = 1 WHERE id = 2", "DELETE FROM t WHERE id IN (1, 2)")
    e = await s.event()  # for a delete the bare name is the old row
    assert e["op"] == "delete" and e["old_row"]["id"] == 1, e
    await s.quiet()
    await s.close()

    s = await connect()
    crossing = await s.subscribe("table:t", where="new.price > 10 AND old.price <= 10")
    leaving = await s.subscribe("table:t", where="old.price > 10 AND (new.price <= 10 OR new.id IS NULL)")
    by_name = await s.subscribe("table:t", where="name = 'ANNA' AND id > 100", ops=["insert"])
    assert len({x["filter"] for x in (crossing, leaving, by_name)}) == 3
    sql("INSERT INTO t VALUES (10, 'x', 5, NULL)", "INSERT INTO t VALUES (11, 'y', 50, NULL)")
    await s.quiet()
    e = await one(s, "UPDATE t SET price = 12 WHERE id = 10")
    assert e["filter"] == crossing["filter"], e
    e = await one(s, "UPDATE t SET price = 3 WHERE id = 10")
    assert e["filter"] == leaving["filter"], e
    e = await one(s, "DELETE FROM t WHERE id = 11")
    assert e["filter"] == leaving["filter"] and e["op"] == "delete", e
    e = await one(s, "INSERT INTO t VALUES (101, 'anna', NULL, NULL)")  # the column's collation
    assert e["filter"] == by_name["filter"], e
    await s.close()


async def where_with_everything_in_it():
    """Quoted names, quotes in text, functions, LIKE, IN, CASE, JSON, a comment, UTF-8."""
    sql('CREATE TABLE t ("odd ""name" TEXT, "select" INTEGER, doc TEXT)')
    s = await connect()
    good = [
        '"odd ""name" = \'it\'\'s -- not a comment\'',
        'new."select" IN (1, 2, 3) AND old."select" IS NULL',
        "json_extract(doc, '$.a') = 'ä'",
        "CASE WHEN \"select\" > 5 THEN doc LIKE '%b%' ELSE 0 END /* note */",
        "length(doc) > 5 AND upper(doc) GLOB '*Z*' -- note",
        '"select" BETWEEN 70 AND 80 OR coalesce(doc, \'\') = \'y\'',
    ]
    filters = [(await s.subscribe("table:t", where=w))["filter"] for w in good]
    assert len(set(filters)) == len(good)
    rows = [
        ("it's -- not a comment", None, None),
        (None, 2, None),
        (None, None, '{"a":"ä"}'),
        (None, 6, "abc"),
        (None, None, "zzzzzz"),
        (None, 75, None),
    ]
    rest = Rest()
    for f, row in zip(filters, rows):
        rest.query("INSERT INTO t VALUES (?, ?, ?)", list(row))
        got = await s.event()
        assert got["filter"] == f, (got, row)
        await s.quiet()
    await s.close()


async def where_refused():
    sql("CREATE TABLE t (x, y)", "CREATE TABLE secret (s)")
    s = await connect()
    for bad in (
        "",
        "x >",
        "nope = 1",
        "new.nope = 1",
        "t.x = 1 AND other.x = 2",
        "x = (SELECT 1)",
        "EXISTS (SELECT * FROM secret)",
        "x IN (SELECT s FROM secret)",
        "x IN secret",
        "random() > 0",
        "datetime('now') > x",
        "count(*) > 1",
        "row_number() OVER () = 1",
        "x = ?",
        "x = :a",
        "1) OR (1",
        "1; DROP TABLE t",
        "1 FROM secret --",
        "load_extension('x')",
        "last_insert_rowid() = 1",
        "x = 1 /*",
        "x = 'open",
        "y = 1 AND " * 1000 + "1",
        "(" * 2000 + "1" + ")" * 2000,
    ):
        m = await s.request("subscribe", {"topic": "table:t", "where": bad})
        assert m["type"] == "error", f"accepted: {bad[:80]}"
        assert m["payload"]["code"] in ("INVALID_MESSAGE", "QUERY_ERROR"), m
        assert m["payload"]["message"], m
    for bad in (5, ["x = 1"], {}):
        await s.refused("subscribe", {"topic": "table:t", "where": bad}, "INVALID_MESSAGE")
    sql("INSERT INTO t VALUES (1, 2)")
    await s.quiet()
    await s.close()


async def filter_that_fails_for_a_row():
    """An expression that errs for some row (an overflow) hides that row and nothing else."""
    sql("CREATE TABLE t (x)")
    s = await connect()
    await s.subscribe("table:t", where="abs(x) > 10")
    sql("INSERT INTO t VALUES (5)", "INSERT INTO t VALUES (-9223372036854775808)", "INSERT INTO t VALUES (20)")
    while True:
        m = await s.recv()
        if m["type"] == "event" and m["payload"]["row"]["x"] == 20:
            break
        assert m["type"] in ("error", "system"), m
    await s.close()


async def one_subscription_per_topic_and_filter():
    sql("CREATE TABLE t (x)")
    s, other = await connect(), await connect()
    a = await s.subscribe("table:t")
    b = await s.subscribe("table:t", where="x > 1")
    c = await s.subscribe("table:t", where="x > 1", ops=["delete"])
    same = await other.subscribe("table:t", where="x > 1")
    assert b["filter"] == same["filter"] and len({a["filter"], b["filter"], c["filter"]}) == 3
    assert len({a["subscription_id"], b["subscription_id"], c["subscription_id"]}) == 3
    await s.refused("subscribe", {"topic": "table:t"}, "CONFLICT")
    await s.refused("subscribe", {"topic": "table:t", "where": "x > 1"}, "CONFLICT")
    sql("INSERT INTO t VALUES (2)")
    got = await s.events(2)
    assert {e.get("filter") for e in got} == {None, b["filter"]}, got
    assert (await other.event())["filter"] == b["filter"]
    answer = await s.ok("unsubscribe", {"subscription_id": a["subscription_id"]}, "unsubscribed")
    assert answer["subscription_id"] == a["subscription_id"]
    await s.refused("unsubscribe", {"subscription_id": a["subscription_id"]}, "NOT_FOUND")
    await s.refused("unsubscribe", {"subscription_id": "none"}, "NOT_FOUND")
    await s.ok("unsubscribe", {"subscription_id": b["subscription_id"]}, "unsubscribed")
    sql("INSERT INTO t VALUES (3)")
    assert (await other.event())["row"] == {"x": 3}
    await s.quiet()
    again = await s.subscribe("table:t")
    e = await one(s, "INSERT INTO t VALUES (4)")
    assert e["row"] == {"x": 4} and e["lsn"] == again["lsn"] + 1
    for session in (s, other):
        await session.close()


async def topics_refused():
    sql("CREATE TABLE t (x)", "CREATE VIEW v AS SELECT 1")
    s = await connect()
    for topic in ("table:none", "table:v", "table:_rustydb_log", "table:sqlite_schema"):
        await s.refused("subscribe", {"topic": topic}, "TABLE_NOT_FOUND")
    for topic in ("", "t", "table:", "channel:", "nothing:x", 5, None, "channel:" + "x" * 5000):
        m = await s.request("subscribe", {"topic": topic})
        assert m["type"] == "error" and m["payload"]["code"] in ("INVALID_MESSAGE", "NOT_FOUND", "TABLE_NOT_FOUND"), m
    await s.refused("subscribe", {}, "INVALID_MESSAGE")
    await s.refused("subscribe", {"topic": "table:t", "wehre": "1"}, "INVALID_MESSAGE")
    await s.refused("unsubscribe", {}, "INVALID_MESSAGE")
    await s.close()


async def since():
    sql("CREATE TABLE t (x)", "CREATE TABLE u (x)")
    before = head()
    sql(*(f"INSERT INTO {'t' if n % 2 else 'u'} VALUES ({n})" for n in range(1, 21)))
    log = (await connect()).welcome["payload"]["log_id"]

    async def seen(table, position):
        """What a subscriber gets from a position up to the first event that is live."""
        s = await connect()
        answer = await s.subscribe(f"table:{table}", since=position)
        assert answer["lsn"] == head() and answer["log_id"] == log, answer
        sql(f"INSERT INTO {table} VALUES (-1)")
        rows = []
        while True:
            e = await s.event()
            if e["lsn"] > answer["lsn"]:
                break
            rows.append((e["lsn"], e["row"]["x"]))
        assert e["row"]["x"] == -1, e
        await s.close()
        return [r for r in rows if r[1] > 0]

    odd = [(before + n, n) for n in range(1, 21, 2)]
    assert await seen("t", 0) == odd
    assert await seen("t", before + 6) == odd[3:]
    assert await seen("t", f"{log}:{before + 7}") == odd[4:]
    assert await seen("u", before + 20) == []
    s = await connect()
    for bad in (-1, head() + 1, 10**18, 1.5, "x", "", f"{log}:", f"{log}:x", [], f"{log}:-1"):
        await s.refused("subscribe", {"topic": "table:t", "since": bad}, "INVALID_MESSAGE")
    problem = await s.refused("subscribe", {"topic": "table:t", "since": "another-log:1"}, "GAP")
    assert "oldest" in problem, problem
    await s.close()


async def replay_with_a_filter():
    sql("CREATE TABLE t (x)")
    before = head()
    sql(*(f"INSERT INTO t VALUES ({n})" for n in range(1, 31)), "UPDATE t SET x = x + 100 WHERE x = 7")
    s = await connect()
    a = await s.subscribe("table:t", since=before, where="x % 10 = 0 OR new.x > old.x")
    assert [e["row"]["x"] for e in await s.events(4)] == [10, 20, 30, 107]
    await s.quiet()
    e = await one(s, "INSERT INTO t VALUES (40)")
    assert e["filter"] == a["filter"]
    await s.close()


class Load:
    """Writers that go on until told to stop; counts of acknowledged writes."""

    def __init__(self, table, clients=3):
        self.stop = threading.Event()
        self.done = 0
        self.problems = []
        self.threads = [
            threading.Thread(target=self.write, args=(table, n), daemon=True) for n in range(clients)
        ]
        for t in self.threads:
            t.start()

    def write(self, table, number):
        rest, n = Rest(), 0
        try:
            while not self.stop.is_set():
                n += 1
                rest.query(f"INSERT INTO {table} VALUES (?, ?, ?)", [number, n, "x" * 100])
                self.done += 1
        except Exception as e:  # looked at in end()
            self.problems.append(repr(e))
        rest.close()

    async def end(self):
        self.stop.set()
        for t in self.threads:
            await in_thread(t.join)
        assert not self.problems, self.problems


async def handover():
    """Subscribers come at any moment of a write load, from any position; each sees every event once
    and in order, from its position to the end."""
    chance = random.Random(11)
    sql("CREATE TABLE t (client, n, x)")
    base = head()
    load = Load("t")
    await eventually_async(lambda: load.done > 300, say="a load of writes")

    async def subscriber(number):
        s = await connect(compression="deflate" if number % 4 == 0 else None)
        now = head()
        position = chance.choice([0, base, now, chance.randint(base, now), None])
        more = {} if position is None else {"since": position}
        if number % 3 == 0:
            more["where"] = "new.x IS NOT NULL"
        answer = await s.subscribe("table:t", **more)
        at = answer["lsn"] if position is None else max(position, base)
        return s, at

    async def read(s, at, limit):
        while at < limit:
            e = await s.event()
            assert e["lsn"] == at + 1, f"lsn {e['lsn']} after {at}"
            at += 1
        return at

    sessions = []
    for wave in range(4):
        sessions += await asyncio.gather(*(subscriber(wave * 8 + n) for n in range(8)))
        target = load.done + 100
        reading = [asyncio.ensure_future(read(s, at, head())) for s, at in sessions]
        ats = await asyncio.gather(*reading)
        sessions = [(s, at) for (s, _), at in zip(sessions, ats)]
        await eventually_async(lambda: load.done > target, say="more writes")
    await load.end()
    end = head()
    assert end - base == load.done, "every acknowledged write made one event"
    await asyncio.gather(*(read(s, at, end) for s, at in sessions))
    for s, _ in sessions:
        await s.quiet()
        await s.close()


async def subscribed_means_live():
    """A write that starts after `subscribed` is never missed, however busy the daemon is."""
    sql("CREATE TABLE t (client, n, x)", "CREATE TABLE u (n)")
    load = Load("t", clients=2)
    await eventually_async(lambda: load.done > 50, say="a load of writes")
    rest = Rest()
    for n in range(40):
        s = await connect()
        await s.subscribe("table:u")
        rest.query("INSERT INTO u VALUES (?)", [n])
        assert (await s.event())["row"] == {"n": n}
        await s.quiet()
        await s.close()
    await load.end()


async def gap():
    """With changes_keep at 100: what was pruned is a GAP that names the oldest kept, never a hole."""
    sql("CREATE TABLE t (x)")
    base = head()
    rest = Rest()
    s = await connect()

    async def pruned():
        for _ in range(20):
            values = ", ".join("(1)" for _ in range(100))
            rest.query(f"INSERT INTO t VALUES {values}")
        m = await s.request("subscribe", {"topic": "table:t", "since": base})
        if m["type"] == "subscribed":
            id_ = m["payload"]["subscription_id"]
            await s.request("unsubscribe", {"subscription_id": id_})
            s.kept.clear()
            return None
        return m

    m = await eventually_async(pruned, say="the log to be pruned")
    assert m["type"] == "error" and m["payload"]["code"] == "GAP", m
    oldest = m["payload"]["oldest"]
    assert oldest > base + 1, m
    await s.close()
    s = await connect()
    answer = await s.subscribe("table:t", since=0)  # all that is retained
    first = (await s.event())["lsn"]
    assert first >= oldest, (first, oldest)
    lsn = first
    while lsn < answer["lsn"]:
        lsn += 1
        assert (await s.event())["lsn"] == lsn
    await s.close()


async def ddl():
    sql("CREATE TABLE t (x)", "INSERT INTO t VALUES (1)")
    s = await connect()
    await s.subscribe("table:t")
    filtered = await s.subscribe("table:t", where="x > 0")

    async def system(event):
        got = []
        while len(got) < 2:
            m = await s.recv()
            assert m["type"] == "system" and m["payload"]["event"] == event, m
            assert m["payload"]["topic"] == "table:t" and m["payload"]["sql"], m
            assert isinstance(m["payload"]["lsn"], int), m
            got.append(m["payload"].get("filter"))
        assert set(got) == {None, filtered["filter"]}, got

    async def both(statement):
        sql(statement)
        events = await s.events(2)
        assert events[0]["lsn"] == events[1]["lsn"]
        return events[0]

    sql("ALTER TABLE t ADD COLUMN y DEFAULT 'd'")
    await system("table_altered")
    assert (await both("INSERT INTO t (x) VALUES (2)"))["row"] == {"x": 2, "y": "d"}
    e = await both("UPDATE t SET x = 3 WHERE x = 1")
    assert e["old_row"] == {"x": 1, "y": "d"} and e["changed_columns"] == ["x"], e
    sql("ALTER TABLE t RENAME COLUMN y TO z")
    await system("table_altered")
    assert (await both("INSERT INTO t VALUES (4, 'e')"))["row"] == {"x": 4, "z": "e"}
    sql("ALTER TABLE t DROP COLUMN z")
    await system("table_altered")
    assert (await both("INSERT INTO t VALUES (5)"))["row"] == {"x": 5}
    sql("DROP TABLE t")
    await system("table_dropped")
    sql("CREATE TABLE t (other)", "INSERT INTO t VALUES (1)")
    await s.quiet()  # the subscription ended with the table
    await s.subscribe("table:t")
    filtered = await s.subscribe("table:t", where="other > 0")
    sql("ALTER TABLE t RENAME TO u")
    await system("table_renamed")
    sql("INSERT INTO u VALUES (2)")
    await s.quiet()
    await s.refused("subscribe", {"topic": "table:t"}, "TABLE_NOT_FOUND")
    await s.subscribe("table:u")
    assert (await one(s, "INSERT INTO u VALUES (3)"))["row"] == {"other": 3}
    await s.close()


async def replay_across_an_alter():
    """Events keep the columns the table had when they happened."""
    sql("CREATE TABLE t (x)")
    base = head()
    sql("INSERT INTO t VALUES (1)", "ALTER TABLE t ADD COLUMN y", "INSERT INTO t VALUES (2, 3)")
    s = await connect()
    await s.subscribe("table:t", since=base)
    rows = []
    while len(rows) < 2:
        m = await s.recv()
        if m["type"] == "event":
            rows.append(m["payload"]["row"])
    assert rows == [{"x": 1}, {"x": 2, "y": 3}], rows
    await s.close()


async def slow_consumer():
    """With stream_buffer at 64 KiB: a subscriber that does not read is closed with 1013 after a system
    message, the daemon's memory stays, and `since` goes on where it stopped."""
    sql("CREATE TABLE t (n INTEGER PRIMARY KEY, x)")
    s = raw.RawSession(rcvbuf=4096)
    s.message("subscribe", {"topic": "table:t"})
    base = s.answer()["payload"]["lsn"]
    quick = await connect()
    await quick.subscribe("table:t")
    reading = asyncio.ensure_future(quick.events(6000))
    rest = Rest()
    before = status_kb("VmRSS")

    def write():
        for n in range(60):
            rest.query(
                "INSERT INTO t (x) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 100)"
                " SELECT hex(randomblob(1000)) FROM c"
            )

    await in_thread(write)  # 12 MB of events
    lsns = [e["lsn"] for e in await asyncio.wait_for(reading, LIMIT)]
    assert lsns == list(range(base + 1, base + 6001)), "a slow one holds nobody up"
    grown = status_kb("VmRSS") - before
    assert SANITIZED or grown < 12000, f"grew by {grown} kB"
    code, messages = await in_thread(s.until_closed)
    assert code == 1013, (code, s.closed)
    closing = [m["payload"] for m in messages if m["type"] == "system"]
    assert closing and closing[-1]["code"] == 1013, closing
    seen = [m["payload"]["lsn"] for m in messages if m["type"] == "event"]
    assert seen == list(range(base + 1, base + 1 + len(seen))), "without a hole up to its end"
    s.close()
    again = await connect()
    await again.subscribe("table:t", since=base + len(seen))
    rest_of_it = [e["lsn"] for e in await again.events(6000 - len(seen))]
    assert rest_of_it == list(range(base + 1 + len(seen), base + 6001))
    await quick.close()
    await again.close()


async def slow_replay():
    """A replay waits for its reader and costs a bounded window."""
    sql("CREATE TABLE t (n INTEGER PRIMARY KEY, x)")
    base = head()
    for _ in range(40):
        sql(
            "INSERT INTO t (x) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 500)"
            " SELECT hex(zeroblob(500)) FROM c"
        )
    before = status_kb("VmRSS")
    s = raw.RawSession(rcvbuf=4096)
    s.message("subscribe", {"topic": "table:t", "since": base})
    time.sleep(1.0)  # not a wait for something: the time in which the daemon could pile it up
    grown = status_kb("VmRSS") - before
    assert SANITIZED or grown < 8192, f"grew by {grown} kB"
    s.s.settimeout(LIMIT)

    def read():
        lsn = base
        while lsn < base + 20000:
            m = s.recv()
            if m["type"] == "event":
                assert m["payload"]["lsn"] == lsn + 1, (lsn, m["payload"]["lsn"])
                lsn += 1

    await in_thread(read)
    s.close()


async def many_subscribers():
    """A hundred subscribers of one topic: the same events, in the same order, for all."""
    sql("CREATE TABLE t (x)")
    sessions = await asyncio.gather(*(connect() for _ in range(100)))
    await asyncio.gather(*(s.subscribe("table:t") for s in sessions))
    rest = Rest()
    for n in range(50):
        rest.query("INSERT INTO t VALUES (?)", [n])
    for s in sessions:
        assert [e["row"]["x"] for e in await s.events(50)] == list(range(50))
    await asyncio.gather(*(s.close() for s in sessions))


async def subscription_limit():
    """With max_subscriptions at 10."""
    sql("CREATE TABLE t (x)")
    s = await connect()
    ids = [(await s.subscribe("table:t", where=f"x > {n}"))["subscription_id"] for n in range(10)]
    await s.refused("subscribe", {"topic": "table:t"}, "SUBSCRIPTION_LIMIT")
    await s.refused("subscribe", {"topic": "channel:x"}, "SUBSCRIPTION_LIMIT")
    await s.ok("unsubscribe", {"subscription_id": ids[0]}, "unsubscribed")
    await s.subscribe("channel:x")
    sql("INSERT INTO t VALUES (100)")
    assert len(await s.events(9)) == 9
    await s.close()


main(globals())
