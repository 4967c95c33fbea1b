"""Statements, batches, transactions, tables, imports, health, metrics, documents."""

import threading
import time


def run(c):
    c.sql("CREATE TABLE core_notes(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)")
    statements(c)
    transactions(c)
    cancel(c)
    tables(c)
    the_rest(c)
    documents(c)


def statements(c):
    insert = "INSERT INTO core_notes(text) VALUES(?) RETURNING *"
    got = c.call("runQuery", 200, body={"sql": insert, "params": ["one"], "id": "c-1",
                                        "timeout_ms": 5000, "max_rows": 10})
    assert got["rows"] == [[1, "one"]], got
    c.call("runQuery", 200, body={"sql": "SELECT 9.0e999, x'00ff', NULL, 1.5"})
    c.call("runQuery", 200, body={"sql": "SELECT value FROM json_each('[1,2,3]')", "max_rows": 2},
           headers={"Accept": "application/x-ndjson"})
    c.call("runQuery", 409, body={"sql": insert, "params": ["one"]})
    c.call("runQuery", 400, body={"sql": "SELEC"})
    c.call("runQuery", 404, body={"sql": "SELECT * FROM core_nothing"})
    c.call("runBatch", 404, body={"atomic": True, "statements": [
        {"sql": "SELECT * FROM core_nothing"}]})
    c.call("runQuery", 413, body={"sql": "SELECT '" + "x" * 100000 + "'"})
    c.call("runBatch", 200, body={"statements": [{"sql": "SELECT 1"}, {"sql": "SELEC"}]})
    c.call("runBatch", 409, body={"atomic": True, "id": "c-2", "timeout_ms": 5000, "statements": [
        {"sql": insert, "params": ["two"]}, {"sql": insert, "params": ["one"]}]})
    c.call("callRpc", 200, body={"jsonrpc": "2.0", "id": 1, "method": "ping"})
    c.call("callRpc", 200, body=[{"jsonrpc": "2.0", "id": "a", "method": "none"}])
    c.call("callRpc", 204, body={"jsonrpc": "2.0", "method": "ping"})


def transactions(c):
    for end in ("rollbackTransaction", "commitTransaction"):
        tx = {"id": c.call("beginTransaction", 201)["transaction_id"]}
        assert c.headers["Location"] == f"/api/v1/transactions/{tx['id']}", c.headers["Location"]
        insert = {"sql": "INSERT INTO core_notes(text) VALUES(?)", "params": [end]}
        c.call("queryInTransaction", 200, path=tx, body=insert)
        c.call("queryInTransaction", 409, path=tx, body=insert)
        c.call(end, 200, path=tx)
        c.call(end, 404, path=tx)
        c.call("queryInTransaction", 404, path=tx, body=insert)
    c.sql("CREATE TABLE core_child(id INTEGER PRIMARY KEY, note INTEGER"
          " REFERENCES core_notes(id) DEFERRABLE INITIALLY DEFERRED)")
    tx = {"id": c.call("beginTransaction", 201)["transaction_id"]}
    c.call("queryInTransaction", 200, path=tx, body={"sql": "INSERT INTO core_child VALUES(1, 999)"})
    c.call("commitTransaction", 409, path=tx)
    c.call("rollbackTransaction", 200, path=tx)


def cancel(c):
    """A statement that would run for hours, in a thread of its own."""
    endless = ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
               " SELECT count(*) FROM n")
    other = type(c)(c.port, c.token)
    thread = threading.Thread(target=other.call, args=("runQuery", 499),
                              kwargs={"body": {"sql": endless, "id": "endless"}})
    thread.start()
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            c.call("cancelQuery", 200, path={"id": "endless"})
            break
        except Exception:  # it has not begun
            c.seen.get("cancelQuery", set()).discard("404")
            time.sleep(0.02)
    thread.join(30)
    assert not thread.is_alive()
    assert "499" in other.seen["runQuery"]
    c.seen["runQuery"].add("499")
    c.call("cancelQuery", 404, path={"id": "endless"})


def tables(c):
    c.sql("CREATE INDEX core_by_text ON core_notes(text, id DESC) WHERE id > 1")
    c.sql("CREATE VIEW core_view AS SELECT * FROM core_notes")
    c.sql("CREATE VIEW core_broken AS SELECT * FROM core_nothing")
    c.sql("CREATE TRIGGER core_trigger AFTER INSERT ON core_child BEGIN SELECT 1; END")
    c.call("listTables", 200, query={"offset": 0, "limit": 1000})
    for name in ("core_notes", "core_child", "core_view", "core_broken"):
        c.call("getTable", 200, path={"name": name})
    c.call("getTable", 404, path={"name": "core_nothing"})
    c.call("importTable", 200, path={"table": "core_imported"}, query={"create": True},
           raw=b"id,a\n7,x\n", content_type="text/csv")
    c.call("importTable", 200, path={"table": "core_imported"}, body=[{"id": 8, "a": "y"}])
    c.call("importTable", 409, path={"table": "core_notes"}, raw=b'{"id":1,"text":"one"}\n',
           content_type="application/x-ndjson")
    c.call("importTable", 404, path={"table": "core_nothing"}, body=[{"a": 1}])
    c.call("importTable", 413, path={"table": "core_imported"}, raw=b" " * 100000,
           content_type="text/csv")


def the_rest(c):
    for name in ("getLiveness", "getReadiness", "getStartup", "getServerInfo"):
        c.call(name, 200)
    c.call("getMetrics", 200, query={"metrics": "cpu.*,queries.reads"})
    c.call("getMetrics", 200, query={"format": "prometheus"})
    c.call("getMetrics", 400, query={"metrics": "no.such"})
    c.call("getMetricsCatalog", 200)


def documents(c):
    for name in ("getOpenapiJson", "getOpenapiYaml", "getAsyncapiYaml"):
        c.call(name, 200)
        c.call(name, 304, headers={"If-None-Match": c.headers["ETag"]})
