"""The closing handshake (RFC 6455, 5.5.1 and 7)."""

import os
import signal
import time

from client import CLOSE, CONT, PING, RSV1, TEXT, Client, Wire, close_payload, frame, ping_message
from each import each

ECHOED = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
ILLEGAL = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 5001, 32768, 65535)


@each(*ECHOED)
def legal(code):
    """a close with a legal code is answered with the same"""
    c = Client()
    c.send(CLOSE, close_payload(code, "bye"))
    assert c.must_close(code) == "bye"


@each(1012, 1013, 1014)
def registered_later(code):
    """known: a close with a code registered after RFC 6455 is answered with 1002"""
    c = Client()
    c.send(CLOSE, close_payload(code))
    c.must_close(1002)


@each(*ILLEGAL)
def illegal(code):
    """a close with a code that may not be sent is 1002"""
    c = Client()
    c.send(CLOSE, close_payload(code))
    c.must_close(1002)


def empty():
    """a close without a code is answered, without one or with 1000"""
    c = Client()
    c.send(CLOSE)
    c.must_close(None, 1000)


@each(b"\x00", b"\x03", b"\xff")
def half_a_code(octet):
    """a close of one byte is 1002"""
    c = Client()
    c.send(CLOSE, octet)
    c.must_close(1002)


@each(1, 122, 123)
def reasons(n):
    """a reason of so many bytes comes back"""
    c = Client()
    c.send(CLOSE, close_payload(1000, b"r" * n))
    assert c.must_close(1000) == "r" * n


@each(124, 125, 1000)
def reason_too_long(n):
    """known: a reason of more than 123 bytes ends the connection without a close frame"""
    c = Client()
    c.pour(frame(CLOSE, close_payload(1000, b"r" * n)))
    c.must_close("no close frame")


def fragmented():
    """a fragmented close frame is 1002"""
    c = Client()
    c.send(CLOSE, close_payload(1000), fin=False)
    c.must_close(1002)


def byte_by_byte():
    """a close frame that arrives byte by byte"""
    c = Client()
    c.in_pieces(frame(CLOSE, close_payload(1000, "slowly")))
    c.must_close(1000)


def data_behind_it():
    """what stands behind a close frame is not answered"""
    c = Client()
    c.s.sendall(frame(CLOSE, close_payload(1000)) + frame(TEXT, ping_message("late")) + frame(PING, b"late"))
    c.must_close(1000)


def garbage_behind_it():
    """garbage behind a close frame changes nothing"""
    c = Client()
    c.pour(frame(CLOSE, close_payload(1000)) + os.urandom(500))
    code, _ = c.closed()
    assert code in (1000, "no close frame"), code
    c.close()


def two():
    """a second close frame changes nothing"""
    c = Client()
    c.s.sendall(frame(CLOSE, close_payload(1000)) + frame(CLOSE, close_payload(1001)))
    c.must_close(1000)


def answers_come_first():
    """messages before a close frame are answered before the close is"""
    c = Client()
    c.s.sendall(frame(TEXT, ping_message("before")) + frame(CLOSE, close_payload(1000)))
    assert c.message()["payload"] == "before"
    c.must_close(1000)


def by_a_message():
    """the envelope's close ends the session with 1000, after a system message"""
    c = Client()
    c.send(TEXT, '{"type":"close"}')
    m = c.message()
    assert m["type"] == "system" and m["payload"]["code"] == 1000, m
    c.must_close(1000)


def both_at_once():
    """both sides may close at the same time"""
    c = Client()
    c.s.sendall(frame(TEXT, '{"type":"close"}') + frame(CLOSE, close_payload(1001)))
    c.must_close(1000, 1001)


def waits_for_the_answer():
    """after its close frame the daemon waits for ours, and answers nothing that comes before it"""
    c = Client()
    c.send(TEXT, '{"type":"close"}')
    assert c.message()["type"] == "system"
    f = c.frame()
    assert f.opcode == CLOSE, f
    c.s.sendall(frame(TEXT, ping_message("late")) + frame(TEXT, b"{", fin=False) + frame(CONT, b"}"))
    c.s.sendall(frame(CLOSE, f.payload))
    assert c.rest() == b""
    c.close()


def without_a_word():
    """a connection that ends without a close frame is forgotten"""
    c = Client()
    c.works()
    c.close()
    Client().works()


def half_closed():
    """a client that shuts its sending side down gets the end of the connection"""
    import socket

    c = Client()
    c.works()
    c.s.shutdown(socket.SHUT_WR)
    code, _ = c.closed()
    assert code in ("no close frame", 1000, 1001), code
    c.close()


def linger():
    """known: after a frame that libwebsockets refuses, the connection stays for 5 s behind the close frame"""
    c = Client()
    c.send(TEXT, ping_message("plain"), rsv=RSV1)
    f = c.frame()
    assert f.opcode == CLOSE and f.payload[:2] == close_payload(1002), f
    began = time.monotonic()
    c.s.sendall(frame(CLOSE, f.payload[:2]))
    assert c.rest() == b""
    assert 2 < time.monotonic() - began
    c.close()


def unauthenticated():
    """a stranger may close as anyone"""
    c = Client(auth=False)
    c.send(CLOSE, close_payload(1000))
    c.must_close(1000)


def too_many_bad_messages():
    """malformed messages without end are 1008"""
    c = Client()
    c.pour(frame(TEXT, b"{") * 64)
    c.must_close(1008)


def _at_a_signal(sent, expected):
    sessions = [Client() for _ in range(5)]
    sessions.append(Client({"Sec-WebSocket-Extensions": "permessage-deflate"}))
    sessions.append(Client(auth=False))
    halfway = Client()
    halfway.send(TEXT, b'{"type":', fin=False)
    sessions.append(halfway)
    os.kill(int(os.environ["DAEMON_PID"]), sent)
    for c in sessions:
        m = c.message("system")
        assert m["payload"]["code"] == expected and m["payload"]["reason"], m
        c.must_close(expected)
    try:
        Wire().close()
    except ConnectionError:
        pass


def _no_answer_at_a_signal(sent, expected):
    """One that does not answer the close is cut off, and the daemon ends in time all the same."""
    c = Client()
    os.kill(int(os.environ["DAEMON_PID"]), sent)
    c.message("system")
    f = c.frame()
    assert f.opcode == CLOSE and f.payload[:2] == close_payload(expected), f
    assert c.rest() == b""


SIGNALS = {
    "term": (_at_a_signal, signal.SIGTERM, 1001),
    "usr2": (_at_a_signal, signal.SIGUSR2, 1012),
    "silent": (_no_answer_at_a_signal, signal.SIGTERM, 1001),
}

if __name__ == "__main__":  # these end the daemon, so each has its own: closing.py NAME
    import sys

    f, *arguments = SIGNALS[sys.argv[1]]
    f(*arguments)
