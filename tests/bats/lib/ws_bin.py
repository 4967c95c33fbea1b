"""Cases of ws_bin.bats: rustydb.bin.v1 from end to end."""

import asyncio
import base64
import datetime
import json
import os
import pathlib
import signal
import time

import wsclient

import binmsg
import rdb
from bin_session import connect, params, row, statement, topic, value
from rdb import LIMIT, Closed, Refused, main, sql


VECTORS = pathlib.Path(__file__).parents[2] / "data" / "bin"


def _microseconds(stamp):
    """An RFC 3339 stamp as the binary protocol has it."""
    at = datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    return round((at - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) / datetime.timedelta(microseconds=1))


async def _refuses(awaitable, code):
    try:
        await awaitable
    except Refused as e:
        assert e.code == code, e
        return e.problem
    raise AssertionError(f"not refused with {code}")


# ---- sessions ---------------------------------------------------------------------------------------


async def welcome():
    s = await connect()
    w = s.welcome
    assert w["connection_id"].startswith("c") and w["version"] and w["log_id"], w
    assert w["max_message"] > 0 and w["max_subscriptions"] > 0 and w["max_pending"] > 0, w
    await s.ws.close()
    assert s.ws.close_code == 1000


async def needs_header():
    try:
        await connect(auth=False)
    except wsclient.InvalidHandshake as e:
        assert wsclient.refused_with(e) == 401, e
    else:
        raise AssertionError("a stranger came in")


async def text_is_refused():
    s = await connect()
    await s.ws.send('{"type":"ping"}')
    assert (await s.event("Closing"))["code"] == 1003
    try:
        await s.recv()
    except Closed as e:
        assert e.code == 1003, e


async def terminate():
    s = await connect()
    os.kill(rdb.daemon_pid(), signal.SIGTERM)
    closing = await s.event("Closing")
    assert closing["code"] == 1001 and closing["reason"], closing
    try:
        await s.recv()
    except Closed as e:
        assert e.code == 1001, e


# ---- statements -------------------------------------------------------------------------------------


async def values():
    s = await connect()
    given = [None, 0, -1, 250, 251, -(2**63), 2**63 - 1, 0.1, -0.0, 19.99, 1e300, 1e-9, "", "h\u00e9\0llo", "x" * 300, b"", b"\0\xff"]
    marks = ", ".join("?" * len(given))
    columns, rows, end = await s.query(f"SELECT {marks}", given)
    assert len(columns) == len(given) and rows == [given], rows
    assert str(rows[0][8]) == "-0.0", rows[0][8]
    types = ", ".join(f"typeof(?{i + 1})" for i in range(len(given)))
    _, rows, _ = await s.query(f"SELECT {types}", given)
    names = {type(None): "null", int: "integer", float: "real", str: "text", bytes: "blob"}
    assert rows[0] == [names[type(v)] for v in given], rows
    _, rows, _ = await s.query("SELECT :a || :b AS x", {"a": "one", "b": "two"})
    assert rows == [["onetwo"]]
    # a Decimal is a real
    given = {"Positional": [{"Decimal": [1999, 2]}, {"Real": float("nan")}]}
    _, got = await s.ask("Query", {**statement("SELECT ?1, typeof(?1), ?2"), "params": given})
    assert "Columns" in got, got
    rows = (await s._next())["payload"]["Rows"]["values"]
    assert [value(v) for v in rows] == [19.99, "real", None], rows


async def statements():
    s = await connect()
    columns, rows, end = await s.query("SELECT 1 AS a, 'x' AS b WHERE 0")
    assert columns == ["a", "b"] and rows == [] and end["changes"] == 0, end
    await s.query("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)")
    end = await s.execute("INSERT INTO t (x) VALUES (?), (?)", ["a", "b"])
    assert end["changes"] == 2 and end["last_insert_rowid"] == 2 and end["lsn"] == rdb.head(), end
    assert end["rows"] == 0 and end["truncated"] is False, end
    end = await s.execute("INSERT INTO t (x) VALUES ('c') RETURNING id, x")
    assert end["rows"] == 1 and end["changes"] == 1, end
    _, rows, end = await s.query("INSERT INTO t (x) VALUES ('d') RETURNING id, x")
    assert rows == [[4, "d"]] and end["changes"] == 1, (rows, end)
    _, rows, end = await s.query("SELECT id FROM t ORDER BY id", max_rows=2)
    assert rows == [[1], [2]] and end["truncated"] is True, end
    m = await s.ask("Query", statement("SELECT id, x, id + 1 FROM t"))
    assert m[1]["Columns"]["columns"] == [
        {"name": "id", "decl_type": "INTEGER"},
        {"name": "x", "decl_type": "TEXT"},
        {"name": "id + 1", "decl_type": None},
    ], m


