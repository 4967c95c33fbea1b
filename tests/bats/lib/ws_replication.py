"""Cases of replication.bats: the endpoint /api/v1/ws/replication, the topic, slots."""

import threading

from rdb import (
    SANITIZED, Closed, Refused, Rest, connect, eventually_async, head, in_thread, main, sql, status_kb,
)
from rpc_session import open_rpc

ENDPOINT = "/api/v1/ws/replication"


async def consumer(path=ENDPOINT, deflate=False, **options):
    """A session with a subscription; its answer is s.started."""
    s = await connect(path=path, compression="deflate" if deflate else None)
    if path != ENDPOINT:
        options["topic"] = "replication"
    s.started = await s.ok("subscribe", options, "subscribed")
    assert s.started["topic"] == "replication" and s.started["filter"] is None, s.started
    return s


def brief(e):
    """A frame in short form: "B4", "insert t", "C5"."""
    assert e["topic"] == "replication", e
    if e["kind"] == "begin":
        return f"B{e['lsn']}" + ("+" if e.get("continued") else "")
    if e["kind"] == "commit":
        assert e["committed_at"].endswith("Z"), e
        return f"C{e['lsn']}"
    return f"{e.get('op') or e['event']} {e['table']}"


async def transaction(s):
    """The frames of the next transaction, which must be one and whole."""
    frames = [await s.event()]
    assert frames[0]["kind"] == "begin", frames
    while frames[-1]["kind"] != "commit":
        frames.append(await s.event())
        assert frames[-1]["tx"] == frames[0]["tx"], frames
        assert frames[-1]["kind"] != "begin", frames
    lsns = [f["lsn"] for f in frames[1:-1]]
    assert lsns == sorted(set(lsns)), frames
    assert frames[0]["lsn"] <= lsns[0] and lsns[-1] <= frames[-1]["lsn"], frames
    return frames


async def briefly(s):
    return " ".join(brief(f) for f in await transaction(s))


async def up_to(s, lsn):
    """Transactions until the one that ends with this lsn."""
    got = [await transaction(s)]
    while got[-1][-1]["lsn"] < lsn:
        got.append(await transaction(s))
    return got


def slot(name):
    rest = Rest()
    try:
        return rest.call("GET", f"/replication/slots/{name}")
    finally:
        rest.close()


async def confirmed(name, lsn):
    await eventually_async(lambda: slot(name)["confirmed_lsn"] == lsn, say=f"{name} at {lsn}")


# ---- transactions ---------------------------------------------------------------------------------


async def boundaries():
    sql(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, x)",
        "CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES p ON DELETE CASCADE)",
        "CREATE TABLE log (what)",
        "CREATE TRIGGER note AFTER INSERT ON p BEGIN INSERT INTO log VALUES (new.id); END",
    )
    at = head()
    s = await consumer()
    assert s.started["lsn"] == at, s.started
    sql("INSERT INTO p VALUES (1, 'a'), (2, 'b')")
    assert await briefly(s) == f"B{at + 1} insert p insert log insert p insert log C{at + 4}"
    rest = Rest()
    atomic = {"atomic": True, "statements": [
        {"sql": "INSERT INTO c VALUES (1, 1)"}, {"sql": "INSERT INTO c VALUES (2, 1)"},
        {"sql": "UPDATE p SET x = 'c' WHERE id = 2"}]}
    rest.call("POST", "/batch", atomic)
    assert await briefly(s) == f"B{at + 5} insert c insert c update p C{at + 7}"
    rest.call("POST", "/batch", {**atomic, "statements": [
        {"sql": "INSERT INTO c VALUES (7, 2)"}, {"sql": "INSERT INTO c VALUES (8, 2)"}],
        "atomic": False})
    assert await briefly(s) == f"B{at + 8} insert c C{at + 8}"
    assert await briefly(s) == f"B{at + 9} insert c C{at + 9}"
    sql("DELETE FROM p WHERE id = 1")
    assert await briefly(s) == f"B{at + 10} delete p delete c delete c C{at + 12}"

    tx = rest.call("POST", "/transactions", {})["transaction_id"]
    for statement in ("INSERT INTO log VALUES ('t')", "SAVEPOINT s", "INSERT INTO log VALUES ('x')",
                      "ROLLBACK TO s", "UPDATE log SET what = 'u' WHERE what = 't'"):
        rest.call("POST", f"/transactions/{tx}/query", {"sql": statement})
    await s.quiet()
    rest.call("POST", f"/transactions/{tx}/commit", {})
    frames = await transaction(s)
    assert [brief(f) for f in frames] == [f"B{at + 13}", "insert log", "update log", f"C{at + 14}"]
    change = frames[2]
    assert change["row"] == {"what": "u"} and change["old_row"] == {"what": "t"}, change
    assert change["key"] is None, change
    tx = rest.call("POST", "/transactions", {})["transaction_id"]
    rest.call("POST", f"/transactions/{tx}/query", {"sql": "INSERT INTO log VALUES ('never')"})
    rest.call("POST", f"/transactions/{tx}/rollback", {})
    sql("DELETE FROM c", "UPDATE p SET id = 5 WHERE id = 2")
    assert await briefly(s) == f"B{at + 15} delete c delete c C{at + 16}"
    frames = await transaction(s)
    assert frames[1]["key"] == {"id": 2} and frames[1]["row"]["id"] == 5, frames
    await s.quiet()
    await s.close()


