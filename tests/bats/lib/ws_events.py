"""Cases of events.bats: streams of several tables, changed columns, initial rows, slow consumers."""

import asyncio
import json
import random
import sqlite3
import threading

import raw
from rdb import LIMIT, Rest, connect, head, in_thread, main, sql

EVENTS = "/api/v1/ws/events"
FILLER = "x" * 1000


async def tables_in_one_stream():
    sql("CREATE TABLE a (n INTEGER PRIMARY KEY)", "CREATE TABLE b (n INTEGER PRIMARY KEY)", "CREATE TABLE c (n)")
    s = await connect()
    named = await s.ok("subscribe", {"tables": ["b", "A"]}, "subscribed")
    assert named["topic"] == "tables:b,A" and named["filter"], named
    again = await s.refused("subscribe", {"tables": ["a", "b"]}, "CONFLICT")
    assert again, "the order and the case of names make no difference"
    every = await connect()
    all_of_them = await every.subscribe("tables:*")
    assert all_of_them["filter"] and all_of_them["filter"] != named["filter"]
    before = head()
    for n in range(1, 31):
        sql(f"INSERT INTO {'abc'[n % 3]} VALUES ({n})")
    got = await every.events(30)
    assert [e["lsn"] for e in got] == list(range(before + 1, before + 31))
    assert {e["filter"] for e in got} == {all_of_them["filter"]}
    assert [e["topic"] for e in got] == [f"table:{'abc'[n % 3]}" for n in range(1, 31)]
    wanted = [e["lsn"] for e in got if e["topic"] != "table:c"]
    mine = await s.events(len(wanted))
    assert [e["lsn"] for e in mine] == wanted and {e["filter"] for e in mine} == {named["filter"]}
    await s.quiet()
    # From a position, and over the end of one of the tables.
    sql("DROP TABLE a", "INSERT INTO b VALUES (100)", "CREATE TABLE a (n)", "INSERT INTO a VALUES (200)")
    for session in (s, every):
        rows = [(e["topic"], e["row"]["n"]) for e in await session.events(2)]
        assert rows == [("table:b", 100), ("table:a", 200)], rows
        assert session.system[-1]["event"] == "table_dropped", session.system
    late = await connect()
    await late.ok("subscribe", {"tables": ["a", "b"], "since": before}, "subscribed")
    replayed = [e["lsn"] for e in await late.events(len(wanted) + 2)]
    assert replayed[: len(wanted)] == wanted
    for bad in ({"tables": []}, {"tables": ["a"], "topic": "table:a"}, {}, {"tables": [1]}, {"tables": ["a", "A"]}):
        await s.refused("subscribe", bad, "INVALID_MESSAGE")
    await s.refused("subscribe", {"tables": ["a", "none"]}, "TABLE_NOT_FOUND")
    await s.refused("subscribe", {"topic": "tables:*", "where": "n = 1"}, "INVALID_MESSAGE")


async def where_over_several_tables():
    sql("CREATE TABLE a (n, only_a)", "CREATE TABLE b (n)")
    s = await connect()
    await s.ok("subscribe", {"tables": ["a", "b"], "where": "n > 10", "ops": ["insert"]}, "subscribed")
    await s.refused("subscribe", {"tables": ["a", "b"], "where": "only_a = 1"}, "INVALID_MESSAGE")
    sql("INSERT INTO a (n) VALUES (1), (11)", "INSERT INTO b VALUES (2), (12)", "UPDATE a SET n = 20", "DELETE FROM b")
    got = [(e["topic"], e["row"]["n"]) for e in await s.events(2)]
    assert got == [("table:a", 11), ("table:b", 12)], got
    await s.quiet()


