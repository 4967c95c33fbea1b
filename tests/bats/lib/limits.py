"""Cases of limits.bats: clients that ask too much, in one way or another."""

import json
import os
import socket
import ssl
import time

import raw
from networks import dial
from rdb import LIMIT, Rest, alive, main, port, settles, sql

LIVE = "/api/v1/health/liveness"


def get(path=LIVE, headers="", auth=True):
    return raw.request("GET", path, headers=headers, auth=auth)


def open_one(source="127.0.0.1"):
    """A connection that has shown that it is in: (socket, reader), or what it was told, or None."""
    s = dial(source)
    reader = raw.Reader(s)
    try:
        s.sendall(get())
        answer = reader.answer()
    except (EOFError, ConnectionError):
        s.close()
        return None
    return (s, reader) if answer.status == 200 else answer


def connections_per_address():
    held = [open_one() for _ in range(5)]
    assert all(isinstance(one, tuple) for one in held), held
    told = open_one()
    told.problem(503, "CONNECTION_LIMIT")
    assert int(told.headers["retry-after"]) >= 1 and told.headers["connection"] == "close"
    # Silent ones take the place of those that are told; then the door stays shut.
    silent = []
    while len(silent) < 50:
        silent.append(dial())
        silent[-1].settimeout(1)
        try:
            if silent[-1].recv(1) == b"":
                break
        except TimeoutError:
            pass
        except ConnectionError:
            break
    assert 4 <= len(silent) <= 6, len(silent)
    assert open_one() is None
    for s in silent:
        s.close()
    other = open_one("127.0.0.7")  # nobody else suffers
    assert isinstance(other, tuple)
    # One that ends makes room; a WebSocket counts like any other.
    held.pop()[0].close()
    s = wait_for(lambda: open_one(), tuple)
    s[0].sendall(raw.upgrade())
    assert s[1].until(b"\r\n\r\n").startswith(b"HTTP/1.1 101")
    assert not isinstance(open_one(), tuple)
    alive_from("127.0.0.8")


def wait_for(what, kind):
    end = time.monotonic() + LIMIT
    while True:
        found = what()
        if isinstance(found, kind):
            return found
        assert time.monotonic() < end, found
        time.sleep(0.05)


def alive_from(source):
    assert isinstance(open_one(source), tuple)


def connection_rate():
    outcomes = [open_one() for _ in range(12)]
    let_in = [one for one in outcomes if isinstance(one, tuple)]
    assert 5 <= len(let_in) <= 8, outcomes  # a second or two may have passed
    told = [one for one in outcomes if isinstance(one, raw.Answer)]
    assert told
    told[0].problem(429, "RATE_LIMIT_EXCEEDED")
    assert int(told[0].headers["retry-after"]) >= 1
    alive_from("127.0.0.7")
    let_in[0][0].sendall(get())  # those that are in go on
    assert let_in[0][1].answer().status == 200
    wait_for(open_one, tuple)


def reactors():
    held = []
    for _ in range(6):
        held.append(open_one())
    assert all(isinstance(one, tuple) for one in held), held
    assert not isinstance(open_one(), tuple)
    statuses = []
    for _ in range(20):
        for s, reader in held[:3]:
            try:
                s.sendall(get())
                statuses.append(reader.answer().status)
            except (EOFError, ConnectionError):
                statuses.append(None)
    passed = statuses.count(200)
    assert 20 <= passed <= 32 + LIMIT, (passed, statuses)
    assert statuses.count(429) > 0, statuses


def requests():
    s = dial()
    reader = raw.Reader(s)
    left = []
    answer = None
    for _ in range(8):
        s.sendall(get())
        answer = reader.answer()
        assert answer.headers["ratelimit-limit"] == "5", answer.headers
        left.append(int(answer.headers["ratelimit-remaining"]))
        if answer.status != 200:
            break
    problem = answer.problem(429, "RATE_LIMIT_EXCEEDED")
    assert "ms" in problem["hint"], problem
    assert left[0] == 4 and left[-1] == 0, left
    wait = int(answer.headers["retry-after"])
    assert wait == 1 and int(answer.headers["ratelimit-reset"]) >= 4, answer.headers
    assert "connection" not in answer.headers, "the first refusal closes"
    # Bodies are refused as well, without being read into memory.
    s.sendall(raw.post_query("SELECT 1"))
    answer = reader.answer()
    assert answer.status == 429, answer.status
    # Who waits as long as he was told gets in.
    time.sleep(wait)
    t = dial()
    t.sendall(get())
    assert raw.Reader(t).answer().status == 200
    # Who does not is cut off.
    u = dial()
    reader = raw.Reader(u)
    for n in range(100):
        try:
            u.sendall(get())
            answer = reader.answer()
        except (EOFError, ConnectionError):
            break
        if answer.headers.get("connection") == "close":
            assert raw.closed_by_peer(u) == 0
            break
    assert n < 40, "the connection goes on"


