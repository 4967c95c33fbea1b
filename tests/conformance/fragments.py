"""Fragmentation (RFC 6455, 5.4)."""

from client import BINARY, CLOSE, CONT, PING, PONG, TEXT, Client, close_payload, frame, ping_message
from each import each


def _fragments(parts, opcode=TEXT):
    return b"".join(
        frame(CONT if n else opcode, p, fin=n == len(parts) - 1) for n, p in enumerate(parts)
    )


@each(2, 3, 10, 50)
def in_parts(count):
    """a text in so many fragments"""
    c = Client()
    text = ping_message("a text of some length in fragments" * 3)
    size = len(text) // count + 1
    c.s.sendall(_fragments([text[n * size : (n + 1) * size] for n in range(count)]))
    assert c.message()["payload"].startswith("a text")
    c.works()
    c.close()


def byte_per_fragment():
    """a text of one byte per fragment, each byte by byte"""
    c = Client()
    c.in_pieces(_fragments([bytes([b]) for b in ping_message("héllo €")]))
    assert c.message()["payload"] == "héllo €"
    c.close()


@each(
    ([b"", b"T"],), ([b"T", b""],), ([b"", b"T", b""],), ([b"", b"", b"", b"T", b"", b"", b""],),
)
def empty_fragments(shape):
    """empty fragments before, behind and within a text"""
    c = Client()
    c.s.sendall(_fragments([ping_message("€") if p else b"" for p in shape]))
    assert c.message()["payload"] == "€"
    c.works()
    c.close()


def nothing_but_empty():
    """a text of empty fragments alone is an empty text"""
    c = Client()
    c.s.sendall(_fragments([b"", b"", b""]))
    assert c.message()["payload"]["code"] == "INVALID_MESSAGE"
    c.works()
    c.close()


def thousands_of_empty():
    """fifty thousand empty fragments cost nothing and the message is whole"""
    c = Client()
    c.s.sendall(frame(TEXT, b"", fin=False) + frame(CONT, b"", fin=False) * 50000 + frame(CONT, ping_message("end")))
    assert c.message()["payload"] == "end"
    c.close()


def pings_between():
    """pings between fragments are answered before the text is whole"""
    c = Client()
    text = ping_message("whole")
    c.send(TEXT, text[:5], fin=False)
    for n in range(5, 15):
        c.send(PING, b"%d" % n)
        assert c.pong() == b"%d" % n
        c.send(CONT, text[n : n + 1], fin=False)
    c.send(CONT, text[15:])
    assert c.message()["payload"] == "whole"
    c.close()


def close_between():
    """a close frame between fragments ends the session"""
    c = Client()
    c.send(TEXT, b"{", fin=False)
    c.send(CLOSE, close_payload(1000))
    c.must_close(1000)


@each((CONT, True), (CONT, False))
def continuation_of_nothing(opcode, fin):
    """a continuation of nothing is 1002"""
    c = Client()
    c.send(opcode, b"x", fin=fin)
    c.must_close(1002)


def continuation_behind_a_message():
    """a continuation behind a whole message is 1002, and that message is answered"""
    c = Client()
    c.s.sendall(frame(TEXT, ping_message("whole")) + frame(CONT, b"x"))
    assert c.message()["payload"] == "whole"
    c.must_close(1002)


@each((TEXT, True), (TEXT, False), (BINARY, True), (BINARY, False))
def new_message_inside(opcode, fin):
    """a new message inside a fragmented one is 1002"""
    c = Client()
    c.send(TEXT, b"{", fin=False)
    c.send(opcode, b"}", fin=fin)
    c.must_close(1002)


def new_message_behind_a_pong():
    """a control frame between does not let a new message in"""
    c = Client()
    c.send(TEXT, b"{", fin=False)
    c.send(PONG, b"")
    c.send(TEXT, b"}")
    c.must_close(1002)


@each((b"",), (b"\x00",), (b"\xff" * 5000,))
def binary(payload):
    """a binary message is 1003 in rustydb.json.v1"""
    c = Client()
    c.send(BINARY, payload)
    c.must_close(1003)


def binary_in_fragments():
    """a binary message is refused at its first fragment, whatever the rest would be"""
    c = Client()
    c.send(BINARY, b"x", fin=False)
    c.must_close(1003)


def binary_announced():
    """a binary message is refused before it is whole"""
    c = Client()
    c.pour(frame(BINARY, b"x" * 2000, length=1 << 20))
    c.must_close(1003)


def unfinished():
    """a session that ends inside a message is forgotten"""
    c = Client()
    c.send(TEXT, b"{" * 1000, fin=False)
    c.close()
    Client().works()
