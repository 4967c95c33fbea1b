"""The main job, crashes included: real data in, several writers, subscribers that resume, SIGKILL
again and again; then everything is accounted for.

    story.py --bin rustydb --dir FOLDER [--kills N] [--writers N] [--seed N] [--progress]

It runs its own daemon on a free port, imports Debian's iso-codes through the command line, and has
writers change rows over REST while two subscribers follow: one over WebSocket that resumes with
`since`, one `rustydb subscribe`, which resumes by itself. Each round the daemon is killed in the
middle of the writes and started again. What must hold, after every round and in the end:

- every acknowledged write is there; one that was under way is there as a whole or not at all;
- a refused or rolled-back write left neither a row nor an event;
- each subscriber saw every event once, in order, without a hole in lsn;
- replaying the events over nothing gives the tables as they are.

Prints TAP-like lines, one per round and per final claim, and ends with `N passed, N failed`.
"""

import argparse
import asyncio
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

from rdb import LIMIT, SLOW, Closed, Refused, Rest, connect, eventually

ISO = os.environ.get("ISO_CODES", "/usr/share/iso-codes/json")
BROKEN = (OSError, http.client.HTTPException)  # the connection went away
TABLES = ("countries", "visits")


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, good, what, detail=""):
        if good:
            self.passed += 1
            print(f"ok {what}", flush=True)
        else:
            self.failed += 1
            print(f"not ok {what}\n# {detail}", flush=True)
        return good


