"""Cases of rest.bats that need exact numbers, many clients or odd requests."""

import base64
import json
import random
import socket
import struct
import threading
import time

import raw
from rdb import SANITIZED, Refused, Rest, cpu_ticks, eventually, main, settles, sql, status_kb


class Num(str):
    """A JSON number as it was written."""


def exact(data):
    return json.loads(data, parse_int=lambda s: Num("i" + s), parse_float=lambda s: Num("r" + s))


def significant(text):
    """The significant digits of a number."""
    digits = text.lower().split("e")[0].replace("-", "").replace(".", "").strip("0")
    return len(digits)


def bits(x):
    return struct.pack(">d", x)


def integers_are_exact():
    rest = Rest()
    for i in (0, 1, -1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)):
        _, _, data = rest.raw("POST", "/query", {"sql": "SELECT ?, typeof(?1)", "params": [i]})
        assert exact(data)["rows"] == [[Num(f"i{i}"), "integer"]], data
    status, _, data = rest.raw("POST", "/query", {"sql": "SELECT ?", "params": [2**63]})
    assert status == 400, data  # too large to be kept: refused, not rounded
    assert json.loads(data)["code"] == "INVALID_MESSAGE", data


def reals_are_shortest_and_exact():
    rest = Rest()
    chance = random.Random(7)
    reals = [0.1, 1e308, 5e-324, -0.0, 0.0, 1.0, -2.5, 1e15, 1e16, 1e22, 123456789.125, 2.0**53]
    reals += [1.7976931348623157e308, 2.2250738585072014e-308, 1 / 3, 100.0, 1e-7, 9007199254740993.0]
    while len(reals) < 2000:
        x = struct.unpack(">d", chance.randbytes(8))[0]
        if x == x and abs(x) != float("inf"):
            reals.append(x)
    rest.run("CREATE TABLE r (n INTEGER PRIMARY KEY, x REAL)")
    for at in range(0, len(reals), 500):
        part = reals[at : at + 500]
        values = ", ".join("(?, ?)" for _ in part)
        params = [v for n, x in enumerate(part) for v in (at + n, x)]
        rest.query(f"INSERT INTO r VALUES {values}", params)
    _, _, data = rest.raw("POST", "/query", {"sql": "SELECT n, x FROM r ORDER BY n"})
    rows = exact(data)["rows"]
    assert len(rows) == len(reals)
    for n, (_, got) in enumerate(rows):
        x, text = reals[n], str(got)[1:]
        assert got[0] == "r", f"{x!r} came as the integer {text}"
        # SQLite itself stores -0.0 in a REAL column as 0, so its sign is not asked of a table.
        assert bits(float(text)) == bits(x) or x == 0.0 == float(text), f"{x!r} came as {text}"
        assert significant(text) == significant(repr(x)), f"{x!r} came as {text}: not the shortest"
    _, _, data = rest.raw("POST", "/query", {"sql": "SELECT ?, typeof(?1)", "params": [-0.0]})
    got, kind = exact(data)["rows"][0]
    assert kind == "real" and bits(float(got[1:])) == bits(-0.0), data
    infinite = {"$real": "Infinity"}, {"$real": "-Infinity"}
    assert rest.rows("SELECT 9e999, -9e999, ?1 = 9e999, ?2 = -9e999", list(infinite)) == [
        [*infinite, 1, 1]
    ]


def text_and_blobs_come_back():
    rest = Rest()
    rest.run("CREATE TABLE v (n INTEGER PRIMARY KEY, t TEXT, b BLOB)")
    texts = ["", "a", "a\0b", "\0", "é", "🎉 e\u0301 \u202e", '"\\/\b\f\n\r\t\x1f', "\u2028\u2029"]
    texts += ["x" * 70000, "🎉" * 20000, "\ufffd", "\U0010ffff", "\x7f"]
    blobs = [b"", b"\0", bytes(range(256)), b"\xff" * 70001, b"ab", b"abc", b"abcd"]
    for n in range(max(len(texts), len(blobs))):
        t, b = texts[n % len(texts)], blobs[n % len(blobs)]
        coded = {"$base64": base64.b64encode(b).decode()}
        rest.query("INSERT INTO v VALUES (?, ?, ?)", [n, t, coded])
        assert rest.rows("SELECT t, b FROM v WHERE n = ?", [n]) == [[t, coded]], (n, t[:20])
        size = len(t.encode())
        got = rest.rows("SELECT length(CAST(t AS BLOB)), length(b) FROM v WHERE n = ?", [n])
        assert got == [[size, len(b)]], (n, got)
    assert rest.rows("SELECT ?, ?, ?, typeof(?2)", [None, True, False]) == [[None, 1, 0, "integer"]]


