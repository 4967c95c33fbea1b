"""A session in rustydb.bin.v1, with the decoder of bincode.py and binmsg.py."""

import asyncio
import itertools

import wsclient

import binmsg
from rdb import LIMIT, OPEN, SLOW, Closed, Refused, port, token


def value(v):
    """What a Value means, as Python has it."""
    if v == "Null":
        return None
    ((kind, x),) = v.items()
    if kind == "Decimal":
        return x[0] / 10 ** x[1]
    return bytes.fromhex(x) if kind == "Blob" else x


def param(x):
    if x is None:
        return "Null"
    if isinstance(x, bytes):
        return {"Blob": x.hex()}
    return {{int: "Integer", float: "Real", str: "Text"}[type(x)]: x}


def params(given):
    if given is None:
        return "None"
    if isinstance(given, dict):
        return {"Named": [[k, param(v)] for k, v in given.items()]}
    return {"Positional": [param(v) for v in given]}


def statement(sql, given=None, transaction=None, timeout_ms=None, max_rows=None):
    return {
        "sql": sql,
        "params": params(given),
        "transaction": transaction,
        "timeout_ms": timeout_ms,
        "max_rows": max_rows,
    }


def topic(name, **more):
    payload = {"topic": name, "ops": [], "columns": []}
    payload.update(where=None, since=None, log_id=None, policy=None, initial=False)
    payload.update(more)
    return {"Topic": payload}


class BinSession:
    def __init__(self, ws):
        self.ws = ws
        self.ids = itertools.count(1)
        self.kept = []  # what came among answers
        self.welcome = None
        self.last = b""  # the newest message as it came
        self.bytes_in = 0
        self.messages_in = 0

    async def _next(self, timeout=LIMIT):
        try:
            data = await asyncio.wait_for(self.ws.recv(), timeout)
        except wsclient.ConnectionClosed as e:
            raise Closed(e.rcvd and e.rcvd.code, e.rcvd and e.rcvd.reason) from None
        assert isinstance(data, bytes), f"a text message came: {data[:80]}"
        self.last = data
        self.bytes_in += len(data)
        self.messages_in += 1
        return binmsg.decode(data)

    async def recv(self, timeout=LIMIT):
        return self.kept.pop(0) if self.kept else await self._next(timeout)

    async def send(self, type_, payload, id_=""):
        m = {"version": 1, "msg_type": type_, "id": id_, "payload": payload}
        await self.ws.send(binmsg.encode(m))

    async def answers(self, id_, timeout=LIMIT):
        """Messages with this id; others are kept for recv."""
        while True:
            m = await self._next(timeout)
            if m["id"] == id_:
                yield m
            else:
                self.kept.append(m)

    async def ask(self, type_, payload, timeout=LIMIT):
        """The first answer, as (type, payload)."""
        id_ = f"r{next(self.ids)}"
        await self.send(type_, payload, id_)
        async for m in self.answers(id_, timeout):
            return m["msg_type"], m["payload"]

    async def done(self, type_, payload, form):
        """The fields of an ExecuteResult of this form; an Error raises Refused."""
        kind, got = await self.ask(type_, payload)
        if kind == "Error":
            raise Refused(0, got)
        assert kind == "ExecuteResult" and list(got) == [form], (kind, got)
        return got[form]

    async def refused(self, type_, payload, code):
        kind, got = await self.ask(type_, payload)
        assert kind == "Error" and got["code"] == code and got["message"], (kind, got)
        return got

    async def query(self, sql, given=None, **more):
        """(column names, rows, end) of a statement; an Error raises Refused."""
        id_ = f"r{next(self.ids)}"
        await self.send("Query", statement(sql, given, **more), id_)
        columns, values = None, []
        async for m in self.answers(id_):
            p = m["payload"]
            if m["msg_type"] == "Error":
                raise Refused(0, p)
            assert m["msg_type"] == "QueryResult", m
            if "Columns" in p:
                assert columns is None, "columns came twice"
                columns = [c["name"] for c in p["Columns"]["columns"]]
            elif "Rows" in p:
                assert len(p["Rows"]["values"]) % len(columns) == 0, "half a row"
                values += [value(v) for v in p["Rows"]["values"]]
            else:
                n = len(columns) or 1
                rows = [values[i : i + n] for i in range(0, len(values), n)]
                assert p["End"]["rows"] == len(rows)
                return columns, rows, p["End"]

    async def execute(self, sql, given=None, **more):
        return await self.done("Execute", {"Statement": statement(sql, given, **more)}, "Statement")

    async def subscribe(self, name, **more):
        return await self.done("Subscribe", topic(name, **more), "Subscribed")

    async def event(self, form, timeout=LIMIT):
        """The fields of the next message, which is an Event of this form."""
        m = await self.recv(timeout)
        assert m["msg_type"] == "Event" and m["id"] == "", m
        assert list(m["payload"]) == [form], m
        return m["payload"][form]

    async def quiet(self):
        """Nothing more comes: whatever was on its way arrives before the next answer."""
        await self.query("SELECT 1")
        assert not self.kept, self.kept


def row(change, which="row"):
    """A change's row as a dict."""
    values = change[which]
    return values and dict(zip(change["columns"], map(value, values)))


async def connect(auth=True, with_token=None, **options):
    headers = {"Authorization": f"Bearer {with_token or token()}"} if auth else {}
    options.setdefault("compression", None)
    options.setdefault("max_size", None)
    options.setdefault("ping_interval", None)
    options.setdefault("open_timeout", LIMIT)
    options.setdefault("close_timeout", 5 * SLOW)
    options.setdefault("max_queue", None)
    ws = await wsclient.connect(
        f"ws://127.0.0.1:{port()}/api/v1/ws",
        headers,
        subprotocols=["rustydb.bin.v1"],
        **options,
    )
    assert ws.subprotocol == "rustydb.bin.v1"
    session = BinSession(ws)
    OPEN.append(ws)
    session.welcome = await session.event("Welcome")
    return session
