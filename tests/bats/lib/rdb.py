"""What the cases share: REST over one connection, WebSocket sessions, waiting, and a runner.

The address, token and process of the daemon come from the environment that helper.bash exports.
Every wait has a limit; nothing here sleeps and hopes.
"""

import asyncio
import http.client
import inspect
import itertools
import json
import os
import sys
import time
import traceback

import wsclient

SLOW = int(os.environ.get("SLOW", "1"))
SANITIZED = bool(os.environ.get("SANITIZED"))
LIMIT = 30 * SLOW  # seconds that anything may take before it counts as stuck


def port():
    return int(os.environ["PORT"])


def token():
    return os.environ["TOKEN"]


def daemon_pid():
    return int(os.environ["DAEMON_PID"])


# ---- REST -----------------------------------------------------------------------------------------


class Refused(Exception):
    """An answer that is not 2xx: its status and problem document."""

    def __init__(self, status, problem):
        super().__init__(f"{status} {problem}")
        self.status = status
        self.problem = problem
        self.code = problem.get("code") if isinstance(problem, dict) else None


class Rest:
    """One kept-alive connection. Not for several threads at once."""

    def __init__(self, at_port=None, with_token=None, timeout=LIMIT):
        self.port = at_port or port()
        self.token = token() if with_token is None else with_token
        self.timeout = timeout
        self.http = None

    def close(self):
        if self.http:
            self.http.close()
            self.http = None

    def raw(self, method, path, body=None, headers=None):
        """Returns (status, headers, bytes). A broken connection raises and is forgotten."""
        if self.http is None:
            self.http = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        send = {"Authorization": f"Bearer {self.token}"}
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            send["Content-Type"] = "application/json"
        if isinstance(body, str):
            body = body.encode()
        send.update(headers or {})
        try:
            self.http.request(method, "/api/v1" + path, body=body, headers=send)
            answer = self.http.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def call(self, method, path, body=None, headers=None):
        status, _, data = self.raw(method, path, body, headers)
        answer = json.loads(data) if data else None
        if not 200 <= status < 300:
            raise Refused(status, answer)
        return answer

    def query(self, sql, params=None, **more):
        body = {"sql": sql, **more}
        if params is not None:
            body["params"] = params
        return self.call("POST", "/query", body)

    def rows(self, sql, params=None):
        return self.query(sql, params)["rows"]

    def value(self, sql, params=None):
        return self.rows(sql, params)[0][0]

    def run(self, *statements):
        for sql in statements:
            self.query(sql)


def sql(*statements):
    """Runs statements one after the other on a connection of their own; rows of the last one."""
    rest = Rest()
    try:
        for s in statements:
            rows = rest.rows(s)
        return rows
    finally:
        rest.close()


def alive():
    """The daemon answers."""
    assert sql("SELECT 1") == [[1]]


def head():
    """The lsn of the newest event."""
    rest = Rest()
    try:
        return rest.query("SELECT 1")["lsn"]
    finally:
        rest.close()


# ---- waiting --------------------------------------------------------------------------------------


def eventually(what, limit=LIMIT, say=""):
    """Calls `what` until it returns something true, and returns that."""
    end = time.monotonic() + limit
    while True:
        got = what()
        if got:
            return got
        assert time.monotonic() < end, f"waited {limit} s in vain for {say or what}"
        time.sleep(0.02)


async def eventually_async(what, limit=LIMIT, say=""):
    end = time.monotonic() + limit
    while True:
        got = what()
        if inspect.isawaitable(got):
            got = await got
        if got:
            return got
        assert time.monotonic() < end, f"waited {limit} s in vain for {say or what}"
        await asyncio.sleep(0.02)


def status_kb(name, pid=None):
    """A figure of /proc/PID/status in kB: VmRSS, VmHWM."""
    with open(f"/proc/{pid or daemon_pid()}/status") as f:
        for line in f:
            if line.startswith(name + ":"):
                return int(line.split()[1])
    raise AssertionError(f"no {name}")