def parameters_by_name():
    rest = Rest()
    got = rest.rows("SELECT :a, @b, $c, :a", {"a": 1, "b": "zwei", "c": None})
    assert got == [[1, "zwei", None, 1]], got
    for params in ({"a": 1}, {"a": 1, "b": 2, "d": 3}, [1], [1, 2, 3]):
        status, _, data = rest.raw("POST", "/query", {"sql": "SELECT :a, :b", "params": params})
        assert status == 400, f"{params}: {data}"


def ndjson_streams():
    n = 20000
    numbers = f"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT {n})"
    accept = {"Accept": "application/x-ndjson"}
    rest = Rest()
    status, headers, data = rest.raw(
        "POST", "/query", {"sql": numbers + " SELECT n, 'row ' || n AS t FROM c", "id": "mine"}, accept
    )
    assert status == 200 and headers["Content-Type"].startswith("application/x-ndjson"), headers
    lines = [json.loads(line) for line in data.decode().splitlines()]
    assert lines[0]["id"] == "mine", lines[0]
    assert [c["name"] for c in lines[0]["columns"]] == ["n", "t"], lines[0]
    assert lines[1:-1] == [[i, f"row {i}"] for i in range(1, n + 1)]
    assert lines[-1]["end"]["changes"] == 0, lines[-1]
    # An error after rows went out is the last line; one before is an ordinary problem.
    failing = numbers + " SELECT n, abs(CASE WHEN n = 15000 THEN -9223372036854775808 ELSE n END) FROM c"
    status, _, data = rest.raw("POST", "/query", {"sql": failing}, accept)
    lines = [json.loads(line) for line in data.decode().splitlines()]
    assert lines[-1]["error"]["code"] == "QUERY_ERROR", lines[-1]
    assert lines[1:-1] == [[i, i] for i in range(1, len(lines) - 1)], "rows before the error"
    status, _, data = rest.raw("POST", "/query", {"sql": "SELECT nope"}, accept)
    assert status == 400, data
    # The same as one object: the error is a member at its end.
    status, _, data = rest.raw("POST", "/query", {"sql": failing})
    answer = json.loads(data)
    code = answer["error"]["code"] if status == 200 else answer["code"]
    assert code == "QUERY_ERROR", data[-300:]
    assert rest.value("SELECT 1") == 1  # and the connection goes on


