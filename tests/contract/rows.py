"""The rows of tables."""

TABLE = {"name": "rows_parts"}
NONE = {"name": "rows_none"}
VIEW = {"name": "rows_view"}


def row(key, **table):
    return {**(table or TABLE), "key": key}


def lists(c):
    c.call("listRows", 200, path=TABLE)
    first = c.call(
        "listRows",
        200,
        path=TABLE,
        query={"limit": 1, "order": "price.desc", "select": "id,name", "price": "gte.0"},
        headers={"Prefer": "count=exact"},
    )
    assert first["total"] == 2 and first["rows"] == [{"id": 2, "name": "nut"}], first
    c.call(
        "listRows",
        200,
        path=TABLE,
        query={"limit": 1, "order": "price.desc", "cursor": first["next_cursor"]},
    )
    c.call("listRows", 400, path=TABLE, query={"colour": "eq.red"})
    c.call("listRows", 404, path=NONE)
    c.call("listRows", 413, path={"name": "rows_long"}, query={"limit": 1, "order": "name"})


def inserts(c):
    made = c.call("insertRows", 201, path=TABLE, body={"name": "washer", "price": 0.1})
    assert c.headers["Location"] == f"/api/v1/tables/rows_parts/rows/{made['id']}", c.headers
    c.call("insertRows", 204, path=TABLE, query={"resolution": "ignore"}, body={"name": "washer"})
    many = c.call(
        "insertRows",
        201,
        path=TABLE,
        query={"on_conflict": "name"},
        body={"rows": [{"name": "washer", "price": 0.2}, {"name": "pin", "tags": ["a", "b"]}]},
        headers={"Prefer": "return=representation"},
    )
    assert [r["tags"] for r in many["rows"]] == [None, '["a","b"]'], many
    assert "rows" not in c.call("insertRows", 201, path=TABLE, body=[{"name": "cog"}])
    c.call("insertRows", 400, path=TABLE, body={"colour": "red"})
    c.call("insertRows", 404, path=NONE, body={"name": "pin"})
    c.call("insertRows", 409, path=TABLE, body={"name": "pin"})


def one(c):
    c.call("getRow", 200, path=row(1))
    tag = c.headers["ETag"]
    c.call("getRow", 304, path=row(1), headers={"If-None-Match": tag})
    c.call("getRow", 404, path=row(99))
    c.call("getRow", 412, path=row(1), headers={"If-Match": '"other"'})
    c.call("getRow", 413, path=row(1, name="rows_long"))

    c.call("patchRow", 200, path=row(1), body={"price": 0.3}, headers={"If-Match": tag})
    c.call("patchRow", 412, path=row(1), body={"price": 0.4}, headers={"If-Match": tag})
    c.call("patchRow", 204, path=row(1), body={"price": 0.4}, headers={"Prefer": "return=minimal"})
    c.call("patchRow", 404, path=row(99), body={"price": 0.4})
    c.call("patchRow", 409, path=row(1), body={"name": "nut"})

    c.call("putRow", 200, path=row(1), body={"name": "bolt"})
    c.call("putRow", 201, path=row(50), body={"name": "fifty"})
    c.call("putRow", 204, path=row(50), body={"name": "50"}, headers={"Prefer": "return=minimal"})
    c.call("putRow", 404, path=row(1, **NONE), body={"name": "bolt"})
    c.call("putRow", 409, path=row(50), body={"name": "nut"})
    c.call("putRow", 412, path=row(50), body={"name": "x"}, headers={"If-None-Match": "*"})

    c.call("deleteRow", 404, path=row(99))
    c.call("deleteRow", 409, path=row(1, **VIEW))
    c.call("deleteRow", 412, path=row(50), headers={"If-Match": '"other"'})
    c.call("deleteRow", 204, path=row(50))


def many(c):
    c.call("updateRows", 200, path=TABLE, query={"name": "eq.pin"}, body={"price": 1})
    c.call("updateRows", 400, path=TABLE, body={"price": 1})
    c.call("updateRows", 404, path=NONE, query={"all": True}, body={"price": 1})
    c.call("updateRows", 409, path=VIEW, query={"all": True}, body={"price": 1})

    c.call("deleteRows", 200, path=TABLE, query={"name": "eq.pin"})
    c.call("deleteRows", 400, path=TABLE)
    c.call("deleteRows", 404, path=NONE, query={"all": True})
    c.call("deleteRows", 409, path=VIEW, query={"all": True})
    want = {"Prefer": "return=representation"}
    c.call("deleteRows", 413, path={"name": "rows_long"}, query={"all": True}, headers=want)
    c.call("deleteRows", 200, path=TABLE, query={"all": True}, headers=want)


def run(c):
    c.sql("CREATE TABLE rows_parts (id INTEGER PRIMARY KEY, name TEXT UNIQUE, price REAL, tags)")
    c.sql("INSERT INTO rows_parts VALUES (1, 'bolt', 0.25, NULL), (2, 'nut', 0.5, NULL)")
    c.sql("CREATE VIEW rows_view AS SELECT * FROM rows_parts")
    c.sql("CREATE TABLE rows_long (name TEXT, data BLOB)")
    c.sql("INSERT INTO rows_long VALUES (printf('%.*c', 3000, 'a'), zeroblob(14000000)), ('b', '')")
    lists(c)
    inserts(c)
    one(c)
    many(c)
