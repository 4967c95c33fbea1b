"""Pipelined requests over the Unix socket, where the kernel does not tell what was read when."""
import re
import socket
import sys

from tls import post


def pipelined(path):
    """The first is answered, and the connection ends: nobody waits, nothing is taken for a body."""
    requests = [post(i) for i in range(1, 41)]
    get = b"GET /api/v1/health/liveness HTTP/1.1\r\nHost: localhost\r\n\r\n"
    whole = b"".join(requests)
    ways = {
        "one piece": [whole],
        "two requests in a piece": [requests[0] + requests[1]],
        "behind a request without a body": [get + requests[0] + requests[1]],
        "a piece each": requests,
        "seven bytes a piece": [whole[i : i + 7] for i in range(0, len(whole), 7)],
    }
    for name, pieces in ways.items():
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(60)
        sock.connect(path)
        got = b""
        try:
            for piece in pieces:
                sock.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            while piece := sock.recv(65536):
                got += piece
        except ConnectionResetError:
            pass
        answers = re.findall(rb"HTTP/1\.1 (\d+)", got)
        assert answers in ([b"200"], []), (name, got)
        rows = re.findall(rb'"rows":\[\[(\d+)\]\]', got)
        assert rows in ([b"1"], []), (name, got)


if __name__ == "__main__":
    {"pipelined": pipelined}[sys.argv[1]](*sys.argv[2:])
