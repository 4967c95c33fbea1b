"""Delivery, as it is promised: writers, subscribers that are cut at random, a daemon that is killed
again and again; in the end each subscriber's record is compared with the history.

    delivery.py --bin rustydb --dir FOLDER [--seconds N] [--subscribers N] [--restarts N] [--seed N]

Subscribers differ in tables, operations, WHERE, columns, policy, compression, protocol. Each keeps
the lsn of the last event it got and comes back with it. The history is what an independent
subscriber to everything reads from the log when all is over. What must hold:

- each subscriber has every event of the history that its filter lets pass, once and in order; what a
  GAP notice of the policy drop_oldest named is all that may be missing;
- a copy made of `initial` rows and the events behind them is the table;
- every acknowledged write is in the history.

Ends with `N passed, N failed`.
"""

import argparse
import asyncio
import json
import os
import random
import re
import signal
import socket
import sys
import threading
import time

import rdb
import wsclient
from rdb import LIMIT, SLOW, Closed, Rest, connect
from story_cast import Daemon

TABLES = ("a", "b", "c")
LSN = re.compile(r'"lsn":(\d+)')
STOPS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGUSR2)


def row(e):
    return e["row"] or e["old_row"]


# What subscribers ask for, and the same in Python.
KINDS = (
    ({"topic": "table:a"}, lambda e: e["topic"] == "table:a"),
    ({"topic": "tables:*"}, lambda e: True),
    ({"tables": ["a", "c"]}, lambda e: e["topic"] != "table:b"),
    ({"topic": "table:b", "where": "v % 3 = 0"}, lambda e: e["topic"] == "table:b" and row(e)["v"] % 3 == 0),
    ({"topic": "table:c", "where": "v = 7"}, lambda e: e["topic"] == "table:c" and row(e)["v"] == 7),
    ({"topic": "table:a", "ops": ["insert"]}, lambda e: e["topic"] == "table:a" and e["op"] == "insert"),
    (
        {"tables": ["a", "b", "c"], "ops": ["update", "delete"], "where": "old.v > 5"},
        lambda e: e["op"] != "insert" and e["old_row"]["v"] > 5,
    ),
    (
        {"topic": "table:b", "columns": ["v"]},
        lambda e: e["topic"] == "table:b" and (e["op"] != "update" or "v" in e["changed_columns"]),
    ),
)
POLICIES = (None, "disconnect", "replay", "replay", "drop_oldest")


class World:
    def __init__(self):
        self.stop_writing = threading.Event()
        self.acknowledged = set()
        self.over = False
        self.cuts = 0


def write(world, number, seed, pause):
    """Until told to stop: what is refused or breaks off is simply not counted as acknowledged."""
    chance, rest, count = random.Random(seed), Rest(timeout=5 * SLOW), 0
    while not world.stop_writing.is_set():
        count += 1
        tag = f"w{number}.{count}"
        text = tag + "." + "x" * chance.choice((10, 10, 500, 3000))
        table, key, v = chance.choice(TABLES), chance.randrange(40), chance.randrange(10)
        insert = {"sql": f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?)", "params": [key, v, text]}
        others = (
            {"sql": f"UPDATE {chance.choice(TABLES)} SET v = ? WHERE id = ?", "params": [v, key]},
            {"sql": f"UPDATE {chance.choice(TABLES)} SET w = w || 'y' WHERE id = ?", "params": [key]},
            {"sql": f"DELETE FROM {chance.choice(TABLES)} WHERE id = ?", "params": [key]},
        )
        if chance.randrange(30) == 0:  # many large events at once
            others = ({"sql": f"UPDATE {chance.choice(TABLES)} SET w = w || 'y'"},)
        try:
            kind = chance.randrange(4)
            if kind == 0:
                rest.call("POST", "/query", chance.choice(others))
            elif kind == 1:
                rest.call("POST", "/query", insert)
                world.acknowledged.add(tag)
            elif kind == 2:
                rest.call("POST", "/batch", {"statements": [*others, insert], "atomic": True})
                world.acknowledged.add(tag)
            else:
                id_ = rest.call("POST", "/transactions", {})["transaction_id"]
                for s in (insert, chance.choice(others)):
                    rest.call("POST", f"/transactions/{id_}/query", s)
                commit = chance.random() < 0.7
                rest.call("POST", f"/transactions/{id_}/{'commit' if commit else 'rollback'}")
                if commit:
                    world.acknowledged.add(tag)
        except (OSError, rdb.http.client.HTTPException, rdb.Refused):
            rest.close()
            time.sleep(0.05)
        time.sleep(chance.random() * pause)
    rest.close()


