#!/usr/bin/env bats
# TLS: the listener, the checks of its files, and the command line at the other end.
load helper

setup() {
  rustydb_setup
  certificate cert localhost
}

# certificate NAME HOST: makes $T/NAME.pem, its own issuer, and $T/NAME.key.
certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -keyout "$T/$1.key" -out "$T/$1.pem" -subj "/CN=$2" -addext "subjectAltName=DNS:$2" 2>/dev/null
}

start_tls() { start_daemon --tls-cert "$T/cert.pem" --tls-key "$T/cert.key" "$@"; }

@test "the ready line, curl and HTTP/2's refusal" {
  start_tls
  [[ $RUSTYDB_URL == https://* ]]
  run -0 curl -sS --cacert "$T/cert.pem" --http2 -o /dev/null -w '%{http_version} %{http_code}' \
    "https://localhost:$PORT/api/v1/health/liveness"
  [ "$output" = "1.1 200" ]
  run curl -sS "https://localhost:$PORT/api/v1/health/liveness"
  [ "$status" = 60 ]
  # Only h2 offered: no protocol is agreed on, so it is HTTP/1.1.
  run -0 openssl s_client -connect "127.0.0.1:$PORT" -alpn h2 </dev/null
  [[ $output == *"No ALPN negotiated"* ]]
  stop_daemon
}

@test "TLS 1.2 and 1.3, nothing older, no plain HTTP" {
  start_tls
  for version in 1.2 1.3; do
    curl -sS --cacert "$T/cert.pem" --tlsv$version --tls-max $version -o /dev/null \
      "https://localhost:$PORT/api/v1/health/liveness"
  done
  run curl -sS --cacert "$T/cert.pem" --ciphers DEFAULT@SECLEVEL=0 --tlsv1.0 --tls-max 1.1 \
    "https://localhost:$PORT/api/v1/health/liveness"
  [ "$status" != 0 ]
  run curl -sS --max-time 10 "http://localhost:$PORT/api/v1/health/liveness"
  [ "$status" != 0 ]
}

@test "files that cannot be used are named at start" {
  certificate other localhost
  openssl pkey -in "$T/cert.key" -aes128 -passout pass:x -out "$T/locked.key"
  echo nonsense >"$T/nonsense"
  refused() { # TEXT FLAG...
    serve_fails --data "$DIR" --listen 127.0.0.1:0 "${@:2}"
    [[ $stderr == *"$1"* ]] || { echo "$stderr" && return 1; }
  }
  refused "tls_cert is set, but tls_key is not" --tls-cert "$T/cert.pem"
  refused "tls_key is set, but tls_cert is not" --tls-key "$T/cert.key"
  refused "cannot read tls_cert $T/none: No such file" --tls-cert "$T/none" --tls-key "$T/cert.key"
  refused "cannot read tls_key $T/none: No such file" --tls-cert "$T/cert.pem" --tls-key "$T/none"
  refused "tls_cert $T/nonsense holds no usable certificate" --tls-cert "$T/nonsense" --tls-key "$T/cert.key"
  refused "tls_key $T/nonsense holds no usable key" --tls-cert "$T/cert.pem" --tls-key "$T/nonsense"
  refused "is not the key of the certificate" --tls-cert "$T/cert.pem" --tls-key "$T/other.key"
  refused "is locked with a passphrase" --tls-cert "$T/cert.pem" --tls-key "$T/locked.key"
}

@test "pipelined bodies neither hang nor mix" {
  start_tls --max-connections 100
  case_of tls pipelined
  case_of tls patient
  # Nothing spins: the daemon's CPU time stands still once the clients are gone.
  cpu() { awk '{ print $14 + $15 }' "/proc/$DAEMON_PID/stat"; }
  idle() { local a && a=$(cpu) && sleep 0.5 && [ $(($(cpu) - a)) -lt 10 ]; }
  wait_until idle
  stop_daemon
}

@test "large messages and a slow reader, one reactor or two, either loop" {
  for flags in "--reactors 1" "--reactors 2" "--event-loop poll"; do
    # shellcheck disable=SC2086 # several words
    start_tls --data "$T/data ${flags// /}" $flags
    case_of tls large
    case_of tls backlog
    stop_daemon
  done
}

@test "the command line knows its own daemon by its key" {
  start_tls
  "$BIN" query "CREATE TABLE t(a)"
  for url in "https://127.0.0.1:$PORT" "https://localhost:$PORT" "127.0.0.1:$PORT"; do
    run -0 "$BIN" query --url "$url" --format csv "SELECT 7 AS n"
    [[ $output == *7* ]]
  done
  background "$BIN" subscribe t --count 1 --since 0 --format jsonl >"$T/events"
  "$BIN" query "INSERT INTO t VALUES(1)"
  wait_exit "$BG"
  grep -q '"op":"insert"' "$T/events"
  # With another key in the record, neither client talks to it.
  local record=("$XDG_RUNTIME_DIR"/rustydb/*.json) text
  text=$(sed 's#sha256//....#sha256//AAAA#' "${record[0]}")
  printf '%s\n' "$text" >"${record[0]}"
  run --separate-stderr "$BIN" query "SELECT 1"
  [ "$status" = 3 ]
  [[ $stderr == *"is not trusted"* ]]
  run --separate-stderr timeout 60 "$BIN" subscribe t --count 1 --since 0
  [ "$status" = 3 ]
  [[ $stderr == *"is not trusted"* ]]
}

@test "without its record: --cacert, --insecure, or not at all" {
  start_tls
  "$BIN" query "CREATE TABLE t(a)"
  "$BIN" query "INSERT INTO t VALUES(1)"
  rm -r "$XDG_RUNTIME_DIR/rustydb"
  export RUSTYDB_TOKEN=$TOKEN RUSTYDB_URL=https://localhost:$PORT
  certificate other localhost
  for trust in "" "--cacert $T/other.pem"; do
    # shellcheck disable=SC2086 # several words
    run --separate-stderr "$BIN" query $trust "SELECT 1"
    [ "$status" = 3 ]
    # shellcheck disable=SC2086
    run --separate-stderr timeout 60 "$BIN" subscribe t --count 1 --since 0 $trust
    [ "$status" = 3 ]
  done
  for trust in "--cacert $T/cert.pem" --insecure; do
    # shellcheck disable=SC2086
    run -0 "$BIN" query $trust --format csv "SELECT 7 AS n"
    # shellcheck disable=SC2086
    run -0 timeout 60 "$BIN" subscribe t --count 1 --since 0 $trust --format jsonl
    [[ $output == *'"op":"insert"'* ]]
  done
  # The name counts.
  run --separate-stderr "$BIN" query --url "https://127.0.0.1:$PORT" --cacert "$T/cert.pem" "SELECT 1"
  [ "$status" = 3 ]
}
