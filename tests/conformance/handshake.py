"""The opening handshake (RFC 6455, 4.2)."""

import base64
import os

from client import ABSENT, TEXT, Client, Gone, Wire, ping_message, refused, request
from each import each

ENDPOINT = "/api/v1/ws"


def _problem(data, status, code):
    got, headers, problem = refused(data)
    assert got == status and problem["code"] == code, (got, problem)
    assert headers["content-type"] == "application/problem+json", headers
    return headers


def good():
    """a handshake as it should be"""
    c = Client()
    assert c.headers["sec-websocket-protocol"] == "rustydb.json.v1"
    c.works()
    c.close()


@each(
    {"Upgrade": "WebSocket"},
    {"Upgrade": "WEBSOCKET"},
    {"Connection": "upgrade"},
    {"Connection": "keep-alive, Upgrade"},
    {"Connection": "Upgrade,keep-alive"},
    {"Origin": f"http://127.0.0.1:{os.environ['PORT']}"},
    {"X-Unknown": "x"},
    {"Host": "localhost"},
)
def good_too(headers):
    """other spellings that are right"""
    c = Client(headers)
    c.works()
    c.close()


@each(*range(1, 60, 7))
def byte_by_byte(step):
    """a handshake in pieces"""
    data = request({"Sec-WebSocket-Protocol": "rustydb.json.v1"})
    w = Wire(data[:1])
    for at in range(1, len(data), step):
        w.s.sendall(data[at : at + step])
    assert w.head()[0] == 101
    w.close()


@each(
    "",
    "x",
    base64.b64encode(b"15 bytes, alas!").decode(),
    base64.b64encode(b"seventeen bytes!!").decode(),
    base64.b64encode(b"32 bytes are far too many bytes!").decode(),
    "?" * 22 + "==",
    "A" * 24,
    "A" * 22,
    "A" * 130,
    ABSENT,
)
def key(value):
    """a key that is not 16 bytes in base64 is 400"""
    _problem(request({"Sec-WebSocket-Key": value}), 400, "INVALID_MESSAGE")


@each("0", "7", "8", "12", "14", "130", "-13", "13, 8", "x", "", ABSENT)
def version(value):
    """another version than 13 is 426, and the answer names 13"""
    headers = _problem(request({"Sec-WebSocket-Version": value}), 426, "UPGRADE_REQUIRED")
    assert headers["sec-websocket-version"] == "13", headers
    assert headers["upgrade"] == "websocket", headers


@each("close", "keep-alive", "u", "upgrades", "", ABSENT)
def connection(value):
    """a Connection header that does not list Upgrade is 400"""
    _problem(request({"Connection": value}), 400, "INVALID_MESSAGE")


@each(ABSENT)
def no_upgrade(value):
    """a GET without Upgrade is 426"""
    _problem(request({"Upgrade": value, "Connection": "close"}), 426, "UPGRADE_REQUIRED")


def other_upgrade():
    """an offer to go on in HTTP/2 is ignored: the request is answered in HTTP/1.1"""
    settings = {"Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA", "Connection": "Upgrade, HTTP2-Settings"}
    w = Wire(request(settings, path="/api/v1/health/liveness"))
    assert w.head()[0] == 200
    w.close()
    _problem(request(settings), 426, "UPGRADE_REQUIRED")


@each("foo", "foo, websocket", "websocket, foo")
def unknown_upgrade(value):
    """known: an upgrade to something that libwebsockets does not know is its own 403"""
    w = Wire(request({"Upgrade": value}))
    assert w.head()[0] == 403
    w.close()


@each(ABSENT, "")
def host(value):
    """a handshake without Host is 400"""
    _problem(request({"Host": value}), 400, "INVALID_MESSAGE")


@each("POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")
def method(name):
    """a handshake is a GET; else it is refused"""
    w = Wire(request(method=name))
    try:
        status, _ = w.head()
        assert status in (400, 405), status
    except Gone:
        pass
    w.close()


