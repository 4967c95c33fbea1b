"""login_ws.py TOKEN FILE: opens a WebSocket with a token, writes FILE when it is open, and FILE.end
with when and how it ended."""

import asyncio
import json
import os
import sys
import time

import wsclient


async def main(token, file):
    url = os.environ["RUSTYDB_URL"].replace("http", "ws", 1) + "/api/v1/ws"
    ws = await wsclient.connect(url, {"Authorization": f"Bearer {token}"},
                                subprotocols=["rustydb.json.v1"])
    await ws.recv()
    with open(file, "w", encoding="utf-8") as out:
        out.write("open\n")
    try:
        while True:
            await ws.recv()
    except wsclient.ConnectionClosed:
        pass
    with open(file + ".end", "w", encoding="utf-8") as out:
        json.dump({"closed": time.time(), "code": ws.close_code}, out)


asyncio.run(main(*sys.argv[1:]))
