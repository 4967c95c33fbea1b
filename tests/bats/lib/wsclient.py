"""python3-websockets as Debian has it, in the versions whose interfaces differ: 10 (Debian 12), whose
connect is what is called legacy since 14, and 15 (Debian 13)."""

import websockets

# For the cases:
from websockets.exceptions import ConnectionClosed, InvalidHandshake, WebSocketException  # noqa: F401
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory  # noqa: F401

LEGACY = int(websockets.version.version.split(".")[0]) < 14


async def connect(url, headers, **options):
    headers = dict(headers)
    if not LEGACY and "User-Agent" in headers:  # it would be sent beside the library's own
        options["user_agent_header"] = headers.pop("User-Agent")
    if not LEGACY:
        options.pop("read_limit", None)  # of a buffer that is no more
    options["extra_headers" if LEGACY else "additional_headers"] = headers
    return await websockets.connect(url, **options)


def refused_with(refusal):
    """The HTTP status by which a handshake was refused; None when it failed otherwise."""
    if LEGACY:
        return getattr(refusal, "status_code", None)
    response = getattr(refusal, "response", None)
    return response.status_code if response else None


def extensions(ws):
    """The names of what was negotiated."""
    return [e.name for e in (ws.extensions if LEGACY else ws.protocol.extensions)]


def abort(ws):
    """Drops the connection without a word, unless it is closed."""
    if ws.state.name != "CLOSED":
        ws.transport.abort()
