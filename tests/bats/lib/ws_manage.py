"""Cases of manage.bats."""

from rdb import Rest, connect, eventually, main


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


main(globals())
