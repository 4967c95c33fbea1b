"""The same daemon seen by a client that somebody else has written: Debian's python3-websockets. Only
what a legal client can do."""

import asyncio
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bats", "lib"))

import rdb  # noqa: E402
from each import each  # noqa: E402
from wsclient import ClientPerMessageDeflateFactory  # noqa: E402


def _run(session):
    asyncio.run(asyncio.wait_for(session, rdb.LIMIT))


def _protocol(s):
    """Where the library keeps what was negotiated and received: on the connection itself in the older
    of its interfaces."""
    return getattr(s.ws, "protocol", s.ws)


async def _echo(s, text):
    m = await s.request("ping", text)
    assert m["type"] == "pong" and m["payload"] == text, str(m)[:200]


@each(0, 1, 50, 100, 1000, 65000, 66000, 500000)
def echo(n):
    """messages of so many bytes, ASCII and not"""

    async def session():
        s = await rdb.connect()
        await _echo(s, "x" * n)
        await _echo(s, "€" * (n // 3))
        await s.close()
        assert s.ws.close_code == 1000, s.ws.close_code

    _run(session())


def fragments():
    """a message in fragments, as the library makes them"""

    async def session():
        s = await rdb.connect()
        await s.ws.send(['{"type":"ping",', '"id":"f",', "", '"payload":"in pieces €"', "}"])
        async for m in s.answers("f"):
            assert m["payload"] == "in pieces €", m
            break
        await s.close()

    _run(session())


def pings():
    """pings one after the other"""

    async def session():
        s = await rdb.connect()
        for n in range(20):
            await asyncio.wait_for(await s.ws.ping(b"%d" % n), rdb.LIMIT)
        await s.ws.pong(b"unasked")
        await _echo(s, "still here")
        await s.close()

    _run(session())


@each(1000, 1001, 1011, 3000, 4999)
def closes(code):
    """a close with this code is completed"""

    async def session():
        s = await rdb.connect()
        await s.ws.close(code, "bye")
        received = _protocol(s).close_rcvd
        assert received.code == code and received.reason == "bye", received

    _run(session())


@each(
    ({}, True),
    ({"client_max_window_bits": True}, True),
    ({"client_max_window_bits": 10}, True),
    ({"client_no_context_takeover": True}, True),
    ({"server_no_context_takeover": True}, True),
    ({"server_no_context_takeover": True, "client_no_context_takeover": True}, True),
    ({"server_max_window_bits": 15}, True),
    ({"server_max_window_bits": 12, "client_max_window_bits": 12}, True),  # the library's default
    ({"server_max_window_bits": 10}, False),
)
def deflate(options, taken):
    """permessage-deflate as the library negotiates it"""

    async def session():
        s = await rdb.connect(extensions=[ClientPerMessageDeflateFactory(**options)])
        assert bool(_protocol(s).extensions) == taken, _protocol(s).extensions
        for text in ("", "x", "over and over " * 5000, "".join(chr(33 + n * n % 90) for n in range(70000))):
            for _ in range(3):
                await _echo(s, text)
        await s.close()

    _run(session())


def pipelined():
    """hundreds of requests before the first answer is read"""

    async def session():
        s = await rdb.connect()
        for n in range(300):
            await s.send("ping", n, f"p{n}")
        for n in range(300):
            m = await s.recv()
            assert m["id"] == f"p{n}" and m["payload"] == n, m
        await s.close()

    _run(session())


def binary():
    """a binary message ends the session with 1003"""

    async def session():
        s = await rdb.connect()
        await s.ws.send(b"\x00\x01")
        code, _ = await s.until_closed()
        assert code == 1003, code

    _run(session())