def chunked_bodies():
    head = "Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n"
    body = json.dumps({"sql": "SELECT ?", "params": ["é" * 3000]}, ensure_ascii=False).encode()

    def chunks(sizes, extension=b"", trailer=b""):
        out, at, n = b"", 0, 0
        while at < len(body):
            size = min(sizes[n % len(sizes)], len(body) - at)
            out += b"%x%s\r\n%s\r\n" % (size, extension, body[at : at + size])
            at, n = at + size, n + 1
        return out + b"0\r\n" + trailer + b"\r\n"

    start = raw.request("POST", "/api/v1/query", None, head)

    def check(*pieces):
        """On a connection of its own: a server may end one after a chunked request, when it says so."""
        s = raw.dial()
        for piece in pieces:
            s.sendall(piece)
        answer = raw.Reader(s).answer()
        s.close()
        assert answer.status == 200, answer.body[:300]
        assert answer.json()["rows"] == [["é" * 3000]]

    check(start + chunks([len(body)]))
    check(start + chunks([1, 7, 300]))
    check(start + chunks([1000], extension=b";note=x"))
    check(start + chunks([4096], trailer=b"X-Sum: 1\r\n"))
    # In pieces that end anywhere, and a byte at a time around the sizes.
    coded = chunks([5, 2000])
    check(*((start + coded)[at : at + 97] for at in range(0, len(start + coded), 97)))
    check(start, *(coded[at : at + 1] for at in range(40)), coded[40:])
    # The connection goes on, or its end is announced.
    s = raw.dial()
    reader = raw.Reader(s)
    for _ in range(3):
        s.sendall(start + coded)
        answer = reader.answer()
        assert answer.status == 200
        if answer.headers.get("connection") == "close":
            assert reader.rest() == b""
            break
    s.close()
    for bad in (b"zz\r\n", b"-1\r\n", b"5\r\nabcdefgh\r\n", b"ffffffffffffffffff\r\n", b"\r\n", b"1;" + b"x" * 70000):
        s = raw.dial()
        try:
            s.sendall(start + bad)
            answer = raw.Reader(s).answer()
        except (ConnectionError, EOFError):
            answer = None  # ended at once: that is an answer, too
        assert answer is None or answer.status in (400, 413), (bad[:20], answer and answer.status)
        s.close()


def keep_alive():
    s = raw.dial()
    reader = raw.Reader(s)
    for n in range(200):
        s.sendall(raw.post_query("SELECT ?", [n]))
        assert reader.answer().json()["rows"] == [[n]]
        s.sendall(raw.request("GET", "/api/v1/health/liveness"))
        assert reader.answer().json()["status"] == "ok"
        s.sendall(raw.request("GET", "/api/v1/nowhere"))
        reader.answer().problem(404, "NOT_FOUND")
    s.sendall(raw.post_query("SELECT 'last'").replace(b"Host:", b"Connection: close\r\nHost:"))
    assert reader.answer().json()["rows"] == [["last"]]
    assert reader.rest() == b"", "the connection was to be closed"
    s.close()
    s = raw.dial()
    s.sendall(raw.request("GET", "/api/v1/server/info").replace(b"HTTP/1.1", b"HTTP/1.0"))
    reader = raw.Reader(s)
    answer = reader.answer()
    assert answer.status == 200 and answer.json()["name"] == "rustydb"
    s.close()


def expect_continue():
    body = json.dumps({"sql": "SELECT 'waited'"}).encode()
    head = raw.request(
        "POST", "/api/v1/query", None, f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n"
    )
    s = raw.dial()
    s.sendall(head)
    reader = raw.Reader(s)
    line = reader.until(b"\r\n\r\n")
    assert line.startswith(b"HTTP/1.1 100"), line
    s.sendall(body)
    assert reader.answer().json()["rows"] == [["waited"]]
    s.close()


FOREVER = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"


def closing_cancels():
    for how in ("close", "reset"):
        s = raw.dial()
        s.sendall(raw.request("POST", "/api/v1/query", {"sql": FOREVER, "timeout_ms": 600000}))
        before = cpu_ticks()
        eventually(lambda: cpu_ticks() - before > 30, say="the query to run")
        if how == "close":
            s.close()
        else:
            raw.reset(s)
        settles()


def cancel_by_id():
    rest, outcome = Rest(), {}

    def long():
        mine = Rest()
        try:
            outcome["answer"] = mine.query(FOREVER, id="long one", timeout_ms=600000)
        except Refused as e:
            outcome["refused"] = e
        mine.close()

    t = threading.Thread(target=long)
    t.start()

    def try_cancel():
        try:
            return rest.call("POST", "/query/long%20one/cancel")
        except Refused as e:
            assert e.status == 404 and e.code == "NOT_FOUND", e
            return None

    answer = eventually(try_cancel, say="the query to be cancelled")
    assert answer == {"id": "long one", "cancelled": True}, answer
    t.join()
    assert outcome["refused"].status == 499 and outcome["refused"].code == "CANCELLED", outcome
    settles()