class Follower:
    """Reads a stream, is cut, comes back, and keeps the lsns that it saw."""

    def __init__(self, world, number, seed):
        self.world, self.number, self.chance = world, number, random.Random(seed)
        self.request, self.wants = KINDS[number % len(KINDS)]
        self.policy = POLICIES[self.chance.randrange(len(POLICIES))]
        self.compression = self.chance.choice((None, None, "deflate"))
        self.rpc = self.chance.random() < 0.25
        self.narrow = self.chance.random() < 0.4  # a small receive buffer: falls behind sooner
        self.base = self.last = None
        self.seen, self.lost = [], []
        self.problem = None

    def __str__(self):
        more = (self.policy, "jsonrpc" if self.rpc else None, self.compression)
        return f"subscriber {self.number}: {self.request} {' '.join(filter(None, more))}"

    async def open(self):
        options = {"compression": self.compression}
        if self.narrow:
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(("127.0.0.1", rdb.port()))
            options.update(sock=s, max_queue=4)
        if self.rpc:
            return await rdb.open_socket(subprotocols=["jsonrpc"], **options)
        return (await connect(**options)).ws

    async def subscribe(self, ws):
        ask = dict(self.request)
        if self.policy:
            ask["policy"] = self.policy
        if self.last is not None:
            ask["since"] = self.last
        if self.rpc:
            await ws.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": ask}))
        else:
            await ws.send(json.dumps({"id": "1", "type": "subscribe", "payload": ask}))
        while True:
            m = json.loads(await asyncio.wait_for(ws.recv(), LIMIT))
            if m.get("id") in (1, "1"):
                break
        answer = m.get("result") if self.rpc else m.get("payload")
        if not answer or "subscription_id" not in answer:
            self.problem = f"not subscribed: {m}"
            return False
        if self.last is None:
            self.base = self.last = answer["lsn"]
        return True

    def take(self, text):
        """One message; False when the stream has ended."""
        if text.startswith(('{"type":"event"', '{"jsonrpc":"2.0","method":"event"')):
            lsn = int(LSN.search(text).group(1))
            self.seen.append(lsn)
            self.last = lsn
            return True
        m = json.loads(text)
        payload = m.get("payload") or m.get("params") or {}
        if payload.get("code") == "GAP" and payload.get("continues"):
            self.lost.append((payload["from"], payload["to"]))
            self.last = max(self.last, payload["to"])
            return True
        if payload.get("event") == "closing":
            return True
        self.problem = f"unexpected: {text[:300]}"
        return False

    async def follow(self, ws):
        loop = asyncio.get_running_loop()
        until = loop.time() + self.chance.expovariate(1 / 4)
        if not await self.subscribe(ws):
            return
        while not self.problem:
            left = until - loop.time()
            if left <= 0 and not self.world.over:
                self.world.cuts += 1
                what = self.chance.randrange(3)
                if what == 0:
                    ws.transport.abort()
                elif what == 1:
                    await asyncio.wait_for(ws.close(), LIMIT)
                else:  # reads nothing for a while; what was sent stands in buffers
                    await asyncio.sleep(self.chance.random() * 2)
                    until = loop.time() + self.chance.expovariate(1 / 4)
                    continue
                return
            try:
                text = await asyncio.wait_for(ws.recv(), max(left, 0.05) if not self.world.over else 0.2)
            except asyncio.TimeoutError:
                continue
            self.take(text)

    async def run(self):
        while not self.problem:
            try:
                ws = await self.open()
                await self.follow(ws)
            except (OSError, Closed, asyncio.TimeoutError, AssertionError, EOFError):
                pass
            except wsclient.WebSocketException:
                pass
            await asyncio.sleep(0.05 + self.chance.random() * 0.2)


class Copier:
    """A copy of a table, made anew from its rows and the events behind them at each connection."""

    def __init__(self, world, table, seed):
        self.world, self.table, self.chance = world, table, random.Random(seed)
        self.copy, self.problem = {}, None

    def take(self, e):
        if e["op"] in ("update", "delete") and self.copy.pop(e["old_row"]["id"], None) != e["old_row"]:
            self.problem = f"another row was there: {e}"
        if e["op"] != "delete":
            if e["row"]["id"] in self.copy:
                self.problem = f"the row was there: {e}"
            self.copy[e["row"]["id"]] = e["row"]

    async def follow(self):
        s = await connect(path="/api/v1/ws/events")
        ask = {"topic": f"table:{self.table}", "initial": True, "policy": "replay"}
        await s.ok("subscribe", ask, "subscribed")
        self.copy = {}
        until = asyncio.get_running_loop().time() + self.chance.expovariate(1 / 8)
        while not self.problem and (self.world.over or asyncio.get_running_loop().time() < until):
            m = await s.recv(timeout=3600)
            if m["type"] == "event":
                self.take(m["payload"])
        s.ws.transport.abort()

    async def run(self):
        while not self.problem:
            try:
                await self.follow()
            except (OSError, Closed, asyncio.TimeoutError, AssertionError, wsclient.WebSocketException):
                pass  # the daemon is gone, or stops
            await asyncio.sleep(0.2)


async def history(end):
    """Everything that the log has, up to a position."""
    s = await connect(compression="deflate")
    await s.subscribe("tables:*", since=0, policy="replay")
    events = {}
    while not events or max(events) < end:
        e = await s.event()
        assert e["lsn"] not in events, e["lsn"]
        events[e["lsn"]] = e
    await s.close()
    return events


