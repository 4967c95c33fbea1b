"""Cases of ws_direct.bats: batches and direct messages of rustydb.json.v1, and its corpus."""

import json

from messages import corpus
from rdb import connect, main, sql, token
from rpc_session import open_rpc


def _is_last(m):
    return m["type"] != "query_result" or m["payload"]["part"] == "end"


def _outcome(m):
    return f"error {m['payload']['code']}" if m["type"] == "error" else m["type"]


async def corpus_is_answered_as_it_says():
    """With max_bad_messages high enough."""
    s = await connect()
    count = 0
    for expected, message in corpus("json.txt"):
        count += 1
        await s.ws.send(message)
        await s.ws.send('{"id":"mark","type":"ping"}')
        got = None
        # What takes time is answered after the mark.
        marked = False
        while not marked or (expected != "none" and not (got and _is_last(got))):
            m = await s.recv()
            if m.get("id") == "mark":
                marked = True
            else:
                got = m
        assert (_outcome(got) if got else "none") == expected, (message, expected, got)
    assert count > 80, count
    await s.quiet()
    await s.close()


# ---- batches --------------------------------------------------------------------------------------


async def batches():
    s = await connect()
    messages = [
        {"id": "a", "type": "ping", "payload": 1},
        {"id": "b", "type": "query", "payload": {"sql": "SELECT 7"}},
        {"id": "c", "type": "nonsense"},
        {"type": "ping", "payload": "no id"},
        5,
        {"id": "d", "type": "subscribe", "payload": {"topic": "channel:c"}},
        {"id": "e", "type": "publish", "payload": {"channel": "c", "message": "hi"}},
    ]
    await s.send("batch", {"messages": messages}, "whole")
    got, count, event = {}, 0, None
    while count < 7 or not event:
        m = await s.recv()
        if m["type"] == "event":
            event = m["payload"]
        elif _is_last(m):
            got.setdefault(m.get("id"), []).append(_outcome(m))
            count += 1
    assert got["a"] == ["pong"] and got["b"] == ["query_result"] and got["c"] == ["error INVALID_MESSAGE"], got
    assert got[None] == ["pong", "error INVALID_MESSAGE"], got
    assert got["d"] == ["subscribed"] and got["e"] == ["query_result"] and event["message"] == "hi", got
    await s.quiet()  # the batch itself is not answered
    # Limits: 64 and no more, and none inside another.
    await s.send("batch", {"messages": [{"type": "ping"}] * 64}, "most")
    assert [(await s.recv())["type"] for _ in range(64)] == ["pong"] * 64
    await s.quiet()
    e = await s.refused("batch", {"messages": [{"type": "ping"}] * 65}, "INVALID_MESSAGE")
    assert "64" in e["message"], e
    # What follows a close is not taken.
    await s.send("batch", {"messages": [{"type": "close"}, {"id": "late", "type": "ping"}]})
    code, _ = await s.until_closed()
    assert code == 1000 and not [m for m in s.kept if m.get("id") == "late"], s.kept


async def a_batch_before_authentication():
    s = await connect(auth=False)
    messages = [
        {"id": "q", "type": "query", "payload": {"sql": "SELECT 1"}},
        {"id": "a", "type": "auth", "payload": {"token": token()}},
        {"id": "p", "type": "ping"},
    ]
    await s.send("batch", {"messages": messages})
    got = [await s.recv() for _ in range(3)]
    assert [m["type"] for m in got] == ["error", "auth_success", "pong"], got
    assert got[0]["payload"]["code"] == "AUTH_REQUIRED", got
    await s.close()


async def malformed_in_batches():
    """With max_bad_messages at 10: a batch is as good as what is in it."""
    s = await connect()
    for _ in range(5):
        await s.send("batch", {"messages": [{"type": "nonsense"}] * 9 + [{"type": "ping"}]})
    for _ in range(50):
        await s.recv()
    await s.send("batch", {"messages": [{"type": "nonsense"}] * 9})
    await s.send("batch", {"messages": [{"type": "nonsense"}] * 9})
    code, _ = await s.until_closed()
    assert code == 1008, code


# ---- direct messages ------------------------------------------------------------------------------


def _id(s):
    return s.welcome["payload"]["connection_id"]


