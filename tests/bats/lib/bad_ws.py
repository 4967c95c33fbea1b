"""Cases of bad_input.bats over WebSocket: hostile or broken clients, frame by frame."""

import os
import threading
import time
import zlib

import raw
from raw import BINARY, CLOSE, CONT, PING, TEXT, RawSession
from rdb import LIMIT, SANITIZED, Rest, cpu_ticks, eventually, main, open_sockets, settles, sql, status_kb


def alive():
    rest = Rest()
    assert rest.value("SELECT 1") == 1
    rest.close()
    s = RawSession()
    s.message("ping", {"a": 1})
    assert s.answer()["type"] == "pong"
    s.close()


def malformed_messages():
    """Answered with INVALID_MESSAGE, and the session stays."""
    s = RawSession()
    s.recv()
    for text in (
        "",
        "{",
        "nonsense",
        "[]",
        "5",
        "null",
        '"text"',
        "{}",
        '{"type":5}',
        '{"type":"query"}',
        '{"type":"query","payload":5}',
        '{"type":"query","payload":{"sql":"SELECT 1"},"id":5}',
        '{"type":"query","payload":{"sql":"SELECT 1","surprise":1},"id":"a"}',
        '{"type":"query","payload":{"sql":["SELECT 1"]},"id":"a"}',
        '{"type":"query","payload":{"sql":"SELECT ?","params":5},"id":"a"}',
        '{"type":"query","payload":{"sql":"SELECT ?","params":[[1]]},"id":"a"}',
        '{"type":"query","payload":{"sql":"SELECT ?","params":[{"$base64":"@@"}]},"id":"a"}',
        '{"type":"query","payload":{"sql":"SELECT 1"},"surprise":1,"id":"a"}',
        '{"type":"ping"} trailing',
        '{"type":"ping","type":"ping"',
        "[" * 100000,
        '{"a":' * 5000,
        '{"type":"auth","payload":{"token":5},"id":"a"}',
        '{"type":"cancel","payload":{},"id":"a"}',
        '{"type":"commit","payload":{},"id":"a"}',
        '{"type":"\\u0000","id":"a"}',
        '{"type":"query","payload":{"sql":"SELECT \'\\u0000\'; x"},"id":"a"}',
    ):
        s.send(TEXT, text)
        m = s.recv()
        assert m["type"] in ("error", "auth_error"), (text[:60], m)
        assert m["payload"]["code"] in ("INVALID_MESSAGE", "QUERY_ERROR"), (text[:60], m)
    s.message("ping", {"still": "here"}, "p")
    m = s.answer("p")
    assert m["type"] == "pong" and m["payload"] == {"still": "here"}, m
    s.close()


def before_authentication():
    """Anything but auth is AUTH_REQUIRED; a large message does not even get so far."""
    s = RawSession(auth=False)
    assert s.recv()["payload"]["authenticated"] is False
    s.message("query", {"sql": "SELECT 1"}, "q")
    m = s.answer("q")
    assert m["type"] == "error" and m["payload"]["code"] == "AUTH_REQUIRED", m
    s.message("auth", {"token": 5}, "b")
    assert s.answer("b")["type"] in ("auth_error", "error")
    s.message("auth", {"token": os.environ["TOKEN"]}, "a")
    assert s.answer("a")["type"] == "auth_success"
    s.message("query", {"sql": "SELECT 1"}, "q")
    assert s.answer("q")["payload"]["part"] == "columns"
    s.close()


def closes_with(codes, *frames, **options):
    """Sends frames to a new session; it must end with one of these close codes. 1006: ended without a
    close frame."""
    s = RawSession(**options)
    s.recv()
    try:
        for f in frames:
            s.s.sendall(f)
    except ConnectionError:
        pass
    got, messages = s.until_closed()
    s.close()
    if got == 1006 and messages and messages[-1]["type"] == "system":
        got = messages[-1]["payload"]["code"]  # a reset overtook the close frame, since we went on
    codes = codes if isinstance(codes, tuple) else (codes,)
    assert got in codes, f"closed with {got} instead of {codes}: {frames[0][:40]}"


