"""Cases of metrics.bats: the topic `metrics` and the endpoint /api/v1/ws/metrics."""

import asyncio
import datetime
import json
import os
import signal
import time

import bin_session
import rpc_session
from rdb import Rest, connect, daemon_pid, in_thread, main, sql, token

ENDPOINT = "/api/v1/ws/metrics"


def seconds(sample):
    return datetime.datetime.fromisoformat(sample["at"].replace("Z", "+00:00")).timestamp()


async def intervals():
    s = await connect()
    started = time.monotonic()
    answer = await s.subscribe("metrics", interval=250, metrics=["cpu.*"])
    assert answer["topic"] == "metrics" and answer["filter"] is None, answer
    assert "lsn" not in answer and "log_id" not in answer, answer
    first = await s.event()
    assert first["topic"] == "metrics" and "lsn" not in first, first
    at = [seconds(first)] + [seconds(e) for e in await s.events(8)]
    took = time.monotonic() - started
    assert took >= 8 * 0.25 - 0.05, took
    mean = (at[-1] - at[0]) / 8
    assert 0.24 < mean < 0.5, at
    e = await s.event()
    assert 200 <= e["period_ms"] < 2000, e
    # A long interval: the first sample comes all the same.
    other = await connect()
    await other.subscribe("metrics", interval=3600000)
    await other.event(timeout=20)
    third = await connect()
    await third.subscribe("metrics", interval=3600000)
    e = await third.event(timeout=20)
    assert e["period_ms"] >= 100, e
    await other.quiet()
    for session in (s, other, third):
        await session.close()


async def chosen():
    rest = Rest()
    catalog = [m["name"] for m in rest.call("GET", "/metrics/catalog")["metrics"]]
    s = await connect()
    await s.subscribe("metrics", interval=100)
    assert list((await s.event())["metrics"]) == catalog
    await s.subscribe("metrics", interval=100, metrics=["feed.lag", "memory.*", "cpu.cores"])
    for e in await s.events(3):
        want = [n for n in catalog if n.startswith("memory.") or n in ("feed.lag", "cpu.cores")]
        assert list(e["metrics"]) == want, e
    await s.close()


async def agree():
    rest = Rest()
    rest.run("CREATE TABLE t(a)")
    s = await connect()
    await s.subscribe("metrics", interval=100,
                      metrics=["connections.*", "queries.*", "network.*", "topics.*", "latency.*"])
    first = (await s.event())["metrics"]
    others = [await connect() for _ in range(7)]
    for o in others:
        await o.subscribe("table:t")
    rest.run(*("INSERT INTO t VALUES(1)" for _ in range(5)))
    for o in others:
        await o.events(5)
        await o.ok("ping", {}, "pong")
    rates = 0.0
    while True:
        e = await s.event()
        now = e["metrics"]
        rates += now["network.messages_received_per_second"] * e["period_ms"] / 1000
        more = {k: now[k] - v for k, v in first.items() if isinstance(v, int)}
        top = {t["topic"]: t for t in now["topics.top"]}
        if top.get("table:t", {}).get("messages") == 35 and more["network.messages_received"] == 14:
            break
    assert more["connections.websocket"] == 7 and more["connections.subscriptions"] == 7, more
    assert more["queries.writes"] == 5 and more["queries.commits"] == 5, more
    assert top["metrics"]["subscribers"] == 1 and top["table:t"]["subscribers"] == 7, top
    assert 13 < rates < 15, rates
    for o in others:
        await o.close()
    while (await s.event())["metrics"]["connections.websocket"] != first["connections.websocket"]:
        pass
    await s.close()


async def replaced():
    s = await connect()
    one = await s.subscribe("metrics", interval=100, metrics=["cpu.cores"])
    await s.events(3)
    two = await s.subscribe("metrics", interval=200, metrics=["feed.lag"])
    assert one["subscription_id"] != two["subscription_id"], (one, two)
    s.kept.clear()
    for e in await s.events(4):
        assert list(e["metrics"]) == ["feed.lag"], e
    await s.refused("unsubscribe", {"subscription_id": one["subscription_id"]}, "NOT_FOUND")
    # Two in one go: each is answered.
    await s.send("subscribe", {"topic": "metrics", "interval": 300}, "a")
    await s.send("subscribe", {"topic": "metrics", "interval": 100, "metrics": ["cpu.cores"]}, "b")
    async for m in s.answers("b"):
        assert m["type"] == "subscribed", m
        break
    assert any(m.get("id") == "a" for m in s.kept), s.kept
    last = m["payload"]["subscription_id"]
    await s.ok("unsubscribe", {"subscription_id": last}, "unsubscribed")
    s.kept.clear()
    await s.quiet()
    await asyncio.sleep(0.4)
    await s.quiet()
    await s.close()


async def refused():
    s = await connect()
    for more, hint in (
        ({"metrics": ["cpu.process_procent"]}, "cpu.process_percent"),
        ({"metrics": ["memory"]}, "memory.*"),
        ({"metrics": ["cpu.cores", "wether.*"]}, "catalog"),
        ({"metrics": []}, None),
        ({"metrics": "cpu.cores"}, None),
        ({"metrics": [7]}, None),
        ({"interval": 99}, None),
        ({"interval": 3600001}, None),
        ({"interval": "1s"}, None),
        ({"interval": 0}, None),
        ({"since": 0}, None),
        ({"where": "1"}, None),
        ({"policy": "replay"}, None),
    ):
        p = await s.refused("subscribe", {"topic": "metrics", **more}, "INVALID_MESSAGE")
        assert hint is None or hint in p["hint"], p
    sql("CREATE TABLE t(a)")
    for topic in ("table:t", "channel:c", "system"):
        await s.refused("subscribe", {"topic": topic, "interval": 1000}, "INVALID_MESSAGE")
    await s.refused("subscribe", {"topic": "metric"}, "INVALID_MESSAGE")
    await s.close()


