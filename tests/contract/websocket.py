"""The WebSocket side as REST shows it, and replication slots. One session is held open."""

import os
import sys

sys.path.append(os.path.join(os.path.dirname(__file__), "..", "bats", "lib"))


import asyncio  # noqa: E402
import base64  # noqa: E402
import json  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

import wsclient  # noqa: E402


class Session:
    """A WebSocket that reads whatever comes, on a thread with a loop of its own."""

    def __init__(self, c, path="/api/v1/ws", first=None):
        self.ready = threading.Event()
        self.path, self.first = path, first
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run(c)), daemon=True)
        self.thread.start()
        if not self.ready.wait(30):
            raise TimeoutError("no WebSocket")

    async def _run(self, c):
        url = f"ws://127.0.0.1:{c.port}{self.path}"
        ws = await wsclient.connect(url, {"Authorization": f"Bearer {c.token}"},
                                    max_size=None)
        await ws.recv()
        if self.first:
            await ws.send(json.dumps(self.first))
            await ws.recv()
        self.ready.set()
        try:
            while True:
                await ws.recv()
        except wsclient.ConnectionClosed:
            pass


def run(c):
    for name in ("connectWebSocket", "connectEventStream", "connectMetricsStream",
                 "connectQueryStream", "connectReplicationStream"):
        c.call(name, 426)
        c.call(name, 101, headers={
            "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode()})
    c.call("getWebSocketStatus", 200)
    subscriptions(c)
    slots(c)


def subscriptions(c):
    c.sql("CREATE TABLE ws_notes(id INTEGER PRIMARY KEY)")
    session = Session(c)
    connection = c.call("listConnections", 200, query={"state": "open"})["connections"][0]
    cid = connection["connection_id"]
    one = {"id": cid}
    made = c.call("createSubscription", 201, body={
        "connection_id": cid, "subscription_type": "table", "target": "ws_notes",
        "filters": {"where": "id > 3", "ops": ["insert"], "columns": ["id"]}, "config": {}})
    c.call("createSubscription", 404, body={"connection_id": "c999999", "topic": "channel:x"})
    c.call("createSubscription", 409, body={
        "connection_id": cid, "subscription_type": "table", "target": "ws_notes",
        "filters": {"where": "id > 3", "ops": ["insert"], "columns": ["id"]}})
    c.call("getConnection", 200, path=one)
    c.call("getConnection", 404, path={"id": "c999999"})
    c.call("listSubscriptions", 200, query={"connection_id": cid, "subscription_type": "table"})
    sub = {"id": made["subscription_id"]}
    c.call("getSubscription", 200, path=sub)
    c.call("broadcast", 200, body={"message": "hi", "target_connections": [cid]})
    c.call("broadcast", 200, body={"message": {"a": 1}, "channel": "lobby"})
    c.call("deleteSubscription", 200, path=sub, query={"reason": "enough"})
    c.call("deleteSubscription", 404, path=sub)
    c.call("getSubscription", 404, path=sub)
    c.call("closeConnection", 200, path=one, query={"reason": "bye", "close_code": 4000})
    session.thread.join(30)
    c.call("closeConnection", 404, path=one)


def slots(c):
    name = {"name": "warehouse"}
    c.call("createReplicationSlot", 201, body={"name": "warehouse", "since": 0})
    c.call("createReplicationSlot", 409, body=name)
    c.call("createReplicationSlot", 410, body={"name": "other", "since": "0:1"})
    c.call("listReplicationSlots", 200)
    c.call("getReplicationStatus", 200)
    c.call("getReplicationSlot", 200, path=name)
    Session(c, "/api/v1/ws/replication",
            {"id": "1", "type": "subscribe", "payload": {"slot_name": "warehouse"}})
    consumers = c.call("listReplicationConsumers", 200)["consumers"]
    consumer = next(one for one in consumers if one["slot_name"] == "warehouse")
    assert c.call("getReplicationSlot", 200, path=name)["state"] == "active"
    c.call("deleteReplicationSlot", 409, path=name)
    c.call("closeConnection", 200, path={"id": consumer["connection_id"]})
    until = time.monotonic() + 30
    while c.call("getReplicationSlot", 200, path=name)["connection_id"]:
        assert time.monotonic() < until, "the slot is still taken"
    c.call("deleteReplicationSlot", 200, path=name)
    c.call("deleteReplicationSlot", 404, path=name)
    c.call("getReplicationSlot", 404, path=name)
