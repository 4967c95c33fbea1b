"""Cases of ddl.bats that read an export as curl does not."""

import http.client
import json
import zlib

from rdb import LIMIT, SANITIZED, Rest, eventually, main, port, sql, status_kb, token


def ask(path, **headers):
    link = http.client.HTTPConnection("127.0.0.1", port(), timeout=LIMIT)
    link.request("GET", f"/api/v1{path}", headers={"Authorization": f"Bearer {token()}", **headers})
    return link.getresponse()


def export_waits_for_its_reader():
    before = status_kb("VmRSS")
    answers = [ask("/tables/t/export") for _ in range(8)]  # 100 MB each
    first = [json.loads(a.readline()) for a in answers]
    assert all(row["x"] == f"{row['id']:0500d}" for row in first), first
    sql("SELECT 1")  # others are served meanwhile
    if not SANITIZED:
        assert status_kb("VmRSS") - before < 40000, (before, status_kb("VmRSS"))
    rows = sum(1 for _ in answers[0])
    assert rows == 199999, rows
    for answer in answers:
        answer.close()
    eventually(lambda: Rest().call("GET", "/monitoring/queries")["total"] == 0)


def export_breaks_off(form, encoding):
    answer = ask(f"/tables/v/export?format={form}", **{"Accept-Encoding": encoding})
    assert answer.status == 200, answer.status
    try:
        data = answer.read()
        raise AssertionError(f"{len(data)} bytes that look whole")
    except (http.client.IncompleteRead, ConnectionResetError) as e:
        data = getattr(e, "partial", b"")
    if encoding == "gzip" and data:
        data = zlib.decompressobj(31).decompress(data)
    assert b"error" not in data, data[-300:]


main(globals())
