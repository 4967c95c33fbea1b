"""Tables, indexes, views and exports: every operation in each status that can be provoked."""


def run(c):
    tables(c)
    indexes(c)
    views(c)
    export(c)


def tables(c):
    book = {
        "name": "ddl_books",
        "columns": [
            {"name": "id", "type": "INTEGER", "primary_key": True},
            {"name": "title", "type": "TEXT", "not_null": True, "collation": "NOCASE"},
            {"name": "price", "type": "REAL", "default": 9.5, "check": "price >= 0"},
            {"name": "twice", "generated": {"expression": "price * 2"}},
        ],
        "unique": [["title"]],
    }
    made = c.call("createTable", 201, body=book)
    assert made["columns"][0]["primary_key"] == 1, made
    c.call("createTable", 200, body=dict(book, if_not_exists=True))
    c.call("createTable", 409, body=book)
    c.call("createTable", 400, body={"name": "ddl_bad", "columns": []})
    c.call("createTable", 403, body=dict(book, name="_rustydb_ddl"))
    c.call(
        "createTable",
        201,
        body={
            "name": "ddl_loans",
            "columns": [{"name": "book", "references": {"table": "ddl_books", "on_delete": "RESTRICT"}}],
        },
    )

    path = {"name": "ddl_books"}
    changed = c.call("alterTable", 200, path=path, body={"add_columns": [{"name": "pages", "type": "INTEGER"}]})
    assert changed["columns"][-1]["name"] == "pages", changed
    c.call("alterTable", 400, path=path, body={})
    c.call("alterTable", 404, path={"name": "ddl_nosuch"}, body={"rename_to": "ddl_other"})
    c.call("alterTable", 409, path=path, body={"rename_to": "ddl_loans"})

    c.sql("INSERT INTO ddl_books (title) VALUES ('a'), ('b')")
    c.sql("INSERT INTO ddl_loans VALUES (1)")
    c.call("truncateTable", 409, path=path)
    c.call("dropTable", 409, path=path)
    assert c.call("truncateTable", 200, path={"name": "ddl_loans"})["rows_removed"] == 1
    assert c.call("truncateTable", 200, path=path)["rows_removed"] == 2
    c.call("truncateTable", 404, path={"name": "ddl_nosuch"})
    c.call("dropTable", 200, path={"name": "ddl_loans"})
    c.call("dropTable", 200, path=path)
    c.call("dropTable", 404, path=path)


def indexes(c):
    c.sql("CREATE TABLE ddl_indexed (a TEXT UNIQUE, b)")
    table = {"name": "ddl_indexed"}
    index = {"name": "ddl_indexed_b", "columns": [{"column": "b", "descending": True}, {"expression": "a || b"}]}
    c.call("createIndex", 201, path=table, body=index)
    c.call("createIndex", 409, path=table, body=index)
    c.call("createIndex", 400, path=table, body=dict(index, name="ddl_bad", where="nosuch > 1"))
    c.call("createIndex", 404, path={"name": "ddl_nosuch"}, body=index)
    found = c.call("listIndexes", 200, path=table)
    assert found["total"] == 2, found
    c.call("listIndexes", 404, path={"name": "ddl_nosuch"})
    c.call("getIndex", 200, path={**table, "index": "ddl_indexed_b"})
    c.call("getIndex", 404, path={**table, "index": "ddl_nosuch"})
    automatic = next(i["name"] for i in found["indexes"] if i["origin"] == "unique")
    c.call("dropIndex", 409, path={**table, "index": automatic})
    c.call("dropIndex", 200, path={**table, "index": "ddl_indexed_b"})
    c.call("dropIndex", 404, path={**table, "index": "ddl_indexed_b"})
    c.sql("DROP TABLE ddl_indexed")


def views(c):
    c.sql("CREATE TABLE ddl_viewed (a TEXT)")
    view = {"name": "ddl_view", "sql": "SELECT a FROM ddl_viewed"}
    made = c.call("createView", 201, body=view)
    c.call("createView", 409, body=view)
    c.call("createView", 400, body=dict(view, name="ddl_bad", sql="DELETE FROM ddl_viewed"))
    assert any(v["name"] == "ddl_view" for v in c.call("listViews", 200)["views"])
    path = {"name": "ddl_view"}
    assert c.call("getView", 200, path=path) == made
    c.call("getView", 404, path={"name": "ddl_viewed"})
    body = {"sql": "SELECT a, 1 AS one FROM ddl_viewed"}
    assert len(c.call("replaceView", 200, path=path, body=body)["columns"]) == 2
    c.call("replaceView", 201, path={"name": "ddl_view_2"}, body=body)
    c.call("replaceView", 404, path=path, body={"sql": "SELECT * FROM ddl_nosuch"})
    c.call("replaceView", 409, path={"name": "ddl_viewed"}, body=body)
    c.call("createView", 404, body={"name": "ddl_view_3", "sql": "SELECT * FROM ddl_nosuch"})
    c.call("dropView", 200, path={"name": "ddl_view_2"})
    c.call("dropView", 200, path=path)
    c.call("dropView", 404, path=path)
    c.sql("DROP TABLE ddl_viewed")


def export(c):
    c.sql("CREATE TABLE ddl_export (id INTEGER PRIMARY KEY, a TEXT)")
    c.sql("INSERT INTO ddl_export VALUES (1, 'x'), (2, NULL)")
    path = {"name": "ddl_export"}
    rows = c.call("exportTable", 200, path=path)
    assert rows == [{"id": 1, "a": "x"}, {"id": 2, "a": None}], rows
    text = c.call("exportTable", 200, path=path, query={"format": "csv", "columns": "a", "limit": 1})
    assert text == "a\r\nx\r\n", text
    c.call("exportTable", 400, path=path, query={"columns": "nosuch"})
    c.call("exportTable", 404, path={"name": "ddl_nosuch"})
    c.sql("DROP TABLE ddl_export")
