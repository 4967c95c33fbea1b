#!/usr/bin/env bats
# The audit log: what stands in it, who may not get around it, and that whatever is done to it shows.

load helper

audit() { "$BIN" audit "$@"; }
# records FILTER: what jq makes of the records in the file.
records() { jq -c "select(.action) | $1" "$DIR/audit.log"; }
has_record() { records "select($1)" | grep -q .; }
verify() { api POST /admin/audit/verify '' -H 'Prefer: wait=60'; }

@test "who did what, from where, and what came of it" {
  start_daemon
  api POST /admin/backups '{"name": "monday"}' -H 'Prefer: wait=60' -H 'X-Request-Id: by-hand'
  [ "$status_code" = 201 ]
  wait_until has_record '.action == "job.end" and .target == "monday" and .outcome == "ok"'
  has_record '.n == 1 and .action == "daemon.start" and .kind == "daemon"'
  has_record '.action == "backup.create" and .user == "root" and .kind == "root" and .outcome == "ok" and
    .target == "monday" and .request_id == "by-hand" and (.address | test("^127.0.0.1:[0-9]+$"))'
  api DELETE /admin/backups/tuesday
  api PATCH /admin/config '{"max_pending": 65}'
  [ "$status_code" = 200 ]
  api POST /admin/pool/drain
  api POST /admin/pool/resume
  api POST /ws/broadcast '{"message": "all"}'
  api POST /admin/maintenance/analyze
  wait_until has_record '.action == "maintenance.run" and .outcome == "ok"'
  has_record '.action == "backup.delete" and .outcome == "refused" and .code == "NOT_FOUND" and .target == "tuesday"'
  has_record '.action == "settings.change" and .outcome == "ok" and .detail.more.changes.max_pending == ["64","65"]'
  kill -HUP "$DAEMON_PID"
  wait_until has_record '.action == "config.reload" and .target == "SIGHUP" and .outcome == "ok"'
  stop_daemon
  has_record '.action == "daemon.stop"'
  [ "$(stat -c %a "$DIR/audit.log")" = 600 ]
}

@test "refused credentials are recorded, by header and over WebSocket, and the token is not" {
  start_daemon
  curl -s -o /dev/null -H 'Authorization: Bearer sesame-opens' "$RUSTYDB_URL/api/v1/tables"
  curl -s -o /dev/null "$RUSTYDB_URL/api/v1/tables"
  wait_until has_record '.action == "auth.failed" and .user == null and .detail.path == "/api/v1/tables"'
  "$PYTHON" - <<'END'
import asyncio, json, os
from wsclient import connect
async def guess():
    ws = await connect(os.environ["RUSTYDB_URL"].replace("http", "ws") + "/api/v1/ws", {})
    await ws.send(json.dumps({"id": "1", "type": "auth", "payload": {"token": "sesame-opens"}}))
    while json.loads(await ws.recv())["type"] == "welcome":
        pass
    await ws.close()
asyncio.run(guess())
END
  wait_until has_record '.action == "auth.failed" and (.request_id // "" | test("^c[0-9]+$"))'
  [ "$(records 'select(.action == "auth.failed") | .n' | wc -l)" = 2 ]
  run ! grep -r sesame-opens "$DIR" "$T/daemon.err"
}

