"""Cases of live.bats: live queries over WebSocket."""

import asyncio
import json
import random
import time

import wsclient

from rdb import LIMIT, SLOW, Rest, connect, eventually_async, in_thread, main, port, sql, token


class View:
    """A live query's result as a client has it that applies every message."""

    def __init__(self, session, answer):
        self.s = session
        self.id = answer["subscription_id"]
        self.topic = answer["topic"]
        self.lsn = None
        self.rows = None
        self.messages = []

    def take(self, p):
        assert p["topic"] == self.topic, p
        self.messages.append(p)
        if p["kind"] == "result":
            self.key, self.columns, self.rows = p["key"], p["columns"], p["rows"]
        else:
            assert p["kind"] == "diff" and p["since"] == self.lsn, (p, self.lsn)
            for r in p["removed"]:
                was = self.rows[r["was"]]
                assert r["key"] == [was[k] for k in self.key] if self.key else r["row"] == was, (r, was)
            gone = {c["was"] for c in p["removed"] + p["changed"]}
            rows = [row for i, row in enumerate(self.rows) if i not in gone]
            for c in sorted(p["changed"] + p["added"], key=lambda c: c["at"]):
                rows.insert(c["at"], c["row"])
            assert len(rows) == p["count"], p
            self.rows = rows
        assert self.lsn is None or p["lsn"] > self.lsn, p
        self.lsn = p["lsn"]
        return p

    async def next(self):
        return self.take(await self.s.event())

    async def until(self, rows):
        while self.rows != rows:
            await self.next()


async def view(s, query, params=None, **more):
    if params is not None:
        more["params"] = params
    v = View(s, await s.ok("subscribe", {"query": query, **more}, "subscribed"))
    await v.next()
    return v


def runs():
    rest = Rest()
    try:
        figures = rest.call("GET", "/metrics?metrics=live.*")["metrics"]
        return {name.removeprefix("live."): n for name, n in figures.items()}
    finally:
        rest.close()


async def result_then_differences():
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n)", "INSERT INTO t VALUES (1,'a',1),(2,'b',2)")
    s = await connect()
    answer = await s.ok("subscribe", {"query": "SELECT * FROM t ORDER BY id"}, "subscribed")
    assert answer["topic"].startswith("query:") and answer["filter"] is None, answer
    assert answer["log_id"] == s.welcome["payload"]["log_id"], answer
    v = View(s, answer)
    p = await v.next()
    assert p["kind"] == "result" and p["key"] == [0] and p["lsn"] == answer["lsn"], (p, answer)
    assert p["columns"] == [
        {"name": "id", "type": "INTEGER"},
        {"name": "name", "type": "TEXT"},
        {"name": "n", "type": ""},
    ] or p["columns"][2]["type"] in (None, ""), p
    assert v.rows == [[1, "a", 1], [2, "b", 2]], p
    sql("INSERT INTO t VALUES (3,'c',x'00')")
    p = await v.next()
    assert p["added"] == [{"at": 2, "row": [3, "c", {"$base64": "AA=="}]}], p
    assert p["changed"] == [] and p["removed"] == [], p
    sql("UPDATE t SET n = 5 WHERE id = 2")
    p = await v.next()
    assert p["changed"] == [{"was": 1, "at": 1, "row": [2, "b", 5]}], p
    sql("UPDATE t SET id = 9 WHERE id = 1")
    p = await v.next()
    assert p["removed"] == [{"was": 0, "key": [1]}], p
    assert p["added"] == [{"at": 2, "row": [9, "a", 1]}] and p["changed"] == [], p
    sql("UPDATE t SET n = n", "CREATE TABLE other (x)", "INSERT INTO other VALUES (1)")
    await s.quiet()
    await s.ok("unsubscribe", {"subscription_id": v.id}, "unsubscribed")
    sql("DELETE FROM t")
    await s.quiet()
    await s.close()


