"""Cases of networks.bats: headers of the PROXY protocol, names of hosts, origins of pages."""

import os
import socket
import ssl
import struct
import time

import raw
from rdb import LIMIT, alive, main, port

V2 = b"\r\n\r\n\0\r\nQUIT\n"


def dial(source="127.0.0.1"):
    s = socket.socket()
    s.settimeout(LIMIT)
    s.bind((source, 0))
    s.connect(("127.0.0.1", port()))
    return s


def v1(client, family="TCP4", at=1234):
    return f"PROXY {family} {client} 127.0.0.1 {at} 80\r\n".encode()


def v2(client, at=1234, extra=b"", command=1):
    four = ":" not in client
    block = b"".join(socket.inet_pton(socket.AF_INET if four else socket.AF_INET6, a)
                     for a in (client, "127.0.0.1" if four else "::1"))
    block += struct.pack("!HH", at, 80) + extra
    return V2 + bytes([0x20 | command, 0x11 if four else 0x21]) + struct.pack("!H", len(block)) + block


def sessions(s, reader):
    """The addresses of the connections that the daemon knows."""
    s.sendall(raw.request("GET", "/api/v1/monitoring/sessions"))
    answer = reader.answer()
    assert answer.status == 200, answer.body
    return [one["remote_address"] for one in answer.json()["sessions"]]


def proxied():
    for header, address in (
        (v1("198.51.100.7"), "198.51.100.7:1234"),
        (b"PROXY TCP6 2001:db8::7 ::1 4711 80\r\n", "[2001:db8::7]:4711"),
        (v2("198.51.100.8", 99), "198.51.100.8:99"),
        (v2("2001:db8::8", 98, b"\x04\0\x03abc"), "[2001:db8::8]:98"),
    ):
        for step in (len(header), 1, 7):  # in one piece, byte by byte, with the request behind it
            s = dial()
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            whole = header + (raw.request("GET", "/api/v1/health/liveness") if step == 7 else b"")
            for at in range(0, len(whole), step):
                s.sendall(whole[at : at + step])
            reader = raw.Reader(s)
            if step == 7:
                assert reader.answer().status == 200
            found = sessions(s, reader)
            assert address in found, (address, found)
            s.close()
    # The proxy's own checks, and what is not TCP: it is the proxy itself.
    for header in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN a b c d\r\n", v2("192.0.2.1", command=0), V2 + b"\x21\0\0\0"):
        s = dial()
        s.sendall(header)
        mine = f"127.0.0.1:{s.getsockname()[1]}"
        found = sessions(s, raw.Reader(s))
        assert mine in found, (mine, found)
        s.close()
    # The lists are about the client.
    for header in (v1("192.0.2.9"), v2("192.0.2.9"), v2("::ffff:192.0.2.9"), b"PROXY TCP6 ::ffff:192.0.2.9 ::1 1 2\r\n"):
        s = dial()
        s.sendall(header + raw.request("GET", "/api/v1/health/liveness"))
        assert raw.closed_by_peer(s) == 0
        s.close()


def proxied_tls():
    context = ssl.create_default_context(cafile=os.environ["T"] + "/cert.pem")
    s = dial()
    s.sendall(v2("198.51.100.7"))
    tls = context.wrap_socket(s, server_hostname="localhost")
    assert "198.51.100.7:1234" in sessions(tls, raw.Reader(tls))
    tls.close()
    s = dial()  # TLS without a header
    try:
        context.wrap_socket(s, server_hostname="localhost")
        raise AssertionError("a handshake without a header went through")
    except (OSError, ssl.SSLError):
        pass


