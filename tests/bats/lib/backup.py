"""Cases of backup.bats."""

import threading

from rdb import Rest, connect, main


async def old_position(log_id):
    """A position of the original's log is refused, not taken for one of this log."""
    s = await connect()
    await s.refused("subscribe", {"topic": "table:t", "since": f"{log_id}:1"}, "GAP")
    await s.close()


def while_writing():
    """Pairs of rows are written all the time; no backup has half of one."""
    stop = threading.Event()
    failed = []

    def write():
        rest = Rest()
        try:
            while not stop.is_set():
                rest.call("POST", "/batch", {"atomic": True, "statements": [
                    {"sql": "INSERT INTO a VALUES(randomblob(2000))"},
                    {"sql": "INSERT INTO b VALUES(1)"}]})
        except Exception as e:  # told by the thread that joins
            failed.append(e)

    writers = [threading.Thread(target=write) for _ in range(3)]
    for w in writers:
        w.start()
    rest = Rest()
    for i in range(3):
        status, _, body = rest.raw("POST", "/admin/backups", {"name": f"b{i}"},
                                   {"Prefer": "wait=30"})
        if status != 201:  # 202: it does not come to an end
            failed.append((status, body))
            break
    stop.set()
    for w in writers:
        w.join()
    assert not failed, failed


main(globals())
