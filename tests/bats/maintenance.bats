#!/usr/bin/env bats
# Jobs: work that takes long, and the maintenance that is done so.

load helper

# job ID FILTER: what a job says.
job() {
  api GET "/admin/jobs/$1" && [ "$status_code" = 200 ] && jq -c "$2" <<<"$body"
}
job_is() { [ "$(job "$1" .state)" = "\"$2\"" ]; }

# started: the id of the job that the last answer has accepted.
started() {
  [ "$status_code" = 202 ] || { echo "status $status_code: $body" >&2; return 1; }
  [ "$(sed -n 's/^location: //p' <<<"$headers")" = "/api/v1/admin/jobs/$(jq -r .id <<<"$body")" ] || return 1
  jq -r .id <<<"$body"
}

# now OPERATION: does it and waits for its result.
now() { api POST "/admin/maintenance/$1" '' -H 'Prefer: wait=60'; }

fill() {
  sql "CREATE TABLE t(a INTEGER PRIMARY KEY, b)"
  sql "INSERT INTO t SELECT value, randomblob(1000) FROM (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL
    SELECT value + 1 FROM n WHERE value < 3000) SELECT value FROM n)"
}

# hold_writer: an interactive transaction has the writer until free_writer.
hold_writer() {
  api POST /transactions '{}' && TX=$(jq -r .transaction_id <<<"$body") && [ "$TX" != null ]
}
free_writer() { api POST "/transactions/$TX/rollback"; }

@test "a job is accepted, runs, and tells its result" {
  start_daemon
  fill
  api POST /admin/maintenance/checkpoint
  local id
  id=$(started)
  [ "$(jq -c '[.kind, .target, .user, .progress]' <<<"$body")" = \
    '["checkpoint",null,"root",{"done":0,"total":null,"unit":null}]' ]
  wait_until job_is "$id" done
  [ "$(job "$id" '.result.log_bytes_after')" = 0 ]
  [ "$(job "$id" '.result | .log_bytes_before > 3000000 and .log_pages_moved > 700 and .database_bytes_after > 3000000')" = true ]
  [ "$(job "$id" '.problem == null and .created_at <= .started_at and .started_at <= .finished_at')" = true ]
  api GET /admin/jobs/none
  expect_problem 404 NOT_FOUND
}

@test "a request may wait for the result" {
  start_daemon
  fill
  sql "CREATE INDEX i ON t(b)"
  now checkpoint
  sql "DROP INDEX i"
  now vacuum
  [ "$status_code" = 200 ]
  grep -q '^preference-applied: wait' <<<"$headers"
  [ "$(jq -c '[.database_bytes_before - .database_bytes_after > 3000000, .log_bytes_after]' <<<"$body")" = '[true,0]' ]
  [ "$(sql 'SELECT count(*) FROM t' | jq -c flatten)" = '[3000]' ]
  now analyze
  [ "$status_code" = 200 ]
  [ "$(sql "SELECT tbl FROM sqlite_stat1" | jq -c flatten)" != '[]' ]
  now optimize
  [ "$status_code" = 200 ]
  now integrity-check
  [ "$(jq -c . <<<"$body")" = '{"problems":[],"ok":true}' ]
}

@test "a request that has waited in vain gets the job" {
  start_daemon --transaction-idle 60s
  hold_writer
  api POST /admin/maintenance/checkpoint '' -H 'Prefer: respond-async, wait="1"; x=y'
  local id
  id=$(started)
  job_is "$id" running
  free_writer
  wait_until job_is "$id" done
}

@test "integrity-check finds rows that refer to nothing" {
  start_daemon
  sql "CREATE TABLE parent(id INTEGER PRIMARY KEY)"
  sql "CREATE TABLE child(id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent(id))"
  stop_daemon
  sqlite3 "$DIR/rustydb.db" "INSERT INTO child VALUES(7, 99)"
  start_daemon
  now integrity-check
  [ "$status_code" = 200 ]
  [ "$(jq -c . <<<"$body")" = \
    '{"problems":["row 7 of table \"child\" refers to a row of \"parent\" that is not there"],"ok":false}' ]
}

@test "jobs wait for each other, are listed, and can be cancelled" {
  start_daemon --transaction-idle 60s
  hold_writer
  local first second waiting
  api POST /admin/maintenance/vacuum
  first=$(started)
  wait_until job_is "$first" running
  api POST /admin/maintenance/analyze
  second=$(started)
  job_is "$second" queued
  api GET '/admin/jobs?state=queued'
  [ "$(jq -c '[.total, .jobs[].id]' <<<"$body")" = "[1,\"$second\"]" ]
  api GET '/admin/jobs?limit=1'
  [ "$(jq -c '[.total, .jobs[].id]' <<<"$body")" = "[2,\"$second\"]" ]

  background curl -sS -o "$T/waited" -w '%{http_code}' -X POST -H "Authorization: Bearer $TOKEN" \
    -H 'Prefer: wait=60' "$RUSTYDB_URL/api/v1/admin/maintenance/optimize"
  local waiter=$BG
  third() { api GET '/admin/jobs?state=queued' && [ "$(jq .total <<<"$body")" = 2 ]; }
  wait_until third
  waiting=$(jq -r '.jobs[0].id' <<<"$body")
  api POST "/admin/jobs/$waiting/cancel"
  [ "$status_code" = 202 ]
  wait_exit "$waiter"
  [ "$(jq -r .code "$T/waited")" = CANCELLED ]

  api POST "/admin/jobs/$second/cancel"
  [ "$(jq -c '[.state, .problem.code]' <<<"$body")" = '["cancelled","CANCELLED"]' ]
  api POST "/admin/jobs/$second/cancel"
  expect_problem 409 CONFLICT
  api POST "/admin/jobs/$first/cancel"
  [ "$status_code" = 202 ]
  wait_until job_is "$first" cancelled
  api POST "/admin/jobs/none/cancel"
  expect_problem 404 NOT_FOUND
  free_writer
  now checkpoint
  [ "$status_code" = 200 ]
}

@test "as many jobs wait as may" {
  start_daemon --transaction-idle 60s
  hold_writer
  local i
  api POST /admin/maintenance/checkpoint
  wait_until job_is "$(started)" running
  for i in {1..32}; do
    api POST /admin/maintenance/analyze
    [ "$status_code" = 202 ]
  done
  api POST /admin/maintenance/analyze
  expect_problem 503 BUSY
}

@test "a stop ends jobs and answers who waits; a client that leaves does no harm" {
  start_daemon --transaction-idle 60s
  hold_writer
  background curl -sS -o "$T/waited" -X POST -H "Authorization: Bearer $TOKEN" \
    -H 'Prefer: wait=60' "$RUSTYDB_URL/api/v1/admin/maintenance/checkpoint"
  local stays=$BG
  one() { api GET '/admin/jobs?state=running' && [ "$(jq .total <<<"$body")" = 1 ]; }
  wait_until one
  background curl -sS -o "$T/left" -X POST -H "Authorization: Bearer $TOKEN" \
    -H 'Prefer: wait=60' "$RUSTYDB_URL/api/v1/admin/maintenance/analyze"
  two() { api GET '/admin/jobs?state=queued' && [ "$(jq .total <<<"$body")" = 1 ]; }
  wait_until two
  kill -KILL "$BG"
  stop_daemon
  wait_exit "$stays"
  [ "$(jq -r .code "$T/waited")" = SHUTTING_DOWN ]
}
