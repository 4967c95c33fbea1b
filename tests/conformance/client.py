"""A WebSocket client that may break every rule: frames are put together by hand, and what the daemon
sends is held to RFC 6455 and RFC 7692 as it is read. Standard library only.

The daemon's address, token and process come from the environment (PORT, TOKEN, DAEMON_PID)."""

import base64
import collections
import hashlib
import json
import os
import socket
import struct
import zlib

LIMIT = 30 * int(os.environ.get("SLOW", "1"))  # seconds after which anything counts as stuck
SANITIZED = bool(os.environ.get("SANITIZED"))
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
RSV1, RSV2, RSV3 = 4, 2, 1
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
ABSENT = object()  # a header that is left out

Frame = collections.namedtuple("Frame", "opcode payload fin rsv")


class Gone(Exception):
    """The connection ended."""


def mask_with(key, payload):
    n = len(payload)
    repeated = (key * (n // 4 + 1))[:n]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(n, "big")


def frame(opcode, payload=b"", fin=True, rsv=0, mask=True, length=None, form=None):
    """The bytes of a frame. `length` announces another length than the payload has; `form` (7, 16 or 64
    bits) takes a longer form for it than needed."""
    if isinstance(payload, str):
        payload = payload.encode()
    n = len(payload) if length is None else length
    form = form or (7 if n < 126 else 16 if n < 65536 else 64)
    bit = 0x80 if mask else 0
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if form == 7:
        head += bytes([bit | n])
    elif form == 16:
        head += bytes([bit | 126]) + struct.pack(">H", n)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", n)
    if not mask:
        return head + payload
    key = os.urandom(4) if mask is True else mask
    return head + key + mask_with(key, payload)


def close_payload(code=None, reason=b""):
    if code is None:
        return b""
    return struct.pack(">H", code) + (reason.encode() if isinstance(reason, str) else reason)


def request(headers=None, method="GET", path="/api/v1/ws", version="HTTP/1.1", auth=True, more=()):
    """The bytes of a handshake; `headers` replaces single ones (ABSENT: leaves it out), `more` appends
    whole lines."""
    fields = {
        "Host": f"127.0.0.1:{os.environ['PORT']}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
    }
    if auth:
        fields["Authorization"] = "Bearer " + os.environ["TOKEN"]
    fields.update(headers or {})
    lines = [f"{method} {path} {version}"]
    lines += [f"{k}: {v}" for k, v in fields.items() if v is not ABSENT]
    return ("\r\n".join([*lines, *more]) + "\r\n\r\n").encode()


class Wire:
    """A connection, and what has been read of it."""

    def __init__(self, data=b"", rcvbuf=None):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if rcvbuf:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.s.settimeout(LIMIT)
        self.s.connect(("127.0.0.1", int(os.environ["PORT"])))
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.left = b""
        self.s.sendall(data)

    def _more(self):
        try:
            data = self.s.recv(65536)
        except ConnectionError as e:
            raise Gone("reset") from e
        if not data:
            raise Gone("ended")
        self.left += data

    def exactly(self, n):
        while len(self.left) < n:
            self._more()
        found, self.left = self.left[:n], self.left[n:]
        return found

    def head(self):
        """The head of an HTTP answer: (status, headers with lower-case names)."""
        while b"\r\n\r\n" not in self.left:
            self._more()
        text, self.left = self.left.split(b"\r\n\r\n", 1)
        first, *lines = text.decode().split("\r\n")
        headers = {}
        for line in lines:
            name, value = line.split(":", 1)
            name = name.lower()
            headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
        return int(first.split(" ")[1]), headers

    def rest(self):
        """What still comes, up to the end of the connection."""
        try:
            while True:
                self._more()
        except Gone:
            found, self.left = self.left, b""
            return found

    def pour(self, data):
        """Sends, though the other side may have given up on us meanwhile."""
        try:
            self.s.sendall(data)
        except ConnectionError:
            pass

    def close(self):
        self.s.close()


def refused(data):
    """Sends a handshake that is not to succeed; returns (status, headers, problem document)."""
    w = Wire(data)
    status, headers = w.head()
    assert status != 101, "the handshake succeeded"
    body = w.exactly(int(headers["content-length"]))
    w.close()
    return status, headers, json.loads(body)


class Client(Wire):
    """An open WebSocket whose welcome has been read."""

    def __init__(self, headers=None, rcvbuf=None, welcome=True, **options):
        headers = {"Sec-WebSocket-Protocol": "rustydb.json.v1", **(headers or {})}
        data = request(headers, **options)
        super().__init__(data, rcvbuf)
        status, self.headers = self.head()
        if status != 101:
            raise AssertionError(f"the handshake failed: {status} {self.rest()[:300]}")
        self._check_answer(data, headers)
        self.extension = self.headers.get("sec-websocket-extensions", "")
        self.inflater = zlib.decompressobj(-15)
        self.skipped = []
        self.open = True
        if welcome:
            self.welcome = self.message()
            assert self.welcome["type"] == "welcome", self.welcome

    def _check_answer(self, data, asked):
        key = next(x for x in data.decode().split("\r\n") if x.startswith("Sec-WebSocket-Key: "))[19:]
        expected = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        assert self.headers["sec-websocket-accept"] == expected, self.headers
        assert self.headers["upgrade"].lower() == "websocket", self.headers
        assert self.headers["connection"].lower() == "upgrade", self.headers
        if asked["Sec-WebSocket-Protocol"] is ABSENT:
            assert "sec-websocket-protocol" not in self.headers, self.headers
        if "Sec-WebSocket-Extensions" not in asked and "permessage" not in data.decode():
            assert "sec-websocket-extensions" not in self.headers, self.headers

    # ---- sending

    def send(self, opcode, payload=b"", **how):
        self.s.sendall(frame(opcode, payload, **how))

    def in_pieces(self, data, step=1):
        """Sends bytes a few at a time."""
        for at in range(0, len(data), step):
            self.s.sendall(data[at : at + step])

    # ---- reading

    def frame(self):
        """The next frame, which must be a server's legal one."""
        a, b = self.exactly(2)
        n = b & 0x7F
        assert not b & 0x80, "a frame of the server is masked (RFC 6455, 5.1)"
        if n == 126:
            (n,) = struct.unpack(">H", self.exactly(2))
            assert n > 125, "the length is not in its shortest form (RFC 6455, 5.2)"
        elif n == 127:
            (n,) = struct.unpack(">Q", self.exactly(8))
            assert 65535 < n < 1 << 63, "the length is not in its shortest form (RFC 6455, 5.2)"
        f = Frame(a & 0xF, self.exactly(n), bool(a & 0x80), a >> 4 & 7)
        assert f.opcode in (CONT, TEXT, BINARY, CLOSE, PING, PONG), f
        assert f.fin, "the daemon does not fragment"
        assert not f.rsv & 3, f
        if f.opcode >= 8:
            assert f.fin and len(f.payload) <= 125 and not f.rsv, f
        if f.rsv:
            assert self.extension, "a compressed frame, which was not negotiated"
        return f

    def text_of(self, f):
        """The text of a text frame. The daemon compresses each message by itself, so an inflater that
        forgets would do as well; this one goes on, as a client without parameters does."""
        payload = f.payload
        if f.rsv & RSV1:
            payload = self.inflater.decompress(payload + b"\x00\x00\xff\xff")
        return payload.decode()

    def message(self, type_=None):
        """The next JSON message, of this type where one is given; pings are answered, pongs kept."""
        while True:
            f = self.frame()
            if f.opcode == PING:
                self.send(PONG, f.payload)
            elif f.opcode == PONG:
                self.skipped.append(f)
            elif f.opcode == CLOSE:
                raise Gone(f"closed: {f.payload}")
            else:
                m = json.loads(self.text_of(f))
                if type_ in (None, m["type"]):
                    return m

    def pong(self):
        """The payload of the next pong; other frames are skipped."""
        while True:
            f = self.skipped.pop(0) if self.skipped else self.frame()
            if f.opcode == PONG:
                return f.payload
            assert f.opcode != CLOSE, f

    def works(self):
        """The session goes on."""
        mark = os.urandom(4).hex()
        self.send(TEXT, json.dumps({"type": "ping", "id": mark}))
        m = self.message("pong")
        assert m["id"] == mark, m

    def closed(self):
        """Reads to the daemon's close frame; returns (code, reason), (None, "") for an empty one. After
        it the daemon must say nothing more and, once we have answered, end the connection. 'no close
        frame' when it ends without one."""
        try:
            while True:
                f = self.frame()
                if f.opcode == CLOSE:
                    break
        except Gone:
            return "no close frame", ""
        assert len(f.payload) != 1, "a close frame with half a code"
        self.pour(frame(CLOSE, f.payload[:2]))
        if f.payload and struct.unpack(">H", f.payload[:2])[0] in (1002, 1003, 1007, 1009):
            # Refused inside a frame, our answer is taken for its rest, and waited for: end it.
            try:
                self.s.shutdown(socket.SHUT_WR)
            except OSError:  # ended already
                pass
        assert self.rest() == b"", "something came behind the close frame"
        if not f.payload:
            return None, ""
        return struct.unpack(">H", f.payload[:2])[0], f.payload[2:].decode()

    def must_close(self, *codes):
        code, reason = self.closed()
        assert code in codes, f"closed with {code} ({reason}) instead of {codes}"
        self.close()
        return reason


def ping_message(text="", id_="1", fill=0):
    """The daemon's echo: a message whose answer repeats `text`; with `fill` it has so many bytes."""
    body = json.dumps({"type": "ping", "id": id_, "payload": text}, ensure_ascii=False).encode()
    assert len(body) <= fill or not fill
    return body + b" " * (fill - len(body))


def deflated(data, level=9, strategy=zlib.Z_DEFAULT_STRATEGY, stream=None):
    """A message as permessage-deflate sends it, by an own stream or by one that goes on."""
    c = stream or zlib.compressobj(level, zlib.DEFLATED, -15, 8, strategy)
    out = c.compress(data if isinstance(data, bytes) else data.encode()) + c.flush(zlib.Z_SYNC_FLUSH)
    assert out.endswith(b"\x00\x00\xff\xff")
    return out[:-4]
