"""Cases of rights_live.bats: what is pushed to whom, and what becomes of it when rights change."""

import asyncio
import json
import threading
import time

import wsclient

from rdb import (LIMIT, SLOW, Closed, Refused, Rest, connect, eventually, in_thread, main,
                 open_socket, sql)

ROOT = None
KEYS = {}  # user -> the id of its key


def root():
    global ROOT
    ROOT = ROOT or Rest()
    return ROOT


def role(name, *tables, **more):
    root().call("POST", "/admin/roles", {"name": name, "tables": list(tables), **more})


def user(name, *roles, **more):
    """Makes a user; returns a token."""
    root().call("POST", "/admin/users", {"name": name, "roles": list(roles), **more})
    key = root().call("POST", "/admin/api-keys", {"user": name})
    KEYS[name] = key["id"]
    return key["key"]


OWN = {"table": "orders", "operations": ["select"], "where": "owner = current_user()"}


def orders():
    sql("CREATE TABLE orders (id INTEGER PRIMARY KEY, owner TEXT, total REAL, secret TEXT)")


def change(*statements):
    """In a thread: the session goes on meanwhile."""
    return in_thread(sql, *statements)


def plain(e):
    return e["op"], e["row"], e["old_row"]


async def own_rows():
    orders()
    role("own", OWN)
    anna, bob = user("anna", "own"), user("bob", "own")
    a, b, r = [await connect(with_token=t) for t in (anna, bob, None)]
    for s in (a, b, r):
        await s.subscribe("table:orders")
    all_a = await connect(with_token=anna)
    await all_a.subscribe("tables:*")
    await change("CREATE TABLE private (x)",
                 "INSERT INTO private VALUES (1)",
                 "INSERT INTO orders VALUES (1, 'anna', 5, 's')",
                 "UPDATE orders SET owner = 'bob'",
                 "UPDATE orders SET total = 6",
                 "UPDATE orders SET owner = 'nobody'",
                 "DELETE FROM orders")
    one = {"id": 1, "owner": "anna", "total": 5.0, "secret": "s"}
    two = {**one, "owner": "bob"}
    three = {**two, "total": 6.0}
    hers = [("insert", one, None), ("delete", None, one)]
    assert [plain(e) for e in await a.events(2)] == hers
    assert [plain(e) for e in await all_a.events(2)] == hers
    assert [plain(e) for e in await b.events(3)] == [
        ("insert", two, None), ("update", three, two), ("delete", None, three)]
    assert len(await r.events(5)) == 5
    for s in (a, b, r, all_a):
        await s.quiet()


async def columns_and_masks():
    orders()
    role("part", {"table": "orders", "operations": ["select"], "columns": ["id", "owner", "total"],
                  "masks": {"total": {"kind": "expression", "sql": "round(total, -1)"},
                            "owner": {"kind": "partial", "keep": 1}}})
    s = await connect(with_token=user("eve", "part"))
    await s.subscribe("table:orders")
    await change("INSERT INTO orders VALUES (1, 'annabel', 12, 'topsecret')",
                 "UPDATE orders SET secret = 'new'",      # hidden: nothing
                 "UPDATE orders SET owner = 'xxxxxxl'",   # the same mask: nothing
                 "UPDATE orders SET owner = 'xxxxxxm'")
    first, second = await s.events(2)
    assert set(first["row"]) == {"id", "owner", "total"}, first
    assert first["row"]["owner"] == "******l", first
    assert second["changed_columns"] == ["owner"], second
    assert second["old_row"]["owner"] == "******l" and second["row"]["owner"] == "******m", second
    await s.quiet()
    e = await s.refused("subscribe", {"topic": "table:orders", "columns": ["secret"]}, "INVALID_MESSAGE")
    assert "secret" in e["message"]


