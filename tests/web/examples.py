#!/usr/bin/env python3
"""Makes client programs from the examples in an OpenAPI document: one for curl, one in Python, one in
JavaScript, each of which calls every operation once and prints a line "OPERATION STATUS" for it.

    examples.py openapi.json FOLDER

They find the daemon by the environment variables RUSTYDB_URL and TOKEN.
"""

import json
import pathlib
import shlex
import sys
import urllib.parse

METHODS = ("get", "put", "post", "delete", "patch")


def resolve(document, value):
    while isinstance(value, dict) and "$ref" in value:
        at = document
        for part in value["$ref"].lstrip("#/").split("/"):
            at = at[part]
        value = at
    return value


def example_of(document, holder):
    """Of a parameter or a media type."""
    if "example" in holder:
        return holder["example"]
    for one in (holder.get("examples") or {}).values():
        return resolve(document, one)["value"]
    schema = resolve(document, holder.get("schema", {}))
    if schema.get("examples"):
        return schema["examples"][0]
    return schema.get("default")


def call_of(document, path, method, item, operation):
    query = {}
    for p in item.get("parameters", []) + operation.get("parameters", []):
        p = resolve(document, p)
        value = example_of(document, p)
        if p["in"] == "path":
            if value is None:
                raise SystemExit(f"{operation['operationId']}: {p['name']} has no example")
            path = path.replace("{" + p["name"] + "}", urllib.parse.quote(str(value), safe=""))
        elif p["in"] == "query" and resolve(document, p["schema"]).get("type") == "object":
            query.update(value or {})
        elif p["in"] == "query" and p.get("required"):
            query[p["name"]] = value
    if query:
        path += "?" + urllib.parse.urlencode(query)
    call = {"operation": operation["operationId"], "method": method.upper(), "path": path,
            "type": None, "body": None}
    body = resolve(document, operation.get("requestBody") or {})
    if body:
        media_type, media = next(iter(body["content"].items()))
        value = example_of(document, media)
        if value is None and body.get("required"):
            raise SystemExit(f"{operation['operationId']}: its body has no example")
        if value is not None:
            call["type"] = media_type
            call["body"] = value if isinstance(value, str) else json.dumps(value)
    return call


def calls_of(document):
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield call_of(document, path, method, item, item[method])


def curl(calls):
    yield "#!/bin/sh"
    yield "call() { # OPERATION METHOD PATH [CURL-ARGUMENT...]"
    yield "  operation=$1 method=$2 path=$3; shift 3"
    yield ("  curl -s -o /dev/null -w \"$operation %{http_code}\\n\" -X \"$method\""
           " -H \"Authorization: Bearer $TOKEN\" \"$@\" \"$RUSTYDB_URL$path\"")
    yield "}"
    for c in calls:
        line = f"call {c['operation']} {c['method']} {shlex.quote(c['path'])}"
        if c["body"] is not None:
            line += f" -H {shlex.quote('Content-Type: ' + c['type'])}"
            line += f" --data-binary {shlex.quote(c['body'])}"
        yield line


def python(calls):
    yield "import os"
    yield "import urllib.error"
    yield "import urllib.request"
    yield ""
    yield ""
    yield "def call(operation, method, path, media=None, body=None):"
    yield "    request = urllib.request.Request(os.environ['RUSTYDB_URL'] + path, method=method, data=body)"
    yield "    request.add_header('Authorization', 'Bearer ' + os.environ['TOKEN'])"
    yield "    if media:"
    yield "        request.add_header('Content-Type', media)"
    yield "    try:"
    yield "        with urllib.request.urlopen(request) as answer:"
    yield "            answer.read()"
    yield "            print(operation, answer.status)"
    yield "    except urllib.error.HTTPError as e:"
    yield "        print(operation, e.code)"
    yield ""
    yield ""
    for c in calls:
        more = f", {c['type']!r}, {c['body'].encode()!r}" if c["body"] is not None else ""
        yield f"call({c['operation']!r}, {c['method']!r}, {c['path']!r}{more})"


def javascript(calls):
    yield "async function call(operation, method, path, media, body) {"
    yield "  const headers = { Authorization: `Bearer ${process.env.TOKEN}` };"
    yield "  if (media) headers['Content-Type'] = media;"
    yield "  const answer = await fetch(process.env.RUSTYDB_URL + path, { method, headers, body });"
    yield "  await answer.arrayBuffer();"
    yield "  console.log(operation, answer.status);"
    yield "}"
    for c in calls:
        values = [c["operation"], c["method"], c["path"]]
        if c["body"] is not None:
            values += [c["type"], c["body"]]
        yield f"await call({', '.join(json.dumps(v) for v in values)});"


def main():
    document = json.loads(pathlib.Path(sys.argv[1]).read_text())
    folder = pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    calls = list(calls_of(document))
    for name, language in (("client.sh", curl), ("client.py", python), ("client.mjs", javascript)):
        (folder / name).write_text("\n".join(language(calls)) + "\n")


main()