def requests_around():
    def status(data, source="127.0.0.1"):
        s = dial(source)
        s.sendall(data)
        found = int(raw.Reader(s).until(b"\r\n").split(b" ")[1])
        s.close()
        return found

    asked = [
        get(),
        get("/api/v1/nothing"),
        get("/api/v1/tables", auth=False),
        get("/swagger-ui"),
        raw.request("OPTIONS", "/api/v1/query"),
        raw.request("HEAD", LIVE),
        get(headers="X-Forwarded-For: 192.0.2.1\r\n"),
        get(headers="Host: x\r\n"),
        raw.post_query("SELECT 1"),
    ]
    statuses = [status(asked[i % len(asked)]) for i in range(40)]
    assert statuses[0] != 429
    assert 40 - statuses.count(429) <= 10 + 8, statuses
    assert status(get(), "127.0.0.7") == 200
    # So is an upgrade.
    wait_for(lambda: 429 if status(get()) == 429 else "in", int)
    s = dial()
    s.sendall(raw.upgrade())
    assert raw.Reader(s).answer().status == 429
    # Root's token is no key to more.
    calls = json.dumps([{"jsonrpc": "2.0", "method": "status", "id": i} for i in range(30)]).encode()
    s = dial("127.0.0.9")
    s.sendall(raw.request("POST", "/api/v1/rpc", calls, "Content-Type: application/json\r\n"))
    answer = raw.Reader(s).answer()
    assert b"too many requests" in answer.body, answer.body[:200]


def requests_proxied():
    def status(client):
        s = dial("127.0.0.2")
        s.sendall(get(headers=f"X-Forwarded-For: {client}\r\n" if client else ""))
        found = raw.Reader(s).answer()
        s.close()
        return found

    # One connection of the proxy has many clients, and is not closed for one of them.
    s = dial("127.0.0.2")
    reader = raw.Reader(s)
    statuses = []
    for _ in range(40):
        s.sendall(get(headers="X-Forwarded-For: 192.0.2.1\r\n"))
        answer = reader.answer()
        statuses.append(answer.status)
        assert "connection" not in answer.headers
    assert 5 <= statuses.count(200) <= 9 and statuses.count(429) > 20, statuses
    s.sendall(get(headers="X-Forwarded-For: 192.0.2.2\r\n"))
    assert reader.answer().status == 200
    # The client's own word on the left helps nobody.
    s.sendall(get(headers="X-Forwarded-For: 203.0.113.77, 192.0.2.1\r\n"))
    assert reader.answer().status == 429
    # All of a /64 is one client.
    statuses = [status(f"2001:db8::{i:x}:1").status for i in range(20)]
    assert statuses.count(429) > 10, statuses
    assert status("2001:db8:0:1::1").status == 200


def change(**settings):
    answer = raw.ask(raw.request("PATCH", "/api/v1/admin/config", settings))
    assert answer.status == 200, answer.body


def at_runtime():
    s = dial("127.0.0.3")
    reader = raw.Reader(s)
    s.sendall(get())
    assert reader.answer().status == 200
    change(request_rate=1, request_burst=2)
    statuses = []
    for _ in range(6):
        s.sendall(get())
        statuses.append(reader.answer().status)
    assert statuses[0] == 200 and 429 in statuses, statuses
    change(request_rate=0)
    s.sendall(get())
    answer = reader.answer()
    assert answer.status == 200 and "ratelimit-limit" not in answer.headers
    s.close()
    settles()


def messages():
    session = raw.RawSession()
    session.recv()
    refused = good = 0
    for i in range(60):
        try:
            session.message("ping", id_=str(i))
        except ConnectionError:
            break
    code, got = session.until_closed()
    for m in got:
        if m["type"] == "error":
            assert m["payload"]["code"] == "RATE_LIMIT_EXCEEDED", m
            refused += 1
        elif m["type"] == "pong":
            good += 1
    assert code == 1008, (code, got[-3:])
    assert 10 <= good <= 14 and refused >= 16, (good, refused)


def message_batches():
    time.sleep(0)
    s = raw.RawSession.__new__(raw.RawSession)
    s.s = dial("127.0.0.5")
    s.s.sendall(raw.upgrade())
    s.reader = raw.Reader(s.s)
    s.closed = None
    assert s.reader.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101")
    s.recv()
    s.message("batch", {"messages": [{"id": str(i), "type": "ping"} for i in range(30)]}, "b")
    answer = s.recv()
    assert answer["type"] == "error" and answer["payload"]["code"] == "RATE_LIMIT_EXCEEDED", answer
    s.message("batch", {"messages": [{"id": str(i), "type": "ping"} for i in range(5)]}, "c")
    assert [s.recv()["id"] for _ in range(5)] == list("01234")
    s.close()