async def errors():
    s = await connect()
    p = await _refuses(s.query("SELECT * FROM nowhere"), "TABLE_NOT_FOUND")
    assert p["subscription_id"] is None and p["oldest"] is None, p
    p = await _refuses(s.query("SELECT 1 FORM t"), "QUERY_ERROR")
    assert p["position"] is not None, p
    await _refuses(s.query("SELECT ?", [1, 2]), "QUERY_ERROR")
    await _refuses(s.execute("BEGIN"), "PERMISSION_DENIED")
    p = await _refuses(s.query("SELECT 1", timeout_ms=0), "INVALID_MESSAGE")
    assert "timeout_ms" in p["message"], p
    p = await _refuses(s.query("SELECT '\0'"), "INVALID_MESSAGE")
    assert p["message"] == "sql has a NUL byte in it", p
    await s.refused("Query", statement("SELECT ?", list(range(32767))), "INVALID_MESSAGE")
    forever = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"
    await _refuses(s.query(forever, timeout_ms=50), "TIMEOUT")
    await s.quiet()


async def malformed():
    """Each malformed message gets an Error that says what is wrong, and the session stays."""
    s = await connect()
    for v in [v for name in ("bad", "refused") for v in binmsg.vectors(VECTORS / f"{name}.txt")]:
        await s.ws.send(bytes.fromhex(v.get("hex", "")))
        m = await s.recv()
        assert m["msg_type"] == "Error", (v, m)
        assert m["payload"]["code"] == "INVALID_MESSAGE", (v, m)
        assert m["payload"]["message"] == v["fault"], (v, m)
        _, rows, _ = await s.query("SELECT 7")
        assert rows == [[7]]
    # the id is named where it was understood
    await s.ws.send(bytes([1, 0, 2]) + b"q7" + bytes([1, 255]))
    assert (await s.recv())["id"] == "q7"
    for type_, payload in (
        ("QueryResult", {"Columns": {"columns": []}}),
        ("ExecuteResult", {"Published": {"delivered": 0}}),
        ("Event", {"Closing": {"code": 1000, "reason": ""}}),
    ):
        await s.refused(type_, payload, "INVALID_MESSAGE")
    await s.send("Query", statement("SELECT 1"), "i" * 257)
    m = await s.recv()
    assert m["id"] == "" and "256 bytes" in m["payload"]["message"], m


async def abuse(limit):
    s = await connect()
    for _ in range(int(limit)):
        await s.ws.send(b"\x02")
    codes = []
    try:
        while True:
            m = await s.recv()
            codes.append(m["msg_type"])
    except Closed as e:
        assert e.code == 1008, e
    assert codes == ["Error"] * int(limit) + ["Event"], codes


async def many():
    """A result larger than one message comes in several, whole rows in each."""
    s = await connect()
    numbers = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 200000) "
    before = s.messages_in
    _, rows, end = await s.query(numbers + "SELECT n, 'row ' || n FROM c")
    assert rows == [[n, f"row {n}"] for n in range(1, 200001)]
    assert s.messages_in - before > 20, s.messages_in
    # so does one that is held until its commit
    await s.execute("CREATE TABLE big (n INTEGER PRIMARY KEY, x TEXT)")
    before = s.messages_in
    _, rows, end = await s.query(
        "INSERT INTO big " + numbers.replace("200000", "20000") + "SELECT n, 'x' FROM c RETURNING n"
    )
    assert rows == [[n] for n in range(1, 20001)] and end["changes"] == 20000, end
    assert s.messages_in - before > 2, s.messages_in
    # and one row that is larger than a message usually is
    _, rows, _ = await s.query("SELECT 1, randomblob(1000000), 2")
    assert rows[0][0] == 1 and len(rows[0][1]) == 1000000 and rows[0][2] == 2


async def not_utf8():
    """Text that is none in the database is mended: a peer's String could not hold it."""
    s = await connect()
    _, rows, _ = await s.query("SELECT CAST(x'61ff62' AS TEXT), CAST(x'c328' AS TEXT)")
    assert rows == [["a\ufffdb", "\ufffd("]], rows