async def order():
    """Many writers at once; two consumers, of which one comes late and one by the topic, get the
    same, in commit order, and every transaction whole."""
    sql("CREATE TABLE t (writer, n, k)")
    first = await consumer()
    base, sizes = head(), {}

    def write(number):
        rest = Rest()
        for n in range(60):
            rows = (n + number) % 4 + 1
            lsn = rest.query("INSERT INTO t VALUES " + ", ".join(
                f"({number}, {n}, {k})" for k in range(rows)))["lsn"]
            assert lsn > base
            sizes[(number, n)] = rows
        rest.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for t in threads:
        t.start()
    late = await consumer(path="/api/v1/ws", deflate=True, since=base)
    for t in threads:
        await in_thread(t.join)
    assert len(sizes) == 240, "a writer failed"
    end = head()
    one, two = await up_to(first, end), await up_to(late, end)
    assert one == two
    seen, lsn = {}, base
    for frames in one:
        rows = [f["row"] for f in frames[1:-1]]
        assert frames[0]["lsn"] == lsn + 1 and frames[-1]["lsn"] == lsn + len(rows), frames
        lsn += len(rows)
        assert [r["k"] for r in rows] == list(range(len(rows))), rows
        key = (rows[0]["writer"], rows[0]["n"])
        assert key not in seen and sizes[key] == len(rows), rows
        assert all(seen.get((key[0], n)) for n in range(key[1])), "a writer's own order"
        seen[key] = True
    assert len(seen) == len(sizes) and lsn == end
    for s in (first, late):
        await s.quiet()
        await s.close()


async def ddl():
    at = head()
    told = await consumer(ddl=True)
    rows = await consumer()
    some = await consumer(ddl=True, tables=["b"])
    sql("CREATE TABLE a (id INTEGER PRIMARY KEY, x TEXT)", "INSERT INTO a VALUES (1, 'x')")
    frames = await transaction(told)
    created = frames[1]
    assert created["kind"] == "ddl" and created["event"] == "table_created", created
    assert created["sql"].startswith("CREATE TABLE a"), created
    assert created["columns"] == [
        {"name": "id", "type": "INTEGER", "primary_key": 1},
        {"name": "x", "type": "TEXT", "primary_key": 0}], created
    assert await briefly(told) == f"B{at + 2} insert a C{at + 2}"
    assert await briefly(rows) == f"B{at + 2} insert a C{at + 2}"
    sql("ALTER TABLE a ADD COLUMN y", "ALTER TABLE a RENAME TO b", "CREATE TABLE c AS SELECT * FROM b",
        "INSERT INTO b VALUES (2, 'y', 3)", "DROP TABLE b")
    assert await briefly(told) == f"B{at + 3} table_altered a C{at + 3}"
    renamed = (await transaction(told))[1]
    assert renamed["event"] == "table_renamed" and renamed["renamed_to"] == "b", renamed
    assert await briefly(told) == f"B{at + 5} table_created c insert c C{at + 6}"
    assert await briefly(told) == f"B{at + 7} insert b C{at + 7}"
    assert await briefly(told) == f"B{at + 8} table_dropped b C{at + 8}"
    assert await briefly(rows) == f"B{at + 5} insert c C{at + 6}"
    assert await briefly(rows) == f"B{at + 7} insert b C{at + 7}"
    assert await briefly(some) == f"B{at + 4} table_renamed a C{at + 4}"
    assert await briefly(some) == f"B{at + 7} insert b C{at + 7}"
    assert await briefly(some) == f"B{at + 8} table_dropped b C{at + 8}"
    for s in (told, rows, some):
        await s.quiet()
        await s.close()


