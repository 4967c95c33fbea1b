#!/usr/bin/env bats
# A Unix socket beside the port, or instead of it.
load helper

setup() {
  rustydb_setup
  SOCKET=$T/run/db.sock
}

start_unix() { start_daemon --listen-unix "$SOCKET" "$@"; }

# fetch ARGUMENT...: curl over the socket; the last one is a path.
fetch() { curl -sS --unix-socket "$SOCKET" -H "Authorization: Bearer $TOKEN" "${@:1:$#-1}" "http://localhost/api/v1${*: -1}"; }
sql() { fetch --json "{\"sql\":\"$1\"}" /query; }

# alone [FLAG...]: a daemon on the socket alone, until it is ready.
alone() {
  : >"$T/daemon.out"
  background "$BIN" serve --data "$DIR" --listen none --listen-unix "$SOCKET" "$@" >"$T/daemon.out" 2>>"$T/daemon.err"
  wait_until -t 30 daemon_decided "$BG"
  [ "$(cat "$T/daemon.out")" = "rustydb $("$BIN" --version | cut -d' ' -f2) ready on unix:$SOCKET (data $DIR)" ]
  export RUSTYDB_URL=unix:$SOCKET
}

@test "REST over the socket, beside the port" {
  start_unix
  [ "$(stat -c '%F %a' "$SOCKET")" = "socket 660" ]
  sql "CREATE TABLE t(a)" | jq -e '.changes == 0'
  [ "$(fetch -o /dev/null -w '%{http_code}' /tables)" = 200 ]
  # Whose user is the daemon's needs no token; a wrong one is wrong all the same.
  code() { curl -sS --unix-socket "$SOCKET" -o /dev/null -w '%{http_code}' "$@" http://localhost/api/v1/tables; }
  [ "$(code)" = 200 ]
  [ "$(code -H 'Authorization: Bearer wrong')" = 401 ]
  [ "$(curl -sS -o /dev/null -w '%{http_code}' "$RUSTYDB_URL/api/v1/tables")" = 401 ]
  curl -sS -H "Authorization: Bearer $TOKEN" "$RUSTYDB_URL/api/v1/tables" | jq -e '.tables | length == 1'
  # A large answer, and a body that is streamed.
  [ "$(sql 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<200000) SELECT i FROM n' | jq '.rows | length')" = 200000 ]
  (echo a && seq 1 50000) >"$T/rows.csv"
  fetch -H 'Content-Type: text/csv' --data-binary "@$T/rows.csv" /import/t
  [ "$(sql 'SELECT count(*) FROM t' | jq -c .rows)" = '[[50000]]' ]
  # Each request has its own connection.
  run -0 fetch -D - -o /dev/null /tables
  [[ $output == *"Connection: close"* ]]
  stop_daemon
  [ ! -e "$SOCKET" ]
}

@test "both of the command line's clients, and who is at the other end" {
  alone
  "$BIN" query "CREATE TABLE t(a)"
  background "$BIN" subscribe t --count 2 --format jsonl >"$T/events"
  local client=$BG
  subscribed() { [ "$("$BIN" connections --format jsonl | jq .subscription_count)" = 1 ]; }
  wait_until subscribed
  "$BIN" connections --format jsonl | jq -e ".peer_uid == $(id -u) and .remote_address == null and .protocol == \"ws\""
  "$BIN" query "INSERT INTO t VALUES(1), (2)"
  wait_exit "$client"
  [ "$(jq -c .row.a "$T/events" | tr '\n' ' ')" = "1 2 " ]
  # Nobody listens on a port.
  run ! grep -q "127.0.0.1" "$T/daemon.out"
}

@test "over TCP there is no such word of the kernel" {
  start_unix
  "$BIN" query "CREATE TABLE t(a)"
  background "$BIN" subscribe t --quiet
  subscribed() { [ "$("$BIN" connections --format jsonl | jq .subscription_count)" = 1 ]; }
  wait_until subscribed
  "$BIN" connections --format jsonl | jq -e '.peer_uid == null and .remote_address != null'
}

@test "what a killed daemon left behind is replaced; what somebody answers at is not" {
  start_unix
  kill_daemon
  [ -S "$SOCKET" ]
  start_unix
  fetch /tables
  serve_fails --data "$T/other" --listen 127.0.0.1:0 --listen-unix "$SOCKET"
  [[ $stderr == *"another program does"* ]]
  fetch /tables
  # The one that was refused has removed nothing.
  [ -S "$SOCKET" ]
  # A stopping daemon leaves a file alone that is not its own.
  rm "$SOCKET"
  echo mine >"$SOCKET"
  stop_daemon
  [ "$(cat "$SOCKET")" = mine ]
  serve_fails --data "$DIR" --listen 127.0.0.1:0 --listen-unix "$SOCKET"
  [[ $stderr == *"is there, and is no socket"* ]]
  [ "$(cat "$SOCKET")" = mine ]
  # Nor is a link followed to one.
  start_unix --listen-unix "$T/run/real.sock"
  rm "$SOCKET"
  ln -s "$T/run/real.sock" "$SOCKET"
  serve_fails --data "$T/other" --listen 127.0.0.1:0 --listen-unix "$SOCKET"
  [[ $stderr == *"is there, and is no socket"* ]]
}

@test "its mode, and settings that make no sense" {
  start_unix --unix-mode 0600
  [ "$(stat -c %a "$SOCKET")" = 600 ]
  stop_daemon
  start_unix --unix-mode 0666
  [ "$(stat -c %a "$SOCKET")" = 666 ]
  stop_daemon
  for mode in 8 0999 rw 77777 1777; do
    serve_fails --unix-mode $mode
    [[ $stderr == *"is no mode of a file"* ]]
  done
  serve_fails --data "$DIR" --listen none
  [[ $stderr == *"listen is none, and listen_unix is not set"* ]]
  serve_fails --data "$DIR" --listen none --listen-unix "$T/$(printf 'x%.0s' {1..120})"
  [[ $stderr == *"more than 107 bytes"* ]]
  serve_fails --data "$DIR" --listen none --listen-unix "$T/absent/socket"
  [[ $stderr == *"No such file or directory"* ]]
}

@test "with TLS on the port the socket stays plain; with many reactors each takes its part" {
  "$BIN" tls selfsign --dir "$T" >/dev/null
  start_unix --tls-cert "$T/rustydb-cert.pem" --tls-key "$T/rustydb-key.pem" --reactors 4
  run -0 fetch -D - /tables
  [[ $output != *Strict-Transport-Security* ]]
  [[ $output == *'"tables"'* ]]
  for _ in {1..40}; do fetch /tables >/dev/null & done
  wait $(jobs -p | grep -v "$DAEMON_PID")
  curl -sS --cacert "$T/rustydb-cert.pem" "https://localhost:$PORT/api/v1/health/liveness"
  run ! curl -sS "https://localhost/api/v1/health/liveness" --unix-socket "$SOCKET" --insecure
  stop_daemon
  # Without a port the secure preset has nothing to refuse.
  alone --preset secure
}

@test "pipelined bodies neither hang nor mix" {
  start_unix
  case_of unix_pipelined pipelined "$SOCKET"
  cpu() { awk '{ print $14 + $15 }' "/proc/$DAEMON_PID/stat"; }
  idle() { local a && a=$(cpu) && sleep 0.5 && [ $(($(cpu) - a)) -lt 10 ]; }
  wait_until idle
  stop_daemon
}