async def cancel():
    s = await connect()
    forever = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"
    await s.send("Query", statement(forever), "long")
    end = time.monotonic() + LIMIT
    while True:
        kind, got = await s.ask("Execute", {"Cancel": {"id": "long"}})
        if kind == "ExecuteResult":
            break
        assert got["code"] == "NOT_FOUND" and time.monotonic() < end, got
    assert got == {"Cancelled": {"id": "long"}}, got
    async for m in s.answers("long"):
        if m["msg_type"] == "Error":
            assert m["payload"]["code"] == "CANCELLED", m
            break
        assert m["msg_type"] == "QueryResult", m
    await s.refused("Execute", {"Cancel": {"id": "nothing"}}, "NOT_FOUND")


async def transactions():
    s = await connect()
    await s.execute("CREATE TABLE t (x)")
    tx = (await s.done("BeginTxn", {}, "Begun"))["transaction"]
    await s.execute("INSERT INTO t VALUES (1)", transaction=tx)
    _, rows, _ = await s.query("SELECT x FROM t", transaction=tx)
    assert rows == [[1]] and sql("SELECT x FROM t") == []
    ended = await s.done("Commit", {"transaction": tx}, "Committed")
    assert ended == {"transaction": tx, "lsn": rdb.head()}, ended
    assert sql("SELECT x FROM t") == [[1]]
    tx = (await s.done("BeginTxn", {}, "Begun"))["transaction"]
    await s.execute("DELETE FROM t", transaction=tx)
    ended = await s.done("Rollback", {"transaction": tx}, "RolledBack")
    assert ended["transaction"] == tx and sql("SELECT x FROM t") == [[1]], ended
    await s.refused("Commit", {"transaction": tx}, "NOT_FOUND")
    await s.refused("Rollback", {"transaction": ""}, "INVALID_MESSAGE")
    await _refuses(s.query("SELECT 1", transaction="nonsense"), "NOT_FOUND")


# ---- size -------------------------------------------------------------------------------------------


async def sizes():
    """The same rows take less room than as JSON arrays."""
    sql(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, quantity INT, price REAL, "
        "paid INT, note TEXT, at TEXT)",
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 20000) "
        "INSERT INTO orders SELECT n, 'customer ' || n % 977, n % 13, (n * 37 % 100000) / 100.0, "
        "n % 2, CASE WHEN n % 5 THEN NULL ELSE 'said \"' || n || '\"' END, "
        "datetime(1700000000 + n * 60, 'unixepoch') FROM c",
    )
    numbers = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 20000) SELECT "
    tables = {
        "orders": "SELECT * FROM orders",
        "one digit": numbers + "n % 10 FROM c",
        "one bit, three times": numbers + "n % 2, n % 3 = 0, n % 5 = 0 FROM c",
        "small integers": numbers + "n, n * 3 FROM c",
        "large integers": numbers + "n * 1000003, n * n * n FROM c",
        "prices": numbers + "n / 100.0, n / 4.0 FROM c",
        "measures": numbers + "n / 7.0, sqrt(n) FROM c",
        "whole reals": numbers + "n * 1.0 FROM c",
        "one letter": numbers + "char(97 + n % 26) FROM c",
        "sentences": numbers + "'row number ' || n || ' of many' FROM c",
        "long texts": numbers + "n, replace(hex(zeroblob(200)), '00', 'ab') FROM c",
        "blobs": numbers + "randomblob(20) FROM c",
        "nulls": numbers + "NULL, n % 2 FROM c",
    }
    b, j = await connect(), await rdb.connect()
    for name, text in tables.items():
        if name == "measures" and not await _has(b, "sqrt(1)"):
            text = numbers + "n / 7.0, n / 13.0 FROM c"
        before = b.bytes_in
        _, rows, _ = await b.query(text)
        binary = b.bytes_in - before
        _, expected, _ = await j.query(text)
        arrays = len(json.dumps(expected, separators=(",", ":"), ensure_ascii=False).encode())
        assert len(rows) == len(expected)
        print(f"# {name}: {binary} bytes, as JSON arrays {arrays} ({100 * binary // arrays} %)")
        assert binary < arrays, (name, binary, arrays)


async def _has(s, expression):
    try:
        await s.query("SELECT " + expression)
        return True
    except Refused:
        return False