def http_1_0():
    """a handshake in HTTP/1.0 is 400"""
    _problem(request(version="HTTP/1.0"), 400, "INVALID_MESSAGE")


@each("/api/v1/elsewhere", "/api/v1/", "/", "/api/v1/query", "/api/v1/ws/", "/api/v1/ws/status")
def path(where):
    """a path without a WebSocket is 404"""
    _problem(request(path=where), 404, "NOT_FOUND")


# ---- subprotocols


@each(
    ("rustydb.json.v1", "rustydb.json.v1"),
    ("nobody.knows, rustydb.json.v1", "rustydb.json.v1"),
    ("rustydb.json.v1, nobody.knows", "rustydb.json.v1"),
    (" rustydb.json.v1 ,  x", "rustydb.json.v1"),
    ("(listener), rustydb.json.v1", None),
    ("listener, rustydb.json.v1", "rustydb.json.v1"),
)
def subprotocol(offer, chosen):
    """of the offered subprotocols the first that is spoken is chosen"""
    if chosen is None:
        _problem(request({"Sec-WebSocket-Protocol": offer}), 400, "INVALID_MESSAGE")
        return
    c = Client({"Sec-WebSocket-Protocol": offer})
    assert c.headers["sec-websocket-protocol"] == chosen, c.headers
    c.works()
    c.close()


def no_subprotocol():
    """none offered: rustydb.json.v1 is spoken and none is named"""
    c = Client({"Sec-WebSocket-Protocol": ABSENT})
    c.send(TEXT, ping_message("x"))
    assert c.message()["payload"] == "x"
    c.close()


@each("nobody.knows.v9", "RUSTYDB.JSON.V1", "rustydb.json", "rustydb.json.v11", "graphql-ws", "listener", "http-only")
def unknown_subprotocol(offer):
    """an unknown subprotocol alone is 400"""
    _problem(request({"Sec-WebSocket-Protocol": offer}), 400, "INVALID_MESSAGE")


@each("a/b, rustydb.json.v1", '"rustydb.json.v1"', "x" * 64 + ", rustydb.json.v1", ", ".join(["name"] * 40))
def malformed_subprotocols(offer):
    """a list that is none, or is too long, is 400"""
    _problem(request({"Sec-WebSocket-Protocol": offer}), 400, "INVALID_MESSAGE")


@each("13, rustydb.json.v1", "1.5, rustydb.json.v1")
def numbers_for_subprotocols(offer):
    """known: a number among the offered subprotocols ends the connection without an answer"""
    w = Wire(request({"Sec-WebSocket-Protocol": offer}))
    assert w.rest() == b""
    w.close()


# ---- sizes and credentials


@each(1000, 4000)
def large_headers(n):
    """headers of some size are read"""
    c = Client({"X-Large": "x" * n})
    c.works()
    c.close()


@each(9000, 100000)
def too_large_headers(n):
    """known: headers beyond the limit end the connection without an answer; the daemon goes on"""
    w = Wire()
    w.pour(request({"X-Large": "x" * n}))
    assert w.rest() == b""
    w.close()
    good()


def many_headers():
    """hundreds of headers are read or end the connection"""
    w = Wire()
    w.pour(request(more=[f"X-{n}: {n}" for n in range(400)]))
    assert w.left == b""
    try:
        assert w.head()[0] in (101, 400, 431)
    except Gone:
        pass
    w.close()
    good()


def long_extensions():
    """a list of extensions beyond libwebsockets' limit is 400"""
    offer = ", ".join(f"extension-{n}" for n in range(30))
    _problem(request({"Sec-WebSocket-Extensions": offer}), 400, "INVALID_MESSAGE")


@each("Bearer wrong", "Bearer ", "Basic cm9vdDpyb290", "nonsense")
def credentials(value):
    """wrong credentials are 401"""
    headers = _problem(request({"Authorization": value}), 401, "AUTH_FAILED")
    assert "www-authenticate" in headers, headers


def stranger():
    """without credentials the session opens, and says so"""
    c = Client(auth=False)
    assert c.welcome["payload"]["authenticated"] is False
    c.close()
