#!/usr/bin/env bash
# What routing and checking a request cost: a point read over REST under callgrind, and the share of the
# daemon's instructions that go into finding the operation and holding the request to its description.
# Prints figures; needs valgrind.
#   tests/bench/routing.sh RUSTYDB
set -eu
bin=$(realpath "$1")
dir=$(mktemp -d)
trap 'kill "$pid" 2>/dev/null || true; rm -rf "$dir"' EXIT
READS=2000

valgrind -q --tool=callgrind --instr-atstart=no --callgrind-out-file="$dir/out" \
  "$bin" serve --data "$dir/data" --listen 127.0.0.1:0 --seccomp off >"$dir/ready" 2>"$dir/log" &
pid=$!
for _ in $(seq 300); do
  grep -q ready "$dir/ready" && break
  sleep 0.1
done
url=$(sed -n 's/.* ready on \(http:[^ ]*\) .*/\1/p' "$dir/ready")
export url token
token=$(cat "$dir/data/root.token")

reads() { # COUNT
  python3 - "$1" <<'END'
import http.client, json, os, sys
c = http.client.HTTPConnection(os.environ["url"].split("//")[1])
head = {"Authorization": "Bearer " + os.environ["token"], "Content-Type": "application/json"}
def ask(sql, params=()):
    c.request("POST", "/api/v1/query", json.dumps({"sql": sql, "params": list(params)}), head)
    answer = c.getresponse()
    body = answer.read()
    assert answer.status == 200, body
ask("CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, a TEXT)")
ask("INSERT OR IGNORE INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
    " WHERE i < 1000) SELECT i, 'row ' || i FROM n")
for i in range(int(sys.argv[1])):
    ask("SELECT id, a FROM t WHERE id = ?", [i % 1000 + 1])
END
}

reads 200
callgrind_control -i on "$pid" >/dev/null 2>&1
reads "$READS"
callgrind_control -i off "$pid" >/dev/null 2>&1
kill "$pid"
wait "$pid" || true
callgrind_annotate --inclusive=yes --threshold=100 --auto=no "$dir"/out* >"$dir/report" 2>/dev/null
awk -v reads="$READS" '
  { n = $1; gsub(",", "", n) }
  /PROGRAM TOTALS/ { all = n }
  / [^ ]*route\.c:(route_find|route_check_head) / || / [^ ]*schema\.c:schema_check / ||
    / [^ ]*pages\.c:pages_answer / { split($0, part, ":"); split(part[2], name, " "); cost[name[1]] = n; sum += n }
  END {
    printf "%d instructions a read\n", all / reads
    for (f in cost) printf "%-18s %6.2f %%\n", f, 100 * cost[f] / all
    printf "%-18s %6.2f %%\n", "together", 100 * sum / all
  }' "$dir/report"