# ---- subscriptions ----------------------------------------------------------------------------------


async def changes():
    s = await connect()
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, x REAL)")
    sub = await s.subscribe("table:t")
    assert sub["topic"] == "table:t" and sub["filter"] is None and sub["log_id"] == s.welcome["log_id"], sub
    assert sub["lsn"] == rdb.head(), sub
    before = time.time()
    sql("INSERT INTO t VALUES (1, 'ada', 19.99)")
    e = await s.event("Change")
    assert e["topic"] == "table:t" and e["op"] == "Insert" and e["filter"] is None, e
    assert e["columns"] == ["id", "name", "x"] and e["old_row"] is None and e["changed"] == [], e
    assert row(e) == {"id": 1, "name": "ada", "x": 19.99}, e
    assert e["lsn"] == sub["lsn"] + 1 and e["tx"] > 0, e
    assert before - 5 < e["committed_at"] / 1e6 < time.time() + 5, e
    sql("UPDATE t SET name = 'eda', x = NULL")
    e = await s.event("Change")
    assert e["op"] == "Update" and [e["columns"][i] for i in e["changed"]] == ["name", "x"], e
    assert row(e) == {"id": 1, "name": "eda", "x": None}, e
    assert row(e, "old_row") == {"id": 1, "name": "ada", "x": 19.99}, e
    sql("DELETE FROM t")
    e = await s.event("Change")
    assert e["op"] == "Delete" and e["row"] is None and e["changed"] == [], e
    assert row(e, "old_row") == {"id": 1, "name": "eda", "x": None}, e
    await s.done("Unsubscribe", {"subscription_id": sub["subscription_id"]}, "Unsubscribed")
    sql("INSERT INTO t VALUES (2, 'b', 1)")
    await s.quiet()
    await s.refused("Unsubscribe", {"subscription_id": sub["subscription_id"]}, "NOT_FOUND")


async def same_as_json():
    """Both protocols tell the same of the same change, live and replayed."""
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)")
    start = rdb.head()
    b, j = await connect(), await rdb.connect()
    await b.subscribe("table:t", where="id > 0")
    await j.subscribe("table:t", where="id > 0")
    sql(
        "INSERT INTO t VALUES (1, 'x', NULL), (2, 2.5, x'00ff'), (-3, 0, 0)",
        "UPDATE t SET a = id, b = b",
        "DELETE FROM t WHERE id = 2",
        "INSERT INTO t VALUES (4, CAST(x'ff' AS TEXT), 9223372036854775807)",
    )
    live = [(await b.event("Change"), await j.event()) for _ in range(6)]
    late_b, late_j = await connect(), await rdb.connect()
    await late_b.subscribe("table:t", where="id > 0", since=start)
    await late_j.subscribe("table:t", where="id > 0", since=start)
    replayed = [(await late_b.event("Change"), await late_j.event()) for _ in range(6)]
    assert [x for x, _ in live] == [x for x, _ in replayed]
    for x, y in live:
        assert x["lsn"] == y["lsn"] and x["tx"] == y["tx"] and x["filter"] == y["filter"], (x, y)
        assert x["op"].lower() == y["op"] and x["topic"] == y["topic"], (x, y)
        assert [x["columns"][i] for i in x["changed"]] == (y["changed_columns"] or []), (x, y)
        assert _microseconds(y["committed_at"]) == x["committed_at"], (x, y)
        for which in ("row", "old_row"):
            mine = row(x, which)
            theirs = y[which] and {k: _blob(v) for k, v in y[which].items()}
            assert mine == theirs, (x, y)


def _blob(v):
    return base64.b64decode(v["$base64"]) if isinstance(v, dict) else v


async def filters():
    s = await connect()
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY, x)")
    sub = await s.subscribe("table:t", ops=["Insert", "Delete"], where="x > 10")
    assert sub["filter"], sub
    sql("INSERT INTO t VALUES (1, 5), (2, 50)", "UPDATE t SET x = x + 1", "DELETE FROM t")
    a, b = await s.event("Change"), await s.event("Change")
    assert a["filter"] == sub["filter"] and row(a) == {"id": 2, "x": 50}, a
    assert b["op"] == "Delete" and row(b, "old_row") == {"id": 2, "x": 51}, b
    p = await s.refused("Subscribe", topic("table:t", where="x >"), "INVALID_MESSAGE")
    assert p["position"] is not None, p
    await s.refused("Subscribe", topic("table:none"), "TABLE_NOT_FOUND")
    await s.refused("Subscribe", topic("nonsense"), "INVALID_MESSAGE")
    await s.refused("Subscribe", topic("table:t", since=2**62), "INVALID_MESSAGE")
    await s.refused("Subscribe", topic("table:t", since=2**64 - 1), "INVALID_MESSAGE")
    await s.refused("Subscribe", topic("table:t", since=0, log_id="another"), "GAP")
    await s.refused("Subscribe", topic("table:t", ops=["Insert", "Delete"], where="x > 10"), "CONFLICT")
    await s.quiet()


