"""Cases of manage.bats."""

import asyncio
import json
import os
import re
import resource
import subprocess
from urllib.parse import quote

import wsclient
from rdb import LIMIT, Closed, Refused, Rest, connect, eventually, in_thread, main, port, token

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


def _refused(rest, status, code, method, path, body=None):
    try:
        answer = rest.call(method, path, body)
    except Refused as e:
        assert (e.status, e.code) == (status, code), e
        return e.problem
    raise AssertionError(f"{method} {path} was accepted: {answer}")


def _id(session):
    return session.welcome["payload"]["connection_id"]


def _number(connection_id):
    return int(connection_id[1:])


def _walk(rest, path, name, key, limit):
    """All pages by offset; their rows."""
    rows, offset = [], 0
    while True:
        page = rest.call("GET", f"{path}{'&' if '?' in path else '?'}offset={offset}&limit={limit}")
        assert page["offset"] == offset and page["limit"] == limit, page
        assert len(page[name]) == max(0, min(limit, page["total"] - offset)), page
        rows += page[name]
        offset += limit
        if offset >= page["total"]:
            assert len({r[key] for r in rows}) == len(rows) == page["total"]
            return rows


async def status_counts():
    rest = Rest()
    rest.run("CREATE TABLE t(a)")
    sessions = [await connect() for _ in range(6)]
    for s in sessions:
        await s.subscribe("table:t")
        await s.quiet()
    before = rest.call("GET", "/ws/status")
    assert before["active_connections"] == 6 and before["active_subscriptions"] == 6, before
    # Each: 10 pings, then 3 events in one commit or in three.
    for s in sessions:
        for n in range(10):
            await s.ok("ping", {"n": n}, "pong")
    rest.run("INSERT INTO t VALUES(1), (2)", "INSERT INTO t VALUES(3)")
    for s in sessions:
        await s.events(3)
    columns, rows, end = await sessions[0].query("SELECT a FROM t")
    assert len(rows) == 3

    def counted():
        now = rest.call("GET", "/ws/status")
        more = {k: now[k] - before[k] for k in before if isinstance(now[k], int)}
        return more["messages_sent"] >= 6 * 13 + 3 and (now, more)

    now, more = eventually(counted)
    assert more["messages_received"] == 61, more
    assert more["frames_delivered"] == 18, more
    assert more["messages_sent"] == 6 * 13 + 3, more  # the query's: columns, rows, end
    assert more["bytes_sent"] > 61 * 30 and more["bytes_received"] > 61 * 30, more
    within = [now[f"{p}_message_latency_ms"] for p in ("p50", "p95", "p99")]
    assert 0 < within[0] <= within[1] <= within[2], now
    assert now["avg_message_latency_ms"] > 0, now
    for s in sessions:
        await s.close()