async def filters():
    orders()
    role("masked", {"table": "orders", "operations": ["select"], "masks": {"secret": {"kind": "null"}}})
    role("few", {"table": "orders", "operations": ["select"], "columns": ["id"]})
    s = await connect(with_token=user("eve", "masked"))
    few = await connect(with_token=user("fay", "few"))
    for where in ("secret = 'a'", "secret LIKE 'a%'", "old.secret = 'a'", "secret IS NOT NULL",
                  "length(secret) > 0", "new.secret <> old.secret"):
        await s.subscribe("table:orders", where=where)
        await few.refused("subscribe", {"topic": "table:orders", "where": where}, "INVALID_MESSAGE")
    await s.subscribe("table:orders", columns=["secret"], ops=["update"])
    await change("INSERT INTO orders VALUES (1, 'anna', 1, 'a')", "UPDATE orders SET secret = 'b'",
                 "UPDATE orders SET secret = 'a', total = 2", "DELETE FROM orders")
    await s.subscribe("table:orders", where="secret IS NULL AND id = 2")
    await change("INSERT INTO orders VALUES (2, 'anna', 1, 'a')")
    assert (await s.event())["row"]["id"] == 2
    await s.quiet()


async def resume():
    orders()
    sql("INSERT INTO orders VALUES (1, 'anna', 5, 's')", "INSERT INTO orders VALUES (2, 'bob', 5, 's')",
        "UPDATE orders SET owner = 'anna' WHERE id = 2", "UPDATE orders SET secret = 't' WHERE id = 1",
        "UPDATE orders SET owner = 'bob' WHERE id = 1")
    role("own", {**OWN, "columns": ["id", "owner"]})
    anna = user("anna", "own")
    for topic in ("table:orders", "tables:*"):
        s = await connect(with_token=anna)
        await s.subscribe(topic, since=0)
        got = [plain(e) for e in await s.events(3)]
        assert got == [("insert", {"id": 1, "owner": "anna"}, None), ("insert", {"id": 2, "owner": "anna"}, None),
                       ("delete", None, {"id": 1, "owner": "anna"})], got
        await s.quiet()


async def initial():
    orders()
    sql("INSERT INTO orders VALUES (1, 'anna', 5, 's'), (2, 'bob', 6, 't'), (3, 'anna', 7, 'u')")
    role("own", {**OWN, "columns": ["id", "owner", "total"], "masks": {"total": {"kind": "null"}}})
    s = await connect(with_token=user("anna", "own"))
    await s.subscribe("table:orders", initial=True)
    rows = [(await s.event()) for _ in range(2)]
    assert [r["row"] for r in rows] == [{"id": 1, "owner": "anna", "total": None},
                                        {"id": 3, "owner": "anna", "total": None}], rows
    await change("INSERT INTO orders VALUES (4, 'bob', 1, 'v'), (5, 'anna', 1, 'w')")
    assert (await s.event())["row"] == {"id": 5, "owner": "anna", "total": None}
    await s.quiet()
    t = await connect(with_token=user("bob", "own"))
    await t.subscribe("table:orders", initial=True, where="owner = 'anna'")
    await t.quiet()


async def hidden_tables():
    orders()
    role("own", OWN)
    s = await connect(with_token=user("anna", "own"))
    sql("CREATE TABLE private (x)")
    hidden = await s.refused("subscribe", {"topic": "table:private"}, "TABLE_NOT_FOUND")
    absent = await s.refused("subscribe", {"topic": "table:missing"}, "TABLE_NOT_FOUND")
    assert hidden["message"] == absent["message"].replace("missing", "private"), (hidden, absent)
    assert hidden.get("hint") == absent.get("hint")
    await s.refused("subscribe", {"tables": ["orders", "private"]}, "TABLE_NOT_FOUND")
    stranger = await connect(with_token=user("zoe"))
    await stranger.refused("subscribe", {"topic": "table:orders"}, "TABLE_NOT_FOUND")
    await stranger.subscribe("tables:*", since=0)
    await change("ALTER TABLE private ADD COLUMN y", "ALTER TABLE orders ADD COLUMN hush TEXT",
                 "INSERT INTO orders (id, owner) VALUES (1, 'anna')", "DROP TABLE private")
    await stranger.quiet()
    assert not stranger.system, stranger.system


async def live_query():
    orders()
    sql("INSERT INTO orders VALUES (1, 'anna', 5, 's'), (2, 'bob', 6, 't')")
    role("own", OWN, scopes=["sql"])
    anna, bob, eve = user("anna", "own"), user("bob", "own"), user("eve")
    a, b, r = [await connect(with_token=t) for t in (anna, bob, None)]
    topics, counts = set(), []
    for s in (a, b, r):
        got = await s.ok("subscribe", {"query": "SELECT id FROM orders ORDER BY id"}, "subscribed")
        topics.add(got["topic"])
        counts.append((await s.event())["rows"])
    assert len(topics) == 3, topics
    assert counts == [[[1]], [[2]], [[1], [2]]], counts
    await change("INSERT INTO orders VALUES (3, 'anna', 5, 's')")
    assert (await a.event())["count"] == 2
    assert (await r.event())["count"] == 3
    await b.quiet()
    e = await connect(with_token=eve)
    await e.refused("subscribe", {"query": "SELECT 1 FROM orders"}, "PERMISSION_DENIED")
    await e.refused("query", {"sql": "SELECT 1"}, "PERMISSION_DENIED")


