"""Cases of rows.bats that need many rows, several clients, or exact values."""

import json
import random
from urllib.parse import quote, urlencode

from rdb import Rest, main, sql


def pages(rest, table, limit, **query):
    """All rows of a list, page by page."""
    rows, cursor = [], None
    for _ in range(10000):
        more = {"cursor": cursor} if cursor else {}
        at = f"/tables/{quote(table)}/rows?" + urlencode({"limit": limit, **query, **more})
        page = rest.call("GET", at)
        assert len(page["rows"]) <= limit, page
        rows += page["rows"]
        cursor = page["next_cursor"]
        if cursor is None:
            return rows
        assert len(page["rows"]) == limit, page
    raise AssertionError("the pages do not end")


def pages_have_every_row_once_in_order():
    rest = Rest()
    chance = random.Random(3)
    rest.run(
        "CREATE TABLE p (a TEXT COLLATE NOCASE, b REAL, c, d INTEGER NOT NULL, id INTEGER PRIMARY KEY)",
        "CREATE TABLE w (k1 TEXT, k2 INTEGER, a, PRIMARY KEY (k1 DESC, k2)) WITHOUT ROWID",
        "CREATE INDEX p_d ON p (d)",
    )
    loose = [None, 1, 1.5, -3, "1", "x", "X", {"$base64": "AP8="}, "", "zwölf \0 NUL", {"$real": "-Infinity"}]
    for _ in range(120):
        rest.query(
            "INSERT INTO p (a, b, c, d) VALUES (?, ?, ?, ?)",
            [chance.choice(["a", "A", "b", None, "B"]), chance.choice([None, 1, 2.5, 1e300]), chance.choice(loose),
             chance.randrange(4)],
        )  # fmt: skip
        rest.query(
            "INSERT OR IGNORE INTO w VALUES (?, ?, ?)",
            [chance.choice("pqrs"), chance.randrange(40), chance.choice(loose)],
        )
    orders = {
        "p": ["", "a", "a.desc", "b,a.desc", "c.asc,d.desc", "c.desc", "d,b.desc,c", "d.desc", "id.desc", "b.desc,d"],
        "w": ["", "a", "k2.desc", "a.desc,k1", "k1.desc", "k2,a.desc"],
    }
    for table, tie in (("p", ["id"]), ("w", ["k1", "k2"])):
        for order in orders[table]:
            terms = [t.replace(".", " ") for t in order.split(",") if t]
            way = " desc" if terms and terms[-1].endswith("desc") else ""
            terms += [t + way for t in tie if t not in order.replace(".desc", "").split(",")]
            columns = "a, b, c, d, id" if table == "p" else "k1, k2, a"
            expected = [
                dict(zip(columns.split(", "), row))
                for row in rest.rows(f"SELECT {columns} FROM {table} ORDER BY {', '.join(terms)}")
            ]
            assert len(expected) > 40
            for limit in (1, 7, 1000):
                query = {"order": order} if order else {}
                got = pages(rest, table, limit, **query)
                assert got == expected, (table, order, limit)


def pages_go_on_while_rows_come_and_go():
    rest = Rest()
    rest.run(
        "CREATE TABLE g (id INTEGER PRIMARY KEY, n)",
        "WITH RECURSIVE i(x) AS (SELECT 2 UNION ALL SELECT x + 2 FROM i WHERE x < 100) INSERT INTO g SELECT x, x FROM i",
    )
    seen, cursor = [], ""
    while cursor is not None:
        page = rest.call("GET", "/tables/g/rows?limit=10" + (f"&cursor={cursor}" if cursor else ""))
        seen += [row["id"] for row in page["rows"]]
        cursor = page["next_cursor"]
        # The last row seen goes, and one comes in front of it: neither moves what follows.
        rest.query("DELETE FROM g WHERE id = ?", [seen[-1]])
        rest.query("INSERT INTO g VALUES (?, 0)", [seen[-1] - 1])
    assert seen == list(range(2, 101, 2)), seen


def filters_agree_with_sql():
    rest = Rest()
    rest.run("CREATE TABLE f (id INTEGER PRIMARY KEY, t TEXT, n INTEGER, r REAL, x, b BLOB)")
    values = [
        ("a,b", 1, 1.5, 5, "A"), ("5", 5, 5, "5", None), ("%", -1, 0, 0.5, ""), (None, None, None, None, None),
        ('q"q', 2**63 - 1, 1e300, "a.b", "zz"), ("café", 0, -1.25, "x'61'", "a"), ("true", 1, 1, 1, "b"),
    ]  # fmt: skip
    for v in values:
        rest.query("INSERT INTO f (t, n, r, x, b) VALUES (?, ?, ?, ?, CAST(? AS BLOB))", v)
    cases = [
        ("t=eq.5", "t = '5'"), ("n=eq.5", "n = 5"), ("r=eq.5", "r = 5"), ("x=eq.5", "x = 5"),
        ('x=eq."5"', "x = '5'"), ("t=in.(5,\"a,b\")", "t IN ('5', 'a,b')"), ("t=in.()", "0"),
        ('t=in.("q\\"q")', "t = 'q\"q'"), ("t=like.%25af%25", "t LIKE '%af%'"), ("n=gte.1&n=lt.6", "n >= 1 AND n < 6"),
        ("n=is.null", "n IS NULL"), ("n=not.null", "n NOT NULL"), ("n=not.is.null", "n NOT NULL"),
        ("n=ne.1", "n <> 1"), ("n=neq.1", "n <> 1"), ("n=not.eq.1", "NOT (n = 1)"), ("n=is.true", "n IS TRUE"),
        ("n=is.false", "n IS FALSE"), ("n=eq.true", "n = 1"), ("t=eq.true", "t = 'true'"), ("x=eq.a.b", "x = 'a.b'"),
        ("n=eq.9223372036854775807", "n = 9223372036854775807"), ("b=eq.x'61'", "b = x'61'"),
        ("b=in.(x'61',x'')", "b IN (x'61', x'')"), ("t=not.like.%25a%25", "NOT (t LIKE '%a%')"),
        ("t=eq.caf%C3%A9", "t = 'café'"), ("x=lte.0.5", "x <= 0.5"), ("T=eq.5", "t = '5'"),
        ("t=eq.'; DROP TABLE f--", "t = '''; DROP TABLE f--'"), ("t=eq.", "t = ''"),
    ]  # fmt: skip
    for query, where in cases:
        at = "/tables/f/rows?select=id&" + quote(query, safe="=&%")
        got = [row["id"] for row in rest.call("GET", at)["rows"]]
        expected = [row[0] for row in rest.rows(f"SELECT id FROM f WHERE {where} ORDER BY id")]
        assert got == expected, (query, got, expected)


main(globals())
