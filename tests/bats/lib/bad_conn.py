"""Cases of bad_input.bats over HTTP: connections that are slow, silent, half closed or broken off."""

import select
import socket
import threading
import time

import raw
from rdb import LIMIT, SANITIZED, Rest, alive, eventually, main, open_sockets, settles, sql, status_kb


def a_byte_at_a_time():
    """With request_timeout at 700 ms: who sends so slowly is cut off with 408 or ended, while others are
    served; one who is only a little slow is not."""
    slow = []
    for start in (b"", raw.post_query("SELECT 'x'")[:-10]):
        s = raw.dial()
        s.sendall(start)
        slow.append(s)
    data = raw.request("GET", "/api/v1/tables?offset=0")
    s, ended = raw.dial(), None
    slow.append(s)
    started = time.monotonic()
    for at in range(len(data)):
        try:
            s.sendall(data[at : at + 1])
        except ConnectionError:
            ended = time.monotonic() - started
            break
        alive()
        time.sleep(0.05)
        s.setblocking(False)
        try:
            if s.recv(1, socket.MSG_PEEK) is not None:
                ended = time.monotonic() - started
                break
        except BlockingIOError:
            pass
        except ConnectionError:
            ended = time.monotonic() - started
            break
        finally:
            s.setblocking(True)
    assert ended is not None, f"{len(data)} bytes took {time.monotonic() - started:.1f} s and nobody minded"
    for s in slow:
        s.settimeout(LIMIT)
        got = raw.Reader(s).rest()
        assert got == b"" or b"408" in got.split(b"\r\n")[0], got[:100]
        s.close()
    # Small pauses inside a body are no reason to be cut off, even when they add up.
    s = raw.dial()
    data = raw.post_query("SELECT 'a little slow'")
    s.sendall(data[:-20])
    for at in range(len(data) - 20, len(data)):
        s.sendall(data[at : at + 1])
        time.sleep(0.06)
    assert raw.Reader(s).answer().json()["rows"] == [["a little slow"]]
    s.close()


def half_closed():
    """A client that closes its side gets its answer or the end of the connection; never half an answer,
    never silence. What it asked for was done as a whole or not at all."""
    sql("CREATE TABLE h (n INTEGER PRIMARY KEY)")
    answered = set()
    for n in range(20):
        s = raw.dial()
        s.sendall(raw.post_query("INSERT INTO h VALUES (?), (?)", [n, n + 1000]))
        s.shutdown(socket.SHUT_WR)
        reader = raw.Reader(s)
        try:
            assert reader.answer().status == 200
            answered.add(n)
        except (EOFError, ConnectionError):
            assert reader.left == b"", reader.left
        s.close()
    alive()
    rows = {r[0] for r in sql("SELECT n FROM h")}
    assert {n for n in rows if n < 1000} == {n - 1000 for n in rows if n >= 1000}, rows
    assert answered <= rows, (answered, rows)
    # One that stops in the middle of a request is ended.
    whole = raw.post_query("SELECT 1")
    for at in range(0, len(whole), 11):
        s = raw.dial()
        s.sendall(whole[:at])
        s.shutdown(socket.SHUT_WR)
        raw.closed_by_peer(s)
        s.close()
    settles()


def broken_at_every_step():
    """Connections reset at every place of a request, of an answer and of an upgrade: nothing is left
    of them, no write is half done."""
    sql("CREATE TABLE b (n INTEGER PRIMARY KEY, a, b)")
    alive()
    sockets = open_sockets()
    whole = raw.post_query("INSERT INTO b (a, b) SELECT 1, hex(zeroblob(100000))")
    upgrade = raw.upgrade()
    for data in (whole, upgrade):
        for at in list(range(0, len(data), 5)) + [len(data)]:
            s = raw.dial()
            s.sendall(data[:at])
            raw.reset(s)
    big = raw.post_query(
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 1000000) SELECT n, 'text' FROM c"
    )
    for size in (1, 10, 200, 5000, 100000):
        for end in (raw.reset, lambda s: s.close()):
            s = raw.dial()
            s.sendall(big)
            got = 0
            while got < size:
                got += len(s.recv(min(size - got, 65536)))
            end(s)
    chunk = raw.request("POST", "/api/v1/import/b?format=jsonl", None, "Transfer-Encoding: chunked\r\n")
    for tail in (b"", b"5", b"5\r\n", b"10\r\n{\"n\":9", b"8\r\n{\"n\":9}\n\r\n", b"8\r\n{\"n\":9}\n\r\n0\r\n"):
        s = raw.dial()
        s.sendall(chunk + tail)
        raw.reset(s)
    eventually(lambda: open_sockets() <= sockets + 2, say="every connection to be forgotten")
    settles()
    rows = sql("SELECT count(*), count(a), count(b), min(length(b)) FROM b WHERE n <> 9")[0]
    assert rows[0] == rows[1] == rows[2] and (rows[0] == 0 or rows[3] == 200000), rows
    assert rows[0] <= 1, f"{rows[0]} rows of one request"
    alive()


