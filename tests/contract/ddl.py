"""Tables, indexes, views and exports: every operation in each status that can be provoked."""


def run(c):
    tables(c)


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
