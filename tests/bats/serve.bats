#!/usr/bin/env bats
# The daemon's life: start, settings, logs, signals, the token, and what it leaves on the disk.
# shellcheck disable=SC2154,SC2016,SC2030,SC2031 # set by api; $base64; every test is a subshell

load helper

@test "one line on standard output when it is ready, and no other" {
  start_daemon
  [[ $READY_LINE == "rustydb "*" ready on http://127.0.0.1:$PORT (data $DIR)" ]]
  [ "$READY_LINE" = "rustydb $("$BIN" --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+') ready on http://127.0.0.1:$PORT (data $DIR)" ]
  sql 'SELECT 1'
  stop_daemon
  [ "$(wc -l <"$T/daemon.out")" = 1 ]
}

@test "the ready line comes at once through a pipe, and a closed standard output does no harm" {
  local line
  background "$BIN" serve --data "$DIR" --listen 127.0.0.1:0 2>>"$T/daemon.err" > >(head -n 1 >"$T/line")
  wait_until test -s "$T/line"
  line=$(cat "$T/line")
  [[ $line =~ :([0-9]+)\  ]]
  RUSTYDB_URL=http://127.0.0.1:${BASH_REMATCH[1]}
  TOKEN=$(cat "$DIR/root.token")
  [ "$(sql 'SELECT 1')" = '[[1]]' ]
  DAEMON_PID=$BG
  stop_daemon
}

@test "SIGTERM and SIGINT: exit 0, a checkpoint, nothing left but the data" {
  local signal
  for signal in TERM INT; do
    start_daemon
    sql 'CREATE TABLE IF NOT EXISTS t (x)'
    sql "INSERT INTO t VALUES ('$signal')"
    kill -"$signal" "$DAEMON_PID"
    wait_exit "$DAEMON_PID"
    local wal
    for wal in "$DIR"/*-wal; do
      [ ! -e "$wal" ] || [ ! -s "$wal" ]
    done
    # The file alone is the database: no reader needs the log.
    local db
    db=$(find "$DIR" -type f -name '*.db')
    cp "$db" "$T/copy.db"
    sqlite3 "$T/copy.db" "SELECT count(*) FROM t WHERE x = '$signal'" | grep -qx 1
    sqlite3 "$T/copy.db" 'PRAGMA integrity_check' | grep -qx ok
  done
  [ -z "$(find "$XDG_RUNTIME_DIR" -type f)" ] # the record of where it listens is gone
}

@test "SIGTERM lets running work end, and cuts it off at the limit" {
  start_daemon --shutdown-timeout 1s
  sql 'CREATE TABLE t (x)'
  background curl -sS -o "$T/slow" -w '%{http_code}' -H "Authorization: Bearer $TOKEN" "$RUSTYDB_URL/api/v1/query" \
    -d '{"sql": "INSERT INTO t WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 200000) SELECT n FROM c"}' \
    -H 'Content-Type: application/json' >"$T/slow.status"
  local client=$BG
  background curl -sS -o "$T/forever" -w '%{http_code}' -H "Authorization: Bearer $TOKEN" "$RUSTYDB_URL/api/v1/query" \
    -d '{"sql": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c", "timeout_ms": 600000}' \
    -H 'Content-Type: application/json' >"$T/forever.status" 2>/dev/null
  local forever=$BG
  wait_until busy
  stop_daemon
  wait_exit "$client" || true
  wait_exit "$forever" || true
  # The client heard 200 and the rows are there, or it heard otherwise and none is.
  local said=none
  [ "$(cat "$T/slow.status")" != 200 ] || said=kept
  [[ $(cat "$T/forever.status") =~ ^(499|503|504|000|)$ ]]
  start_daemon
  if [ "$said" = kept ]; then
    [ "$(sql 'SELECT count(*) FROM t')" = '[[200000]]' ]
  else
    [[ $(sql 'SELECT count(*) FROM t') =~ ^\[\[(0|200000)\]\]$ ]]
  fi
}
busy() { # it has used a third of a second of processor time
  local ticks
  ticks=$(awk '{ print $14 + $15 }' "/proc/$DAEMON_PID/stat")
  [ "$ticks" -gt 30 ]
}

@test "while it stops it accepts no more" {
  start_daemon
  stop_daemon
  run curl -sS --max-time 5 "$RUSTYDB_URL/api/v1/health/liveness"
  [ "$status" = 7 ]
}

@test "after SIGKILL it starts again by itself, and what was acknowledged is there" {
  start_daemon
  sql 'CREATE TABLE t (x)'
  local n
  for n in 1 2 3; do
    sql "INSERT INTO t VALUES ($n)"
    kill_daemon
    restart_daemon
    [ "$(sql 'SELECT count(*) FROM t')" = "[[$n]]" ]
  done
  [ "$TOKEN" = "$(cat "$DIR/root.token")" ]
}

# ---- settings ---------------------------------------------------------------------------------------

@test "settings: default < file < environment < flags, and --print-config says which" {
  cat >"$T/conf" <<END
; a comment
max_body = 2m
idle_timeout = 10s
max_connections = 77
END
  RUSTYDB_IDLE_TIMEOUT=11s RUSTYDB_MAX_CONNECTIONS=78 run --separate-stderr \
    "$BIN" serve --config "$T/conf" --max-connections 79 --data "$DIR" --print-config
  [ "$status" = 0 ]
  grep -qE '^max_body *= *2m\b.*file' <<<"$output"
  grep -qE '^idle_timeout *= *11s\b.*env' <<<"$output"
  grep -qE '^max_connections *= *79\b.*flag' <<<"$output"
  grep -qE '^max_message *= *1m\b.*default' <<<"$output"
  grep -qE '^[a-z_]+ *=' <<<"$output"
  local name
  # Every setting of the table is shown.
  while read -r name; do
    grep -qE "^$name *=" <<<"$output" || { echo "no $name"; false; }
  done < <(sed -n 's/^SETTING([A-Z]*, \([a-z_]*\),.*/\1/p' "$REPO/libcore/config/settings.def")
  [ ! -e "$DIR" ] # nothing was made
}

