#!/usr/bin/env python3
"""Who may do what: every operation, method of JSON-RPC, message and topic x every role of a fixture.

    matrix.py        the daemon is found by PORT and TOKEN; its data folder must be a fresh one

What is expected is said here, and by the security requirements of the document that is served; what
is found is what the daemon answers. A cell is one of

    401   credentials are wanted, or those that came are not good
    403   PERMISSION_DENIED; for what is hidden from those without rights, 404 counts as well
    ok    anything else: that a request made no sense does not matter here, it was let through

Every operation of the document, every method of rpc.discover and every topic must be in the table:
one that is not fails the test.
"""

import asyncio
import http.client
import itertools
import json
import os
import pathlib
import re
import sys
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE / ".." / "bats" / "lib"))

import wsclient  # noqa: E402

PORT = int(os.environ["PORT"])
ROOT = os.environ["TOKEN"]
METHODS = ("get", "put", "post", "delete", "patch")
SCOPES = re.findall(r"^SCOPE\((\w+),", (HERE / "../../libcore/auth/scopes.def").read_text(), re.M)
STREAMS = ["metrics", "replication", "queries", "system"]

# ---- the fixture: who ------------------------------------------------------------------------------


class Role:
    """name, and what it may: the table that outcomes are derived from."""

    def __init__(self, name, document=None, everything=False, known=True):
        self.name = name
        self.document = document
        self.everything = everything
        self.known = known  # its credentials are good
        self.token = None
        document = document or {}
        self.scopes = set(document.get("scopes", []))
        self.streams = set(document.get("streams", []))
        self.channels = document.get("channels", [])
        self.ops = {}
        self.policies = any("where" in g for g in document.get("tables", []))
        for grant in document.get("tables", []):
            self.ops.setdefault(grant["table"], set()).update(grant["operations"])

    def on(self, table, *operations):
        have = self.ops.get(table, set()) | self.ops.get("*", set())
        return self.everything or set(operations) <= have

    def any_on(self, table):
        return self.everything or bool(self.ops.get(table, set()) | self.ops.get("*", set()))

    def scope(self, name):
        return self.everything or name in self.scopes

    def stream(self, name):
        return self.everything or name in self.streams

    def channel(self, name, operation):
        return self.everything or any(
            operation in c["operations"]
            and re.fullmatch(re.escape(c["channel"]).replace(r"\*", ".*"), name)
            for c in self.channels)


ALL = ["select", "insert", "update", "delete"]


def fixture():
    roles = [
        Role("stranger", known=False),
        Role("nothing", {}),
        Role("reader", {"tables": [{"table": "notes", "operations": ["select"]}]}),
        Role("everywhere", {"tables": [{"table": "*", "operations": ["select"]}]}),
        Role("inserter", {"tables": [{"table": "notes", "operations": ["insert"]}]}),
        Role("writer", {"tables": [{"table": "notes", "operations": ALL,
                                    "where": "owner = current_user()"}]}),
        Role("sql+reader", {"scopes": ["sql"],
                            "tables": [{"table": "notes", "operations": ["select"]}]}),
        Role("channels", {"channels": [{"channel": "news.*",
                                        "operations": ["subscribe", "publish"]}]}),
        Role("listener", {"channels": [{"channel": "news.*", "operations": ["subscribe"]}]}),
    ]
    roles += [Role(f"scope:{s}", {"scopes": [s]}) for s in SCOPES]
    roles += [Role(f"stream:{s}", {"streams": [s]}) for s in STREAMS]
    roles += [Role("admin", everything=True), Role("root", everything=True),
              Role("expired key", everything=True, known=False),
              Role("disabled user", everything=True, known=False)]
    return roles


# ---- talking ---------------------------------------------------------------------------------------


class Wrong(Exception):
    pass


connection = None


def ask(method, path, token, body=None, headers=None, query=None):
    """(status, parsed body or text)"""
    global connection
    send = dict(headers or {})
    if token:
        send["Authorization"] = f"Bearer {token}"
    if body is not None and "Content-Type" not in send:
        send["Content-Type"] = "application/json"
        body = json.dumps(body)
    target = path + ("?" + urllib.parse.urlencode(query) if query else "")
    for attempt in (1, 2):
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
        try:
            connection.request(method, target, body=body, headers=send)
            answer = connection.getresponse()
            data = answer.read()
            break
        except (OSError, http.client.HTTPException):
            connection.close()
            connection = None
            if attempt == 2:
                raise
    try:
        return answer.status, json.loads(data)
    except ValueError:
        return answer.status, data.decode("utf-8", "replace")


def must(status, answer, what):
    if status >= 300:
        raise Wrong(f"{what}: {status} {answer}")
    return answer


