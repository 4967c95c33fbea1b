"""Cases of rpc.bats: JSON-RPC 2.0 over WebSocket and over HTTP."""

import asyncio
import itertools
import json
import os
import re

import wsclient
from messages import corpus
from rdb import LIMIT, Closed, Rest, connect, eventually_async, head, in_thread, main, settles, sql, token
from rpc_session import Failed, check_answer, open_rpc

FOREVER = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"


# ---- the corpus -----------------------------------------------------------------------------------


def outcome(answer):
    if answer is None:
        return "none"
    if isinstance(answer, list):
        return "[" + " ".join(outcome(a) for a in answer) + "]"
    check_answer(answer)
    return str(answer["error"]["code"]) if "error" in answer else "result"


def same_id(message, answer_text):
    """The id came back to the letter."""
    asked = re.search(r'"id" ?: ?("(?:[^"\\]|\\.)*"|[^,} ]+)', message)
    got = re.search(r'"id":("(?:[^"\\]|\\.)*"|[^,}]+)', answer_text)
    assert got and asked and got.group(1) == asked.group(1), (message, answer_text[:200])


async def corpus_over_websocket():
    s = await open_rpc()
    count = 0
    for expected, message in corpus("jsonrpc.txt"):
        if expected.startswith("{"):
            continue
        count += 1
        await s.send(message)
        await s.send('{"jsonrpc":"2.0","id":"mark","method":"ping"}')
        got = []
        while True:
            text = await asyncio.wait_for(s.ws.recv(), LIMIT)
            m = json.loads(text)
            if isinstance(m, dict) and m.get("id") == "mark":
                break
            got.append(m)
            if expected == "result":
                same_id(message, text)
        # A request that takes time is answered after the mark.
        if not got and expected != "none":
            text = await asyncio.wait_for(s.ws.recv(), LIMIT)
            got.append(json.loads(text))
        assert len(got) <= 1, (message, got)
        assert outcome(got[0] if got else None) == expected, (message, expected, got)
    assert count > 80, count
    # What notifications came to is known by now, and nothing was said of it.
    assert (await s.ask('{"jsonrpc":"2.0","id":"last","method":"ping"}'))["id"] == "last"
    await s.close()


def corpus_over_http():
    rest = Rest()
    for expected, message in corpus("jsonrpc.txt"):
        expected = expected.strip("{}")
        status, headers, body = rest.raw("POST", "/rpc", message)
        if expected == "none":
            assert status == 204 and not body, (message, status, body)
            continue
        assert status == 200, (message, status, body)
        assert headers["Content-Type"] == "application/json", headers
        assert outcome(json.loads(body)) == expected, (message, expected, body)
        if expected == "result":
            same_id(message, body.decode())
    rest.close()


# ---- requests -------------------------------------------------------------------------------------


async def queries():
    s = await open_rpc()
    r = await s.call("execute", ["CREATE TABLE t (id INTEGER PRIMARY KEY, v)"])
    assert r["columns"] == [] and r["rows"] == [], r
    r = await s.call("execute", {"sql": "INSERT INTO t VALUES (?, ?), (2, 'b')", "params": [1, "a"]})
    assert (r["changes"], r["last_insert_rowid"]) == (2, 2) and r["lsn"] == 3, r
    r = await s.call("query", ["SELECT * FROM t WHERE id >= :least", {"least": 1}])
    assert r["rows"] == [[1, "a"], [2, "b"]], r
    assert [c["name"] for c in r["columns"]] == ["id", "v"] and r["columns"][0]["type"] == "INTEGER", r
    assert "truncated" not in r and r["elapsed_ms"] >= 0
    r = await s.call("query", {"sql": "SELECT * FROM t", "max_rows": 1})
    assert r["rows"] == [[1, "a"]] and r["truncated"] is True, r
    e = await s.refused(-32010, "QUERY_ERROR", "query", ["SELECT * FRM t"])
    assert e.data["position"] == 9, e.data
    e = await s.refused(-32602, "INVALID_MESSAGE", "query", ["SELECT 1", 5])
    assert e.message.startswith("Invalid params: "), e.message
    e = await s.refused(-32013, "CONFLICT", "execute", ["INSERT INTO t VALUES (1, 'c')"])
    await s.refused(-32017, "TIMEOUT", "query", [FOREVER, None, 50])
    # Answers find their requests, whatever the order.
    ids = [await s.start("query", ["SELECT ?", [n]]) for n in range(50)]
    for n, id_ in reversed(list(enumerate(ids))):
        assert (await s.answer(id_))["rows"] == [[n]]
    await s.close()


