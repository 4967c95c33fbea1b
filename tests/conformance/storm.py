"""Hostile clients at random: good messages and mutilated ones, legal frames and broken ones, over every
endpoint and subprotocol, with sessions that end at any moment; while others change the tables that they
listen to. Whatever comes, the daemon serves the next client, comes to rest, and forgets them all.

STORM_SECONDS (3) is how long it lasts; STORM_SEED repeats one."""

import http.client
import json
import os
import random
import re
import select
import socket
import struct
import time
import zlib

from client import BINARY, CLOSE, CONT, LIMIT, PING, PONG, RSV1, TEXT, Client, Wire, frame, request

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data")
SECONDS = float(os.environ.get("STORM_SECONDS", "3"))
SEED = int(os.environ.get("STORM_SEED", "0")) or random.randrange(1 << 30)
SESSIONS = 12
ENDPOINTS = ("", "", "", "/events", "/query", "/metrics", "/replication")
PROTOCOLS = ("rustydb.json.v1", "rustydb.json.v1", "jsonrpc", "rustydb.bin.v1", "raw")


def _messages(name):
    with open(os.path.join(DATA, "messages", name), encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t", 1)[1].encode() for line in f if "\t" in line]


def _vectors():
    found = []
    for name in sorted(os.listdir(os.path.join(DATA, "bin"))):
        with open(os.path.join(DATA, "bin", name), encoding="utf-8") as f:
            found += [bytes.fromhex(h) for h in re.findall(r"^hex ([0-9a-f]+)$", f.read(), re.M) if len(h) % 2 == 0]
    return found


def _own():
    """What the corpora leave out, since it changes something."""
    json_v1 = [
        {"type": "subscribe", "payload": {"topic": topic, **more}}
        for topic in ("table:storm", "channel:storm", "queries", "system", "metrics", "table:none")
        for more in (
            {},
            {"since": 0},
            {"where": "a > 5"},
            {"where": "a = 5 AND old.b IS NULL", "policy": "drop_oldest"},
            {"policy": "replay", "since": 0},
            {"columns": ["a"], "ops": ["update"]},
            {"initial": True},
        )
    ]
    json_v1 += [{"type": "subscribe", "payload": {"query": f"SELECT a, b FROM storm WHERE a > {n}"}} for n in range(3)]
    json_v1 += [
        {"type": "query", "payload": {"sql": "SELECT * FROM storm"}},
        {"type": "execute", "payload": {"sql": "INSERT INTO storm (b) VALUES (hex(randomblob(500)))"}},
        {"type": "execute", "payload": {"sql": "UPDATE storm SET b = NULL WHERE a % 7 = 1"}},
        {"type": "begin", "id": "t"},
        {"type": "publish", "payload": {"channel": "storm", "message": "x" * 3000}},
        {"type": "close"},
        {"sql": "SELECT a, b FROM storm", "batch_size": 2, "progress": True},
    ]
    json_v1 += [
        {"type": "query", "id": "l", "payload": {"sql": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 20000) SELECT n, 'text' FROM c"}},
        {"type": "cancel", "payload": {"id": "l"}},
    ]
    for n in range(40):
        json_v1.append({"type": "unsubscribe", "payload": {"subscription_id": f"s{n}"}})
        json_v1.append({"type": "text", "payload": "hello", "to": f"c{n}"})
    return [json.dumps(m).encode() for m in json_v1]


class Storm:
    def __init__(self):
        self.r = random.Random(SEED)
        self.texts = _messages("json.txt") + _own() * 2
        self.rpcs = _messages("jsonrpc.txt")
        self.bins = _vectors()
        self.open = []
        self.opened = self.steps = 0

    def mutilated(self, data):
        r, data = self.r, bytearray(data)
        for _ in range(r.randrange(1, 4)):
            what = r.randrange(5)
            at = r.randrange(len(data) + 1)
            if what == 0 and data:
                data[r.randrange(len(data))] = r.randrange(256)
            elif what == 1:
                del data[at : at + r.randrange(1, 9)]
            elif what == 2:
                data[at:at] = r.randbytes(r.randrange(1, 9))
            elif what == 3:
                data[at:at] = data[: r.randrange(len(data) + 1)]
            else:
                data[at:] = data[at:][: r.randrange(50)]
        return bytes(data)

    def message(self, protocol):
        pool = {"jsonrpc": self.rpcs, "rustydb.bin.v1": self.bins}.get(protocol, self.texts)
        if self.r.random() < 0.1:
            pool = self.r.choice((self.texts, self.rpcs, self.bins))
        data = self.r.choice(pool)
        return self.mutilated(data) if self.r.random() < 0.25 else data

    def frames(self, c):
        """A message in frames, mostly legal ones."""
        r = self.r
        data = self.message(c.protocol)
        opcode = BINARY if c.protocol == "rustydb.bin.v1" or r.random() < 0.02 else TEXT
        rsv = 0
        if c.extension and r.random() < 0.6:
            z = c.deflater if "client_no" not in c.extension else zlib.compressobj(r.randrange(10), zlib.DEFLATED, -15)
            data = (z.compress(data) + z.flush(r.choice((zlib.Z_SYNC_FLUSH, zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH))))[:-4]
            rsv = RSV1
        if r.random() < 0.02:
            rsv = r.randrange(8)
        out = b""
        parts = r.choice((1, 1, 1, 2, 5))
        size = len(data) // parts + 1
        for n in range(parts):
            out += frame(
                CONT if n else opcode,
                data[n * size : (n + 1) * size],
                fin=n == parts - 1,
                rsv=0 if n else rsv,
                mask=r.random() > 0.02,
            )
            if r.random() < 0.2:
                out += frame(r.choice((PING, PONG)), r.randbytes(r.randrange(126)))
        if r.random() < 0.03:
            out = r.choice(
                (
                    frame(r.randrange(16), r.randbytes(r.randrange(300)), fin=r.random() < 0.5, rsv=r.randrange(8)),
                    r.randbytes(r.randrange(1, 200)),
                    frame(CLOSE, r.randbytes(r.randrange(10))),
                    frame(TEXT, b"x", length=r.randrange(1 << 40)),
                    out[: r.randrange(len(out) + 1)],
                )
            )
        return out

    def dial(self):
        r = self.r
        self.opened += 1
        headers = {}
        protocol = r.choice(PROTOCOLS)
        path = r.choice(ENDPOINTS)
        if path:
            protocol = "rustydb.json.v1"
        headers["Sec-WebSocket-Protocol"] = protocol
        if r.random() < 0.5:
            headers["Sec-WebSocket-Extensions"] = r.choice(
                ("permessage-deflate", "permessage-deflate; client_no_context_takeover", "permessage-deflate; client_max_window_bits")
            )
        path = "/api/v1/ws" + path + r.choice(("", "", "?channel=storm", "?x=1&&=&%ff"))
        data = request(headers, path=path, auth=r.random() < 0.85)
        c = Wire(rcvbuf=r.choice((None, None, 4096)))
        if r.random() < 0.05:
            c.pour(self.mutilated(data))
            c.close()
            return
        c.s.sendall(data)
        try:
            status, answer = c.head()
        except Exception:
            c.close()
            return
        if status != 101:
            c.close()
            return
        c.protocol, c.extension = protocol, answer.get("sec-websocket-extensions", "")
        c.deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
        c.reads = r.random() < 0.8
        c.s.setblocking(False)
        self.open.append(c)

    def end(self, c):
        if self.r.random() < 0.3:
            c.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.close()
        self.open.remove(c)

    def step(self):
        r = self.r
        self.steps += 1
        if len(self.open) < SESSIONS:
            self.dial()
            return
        c = r.choice(self.open)
        try:
            c.s.send(self.frames(c))
            if c.reads:
                while len(c.s.recv(1 << 16)) == 1 << 16:
                    pass
        except BlockingIOError:
            pass
        except ConnectionError:
            self.end(c)
            return
        if r.random() < 0.02:
            self.end(c)


def _sql(statement):
    h = http.client.HTTPConnection("127.0.0.1", int(os.environ["PORT"]), timeout=LIMIT)
    headers = {"Authorization": "Bearer " + os.environ["TOKEN"], "Content-Type": "application/json"}
    h.request("POST", "/api/v1/query", json.dumps({"sql": statement, "timeout_ms": 200}), headers)
    answer = h.getresponse()
    text = answer.read()
    h.close()
    return answer.status, text


def _sockets():
    folder, count = f"/proc/{os.environ['DAEMON_PID']}/fd", 0
    for fd in os.listdir(folder):
        try:
            count += os.readlink(f"{folder}/{fd}").startswith("socket:")
        except FileNotFoundError:
            pass
    return count


def storm():
    """hostile clients at random leave nothing behind"""
    _sql("CREATE TABLE IF NOT EXISTS storm (a INTEGER PRIMARY KEY, b)")
    before = _sockets()
    s = Storm()
    end, changed = time.monotonic() + SECONDS, time.monotonic()
    while time.monotonic() < end:
        s.step()
        if time.monotonic() - changed > 0.1:
            changed = time.monotonic()
            status, text = _sql("INSERT INTO storm (b) SELECT hex(randomblob(2000)) FROM sqlite_schema")
            # A session of the storm may hold the writer by a transaction of its own.
            assert status in (200, 503, 504), (status, text)
    for c in list(s.open):
        s.end(c)
    print(f"# storm of seed {SEED}: {s.opened} sessions, {s.steps} steps")
    assert s.opened > SESSIONS
    Client().works()
    limit = time.monotonic() + LIMIT
    while _sockets() > before + 1:
        assert time.monotonic() < limit, "connections of clients that have gone are still there"
        select.select([], [], [], 0.05)