async def connection_fields():
    rest = Rest()
    rest.run("CREATE TABLE t(a)")
    s = await connect(headers={"User-Agent": "Tester/1.0 (ünïcode)"})
    await s.subscribe("table:t")
    await s.subscribe("channel:x")
    one = rest.call("GET", f"/ws/connections/{_id(s)}")
    assert list(one) == [
        *("connection_id", "remote_address", "protocol", "client_certificate", "peer_uid", "subprotocol"),
        *("state", "session_id", "user_id", "connected_at", "last_activity", "messages_sent", "messages_received"),
        *("bytes_sent", "bytes_received", "bytes_waiting", "subscription_count", "subscriptions"),
        *("user_agent", "metadata"),
    ], one
    host, at = s.ws.local_address[:2]
    assert one["remote_address"] == f"{host}:{at}", one
    assert (one["protocol"], one["subprotocol"]) == ("ws", "rustydb.json.v1"), one
    assert (one["state"], one["user_id"], one["metadata"]) == ("open", "root", None), one
    assert one["messages_sent"] == 3 and one["messages_received"] == 2, one
    assert one["bytes_sent"] > 200 and one["bytes_received"] > 60, one
    assert one["bytes_waiting"] == 0, one
    assert one["subscription_count"] == len(one["subscriptions"]) == 2, one
    assert one["user_agent"].startswith("Tester/1.0 ("), one
    assert re.fullmatch(STAMP, one["connected_at"]), one
    assert one["connected_at"] <= one["last_activity"], one
    # A moment has one name, however often it is asked for; what happens later moves the other.
    await s.ok("ping", {}, "pong")
    again = rest.call("GET", f"/ws/connections/{_id(s)}")
    assert again["connected_at"] == one["connected_at"], (one, again)
    assert again["last_activity"] > one["last_activity"], (one, again)
    assert again["session_id"] == one["session_id"], (one, again)
    listed = rest.call("GET", "/ws/connections")["connections"]
    assert [(c["connection_id"], c["session_id"]) for c in listed] == [
        (_id(s), one["session_id"])
    ], listed
    long = await connect(headers={"User-Agent": "a" * 1000})
    assert rest.call("GET", f"/ws/connections/{_id(long)}")["user_agent"] == "a" * 200
    for who in (s, long):
        await who.close()
    await in_thread(eventually, lambda: rest.call("GET", "/ws/connections")["total"] == 0)
    _refused(rest, 404, "NOT_FOUND", "GET", f"/ws/connections/{_id(s)}")


async def connection_pages():
    rest = Rest()
    sessions = [await connect() for _ in range(23)]
    ids = [_id(s) for s in sessions]
    for limit in (1, 4, 23, 1000):
        rows = _walk(rest, "/ws/connections", "connections", "connection_id", limit)
        assert [r["connection_id"] for r in rows] == ids, rows
    beyond = rest.call("GET", "/ws/connections?offset=24")
    assert beyond == {"total": 23, "offset": 24, "limit": 100, "connections": []}, beyond
    after = rest.call("GET", f"/ws/connections?after={ids[9]}&limit=3")
    assert after["total"] == 13, after
    assert [c["connection_id"] for c in after["connections"]] == ids[10:13], after
    # What is gone leaves no hole.
    for s in sessions[5:10]:
        await s.close()
    await in_thread(eventually, lambda: rest.call("GET", "/ws/connections")["total"] == 18)
    rows = _walk(rest, "/ws/connections", "connections", "connection_id", 5)
    assert [r["connection_id"] for r in rows] == ids[:5] + ids[10:], rows


async def connection_filters():
    rest = Rest()
    s, t = await connect(), await connect()
    stranger = await connect(auth=False)
    ids = sorted((_id(x) for x in (s, t)), key=_number)

    def listed(query):
        page = rest.call("GET", f"/ws/connections?{query}")
        assert page["total"] == len(page["connections"]), page
        return [c["connection_id"] for c in page["connections"]]

    assert listed("state=open") == ids
    assert listed("state=authenticating") == [_id(stranger)]
    assert rest.call("GET", f"/ws/connections/{_id(stranger)}")["user_id"] is None
    assert listed("state=closing") == []
    assert listed("user_id=root") == ids
    assert listed("user_id=nobody") == []
    assert listed("user_id=root&state=authenticating") == []
    await stranger.ok("auth", {"token": token()}, "auth_success")
    assert len(listed("user_id=root")) == 3
    for wrong in (
        *("limit=0", "limit=1001", "limit=x", "limit=", "limit=1e2", "limit=99999999999999999999"),
        *("offset=-1", "offset=+1", "offset=1.5", "state=up", "state=", "user_id=", "after=", "after=12"),
        *("after=c0", "after=c-1", "after=cx", "user_id=" + 64 * "a", "colour=red", "limit=" + 40 * "0"),
        "user_id=" + 3000 * "a",
    ):
        _refused(rest, 400, "INVALID_MESSAGE", "GET", f"/ws/connections?{wrong}")
    for wrong in ("c99", "c0", "c01", "x1", "c", "c-1", "c1x", "c18446744073709551617", 300 * "c"):
        _refused(rest, 404, "NOT_FOUND", "GET", f"/ws/connections/{wrong}")
        _refused(rest, 404, "NOT_FOUND", "DELETE", f"/ws/connections/{wrong}")


