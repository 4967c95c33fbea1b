#!/usr/bin/env bats
# Idempotency-Key: a POST that is repeated is carried out once.
# shellcheck disable=SC2154,SC2030,SC2031 # set by api; every test is a subshell

load helper

header() { grep -qiE "^$1: $2\$" <<<"$headers" || { printf 'no %s: %s in\n%s\n' "$1" "$2" "$headers" >&2; return 1; }; }
replayed() { grep -qi '^idempotency-replayed: true$' <<<"$headers"; }
# once KEY PATH BODY
once() { api POST "$2" "$3" -H "Idempotency-Key: $1"; }
insert() { once "$1" /query "{\"sql\": \"INSERT INTO t (x) VALUES (${2:-1})\"}"; }
count() { sql 'SELECT count(*) FROM t'; }

table() { sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, x)'; }

@test "a repeated request is answered as the first time, and done once" {
  start_daemon --reactors 2
  table
  insert a
  [ "$status_code" = 200 ] && ! replayed
  local first=$body i
  for i in 1 2 3 4 5; do
    insert a
    [ "$status_code" = 200 ] && replayed && [ "$body" = "$first" ]
  done
  [ "$(count)" = '[[1]]' ]
  insert b
  ! replayed
  api POST /query '{"sql": "INSERT INTO t (x) VALUES (1)"}'
  [ "$(count)" = '[[3]]' ]
}

@test "status and headers come again, too" {
  start_daemon
  once q /queries '{"name": "one", "sql": "SELECT 1"}'
  [ "$status_code" = 201 ] && ! replayed
  local tag
  tag=$(sed -n 's/^etag: //p' <<<"$headers")
  once q /queries '{"name": "one", "sql": "SELECT 1"}'
  [ "$status_code" = 201 ] && replayed
  header location /api/v1/queries/one
  header etag "$tag"
  once r /queries '{"name": "one", "sql": "SELECT 1"}'
  expect_problem 409 CONFLICT
  api DELETE /queries/one
  once r /queries '{"name": "one", "sql": "SELECT 1"}'
  expect_problem 409 CONFLICT
  replayed
}

@test "a key stands for one request" {
  start_daemon
  table
  insert a 1
  insert a 2
  expect_problem 422 IDEMPOTENCY_MISMATCH
  once a /batch '{"statements": [{"sql": "INSERT INTO t (x) VALUES (1)"}]}'
  expect_problem 422 IDEMPOTENCY_MISMATCH
  once a '/queries' '{"name": "one", "sql": "SELECT 1"}'
  expect_problem 422 IDEMPOTENCY_MISMATCH
  insert a 1
  [ "$status_code" = 200 ] && replayed
  [ "$(count)" = '[[1]]' ]
}

@test "while the first is under way, its repetition is a conflict" {
  start_daemon
  table
  api POST /transactions
  local tx
  tx=$(jq -r .transaction_id <<<"$body")
  background curl -sS -o "$T/first" -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -H 'Idempotency-Key: a' --data '{"sql": "INSERT INTO t (x) VALUES (1)"}' "$RUSTYDB_URL/api/v1/query"
  is_refused() { insert a && [ "$status_code" = 409 ]; }
  waits() { api GET '/monitoring/queries?state=waiting' && jq -e '.total == 1' <<<"$body"; }
  wait_until waits
  is_refused
  expect_problem 409 CONFLICT
  api POST "/transactions/$tx/rollback"
  [ "$status_code" = 200 ]
  wait_exit "$BG"
  insert a
  [ "$status_code" = 200 ] && replayed && [ "$body" = "$(cat "$T/first")" ]
  [ "$(count)" = '[[1]]' ]
}

@test "who hangs up and tries again gets it done once" {
  start_daemon --reactors 2
  table
  case_of idempotency hanging_up
}

@test "what is streamed only reads, and is read anew" {
  start_daemon
  table
  local big='{"sql": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 100000) SELECT n, (SELECT count(*) FROM t) FROM c"}'
  once a /query "$big"
  [ "$(jq '.rows | length' "$T/answer")" = 100000 ]
  insert b
  once a /query "$big"
  ! replayed
  [ "$(jq '.rows[0][1]' "$T/answer")" = 1 ]
}

@test "what is no key is refused, and so is a key where the body is not kept" {
  start_daemon
  table
  insert "$(printf 'k%.0s' {1..256})"
  expect_problem 400 INVALID_MESSAGE
  insert "$(printf 'k%.0s' {1..255})"
  [ "$status_code" = 200 ]
  insert $'caf\xc3\xa9'
  expect_problem 400 INVALID_MESSAGE
  once a /import/t '[{"x": 1}]'
  expect_problem 400 INVALID_MESSAGE
  [ "$(count)" = '[[1]]' ]
}

@test "a wrong request leaves no key behind" {
  start_daemon
  table
  once a /query '{"sql": 1}'
  expect_problem 400 INVALID_MESSAGE
  TOKEN=wrong insert a
  expect_problem 401 AUTH_FAILED
  insert a
  [ "$status_code" = 200 ] && ! replayed
}

@test "keys are forgotten after their time, and bounded in number" {
  start_daemon --idempotency-keep 3s --idempotency-max 1k
  table
  insert a
  insert b
  insert c
  expect_problem 503 BUSY
  header retry-after 1
  fresh() { insert d && [ "$status_code" = 200 ]; }
  wait_until fresh
  again() { insert a && [ "$status_code" = 200 ] && ! replayed; }
  wait_until again
}