@test "settings take effect, from the file too" {
  printf 'max_body = 2k\nlisten = 127.0.0.1:0\n' >"$T/conf"
  start_daemon --config "$T/conf"
  api POST /query "{\"sql\": \"SELECT '$(printf 'x%.0s' {1..3000})'\"}"
  expect_problem 413 MESSAGE_TOO_BIG
}

@test "wrong settings end with status 2 and say which, where and what is allowed" {
  refuses() { # WORD... -- FLAG...: stderr holds the words
    local words=()
    while [ "$1" != -- ]; do
      words+=("$1")
      shift
    done
    shift
    serve_fails --data "$DIR" --listen 127.0.0.1:0 "$@"
    [ "$status" = 2 ] || { echo "$* ended with $status: $stderr"; return 1; }
    [ -z "$output" ]
    local w
    for w in "${words[@]}"; do
      [[ $stderr == *"$w"* ]] || { echo "no '$w' in: $stderr"; return 1; }
    done
  }
  refuses readers 0 -- --readers 0
  refuses readers many -- --readers many
  refuses max-body 1 -- --max-body 1
  refuses synchronous full normal maybe -- --synchronous maybe
  refuses log-level loud debug -- --log-level loud
  refuses idle-timeout -- --idle-timeout 5parsecs
  refuses idle-timeout -- --idle-timeout -5s
  refuses no-such-flag -- --no-such-flag 1
  refuses max-body -- --max-body
  refuses surplus -- surplus
  printf 'max_body = 2m\nmax_bdy = 3m\n' >"$T/conf"
  refuses max_bdy "$T/conf" 2 -- --config "$T/conf"
  printf 'max_body\n' >"$T/conf"
  refuses "$T/conf" -- --config "$T/conf"
  printf 'readers = 1000\n' >"$T/conf"
  refuses readers 1000 "$T/conf" -- --config "$T/conf"
  refuses "$T/none" -- --config "$T/none"
  RUSTYDB_READERS=x refuses RUSTYDB_READERS x -- --log-level info
  [ ! -e "$DIR" ]
}

