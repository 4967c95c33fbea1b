#!/usr/bin/env bats
# Backups: taken while the database is in use, verified, restored, removed.

load helper

# backup [NAME]: makes one and waits for it.
backup() { api POST /admin/backups "${1:+{\"name\": \"$1\"\}}" -H 'Prefer: wait=60'; }
restore() { api POST "/admin/backups/$1/restore" "{\"to\": \"$2\"}" -H 'Prefer: wait=60'; }
verify() { api POST "/admin/backups/$1/verify" '' -H 'Prefer: wait=60'; }

@test "a backup is made, listed, shown, verified and removed" {
  start_daemon
  sql "CREATE TABLE t(a)"
  sql "INSERT INTO t VALUES(1), (2)"
  api GET /admin/backups
  [ "$(jq -c . <<<"$body")" = '{"backups":[],"total":0,"offset":0,"limit":100}' ]
  backup first
  [ "$status_code" = 201 ]
  grep -q '^location: /api/v1/admin/backups/first$' <<<"$headers"
  api GET /server/info
  local log_id
  log_id=$(jq -r .log_id <<<"$body")
  api GET /admin/backups/first
  [ "$(jq -c '[.name, .log_id, .lsn]' <<<"$body")" = "[\"first\",\"$log_id\",3]" ]
  [ "$(jq .bytes <<<"$body")" = "$(stat -c %s "$DIR/backups/first.db")" ]
  [ "$(stat -c %a "$DIR/backups/first.db")" = 600 ]
  [ "$(stat -c %a "$DIR/backups")" = 700 ]
  backup first
  expect_problem 409 CONFLICT
  backup
  [ "$status_code" = 201 ]
  [[ "$(jq -r .name <<<"$body")" = backup-2*T*Z ]]
  api GET '/admin/backups?offset=1'
  [ "$(jq -c '[.total, .backups[].name]' <<<"$body")" = '[2,"first"]' ]
  verify first
  [ "$(jq -c . <<<"$body")" = '{"problems":[],"ok":true}' ]
  api DELETE /admin/backups/first
  [ "$status_code" = 204 ]
  for call in 'GET first' 'DELETE first' 'POST first/verify'; do
    api "${call% *}" "/admin/backups/${call#* }"
    expect_problem 404 NOT_FOUND
  done
  restore first there
  expect_problem 404 NOT_FOUND
  api GET /admin/backups
  [ "$(jq .total <<<"$body")" = 1 ]
}

@test "progress is told in pages" {
  start_daemon
  sql "CREATE TABLE t(a)"
  sql "INSERT INTO t VALUES(zeroblob(3000000))"
  backup one
  api GET '/admin/jobs?limit=1'
  [ "$(jq -c '.jobs[0] | [.kind, .target, .progress.unit, .progress.done == .progress.total, .progress.done > 700]' <<<"$body")" = \
    '["backup","one","pages",true,true]' ]
}

@test "a restored folder is served: the same rows, a log of its own, a token of its own" {
  start_daemon
  sql "CREATE TABLE t(a)"
  sql "INSERT INTO t VALUES(1), (2)"
  api GET /server/info
  local log_id old_token=$TOKEN
  log_id=$(jq -r .log_id <<<"$body")
  backup one
  sql "INSERT INTO t VALUES(3)"
  restore one there
  [ "$status_code" = 201 ]
  [ "$(jq -r .data_dir <<<"$body")" = "$DIR/backups/there" ]
  [ "$(jq .lsn <<<"$body")" = 3 ]
  restore one there
  expect_problem 409 CONFLICT
  [ "$(sql 'SELECT count(*) FROM t' | jq -c flatten)" = '[3]' ]
  stop_daemon

  start_daemon --data "$DIR/backups/there"
  [ "$TOKEN" != "$old_token" ]
  [ "$(sql 'SELECT count(*) FROM t' | jq -c flatten)" = '[2]' ]
  api GET /server/info
  [ "$(jq -r .log_id <<<"$body")" != "$log_id" ]
  sql "INSERT INTO t VALUES(4)"
  case_of backup old_position "$log_id"
}