async def kinds_of_queries():
    """Aggregates, a view with a join, ORDER BY with LIMIT, no key, parameters of both kinds."""
    sql(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT)",
        "CREATE TABLE i (id INTEGER PRIMARY KEY, p INT, n INT)",
        "CREATE VIEW totals AS SELECT p.name, sum(i.n) AS total FROM p JOIN i ON i.p = p.id GROUP BY p.id",
        "INSERT INTO p VALUES (1,'anna'),(2,'bob')",
        "INSERT INTO i (p, n) VALUES (1,1),(2,2),(2,3)",
    )
    asked = [
        ("SELECT count(*), sum(n), avg(n) FROM i", None),
        ("SELECT * FROM totals ORDER BY name", None),
        ("SELECT id FROM i ORDER BY n DESC, id LIMIT 2", None),
        ("SELECT n FROM i ORDER BY n", None),
        ("SELECT name FROM p WHERE id = ?", [2]),
        ("SELECT name FROM p WHERE id = :id", {"id": 1}),
    ]
    s = await connect()
    views = {}
    for q, params in asked:
        payload = {"query": q} if params is None else {"query": q, "params": params}
        answer = await s.ok("subscribe", payload, "subscribed")
        views[answer["topic"]] = View(s, answer)
    assert len(views) == len(asked)

    def right():
        rest = Rest()
        want = [rest.rows(q, params) for q, params in asked]
        rest.close()
        return all(v.rows == w for v, w in zip(views.values(), want))

    async def settle():
        while not await in_thread(right):
            p = await s.event()
            views[p["topic"]].take(p)

    await settle()
    for statement in (
        "INSERT INTO i (p, n) VALUES (1, 7)",
        "UPDATE i SET n = 0 WHERE n = 2",
        "UPDATE p SET name = 'carl' WHERE id = 2",
        "DELETE FROM i WHERE p = 2",
        "UPDATE p SET id = id + 10",
    ):
        sql(statement)
        await settle()
    count = next(iter(views.values()))
    assert all(m["kind"] == "diff" and len(m["changed"]) == 1 for m in count.messages[1:]), count.messages
    await s.close()


async def coalescing():
    """1,000 quick writes are a few messages."""
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    s = await connect()
    v = await view(s, "SELECT count(*) FROM t", min_interval=200)

    def write():
        rest = Rest()
        for _ in range(1000):
            rest.query("INSERT INTO t DEFAULT VALUES")
        rest.close()

    began = time.monotonic()
    await in_thread(write)
    took = time.monotonic() - began
    await v.until([[1000]])
    assert len(v.messages) - 1 <= took / 0.2 + 2, (len(v.messages), took)
    assert len(v.messages) < 200, len(v.messages)
    await s.close()


