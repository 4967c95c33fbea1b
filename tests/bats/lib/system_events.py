"""Cases of own_topics.bats: the topic `system`."""

import http.client
import os
import signal

import raw
from rdb import Rest, connect, daemon_pid, in_thread, main, port, sql, token



async def listener():
    s = await connect()
    answer = await s.subscribe("system")
    assert answer["topic"] == "system", answer
    first = await s.event()
    assert first["event"] == "started", first
    return s, first


async def until(s, event):
    while True:
        e = await s.event()
        assert e["topic"] == "system" and e["at"].endswith("Z"), e
        if e["event"] == event:
            return e


async def started():
    s, first = await listener()
    info = await in_thread(Rest().call, "GET", "/server/info")
    for k in ("version", "pid", "log_id", "started_at"):
        assert first[k] == info[k], (k, first, info)
    await s.quiet()
    await s.close()


async def stopping(signal_name, code):
    sessions = [(await listener())[0] for _ in range(4)]
    os.kill(daemon_pid(), getattr(signal, "SIG" + signal_name))
    for s in sessions:
        e = await until(s, "stopping")
        assert e["close_code"] == int(code) and e["restart"] == (code == "1012"), e
        assert (await s.until_closed())[0] == int(code)


async def reload(conf):
    s, _ = await listener()
    with open(conf, "w", encoding="utf-8") as f:
        f.write("log_level = warn\nreaders = 3\nmax_bad_messages = 7\n")
    os.kill(daemon_pid(), signal.SIGHUP)
    e = await until(s, "config_changed")
    changed = {c["setting"]: c for c in e["changed"]}
    assert set(changed) == {"log_level", "readers", "max_bad_messages"}, changed
    assert changed["log_level"]["from"] == "info" and changed["log_level"]["to"] == "warn", changed
    assert changed["log_level"]["in_effect"] and not changed["readers"]["in_effect"], changed
    with open(conf, "w", encoding="utf-8") as f:
        f.write("log_level = loud\n")
    os.kill(daemon_pid(), signal.SIGHUP)
    e = await until(s, "config_rejected")
    assert e["code"] == "INVALID_MESSAGE" and "loud" in e["message"], e
    await s.close()


async def change():
    s, _ = await listener()
    await in_thread(Rest().call, "PATCH", "/admin/config", {"max_bad_messages": 7})
    e = await until(s, "config_changed")
    assert e["changed"] == [
        {"setting": "max_bad_messages", "from": "32", "to": "7", "in_effect": True}
    ], e
    await in_thread(Rest().call, "POST", "/admin/config/reload")
    e = await until(s, "config_changed")
    assert e["changed"][0]["to"] == "32", e
    await s.close()


async def checkpoint():
    s, _ = await listener()
    sql("CREATE TABLE t(a)", "INSERT INTO t VALUES(1)", "PRAGMA wal_checkpoint(TRUNCATE)")
    e = await until(s, "checkpoint")
    assert e["elapsed_ms"] >= 0, e

    def write():
        for _ in range(24):
            sql("INSERT INTO t VALUES(zeroblob(1000000))")

    await in_thread(write)
    e = await until(s, "checkpoint")
    assert e["log_pages"] >= 4000 and 0 < e["moved_pages"] <= e["log_pages"], e
    file = os.path.getsize(os.path.join(os.environ["DIR"], "rustydb.db"))
    assert file > 10 << 20, file
    await s.close()


async def slow_consumer():
    s, _ = await listener()
    sql("CREATE TABLE t(n INTEGER PRIMARY KEY, x)")
    slow = raw.RawSession(rcvbuf=4096)
    slow.message("subscribe", {"topic": "table:t"})
    sub = slow.answer()["payload"]

    def write():
        for _ in range(100):
            sql("INSERT INTO t(x) WITH RECURSIVE c(n) AS"
                " (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 100)"
                " SELECT hex(randomblob(1000)) FROM c")

    writing = in_thread(write)
    e = await until(s, "slow_consumer")
    assert e["of_topic"] == "table:t" and e["action"] == "disconnect" and e["user"] == "root", e
    assert e["subscription_id"] == sub["subscription_id"] and e["connection_id"][0] == "c", e
    await writing
    slow.close()
    await s.close()


async def limits():
    s, _ = await listener()
    other = await connect()
    for n in range(3):
        await other.subscribe(f"channel:{n}")
    await other.refused("subscribe", {"topic": "channel:more"}, "SUBSCRIPTION_LIMIT")
    e = await until(s, "limit_hit")
    assert e["code"] == "SUBSCRIPTION_LIMIT" and e["user"] == "root" and e["message"], e
    assert e["connection_id"] == other.welcome["payload"]["connection_id"], e
    long = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    for n in range(3):
        await other.send("query", {"sql": long}, f"q{n}")
    e = await until(s, "limit_hit")
    assert e["code"] == "BUSY", e
    held = [http.client.HTTPConnection("127.0.0.1", port()) for _ in range(8)]

    def ask(c):
        try:
            c.request("GET", "/api/v1/tables", headers={"Authorization": f"Bearer {token()}"})
            return c.getresponse().read()
        except (OSError, http.client.HTTPException):
            return None

    for c in held:
        await in_thread(ask, c)
    e = await until(s, "limit_hit")
    assert e["code"] == "CONNECTION_LIMIT", e
    for c in held:
        c.close()
    for n in range(2):
        await other.request("cancel", {"id": f"q{n}"})
    await s.close()


async def refused():
    s = await connect()
    for topic in ("queries", "system"):
        for more in ({"where": "1"}, {"since": 0}, {"ops": ["insert"]}, {"policy": "replay"},
                     {"interval": 100}, {"metrics": ["cpu.*"]}):
            await s.refused("subscribe", {"topic": topic, **more}, "INVALID_MESSAGE")
        await s.subscribe(topic)
        await s.refused("subscribe", {"topic": topic}, "CONFLICT")
    for topic in ("query", "systems", "system:x", "queries:", "metrics:x"):
        await s.refused("subscribe", {"topic": topic}, "INVALID_MESSAGE")
    await s.close()


main(globals())