async def connection_metadata():
    rest = Rest()
    s = await connect(auth=False)
    told = {"application": "tests", "nested": {"list": [1, 2.5, None, "ä"]}}
    await s.refused("auth", {"token": token(), "metadata": "text"}, "INVALID_MESSAGE")
    await s.refused("auth", {"token": token(), "metadata": {"a": "x" * 1024}}, "MESSAGE_TOO_BIG")
    assert rest.call("GET", f"/ws/connections/{_id(s)}")["state"] == "authenticating"
    await s.refused("auth", {"token": "wrong", "metadata": told}, "AUTH_FAILED")
    assert rest.call("GET", f"/ws/connections/{_id(s)}")["metadata"] is None
    await s.ok("auth", {"token": token(), "metadata": told}, "auth_success")
    assert rest.call("GET", f"/ws/connections/{_id(s)}")["metadata"] == told
    # Once more, on a connection that is in already: it takes the place of the first.
    await s.ok("auth", {"token": token(), "metadata": {"b": 1}}, "auth_success")
    await s.ok("auth", {"token": token()}, "auth_success")
    assert rest.call("GET", f"/ws/connections/{_id(s)}")["metadata"] == {"b": 1}
    with_header = await connect()
    await with_header.ok("auth", {"token": token(), "metadata": {}}, "auth_success")
    assert rest.call("GET", f"/ws/connections/{_id(with_header)}")["metadata"] == {}


async def connection_killed():
    rest = Rest()
    rest.run("CREATE TABLE t(a)")
    sessions = [await connect() for _ in range(6)]
    for s in sessions:
        await s.subscribe("table:t")
    reason = "lünch time & more?"
    cases = (
        (f"?reason={quote(reason)}&close_code=4321", 4321, reason),
        ("", 1008, "closed by the administration"),
        ("?close_code=1000&reason=", 1000, ""),
        ("?close_code=1012", 1012, "closed by the administration"),
        ("?reason=" + 123 * "r", 1008, 123 * "r"),
    )
    for s, (query, code, why) in zip(sessions, cases):
        answer = rest.call("DELETE", f"/ws/connections/{_id(s)}{query}")
        assert answer == {
            "connection_id": _id(s),
            "closed": True,
            "close_code": code,
            "reason": why,
        }, answer
        assert await s.until_closed() == (code, why), code
        assert s.system[-1]["event"] == "closing", s.system
        assert (s.system[-1]["code"], s.system[-1]["reason"]) == (code, why), s.system
    left = sessions[-1]
    for wrong in (
        *("close_code=999", "close_code=1005", "close_code=1006", "close_code=1015", "close_code=1010"),
        *("close_code=1004", "close_code=2000", "close_code=2999", "close_code=5000", "close_code=x"),
        *("close_code=", "reason=" + 124 * "r", "reason=%ff", "code=1000", "reason=" + 5000 * "r"),
    ):
        _refused(rest, 400, "INVALID_MESSAGE", "DELETE", f"/ws/connections/{_id(left)}?{wrong}")
    # The others have gone, with their subscriptions, and this one goes on.
    await in_thread(eventually, lambda: rest.call("GET", "/ws/connections")["total"] == 1)
    _refused(rest, 404, "NOT_FOUND", "DELETE", f"/ws/connections/{_id(sessions[0])}")
    now = rest.call("GET", "/ws/status")
    assert now["active_connections"] == now["active_subscriptions"] == 1, now
    rest.run("INSERT INTO t VALUES(1)")
    assert (await left.event())["row"] == {"a": 1}


def _topics(page):
    return [(s["subscription_type"], s["target"]) for s in page["subscriptions"]]


