"""The rows of tables."""


def lists(c):
    c.call("listRows", 200, path={"name": "rows_parts"})
    first = c.call(
        "listRows",
        200,
        path={"name": "rows_parts"},
        query={"limit": 1, "order": "price.desc", "select": "id,name", "price": "gte.0"},
        headers={"Prefer": "count=exact"},
    )
    assert first["total"] == 2 and first["rows"] == [{"id": 2, "name": "nut"}], first
    c.call(
        "listRows",
        200,
        path={"name": "rows_parts"},
        query={"limit": 1, "order": "price.desc", "cursor": first["next_cursor"]},
    )
    c.call("listRows", 400, path={"name": "rows_parts"}, query={"colour": "eq.red"})
    c.call("listRows", 404, path={"name": "rows_none"})
    c.call("listRows", 413, path={"name": "rows_long"}, query={"limit": 1, "order": "name"})


def run(c):
    c.sql("CREATE TABLE rows_parts (id INTEGER PRIMARY KEY, name TEXT UNIQUE, price REAL)")
    c.sql("INSERT INTO rows_parts VALUES (1, 'bolt', 0.25), (2, 'nut', 0.5)")
    c.sql("CREATE TABLE rows_long (name TEXT)")
    c.sql("INSERT INTO rows_long VALUES (printf('%.*c', 3000, 'a')), ('b')")
    lists(c)
