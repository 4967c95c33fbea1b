"""Plans and verdicts: what a statement would do, without doing it."""


def run(c):
    c.sql("CREATE TABLE explain_items (id INTEGER PRIMARY KEY, name TEXT)")

    plan = c.call("explainQuery", 200, body={"sql": "SELECT name FROM explain_items WHERE id = ?", "params": [1]})
    assert plan["plan"][0]["detail"].startswith("SEARCH"), plan
    c.call("explainQuery", 200, body={"sql": "SELECT name FROM explain_items UNION SELECT 1"})
    c.call("explainQuery", 400, body={"sql": "SELECT FROM"})
    c.call("explainQuery", 400, body={"statement": "SELECT 1"})
    c.call("explainQuery", 403, body={"sql": "SELECT * FROM _rustydb_log"})
    c.call("explainQuery", 404, body={"sql": "SELECT * FROM explain_nowhere"})

    verdict = c.call("validateQuery", 200, body={"sql": "INSERT INTO explain_items (name) VALUES (:name) RETURNING id"})
    assert verdict["tables_written"] == ["explain_items"], verdict
    verdict = c.call("validateQuery", 200, body={"sql": "SELEC 1"})
    assert verdict["error"]["position"] == 0, verdict
    c.call("validateQuery", 400, body={})
