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
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

from rdb import LIMIT, SLOW, Rest, eventually
from story_cast import TABLES, Daemon, Follower, Subscriber, Writer

ISO = os.environ.get("ISO_CODES", "/usr/share/iso-codes/json")


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


def rounds(options, tally, daemon, up, writers, subscriber):
    chance, rest = random.Random(options.seed), Rest()
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
        eventually(
            lambda: all(w.waiting or w.problem for w in writers), say="the writers to notice the kill"
        )
        odd = [w.mismatch(rest) or w.problem for w in writers] + [subscriber.problem]
        acked = sum(w.acked for w in writers)
        tally.check(
            not any(odd),
            f"kill {n}: {acked} acknowledged writes are there, {len(subscriber.events)} events seen",
            "; ".join(o for o in odd if o),
        )
        rest.close()  # the next kill would break it
        up.set()
        if options.progress and sys.stderr.isatty():
            print(f"\r{n}/{options.kills} kills, {acked} writes ", end="", file=sys.stderr, flush=True)
        elif options.progress and n % 10 == 0:
            print(f"{n}/{options.kills} kills, {acked} writes", file=sys.stderr, flush=True)
        if any(odd):
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