async def subscription_fields():
    rest = Rest()
    rest.run("CREATE TABLE t(a)", "INSERT INTO t VALUES(1), (2)")
    s = await connect()
    filtered = await s.subscribe("table:T", where="a > 5", ops=["insert", "delete"])
    await s.subscribe("channel:news:today")
    await s.subscribe("table:t", since=1, policy="replay")
    page = rest.call("GET", "/ws/subscriptions")
    assert page["total"] == 3 and page["offset"] == 0 and page["limit"] == 100, page
    table, channel, resumed = page["subscriptions"]
    assert list(table) == [
        *("subscription_id", "connection_id", "subscription_type", "target", "filters"),
        *("created_at", "messages_sent", "last_message_at", "status", "config", "lag"),
    ], table
    assert table["subscription_id"] == filtered["subscription_id"], table
    assert table["connection_id"] == channel["connection_id"] == _id(s), page
    assert _topics(page) == [("table", "t"), ("channel", "news:today"), ("table", "t")], page
    assert table["filters"] == {"ops": ["insert", "delete"], "where": "a > 5"}, table
    assert channel["filters"] == resumed["filters"] == {}, page
    assert table["config"] == {"policy": "disconnect"}, table
    assert resumed["config"] == {"policy": "replay", "since": 1}, resumed
    assert re.fullmatch(STAMP, table["created_at"]), table
    assert table["created_at"] <= channel["created_at"] <= resumed["created_at"], page
    assert table["messages_sent"] == 0 and table["last_message_at"] is None, table
    rest.run("INSERT INTO t VALUES(6), (7)", "DELETE FROM t WHERE a = 1")
    rest.call("POST", "/ws/broadcast", {"channel": "news:today", "message": 1})

    def counted():
        page = rest.call("GET", "/ws/subscriptions")["subscriptions"]
        sent = [s["messages_sent"] for s in page]
        return sent == [2, 1, 5] and page  # the last one got the first two rows from the log

    table, channel, resumed = eventually(counted)
    for one in (table, channel, resumed):
        assert one["lag"] == 0 and one["status"] == "live", one
        assert re.fullmatch(STAMP, one["last_message_at"]), one
        assert one["created_at"] < one["last_message_at"], one
    one = rest.call("GET", f"/ws/subscriptions/{channel['subscription_id']}")
    assert one == channel, (one, channel)
    await s.ok("unsubscribe", {"subscription_id": channel["subscription_id"]}, "unsubscribed")
    _refused(rest, 404, "NOT_FOUND", "GET", f"/ws/subscriptions/{channel['subscription_id']}")
    assert rest.call("GET", "/ws/subscriptions")["total"] == 2


async def subscription_pages():
    rest = Rest()
    rest.run("CREATE TABLE t(a)", "CREATE TABLE u(a)")
    sessions = [await connect() for _ in range(5)]
    made = []
    for n in range(4):
        for s in sessions:
            topic = f"channel:x{n}" if n < 2 else f"table:{'tu'[n - 2]}"
            made.append((await s.subscribe(topic))["subscription_id"])

    def listed(query):
        page = rest.call("GET", f"/ws/subscriptions?{query}")
        assert page["total"] == len(page["subscriptions"]), page
        return [s["subscription_id"] for s in page["subscriptions"]]

    for limit in (1, 3, 20, 1000):
        rows = _walk(rest, "/ws/subscriptions", "subscriptions", "subscription_id", limit)
        assert [r["subscription_id"] for r in rows] == made, rows
    assert listed(f"after={made[16]}") == made[17:]
    assert listed(f"connection_id={_id(sessions[2])}") == made[2::5]
    assert listed("connection_id=c999999") == []
    assert listed("subscription_type=table") == made[10:]
    assert listed("subscription_type=tabl") == []
    assert listed("subscription_type=channel&target=x1") == made[5:10]
    assert listed("target=u&status=live") == made[15:]
    assert listed("status=replaying") == []
    for wrong in (
        *("limit=0", "limit=1001", "offset=-1", "status=up", "connection_id=s1", "connection_id="),
        *("after=c1", "subscription_type=", "target=", "subscription_type=" + 40 * "a", "user_id=x"),
    ):
        _refused(rest, 400, "INVALID_MESSAGE", "GET", f"/ws/subscriptions?{wrong}")
    for wrong in ("s99999", "s0", "c1", "s", "s01", 300 * "s"):
        _refused(rest, 404, "NOT_FOUND", "GET", f"/ws/subscriptions/{wrong}")
        _refused(rest, 404, "NOT_FOUND", "DELETE", f"/ws/subscriptions/{wrong}")


