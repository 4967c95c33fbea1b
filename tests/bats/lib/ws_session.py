"""Cases of ws.bats: opening, authenticating, pinging, compressing and closing a session."""

import asyncio
import json
import os
import signal
import threading
import time

import wsclient

import raw
from rdb import (
    SLOW,
    Closed,
    Rest,
    connect,
    daemon_pid,
    eventually,
    eventually_async,
    main,
    port,
    sql,
    token,
)


async def welcome():
    s = await connect()
    w = s.welcome["payload"]
    assert "id" not in s.welcome and s.welcome["timestamp"][10] == "T", s.welcome
    assert w["authenticated"] is True and w["connection_id"] and w["log_id"], w
    assert isinstance(w["lsn"], int) and isinstance(w["limits"], dict) and w["limits"], w
    assert w["version"] == Rest().call("GET", "/server/info")["version"], w
    assert s.ws.subprotocol == "rustydb.json.v1"
    other = await connect()
    assert other.welcome["payload"]["connection_id"] != w["connection_id"]
    assert other.welcome["payload"]["log_id"] == w["log_id"]
    sql("CREATE TABLE t (x)", "INSERT INTO t VALUES (1), (2)")
    third = await connect()
    assert third.welcome["payload"]["lsn"] > w["lsn"]
    for session in (s, other, third):
        await session.close()
        assert session.ws.close_code == 1000, session.ws.close_code


async def malformed_in_a_row():
    s = await connect()
    for _ in range(40):
        await s.ws.send("{")
        await s.ws.send('{"type":"pong"}')
    assert (await s.request("ping", {"x": 1}))["type"] == "pong"
    for _ in range(32):
        await s.ws.send("{")
    await asyncio.wait_for(s.ws.wait_closed(), 20)
    assert s.ws.close_code == 1008, s.ws.close_code


async def token_in_url(taken):
    url = f"ws://127.0.0.1:{port()}/api/v1/ws?access_token="
    try:
        ws = await wsclient.connect(url + token(), {})
    except wsclient.InvalidHandshake as e:
        assert taken == "refused" and wsclient.refused_with(e) == 401, e
        return
    assert taken == "taken"
    assert json.loads(await ws.recv())["payload"]["authenticated"] is True
    await ws.close()
    try:
        await wsclient.connect(url + "x" * 64, {})
        raise AssertionError("a wrong token was taken")
    except wsclient.InvalidHandshake as e:
        assert wsclient.refused_with(e) == 401, e


async def auth_in_time():
    s = await connect(auth=False)
    assert s.welcome["payload"]["authenticated"] is False
    for type_, payload in (
        ("query", {"sql": "SELECT 1"}),
        ("subscribe", {"topic": "channel:x"}),
        ("publish", {"channel": "x", "message": 1}),
        ("begin", {}),
        ("cancel", {"id": "1"}),
    ):
        await s.refused(type_, payload, "AUTH_REQUIRED")
    m = await s.request("auth", {"token": token()})
    assert m["type"] == "auth_success" and m["payload"]["user"] == "root", m
    assert (await s.query("SELECT 1"))[1] == [[1]]
    await s.close()


async def auth_wrong():
    s = await connect(auth=False)
    m = await s.request("auth", {"token": "wrong"})
    assert m["type"] == "auth_error" and m["payload"]["code"] == "AUTH_FAILED", m
    try:
        m = await s.request("query", {"sql": "SELECT 1"})
        assert m["payload"]["code"] == "AUTH_REQUIRED", m
    except Closed as e:
        assert e.code == 1008, e
    await s.close()
    # Wrong credentials in the head of the request are refused there.
    try:
        await connect(with_token="wrong")
        raise AssertionError("opened with a wrong token")
    except wsclient.InvalidHandshake as e:
        assert wsclient.refused_with(e) == 401, e


async def auth_too_late():
    """With auth_timeout at 400 ms. Pings are no excuse."""
    started = time.monotonic()
    s = await connect(auth=False)
    pinger = asyncio.ensure_future(_ping_along(s))
    code, reason = await s.until_closed()
    pinger.cancel()
    took = time.monotonic() - started
    assert code == 1008, (code, reason)
    assert 0.35 < took, f"closed after {took:.2f} s"
    closing = [m for m in s.system if m["event"] == "closing"]
    assert closing and closing[0]["code"] == 1008 and closing[0]["reason"], s.system
    # One that authenticated in time stays.
    s = await connect(auth=False)
    m = await s.request("auth", {"token": token()})
    assert m["type"] == "auth_success"
    other = await connect(auth=False)
    assert (await other.until_closed())[0] == 1008
    assert (await s.query("SELECT 1"))[1] == [[1]]
    await s.close()


async def _ping_along(s):
    while True:
        await s.ws.ping()
        await asyncio.sleep(0.05)


async def pings():
    s = await connect()
    for payload in ({"a": [1, None, "é"]}, {}, "text", 7, [1]):
        m = await s.request("ping", payload)
        assert m["type"] == "pong" and m["payload"] == payload, m
    await asyncio.wait_for(await s.ws.ping(b"protocol"), 10)
    await s.close()


