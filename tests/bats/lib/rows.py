"""Cases of rows.bats that need many rows, several clients, or exact values."""

import json
import random
import threading
from urllib.parse import quote, urlencode

from rdb import LIMIT, Rest, main, sql


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


# ---- writing ----------------------------------------------------------------------------------------


def answer(rest, method, path, body=None, **headers):
    """(status, headers, body) of a request to rows."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    status, got, data = rest.raw(method, "/tables/" + path, body, named)
    return status, got, json.loads(data) if data else None


def tags_of_writes_are_those_of_reads():
    rest = Rest()
    rest.run(
        "CREATE TABLE tags (id INTEGER PRIMARY KEY, i INTEGER, r REAL, t TEXT, n NUMERIC, b BLOB, x,"
        " g AS (r * 2) STORED, v REAL AS (i))",
        "CREATE TABLE strict_tags (id TEXT PRIMARY KEY, i INT, r REAL, x ANY) STRICT, WITHOUT ROWID",
    )
    values = [0, 1, -7, 1.0, 2.5, 1e300, 2**62, "", "5", "5.0", "text", None, True, {"$base64": "AAE="}]
    seen = set()
    for k, v in enumerate(values):
        numeric = v if not isinstance(v, (str, dict)) else 3
        bodies = {
            "tags": {"i": v, "r": v, "t": v, "n": v, "b": v, "x": v},
            "strict_tags": {"id": f"k{k}", "i": k, "r": numeric, "x": v},
        }
        for table, body in bodies.items():
            status, made, row = answer(rest, "POST", f"{table}/rows", body)
            assert status == 201, row
            at = made["Location"].removeprefix("/api/v1/tables/")

            def same(headers, row, at=at):
                status, got, read = answer(rest, "GET", at)
                assert status == 200 and got["ETag"] == headers["ETag"], (at, v, got["ETag"], headers["ETag"])
                assert json.dumps(read) == json.dumps(row), (read, row)
                seen.add((at, got["ETag"]))

            same(made, row)
            change = {"r": numeric if numeric is None else -numeric, "x": [v]}
            status, changed, row = answer(rest, "PATCH", at, change, If_Match=made["ETag"])
            assert status == 200, row
            same(changed, row)
            status, again, problem = answer(rest, "PATCH", at, {"x": "lost"}, If_Match=made["ETag"])
            assert status == 412 and problem["code"] == "PRECONDITION_FAILED", problem
            status, put, row = answer(rest, "PUT", at, body, If_Match=changed["ETag"])
            assert status == 200, row
            same(put, row)
            assert put["ETag"] == made["ETag"]
    assert len(seen) == 2 * 2 * len(values)


def no_update_is_lost():
    """Clients add to one number by read, PATCH with If-Match, and again where they were beaten."""
    sql("CREATE TABLE tally (id INTEGER PRIMARY KEY, n)", "INSERT INTO tally VALUES (1, 0)")
    beaten = []

    def client():
        rest = Rest()
        for _ in range(25):
            while True:
                _, headers, row = answer(rest, "GET", "tally/rows/1")
                status, _, got = answer(
                    rest, "PATCH", "tally/rows/1", {"n": row["n"] + 1}, If_Match=headers["ETag"]
                )
                if status == 200:
                    assert got["n"] == row["n"] + 1
                    break
                assert status == 412, got
                beaten.append(1)
        rest.close()

    everybody(8, client)
    assert sql("SELECT n FROM tally") == [[200]]
    assert beaten, "nobody was ever beaten: nothing was shown"


def one_of_many_makes_the_row():
    """PUT with If-None-Match: * by many at once: one of them makes the row, the others are told."""
    sql("CREATE TABLE claim (name TEXT PRIMARY KEY, owner)")
    made = []

    def client():
        rest = Rest()
        for i in range(20):
            who = f"{threading.get_ident()}"
            status, _, got = answer(rest, "PUT", f"claim/rows/c{i}", {"owner": who}, If_None_Match="*")
            assert status in (201, 412), got
            if status == 201:
                made.append((f"c{i}", who))
        rest.close()

    everybody(6, client)
    assert sorted(map(list, made)) == sql("SELECT name, owner FROM claim ORDER BY name")
    assert len(made) == 20


def everybody(n, work):
    failed = []

    def guarded():
        try:
            work()
        except BaseException as e:  # noqa: BLE001 - told below
            failed.append(e)

    threads = [threading.Thread(target=guarded) for _ in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(LIMIT)
    assert not failed, failed
    assert not any(t.is_alive() for t in threads)


def keys_of_every_kind_come_back():
    rest = Rest()
    rest.run(
        "CREATE TABLE kt (k TEXT PRIMARY KEY, v)",
        "CREATE TABLE kx (k PRIMARY KEY, v)",
        "CREATE TABLE k2 (a TEXT, b, v, PRIMARY KEY (a, b)) WITHOUT ROWID",
    )
    texts = ["a", "5", "a/b", "..", ".", "a b", "a+b", "x'61'", "50%", "?#&=", 'q"q', "a,b", "\\", "caf\u00e9",
             "\u0001", "%2F", "'"]  # fmt: skip
    any_kind = [5, -5, 1.5, "5", "a", "a b", "x'61'", {"$base64": "AC8="}, {"$base64": ""}]
    rows = [("kt", {"k": k}) for k in texts + [""]] + [("kx", {"k": k}) for k in any_kind]
    rows += [("k2", {"a": a, "b": b}) for a in texts for b in any_kind]
    for table, row in rows:
        status, headers, made = answer(rest, "POST", f"{table}/rows", {**row, "v": 1})
        assert status == 201, (row, made)
        assert headers["Location"], row
        at = headers["Location"].removeprefix("/api/v1/tables/")
        status, _, got = answer(rest, "GET", at)
        assert status == 200 and got == made, (row, at, got)
        status, _, got = answer(rest, "PUT", at, {"v": 2})
        assert status == 200 and got == {**made, "v": 2}, (row, at, got)
        status, _, got = answer(rest, "DELETE", at)
        assert status == 204, (row, at, got)
        status, headers, got = answer(rest, "PUT", at, {"v": 3})
        assert status == 201 and got == {**made, "v": 3}, (row, at, got)
        assert headers["Location"].endswith("/tables/" + at), (headers["Location"], at)


main(globals())