async def subscribed_from_outside():
    rest = Rest()
    rest.run("CREATE TABLE t(a)", "INSERT INTO t VALUES(1), (2), (3)")
    # One connection of each reactor: which asks whom differs from run to run.
    sessions = [await connect() for _ in range(6)]
    for s in sessions:
        made = rest.call(
            "POST",
            "/ws/subscriptions",
            {
                "connection_id": _id(s),
                "subscription_type": "table",
                "target": "T",
                "filters": {"where": "a > 1", "ops": ["insert"]},
                "config": {"since": 1, "policy": "drop_oldest"},
            },
        )
        assert (made["subscription_type"], made["target"]) == ("table", "t"), made
        assert made["filters"] == {"ops": ["insert"], "where": "a > 1"}, made
        assert made["config"] == {"policy": "drop_oldest", "since": 1}, made
        told = await s.recv()
        assert told["type"] == "subscribed" and "id" not in told, told
        assert told["payload"]["subscription_id"] == made["subscription_id"], (told, made)
        assert [(await s.event())["row"]["a"] for _ in range(2)] == [2, 3]
        channel = rest.call(
            "POST", "/ws/subscriptions", {"connection_id": _id(s), "topic": "channel:x"}
        )
        assert channel["status"] == "live", channel
        assert (await s.recv())["payload"]["topic"] == "channel:x"
    assert rest.call("POST", "/ws/broadcast", {"channel": "x", "message": 1})["delivered"] == 6
    rest.run("INSERT INTO t VALUES(0), (4)")
    for s in sessions:
        got = [await s.event(), await s.event()]
        assert {m["topic"] for m in got} == {"channel:x", "table:t"}, got

    one = {"connection_id": _id(sessions[0])}
    for body, status, code in (
        ({**one, "topic": "channel:x"}, 409, "CONFLICT"),
        ({**one, "topic": "table:none"}, 404, "TABLE_NOT_FOUND"),
        ({**one, "topic": "table:t", "filters": {"where": "b > 1"}}, 400, "INVALID_MESSAGE"),
        ({**one, "topic": "table:t", "filters": {"ops": []}}, 400, "INVALID_MESSAGE"),
        ({**one, "topic": "table:t", "filters": {"colour": 1}}, 400, "INVALID_MESSAGE"),
        ({**one, "topic": "table:t", "filters": {"topic": "table:u"}}, 400, "INVALID_MESSAGE"),
        ({**one, "topic": "table:t", "config": {"policy": "x"}}, 400, "INVALID_MESSAGE"),
        ({**one, "topic": "table:t", "config": 1}, 400, "INVALID_MESSAGE"),
        ({**one, "topic": "table:t", "ops": ["insert"], "filters": {"ops": ["insert"]}}, 400, "INVALID_MESSAGE"),
        ({**one, "topic": "table:t", "subscription_type": "table"}, 400, "INVALID_MESSAGE"),
        ({**one, "topic": "table:t", "config": {"since": 10**9}}, 400, "INVALID_MESSAGE"),
        ({**one, "topic": "nonsense"}, 400, "INVALID_MESSAGE"),
        ({**one, "subscription_type": "table", "target": 2000 * "t"}, 400, "INVALID_MESSAGE"),
        ({**one, "topic": "table:t", "target": "t"}, 400, "INVALID_MESSAGE"),
        ({**one, "target": "t"}, 400, "INVALID_MESSAGE"),
        (one, 400, "INVALID_MESSAGE"),
        ({"connection_id": 1, "topic": "table:t"}, 400, "INVALID_MESSAGE"),
        ({"topic": "table:t"}, 400, "INVALID_MESSAGE"),
        ({"connection_id": "c999999", "topic": "table:t"}, 404, "NOT_FOUND"),
        ({"connection_id": "nobody", "topic": "table:t"}, 404, "NOT_FOUND"),
        ([], 400, "INVALID_MESSAGE"),
    ):
        _refused(rest, status, code, "POST", "/ws/subscriptions", body)
    stranger = await connect(auth=False)
    body = {"connection_id": _id(stranger), "topic": "table:t"}
    _refused(rest, 409, "CONFLICT", "POST", "/ws/subscriptions", body)
    # What was refused left nothing behind, and the client was not told of it.
    assert rest.call("GET", "/ws/subscriptions")["total"] == 12
    await sessions[0].quiet()
    # The fields of `subscribe` itself are good, too.
    made = rest.call(
        "POST",
        "/ws/subscriptions",
        {**one, "tables": ["t"], "where": "a > 100", "columns": ["a"], "policy": "replay"},
    )
    assert (made["subscription_type"], made["target"]) == ("table", "t"), made
    assert made["filters"] == {"where": "a > 100", "columns": ["a"]}, made