async def initial():
    """The rows that are there, the end of them, and then every change from just there on."""
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY, x)", "INSERT INTO t VALUES (1, 2.5), (2, NULL), (3, x'ff')")
    s = await connect()
    sub = await s.subscribe("table:t", where="id < 3", initial=True)
    for expected in ({"id": 1, "x": 2.5}, {"id": 2, "x": None}):
        e = await s.event("Initial")
        assert e["topic"] == "table:t" and e["filter"] == sub["filter"], e
        assert row(e) == expected, e
    end = await s.event("InitialEnd")
    assert end["rows"] == 2 and end["subscription_id"] == sub["subscription_id"], end
    assert end["topic"] == "table:t" and end["lsn"] == rdb.head(), end
    sql("UPDATE t SET x = 7 WHERE id = 1")
    e = await s.event("Change")
    assert e["lsn"] == end["lsn"] + 1 and row(e) == {"id": 1, "x": 7}, e
    await s.refused("Subscribe", topic("table:t", initial=True, since=0), "INVALID_MESSAGE")


async def live():
    """A live query: its result and the differences, as JSON has them."""
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY, x)", "INSERT INTO t VALUES (1, 10)")
    s = await connect()
    query = {"sql": "SELECT id, x FROM t WHERE x > :least", "params": params({"least": 5})}
    query.update(min_interval_ms=1, policy=None)
    sub = await s.done("Subscribe", {"Query": query}, "Subscribed")
    assert sub["topic"].startswith("query:"), sub
    e = await s.event("Notice")
    assert e["kind"] == "event" and e["topic"] == sub["topic"], e
    result = json.loads(e["payload"])
    assert result["kind"] == "result" and result["rows"] == [[1, 10]], result
    sql("INSERT INTO t VALUES (2, 20)")
    diff = json.loads((await s.event("Notice"))["payload"])
    assert diff["kind"] == "diff" and diff["added"] == [{"at": 1, "row": [2, 20]}], diff
    await s.refused("Subscribe", {"Query": {**query, "min_interval_ms": 0}}, "INVALID_MESSAGE")
    await s.refused("Subscribe", {"Query": {**query, "sql": "DELETE FROM t"}}, "READ_ONLY")
    await s.done("Unsubscribe", {"subscription_id": sub["subscription_id"]}, "Unsubscribed")


async def metrics():
    """Samples, all of them once a second, or chosen ones more often."""
    s, t = await connect(), await connect()
    await s.subscribe("metrics")
    sample = json.loads((await s.event("Notice"))["payload"])
    assert sample["topic"] == "metrics" and len(json.dumps(sample)) > 500, sample
    chosen = {"interval_ms": 100, "metrics": ["memory.*"], "policy": None}
    await t.done("Subscribe", {"Metrics": chosen}, "Subscribed")
    for _ in range(3):
        sample = json.loads((await t.event("Notice"))["payload"])
        assert "memory" in json.dumps(sample) and "cpu" not in json.dumps(sample), sample
    for wrong in ({"interval_ms": 99}, {"interval_ms": 2**40}, {"metrics": ["nonsense"]}):
        await t.refused("Subscribe", {"Metrics": {**chosen, **wrong}}, "INVALID_MESSAGE")


