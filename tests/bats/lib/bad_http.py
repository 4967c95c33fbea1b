"""Cases of bad_input.bats over HTTP: requests that are wrong, too large or cut in odd places."""

import json
import os
import socket

import raw
from rdb import SANITIZED, Rest, alive, cpu_ticks, main, settles, sql, status_kb


def invalid_utf8():
    """In a body, in a path, in a header: refused, never passed on."""
    good = b'{"sql":"SELECT ?","params":["'
    for bad in (b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82"):
        answer = raw.ask(
            raw.request("POST", "/api/v1/query", good + bad + b'"]}', "Content-Type: application/json\r\n")
        )
        answer.problem(400, "INVALID_MESSAGE")
    for bad in (rb"\ud800", rb"\udc00\ud800", rb"\u12"):
        answer = raw.ask(
            raw.request("POST", "/api/v1/query", good + bad + b'"]}', "Content-Type: application/json\r\n")
        )
        answer.problem(400, "INVALID_MESSAGE")
    for path in ("/api/v1/tables/%ff", "/api/v1/tables/%", "/api/v1/tables/%zz", "/api/v1/tables/a%00b"):
        try:
            status = raw.ask(raw.request("GET", path)).status
            assert 400 <= status < 500, (path, status)
        except (EOFError, ConnectionError):
            pass  # libwebsockets ends such a connection by itself
    # Text in the database that is not UTF-8 comes out as valid JSON.
    status, _, data = Rest().raw("POST", "/query", {"sql": "SELECT CAST(x'61ff62' AS TEXT)"})
    assert status == 200 and json.loads(data.decode("utf-8"))["rows"] == [["a\ufffdb"]], data
    # A CSV import with bad bytes is refused and keeps nothing.
    sql("CREATE TABLE u (t TEXT)")
    answer = raw.ask(
        raw.request("POST", "/api/v1/import/u?format=csv", b"t\nok\nbad \xff\n", "Content-Type: text/csv\r\n")
    )
    answer.problem(400, "INVALID_MESSAGE")
    alive()


def large_bodies():
    """With max_body at 64 KiB: refused by the announced length, without reading it all; and counted
    where no length was announced."""
    s = raw.dial()
    s.sendall(
        raw.request("POST", "/api/v1/query", None, "Content-Type: application/json\r\nContent-Length: 99999999\r\n")
        + b'{"sql":"'
    )
    raw.Reader(s).answer().problem(413, "MESSAGE_TOO_BIG")
    s.close()
    s = raw.dial()
    s.sendall(
        raw.request("POST", "/api/v1/query", None, "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n")
    )
    try:
        for _ in range(100):
            s.sendall(b"1000\r\n" + b" " * 4096 + b"\r\n")
    except ConnectionError:
        pass  # it may stop listening once it has seen enough
    try:
        raw.Reader(s).answer().problem(413, "MESSAGE_TOO_BIG")
    except ConnectionError:
        pass
    s.close()
    for n in (65536 - 200, 70000):
        answer = raw.ask(raw.post_query("SELECT length(?)", ["x" * n]))
        if n < 65536:
            assert answer.status == 200, answer.body
        else:
            answer.problem(413, "MESSAGE_TOO_BIG")
    for length in ("-1", "x", "", "99999999999999999999999", "1, 2", "0x10", "+5"):
        s = raw.dial()
        s.sendall(raw.request("POST", "/api/v1/query", None, f"Content-Length: {length}\r\n"))
        s.shutdown(socket.SHUT_WR)
        try:
            answer = raw.Reader(s).answer()
            assert answer.status in (400, 408, 411, 413), (length, answer.status, answer.body)
        except (EOFError, ConnectionError):
            pass
        s.close()
    alive()


def large_heads():
    """Long paths, many or long headers: refused, or the connection ended."""
    for data in (
        raw.request("GET", "/api/v1/" + "x" * 100000),
        raw.request("GET", "/api/v1/tables?" + "a=b&" * 30000),
        raw.request("GET", "/api/v1/tables", headers="X-Long: " + "y" * 200000 + "\r\n"),
        raw.request("GET", "/api/v1/tables", headers="".join(f"X-{n}: y\r\n" for n in range(5000))),
        raw.request("GET", "/api/v1/tables", headers="Authorization: Bearer " + "z" * 100000 + "\r\n", auth=False),
    ):
        s = raw.dial()
        try:
            s.sendall(data)
            status = raw.Reader(s).answer().status
            assert 400 <= status < 500, status
        except (EOFError, ConnectionError):
            pass
        s.close()
    alive()


def no_http_at_all():
    for data in (
        b"\r\n\r\n",
        b"\0" * 1000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 500,  # TLS
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET  /  HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"get /api/v1/tables HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /api/v1/tables HTTP/1.1\r\nHost x\r\n\r\n",
        b"GET /api/v1/tables HTTP/1.1\r\n Host: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"CONNECT x:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ):
        s = raw.dial()
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            got = raw.Reader(s).rest()
        except ConnectionError:
            got = b""
        assert b"200 OK" not in got and b"root:" not in got, (data[:40], got[:200])
        s.close()
    settles()
    alive()


def transfer_encoding_and_length():
    """Both together are a way to smuggle a request: 400, and the connection is ended."""
    inner = raw.post_query("INSERT INTO smuggled VALUES (1)")
    sql("CREATE TABLE smuggled (x)")
    body = b"0\r\n\r\n"
    for headers in (
        f"Transfer-Encoding: chunked\r\nContent-Length: {len(body)}\r\n",
        f"Content-Length: {len(body)}\r\nTransfer-Encoding: chunked\r\n",
        f"Transfer-Encoding: Chunked\r\nContent-Length: {len(body + inner)}\r\n",
    ):
        s = raw.dial()
        s.sendall(raw.request("POST", "/api/v1/query", None, headers) + body + inner)
        reader = raw.Reader(s)
        reader.answer().problem(400, "INVALID_MESSAGE")
        left = reader.rest()
        assert left == b"", f"the connection goes on: {left[:100]}"
        s.close()
    for headers in (
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
    ):
        s = raw.dial()
        s.sendall(raw.request("POST", "/api/v1/query", None, headers) + body + inner)
        reader = raw.Reader(s)
        answer = reader.answer()
        assert answer.status in (400, 411, 415, 501), (headers, answer.status)
        assert reader.rest() == b"", headers
        s.close()
    assert sql("SELECT count(*) FROM smuggled") == [[0]]


def pipelined_posts():
    """2 to 100 POSTs in one segment. An answer is the right one for its request or the connection ends;
    never a wrong body, a hang or a spin."""
    sql("CREATE TABLE p (n INTEGER PRIMARY KEY, x TEXT)")
    number, acknowledged = 0, []
    for count in (2, 3, 5, 10, 33, 100):
        s = raw.dial()
        batch = list(range(number, number + count))
        number += count
        data = b"".join(
            raw.post_query("INSERT INTO p VALUES (?, ?) RETURNING n, x", [n, f"body {n} " + "y" * (n % 50)])
            for n in batch
        )
        s.sendall(data)
        reader, served = raw.Reader(s), 0
        try:
            for n in batch:
                answer = reader.answer()
                assert answer.status == 200, (n, answer.status, answer.body[:200])
                assert answer.json()["rows"] == [[n, f"body {n} " + "y" * (n % 50)]], answer.body[:200]
                acknowledged.append(n)
                served += 1
        except (EOFError, ConnectionError) as e:
            assert not e.args or e.args[0] in (b"", 104, 32), f"half an answer: {e.args[0][:200]}"
        assert served >= 1, f"none of {count} was answered"
        s.close()
        settles()
        alive()
    there = {r[0] for r in sql("SELECT n FROM p")}
    assert set(acknowledged) <= there, "an acknowledged write is missing"
    # Different kinds, cut at every place: with the second request's head whole or in part.
    first, second = raw.post_query("SELECT 'first'"), raw.post_query("SELECT 'second'")
    for cut in list(range(len(first), len(first) + len(second), 7)):
        s = raw.dial()
        s.sendall((first + second)[:cut])
        reader = raw.Reader(s)
        got = []
        try:
            got.append(reader.answer().json()["rows"])
            s.sendall((first + second)[cut:])
            got.append(reader.answer().json()["rows"])
        except (EOFError, ConnectionError):
            pass
        assert got in ([[["first"]]], [[["first"]], [["second"]]]), (cut, got)
        s.close()
    settles()
    # A POST behind a GET, a GET behind a POST, chunked ones, one without a body, and gone at once.
    get = raw.request("GET", "/api/v1/health/liveness")
    chunked = (
        raw.request("POST", "/api/v1/query", None, "Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n")
        + b'19\r\n{"sql":"SELECT \'chunks\'"}\r\n0\r\n\r\n'
    )
    empty = raw.request("POST", "/api/v1/transactions", b"")
    for parts in (
        [get, first],
        [first, get],
        [first, get, second, get],
        [chunked, first],
        [first, chunked, chunked],
        [empty, first, empty],
        [get] * 20 + [first] * 5,
    ):
        s = raw.dial()
        s.sendall(b"".join(parts))
        reader, served = raw.Reader(s), 0
        try:
            for part in parts:
                answer = reader.answer()
                want = {get: b"ok", first: b"first", second: b"second", chunked: b"chunks", empty: b"transaction_id"}
                assert want[part] in answer.body, (served, answer.body[:200])
                served += 1
        except (EOFError, ConnectionError):
            pass
        assert served >= 1, [p[:40] for p in parts]
        s.close()
        s = raw.dial()
        s.sendall(b"".join(parts))
        raw.reset(s)
    settles()
    alive()


def pipelined_gets():
    """GETs in one segment are all answered, in order."""
    paths = [f"/api/v1/tables?offset={n}&limit=1" for n in range(100)]
    s = raw.dial()
    s.sendall(b"".join(raw.request("GET", p) for p in paths))
    reader = raw.Reader(s)
    for n in range(100):
        answer = reader.answer()
        assert answer.status == 200 and answer.json()["offset"] == n, (n, answer.body)
    s.close()
    settles()


def too_many_values():
    """Sixteen megabytes of small values: 413 in no time, and no tree of a gigabyte."""
    before = status_kb("VmHWM")
    ticks = cpu_ticks()
    for value in ("{}", "[]", "1"):
        body = '{"sql":"SELECT 1","params":[' + ",".join([value] * 5_000_000) + "]}"
        raw.ask(raw.request("POST", "/api/v1/query", body.encode(), "Content-Type: application/json\r\n")).problem(
            413, "MESSAGE_TOO_BIG"
        )
    spent = (cpu_ticks() - ticks) / os.sysconf("SC_CLK_TCK")
    grown = status_kb("VmHWM") - before
    assert SANITIZED or grown < 65536, f"grew by {grown} kB"
    assert SANITIZED or spent < 3, f"took {spent} s of processor time"


main(globals())