def bad_frames():
    f = raw.frame
    ping = f(TEXT, '{"type":"ping","id":"1"}')
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        closes_with(1002, f(opcode, b"x"))
    for rsv in (1, 2, 4, 7):
        closes_with(1002, f(TEXT, "{}", rsv=rsv))
    closes_with(1002, f(CONT, b"x"))
    closes_with(1002, f(TEXT, b"{", fin=False) + f(TEXT, b"}"))
    closes_with((1002, 1006), f(PING, b"x" * 126))
    closes_with(1002, f(PING, b"x", fin=False))
    closes_with((1002, 1005), f(CLOSE, b"\x03"))
    for code in (0, 999, 1005, 1006):
        closes_with(1002, f(CLOSE, code.to_bytes(2, "big")))
    closes_with((1007, 1006), f(CLOSE, (1000).to_bytes(2, "big") + b"\xff"))
    closes_with(1003, f(BINARY, b"\0\1\2"))
    for bad in (b"\xff", b'{"type":"\xc3"}', b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b'{"a":"\xe2\x82'):
        closes_with(1007, f(TEXT, bad))
    closes_with(1007, f(TEXT, b'{"a":"\xe2', fin=False) + f(CONT, b'\xff"}'))
    alive()
    # libwebsockets takes a frame without a mask; it is answered like any other, or refused.
    s = RawSession()
    s.recv()
    s.s.sendall(f(TEXT, '{"type":"ping","id":"1"}', mask=False))
    try:
        assert s.answer()["type"] == "pong"
    except EOFError:
        assert s.closed and s.closed[0] == 1002, s.closed
    s.close()
    # A sequence cut by a fragment's end is fine.
    s = RawSession()
    s.recv()
    s.s.sendall(f(TEXT, b'{"type":"ping","id":"1","payload":"\xe2', fin=False) + f(CONT, b'\x82\xac"}'))
    m = s.answer()
    assert m["payload"] == "€", m
    s.s.sendall(ping)
    assert s.answer()["type"] == "pong"
    s.close()
    settles()


def large_messages():
    """With max_message at 64 KiB: 1009, by one frame, by many, by an announced length alone."""
    s = RawSession()
    s.recv()
    s.message("ping", "x" * 65000)
    assert s.answer()["payload"] == "x" * 65000
    s.close()
    closes_with(1009, raw.frame(TEXT, b" " * 70000))
    closes_with(1009, raw.frame(TEXT, b" " * 40000, fin=False), raw.frame(CONT, b" " * 40000))
    closes_with(1009, *([raw.frame(TEXT, b"[", fin=False)] + [raw.frame(CONT, b" " * 1000, fin=False)] * 100))
    before = status_kb("VmRSS")
    huge = bytes([0x81, 0xFF]) + (1 << 40).to_bytes(8, "big") + b"mask" + b"x" * 100000
    closes_with(1009, huge)
    grown = status_kb("VmRSS") - before
    assert SANITIZED or grown < 8192, f"grew by {grown} kB"
    # A length with the highest bit set is no length.
    s = RawSession()
    s.recv()
    s.s.sendall(bytes([0x81, 0xFF]) + b"\xff" * 8 + b"maskx")
    code, _ = s.until_closed()
    assert code in (1002, 1006, 1009), code
    s.close()
    alive()


