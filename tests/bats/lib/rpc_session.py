"""A session in the subprotocol jsonrpc."""

import asyncio
import itertools
import json

import wsclient

from rdb import LIMIT, OPEN, Closed, port, token


class Failed(Exception):
    def __init__(self, error):
        super().__init__(str(error))
        self.code = error["code"]
        self.data = error["data"]
        self.message = error["message"]


class Rpc:
    """A session in jsonrpc. Notifications that come among answers are kept."""

    def __init__(self, ws):
        self.ws = ws
        self.ids = itertools.count(1)
        self.kept = []
        self.answers = {}

    async def recv(self, timeout=LIMIT):
        try:
            text = await asyncio.wait_for(self.ws.recv(), timeout)
        except wsclient.ConnectionClosed as e:
            raise Closed(e.rcvd.code if e.rcvd else None, e.rcvd.reason if e.rcvd else "") from None
        assert isinstance(text, str), text
        return json.loads(text)

    async def send(self, message):
        await self.ws.send(message if isinstance(message, str) else json.dumps(message))

    async def ask(self, message):
        """Sends a message and returns the next thing that is no notification."""
        await self.send(message)
        while True:
            m = await self.recv()
            if isinstance(m, dict) and "method" in m:
                self.kept.append(m)
            else:
                return m

    async def start(self, method, params=None):
        id_ = next(self.ids)
        m = {"jsonrpc": "2.0", "id": id_, "method": method}
        if params is not None:
            m["params"] = params
        await self.send(m)
        return id_

    async def answer(self, id_):
        while id_ not in self.answers:
            m = await self.recv()
            if "method" in m:
                self.kept.append(m)
            else:
                self.answers[m["id"]] = m
        m = self.answers.pop(id_)
        check_answer(m)
        if "error" in m:
            raise Failed(m["error"])
        return m["result"]

    async def call(self, method, params=None):
        return await self.answer(await self.start(method, params))

    async def refused(self, code, name, method, params=None):
        try:
            result = await self.call(method, params)
        except Failed as e:
            assert (e.code, e.data["code"]) == (code, name), e
            return e
        raise AssertionError(f"{method} {params} answered {result}")

    async def notification(self, method="event"):
        while True:
            m = self.kept.pop(0) if self.kept else await self.recv()
            assert set(m) == {"jsonrpc", "method", "params"} and m["jsonrpc"] == "2.0", m
            if m["method"] == method:
                return m["params"]
            assert m["method"] == "system", m

    async def close(self):
        await self.ws.close()
        assert self.ws.close_code != 1006, "the close was not answered"


def check_answer(m):
    """An answer as the specification has it."""
    assert m["jsonrpc"] == "2.0" and "id" in m, m
    assert ("result" in m) != ("error" in m), m
    assert set(m) <= {"jsonrpc", "id", "result", "error"}, m
    if "error" in m:
        e = m["error"]
        assert set(e) == {"code", "message", "data"}, m
        assert isinstance(e["code"], int) and e["message"] and e["data"]["code"], m


async def open_rpc(auth=True, **options):
    options.setdefault("compression", None)
    ws = await wsclient.connect(
        f"ws://127.0.0.1:{port()}/api/v1/ws",
        {"Authorization": f"Bearer {token()}"} if auth else {},
        subprotocols=["jsonrpc"],
        max_size=None,
        ping_interval=None,
        open_timeout=LIMIT,
        max_queue=None,
        **options,
    )
    OPEN.append(ws)
    assert ws.subprotocol == "jsonrpc"
    return Rpc(ws)