async def subscription_ended():
    rest = Rest()
    rest.run("CREATE TABLE t(a)")
    sessions = [await connect() for _ in range(4)]
    for s in sessions:
        await s.subscribe("channel:x")
    for s, query, reason in (
        (sessions[0], "", "ended by the administration"),
        (sessions[1], "?reason=enough+of+this%21", "enough of this!"),
    ):
        made = await s.subscribe("table:t")
        id_ = made["subscription_id"]
        answer = rest.call("DELETE", f"/ws/subscriptions/{id_}{query}")
        assert answer == {"subscription_id": id_, "cancelled": True, "reason": reason}, answer
        told = await s.recv()
        assert told["type"] == "error" and "id" not in told, told
        assert told["payload"]["code"] == "CANCELLED", told
        assert told["payload"]["subscription_id"] == id_, told
        assert told["payload"]["message"] == reason, told
        _refused(rest, 404, "NOT_FOUND", "DELETE", f"/ws/subscriptions/{id_}")
        rest.run("INSERT INTO t VALUES(1)")
        await s.quiet()
        assert rest.call("POST", "/ws/broadcast", {"channel": "x", "message": 1})["delivered"] == 4
        for each in sessions:
            assert (await each.event())["topic"] == "channel:x"
        # It may come back.
        again = await s.subscribe("table:t")
        await s.ok("unsubscribe", {"subscription_id": again["subscription_id"]}, "unsubscribed")
    id_ = (await sessions[2].subscribe("table:t"))["subscription_id"]
    for wrong in ("reason=" + 300 * "r", "reason=%ff", "reason=", "why=1"):
        _refused(rest, 400, "INVALID_MESSAGE", "DELETE", f"/ws/subscriptions/{id_}?{wrong}")
    assert rest.call("GET", f"/ws/subscriptions/{id_}")["status"] == "live"


async def lag_is_what_waits():
    """A subscriber that does not read falls behind by what is written, and says so."""
    rest = Rest()
    rest.run("CREATE TABLE t(a TEXT)")
    s = await connect(max_queue=1, read_limit=1024)
    made = await s.subscribe("table:t")
    s.ws.transport.pause_reading()
    rest.run(
        "INSERT INTO t WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 4000)"
        " SELECT printf('%.*c', 2000, 'x') FROM c"
    )
    path = f"/ws/subscriptions/{made['subscription_id']}"

    def behind():
        one = rest.call("GET", path)
        return one["messages_sent"] + one["lag"] == 4000 and one["lag"] > 0 and one

    one = eventually(behind)
    assert one["status"] == "live", one
    s.ws.transport.resume_reading()
    await s.events(4000)
    one = rest.call("GET", path)
    assert (one["messages_sent"], one["lag"]) == (4000, 0), one


