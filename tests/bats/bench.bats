#!/usr/bin/env bats
# rustydb bench: each scenario runs, tells sensible figures and leaves nothing behind.
load helper

# bench SCENARIO [OPTION...]: a short run; its figures are in $output as JSON.
bench() {
  run --separate-stderr timeout $((60 * SLOW)) "$BIN" bench "$@" --warmup 50ms --format json
  if [ "$status" != 0 ]; then
    echo "status $status: $stderr"
    return 1
  fi
}

# holds EXPRESSION: a condition in jq's language on the figures.
holds() {
  jq -e ".figures | $1" <<<"$output" >/dev/null || {
    echo "not so: $1"
    echo "$output"
    return 1
  }
}

@test "insert: rows are written, statements share commits, the table goes" {
  start_daemon
  bench insert --clients 8 --duration 300ms
  holds '.inserts_per_second > 0'
  holds '.latency_us.count > 0 and .latency_us.p50 <= .latency_us.p99'
  holds '.latency_us.p99 <= .latency_us.max'
  holds '.statements_per_commit >= 1'
  holds '.server_cpu_per_insert_us > 0 and .server_memory_bytes > 1000000'
  run -0 "$BIN" query --format csv "SELECT name FROM sqlite_schema WHERE name LIKE 'bench%'"
  [[ $output != *bench_insert* ]]
}

@test "read: every answer is a row" {
  start_daemon
  bench read --clients 4 --rows 100 --payload 50 --duration 300ms
  holds '.requests_per_second > 0 and .answer_bytes > 50'
}

@test "fanout: each subscriber gets each message, over every way" {
  start_daemon
  for way in "--via rest" "--via ws" "--via rest --topic table" "--via ws --topic table"; do
    # shellcheck disable=SC2086 # several words
    bench fanout --subscribers 20 --in-flight 4 --duration 300ms $way
    holds '.deliveries_per_second > 0 and .publish_to_delivery_us.count > 0'
    holds '.deliveries_per_send >= 0.9 and .frames_per_receive > 0'
  done
}

@test "fanout: over TLS, and compressed" {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/key.pem" \
    -out "$T/cert.pem" -days 2 -subj /CN=localhost 2>/dev/null
  start_daemon --tls-cert "$T/cert.pem" --tls-key "$T/key.pem"
  bench fanout --subscribers 20 --in-flight 4 --duration 300ms
  holds '.deliveries_per_second > 0 and .publish_to_delivery_us.count > 0'
  stop_daemon
  start_daemon
  bench fanout --subscribers 20 --in-flight 4 --duration 300ms --payload 3000 --deflate
  holds '.deliveries_per_second > 0'
}

@test "filters: each insert reaches the one that waits for its value" {
  start_daemon
  for kind in equal other; do
    bench filters --subscribers 20 --clients 2 --duration 300ms --where "$kind"
    holds '.events_per_second > 0 and .deliveries_per_second > 0.8 * .events_per_second'
    holds '.server_cpu_per_event_us > 0'
  done
}

@test "storm: everyone gets what was missed, once" {
  start_daemon
  bench storm --subscribers 50 --rows 300
  holds '.everyone_served_after_ms > 0 and .each_served_after_us.count == 50'
}

@test "live: everyone hears of the changes" {
  start_daemon
  bench live --subscribers 20 --duration 500ms
  holds '.deliveries_per_second > 0 and .commits_per_second > 0'
}

@test "churn: connections come, get their event, and go" {
  start_daemon
  bench churn --clients 4 --duration 300ms
  holds '.visits_per_second > 0 and .visit_us.count > 0 and .server_cpu_per_visit_us > 0'
}

@test "mixed: reads, inserts and events" {
  start_daemon
  bench mixed --clients 4 --subscribers 3 --rows 50 --duration 300ms
  holds '.read_latency_us.count > 0 and .insert_latency_us.count > 0 and .events_per_second > 0'
}

@test "connect: connections are counted and weighed" {
  start_daemon
  bench connect --subscribers 50
  holds '.connections_per_second > 0 and .server_cpu_per_connection_us > 0'
  holds 'has("memory_per_connection_bytes")'
}

@test "slowread: the whole answer arrives in the end" {
  start_daemon
  bench slowread --rows 20000 --duration 300ms --rate 500000
  holds '.read_in_all_bytes > 20000 * 40 and .read_slowly_bytes < .read_in_all_bytes'
}

@test "latency: a change is delivered" {
  start_daemon
  bench latency --duration 300ms
  holds '.change_to_delivery_us.count > 0 and .change_to_answer_us.count > 0'
}

@test "any server can be loaded by its address" {
  start_daemon
  bench read --target "$RUSTYDB_URL/api/v1/health/liveness" --clients 2 --duration 200ms
  holds '.requests_per_second > 0'
}

@test "text for people" {
  start_daemon
  run -0 --separate-stderr "$BIN" bench read --clients 1 --rows 10 --duration 100ms --warmup 0ms
  [[ ${lines[0]} == "read against 127.0.0.1:$PORT: 1 clients, "* ]]
  [[ $output == *"requests per second"* && $output == *"latency"*"p99"* ]]
}

@test "a server that answers with an error ends the run" {
  start_daemon
  run --separate-stderr "$BIN" bench read --target "$RUSTYDB_URL/api/v1/no-such-path" --duration 5s
  [ "$status" = 5 ]
  [[ $stderr == *"status 404"* || $stderr == *"status 401"* ]]
}

@test "without a daemon: status 3 and what to do" {
  run --separate-stderr "$BIN" bench read --url http://127.0.0.1:1
  [ "$status" = 3 ]
  [[ $stderr == *"cannot talk to 127.0.0.1:1"*"rustydb serve"* ]]
}

@test "a wrong token: status 4" {
  start_daemon
  run --separate-stderr env RUSTYDB_TOKEN=wrong "$BIN" bench read
  [ "$status" = 4 ]
}

@test "what makes no sense is refused" {
  for words in "" "reed" "read insert" "read --clients 0" "fanout --topic queue" "fanout --via mail" \
    "read --duration 2h" "read --rows 99999999999"; do
    # shellcheck disable=SC2086 # several words
    run --separate-stderr "$BIN" bench $words
    [ "$status" = 2 ]
    [ -n "$stderr" ]
  done
  run --separate-stderr "$BIN" bench fanout --publish-url ftp://127.0.0.1:1 --subscribe-url ws://127.0.0.1:1
  [ "$status" != 0 ]
  [[ $stderr == *http://* ]]
}

@test "Ctrl-C: status 130, and the table goes too" {
  start_daemon
  background env --default-signal=INT "$BIN" bench insert --clients 2 --duration 60s
  table_is_there() {
    "$BIN" query --format csv "SELECT count(*) FROM sqlite_schema WHERE name='bench_insert'" |
      tail -n 1 | grep -qx 1
  }
  wait_until table_is_there
  kill -INT "$BG"
  local status=0
  wait_exit "$BG" || status=$?
  [ "$status" = 130 ]
  run table_is_there
  [ "$status" != 0 ]
}