def expect(follower, events):
    """Why the record of a subscriber is wrong, or None."""
    wanted = [n for n, e in events.items() if n > follower.base and follower.wants(e)]
    if any(b <= a for a, b in zip(follower.seen, follower.seen[1:])):
        return "twice or out of order"
    seen = set(follower.seen)
    missing = [n for n in wanted if n not in seen and not any(a <= n <= b for a, b in follower.lost)]
    if missing:
        return f"{len(missing)} of {len(wanted)} are missing, the first of them {missing[:5]}"
    extra = sorted(seen - set(wanted))
    if extra:
        return f"not for it: {extra[:5]}"
    return None


async def play(daemon, options):
    chance, world = random.Random(options.seed), World()
    rest = Rest()
    for t in TABLES:
        rest.query(f"CREATE TABLE {t} (id INTEGER PRIMARY KEY, v INTEGER NOT NULL, w TEXT)")
    writers = [
        threading.Thread(target=write, args=(world, n, options.seed + n, options.pause), daemon=True)
        for n in range(4)
    ]
    for w in writers:
        w.start()
    followers = [Follower(world, n, options.seed * 1000 + n) for n in range(options.subscribers)]
    copiers = [Copier(world, t, options.seed + n) for n, t in enumerate(TABLES)]
    tasks = [asyncio.ensure_future(x.run()) for x in (*followers, *copiers)]
    for turn in range(options.restarts):
        await asyncio.sleep(options.seconds / (options.restarts + 1) * (0.5 + chance.random()))
        how = chance.choice(STOPS)
        status = await rdb.in_thread(daemon.end, how)
        assert how == signal.SIGKILL or status == 0, f"status {status} after {how}"
        await rdb.in_thread(daemon.start)
        print(f"# {turn + 1} of {options.restarts}: {how.name}, {world.cuts} cuts so far,"
              f" {len(world.acknowledged)} writes acknowledged", file=sys.stderr, flush=True)
    await asyncio.sleep(options.seconds / (options.restarts + 1))
    world.stop_writing.set()
    for w in writers:
        await rdb.in_thread(w.join)
    world.over = True
    rest.close()
    end = Rest().query("SELECT 1")["lsn"]
    while Rest().query("SELECT 1")["lsn"] != end:  # a transaction that its writer left is gone by now
        end = Rest().query("SELECT 1")["lsn"]
    Rest().query("INSERT INTO a VALUES (1000000, 3, 'last')")
    events = await history(Rest().query("SELECT 1")["lsn"])

    def arrived(f):
        return f.problem or expect(f, events) is None

    passed, failed = 0, 0

    def tell(good, what, why=""):
        nonlocal passed, failed
        passed, failed = passed + bool(good), failed + (not good)
        if not good or options.subscribers <= 40:
            print(f"{'ok' if good else 'not ok'} {what}" + (f"\n# {why}" if why else ""), flush=True)

    deadline = time.monotonic() + 60 * SLOW
    waiting = list(followers)
    while waiting and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
        waiting = [f for f in waiting if not arrived(f)]
    for f in followers:
        why = f.problem or expect(f, events)
        tell(not why, str(f), why)
    for c in copiers:
        now = {i: {"id": i, "v": v, "w": w} for i, v, w in Rest().rows(f"SELECT id, v, w FROM {c.table}")}
        while c.copy != now and not c.problem and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
        tell(c.copy == now, f"the copy of {c.table} is the table", c.problem or "")
    tags = {str(e["row"]["w"]).split(".x")[0] for e in events.values() if e["row"]}
    lost = world.acknowledged - {re.sub(r"y+$", "", t) for t in tags}
    tell(not lost, "every acknowledged write is in the history", f"{sorted(lost)[:5]}" if lost else "")
    for t in tasks:
        t.cancel()
    print(f"# {len(events)} events, {sum(len(f.seen) for f in followers)} deliveries, {world.cuts} cuts,"
          f" {sum(len(f.lost) for f in followers)} gaps told, seed {options.seed}")
    print(f"{passed} passed, {failed} failed", flush=True)  # main ends without another chance
    return failed == 0


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--bin", required=True)
    p.add_argument("--dir", required=True)
    p.add_argument("--seconds", type=float, default=20)
    p.add_argument("--subscribers", type=int, default=30)
    p.add_argument("--restarts", type=int, default=3)
    p.add_argument("--pause", type=float, default=0.1)
    p.add_argument("--reactors", type=int, default=1)
    p.add_argument("--seed", type=int, default=int(time.time()))
    options = p.parse_args()
    daemon = Daemon(options.bin, options.dir, "--stream-buffer", "256k", "--reactors", str(options.reactors))
    daemon.start()
    try:
        good = asyncio.run(play(daemon, options))
    finally:
        daemon.end(signal.SIGTERM)
    os._exit(0 if good else 1)


if __name__ == "__main__":
    main()
