#!/usr/bin/env bats
# Bad input and bad surroundings: a clear error each time, and nothing lost.
# shellcheck disable=SC2154,SC2016,SC2030,SC2031 # set by api; $base64; every test is a subshell

load helper

holds() { # FILTER: the last answer's body satisfies it
  jq -e "$1" <<<"$body" >/dev/null || {
    printf 'status %s does not satisfy %s: %s\n' "$status_code" "$1" "$body" >&2
    return 1
  }
}

# ---- requests ---------------------------------------------------------------------------------------

@test "JSON that is none, wrong types, unknown fields: INVALID_MESSAGE that says what" {
  start_daemon
  local bad
  for bad in '{' 'x' '[]' '5' 'null' '"SELECT 1"' '{}' '{"sql": 5}' '{"sql": null}' '{"sql": ["SELECT 1"]}' \
    '{"sql": "SELECT 1", "parms": [1]}' '{"sql": "SELECT 1", "SQL": "SELECT 2"}' \
    '{"sql": "SELECT ?", "params": 5}' '{"sql": "SELECT ?", "params": "x"}' '{"sql": "SELECT ?", "params": [[1]]}' \
    '{"sql": "SELECT ?", "params": [{"a": 1}]}' '{"sql": "SELECT ?", "params": [{"$base64": "***"}]}' \
    '{"sql": "SELECT ?", "params": [{"$base64": 5}]}' '{"sql": "SELECT ?", "params": [{"$real": "big"}]}' \
    '{"sql": "SELECT ?", "params": [{"$base64": "AA==", "more": 1}]}' \
    '{"sql": "SELECT 1", "timeout_ms": "x"}' '{"sql": "SELECT 1", "timeout_ms": -1}' '{"sql": "SELECT 1", "timeout_ms": 1.5}' \
    '{"sql": "SELECT 1", "max_rows": -1}' '{"sql": "SELECT 1", "max_rows": true}' '{"sql": "SELECT 1", "id": 5}' \
    '{"sql": "SELECT 1", "id": "'"$(printf 'x%.0s' {1..100})"'"}' '{"sql": "SELECT 1"} trailing' \
    '{"sql": "SELECT 1", "sql": "SELECT 2"}' '{"sql": "SELECT 1\u0000; DROP TABLE t"}' \
    '{"sql": "SELECT ?", "params": [1e999]}' '{"sql": "SELECT ?", "params": [NaN]}' "{'sql': 'SELECT 1'}"; do
    api POST /query "$bad"
    expect_problem 400 INVALID_MESSAGE || { echo "$bad"; false; }
  done
  for bad in '{"statements": {}}' '{"statements": [5]}' '{"statements": [{}]}' '{"statements": [{"sql": "SELECT 1", "x": 1}]}' \
    '{"statements": [{"sql": "SELECT 1"}], "atomic": "yes"}' '{"statements": [{"sql": "SELECT 1"}], "atom": true}' '{}'; do
    api POST /batch "$bad"
    expect_problem 400 INVALID_MESSAGE || { echo "$bad"; false; }
  done
  for bad in '{}' '{"message": 1, "chanel": "x"}' '{"message": 1, "channel": 5}' '{"message": 1, "channel": ""}' '[]'; do
    api POST /ws/broadcast "$bad"
    expect_problem 400 INVALID_MESSAGE || { echo "$bad"; false; }
  done
  api POST /transactions '{"surprise": 1}'
  expect_problem 400 INVALID_MESSAGE
  api POST /query '{"sql": "SELECT 1"}'
  holds '.rows == [[1]]'
}

@test "deep nesting is refused" {
  start_daemon
  local deep
  deep=$(printf '[%.0s' {1..20000})
  api POST /query "{\"sql\": \"SELECT 1\", \"params\": $deep"
  expect_problem 400 INVALID_MESSAGE
  jq -n '[range(100000) | {a: .}]' >/dev/null
  api POST '/import/t?create=true' "$deep"
  [ "$status_code" = 400 ]
  api POST /ws/broadcast "{\"message\": $deep"
  expect_problem 400 INVALID_MESSAGE
  api GET /health/liveness
  [ "$status_code" = 200 ]
}

