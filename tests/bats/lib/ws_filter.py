"""Cases of ws.bats: which events a subscription chooses, by ops and where."""

from rdb import Rest, connect, head, main, sql


async def ops():
    sql("CREATE TABLE t (x)")
    s = await connect()
    await s.subscribe("table:t", ops=["insert", "delete"])
    sql("INSERT INTO t VALUES (1)", "UPDATE t SET x = 2", "DELETE FROM t")
    assert [e["op"] for e in await s.events(2)] == ["insert", "delete"]
    await s.quiet()
    for bad in ([], ["insert", "truncate"], "insert", [1]):
        await s.refused("subscribe", {"topic": "table:t", "ops": bad}, "INVALID_MESSAGE")
    await s.close()


async def where():
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, price NUMERIC, note)")
    s = await connect()
    answer = await s.subscribe("table:t", where="price > 10")
    assert answer["filter"], answer
    sql("INSERT INTO t VALUES (1, 'a', 5, NULL), (2, 'b', '20', NULL), (3, 'c', NULL, NULL)")
    e = await s.event()
    # '20' became a number by the column's affinity.
    assert e["row"]["id"] == 2 and e["filter"] == answer["filter"], e
    sql("UPDATE t SET price = price + 6")
    assert [e["row"]["id"] for e in await s.events(2)] == [1, 2]
    sql("UPDATE t SET price = 1 WHERE id = 2", "DELETE FROM t WHERE id IN (1, 2)")
    e = await s.event()  # for a delete the bare name is the old row
    assert e["op"] == "delete" and e["old_row"]["id"] == 1, e
    await s.quiet()
    await s.close()

    s = await connect()
    crossing = await s.subscribe("table:t", where="new.price > 10 AND old.price <= 10")
    leaving = await s.subscribe("table:t", where="old.price > 10 AND (new.price <= 10 OR new.id IS NULL)")
    by_name = await s.subscribe("table:t", where="name = 'ANNA' AND id > 100", ops=["insert"])
    assert len({x["filter"] for x in (crossing, leaving, by_name)}) == 3
    sql("INSERT INTO t VALUES (10, 'x', 5, NULL)", "INSERT INTO t VALUES (11, 'y', 50, NULL)")
    await s.quiet()
    e = await s.one_event("UPDATE t SET price = 12 WHERE id = 10")
    assert e["filter"] == crossing["filter"], e
    e = await s.one_event("UPDATE t SET price = 3 WHERE id = 10")
    assert e["filter"] == leaving["filter"], e
    e = await s.one_event("DELETE FROM t WHERE id = 11")
    assert e["filter"] == leaving["filter"] and e["op"] == "delete", e
    e = await s.one_event("INSERT INTO t VALUES (101, 'anna', NULL, NULL)")  # the column's collation
    assert e["filter"] == by_name["filter"], e
    await s.close()


async def where_with_everything_in_it():
    """Quoted names, quotes in text, functions, LIKE, IN, CASE, JSON, a comment, UTF-8."""
    sql('CREATE TABLE t ("odd ""name" TEXT, "select" INTEGER, doc TEXT)')
    s = await connect()
    good = [
        '"odd ""name" = \'it\'\'s -- not a comment\'',
        'new."select" IN (1, 2, 3) AND old."select" IS NULL',
        "CASE WHEN json_valid(doc) THEN json_extract(doc, '$.a') = 'ä' END",
        "CASE WHEN \"select\" > 5 THEN doc LIKE '%b%' ELSE 0 END /* note */",
        "length(doc) > 5 AND upper(doc) GLOB '*Z*' -- note",
        '"select" BETWEEN 70 AND 80 OR coalesce(doc, \'\') = \'y\'',
    ]
    filters = [(await s.subscribe("table:t", where=w))["filter"] for w in good]
    assert len(set(filters)) == len(good)
    rows = [
        ("it's -- not a comment", None, None),
        (None, 2, None),
        (None, None, '{"a":"ä"}'),
        (None, 6, "abc"),
        (None, None, "zzzzzz"),
        (None, 75, None),
    ]
    rest = Rest()
    for f, row in zip(filters, rows):
        rest.query("INSERT INTO t VALUES (?, ?, ?)", list(row))
        got = await s.event()
        assert got["filter"] == f, (got, row)
        await s.quiet()
    await s.close()


async def where_refused():
    sql("CREATE TABLE t (x, y)", "CREATE TABLE secret (s)")
    s = await connect()
    for bad in (
        "",
        "x >",
        "nope = 1",
        "new.nope = 1",
        "t.x = 1 AND other.x = 2",
        "x = (SELECT 1)",
        "EXISTS (SELECT * FROM secret)",
        "x IN (SELECT s FROM secret)",
        "x IN secret",
        "random() > 0",
        "datetime('now') > x",
        "count(*) > 1",
        "row_number() OVER () = 1",
        "x = ?",
        "x = :a",
        "1) OR (1",
        "1; DROP TABLE t",
        "1 FROM secret --",
        "load_extension('x')",
        "last_insert_rowid() = 1",
        "x = 1 /*",
        "x = 'open",
        "y = 1 AND " * 1000 + "1",
        "(" * 2000 + "1" + ")" * 2000,
    ):
        m = await s.request("subscribe", {"topic": "table:t", "where": bad})
        assert m["type"] == "error", f"accepted: {bad[:80]}"
        assert m["payload"]["code"] in ("INVALID_MESSAGE", "QUERY_ERROR"), m
        assert m["payload"]["message"], m
    for bad in (5, ["x = 1"], {}):
        await s.refused("subscribe", {"topic": "table:t", "where": bad}, "INVALID_MESSAGE")
    sql("INSERT INTO t VALUES (1, 2)")
    await s.quiet()
    await s.close()


async def filter_that_fails_for_a_row():
    """An expression that errs for some row (an overflow) ends its subscription with an error that says
    where, and nothing else: no event is passed over in silence."""
    sql("CREATE TABLE t (x)")
    s = await connect()
    answer = await s.subscribe("table:t", where="abs(x) > 10")
    await s.subscribe("table:t")
    sql("INSERT INTO t VALUES (5)", "INSERT INTO t VALUES (-9223372036854775808)", "INSERT INTO t VALUES (20)")
    got, errors = [], []
    while len(got) < 3 or not errors:
        m = await s.recv()
        if m["type"] == "event":
            assert "filter" not in m["payload"], m
            got.append(m["payload"]["row"]["x"])
        else:
            errors.append(m["payload"])
    assert got == [5, -9223372036854775808, 20], got
    assert errors[0]["code"] == "QUERY_ERROR", errors
    assert errors[0]["subscription_id"] == answer["subscription_id"], errors
    await s.quiet()
    # It subscribes again behind that row.
    await s.subscribe("table:t", where="abs(x) > 10", since=answer["lsn"] + 2)
    assert (await s.event())["row"]["x"] == 20
    await s.quiet()
    await s.close()


async def replay_with_a_filter():
    sql("CREATE TABLE t (x)")
    before = head()
    sql(*(f"INSERT INTO t VALUES ({n})" for n in range(1, 31)), "UPDATE t SET x = x + 100 WHERE x = 7")
    s = await connect()
    a = await s.subscribe("table:t", since=before, where="x % 10 = 0 OR new.x > old.x")
    assert [e["row"]["x"] for e in await s.events(4)] == [10, 20, 30, 107]
    await s.quiet()
    e = await s.one_event("INSERT INTO t VALUES (40)")
    assert e["filter"] == a["filter"]
    await s.close()


main(globals())