async def subscriptions_come_and_go():
    """Subscribes connections from outside while they go: every request is answered, and what it
    says holds."""
    rest = Rest()
    rest.run("CREATE TABLE t(a)")
    going = True

    async def churn():
        while going:
            s = await connect()
            waiting.append(_id(s))
            try:
                await s.recv(0.02)
                await s.recv(0.02)
            except (asyncio.TimeoutError, Closed):
                pass
            s.ws.transport.abort()

    def subscribe(rest):
        outcomes = {}
        for n in range(400):
            id_ = waiting[-1] if waiting else "c1"
            try:
                made = rest.call(
                    "POST",
                    "/ws/subscriptions",
                    {"connection_id": id_, "topic": ("table:t", "channel:x")[n % 2]},
                )
                assert made["connection_id"] == id_, made
                outcome = "made"
            except Refused as e:
                outcome = e.code
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
            page = rest.call("GET", "/ws/subscriptions?limit=1000")
            ids = [_number(s["subscription_id"]) for s in page["subscriptions"]]
            assert ids == sorted(ids) and len(ids) == len(set(ids)), ids
        return outcomes

    waiting = []
    churning = [asyncio.create_task(churn()) for _ in range(4)]
    try:
        for outcomes in await asyncio.gather(
            in_thread(subscribe, rest), in_thread(subscribe, Rest())
        ):
            assert outcomes.get("made", 0) > 0, outcomes
            assert set(outcomes) <= {"made", "NOT_FOUND", "CONFLICT"}, outcomes
    finally:
        going = False
    for c in churning:
        await asyncio.wait_for(c, LIMIT)
    # In a thread, for an abort takes another turn of this loop.
    await in_thread(eventually, lambda: rest.call("GET", "/ws/status")["active_connections"] == 0)
    assert rest.call("GET", "/ws/subscriptions")["total"] == 0
    now = rest.call("GET", "/ws/status")
    assert now["active_subscriptions"] == 0, now


async def broadcast_targets():
    rest = Rest()
    rest.run("CREATE TABLE t(a)")
    sessions = [await connect() for _ in range(6)]
    ids = [_id(s) for s in sessions]
    stranger = await connect(auth=False)
    for s in sessions[:3]:
        await s.subscribe("table:t")
    for s in sessions[2:5]:
        await s.subscribe("channel:x")

    async def reaches(body, whom):
        answer = rest.call("POST", "/ws/broadcast", {"message": {"n": 1}, **body})
        want = {"channel": body.get("channel"), "delivered": len(whom)}
        if body.get("list_connections") or body.keys() & {"user_id", "target_connections", "subscription_type"}:
            want["connections"] = [ids[i] for i in whom]
        assert answer == want, (body, answer)
        for i, s in enumerate(sessions):
            if i in whom:
                got = await s.event()
                assert got["message"] == {"n": 1}, got
                topic = f"channel:{body['channel']}" if "channel" in body else "broadcast"
                assert got["topic"] == topic, got
                assert got.get("event") == body.get("event"), got
                assert got.get("metadata") == body.get("metadata"), got
            await s.quiet()

    everyone = [0, 1, 2, 3, 4, 5]
    await reaches({}, everyone)
    await reaches({"list_connections": True}, everyone)
    await reaches({"list_connections": False}, everyone)
    await reaches({"user_id": "root", "event": "e", "metadata": {"m": 1}}, everyone)
    await reaches({"user_id": "nobody"}, [])
    await reaches({"target_connections": [ids[4], ids[1], ids[4]]}, [1, 4])
    await reaches({"target_connections": [ids[0], "c99999999", _id(stranger)]}, [0])
    await reaches({"subscription_type": "table"}, [0, 1, 2])
    await reaches({"subscription_type": "tab"}, [])
    await reaches({"subscription_type": "channel", "target_connections": ids[:4]}, [2, 3])
    await reaches({"channel": "x"}, [2, 3, 4])
    await reaches({"channel": "x", "list_connections": True}, [2, 3, 4])
    await reaches({"channel": "y", "list_connections": True}, [])
    await reaches({"channel": "x", "user_id": "root"}, [2, 3, 4])
    await reaches({"channel": "x", "user_id": "nobody"}, [])
    await reaches({"channel": "x", "target_connections": [ids[0], ids[3]]}, [3])
    await reaches({"channel": "x", "subscription_type": "table"}, [2])
    await reaches({"channel": "y", "target_connections": ids}, [])
    for wrong in (
        *({"target_connections": []}, {"target_connections": ids[0]}, {"target_connections": ["x"]}),
        *({"target_connections": [1]}, {"target_connections": [ids[0]] * 1001}, {"user_id": 1}),
        *({"subscription_type": []}, {"to": ids[0]}),
    ):
        _refused(rest, 400, "INVALID_MESSAGE", "POST", "/ws/broadcast", {"message": 1, **wrong})
    for s in sessions:
        await s.quiet()


