#!/usr/bin/env bats
# Who may connect, and who is meant: networks, proxies and what they say, names of hosts, origins of
# pages. Each is tried from the outside too.
# shellcheck disable=SC2154 # set by api

load helper

# from ADDRESS PATH [CURL-OPTION...]: a GET from this loopback address; sets status_code.
from() {
  status_code=$(curl -s --max-time $((20 * SLOW)) --interface "$1" -o "$T/answer" -w '%{http_code}' \
    -H "Authorization: Bearer $TOKEN" "${@:3}" "$RUSTYDB_URL/api/v1$2") || status_code=none
  body=$(cat "$T/answer" 2>/dev/null)
}
holds() { jq -e "$1" <<<"$body" >/dev/null || { echo "$body" && return 1; }; }

@test "networks: an address that may not connect is closed unread, and counted" {
  start_daemon --deny-networks '127.0.0.9 127.0.1.0/24'
  from 127.0.0.1 /tables
  [ "$status_code" = 200 ]
  for address in 127.0.0.9 127.0.1.1 127.0.1.255; do
    from "$address" /health/liveness
    [ "$status_code" = none ]
  done
  from 127.0.2.0 /health/liveness
  [ "$status_code" = 200 ]
  api GET '/metrics?metrics=connections.*'
  holds '.. | objects | select(has("connections.refused")) | .["connections.refused"] == 3'
  stop_daemon
  start_daemon --allow-networks '127.0.0.0/30' --deny-networks 127.0.0.2
  from 127.0.0.3 /tables
  [ "$status_code" = 200 ]
  for address in 127.0.0.2 127.0.0.4; do
    from "$address" /tables
    [ "$status_code" = none ]
  done
}

@test "networks: lists change while the daemon runs, and a wrong one is refused" {
  start_daemon
  from 127.0.0.9 /tables
  [ "$status_code" = 200 ]
  api PATCH /admin/config '{"deny_networks": "127.0.0.9"}'
  [ "$status_code" = 200 ]
  from 127.0.0.9 /tables
  [ "$status_code" = none ]
  for list in 10.0.0.1/8 10.0.0.0/33 example.org ::/129 '10.0.0.0/8;x'; do
    serve_fails --data "$T/other" --listen 127.0.0.1:0 --deny-networks "$list"
    [[ $stderr == *--deny-networks* ]]
  done
  serve_fails --data "$T/other" --listen 127.0.0.1:0 --hosts 'a:80'
  [[ $stderr == *"without a port"* ]]
}

@test "X-Forwarded-For counts from a trusted proxy alone, from right to left" {
  start_daemon --trusted-proxies '127.0.0.2 127.0.0.3' --deny-networks 192.0.2.0/24
  # A stranger may say what he likes: it neither harms nor helps him.
  from 127.0.0.1 /tables -H 'X-Forwarded-For: 192.0.2.1'
  [ "$status_code" = 200 ]
  from 127.0.0.2 /tables
  [ "$status_code" = 200 ]
  from 127.0.0.2 /tables -H 'X-Forwarded-For: 198.51.100.1'
  [ "$status_code" = 200 ]
  for hops in 192.0.2.1 '198.51.100.1, 192.0.2.1' '10.0.0.1,192.0.2.1, 127.0.0.3' '192.0.2.1:555' \
    '::ffff:192.0.2.1' '[::ffff:192.0.2.1]:1'; do
    from 127.0.0.2 /tables -H "X-Forwarded-For: $hops"
    [ "$status_code" = 403 ] || { echo "$hops: $status_code"; false; }
    holds '.code == "PERMISSION_DENIED" and (.detail | contains("192.0.2.1"))'
  done
  # What the client wrote himself stands on the left, and two headers are one list.
  from 127.0.0.2 /tables -H 'X-Forwarded-For: 192.0.2.1, 198.51.100.1'
  [ "$status_code" = 200 ]
  from 127.0.0.2 /tables -H 'X-Forwarded-For: 198.51.100.1' -H 'X-Forwarded-For: 192.0.2.1'
  [ "$status_code" = 403 ]
}

@test "PROXY protocol: both versions name the client, also before the handshake of TLS" {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout "$T/cert.key" \
    -out "$T/cert.pem" -subj /CN=localhost -addext "subjectAltName=DNS:localhost" 2>/dev/null
  start_daemon --proxy-protocol on --trusted-proxies 127.0.0.0/30 --deny-networks 192.0.2.0/24
  case_of networks proxied
  stop_daemon
  start_daemon --proxy-protocol on --trusted-proxies 127.0.0.0/30 --tls-cert "$T/cert.pem" --tls-key "$T/cert.key"
  case_of networks proxied_tls
}

@test "PROXY protocol: strangers, wrong headers and slow ones are cut off" {
  start_daemon --proxy-protocol on --trusted-proxies 127.0.0.0/30 --handshake-timeout 500ms
  case_of networks not_proxied
}