async def streams():
    orders()
    sql("CREATE TABLE open (x)")
    role("own", OWN, {"table": "open", "operations": ["select"]})
    role("watcher", streams=["metrics", "queries", "system"])
    role("copier", streams=["replication"])
    anna, wim, cleo = user("anna", "own"), user("wim", "watcher"), user("cleo", "own", "copier")
    a, w = await connect(with_token=anna), await connect(with_token=wim)
    for topic in ("metrics", "queries", "system", "replication"):
        e = await a.refused("subscribe", {"topic": topic}, "PERMISSION_DENIED")
        assert topic in e["hint"], e
    for topic in ("metrics", "queries", "system"):
        await w.subscribe(topic)
    await w.refused("subscribe", {"topic": "replication"}, "PERMISSION_DENIED")
    c = await connect(with_token=cleo)
    for tables in (["orders"], ["open", "orders"], ["missing"]):
        await c.refused("subscribe", {"topic": "replication", "tables": tables}, "PERMISSION_DENIED")
    await c.subscribe("replication", since=0)
    await change("INSERT INTO orders VALUES (1, 'cleo', 1, 's')", "INSERT INTO open VALUES (1)")
    kinds = [await c.event() for _ in range(3)]
    assert "orders" not in json.dumps(kinds) and '"open"' in json.dumps(kinds), kinds
    await c.quiet()