async def between_connections():
    a, b, c = await connect(), await connect(), await connect()
    for payload in ("hello é", "", None, 5, [1, {"a": None}], {"x": "y"}, "x" * 100000):
        await a.ws.send(json.dumps({"id": "m", "type": "text", "to": _id(b), "payload": payload}))
        m = await a.recv()
        assert m["type"] == "query_result" and m["id"] == "m" and m["payload"] == {"part": "end", "delivered": 1}, m
        m = await b.recv()
        assert set(m) == {"type", "from", "to", "payload", "timestamp"}, m
        assert (m["type"], m["from"], m["to"], m["payload"]) == ("text", _id(a), _id(b), payload), m
    await b.send("binary", {"$base64": "AAEC/w=="}, "n", to=_id(a), metadata={"k": [1, None]}, **{"from": _id(b)})
    assert (await b.recv())["payload"]["delivered"] == 1
    m = await a.recv()
    assert (m["type"], m["from"], m["payload"]) == ("binary", _id(b), {"$base64": "AAEC/w=="}), m
    assert m["metadata"] == {"k": [1, None]}, m
    # To oneself, too.
    await a.send("text", "note", "self", to=_id(a))
    got = sorted([(await a.recv())["type"], (await a.recv())["type"]])
    assert got == ["query_result", "text"], got
    # In order, from one sender.
    for n in range(300):
        await a.send("text", n, f"o{n}", to=_id(c))
    assert [(await c.recv())["payload"] for n in range(300)] == list(range(300))
    for n in range(300):
        m = await a.recv()
        assert m["id"] == f"o{n}" and m["payload"]["delivered"] == 1, m
    for s in (a, b, c):
        await s.quiet()
    # Nobody there: one that has gone, one that has not authenticated.
    gone = _id(c)
    await c.close()
    stranger = await connect(auth=False)
    for to in (gone, _id(stranger), "c999999", "c", "12", "c-1", "c0", ""):
        await a.send("text", "x", "no", to=to)
        m = await a.recv()
        assert m["type"] == "error" and m["payload"]["code"] == "NOT_FOUND" and m["id"] == "no", (to, m)
    await stranger.quiet()
    # Who it is from is the server's to say.
    await a.send("text", "x", "no", to=_id(b), **{"from": _id(stranger)})
    m = await a.recv()
    assert m["payload"]["code"] == "PERMISSION_DENIED", m
    await b.quiet()
    for s in (a, b, stranger):
        await s.close()


async def across_reactors():
    """With two reactors: whichever has the receiver."""
    sessions = [await connect() for _ in range(12)]
    for s in sessions:
        for to in sessions:
            await s.send("text", _id(s), "m", to=_id(to))
    for s in sessions:
        got, answers = [], 0
        while len(got) < 12 or answers < 12:
            m = await s.recv()
            if m["type"] == "text":
                assert m["payload"] == m["from"] and m["to"] == _id(s), m
                got.append(m["from"])
            else:
                assert m["payload"] == {"part": "end", "delivered": 1}, m
                answers += 1
        assert sorted(got) == sorted(_id(s) for s in sessions), got
    await sessions[0].send("text", "x", "no", to="c999999")
    assert (await sessions[0].recv())["payload"]["code"] == "NOT_FOUND"
    for s in sessions:
        await s.close()


async def to_a_session_of_jsonrpc():
    a, s = await connect(), await open_rpc()
    to = (await s.call("status"))["connection_id"]
    await a.send("text", {"a": 1}, "m", to=to, metadata={"k": 1})
    assert (await a.recv())["payload"]["delivered"] == 1
    p = await s.notification("text")
    assert p.pop("timestamp")
    assert p == {"from": _id(a), "to": to, "payload": {"a": 1}, "metadata": {"k": 1}}, p
    await a.close()
    await s.close()


async def one_that_does_not_read():
    """With stream_buffer at 64k: the sender is told, and the receiver stays as it is."""
    a, b = await connect(), await connect(max_queue=1, read_limit=1024)
    b.ws.transport.pause_reading()
    refused = 0
    for n in range(2000):
        await a.send("text", "x" * 20000, f"m{n}", to=_id(b))
        m = await a.recv()
        if m["type"] == "error":
            assert m["payload"]["code"] == "BUSY", m
            refused += 1
            if refused == 3:
                break
    assert refused == 3, refused
    b.ws.transport.resume_reading()
    count = 0
    while True:
        m = await b.recv()
        assert m["type"] == "text", m
        count += 1
        if count == n - 2:
            break
    await b.quiet()
    assert sql("SELECT 1") == [[1]]
    await a.close()
    await b.close()


main(globals())
