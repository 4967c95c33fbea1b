"""Cases over TLS, on raw sockets: what a client sends is cut into records as the case wants."""
import base64
import json
import os
import re
import ssl
import struct
import sys

import raw

BODY = b'{"sql":"SELECT %d AS n"}'


def connect():
    plain = raw.socket.create_connection(("127.0.0.1", int(os.environ["PORT"])), timeout=60)
    context = ssl.create_default_context(cafile=os.environ["T"] + "/cert.pem")
    return context.wrap_socket(plain, server_hostname="localhost")


def post(i):
    body = BODY % i
    return (
        b"POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
        + os.environ["TOKEN"].encode()
        + b"\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        + body
    )


def answers(sock, want):
    """The numbers answered until the connection ends or `want` of them are there."""
    got = b""
    while len(re.findall(rb'"rows":\[\[(\d+)\]\]', got)) < want:
        try:
            piece = sock.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            break
        if not piece:
            break
        got += piece
    return [int(n) for n in re.findall(rb'"rows":\[\[(\d+)\]\]', got)]


def pipelined():
    """Bodies that were pipelined are answered in order or not at all, however they were cut."""
    requests = [post(i) for i in range(1, 41)]
    whole = b"".join(requests)
    ways = {
        "one record": [whole],
        "two requests in one record": [requests[0] + requests[1]],
        "a record each": requests,
        "head and body apart": [p for q in requests for p in re.split(rb"(?<=\r\n\r\n)", q)],
        "seven bytes a record": [whole[i : i + 7] for i in range(0, len(whole), 7)],
    }
    for name, records in ways.items():
        sock = connect()
        count = b"".join(records).count(b"POST ")
        try:
            for record in records:
                sock.sendall(record)
        except OSError:
            pass
        got = answers(sock, count)
        assert got and got == list(range(1, len(got) + 1)), (name, got)
        sock.close()


def patient():
    """One after the other on one connection, none is refused."""
    sock = connect()
    for i in range(200):
        sock.sendall(post(i))
        assert answers(sock, 1) == [i], i


def upgrade(sock):
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(
        (
            "GET /api/v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: Bearer {os.environ['TOKEN']}\r\n\r\n"
        ).encode()
    )
    reader = sock.makefile("rb")
    assert b"101" in reader.readline()
    while reader.readline() != b"\r\n":
        pass
    return reader


def frame(text):
    data = text.encode()
    size = (
        struct.pack("!BB", 0x81, 0x80 | len(data))
        if len(data) < 126
        else struct.pack("!BBH", 0x81, 0xFE, len(data))
        if len(data) < 65536
        else struct.pack("!BBQ", 0x81, 0xFF, len(data))
    )
    return size + b"\0\0\0\0" + data


def message(reader):
    first, size = reader.read(2)
    assert first == 0x81, hex(first)
    if size == 126:
        size = struct.unpack("!H", reader.read(2))[0]
    elif size == 127:
        size = struct.unpack("!Q", reader.read(8))[0]
    return json.loads(reader.read(size))


def of_type(reader, kind):
    while True:
        got = message(reader)
        assert got["type"] != "error", got
        if got["type"] == kind:
            return got


def whole_result(reader):
    """The parts of a result up to its end, as one text."""
    parts = []
    while not parts or parts[-1]["payload"].get("part", "end") != "end":
        parts.append(of_type(reader, "query_result"))
    return json.dumps(parts)


def backlog():
    """A subscriber that reads nothing for a while gets everything in the end, in order: what the
    socket did not take at once is sent on, record by record."""
    sock, writer = connect(), connect()
    reader, answers_of = upgrade(sock), upgrade(writer)
    table = {"sql": "CREATE TABLE b(id INTEGER PRIMARY KEY, body TEXT)"}
    writer.sendall(frame(json.dumps({"type": "execute", "payload": table})))
    whole_result(answers_of)
    sock.sendall(frame('{"id":"s","type":"subscribe","payload":{"topic":"table:b"}}'))
    of_type(reader, "subscribed")
    n = 600
    for i in range(n):
        sql = {"sql": "INSERT INTO b(body) VALUES(?)", "params": ["x" * 5000]}
        writer.sendall(frame(json.dumps({"type": "execute", "payload": sql})))
        whole_result(answers_of)
    seen = [of_type(reader, "event")["payload"]["row"]["id"] for _ in range(n)]
    assert seen == list(range(1, n + 1)), seen[:20]


def large():
    """Large messages both ways: several records each, in one segment and cut."""
    sock = connect()
    reader = upgrade(sock)
    for size in (900, 20000, 300000, 900000):
        ask = {"sql": "SELECT length(?1), ?1", "params": ["y" * size]}
        sock.sendall(frame(json.dumps({"type": "query", "payload": ask})))
        got = whole_result(reader)
        assert f'[[{size}, "{"y" * size}"]]' in got, got[:200]


if __name__ == "__main__":
    globals()[sys.argv[1]]()