async def changed_columns():
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, c)")
    s = await connect()
    answer = await s.ok("subscribe", {"topic": "table:t", "columns": ["B", "c"]}, "subscribed")
    assert answer["filter"]
    await s.refused("subscribe", {"topic": "table:t", "columns": ["none"]}, "INVALID_MESSAGE")
    await s.refused("subscribe", {"topic": "tables:*", "columns": ["a"]}, "INVALID_MESSAGE")
    await s.one_event("INSERT INTO t VALUES (1, 1, 1, 1)")
    sql("UPDATE t SET a = 2", "UPDATE t SET b = b")
    e = await s.one_event("UPDATE t SET b = 2, a = 3")
    assert e["changed_columns"] == ["a", "b"], e
    e = await s.one_event("UPDATE t SET c = NULL")
    assert e["changed_columns"] == ["c"], e
    # The table changes: places move, and then one is gone.
    sql("ALTER TABLE t DROP COLUMN a", "UPDATE t SET id = id")
    e = await s.one_event("UPDATE t SET b = 5")
    assert e["changed_columns"] == ["b"], e
    e = await s.one_event("DELETE FROM t")
    assert e["op"] == "delete"
    await s.ws.send(json.dumps({"type": "ping"}))
    sql("ALTER TABLE t RENAME COLUMN c TO d")
    while (m := await s.recv())["type"] != "error":
        assert m["type"] in ("system", "pong"), m
    assert m["payload"]["subscription_id"] == answer["subscription_id"], m


class Writers:
    """Threads that insert, update and delete in tables with a primary key until told to stop."""

    def __init__(self, tables, count=3):
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.write, args=(tables, n), daemon=True) for n in range(count)]
        for t in self.threads:
            t.start()

    def write(self, tables, seed):
        rest, chance = Rest(), random.Random(seed)
        while not self.stop.is_set():
            table, key = chance.choice(tables), chance.randrange(60)
            rest.query(
                chance.choice(
                    (
                        f"INSERT OR REPLACE INTO {table} VALUES ({key}, {chance.randrange(1000)})",
                        f"UPDATE {table} SET v = v + 1 WHERE id = {key}",
                        f"DELETE FROM {table} WHERE id = {key}",
                    )
                )
            )

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join(LIMIT)


async def initial_rows():
    """The rows that are there, then every change from just that point: under load, a copy made of
    them is the table."""
    tables = ("p", "q")
    for t in tables:
        sql(f"CREATE TABLE {t} (id INTEGER PRIMARY KEY, v)", f"INSERT INTO {t} SELECT value, 0 FROM json_each('[1,2,3,4,5,6,7,8,9]')")
    writers = Writers(tables)
    for turn in range(6):
        s = await connect(path=EVENTS)
        answer = await s.ok("subscribe", {"tables": list(tables), "initial": True}, "subscribed")
        copies, ends, last = {t: {} for t in tables}, {}, 0

        def take(m):
            nonlocal last
            p = m["payload"]
            if m["type"] == "system":
                assert p["event"] == "initial_end" and p["subscription_id"] == answer["subscription_id"], p
                table = p["topic"][6:]
                assert p["rows"] == len(copies[table]) and table not in ends, (p, copies)
                ends[table] = p["lsn"]
                return
            table = p["topic"][6:]
            assert p["filter"] == answer["filter"], p
            if p["op"] == "initial":
                assert table not in ends and p["row"]["id"] not in copies[table], p
            else:
                assert len(ends) == 2 and p["lsn"] > ends[table] and p["lsn"] > last, (p, ends, last)
                last = p["lsn"]
            if p["op"] == "delete" or (p["op"] == "update" and p["row"]["id"] != p["old_row"]["id"]):
                del copies[table][p["old_row"]["id"]]
            if p["op"] != "delete":
                copies[table][p["row"]["id"]] = p["row"]["v"]

        while len(ends) < 2 or last < max(ends.values()) + 20:
            take(await s.recv())
        if turn == 5:
            await in_thread(writers.end)
            sql("INSERT INTO p VALUES (1000, 0)")  # the last event
            while 1000 not in copies["p"]:
                take(await s.recv())
            for t in tables:
                assert copies[t] == dict(sql(f"SELECT id, v FROM {t}")), t
        await s.close()


