#!/usr/bin/env python3
"""Holds the daemon's answers against the document it serves.

    harness.py [SCENARIO...]      all of tests/contract/ when none is named

The daemon is found by PORT and TOKEN. A scenario is a module with `run(c)`, which calls operations
with c.call; each answer must have the status that was asked for, a content type that the document
lists for it, and a body that fits its schema. Then every operation that a scenario called is asked
wrong: what is derived from its description must be refused, with a problem document. When all
scenarios run, each operation and each status in the document must have been seen.
"""

import http.client
import importlib
import json
import os
import pathlib
import sys
import traceback
import urllib.parse

import jsonschema
import yaml

HERE = pathlib.Path(__file__).resolve().parent
MAX_BODY = int(os.environ.get("MAX_BODY", "65536"))  # what the daemon was started with
METHODS = ("get", "put", "post", "delete", "patch")

# What no scenario can provoke without a fault.
NOT_PROVOKED = {
    "422": "without a body there is no other request; _same_key asks the rest",
    "499": "a statement must run long; core.py does it once",
    "500": "something must break first",
    "503": "the daemon must stop or be full first",
    "504": "a time limit must pass",
    "507": "the disk must be full",
}
# The same of one operation; other tests see to these.
NOT_PROVOKED_OF = {
    ("listAuditRecords", "404"): "audit = off",
    ("exportAudit", "404"): "audit = off",
    ("verifyAudit", "404"): "audit = off",
    ("getOpenapiJson", "401"): "swagger = auth",
    ("getOpenapiJson", "404"): "swagger = off",
    ("getAsyncapiYaml", "401"): "swagger = auth",
    ("getAsyncapiYaml", "404"): "swagger = off",
    ("getOpenapiYaml", "401"): "swagger = auth",
    ("getOpenapiYaml", "404"): "swagger = off",
    ("deleteUser", "409"): "another request must change it at the same moment",
    ("putRole", "404"): "it makes what is not there",
    ("createApiKey", "409"): "there must be as many as there can be",
}


def rights():
    """The right that each operation takes, by its name: for the daemon alone, so it is not served."""
    found = {}
    for file in (HERE.parent.parent / "openapi" / "tags").glob("*.yaml"):
        for item in (yaml.safe_load(file.read_text()).get("paths") or {}).values():
            for method in METHODS:
                if "x-rustydb-right" in item.get(method, {}):
                    found[item[method]["operationId"]] = item[method]["x-rustydb-right"]
    return found


class Wrong(Exception):
    """An answer that does not fit the document."""


