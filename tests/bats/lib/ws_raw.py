"""Cases of ws_raw.bats: plain frames as messages of one channel."""

import asyncio
import base64
import os
import signal
import urllib.parse

import wsclient
from rdb import LIMIT, OPEN, Rest, connect, main, port, token


async def open_raw(channel, with_token=None, query=None, **options):
    options.setdefault("compression", None)
    query = query if query is not None else "channel=" + urllib.parse.quote(channel, safe="")
    auth = token() if with_token is None else with_token
    ws = await wsclient.connect(
        f"ws://127.0.0.1:{port()}/api/v1/ws?{query}",
        {"Authorization": f"Bearer {auth}"} if auth else {},
        subprotocols=["raw"],
        max_size=None,
        ping_interval=None,
        open_timeout=LIMIT,
        max_queue=None,
        **options,
    )
    OPEN.append(ws)
    assert ws.subprotocol == "raw"
    return ws


async def recv(ws):
    return await asyncio.wait_for(ws.recv(), LIMIT)


async def between_sessions():
    a, b, other, json_ = (await open_raw("c"), await open_raw("c"), await open_raw("d"), await connect())
    await json_.subscribe("channel:c")
    texts = ["hello", "", "é\0\n\"", '{"a":1}', '"quoted"', "5", "null", '{"$base64":"AA=="}', "x" * 200000]
    for text in texts:
        await a.send(text)
        assert await recv(b) == text
        assert await recv(a) == text  # the sender listens to the channel as well
        e = await json_.event()
        assert e["message"] == text and e["topic"] == "channel:c" and e["sent_at"], e
        assert "event" not in e and "metadata" not in e, e
    for data in (b"", b"\0\xff\xfe", bytes(range(256)) * 300):
        await b.send(data)
        assert await recv(a) == data and await recv(b) == data
        assert (await json_.event())["message"] == {"$base64": base64.b64encode(data).decode()}
    await other.send("only here")
    assert await recv(other) == "only here"
    await json_.quiet()
    # In order, texts and bytes among one another.
    for n in range(200):
        await a.send(str(n) if n % 2 else str(n).encode())
    for ws in (a, b):
        assert [await recv(ws) for _ in range(200)] == [str(n) if n % 2 else str(n).encode() for n in range(200)]
    # In fragments.
    await a.send(["one ", "two ", "three"])
    assert await recv(b) == "one two three"
    for ws in (a, b, other):
        await ws.close()
        assert ws.close_code == 1000, ws.close_code
    await json_.close()


async def from_other_protocols():
    raw, json_, rest = await open_raw("c"), await connect(), Rest()
    for message, frame in (
        ("text", "text"),
        ({"$base64": "AAEC"}, b"\0\1\2"),
        ({"$base64": "not base64"}, '{"$base64":"not base64"}'),
        ({"$base64": "AA==", "b": 1}, '{"$base64":"AA==","b":1}'),
        ({"a": [1, None, "é"]}, '{"a":[1,null,"é"]}'),
        ([], "[]"),
        (1.5, "1.5"),
        (None, "null"),
        (False, "false"),
    ):
        end = await json_.ok("publish", {"channel": "c", "message": message, "event": "e"}, "query_result")
        assert end["delivered"] == 1
        got = await recv(raw)
        assert got == frame, (message, got)
        rest.call("POST", "/ws/broadcast", {"message": message, "channel": "c", "metadata": {"message": 1}})
        assert await recv(raw) == frame, message
    rest.call("POST", "/ws/broadcast", {"message": "to everyone"})
    assert await recv(raw) == "to everyone"
    # It has no direct messages.
    list_ = rest.call("GET", "/ws/connections")["connections"]
    id_ = [c["connection_id"] for c in list_ if c["subprotocol"] == "raw"]
    assert len(id_) == 1, list_
    await json_.send("text", "x", "m", to=id_[0])
    m = await json_.recv()
    while m["type"] == "event":
        m = await json_.recv()
    assert m["type"] == "error" and m["payload"]["code"] == "CONFLICT", m
    await raw.close()
    await json_.close()


async def names():
    a, b = await open_raw("News/é 2&=?#%"), await connect()
    await b.subscribe("channel:News/é 2&=?#%")
    await a.send("x")
    assert (await b.event())["topic"] == "channel:News/é 2&=?#%"
    longest = await open_raw("n" * 200)
    await longest.send("x")
    assert await recv(longest) == "x"
    for query in (
        "",
        "channel=",
        "channel",
        "chanel=x",
        "channel=x&more=1",
        "channel=a%01b",
        "channel=%ff",
        "channel=" + "n" * 201,
    ):
        try:
            await open_raw("", query=query)
            raise AssertionError(f"opened with {query[:40]}")
        except wsclient.InvalidHandshake as e:
            assert wsclient.refused_with(e) == 400, (query[:40], e)
    await a.close()
    await b.close()


async def credentials():
    for wrong in ("", "wrong"):
        try:
            await open_raw("c", with_token=wrong)
            raise AssertionError(f"opened with the token {wrong!r}")
        except wsclient.InvalidHandshake as e:
            assert wsclient.refused_with(e) == 401, e


async def compressed():
    a, b, plain = (
        await open_raw("c", compression="deflate"),
        await open_raw("c", compression="deflate"),
        await open_raw("c"),
    )
    assert wsclient.extensions(a), "permessage-deflate was not negotiated"
    for message in ("compress me " * 5000, b"\0" * 100000, "", "short"):
        await a.send(message)
        for ws in (a, b, plain):
            assert await recv(ws) == message
    await a.close()


async def large():
    """With max_message at 64k."""
    a, b = await open_raw("c"), await open_raw("c")
    await a.send("x" * 65536)
    assert await recv(b) == "x" * 65536
    await a.send(b"x" * 65537)
    try:
        while True:
            await recv(a)
    except wsclient.ConnectionClosed as e:
        assert e.rcvd.code == 1009, e
    await b.close()


async def reactors():
    """With two reactors."""
    all_ = [await open_raw("c") for _ in range(10)]
    for n, ws in enumerate(all_):
        await ws.send(str(n))
    for ws in all_:
        assert sorted([await recv(ws) for _ in all_]) == [str(n) for n in range(10)]
    for ws in all_:
        await ws.close()


async def nothing_but_the_channel():
    """No word of ours comes among the frames, not even at the end, which has a code."""
    a = await open_raw("c")
    rest = Rest()
    subs = rest.call("GET", "/ws/subscriptions")["subscriptions"]
    assert [s["target"] for s in subs] == ["c"], subs
    rest.call("DELETE", f"/ws/subscriptions/{subs[0]['subscription_id']}")
    try:
        raise AssertionError(f"came: {await recv(a)}")
    except wsclient.ConnectionClosed as e:
        assert e.rcvd.code in (1000, 1011) and e.rcvd.reason, e
    b = await open_raw("c")
    await b.send("mark")
    assert await recv(b) == "mark"
    os.kill(int(os.environ["DAEMON_PID"]), signal.SIGTERM)
    try:
        raise AssertionError(f"came: {await recv(b)}")
    except wsclient.ConnectionClosed as e:
        assert e.rcvd.code == 1001, e


main(globals())
