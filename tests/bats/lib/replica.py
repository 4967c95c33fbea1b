"""A replica: a fresh SQLite database that follows the daemon by a replication slot, while writers
change everything and the daemon is killed again and again; in the end both are equal.

    replica.py --bin rustydb --dir FOLDER [--kills N] [--writers N] [--seed N]

The consumer applies each transaction as one, and keeps in it how far it is. It acknowledges now and
then, is cut off now and then, and comes back in one of two ways: by its slot alone (then it may get
again what it has, and passes over it), or with `since`, the position that it has kept (then it gets
nothing twice). On the way it checks that lsn has no holes and transactions come whole.

Prints TAP-like lines and ends with `N passed, N failed`.
"""

import argparse
import asyncio
import base64
import http.client

import os
import random
import signal
import sqlite3
import sys
import threading
import time
import traceback

from rdb import LIMIT, Closed, Refused, Rest, connect, eventually
from story_cast import BROKEN, Daemon

ENDPOINT = "/api/v1/ws/replication"
CREATE = (
    "CREATE TABLE a (id INTEGER PRIMARY KEY, x, y TEXT)",
    "CREATE TABLE b (k1, k2 TEXT, v REAL, PRIMARY KEY (k1, k2)) WITHOUT ROWID",
    "CREATE TABLE c (x, y)",
    "CREATE TABLE child (id INTEGER PRIMARY KEY, a REFERENCES a ON DELETE CASCADE)",
    "CREATE TRIGGER a_noted AFTER UPDATE ON a BEGIN INSERT INTO c VALUES ('noted', new.id); END",
)


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


# ---- writers --------------------------------------------------------------------------------------


class Writer(threading.Thread):
    """Makes statements, batches and transactions at random; what fails, fails."""

    def __init__(self, number, seed):
        super().__init__(daemon=True)
        self.number, self.random = number, random.Random(seed * 100 + number)
        self.stopping, self.problem, self.done = threading.Event(), None, 0

    def value(self):
        r = self.random
        return r.choice([
            None, r.randint(-5, 5), r.randint(-(2**63), 2**63 - 1), r.random() * 10.0 ** r.randint(-9, 9),
            "text %d" % r.randint(0, 9), "é\U0001f600\u0000x", {"$base64": "AAEC/w=="},
            {"$real": "Infinity"}, "y" * r.randint(0, 3000)])

    def statement(self):
        r = self.random
        key = r.randint(1, 60)
        return r.choice([
            ("INSERT OR REPLACE INTO a VALUES (?, ?, ?)", [key, self.value(), "t%d" % key]),
            ("INSERT INTO a (x, y) VALUES (?, ?), (?, ?)", [self.value(), "n", self.value(), "m"]),
            ("UPDATE a SET x = ? WHERE id % 7 = ?", [self.value(), key % 7]),
            ("DELETE FROM a WHERE id % 20 = ?", [key % 20]),
            ("UPDATE OR IGNORE a SET id = id + 1 WHERE id = ?", [key]),
            ("INSERT OR IGNORE INTO child (a) SELECT id FROM a WHERE id % 5 = ?", [key % 5]),
            ("INSERT INTO b VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET v = excluded.v",
             [key % 9, "k%d" % (key % 4), r.random()]),
            ("UPDATE b SET k1 = k1 + 100 WHERE k1 = ?", [key % 9]),
            ("DELETE FROM b WHERE k2 = ?", ["k%d" % (key % 4)]),
            ("INSERT INTO c VALUES (?, ?)", [self.value(), self.value()]),
            ("UPDATE c SET y = ? WHERE rowid % 11 = ?", [self.value(), key % 11]),
            ("DELETE FROM c WHERE rowid % 3 = ? OR rowid < (SELECT max(rowid) - 300 FROM c)", [key % 3]),
            ("INSERT INTO c SELECT x, y FROM a LIMIT 20", []),
        ])

    def ddl(self, rest):
        t = f"extra{self.number}"
        for statement in self.random.choice([
            (f"CREATE TABLE {t} (id INTEGER PRIMARY KEY, x DEFAULT 'd')",
             f"INSERT INTO {t} (x) VALUES (1), (2)"),
            (f"ALTER TABLE {t} ADD COLUMN more{self.random.randint(1, 99)} DEFAULT 7",),
            (f"CREATE TABLE {t}_copy AS SELECT * FROM a",),
            (f"ALTER TABLE {t}_copy RENAME TO {t}_kept",),
            (f"UPDATE {t} SET x = x || 'u'",),
            (f"DROP TABLE {t}_kept",), (f"DROP TABLE {t}_copy",), (f"DROP TABLE {t}",),
        ]):
            rest.query(statement)

    def once(self, rest):
        r = self.random
        kind = r.choices(["one", "atomic", "batch", "tx", "ddl"], [60, 12, 8, 12, 8])[0]
        if kind == "one":
            rest.query(*self.statement())
        elif kind in ("atomic", "batch"):
            statements = [dict(zip(("sql", "params"), self.statement())) for _ in range(4)]
            rest.call("POST", "/batch", {"statements": statements, "atomic": kind == "atomic"})
        elif kind == "tx":
            path = "/transactions/" + rest.call("POST", "/transactions", {})["transaction_id"]
            end = r.choice(["/commit", "/commit", "/rollback"])
            try:
                for _ in range(3):
                    statement, params = self.statement()
                    rest.call("POST", path + "/query", {"sql": statement, "params": params})
            except Refused:
                end = "/rollback"
            rest.call("POST", path + end, {})
        else:
            self.ddl(rest)

    def run(self):
        rest = Rest()
        try:
            while not self.stopping.is_set():
                try:
                    self.once(rest)
                    self.done += 1
                except Refused:  # a key that is there, a table that is not
                    pass
                except BROKEN:  # killed; it comes up again
                    rest.close()
                    time.sleep(0.02)
        except Exception as e:  # reported by the main thread
            self.problem = f"writer {self.number}: {e!r}"
        finally:
            rest.close()


