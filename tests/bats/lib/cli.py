"""Helpers and cases of the command line that want more than a shell:
python3 cli.py NAME ARGUMENT..."""

import asyncio
import os
import resource
import ssl
import subprocess
import sys


def million_rows(binary):
    """A long result passes through the client in little memory."""
    sql = (
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 1000000)"
        " SELECT n, n * 2 FROM c"
    )
    client = subprocess.Popen([binary, "query", "--no-header", sql], stdout=subprocess.PIPE)
    rows = sum(1 for _ in client.stdout)
    status = client.wait()
    kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert (rows, status) == (1000000, 0), (rows, status)
    assert kib < 40000, f"{kib} KiB"


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()


async def forward(port, path, certificate, key, ca):
    """Listens with TLS on a free port (printed), or on the Unix socket `path`; passes all on to
    `port` of this machine. With `ca`, clients must show a certificate that it has signed."""

    async def client(reader, writer):
        there = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))

    if path:
        server = await asyncio.start_unix_server(client, path)
        print(path, flush=True)
    else:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate, key)
        if ca:
            tls.verify_mode = ssl.CERT_REQUIRED
            tls.load_verify_locations(ca)
        server = await asyncio.start_server(client, "127.0.0.1", 0, ssl=tls)
        print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def forward_unix(port, path):
    asyncio.run(forward(int(port), path, None, None, None))


def forward_tls(port, certificate, key, ca=None):
    asyncio.run(forward(int(port), None, certificate, key, ca))


async def watch(port):
    """Forwards a free port (printed) to `port`; prints the first line of what each connection sends."""

    async def client(reader, writer):
        there = await asyncio.open_connection("127.0.0.1", port)
        first = await reader.read(65536)
        print(first.split(b"\r\n")[0].decode(), flush=True)
        there[1].write(first)
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def forward_watched(port):
    asyncio.run(watch(int(port)))


def listener():
    """Something else that listens here (its port is printed): prints one request, answers 404."""
    import socket

    server = socket.create_server(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)
    peer, _ = server.accept()
    print(peer.recv(65536).decode(), flush=True)
    peer.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


if __name__ == "__main__":
    os.umask(0o077)
    globals()[sys.argv[1]](*sys.argv[2:])