@test "PROXY protocol: without the setting its header names nobody" {
  start_daemon --trusted-proxies 127.0.0.1
  case_of networks header_unasked
}

@test "a stop does not wait for those who say nothing on the doorstep" {
  start_daemon --proxy-protocol on --trusted-proxies 127.0.0.1
  case_of networks silent &
  local pid=$!
  PIDS+=("$pid")
  wait_until test -e "$T/silent"
  stop_daemon
  wait "$pid"
}

@test "DNS rebinding: another name in Host is refused, of the daemon itself none is" {
  start_daemon
  for host in "localhost:$PORT" localhost LOCALHOST "127.0.0.1:$PORT" 127.0.0.1 '[::1]:99' 127.1.2.3; do
    api GET /tables '' -H "Host: $host"
    [ "$status_code" = 200 ] || { echo "$host: $status_code"; false; }
  done
  for host in evil.example "evil.example:$PORT" localhost.evil.example evil-localhost 192.0.2.1 '[2001:db8::1]' \
    127.0.0.1.evil.example 2130706433 0x7f000001; do
    api GET /tables '' -H "Host: $host"
    expect_problem 421 MISDIRECTED || { echo "$host"; false; }
  done
  for host in 'a b' 'user@localhost' 'localhost:80:80' 'localhost:x' '[::1' 'localhost/' 'localhost, evil.example' \
    '[localhost]' 'localhost:123456'; do
    api GET /tables '' -H "Host: $host"
    expect_problem 400 INVALID_MESSAGE || { echo "$host"; false; }
  done
  # Nothing at all is told to such a page: no preflight, no open path, no page, no upgrade.
  for path in /health/liveness /auth/validate; do
    api GET "$path" '' -H 'Host: evil.example'
    expect_problem 421 MISDIRECTED
  done
  api GET "$RUSTYDB_URL/swagger-ui" '' -H 'Host: evil.example'
  [ "$status_code" = 421 ]
  api OPTIONS /query '' -H 'Host: evil.example'
  [ "$status_code" = 421 ]
  api POST /query '{"sql": "SELECT 1"}' -H 'Host: evil.example'
  expect_problem 421 MISDIRECTED
  case_of networks hosts
  api GET /tables
  [ "$status_code" = 200 ]
}

@test "hosts: names that were given are answered, and wildcards" {
  start_daemon --hosts 'db.example.org *.example.net'
  for host in db.example.org DB.example.org:443 a.example.net a.b.example.net; do
    api GET /tables '' -H "Host: $host"
    [ "$status_code" = 200 ] || { echo "$host: $status_code"; false; }
  done
  for host in example.net evilexample.net db.example.org.evil.example x.db.example.org; do
    api GET /tables '' -H "Host: $host"
    expect_problem 421 MISDIRECTED || { echo "$host"; false; }
  done
  stop_daemon
  start_daemon --hosts '*'
  api GET /tables '' -H "Host: anything.example"
  [ "$status_code" = 200 ]
  # Malformed stays malformed.
  api GET /tables '' -H "Host: anything example"
  [ "$status_code" = 400 ]
}

@test "cross-site WebSockets: a page of others gets no upgrade, whatever it calls itself" {
  start_daemon --cors-origins 'https://app.example https://*.example.org'
  case_of networks origins
}

@test "cross-site requests without credentials of their own are refused" {
  start_daemon --cors-origins https://app.example
  TOKEN='' api POST /query '{"sql": "SELECT 1"}' -H 'Origin: https://evil.example'
  expect_problem 403 PERMISSION_DENIED
  TOKEN='' api POST /query '{"sql": "SELECT 1"}' -H 'Origin: null'
  expect_problem 403 PERMISSION_DENIED
  TOKEN='' api POST /query '{"sql": "SELECT 1"}' -H 'Origin: https://app.example'
  expect_problem 401 AUTH_REQUIRED
  TOKEN='' api POST /query '{"sql": "SELECT 1"}' -H "Origin: $RUSTYDB_URL"
  expect_problem 401 AUTH_REQUIRED
  api POST /query '{"sql": "SELECT 1"}' -H 'Origin: https://evil.example'
  [ "$status_code" = 200 ]
  run ! grep -q '^access-control' <<<"$headers"
  # Subdomains by wildcard, with CORS.
  stop_daemon
  start_daemon --cors-origins 'https://*.example.org'
  api GET /tables '' -H 'Origin: https://a.example.org'
  grep -qx 'access-control-allow-origin: https://a.example.org' <<<"$headers"
  for origin in https://example.org http://a.example.org https://a.example.org.evil.example https://aexample.org; do
    api GET /tables '' -H "Origin: $origin"
    run ! grep -q '^access-control' <<<"$headers"
  done
}
