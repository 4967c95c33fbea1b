"""Settings, jobs, maintenance and backups."""

import json
import os
import threading
import time

JSON = {"Content-Type": "application/json"}
WAIT = {"Prefer": "wait=60"}
MAINTENANCE = ("checkpointDatabase", "vacuumDatabase", "analyzeDatabase", "optimizeDatabase",
               "checkDatabase")


def run(c):
    settings(c)
    maintenance(c)
    backups(c)
    cancelled(c, [(name, {}) for name in MAINTENANCE] + [
        ("createBackup", {"body": {"name": "maint-cancelled"}}),
        ("verifyBackup", {"path": {"name": "maint-one"}}),
        ("restoreBackup", {"path": {"name": "maint-one"}, "body": {"to": "maint-cancelled"}}),
    ])


def settings(c):
    listed = c.call("getConfig", 200)
    assert any(s["name"] == "max_body" for s in listed["settings"]), listed
    c.call("getConfig", 400, query={"no": 1})
    c.call("getConfigSetting", 200, path={"name": "max_message"})
    c.call("getConfigSetting", 400, path={"name": "max_message"}, query={"no": 1})
    c.call("getConfigSetting", 404, path={"name": "max_mesage"})
    c.call("setConfig", 200, body={"max_message": "2m", "max_pending": 65})
    c.call("setConfig", 400, body={"max_message": 1})
    c.call("setConfig", 400, body={"readers": 3})
    c.call("reloadConfig", 200)
    c.call("reloadConfig", 400, query={"no": 1})
    with open(os.environ["CONF"], "w", encoding="utf-8") as f:
        f.write("nonsense = 1\n")
    c.call("reloadConfig", 409)
    with open(os.environ["CONF"], "w", encoding="utf-8") as f:
        f.write("")


def ended(c, job):
    until = time.monotonic() + 60
    while job["state"] in ("queued", "running"):
        assert time.monotonic() < until, job
        time.sleep(0.01)
        job = c.call("getJob", 200, path={"id": job["id"]})
    return job


def maintenance(c):
    c.sql("CREATE TABLE maint_t(a)")
    for name in MAINTENANCE:
        c.call(name, 200, headers=WAIT)
        job = c.call(name, 202)
        assert c.headers["Location"].endswith(job["id"])
        assert ended(c, job)["state"] == "done", job
        c.call(name, 400, query={"no": 1})
    c.call("listJobs", 200, query={"state": "done", "limit": 2})
    c.call("listJobs", 400, query={"state": "none"})
    c.call("getJob", 400, path={"id": job["id"]}, query={"no": 1})
    c.call("getJob", 404, path={"id": "none"})
    c.call("cancelJob", 400, path={"id": job["id"]}, query={"no": 1})
    c.call("cancelJob", 404, path={"id": "none"})
    c.call("cancelJob", 409, path={"id": job["id"]})


def backups(c):
    c.call("createBackup", 201, body={"name": "maint-one"}, headers=WAIT)
    assert c.headers["Location"] == "/api/v1/admin/backups/maint-one"
    assert ended(c, c.call("createBackup", 202, body={}))["state"] == "done"
    c.call("createBackup", 400, body={"name": "../x"})
    c.call("createBackup", 409, body={"name": "maint-one"})
    c.call("listBackups", 200)
    c.call("getBackup", 200, path={"name": "maint-one"})
    c.call("verifyBackup", 200, path={"name": "maint-one"}, headers=WAIT)
    ended(c, c.call("verifyBackup", 202, path={"name": "maint-one"}))
    c.call("restoreBackup", 201, path={"name": "maint-one"}, body={"to": "maint-a"}, headers=WAIT)
    ended(c, c.call("restoreBackup", 202, path={"name": "maint-one"}, body={"to": "maint-b"}))
    c.call("restoreBackup", 409, path={"name": "maint-one"}, body={"to": "maint-a"})
    c.call("restoreBackup", 400, path={"name": "maint-one"}, body={"to": "a/b"})
    c.call("restoreBackup", 404, path={"name": "maint-none"}, body={"to": "maint-c"})
    for name in ("getBackup", "verifyBackup", "deleteBackup"):
        c.call(name, 404, path={"name": "maint-none"})
        c.call(name, 400, path={"name": ".hidden"})
    c.call("createBackup", 201, body={"name": "maint-two"}, headers=WAIT)
    c.call("deleteBackup", 204, path={"name": "maint-two"})


def cancelled(c, operations):
    """Each operation, cancelled while a request waits for it: an open transaction holds the first
    job up, and that the others."""
    others = [type(c)(c.port, c.token) for _ in operations]  # which takes its time
    _, _, answer = c.request("POST", "/api/v1/transactions", "{}", JSON)
    tx = json.loads(answer)["transaction_id"]
    first = c.call("checkpointDatabase", 202)
    for other, (name, request) in zip(others, operations):
        # Or it would be rolled back for being idle.
        c.request("POST", f"/api/v1/transactions/{tx}/query", '{"sql": "SELECT 1"}', JSON)
        wrong = []

        def ask():
            try:
                other.call(name, 499, headers=WAIT, **request)
            except Exception as e:  # told by the thread that joins
                wrong.append(e)

        asking = threading.Thread(target=ask)
        asking.start()
        until = time.monotonic() + 60
        while not (waiting := c.call("listJobs", 200, query={"state": "queued"})["jobs"]):
            assert time.monotonic() < until and not wrong, wrong
            time.sleep(0.01)
        c.call("cancelJob", 202, path={"id": waiting[0]["id"]})
        asking.join()
        if wrong:
            raise wrong[0]
        c.seen.setdefault(name, set()).update(other.seen[name])
    c.call("cancelJob", 202, path={"id": first["id"]})
    c.request("POST", f"/api/v1/transactions/{tx}/rollback")
    ended(c, c.call("getJob", 200, path={"id": first["id"]}))
