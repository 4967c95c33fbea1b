#!/usr/bin/env bats
# `rustydb status`, `broadcast` and `import`, and what all commands have in common.

load helper

@test "status: for people and as JSON" {
  start_daemon
  run --separate-stderr "$BIN" status
  [ "$status" = 0 ]
  [ "${lines[0]}" = "server $RUSTYDB_URL" ]
  grep -qE '^  version +[0-9]+\.[0-9]+' <<<"$output"
  grep -qE '^  data dir +'"$DIR"'$' <<<"$output"
  grep -qE '^  active connections +0$' <<<"$output"
  [ -z "$(grep -E '^  limits$' <<<"$output")" ]
  run --separate-stderr "$BIN" --verbose status
  grep -q "^metrics" <<<"$output"
  grep -qE "memory.resident +[0-9]+ bytes" <<<"$output"
  grep -qE '^  limits$' <<<"$output"
  run --separate-stderr "$BIN" status --format json
  [ "${#lines[@]}" = 1 ]
  jq -e --argjson pid "$DAEMON_PID" '.server.pid == $pid and .websocket.active_connections == 0' <<<"$output"
  jq -e '.metrics["cpu.cores"] >= 1 and .metrics["memory.resident_bytes"] > 1000000' <<<"$output"
  run --separate-stderr "$BIN" status surplus
  [ "$status" = 2 ]
  run --separate-stderr "$BIN" status --token wrong
  [ "$status" = 4 ]
  run --separate-stderr "$BIN" status --url http://127.0.0.1:1
  [ "$status" = 3 ]
}

@test "status --watch looks again and again, over a restart, until Ctrl-C" {
  start_daemon
  background env --default-signal=INT "$BIN" status --watch --interval 100ms --format json >"$T/looks" 2>"$T/err"
  local pid=$BG first
  looks() { [ "$(jq -s 'map(.server.pid) | unique | length' "$T/looks")" -ge "$1" ]; }
  wait_until eval '[ "$(wc -l <"$T/looks")" -ge 3 ]'
  kill_daemon
  restart_daemon
  wait_until looks 2
  kill -INT "$pid"
  local status=0
  wait_exit "$pid" 5 || status=$?
  [ "$status" = 130 ]
  run "$BIN" status --watch --interval 1
  [ "$status" = 2 ]
}

@test "broadcast says how many received it" {
  start_daemon
  local i
  for i in 1 2; do
    background "$BIN" subscribe channel:c >"$T/events.$i" 2>"$T/notices.$i"
    wait_until grep -q '^subscribed' "$T/notices.$i"
  done
  [ "$("$BIN" broadcast -c c -e news hello)" = 'received by 2 on channel c' ]
  [ "$("$BIN" broadcast -c none hello)" = 'received by 0 on channel none' ]
  [ "$("$BIN" broadcast hello)" = 'received by 2' ]
  [ "$("$BIN" broadcast --format json -c c x | jq -c '[.channel, .delivered, (.connections | length)]')" = '["c",2,2]' ]
  [ "$("$BIN" broadcast -q -c c 5)" = '' ]
  "$BIN" broadcast -q -c c '"a string"'
  printf '{"from": "stdin"}\n' | "$BIN" broadcast -q -c c -
  printf 'two\nlines\n' | "$BIN" broadcast -q -c c -
  "$BIN" broadcast -q -c c ''
  wait_until eval '[ "$(wc -l <"$T/events.1")" = 8 ]'
  [ "$(jq -c .message "$T/events.1")" = '"hello"
"hello"
"x"
5
"\"a string\""
{"from":"stdin"}
"two\nlines"
""' ]
  [ "$(head -n 1 "$T/events.1" | jq -r .event)" = news ]
  local wrong
  for wrong in '' 'a b'; do
    # shellcheck disable=SC2086 # words
    run "$BIN" broadcast $wrong
    [ "$status" = 2 ]
  done
  run "$BIN" broadcast $'\xff'
  [ "$status" = 2 ]
}

@test "import: JSON, JSON lines and CSV, told apart by name or by look" {
  start_daemon
  printf '{"data":{"rows":[{"a":1,"b":"x"},{"a":2}]}}' >"$T/in.json"
  printf '{"a":1}\n{"a":2}\n{"a":3}\n' >"$T/in.jsonl"
  printf 'a,b\n1,"x, y"\n2,\n' >"$T/in.csv"
  [ "$("$BIN" import j "$T/in.json" --at /data/rows --create)" = '2 rows into table j' ]
  [ "$("$BIN" import l "$T/in.jsonl" --create)" = '3 rows into table l' ]
  [ "$("$BIN" import l "$T/in.jsonl" --create)" = '3 rows into table l' ]
  [ "$("$BIN" import c "$T/in.csv" --create)" = '2 rows into table c' ]
  [ "$("$BIN" import l - <"$T/in.jsonl")" = '3 rows into table l' ]
  [ "$("$BIN" import c - <"$T/in.csv")" = '2 rows into table c' ]
  [ "$(cat "$T/in.csv" | "$BIN" import --format json c - | jq -c '[.table, .rows]')" = '["c",2]' ]
  [ "$(cat "$T/in.csv" | "$BIN" import c - --input csv -q)" = '' ]
  [ "$(echo '[{"a":9}]' | "$BIN" import j -)" = '1 row into table j' ]
  cp "$T/in.jsonl" "$T/in.txt"
  "$BIN" import l "$T/in.txt"
  [ "$("$BIN" query --no-header 'SELECT (SELECT count(*) FROM j), (SELECT count(*) FROM l), (SELECT count(*) FROM c)')" = '3,12,8' ]
  [ "$("$BIN" query --format json 'SELECT * FROM c LIMIT 1' | jq -c '.[]')" = '{"a":1,"b":"x, y"}' ]
  "$BIN" import 'a "quoted" näme' "$T/in.csv" --create
  [ "$("$BIN" query --no-header 'SELECT count(*) FROM "a ""quoted"" näme"')" = 2 ]
}

@test "import: what goes wrong is said, and how many rows were kept" {
  start_daemon
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)'
  i() { run --separate-stderr "$BIN" import "$@"; }
  jq -cn 'range(5000) | {id: ., x: "a"}' >"$T/in.jsonl"
  echo '{"id": 0, "x": "again"}' >>"$T/in.jsonl"
  i t "$T/in.jsonl" --atomic
  [ "$status" = 5 ]
  [ "$(sql 'SELECT count(*) FROM t')" = '[[0]]' ]
  i t "$T/in.jsonl"
  [ "$status" = 5 ]
  [ "$output" = '' ]
  local kept
  kept=$(sql 'SELECT count(*) FROM t' | tr -d '[]')
  if [ "$kept" != 0 ]; then [[ $stderr == *"$kept rows were kept"* ]]; fi
  i none "$T/in.jsonl"
  [ "$status" = 5 ]
  [[ $stderr == *TABLE_NOT_FOUND* ]]
  echo '[{"id": 1' >"$T/broken.json"
  i t "$T/broken.json"
  [ "$status" = 5 ]
  i t "$T/absent"
  [ "$status" = 2 ]
  i t "$T"
  [ "$status" = 2 ]
  i t
  [ "$status" = 2 ]
  i t "$T/in.jsonl" --input xml
  [ "$status" = 2 ]
  i t "$T/in.jsonl" --token wrong
  [ "$status" = 4 ]
  kill_daemon
  i t "$T/in.jsonl"
  [ "$status" = 3 ]
}

