#!/usr/bin/env bash
# Measures the daemon, and beside it nginx with nchan and redis where they are installed, all in one
# run with one load generator; ends with a table of what was to be reached.
#   tests/bench/run.sh [BINARY]
#   BENCH_SECONDS  length of each measurement (4)
#   BENCH_ROUNDS   how often each is made; the median counts (3)
#   BENCH_FLAGS    flags for `rustydb serve`, for instance "--event-loop poll"
#   BENCH_ONLY     a regular expression: only measurements whose names it matches
#   BENCH_OUT      folder for the figures as JSON, one file each (build/bench)
set -eu
cd "$(dirname "$0")/../.."
BIN=$(realpath "${1:-build/rustydb}")
SECONDS_EACH=${BENCH_SECONDS:-4}
ROUNDS=${BENCH_ROUNDS:-3}
OUT=${BENCH_OUT:-build/bench}
read -r -a FLAGS <<<"${BENCH_FLAGS:-}"
command -v jq >/dev/null || { echo "bench: jq is missing" >&2 && exit 1; }
unset RUSTYDB_URL RUSTYDB_TOKEN
ulimit -n "$(ulimit -Hn)"
. tests/bench/servers.sh
mkdir -p "$OUT"
rm -f "$OUT"/*.json

# The generator keeps to one CPU: else the kernel, seeing two processes that wake each other, puts
# both on one, or does not, and rates differ by half between runs.
PIN=(taskset -c "$(($(nproc) - 1))")
"${PIN[@]}" true 2>/dev/null || PIN=()

# ---- measuring --------------------------------------------------------------------------------------

# measure NAME ARGUMENT...: one run of `rustydb bench`, its figures appended to NAME.json.
measure() {
  local name=$1
  shift
  [[ $name =~ ${BENCH_ONLY:-.} ]] || return 0
  echo "# $name: rustydb bench $*" >&2
  "${PIN[@]+"${PIN[@]}"}" "$BIN" bench "$@" --format json >>"$OUT/$name.json" || die "$name could not be measured"
}

# rounds FUNCTION: measurements that are compared take turns, so that what disturbs one disturbs all.
rounds() {
  local i
  for ((i = 0; i < ROUNDS; i++)); do "$1"; done
}

# median NAME FIGURE: of all rounds; empty when it was not measured.
median() {
  [ -s "$OUT/$1.json" ] || return 0
  jq -rs --arg f "$2" '[.[].figures | getpath($f | split("."))] | map(select(. != null)) | sort
    | if length == 0 then empty else .[(length - 1) / 2 | floor] end' "$OUT/$1.json"
}

daemon() { measure "$@" --url "$DAEMON_URL"; }
for_seconds=(--duration "${SECONDS_EACH}s")
# In a fan-out the generator never sleeps. Else every server pays for waking it, and the more the
# quicker a delivery is read; clients on other machines cost it nothing of that kind.
fan=(--spin "${for_seconds[@]}")

fan_out() {
  local k
  for k in 1 8; do
    if [ -n "$NCHAN_MODULE" ] && [ -n "$NGINX" ]; then
      measure "fanout-$k-nchan" fanout --in-flight $k "${fan[@]}" --pid "$NGINX_PID" \
        --publish-url "$NGINX_URL/pub" --subscribe-url "ws${NGINX_URL#http}/sub"
    fi
    if [ -n "$REDIS" ]; then
      measure "fanout-$k-redis" fanout --in-flight $k "${fan[@]}" --pid "$REDIS_PID" \
        --publish-url "$REDIS_URL/bench" --subscribe-url "$REDIS_URL/bench"
    fi
    daemon "fanout-$k" fanout --in-flight $k "${fan[@]}"
  done
  daemon fanout-8-ws fanout --in-flight 8 --via ws "${fan[@]}"
  daemon fanout-8-table fanout --in-flight 8 --topic table "${fan[@]}"
}

# The same at other sizes, where the cost of each delivery counts.
fan_out_sizes() {
  local n k
  for n in 100 8000; do
    for k in 1 8; do
      if [ -n "$NCHAN_MODULE" ] && [ -n "$NGINX" ]; then
        measure "fanout-$n-$k-nchan" fanout -s $n -k $k "${fan[@]}" --pid "$NGINX_PID" \
          --publish-url "$NGINX_URL/pub" --subscribe-url "ws${NGINX_URL#http}/sub"
      fi
      daemon "fanout-$n-$k" fanout -s $n -k $k "${fan[@]}"
    done
  done
  daemon fanout-large fanout --payload 3000 "${fan[@]}"
  daemon fanout-large-deflate fanout --payload 3000 --deflate "${fan[@]}"
}

filters() {
  local n
  for n in 1 100 1000 10000; do
    daemon "filters-$n" filters -s $n "${for_seconds[@]}"
  done
  daemon filters-1000-other filters -s 1000 --where other "${for_seconds[@]}"
}

# Over TLS: a daemon of its own, with a certificate of its own.
tls() {
  [[ fanout-tls-1 =~ ${BENCH_ONLY:-.} ]] || return 0
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$WORK/tls.key" \
    -out "$WORK/tls.pem" -days 2 -subj /CN=localhost 2>/dev/null
  start_daemon "tls-$RANDOM" --tls-cert "$WORK/tls.pem" --tls-key "$WORK/tls.key" \
    "${FLAGS[@]+"${FLAGS[@]}"}"
  daemon fanout-tls-1 fanout "${for_seconds[@]}"
  daemon fanout-tls-8 fanout -k 8 "${for_seconds[@]}"
  stop_daemon
}

reactors() {
  local n
  for n in 1 2; do
    [[ "reactors-$n" =~ ${BENCH_ONLY:-.} ]] || continue
    start_daemon "reactors-$n-$RANDOM" --reactors $n "${FLAGS[@]+"${FLAGS[@]}"}"
    daemon "reactors-$n" read "${for_seconds[@]}"
    stop_daemon
  done
}

reads() {
  if [ -n "$NGINX" ]; then
    measure read-nginx read --target "$NGINX_URL/static.json" --pid "$NGINX_PID" "${for_seconds[@]}"
  fi
  if [ -n "$REDIS" ]; then
    measure read-redis read --target "$REDIS_URL/bench" --pid "$REDIS_PID" "${for_seconds[@]}"
  fi
  daemon read read "${for_seconds[@]}"
}

inserts() {
  daemon insert-1 insert --clients 1 "${for_seconds[@]}"
  daemon insert-64 insert --clients 64 "${for_seconds[@]}"
}

others() {
  daemon mixed mixed "${for_seconds[@]}"
  daemon latency latency "${for_seconds[@]}"
  daemon live live "${for_seconds[@]}"
  daemon churn churn "${for_seconds[@]}"
}

# fresh NAME ARGUMENT...: with a daemon of its own, so that its memory before is a fresh one's.
fresh() {
  [[ $1 =~ ${BENCH_ONLY:-.} ]] || return 0
  start_daemon "$1-$RANDOM" "${FLAGS[@]+"${FLAGS[@]}"}"
  daemon "$@"
  stop_daemon
}

memory() {
  fresh connect-1000 connect --subscribers 1000
  fresh connect-8000 connect --subscribers 8000
  fresh slowread slowread "${for_seconds[@]}"
  fresh storm storm
}

# ---- telling ----------------------------------------------------------------------------------------

# goal WHAT VALUE RELATION LIMIT UNIT: one line of the table.
goal() {
  local verdict
  if [ -z "$2" ]; then
    verdict='not measured'
  elif jq -en --argjson v "$2" --argjson l "$4" "\$v $3 \$l" >/dev/null; then
    verdict=reached
  else
    verdict=MISSED
  fi
  printf '%-58s %12s  %-14s %s\n' "$1" "${2:+$(printf %.2f "$2")}" "$3 $4${5:+ $5}" "$verdict"
}

# ratio A B: A / B, empty when either is missing.
ratio() {
  if [ -n "$1" ] && [ -n "$2" ]; then
    jq -n --argjson a "$1" --argjson b "$2" 'if $b > 0 then $a / $b else empty end'
  fi
}

fact() { # WHAT NAME FIGURE UNIT
  local value
  value=$(median "$2" "$3")
  [ -z "$value" ] || printf '%-58s %12s  %s\n' "$1" "$value" "$4"
}

tell_facts() {
  local server k
  printf '\n%s\n' "Medians of $ROUNDS rounds of $SECONDS_EACH s each, on $(nproc) cores ($(uname -sr))"
  for k in 1 8; do
    for server in '' -nchan -redis; do
      fact "fan-out to 1,000, $k in flight${server/-/, }" "fanout-$k$server" \
        deliveries_per_second 'deliveries/s'
      fact "  server CPU" "fanout-$k$server" server_cpu_per_delivery_us us/delivery
      fact "  publish to delivery, p99" "fanout-$k$server" publish_to_delivery_us.p99 us
    done
  done
  fact 'fan-out to 1,000, 8 in flight over WebSocket' fanout-8-ws deliveries_per_second 'deliveries/s'
  fact 'fan-out of a table to 1,000, 8 in flight' fanout-8-table deliveries_per_second 'deliveries/s'
  for server in '' -nginx -redis; do
    fact "read, 64 clients${server/-/, }" "read$server" requests_per_second 'requests/s'
    fact '  server CPU' "read$server" server_cpu_per_request_us us/request
    fact '  p99' "read$server" latency_us.p99 us
  done
  fact 'insert, 1 client' insert-1 inserts_per_second 'rows/s'
  fact 'insert, 64 clients' insert-64 inserts_per_second 'rows/s'
  fact '  p99' insert-64 latency_us.p99 us
  fact 'mixed, 32 clients, 20 % inserts, 10 subscribers' mixed requests_per_second 'requests/s'
  fact 'change to delivery, idle, p50' latency change_to_delivery_us.p50 us
  fact '  p99' latency change_to_delivery_us.p99 us
  fact '  of the answer to the change, p99' latency change_to_answer_us.p99 us
  fact 'connect 1,000, server CPU' connect-1000 server_cpu_per_connection_us us/connection
  fact 'connect 8,000, server CPU' connect-8000 server_cpu_per_connection_us us/connection
}

tell_goals() {
  printf '\n%-58s %12s  %-14s\n' 'To reach' value limit
  goal 'fan-out, server CPU per delivery, of nchan'\''s' "$(ratio \
    "$(median fanout-1 server_cpu_per_delivery_us)" \
    "$(median fanout-1-nchan server_cpu_per_delivery_us)")" '<=' 0.9
  goal 'fan-out, deliveries/s with 8 in flight, of those with 1' "$(ratio \
    "$(median fanout-8 deliveries_per_second)" "$(median fanout-1 deliveries_per_second)")" '>=' 4
  goal 'fan-out with 8 in flight, deliveries per send' \
    "$(median fanout-8 deliveries_per_send)" '>=' 4
  goal 'insert, rate of 64 clients, of that of one' "$(ratio \
    "$(median insert-64 inserts_per_second)" "$(median insert-1 inserts_per_second)")" '>=' 5
  goal 'insert, 64 clients, statements in the mean group' \
    "$(median insert-64 statements_per_commit)" '>=' 16
  goal 'point read, rate, of nginx with a static answer' "$(ratio \
    "$(median read requests_per_second)" "$(median read-nginx requests_per_second)")" '>=' 0.3333
  goal '8,000 idle subscribers, memory of each' \
    "$(median connect-8000 memory_per_connection_bytes)" '<=' 8192 bytes
  # Debian's libwebsockets checks its table of connections at each open: some percent at 8,000.
  goal '8,000 subscribers, CPU to connect each, of that of 1,000' "$(ratio \
    "$(median connect-8000 server_cpu_per_connection_us)" \
    "$(median connect-1000 server_cpu_per_connection_us)")" '<=' 1.1
  goal 'SELECT of 1,000,000 rows read slowly, memory growth' \
    "$(median slowread memory_growth_bytes)" '<' 8388608 bytes
  goal 'change to delivery, idle, p99' "$(median latency change_to_delivery_us.p99)" '<' 5000 us
}

tell_more_facts() {
  local n k server
  for n in 100 8000; do
    for k in 1 8; do
      for server in '' -nchan; do
        fact "fan-out to $n, $k in flight${server/-/, }" "fanout-$n-$k$server" \
          deliveries_per_second 'deliveries/s'
        fact '  server CPU' "fanout-$n-$k$server" server_cpu_per_delivery_us us/delivery
      done
    done
  done
  for k in 1 8; do
    fact "fan-out to 1,000 over TLS, $k in flight" "fanout-tls-$k" deliveries_per_second 'deliveries/s'
    fact '  server CPU' "fanout-tls-$k" server_cpu_per_delivery_us us/delivery
  done
  for server in '' -deflate; do
    fact "fan-out of 3,000 bytes to 1,000${server/-/, }" "fanout-large$server" \
      server_cpu_per_delivery_us us/delivery
  done
  fact 'a live query to 1,000' live deliveries_per_second 'deliveries/s'
  fact '  server CPU' live server_cpu_per_delivery_us us/delivery
  fact 'connections that come and go' churn visits_per_second 'visits/s'
  fact '  server CPU' churn server_cpu_per_visit_us us/visit
  for n in 1 100 1000 10000 1000-other; do
    fact "an event with filters: $n" "filters-$n" server_cpu_per_event_us us/event
  done
  for n in 1 2; do
    fact "reads with --reactors $n" "reactors-$n" requests_per_second 'requests/s'
    fact '  server CPU' "reactors-$n" server_cpu_per_request_us us/request
  done
}

tell_more_goals() {
  local n
  for n in 100 8000; do
    goal "fan-out to $n, server CPU per delivery, of nchan's" "$(ratio \
      "$(median "fanout-$n-1" server_cpu_per_delivery_us)" \
      "$(median "fanout-$n-1-nchan" server_cpu_per_delivery_us)")" '<=' 1
  done
  goal 'fan-out to 1,000, deliveries/s with 8 in flight, of those with 1' "$(ratio \
    "$(median fanout-8 deliveries_per_second)" "$(median fanout-1 deliveries_per_second)")" '>=' 6
  goal '5,000 come back at once: everyone served after' "$(median storm everyone_served_after_ms)" \
    '<=' 5000 ms
  goal 'an event with 10,000 filters, CPU, of that with 1' "$(ratio \
    "$(median filters-10000 server_cpu_per_event_us)" \
    "$(median filters-1 server_cpu_per_event_us)")" '<=' 2
  goal 'reads with --reactors 2, rate, of that with 1' "$(ratio \
    "$(median reactors-2 requests_per_second)" "$(median reactors-1 requests_per_second)")" '>=' 0.95
}

start_nginx_if_there() { [ -z "$NGINX" ] || start_nginx 230; }
start_redis_if_there() { [ -z "$REDIS" ] || start_redis 230; }

start_nginx_if_there
start_redis_if_there
rounds memory
start_daemon main --max-connections 20000 "${FLAGS[@]+"${FLAGS[@]}"}"
rounds inserts
rounds reads
rounds fan_out
rounds fan_out_sizes
rounds filters
rounds others
stop_daemon
rounds tls
rounds reactors
{ tell_facts && tell_more_facts; } | tee "$OUT/figures.txt"
{ tell_goals && tell_more_goals; } | tee "$OUT/goals.txt"
