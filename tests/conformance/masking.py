"""Masking (RFC 6455, 5.1). libwebsockets takes frames of a client without a mask, and does not tell."""

from client import CLOSE, PING, TEXT, Client, close_payload, ping_message


def unmasked_text():
    """known: a text frame without a mask is taken"""
    c = Client()
    c.send(TEXT, ping_message("x"), mask=False)
    assert c.message()["payload"] == "x"
    c.works()
    c.close()


def unmasked_ping():
    """known: a ping without a mask is answered"""
    c = Client()
    c.send(PING, b"bare", mask=False)
    assert c.pong() == b"bare"
    c.close()


def unmasked_close():
    """known: a close frame without a mask is answered"""
    c = Client()
    c.send(CLOSE, close_payload(1000), mask=False)
    c.must_close(1000)


def mixed():
    """known: frames with and without a mask may alternate; none is taken for the other"""
    c = Client()
    for n in range(10):
        c.send(TEXT, ping_message(n), mask=n % 2 == 0)
        assert c.message()["payload"] == n
    c.close()