# ---- the replica ----------------------------------------------------------------------------------


def plain(v):
    if isinstance(v, dict):
        if "$base64" in v:
            return base64.b64decode(v["$base64"])
        return float(v["$real"])
    return v


class Replica:
    """The database, and what is done to it for each frame."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("CREATE TABLE IF NOT EXISTS _position (lsn INTEGER)")
        self.db.execute("INSERT INTO _position VALUES (0)")
        self.applied = 0

    def find(self, f):
        """The row that a change is about: by key, or one that has all its old values."""
        table = quoted(f["table"])
        by = f["key"] if f["key"] is not None else f["old_row"]
        where = " AND ".join(f"{quoted(c)} IS ?" for c in by)
        values = [plain(v) for v in by.values()]
        if f["key"] is not None:
            return where, values
        return f"rowid = (SELECT rowid FROM {table} WHERE {where} LIMIT 1)", values

    def change(self, f):
        table, row = quoted(f["table"]), f["row"]
        if f["op"] == "insert":
            names = ", ".join(map(quoted, row))
            marks = ", ".join("?" for _ in row)
            done = self.db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})",
                                   [plain(v) for v in row.values()])
        else:
            where, values = self.find(f)
            if f["op"] == "delete":
                done = self.db.execute(f"DELETE FROM {table} WHERE {where}", values)
            else:
                sets = ", ".join(f"{quoted(c)} = ?" for c in row)
                done = self.db.execute(f"UPDATE {table} SET {sets} WHERE {where}",
                                       [plain(v) for v in row.values()] + values)
        assert done.rowcount == 1, f"{done.rowcount} rows for {f}"

    def ddl(self, f):
        sql = f["sql"]
        if f["event"] == "table_created" and " AS SELECT " in sql:
            columns = ", ".join(f"{quoted(c['name'])} {c['type']}" for c in f["columns"])
            sql = f"CREATE TABLE {quoted(f['table'])} ({columns})"
        self.db.execute(sql)

    def begin(self):
        self.db.execute("BEGIN")

    def frame(self, f):
        if f["kind"] == "ddl":
            self.ddl(f)
        else:
            self.change(f)

    def commit(self, lsn):
        self.db.execute("UPDATE _position SET lsn = ?", [lsn])
        self.db.execute("COMMIT")
        self.applied = lsn

    def rollback(self):
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")


class Consumer(threading.Thread):
    def __init__(self, path, seed):
        super().__init__(daemon=True)
        self.path, self.random = path, random.Random(seed)
        self.stopping, self.problem = threading.Event(), None
        self.connections = self.repeated = self.transactions = 0
        self.kills = 0  # of the daemon, told by the main thread
        self.confirmed = (0, 0)  # highest lsn acknowledged, and how many kills there were then
        self.replica = None

    def run(self):
        try:
            self.replica = Replica(self.path)
            asyncio.run(self.follow())
        except Exception:  # reported by the main thread
            self.problem = traceback.format_exc()

    async def follow(self):
        while not self.stopping.is_set():
            try:
                await self.session()
            except (Closed, OSError, asyncio.TimeoutError, http.client.HTTPException):
                pass
            except Exception as e:
                if "websockets" not in type(e).__module__:
                    raise
            self.replica.rollback()
            await asyncio.sleep(0.02)

    async def session(self):
        s = await connect(path=ENDPOINT)
        try:
            await self.consume(s)
        finally:
            s.ws.transport.abort()

    async def consume(self, s):
        with_since = self.random.random() < 0.5
        # the slot may still be held by a connection that the daemon has not seen go
        while True:
            m = await s.request("subscribe", {
                "slot_name": "replica", "create": True, "ddl": True,
                "since": self.replica.applied if with_since else 0})
            if m["type"] == "subscribed":
                break
            assert m["payload"]["code"] == "CONFLICT", m
            await asyncio.sleep(0.02)
        at = m["payload"]["lsn"]
        self.connections += 1
        assert at >= self.confirmed[0] or self.confirmed[1] < self.kills, "behind what was confirmed"
        assert at <= self.replica.applied, "it starts beyond what was applied"
        assert not with_since or at == self.replica.applied, m
        lives = self.random.randint(5, 400)  # transactions until it cuts itself off
        while lives > 0 or self.stopping.is_set():
            at = await self.transaction(s, at)
            lives -= 1

    async def transaction(self, s, at):
        """Reads one, applies it unless it is there already; returns its last lsn."""
        f = await self.next(s)
        assert f["kind"] == "begin" and f["lsn"] == at + 1 and "continued" not in f, (at, f)
        known = f["lsn"] <= self.replica.applied
        self.repeated += known
        if not known:
            self.replica.begin()
        tx = f["tx"]
        while True:
            f = await self.next(s)
            assert f["tx"] == tx, f
            if f["kind"] == "commit":
                break
            at += 1
            assert f["lsn"] == at, (at, f)
            if not known:
                self.replica.frame(f)
        assert f["lsn"] == at, (at, f)
        if known:
            assert at <= self.replica.applied, "a transaction was applied in part"
        else:
            self.replica.commit(at)
            self.transactions += 1
        if self.random.random() < 0.3:
            kills = self.kills
            await s.ok("ack", {"lsn": at}, "query_result")
            self.confirmed = (at, kills)
        return at

    async def next(self, s):
        while True:
            try:
                return await s.event(timeout=0.5)
            except asyncio.TimeoutError:
                if self.stopping.is_set():
                    raise


class Tally:
    passed = failed = 0

    def check(self, good, what, detail=""):
        if good:
            self.passed += 1
            print(f"ok {what}", flush=True)
        else:
            self.failed += 1
            print(f"not ok {what}\n# {detail}", flush=True)


# ---- both -----------------------------------------------------------------------------------------


def as_kept(v):
    """As a value that compares by type and content."""
    if isinstance(v, dict):
        v = plain(v)
    return (type(v).__name__, v)


def compare(rest, db):
    """The tables in which both differ."""
    names = [t["name"] for t in rest.call("GET", "/tables?limit=1000")["tables"] if t["type"] == "table"]
    mine = {r[0] for r in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")} - {"_position"}
    if set(names) != mine:
        return [f"tables {sorted(set(names) ^ mine)}"], 0
    differ, rows = [], 0
    for t in names:
        a = rest.query(f"SELECT * FROM {quoted(t)}")
        order = sorted(range(len(a["columns"])), key=lambda i: a["columns"][i]["name"])
        columns = [a["columns"][i]["name"] for i in order]
        there = sorted(repr([as_kept(r[i]) for i in order]) for r in a["rows"])
        here = sorted(repr([as_kept(v) for v in r]) for r in
                      db.execute(f"SELECT {', '.join(map(quoted, columns))} FROM {quoted(t)}"))
        rows += len(there)
        if there != here:
            odd = set(there) ^ set(here)
            differ.append(f"{t}: {len(there)} and {len(here)} rows, such as {sorted(odd)[:2]}")
    return differ, rows


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--bin", required=True)
    p.add_argument("--dir", required=True)
    p.add_argument("--kills", type=int, default=3)
    p.add_argument("--writers", type=int, default=3)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    print(f"# seed {a.seed}")
    tally, chance = Tally(), random.Random(a.seed)
    daemon = Daemon(a.bin, a.dir)
    daemon.start()
    rest = Rest()
    rest.run(*CREATE)
    consumer = Consumer(os.path.join(a.dir, "replica.db"), a.seed)
    consumer.start()
    writers = [Writer(n, a.seed) for n in range(a.writers)]
    for w in writers:
        w.start()
    for kill in range(a.kills):
        want = sum(w.done for w in writers) + chance.randint(50, 250)
        seen = consumer.transactions + 20
        eventually(lambda: (sum(w.done for w in writers) >= want and consumer.transactions >= seen)
                   or consumer.problem or any(w.problem for w in writers), limit=2 * LIMIT, say="work")
        consumer.kills += 1
        daemon.end(signal.SIGKILL)
        rest.close()
        daemon.start()
        tally.check(not consumer.problem and not any(w.problem for w in writers),
                    f"kill {kill + 1}", consumer.problem or [w.problem for w in writers])
        if consumer.problem:
            break
    for w in writers:
        w.stopping.set()
    for w in writers:
        w.join(LIMIT)
    rest = Rest()
    head = rest.query("SELECT 1")["lsn"]
    if not consumer.problem:
        eventually(lambda: consumer.problem or consumer.replica.applied >= head, limit=2 * LIMIT,
                   say=f"the replica at {head}")
    consumer.stopping.set()
    consumer.join(LIMIT)
    tally.check(not consumer.problem, "the replica applied everything", consumer.problem)
    for w in writers:
        tally.check(not w.problem, f"writer {w.number} made {w.done} changes", w.problem)
    db = sqlite3.connect(os.path.join(a.dir, "replica.db"))
    differ, rows = compare(rest, db)
    tally.check(not differ and rows > 0, f"the replica equals its source in {rows} rows", differ)
    slot = rest.call("GET", "/replication/slots/replica")
    tally.check(slot["confirmed_lsn"] <= head, "the slot is not beyond the head", slot)
    print(f"# {head} events, {consumer.transactions} transactions, {consumer.connections} connections,"
          f" {consumer.repeated} transactions came again")
    daemon.end(signal.SIGTERM)
    print(f"{tally.passed} passed, {tally.failed} failed")
    sys.exit(tally.failed > 0)


if __name__ == "__main__":
    main()
