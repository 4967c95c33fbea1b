"""The audit log, and that it is whole."""

import json

from maint import WAIT, cancelled, ended


def run(c):
    c.call("deleteBackup", 404, path={"name": "audit-none"})
    page = c.call("listAuditRecords", 200, query={"action": "backup.delete", "outcome": "refused"})
    assert page["records"][0]["target"] == "audit-none", page
    c.call("listAuditRecords", 200, query={"limit": 2, "after": 3, "since": "2026-01-02"})
    c.call("listAuditRecords", 400, query={"since": "yesterday"})
    c.call("listAuditRecords", 400, query={"action": "no.such"})
    c.call("exportAudit", 200, query={"user": "root"})
    c.call("exportAudit", 400, query={"until": "2026-13-01"})
    verdict = c.call("verifyAudit", 200, headers=WAIT)
    assert verdict["ok"] and verdict["last"] >= page["records"][0]["n"], verdict
    job = ended(c, c.call("verifyAudit", 202))
    assert job["state"] == "done", job
    c.call("verifyAudit", 400, query={"no": 1})
    cancelled(c, [("verifyAudit", {})])
    _, _, lines = c.request("GET", "/api/v1/admin/audit/export?action=audit.verify")
    assert json.loads(lines.splitlines()[0])["action"] == "audit.verify", lines