@test "import: a big file streams, from a pipe too, with a progress bar on a terminal" {
  start_daemon
  local n=200000
  seq "$n" | awk '{ printf "{\"n\":%d,\"text\":\"some text to make it longer\"}\n", $1 }' >"$T/big.jsonl"
  [ "$("$BIN" import a "$T/big.jsonl" --create)" = "$n rows into table a" ]
  [ "$(cat "$T/big.jsonl" | "$BIN" import b - --create)" = "$n rows into table b" ]
  [ "$(sql 'SELECT count(*), sum(n) FROM b')" = "[[$n,$((n * (n + 1) / 2))]]" ]
  script -qec "$BIN import c $T/big.jsonl --create" /dev/null </dev/null >"$T/tty"
  grep -q '█' "$T/tty"
  grep -q '100%' "$T/tty" || grep -q '[0-9]%' "$T/tty"
  grep -q "$n rows into table c" "$T/tty"
  script -qec "$BIN import -q d $T/big.jsonl --create" /dev/null </dev/null >"$T/tty"
  [ ! -s "$T/tty" ]
}

@test "import: Ctrl-C ends it" {
  start_daemon
  mkfifo "$T/fifo"
  background env --default-signal=INT "$BIN" import t "$T/fifo" --create --input jsonl >"$T/out" 2>"$T/err"
  local pid=$BG status=0
  exec 9>"$T/fifo"
  seq 20000 | sed 's/.*/{"n":&}/' >&9
  kill -INT "$pid"
  wait_exit "$pid" 10 || status=$?
  exec 9>&-
  [ "$status" = 130 ]
  [ "$(sql 'SELECT 1')" = '[[1]]' ]
}

@test "every command has help, and the common options stand before or after it" {
  local c
  for c in query subscribe status broadcast connections subscriptions import; do
    run --separate-stderr "$BIN" "$c" --help
    [ "$status" = 0 ]
    [[ ${lines[0]} == "rustydb $c: "* ]]
    [ "$stderr" = '' ]
    [ -z "$(awk 'length > 100' <<<"$output")" ]
  done
  start_daemon
  unset RUSTYDB_URL
  [ "$("$BIN" --url "http://127.0.0.1:$PORT" query --no-header 'SELECT 1')" = 1 ]
  [ "$("$BIN" query 'SELECT 1' --no-header --url "127.0.0.1:$PORT")" = 1 ]
  [ "$("$BIN" --format jsonl --token "$TOKEN" query 'SELECT 1 AS a' --url "http://localhost:$PORT/")" = '{"a":1}' ]
}

@test "a proxy in the environment is not for this machine" {
  start_daemon
  export http_proxy=http://127.0.0.1:1 HTTP_PROXY=http://127.0.0.1:1 ALL_PROXY=http://127.0.0.1:1
  [ "$("$BIN" query --no-header 'SELECT 1')" = 1 ]
  "$BIN" query 'CREATE TABLE t (x); INSERT INTO t VALUES (1)'
  [ "$("$BIN" subscribe -q t --since 0 --count 1 | jq -c .row)" = '{"x":1}' ]
}
