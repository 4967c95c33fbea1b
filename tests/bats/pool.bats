#!/usr/bin/env bats
# The pool: looking at it, resizing it while statements run, draining it.
# shellcheck disable=SC2154,SC2016,SC2030,SC2031 # set by api; every test is a subshell

load helper

holds() { # FILTER: the last answer's body satisfies it
  jq -e "$1" <<<"$body" >/dev/null || {
    printf 'status %s does not satisfy %s: %s\n' "$status_code" "$1" "$body" >&2
    return 1
  }
}
says() { api GET "$1" && [ "$status_code" = 200 ] && holds "$2" 2>/dev/null; }
query() { api POST /query "$(jq -cn --arg sql "$1" '{sql: $sql}')"; }
endless() { echo "WITH RECURSIVE $1(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM $1) SELECT count(*) FROM $1"; }

# start_query ID SQL: runs it in the background; its answer goes to $T/ID.answer.
start_query() {
  jq -cn --arg id "$1" --arg sql "$2" '{id: $id, sql: $sql}' >"$T/$1.request"
  background curl -sS --max-time $((60 * SLOW)) -H "Authorization: Bearer $TOKEN" \
    -H 'Content-Type: application/json' --data-binary "@$T/$1.request" -o "$T/$1.answer" \
    "$RUSTYDB_URL/api/v1/query"
}
cancel() { api DELETE "/monitoring/queries/$1" && [ "$status_code" = 200 ]; }
threads_named() { grep -lx "$1" "/proc/$DAEMON_PID"/task/*/comm 2>/dev/null | wc -l; }
has_threads() { [ "$(threads_named sql-reader)" = "$1" ]; }

@test "the pool tells its threads, connections, queues and kept statements" {
  start_daemon --readers 2 --max-read-connections 5 --max-queue 77 --statement-cache 9
  api GET /pool
  [ "$status_code" = 200 ]
  holds '.state == "open" and .active == 0'
  holds '.readers == {threads: 2, wanted_threads: 2, busy_threads: 0, connections: .readers.connections,
    max_read_connections: 5, queued: 0, waiting_for_connection: 0, max_queue: 77}'
  holds '.writer.busy == false and .writer.queued == 0 and .writer.max_queue == 77 and .writer.transaction == null'
  query 'CREATE TABLE t (x)'
  query 'INSERT INTO t VALUES (1)'
  for _ in 1 2 3; do sql 'SELECT x FROM t'; done
  api GET /pool
  holds '.statements.kept >= 2 and .statements.capacity == 9 and .statements.hits >= 2 and .writer.commits >= 2
    and .writer.mean_group >= 1'
  start_query busy "$(endless c)"
  wait_until says /pool '.readers.busy_threads == 1 and .active == 1'
  api GET /pool/readers
  holds '.total >= 1 and ([.readers[] | select(.state == "running")] | length) == 1'
  holds '.readers | map(select(.query_id == "busy")) | length == 1'
  holds 'all(.readers[]; .jobs >= 1 and .state_ms >= 0 and .statements.capacity == 9)'
  api GET '/pool/readers?offset=1000'
  holds '.readers == []'
  cancel busy
  wait_until says /pool '.active == 0'
}

@test "the writer shows the transaction that has it" {
  start_daemon
  sql 'CREATE TABLE t (x)'
  api POST /transactions '{}'
  local tx
  tx=$(jq -r .transaction_id <<<"$body")
  wait_until says /pool/writer '.transaction != null'
  holds ".transaction.id == \"$tx\" and .transaction.open_ms >= .transaction.idle_ms and .transaction.idle_ms >= 0"
  start_query writes 'INSERT INTO t VALUES (1)'
  wait_until says /pool/writer '.queued == 1'
  api POST "/transactions/$tx/commit"
  wait_until says /pool/writer '.transaction == null and .queued == 0'
  wait_until test -s "$T/writes.answer"
  holds '.commits >= 2 and .busy == false'
}

@test "kept statements are forgotten on request, and statements go on" {
  start_daemon --readers 1
  local before
  sql 'CREATE TABLE t (x)'
  sql 'INSERT INTO t VALUES (1)'
  sql 'SELECT x FROM t'
  sql 'SELECT x FROM t'
  api GET /pool/statements
  holds '.readers.kept == 1 and .readers.hits == 1 and .readers.misses == 1 and .writer.kept == 1
    and .all.kept == 2'
  api DELETE /pool/statements
  [ "$status_code" = 200 ]
  holds '. == {forgotten: 2}'
  [ "$(sql 'SELECT x FROM t')" = '[[1]]' ]
  sql 'INSERT INTO t VALUES (2)'
  api GET /pool/statements
  holds '.readers.kept == 1 and .readers.hits == 1 and .readers.misses == 2 and .writer.kept == 1'
}

@test "readers are added and taken away while statements run, and none is lost" {
  start_daemon --readers 1
  local i
  start_query long "$(endless c)"
  wait_until says /pool '.readers.busy_threads == 1'
  for i in 1 2 3; do start_query "short-$i" 'SELECT 42 AS answer'; done
  wait_until says /pool '.readers.queued == 3'
  api PATCH /pool '{"readers": 3}'
  [ "$status_code" = 200 ]
  holds '.readers.threads == 3 and .readers.wanted_threads == 3'
  has_threads 3
  for i in 1 2 3; do
    wait_until test -s "$T/short-$i.answer"
    [ "$(jq -c .rows "$T/short-$i.answer")" = '[[42]]' ]
  done
  start_query long-2 "$(endless d)"
  wait_until says /pool '.readers.busy_threads == 2'
  api PATCH /pool '{"readers": 1}'
  wait_until has_threads 2 # those that run something
  api GET /pool
  holds '.readers.wanted_threads == 1 and .readers.threads == 2'
  cancel long
  wait_until has_threads 1
  cancel long-2
  wait_until test -s "$T/long-2.answer"
  [ "$(sql 'SELECT 1')" = '[[1]]' ]
  for i in 8 1 5 2; do api PATCH /pool "{\"readers\": $i}"; done
  wait_until has_threads 2
  [ "$(sql 'SELECT 1')" = '[[1]]' ]
}

@test "connections are limited at run time: idle ones close, waiting statements get new ones" {
  start_daemon --readers 4 --max-read-connections 1
  start_query one "$(endless c)"
  wait_until says /pool '.readers.busy_threads == 1'
  start_query two "$(endless d)"
  wait_until says /pool '.readers.waiting_for_connection == 1'
  api PATCH /pool '{"max_read_connections": 4}'
  holds '.readers.max_read_connections == 4'
  wait_until says /pool '.readers.busy_threads == 2 and .readers.connections == 2'
  api PATCH /pool '{"max_read_connections": 1}'
  cancel one
  wait_until says /pool '.readers.connections == 1'
  cancel two
  wait_until says /pool '.active == 0 and .readers.connections == 1'
  [ "$(sql 'SELECT 1')" = '[[1]]' ]
}

@test "what cannot be is refused" {
  start_daemon
  for bad in '{}' '{"readers": 0}' '{"readers": 65}' '{"max_read_connections": 0}' '{"readers": "2"}' '{"writers": 2}'; do
    api PATCH /pool "$bad"
    expect_problem 400 INVALID_MESSAGE
  done
}

@test "a drained pool refuses new statements, lets the others end, and is not ready" {
  start_daemon
  sql 'CREATE TABLE t (x)'
  start_query runs "$(endless c)"
  wait_until says /pool '.active == 1'
  api POST /transactions '{}'
  local tx
  tx=$(jq -r .transaction_id <<<"$body")
  api POST /pool/drain
  [ "$status_code" = 200 ]
  holds '.state == "draining" and .active == 1'
  query 'SELECT 1'
  expect_problem 503 BUSY
  holds '.hint | contains("/pool/resume")'
  query 'INSERT INTO t VALUES (1)'
  expect_problem 503 BUSY
  api POST /batch '{"statements": [{"sql": "SELECT 1"}]}'
  expect_problem 503 BUSY
  api POST /transactions '{}'
  expect_problem 503 BUSY
  api POST '/import/t?format=jsonl' '{"x": 1}' -H 'Content-Type: application/x-ndjson'
  expect_problem 503 BUSY
  api GET /health/readiness
  expect_problem 503 BUSY
  api GET /health/liveness
  [ "$status_code" = 200 ]
  api POST "/transactions/$tx/query" '{"sql": "INSERT INTO t VALUES (7)"}'
  [ "$status_code" = 200 ]
  api POST "/transactions/$tx/commit"
  [ "$status_code" = 200 ]
  cancel runs
  wait_until says /pool '.state == "drained"'
  api POST /pool/drain
  holds '.state == "drained"'
  api POST /pool/resume
  holds '.state == "open"'
  [ "$(sql 'SELECT x FROM t')" = '[[7]]' ]
  api GET /health/readiness
  [ "$status_code" = 200 ]
}

@test "a drained daemon stops as any other" {
  start_daemon
  api POST /pool/drain
  stop_daemon
}