def messages_everywhere():
    for n, (path, protocol, frame) in enumerate((
        ("/api/v1/ws", "rustydb.json.v1", (raw.TEXT, '{"id":1,"type":"ping"}')),
        ("/api/v1/ws", "jsonrpc", (raw.TEXT, '{"jsonrpc":"2.0","id":1,"method":"status"}')),
        ("/api/v1/ws", "rustydb.bin.v1", (raw.BINARY, b"\0\0\0\0")),
        ("/api/v1/ws?channel=c", "raw", (raw.TEXT, "x")),
        ("/api/v1/ws/query", None, (raw.TEXT, '{"type":"query","sql":"SELECT 1"}')),
        ("/api/v1/ws/events", None, (raw.TEXT, '{"id":1,"type":"ping"}')),
        ("/api/v1/ws/metrics", None, (raw.TEXT, '{"id":1,"type":"ping"}')),
    )):
        s = dial(f"127.0.0.{20 + n}")
        s.sendall(raw.upgrade(path, protocol=protocol))
        reader = raw.Reader(s)
        head = reader.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), (path, protocol, head)
        try:
            for _ in range(60):
                s.sendall(raw.frame(*frame))
        except ConnectionError:
            pass
        got = reader.rest()
        assert b"many" in got, (path, protocol, got[-300:])
        s.close()
    alive()


def rows_over_websocket(many):
    session = raw.RawSession()
    session.recv()
    session.message("query", {"sql": many, "max_rows": 50})
    rows = 0
    while True:
        m = session.recv()
        rows += len(m["payload"].get("rows", []))
        if m["type"] != "query_result" or m["payload"].get("part", "end") == "end":
            break
    assert rows == 5, (rows, m)
    session.close()


# ---- time -----------------------------------------------------------------------------------------


def slow_handshake():
    began = time.monotonic()
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    silent = [dial() for _ in range(5)]
    for s in silent[1:]:
        s.sendall(hello)
    # One that drips a byte now and then gains nothing by it.
    dripping = dial()
    dripping.setblocking(False)
    while True:
        try:
            dripping.send(b"\x16")
            if dripping.recv(100) == b"":
                break
        except BlockingIOError:
            pass
        except ConnectionError:
            break
        assert time.monotonic() - began < LIMIT, "a handshake that never ends is not cut off"
        time.sleep(0.05)
    for s in silent:
        raw.closed_by_peer(s)
    assert time.monotonic() - began > 0.4
    context = ssl.create_default_context(cafile=os.environ["T"] + "/cert.pem")
    tls = context.wrap_socket(dial(), server_hostname="localhost")
    tls.sendall(get())
    assert raw.Reader(tls).answer().status == 200


def dripped(s, data, pause=0.05):
    """Sends a byte at a time until the other side ends it; how long that took."""
    began = time.monotonic()
    s.settimeout(pause)
    at = 0
    while True:
        try:
            s.sendall(data[at % len(data) : at % len(data) + 1])
            at += 1
            if not s.recv(1 << 16):
                return time.monotonic() - began
        except TimeoutError:
            pass
        except ConnectionError:
            return time.monotonic() - began
        assert time.monotonic() - began < LIMIT, "it is not cut off"


