"""Cases of monitoring.bats that need several connections at once."""

from rdb import Rest, connect, eventually, main


async def sessions():
    rest, idle = Rest(), Rest()
    idle.call("GET", "/health/liveness")
    s = await connect()
    number = s.welcome["payload"]["connection_id"]
    listed = rest.call("GET", "/monitoring/sessions")
    by_id = {one["connection_id"]: one for one in listed["sessions"]}
    assert listed["total"] == len(by_id) >= 3, listed
    numbers = [int(one["connection_id"][1:]) for one in listed["sessions"]]
    assert numbers == sorted(numbers), numbers
    ws = by_id[number]
    assert ws["kind"] == "websocket" and ws["state"] == "open" and ws["user"] == "root", ws
    assert ws["request"] is None and ws["protocol"] == "rustydb.json.v1", ws
    states = sorted(one["state"] for one in by_id.values())
    assert states.count("active") == 1 and "idle" in states, states
    only = rest.call("GET", "/monitoring/sessions?kind=websocket")
    assert [one["connection_id"] for one in only["sessions"]] == [number], only
    page = rest.call("GET", "/monitoring/sessions?limit=1&offset=1")
    assert page["total"] == listed["total"] and len(page["sessions"]) == 1, page
    assert rest.call("GET", "/monitoring/sessions?user=nobody")["total"] == 0

    tx = rest.call("POST", "/transactions", {})["transaction_id"]
    open_now = rest.call("GET", "/monitoring/sessions")["transactions"]
    assert [one["id"] for one in open_now] == [tx], open_now
    assert open_now[0]["open_ms"] >= open_now[0]["idle_ms"] >= 0, open_now
    rest.call("POST", f"/transactions/{tx}/rollback", {})
    eventually(lambda: rest.call("GET", "/monitoring/sessions")["transactions"] == [])


main(globals())
