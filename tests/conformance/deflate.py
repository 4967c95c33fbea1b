"""permessage-deflate: negotiation and messages (RFC 7692)."""

import random
import zlib

from client import BINARY, CONT, PING, RSV1, TEXT, Client, deflated, ping_message
from each import each

NAME = "permessage-deflate"


def _offer(*offers, more=()):
    return Client({"Sec-WebSocket-Extensions": ", ".join(offers)} if offers else None, more=more)


def _echo(c, text, **how):
    c.send(TEXT, deflated(ping_message(text), **how), rsv=RSV1)
    m = c.message()
    assert m["payload"] == text, str(m)[:200]


# ---- negotiation


@each(
    (NAME, NAME),
    (f"{NAME}; client_no_context_takeover", f"{NAME}; client_no_context_takeover"),
    (f"{NAME}; server_no_context_takeover", f"{NAME}; server_no_context_takeover"),
    (
        f"{NAME};server_no_context_takeover ; client_no_context_takeover",
        f"{NAME}; server_no_context_takeover; client_no_context_takeover",
    ),
    (f"{NAME}; client_max_window_bits", NAME),
    (f"{NAME}; client_max_window_bits=8", NAME),
    (f"{NAME}; client_max_window_bits=15", NAME),
    (f"{NAME}; server_max_window_bits=15", f"{NAME}; server_max_window_bits=15"),
    (f"{NAME}; server_max_window_bits=12", f"{NAME}; server_max_window_bits=12"),
    (f"{NAME}; server_max_window_bits=13; client_max_window_bits=12", f"{NAME}; server_max_window_bits=13"),
    (f"x-webkit-deflate-frame, {NAME}; client_max_window_bits", NAME),
)
def accepted(offer, answer):
    """an offer is accepted, and the answer repeats what binds the server"""
    c = _offer(offer)
    assert c.extension == answer, c.extension
    _echo(c, "x" * 2000)
    c.close()


@each(
    f"{NAME}; unknown_parameter",
    f"{NAME}; unknown_parameter=1",
    f"{NAME}; server_no_context_takeover=1",
    f"{NAME}; client_no_context_takeover=0",
    f"{NAME}; server_max_window_bits",
    f"{NAME}; server_max_window_bits=7",
    f"{NAME}; server_max_window_bits=16",
    f"{NAME}; server_max_window_bits=015",
    f"{NAME}; server_max_window_bits=x",
    f"{NAME}; client_max_window_bits=7",
    f"{NAME}; client_max_window_bits=16",
    f"{NAME}; client_max_window_bits=",
    f"{NAME}; client_no_context_takeover; client_no_context_takeover",
    f"{NAME}; server_max_window_bits=15; server_max_window_bits=15",
    f"{NAME};",
    "permessage-deflate2",
    "permessage-bzip2",
    "x-webkit-deflate-frame",
    "mux; max-channels=4; flow-control",
    ",",
)
def declined(offer):
    """an offer that is unknown or malformed is declined, and the session goes on without"""
    c = _offer(offer)
    assert c.extension == "", c.extension
    c.works()
    c.send(TEXT, deflated(ping_message("x")), rsv=RSV1)
    c.must_close(1002)


@each(8, 9, 10, 11)
def smaller_window(bits):
    """known: an offer that limits our window below 12 bits is declined"""
    c = _offer(f"{NAME}; server_max_window_bits={bits}")
    assert c.extension == "", c.extension
    c.works()
    c.close()


@each(f'{NAME}; client_max_window_bits="10"', f"{NAME};\tclient_no_context_takeover")
def unusual_spelling(offer):
    """known: an offer with quotes or tabs is declined"""
    c = _offer(offer)
    assert c.extension == "", c.extension
    c.works()
    c.close()


