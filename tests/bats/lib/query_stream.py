"""Cases of ws_query.bats: the endpoint /api/v1/ws/query."""

import asyncio
import json
import os
import signal
import time

from rdb import (LIMIT, SANITIZED, Rest, alive, connect, daemon_pid, eventually_async, in_thread,
                 main, sql, status_kb, token)

COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {}) SELECT i FROM n"
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT {} FROM n"


async def opened(**options):
    s = await connect(path="/api/v1/ws/query", **options)
    w = s.welcome
    assert w["connection_id"].startswith("c") and w["version"] and w["limits"]["max_message"], w
    return s


async def send(s, **message):
    await s.ws.send(json.dumps(message))


async def result(s, timeout=LIMIT):
    """All messages up to the end of a query, which comes last."""
    got = []
    while True:
        m = await s.recv(timeout)
        got.append(m)
        if m["type"] in ("end", "error"):
            return got


async def run(s, sql_text, **more):
    await send(s, sql=sql_text, **more)
    return await result(s)


def rows_of(messages):
    return [row for m in messages if m["type"] == "rows" for row in m["rows"]]


async def fails(s, code, **message):
    """A message that is refused; what is said has no number of a query."""
    await send(s, **message)
    m = await s.recv()
    assert m["type"] == "error" and m["code"] == code and m["message"], m
    assert "query" not in m, m
    return m


async def plain():
    s = await opened()
    assert s.welcome["authenticated"] is True, s.welcome
    got = await run(s, "SELECT 1 AS a, 'x' AS b, NULL AS c, 2.5 AS d, x'00ff' AS e")
    assert [m["type"] for m in got] == ["columns", "rows", "end"], got
    assert [c["name"] for c in got[0]["columns"]] == list("abcde"), got
    assert got[1]["rows"] == [[1, "x", None, 2.5, {"$base64": "AP8="}]], got
    end = got[2]
    assert end["rows"] == 1 and end["changes"] == 0 and end["elapsed_ms"] >= 0, end
    assert all(m["query"] == 1 and "id" not in m for m in got), got
    got = await run(s, "SELECT ?, :b", params=[1, "two"], id="mine")
    assert rows_of(got) == [[1, "two"]], got
    assert all(m["query"] == 2 and m["id"] == "mine" for m in got), got
    got = await run(s, "SELECT :x + 1", params={"x": 41})
    assert rows_of(got) == [[42]], got
    got = await run(s, COUNT.format(100), max_rows=10)
    assert rows_of(got) == [[n] for n in range(1, 11)] and got[-1]["truncated"] is True, got[-1]
    got = await run(s, "SELECT 1 WHERE 0")
    assert [m["type"] for m in got] == ["columns", "end"] and got[-1]["rows"] == 0, got
    await s.close()
    assert s.ws.close_code == 1000


async def batches():
    s = await opened()
    for size, count in ((7, 100), (1, 20), (10000, 25000), (5, 5), (3, 2)):
        got = await run(s, COUNT.format(count), batch_size=size)
        assert got[-1]["type"] == "end" and got[-1]["rows"] == count, got[-1]
        sizes = [len(m["rows"]) for m in got if m["type"] == "rows"]
        whole, rest = divmod(count, size)
        assert sizes == [size] * whole + ([rest] if rest else []), (size, count, sizes)
        assert rows_of(got) == [[n] for n in range(1, count + 1)]
    got = await run(s, COUNT.format(2500))
    assert [len(m["rows"]) for m in got if m["type"] == "rows"] == [1000, 1000, 500]
    await s.close()


async def prompt():
    """A statement that gives a few rows and then works on for long."""
    s = await opened()
    await send(s, sql="SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL "
                      "SELECT count(*) FROM (" + ENDLESS.format("i") + ")",
               batch_size=1, timeout_ms=60000)
    got = [await s.recv(20) for _ in range(4)]
    assert [m["type"] for m in got] == ["columns", "rows", "rows", "rows"], got
    await send(s, cancel=True)
    assert (await result(s))[-1]["code"] == "CANCELLED"
    await s.close()


async def writes():
    s = await opened()
    got = await run(s, "CREATE TABLE t(n INTEGER PRIMARY KEY, x)")
    assert got[-1]["type"] == "end", got
    got = await run(s, "INSERT INTO t(x) VALUES (1), (2), (3)")
    assert got[-1]["changes"] == 3 and got[-1]["last_insert_rowid"] == 3, got
    assert got[-1]["lsn"] >= 3, got
    got = await run(s, "INSERT INTO t(x) SELECT value FROM json_each('[4,5,6,7]') RETURNING n, x",
                    batch_size=3)
    assert [len(m["rows"]) for m in got if m["type"] == "rows"] == [3, 1], got
    assert rows_of(got) == [[4, 4], [5, 5], [6, 6], [7, 7]], got
    assert await in_thread(sql, "SELECT count(*) FROM t") == [[7]]
    got = await run(s, "INSERT INTO t(n) VALUES (1)")
    assert got[-1]["type"] == "error" and got[-1]["code"] == "CONFLICT", got
    await s.close()


