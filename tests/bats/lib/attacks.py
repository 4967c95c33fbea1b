"""Cases of attacks.bats: what a subscriber with few rights must not be sent."""

import json

from rdb import connect, main, sql

# topics and filters that reach for what mallory may not see; each refused, or empty
REACHING = [
    {"topic": "table:vault"},
    {"tables": ["vault"]},
    {"tables": ["pub", "vault"]},
    {"topic": "table:vault", "since": 0},
    {"topic": "table:vault", "initial": True},
    {"topic": "table:vault_view"},
    {"topic": "table:_rustydb_auth"},
    {"topic": "table:notes", "where": "secret LIKE 's%'"},
    {"topic": "table:notes", "where": "old.secret IS NOT new.secret"},
    {"topic": "table:notes", "columns": ["secret"]},
    {"topic": "table:pub", "where": "(SELECT body FROM vault) IS NOT NULL"},
    {"topic": "replication"},
    {"topic": "queries"},
    {"topic": "system"},
    {"topic": "metrics"},
    {"query": "SELECT body FROM vault"},
    {"query": "SELECT title FROM main.notes"},
    {"query": "SELECT secret FROM notes"},
    {"query": "WITH notes AS (SELECT * FROM main.notes) SELECT * FROM notes"},
    {"query": "SELECT title FROM pub UNION SELECT body FROM vault"},
    {"query": "SELECT * FROM vault_view"},
]
# what mallory may follow, of rows that are partly hidden
ALLOWED = [
    {"topic": "table:notes", "since": 0},
    {"topic": "table:notes", "where": "title LIKE 'hidden%'"},
    {"topic": "table:notes", "initial": True, "where": "id > 0"},
    {"topic": "tables:*"},
    {"query": "SELECT id, title FROM notes"},
    {"query": "SELECT count(*) FROM notes"},
]


async def subscriptions(key, secret):
    sessions = []
    for payload in REACHING:
        s = await connect(with_token=key)
        await s.send("subscribe", payload, id_="q")
        answer = await s.recv()
        assert secret not in json.dumps(answer), (payload, answer)
        assert answer["type"] == "error", (payload, answer)
        await s.close()
    for payload in ALLOWED:
        s = await connect(with_token=key)
        await s.send("subscribe", payload, id_="q")
        answer = await s.recv()
        assert answer["type"] == "subscribed", (payload, answer)
        sessions.append((payload, s))
    # What happens to hidden rows, in tables with and without grants, and across the border.
    sql(
        f"UPDATE notes SET secret = '{secret}-3', title = 'hidden-{secret}-3' WHERE id = 2",
        f"INSERT INTO notes VALUES (20, 'alice', 'hidden-{secret}-20', '{secret}')",
        "UPDATE notes SET owner = 'mallory', title = 'given' WHERE id = 20",
        f"UPDATE notes SET owner = 'alice', title = 'taken-{secret}' WHERE id = 20",
        "DELETE FROM notes WHERE id = 20",
        f"INSERT INTO vault VALUES (9, '{secret}-9')",
        "DELETE FROM vault WHERE id = 9",
        "INSERT INTO notes VALUES (99, 'mallory', 'the end', 'x')",
    )
    for payload, s in sessions:
        text = ""
        # The others have nothing to be told of in the end, or are told of numbers alone.
        while '"the end"' not in text and "count(*)" not in payload.get("query", "") and \
                "where" not in payload:
            message = json.dumps(await s.recv())
            text += message
            assert secret not in message, (payload, message)
        await s.close()


main(globals())
