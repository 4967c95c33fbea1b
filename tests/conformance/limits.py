"""Limits of size, counted after decompression (the daemon runs with max_message at 1 MB)."""

import os
import time
import zlib

from client import CONT, RSV1, SANITIZED, TEXT, Client, deflated, frame, ping_message
from each import each

MAX = 1 << 20
DEFLATE = {"Sec-WebSocket-Extensions": "permessage-deflate"}


def _figure(name):
    with open(f"/proc/{os.environ['DAEMON_PID']}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(name + ":"))


def _seconds():
    with open(f"/proc/{os.environ['DAEMON_PID']}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def largest():
    """a message of just the limit is taken, plain and compressed"""
    c = Client(DEFLATE)
    text = ping_message("x", fill=MAX)
    c.send(TEXT, text)
    assert c.message()["payload"] == "x"
    c.send(TEXT, deflated(text), rsv=RSV1)
    assert c.message()["payload"] == "x"
    c.close()


def one_more():
    """one byte more is 1009"""
    c = Client()
    c.pour(frame(TEXT, b" " * (MAX + 1)))
    c.must_close(1009)


def one_more_compressed():
    """one byte more is 1009, compressed"""
    c = Client(DEFLATE)
    c.pour(frame(TEXT, deflated(b" " * (MAX + 1)), rsv=RSV1))
    c.must_close(1009)


def over_fragments():
    """fragments that come to more than the limit are 1009, before the last one"""
    c = Client()
    c.pour(frame(TEXT, b" " * 1000, fin=False) + frame(CONT, b" " * 1000, fin=False) * 1100)
    c.must_close(1009)


def announced():
    """a frame that announces more than the limit is 1009 when it has come to it, and costs no memory"""
    before = _figure("VmRSS")
    c = Client()
    c.pour(frame(TEXT, b" " * (MAX + 5000), length=1 << 40))
    c.must_close(1009)
    assert SANITIZED or _figure("VmRSS") - before < 8192


@each(1, 10, 100)
def bomb(pieces):
    """200 KB that would be 200 MB are 1009, in bounded memory and time, in so many fragments"""
    data = _deflate_bomb()
    memory, started = _figure("VmRSS"), _seconds()
    c = Client(DEFLATE)
    size = len(data) // pieces + 1
    for n in range(pieces):
        part = data[n * size : (n + 1) * size]
        c.pour(frame(CONT if n else TEXT, part, fin=n == pieces - 1, rsv=0 if n else RSV1))
    c.must_close(1009)
    assert SANITIZED or _figure("VmRSS") - memory < 8192, _figure("VmRSS") - memory
    assert SANITIZED or _seconds() - started < 1, _seconds() - started


_bomb = []


def _deflate_bomb():
    if not _bomb:
        z = zlib.compressobj(9, zlib.DEFLATED, -15)
        data = b"".join(z.compress(b" " * (1 << 20)) for _ in range(200)) + z.flush(zlib.Z_SYNC_FLUSH)
        assert len(data) < 250000
        _bomb.append(data[:-4])
    return _bomb[0]


def bombs_on_many_connections():
    """twenty such messages at once are 1009 each, and others are served meanwhile"""
    sessions = [Client(DEFLATE) for _ in range(20)]
    for c in sessions:
        c.pour(frame(TEXT, _deflate_bomb()[:20000], fin=False, rsv=RSV1))
    began = time.monotonic()
    other = Client()
    other.works()
    assert SANITIZED or time.monotonic() - began < 5
    for c in sessions:
        c.must_close(1009)


def blocks_of_nothing():
    """a compressed message of a million empty blocks is an empty message"""
    c = Client(DEFLATE)
    started = _seconds()
    c.pour(frame(TEXT, b"\x00\x00\x00\xff\xff" * 200000 + b"\x00", rsv=RSV1))
    assert c.message()["payload"]["code"] == "INVALID_MESSAGE"
    c.pour(frame(TEXT, b"\x03\x00" * 500000 + b"\x00", rsv=RSV1))
    assert c.message()["payload"]["code"] == "INVALID_MESSAGE"
    assert SANITIZED or _seconds() - started < 2, _seconds() - started
    c.close()


def stranger():
    """without credentials a message may have 16 KB"""
    c = Client(auth=False)
    c.send(TEXT, ping_message("x", fill=16384))
    assert c.message()["payload"]["code"] == "AUTH_REQUIRED"
    c.pour(frame(TEXT, b" " * 16385))
    c.must_close(1009)


def stranger_compressed():
    """without credentials a message may have 16 KB, compressed too"""
    c = Client(DEFLATE, auth=False)
    c.pour(frame(TEXT, _deflate_bomb(), rsv=RSV1))
    c.must_close(1009)


def more_after_the_end():
    """a client that goes on sending after 1009 gets to see it, and is cut off when it does not stop"""
    c = Client()
    c.pour(frame(TEXT, b" " * (MAX + 1)) + frame(TEXT, b"{}") * 100)
    c.must_close(1009)