def slow_heads():
    took = dripped(dial(), b"GET /api/v1/tables HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * 5000)
    assert took > 0.4, took
    took = dripped(dial(), b"X-A: b\r\n")
    # The second head of a connection likewise.
    s = dial()
    s.sendall(get())
    assert raw.Reader(s).answer().status == 200
    dripped(s, b"GET /api/v1/tables HTTP/1.1\r\nX: " + b"y" * 5000)
    alive()


# ---- smuggling ------------------------------------------------------------------------------------


def refused(data, what):
    """The bytes are answered with an error or not at all, and what stands behind is not carried out."""
    s = raw.dial()
    try:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    got = raw.Reader(s).rest()
    s.close()
    assert b"200 OK" not in got, (what, got[:300])
    return got


def served(data):
    s = raw.dial()
    s.sendall(data)
    s.shutdown(socket.SHUT_WR)
    got = raw.Reader(s).rest()
    s.close()
    return got


def smuggling():
    sql("CREATE TABLE smuggled (x)")
    inner = raw.post_query("INSERT INTO smuggled VALUES (1)")
    body = b'{"sql":"SELECT 1"}'
    n = len(body)

    def post(lines, tail=body):
        return raw.request("POST", "/api/v1/query", None, "Content-Type: application/json\r\n" + lines) + tail

    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (n, body)
    for what, data in {
        "two lengths": post(f"Content-Length: {n}\r\nContent-Length: 5\r\n"),
        "two lengths, the other way": post(f"Content-Length: 5\r\nContent-Length: {n}\r\n"),
        "the same length twice": post(f"Content-Length: {n}\r\nContent-Length: {n}\r\n"),
        "a list of lengths": post(f"Content-Length: {n}, {n}\r\n"),
        "length and chunks": post(f"Content-Length: {n}\r\nTransfer-Encoding: chunked\r\n", chunked),
        "chunks and length": post(f"Transfer-Encoding: chunked\r\nContent-Length: {n}\r\n", chunked),
        "chunked twice": post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunked),
        "chunked, identity": post("Transfer-Encoding: chunked, identity\r\n", chunked),
        "identity": post(f"Transfer-Encoding: identity\r\nContent-Length: {n}\r\n"),
        "xchunked": post("Transfer-Encoding: xchunked\r\n", chunked),
        "a signed length": post(f"Content-Length: +{n}\r\n"),
        "a length in hex": post(f"Content-Length: 0x{n:x}\r\n"),
        "a length and more": post(f"Content-Length: {n} 5\r\n"),
        "a space before the colon": post(f"Content-Length : {n}\r\n"),
        "a tab before the colon": post(f"Content-Length\t: {n}\r\n"),
        "chunks, a space before the colon": post(f"Transfer-Encoding : chunked\r\nContent-Length: {n}\r\n"),
        "chunks, a tab before the colon": post(f"Transfer-Encoding\t: chunked\r\nContent-Length: {n}\r\n"),
        "a folded length": post(f"Content-Length:\r\n {n}\r\n"),
        "a folded encoding": post(f"Transfer-Encoding:\r\n chunked\r\nContent-Length: {n}\r\n"),
        "a NUL in a value": post(f"X-A: b\0c\r\nContent-Length: {n}\r\n"),
    }.items():
        refused(data + inner, what)
    # libwebsockets reads past these. They mean what the length says, and nothing behind it is served.
    for what, data in {
        "a folded line": post(f"X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: {n}\r\n"),
        "a bare CR": post(f"X-A: b\rTransfer-Encoding: chunked\r\nContent-Length: {n}\r\n"),
        "a bare CR in the length": post(f"Content-Length: {n}\r5\r\n"),
        "a NUL in a name": post(f"Content-\0Length: 5\r\nContent-Length: {n}\r\n"),
        "nothing at all": post(f"Content-Length: {n}\r\n"),
    }.items():
        for behind in (inner, get("/api/v1/tables"), get("/api/v1/tables", headers="Connection: close\r\n")):
            got = served(data + behind)
            assert got.count(b"HTTP/1.1 ") <= 1 and b"smuggled" not in got, (what, got[:600])
    assert sql("SELECT count(*) FROM smuggled") == [[0]]
    alive()


def endless():
    """Heads, bodies, chunks, trailers, fragments without end: each is refused with little memory."""
    before = rss()

    def pour(first, piece, times):
        s = raw.dial()
        sent = 0
        try:
            s.sendall(first)
            for _ in range(times):
                s.sendall(piece)
                sent += len(piece)
        except ConnectionError:
            pass
        else:
            raise AssertionError((first[:80], "was read without end"))
        s.close()
        return sent

    post = b"POST /api/v1/query HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    auth = raw.AUTH.format(os.environ["TOKEN"]).encode()
    pour(b"GET /" + b"a" * 1000, b"a" * 65536, 400)
    pour(b"GET /api/v1/tables HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"X-Header: value\r\n" * 4000, 400)
    pour(b"GET /api/v1/tables HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", b"v" * 65536, 400)
    pour(post + auth + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65536 + b"\r\n", 2000)
    pour(post + auth + b"Transfer-Encoding: chunked\r\n\r\n", b"1" * 65536, 2000)
    pour(post + auth + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: v\r\n" * 4000, 2000)
    pour(post + auth + b"Content-Length: 999999999999\r\n\r\n", b" " * 65536, 2000)
    session = raw.RawSession()
    session.recv()
    try:
        session.send(raw.TEXT, '{"id":"', fin=False)
        for _ in range(2000):
            session.send(raw.CONT, "x" * 1000, fin=False)
    except ConnectionError:
        pass
    assert session.until_closed()[0] == 1009
    grown = rss() - before
    assert grown < 40000 or os.environ.get("SANITIZED"), f"{grown} kB more"
    alive()


def rss():
    with open(f"/proc/{os.environ['DAEMON_PID']}/status") as f:
        return int(next(line for line in f if line.startswith("VmRSS:")).split()[1])


if __name__ == "__main__":
    main(globals())