class Contract:
    def __init__(self, port, token):
        self.port = port
        self.token = token
        self.http = None
        self.rights = rights()
        self.seen = {}  # operationId -> statuses
        self.good = {}  # operationId -> the first request that was answered with 2xx
        self.document = self._document()
        self.operations = {}
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    operation = dict(item[method])
                    operation["parameters"] = [
                        self.resolve(p)
                        for p in item.get("parameters", []) + operation.get("parameters", [])
                    ]
                    self.operations[operation["operationId"]] = (method.upper(), path, operation)

    def _document(self):
        status, _, body = self.request("GET", "/api-docs/openapi.json")
        if status != 200:
            raise Wrong(f"the document is not served: {status}")
        return json.loads(body)

    # ---- asking -------------------------------------------------------------------------------

    def request(self, method, target, body=None, headers=None, auth=True):
        """Any request: (status, headers, bytes)."""
        send = {"Authorization": f"Bearer {self.token}"} if auth else {}
        send.update(headers or {})
        for attempt in (1, 2):
            if self.http is None:
                self.http = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            try:
                self.http.request(method, target, body=body, headers=send)
                answer = self.http.getresponse()
                return answer.status, answer.headers, answer.read()
            except (OSError, http.client.HTTPException):
                self.http.close()
                self.http = None  # a kept-alive connection may have been closed: once more
                if attempt == 2:
                    raise

    def sql(self, sql, params=None):
        """Runs a statement; its rows."""
        body = {"sql": sql}
        if params is not None:
            body["params"] = params
        status, _, answer = self.request(
            "POST", "/api/v1/query", json.dumps(body), {"Content-Type": "application/json"}
        )
        if status != 200:
            raise Wrong(f"{sql}: {status} {answer}")
        return json.loads(answer).get("rows")

    def call(self, name, status, path=None, query=None, body=None, headers=None, raw=None,
             content_type=None, auth=True):
        """Calls an operation, checks the answer against the document, and returns its body: parsed
        where it is JSON, a list where it is JSON lines, text otherwise. `raw` (bytes) goes out in
        place of `body`. The answer's headers are in self.headers."""
        if name not in self.operations:
            raise Wrong(f"there is no operation {name}")
        method, template, _ = self.operations[name]
        request = {"path": path or {}, "query": query or {}, "body": body,
                   "headers": headers or {}, "raw": raw, "content_type": content_type}
        got, answer_headers, answer = self._send(name, request, auth)
        where = f"{name} ({method} {template} {request})"
        if got != status:
            raise Wrong(f"{where}: {got} instead of {status}: {answer[:500]}")
        if got < 300:
            self.good.setdefault(name, {**request, "headers": {}} if got == 101 else request)
        if got == 101:  # it is no HTTP any more
            self.http.close()
            self.http = None
        self.headers = answer_headers
        return self.check(name, got, answer_headers, answer, where)

    def _send(self, name, request, auth=True):
        method, template, _ = self.operations[name]
        target = template
        for key, value in request["path"].items():
            target = target.replace("{" + key + "}", urllib.parse.quote(str(value), safe=""))
        if request["query"]:
            target += "?" + urllib.parse.urlencode(
                {k: ("true" if v else "false") if isinstance(v, bool) else v
                 for k, v in request["query"].items()})
        headers = dict(request["headers"])
        data = request["raw"]
        if data is None and request["body"] is not None:
            data = json.dumps(request["body"])
            headers.setdefault("Content-Type", "application/json")
        if request["content_type"]:
            headers["Content-Type"] = request["content_type"]
        return self.request(method, target, data, headers, auth)

    # ---- checking -----------------------------------------------------------------------------

    def resolve(self, value):
        while isinstance(value, dict) and "$ref" in value:
            at = self.document
            for part in value["$ref"].lstrip("#/").split("/"):
                at = at[part.replace("~1", "/").replace("~0", "~")]
            value = at
        return value

    def validate(self, value, schema, where):
        whole = {"$schema": "https://json-schema.org/draft/2020-12/schema",
                 "components": self.document["components"], "allOf": [schema]}
        problems = list(jsonschema.Draft202012Validator(whole).iter_errors(value))
        if problems:
            text = "; ".join(f"{'/'.join(map(str, p.absolute_path))}: {p.message[:300]}"
                             for p in problems[:3])
            raise Wrong(f"{where}: the answer does not fit its schema: {text}")

    def check(self, name, status, headers, answer, where):
        operation = self.operations[name][2]
        described = operation["responses"].get(str(status))
        if described is None:
            raise Wrong(f"{where}: {status} is not documented: {answer[:300]}")
        described = self.resolve(described)
        self.seen.setdefault(name, set()).add(str(status))
        content = described.get("content", {})
        if not content:
            if answer:
                raise Wrong(f"{where}: {status} has a body that the document does not know")
            return None
        media = (headers.get("Content-Type") or "").split(";")[0]
        if media not in content:
            raise Wrong(f"{where}: {status} is {media!r}, documented {list(content)}")
        text = answer.decode()
        schema = content[media].get("schema")
        for header, about in described.get("headers", {}).items():
            if self.resolve(about).get("required") and headers.get(header) is None:
                raise Wrong(f"{where}: the header {header} is missing")
        if media.endswith("ndjson"):
            lines = [json.loads(line) for line in text.splitlines()]
            if schema is not None:
                for line in lines:
                    self.validate(line, schema, where)
            return lines
        if media.endswith("json"):
            value = json.loads(text)
            if schema is not None:
                self.validate(value, schema, where)
            return value
        return text

    # ---- asking wrong -------------------------------------------------------------------------

    def refuse(self, name, status, request, why, auth=True):
        got, headers, answer = self._send(name, request, auth)
        where = f"{name}, {why}"
        if got != status:
            raise Wrong(f"{where}: {got} instead of {status}: {answer[:300]}")
        self.check(name, got, headers, answer, where)

    def ask_wrong(self, name):
        method, _, operation = self.operations[name]
        good = self.good[name]
        if operation.get("security") != []:
            self.refuse(name, 401, good, "without credentials", auth=False)
        self._wrong_query(name, operation, good)
        body = self.resolve(operation.get("requestBody") or {})
        if body:
            self._wrong_body(name, body, good)
        if "422" in operation["responses"]:
            self._same_key(name, good, bool(body))

    def ask_without_rights(self, names):
        """Somebody known who may nothing gets nothing of what takes a right."""
        root = self.token
        send = {"Content-Type": "application/json"}
        for path, body in (("roles", {"name": "contract-nobody"}),
                           ("api-keys", {"roles": ["contract-nobody"]})):
            status, _, answer = self.request(
                "POST", f"/api/v1/admin/{path}", json.dumps(body), send)
            if status != 201:
                raise Wrong(f"no {path}: {status} {answer}")
        self.token = json.loads(answer)["key"]
        try:
            for name in names:
                self.refuse(name, 403, self.good[name], "without the right")
        finally:
            self.token = root

    def _same_key(self, name, good, has_body):
        """The same idempotency key with another request: the body differs, or what it asks of."""
        keyed = {**good, "headers": {**good["headers"], "Idempotency-Key": f"contract-{name}"}}
        self._send(name, keyed)
        if good["body"] is not None:
            keyed = {**keyed, "body": None, "raw": json.dumps(good["body"], indent=1),
                     "content_type": "application/json"}
        elif has_body:
            keyed = {**keyed, "raw": b"{}", "content_type": "application/json"}
        else:
            return
        self.refuse(name, 422, keyed, "a key that came with another request")

    def _wrong_query(self, name, operation, good):
        parameters = [p for p in operation["parameters"] if p["in"] == "query"]
        free = any(self.resolve(p["schema"]).get("type") == "object" for p in parameters)

        def ask(key, value, why):
            self.refuse(name, 400, {**good, "query": {**good["query"], key: value}}, why)

        if not free:
            ask("no_such_parameter", "1", "an unknown parameter")
        for p in parameters:
            schema = self.resolve(p["schema"])
            kind = schema.get("type")
            if kind == "integer":
                ask(p["name"], "x", f"{p['name']} is no number")
                if "minimum" in schema:
                    ask(p["name"], schema["minimum"] - 1, f"{p['name']} is too small")
                if "maximum" in schema:
                    ask(p["name"], schema["maximum"] + 1, f"{p['name']} is too large")
            elif kind == "boolean":
                ask(p["name"], "perhaps", f"{p['name']} is neither true nor false")
            elif "enum" in schema:
                ask(p["name"], "no-such-word", f"{p['name']} is none of the words")
            if p.get("required"):
                query = {k: v for k, v in good["query"].items() if k != p["name"]}
                self.refuse(name, 400, {**good, "query": query}, f"{p['name']} is missing")

    def _wrong_body(self, name, body, good):
        types = list(body["content"])
        schema = body["content"].get("application/json", {}).get("schema")
        streams = "application/x-ndjson" in types or "text/csv" in types
        big = {**good, "body": None, "raw": b" " * (MAX_BODY + 1), "content_type": types[0]}
        if not streams:
            self.refuse(name, 413, big, "a body that is too large")
        self.refuse(name, 415, {**good, "body": None, "raw": b"{}", "content_type": "text/x-wrong"},
                    "a content type that nobody knows")
        if not schema or streams:
            return
        if schema == {}:
            return
        json_body = {**good, "content_type": "application/json"}
        self.refuse(name, 400, {**json_body, "body": None, "raw": b'{"a":'}, "half of a document")
        self.refuse(name, 400, {**json_body, "body": None, "raw": b"17"}, "a number for a body")
        if isinstance(good["body"], dict):
            for value, why in self.mutations(schema, good["body"]):
                self.refuse(name, 400, {**json_body, "body": value}, why)

    def mutations(self, schema, value, at="body"):
        """Values that differ from a good one in one place, where the schema forbids it."""
        schema = self.resolve(schema)
        if "anyOf" in schema or "oneOf" in schema or not isinstance(value, dict):
            return
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is False:
            yield {**value, "no_such_member": 1}, f"{at}: an unknown member"
        for key in schema.get("required", []):
            yield {k: v for k, v in value.items() if k != key}, f"{at}.{key} is missing"
        for key, below in properties.items():
            below = self.resolve(below)
            kind = below.get("type")
            wrong = {"string": 17, "integer": "x", "boolean": "x", "object": [], "array": {},
                     "number": "x"}.get(kind, None) if isinstance(kind, str) else None
            if wrong is not None:
                yield {**value, key: wrong}, f"{at}.{key} is no {kind}"
            if kind == "integer" and "minimum" in below:
                yield {**value, key: below["minimum"] - 1}, f"{at}.{key} is too small"
            if kind == "integer" and "maximum" in below:
                yield {**value, key: below["maximum"] + 1}, f"{at}.{key} is too large"
            if "enum" in below and kind == "string":
                yield {**value, key: "no-such-word"}, f"{at}.{key} is none of the words"
            if kind == "string" and below.get("minLength", 0) > 0:
                yield {**value, key: ""}, f"{at}.{key} is empty"
            if kind == "array" and below.get("minItems", 0) > 0:
                yield {**value, key: []}, f"{at}.{key} is empty"
            if isinstance(value.get(key), dict):
                for inner, why in self.mutations(below, value[key], f"{at}.{key}"):
                    yield {**value, key: inner}, why

    # ---- the whole ----------------------------------------------------------------------------

    def not_seen(self, names):
        for name in names:
            operation = self.operations[name][2]
            for status, described in operation["responses"].items():
                if described.get("$ref", "").endswith("/IdempotencyUnderWay"):
                    continue  # tests/bats/idempotency.bats
                if status in NOT_PROVOKED or (name, status) in NOT_PROVOKED_OF:
                    continue
                if status == "403" and name not in self.rights:
                    continue  # credentials are enough
                if status in self.seen.get(name, ()):
                    continue
                yield f"{name}: {status} was not seen"


def main():
    sys.path.insert(0, str(HERE))
    c = Contract(int(os.environ["PORT"]), os.environ["TOKEN"])
    files = sorted(p.stem for p in HERE.glob("*.py") if p.stem != "harness")
    wrong = []
    for name in sys.argv[1:] or files:
        try:
            importlib.import_module(name).run(c)
        except (Wrong, AssertionError):
            wrong.append(f"{name}: {traceback.format_exc(limit=-2)}")
    for name in list(c.good):
        try:
            c.ask_wrong(name)
        except Wrong as e:
            wrong.append(str(e))
    try:
        c.ask_without_rights([name for name in c.good if name in c.rights])
    except Wrong as e:
        wrong.append(str(e))
    wrong += c.not_seen(c.seen if sys.argv[1:] else c.operations)
    print(f"{len(c.operations)} operations in the document, {len(c.good)} called, "
          f"{sum(map(len, c.seen.values()))} kinds of answers held against it")
    for line in wrong:
        print("WRONG", line)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Wrong as e:
        sys.exit(f"WRONG {e}")