async def managed():
    """What REST does to connections and subscriptions reaches a binary connection, too."""
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    s = await connect()
    rest = rdb.Rest()
    shown = rest.call("GET", "/ws/connections/" + s.welcome["connection_id"])
    assert shown["subprotocol"] == "rustydb.bin.v1", shown
    want = {"connection_id": s.welcome["connection_id"], "topic": "table:t"}
    try:
        await rdb.in_thread(rest.call, "POST", "/ws/subscriptions", {**want, "ops": []})
    except Refused as e:
        assert e.code == "INVALID_MESSAGE" and "payload.ops" in e.problem["detail"], e
    else:
        raise AssertionError("an empty list of operations was taken")
    made = await rdb.in_thread(rest.call, "POST", "/ws/subscriptions", want)
    m = await s.recv()
    assert m["msg_type"] == "ExecuteResult" and m["id"] == "", m
    assert m["payload"]["Subscribed"]["subscription_id"] == made["subscription_id"], m
    sql("INSERT INTO t VALUES (1)")
    assert row(await s.event("Change")) == {"id": 1}
    await rdb.in_thread(rest.call, "DELETE", "/ws/subscriptions/" + made["subscription_id"])
    m = await s.recv()
    assert m["msg_type"] == "Error" and m["payload"]["code"] == "CANCELLED", m
    await rdb.in_thread(rest.call, "DELETE", "/ws/connections/" + s.welcome["connection_id"])
    assert (await s.event("Closing"))["code"] == 1008


async def own_topics():
    """What is a JSON object in every protocol comes as a Notice."""
    s = await connect()
    await s.subscribe("queries")
    await s.query("SELECT 4711")
    while True:
        e = s.kept.pop(0) if s.kept else await s.recv()
        notice = e["payload"]["Notice"]
        assert notice["kind"] == "event" and notice["topic"] == "queries", notice
        if "4711" in notice["payload"]:
            break
    assert isinstance(json.loads(notice["payload"]), dict)


async def several():
    """Tables in one stream, all tables, and updates by their columns."""
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)", "CREATE TABLE u (id INTEGER PRIMARY KEY)")
    s, every = await connect(), await connect()
    both = topic("", ops=["Insert", "Update"], columns=["b"])["Topic"]
    del both["topic"]
    only_t = {**both, "tables": ["t"]}
    await s.done("Subscribe", {"Tables": only_t}, "Subscribed")
    await s.refused("Subscribe", {"Tables": {**both, "tables": []}}, "INVALID_MESSAGE")
    await s.refused("Subscribe", {"Tables": {**both, "tables": ["t"] * 65}}, "INVALID_MESSAGE")
    await s.refused("Subscribe", topic("table:t", columns=["none"]), "INVALID_MESSAGE")
    await every.done("Subscribe", {"Tables": {**both, "columns": [], "tables": ["t", "u"]}}, "Subscribed")
    sql(
        "INSERT INTO t VALUES (1, 1, 1)",
        "UPDATE t SET a = 2",
        "INSERT INTO u VALUES (7)",
        "UPDATE t SET b = 2",
        "DELETE FROM t",
    )
    got = [await s.event("Change") for _ in range(2)]
    assert [e["op"] for e in got] == ["Insert", "Update"] and got[1]["changed"] == [2], got
    got = [await every.event("Change") for _ in range(4)]
    assert [e["topic"] for e in got] == ["table:t", "table:t", "table:u", "table:t"], got
    await s.quiet()
    await every.quiet()


async def positions():
    """since gives everything behind it, in order, then what comes live."""
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    start = rdb.head()
    sql(*(f"INSERT INTO t VALUES ({i})" for i in range(1, 51)))
    s = await connect()
    await s.subscribe("table:t", since=start, log_id=s.welcome["log_id"], policy="Replay")
    sql("INSERT INTO t VALUES (51)")
    got = [await s.event("Change") for _ in range(51)]
    assert [row(e)["id"] for e in got] == list(range(1, 52))
    assert [e["lsn"] for e in got] == list(range(start + 1, start + 52))


async def tables():
    s = await connect()
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY)", "CREATE TABLE u (id INTEGER PRIMARY KEY)")
    t = await s.subscribe("table:t")
    u = await s.subscribe("table:u")
    sql("ALTER TABLE t ADD COLUMN x")
    e = await s.event("Table")
    assert e["change"] == "Altered" and e["topic"] == "table:t" and "ADD COLUMN" in e["sql"], e
    assert e["lsn"] == rdb.head() and e["renamed_to"] is None, e
    sql("ALTER TABLE t RENAME TO v")
    e = await s.event("Table")
    assert e["change"] == "Renamed" and e["topic"] == "table:t" and e["renamed_to"] == "v", e
    m = await s.recv()
    assert m["msg_type"] == "Error" and m["id"] == "", m
    assert m["payload"]["subscription_id"] == t["subscription_id"], m
    assert m["payload"]["code"] == "TABLE_NOT_FOUND" and m["payload"]["continues"] is False, m
    sql("DROP TABLE u")
    e = await s.event("Table")
    assert e["change"] == "Dropped" and e["topic"] == "table:u", e
    m = await s.recv()
    assert m["payload"]["subscription_id"] == u["subscription_id"], m
    await s.quiet()