async def large():
    """One transaction far larger than the window, to a consumer that takes its time."""
    sql("CREATE TABLE t (n, x)")
    s = await consumer()
    s.ws.transport.pause_reading()
    rest, rows = Rest(), 20000
    sql(f"WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"
        " INSERT INTO t SELECT i, printf('%.*c', 1000, 'x') FROM n")

    def state():
        return rest.call("GET", "/replication/consumers")["consumers"][0]

    before = status_kb("VmRSS")
    await eventually_async(lambda: state()["state"] == "waiting", say="a full window")
    one = state()
    assert one["unread_bytes"] < 300000, one
    assert one["lag_events"] == head() - one["sent_lsn"] > 1000, one
    assert SANITIZED or status_kb("VmRSS") < before + 8192
    s.ws.transport.resume_reading()
    frames = await transaction(s)
    assert [f["row"]["n"] for f in frames[1:-1]] == list(range(1, rows + 1))
    await s.quiet()
    await s.close()


# ---- slots ----------------------------------------------------------------------------------------


async def slots():
    sql("DROP TABLE IF EXISTS t", "CREATE TABLE t (x)")
    at = head()
    s = await connect(path=ENDPOINT)
    await s.refused("subscribe", {"slot_name": "a"}, "NOT_FOUND")
    await s.refused("subscribe", {"slot_name": "a b", "create": True}, "INVALID_MESSAGE")
    await s.refused("subscribe", {"create": True}, "INVALID_MESSAGE")
    answer = await s.ok("subscribe", {"slot_name": "a", "create": True}, "subscribed")
    assert answer["lsn"] == at and answer["log_id"] == s.welcome["payload"]["log_id"], answer
    await s.refused("subscribe", {"slot_name": "b", "create": True}, "CONFLICT")
    other = await connect(path=ENDPOINT)
    problem = await other.refused("subscribe", {"slot_name": "a"}, "CONFLICT")
    assert s.welcome["payload"]["connection_id"] in problem["message"], problem
    state = slot("a")
    assert state["state"] == "active" and state["confirmed_lsn"] == at, state
    assert state["connection_id"] == s.welcome["payload"]["connection_id"], state

    sql("INSERT INTO t VALUES (1), (2)", "INSERT INTO t VALUES (3)")
    await up_to(s, at + 3)
    await s.refused("ack", {"lsn": at + 4}, "INVALID_MESSAGE")
    await s.refused("ack", {"lsn": -1}, "INVALID_MESSAGE")
    await s.refused("ack", {}, "INVALID_MESSAGE")
    await other.refused("ack", {"lsn": 1}, "NOT_FOUND")
    state = slot("a")
    assert state["sent_lsn"] == at + 3 and state["lag_events"] == 3, state
    assert state["lag_seconds"] > 0, state
    answer = await s.ok("ack", {"lsn": at + 2}, "query_result")
    assert answer["lsn"] == at + 2, answer
    await confirmed("a", at + 2)
    await s.send("ack", {"lsn": 1})  # never back, and nobody asked for an answer
    await s.quiet()
    assert slot("a")["confirmed_lsn"] == at + 2
    await s.close()
    await eventually_async(lambda: slot("a")["state"] == "idle")
    answer = await other.ok("subscribe", {"slot_name": "a"}, "subscribed")
    assert answer["lsn"] == at + 2, answer
    assert await briefly(other) == f"B{at + 3} insert t C{at + 3}"
    await other.ok("unsubscribe", {"subscription_id": answer["subscription_id"]}, "unsubscribed")
    await eventually_async(lambda: slot("a")["state"] == "idle")
    # Gone without a goodbye: the slot is free as soon as the socket is.
    answer = await other.ok("subscribe", {"slot_name": "a"}, "subscribed")
    other.ws.transport.abort()
    await eventually_async(lambda: slot("a")["state"] == "idle")


