#!/usr/bin/env bats
# How the command line reaches a daemon: TLS, Unix sockets, which token goes where. TLS and Unix
# sockets end in a forwarder here.

load helper

# forwarder NAME ARGUMENT...: starts one of cli.py; what it printed first is in AT.
forwarder() {
  : >"$T/forward.$1"
  background "$PYTHON" "$LIB/cli.py" "$@" >"$T/forward.$1" 2>>"$T/forward.err"
  wait_until test -s "$T/forward.$1"
  AT=$(head -n 1 "$T/forward.$1")
}

certificate() { # NAME: a self-signed one for localhost in $T/NAME.pem and .key
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
    -addext 'subjectAltName=DNS:localhost' -keyout "$T/$1.key" -out "$T/$1.pem" 2>"$T/openssl.err"
}

@test "TLS: trusted by --cacert, refused without, --insecure takes anything" {
  start_daemon
  sql 'CREATE TABLE t (x)'
  sql 'INSERT INTO t VALUES (7)'
  certificate server
  forwarder forward_tls "$PORT" "$T/server.pem" "$T/server.key"
  export RUSTYDB_TOKEN=$TOKEN RUSTYDB_URL=https://localhost:$AT
  [ "$("$BIN" query --no-header --cacert "$T/server.pem" 'SELECT x FROM t')" = 7 ]
  [ "$("$BIN" subscribe -q --cacert "$T/server.pem" t --since 0 --count 1 | jq .row.x)" = 7 ]
  [ "$("$BIN" query --no-header --insecure 'SELECT x FROM t')" = 7 ]
  [ "$("$BIN" subscribe -q --insecure t --since 0 --count 1 | jq .row.x)" = 7 ]
  run --separate-stderr "$BIN" query 'SELECT 1'
  [ "$status" = 3 ]
  [[ $stderr == *--cacert* ]]
  run --separate-stderr "$BIN" subscribe t
  [ "$status" = 3 ]
  # The name must be right too.
  run --separate-stderr "$BIN" query --url "https://127.0.0.1:$AT" --cacert "$T/server.pem" 'SELECT 1'
  [ "$status" = 3 ]
  run --separate-stderr "$BIN" subscribe --url "https://127.0.0.1:$AT" --cacert "$T/server.pem" t
  [ "$status" = 3 ]
}

@test "TLS: --cert and --key show the client's own certificate" {
  start_daemon
  sql 'CREATE TABLE t (x)'
  sql 'INSERT INTO t VALUES (7)'
  certificate server
  certificate client
  forwarder forward_tls "$PORT" "$T/server.pem" "$T/server.key" "$T/client.pem"
  export RUSTYDB_TOKEN=$TOKEN RUSTYDB_URL=https://localhost:$AT
  local own=(--cacert "$T/server.pem" --cert "$T/client.pem" --key "$T/client.key")
  [ "$("$BIN" query --no-header "${own[@]}" 'SELECT x FROM t')" = 7 ]
  [ "$("$BIN" subscribe -q "${own[@]}" t --since 0 --count 1 | jq .row.x)" = 7 ]
  run --separate-stderr "$BIN" query --cacert "$T/server.pem" 'SELECT 1'
  [ "$status" = 3 ]
  run --separate-stderr timeout 20 "$BIN" subscribe --cacert "$T/server.pem" t --timeout 2s
  [ "$status" = 3 ]
}

@test "a Unix socket by --url unix:PATH" {
  start_daemon
  sql 'CREATE TABLE t (x)'
  sql 'INSERT INTO t VALUES (7)'
  forwarder forward_unix "$PORT" "$T/socket"
  export RUSTYDB_URL=unix:$T/socket
  run --separate-stderr "$BIN" query 'SELECT 1'
  [ "$status" = 4 ] # whose daemon is behind it is not known, so no token goes there by itself
  export RUSTYDB_TOKEN=$TOKEN
  [ "$("$BIN" query --no-header 'SELECT x FROM t')" = 7 ]
  [ "$("$BIN" subscribe -q t --since 0 --count 1 | jq .row.x)" = 7 ]
  run --separate-stderr "$BIN" query --url "unix:$T/absent" 'SELECT 1'
  [ "$status" = 3 ]
  run --separate-stderr "$BIN" subscribe --url "unix:$T/absent" t
  [ "$status" = 3 ]
}

@test "the local token goes to the recorded address only" {
  start_daemon
  forwarder listener
  run --separate-stderr "$BIN" query --url "http://127.0.0.1:$AT" 'SELECT 1'
  [ "$status" = 5 ]
  wait_until grep -q 'POST /api/v1/query' "$T/forward.listener"
  run grep -i authorization "$T/forward.listener"
  [ "$status" = 1 ]
  [ "$("$BIN" query --no-header --url "http://localhost:$PORT" 'SELECT 1')" = 1 ]
}

@test "a server that is no rustydb is told apart" {
  start_daemon
  forwarder listener
  run --separate-stderr "$BIN" subscribe --url "http://127.0.0.1:$AT" t
  [ "$status" = 5 ]
  [[ $stderr == *'not from rustydb'* ]]
}
