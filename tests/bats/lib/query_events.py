"""Cases of own_topics.bats: the topic `queries`."""

import asyncio
import socket

from rdb import Refused, Rest, connect, in_thread, main, port, token

LONG = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


async def listener():
    s = await connect()
    answer = await s.subscribe("queries")
    assert answer["topic"] == "queries" and "lsn" not in answer, answer
    return s


async def until(s, event, **wanted):
    """The next event of this kind with these members; others are passed over."""
    while True:
        e = await s.event()
        if e["event"] == event and all(e.get(k) == v for k, v in wanted.items()):
            return e


def check(e):
    assert e["topic"] == "queries" and e["at"].endswith("Z") and e["user"] == "root", e
    assert e["query_id"] and e["connection_id"].startswith("c") and e["kind"], e


async def start_and_end():
    s = await listener()
    rest = Rest()
    create, insert = "CREATE TABLE t(a)", "INSERT INTO t VALUES(?), (2), (3)"
    await in_thread(rest.run, create)
    start, end = await s.events(2)
    for e in (start, end):
        check(e)
        assert e["sql"] == create and e["protocol"] == "http" and e["kind"] == "query", e
    assert start["event"] == "start" and end["event"] == "end", (start, end)
    assert start["query_id"] == end["query_id"] and start["waited_ms"] >= 0, (start, end)
    await in_thread(rest.query, insert, [1])
    start, end = await s.events(2)
    assert end["changes"] == 3 and end["rows"] == 0 and end["lsn"] >= 3, end
    assert end["elapsed_ms"] > 0 and end["sql"] == insert, end  # what a parameter is stays unsaid
    other = await connect()
    await other.query("SELECT * FROM t")
    start, end = await s.events(2)
    assert start["protocol"] == "rustydb.json.v1", start
    assert start["connection_id"] == other.welcome["payload"]["connection_id"], start
    assert end["event"] == "end" and end["rows"] == 3 and end["changes"] == 0, end
    # Nobody listens: nothing is made, and who listens again hears of what comes then.
    await s.close()
    await in_thread(rest.run, "SELECT 1")
    s = await listener()
    await in_thread(rest.run, "SELECT 2")
    assert (await s.event())["sql"] == "SELECT 2"
    await s.close()


async def batches_and_transactions():
    s = await listener()
    rest = Rest()
    await in_thread(rest.call, "POST", "/batch", {"statements": [
        {"sql": "CREATE TABLE t(a)"}, {"sql": "INSERT INTO t VALUES(1)"},
        {"sql": "INSERT INTO t VALUES(2)"}]})
    start, end = await s.events(2)
    assert start["kind"] == "batch" and start["statements"] == 3, start
    assert start["sql"] == "CREATE TABLE t(a)" and end["event"] == "end", (start, end)
    assert end["changes"] == 2, end
    await in_thread(rest.call, "POST", "/batch",
                    {"atomic": True, "statements": [{"sql": "DELETE FROM t"}]})
    start, end = await s.events(2)
    assert start["kind"] == "atomic" and end["changes"] == 2, end
    tx = (await in_thread(rest.call, "POST", "/transactions", {}))["transaction_id"]
    await in_thread(rest.call, "POST", f"/transactions/{tx}/query",
                    {"sql": "INSERT INTO t VALUES(4)"})
    await in_thread(rest.call, "POST", f"/transactions/{tx}/commit")
    kinds = [(e["kind"], e["event"], e.get("transaction")) for e in await s.events(6)]
    assert kinds == [("begin", "start", None), ("begin", "end", tx), ("query", "start", tx),
                     ("query", "end", tx), ("commit", "start", tx), ("commit", "end", tx)], kinds
    # Lists of tables are no statements.
    await in_thread(rest.call, "GET", "/tables")
    await s.quiet()
    await s.close()