async def errors():
    s = await opened()
    got = await run(s, "SELECT x FROM nowhere")
    assert len(got) == 1 and got[0]["code"] == "TABLE_NOT_FOUND" and got[0]["query"] == 1, got
    got = await run(s, "SELEC 1", id="q")
    assert got[0]["code"] == "QUERY_ERROR" and got[0]["position"] == 0, got
    assert got[0]["id"] == "q" and got[0]["query"] == 2, got
    got = await run(s, "SELECT 1; SELECT 2")
    assert got[-1]["type"] == "error", got
    got = await run(s, "BEGIN")
    assert got[-1]["type"] == "error" and got[-1]["hint"], got
    got = await run(s, ENDLESS.format("count(*)"), timeout_ms=200)
    assert got[-1]["type"] == "error" and got[-1]["code"] == "TIMEOUT", got
    # After rows have gone out already.
    got = await run(s, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000)"
                       " SELECT CASE WHEN i = 4000 THEN abs(-9223372036854775807 - 1) ELSE i END"
                       " FROM n", batch_size=100)
    assert got[0]["type"] == "columns" and got[-1]["code"] == "QUERY_ERROR", got[-1]
    rows = rows_of(got)
    assert rows == [[n] for n in range(1, len(rows) + 1)] and 3000 <= len(rows) < 4000, len(rows)
    assert rows_of(await run(s, "SELECT 7")) == [[7]]
    await s.close()


async def refused():
    s = await opened()
    for message in (
        {}, {"sq": "SELECT 1"}, {"sql": 1}, {"sql": None}, {"sql": "SELECT 1", "more": 1},
        {"sql": "SELECT ?", "params": 1}, {"sql": "SELECT 1", "batch_size": 0},
        {"sql": "SELECT 1", "batch_size": 10001}, {"sql": "SELECT 1", "batch_size": "7"},
        {"sql": "SELECT 1", "progress": "yes"}, {"sql": "SELECT 1", "progress": 10},
        {"sql": "SELECT 1", "progress": 3600001}, {"sql": "SELECT 1", "id": 5},
        {"sql": "SELECT 1", "id": "x" * 257}, {"sql": "SELECT 1", "timeout_ms": 0},
        {"cancel": False}, {"cancel": 1}, {"cancel": True, "id": "x"},
        {"type": "query", "payload": {"sql": "SELECT 1"}},
    ):
        await fails(s, "INVALID_MESSAGE", **message)
    for text in ("{", "[]", "1", '"x"', '{"sql":"SELECT 1","sql":"SELECT 2"}'):
        await s.ws.send(text)
        m = await s.recv()
        assert m["type"] == "error" and m["code"] == "INVALID_MESSAGE" and "query" not in m, m
    await fails(s, "NOT_FOUND", cancel=True)
    got = await run(s, "SELECT 1")  # what was refused has no number
    assert got[0]["query"] == 1, got
    await s.ws.send(b"{}")
    assert (await s.until_closed())[0] == 1003
    status, _, _ = await in_thread(Rest().raw, "GET", "/ws/query")
    assert status == 426, status


async def many_malformed():
    s = await opened()
    for _ in range(5):
        await s.ws.send("{")
    assert (await s.until_closed())[0] == 1008


async def progress():
    s = await opened()
    await send(s, sql=ENDLESS.format("count(*)"), progress=250, timeout_ms=60000, id="slow")
    at = 0
    for n in range(3):
        m = await s.recv(20)
        assert m["type"] == "progress" and m["query"] == 1 and m["id"] == "slow", m
        assert m["rows"] == 0 and m["percent"] is None and m["waiting"] is False, m
        assert m["elapsed_ms"] >= at + 200, (m, at)
        at = m["elapsed_ms"]
    await send(s, cancel=True)
    assert (await result(s))[-1]["code"] == "CANCELLED"
    # Rows are counted as they come; a quick query has none.
    got = await run(s, "SELECT 1", progress=True)
    assert [m["type"] for m in got] == ["columns", "rows", "end"], got
    await send(s, sql=ENDLESS.format("i"), progress=250, timeout_ms=60000, batch_size=1000)
    seen, told = 0, []
    while len(told) < 3:
        m = await s.recv(20)
        if m["type"] == "rows":
            seen += len(m["rows"])
        elif m["type"] == "progress":
            assert m["rows"] >= (told[-1] if told else 1), (m, told)
            told.append(m["rows"])
    await send(s, cancel=True)
    got = await result(s)
    assert got[-1]["code"] == "CANCELLED", got[-1]
    assert seen > 0
    await s.close()