async def shared(n="100"):
    """Many subscribers, one query: it runs once for all of them."""
    n = int(n)
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY, x)", "INSERT INTO t VALUES (1, 1)")
    before = runs()
    sessions = await asyncio.gather(*[connect() for _ in range(n)])
    texts = ["SELECT id, x FROM t", "  SELECT id, x\n FROM t;", "SELECT id, x /* so */ FROM t -- end"]
    views = await asyncio.gather(*[view(s, texts[i % 3]) for i, s in enumerate(sessions)])
    assert len({v.topic for v in views}) == 1
    now = runs()
    assert now["queries"] == 1 and now["subscriptions"] == n, now
    assert now["runs"] - before["runs"] == 1, now
    for i in range(2, 5):
        at = runs()
        sql(f"INSERT INTO t VALUES ({i}, {i})")
        await asyncio.gather(*[v.next() for v in views])
        assert all(v.rows[-1] == [i, i] and v.lsn == views[0].lsn for v in views)
        now = runs()
        assert now["runs"] - at["runs"] == 1 and now["diffs"] - at["diffs"] == 1, (at, now)
    for s in sessions[: n // 2]:
        await s.close()
    for v in views[n // 2 :]:
        await v.s.ok("unsubscribe", {"subscription_id": v.id}, "unsubscribed")
    await eventually_async(lambda: runs()["queries"] == 0)
    at = runs()
    assert at["result_bytes"] == 0, at
    sql("INSERT INTO t VALUES (100, 1)", "DELETE FROM t")
    assert runs()["runs"] == at["runs"] and runs()["looks"] == at["looks"]
    for v in views[n // 2 :]:
        await v.s.quiet()


async def random_writer():
    """A writer, subscribers that come and go: at the end everyone has what a SELECT gives, and each
    message on the way fitted."""
    sql(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, k INT, x INT)",
        "CREATE TABLE u (k INTEGER PRIMARY KEY, name TEXT)",
    )
    asked = [
        "SELECT id, k, x FROM t ORDER BY x, id",
        "SELECT k, count(*), sum(x) FROM t GROUP BY k ORDER BY k",
        "SELECT x FROM t ORDER BY x DESC LIMIT 7",
        "SELECT t.id, u.name FROM t JOIN u USING (k) ORDER BY t.id",
    ]
    done = False

    def write():
        rng, rest = random.Random(5), Rest()
        for _ in range(400):
            i, k, x = rng.randrange(40), rng.randrange(5), rng.randrange(100)
            rest.query(
                rng.choice(
                    [
                        f"INSERT OR REPLACE INTO t VALUES ({i},{k},{x})",
                        f"UPDATE t SET x = {x} WHERE id = {i}",
                        f"UPDATE t SET x = x + 1 WHERE k = {k}",
                        f"DELETE FROM t WHERE id = {i}",
                        f"INSERT OR REPLACE INTO u VALUES ({k},'n{x}')",
                        f"DELETE FROM u WHERE k = {k}",
                    ]
                )
            )
        rest.close()

    async def follow(seed):
        rng = random.Random(seed)
        while True:
            q = rng.choice(asked)
            s = await connect()
            v = await view(s, q, min_interval=rng.choice([1, 20, 100, 300]))
            for _ in range(rng.randrange(1, 12)):
                try:
                    v.take(await s.event(timeout=0.3))
                except asyncio.TimeoutError:
                    if done:
                        break
            if done:
                want = await in_thread(sql, q)
                await v.until(want)
                await s.close()
                return len(v.messages)
            await s.close()

    writing = in_thread(write)
    following = [asyncio.ensure_future(follow(i)) for i in range(12)]
    await writing
    done = True
    await asyncio.gather(*following)


async def refusals():
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY)", "CREATE VIRTUAL TABLE ft USING fts5(x)")
    s = await connect()
    for payload, code in (
        ({"query": "SELECT nope FROM t"}, "QUERY_ERROR"),
        ({"query": "SELECT * FROM nowhere"}, "TABLE_NOT_FOUND"),
        ({"query": "DELETE FROM t"}, "READ_ONLY"),
        ({"query": "INSERT INTO t DEFAULT VALUES RETURNING id"}, "READ_ONLY"),
        ({"query": "SELECT * FROM ft"}, "INVALID_MESSAGE"),
        ({"query": "SELECT * FROM sqlite_schema"}, "INVALID_MESSAGE"),
        ({"query": "SELECT 1"}, "INVALID_MESSAGE"),
        ({"query": "SELECT * FROM _rustydb_log"}, "PERMISSION_DENIED"),
        ({"query": "SELECT ? FROM t", "params": [[1]]}, "INVALID_MESSAGE"),
        ({"query": 5}, "INVALID_MESSAGE"),
        ({"query": "SELECT * FROM t", "topic": "table:t"}, "INVALID_MESSAGE"),
        ({"query": "SELECT * FROM t", "since": 1}, "INVALID_MESSAGE"),
        ({"query": "SELECT * FROM t", "where": "id = 1"}, "INVALID_MESSAGE"),
        ({"query": "SELECT * FROM t", "policy": "drop_oldest"}, "INVALID_MESSAGE"),
        ({"query": "SELECT * FROM t", "min_interval": 0}, "INVALID_MESSAGE"),
        ({"query": "SELECT * FROM t", "min_interval": 3600001}, "INVALID_MESSAGE"),
        ({"topic": "table:t", "params": []}, "INVALID_MESSAGE"),
        ({"topic": "table:t", "min_interval": 100}, "INVALID_MESSAGE"),
        ({"topic": "query:0123456789abcdef"}, "INVALID_MESSAGE"),
        ({}, "INVALID_MESSAGE"),
    ):
        await s.refused("subscribe", payload, code)
    p = await s.refused("subscribe", {"query": "SELECT nope FROM t"}, "QUERY_ERROR")
    assert p["position"] == 7, p
    v = await view(s, "SELECT * FROM t")
    p = await s.refused("subscribe", {"query": " SELECT * FROM t;", "min_interval": 5000}, "CONFLICT")
    await view(s, "SELECT id FROM t")
    await s.ok("unsubscribe", {"subscription_id": v.id}, "unsubscribed")
    assert (await view(s, "SELECT * FROM t")).topic == v.topic
    await s.close()


async def ends():
    """A dropped table, a view that no longer works, a result that grows too large, a failing row."""
    sql(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, j TEXT)",
        "CREATE TABLE gone (x)",
        "CREATE VIEW v AS SELECT x FROM gone",
    )
    s = await connect()
    views = {
        "DROP TABLE gone": ("SELECT x FROM v", "TABLE_NOT_FOUND"),
        "INSERT INTO t VALUES (1, 'no json')": ("SELECT json_extract(j, '$.a') FROM t", "QUERY_ERROR"),
        "INSERT INTO t SELECT value, '' FROM json_each('[10,11,12,13,14,15,16,17,18,19]')": (
            "SELECT id FROM t",
            "MESSAGE_TOO_BIG",
        ),
    }
    for statement, (query, code) in views.items():
        v = await view(s, query)
        sql(statement)
        while True:
            m = await s.recv()
            if m["type"] == "error":
                break
            v.take(m["payload"])
        assert m["payload"]["code"] == code and m["payload"]["subscription_id"] == v.id, m
        await s.refused("unsubscribe", {"subscription_id": v.id}, "NOT_FOUND")
    await eventually_async(lambda: runs()["queries"] == 0)
    await s.close()