@test "SQL errors say what and where" {
  start_daemon
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT NOT NULL UNIQUE CHECK (x <> '"'bad'"'))'
  api POST /query '{"sql": "SELECT 1 FROM t WHERE nope = 1"}'
  expect_problem 400 QUERY_ERROR
  holds '.position == 22 and (.detail | contains("nope"))'
  api POST /query '{"sql": "SELECT 1 FORM t"}'
  expect_problem 400 QUERY_ERROR
  holds '.position == 14 and (.detail | contains("syntax error"))'
  api POST /query '{"sql": "SELECT '"'é'"', nope"}' # a byte offset
  expect_problem 400 QUERY_ERROR
  holds '.position == 13'
  api POST /query '{"sql": "SELECT * FROM missing"}'
  [ "$status_code" = 400 ] || [ "$status_code" = 404 ]
  holds '(.code == "TABLE_NOT_FOUND" or .code == "QUERY_ERROR") and (.detail | contains("missing"))'
  api POST /query '{"sql": "SELECT '"'open"'"}'
  expect_problem 400 QUERY_ERROR
  sql "INSERT INTO t VALUES (1, 'a')"
  local bad
  for bad in "INSERT INTO t VALUES (1, 'b')" "INSERT INTO t VALUES (2, 'a')" "INSERT INTO t VALUES (2, NULL)" \
    "INSERT INTO t VALUES (2, 'bad')"; do
    api POST /query "{\"sql\": \"$bad\"}"
    expect_problem 409 CONFLICT || { echo "$bad"; false; }
    holds '.detail | contains("t.") or contains("CHECK")'
  done
  api POST /query '{"sql": "SELECT abs(-9223372036854775808)"}'
  expect_problem 400 QUERY_ERROR
  [ "$(sql 'SELECT * FROM t')" = '[[1,"a"]]' ]
}

@test "invalid UTF-8 is refused on the way in and repaired on the way out" {
  start_daemon
  case_of bad_http invalid_utf8
}

@test "a body over the limit is 413, announced or not; odd lengths are refused" {
  start_daemon --max-body 64k
  case_of bad_http large_bodies
}

@test "a body of millions of values is 413 and costs nothing" {
  start_daemon
  case_of bad_http too_many_values
}

@test "a head over the limit is refused" {
  start_daemon
  case_of bad_http large_heads
}

@test "what is no HTTP at all is refused" {
  start_daemon
  case_of bad_http no_http_at_all
}

@test "unknown paths are 404, other methods 405 with Allow" {
  start_daemon
  local path method
  for path in /nowhere /query/x /tables/a/b /transactions/x/dance /health /health/other /ws/none '/tables/..%2fx'; do
    api GET "$path"
    [ "$status_code" = 404 ] || [ "$status_code" = 405 ] || { echo "$path: $status_code"; false; }
    [ "$path" != /nowhere ] || expect_problem 404 NOT_FOUND
  done
  api GET "$RUSTYDB_URL/nowhere"
  expect_problem 404 NOT_FOUND
  api GET "$RUSTYDB_URL/api/v2/query"
  expect_problem 404 NOT_FOUND
  api BREW /query # one that HTTP does not know
  [[ $status_code == 4?? ]]
  for method in GET PUT DELETE PATCH; do
    api "$method" /query
    expect_problem 405 METHOD_NOT_ALLOWED || { echo "$method"; false; }
    grep -qE '^allow: .*POST' <<<"$headers"
  done
  api POST /server/info '{}'
  expect_problem 405 METHOD_NOT_ALLOWED
  grep -qE '^allow: .*GET' <<<"$headers"
  api DELETE /health/liveness
  [ "$status_code" = 405 ]
  api HEAD /server/info '' --head
  [ "$status_code" = 200 ] || [ "$status_code" = 405 ]
}

