"""Framing: lengths in their three forms, and frames that arrive in pieces (RFC 6455, 5.2)."""

from client import CONT, TEXT, Client, frame, ping_message
from each import each

LENGTHS = (0, 1, 125, 126, 127, 128, 65535, 65536, 200000)


def _message(n):
    return ping_message("x", fill=n) if n > 60 else b"{}"[:n]


def _answered(c, n):
    m = c.message()
    if n > 60:
        assert m["type"] == "pong" and m["payload"] == "x", m
    else:
        assert m["type"] == "error" and m["payload"]["code"] == "INVALID_MESSAGE", m
    c.works()
    c.close()


@each(*LENGTHS)
def whole(n):
    """a text message of so many bytes"""
    c = Client()
    c.send(TEXT, _message(n))
    _answered(c, n)


@each(*[n for n in LENGTHS if n < 1000])
def byte_by_byte(n):
    """a text message that arrives byte by byte"""
    c = Client()
    c.in_pieces(frame(TEXT, _message(n)))
    _answered(c, n)


@each(*[(n, step) for n in (65535, 65536) for step in (997, 1024, 1040, 4096)])
def in_pieces(n, step):
    """a text message that arrives in pieces of so many bytes"""
    c = Client()
    c.in_pieces(frame(TEXT, _message(n)), step)
    _answered(c, n)


def large_byte_by_byte():
    """the first and the last bytes of a large message arrive one by one"""
    c = Client()
    data = frame(TEXT, _message(65536))
    c.in_pieces(data[:200])
    c.s.sendall(data[200:-200])
    c.in_pieces(data[-200:])
    _answered(c, 65536)


def many_in_one_write():
    """a thousand messages in one write are answered in their order"""
    c = Client()
    c.s.sendall(b"".join(frame(TEXT, ping_message(n, str(n))) for n in range(1000)))
    for n in range(1000):
        m = c.message()
        assert m["id"] == str(n) and m["payload"] == n, m
    c.close()


@each(16, 64)
def longer_form(form):
    """a length in a longer form than it needs is read all the same, or refused with 1002"""
    c = Client()
    c.send(TEXT, ping_message("x"), form=form)
    m = c.message()
    assert m["payload"] == "x", m
    c.works()
    c.close()


@each((0x80,), (0xFF,))
def length_with_top_bit(top):
    """known: a length with its top bit set ends the connection without a close frame"""
    c = Client()
    c.s.sendall(bytes([0x81, 0xFF, top]) + b"\x00" * 7 + b"mask" + b"x" * 100)
    c.must_close("no close frame")


@each(b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x00\x00\x00\x01", b"\x80\x00\x00\x00")
def masks(key):
    """every mask is a mask, that of zeros too"""
    c = Client()
    c.send(TEXT, ping_message("é"), mask=key)
    assert c.message()["payload"] == "é"
    c.s.sendall(b"".join(frame(CONT if k else TEXT, p, fin=k == 2, mask=key) for k, p in
                         enumerate((b'{"type":"pi', b'ng","payload":', b"5}"))))
    assert c.message()["payload"] == 5
    c.close()


def first_message_with_the_handshake():
    """a message in the same segment as the handshake is not lost"""
    from client import Wire, request

    w = Wire(request({"Sec-WebSocket-Protocol": "rustydb.json.v1"}) + frame(TEXT, ping_message("early")))
    assert w.head()[0] == 101
    w.left += w.exactly(1)
    while b"early" not in w.left:
        w._more()
    w.close()
