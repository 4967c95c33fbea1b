"""Clients without manners: plain sockets, HTTP and WebSocket frames byte by byte."""

import base64
import json
import os
import select
import socket
import struct
import time

from rdb import LIMIT, port, token

AUTH = "Authorization: Bearer {}\r\n"


def dial(rcvbuf=None, timeout=LIMIT):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if rcvbuf:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    s.settimeout(timeout)
    s.connect(("127.0.0.1", port()))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def reset(s):
    """Ends the connection with a reset instead of a proper end."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def request(method, path, body=None, headers="", auth=True, host="127.0.0.1"):
    """The bytes of an HTTP/1.1 request. A dict as body becomes JSON."""
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
        headers += "Content-Type: application/json\r\n"
    if auth:
        headers += AUTH.format(token())
    if body is not None:
        headers += f"Content-Length: {len(body)}\r\n"
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n"
    return head.encode() + (body or b"")


def post_query(sql, params=None, **more):
    body = {"sql": sql, **more}
    if params is not None:
        body["params"] = params
    return request("POST", "/api/v1/query", body)


class Answer:
    """One HTTP answer: status, headers (lower-case names), body."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def problem(self, status, code):
        assert self.status == status, f"{self.status} instead of {status}: {self.body[:300]}"
        assert self.headers["content-type"].startswith("application/problem+json"), self.headers
        assert self.json()["code"] == code, self.body
        return self.json()


class Reader:
    """Reads answers from a socket, one after the other."""

    def __init__(self, s):
        self.s = s
        self.left = b""

    def _more(self):
        data = self.s.recv(65536)
        if not data:
            raise EOFError(self.left)
        self.left += data

    def until(self, mark):
        while mark not in self.left:
            self._more()
        found, self.left = self.left.split(mark, 1)
        return found

    def exactly(self, n):
        while len(self.left) < n:
            self._more()
        found, self.left = self.left[:n], self.left[n:]
        return found

    def answer(self):
        """The next answer; EOFError when the connection ends before it (what came is its argument)."""
        lines = self.until(b"\r\n\r\n").decode().split("\r\n")
        version, status = lines[0].split(" ")[:2]
        assert version in ("HTTP/1.1", "HTTP/1.0"), lines[0]
        headers = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            headers[name.strip().lower()] = value.strip()
        if headers.get("transfer-encoding") == "chunked":
            chunks = []
            while True:
                size = int(self.until(b"\r\n").split(b";")[0], 16)
                chunks.append(self.exactly(size))
                assert self.exactly(2) == b"\r\n", "a chunk does not end with a line end"
                if size == 0:
                    break
            body = b"".join(chunks)
        elif "content-length" in headers:
            body = self.exactly(int(headers["content-length"]))
        elif status == "204":
            body = b""
        else:
            body = self.rest()
        return Answer(int(status), headers, body)

    def rest(self):
        """Everything up to the end of the connection; a reset counts as its end."""
        try:
            while True:
                self._more()
        except (EOFError, ConnectionError):
            found, self.left = self.left, b""
            return found


def ask(data, shut=False):
    """Sends bytes on a connection of their own and reads one answer."""
    s = dial()
    try:
        s.sendall(data)
        if shut:
            s.shutdown(socket.SHUT_WR)
        return Reader(s).answer()
    finally:
        s.close()


def closed_by_peer(s, limit=LIMIT):
    """Reads and drops until the other side ends the connection; how many bytes came."""
    end, count = time.monotonic() + limit, 0
    while True:
        left = end - time.monotonic()
        assert left > 0, f"the connection was not ended within {limit} s"
        if not select.select([s], [], [], left)[0]:
            continue
        try:
            data = s.recv(1 << 20)
        except ConnectionError:
            return count
        if not data:
            return count
        count += len(data)


# ---- WebSocket frames -----------------------------------------------------------------------------

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def upgrade(path="/api/v1/ws", auth=True, headers="", protocol="rustydb.json.v1", version="13"):
    key = base64.b64encode(os.urandom(16)).decode()
    if protocol:
        headers += f"Sec-WebSocket-Protocol: {protocol}\r\n"
    headers += (
        "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: {version}\r\n"
    )
    return request("GET", path, None, headers, auth)


def frame(opcode, payload=b"", fin=True, mask=True, rsv=0):
    if isinstance(payload, (dict, list)):
        payload = json.dumps(payload)
    if isinstance(payload, str):
        payload = payload.encode()
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    n = len(payload)
    if n < 126:
        head += bytes([bit | n])
    elif n < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", n)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", n)
    if not mask:
        return head + payload
    key = os.urandom(4)
    repeated = (key * (n // 4 + 1))[:n]
    masked = (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(n, "big")
    return head + key + masked


class RawSession:
    """A WebSocket session by hand; opens it unless told otherwise."""

    def __init__(self, auth=True, headers="", protocol="rustydb.json.v1", rcvbuf=None):
        self.s = dial(rcvbuf)
        self.s.sendall(upgrade(auth=auth, headers=headers, protocol=protocol))
        self.reader = Reader(self.s)
        head = self.reader.until(b"\r\n\r\n").decode()
        assert head.startswith("HTTP/1.1 101"), head
        self.head = head.lower()
        self.closed = None  # (code, reason), once a close frame came

    def send(self, *arguments, **options):
        self.s.sendall(frame(*arguments, **options))

    def message(self, type_, payload=None, id_="1"):
        self.send(TEXT, {"id": id_, "type": type_, "payload": payload or {}})

    def recv_frame(self):
        """(opcode, payload, rsv)."""
        a, b = self.reader.exactly(2)
        assert not b & 0x80, "a frame of the server is masked"
        assert a & 0x80, "a fragment of the server: not read here"
        n = b & 0x7F
        if n == 126:
            (n,) = struct.unpack(">H", self.reader.exactly(2))
        elif n == 127:
            (n,) = struct.unpack(">Q", self.reader.exactly(8))
        payload = self.reader.exactly(n)
        if a & 0xF == CLOSE:
            code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005
            self.closed = (code, payload[2:].decode())
        return a & 0xF, payload, (a >> 4) & 7

    def recv(self):
        """The next message; other frames are skipped, a close raises EOFError."""
        while True:
            opcode, payload, _ = self.recv_frame()
            if opcode == TEXT:
                return json.loads(payload)
            if opcode == CLOSE:
                raise EOFError(self.closed)

    def answer(self, id_="1"):
        while True:
            m = self.recv()
            if m.get("id") == id_:
                return m

    def until_closed(self):
        """Reads to the close frame or the end; returns the close code (1006 where none came) and the
        messages before it."""
        messages = []
        try:
            while True:
                messages.append(self.recv())
        except (EOFError, ConnectionError):
            return (self.closed or (1006, ""))[0], messages

    def close(self):
        self.s.close()