def deflate_bomb():
    """204 KB that would be 200 MB: 1009, and neither the memory nor the time is spent."""
    before = status_kb("VmRSS")
    # An accepted connection's memory is not counted to the bomb.
    alive()
    c = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = c.compress(b" " * (200 << 20)) + c.flush(zlib.Z_SYNC_FLUSH)
    data = data[:-4]
    assert len(data) < 300000
    ticks = cpu_ticks()
    for pieces in (1, 10):
        s = RawSession(headers="Sec-WebSocket-Extensions: permessage-deflate\r\n")
        assert "permessage-deflate" in s.head, s.head
        s.recv_frame()  # the welcome, compressed or not
        size = len(data) // pieces + 1
        try:
            for n in range(pieces):
                part = data[n * size : (n + 1) * size]
                s.send(TEXT if n == 0 else CONT, part, fin=n == pieces - 1, rsv=4 if n == 0 else 0)
        except ConnectionError:
            pass
        try:
            while True:
                s.recv_frame()
        except (EOFError, ConnectionError):
            pass
        assert s.closed and s.closed[0] == 1009, s.closed
        s.close()
    grown = status_kb("VmHWM") - before
    assert SANITIZED or grown < 16384, f"grew by {grown} kB"
    spent = (cpu_ticks() - ticks) / os.sysconf("SC_CLK_TCK")
    assert SANITIZED or spent < 2, f"took {spent} s of processor time"
    # Bytes that are no deflate at all.
    s = RawSession(headers="Sec-WebSocket-Extensions: permessage-deflate\r\n")
    s.recv_frame()
    s.send(TEXT, b"\xff" * 100, rsv=4)
    try:
        while True:
            s.recv_frame()
    except (EOFError, ConnectionError):
        pass
    assert s.closed is None or s.closed[0] in (1002, 1007, 1009, 1003), s.closed
    s.close()
    alive()


def flood_of_subscriptions():
    """Thousands of distinct filters from several sessions: each gets its hundred and then
    SUBSCRIPTION_LIMIT, memory stays, and events still flow."""
    sql("CREATE TABLE t (x)")
    alive()
    sockets, before = open_sockets(), status_kb("VmRSS")
    sessions = [RawSession() for _ in range(10)]
    for k, s in enumerate(sessions):
        s.s.sendall(
            b"".join(
                raw.frame(
                    TEXT,
                    {"id": f"s{n}", "type": "subscribe", "payload": {"topic": "table:t", "where": f"x <> {k} + {n}"}},
                )
                for n in range(1000)
            )
        )
    for s in sessions:
        counts, open_ = {}, {f"s{n}" for n in range(1000)}
        while open_:
            m = s.recv()
            if m.get("id") in open_:
                open_.remove(m["id"])
                key = m["payload"].get("code", m["type"])
                counts[key] = counts.get(key, 0) + 1
        assert counts.pop("subscribed") == 100, counts
        assert set(counts) <= {"SUBSCRIPTION_LIMIT", "BUSY"}, counts
    sql("INSERT INTO t VALUES (-5)")
    for s in sessions:
        for _ in range(100):
            while (m := s.recv())["type"] != "event":
                pass
            assert m["payload"]["row"] == {"x": -5}
        s.close()
    grown = status_kb("VmRSS") - before
    assert SANITIZED or grown < 65536, f"grew by {grown} kB"
    eventually(lambda: open_sockets() <= sockets + 2, say="the sessions to be forgotten")
    alive()


def flood_of_requests():
    """Ten thousand requests without reading: each is answered or refused with BUSY, in the end."""
    s = RawSession()
    s.recv()
    one = [
        raw.frame(TEXT, {"id": f"q{n}", "type": "query", "payload": {"sql": f"SELECT {n}"}})
        for n in range(3000)
    ]
    s.s.settimeout(LIMIT)
    before = status_kb("VmRSS")
    t = threading.Thread(target=lambda: s.s.sendall(b"".join(one)), daemon=True)
    t.start()
    open_ = {f"q{n}" for n in range(3000)}
    busy = 0
    while open_:
        m = s.recv()
        if m["type"] == "error":
            assert m["payload"]["code"] in ("BUSY", "RATE_LIMIT_EXCEEDED"), m
            busy += 1
            open_.discard(m["id"])
        elif m["payload"]["part"] == "rows":
            assert m["payload"]["rows"] == [[int(m["id"][1:])]], m
        elif m["payload"]["part"] == "end":
            open_.discard(m["id"])
    t.join()
    s.close()
    grown = status_kb("VmRSS") - before
    assert SANITIZED or grown < 32768, f"grew by {grown} kB"
    alive()


