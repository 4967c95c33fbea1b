# What every .bats file loads: a temporary folder per test, a daemon in it, and ways to talk to it.
#
#   load helper            gives setup and teardown; a file with its own calls rustydb_setup and
#                          rustydb_teardown in them
#
# Each test has its own folder $T, which is also its HOME, its XDG folders and its TMPDIR, and the
# working directory is $T/cwd: a process that writes anywhere else is a bug. Teardown ends the
# processes that the test started (by their pids), and fails the test when a process is left over,
# when a sanitizer wrote a report, or when the working directory got files it should not have.
#
# Environment: RUSTYDB_BIN, the binary under test (build/rustydb when unset).

# shellcheck shell=bash disable=SC2034 # variables here are read by the .bats files
bats_require_minimum_version 1.5.0

REPO=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
LIB=$REPO/tests/bats/lib
BIN=$(realpath "${RUSTYDB_BIN:-$REPO/build/rustydb}")
ISO_CODES=${ISO_CODES:-/usr/share/iso-codes/json}

# A Python that has Debian's websockets.
PYTHON=${PYTHON:-}
if [ -z "$PYTHON" ]; then
  for PYTHON in /usr/bin/python3 python3; do
    "$PYTHON" -c 'import websockets' 2>/dev/null && break
  done
fi

# Sanitizers make everything slower and bigger: limits of time are multiplied by SLOW, limits of
# memory are not checked where SANITIZED is set.
SANITIZED=
SLOW=1
if grep -qaE 'lib[atu]+b?san\.so' "$BIN" 2>/dev/null; then
  SANITIZED=1
  SLOW=5
fi
export SLOW SANITIZED

setup() { rustydb_setup; }
teardown() { rustydb_teardown; }

# ---- a folder for each test -------------------------------------------------------------------------

rustydb_setup() {
  local v
  for v in $(compgen -e RUSTYDB_) $(compgen -e | grep -iE '^(https?|all|no)_proxy$'); do
    unset "$v"
  done
  T=$(mktemp -d "${BATS_RUN_TMPDIR%/*}/rustydb-bats.XXXXXX")
  DIR=$T/data
  PIDS=()
  MOUNTS=()
  DAEMON_PID=
  export RUSTYDB_BIN=$BIN T DIR
  export HOME=$T/home TMPDIR=$T/tmp LC_ALL=C.UTF-8 TZ=UTC NO_COLOR=
  export XDG_RUNTIME_DIR=$T/run XDG_CONFIG_HOME=$T/config XDG_DATA_HOME=$T/home/data
  export XDG_STATE_HOME=$T/home/state XDG_CACHE_HOME=$T/home/cache
  export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$LIB
  unset NO_COLOR
  mkdir -m 700 "$HOME" "$TMPDIR" "$XDG_RUNTIME_DIR" "$XDG_CONFIG_HOME" "$T/cwd"
  cd "$T/cwd" || return 1
}

rustydb_teardown() {
  local pid left failed=0
  if [ -z "${BATS_TEST_COMPLETED:-}" ] && [ -s "$T/daemon.err" ]; then
    echo "# the daemon's log ends:"
    tail -n 40 "$T/daemon.err"
  fi
  for pid in "${PIDS[@]}"; do
    kill -KILL "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
  done
  # Whatever was started inside the test has this HOME; nothing may be left of it.
  if ! wait_until -t 5 no_process_left; then
    left=$(processes_left)
    for pid in $left; do
      echo "left running: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"
      kill -KILL "$pid" 2>/dev/null
    done
    failed=1
  fi
  for left in "${MOUNTS[@]}"; do umount "$left" || failed=1; done
  if grep -sE 'ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:' "$T/daemon.err"; then
    echo "a sanitizer reported; see above and:"
    grep -sA40 -m1 -E 'Sanitizer|runtime error:' "$T/daemon.err"
    failed=1
  fi
  cd "$REPO" || failed=1
  if [ "$failed" = 0 ] && [ -n "${BATS_TEST_COMPLETED:-}" ] && [ -n "$(ls -A "$T/cwd")" ]; then
    echo "files appeared in the working directory: $(ls -A "$T/cwd")"
    failed=1
  fi
  if [ -n "${KEEP:-}" ]; then echo "kept: $T"; else rm -rf "$T"; fi
  return "$failed"
}