async def errors_and_cancels():
    s = await listener()
    rest = Rest()

    def fails(sql, **more):
        try:
            rest.query(sql, **more)
            raise AssertionError("it succeeded")
        except Refused as e:
            return e

    await in_thread(fails, "SELECT x FROM nowhere")
    e = await until(s, "error")
    check(e)
    assert e["code"] == "TABLE_NOT_FOUND" and "nowhere" in e["message"], e
    await in_thread(lambda: fails(LONG, timeout_ms=300))
    e = await until(s, "error")
    assert e["code"] == "TIMEOUT" and e["elapsed_ms"] >= 250, e
    # By the id that the event tells, whoever runs it.
    other = await connect()
    await other.send("query", {"sql": LONG, "timeout_ms": 60000}, "q")
    start = await until(s, "start", sql=LONG)
    await in_thread(rest.call, "POST", f"/query/{start['query_id']}/cancel")
    e = await until(s, "cancel")
    assert e["query_id"] == start["query_id"] and e["code"] == "CANCELLED", e
    # A client that leaves.
    c = socket.create_connection(("127.0.0.1", port()))
    body = '{"sql": "%s", "timeout_ms": 60000}' % LONG
    c.sendall((f"POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token()}\r\n"
               f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}")
              .encode())
    start = await until(s, "start", protocol="http")
    c.close()
    e = await until(s, "cancel")
    assert e["query_id"] == start["query_id"], e
    await other.close()
    await s.close()


async def progress():
    s = await listener()
    other = await connect()
    await other.send("query", {"sql": LONG, "timeout_ms": 60000}, "q")
    start = await until(s, "start")
    at = 0
    for _ in range(2):
        e = await until(s, "progress")
        check(e)
        assert e["query_id"] == start["query_id"] and e["sql"] == LONG and e["rows"] == 0, e
        assert e["elapsed_ms"] >= at + 900, (e, at)
        at = e["elapsed_ms"]
    await other.ok("cancel", {"id": "q"}, "query_result")
    await until(s, "cancel")
    # One that waits for its reader tells how many rows it has given.
    rows = LONG.replace("count(*)", "i")
    c = socket.create_connection(("127.0.0.1", port()))
    body = '{"sql": "%s", "timeout_ms": 60000}' % rows
    c.sendall((f"POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token()}\r\n"
               f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}")
              .encode())
    e = await until(s, "progress")
    assert e["rows"] > 1000, e
    c.close()
    e = await until(s, "cancel")
    assert e["rows"] > 1000, e
    await other.close()
    await s.close()


async def bounded():
    s = await listener()
    rest = Rest()
    count = 300

    def work():
        for n in range(count):
            rest.query("SELECT ?", [n])

    await in_thread(work)
    told, left_out = [], 0
    # One more after a while takes the count of what was left out along.
    while left_out + len(told) < 2 * count:
        await asyncio.sleep(0.3)
        await in_thread(rest.run, "SELECT 'mark'")
        count += 1
        await s.send("ping", {}, "p")
        while (m := await s.recv()).get("id") != "p":
            told.append(m["payload"])
            left_out += m["payload"].get("omitted", 0)
    assert left_out + len(told) == 2 * count, (left_out, len(told), count)
    assert left_out > 100, left_out
    starts = {e["query_id"] for e in told if e["event"] == "start"}
    ends = {e["query_id"] for e in told if e["event"] == "end"}
    assert starts == ends, starts ^ ends
    # What fails is told, when starts are not any more.
    def fail():
        for n in range(30):
            rest.query("SELECT 1")
        try:
            rest.query("SELECT x FROM nowhere")
        except Refused:
            pass

    await in_thread(fail)
    await until(s, "error")
    await s.close()


async def long_text():
    s = await listener()
    sql = "SELECT '" + "\u00e4" * 5000 + "'"
    await in_thread(Rest().query, sql)
    for e in await s.events(2):
        assert sql.startswith(e["sql"]) and 990 < len(e["sql"].encode()) <= 1000, e
        assert e["sql_bytes"] == len(sql.encode()), e
    await s.close()


main(globals())