async def large_results():
    """max_result is 64k here."""
    s = await open_rpc()
    r = await s.call("query", ["SELECT printf('%.*c', 60000, 'x')"])
    assert r["rows"] == [["x" * 60000]]
    e = await s.refused(-32016, "MESSAGE_TOO_BIG", "query", ["SELECT printf('%.*c', 70000, 'x')"])
    one = {"jsonrpc": "2.0", "id": 1, "method": "query", "params": ["SELECT printf('%.*c', 40000, 'x')"]}
    got = await s.ask([one, one, {"jsonrpc": "2.0", "id": 2, "method": "ping"}])
    assert outcome(got) == "[result -32016 result]", outcome(got)
    assert e.data["code"] == "MESSAGE_TOO_BIG"
    status, _, body = Rest().raw("POST", "/rpc", json.dumps([one, one]))
    assert status == 200 and outcome(json.loads(body)) == "[result -32016]"
    await s.close()


async def compressed():
    s = await open_rpc(compression="deflate")
    assert wsclient.extensions(s.ws), "permessage-deflate was not negotiated"
    await s.call("execute", ["CREATE TABLE t (v)"])
    text = "compress me " * 20000
    assert (await s.call("query", ["SELECT ?", [text]]))["rows"] == [[text]]
    one = {"jsonrpc": "2.0", "id": 1, "method": "query", "params": ["SELECT ?", [text]]}
    got = await s.ask([one, one])
    assert [a["result"]["rows"] for a in got] == [[[text]], [[text]]]
    await s.call("subscribe", ["table:t"])
    await in_thread(sql, f"INSERT INTO t VALUES ('{text}')")
    assert (await s.notification())["row"] == {"v": text}
    await s.close()


async def batches():
    s = await open_rpc()
    await s.call("execute", ["CREATE TABLE t (id INTEGER PRIMARY KEY, v)"])
    insert = {"jsonrpc": "2.0", "method": "execute", "params": ["INSERT INTO t (v) VALUES ('x')"]}
    count = {"jsonrpc": "2.0", "id": 0, "method": "query", "params": ["SELECT count(*) FROM t"]}
    batch = []
    for n in range(20):
        batch += [insert, {**count, "id": n}]
    got = await s.ask(batch)
    # In their order: each sees what those before it wrote.
    assert [(a["id"], a["result"]["rows"]) for a in got] == [(n, [[n + 1]]) for n in range(20)], got
    # Several at once, and single requests among them.
    slow = {"jsonrpc": "2.0", "id": "slow", "method": "query", "params": [FOREVER, None, 500]}
    await s.send([slow, {**count, "id": "after"}])
    assert (await s.call("ping")) == "pong"
    got = await s.ask("[" + json.dumps({**count, "id": 1.5}) + "]")
    assert outcome(got) == "[result]" and got[0]["id"] == 1.5, got
    got = await s.recv()
    assert outcome(got) == "[-32017 result]" and got[1]["id"] == "after", got
    # A batch of nothing but notifications says nothing, but runs.
    await s.send([insert] * 5)
    await eventually_async(lambda: in_thread(lambda: sql("SELECT count(*) FROM t") == [[25]]))
    await s.send([insert] * 11)
    r = await s.call("query", ["SELECT 1"])
    assert r["rows"] == [[1]]
    # Subscriptions and what is asked of them in one batch.
    got = await s.ask(
        [
            {"jsonrpc": "2.0", "id": "s", "method": "subscribe", "params": {"topic": "channel:c"}},
            {"jsonrpc": "2.0", "id": "p", "method": "broadcast", "params": ["hi", "c"]},
            {"jsonrpc": "2.0", "id": "u", "method": "unsubscribe", "params": ["s999999"]},
        ]
    )
    assert [a["id"] for a in got] == ["s", "p", "u"] and got[1]["result"] == {"channel": "c", "delivered": 1}
    assert got[2]["error"]["code"] == -32012
    assert (await s.notification())["message"] == "hi"
    # Too many.
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert outcome(await s.ask([ping] * 64)) == "[" + " ".join(["result"] * 64) + "]"
    assert outcome(await s.ask([ping] * 65)) == "-32600"
    await s.close()