async def cancel():
    s = await opened()
    for n in range(5):
        await send(s, sql=ENDLESS.format("count(*)"), timeout_ms=60000)
        await asyncio.sleep(0.02 * n)
        await send(s, cancel=True)
        got = await result(s)
        assert got[-1]["type"] == "error" and got[-1]["code"] == "CANCELLED", got
        assert got[-1]["query"] == n + 1, got
    # A statement that writes leaves nothing behind.
    await run(s, "CREATE TABLE t(a)")
    await send(s, sql="INSERT INTO t " + ENDLESS.format("i"), timeout_ms=60000)
    await asyncio.sleep(0.2)
    await send(s, cancel=True)
    assert (await result(s))[-1]["code"] == "CANCELLED"
    assert rows_of(await run(s, "SELECT count(*) FROM t")) == [[0]]
    await s.close()


async def close_cancels():
    rest = Rest()

    async def active():
        m = await in_thread(rest.call, "GET", "/metrics?metrics=queries.active")
        return m["metrics"]["queries.active"]

    for abort in (False, True):
        s = await opened()
        await send(s, sql=ENDLESS.format("count(*)"), timeout_ms=60000)

        async def runs():
            return await active() == 1

        async def over():
            return await active() == 0

        await eventually_async(runs)
        if abort:
            s.ws.transport.abort()
        else:
            await s.close()
        await eventually_async(over)


async def busy():
    s = await opened()
    await send(s, sql=ENDLESS.format("count(*)"), timeout_ms=60000)
    m = await fails(s, "BUSY", sql="SELECT 1", id="second")
    assert "cancel" in m["hint"], m
    await fails(s, "INVALID_MESSAGE", sqll="SELECT 1")
    await send(s, cancel=True)
    got = await result(s)
    assert got[-1]["code"] == "CANCELLED" and got[-1]["query"] == 1, got
    got = await run(s, "SELECT 1")
    assert rows_of(got) == [[1]] and got[-1]["query"] == 2, got
    await s.close()


async def slow_reader():
    count = 200000
    sql("SELECT 1")
    before = status_kb("VmRSS")
    s = await opened(max_queue=1, read_limit=4096)
    await send(s, sql=COUNT.format(count).replace("SELECT i FROM n", "SELECT i, hex(zeroblob(100))"
                                                  " FROM n"), batch_size=100, progress=250)
    await asyncio.sleep(1.5)  # not a wait for something: the time in which it could pile up
    grown = status_kb("VmRSS") - before
    assert SANITIZED or grown < 12288, f"grew by {grown} kB"
    seen = 0
    while True:
        m = await s.recv()
        if m["type"] == "rows":
            assert m["rows"][0][0] == seen + 1, (m["rows"][0][0], seen)
            seen += len(m["rows"])
        elif m["type"] == "end":
            break
        else:
            assert m["type"] in ("columns", "progress"), m
    assert seen == count, seen
    await s.close()


async def large_rows():
    s = await opened()
    got = await run(s, COUNT.format(40).replace("SELECT i FROM n", "SELECT i, hex(zeroblob(150000))"
                                                " FROM n"), batch_size=10000)
    sizes = [len(m["rows"]) for m in got if m["type"] == "rows"]
    assert sum(sizes) == 40 and max(sizes) <= 5, sizes
    await s.close()


async def deflated():
    s = await opened(compression="deflate")
    got = await run(s, COUNT.format(30000), batch_size=2000)
    assert rows_of(got) == [[n] for n in range(1, 30001)]
    await s.close()


async def authenticates():
    s = await opened(auth=False)
    assert s.welcome["authenticated"] is False, s.welcome
    m = await fails(s, "AUTH_REQUIRED", sql="SELECT 1")
    assert "token" in m["hint"], m
    await fails(s, "AUTH_REQUIRED", cancel=True)
    await send(s, token="wrong")
    m = await s.recv()
    assert m["type"] == "auth_error" and m["code"] == "AUTH_FAILED", m
    await fails(s, "INVALID_MESSAGE", token=5)
    await send(s, token=token())
    m = await s.recv()
    assert m["type"] == "auth_success" and m["user"] == "root", m
    assert rows_of(await run(s, "SELECT 1")) == [[1]]
    await s.close()


async def auth_too_late():
    s = await opened(auth=False)
    started = time.monotonic()
    code, _ = await s.until_closed()
    assert code == 1008 and time.monotonic() - started > 0.3, code
    said = s.kept[-1]
    assert said["type"] == "system" and said["event"] == "closing" and said["code"] == 1008, said


async def terminate():
    s = await opened()
    await send(s, sql=ENDLESS.format("count(*)"), timeout_ms=60000)
    await in_thread(alive)
    os.kill(daemon_pid(), signal.SIGTERM)
    assert (await s.until_closed())[0] == 1001


main(globals())