async def managed():
    sql("CREATE TABLE t (x)")
    at = head()
    rest = Rest()

    def refused(code, *call):
        try:
            rest.call(*call)
        except Refused as e:
            assert e.code == code, e
            return e.problem
        raise AssertionError(f"{call} was not refused")

    status = rest.call("GET", "/replication/status")
    assert status["role"] == "primary" and status["lsn"] == at and status["slots"] == 0, status
    made = rest.call("POST", "/replication/slots", {"name": "b"})
    assert made["name"] == "b" and made["state"] == "idle" and made["confirmed_lsn"] == at, made
    assert made["lag_events"] == 0 and made["lag_seconds"] == 0.0, made
    log = status["log_id"]
    made = rest.call("POST", "/replication/slots", {"name": "a", "since": f"{log}:0"})
    assert made["confirmed_lsn"] == 0 and made["lag_events"] == at, made
    refused("CONFLICT", "POST", "/replication/slots", {"name": "a"})
    refused("INVALID_MESSAGE", "POST", "/replication/slots", {"name": "a/b"})
    refused("INVALID_MESSAGE", "POST", "/replication/slots", {"name": "x" * 64})
    refused("INVALID_MESSAGE", "POST", "/replication/slots", {"name": "c", "since": at + 1})
    refused("INVALID_MESSAGE", "POST", "/replication/slots", {"name": "c", "more": 1})
    refused("INVALID_MESSAGE", "POST", "/replication/slots", {})
    refused("GAP", "POST", "/replication/slots", {"name": "c", "since": "other:1"})
    refused("INVALID_MESSAGE", "GET", "/replication/slots?limit=0")
    refused("CONFLICT", "POST", "/replication/slots", {"name": "c"})  # --max-replication-slots 2
    page = rest.call("GET", "/replication/slots?offset=1&limit=5")
    assert page["total"] == 2 and [s["name"] for s in page["slots"]] == ["b"], page

    s = await consumer(slot_name="b", tables=["t"])
    refused("CONFLICT", "DELETE", "/replication/slots/b")
    found = rest.call("GET", "/replication/consumers")
    one = found["consumers"][0]
    assert found["total"] == 1 and one["slot_name"] == "b" and one["tables"] == ["t"], found
    assert one["connection_id"] == s.welcome["payload"]["connection_id"], one
    assert one["state"] == "streaming" and one["user"] == "root" and one["ddl"] is False, one
    listed = rest.call("GET", "/ws/subscriptions")["subscriptions"]
    assert [x["subscription_type"] for x in listed] == ["replication"], listed
    await s.close()
    await eventually_async(lambda: slot("b")["state"] == "idle")
    assert rest.call("DELETE", "/replication/slots/b") == {"name": "b", "dropped": True}
    refused("NOT_FOUND", "DELETE", "/replication/slots/b")
    refused("NOT_FOUND", "GET", "/replication/slots/b")
    rest.close()


async def too_many():
    """--max-replication-consumers 2"""
    kept = [await consumer(), await consumer()]
    s = await connect(path=ENDPOINT)
    await s.refused("subscribe", {}, "SUBSCRIPTION_LIMIT")
    await kept[0].close()
    await eventually_async(lambda: Rest().call("GET", "/replication/status")["consumers"] == 1)
    await s.ok("subscribe", {}, "subscribed")


async def make(name):
    """A slot at the head, and three transactions behind it, of which the first is confirmed."""
    sql("CREATE TABLE IF NOT EXISTS t (x)")
    s = await consumer(slot_name=name, create=True)
    at = s.started["lsn"]
    sql(*(f"INSERT INTO t VALUES ({n})" for n in range(3)))
    await up_to(s, at + 3)
    await s.send("ack", {"lsn": at + 1})
    await confirmed(name, at + 1)
    print(at)


async def resumes(name, at):
    """After a restart: from the confirmed position, nothing missed."""
    at = int(at)
    s = await consumer(slot_name=name)
    assert at <= s.started["lsn"] <= at + 1, s.started
    frames = [f for t in await up_to(s, at + 3) for f in t if f["kind"] == "change"]
    assert [f["lsn"] for f in frames] == list(range(s.started["lsn"] + 1, at + 4)), frames
    await s.send("ack", {"lsn": at + 3})
    await s.close()
    await eventually_async(lambda: slot(name)["state"] == "idle")


async def at(name, lsn):
    assert slot(name)["confirmed_lsn"] == int(lsn), slot(name)