def root(method, path, body=None):
    return must(*ask(method, "/api/v1" + path, ROOT, body), f"{method} {path}")


def make_key(**document):
    return root("POST", "/admin/api-keys", document)["key"]


def wait_for(what, test):
    for _ in range(600):
        if test():
            return
        time.sleep(0.05)
    raise Wrong(f"waited in vain: {what}")


def refused(token):
    return ask("GET", "/api/v1/auth/identity", token)[0] == 401


def make(roles):
    for sql in ("CREATE TABLE notes(id INTEGER PRIMARY KEY, owner TEXT, body TEXT)",
                "CREATE INDEX notes_owner ON notes(owner)",
                "CREATE TABLE secrets(id INTEGER PRIMARY KEY, body TEXT)",
                "CREATE VIEW notes_view AS SELECT body FROM notes",
                "INSERT INTO notes VALUES (1, 'root', 'one')"):
        root("POST", "/query", {"sql": sql})
    root("POST", "/queries", {"name": "stored", "sql": "SELECT count(*) FROM notes"})
    for r in roles:
        if r.document is not None:
            name = re.sub(r"\W", "-", r.name)
            root("PUT", f"/admin/roles/{name}", r.document)
            r.token = make_key(roles=[name])
    by_name = {r.name: r for r in roles}
    by_name["root"].token = ROOT
    by_name["admin"].token = make_key(roles=["admin"])
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    by_name["expired key"].token = make_key(roles=["admin"], expires_at=soon)
    root("POST", "/admin/users", {"name": "gone", "password": "a long password 1", "roles": ["admin"]})
    by_name["disabled user"].token = make_key(user="gone")
    root("PATCH", "/admin/users/gone", {"disabled": True})
    for name in ("expired key", "disabled user"):
        wait_for(f"the credentials of the {name} are refused", lambda: refused(by_name[name].token))


# ---- the table of rights ---------------------------------------------------------------------------
# Of operations that take a scope the document says which; these take none. Each is a function of the
# role. HIDDEN: for others it is not there.


def anybody(_):
    return True


RIGHTS = {
    "getIdentity": anybody,
    "checkToken": anybody,
    "listTables": anybody,  # those that he may see
    "listViews": anybody,
    "getTable": lambda r: r.any_on("notes"),
    "listIndexes": lambda r: r.any_on("notes"),
    "getIndex": lambda r: r.any_on("notes"),
    "getView": lambda r: r.any_on("notes_view"),
    # These write as SQL does, and so not to a table with policies.
    "importTable": lambda r: r.on("notes", "insert") and not r.policies,
    "truncateTable": lambda r: r.on("notes", "delete") and not r.policies,
    "exportTable": lambda r: r.on("notes", "select"),
    "getStoredQueryResult": lambda r: r.on("notes", "select"),
    "callStoredQuery": lambda r: r.on("notes", "select"),
    "listRows": lambda r: r.on("notes", "select"),
    "insertRows": lambda r: r.on("notes", "insert"),
    "updateRows": lambda r: r.on("notes", "update"),
    "deleteRows": lambda r: r.on("notes", "delete"),
    "getRow": lambda r: r.on("notes", "select"),
    "putRow": lambda r: r.on("notes", "select", "update"),
    "patchRow": lambda r: r.on("notes", "select", "update"),
    "deleteRow": lambda r: r.on("notes", "select", "delete"),
    "cancelQuery": anybody,  # his own
    "listJobs": anybody,  # his own
    "getJob": anybody,
    "cancelJob": anybody,
    "callRpc": anybody,  # its methods: METHODS_OF_RPC
    "connectWebSocket": anybody,  # MESSAGES and TOPICS
    "connectEventStream": anybody,
    "connectMetricsStream": anybody,
    "connectQueryStream": anybody,
    "connectReplicationStream": anybody,
}
# What concerns nobody but whoever asks.
for own in ("logout", "validateCredentials", "changePassword"):
    RIGHTS[own] = anybody

HIDDEN = {"getTable", "listIndexes", "getIndex", "getView", "truncateTable", "exportTable"}

# What must be asked with sense, since no scope refuses it before the request is looked at:
# path parameters, query, body, and headers.
ROW = {"owner": "root", "body": "x"}
REQUESTS = {
    "getTable": ({"name": "notes"},),
    "listIndexes": ({"name": "notes"},),
    "getIndex": ({"name": "notes", "index": "notes_owner"},),
    "getView": ({"name": "notes_view"},),
    "importTable": ({"table": "notes"}, None, '{"body":"x"}\n',
                    {"Content-Type": "application/x-ndjson"}),
    "truncateTable": ({"name": "notes"}, None, {}),
    "exportTable": ({"name": "notes"},),
    "getStoredQueryResult": ({"name": "stored"},),
    "callStoredQuery": ({"name": "stored"}, None, {}),
    "listRows": ({"name": "notes"},),
    "insertRows": ({"name": "notes"}, None, {"rows": []}),
    "updateRows": ({"name": "notes"}, {"id": "eq.-1"}, {"body": "x"}),
    "deleteRows": ({"name": "notes"}, {"id": "eq.-1"}),
    "getRow": ({"name": "notes", "key": "-1"},),
    "putRow": ({"name": "notes", "key": "-1"}, None, {"nonsense": 1}),
    "patchRow": ({"name": "notes", "key": "-1"}, None, {"body": "x"}),
    "deleteRow": ({"name": "notes", "key": "-1"},),
}


