"""Cases of idempotency.bats with clients that hang up."""

import json
import socket

from rdb import Rest, eventually, main, port, sql, token


def _send_and_hang_up(body, key):
    text = json.dumps(body)
    with socket.create_connection(("127.0.0.1", port())) as s:
        s.sendall(
            f"POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token()}\r\n"
            f"Content-Type: application/json\r\nIdempotency-Key: {key}\r\n"
            f"Content-Length: {len(text)}\r\n\r\n{text}".encode()
        )


def hanging_up():
    rest = Rest()
    keys = 60
    for n in range(keys):
        body = {"sql": "INSERT INTO t (x) VALUES (?)", "params": [n]}
        _send_and_hang_up(body, f"key-{n}")

        def is_done():
            status, _, data = rest.raw("POST", "/query", body, {"Idempotency-Key": f"key-{n}"})
            assert status in (200, 409), data
            return status == 200

        eventually(is_done)
    assert sql("SELECT count(*), count(DISTINCT x) FROM t") == [[keys, keys]]


main(globals())