def never_reads():
    """A session that asks for much and reads nothing; one that pings without end; both are cut off or
    held, others are served, and memory stays (stall_timeout at 2 s)."""
    sql("CREATE TABLE t (n, x)")
    alive()
    sockets, before = open_sockets(), status_kb("VmRSS")
    many = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 5000000) SELECT n, 'text' FROM c"
    sessions = []
    for _ in range(6):
        s = RawSession(rcvbuf=4096)
        s.message("query", {"sql": many, "timeout_ms": 600000})
        sessions.append(s)
    for _ in range(3):
        s = RawSession(rcvbuf=4096)
        s.s.setblocking(False)
        ping = raw.frame(TEXT, {"type": "ping", "payload": "x" * 1000}) + raw.frame(PING, b"y" * 100)
        try:
            while True:
                s.s.send(ping * 10)
        except (BlockingIOError, ConnectionError):
            pass
        sessions.append(s)
    for _ in range(3):
        s = RawSession(rcvbuf=4096)
        s.message("subscribe", {"topic": "table:t", "since": 0})
        sessions.append(s)
    for _ in range(30):
        sql("INSERT INTO t SELECT 1, hex(zeroblob(50000))")
    alive()
    eventually(lambda: open_sockets() <= sockets + 4, say="sessions that never read to be cut off")
    grown = status_kb("VmRSS") - before
    assert SANITIZED or grown < 32768, f"grew by {grown} kB"
    for s in sessions:
        s.close()
    settles()


def broken_at_every_step():
    """Sessions reset at every place of a message and between the steps of a subscription."""
    sql("CREATE TABLE t (x)")
    alive()
    sockets = open_sockets()
    message = raw.frame(TEXT, {"id": "1", "type": "subscribe", "payload": {"topic": "table:t", "since": 0}})
    sql(*(f"INSERT INTO t VALUES ({n})" for n in range(20)))
    for at in range(0, len(message) + 1, 4):
        s = RawSession()
        s.s.sendall(message[:at])
        raw.reset(s.s)
    for how in (raw.reset, lambda s: s.close()):
        for steps in range(6):
            s = RawSession()
            s.recv()
            if steps > 0:
                s.s.sendall(message)
            if steps > 1:
                s.answer()
            if steps > 2:
                s.recv()
            if steps > 3:
                s.message("unsubscribe", {"subscription_id": "x"}, "u")
            if steps > 4:
                s.send(CLOSE, (1000).to_bytes(2, "big"))
            how(s.s)
    sql("INSERT INTO t VALUES (99)")
    eventually(lambda: open_sockets() <= sockets + 2, say="every session to be forgotten")
    settles()
    alive()


def slow_sender():
    """A session whose message never comes to its end does not hold others up, and pings keep going."""
    s = RawSession()
    s.recv()
    message = raw.frame(TEXT, {"type": "ping", "id": "1"})
    for byte in message:
        s.s.sendall(bytes([byte]))
        time.sleep(0.01)
    assert s.answer()["type"] == "pong"
    s.s.sendall(message[:-3])
    for _ in range(10):
        alive()
    s.s.sendall(message[-3:])
    assert s.answer()["type"] == "pong"
    s.close()


def closing_is_the_last_word():
    """What a query comes to after the close frame is not sent: a frame behind it is none."""
    forever = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"
    s = RawSession()
    s.recv()
    s.message("query", {"sql": forever, "timeout_ms": 300}, "q")
    s.message("close", None, "c")
    code, _ = s.until_closed()
    assert code == 1000, code
    # The close stays unanswered, so that the socket outlives the query.
    try:
        while True:
            opcode, payload, _ = s.recv_frame()
            raise AssertionError(f"behind the close frame came {opcode}: {payload[:100]}")
    except (EOFError, ConnectionError):
        pass
    s.close()
    alive()


main(globals())