@test "Transfer-Encoding together with Content-Length is 400 and the end of the connection" {
  start_daemon
  case_of bad_http transfer_encoding_and_length
}

@test "POSTs in one segment, 2 to 100: never a wrong body, a hang or a spin" {
  start_daemon
  case_of bad_http pipelined_posts
}

@test "GETs in one segment are all answered in order" {
  start_daemon
  case_of bad_http pipelined_gets
}

@test "a client that sends a byte at a time is cut off, and holds nobody up" {
  start_daemon --request-timeout 700ms
  case_of bad_conn a_byte_at_a_time
}

@test "a half-closed connection is answered or ended, never left waiting" {
  start_daemon
  case_of bad_conn half_closed
}

@test "connections reset at every step leave nothing behind" {
  start_daemon
  case_of bad_conn broken_at_every_step
}

@test "clients that never read are cut off; memory stays" {
  start_daemon --stall-timeout 2s
  case_of bad_conn never_reads
}

@test "a large answer arrives whole, whatever is sent before it is read" {
  start_daemon
  case_of bad_conn reads_late
}

@test "a slow statement is answered, in whichever form its body came" {
  start_daemon --request-timeout 1s
  case_of bad_conn slow_statements
}

@test "five hundred silent connections are ended in time" {
  start_daemon --request-timeout 1s
  case_of bad_conn silent_connections
}

@test "a decent client loses nothing among hostile ones" {
  start_daemon
  case_of bad_conn kept_writes_under_abuse
}

# ---- WebSocket --------------------------------------------------------------------------------------

@test "malformed messages are answered and the session stays" {
  start_daemon
  case_of bad_ws malformed_messages
}

@test "a message before authentication is AUTH_REQUIRED" {
  start_daemon
  case_of bad_ws before_authentication
}

@test "unmasked frames, unknown opcodes, bad UTF-8 and the like end the session with the right code" {
  start_daemon
  case_of bad_ws bad_frames
}

@test "a message over the limit is 1009, in one frame or in many" {
  start_daemon --max-message 64k
  case_of bad_ws large_messages
}

@test "a deflate bomb is 1009 and costs nothing" {
  start_daemon
  case_of bad_ws deflate_bomb
}

@test "a flood of subscriptions meets its limit" {
  start_daemon
  case_of bad_ws flood_of_subscriptions
}

@test "a flood of requests is answered, each of them" {
  start_daemon
  case_of bad_ws flood_of_requests
}

@test "sessions that never read are cut off; memory stays" {
  start_daemon --stall-timeout 2s --stream-buffer 256k
  case_of bad_ws never_reads
}

@test "sessions broken off at every step leave nothing behind" {
  start_daemon
  case_of bad_ws broken_at_every_step
}

@test "a message a byte at a time" {
  start_daemon
  case_of bad_ws slow_sender
}

# ---- surroundings -----------------------------------------------------------------------------------

small_disk() { # SIZE: a tmpfs at $T/small, or skips
  [ "$(id -u)" = 0 ] || skip "mounting a small disk takes root"
  mkdir "$T/small"
  mount -t tmpfs -o "size=$1,mode=700" none "$T/small" 2>/dev/null || skip "no mount allowed here"
  MOUNTS+=("$T/small")
}

