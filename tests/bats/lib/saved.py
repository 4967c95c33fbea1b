"""Cases of saved.bats that need many requests, or several clients at once."""

import json
import threading

from rdb import Rest, main


def many_versions():
    rest = Rest()
    for i in range(1, 120):
        status, _, data = rest.raw("PUT", "/queries/q/definition", {"sql": f"SELECT {i}"})
        assert status == 200, data


def together():
    made, statuses = [], []  # appended to by all threads

    def change(n):
        rest = Rest()

        def ask(method, path, body=None):
            status, _, data = rest.raw(method, path, body)
            statuses.append(status)
            return status, json.loads(data)

        try:
            for i in range(30):
                ask("POST", "/queries", {"name": "shared", "sql": f"SELECT {n}"})
                status, is_now = ask("PUT", "/queries/shared/definition", {"sql": f"SELECT {n}, {i}"})
                if status == 200:
                    made.append((is_now["created_at"], is_now["version"]))
                ask("POST", "/queries/shared", {})
                if i % 7 == 6:
                    ask("DELETE", "/queries/shared")
        except Exception as e:
            statuses.append(repr(e))
        finally:
            rest.close()

    clients = [threading.Thread(target=change, args=(n,)) for n in range(6)]
    for c in clients:
        c.start()
    for c in clients:
        c.join()
    assert set(statuses) <= {200, 201, 404, 409}, set(statuses)
    assert {200, 201} <= set(statuses), set(statuses)
    assert len(made) == len(set(made)), "two changes made the same version"


main(globals())