class Daemon:
    """The process under test, on the same port from its second start on."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.port, self.process = 0, None
        self.log = open(os.path.join(folder, "daemon.err"), "ab")

    def start(self):
        self.process = subprocess.Popen(
            [self.binary, "serve", "--data", os.path.join(self.folder, "data")]
            + ["--listen", f"127.0.0.1:{self.port}", "--log-level", "warn"],
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
        self.problem = None
        self.stopping = threading.Event()

    def run(self):
        rest = Rest()
        try:
            while not self.stopping.is_set():
                change = self.choose()
                try:
                    done = self.send(rest, change)
                except BROKEN:
                    rest.close()
                    self.settle(rest, change)
                    continue
                if done:
                    self.apply(change)
                    self.acked += 1
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
        for table, op, key, value in change[1]:
            self.wanted.append((table, op, key, value))
            if op == "insert":
                self.visits[key] = value
            elif op == "delete":
                del self.visits[key]
            else:
                self.notes[key] = value

    def settle(self, rest, change):
        while not self.stopping.is_set():
            if not self.up.wait(0.1):
                continue
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
        """What the tables hold otherwise than this writer knows; None when all is as it should be."""
        rows = rest.rows("SELECT seq, country FROM visits WHERE writer = ?", [self.number])
        if dict(rows) != self.visits or len(rows) != len(self.visits):
            odd = set(map(tuple, rows)) ^ set(self.visits.items())
            return f"writer {self.number}: visits differ in {sorted(odd)[:10]}"
        notes = dict(rest.rows("SELECT alpha_2, note FROM countries"))
        odd = {c: (notes[c], n) for c, n in self.notes.items() if notes[c] != n}
        return f"writer {self.number}: notes (found, expected) {odd}" if odd else None


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
                await session.close()

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


def import_data(rustydb, tally):
    def cli(*words):
        return subprocess.run(
            [rustydb, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT
        )

    for table, name, at in (
        ("countries", "iso_3166-1.json", "/3166-1"),
        ("subdivisions", "iso_3166-2.json", "/3166-2"),
    ):
        path = os.path.join(ISO, name)
        done = cli("import", table, path, "--at", at, "--create")
        with open(path) as f:
            count = len(json.load(f)[at[1:]])
        rest = Rest()
        kept = rest.value(f"SELECT count(*) FROM {table}") if done.returncode == 0 else None
        rest.close()
        tally.check(kept == count, f"imported {count} rows into {table}", done.stderr)
    rest = Rest()
    joined = rest.value(
        "SELECT count(*) FROM subdivisions s JOIN countries c ON c.alpha_2 = substr(s.code, 1, 2)"
    )
    tally.check(joined == count, "every subdivision has its country", f"{joined} of {count}")
    rest.run(
        "CREATE UNIQUE INDEX countries_code ON countries (alpha_2)",
        "ALTER TABLE countries ADD COLUMN note TEXT",
        "CREATE TABLE visits (writer INTEGER, seq INTEGER, country TEXT NOT NULL,"
        " PRIMARY KEY (writer, seq)) WITHOUT ROWID",
    )
    rest.close()


def replayed(events, first):
    """The tables that the events make out of nothing, by their keys."""
    tables = {t: dict(first.get(t, {})) for t in TABLES}
    for e in events:
        table = tables[e["topic"].split(":")[1]]

        def key(row):
            return row["alpha_2"] if "alpha_2" in row else (row["writer"], row["seq"])

        if e["op"] in ("update", "delete"):
            assert table.pop(key(e["old_row"])) == e["old_row"], f"old row differs: {e}"
        if e["op"] in ("update", "insert"):
            assert key(e["row"]) not in table, f"inserted twice: {e}"
            table[key(e["row"])] = e["row"]
        if e["op"] == "update":
            changed = [c for c in e["row"] if e["row"][c] != e["old_row"][c]]
            assert sorted(e["changed_columns"]) == sorted(changed), e
    return tables


def tables_now(rest):
    now = {}
    for t, width in (("countries", 1), ("visits", 2)):
        a = rest.query(f"SELECT * FROM {t}")
        names = [c["name"] for c in a["columns"]]
        rows = [dict(zip(names, r)) for r in a["rows"]]
        now[t] = {
            (r["alpha_2"] if width == 1 else (r["writer"], r["seq"])): r for r in rows
        }
    return now


def account(tally, name, events, writers, rest, first, base):
    """The final claims about what one subscriber saw."""
    lsns = sorted(e["lsn"] for e in events)
    twice = len(lsns) - len(set(lsns))
    missing = sorted(set(range(base + 1, lsns[-1] + 1 if lsns else base + 1)) - set(lsns))
    tally.check(not twice, f"{name} saw no event twice", f"{twice} repeated")
    tally.check(not missing, f"{name} saw every event", f"missing lsn {missing[:10]}")
    wanted, seen = {}, {}
    for w in writers:
        for table, op, key, value in w.wanted:
            k = (table, op, (w.number, key) if table == "visits" else key, value)
            wanted[k] = wanted.get(k, 0) + 1
    for e in events:
        row = e["row"] or e["old_row"]
        table = e["topic"].split(":")[1]
        if table == "visits":
            value = e["row"]["country"] if e["row"] else None
            k = (table, e["op"], (row["writer"], row["seq"]), value)
        else:
            k = (table, e["op"], row["alpha_2"], row["note"])
        seen[k] = seen.get(k, 0) + 1
    odd = [k for k in wanted.keys() | seen.keys() if wanted.get(k) != seen.get(k)]
    tally.check(
        not odd,
        f"{name}: one event for each of the {sum(wanted.values())} changes, none besides",
        f"(change, wanted, seen) {[(k, wanted.get(k, 0), seen.get(k, 0)) for k in odd[:5]]}",
    )
    try:
        tables = replayed(sorted(events, key=lambda e: e["lsn"]), first)
        now = tables_now(rest)
        tally.check(tables == now, f"{name}: the events replayed give the tables as they are")
    except (AssertionError, KeyError) as e:
        tally.check(False, f"{name}: the events replay", repr(e))


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


def rounds(options, tally, daemon, up, writers, subscriber):
    chance = random.Random(options.seed)
    for n in range(1, options.kills + 1):
        before = sum(w.acked for w in writers)
        target = before + chance.randint(20, 20 + 2 * options.writes)
        eventually(
            lambda: sum(w.acked for w in writers) >= target or any(w.problem for w in writers),
            say="acknowledged writes",
        )
        if any(w.problem for w in writers):
            break
        time.sleep(chance.random() * 0.01)  # so that the kill hits anywhere in a group commit
        up.clear()
        daemon.end(signal.SIGKILL)
        daemon.start()
        up.set()
        # Once each writer has settled what was under way, all it knows must be there. The writers
        # go on, so what is compared is the state at a moment when they stand still: see finish().
        acked = sum(w.acked for w in writers)
        tally.check(
            subscriber.problem is None,
            f"kill {n}: {acked} writes acknowledged, {len(subscriber.events)} events seen",
            subscriber.problem,
        )
        if options.progress and sys.stderr.isatty():
            print(f"\r{n}/{options.kills} kills, {acked} writes ", end="", file=sys.stderr, flush=True)
        elif options.progress and n % 10 == 0:
            print(f"{n}/{options.kills} kills, {acked} writes", file=sys.stderr, flush=True)
        if subscriber.problem:
            break


def finish(tally, daemon, writers, subscriber, followers, first, base):
    eventually(
        lambda: any(w.problem for w in writers)
        or all(w.acked + w.settled >= w.goal for w in writers),
        say="every writer to write after the last start",
    )
    for w in writers:
        w.stopping.set()
    for w in writers:
        w.join(LIMIT)
        tally.check(w.problem is None and not w.is_alive(), f"writer {w.number} ends well", w.problem)
    rest = Rest()
    for w in writers:
        odd = w.mismatch(rest)
        tally.check(
            odd is None,
            f"writer {w.number}: {w.acked} acknowledged, {w.settled} settled after a kill,"
            f" {w.refused} refused: all as it should be",
            odd,
        )
    head = rest.query("SELECT 1")["lsn"]
    try:
        eventually(lambda: subscriber.head() >= head or subscriber.problem, say=f"lsn {head}")
    except AssertionError as e:
        tally.check(False, "the subscriber catches up", f"{e}; it is at {subscriber.last}")
    subscriber.stopping.set()
    subscriber.join(LIMIT)
    tally.check(subscriber.problem is None, f"resumed {subscriber.resumed} times", subscriber.problem)
    account(tally, "the subscriber", subscriber.events, writers, rest, first, base)
    wanted = len(subscriber.events)
    try:
        eventually(lambda: sum(f.lines() for f in followers) >= wanted, say=f"{wanted} lines")
    except AssertionError as e:
        tally.check(False, "rustydb subscribe catches up", str(e))
    events = []
    for f in followers:
        f.end()
        mine = f.events()
        lsns = [e["lsn"] for e in mine]
        tally.check(lsns == sorted(lsns), "rustydb subscribe printed events in order", lsns[:20])
        events += mine
    account(tally, "rustydb subscribe", events, writers, rest, first, base)
    ok = rest.rows("PRAGMA integrity_check")
    tally.check(ok == [["ok"]], "the database file is sound", ok)
    rest.close()
    tally.check(daemon.end(signal.SIGTERM) == 0, "SIGTERM ends the daemon with status 0")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--bin", required=True)
    p.add_argument("--dir", required=True)
    p.add_argument("--kills", type=int, default=3)
    p.add_argument("--writers", type=int, default=4)
    p.add_argument("--writes", type=int, default=100, help="mean number of writes between kills")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--progress", action="store_true")
    options = p.parse_args()
    options.writes = max(20, options.writes // SLOW)
    tally = Tally()
    up = threading.Event()
    daemon = Daemon(options.bin, options.dir)
    daemon.start()
    followers = []
    try:
        up.set()
        import_data(options.bin, tally)
        rest = Rest()
        first = tables_now(rest)
        base = rest.query("SELECT 1")["lsn"]
        codes = [r[0] for r in rest.rows("SELECT alpha_2 FROM countries ORDER BY 1")]
        rest.close()
        followers = [Follower(options.bin, options.dir, t, base) for t in TABLES]
        subscriber = Subscriber(up)
        subscriber.last = {t: base for t in TABLES}
        subscriber.start()
        writers = [
            Writer(n, codes[n :: options.writers], options.seed, up) for n in range(options.writers)
        ]
        for w in writers:
            w.start()
        rounds(options, tally, daemon, up, writers, subscriber)
        for w in writers:
            w.goal = w.acked + w.settled + 5
        finish(tally, daemon, writers, subscriber, followers, first, base)
    except Exception as e:  # the claims so far are counted, and this is one that failed
        tally.check(False, "the story runs to its end", repr(e))
    finally:
        for f in followers:
            f.end()
        if daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait()
    print(f"{tally.passed} passed, {tally.failed} failed", flush=True)
    sys.exit(1 if tally.failed else 0)


main()