@test "a full disk: DISK_FULL, what was acknowledged stays, and it goes on when there is room" {
  small_disk 12m
  DIR=$T/small/data
  start_daemon
  sql 'CREATE TABLE t (n INTEGER PRIMARY KEY, x BLOB)'
  local kept=0
  dd if=/dev/zero of="$T/small/ballast" bs=1M count=2 2>/dev/null
  while [ "$kept" -lt 500 ]; do
    api POST /query "{\"sql\": \"INSERT INTO t VALUES ($((kept + 1)), randomblob(100000))\"}"
    [ "$status_code" = 200 ] || break
    kept=$((kept + 1))
  done
  expect_problem 507 DISK_FULL
  [ "$kept" -gt 3 ]
  api POST /query '{"sql": "SELECT count(*), max(n) FROM t"}'
  holds ".rows == [[$kept, $kept]]"
  api POST /batch '{"atomic": true, "statements": [{"sql": "DELETE FROM t WHERE n = 1"}, {"sql": "INSERT INTO t VALUES (1000, randomblob(3000000))"}]}'
  [ "$status_code" = 507 ] || [ "$status_code" = 200 ]
  [ "$status_code" = 200 ] || [ "$(sql 'SELECT count(*) FROM t WHERE n = 1')" = '[[1]]' ]
  rm "$T/small/ballast"
  wait_until -t 10 room_again
  local count
  count=$(sql 'SELECT count(*) FROM t')
  kill_daemon
  rm -f "$T/small/ballast"
  restart_daemon
  [ "$(sql 'SELECT count(*) FROM t')" = "$count" ]
  [ "$(sql 'PRAGMA integrity_check')" = '[["ok"]]' ]
  api POST /query '{"sql": "SELECT max(n) FROM t"}'
  stop_daemon
}
room_again() {
  api POST /query '{"sql": "INSERT INTO t (x) VALUES (randomblob(1000))"}'
  [ "$status_code" = 200 ]
}

@test "a disk that is full from the start is a clear refusal" {
  small_disk 64k
  dd if=/dev/zero of="$T/small/ballast" bs=1k 2>/dev/null || true
  serve_fails --data "$T/small/data" --listen 127.0.0.1:0
  [ "$status" = 5 ] || [ "$status" = 1 ]
  [[ $stderr == *full* || $stderr == *"No space"* ]]
}

database_file() { find "$DIR" -type f -name '*.db' | head -n 1; }
sums() { (cd "$DIR" && find . -type f ! -name '*lock*' -exec sha256sum {} + | sort); }

@test "a corrupted database is refused at the start and left untouched, byte for byte" {
  start_daemon
  sql 'CREATE TABLE t (x)'
  sql "INSERT INTO t SELECT randomblob(1000) FROM (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 500) SELECT n FROM c)"
  stop_daemon
  local db how
  db=$(database_file)
  [ -s "$db" ]
  cp "$db" "$T/good"
  for how in header schema text short zero; do
    cp "$T/good" "$db"
    case $how in
    header) printf 'garbage garbage!' | dd of="$db" conv=notrunc 2>/dev/null ;;
    schema) head -c 3000 /dev/urandom | dd of="$db" bs=1 seek=100 conv=notrunc 2>/dev/null ;;
    text) printf 'this is a letter and no database, whatever its name says; it is longer than a header of one\n%.0s' {1..20} >"$db" ;;
    short) head -c 5000 "$T/good" >"$db" ;;
    zero) head -c 8192 /dev/zero | dd of="$db" conv=notrunc 2>/dev/null ;;
    esac
    sums >"$T/before"
    serve_fails --data "$DIR" --listen 127.0.0.1:0
    [ "$status" = 5 ] || [ "$status" = 1 ] || { echo "$how: $status $stderr"; false; }
    [ -z "$output" ]
    [[ ${stderr,,} == *damaged* || ${stderr,,} == *corrupt* || ${stderr,,} == *"not a database"* ]] || { echo "$how: $stderr"; false; }
    [[ $stderr == *"$db"* || $stderr == *"$DIR"* ]]
    sums | diff "$T/before" -
  done
  cp "$T/good" "$db"
  start_daemon
  [ "$(sql 'SELECT count(*) FROM t')" = '[[500]]' ]
}

as_nobody() { # COMMAND...: as a user who is not root
  if [ "$(id -u)" = 0 ]; then
    setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs "$@"
  else
    "$@"
  fi
}