async def initial_with_a_filter():
    sql('CREATE TABLE "a ""b" (id INTEGER PRIMARY KEY, v, w REAL)')
    sql('INSERT INTO "a ""b" VALUES (1, \'one\', 1), (2, \'two\', 2), (3, NULL, 3.5)')
    s = await connect()
    answer = await s.ok("subscribe", {"topic": 'table:a "b', "initial": True, "where": "new.w > 1 -- more\n"}, "subscribed")
    rows = [e["row"] for e in await s.events(2)]
    assert rows == [{"id": 2, "v": "two", "w": 2.0}, {"id": 3, "v": None, "w": 3.5}], rows
    sql('INSERT INTO "a ""b" VALUES (4, 4, 0.5), (5, 5, 5)')
    e = await s.event()
    assert e["row"]["id"] == 5 and e["filter"] == answer["filter"], e
    assert s.system[0]["event"] == "initial_end" and s.system[0]["rows"] == 2, s.system
    # Two subscriptions may begin so; unsubscribing in between ends it.
    for bad in (
        {"topic": "tables:*", "initial": True},
        {"topic": 'table:a "b', "initial": True, "since": 0},
        {"topic": 'table:a "b', "initial": True, "where": "1) OR (1"},
        {"topic": "channel:x", "initial": True},
    ):
        await s.refused("subscribe", bad, "INVALID_MESSAGE")
    m = await s.ok("subscribe", {"topic": 'table:a "b', "initial": True, "where": "old.w = 1"}, "subscribed")
    while (got := await s.recv())["type"] != "error":
        pass
    assert got["payload"]["subscription_id"] == m["subscription_id"], got


async def initial_ends_early():
    """Whoever unsubscribes or leaves while rows are being read costs nothing more."""
    sql(
        "CREATE TABLE big (id INTEGER PRIMARY KEY, v)",
        "INSERT INTO big WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 50000)"
        f" SELECT n, '{FILLER[:400]}' FROM c",
    )
    for leave in (True, False):
        s = raw.RawSession(rcvbuf=4096)
        s.message("subscribe", {"topic": "table:big", "initial": True})
        answer = s.answer()
        assert answer["type"] == "subscribed", answer
        if leave:
            s.close()
            continue
        s.message("unsubscribe", {"subscription_id": answer["payload"]["subscription_id"]}, "u")

        def read():
            count = 0
            while True:
                m = s.recv()
                if m.get("id") == "u":
                    return m, count
                assert m["type"] == "event", m
                count += 1

        m, count = await in_thread(read)
        assert m["type"] == "unsubscribed" and count < 50000, (m, count)
        s.close()
    assert sql("SELECT count(*) FROM big") == [[50000]]


async def endpoint():
    sql("CREATE TABLE t (n)")
    s = await connect(path=EVENTS)
    for type_, payload in (
        ("query", {"sql": "SELECT 1"}),
        ("publish", {"channel": "c", "message": 1}),
        ("subscribe", {"topic": "channel:c"}),
        ("subscribe", {"topic": "metrics"}),
    ):
        await s.refused(type_, payload, "INVALID_MESSAGE")
    answer = await s.ok("subscribe", {}, "subscribed")
    assert answer["topic"] == "tables:*", answer
    e = await s.one_event("INSERT INTO t VALUES (1)")
    assert e["topic"] == "table:t"
    await s.ok("unsubscribe", {"subscription_id": answer["subscription_id"]}, "unsubscribed")
    sql("INSERT INTO t VALUES (2)")
    await s.quiet()


def _write_much(rest, times=1):
    for _ in range(times):
        rest.query(
            "INSERT INTO t (x) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 100)"
            " SELECT hex(randomblob(1000)) FROM c"
        )