async def a_batch_that_breaks_off():
    s = await open_rpc()
    slow = {"jsonrpc": "2.0", "id": "slow", "method": "query", "params": [FOREVER, None, 600000]}
    await s.send([slow, slow])
    await s.send([slow, slow])
    await s.call("ping")
    s.ws.transport.abort()
    await in_thread(settles)
    t = await open_rpc()
    await t.send([slow, slow])
    await t.close()
    await in_thread(settles)


async def cancelling():
    s = await open_rpc()
    for id_, named in ((7, 7), ("seven", "seven"), ("\u00e9", "\u00e9")):
        await s.send({"jsonrpc": "2.0", "id": id_, "method": "query", "params": [FOREVER, None, 600000]})

        async def cancelled():  # not as long as the query does not run yet
            try:
                return await s.call("cancel", [named])
            except Failed as e:
                assert e.code == -32012, e
                return None

        s.ids = itertools.count(1000)
        assert await eventually_async(cancelled) == {"cancelled": True}
        try:
            await s.answer(id_)
            raise AssertionError("a cancelled query gave a result")
        except Failed as e:
            assert (e.code, e.data["code"]) == (-32018, "CANCELLED"), e
    # The id is the same value, however it is written.
    await s.send('{"jsonrpc":"2.0","id":"\\u0061b","method":"query","params":["%s",null,600000]}' % FOREVER)
    await eventually_async(cancelled_by(s, "ab"))
    await s.send('{"jsonrpc":"2.0","id":2.50,"method":"query","params":["%s",null,600000]}' % FOREVER)
    await eventually_async(cancelled_by(s, 2.5))
    await s.close()


def cancelled_by(s, id_):
    async def attempt():
        try:
            return await s.call("cancel", {"id": id_})
        except Failed as e:
            assert e.code == -32012, e
            return None

    return attempt


async def transactions():
    s = await open_rpc()
    await s.call("execute", ["CREATE TABLE t (v)"])
    tx = (await s.call("begin_transaction"))["transaction"]
    insert = "INSERT INTO t VALUES (?)"
    await s.call("execute", {"sql": insert, "params": [1], "transaction": tx})
    r = await s.call("savepoint", [tx, 'a "b"'])
    assert r == {"transaction": tx, "name": 'a "b"', "action": "create"}, r
    await s.call("execute", [insert, [2], None, None, tx])
    await s.call("savepoint", [tx, 'a "b"', "rollback"])
    await s.call("execute", [insert, [3], None, None, tx])
    r = await s.call("savepoint", {"transaction": tx, "name": 'a "b"', "action": "release"})
    assert r["action"] == "release"
    await s.refused(-32010, "QUERY_ERROR", "savepoint", [tx, 'a "b"', "release"])
    await s.refused(-32010, "QUERY_ERROR", "savepoint", [tx, "never", "rollback"])
    r = await s.call("commit", [tx])
    assert r["transaction"] == tx and r["lsn"] == head(), r
    assert await in_thread(sql, "SELECT v FROM t") == [[1], [3]]
    tx = (await s.call("begin_transaction", []))["transaction"]
    await s.call("execute", {"sql": "DELETE FROM t", "transaction": tx})
    assert (await s.call("rollback", {"transaction": tx}))["transaction"] == tx
    assert await in_thread(sql, "SELECT count(*) FROM t") == [[2]]
    await s.refused(-32012, "NOT_FOUND", "commit", [tx])
    await s.close()