@each(
    ((f"{NAME}; server_max_window_bits=10", NAME), NAME),
    ((f"{NAME}; foo", f"{NAME}; client_no_context_takeover"), f"{NAME}; client_no_context_takeover"),
    ((f"{NAME}; client_max_window_bits", NAME), NAME),
    ((f"{NAME}; client_no_context_takeover", f"{NAME}; server_no_context_takeover"), f"{NAME}; client_no_context_takeover"),
    ((NAME, NAME), NAME),
    ((NAME, "foo", f"{NAME}; client_no_context_takeover"), f"{NAME}; client_no_context_takeover"),
    ((NAME, f"{NAME}; foo"), ""),
)
def several_offers(offers, answer):
    """of several offers one is accepted"""
    c = _offer(*offers)
    assert c.extension == answer, c.extension
    if answer:
        _echo(c, "x" * 2000)
    c.works()
    c.close()


def several_headers():
    """offers in several headers are one list"""
    c = _offer(more=["Sec-WebSocket-Extensions: foo; a=1", f"Sec-WebSocket-Extensions: {NAME}; client_no_context_takeover"])
    assert c.extension == f"{NAME}; client_no_context_takeover", c.extension
    _echo(c, "x" * 2000)
    c.close()


# ---- messages


@each(0, 1, 10, 500, 1000, 1023, 1024, 1025, 5000, 65535, 65536, 500000)
def sizes(n):
    """compressed messages of so many bytes, well and badly compressible"""
    c = _offer(NAME)
    words = random.Random(n)
    for text in ("x" * n, "".join(words.choice("abcdefghijklmnop") for _ in range(n))):
        for level in (0, 1, 9):
            _echo(c, text, level=level)
    _echo(c, "x" * n, strategy=zlib.Z_HUFFMAN_ONLY)
    _echo(c, "x" * n, strategy=zlib.Z_FIXED)
    c.close()


def sizes_that_ended_the_daemon():
    """messages whose last byte inflates to much, in every size from 60,600 to 60,700"""
    c = _offer(f"{NAME}; client_no_context_takeover")
    for n in range(60600, 60700):
        c.send(TEXT, deflated(" " * n), rsv=RSV1)
        assert c.message()["payload"]["code"] == "INVALID_MESSAGE"
        if n % 16 == 0:
            c.works()  # malformed ones in a row would end the session
    c.close()


@each(
    (NAME, True),
    (f"{NAME}; server_no_context_takeover", True),
    (f"{NAME}; client_no_context_takeover", False),
)
def context(offer, takeover):
    """a window that is kept from message to message, or is not"""
    c = _offer(offer)
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    letters = random.Random(1)
    text = "".join(letters.choice("abcdefghijklmnop") for _ in range(10000))
    sizes_sent = []
    for _ in range(5):
        data = deflated(ping_message(text), stream=stream if takeover else None)
        sizes_sent.append(len(data))
        c.send(TEXT, data, rsv=RSV1)
        assert c.message()["payload"] == text
    assert (sizes_sent[1] < 500) == takeover
    c.close()


def context_that_was_given_up():
    """a reference into the window of an earlier message is an error after client_no_context_takeover"""
    c = _offer(f"{NAME}; client_no_context_takeover")
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    c.send(TEXT, deflated(ping_message("a text that is long enough"), stream=stream), rsv=RSV1)
    assert c.message()["type"] == "pong"
    c.send(TEXT, deflated(ping_message("a text that is long enough"), stream=stream), rsv=RSV1)
    c.must_close(1007)


@each(8, 9, 11, 15)
def smaller_client_window(bits):
    """a client may compress with a smaller window"""
    c = _offer(f"{NAME}; client_max_window_bits")
    letters = random.Random(bits)
    text = "".join(letters.choice("abcdef") for _ in range(20000))
    s = zlib.compressobj(9, zlib.DEFLATED, -max(bits, 9))
    for _ in range(3):
        _echo(c, text, stream=s)
    c.close()


