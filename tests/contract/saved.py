"""Stored queries: from being stored to being deleted."""


def run(c):
    c.sql("CREATE TABLE saved_items (id INTEGER PRIMARY KEY, name TEXT)")
    sums = {
        "name": "saved-sum",
        "sql": "SELECT :a + :b AS sum",
        "description": "A sum.",
        "parameters": [{"name": "a", "type": "number"}, {"name": "b", "type": "number", "default": 1}],
    }
    put = {
        "name": "saved-put",
        "sql": "INSERT INTO saved_items VALUES (:id, :name)",
        "parameters": [{"name": "id", "type": "integer"}, {"name": "name", "type": "string", "required": False}],
    }
    made = c.call("createStoredQuery", 201, body=sums)
    assert made["version"] == 1 and made["readonly"], made
    assert c.headers["Location"] == "/api/v1/queries/saved-sum", c.headers
    tag = c.headers["ETag"]
    c.call("createStoredQuery", 201, body=put)
    c.call("createStoredQuery", 409, body=sums)
    c.call("createStoredQuery", 400, body={**sums, "name": "saved-more", "sql": "SELECT :c"})
    c.call("createStoredQuery", 403, body={"name": "saved-more", "sql": "SELECT * FROM _rustydb_log"})
    c.call("createStoredQuery", 404, body={"name": "saved-more", "sql": "SELECT * FROM saved_nowhere"})

    listed = c.call("listStoredQueries", 200, query={"offset": 0, "limit": 10})
    assert {"saved-sum", "saved-put"} <= {q["name"] for q in listed["queries"]}, listed

    name, none = {"name": "saved-sum"}, {"name": "saved-none"}
    assert c.call("getStoredQueryResult", 200, path=name, query={"a": 2})["rows"] == [[3]]
    c.call("getStoredQueryResult", 200, path=name, query={"a": 2}, headers={"Accept": "application/x-ndjson"})
    c.call("getStoredQueryResult", 400, path=name, query={"a": "x"})
    c.call("getStoredQueryResult", 404, path=none)
    c.call("getStoredQueryResult", 405, path={"name": "saved-put"}, query={"id": 1})
    assert c.headers["Allow"] == "POST, DELETE, OPTIONS", c.headers

    assert c.call("callStoredQuery", 200, path=name, body={"params": {"a": 2, "b": 5}, "max_rows": 1})["rows"] == [[7]]
    c.call("callStoredQuery", 200, path={"name": "saved-put"}, body={"params": {"id": 1}})
    c.call("callStoredQuery", 400, path=name, body={"params": {"a": "2"}})
    c.call("callStoredQuery", 404, path=none, body={})
    c.call("callStoredQuery", 409, path={"name": "saved-put"}, body={"params": {"id": 1}})

    c.call("getStoredQuery", 200, path=name)
    c.call("getStoredQuery", 304, path=name, headers={"If-None-Match": tag})
    c.call("getStoredQuery", 404, path=none)

    new = {"sql": "SELECT :a + 1 AS sum", "parameters": sums["parameters"][:1], "version": 1}
    changed = c.call("replaceStoredQuery", 200, path=name, body=new, headers={"If-Match": tag})
    assert changed["version"] == 2, changed
    c.call("replaceStoredQuery", 400, path=name, body={"sql": "SELECT ?"})
    c.call("replaceStoredQuery", 404, path=none, body={"sql": "SELECT 1"})
    c.call("replaceStoredQuery", 409, path=name, body=new)
    c.call("replaceStoredQuery", 412, path=name, body={"sql": "SELECT 1"}, headers={"If-Match": tag})

    versions = c.call("listStoredQueryVersions", 200, path=name, query={"limit": 5})
    assert [v["version"] for v in versions["versions"]] == [2, 1], versions
    c.call("listStoredQueryVersions", 404, path=none)
    assert c.call("getStoredQueryVersion", 200, path={**name, "version": 1})["sql"] == sums["sql"]
    c.call("getStoredQueryVersion", 400, path={**name, "version": 0})
    c.call("getStoredQueryVersion", 404, path={**name, "version": 9})

    c.call("deleteStoredQuery", 412, path=name, headers={"If-Match": tag})
    c.call("deleteStoredQuery", 404, path=none)
    c.call("deleteStoredQuery", 409, path=name, query={"version": 1})
    c.call("createStoredQuery", 201, body={"name": "saved-gone", "sql": "SELECT 1"})
    c.call("deleteStoredQuery", 200, path={"name": "saved-gone"})