# ---- logs -------------------------------------------------------------------------------------------

@test "logs are a line an event on standard error, as text or as JSON" {
  start_daemon --log-format json --log-level debug
  sql 'SELECT 1'
  api GET /nowhere
  api GET $'/tables/a%0a%22forged'
  stop_daemon
  [ -s "$T/daemon.err" ]
  jq -es 'all(type == "object" and (.level | IN("error", "warn", "info", "debug")))' "$T/daemon.err"
  [ "$(jq -c . "$T/daemon.err" | wc -l)" = "$(wc -l <"$T/daemon.err")" ]
  rm "$T/daemon.err"
  start_daemon --log-format text
  stop_daemon
  [ -s "$T/daemon.err" ]
  run ! jq -e . "$T/daemon.err"
  rm "$T/daemon.err"
  start_daemon --log-level error
  sql 'SELECT 1'
  stop_daemon
  [ ! -s "$T/daemon.err" ]
}

@test "the log never holds the token" {
  start_daemon --log-level debug
  sql 'SELECT 1'
  TOKEN=not-the-token-at-all api GET /tables
  case_of ws_session auth_in_time
  stop_daemon
  run ! grep -qF "$TOKEN" "$T/daemon.err" "$T/daemon.out"
  run ! grep -qF not-the-token-at-all "$T/daemon.err"
}

@test "SIGHUP reads the file again: the log level and limits change, clients stay" {
  printf 'log_level = error\nmax_body = 1m\n' >"$T/conf"
  start_daemon --config "$T/conf"
  sql 'SELECT 1'
  [ ! -s "$T/daemon.err" ]
  printf 'log_level = debug\nmax_body = 2k\n' >"$T/conf"
  kill -HUP "$DAEMON_PID"
  wait_until limited
  sql 'SELECT 1'
  wait_until grep -qi debug "$T/daemon.err"
  # A file that is wrong changes nothing and is complained of.
  printf 'log_level = loud\nmax_body = 1m\n' >"$T/conf"
  kill -HUP "$DAEMON_PID"
  wait_until grep -q loud "$T/daemon.err"
  limited
  stop_daemon
}
limited() {
  api POST /query "{\"sql\": \"SELECT '$(printf 'x%.0s' {1..3000})'\"}"
  [ "$status_code" = 413 ]
}

@test "SIGUSR2 drains for a restart: 1012" {
  start_daemon
  background "$PYTHON" -c '
import asyncio, rdb
async def go():
    s = await rdb.connect()
    print("open", flush=True)
    print(*(await s.until_closed()), flush=True)
asyncio.run(go())' >"$T/session"
  wait_until grep -q open "$T/session"
  kill -USR2 "$DAEMON_PID"
  wait_exit "$DAEMON_PID"
  wait_until grep -q ^1012 "$T/session"
}

@test "clients are asked to come back one after the other, and the command line does" {
  local signal
  for signal in TERM USR2; do
    start_daemon --reconnect-rate 10 --reactors 2
    background "$BIN" subscribe -v channel:x 2>"$T/follower"
    wait_until grep -q 'subscribed to' "$T/follower"
    background "$PYTHON" -c '
import asyncio, rdb
async def go():
    sessions = [await rdb.connect() for _ in range(39)]
    one = sessions.pop()
    rdb.Rest().call("DELETE", "/ws/connections/" + one.welcome["payload"]["connection_id"])
    await one.until_closed()
    assert "retry_after_ms" not in one.system[0], one.system
    print("open", flush=True)
    for s in sessions:
        await s.until_closed()
    after = sorted(s.system[-1]["retry_after_ms"] for s in sessions)
    assert 0 <= after[0] <= 1500 and 2500 <= after[-1] <= 3900 and len(set(after)) > 30, after
    print("spread", flush=True)
asyncio.run(go())' >"$T/session"
    local clients=$BG
    wait_until grep -q open "$T/session"
    kill -"$signal" "$DAEMON_PID"
    wait_exit "$DAEMON_PID"
    wait_exit "$clients"
    grep -q spread "$T/session"
    wait_until grep -Eq 'connecting again in [0-4]\.[0-9] s' "$T/follower"
    kill "${PIDS[1]}"
    wait_exit "${PIDS[1]}" || true
    PIDS=()
  done
}