@each(1, 2, 100)
def in_fragments(count):
    """a compressed message in fragments, with a ping behind each"""
    c = _offer(NAME)
    data = deflated(ping_message("in fragments " * 500), level=0)
    size = max(len(data) // count, 1)
    parts = [data[n : n + size] for n in range(0, len(data), size)]
    for n, part in enumerate(parts):
        c.send(CONT if n else TEXT, part, fin=n == len(parts) - 1, rsv=0 if n else RSV1)
        c.send(PING, b"\xff")
    m = c.message()
    assert m["payload"] == "in fragments " * 500
    c.works()
    c.close()


def byte_by_byte():
    """a compressed message of one byte per fragment, and empty ones between"""
    c = _offer(NAME)
    data = deflated(ping_message("héllo €"))
    c.send(TEXT, b"", fin=False, rsv=RSV1)
    for octet in data:
        c.send(CONT, bytes([octet]), fin=False)
        c.send(CONT, b"", fin=False)
    c.send(CONT, b"")
    assert c.message()["payload"] == "héllo €"
    c.close()


@each(b"\x00", b"\x02\x00", b"")
def empty(payload):
    """an empty message in its compressed forms"""
    c = _offer(NAME)
    c.send(TEXT, payload, rsv=RSV1)
    assert c.message()["payload"]["code"] == "INVALID_MESSAGE"
    c.works()
    _echo(c, "x" * 2000)
    c.close()


@each(zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH, zlib.Z_SYNC_FLUSH)
def several_blocks(flush):
    """a message of several deflate blocks"""
    c = _offer(NAME)
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = b""
    for octet in ping_message("several blocks"):
        data += z.compress(bytes([octet])) + z.flush(flush)
    data += z.flush(zlib.Z_SYNC_FLUSH)
    c.send(TEXT, data[:-4], rsv=RSV1)
    assert c.message()["payload"] == "several blocks"
    c.close()


@each(b"\x00", b"")
def final_block(behind):
    """a message that ends with a final block (RFC 7692, 7.2.3.4), and the next one"""
    c = _offer(NAME)
    for text in ("final", "again"):
        z = zlib.compressobj(9, zlib.DEFLATED, -15)
        c.send(TEXT, z.compress(ping_message(text)) + z.flush(zlib.Z_FINISH) + behind, rsv=RSV1)
        assert c.message()["payload"] == text
    _echo(c, "x" * 2000)
    c.close()


@each(
    b"\xff" * 100,
    b"\x07",
    b"\x63\x18\xff\x00",
    b"\x00\x05\x00\xfa\xff\x48",
    deflated(ping_message("x" * 100))[:-5],
    ping_message("plain text that says it is compressed"),
)
def garbage(payload):
    """what is no deflate stream is 1007"""
    c = _offer(NAME)
    c.send(TEXT, payload, rsv=RSV1)
    c.must_close(1007)


def garbage_at_random():
    """random bytes end their session with a close code, and nothing else"""
    r = random.Random(7692)
    for n in range(100):
        c = _offer(NAME)
        c.send(TEXT, r.randbytes(r.randrange(1, 300)), rsv=RSV1)
        m = c.message()
        if m["type"] == "system":
            c.must_close(1007, 1009)
        else:
            assert m["payload"]["code"] == "INVALID_MESSAGE", m
            c.close()
    c = _offer(NAME)
    c.works()
    c.close()


def binary():
    """a compressed binary message is 1003 in rustydb.json.v1"""
    c = _offer(NAME)
    c.send(BINARY, deflated(b"x" * 100), rsv=RSV1)
    c.must_close(1003)


def answers_are_compressed():
    """large answers come compressed, small ones do not, and both are right"""
    c = _offer(NAME)
    for n in (10, 500, 2000, 100000, 10):
        c.send(TEXT, ping_message("y" * n))
        f = c.frame()
        assert bool(f.rsv) == (n >= 2000), (n, f.rsv)
        assert "y" * n in c.text_of(f)
        assert len(f.payload) < 2000, len(f.payload)
    c.close()


def answers_need_no_window():
    """each answer can be inflated by itself, so that server_no_context_takeover holds"""
    c = _offer(f"{NAME}; server_no_context_takeover; server_max_window_bits=12")
    letters = random.Random(2)
    for _ in range(3):
        text = "".join(letters.choice("abcdef") for _ in range(20000)) * 2
        c.send(TEXT, ping_message(text))
        f = c.frame()
        assert f.rsv == RSV1
        assert text.encode() in zlib.decompressobj(-12).decompress(f.payload + b"\x00\x00\xff\xff")
    c.close()