@test "a folder that cannot be written to is a clear refusal" {
  chmod 755 "$T"
  cp "$BIN" "$T/rustydb" # the tree may be closed to others
  mkdir -m 777 "$T/others"
  mkdir -m 555 "$T/others/closed"
  HOME=$T/others
  export HOME XDG_RUNTIME_DIR=$T/others
  run --separate-stderr as_nobody timeout 20 "$T/rustydb" serve --data "$T/others/closed" --listen 127.0.0.1:0
  [ "$status" = 5 ] || [ "$status" = 1 ]
  [[ $stderr == *"$T/others/closed"* ]]
  [ -z "$(ls -A "$T/others/closed")" ]
  run --separate-stderr as_nobody timeout 20 "$T/rustydb" serve --data "$T/others/closed/inside" --listen 127.0.0.1:0
  [ "$status" = 5 ] || [ "$status" = 1 ]
  [[ $stderr == *"$T/others/closed"* ]]
  # A database that is there and may be read only.
  start_daemon
  sql 'CREATE TABLE t (x)'
  stop_daemon
  chmod -R a+rX,a-w "$DIR"
  sums >"$T/before"
  run --separate-stderr as_nobody timeout 20 "$T/rustydb" serve --data "$DIR" --listen 127.0.0.1:0
  [ "$status" = 5 ] || [ "$status" = 1 ]
  [[ $stderr == *"$DIR"* ]]
  sums | diff "$T/before" -
  chmod -R u+w "$T"
}

@test "a port in use is a clear refusal, and the first daemon goes on" {
  start_daemon
  serve_fails --data "$T/second" --listen "127.0.0.1:$PORT"
  [ "$status" != 0 ]
  [[ $stderr == *"$PORT"* && ${stderr,,} == *"in use"* ]]
  [ "$(sql 'SELECT 1')" = '[[1]]' ]
}

@test "a second daemon on the same folder is refused, and the first goes on" {
  start_daemon
  sql 'CREATE TABLE t (x)'
  serve_fails --data "$DIR" --listen 127.0.0.1:0
  [[ $stderr == *"$DIR"* ]]
  [ "$(cat "$DIR/root.token")" = "$TOKEN" ]
  sql 'INSERT INTO t VALUES (1)'
  kill_daemon
  start_daemon # a lock does not outlive its owner
  [ "$(sql 'SELECT x FROM t')" = '[[1]]' ]
}

@test "a data folder that is a file, an address that is none" {
  : >"$T/file"
  serve_fails --data "$T/file" --listen 127.0.0.1:0
  [[ $stderr == *"$T/file"* ]]
  local bad
  for bad in nonsense 127.0.0.1:99999 127.0.0.1:x :: 127.0.0.1:-1 300.1.1.1:80; do
    serve_fails --data "$DIR" --listen "$bad"
    [[ $stderr == *"$bad"* ]] || { echo "$bad: $stderr"; false; }
  done
}

@test "nothing follows the close frame" {
  start_daemon
  case_of bad_ws closing_is_the_last_word
}

@test "a line break in the path or query is refused, not taken for the end" {
  start_daemon
  sql 'CREATE TABLE t (x)'
  sql 'INSERT INTO t VALUES (1)'
  local target
  for target in '/tables/t%0A/rows/1' '/tables/t%0D/rows/1' '/tables/t%0D%0Ax%3A%20HTTP/1.1' \
    '/tables/t/rows?x=eq.1%0A&y=eq.2' '/tables/t/rows?x=eq.1&z=%0D&y=eq.2'; do
    api DELETE "$target"
    expect_problem 400 INVALID_MESSAGE
    [[ $body == *'line break'* ]]
  done
  [ "$(sql 'SELECT x FROM t')" = '[[1]]' ]
}

@test "a method that a path does not have is told so, whatever comes with it" {
  start_daemon
  api GET /query '{"sql":"SELECT 1"}'
  expect_problem 405 METHOD_NOT_ALLOWED
  api DELETE /tables '{}'
  expect_problem 405 METHOD_NOT_ALLOWED
  api GET /tables '{}'
  expect_problem 400 INVALID_MESSAGE
}