def never_reads():
    """Clients that ask for much and read nothing: others are served, memory stays, and they are cut off
    (with stall_timeout at 2 s)."""
    alive()
    sockets = open_sockets()
    before = status_kb("VmRSS")
    big = raw.post_query(
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 5000000) SELECT n, 'some text' FROM c",
        timeout_ms=600000,
    )
    clients = []
    for _ in range(8):
        s = raw.dial(rcvbuf=4096)
        s.sendall(big)
        clients.append(s)
    gets = raw.request("GET", "/api/v1/server/info") * 200
    for _ in range(4):
        s = raw.dial(rcvbuf=4096)
        s.setblocking(False)
        try:
            while True:
                s.send(gets)
        except BlockingIOError:
            pass
        clients.append(s)
    for _ in range(50):
        alive()
    eventually(lambda: open_sockets() <= sockets + 2, say="clients that never read to be cut off")
    grown = status_kb("VmRSS") - before
    assert SANITIZED or grown < 16384, f"grew by {grown} kB"
    for s in clients:
        s.close()
    settles()


def reads_late():
    """A client that sends another request before it has read a large answer gets the whole of it."""
    rest = Rest()

    def pushed_back():
        return rest.call("GET", "/ws/status")["backpressure_events"]

    big = raw.post_query(
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 300000) SELECT n, 'some text' FROM c"
    )
    for behind in (b"\r\n", raw.request("GET", "/api/v1/health/liveness"), raw.post_query("SELECT 'late'")):
        before = pushed_back()
        s = raw.dial(rcvbuf=4096)
        s.sendall(big)
        eventually(lambda: pushed_back() > before, say="the socket to be full")
        s.sendall(behind)
        reader = raw.Reader(s)
        answer = reader.answer()
        assert answer.status == 200, answer.status
        rows = answer.json()["rows"]
        assert len(rows) == 300000 and rows[-1] == [300000, "some text"], rows[-1]
        # lws decides whether what came behind is still there; an answer to it is the right one.
        try:
            answer = reader.answer()
            assert answer.status in (200, 400), answer.status
            assert answer.status == 200 or behind == b"\r\n", (answer.status, behind)
        except (EOFError, ConnectionError) as e:
            assert not e.args or e.args[0] in (b"", 104, 32), f"half an answer: {e.args[0][:200]}"
        s.close()
    settles()


def slow_statements():
    """With request_timeout at 1 s, which is for sending a request: a statement may take longer, in
    whichever form its body came."""
    sql("CREATE TABLE w (n)")
    rest = Rest()
    tx = rest.call("POST", "/transactions")["transaction_id"]  # the others wait for its end
    body = b'{"sql":"INSERT INTO w VALUES (1)"}'
    chunked = raw.request(
        "POST", "/api/v1/query", None, "Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n"
    )
    chunked += b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    plain = raw.post_query("INSERT INTO w VALUES (1)")
    waiting = []
    for data in (plain, chunked, plain + b"\r\n"):
        s = raw.dial()
        s.sendall(data)
        waiting.append(s)
    late = raw.dial()
    late.sendall(plain)
    waiting.append(late)
    eventually(lambda: rest.call("GET", "/ws/status")["queue_depth"] >= 4, say="four to wait")
    late.sendall(b"\r\n")
    ready = select.select(waiting, [], [], 2.5)[0]
    assert not ready, f"{len(ready)} were cut off or answered early"
    rest.call("POST", f"/transactions/{tx}/commit")
    for s in waiting:
        assert raw.Reader(s).answer().status == 200
        s.close()
    assert sql("SELECT count(*) FROM w") == [[4]]
    settles()


def silent_connections():
    """Five hundred connections that say nothing: others are served, and these are ended (with
    request_timeout at 1 s)."""
    alive()
    sockets = open_sockets()
    silent = [raw.dial() for _ in range(500)]
    for _ in range(20):
        alive()
    for s in silent:
        assert raw.closed_by_peer(s) < 1000
        s.close()
    eventually(lambda: open_sockets() <= sockets + 2, say="silent connections to be forgotten")


def kept_writes_under_abuse():
    """While hostile clients do their worst, a decent one loses nothing."""
    sql("CREATE TABLE d (n INTEGER PRIMARY KEY)")
    stop = threading.Event()
    problems = []

    def hostile(number):
        whole, n = raw.post_query("INSERT INTO nowhere VALUES (1)"), 0
        while not stop.is_set():
            n += 1
            try:
                s = raw.dial()
                s.sendall((whole * 3)[: (n * 37 + number) % (len(whole) * 3)])
                raw.reset(s)
            except OSError:
                pass
            stop.wait(0.001)  # leaves the interpreter to the decent one

    def decent():
        rest = Rest()
        try:
            for n in range(150):
                rest.query("INSERT INTO d VALUES (?)", [n])
        except Exception as e:  # shown below
            problems.append(repr(e))
        rest.close()

    bad = [threading.Thread(target=hostile, args=(n,), daemon=True) for n in range(4)]
    good = threading.Thread(target=decent)
    for t in bad + [good]:
        t.start()
    good.join()
    stop.set()
    for t in bad:
        t.join()
    assert not problems, problems
    assert sql("SELECT count(*) FROM d") == [[150]]


main(globals())
