"""Cases of the command line that want more than a shell: python3 cli.py CASE ARGUMENT..."""

import resource
import subprocess
import sys


def million_rows(binary):
    sql = (
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 1000000)"
        " SELECT n, n * 2 FROM c"
    )
    client = subprocess.Popen([binary, "query", "--no-header", sql], stdout=subprocess.PIPE)
    rows = sum(1 for _ in client.stdout)
    status = client.wait()
    kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert (rows, status) == (1000000, 0), (rows, status)
    assert kib < 40000, f"{kib} KiB"


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
