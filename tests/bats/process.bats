#!/usr/bin/env bats
# What the daemon gives up before it answers anybody: rights, system calls, core dumps; and that its
# files are for their owner alone.

load helper

# status NAME [PID]: a line of /proc/PID/status.
status_of() { awk -v name="$1:" '$1 == name { print $2 }' "/proc/${2:-$DAEMON_PID}/status"; }
# Another user, whom every system has.
other_user() {
  [ "$(id -u)" = 0 ] || skip 'needs root'
  chmod 711 "$T"
  mkdir -m 700 "$T/his"
  chown nobody "$T/his"
  DIR=$T/his/data
}

@test "no new rights, no core dumps, a filter of system calls: in every thread" {
  [ -z "$SANITIZED" ] || skip 'sanitizers need more'
  start_daemon
  sql "CREATE TABLE t(a)"
  for task in "/proc/$DAEMON_PID"/task/*/status; do
    grep -qE '^NoNewPrivs:\s+1$' "$task"
    grep -qE '^Seccomp:\s+2$' "$task"
  done
  [ "$(find "/proc/$DAEMON_PID/task" -mindepth 1 -maxdepth 1 | wc -l)" -gt 8 ]
  grep -qE '^Max core file size +0 +0 ' "/proc/$DAEMON_PID/limits"
  # Not dumpable: what /proc tells of it belongs to root, whoever runs it.
  [ "$(stat -c %u "/proc/$DAEMON_PID/environ")" = 0 ]
}

@test "a helper program cannot be started, and the memory not be read by the same user" {
  [ -z "$SANITIZED" ] || skip 'sanitizers need more'
  other_user
  start_daemon --user nobody
  run ! setpriv --reuid nobody --clear-groups cat "/proc/$DAEMON_PID/environ"
  run ! setpriv --reuid nobody --clear-groups cat "/proc/$DAEMON_PID/maps"
}

@test "seccomp off and log, core_dumps on" {
  [ -z "$SANITIZED" ] || skip 'sanitizers need more'
  start_daemon --seccomp off --core-dumps on
  [ "$(status_of Seccomp)" = 0 ]
  [ "$(status_of NoNewPrivs)" = 1 ]
  stop_daemon
  start_daemon --seccomp log
  [ "$(status_of Seccomp)" = 2 ]
  sql "SELECT 1"
  stop_daemon
}

@test "root becomes somebody else, for good" {
  other_user
  start_daemon --user nobody
  [ "$(awk '/^Uid:/ { print $2, $3, $4, $5 }' "/proc/$DAEMON_PID/status")" = "$(id -u nobody | awk '{ print $1, $1, $1, $1 }')" ]
  [ "$(awk '/^Gid:/ { print $2, $3, $4, $5 }' "/proc/$DAEMON_PID/status")" = "$(id -g nobody | awk '{ print $1, $1, $1, $1 }')" ]
  for caps in CapInh CapPrm CapEff CapAmb; do
    [ "$(status_of "$caps")" = 0000000000000000 ]
  done
  [ "$(awk '/^Groups:/ { print $2, $3 }' "/proc/$DAEMON_PID/status")" = "$(id -g nobody) " ]
  sql "CREATE TABLE t(a)"
  sql "INSERT INTO t VALUES(1)"
  api POST /admin/backups '{"name": "one"}' -H 'Prefer: wait=60'
  [ "$status_code" = 201 ]
  # All that there is belongs to him, and to nobody else.
  [ "$(find "$DIR" ! -user nobody | wc -l)" = 0 ]
  [ "$(find "$DIR" -perm /077 | wc -l)" = 0 ]
  kill -HUP "$DAEMON_PID"
  stop_daemon
  start_daemon --user nobody --group "$(id -gn nobody)"
  [ "$(sql 'SELECT * FROM t')" = '[[1]]' ]
}

@test "a port below 1024 is opened before the rights go" {
  other_user
  # Any that is free.
  for port in 81 87 211 599 777 991; do
    start_daemon --user nobody --listen "127.0.0.1:$port" && break
  done
  [ "$(status_of CapEff)" = 0000000000000000 ]
  sql "SELECT 1"
}

@test "a user that is not there, or cannot be become, is refused" {
  serve_fails --data "$DIR" --listen 127.0.0.1:0 --user no-such-user
  [[ "$stderr" == *'there is no user no-such-user'* ]]
  serve_fails --data "$DIR" --listen 127.0.0.1:0 --user nobody --group no-such-group
  [[ "$stderr" == *'there is no group no-such-group'* ]]
  serve_fails --data "$DIR" --listen 127.0.0.1:0 --group root
  [[ "$stderr" == *'group goes with user'* ]]
}

@test "only root can become somebody" {
  other_user
  run -4 setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups \
    "$BIN" serve --data "$DIR" --listen 127.0.0.1:0 --user daemon
  [[ "$output" == *'only root can become the user daemon'* ]]
}

@test "a data folder of somebody else is refused" {
  other_user
  mkdir -m 700 "$T/his/data"
  chown daemon "$T/his/data"
  serve_fails --data "$DIR" --listen 127.0.0.1:0 --user nobody
  [[ "$stderr" == *'not to the user that is set'* ]]
}

@test "files that were open to others are closed, with a warning" {
  start_daemon
  sql "CREATE TABLE t(a)"
  stop_daemon
  chmod 755 "$DIR"
  chmod 644 "$DIR"/rustydb.db "$DIR"/root.token "$DIR"/audit.log "$DIR"/lock
  (umask 0 && start_daemon && echo "$DAEMON_PID $RUSTYDB_URL" >"$T/started")
  read -r DAEMON_PID RUSTYDB_URL <"$T/started"
  PIDS+=("$DAEMON_PID")
  export RUSTYDB_URL
  for file in "$DIR" "$DIR"/rustydb.db "$DIR"/root.token "$DIR"/audit.log "$DIR"/lock; do
    grep -q "file_mode: $file was open to others" "$T/daemon.err"
  done
  sql "INSERT INTO t VALUES(1)"
  [ -e "$DIR/rustydb.db-wal" ]
  [ "$(find "$DIR" -perm /077 | wc -l)" = 0 ]
  kill "$DAEMON_PID"
  wait_until gone "$DAEMON_PID"
}

@test "links where files of ours are expected are refused, and what they lead to is left alone" {
  for file in rustydb.db rustydb.db-wal rustydb.db-shm lock root.token audit.log; do
    rm -rf "$DIR"
    mkdir -m 700 "$DIR"
    echo precious >"$T/precious"
    chmod 644 "$T/precious"
    ln -s "$T/precious" "$DIR/$file"
    serve_fails --data "$DIR" --listen 127.0.0.1:0
    [[ "$stderr" == *"$DIR/$file is a symbolic link"* ]]
    [ "$(cat "$T/precious")" = precious ]
    [ "$(stat -c %a "$T/precious")" = 644 ]
  done
  rm -rf "$DIR"
  mkdir -m 700 "$DIR"
  mkfifo "$DIR/root.token"
  serve_fails --data "$DIR" --listen 127.0.0.1:0
  [[ "$stderr" == *'is not a plain file'* ]]
}

@test "links in the folder of backups lead nowhere" {
  start_daemon
  sql "CREATE TABLE t(a)"
  api POST /admin/backups '{"name": "one"}' -H 'Prefer: wait=60'
  ln -s "$DIR/rustydb.db" "$DIR/backups/link.db"
  echo precious >"$T/precious"
  ln -s "$T/precious" "$DIR/backups/.two.part"
  ln -s "$T/precious" "$DIR/backups/three.db"
  api GET /admin/backups
  [ "$(jq -c '[.backups[].name]' <<<"$body")" = '["one"]' ]
  for call in 'GET link' 'DELETE link' 'POST link/verify'; do
    api "${call% *}" "/admin/backups/${call#* }"
    expect_problem 404 NOT_FOUND
  done
  api POST /admin/backups/link/restore '{"to": "new"}' -H 'Prefer: wait=60'
  expect_problem 404 NOT_FOUND
  api POST /admin/backups '{"name": "two"}' -H 'Prefer: wait=60'
  [ "$status_code" = 201 ]
  api POST /admin/backups '{"name": "three"}' -H 'Prefer: wait=60'
  expect_problem 409 CONFLICT
  [ "$(cat "$T/precious")" = precious ]
  [ ! -L "$DIR/backups/two.db" ]
}

@test "names of backups that lead out of their folder are refused" {
  start_daemon
  echo precious >"$DIR/precious.db"
  for name in .. ../precious /etc/passwd .hidden a/b 'a\b' $'a\nb' '' "$(printf 'x%.0s' {1..200})"; do
    api POST /admin/backups "$(jq -n --arg name "$name" '{$name}')"
    [ "$status_code" = 400 ]
  done
  api POST /admin/backups '{"name": "a\u0000b"}'
  [ "$status_code" = 400 ]
  for name in .. %2e%2e %2e%2e%2fprecious ..%2Fprecious ..%5cprecious %2fetc%2fpasswd precious%00 %00 ..%c0%afprecious; do
    status=$(curl -s -o "$T/answer" -w '%{http_code}' --path-as-is -X DELETE -H "Authorization: Bearer $TOKEN" \
      "$RUSTYDB_URL/api/v1/admin/backups/$name") || true # or it hangs up
    [[ "$status" == 40[045] || "$status" == 000 ]] || { echo "$name: $status"; false; }
  done
  [ -e "$DIR/precious.db" ]
  api POST /admin/backups '{"name": "one"}' -H 'Prefer: wait=60'
  for to in .. ../out /tmp/out; do
    api POST /admin/backups/one/restore "$(jq -n --arg to "$to" '{$to}')"
    [ "$status_code" = 400 ]
  done
}

@test "paths of pages that lead elsewhere find nothing" {
  start_daemon
  for path in /swagger-ui/../../etc/passwd /swagger-ui/..%2f..%2fetc%2fpasswd /swagger-ui/%2e%2e/%2e%2e/etc/passwd \
    /swagger-ui//etc/passwd /swagger-ui/%2fetc%2fpasswd /swagger-ui/..%5c..%5cetc%5cpasswd \
    /swagger-ui/swagger-ui.css%00.html /swagger-ui/....//....//etc/passwd /api-docs/../root.token \
    /api-docs/%2e%2e%2froot.token /../../../../etc/passwd /swagger-ui/..%c0%af..%c0%afetc/passwd; do
    status=$(curl -s -o "$T/answer" -w '%{http_code}' --path-as-is -H "Authorization: Bearer $TOKEN" "$RUSTYDB_URL$path") || true
    [[ "$status" == 40[045] || "$status" == 000 ]] || { echo "$path: $status"; false; }
    run ! grep -qE 'root:|^[0-9a-f]{64}$' "$T/answer"
  done
}

@test "headers that keep browsers from harm are on every answer" {
  start_daemon
  for path in /api/v1/health/live /api/v1/tables /api/v1/no-such-path /no-such-path /swagger-ui/ /swagger-ui \
    /swagger-ui/rustydb.css /api-docs/openapi.json /swagger-ui/../x /api/v1/ws; do
    for auth in "Bearer $TOKEN" 'Bearer wrong'; do
      curl -s -o /dev/null -D "$T/head" --path-as-is -H "Authorization: $auth" "$RUSTYDB_URL$path"
      grep -qi $'^x-content-type-options: nosniff\r$' "$T/head" || { echo "$path"; cat "$T/head"; false; }
      grep -qi $'^referrer-policy: no-referrer\r$' "$T/head"
      grep -qi $'^x-frame-options: DENY\r$' "$T/head"
      grep -qi $'^cross-origin-resource-policy: same-origin\r$' "$T/head"
      grep -qi "^content-security-policy: .*frame-ancestors 'none'" "$T/head"
      [ "$(grep -ci '^content-security-policy:' "$T/head")" = 1 ]
    done
  done
  curl -s -o /dev/null -D "$T/head" -H "Authorization: Bearer $TOKEN" "$RUSTYDB_URL/api/v1/tables"
  grep -qi $"^content-security-policy: default-src 'none'" "$T/head"
  grep -qi $'^cache-control: no-store\r$' "$T/head"
  # What is not even a request, or too much of one.
  printf 'GET /api/v1/tables HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: gzip\r\n\r\n' |
    timeout 10 "$PYTHON" -c '
import os, socket, sys
host, port = os.environ["RUSTYDB_URL"].split("//")[1].split(":")
s = socket.create_connection((host, int(port)))
s.sendall(sys.stdin.buffer.read())
data = b""
while b"\r\n\r\n" not in data:
    piece = s.recv(65536)
    if not piece: break
    data += piece
sys.stdout.buffer.write(data)' >"$T/head"
  grep -qi $'^x-content-type-options: nosniff\r$' "$T/head"
}