@test "what strangers send does not break out of a line" {
  start_daemon --log-level debug
  evil=$'x\n{"n":1,"action":"user.create"}'
  api DELETE "/admin/backups/$(jq -rn --arg v "${evil//[$'\n"{}']/_}" '$v|@uri')"
  curl -s -o /dev/null -H "Authorization: Bearer $TOKEN" -X POST -H 'Content-Type: application/json' \
    "$RUSTYDB_URL/api/v1/admin/backups" -d '{"name": "a\nb\u001b[2J\u202e"}'
  curl -s -o /dev/null -H "Authorization: Bearer $TOKEN" -X POST -H 'Content-Type: application/json' \
    "$RUSTYDB_URL/api/v1/tables" -d '{"name": "t\n2026 error fake: line\u0007", "columns": [{"name": "a", "type": "TEXT"}]}'
  curl -s -o /dev/null --path-as-is -H "Authorization: Bearer no" "$RUSTYDB_URL/api/v1/%1b%5b2J%e2%80%ae%7f"
  wait_until has_record '.action == "auth.failed"'
  stop_daemon
  # One record a line, each JSON, nothing but printable ASCII.
  jq -e . "$DIR/audit.log" >/dev/null
  run ! grep -qP '[^\x20-\x7e]' "$DIR/audit.log"
  run ! grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$T/daemon.err"
  run ! grep -q '^2026 error fake' "$T/daemon.err"
  audit verify --file "$DIR"
}

@test "the daemon's own log: nobody's text begins a line, or moves a terminal" {
  start_daemon --log-level debug --slow-query 1ms
  sql "SELECT '$(printf 'a\n2026-01-01T00:00:00.000000Z info  forged: yes')', sum(1) FROM (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x < 100000) SELECT x FROM c)"
  curl -s -o /dev/null --path-as-is -H "Authorization: Bearer $TOKEN" \
    "$RUSTYDB_URL/api/v1/tables/%1b%5d0;owned%07%c2%9b2J"
  curl -s -o /dev/null -H "Authorization: Bearer $TOKEN" -H $'X-Request-Id: a\x1b[31m' "$RUSTYDB_URL/api/v1/tables"
  stop_daemon
  run ! grep -qE '^2026-01-01T00:00:00.000000Z' "$T/daemon.err"
  run ! grep -qP '\x1b|\x07|\xc2[\x80-\x9f]|\r' "$T/daemon.err"
}

@test "list, by page and by filter" {
  start_daemon
  for i in 1 2 3 4 5; do api DELETE "/admin/backups/b$i"; done
  wait_until has_record '.target == "b5"'
  api GET '/admin/audit?limit=2'
  [ "$(jq -c '[.total, .offset, .limit, .records[].target]' <<<"$body")" = "[6,0,2,\"b5\",\"b4\"]" ]
  api GET '/admin/audit?limit=2&offset=4'
  [ "$(jq -c '[.records[].n]' <<<"$body")" = '[2,1]' ]
  api GET '/admin/audit?limit=2&after=3'
  [ "$(jq -c '[.total, .records[].n]' <<<"$body")" = '[6,2,1]' ]
  api GET '/admin/audit?action=backup.delete&outcome=refused&user=root&limit=1'
  [ "$(jq -c '[.total, .records[0].code]' <<<"$body")" = '[5,"NOT_FOUND"]' ]
  api GET '/admin/audit?outcome=ok'
  [ "$(jq -c '[.records[].action]' <<<"$body")" = '["daemon.start"]' ]
  at=$(records 'select(.n == 3) | .time' | tr -d '"')
  api GET "/admin/audit?since=$at"
  [ "$(jq .total <<<"$body")" = 4 ]
  api GET "/admin/audit?until=$at"
  [ "$(jq .total <<<"$body")" = 3 ]
  api GET '/admin/audit?since=2999-01-01'
  [ "$(jq .total <<<"$body")" = 0 ]
  api GET '/admin/audit?since=yesterday'
  expect_problem 400 INVALID_MESSAGE
  api GET '/admin/audit?action=nonsense'
  expect_problem 400 INVALID_MESSAGE
  run -0 audit list --limit 2 --format jsonl
  [ "$(jq -c .n <<<"$output" | tr '\n' ' ')" = '6 5 ' ]
  run -0 audit --action backup.delete --limit 1000 --format csv
  [ "${#lines[@]}" = 6 ]
}

@test "export is all of it, in order" {
  start_daemon
  for i in $(seq 60); do api DELETE "/admin/backups/b$i"; done
  wait_until has_record '.target == "b60"'
  audit export >"$T/out"
  diff <(grep -v '"log":' "$DIR/audit.log" | head -n 61) "$T/out"
  [ "$(audit export --action daemon.start | wc -l)" = 1 ]
  [ "$(audit export --user nobody | wc -l)" = 0 ]
}

@test "what somebody did to the file is found while the daemon runs, and after" {
  start_daemon
  for i in 1 2 3 4 5; do api DELETE "/admin/backups/b$i"; done
  wait_until has_record '.target == "b5"'
  verify
  [ "$(jq -c '[.ok, .fault_count, .first]' <<<"$body")" = '[true,0,1]' ]
  run -0 audit verify
  [[ "$output" == 'the audit log is whole: records 1 to '* ]]
  stop_daemon
  cp "$DIR/audit.log" "$T/good"
  run -0 audit verify --file "$DIR/audit.log"
  # changed
  sed -i 's/"target":"b2"/"target":"b9"/' "$DIR/audit.log"
  run -5 audit verify --file "$DIR"
  [[ "$output" == *'record 3 was changed'* ]]
  # removed
  sed '/"n":4,/d' "$T/good" >"$DIR/audit.log"
  run -5 audit verify --file "$DIR"
  [[ "$output" == *'record 4 is missing'* ]]
  # reordered
  for i in 1 2 3 5 4 6 7; do sed -n "${i}p" "$T/good"; done >"$DIR/audit.log"
  run -5 audit verify --file "$DIR"
  [[ "$output" == *'stands behind record'* ]]
  # cut off at the end: the database remembers
  head -n 4 "$T/good" >"$DIR/audit.log"
  run -0 audit verify --file "$DIR"
  start_daemon
  grep -q 'THE AUDIT LOG WAS CHANGED: .* missing at the end' "$T/daemon.err"
  run -5 audit verify
  [[ "$output" == *'are missing'* ]]
  api GET '/admin/audit?action=audit.broken'
  [ "$(jq -c '.records[0].detail.fault' <<<"$body")" = '"truncated"' ]
}

@test "the whole log is removed: the database remembers" {
  start_daemon
  wait_until has_record '.action == "daemon.start"'
  stop_daemon
  rm "$DIR/audit.log"
  start_daemon
  grep -q 'THE AUDIT LOG WAS CHANGED' "$T/daemon.err"
  wait_until has_record '.action == "audit.broken"'
}

@test "a database that was restored elsewhere begins a log of its own, and nothing is missed" {
  start_daemon
  api POST /admin/backups '{"name": "one"}' -H 'Prefer: wait=60'
  api POST /admin/backups/one/restore '{"to": "two"}' -H 'Prefer: wait=60'
  [ "$status_code" = 201 ]
  to=$(jq -r .data_dir <<<"$body")
  stop_daemon
  DIR=$to
  start_daemon --data "$to"
  run ! grep -q 'THE AUDIT LOG WAS CHANGED' "$T/daemon.err"
  run -0 audit verify
}

@test "a crash in the middle of a record is repaired, and says so" {
  start_daemon
  wait_until has_record '.action == "daemon.start"'
  kill_daemon
  printf '{"n":2,"time":"2026-01-02T03:04:05' >>"$DIR/audit.log"
  run -5 audit verify --file "$DIR"
  start_daemon
  wait_until has_record '.action == "audit.repaired" and .detail.bytes == 34'
  run -0 audit verify
}

@test "kill -9 at any moment leaves a chain that verifies" {
  for round in 1 2 3 4 5; do
    start_daemon
    for i in 1 2 3; do
      (while api DELETE "/admin/backups/b$i"; do :; done) 2>/dev/null 3>&- &
    done
    sleep "0.$((RANDOM % 3 + 1))"
    kill_daemon
    wait
  done
  start_daemon
  run -0 audit verify
  run ! grep -q 'THE AUDIT LOG WAS CHANGED' "$T/daemon.err"
}

@test "files of a size, of which so many are kept" {
  start_daemon --audit-max 64k --audit-keep 2
  for i in $(seq 12); do
    curl -s -o /dev/null -X DELETE -H "Authorization: Bearer $TOKEN" "$RUSTYDB_URL/api/v1/admin/backups/b$i-[1-40]"
  done
  wait_until has_record '.target == "b12-40"'
  [ "$(find "$DIR" -name 'audit.log.*' | wc -l)" = 2 ]
  [ "$(stat -c %a "$DIR"/audit.log.* | sort -u)" = 600 ]
  run -0 audit verify
  stop_daemon
  start_daemon --audit-max 64k --audit-keep 2
  run -0 audit verify
  rm "$(find "$DIR" -name 'audit.log.*' | sort | tail -n 1)"
  run -5 audit verify
}

@test "guesses without end take no room, and are counted" {
  start_daemon
  curl -s -o /dev/null -H 'Authorization: Bearer guess' "$RUSTYDB_URL/api/v1/tables?n=[1-300]"
  stop_daemon
  [ "$(records 'select(.action == "auth.failed") | .n' | wc -l)" -le 120 ]
  left=$(records 'select(.action == "audit.left_out") | .detail.records' | jq -s add)
  [ $(($(records 'select(.action == "auth.failed") | .n' | wc -l) + left)) = 300 ]
}

@test "a link in the log's place is refused" {
  mkdir -m 700 "$DIR"
  ln -s "$T/elsewhere" "$DIR/audit.log"
  serve_fails --data "$DIR" --listen 127.0.0.1:0
  [[ "$stderr" == *'audit.log is a symbolic link'* ]]
  [ ! -e "$T/elsewhere" ]
}

@test "off: there is none" {
  start_daemon --audit off
  [ ! -e "$DIR/audit.log" ]
  api GET /admin/audit
  expect_problem 404 NOT_FOUND
  api POST /admin/audit/verify
  expect_problem 404 NOT_FOUND
}

@test "strict: nothing of importance is changed while it cannot be recorded" {
  [ "$(id -u)" = 0 ] || skip 'needs a file system of its own'
  mkdir "$T/small"
  mount -t tmpfs -o size=6m,mode=700 tmpfs "$T/small" || skip 'cannot mount'
  MOUNTS+=("$T/small")
  DIR=$T/small/data
  start_daemon --data "$DIR" --audit strict
  head -c 8m /dev/zero >"$T/small/fill" 2>/dev/null || true
  for i in $(seq 40); do api DELETE "/admin/backups/b$i"; done
  wait_until grep -q 'THE AUDIT LOG CANNOT BE WRITTEN' "$T/daemon.err"
  api DELETE /admin/backups/one
  expect_problem 503 AUDIT_UNAVAILABLE
  api GET /tables
  [ "$status_code" = 200 ]
  rm "$T/small/fill"
  wait_until grep -q 'the audit log can be written again' "$T/daemon.err"
  api DELETE /admin/backups/one
  expect_problem 404 NOT_FOUND
  run -0 audit verify
  stop_daemon
}

@test "copies go to journald's socket" {
  "$PYTHON" - "$T/journal" "$T/got" 3>&- <<'END' &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
with open(sys.argv[2], "wb", 0) as f:
    while True:
        f.write(s.recv(65536))
END
  PIDS+=($!)
  wait_until test -S "$T/journal"
  start_daemon --audit-journal "$T/journal"
  wait_until grep -q '^RUSTYDB_ACTION=daemon.start$' "$T/got"
  grep -q '^MESSAGE={"n":1,' "$T/got"
}
