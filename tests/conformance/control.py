"""Pings and pongs (RFC 6455, 5.5)."""

from client import CONT, PING, PONG, TEXT, Client, frame, ping_message
from each import each


@each(0, 1, 2, 124, 125)
def ping_is_answered(n):
    """a ping of so many bytes is answered by a pong of the same"""
    c = Client()
    payload = bytes(range(256))[:n]
    c.send(PING, payload)
    assert c.pong() == payload
    c.works()
    c.close()


def ping_byte_by_byte():
    """a ping that arrives byte by byte is answered"""
    c = Client()
    c.in_pieces(frame(PING, b"in pieces"))
    assert c.pong() == b"in pieces"
    c.close()


def binary_ping():
    """the payload of a ping need not be UTF-8, amid a text message too"""
    c = Client()
    c.send(TEXT, b'{"type":"ping",', fin=False)
    c.send(PING, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")
    assert c.pong() == b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
    c.send(CONT, b'"payload":1}')
    assert c.message()["payload"] == 1
    c.close()


@each((PING, 126), (PING, 127), (PONG, 126), (PING, 65536), (PONG, 65536))
def too_long(opcode, n):
    """known: a control frame of more than 125 bytes ends the connection without a close frame"""
    c = Client()
    c.pour(frame(opcode, b"x" * n))
    c.must_close("no close frame")


@each((PING,), (PONG,))
def long_form(opcode):
    """known: a control frame with a length in the long form ends the connection without a close frame"""
    c = Client()
    c.pour(frame(opcode, b"x", form=16))
    c.must_close("no close frame")


@each((PING,), (PONG,))
def fragmented(opcode):
    """a fragmented control frame is 1002"""
    c = Client()
    c.send(opcode, b"x", fin=False)
    c.must_close(1002)


@each(b"", b"unasked", b"\xff\xfe", bytes(125))
def unsolicited_pong(payload):
    """an unsolicited pong is taken without an answer"""
    c = Client()
    c.send(PONG, payload)
    c.works()
    assert not c.skipped
    c.close()


@each(b"", b"unasked", b"\xff\xfe")
def pong_amid_a_message(payload):
    """a pong between the fragments of a text changes nothing of it"""
    c = Client()
    c.send(TEXT, b'{"type":"ping","payload":"\xe2\x82', fin=False)
    c.send(PONG, payload)
    c.send(CONT, b'\xac"}')
    assert c.message()["payload"] == "€"
    c.works()
    c.close()


def ping_between_pings():
    """pings one by one are each answered, in their order"""
    c = Client()
    for n in range(20):
        c.send(PING, b"%d" % n)
        assert c.pong() == b"%d" % n
    c.close()


def burst_of_pings():
    """known: of a burst of pings some are answered, the first among them, in their order"""
    c = Client()
    c.s.sendall(b"".join(frame(PING, b"%d" % n) for n in range(50)))
    got = [c.pong()]
    while got[-1] != b"last":
        c.send(PING, b"last")
        c.works()
        got += [f.payload for f in c.skipped]
        c.skipped.clear()
    numbers = [int(p) for p in got if p != b"last"]
    assert numbers[0] == 0 and numbers == sorted(set(numbers)), got
    c.close()


def ping_while_a_result_streams():
    """a ping during a large result is answered, and between whole frames"""
    c = Client()
    sql = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 100000) SELECT n, 'text' FROM c"
    c.send(TEXT, '{"type":"query","id":"q","payload":{"sql":"%s"}}' % sql)
    c.send(PING, b"amid")
    rows = 0
    while True:
        m = c.message("query_result")
        if m["payload"]["part"] == "rows":
            rows += len(m["payload"]["rows"])
        elif m["payload"]["part"] == "end":
            break
    assert rows == 100000
    assert c.pong() == b"amid"
    c.close()


def many_pongs():
    """ten thousand pongs in a row cost nothing but their reading"""
    c = Client()
    c.s.sendall(frame(PONG, b"x") * 10000)
    c.works()
    c.close()


def answer_of_a_ping_message():
    """the envelope's own ping is answered beside"""
    c = Client()
    c.send(TEXT, ping_message("x", "a"))
    assert c.message()["id"] == "a"
    c.close()
