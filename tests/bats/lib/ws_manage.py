"""Cases of manage.bats."""

import asyncio
import json
import os
import re
import resource
import subprocess
from urllib.parse import quote

import websockets
from rdb import LIMIT, Refused, Rest, connect, eventually, in_thread, main, port, token

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
        *("connection_id", "remote_address", "protocol", "subprotocol", "state", "session_id"),
        *("user_id", "connected_at", "last_activity", "messages_sent", "messages_received"),
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
    eventually(lambda: rest.call("GET", "/ws/connections")["total"] == 0)
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
    eventually(lambda: rest.call("GET", "/ws/connections")["total"] == 18)
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
    eventually(lambda: rest.call("GET", "/ws/connections")["total"] == 1)
    _refused(rest, 404, "NOT_FOUND", "DELETE", f"/ws/connections/{_id(sessions[0])}")
    now = rest.call("GET", "/ws/status")
    assert now["active_connections"] == now["active_subscriptions"] == 1, now
    rest.run("INSERT INTO t VALUES(1)")
    assert (await left.event())["row"] == {"a": 1}


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
            ws = await websockets.connect(
                f"ws://127.0.0.1:{port()}/api/v1/ws",
                extra_headers={
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
            except websockets.ConnectionClosed as e:  # the other looker was quicker
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
    eventually(lambda: rest.call("GET", "/ws/connections")["total"] == 12)


main(globals())
