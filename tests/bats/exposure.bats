#!/usr/bin/env bats
# Where the daemon may listen without TLS, and the presets that say so.
load helper

# open_daemon [FLAG...]: a daemon on all addresses, until it says that it is ready.
open_daemon() {
  : >"$T/daemon.out"
  background "$BIN" serve --data "$DIR" --listen 0.0.0.0:0 "$@" >"$T/daemon.out" 2>"$T/daemon.err"
  wait_until -t 30 daemon_decided "$BG"
  grep -q ready "$T/daemon.out"
}

refused() { # TEXT FLAG...
  serve_fails --data "$DIR" "${@:2}"
  [[ $stderr == *"$1"* ]] || { echo "$stderr" && return 1; }
}

@test "plain HTTP to the network is refused, unless it is said twice" {
  local why="would serve plain HTTP to the network"
  refused "$why" --listen 0.0.0.0:0
  refused "plain_http_confirm = 0.0.0.0:0" --listen 0.0.0.0:0
  refused "$why" --listen '[::]:0'
  refused "$why" --listen 0.0.0.0:0 --plain-http anywhere
  refused "$why" --listen 0.0.0.0:0 --plain-http-confirm 0.0.0.0:0
  refused "$why" --listen 0.0.0.0:0 --plain-http loopback --plain-http-confirm 0.0.0.0:0
  # What was confirmed is one address.
  refused "$why" --listen 0.0.0.0:0 --plain-http anywhere --plain-http-confirm 127.0.0.1:0
  # A name is what it leads to.
  refused "$why" --listen "$(hostname -I | awk '{ print $1 }'):0"
  open_daemon --plain-http anywhere --plain-http-confirm 0.0.0.0:0
  grep -q "plain_http: tokens and data travel unencrypted" "$T/daemon.err"
}

@test "with TLS all addresses are fine; on this machine plain HTTP is" {
  "$BIN" tls selfsign --dir "$T" >/dev/null
  open_daemon --tls-cert "$T/rustydb-cert.pem" --tls-key "$T/rustydb-key.pem"
  kill "$BG" && wait_exit "$BG"
  run ! grep -q plain_http "$T/daemon.err"
  for host in 127.0.0.1 localhost; do
    start_daemon --listen $host:0
    stop_daemon
  done
  refused "plain_http is never" --listen 127.0.0.1:0 --plain-http never
}

@test "presets: what secure and permissive are, and what is said wins" {
  value() { "$BIN" serve --preset "$1" --print-config "${@:3}" | sed -n "s/^$2 *= *\(.*[^ ]\)  *; .*/\1/p"; }
  [ "$(value secure plain_http)" = never ]
  [ "$(value secure tls_min_version)" = 1.3 ]
  [ "$(value secure tls_min_version --tls-min-version 1.2)" = 1.2 ]
  [ "$(value permissive cors_origins)" = '*' ]
  [ "$(value default plain_http)" = loopback ]
  [ "$("$BIN" serve --preset default --print-config | grep -v '^preset')" = "$("$BIN" serve --print-config | grep -v '^preset')" ]
  refused "plain_http is never" --listen 127.0.0.1:0 --preset secure
  # Permissive says it once; the second time is the operator's.
  refused "would serve plain HTTP to the network" --listen 0.0.0.0:0 --preset permissive
  "$BIN" tls selfsign --dir "$T" >/dev/null
  start_daemon --preset secure --tls-cert "$T/rustydb-cert.pem" --tls-key "$T/rustydb-key.pem"
  run ! curl -sS --cacert "$T/rustydb-cert.pem" --tls-max 1.2 "https://localhost:$PORT/api/v1/health/liveness"
  run -0 curl -sS --cacert "$T/rustydb-cert.pem" -D - "https://localhost:$PORT/api/v1/health/liveness"
  [[ $output == *"Strict-Transport-Security: max-age=63072000"* ]]
  stop_daemon
}
