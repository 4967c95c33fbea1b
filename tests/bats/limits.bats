#!/usr/bin/env bats
# Limits on how much one may ask, and how often: connections, requests, messages, time. Each is tried
# from one client and around it: with more connections, addresses, batches, proxies.
# shellcheck disable=SC2154 # set by api

load helper

@test "connections of one address: the limit is told to a few and closes the door to the rest" {
  start_daemon --max-connections-per-address 5
  case_of limits connections_per_address
}

@test "new connections of one address: a burst, then the rate; others go on" {
  start_daemon --connection-rate 1 --connection-burst 5
  case_of limits connection_rate
}

@test "limits hold for all reactors together" {
  start_daemon --reactors 4 --max-connections-per-address 6 --request-rate 1 --request-burst 30
  case_of limits reactors
}

@test "requests: 429 with Retry-After and the RateLimit headers, then the connection closes" {
  start_daemon --request-rate 1 --request-burst 5
  case_of limits requests
}

@test "requests: another connection, another path or no credentials are no way around" {
  start_daemon --request-rate 1 --request-burst 10
  case_of limits requests_around
}

@test "requests through a trusted proxy count for their client" {
  start_daemon --request-rate 1 --request-burst 5 --trusted-proxies 127.0.0.2
  case_of limits requests_proxied
}

@test "requests: a limit that is set while the daemon runs is in force at once, and is lifted" {
  start_daemon
  case_of limits at_runtime
}

@test "messages: an error each, then 1008; a batch counts as what is in it" {
  start_daemon --message-rate 1 --message-burst 10
  case_of limits messages
  case_of limits message_batches
}

@test "messages: every protocol says so, and ends" {
  start_daemon --message-rate 1 --message-burst 5
  case_of limits messages_everywhere
}

@test "without limits there are no such headers" {
  start_daemon
  api GET /tables
  run ! grep -qi '^ratelimit' <<<"$headers"
  stop_daemon
  start_daemon --preset production --log-format text
  api GET /tables
  grep -q '^ratelimit-limit: 10000' <<<"$headers"
}

@test "handshakes and heads that never end are cut off" {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout "$T/cert.key" \
    -out "$T/cert.pem" -subj /CN=localhost -addext "subjectAltName=DNS:localhost" 2>/dev/null
  start_daemon --tls-cert "$T/cert.pem" --tls-key "$T/cert.key" --handshake-timeout 500ms --request-timeout 30s
  case_of limits slow_handshake
  stop_daemon
  start_daemon --request-timeout 500ms --idle-timeout 1s
  case_of limits slow_heads
}

@test "rows of an answer: no more than max_rows, whatever is asked for, and the answer says so" {
  start_daemon --max-rows 5
  local many='WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT i FROM n'
  for more in '' ', "max_rows": 50' ', "max_rows": 9007199254740993'; do
    api POST /query "{\"sql\": \"$many\"$more}"
    jq -e '(.rows | length) == 5 and .truncated' <<<"$body"
  done
  api POST /query "{\"sql\": \"$many\", \"max_rows\": 3}"
  jq -e '(.rows | length) == 3 and .truncated' <<<"$body"
  api POST /batch "{\"statements\": [{\"sql\": \"$many\"}, {\"sql\": \"$many\"}]}"
  jq -e '[.results[] | .rows | length] == [5, 5]' <<<"$body"
  case_of limits rows_over_websocket "$many"
}

@test "header smuggling: what two servers could read in two ways is refused" {
  start_daemon
  case_of limits smuggling
}

@test "bodies and messages that never end are refused" {
  start_daemon --max-body 64k --max-message 64k
  case_of limits endless
}