def cpu_ticks(pid=None):
    with open(f"/proc/{pid or daemon_pid()}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def settles(limit=LIMIT):
    """The daemon has come to rest: in some half second it used less than a fifth of it."""
    hz = os.sysconf("SC_CLK_TCK")
    end = time.monotonic() + limit
    while True:
        before, started = cpu_ticks(), time.monotonic()
        time.sleep(0.5)
        used = (cpu_ticks() - before) / hz / (time.monotonic() - started)
        if used < 0.2:
            return
        assert time.monotonic() < end, f"the daemon keeps using {used:.0%} of a processor"


def open_sockets(pid=None):
    """How many sockets the daemon has: its listener and the connections."""
    folder, count = f"/proc/{pid or daemon_pid()}/fd", 0
    for fd in os.listdir(folder):
        try:
            count += os.readlink(f"{folder}/{fd}").startswith("socket:")
        except FileNotFoundError:  # closed meanwhile
            pass
    return count


# ---- WebSocket ------------------------------------------------------------------------------------


class Closed(Exception):
    """The daemon closed the session."""

    def __init__(self, code, reason):
        super().__init__(f"closed with {code} {reason}")
        self.code = code
        self.reason = reason


class Session:
    """A WebSocket session in rustydb.json.v1, by the library of Debian's python3-websockets."""

    def __init__(self, ws):
        self.ws = ws
        self.ids = itertools.count(1)
        self.kept = []  # messages that a request set aside: events among its answers
        self.welcome = None
        self.system = []  # every system message seen

    async def _next(self, timeout):
        try:
            text = await asyncio.wait_for(self.ws.recv(), timeout)
        except wsclient.ConnectionClosed as e:
            code = e.rcvd.code if e.rcvd else None
            raise Closed(code, e.rcvd.reason if e.rcvd else "") from None
        assert isinstance(text, str), f"a binary message came: {text[:80]}"
        message = json.loads(text)
        assert isinstance(message, dict) and isinstance(message.get("type"), str), message
        if message["type"] == "system":
            self.system.append(message.get("payload", message))
        return message

    async def recv(self, timeout=LIMIT):
        """The next message, in the order of arrival."""
        if self.kept:
            return self.kept.pop(0)
        return await self._next(timeout)

    async def send(self, type_, payload=None, id_=None, **more):
        message = {"type": type_, **more}
        if payload is not None:
            message["payload"] = payload
        if id_ is not None:
            message["id"] = id_
        try:
            await self.ws.send(json.dumps(message))
        except wsclient.ConnectionClosed as e:
            raise Closed(e.rcvd.code if e.rcvd else None, e.rcvd.reason if e.rcvd else "") from None

    async def answers(self, id_, timeout=LIMIT):
        """Yields messages with this id; others are kept for recv."""
        held = self.kept
        self.kept = []
        for m in held:
            if m.get("id") == id_:
                yield m
            else:
                self.kept.append(m)
        while True:
            m = await self._next(timeout)
            if m.get("id") == id_:
                yield m
            else:
                self.kept.append(m)

    async def request(self, type_, payload=None, timeout=LIMIT):
        """Sends, and returns the first answer to it."""
        id_ = f"r{next(self.ids)}"
        await self.send(type_, payload, id_)
        async for m in self.answers(id_, timeout):
            return m

    async def ok(self, type_, payload, expected):
        m = await self.request(type_, payload)
        assert m["type"] == expected, m
        return m["payload"]

    async def refused(self, type_, payload, code):
        m = await self.request(type_, payload)
        assert m["type"] in ("error", "auth_error"), m
        assert m["payload"]["code"] == code, m
        assert m["payload"]["message"], m
        return m["payload"]

    async def query(self, sql, params=None, timeout=LIMIT, type_="query", **more):
        """Runs a statement to its end; returns (columns, rows, end). An error raises Refused."""
        payload = {"sql": sql, **more}
        if params is not None:
            payload["params"] = params
        id_ = f"r{next(self.ids)}"
        await self.send(type_, payload, id_)
        columns, rows = None, []
        async for m in self.answers(id_, timeout):
            p = m["payload"]
            if m["type"] == "error":
                raise Refused(0, p)
            assert m["type"] == "query_result", m
            if p["part"] == "columns":
                assert columns is None, "columns came twice"
                columns = p["columns"]
            elif p["part"] == "rows":
                rows.extend(p["rows"])
            elif p["part"] == "end":
                return columns, rows, p

    async def subscribe(self, topic, **more):
        return await self.ok("subscribe", {"topic": topic, **more}, "subscribed")

    async def event(self, timeout=LIMIT):
        """The payload of the next event; anything else but system messages is a failure."""
        while True:
            m = await self.recv(timeout)
            if m["type"] == "event":
                assert "id" not in m, m
                return m["payload"]
            assert m["type"] == "system", m

    async def events(self, count, timeout=LIMIT):
        return [await self.event(timeout) for _ in range(count)]

    async def one_event(self, *statements):
        """Runs statements over REST and returns the one event that they make here."""
        sql(*statements)
        e = await self.event()
        await self.quiet()
        return e

    async def quiet(self):
        """Nothing more comes: whatever was on its way arrives before the answer to a ping."""
        mark = f"mark{next(self.ids)}"
        await self.send("ping", {"mark": mark}, mark)
        while True:
            m = await self.recv()
            if m.get("id") == mark:
                return
            assert m["type"] == "system", f"unexpected: {m}"

    async def until_closed(self, timeout=LIMIT):
        """Reads to the end; returns (code, reason)."""
        end = time.monotonic() + timeout
        try:
            while True:
                self.kept.append(await self._next(end - time.monotonic()))
        except Closed as e:
            return e.code, e.reason

    async def close(self):
        """The closing handshake, which the daemon is to answer."""
        await self.ws.close()
        assert self.ws.close_code != 1006, "the close was not answered"


OPEN = []  # every connection made, for the end of the case


async def open_socket(auth=True, path="/api/v1/ws", at_port=None, with_token=None, **options):
    """A WebSocket of the library, kept for the end of the case."""
    headers = dict(options.pop("headers", {}))
    if auth:
        headers["Authorization"] = f"Bearer {with_token or token()}"
    options.setdefault("compression", None)
    options.setdefault("max_size", None)
    options.setdefault("ping_interval", None)
    options.setdefault("open_timeout", LIMIT)
    options.setdefault("close_timeout", 5 * SLOW)
    options.setdefault("max_queue", None)
    options.setdefault("subprotocols", ["rustydb.json.v1"])
    ws = await wsclient.connect(f"ws://127.0.0.1:{at_port or port()}{path}", headers, **options)
    OPEN.append(ws)
    return ws


async def connect(**options):
    """Opens a session and reads its welcome."""
    session = Session(await open_socket(**options))
    session.welcome = await session.recv()
    assert session.welcome["type"] == "welcome", session.welcome
    return session


def in_thread(function, *arguments):
    """Awaits a blocking function without stopping the session."""
    return asyncio.get_running_loop().run_in_executor(None, function, *arguments)


# ---- the runner -----------------------------------------------------------------------------------


def main(cases):
    """Runs the case named on the command line with the arguments after it."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    case = cases.get(name)
    if not inspect.isfunction(case) or name.startswith("_"):
        sys.exit(f"{sys.argv[0]}: no case {name!r}")
    try:
        result = case(*sys.argv[2:])
        if inspect.isawaitable(result):
            asyncio.run(_limited(result))
    except Exception:  # whatever it is, it is shown and the test fails
        traceback.print_exc(limit=8)
        sys.exit(1)


async def _limited(awaitable):
    try:
        await asyncio.wait_for(awaitable, 3 * LIMIT)
    finally:
        for ws in OPEN:  # those that the case has left open
            wsclient.abort(ws)