async def more_than_a_page():
    """The command line walks all pages; so many connections are more than one may hold."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    for _ in range(21):
        await asyncio.gather(*(connect() for _ in range(50)))

    def listed(*arguments):
        command = [os.environ["RUSTYDB_BIN"], "connections", "--format", "jsonl", *arguments]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [json.loads(line)["connection_id"] for line in lines.splitlines()]

    ids = await in_thread(listed)
    assert len(ids) == len(set(ids)) == 1050, len(ids)
    assert ids == sorted(ids, key=_number)
    assert await in_thread(listed, "--limit", "1003") == ids[:1003]
    assert await in_thread(listed, "--limit", "1000") == ids[:1000]


async def connections_come_and_go():
    """Lists while clients come, ask and go in every way there is. Those that stay are on every
    list, each once and in order."""
    rest = Rest()
    stay = [await connect() for _ in range(12)]
    steady = {_id(s) for s in stay}
    going = True

    async def churn(number):
        rounds = 0
        while going:
            ws = await wsclient.connect(
                f"ws://127.0.0.1:{port()}/api/v1/ws",
                {
                    "Authorization": f"Bearer {token()}",
                    "User-Agent": f"agent {number} {rounds % 3}",
                },
                open_timeout=LIMIT,
            )
            try:
                await ws.recv()
                if (rounds + number) % 3 == 0:
                    ws.transport.abort()
                elif (rounds + number) % 3 == 1:
                    await ws.close()
                else:
                    await ws.send('{"type":"close"}')
                    await ws.wait_closed()
            except wsclient.ConnectionClosed as e:  # the other looker was quicker
                assert e.rcvd and e.rcvd.code == 4000, e
            rounds += 1
        return rounds

    def look(rest, kill):
        for round_ in range(40):
            rows, after = [], ""
            while True:
                page = rest.call("GET", f"/ws/connections?limit=3{after}")
                if not page["connections"]:
                    break
                rows += page["connections"]
                after = f"&after={rows[-1]['connection_id']}"
            ids = [r["connection_id"] for r in rows]
            assert sorted(ids, key=_number) == ids and len(set(ids)) == len(ids), ids
            assert steady <= set(ids), (steady, ids)
            whole = rest.call("GET", "/ws/connections?limit=1000")
            assert steady <= {r["connection_id"] for r in whole["connections"]}, whole
            for victim in [i for i in ids if i not in steady] if kill else []:
                try:
                    rest.call("DELETE", f"/ws/connections/{victim}?close_code=4000")
                except Refused as e:
                    assert e.status == 404, e
        return True

    churning = [asyncio.create_task(churn(n)) for n in range(6)]
    try:
        done = await asyncio.gather(
            in_thread(look, rest, False), in_thread(look, Rest(), True)
        )
        assert done == [True, True]
    finally:
        going = False
    came = [await asyncio.wait_for(c, LIMIT) for c in churning]
    assert sum(came) > 12, came
    await in_thread(eventually, lambda: rest.call("GET", "/ws/connections")["total"] == 12)


main(globals())