@test "a backup is one moment of a database that is being written to" {
  start_daemon
  sql "CREATE TABLE a(x)"
  sql "CREATE TABLE b(n)"
  sql "INSERT INTO a VALUES(randomblob(10000000))"
  case_of backup while_writing
  local file
  for file in "$DIR"/backups/*.db; do
    [ "$(sqlite3 "file:$file?immutable=1" 'SELECT (SELECT count(*) FROM a) - (SELECT count(*) FROM b)')" = 1 ]
  done
}

@test "names stay inside the folder" {
  start_daemon
  local name
  for name in '../x' '/etc/x' '.x' 'a/b' 'a b' 'ä' '' "$(printf 'x%.0s' {1..65})"; do
    api POST /admin/backups "$(jq -cn --arg n "$name" '{name: $n}')"
    expect_problem 400 INVALID_MESSAGE
  done
  backup one
  for name in '../x' '/tmp/x' '.x' '..'; do
    restore one "$name"
    expect_problem 400 INVALID_MESSAGE
  done
  for name in '..%2Frustydb' '..%2F..%2Fetc%2Fpasswd' '.one' '%2e%2e'; do
    api DELETE "/admin/backups/$name" '' --path-as-is
    [ "$status_code" = 400 ] || [ "$status_code" = 404 ]
  done
  [ -e "$DIR/rustydb.db" ]
}

@test "damage in a backup is found, and files that are none are no danger" {
  start_daemon --backup-dir "$T/backups"
  sql "CREATE TABLE t(a, b)"
  sql "CREATE INDEX i ON t(b)"
  sql "INSERT INTO t VALUES(1, zeroblob(100000))"
  backup one
  [ -e "$T/backups/one.db" ]
  local at
  for ((at = 4096; at < $(stat -c %s "$T/backups/one.db"); at += 4096)); do
    printf '\377\377\377\377\377' | dd of="$T/backups/one.db" bs=1 seek="$at" conv=notrunc status=none
  done
  verify one
  [ "$status_code" = 200 ]
  [ "$(jq -c '[.ok, (.problems | length > 0)]' <<<"$body")" = '[false,true]' ]
  restore one there
  expect_problem 500 CORRUPT
  [ ! -e "$T/backups/there" ]
  echo text >"$T/backups/two.db"
  mkdir "$T/backups/three.db"
  touch "$T/backups/.four.db" "$T/backups/five"
  api GET /admin/backups
  [ "$(jq -c '[.backups[] | .name, .lsn]' <<<"$body")" = '["two",null,"one",null]' ]
  verify two
  [ "$(jq .ok <<<"$body")" = false ]
}

@test "a full disk: a clear error, and nothing is left" {
  [ "$(id -u)" = 0 ] || skip "mounting a small disk takes root"
  mkdir "$T/small"
  mount -t tmpfs -o "size=2m,mode=700" none "$T/small" 2>/dev/null || skip "no mount allowed here"
  MOUNTS+=("$T/small")
  start_daemon --backup-dir "$T/small"
  sql "CREATE TABLE t(a)"
  sql "INSERT INTO t VALUES(randomblob(700000))"
  backup one
  [ "$status_code" = 201 ]
  restore one there
  expect_problem 507 DISK_FULL
  [ "$(ls -A "$T/small")" = one.db ]
  backup two
  expect_problem 507 DISK_FULL
  [ "$(ls -A "$T/small")" = one.db ]
  sql "INSERT INTO t VALUES(1)"
}

@test "what a crash left of a backup is in nobody's way" {
  start_daemon
  mkdir -p "$DIR/backups/.there.part"
  echo half >"$DIR/backups/.one.part"
  echo half >"$DIR/backups/.there.part/rustydb.db"
  backup one
  [ "$status_code" = 201 ]
  restore one there
  [ "$status_code" = 201 ]
  [ "$(find "$DIR/backups" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | xargs)" = 'one.db there' ]
}
