#!/usr/bin/env bash
# What rights cost: a point read over REST under callgrind, for root, an API key, a role without
# policies on the table, and a role with one; and how much of it goes into finding out who asks and
# whether he may. Prints figures; needs valgrind.
#   tests/bench/rights.sh RUSTYDB [OLDER-RUSTYDB]
# The older one knows root alone; with it, the first column says what was added since.
set -eu
dir=$(mktemp -d)
pid=
trap 'kill "$pid" 2>/dev/null || true; rm -rf "$dir"' EXIT
READS=2000

cat >"$dir/ask.py" <<'END'
import http.client, json, os, sys

c = http.client.HTTPConnection(os.environ["url"].split("//")[1])
root = os.environ["root"]

def ask(method, path, body, token=root):
    head = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
    c.request(method, "/api/v1" + path, json.dumps(body), head)
    answer = c.getresponse()
    text = answer.read()
    assert answer.status < 300, (path, text)
    return json.loads(text)

def sql(text, params=(), token=root):
    return ask("POST", "/query", {"sql": text, "params": list(params)}, token)

def role(name, grant):
    ask("PUT", "/admin/roles/" + name, {"scopes": ["sql"], "tables": [grant] if grant else []})
    print(name, ask("POST", "/admin/api-keys", {"roles": [name]})["key"])

what = sys.argv[1]
if what == "make":
    sql("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT)")
    sql("INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
        " WHERE i < 1000) SELECT i, 'row ' || i FROM n")
    print("root", root)
    if sys.argv[2] == "roles":
        print("key", ask("POST", "/admin/api-keys", {"roles": ["admin"]})["key"])
        select = {"table": "t", "operations": ["select"]}
        role("plain", select)
        role("policy", {**select, "where": "a <> 'row 0'", "expose_key": True})
else:
    for i in range(int(sys.argv[3])):
        rows = sql("SELECT id, a FROM t WHERE id = ?", [i % 1000 + 1], sys.argv[2])["rows"]
        assert len(rows) == 1, rows
END

measure() { # RUSTYDB NAME roles|none: lines "WHO INSTRUCTIONS-PER-READ PER-CENT-IN-RIGHTS" into NAME
  local who all flags=()
  [ "$3" = none ] || flags=(--seccomp off) # valgrind does not know the call
  valgrind -q --tool=callgrind --instr-atstart=no --callgrind-out-file="$dir/$2.out" \
    "$1" serve --data "$dir/$2.data" --listen 127.0.0.1:0 "${flags[@]}" >"$dir/ready" 2>"$dir/log" &
  pid=$!
  for _ in $(seq 600); do
    grep -q ready "$dir/ready" && break
    sleep 0.1
  done
  url=$(sed -n 's/.* ready on \(http:[^ ]*\) .*/\1/p' "$dir/ready")
  root=$(cat "$dir/$2.data/root.token")
  export url root
  python3 "$dir/ask.py" make "$3" >"$dir/who"
  mapfile -t all <"$dir/who"
  for who in "${all[@]}"; do
    python3 "$dir/ask.py" read "${who#* }" 200
    : >"$dir/mark"
    callgrind_control -i on "$pid" >/dev/null 2>&1
    python3 "$dir/ask.py" read "${who#* }" "$READS"
    callgrind_control -i off "$pid" >/dev/null 2>&1
    callgrind_control -d "$pid" >/dev/null 2>&1
    report "$(find "$dir" -name "$2.out.*" -size +0 -newer "$dir/mark" | sort -V | tail -n 1)" "${who% *}"
  done >"$dir/$2"
  kill "$pid"
  wait "$pid" || true
}

report() { # DUMP WHO
  callgrind_annotate --inclusive=yes --threshold=100 --auto=no "$1" 2>/dev/null | awk -v reads="$READS" -v who="$2" '
    { n = $1; gsub(",", "", n) }
    /PROGRAM TOTALS/ { all = n }
    / [^ ]*http_auth\.c:(http_authenticate|http_authorize) / { sum += n }
    / [^ ]*identity\.c:identity_release / { sum += n }
    END { printf "%s %d %.2f\n", who, all / reads, 100 * sum / all }'
}

measure "$(realpath "$1")" now roles
[ $# -lt 2 ] || measure "$(realpath "$2")" older none
base=$(awk '$1 == "root" { print $2 }' "$dir/$([ $# -lt 2 ] && echo now || echo older)")
awk -v base="$base" '{
  printf "%-8s %8d instructions a read (%+6.2f %%), %5.2f %% of them to know who asks and whether he may\n",
    $1, $2, 100 * ($2 - base) / base, $3 }' "$dir/now"
