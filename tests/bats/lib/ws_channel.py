"""Cases of ws.bats: channels and broadcasts."""

from rdb import Rest, connect, main


async def publish_and_subscribe():
    a, b, c = await connect(), await connect(), await connect()
    answer = await a.subscribe("channel:news")
    assert answer["topic"] == "channel:news" and answer["filter"] is None, answer
    assert answer.get("lsn") is None and answer.get("log_id") is None, answer
    await b.subscribe("channel:news")
    await b.subscribe("channel:News/é 2")
    await c.subscribe("channel:other")
    end = await c.ok("publish", {"channel": "news", "message": {"n": 1, "t": "é"}}, "query_result")
    assert end["part"] == "end" and end["delivered"] == 2, end
    for s in (a, b):
        e = await s.event()
        assert e["topic"] == "channel:news" and e["message"] == {"n": 1, "t": "é"}, e
        assert e["sent_at"] and "lsn" not in e, e
        assert e.get("event") is None and e.get("metadata") is None, e
    end = await a.ok(
        "publish",
        {"channel": "News/é 2", "message": "text", "event": "kind", "metadata": {"k": [1]}},
        "query_result",
    )
    assert end["delivered"] == 1
    e = await b.event()
    assert (e["message"], e["event"], e["metadata"]) == ("text", "kind", {"k": [1]}), e
    for s in (a, b, c):
        await s.quiet()
    rest = Rest()
    for message in (None, 0, "", False, [1, {"a": None}], "x" * 100000):
        answer = rest.call("POST", "/ws/broadcast", {"message": message, "channel": "other"})
        assert (answer["channel"], answer["delivered"]) == ("other", 1), answer
        assert (await c.event())["message"] == message
    id_ = (await c.subscribe("channel:last"))["subscription_id"]
    await c.ok("unsubscribe", {"subscription_id": id_}, "unsubscribed")
    assert rest.call("POST", "/ws/broadcast", {"message": 1, "channel": "last"})["delivered"] == 0
    # In order, from one publisher.
    for n in range(200):
        await a.send("publish", {"channel": "other", "message": n}, f"p{n}")
    assert [e["message"] for e in await c.events(200)] == list(range(200))
    for s in (a, b, c):
        await s.close()


async def broadcast_reaches_everyone():
    sessions = [await connect() for _ in range(3)]
    await sessions[0].subscribe("channel:x")
    stranger = await connect(auth=False)
    rest = Rest()
    answer = rest.call("POST", "/ws/broadcast", {"message": {"all": True}, "event": "notice"})
    assert answer["delivered"] == 3, answer
    for s in sessions:
        e = await s.event()
        assert e["topic"] == "broadcast" and e["message"] == {"all": True} and e["event"] == "notice", e
        await s.quiet()
    await stranger.quiet()  # one that has not authenticated gets nothing
    for s in sessions + [stranger]:
        await s.close()


async def refused():
    s = await connect()
    for field in ({"since": 0}, {"where": "1"}, {"ops": ["insert"]}):
        await s.refused("subscribe", {"topic": "channel:x", **field}, "INVALID_MESSAGE")
    for payload in (
        {},
        {"channel": "x"},
        {"message": 1},
        {"channel": "", "message": 1},
        {"channel": 5, "message": 1},
        {"channel": "x", "message": 1, "event": 5},
        {"channel": "x", "message": 1, "more": 1},
    ):
        await s.refused("publish", payload, "INVALID_MESSAGE")
    await s.quiet()
    await s.close()


main(globals())