# ---- events ---------------------------------------------------------------------------------------


async def events():
    s, plain = await open_rpc(), await connect()
    await in_thread(sql, "CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    first = await s.call("subscribe", ["table:t", None, "v > 5"])
    assert first["topic"] == "table:t" and first["filter"] and first["lsn"] == head(), first
    await plain.subscribe("table:t", where="v > 5")
    await in_thread(sql, "INSERT INTO t VALUES (1, 5), (2, 6)", "DELETE FROM t")
    for _ in range(2):
        assert await s.notification() == await plain.event()
    # By name, with a position.
    r = await s.call("subscribe", {"topic": "table:t", "ops": ["insert"], "since": first["lsn"]})
    assert r["subscription_id"] != first["subscription_id"]
    assert [(await s.notification())["row"]["id"] for _ in range(2)] == [1, 2]
    await s.refused(-32013, "CONFLICT", "subscribe", ["table:t", ["insert"]])
    await s.refused(-32011, "TABLE_NOT_FOUND", "subscribe", ["table:nope"])
    e = await s.refused(-32602, "INVALID_MESSAGE", "subscribe", ["table:t", None, "v >"])
    assert "position" in e.data, e.data
    await s.refused(-32602, "INVALID_MESSAGE", "subscribe", ["table:t", [], None])
    await s.refused(-32602, "INVALID_MESSAGE", "subscribe", ["nonsense:t"])
    # Channels.
    await s.call("subscribe", {"topic": "channel:c"})
    await plain.subscribe("channel:c")
    assert await s.call("broadcast", [{"a": 1}, "c", "kind", {"m": 1}]) == {"channel": "c", "delivered": 2}
    assert await s.notification() == await plain.event()
    assert await s.call("broadcast", {"message": "all"}) == {"channel": None, "delivered": 2}
    e = await s.notification()
    assert (e["topic"], e["message"]) == ("broadcast", "all"), e
    # A subscription that ends is told of, and so is the drop.
    r = await s.call("unsubscribe", [first["subscription_id"]])
    assert r == {"subscription_id": first["subscription_id"]}
    await in_thread(sql, "DROP TABLE t")
    assert (await s.notification("system"))["event"] == "table_dropped"
    e = await s.notification("error")
    assert e["code"] == "TABLE_NOT_FOUND" and e["subscription_id"], e
    # One that is made for this connection over REST is told of, too.
    me = (await s.call("status"))["connection_id"]
    want = {"connection_id": me, "subscription_type": "channel", "target": "given"}
    made = await in_thread(Rest().call, "POST", "/ws/subscriptions", want)
    told = await s.notification("subscribed")
    assert told["topic"] == "channel:given" and told["subscription_id"] == made["subscription_id"], (told, made)
    # Subscribing by a notification works, and is not answered.
    await s.send({"jsonrpc": "2.0", "method": "subscribe", "params": ["channel:silent"]})
    assert await s.call("broadcast", [1, "silent"]) == {"channel": "silent", "delivered": 1}
    assert (await s.notification())["topic"] == "channel:silent"
    await s.close()


async def closing():
    """The daemon says why it closes, as a notification."""
    s = await open_rpc()
    await s.call("ping")
    os.kill(int(os.environ["DAEMON_PID"]), 15)
    e = await s.notification("system")
    assert e["event"] == "closing" and e["code"] == 1001, e


# ---- getting in, limits ---------------------------------------------------------------------------


async def authentication():
    s = await open_rpc(auth=False)
    await s.refused(-32001, "AUTH_REQUIRED", "ping")
    await s.refused(-32001, "AUTH_REQUIRED", "no such method")
    await s.refused(-32001, "AUTH_REQUIRED", "query", ["SELECT 1"])
    await s.refused(-32002, "AUTH_FAILED", "auth", ["wrong"])
    await s.refused(-32602, "INVALID_MESSAGE", "auth", [5])
    await s.send({"jsonrpc": "2.0", "method": "execute", "params": ["CREATE TABLE stranger (a)"]})
    got = await s.ask(
        [
            {"jsonrpc": "2.0", "id": 1, "method": "query", "params": ["SELECT 1"]},
            {"jsonrpc": "2.0", "id": 2, "method": "auth", "params": {"token": token()}},
            {"jsonrpc": "2.0", "id": 3, "method": "query", "params": ["SELECT 1"]},
        ]
    )
    assert outcome(got) == "[-32001 result result]", got
    assert got[1]["result"] == {"user": "root"}
    assert (await s.call("query", ["SELECT name FROM sqlite_schema WHERE name = 'stranger'"]))["rows"] == []
    await s.close()
    status, _, body = Rest(with_token="wrong").raw("POST", "/rpc", '{"jsonrpc":"2.0","id":1,"method":"ping"}')
    assert status == 401 and json.loads(body)["code"] == "AUTH_FAILED"


async def status():
    s = await open_rpc()
    r = await s.call("status")
    assert r["status"] == "running" and r["connection_id"].startswith("c") and r["user"] == "root", r
    assert r["limits"]["max_batch"] == 64 and r["lsn"] == head() and r["log_id"] and r["version"], r
    assert r["active_connections"] == 1, r
    await s.close()


async def abuse():
    """With max_bad_messages at 10."""
    s = await open_rpc()
    for _ in range(3):
        for _ in range(9):
            assert outcome(await s.ask("nonsense")) == "-32700"
        await s.call("ping")
    for _ in range(9):
        assert outcome(await s.ask('[{"a":1}]')) == "[-32600]"
    await s.send("[]")
    try:
        while True:
            await s.recv()
    except Closed as e:
        assert e.code == 1008, e
    # What is left of a batch does not run then.
    await in_thread(sql, "CREATE TABLE t (v)")
    s = await open_rpc()
    insert = {"jsonrpc": "2.0", "id": 1, "method": "execute", "params": ["INSERT INTO t VALUES (1)"]}
    await s.send([{"a": 1}] * 10 + [insert])
    try:
        while True:
            await s.recv()
    except Closed as e:
        assert e.code == 1008, e
    await in_thread(settles)
    assert await in_thread(sql, "SELECT count(*) FROM t") == [[0]]


async def many_batches():
    """With max_pending at 4: more batches than that are refused, and none is lost."""
    s = await open_rpc()
    for n in range(6):
        # Ids of their own: the same one runs once at a time, and a CONFLICT would end its batch at once.
        slow = {"jsonrpc": "2.0", "id": f"slow{n}", "method": "query", "params": [FOREVER, None, 4000]}
        await s.send([slow, {"jsonrpc": "2.0", "id": 1, "method": "ping"}])
    got = [outcome(await s.recv()) for _ in range(6)]
    assert got.count("-32021") == 2, got
    assert len([g for g in got if g.endswith("result]")]) == 4, got
    await s.close()


# ---- OpenRPC --------------------------------------------------------------------------------------


async def discover():
    s = await open_rpc()
    doc = await s.call("rpc.discover")
    assert re.fullmatch(r"1\.\d+\.\d+", doc["openrpc"]) and doc["info"]["title"] and doc["info"]["version"], doc
    methods = {m["name"]: m for m in doc["methods"]}
    assert set(methods) == {
        "query",
        "execute",
        "begin_transaction",
        "commit",
        "rollback",
        "savepoint",
        "subscribe",
        "unsubscribe",
        "ack",
        "broadcast",
        "cancel",
        "status",
        "ping",
        "auth",
        "rpc.discover",
    }, set(methods)
    schemas = doc["components"]["schemas"]
    for m in doc["methods"]:
        assert m["summary"] and isinstance(m["params"], list) and m["paramStructure"] == "either", m
        names = [p["name"] for p in m["params"]]
        assert len(set(names)) == len(names), names
        needed = [p["required"] for p in m["params"]]
        assert needed == sorted(needed, reverse=True), f"{m['name']}: an optional one before a required one"
        for one in m["params"] + [m["result"]]:
            assert isinstance(one["schema"], dict) and one["name"], one
            ref = one["schema"].get("$ref", "")
            if ref.startswith("#"):
                assert ref.removeprefix("#/components/schemas/") in schemas, ref
        for e in m["errors"]:
            code = doc["components"]["errors"][e["$ref"].removeprefix("#/components/errors/")]
            assert isinstance(code["code"], int) and code["message"], code
    # What it says of the parameters holds: too many by position are refused, the required ones missed.
    for m in doc["methods"]:
        await s.refused(-32602, "INVALID_MESSAGE", m["name"], [None] * (len(m["params"]) + 1))
        await s.refused(-32602, "INVALID_MESSAGE", m["name"], {"surprise": 1})
        if any(p["required"] for p in m["params"]):
            e = await s.refused(-32602, "INVALID_MESSAGE", m["name"], {})
            assert m["params"][0]["name"] in e.message, e.message
    _, _, body = Rest().raw("POST", "/rpc", '{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}')
    over_http = {m["name"] for m in json.loads(body)["result"]["methods"]}
    assert set(methods) - over_http == {"subscribe", "unsubscribe", "ack", "cancel", "auth"}, over_http
    await s.close()


# ---- over HTTP ------------------------------------------------------------------------------------


def over_http():
    rest = Rest()

    def call(method, params, id_=1):
        answer = rest.call("POST", "/rpc", {"jsonrpc": "2.0", "id": id_, "method": method, "params": params})
        check_answer(answer)
        assert answer["id"] == id_
        return answer.get("result", answer.get("error"))

    call("execute", ["CREATE TABLE t (v)"])
    tx = call("begin_transaction", [])["transaction"]
    assert call("execute", ["INSERT INTO t VALUES (1)", None, None, None, tx])["changes"] == 1
    assert call("savepoint", [tx, "s"])["name"] == "s"
    assert call("execute", {"sql": "DELETE FROM t", "transaction": tx})["changes"] == 1
    assert call("savepoint", [tx, "s", "rollback"])["action"] == "rollback"
    assert call("commit", [tx])["transaction"] == tx
    assert call("query", ["SELECT v FROM t"])["rows"] == [[1]]
    assert call("broadcast", ["x", "c"]) == {"channel": "c", "delivered": 0}
    assert "connection_id" not in call("status", [])
    status, headers, body = rest.raw("POST", "/rpc", '{"jsonrpc":"2.0","method":"execute","params":["DELETE FROM t"]}')
    assert status == 204 and body == b"", (status, body)
    assert call("query", ["SELECT count(*) FROM t"])["rows"] == [[0]]
    # Bytes that are not UTF-8 are no JSON.
    status, _, body = rest.raw("POST", "/rpc", b'{"jsonrpc":"2.0","id":"\xff","method":"ping"}')
    assert status == 200 and outcome(json.loads(body)) == "-32700", body
    status, _, body = rest.raw("POST", "/rpc", "[" * 100000)
    assert outcome(json.loads(body)) == "-32700", body[:200]
    status, headers, body = rest.raw("GET", "/rpc")
    assert status == 405 and "POST" in headers["Allow"], headers
    rest.close()


main(globals())