async def unknown_types_are_refused():
    s = await connect()
    await s.refused("dance", {}, "INVALID_MESSAGE")
    await s.refused("welcome", {}, "INVALID_MESSAGE")
    await s.refused("event", {}, "INVALID_MESSAGE")
    assert (await s.query("SELECT 1"))[1] == [[1]]
    await s.close()


async def subprotocols():
    s = await connect(subprotocols=None)
    assert s.ws.subprotocol is None, "none was offered, none may be chosen"
    assert (await s.query("SELECT 1"))[1] == [[1]]
    await s.close()
    s = await connect(subprotocols=["nobody.knows.v9", "rustydb.json.v1"])
    assert s.ws.subprotocol == "rustydb.json.v1"
    await s.close()
    for unknown in (["nobody.knows.v9"], ["nobody.knows.v9", "graphql-transport-ws"]):
        try:
            await connect(subprotocols=unknown)
            raise AssertionError("accepted an unknown subprotocol")
        except wsclient.InvalidHandshake as e:
            assert wsclient.refused_with(e) == 400, e


def upgrades_that_are_none():
    for path in ("", "/events", "/query", "/metrics", "/replication"):
        answer = raw.ask(raw.request("GET", f"/api/v1/ws{path}"))
        assert answer.status == 426, (path, answer.status)
    answer = raw.ask(raw.upgrade(version="8"))
    assert answer.status in (400, 426), answer.status
    answer = raw.ask(raw.upgrade(path="/api/v1/elsewhere"))
    assert answer.status == 404, answer.status
    answer = raw.ask(raw.upgrade(path="/api/v1/query"))
    assert answer.status in (400, 404, 405), answer.status
    answer = raw.ask(raw.upgrade().replace(b"GET ", b"POST ", 1))
    assert answer.status in (400, 405), answer.status
    assert raw.ask(raw.request("GET", "/api/v1/health/liveness")).status == 200


async def deflate():
    """A client with permessage-deflate: both directions, with and without context takeover."""
    for options, taken in (
        ({}, True),
        ({"server_no_context_takeover": True, "client_no_context_takeover": True}, True),
        ({"server_max_window_bits": 10}, False),  # libwebsockets could not confirm it: declined
    ):
        s = await connect(
            extensions=[wsclient.ClientPerMessageDeflateFactory(**options)], compression=None
        )
        names = wsclient.extensions(s.ws)
        assert names == (["permessage-deflate"] if taken else []), names
        text = "over and over again " * 20000
        for n in range(5):
            _, rows, _ = await s.query("SELECT ?, length(?1), ?", [text, n])
            assert rows == [[text, len(text), n]]
        numbers = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 50000) "
        _, rows, _ = await s.query(numbers + "SELECT n, 'some text' FROM c")
        assert [r[0] for r in rows] == list(range(1, 50001))
        name = f"d{abs(hash(str(options)))}"
        sql(f"CREATE TABLE {name} (x)")
        await s.subscribe(f"table:{name}")
        plain = await connect()
        await plain.subscribe(f"table:{name}")
        for n in range(50):
            sql(f"INSERT INTO {name} VALUES ('{n} ' || hex(zeroblob(500)))")
        for n, e in enumerate(await s.events(50)):
            assert e["row"]["x"].startswith(f"{n} "), e
        for n, e in enumerate(await plain.events(50)):
            assert e["row"]["x"].startswith(f"{n} "), e
        await plain.close()
        await s.close()


async def terminate():
    """SIGTERM: a system message, then 1001, for everyone."""
    sessions = [await connect() for _ in range(5)] + [await connect(compression="deflate")]
    sql("CREATE TABLE t (x)")
    await sessions[0].subscribe("table:t", since=0)
    os.kill(daemon_pid(), signal.SIGTERM)
    for s in sessions:
        code, reason = await s.until_closed()
        assert code == 1001, (code, reason)
        closing = [m for m in s.system if m["event"] == "closing"]
        assert len(closing) == 1 and closing[0]["code"] == 1001 and closing[0]["reason"], s.system


def silent_client_is_pinged_and_closed():
    """With ping_interval at 300 ms: one that answers pings stays, one that does not is closed."""
    quiet, polite = raw.RawSession(), raw.RawSession()
    started, pings_seen, last = time.monotonic(), 0, 0
    while time.monotonic() - started < 1.5:
        opcode, payload, _ = polite.recv_frame()
        if opcode == raw.PING:
            pings_seen += 1
            polite.send(raw.PONG, payload)
            last = time.monotonic()
        assert opcode != raw.CLOSE, polite.closed
    assert pings_seen >= 3 and last, pings_seen
    polite.message("ping", {})
    assert polite.answer()["type"] == "pong"
    frames = []
    try:
        while True:
            frames.append(quiet.recv_frame()[0])
    except (EOFError, ConnectionError):
        pass
    assert raw.PING in frames, frames
    polite.close()
    quiet.close()