def requirement(operation, document):
    """None: open to strangers; else the scopes of the requirement."""
    security = operation.get("security", document.get("security"))
    if not security:
        return None
    return list(next(iter(security[0].values())))


def outcome(role, required, rule):
    if required is None:
        return "ok"
    if not role.known:
        return "401"
    if required:
        return "ok" if all(role.scope(s) for s in required) else "403"
    return "ok" if rule(role) else "403"


def found(status, hidden=False):
    if status == 401:
        return "401"
    return "403" if status == 403 or (hidden and status == 404) else "ok"


def operations(document, roles, cells):
    for path, item in document["paths"].items():
        for method in METHODS:
            if method not in item or path.startswith("/api/v1/queries/stored"):
                continue
            operation = item[method]
            name = operation["operationId"]
            required = requirement(operation, document)
            rule = RIGHTS.get(name)
            if required == [] and rule is None:
                raise Wrong(f"{name} takes no scope, and matrix.py does not say who may use it")
            for role in roles:
                expect = outcome(role, required, rule)
                cells.append((name, role.name, expect,
                              probe(name, method.upper(), path, role, required)))


def probe(name, method, path, role, required):
    parameters, query, body, headers = (*REQUESTS.get(name, ({},)), None, None, None)[:4]
    if name not in REQUESTS:
        query = {"nonsense": "1"}  # what is let through is refused for it, before it does anything
    target = re.sub(r"\{(\w+)\}", lambda m: str(parameters.get(m[1], "nosuch")), path)
    status, answer = ask(method, target, role.token, body, headers, query)
    if name not in REQUESTS and status < 300 and required is not None:
        raise Wrong(f"{name}: a query parameter that makes no sense was answered with {status}")
    if status >= 500:
        raise Wrong(f"{name} as {role.name}: {status} {answer}")
    return found(status, name in HIDDEN)


# ---- JSON-RPC --------------------------------------------------------------------------------------

SELECT = "SELECT count(*) FROM notes"
METHODS_OF_RPC = {  # who, and params that make sense
    "query": (lambda r: r.scope("sql") and r.on("notes", "select"), {"sql": SELECT}),
    "execute": (lambda r: r.scope("sql") and r.on("notes", "select"), {"sql": SELECT}),
    "begin_transaction": (lambda r: r.scope("sql"), {"nonsense": 1}),
    "commit": (lambda r: r.scope("sql"), {"transaction": "nosuch"}),
    "rollback": (lambda r: r.scope("sql"), {"transaction": "nosuch"}),
    "savepoint": (lambda r: r.scope("sql"), {"transaction": "nosuch", "name": "a"}),
    "broadcast": (lambda r: r.scope("broadcast"), {"message": 1}),
    "status": (lambda r: r.scope("monitor"), {}),
    "ping": (anybody, {}),
    "rpc.discover": (anybody, {}),
}


def rpc(roles, cells):
    status, document = ask("POST", "/api/v1/rpc", ROOT,
                           {"jsonrpc": "2.0", "id": 1, "method": "rpc.discover"})
    must(status, document, "rpc.discover")
    for method in document["result"]["methods"]:
        if method["name"] not in METHODS_OF_RPC:
            raise Wrong(f"the method {method['name']} is not in matrix.py")
    for method, (rule, params) in METHODS_OF_RPC.items():
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        for role in roles:
            status, answer = ask("POST", "/api/v1/rpc", role.token, call)
            data = answer.get("error", {}).get("data", {}) if status == 200 else {}
            got = "403" if data.get("code") == "PERMISSION_DENIED" else found(status)
            cells.append((f"rpc {method}", role.name, outcome(role, [], rule), got))


# ---- WebSocket: messages and topics ----------------------------------------------------------------

