#!/usr/bin/env bats
# rustydb tls selfsign: a key and a certificate for a laptop.
load helper

here() { (cd "$T" && "$BIN" tls "$@"); }
extension() { openssl x509 -in "$T/rustydb-cert.pem" -noout -ext "$1"; }

@test "a key for its owner alone, a certificate for this machine and the names given" {
  run --separate-stderr here selfsign db.example.com '*.example.com' 192.0.2.7 2001:db8::7
  [ "$status" = 0 ]
  [ -z "$stderr" ]
  [[ $output == *"rustydb serve --tls-cert rustydb-cert.pem --tls-key rustydb-key.pem"* ]]
  [[ $output == *"--cacert rustydb-cert.pem"* ]]
  [ "$(stat -c %a "$T/rustydb-key.pem" "$T/rustydb-cert.pem" | tr '\n' ' ')" = "600 644 " ]
  [ "$(extension subjectAltName | tail -n 1 | tr -d ' ')" = "DNS:localhost,IPAddress:127.0.0.1,IPAddress:0:0:0:0:0:0:0:1,DNS:db.example.com,DNS:*.example.com,IPAddress:192.0.2.7,IPAddress:2001:DB8:0:0:0:0:0:7" ]
  [[ $(extension basicConstraints) == *CA:FALSE* ]]
  [[ $(extension extendedKeyUsage) == *"TLS Web Server Authentication"* ]]
  openssl verify -CAfile "$T/rustydb-cert.pem" "$T/rustydb-cert.pem"
  openssl x509 -in "$T/rustydb-cert.pem" -noout -checkend $((364 * 86400))
  run ! openssl x509 -in "$T/rustydb-cert.pem" -noout -checkend $((366 * 86400))
}

@test "nothing is overwritten, unless it is forced; the key is another each time" {
  here selfsign
  local key
  key=$(cat "$T/rustydb-key.pem")
  run --separate-stderr here selfsign
  [ "$status" = 5 ]
  [[ $stderr == *"rustydb-key.pem is there already"*--force* ]]
  [ "$(cat "$T/rustydb-key.pem")" = "$key" ]
  # With the certificate alone in the way, no key is made either.
  rm "$T/rustydb-key.pem"
  run ! here selfsign
  [ ! -e "$T/rustydb-key.pem" ]
  here selfsign --force
  [ "$(cat "$T/rustydb-key.pem")" != "$key" ]
  [ "$(stat -c %a "$T/rustydb-key.pem")" = 600 ]
  # A link is replaced, not followed.
  echo precious >"$T/precious"
  ln -sf "$T/precious" "$T/rustydb-key.pem"
  run ! here selfsign
  here selfsign --force
  [ "$(cat "$T/precious")" = precious ]
  [ ! -L "$T/rustydb-key.pem" ]
}

@test "names that are none, words that are none, folders that cannot be" {
  for name in 'a,DNS:b' 'a b' '' '-x.example' 'a/b' $'a\nb'; do
    run --separate-stderr here selfsign -- "$name"
    [ "$status" = 5 ]
    [[ $stderr == *"neither the name of a host nor an address"* ]]
  done
  [ ! -e "$T/rustydb-key.pem" ]
  run here make-coffee
  [ "$status" = 2 ]
  run here selfsign --days 0
  [ "$status" = 2 ]
  run here selfsign --dir /proc/none
  [ "$status" != 0 ]
  here selfsign --dir "$T/new" --days 2
  [ "$(stat -c %a "$T/new")" = 700 ]
  openssl pkey -in "$T/new/rustydb-key.pem" -noout
}

@test "the daemon, curl, and both of the command line's clients take it" {
  here selfsign
  start_daemon --tls-cert "$T/rustydb-cert.pem" --tls-key "$T/rustydb-key.pem"
  curl -sS --cacert "$T/rustydb-cert.pem" "https://127.0.0.1:$PORT/api/v1/health/liveness"
  rm -r "$XDG_RUNTIME_DIR/rustydb"
  export RUSTYDB_TOKEN=$TOKEN
  for host in localhost 127.0.0.1; do
    "$BIN" query --url "https://$host:$PORT" --cacert "$T/rustydb-cert.pem" "CREATE TABLE IF NOT EXISTS t(a)"
    "$BIN" query --url "https://$host:$PORT" --cacert "$T/rustydb-cert.pem" "INSERT INTO t VALUES(1)"
    timeout 60 "$BIN" subscribe t --count 1 --since 0 --url "https://$host:$PORT" --cacert "$T/rustydb-cert.pem"
  done
  # Made anew, it is taken over without a restart.
  here selfsign --force
  kill -HUP "$DAEMON_PID"
  answers() { curl -sS -o /dev/null --cacert "$T/rustydb-cert.pem" "https://127.0.0.1:$PORT/api/v1/health/liveness" 2>/dev/null; }
  wait_until answers
  stop_daemon
}
