"""Cases of ws.bats: positions, the hand-over from replay to live, and slow readers."""

import asyncio
import os
import random
import threading
import time

import raw
from rdb import LIMIT, SANITIZED, Rest, connect, eventually_async, head, in_thread, main, sql, status_kb


async def since():
    sql("CREATE TABLE t (x)", "CREATE TABLE u (x)")
    before = head()
    sql(*(f"INSERT INTO {'t' if n % 2 else 'u'} VALUES ({n})" for n in range(1, 21)))
    log = (await connect()).welcome["payload"]["log_id"]

    async def seen(table, position):
        """What a subscriber gets from a position up to the first event that is live."""
        s = await connect()
        answer = await s.subscribe(f"table:{table}", since=position)
        assert answer["lsn"] == head() and answer["log_id"] == log, answer
        sql(f"INSERT INTO {table} VALUES (-1)")
        rows = []
        while True:
            e = await s.event()
            if e["lsn"] > answer["lsn"]:
                break
            rows.append((e["lsn"], e["row"]["x"]))
        assert e["row"]["x"] == -1, e
        await s.close()
        return [r for r in rows if r[1] > 0]

    odd = [(before + n, n) for n in range(1, 21, 2)]
    assert await seen("t", 0) == odd
    assert await seen("t", before + 6) == odd[3:]
    assert await seen("t", f"{log}:{before + 7}") == odd[4:]
    assert await seen("u", before + 20) == []
    s = await connect()
    for bad in (-1, head() + 1, 10**18, 1.5, "x", "", f"{log}:", f"{log}:x", [], f"{log}:-1"):
        await s.refused("subscribe", {"topic": "table:t", "since": bad}, "INVALID_MESSAGE")
    problem = await s.refused("subscribe", {"topic": "table:t", "since": "another-log:1"}, "GAP")
    assert "oldest" in problem, problem
    await s.close()


class Load:
    """Writers that go on until told to stop; counts of acknowledged writes."""

    def __init__(self, table, clients=3):
        self.stop = threading.Event()
        self.done = 0
        self.problems = []
        self.threads = [
            threading.Thread(target=self.write, args=(table, n), daemon=True) for n in range(clients)
        ]
        for t in self.threads:
            t.start()

    def write(self, table, number):
        rest, n = Rest(), 0
        try:
            while not self.stop.is_set():
                n += 1
                rest.query(f"INSERT INTO {table} VALUES (?, ?, ?)", [number, n, "x" * 100])
                self.done += 1
        except Exception as e:  # looked at in end()
            self.problems.append(repr(e))
        rest.close()

    async def end(self):
        self.stop.set()
        for t in self.threads:
            await in_thread(t.join)
        assert not self.problems, self.problems


async def handover():
    """Subscribers come at any moment of a write load, from any position; each sees every event once
    and in order, from its position to the end."""
    chance = random.Random(11)
    sql("CREATE TABLE t (client, n, x)")
    base = head()
    load = Load("t")
    await eventually_async(lambda: load.done > 300, say="a load of writes")

    async def subscriber(number):
        s = await connect(compression="deflate" if number % 4 == 0 else None)
        now = head()
        position = chance.choice([0, base, now, chance.randint(base, now), None])
        more = {} if position is None else {"since": position}
        if number % 3 == 0:
            more["where"] = "new.x IS NOT NULL"
        answer = await s.subscribe("table:t", **more)
        at = answer["lsn"] if position is None else max(position, base)
        return s, at

    async def read(s, at, limit):
        while at < limit:
            e = await s.event()
            assert e["lsn"] == at + 1, f"lsn {e['lsn']} after {at}"
            at += 1
        return at

    sessions = []
    for wave in range(4):
        sessions += await asyncio.gather(*(subscriber(wave * 8 + n) for n in range(8)))
        target = load.done + 100
        reading = [asyncio.ensure_future(read(s, at, head())) for s, at in sessions]
        ats = await asyncio.gather(*reading)
        sessions = [(s, at) for (s, _), at in zip(sessions, ats)]
        await eventually_async(lambda: load.done > target, say="more writes")
    await load.end()
    end = head()
    assert end - base == load.done, "every acknowledged write made one event"
    await asyncio.gather(*(read(s, at, end) for s, at in sessions))
    for s, _ in sessions:
        await s.quiet()
        await s.close()


async def subscribed_means_live():
    """A write that starts after `subscribed` is never missed, however busy the daemon is."""
    sql("CREATE TABLE t (client, n, x)", "CREATE TABLE u (n)")
    load = Load("t", clients=2)
    await eventually_async(lambda: load.done > 50, say="a load of writes")
    rest = Rest()
    for n in range(40):
        s = await connect()
        await s.subscribe("table:u")
        rest.query("INSERT INTO u VALUES (?)", [n])
        assert (await s.event())["row"] == {"n": n}
        await s.quiet()
        await s.close()
    await load.end()


