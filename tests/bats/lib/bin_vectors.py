"""Holds bincode.py and binmsg.py, written from the description alone, to the test vectors, and
exchanges messages with the daemon for a program that cannot speak WebSocket."""

import asyncio
import json
import pathlib
import re

import binmsg
from bin_session import connect
from bincode import Bad
from rdb import main, sql

VECTORS = pathlib.Path(__file__).parents[2] / "data" / "bin"
GOOD = "query values query_result execute execute_result transactions subscribe event error".split()


def _hold_to(path):
    n = 0
    for v in binmsg.vectors(path):
        n += 1
        data, meaning = bytes.fromhex(v["hex"]), json.loads(v["json"])
        assert binmsg.decode(data) == meaning, (v["name"], binmsg.decode(data))
        assert binmsg.encode(meaning) == data, (v["name"], binmsg.encode(meaning).hex())
    return n


def same(*paths):
    for path in paths or [VECTORS / f"{name}.txt" for name in GOOD]:
        assert _hold_to(path) >= 3, path


def longer():
    for v in binmsg.vectors(VECTORS / "long_forms.txt"):
        meaning = json.loads(v["json"])
        assert binmsg.decode(bytes.fromhex(v["hex"])) == meaning
        assert len(binmsg.encode(meaning)) < len(v["hex"]) // 2


def refused():
    for v in binmsg.vectors(VECTORS / "bad.txt"):
        try:
            m = binmsg.decode(bytes.fromhex(v.get("hex", "")))
        except Bad:
            continue
        raise AssertionError(f"{v['name']} was read: {m}")


def documented(page):
    """Every name of a type, a variant and a field stands in the manual page."""
    words = set(re.findall(r"\w+", pathlib.Path(page).read_text(encoding="utf-8")))
    missing = [n for n in sorted(_names(binmsg.MESSAGE) | _names_of_payloads()) if n not in words]
    assert not missing, missing


def _names_of_payloads():
    return set().union(set(binmsg.PAYLOADS), *map(_names, binmsg.PAYLOADS.values()))


def _names(t):
    if hasattr(t, "fields"):
        return set(t.fields).union(*map(_names, t.fields.values()))
    if hasattr(t, "variants"):
        return {n for n, _ in t.variants}.union(*(_names(f) for _, f in t.variants if f))
    if hasattr(t, "of"):
        return set().union(*map(_names, t.of if isinstance(t.of, tuple) else [t.of]))
    return set()


async def exchange(requests, answers):
    """Sends each line of hex, and waits for its last answer, before the next. What came, events
    too, goes into `answers` as lines of hex."""
    sql("CREATE TABLE t (id INTEGER PRIMARY KEY, x)")
    s = await connect()
    came = [s.last.hex()]

    async def next_message():
        data = await s.ws.recv()
        came.append(data.hex())
        return binmsg.decode(data)

    for line in open(requests, encoding="ascii"):
        id_ = binmsg.decode(bytes.fromhex(line))["id"]
        await s.ws.send(bytes.fromhex(line))
        while True:
            m = await next_message()
            if m["id"] == id_ and (m["msg_type"] != "QueryResult" or "End" in m["payload"]):
                break
    while "Event" != (await asyncio.wait_for(next_message(), 30))["msg_type"]:
        pass
    pathlib.Path(answers).write_text("".join(c + "\n" for c in came), encoding="ascii")


main(globals())
