"""Those who take part in the main job (story.py): the daemon, writers, and subscribers."""

import asyncio
import http.client
import json
import os
import random
import subprocess
import threading
import time

from rdb import LIMIT, Closed, Refused, Rest, connect

BROKEN = (OSError, http.client.HTTPException)  # the connection went away
TABLES = ("countries", "visits")


class Daemon:
    """The process under test, on the same port from its second start on."""

    def __init__(self, binary, folder, *flags):
        self.binary, self.folder, self.flags = binary, folder, flags
        self.port, self.process = 0, None
        self.log = open(os.path.join(folder, "daemon.err"), "ab")

    def start(self):
        self.process = subprocess.Popen(
            [self.binary, "serve", "--data", os.path.join(self.folder, "data")]
            + ["--listen", f"127.0.0.1:{self.port}", "--log-level", "warn", *self.flags],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        line = self.process.stdout.readline()
        assert " ready on http://127.0.0.1:" in line, f"not ready: {line!r}"
        self.port = int(line.split("127.0.0.1:")[1].split()[0])
        with open(os.path.join(self.folder, "data", "root.token")) as f:
            os.environ["TOKEN"] = f.read().strip()
        os.environ["PORT"] = str(self.port)
        os.environ["RUSTYDB_URL"] = f"http://127.0.0.1:{self.port}"

    def end(self, how):
        self.process.send_signal(how)
        status = self.process.wait(timeout=LIMIT)
        self.process.stdout.close()
        return status


class Writer(threading.Thread):
    """Owns every n-th country and the visits that carry its number, so that it knows what they must
    look like. A write whose answer never came is settled by looking, after the restart."""

    def __init__(self, number, codes, seed, up):
        super().__init__(daemon=True)
        self.number, self.codes, self.up = number, codes, up
        self.random = random.Random(seed * 1000 + number)
        self.visits = {}  # seq: country
        self.notes = {c: None for c in codes}
        self.wanted = []  # for each applied change: (table, op, key, value)
        self.seq = 0
        self.acked = self.settled = self.refused = 0
        self.pending = None  # the change under way
        self.waiting = False  # for the daemon to come up again
        self.problem = None
        self.stopping = threading.Event()

    def run(self):
        rest = Rest()
        try:
            while not self.stopping.is_set():
                change = self.pending = self.choose()
                try:
                    done = self.send(rest, change)
                except BROKEN:
                    rest.close()
                    self.settle(rest, change)
                    continue
                if done:
                    self.apply(change)
                    self.acked += 1
                self.pending = None
        except Exception as e:  # reported by the main thread
            self.problem = f"writer {self.number}: {e!r}"
        finally:
            rest.close()

    # A change is (kind, [(table, op, key, value)...]): the row changes that it must make.
    def choose(self):
        self.seq += 1
        kind = self.random.choices(
            ["visit", "note", "leave", "both", "refused"], [50, 20, 10, 15, 5]
        )[0]
        code = self.random.choice(self.codes)
        if kind == "leave" and not self.visits:
            kind = "visit"
        if kind == "visit":
            return kind, [("visits", "insert", self.seq, code)]
        if kind == "note":
            return kind, [("countries", "update", code, f"note {self.seq}")]
        if kind == "leave":
            return kind, [("visits", "delete", self.random.choice(list(self.visits)), None)]
        return kind, [
            ("visits", "insert", self.seq, code),
            ("countries", "update", code, f"note {self.seq}"),
        ]

    def statement(self, change):
        table, op, key, value = change
        if op == "insert":
            return {
                "sql": "INSERT INTO visits (writer, seq, country) VALUES (?, ?, ?)",
                "params": [self.number, key, value],
            }
        if op == "delete":
            return {
                "sql": "DELETE FROM visits WHERE writer = ? AND seq = ?",
                "params": [self.number, key],
            }
        return {
            "sql": "UPDATE countries SET note = :note WHERE alpha_2 = :code",
            "params": {"note": value, "code": key},
        }

    def send(self, rest, change):
        """True when it was acknowledged, False when it was refused as it should be."""
        kind, parts = change
        if kind in ("visit", "note", "leave"):
            answer = rest.call("POST", "/query", self.statement(parts[0]))
            assert answer["changes"] == 1, (change, answer)
            return True
        statements = [self.statement(p) for p in parts]
        if kind == "both":
            answer = rest.call("POST", "/batch", {"statements": statements, "atomic": True})
            assert [r["changes"] for r in answer["results"]] == [1, 1], answer
            return True
        statements.append({"sql": "INSERT INTO visits (writer, seq, country) VALUES (0, 0, NULL)"})
        try:
            rest.call("POST", "/batch", {"statements": statements, "atomic": True})
        except Refused as e:
            assert e.problem["statement"] == 2, e
            self.refused += 1
            return False
        raise AssertionError("a batch that breaks NOT NULL was accepted")

    def apply(self, change):
        self.visits, self.notes = self.after(change)
        self.wanted += change[1]

    def settle(self, rest, change):
        while not self.stopping.is_set():
            self.waiting = True
            if not self.up.wait(0.1):
                continue
            self.waiting = False
            try:
                seen = [self.is_there(rest, p) for p in change[1]]
                break
            except BROKEN:
                rest.close()
                time.sleep(0.02)
        else:
            raise AssertionError("stopped with a write unsettled")
        if change[0] == "refused":
            assert not any(seen), f"a part of a refused batch is there: {change}"
        else:
            assert all(seen) or not any(seen), f"half of an atomic batch is there: {change}"
        if all(seen):
            self.apply(change)
        self.pending = None
        self.settled += 1

    def is_there(self, rest, part):
        table, op, key, value = part
        if table == "countries":
            return rest.value("SELECT note FROM countries WHERE alpha_2 = ?", [key]) == value
        count = rest.value(
            "SELECT count(*) FROM visits WHERE writer = ? AND seq = ?", [self.number, key]
        )
        return count == (1 if op == "insert" else 0)

    def mismatch(self, rest):
        """What the tables hold otherwise than this writer knows; None when all is as it should be. A
        write that is under way may be there or not, but as a whole."""
        found = (
            dict(rest.rows("SELECT seq, country FROM visits WHERE writer = ?", [self.number])),
            {c: n for c, n in rest.rows("SELECT alpha_2, note FROM countries") if c in self.notes},
        )
        known = self.visits, self.notes
        if found == known or self.pending and found == self.after(self.pending):
            return None
        odd = [sorted(set(f.items()) ^ set(k.items()), key=str)[:6] for f, k in zip(found, known)]
        return f"writer {self.number}: visits {odd[0]}, notes {odd[1]}, under way {self.pending}"

    def after(self, change):
        """Both tables as they are once the change is made."""
        visits, notes = dict(self.visits), dict(self.notes)
        for _, op, key, value in change[1] if change[0] != "refused" else ():
            if op == "insert":
                visits[key] = value
            elif op == "delete":
                del visits[key]
            else:
                notes[key] = value
        return visits, notes


class Subscriber(threading.Thread):
    """Follows both tables over one WebSocket and resumes each after its own last lsn."""

    def __init__(self, up):
        super().__init__(daemon=True)
        self.up = up
        self.events = []
        self.last = {t: 0 for t in TABLES}
        self.resumed = 0
        self.problem = None
        self.stopping = threading.Event()

    def head(self):
        return max(self.last.values())

    def run(self):
        try:
            asyncio.run(self.follow())
        except Exception as e:  # reported by the main thread
            self.problem = f"subscriber: {e!r}"

    async def follow(self):
        while not self.stopping.is_set():
            if not self.up.is_set():
                await asyncio.sleep(0.02)
                continue
            try:
                session = await connect()
            except Exception:  # refused or cut off half-way: the daemon was killed again
                await asyncio.sleep(0.02)
                continue
            try:
                await self.session(session)
            except Closed:
                self.resumed += 1
            finally:
                await session.ws.close()  # the daemon may have been killed: no answer, no wonder

    async def session(self, session):
        for t in TABLES:
            await session.send("subscribe", {"topic": f"table:{t}", "since": self.last[t]}, t)
        while not self.stopping.is_set():
            try:
                m = await session.recv(0.2)
            except asyncio.TimeoutError:
                continue
            assert m["type"] in ("subscribed", "event"), m
            if m["type"] == "event":
                e = m["payload"]
                table = e["topic"].split(":")[1]
                assert e["lsn"] > self.last[table], f"again or out of order: {e}"
                self.last[table] = e["lsn"]
                self.events.append(e)


class Follower:
    """`rustydb subscribe`, left alone: it reconnects and resumes by itself."""

    def __init__(self, rustydb, folder, table, since):
        self.path = os.path.join(folder, f"{table}.jsonl")
        self.out = open(self.path, "wb")
        self.err = open(os.path.join(folder, f"{table}.err"), "wb")
        self.process = subprocess.Popen(
            [rustydb, "subscribe", f"table:{table}", "--since", str(since), "--format", "jsonl"],
            stdin=subprocess.DEVNULL,
            stdout=self.out,
            stderr=self.err,
        )

    def events(self):
        with open(self.path, encoding="utf-8") as f:
            text = f.read()
        # The last line may be half written at this moment.
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def lines(self):
        with open(self.path, "rb") as f:
            return f.read().count(b"\n")

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=LIMIT)
        self.out.close()
        self.err.close()
