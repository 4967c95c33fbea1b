"""Cases of metrics.bats: GET /metrics."""

import os
import re
import socket
import time

from rdb import Rest, Refused, connect, daemon_pid, eventually, main, port, status_kb, token


def look(rest, names=None):
    return rest.call("GET", "/metrics" + (f"?metrics={names}" if names else ""))["metrics"]


def process():
    rest = Rest()
    answer = rest.call("GET", "/metrics")
    now = answer["metrics"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", answer["at"]), answer["at"]
    assert answer["period_ms"] >= 0
    rss = status_kb("VmRSS") * 1024
    assert abs(now["memory.resident_bytes"] - rss) < 0.25 * rss, (now, rss)
    assert now["memory.peak_resident_bytes"] >= 0.75 * rss
    assert now["memory.system_total_bytes"] >= now["memory.system_available_bytes"] > 0
    assert now["process.threads"] == len(os.listdir(f"/proc/{daemon_pid()}/task"))
    assert now["cpu.cores"] == os.sysconf("SC_NPROCESSORS_ONLN")
    file = os.path.join(os.environ["DIR"], "rustydb.db")
    assert now["disk.database_bytes"] == os.path.getsize(file)
    fs = os.statvfs(os.environ["DIR"])
    assert now["disk.total_bytes"] == fs.f_blocks * fs.f_frsize
    assert abs(now["disk.free_bytes"] - fs.f_bavail * fs.f_frsize) < 1 << 30
    # What it uses is what the kernel counts.
    rest.run("CREATE TABLE t(a)")
    before = look(rest)
    end = time.monotonic() + 1.2
    while time.monotonic() < end:
        rest.run("INSERT INTO t SELECT value FROM json_each('[1,2,3]')")
    now = look(rest)
    used = sum(now[f"cpu.{k}_seconds"] - before[f"cpu.{k}_seconds"] for k in ("user", "system"))
    with open(f"/proc/{daemon_pid()}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    total = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    said = now["cpu.user_seconds"] + now["cpu.system_seconds"]
    assert abs(total - said) < 0.2 + 0.1 * total, (total, said)
    assert used > 0 and now["cpu.process_percent"] > 0, now
    assert now["process.uptime_seconds"] > before["process.uptime_seconds"]
    assert now["disk.written_bytes"] is None or now["disk.written_bytes"] >= 0
    assert now["disk.wal_bytes"] > 0


async def counts():
    rest = Rest()
    rest.run("CREATE TABLE t(a)")
    before = look(rest)
    sessions = [await connect() for _ in range(5)]
    for s in sessions:
        await s.subscribe("table:t")
    now = look(rest)
    assert now["connections.websocket"] - before["connections.websocket"] == 5, now
    assert now["connections.subscriptions"] - before["connections.subscriptions"] == 5, now
    assert now["connections.opened"] - before["connections.opened"] == 5, now
    big = "x" * 5000
    sent = now["network.bytes_sent"]
    for n in range(20):
        await sessions[0].ok("ping", {"text": big}, "pong")
    rest.run("INSERT INTO t VALUES(1)", "INSERT INTO t VALUES(2)", "SELECT * FROM t")
    try:
        rest.run("SELECT x FROM nowhere")
        raise AssertionError("it succeeded")
    except Refused:
        pass
    for s in sessions:
        await s.events(2)

    def counted():
        m = look(rest)
        return m["latency.message_count"] >= 20 and m["network.events_delivered"] >= 10 and m

    m = eventually(counted)
    assert 100000 <= m["network.bytes_sent"] - sent < 200000, m
    assert m["network.bytes_received"] - now["network.bytes_received"] > 100000, m
    assert m["network.messages_received"] - now["network.messages_received"] == 20, m
    assert m["network.messages_sent"] - now["network.messages_sent"] == 20 + 10, m
    assert m["network.events_delivered"] - now["network.events_delivered"] == 10, m
    assert m["queries.writes"] - now["queries.writes"] == 2, m
    assert m["queries.reads"] - now["queries.reads"] == 1, m
    assert m["queries.errors"] - now["queries.errors"] == 1, m
    assert m["queries.commits"] - now["queries.commits"] == 2, m
    assert m["feed.head_lsn"] - now["feed.head_lsn"] == 2, m
    assert m["latency.request_p50_ms"] is None or m["latency.request_p50_ms"] > 0, m
    for s in sessions:
        await s.close()
    eventually(lambda: look(rest, "connections.*")["connections.websocket"] == 0)
    assert look(rest, "connections.*")["connections.subscriptions"] == 0
    eventually(lambda: look(rest, "feed.lag")["feed.lag"] == 0)


async def topics():
    rest = Rest()
    rest.run(*(f"CREATE TABLE t{n}(a)" for n in range(30)))
    session = [await connect() for _ in range(3)]
    for n in range(30):
        await session[n % 3].subscribe(f"table:t{n}")
    await session[0].subscribe("table:t7", where="a > 0")
    await session[0].subscribe("channel:c")
    rest.run(*("INSERT INTO t7 VALUES(1)" for _ in range(6)))
    rest.run("INSERT INTO t8 VALUES(1)")

    def all_there():
        m = look(rest, "topics.*")
        top = {t["topic"]: t for t in m["topics.top"]}
        return top.get("table:t7", {}).get("messages") == 12 and (m, top)

    m, top = eventually(all_there)
    assert m["topics.count"] == 31, m
    assert len(m["topics.top"]) == 20, m
    assert m["topics.top"][0]["topic"] == "table:t7", m
    assert top["table:t7"]["subscribers"] == 2, m
    assert top["table:t7"]["bytes"] > 12 * 60, m
    eventually(lambda: any(t["topic"] == "table:t8" and t["messages"] == 1
                           for t in look(rest, "topics.top")["topics.top"]))
    for s in session:
        await s.close()
    eventually(lambda: look(rest, "topics.count")["topics.count"] == 0)


def prometheus():
    rest = Rest()
    rest.run("SELECT 1")
    status, headers, data = rest.raw("GET", "/metrics", headers={"Accept": "text/plain"})
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    typed, values = {}, {}
    for line in data.decode().splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in typed, f"{name} twice"
            typed[name] = kind
        elif not line.startswith("# HELP "):
            m = re.fullmatch(r"([a-z_0-9]+)(\{topic=\"(?:[^\"\\]|\\.)*\"\})? (-?[0-9.e+-]+)", line)
            assert m, line
            assert m[1] in typed, line
            values[m[1]] = float(m[3])
    assert typed["rustydb_queries_reads_total"] == "counter"
    assert values["rustydb_queries_reads_total"] == 1
    assert all((kind == "counter") == name.endswith("_total") for name, kind in typed.items())
    assert values["rustydb_memory_resident_bytes"] > 1 << 20
    same = rest.raw("GET", "/metrics?format=prometheus")
    assert same[1]["Content-Type"] == headers["Content-Type"]
    assert rest.raw("GET", "/metrics?format=json")[1]["Content-Type"] == "application/json"


def names():
    rest = Rest()
    catalog = rest.call("GET", "/metrics/catalog")["metrics"]
    assert [m["name"] for m in catalog] == list(look(rest))
    assert all(m["kind"] in ("gauge", "counter") and m["unit"] and m["help"] for m in catalog)
    assert list(look(rest, "feed.lag,cpu.cores")) == ["cpu.cores", "feed.lag"]
    assert all(n.startswith("memory.") for n in look(rest, "memory.*"))
    for path, hint in (
        ("?metrics=cpu.procss_percent", "cpu.process_percent"),
        ("?metrics=cpu", "cpu.*"),
        ("?metrics=", None),
        ("?metrics=cpu.cores,", None),
        ("?format=xml", None),
        ("?metric=cpu.cores", None),
    ):
        try:
            rest.call("GET", "/metrics" + path)
            raise AssertionError(f"{path} was taken")
        except Refused as e:
            assert e.status == 400 and e.code == "INVALID_MESSAGE", e
            assert hint is None or hint in e.problem["hint"], e


def client_leaves():
    head = f"GET /api/v1/metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token()}\r\n\r\n"
    for _ in range(50):
        s = socket.create_connection(("127.0.0.1", port()))
        s.sendall(head.encode())
        s.close()
    rest = Rest()
    eventually(lambda: look(rest)["connections.http"] == 1)


main(globals())