def dead_peers_are_found():
    """With ping_interval at 400 ms: peers that have stopped, with and without something on its way
    to them, are gone within twice that (and the quarter second between two looks)."""
    rest = Rest()
    rest.run("CREATE TABLE t(a TEXT)")
    idle, fed, flooded = raw.RawSession(), raw.RawSession(), raw.RawSession(rcvbuf=4096)
    for s, topic in ((fed, "channel:x"), (flooded, "table:t")):
        s.message("subscribe", {"topic": topic})
        assert s.answer()["type"] == "subscribed"

    def left():
        rest.call("POST", "/ws/broadcast", {"channel": "x", "message": "are you there?"})
        return rest.call("GET", "/ws/connections")["total"]

    assert left() == 3
    # Far more than the sockets hold.
    rest.run(
        "INSERT INTO t WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 4000)"
        " SELECT printf('%.*c', 4000, 'x') FROM c"
    )
    started = time.monotonic()
    eventually(lambda: left() == 0)
    took = time.monotonic() - started
    assert took < 2 * 0.4 + 0.25 + 1.5 * SLOW, took
    for s in (idle, fed, flooded):
        s.close()


class SlowReader(raw.Reader):
    """Takes about a megabyte a second, as long as `slow` is set."""

    slow = True

    def _more(self):
        data = self.s.recv(20000)
        if not data:
            raise EOFError(self.left)
        self.left += data
        if self.slow:
            time.sleep(0.02)


def slow_reader_is_alive():
    """With ping_interval at 400 ms: one that reads, if slowly, and is far behind stays; the ping
    reaches it late, but it does take what is sent."""
    rest = Rest()
    rest.run("CREATE TABLE t(a TEXT)")
    s = raw.RawSession(rcvbuf=16384)
    s.message("subscribe", {"topic": "table:t"})
    assert s.answer()["type"] == "subscribed"
    s.reader = SlowReader(s.s)
    insert = threading.Thread(
        target=rest.run,
        args=(
            "INSERT INTO t WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 6000)"
            " SELECT printf('%.*c', 4000, 'x') FROM c",
        ),
    )
    insert.start()
    events, first = 0, None
    while events < 6000:
        opcode, payload, _ = s.recv_frame()
        if opcode == raw.PING:
            s.send(raw.PONG, payload)
            continue
        assert opcode == raw.TEXT, f"closed: {s.closed}"
        events += json.loads(payload)["type"] == "event"
        first = first or time.monotonic()
        s.reader.slow = time.monotonic() - first < 4
    insert.join()
    assert rest.call("GET", "/ws/connections")["total"] == 1
    s.close()


async def connection_limit():
    """With max_connections at 5."""
    sessions = [await connect() for _ in range(5)]
    try:
        answer = raw.ask(raw.request("GET", "/api/v1/server/info"))
        answer.problem(503, "CONNECTION_LIMIT")
    except (EOFError, ConnectionError):
        raise AssertionError("refused without a word") from None
    await sessions.pop().close()

    async def again():
        try:
            return await connect()
        except (wsclient.InvalidHandshake, OSError):
            return None

    sessions.append(await eventually_async(again, say="a place to become free"))
    assert (await sessions[-1].query("SELECT 1"))[1] == [[1]]
    for s in sessions:
        await s.close()


async def fragments():
    """A message in several frames, with a ping among them."""
    s = raw.RawSession()
    s.recv()
    text = b'{"id":"f","type":"query","payload":{"sql":"SELECT \'in pieces\'"}}'
    s.send(raw.TEXT, text[:10], fin=False)
    s.send(raw.PING, b"amid")
    s.send(raw.CONT, text[10:11], fin=False)
    s.send(raw.CONT, b"", fin=False)
    s.send(raw.CONT, text[11:])
    opcode, payload, _ = s.recv_frame()
    assert opcode == raw.PONG and payload == b"amid", (opcode, payload)
    m = s.answer("f")
    assert m["payload"]["part"] == "columns", m
    assert s.answer("f")["payload"]["rows"] == [["in pieces"]]
    s.close()
    # And a byte at a time.
    s = raw.RawSession()
    s.recv()
    for byte in raw.frame(raw.TEXT, text):
        s.s.sendall(bytes([byte]))
    assert s.answer("f")["payload"]["part"] == "columns"
    s.close()


async def client_close_is_answered():
    for code in (1000, 1001, 3000, 4999):
        s = raw.RawSession()
        s.recv()
        s.send(raw.CLOSE, code.to_bytes(2, "big") + b"bye")
        got, _ = s.until_closed()
        assert got == code, (code, got)
        assert s.reader.rest() == b"", "the server ends the connection after the closing handshake"
        s.close()
    s = raw.RawSession()
    s.recv()
    s.send(raw.CLOSE)
    got, _ = s.until_closed()
    assert got in (1000, 1005), got
    s.close()


main(globals())
