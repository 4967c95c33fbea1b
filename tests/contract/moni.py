"""What goes on and what it costs: active queries, sessions, the pool."""

import json
import threading
import time
import urllib.request

ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"


def start_query(c, name):
    """Runs a statement without end on a connection of its own."""
    def run():
        request = urllib.request.Request(
            f"http://127.0.0.1:{c.port}/api/v1/query",
            json.dumps({"sql": ENDLESS, "id": name}).encode(),
            {"Authorization": f"Bearer {c.token}", "Content-Type": "application/json"})
        try:
            urllib.request.urlopen(request, timeout=60).read()
        except urllib.error.HTTPError as e:
            e.read()

    thread = threading.Thread(target=run)
    thread.start()
    end = time.monotonic() + 30
    while not any(q["id"] == name and q["state"] == "running"
                  for q in c.call("listActiveQueries", 200)["queries"]):
        assert time.monotonic() < end, "the query did not start"
        time.sleep(0.02)
    return thread


def active_queries(c):
    thread = start_query(c, "moni-query")
    c.call("listActiveQueries", 200, query={"state": "running", "user": "root", "min_ms": 0,
                                            "offset": 0, "limit": 10})
    c.call("listActiveQueries", 400, query={"state": "asleep"})
    one = c.call("getActiveQuery", 200, path={"id": "moni-query"})
    assert one["rows"] == 0, one
    c.call("listSessions", 200, query={"kind": "http"})
    c.call("listPoolReaders", 200, query={"limit": 5})
    c.call("cancelActiveQuery", 200, path={"id": "moni-query"})
    thread.join()
    c.call("getActiveQuery", 404, path={"id": "moni-query"})
    c.call("getActiveQuery", 400, path={"id": "moni-query"}, query={"verbose": 1})
    c.call("cancelActiveQuery", 404, path={"id": "moni-query"})
    c.call("cancelActiveQuery", 400, path={"id": "moni-query"}, query={"reason": "none"})


def sessions(c):
    c.call("listSessions", 200)
    c.call("listSessions", 200, query={"kind": "websocket", "offset": 1})
    c.call("listSessions", 400, query={"kind": "pigeon"})


def pool(c):
    c.call("getPool", 200)
    c.call("getPoolWriter", 200)
    c.call("getPoolStatements", 200)
    c.call("forgetPoolStatements", 200)
    assert c.call("resizePool", 200, body={"readers": 3})["readers"]["wanted_threads"] == 3
    c.call("resizePool", 200, body={"readers": 2, "max_read_connections": 32})
    c.call("resizePool", 400, body={})
    assert c.call("drainPool", 200)["state"] in ("draining", "drained")
    assert c.call("resumePool", 200)["state"] == "open"


def storage(c):
    c.sql("CREATE TABLE moni_t (id INTEGER PRIMARY KEY, x UNIQUE)")
    c.sql("INSERT INTO moni_t (x) VALUES (1), (2)")
    c.call("getStorage", 200)
    c.call("getStorage", 400, query={"verbose": 1})
    sizes = c.call("listTableSizes", 200, query={"internal": True, "timeout_ms": 60000})
    assert [t["rows"] for t in sizes["tables"] if t["name"] == "moni_t"] == [2], sizes
    c.call("listTableSizes", 200, query={"offset": 1, "limit": 1})
    c.call("listTableSizes", 400, query={"internal": "perhaps"})


def statements(c):
    c.sql("SELECT 1 AS moni")
    for sort in ("total", "mean", "calls", "p99"):
        found = c.call("listStatements", 200, query={"sort": sort, "limit": 1000})
        assert any(s["sql"] == "select ? as moni" for s in found["statements"]), found
    c.call("listStatements", 400, query={"sort": "beauty"})
    c.call("resetStatements", 200)
    c.call("resetStatements", 400, query={"all": 1})
    c.call("listSlowQueries", 200, query={"offset": 0, "limit": 5})
    c.call("listSlowQueries", 400, query={"limit": 0})
    c.call("clearSlowQueries", 200)
    c.call("clearSlowQueries", 400, query={"all": 1})


def nodes(c):
    node = c.call("getCluster", 200)["node_id"]
    c.call("getCluster", 400, query={"verbose": 1})
    c.call("listClusterNodes", 200, query={"offset": 0, "limit": 10})
    c.call("listClusterNodes", 400, query={"offset": -1})
    c.call("getClusterNode", 200, path={"id": node})
    c.call("getClusterNode", 400, path={"id": node}, query={"verbose": 1})
    c.call("getClusterNode", 404, path={"id": "moni-none"})
    c.call("getBuild", 200)
    c.call("getBuild", 400, query={"verbose": 1})


def health(c):
    c.call("getFullHealth", 200)
    c.call("getFullHealth", 400, query={"verbose": 1})


def run(c):
    active_queries(c)
    sessions(c)
    pool(c)
    storage(c)
    statements(c)
    nodes(c)
    health(c)
