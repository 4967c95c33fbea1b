"""What is said over WebSocket against the AsyncAPI document: every message of both sides must fit one
of those that its channel lists with that type."""

import os
import sys

sys.path.append(os.path.join(os.path.dirname(__file__), "..", "bats", "lib"))

import asyncio  # noqa: E402
import json  # noqa: E402

import jsonschema  # noqa: E402
import wsclient  # noqa: E402
import yaml  # noqa: E402


def run(c):
    document = yaml.safe_load(c.call("getAsyncapiYaml", 200))
    c.call("getAsyncapiYaml", 304, headers={"If-None-Match": c.headers["ETag"]})
    seen = set()
    c.sql("CREATE TABLE msg_notes(id INTEGER PRIMARY KEY, text)")
    for channel, talk in (("everything", everything), ("events", events), ("metrics", metrics),
                          ("queryStream", query_stream), ("replication", replication)):
        asyncio.run(converse(c, document, channel, talk, seen))
    sent = {name for channel in document["channels"].values() for name in channel["messages"]}
    never = sent - seen - {"authError", "streamAuthError", "streamSystem", "system"}  # these end the connection
    assert not never, f"messages that were never seen: {sorted(never)}"


class Talk:
    def __init__(self, document, channel, ws, seen):
        self.document, self.ws, self.seen = document, ws, seen
        self.names = {"receive": [], "send": []}
        for operation in document["operations"].values():
            if operation["channel"]["$ref"].endswith("/" + channel):
                self.names[operation["action"]] += [m["$ref"].rsplit("/", 1)[1]
                                                    for m in operation["messages"]]

    def check(self, action, message):
        problems = []
        for name in self.names[action]:
            schema = self.document["components"]["messages"][name]["payload"]
            kind = schema["properties"].get("type", {}).get("const")
            if kind != message.get("type"):
                continue
            whole = {"components": self.document["components"], "allOf": [schema]}
            wrong = list(jsonschema.Draft202012Validator(whole).iter_errors(message))
            if not wrong:
                self.seen.add(name)
                return
            problems += [f"{name}: {e.message}" for e in wrong[:2]]
        raise AssertionError(f"{action} {message} fits nothing: {problems}")

    async def say(self, message):
        self.check("receive", message)
        await self.ws.send(json.dumps(message))

    async def ask(self, kind, payload=None, **more):
        message = {"id": kind, "type": kind, **more}
        if payload is not None:
            message["payload"] = payload
        await self.say(message)

    async def hear(self, kind):
        """Messages up to the first of this type."""
        while True:
            message = json.loads(await asyncio.wait_for(self.ws.recv(), 30))
            self.check("send", message)
            if message.get("type") == kind:
                return message.get("payload")

    async def end(self):
        while (await self.hear("query_result"))["part"] != "end":
            pass


async def converse(c, document, channel, talk, seen):
    url = f"ws://127.0.0.1:{c.port}{document['channels'][channel]['address']}"
    ws = await wsclient.connect(url, {}, max_size=None)
    t = Talk(document, channel, ws, seen)
    await t.hear("welcome")
    if channel == "queryStream":
        await t.say({"token": c.token})
    else:
        await t.ask("auth", {"token": c.token, "metadata": {"name": "test"}})
    await t.hear("auth_success")
    await talk(c, t)
    await ws.close()


async def everything(c, t):
    await t.ask("query", {"sql": "SELECT * FROM msg_notes WHERE id = :id", "params": {"id": 1}})
    await t.end()
    await t.ask("execute", {"sql": "SELEC"})
    await t.hear("error")
    await t.ask("begin", {})
    tx = (await t.hear("query_result"))["transaction"]
    await t.ask("savepoint", {"transaction": tx, "name": "a"})
    await t.end()
    await t.ask("commit", {"transaction": tx})
    await t.end()
    await t.ask("begin", {})
    tx = (await t.hear("query_result"))["transaction"]
    await t.ask("rollback", {"transaction": tx})
    await t.end()
    await t.ask("status", {})
    await t.end()
    await t.ask("cancel", {"id": "none"})
    await t.hear("error")
    for payload in ({"topic": "table:msg_notes", "where": "id > 0"}, {"topic": "channel:lobby"},
                    {"query": "SELECT count(*) FROM msg_notes", "min_interval": 100}):
        await t.ask("subscribe", payload)
        sub = await t.hear("subscribed")
    await t.hear("event")
    await t.ask("execute", {"sql": "INSERT INTO msg_notes VALUES(1, 'x')"})
    await t.hear("event")
    await t.hear("event")
    await t.ask("publish", {"channel": "lobby", "message": {"a": 1}, "event": "greeting"})
    await t.hear("event")
    await t.ask("unsubscribe", {"subscription_id": sub["subscription_id"]})
    await t.hear("unsubscribed")
    await t.ask("text", "hello", to="c999999")
    await t.hear("error")
    await t.ask("batch", {"messages": [{"type": "ping", "id": "p"}]})
    await t.ask("ping")
    await t.hear("pong")


async def events(c, t):
    await t.ask("subscribe", {"topic": "table:msg_notes", "since": 0, "ops": ["insert"]})
    await t.hear("subscribed")
    await t.hear("event")


async def metrics(c, t):
    await t.ask("subscribe", {"metrics": ["cpu.process_percent"], "interval": 100})
    await t.hear("subscribed")
    await t.hear("event")


async def query_stream(c, t):
    await t.say({"sql": "SELECT * FROM msg_notes", "batch_size": 10, "id": "a"})
    await t.hear("end")
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    await t.say({"sql": endless, "progress": 250})
    await t.hear("progress")
    await t.say({"cancel": True})
    await t.hear("error")


async def replication(c, t):
    await t.ask("subscribe", {"since": 0})
    await t.hear("subscribed")
    event = await t.hear("event")
    await t.ask("ack", {"lsn": event["lsn"]})