def not_proxied():
    ask = raw.request("GET", "/api/v1/health/liveness")
    s = dial("127.0.0.9")  # no trusted proxy, with a good header
    s.sendall(v1("198.51.100.7") + ask)
    assert raw.closed_by_peer(s) == 0
    for wrong in (
        ask,
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n" + ask,
        b"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n" + ask,
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n" + ask,
        b"PROXY " + b"x" * 5000,
        V2 + b"\x21\x11\xff\xff" + b"x" * 70000,
        V2 + b"\x21\x11\0\0" + ask,
        v2("198.51.100.7", command=5) + ask,
        b"\0" * 100,
    ):
        s = dial()
        try:
            s.sendall(wrong)
        except ConnectionError:
            pass
        got = raw.Reader(s).rest()
        assert b"200 OK" not in got, (wrong[:60], got[:100])
        s.close()
    for slow in (b"", b"PROXY", V2 + b"\x21\x11\0\x0c\1\2"):
        s = dial()
        s.sendall(slow)
        began = time.monotonic()
        assert raw.closed_by_peer(s) == 0
        assert time.monotonic() - began > 0.4, slow
        s.close()
    s = dial()  # and one that ends itself
    s.sendall(b"PROXY TCP4")
    s.close()
    # They were only cut off: a good one gets in.
    s = dial()
    s.sendall(v1("198.51.100.7") + ask)
    assert raw.Reader(s).answer().status == 200


def header_unasked():
    """libwebsockets reads past a first line that is none of HTTP: then it must have no effect."""
    for header in (v1("198.51.100.7"), v2("198.51.100.7")):
        s = dial()
        s.sendall(header + raw.request("GET", "/api/v1/monitoring/sessions"))
        s.shutdown(socket.SHUT_WR)
        got = raw.Reader(s).rest()
        assert b"198.51.100" not in got, got[:200]
        s.close()
    alive()


def silent():
    held = [dial() for _ in range(20)]
    open(os.environ["T"] + "/silent", "w").close()
    for s in held:
        assert raw.closed_by_peer(s) == 0


def bare(lines, version="1.1"):
    return (f"GET /api/v1/health/liveness HTTP/{version}\r\n" + "".join(x + "\r\n" for x in lines) + "\r\n").encode()


def hosts():
    ours = f"Host: 127.0.0.1:{port()}"
    assert raw.ask(bare([ours])).status == 200
    for lines in ([], [ours, ours], [ours, "Host: evil.example"], ["Host: evil.example", ours], ["Host:"], ["Host: "]):
        s = raw.dial()
        s.sendall(bare(lines))
        try:
            status = raw.Reader(s).answer().status
        except EOFError:
            status = 400  # libwebsockets ends some of them by itself
        assert status == 400, (lines, status)
        s.close()
    # HTTP/1.0 knows no Host; a browser never speaks it.
    assert raw.ask(bare([], "1.0")).status == 200
    assert raw.ask(bare(["Host: evil.example"], "1.0")).status == 421
    s = raw.dial()
    s.sendall(raw.upgrade().replace(b"Host: 127.0.0.1", b"Host: evil.example"))
    raw.Reader(s).answer().problem(421, "MISDIRECTED")


def upgrades(*lines, auth=True):
    s = raw.dial()
    s.sendall(raw.upgrade(auth=auth, headers="".join(x + "\r\n" for x in lines)))
    head = raw.Reader(s).until(b"\r\n\r\n").decode()
    s.close()
    return int(head.split(" ")[1])


def origins():
    at = port()
    for good in (
        [],  # no browser
        ["Origin: http://127.0.0.1"],
        ["Origin: https://app.example"],
        ["Origin: https://a.example.org"],
        ["Origin: https://a.b.example.org"],
    ):
        assert upgrades(*good) == 101, good
    for bad in (
        "https://evil.example",
        "null",
        "file://",
        "https://app.example.evil.example",
        "http://app.example",
        "https://app.example:444",
        "https://example.org",
        "https://evil.example/.example.org",
        "https://evil.example#.example.org",
        f"http://127.0.0.1:{at + 1}",
        "http://localhost",  # the request goes to 127.0.0.1
        "http://127.0.0.1.evil.example",
        "https://" + "a" * 300 + ".example.com",  # does not fit
        "127.0.0.1",
        "https://app.example, https://evil.example",
    ):
        for auth in (True, False):
            status = upgrades(f"Origin: {bad}", auth=auth)
            assert status == 403, (bad, status)
    status = upgrades("Origin: https://app.example", "Origin: https://evil.example")
    assert status == 403, status
    alive()


if __name__ == "__main__":
    main(globals())
