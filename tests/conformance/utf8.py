"""UTF-8 of text messages, checked while they arrive (RFC 6455, 8.1)."""

from client import CLOSE, CONT, PING, RSV1, TEXT, Client, close_payload, deflated, frame, ping_message
from each import each

DEFLATE = {"Sec-WebSocket-Extensions": "permessage-deflate"}
GOOD = (
    "κόσμε",
    "\u0080\u07ff\u0800\uffff",
    "\ud7ff\ue000\U00010000\U0010ffff",
    "\ufffd\ufffe\uffff\U0001fffe",
    "héllo wörld €uro 😀",
)
BAD = (
    b"\x80",
    b"\xbf",
    b"\xc0\x80",  # overlong
    b"\xc1\xbf",
    b"\xe0\x80\x80",
    b"\xe0\x9f\xbf",
    b"\xf0\x80\x80\x80",
    b"\xf0\x8f\xbf\xbf",
    b"\xed\xa0\x80",  # surrogates
    b"\xed\xaf\xbf",
    b"\xed\xbf\xbf",
    b"\xf4\x90\x80\x80",  # beyond U+10FFFF
    b"\xf5\x80\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xfe",
    b"\xff",
    b"\xc3(",  # no continuation
    b"\xe2\x82(",
    b"\xf0\x9f\x98(",
    b"\xe2(\xa1",
)
CUT = (b"\xc3", b"\xe2", b"\xe2\x82", b"\xf0", b"\xf0\x9f", b"\xf0\x9f\x98")


@each(*GOOD)
def good(text):
    """a text is taken"""
    c = Client()
    c.send(TEXT, ping_message(text))
    assert c.message()["payload"] == text
    c.close()


@each(*GOOD)
def cut_everywhere(text):
    """a text is taken, cut into two fragments at every byte"""
    c = Client()
    data = ping_message(text)
    for at in range(len(data) + 1):
        c.s.sendall(frame(TEXT, data[:at], fin=False) + frame(CONT, data[at:]))
        assert c.message()["payload"] == text, at
    c.close()


@each(*GOOD)
def cut_by_frames_and_pings(text):
    """a text is taken, one byte per fragment with a ping behind each"""
    c = Client()
    data = ping_message(text)
    for n, byte in enumerate(data):
        c.send(TEXT if n == 0 else CONT, bytes([byte]), fin=False)
        c.send(PING, b"\xff")
    c.send(CONT, b"")
    assert c.message()["payload"] == text
    c.close()


@each(*BAD)
def bad(octets):
    """text that is not UTF-8 is 1007"""
    c = Client()
    c.send(TEXT, b'{"type":"ping","payload":"' + octets + b'"}')
    c.must_close(1007)


@each(*BAD)
def bad_over_fragments(octets):
    """text that is not UTF-8 is 1007, one byte per fragment"""
    c = Client()
    data = b'{"payload":"' + octets + b'"}'
    c.pour(b"".join(frame(CONT if n else TEXT, bytes([b]), fin=False) for n, b in enumerate(data)))
    c.must_close(1007)


@each(*BAD)
def bad_fails_fast(octets):
    """text that is not UTF-8 is 1007 as soon as that shows, inside a frame that is not whole"""
    c = Client()
    c.pour(frame(TEXT, b'{"payload":"' + octets + b" " * 2000, length=65000))
    c.must_close(1007)


@each(*BAD)
def bad_compressed(octets):
    """compressed text that is not UTF-8 is 1007"""
    c = Client(DEFLATE)
    c.send(TEXT, deflated(b'{"payload":"' + octets + b'"}'), rsv=RSV1)
    c.must_close(1007)


@each(b"\xf4\x90", b"\xed\xa0", b"\xe0\x80", b"\xf0\x80")
def bad_before_the_sequence_ends(octets):
    """the byte that makes a sequence impossible is enough, at the end of a fragment"""
    c = Client()
    c.send(TEXT, b'"' + octets, fin=False)
    c.must_close(1007)


@each(*CUT)
def cut_at_the_end(octets):
    """a text that ends inside a sequence is 1007"""
    c = Client()
    c.send(TEXT, b"{}" + octets)
    c.must_close(1007)


@each(*CUT)
def cut_at_the_end_by_an_empty_fragment(octets):
    """a text that ends inside a sequence is 1007, though its last fragment is empty"""
    c = Client()
    c.send(TEXT, b"{}" + octets, fin=False)
    c.send(CONT, b"")
    c.must_close(1007)


@each(*CUT)
def cut_at_the_end_plain_beside_deflate(octets):
    """a plain text that ends inside a sequence is 1007 where permessage-deflate was negotiated"""
    c = Client(DEFLATE)
    c.send(TEXT, b"{}" + octets)
    c.must_close(1007)


@each(*CUT)
def cut_at_the_end_compressed(octets):
    """a compressed text that ends inside a sequence is 1007"""
    c = Client(DEFLATE)
    c.send(TEXT, deflated(b"{}" + octets), rsv=RSV1)
    c.must_close(1007)


def state_is_per_message():
    """each message is checked from its beginning"""
    c = Client()
    for _ in range(3):
        c.send(TEXT, ping_message("€"))
        assert c.message()["payload"] == "€"
    c.send(TEXT, b"\x82\xac")
    c.must_close(1007)


@each(b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"good\xe2\x82")
def close_reason(octets):
    """a close reason that is not UTF-8 is 1007"""
    c = Client()
    c.send(CLOSE, close_payload(1000, octets))
    c.must_close(1007)


def close_reason_good():
    """a close reason in UTF-8 comes back"""
    c = Client()
    c.send(CLOSE, close_payload(1000, "Schluß €"))
    assert c.must_close(1000) == "Schluß €"