MESSAGES = {
    "ping": (anybody, {}),
    "query": METHODS_OF_RPC["query"],
    "execute": METHODS_OF_RPC["execute"],
    "begin": METHODS_OF_RPC["begin_transaction"],
    "commit": METHODS_OF_RPC["commit"],
    "rollback": METHODS_OF_RPC["rollback"],
    "savepoint": METHODS_OF_RPC["savepoint"],
    "status": METHODS_OF_RPC["status"],
    "cancel": (anybody, {"id": "nosuch"}),
    "unsubscribe": (anybody, {"subscription_id": "nosuch"}),
    "ack": (anybody, {"lsn": 1}),
    "publish": (lambda r: r.channel("news.a", "publish"), {"channel": "news.a", "message": 1}),
    "publish elsewhere": (lambda r: r.channel("other", "publish"),
                          {"channel": "other", "message": 1}),
    "text": (lambda r: r.scope("connections"), {"hello": 1}),
    "binary": (lambda r: r.scope("connections"), {"$base64": ""}),
}
TOPICS = {
    "table:notes": (lambda r: r.on("notes", "select"), {"topic": "table:notes"}),
    "table:secrets": (lambda r: r.on("secrets", "select"), {"topic": "table:secrets"}),
    "tables": (lambda r: r.on("notes", "select") and r.on("secrets", "select"),
               {"tables": ["notes", "secrets"]}),
    "table:*": (anybody, {"topic": "tables:*"}),  # of those that he may read
    "channel:news.a": (lambda r: r.channel("news.a", "subscribe"), {"topic": "channel:news.a"}),
    "channel:other": (lambda r: r.channel("other", "subscribe"), {"topic": "channel:other"}),
    "metrics": (lambda r: r.stream("metrics"), {"topic": "metrics"}),
    "replication": (lambda r: r.stream("replication"), {"topic": "replication"}),
    "queries": (lambda r: r.stream("queries"), {"topic": "queries"}),
    "system": (lambda r: r.stream("system"), {"topic": "system"}),
    "live query": (lambda r: r.scope("sql") and r.on("notes", "select"), {"query": SELECT}),
}


NUMBERS = itertools.count(1)


async def say(ws, kind, payload):
    """The first answer to it; what else comes belongs to earlier ones."""
    me = f"probe-{next(NUMBERS)}"
    message = {"id": me, "type": kind, "payload": payload}
    if kind in ("text", "binary"):
        message["to"] = "c999999"
    await ws.send(json.dumps(message))
    while True:
        answer = json.loads(await asyncio.wait_for(ws.recv(), 30))
        if answer.get("id") == me:
            return answer


def found_in(answer):
    """A table that one may not read is as good as not there."""
    code = answer["payload"].get("code") if answer["type"] == "error" else None
    return {"PERMISSION_DENIED": "403", "TABLE_NOT_FOUND": "403",
            "AUTH_REQUIRED": "401"}.get(code, "ok")


async def websocket_of(role, cells):
    url = f"ws://127.0.0.1:{PORT}/api/v1/ws"
    headers = {"Authorization": f"Bearer {role.token}"} if role.token else {}
    try:
        ws = await wsclient.connect(url, headers, max_size=None)
    except wsclient.InvalidHandshake as e:
        status = wsclient.refused_with(e)
        cells.append(("websocket", role.name, "ok" if role.known else "401", found(status)))
        return
    await ws.recv()  # welcome
    for name, (rule, payload) in MESSAGES.items():
        kind = name.split()[0]
        cells.append((f"message {name}", role.name, outcome(role, [], rule),
                      found_in(await say(ws, kind, payload))))
    for name, (rule, payload) in TOPICS.items():
        cells.append((f"topic {name}", role.name, outcome(role, [], rule),
                      found_in(await say(ws, "subscribe", payload))))
    await ws.close()


def websockets(roles, cells):
    for role in roles:
        asyncio.run(websocket_of(role, cells))


# ---- the result ------------------------------------------------------------------------------------


def show(cells):
    """What differs, one line each, and the table of the rows it is in."""
    bad = [c for c in cells if c[2] != c[3]]
    for what, who, expect, got in bad:
        print(f"{what} as {who}: expected {expect}, found {got}")
    rows = {c[0] for c in bad}
    names = list(dict.fromkeys(c[1] for c in cells))
    for what in sorted(rows):
        print(f"\n{what}")
        for name in names:
            for _, _, expect, got in [c for c in cells if c[:2] == (what, name)]:
                mark = "" if expect == got else f"   <-- found {got}"
                print(f"    {name:24} {expect}{mark}")
    return len(bad)


def main():
    roles, cells = fixture(), []
    make(roles)
    status, document = ask("GET", "/api-docs/openapi.json", ROOT)
    must(status, document, "the document")
    operations(document, roles, cells)
    rpc(roles, cells)
    websockets(roles, cells)
    bad = show(cells)
    print(f"{len(cells)} cells, {bad} of them wrong")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    try:
        main()
    except Wrong as e:
        print(e)
        sys.exit(1)