async def schema_changes():
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1)", "CREATE VIEW v AS SELECT 1 AS x FROM t")
    s = await connect()
    all_, through = await view(s, "SELECT * FROM t"), await view(s, "SELECT * FROM v")
    views = {v.topic: v for v in (all_, through)}

    async def until(v, rows):
        while v.rows != rows:
            p = await s.event()
            views[p["topic"]].take(p)

    sql("ALTER TABLE t ADD COLUMN y DEFAULT 7")
    await until(all_, [[1, 7]])
    assert all_.messages[-1]["kind"] == "result" and len(all_.columns) == 2, all_.messages
    rest = Rest()
    rest.call(
        "POST",
        "/batch",
        {"atomic": True, "statements": [{"sql": "DROP VIEW v"}, {"sql": "CREATE VIEW v AS SELECT 2 AS x FROM t"}]},
    )
    rest.close()
    await until(through, [[2]])
    await s.close()


async def limits():
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    s = await connect()
    for i in range(3):
        await view(s, f"SELECT id, {i} FROM t")
    await s.refused("subscribe", {"query": "SELECT id, 3 FROM t"}, "BUSY")
    other = await connect()
    v = await view(other, "SELECT id, 2 FROM t")  # shared: no new one
    sql("INSERT INTO t VALUES (1)")
    await v.until([[1, 2]])
    await other.close()
    await s.close()


async def pace():
    """Each subscriber has its own pace, and the query runs at the quicker one."""
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    a, b = await connect(), await connect()
    quick, slow = await view(a, "SELECT count(*) FROM t"), await view(
        b, "SELECT count(*) FROM t", min_interval=400
    )
    assert quick.topic == slow.topic
    stamps, end = [], time.monotonic() + 3 * SLOW

    async def read(v, to):
        while v.rows[0][0] < last:
            await v.next()
            to.append(time.monotonic())

    last = 10**9

    def write():
        nonlocal last
        rest, n = Rest(), 0
        while time.monotonic() < end:
            rest.query("INSERT INTO t DEFAULT VALUES")
            n += 1
        last = n
        rest.query("INSERT INTO t DEFAULT VALUES")
        rest.close()

    ignored = []
    await asyncio.gather(in_thread(write), read(quick, ignored), read(slow, stamps))
    gaps = [y - x for x, y in zip(stamps, stamps[1:])]
    assert gaps and sum(gaps) / len(gaps) > 0.35, gaps
    assert len(slow.messages) * 2 < len(quick.messages), (len(slow.messages), len(quick.messages))
    await a.close()
    await b.close()


async def slow_reader():
    """Policy replay: who falls behind begins again with the present result."""
    query = "SELECT id, x FROM t ORDER BY id"
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)")
    s, other = await connect(), await connect()
    v = await view(s, query, policy="replay")
    w = await view(other, query)
    s.ws.transport.pause_reading()
    rest, sent = Rest(), 0
    while sent < 30_000_000:  # more than the kernel holds for a socket
        x = f"{sent:08}" * 5000
        rest.query("INSERT OR REPLACE INTO t VALUES (?, ?)", [sent % 5, x])
        sent += len(x)
        while all(r[1] != x for r in w.rows):
            await w.next()
    rest.close()
    s.ws.transport.resume_reading()
    await v.until(w.rows)
    kinds = [m["kind"] for m in v.messages]
    # It began again when it fell behind, and once more when it had read that: not with each message.
    assert 2 <= kinds.count("result") <= 3, kinds
    assert len(v.messages) < len(w.messages), (len(v.messages), len(w.messages))
    sql("DELETE FROM t")
    await v.until([])
    assert v.messages[-1]["kind"] == "diff", v.messages[-1]
    await s.close()
    await other.close()