async def gap():
    """With changes_keep at 100: what was pruned is a GAP that names the oldest kept, never a hole."""
    sql("CREATE TABLE t (x)")
    base = head()
    rest = Rest()
    s = await connect()

    async def pruned():
        for _ in range(20):
            values = ", ".join("(1)" for _ in range(100))
            rest.query(f"INSERT INTO t VALUES {values}")
        m = await s.request("subscribe", {"topic": "table:t", "since": base})
        if m["type"] == "subscribed":
            id_ = m["payload"]["subscription_id"]
            await s.request("unsubscribe", {"subscription_id": id_})
            s.kept.clear()
            return None
        return m

    m = await eventually_async(pruned, say="the log to be pruned")
    assert m["type"] == "error" and m["payload"]["code"] == "GAP", m
    oldest = m["payload"]["oldest"]
    assert oldest > base + 1, m
    await s.close()
    s = await connect()
    answer = await s.subscribe("table:t", since=0)  # all that is retained
    first = (await s.event())["lsn"]
    assert first >= oldest, (first, oldest)
    lsn = first
    while lsn < answer["lsn"]:
        lsn += 1
        assert (await s.event())["lsn"] == lsn
    await s.close()


async def replay_across_an_alter():
    """Events keep the columns the table had when they happened."""
    sql("CREATE TABLE t (x)")
    base = head()
    sql("INSERT INTO t VALUES (1)", "ALTER TABLE t ADD COLUMN y", "INSERT INTO t VALUES (2, 3)")
    s = await connect()
    await s.subscribe("table:t", since=base)
    rows = []
    while len(rows) < 2:
        m = await s.recv()
        if m["type"] == "event":
            rows.append(m["payload"]["row"])
    assert rows == [{"x": 1}, {"x": 2, "y": 3}], rows
    await s.close()


async def slow_consumer():
    """With stream_buffer at 1 MiB: a subscriber that does not read is closed with 1013 after a system
    message, the daemon's memory stays, and `since` goes on where it stopped."""
    sql("CREATE TABLE t (n INTEGER PRIMARY KEY, x)")
    quick = await connect()
    at = (await quick.subscribe("table:t"))["lsn"]
    rest, count = Rest(), 6000

    def write():
        rest.query(
            "INSERT INTO t (x) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 100)"
            " SELECT hex(randomblob(1000)) FROM c"
        )

    async def write_and_read(at, until=lambda: False):  # up to 12 MB of events
        for _ in range(count // 100):
            await in_thread(write)
            for e in await quick.events(100):
                assert e["lsn"] == at + 1, (e["lsn"], at)
                at = e["lsn"]
            if until():
                break
        return at

    def fell_behind():
        with open(os.environ["T"] + "/daemon.err", encoding="utf-8") as f:
            return "slow_consumer" in f.read()

    base = await write_and_read(at)  # fills every cache that there is
    before = status_kb("VmRSS")
    s = raw.RawSession(rcvbuf=4096)
    s.message("subscribe", {"topic": "table:t"})
    assert s.answer()["payload"]["lsn"] == base
    end = await write_and_read(base, fell_behind)  # a slow one holds nobody up
    grown = status_kb("VmRSS") - before
    assert SANITIZED or grown < 4096, f"grew by {grown} kB"
    code, messages = await in_thread(s.until_closed)
    assert code == 1013, (code, s.closed)
    closing = [m["payload"] for m in messages if m["type"] == "system"]
    assert closing and closing[-1]["code"] == 1013, closing
    seen = [m["payload"]["lsn"] for m in messages if m["type"] == "event"]
    assert seen == list(range(base + 1, base + 1 + len(seen))), "without a hole up to its end"
    s.close()
    again = await connect()
    await again.subscribe("table:t", since=base + len(seen))
    rest_of_it = [e["lsn"] for e in await again.events(end - base - len(seen))]
    assert rest_of_it == list(range(base + 1 + len(seen), end + 1))
    await quick.close()
    await again.close()


async def slow_replay():
    """A replay waits for its reader and costs a bounded window."""
    sql("CREATE TABLE t (n INTEGER PRIMARY KEY, x)")
    base = head()
    for _ in range(40):
        sql(
            "INSERT INTO t (x) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 500)"
            " SELECT hex(zeroblob(500)) FROM c"
        )
    before = status_kb("VmRSS")
    s = raw.RawSession(rcvbuf=4096)
    s.message("subscribe", {"topic": "table:t", "since": base})
    time.sleep(1.0)  # not a wait for something: the time in which the daemon could pile it up
    grown = status_kb("VmRSS") - before
    assert SANITIZED or grown < 8192, f"grew by {grown} kB"
    s.s.settimeout(LIMIT)

    def read():
        lsn = base
        while lsn < base + 20000:
            m = s.recv()
            if m["type"] == "event":
                assert m["payload"]["lsn"] == lsn + 1, (lsn, m["payload"]["lsn"])
                lsn += 1

    await in_thread(read)
    s.close()


main(globals())