async def drop_oldest():
    """It is told which events it has missed, exactly, and goes on."""
    sql("CREATE TABLE t (n INTEGER PRIMARY KEY, x)")
    s = raw.RawSession(rcvbuf=4096)
    s.message("subscribe", {"topic": "table:t", "policy": "drop_oldest"})
    base = s.answer()["payload"]["lsn"]
    rest = Rest()
    await in_thread(_write_much, rest, 120)  # some 25 MB with a buffer of 1
    sql("INSERT INTO t (x) VALUES ('last')")
    end = head()

    def read():
        at, gaps = base, 0
        while at < end:
            m = s.recv()
            p = m["payload"]
            if m["type"] == "event":
                assert p["lsn"] == at + 1, (p["lsn"], at)
                at = p["lsn"]
            else:
                assert m["type"] == "error" and p["code"] == "GAP" and p["continues"] is True, m
                assert p["from"] == at + 1 and p["to"] >= p["from"] and p["subscription_id"], (p, at)
                at = p["to"]
                gaps += 1
        return gaps

    gaps = await in_thread(read)
    assert gaps >= 1, "nothing was dropped"
    s.close()


async def drop_oldest_to_the_end():
    """What was missed is told too when the subscription ends before its reader is back."""
    sql("CREATE TABLE t (n INTEGER PRIMARY KEY, x)", "CREATE TABLE u (n)")
    behind = await connect()
    await behind.subscribe("table:u")
    s = raw.RawSession(rcvbuf=4096)
    s.message("subscribe", {"topic": "table:t", "policy": "drop_oldest"})
    base = s.answer()["payload"]["lsn"]
    rest = Rest()
    await in_thread(_write_much, rest, 120)
    sql("DROP TABLE t")
    end = head()
    sql("INSERT INTO u VALUES (1)")
    await behind.event()  # the end came before this, while nothing was read

    def read():
        at, gaps = base, 0
        while True:
            m = s.recv()
            p = m["payload"]
            if m["type"] == "error" and p["code"] == "TABLE_NOT_FOUND":
                assert at == end, f"{at + 1} to {end} are missing, and it was not said"
                return gaps
            if m["type"] == "error":
                assert p["code"] == "GAP" and p["from"] == at + 1 and p["to"] >= p["from"], (p, at)
                at = p["to"]
                gaps += 1
            else:
                assert p["lsn"] == at + 1, (p["lsn"], at)
                at = p["lsn"]

    gaps = await in_thread(read)
    assert gaps >= 1, "nothing was dropped"
    s.close()


async def replay_policy():
    """A slow reader gets everything from the log, and the daemon keeps only a window of it."""
    sql("CREATE TABLE t (n INTEGER PRIMARY KEY, x)")
    s = raw.RawSession(rcvbuf=4096)
    s.message("subscribe", {"topic": "table:t", "policy": "replay", "where": "n % 2 = 0"})
    answer = s.answer()["payload"]
    rest = Rest()
    await in_thread(_write_much, rest, 60)

    def read(last):
        got = []
        while not got or got[-1] < last:
            m = s.recv()
            assert m["type"] == "event" and m["payload"]["filter"] == answer["filter"], m["type"]
            got.append(m["payload"]["row"]["n"])
        return got

    first = await in_thread(read, 6000)
    assert first == list(range(2, 6001, 2)), "every event once and in order"
    await in_thread(_write_much, rest, 40)  # it follows live by now, and falls behind again
    assert await in_thread(read, 10000) == list(range(6002, 10001, 2))
    await in_thread(s.message, "unsubscribe", {"subscription_id": answer["subscription_id"]}, "u")
    assert (await in_thread(s.answer, "u"))["type"] == "unsubscribed"
    s.close()


async def policies_refused():
    sql("CREATE TABLE t (n)")
    s = await connect()
    await s.refused("subscribe", {"topic": "table:t", "policy": "none"}, "INVALID_MESSAGE")
    await s.refused("subscribe", {"topic": "channel:c", "policy": "replay"}, "INVALID_MESSAGE")
    await s.subscribe("channel:c", policy="drop_oldest")
    await s.subscribe("table:t", policy="disconnect")


