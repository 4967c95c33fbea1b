"""Reserved bits and opcodes (RFC 6455, 5.2; RFC 7692, 6)."""

import zlib

from client import CLOSE, CONT, PING, PONG, RSV1, TEXT, Client, close_payload, deflated, frame, ping_message
from each import each

DEFLATE = {"Sec-WebSocket-Extensions": "permessage-deflate"}


@each(1, 2, 3, 4, 5, 6, 7)
def bits_of_a_text(rsv):
    """reserved bits of a text frame are 1002"""
    c = Client()
    c.send(TEXT, ping_message("x"), rsv=rsv)
    c.must_close(1002)


@each(1, 2, 4, 7)
def bits_of_a_ping(rsv):
    """reserved bits of a ping are 1002"""
    c = Client()
    c.send(PING, b"x", rsv=rsv)
    c.must_close(1002)


@each(1, 2, 4)
def bits_of_a_close(rsv):
    """reserved bits of a close frame are 1002"""
    c = Client()
    c.send(CLOSE, close_payload(1000), rsv=rsv)
    c.must_close(1002)


@each(1, 2, 4)
def bits_of_a_continuation(rsv):
    """reserved bits of a continuation are 1002"""
    c = Client()
    c.send(TEXT, b"{", fin=False)
    c.send(CONT, b"}", rsv=rsv)
    c.must_close(1002)


@each(1, 2, 3, 5, 6, 7)
def other_bits_beside_deflate(rsv):
    """RSV2 and RSV3 are 1002 with permessage-deflate too"""
    c = Client(DEFLATE)
    c.send(TEXT, deflated(ping_message("x")), rsv=rsv)
    c.must_close(1002)


def compressed_continuation():
    """RSV1 on a continuation is 1002 with permessage-deflate"""
    c = Client(DEFLATE)
    data = deflated(ping_message("x"))
    c.send(TEXT, data[:5], fin=False, rsv=RSV1)
    c.send(CONT, data[5:], rsv=RSV1)
    c.must_close(1002)


def compressed_continuation_of_a_plain_message():
    """RSV1 on the continuation of a plain message is 1002"""
    c = Client(DEFLATE)
    c.send(TEXT, b"{", fin=False)
    c.send(CONT, b"}", rsv=RSV1)
    c.must_close(1002)


def compressed_pong():
    """RSV1 on a pong is 1002 with permessage-deflate"""
    c = Client(DEFLATE)
    c.send(PONG, b"x", rsv=RSV1)
    c.must_close(1002)


def compressed_ping():
    """known: RSV1 on a ping is not noticed with permessage-deflate"""
    c = Client(DEFLATE)
    c.send(PING, b"x", rsv=RSV1)
    assert c.pong() == b"x"
    c.works()
    c.close()


def compressed_close():
    """RSV1 on a close frame is 1002 with permessage-deflate"""
    c = Client(DEFLATE)
    c.send(CLOSE, close_payload(1000), rsv=RSV1)
    c.must_close(1002)


@each(3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
def opcodes(opcode):
    """a reserved opcode is 1002"""
    c = Client()
    c.send(opcode, b"x")
    c.must_close(1002)


@each(3, 11, 15)
def opcodes_amid_a_message(opcode):
    """a reserved opcode between fragments is 1002"""
    c = Client()
    c.send(TEXT, b"{", fin=False)
    c.send(opcode, b"")
    c.must_close(1002)


@each(3, 12)
def behind_a_good_message(opcode):
    """what came before a broken frame is answered"""
    c = Client()
    c.s.sendall(frame(TEXT, ping_message("good")) + frame(opcode, b""))
    assert c.message()["payload"] == "good"
    c.must_close(1002)


def bits_are_per_message():
    """plain and compressed messages may alternate"""
    c = Client(DEFLATE)
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    for n in range(10):
        if n % 2:
            c.send(TEXT, deflated(ping_message(n), stream=stream), rsv=RSV1)
        else:
            c.send(TEXT, ping_message(n))
        assert c.message()["payload"] == n
    c.close()