async def many_reactors():
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    before = runs()
    sessions = await asyncio.gather(*[connect() for _ in range(16)])
    views = await asyncio.gather(*[view(s, "SELECT id FROM t ORDER BY id") for s in sessions])
    for i in range(1, 30):
        sql(f"INSERT INTO t VALUES ({i})")
    want = [[i] for i in range(1, 30)]
    await asyncio.gather(*[v.until(want) for v in views])
    assert len({tuple(m["lsn"] for m in v.messages) for v in views}) == 1
    now = runs()
    assert now["queries"] == 1 and now["runs"] - before["runs"] <= 30, now
    for s in sessions:
        await s.close()


async def compressed():
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)")
    a, b = await connect(compression="deflate"), await connect()
    one, two = await view(a, "SELECT * FROM t"), await view(b, "SELECT * FROM t")
    sql("INSERT INTO t VALUES (1, hex(zeroblob(3000)))")
    await one.next()
    await two.next()
    assert one.rows == two.rows and len(one.rows[0][1]) == 6000
    await a.close()
    await b.close()


ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c, t"


async def too_slow():
    """A query that takes too long is refused, or ends, with TIMEOUT; others go on meanwhile."""
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    s = await connect()
    v = await view(s, "SELECT id FROM t")
    asked = asyncio.ensure_future(s.request("subscribe", {"query": ENDLESS}))
    await asyncio.sleep(0)
    sql("INSERT INTO t VALUES (2)")
    m = await asked
    assert m["type"] == "error" and m["payload"]["code"] == "TIMEOUT", m
    await v.until([[1], [2]])
    await s.close()


async def left_running():
    """Leaves a query running, for the daemon to be stopped."""
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    s = await connect()
    await s.send("subscribe", {"query": ENDLESS}, "1")
    await eventually_async(lambda: runs()["queries"] == 1)
    await s.close()
    await eventually_async(lambda: runs()["queries"] == 0)  # it is cancelled with its last subscriber
    s = await connect()
    await s.send("subscribe", {"query": ENDLESS}, "1")
    await eventually_async(lambda: runs()["queries"] == 1)


async def over_json_rpc():
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    ws = await wsclient.connect(
        f"ws://127.0.0.1:{port()}/api/v1/ws",
        {"Authorization": f"Bearer {token()}"},
        subprotocols=["jsonrpc"],
        ping_interval=None,
    )
    params = {"query": "SELECT id FROM t WHERE id > ?", "params": [5], "min_interval": 20}
    await ws.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": params}))

    async def recv():
        return json.loads(await asyncio.wait_for(ws.recv(), LIMIT))

    answer = await recv()
    assert answer["id"] == 1 and answer["result"]["topic"].startswith("query:"), answer
    v = View(None, answer["result"])
    m = await recv()
    assert m["method"] == "event" and "id" not in m, m
    v.take(m["params"])
    sql("INSERT INTO t VALUES (5),(6)")
    v.take((await recv())["params"])
    assert v.rows == [[6]], v.rows
    sql("DROP TABLE t")
    m = await recv()
    assert m["method"] == "error" and m["params"]["subscription_id"] == v.id, m
    await ws.close()


async def listed():
    """Over REST: made for a connection, shown, ended."""
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    s = await connect()
    rest = Rest()
    made = await in_thread(
        rest.call,
        "POST",
        "/ws/subscriptions",
        {"connection_id": s.welcome["payload"]["connection_id"], "query": "SELECT * FROM t", "min_interval": 50},
    )
    assert made["subscription_type"] == "query" and len(made["target"]) == 16, made
    assert made["filters"] == {"query": "SELECT * FROM t"}, made
    assert made["config"]["min_interval"] == 50, made
    m = await s.recv()
    if m["type"] == "subscribed":
        m = await s.recv()
    assert m["payload"]["kind"] == "result", m
    shown = await in_thread(rest.call, "GET", "/ws/subscriptions")
    assert [x["target"] for x in shown["subscriptions"]] == [made["target"]], shown
    rest.close()
    await s.close()


main(globals())