def _publish(channel, body, event=None, metadata=None):
    return {"Publish": {"channel": channel, "event": event, "message": body, "metadata": metadata}}


async def channels():
    s, other, j = await connect(), await connect(), await rdb.connect()
    sub = await s.subscribe("channel:news")
    assert sub["log_id"] is None and sub["lsn"] is None and sub["filter"] is None, sub
    await j.subscribe("channel:news")
    bodies = [{"Text": "hello"}, {"Binary": "00ff10"}, {"Json": '{"a":[1,2.5,null]}'}, {"Json": "null"}]
    as_json = ["hello", {"$base64": "AP8Q"}, {"a": [1, 2.5, None]}, None]
    for body, same in zip(bodies, as_json):
        p = await other.done("Execute", _publish("news", body, "greeting", '{"k":1}'), "Published")
        assert p == {"delivered": 2}, p
        e, y = await s.event("Message"), await j.event()
        assert e["topic"] == "channel:news" and e["event"] == "greeting", e
        assert e["message"] == body and json.loads(e["metadata"]) == {"k": 1}, e
        assert y["message"] == same and y["metadata"] == {"k": 1}, y
        assert _microseconds(y["sent_at"]) == e["sent_at"], (e, y)
    await j.ok("publish", {"channel": "news", "message": "from JSON"}, "query_result")
    e = await s.event("Message")
    assert e["message"] == {"Text": "from JSON"} and e["event"] is None and e["metadata"] is None, e
    rdb.Rest().call("POST", "/ws/broadcast", {"message": {"to": "all"}})
    e = await s.event("Message")
    assert e["topic"] == "broadcast" and json.loads(e["message"]["Json"]) == {"to": "all"}, e
    e = await other.event("Message")
    assert e["topic"] == "broadcast", e
    await other.refused("Execute", _publish("", {"Text": "x"}), "INVALID_MESSAGE")
    await other.refused("Execute", _publish("a", {"Json": "{"}), "INVALID_MESSAGE")
    await other.refused("Execute", _publish("a", {"Text": "x"}, None, "[1]"), "INVALID_MESSAGE")
    await other.refused("Subscribe", topic("channel:a", where="x"), "INVALID_MESSAGE")
    await s.quiet()


async def lost():
    """drop_oldest: the Error names what was left out, and the subscription goes on."""
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY, x)")
    s = await connect(max_queue=1)
    sub = await s.subscribe("table:t", policy="DropOldest")
    start = sub["lsn"]
    s.ws.transport.pause_reading()
    rows = 6000
    for at in range(0, rows, 100):
        await rdb.in_thread(
            sql,
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 100) "
            f"INSERT INTO t SELECT {at} + n, zeroblob(3000) FROM c",
        )
    s.ws.transport.resume_reading()
    at, lost_some = start, 0
    while at < start + rows:
        m = await s.recv()
        if m["msg_type"] == "Error":
            p = m["payload"]
            assert p["code"] == "GAP" and p["continues"] is True, p
            assert p["subscription_id"] == sub["subscription_id"], p
            assert p["lost_from"] == at + 1 and p["lost_to"] >= p["lost_from"], (at, p)
            lost_some += p["lost_to"] - p["lost_from"] + 1
            at = p["lost_to"]
        else:
            assert m["payload"]["Change"]["lsn"] == at + 1, (at, m)
            at += 1
    assert lost_some > 0, "nothing was lost: the test has not tested anything"
    await asyncio.wait_for(s.quiet(), LIMIT)


async def deflate():
    s = await connect(compression="deflate")
    await s.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)")
    await s.subscribe("table:t")
    _, rows, _ = await s.query("SELECT 'a longer text that is always the same' FROM (VALUES (1), (2), (3))")
    assert len(rows) == 3
    text = "again and again " * 500
    await s.execute("INSERT INTO t VALUES (1, ?)", [text])
    e = await s.event("Change")
    assert row(e)["x"] == text
    _, rows, _ = await s.query("SELECT x FROM t")
    assert rows == [[text]]


main(globals())