processes_left() {
  local f
  while IFS= read -r f; do
    f=${f#/proc/}
    f=${f%/environ}
    # A zombie has an empty environ and is not found here.
    [ "$f" = "$$" ] || [ "$f" = "$BASHPID" ] || echo "$f"
  done < <(grep -slzxF "HOME=$T/home" /proc/[0-9]*/environ)
}
no_process_left() { [ -z "$(processes_left)" ]; }

# ---- waiting ----------------------------------------------------------------------------------------

# wait_until [-t SECONDS] COMMAND...: tries until it succeeds; 30 s by default.
wait_until() {
  local limit=30 until
  if [ "$1" = -t ]; then
    limit=$2
    shift 2
  fi
  until=$((SECONDS + limit * SLOW + 1))
  until "$@"; do
    if [ "$SECONDS" -ge "$until" ]; then
      echo "waited $((limit * SLOW)) s in vain for: $*" >&2
      return 1
    fi
    sleep 0.03
  done
}

# background COMMAND...: starts it, remembers it for teardown, leaves its pid in BG.
background() {
  "$@" 3>&- &
  BG=$!
  PIDS+=("$BG")
}

gone() { ! kill -0 "$1" 2>/dev/null; }

# wait_exit PID [SECONDS]: waits for a child and returns its exit status; 124 when it stays.
wait_exit() {
  wait_until -t "${2:-20}" gone "$1" || return 124
  wait "$1"
}

# ---- the daemon -------------------------------------------------------------------------------------

# start_daemon [FLAG...]: starts `rustydb serve` on a free port and waits until it is ready.
# Sets and exports RUSTYDB_URL, PORT, TOKEN, DAEMON_PID and DIR (as of --data, $T/data by default).
# Its standard output is $T/daemon.out (of this start), its log is appended to $T/daemon.err.
start_daemon() {
  local listen=(--listen 127.0.0.1:0) data=(--data "$DIR") i
  local args=("$@")
  for ((i = 0; i < ${#args[@]}; i++)); do
    case ${args[i]} in
    --listen | --listen=*) listen=() ;;
    --data)
      data=()
      DIR=${args[i + 1]}
      ;;
    esac
  done
  : >"$T/daemon.out"
  "$BIN" serve "${data[@]}" "${listen[@]}" "$@" >"$T/daemon.out" 2>>"$T/daemon.err" 3>&- </dev/null &
  DAEMON_PID=$!
  PIDS+=("$DAEMON_PID")
  wait_until -t 30 daemon_decided "$DAEMON_PID" || return 1
  READY_LINE=$(head -n 1 "$T/daemon.out")
  if ! [[ $READY_LINE =~ ^rustydb\ [^\ ]+\ ready\ on\ (https?://127\.0\.0\.1:([0-9]+))\ \(data\ (.*)\)$ ]]; then
    echo "the daemon did not get ready: '$READY_LINE'" >&2
    tail -n 20 "$T/daemon.err" >&2
    return 1
  fi
  RUSTYDB_URL=${BASH_REMATCH[1]}
  PORT=${BASH_REMATCH[2]}
  TOKEN=$(cat "$DIR/root.token") || return 1
  export RUSTYDB_URL PORT TOKEN DAEMON_PID DIR
}
daemon_decided() { grep -q . "$T/daemon.out" || gone "$1"; }

# restart_daemon [FLAG...]: starts it again on the port it had.
restart_daemon() { start_daemon --listen "127.0.0.1:$PORT" "$@"; }

# stop_daemon: SIGTERM, and exit status 0 within the limit.
stop_daemon() {
  local status=0
  kill -TERM "$DAEMON_PID" || return 1
  wait_exit "$DAEMON_PID" 20 || status=$?
  if [ "$status" != 0 ]; then
    echo "after SIGTERM the daemon ended with status $status (124: did not end)" >&2
    return 1
  fi
}

# kill_daemon: SIGKILL, as a crash.
kill_daemon() {
  kill -KILL "$DAEMON_PID" || return 1
  wait_exit "$DAEMON_PID" 20 || [ $? = 137 ]
}

# serve_fails [FLAG...]: runs `rustydb serve`, which is to refuse. Sets status, output and stderr as
# bats' run does.
serve_fails() {
  run --separate-stderr timeout $((20 * SLOW)) "$BIN" serve "$@"
  [ "$status" != 0 ] && [ "$status" != 124 ]
}

rss_kb() { awk '/^VmRSS:/ { print $2 }' "/proc/${1:-$DAEMON_PID}/status"; }

# ---- REST -------------------------------------------------------------------------------------------

# api METHOD PATH [BODY [CURL-OPTION...]]: a request with the token, or without one when TOKEN is ''.
# PATH is below /api/v1 unless it starts with /api or http. BODY is JSON unless an option says
# otherwise; '' for none; '-' reads standard input. Sets status_code, body, and headers (lower-case
# names).
api() {
  local method=$1 url=$2 request=${3:-} type=()
  case $url in
  http*) ;;
  /api/*) url=$RUSTYDB_URL$url ;;
  *) url=$RUSTYDB_URL/api/v1$url ;;
  esac
  if [ "$request" = - ]; then cat; else printf %s "$request"; fi >"$T/request"
  [ -z "$request" ] || type=(-H 'Content-Type: application/json' --data-binary @-)
  [[ "${*:4}" != *Content-Type:* ]] || type=("${type[@]:2}")
  : >"$T/answer"
  status_code=$(curl -sS --max-time $((60 * SLOW)) -X "$method" -o "$T/answer" -D "$T/headers" \
    ${TOKEN:+-H "Authorization: Bearer $TOKEN"} "${type[@]}" "${@:4}" -w '%{http_code}' "$url" <"$T/request") ||
    return 1
  body=$(tr -d '\0' <"$T/answer")
  headers=$(tr -d '\r' <"$T/headers" | sed 's/^\([^:]*\):/\L\1:/')
}

# sql SQL [PARAMS]: runs a statement over REST; prints its rows as compact JSON. Fails when it fails.
sql() {
  local request
  request=$(jq -cn --arg sql "$1" --argjson params "${2:-null}" \
    '{sql: $sql} + (if $params == null then {} else {params: $params} end)')
  api POST /query "$request" || return 1
  if [ "$status_code" != 200 ]; then
    echo "status $status_code: $body" >&2
    return 1
  fi
  jq -c .rows <<<"$body"
}

# expect_problem STATUS CODE: the last answer is a problem document with this status and code.
expect_problem() {
  if [ "$status_code" != "$1" ] || ! grep -q '^content-type: application/problem+json' <<<"$headers" ||
    ! jq -e --arg code "$2" --argjson status "$1" \
      '.code == $code and .status == $status and (.type | type) == "string" and (.title | length) > 0
       and (.detail | length) > 0' <<<"$body" >/dev/null; then
    printf 'expected %s %s, got %s:\n%s\n%s\n' "$1" "$2" "$status_code" "$headers" "$body" >&2
    return 1
  fi
}

# ---- Python -----------------------------------------------------------------------------------------

# case_of FILE NAME [ARGUMENT...]: runs one case of tests/bats/lib/FILE.py; its output shows on failure.
case_of() {
  timeout --kill-after=5 $((120 * SLOW)) "$PYTHON" "$LIB/$1.py" "${@:2}" 3>&-
}