async def gap():
    """--changes-keep 10"""
    sql("CREATE TABLE t (x)")
    at = head()
    rest = Rest()
    rest.call("POST", "/replication/slots", {"name": "a"})
    s = await consumer(slot_name="b", create=True)
    sql(*(f"INSERT INTO t VALUES ({n})" for n in range(30)))
    await eventually_async(lambda: slot("a")["state"] == "lost", say="a lost slot")
    state = slot("a")
    assert state["lag_events"] is None and state["lag_seconds"] is None, state
    await up_to(s, at + 30)  # it reads ahead of what it confirms
    other = await connect(path=ENDPOINT)
    oldest = head() - 9
    await eventually_async(
        lambda: rest.call("GET", "/replication/status")["oldest_lsn"] == oldest, say="the pruning")
    problem = await other.refused("subscribe", {"slot_name": "a"}, "GAP")
    assert problem["oldest"] == oldest > at + 1, problem
    await other.refused("subscribe", {"slot_name": "a", "create": True, "since": 0}, "GAP")
    await other.refused("subscribe", {"since": at}, "GAP")
    rest.call("DELETE", "/replication/slots/a")
    answer = await other.ok("subscribe", {"slot_name": "a", "create": True, "since": 0},
                            "subscribed")
    assert answer["lsn"] == oldest - 1, answer
    frames = [f for t in await up_to(other, at + 30) for f in t]
    assert frames[0].get("continued") is True, "whether it began before is not known"
    assert len([f for f in frames if f.get("continued")]) == 1, frames


# ---- the protocol ---------------------------------------------------------------------------------


async def endpoint():
    """What the endpoint takes and what not; the topic on /api/v1/ws is the same."""
    s = await connect(path=ENDPOINT)
    for type_ in ("query", "publish", "begin"):
        await s.refused(type_, {}, "INVALID_MESSAGE")
    await s.refused("subscribe", {"topic": "table:t"}, "INVALID_MESSAGE")
    await s.refused("subscribe", {"where": "x"}, "INVALID_MESSAGE")
    await s.refused("subscribe", {"tables": []}, "INVALID_MESSAGE")
    await s.refused("subscribe", {"tables": [1]}, "INVALID_MESSAGE")
    await s.refused("subscribe", {"since": "x"}, "INVALID_MESSAGE")
    await s.refused("subscribe", {"since": head() + 1}, "INVALID_MESSAGE")
    await s.refused("ack", {"lsn": 0}, "NOT_FOUND")
    await s.ok("subscribe", {"topic": "replication"}, "subscribed")
    await s.refused("subscribe", {}, "CONFLICT")
    both = await consumer(path="/api/v1/ws", ddl=True)
    await both.subscribe("channel:x")
    sql("CREATE TABLE t (x)")
    assert (await briefly(both)).endswith(f"table_created t C{head()}")
    await both.query("INSERT INTO t VALUES (1)")
    assert await briefly(both) == await briefly(s)
    answer = await both.ok("ack", {"lsn": head()}, "query_result")
    assert answer["lsn"] == head(), answer
    for other, options in (("/api/v1/ws/events", {}), ("/api/v1/ws/metrics", {"slot_name": "a"})):
        elsewhere = await connect(path=other)
        await elsewhere.refused("subscribe", {"topic": "replication", **options}, "INVALID_MESSAGE")
        await elsewhere.close()
    anonymous = await connect(auth=False, path=ENDPOINT)
    await anonymous.refused("subscribe", {}, "AUTH_REQUIRED")
    for session in (s, both):
        await session.quiet()
        await session.close()


async def over_rpc():
    """The same by JSON-RPC: events are notifications, ack is a method."""
    s = await open_rpc()
    answer = await s.call("subscribe", {"topic": "replication", "slot_name": "a", "create": True,
                                        "ddl": True})
    sql("CREATE TABLE t (x)")
    frames = [await s.notification() for _ in range(3)]
    assert [f["kind"] for f in frames] == ["begin", "ddl", "commit"], frames
    lsn = frames[2]["lsn"]
    assert lsn == answer["lsn"] + 1, frames
    assert await s.call("ack", {"lsn": lsn}) == {"lsn": lsn}
    await s.refused(-32602, "INVALID_MESSAGE", "ack", [lsn + 1])
    await confirmed("a", lsn)
    await s.call("unsubscribe", [answer["subscription_id"]])
    await s.refused(-32012, "NOT_FOUND", "ack", [lsn])
    await s.close()


async def stopped():
    """SIGTERM: the last confirmation is kept; asked for by the shell afterwards."""
    sql("CREATE TABLE IF NOT EXISTS t (x)")
    s = await consumer(slot_name="last", create=True)
    for n in range(40):
        sql(f"INSERT INTO t VALUES ({n})")
        lsn = (await transaction(s))[-1]["lsn"]
        await s.ok("ack", {"lsn": lsn}, "query_result")
    print(lsn, flush=True)
    try:
        while True:
            await s.recv()
    except Closed as e:
        assert e.code == 1001, e


main(globals())
