"""Cases of ws.bats: subscriptions to tables and what makes events."""

import asyncio
import re

from rdb import Rest, connect, head, main, sql


async def event_shapes():
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, price REAL, data BLOB)")
    s = await connect()
    answer = await s.subscribe("table:t")
    assert answer["topic"] == "table:t" and answer["filter"] is None and answer["subscription_id"]
    assert answer["log_id"] == s.welcome["payload"]["log_id"], answer
    e = await s.one_event("INSERT INTO t VALUES (1, 'a', 2, x'00ff')")
    assert e["lsn"] == answer["lsn"] + 1, (e, answer)
    assert e["topic"] == "table:t" and e["op"] == "insert" and "filter" not in e, e
    row = {"id": 1, "name": "a", "price": 2.0, "data": {"$base64": "AP8="}}
    assert e["row"] == row and e["old_row"] is None and e["changed_columns"] is None, e
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$", e["committed_at"]), e
    assert isinstance(e["tx"], int), e
    first = e
    e = await s.one_event("UPDATE t SET name = 'b', price = 2.0 WHERE id = 1")
    assert e["op"] == "update" and e["old_row"] == row and e["row"] == {**row, "name": "b"}, e
    assert e["changed_columns"] == ["name"] and e["lsn"] == first["lsn"] + 1 and e["tx"] != first["tx"]
    e = await s.one_event("UPDATE t SET id = 7 WHERE id = 1")
    assert e["op"] == "update" and e["changed_columns"] == ["id"], e
    e = await s.one_event("UPDATE t SET name = name")
    assert e["changed_columns"] == [], e
    e = await s.one_event("DELETE FROM t")
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
    # however it is spelled: one stream is one subscription
    await s.refused("subscribe", {"topic": "table:T"}, "CONFLICT")
    await s.refused("subscribe", {"topic": "table:t", "where": " x  >\n1 -- same"}, "CONFLICT")
    await s.refused("subscribe", {"topic": "table:t", "ops": ["delete", "update", "insert"]}, "CONFLICT")
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
    e = await s.one_event("INSERT INTO t VALUES (4)")
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


async def ddl():
    sql("CREATE TABLE t (x)", "INSERT INTO t VALUES (1)")
    s = await connect()
    await s.subscribe("table:t")
    filtered = await s.subscribe("table:t", where="x > 0")

    async def system(event, ended=False):
        """Each of the two subscriptions is told; where they ended, by an error of each, too."""
        got, errors = [], []
        while len(got) < 2 or ended and len(errors) < 2:
            m = await s.recv()
            if m["type"] == "error" and ended:
                assert m["payload"]["code"] == "TABLE_NOT_FOUND" and m["payload"]["subscription_id"], m
                errors.append(m)
                continue
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
    await system("table_dropped", ended=True)
    sql("CREATE TABLE t (other)", "INSERT INTO t VALUES (1)")
    await s.quiet()  # the subscription ended with the table
    await s.subscribe("table:t")
    filtered = await s.subscribe("table:t", where="other > 0")
    sql("ALTER TABLE t RENAME TO u")
    await system("table_renamed", ended=True)
    sql("INSERT INTO u VALUES (2)")
    await s.quiet()
    await s.refused("subscribe", {"topic": "table:t"}, "TABLE_NOT_FOUND")
    await s.subscribe("table:u")
    assert (await s.one_event("INSERT INTO u VALUES (3)"))["row"] == {"other": 3}
    await s.close()


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