# ---- the token --------------------------------------------------------------------------------------

@test "the first start makes root.token, mode 0600, and the database holds no trace of it" {
  umask 000
  start_daemon
  [ "$(stat -c %a "$DIR/root.token")" = 600 ]
  [ "$(stat -c %a "$DIR")" = 700 ]
  [ "${#TOKEN}" -ge 43 ] # 256 bits take at least 43 characters
  sql 'SELECT 1'
  run ! grep -rlF "$TOKEN" "$DIR" --exclude=root.token
  stop_daemon
  run ! grep -rlF "$TOKEN" "$DIR" --exclude=root.token
  run ! grep -rlF "$TOKEN" "$XDG_RUNTIME_DIR" "$HOME" "$XDG_CONFIG_HOME" "$TMPDIR"
  local f
  for f in "$DIR"/*; do
    [ "$(($(stat -c 0%a "$f") & 077))" = 0 ] || { echo "others may use $f"; false; }
  done
}

@test "a lost token is replaced at the next start, and the old one stops working" {
  start_daemon
  local old=$TOKEN
  stop_daemon
  rm "$DIR/root.token"
  start_daemon
  [ "$TOKEN" != "$old" ]
  [ "$(sql 'SELECT 1')" = '[[1]]' ]
  TOKEN=$old api GET /tables
  expect_problem 401 AUTH_FAILED
}

@test "two daemons have two tokens" {
  start_daemon
  local first=$TOKEN
  DIR=$T/other
  start_daemon
  [ "$TOKEN" != "$first" ]
  TOKEN=$first api GET /tables
  expect_problem 401 AUTH_FAILED
}

# ---- surroundings -----------------------------------------------------------------------------------

@test "every file it writes is in its folder or its run folder" {
  start_daemon
  sql 'CREATE TABLE t AS SELECT 1 AS x'
  sql "SELECT * FROM (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 300000) SELECT n, hex(zeroblob(20)) AS h FROM c) ORDER BY h, n DESC LIMIT 1" >/dev/null
  local fd target
  for fd in "/proc/$DAEMON_PID/fd/"*; do
    target=$(readlink "$fd") || continue
    case $target in
    "$T"/* | "$BATS_RUN_TMPDIR"/* | socket:* | pipe:* | anon_inode:* | /dev/null | /dev/urandom) ;;
    *) echo "$target is open" && false ;;
    esac
  done
}

@test "it starts where there is no XDG_RUNTIME_DIR" {
  unset XDG_RUNTIME_DIR
  start_daemon
  [ "$(sql 'SELECT 1')" = '[[1]]' ]
  stop_daemon
}

serves_on() { # LISTEN PATTERN: the address in the ready line is like this, and answers
  "$BIN" serve --data "$DIR" --listen "$1" >"$T/daemon.out" 2>>"$T/daemon.err" 3>&- &
  DAEMON_PID=$!
  PIDS+=("$DAEMON_PID")
  wait_until daemon_decided "$DAEMON_PID"
  grep -q "ready on http://$2:" "$T/daemon.out"
  RUSTYDB_URL=$(grep -o 'http://[^ ]*' "$T/daemon.out")
  TOKEN=$(cat "$DIR/root.token")
  [ "$(sql 'SELECT 1')" = '[[1]]' ]
  stop_daemon
}

@test "IPv6 and names to listen on" {
  [ -e /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6 || skip "no IPv6 here"
  serves_on '[::1]:0' '\[::1\]'
  DIR=$T/named # whichever address comes first here
  serves_on localhost:0 '\(127\.0\.0\.1\|\[::1\]\)'
}

@test "the event loops poll and libuv serve alike" {
  local loop
  for loop in poll libuv; do
    DIR=$T/$loop
    start_daemon --event-loop "$loop"
    case_of ws_feed many_subscribers
    case_of rest keep_alive
    stop_daemon
  done
}