async def many_filters():
    """Each of a thousand filters on different values gets what is its own, whatever the types."""
    sql(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, r REAL, s TEXT, nocase TEXT COLLATE NOCASE, any)",
    )
    s = await connect()
    filters = {}

    async def add(where):
        filters[(await s.subscribe("table:t", where=where))["filter"]] = where

    for n in range(250):
        await add(f"n = {n}")
        await add(f"'name {n}' = s")
        await add(f'"nocase" == \'Name {n}\' AND id > 0')
        await add(f"new.r = {n}.50")
    for where in ("any = 1", "any = '1'", "any = 1.5", "n = 3 OR s = 'x'", "n BETWEEN 3 AND 4", "s = 5", "n = '7'",
                  "NOT n = 3", "n != 3", "n <= 3", "old.n = 3", "r = 1e0", "any = x'00'", "n = -5", "n IN (1, 2)"):
        await add(where)
    chance = random.Random(7)
    rest = Rest()
    for k in range(60):
        row = [
            chance.choice((None, chance.randrange(12), -5, 250)),
            chance.choice((None, chance.randrange(4) + 0.5, 1, 2.25)),
            chance.choice((None, "x", "5", f"name {chance.randrange(250)}")),
            chance.choice((None, f"NAME {chance.randrange(250)}", "name 3 ")),
            chance.choice((None, 1, "1", 1.0, 1.5, "a", {"$base64": "AA=="})),
        ]
        rest.query("INSERT INTO t (n, r, s, nocase, any) VALUES (?, ?, ?, ?, ?)", row)
        if k % 3 == 0:
            rest.query("UPDATE t SET n = ? WHERE id = last_insert_rowid()", [chance.randrange(9)])
        if k % 7 == 0:
            rest.query("DELETE FROM t WHERE id = (SELECT max(id) FROM t)")
    # What SQLite itself says of each event's row, in a table with the same columns.
    every = await connect()
    await every.subscribe("table:t", since=0)
    events = await every.events(head() - 1)  # the first is CREATE TABLE
    got = {}  # the feed has passed them all by now
    await s.send("ping", {}, "end")
    while (m := await s.recv()).get("id") != "end":
        got.setdefault(m["payload"]["filter"], []).append(m["payload"]["lsn"])
    oracle = sqlite3.connect(":memory:")
    oracle.execute("CREATE TABLE new (id INTEGER PRIMARY KEY, n INTEGER, r REAL, s TEXT, nocase TEXT COLLATE NOCASE, any)")
    wanted, columns = {}, ("id", "n", "r", "s", "nocase", "any")
    for e in events:
        row = [e["row"] or e["old_row"]][0]
        values = [b"\0" if isinstance(row[c], dict) else row[c] for c in columns]
        oracle.execute("DELETE FROM new")
        oracle.execute("INSERT INTO new VALUES (?, ?, ?, ?, ?, ?)", values)
        gone = e["op"] == "delete"
        for id_, where in filters.items():
            if where == "old.n = 3":
                matches = bool(e["old_row"]) and e["old_row"]["n"] == 3
            elif where.startswith("new.") and gone:
                matches = False
            else:
                matches = oracle.execute(f"SELECT count(*) FROM new WHERE {where}").fetchone()[0]
            if matches:
                wanted.setdefault(id_, []).append(e["lsn"])
    for id_, where in filters.items():
        assert got.get(id_, []) == wanted.get(id_, []), (where, got.get(id_), wanted.get(id_))
    assert len(wanted) > 40, f"only {len(wanted)} filters had something to say"


async def plain_and_compressed():
    """Clients with and without permessage-deflate see the same."""
    sql("CREATE TABLE t (n INTEGER PRIMARY KEY, x)")
    sessions = [await connect(compression=c) for c in (None, "deflate", None, "deflate")]
    for s in sessions:
        await s.subscribe("table:t")
        await s.subscribe("channel:c")
    sql(f"INSERT INTO t VALUES (1, '{FILLER * 3}')", "INSERT INTO t VALUES (2, 'small')")
    await sessions[0].ok("publish", {"channel": "c", "message": FILLER * 5}, "query_result")
    seen = [sorted(map(json.dumps, await s.events(3))) for s in sessions]
    assert all(one == seen[0] for one in seen[1:])
    await asyncio.gather(*(s.quiet() for s in sessions))


main(globals())
