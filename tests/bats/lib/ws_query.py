"""Cases of ws.bats: statements, transactions and cancelling over a session."""

import asyncio

import raw
from rdb import LIMIT, Refused, connect, eventually_async, in_thread, main, settles, sql

FOREVER = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"


async def expect_refused(awaitable, *codes):
    try:
        await awaitable
    except Refused as e:
        assert e.code in codes, e
        return e.problem
    raise AssertionError(f"not refused with {codes}")


async def streams():
    s = await connect()
    columns, rows, end = await s.query("SELECT 1 AS a, 'x' AS b, NULL AS c")
    assert [c["name"] for c in columns] == ["a", "b", "c"] and rows == [[1, "x", None]]
    assert end["changes"] == 0 and end["elapsed_ms"] >= 0 and isinstance(end["lsn"], int), end
    _, _, end = await s.query("CREATE TABLE t (id INTEGER PRIMARY KEY, x)", type_="execute")
    _, rows, end = await s.query("INSERT INTO t (x) VALUES (?), (?)", ["a", {"$base64": "AAE="}], type_="execute")
    assert rows == [] and end["changes"] == 2 and end["last_insert_rowid"] == 2, end
    _, rows, _ = await s.query("SELECT x FROM t WHERE id = :n", {"n": 2})
    assert rows == [[{"$base64": "AAE="}]], rows
    _, rows, end = await s.query("SELECT id FROM t", max_rows=1)
    assert rows == [[1]] and end["truncated"] is True, end
    columns, rows, end = await s.query("SELECT id FROM t WHERE 0")
    assert rows == [] and [c["name"] for c in columns] == ["id"]
    numbers = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 200000) "
    _, rows, _ = await s.query(numbers + "SELECT n FROM c")
    assert [r[0] for r in rows] == list(range(1, 200001))
    await s.close()


async def errors():
    s = await connect()
    problem = await expect_refused(s.query("SELECT nope"), "QUERY_ERROR")
    assert "nope" in problem["message"] and problem["position"] == 7, problem
    await expect_refused(s.query("SELECT * FROM none"), "TABLE_NOT_FOUND", "QUERY_ERROR")
    await expect_refused(s.query("BEGIN"), "QUERY_ERROR", "INVALID_MESSAGE", "PERMISSION_DENIED")
    await expect_refused(s.query(FOREVER, timeout_ms=200), "TIMEOUT")
    for payload in ({}, {"sql": 5}, {"sql": "SELECT 1", "parms": []}, {"sql": "SELECT 1", "timeout_ms": "x"}):
        await s.refused("query", payload, "INVALID_MESSAGE")
    # An error after rows went out ends the stream of rows.
    failing = (
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 30000)"
        " SELECT abs(CASE WHEN n = 29999 THEN -9223372036854775808 ELSE n END) FROM c"
    )
    await expect_refused(s.query(failing), "QUERY_ERROR")
    assert (await s.query("SELECT 1"))[1] == [[1]]
    await s.close()


async def interleaved():
    """Several requests under way on one session: each answer finds its request."""
    s = await connect()
    numbers = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT {}) SELECT n FROM c"
    want = {}
    for n in range(20):
        want[f"q{n}"] = 1 + n * 500
        await s.send("query", {"sql": numbers.format(want[f"q{n}"])}, f"q{n}")
    got = {id_: 0 for id_ in want}
    open_ = set(want)
    while open_:
        m = await s.recv()
        p = m["payload"]
        assert m["type"] == "query_result" and m["id"] in open_, m
        if p["part"] == "rows":
            assert p["rows"][0] == [got[m["id"]] + 1]
            got[m["id"]] += len(p["rows"])
        elif p["part"] == "end":
            open_.remove(m["id"])
    assert got == want, got
    await s.close()


async def cancel():
    s = await connect()
    await s.send("query", {"sql": FOREVER, "timeout_ms": 600000}, "long")

    async def cancelled():  # not as long as the query does not run yet
        m = await s.request("cancel", {"id": "long"})
        if m["type"] == "error":
            assert m["payload"]["code"] == "NOT_FOUND", m
            return False
        assert m["type"] == "query_result" and m["payload"]["cancelled"] is True, m
        return True

    await eventually_async(cancelled, say="the query to be cancelled")
    async for m in s.answers("long"):
        assert m["type"] == "error" and m["payload"]["code"] == "CANCELLED", m
        break
    await s.refused("cancel", {"id": "long"}, "NOT_FOUND")
    await s.refused("cancel", {"id": "never was"}, "NOT_FOUND")
    assert (await s.query("SELECT 1"))[1] == [[1]]
    # A session that closes, or breaks off, takes its queries along.
    await s.send("query", {"sql": FOREVER, "timeout_ms": 600000}, "again")
    await s.close()
    broken = raw.RawSession()
    broken.message("query", {"sql": FOREVER, "timeout_ms": 600000})
    raw.reset(broken.s)
    await in_thread(settles)


async def transactions():
    s, other = await connect(), await connect()
    sql("CREATE TABLE t (x INTEGER PRIMARY KEY)")
    await other.subscribe("table:t")
    end = await s.ok("begin", {}, "query_result")
    tx = end["transaction"]
    assert end["part"] == "end" and tx, end
    await s.query("INSERT INTO t VALUES (1)", transaction=tx)
    assert (await s.query("SELECT count(*) FROM t", transaction=tx))[1] == [[1]]
    assert (await other.query("SELECT count(*) FROM t"))[1] == [[0]]
    await s.query("SAVEPOINT a", transaction=tx)
    await s.query("INSERT INTO t VALUES (2)", transaction=tx)
    await s.query("ROLLBACK TO a", transaction=tx)
    await s.query("INSERT INTO t VALUES (3)", transaction=tx)
    await other.quiet()
    end = await s.ok("commit", {"transaction": tx}, "query_result")
    assert isinstance(end["lsn"], int), end
    events = await other.events(2)
    assert [e["row"]["x"] for e in events] == [1, 3]
    assert events[0]["tx"] == events[1]["tx"] and events[1]["lsn"] == events[0]["lsn"] + 1
    tx = (await s.ok("begin", {}, "query_result"))["transaction"]
    await s.query("INSERT INTO t VALUES (4)", transaction=tx)
    await s.ok("rollback", {"transaction": tx}, "query_result")
    await s.refused("commit", {"transaction": tx}, "NOT_FOUND")
    await expect_refused(s.query("SELECT 1", transaction="none"), "NOT_FOUND")
    assert (await s.query("SELECT x FROM t"))[1] == [[1], [3]]
    await other.quiet()
    await other.close()
    await s.close()


async def transaction_of_a_session_that_breaks_off():
    """The writer is not held longer than the idle limit; nothing of it stays."""
    sql("CREATE TABLE t (x)")
    s = raw.RawSession()
    s.message("begin", {}, "b")
    tx = s.answer("b")["payload"]["transaction"]
    s.message("query", {"sql": "INSERT INTO t VALUES (1)", "transaction": tx}, "i")
    while s.answer("i")["payload"]["part"] != "end":
        pass
    raw.reset(s.s)
    await asyncio.wait_for(in_thread(sql, "INSERT INTO t VALUES (2)"), LIMIT)
    assert sql("SELECT x FROM t") == [[2]]


main(globals())