def one_clients_error_is_its_own():
    """Many clients write at once; some of their statements try to take everybody's transaction down."""
    sql(
        "CREATE TABLE g (client INTEGER, n INTEGER, PRIMARY KEY (client, n))",
        "CREATE TABLE one (x INTEGER PRIMARY KEY ON CONFLICT ROLLBACK)",
        "INSERT INTO one VALUES (1)",
        "CREATE TABLE parent (x INTEGER PRIMARY KEY)",
        "CREATE TABLE child (x REFERENCES parent DEFERRABLE INITIALLY DEFERRED)",
        "CREATE TRIGGER no BEFORE INSERT ON g WHEN new.n < 0"
        " BEGIN SELECT RAISE(ROLLBACK, 'not below zero'); END",
    )
    bad = [
        "INSERT OR ROLLBACK INTO one VALUES (1)",
        "INSERT INTO one VALUES (1)",
        "INSERT INTO child VALUES (99)",
        "INSERT INTO g VALUES (0, -1)",
        "INSERT INTO g VALUES (1)",
        "INSERT INTO g SELECT * FROM g",
        "INSERT OR FAIL INTO one VALUES (2), (1)",
    ]
    problems = []

    def client(number):
        rest = Rest()
        try:
            for n in range(60):
                rest.query("INSERT INTO g VALUES (?, ?)", [number, n])
                if n % 3 == 0:
                    statement = bad[(n // 3 + number) % len(bad)]
                    try:
                        rest.query(statement)
                        problems.append(f"accepted: {statement}")
                    except Refused as e:
                        if e.status not in (400, 409):
                            problems.append(f"{statement}: {e}")
        except Exception as e:  # shown below
            problems.append(repr(e))
        rest.close()

    threads = [threading.Thread(target=client, args=(n,)) for n in range(1, 13)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not problems, problems[:5]
    assert sql("SELECT count(*), min(n) FROM g") == [[12 * 60, 0]], sql("SELECT count(*) FROM g")
    assert sql("SELECT count(*) FROM child") == [[0]]


def slow_reader_of_a_million_rows():
    """The daemon's memory does not grow with what a client has not read."""
    query = (
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 1000000)"
        " SELECT n, 'some text to make the row longer ' || n, n * 1.5 FROM c"
    )
    sql("SELECT 1")
    before = status_kb("VmRSS")
    s = raw.dial(rcvbuf=16384)
    s.sendall(raw.post_query(query, timeout_ms=600000))
    got, highest, last = b"", 0, time.monotonic()
    while time.monotonic() - last < 1.0:  # reads 16 KB at a time with pauses
        got += s.recv(16384)
        highest = max(highest, status_kb("VmRSS"))
        time.sleep(0.01)
    assert got.startswith(b"HTTP/1.1 200"), got[:100]
    rest = Rest()
    assert rest.value("SELECT 1") == 1, "others are served meanwhile"
    # Then the rest at full speed, to the end: nothing is missing.
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    reader = raw.Reader(s)
    reader.left = got
    rows = reader.answer().json()["rows"]
    highest = max(highest, status_kb("VmRSS"))
    assert len(rows) == 1000000 and rows[-1][0] == 1000000
    s.close()
    assert SANITIZED or highest - before < 8192, f"grew by {highest - before} kB"


def import_in_pieces():
    """A large import, sent as chunks that end anywhere, a part of it slowly."""
    lines = b"".join(b'{"n":%d,"t":"caf\xc3\xa9 %d"}\n' % (n, n) for n in range(30000))
    s = raw.dial()
    head = "Transfer-Encoding: chunked\r\n"
    s.sendall(raw.request("POST", "/api/v1/import/pieces?create=true&format=jsonl", None, head))
    for at in range(0, len(lines), 7001):
        part = lines[at : at + 7001]
        s.sendall(b"%x\r\n%s\r\n" % (len(part), part))
    s.sendall(b"0\r\n\r\n")
    answer = raw.Reader(s).answer()
    s.close()
    assert answer.status == 200 and answer.json()["rows"] == 30000, answer.body
    assert answer.json()["created"] is True, answer.body
    assert sql("SELECT count(*), sum(n), max(t) FROM pieces") == [[30000, 449985000, "café 9999"]]


main(globals())