async def channels():
    role("news", channels=[{"channel": "news.*", "operations": ["subscribe"]},
                           {"channel": "desk", "operations": ["publish"]}])
    role("speaker", scopes=["broadcast"])
    nell, sam = user("nell", "news"), user("sam", "speaker")
    n, r, s = [await connect(with_token=t) for t in (nell, None, sam)]
    await n.subscribe("channel:news.today")
    for topic in ("channel:news", "channel:desk", "channel:other"):
        await n.refused("subscribe", {"topic": topic}, "PERMISSION_DENIED")
    await r.subscribe("channel:desk")
    await n.ok("publish", {"channel": "desk", "message": 1}, "query_result")
    assert (await r.event())["message"] == 1
    await n.refused("publish", {"channel": "news.today", "message": 1}, "PERMISSION_DENIED")
    await n.send("text", 1, "d1", to=r.welcome["payload"]["connection_id"])
    async for m in n.answers("d1"):
        assert m["payload"]["code"] == "PERMISSION_DENIED", m
        break
    # raw: the channel is refused with the close
    raw = await open_socket(with_token=nell, path="/api/v1/ws?channel=other", subprotocols=["raw"])
    try:
        await asyncio.wait_for(raw.recv(), LIMIT)
        raise AssertionError("raw was not closed")
    except wsclient.ConnectionClosed as e:
        assert e.rcvd.code == 1008, e
    # JSON-RPC, over HTTP
    def rpc(token, method, params):
        rest = Rest(with_token=token)
        got = rest.call("POST", "/rpc", {"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        rest.close()
        return got
    got = await in_thread(rpc, sam, "broadcast", {"channel": "news.x", "message": 1})
    assert got["error"]["code"] == -32004, got
    got = await in_thread(rpc, nell, "query", {"sql": "SELECT 1"})
    assert got["error"]["code"] == -32004, got
    got = await in_thread(rpc, nell, "broadcast", {"message": 1})
    assert got["error"]["code"] == -32004, got
    got = await in_thread(rpc, sam, "broadcast", {"message": 1})
    assert got["result"]["delivered"] >= 1, got


async def within_a_second(session, what):
    """Waits for `what(message)`; it must come within a second (and some, where it is slow)."""
    started = time.monotonic()
    while True:
        m = await session.recv(2 * SLOW)
        if what(m):
            assert time.monotonic() - started < 1.0 * SLOW + 0.5
            return m


async def role_taken():
    orders()
    sql("CREATE TABLE open (x)")
    role("own", OWN)
    role("open", {"table": "open", "operations": ["select"]})
    anna = user("anna", "own", "open")
    s = await connect(with_token=anna)
    mine = await s.subscribe("table:orders")
    kept = await s.subscribe("table:open")
    await change("INSERT INTO orders VALUES (1, 'anna', 1, 's')")
    e = await s.event()
    # something else changes: nothing ends
    await in_thread(user, "other", "open")
    await asyncio.sleep(0.6)
    await s.quiet()
    await in_thread(root().call, "PATCH", "/admin/users/anna", {"roles": ["open"]})
    m = await within_a_second(s, lambda m: m["type"] == "error")
    assert m["payload"]["code"] == "PERMISSION_DENIED", m
    assert m["payload"]["subscription_id"] == mine["subscription_id"], m
    assert str(e["lsn"]) in m["payload"]["hint"], m
    await change("INSERT INTO orders VALUES (2, 'anna', 1, 's')", "INSERT INTO open VALUES (1)")
    assert (await s.event())["topic"] == kept["topic"]
    await s.quiet()
    await s.refused("subscribe", {"topic": "table:orders"}, "TABLE_NOT_FOUND")
    # rights come back: the next subscription has them
    await in_thread(root().call, "PATCH", "/admin/users/anna", {"roles": ["open", "own"]})

    async def again():
        m = await s.request("subscribe", {"topic": "table:orders", "since": e["lsn"]})
        return m["type"] == "subscribed"
    end = time.monotonic() + LIMIT
    while not await again():
        assert time.monotonic() < end
    assert (await s.event())["row"]["id"] == 2
    # the policy itself changes
    await in_thread(root().call, "PUT", "/admin/roles/own", {"tables": [{**OWN, "where": "owner = 'bob'"}]})
    await within_a_second(s, lambda m: m["type"] == "error" and m["payload"]["code"] == "PERMISSION_DENIED")


async def key_deleted():
    orders()
    role("own", OWN, scopes=["sql"])
    anna = user("anna", "own")
    s = await connect(with_token=anna)
    rpc = await open_socket(with_token=anna, subprotocols=["jsonrpc"])
    binary = await open_socket(with_token=anna, subprotocols=["rustydb.bin.v1"])
    await s.subscribe("table:orders")
    await in_thread(root().call, "DELETE", "/admin/api-keys/" + KEYS["anna"])
    started = time.monotonic()
    m = await within_a_second(s, lambda m: m["type"] == "error")
    assert m["payload"]["code"] in ("AUTH_EXPIRED", "AUTH_FAILED"), m
    assert (await s.until_closed())[0] == 1008
    text = await asyncio.wait_for(rpc.recv(), LIMIT)
    assert "AUTH_" in text, text
    for ws in (rpc, binary):
        try:
            while True:
                await asyncio.wait_for(ws.recv(), LIMIT)
        except wsclient.ConnectionClosed as e:
            assert e.rcvd.code == 1008, e
    assert time.monotonic() - started < 3 * SLOW
    try:
        await connect(with_token=anna)
        raise AssertionError("the key still works")
    except wsclient.InvalidHandshake as e:
        assert wsclient.refused_with(e) == 401


LONG = ("WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM n WHERE x < 1000000000) "
        "SELECT count(*) FROM n")


async def statements_end():
    role("sql", {"table": "*", "operations": ["select"]}, scopes=["sql"])
    anna = user("anna", "sql")
    got = {}

    def over_http():
        rest = Rest(with_token=anna)
        try:
            rest.query(LONG, timeout_ms=60000)
            got["http"] = "it ended"
        except Refused as e:
            got["http"] = e.code
        except OSError:
            got["http"] = "closed"
    thread = threading.Thread(target=over_http)
    thread.start()
    s = await connect(with_token=anna)
    await s.send("query", {"sql": LONG, "timeout_ms": 60000}, "q")
    eventually(lambda: len(root().call("GET", "/monitoring/queries")["queries"]) >= 2)
    await in_thread(root().call, "PATCH", "/admin/users/anna", {"disabled": True})
    code, _ = await s.until_closed(10 * SLOW)
    assert code == 1008
    await in_thread(thread.join)
    assert got["http"] in ("AUTH_EXPIRED", "AUTH_FAILED", "closed"), got
    eventually(lambda: not root().call("GET", "/monitoring/queries")["queries"])


main(globals())