async def shared():
    sessions = [await connect() for _ in range(12)]
    for s in sessions:
        await s.subscribe("metrics", interval=500, metrics=["cpu.cores", "process.uptime_seconds"])
        await s.event()
    got = [[(e["at"], e["metrics"]["process.uptime_seconds"]) for e in await s.events(4)]
           for s in sessions]
    every = [sample for one in got for sample in one]
    # Samples are the same to the last digit, whoever got them.
    common = set(got[0]).intersection(*got[1:])
    assert len(common) >= 2, got
    assert len(set(every)) <= 8, got
    for s in sessions:
        await s.close()


async def limited():
    sessions = [await connect() for _ in range(5)]
    for n, s in enumerate(sessions[:3]):
        await s.subscribe("metrics", interval=60000 + n)
    p = await sessions[3].refused("subscribe", {"topic": "metrics", "interval": 70000},
                                  "SUBSCRIPTION_LIMIT")
    assert "max_metric_streams" in p["hint"], p
    await sessions[4].subscribe("metrics", interval=60001)
    await sessions[0].close()

    async def again():
        m = await sessions[3].request("subscribe", {"topic": "metrics", "interval": 70000})
        return m["type"] == "subscribed"

    while not await again():
        await asyncio.sleep(0.05)


def switches():
    """How often the thread `metrics` has gone to sleep."""
    folder = f"/proc/{daemon_pid()}/task"
    for task in os.listdir(folder):
        with open(f"{folder}/{task}/comm") as f:
            if f.read().strip() != "metrics":
                continue
        with open(f"{folder}/{task}/status") as f:
            for line in f:
                if line.startswith("voluntary_ctxt_switches:"):
                    return int(line.split()[1])
    raise AssertionError("no thread metrics")


async def sleeps():
    before = switches()
    await asyncio.sleep(0.5)
    assert switches() == before
    s = await connect()
    sub = await s.subscribe("metrics", interval=100, metrics=["cpu.*"])
    await s.events(5)
    assert switches() >= before + 4
    await s.ok("unsubscribe", {"subscription_id": sub["subscription_id"]}, "unsubscribed")

    async def asleep():
        now = switches()
        await asyncio.sleep(0.6)
        return switches() == now

    while not await asleep():
        pass
    # The same when the connection is cut.
    await s.subscribe("metrics", interval=100, metrics=["topics.*"])
    s.kept.clear()
    await s.events(3)
    s.ws.transport.abort()
    while not await asleep():
        pass


async def deflated():
    s = await connect(compression="deflate")
    await s.subscribe("metrics", interval=100)
    for e in await s.events(3):
        assert e["metrics"]["cpu.cores"] >= 1, e
    plain = await connect()
    await plain.subscribe("metrics", interval=100)
    for e in await plain.events(3):
        assert e["metrics"]["cpu.cores"] >= 1, e
    await s.close()
    await plain.close()


async def endpoint():
    s = await connect(auth=False, path=ENDPOINT)
    await s.refused("subscribe", {"interval": 100}, "AUTH_REQUIRED")
    assert (await s.request("auth", {"token": token()}))["type"] == "auth_success"
    sub = await s.ok("subscribe", {"interval": 100, "metrics": ["cpu.cores"]}, "subscribed")
    assert sub["topic"] == "metrics", sub
    assert list((await s.event())["metrics"]) == ["cpu.cores"]
    await s.ok("subscribe", {"topic": "metrics", "metrics": ["feed.lag"]}, "subscribed")
    await s.refused("subscribe", {"topic": "channel:x"}, "INVALID_MESSAGE")
    for type_, payload in (("query", {"sql": "SELECT 1"}), ("begin", {}),
                           ("publish", {"channel": "c", "message": 1})):
        await s.refused(type_, payload, "INVALID_MESSAGE")
    assert (await s.request("ping", {"x": 1}))["payload"] == {"x": 1}
    await s.close()
    rest = Rest()
    status, _, _ = await in_thread(rest.raw, "GET", "/ws/metrics")
    assert status == 426


async def protocols():
    b = await bin_session.connect()
    sub = await b.subscribe("metrics")
    assert sub["topic"] == "metrics", sub
    at = []
    for _ in range(3):
        e = await b.event("Notice")
        assert e["kind"] == "event" and e["topic"] == "metrics", e
        sample = json.loads(e["payload"])
        assert sample["metrics"]["cpu.cores"] >= 1, sample
        at.append(seconds(sample))
    assert at[2] - at[0] > 1.8, at  # every second, where nothing is said
    r = await rpc_session.open_rpc()
    sub = await r.call("subscribe", {"topic": "metrics", "interval": 100, "metrics": ["feed.*"]})
    assert sub["topic"] == "metrics", sub
    for _ in range(3):
        m = await r.recv()
        assert m["method"] == "event" and "feed.lag" in m["params"]["metrics"], m
    await b.ws.close()
    await r.ws.close()


async def terminate():
    sessions = [await connect() for _ in range(6)]
    for n, s in enumerate(sessions):
        await s.subscribe("metrics", interval=100 + n)
        await s.events(2)
    os.kill(daemon_pid(), signal.SIGTERM)
    for s in sessions:
        code, _ = await s.until_closed()
        assert code == 1001, code


main(globals())
