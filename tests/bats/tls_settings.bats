#!/usr/bin/env bats
# TLS as the settings want it: versions, ciphers, clients' certificates, HSTS, OCSP, and files that
# are read again while the daemon runs.
load helper

setup() {
  rustydb_setup
  authority ca "Test CA"
  issue cert localhost "DNS:localhost,IP:127.0.0.1"
}

# authority NAME SUBJECT: $T/NAME.pem and $T/NAME.key, which vouch for others.
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -keyout "$T/$1.key" -out "$T/$1.pem" -subj "/CN=$2" 2>/dev/null
}

# issue NAME CN SANS [CA [KIND [OPTION]...]]: $T/NAME.pem and $T/NAME.key, vouched for by CA.
issue() {
  local kind=(ec -pkeyopt ec_paramgen_curve:P-256)
  [ "${5:-ec}" = ec ] || kind=("$5")
  openssl req -new -newkey "${kind[@]}" -nodes -keyout "$T/$1.key" -out "$T/$1.csr" -subj "/O=Example/CN=$2" \
    -addext "subjectAltName=$3" 2>/dev/null
  openssl x509 -req -in "$T/$1.csr" -CA "$T/${4:-ca}.pem" -CAkey "$T/${4:-ca}.key" -days "${6:-2}" \
    -copy_extensions copy -out "$T/$1.pem" 2>/dev/null
}

start_tls() { start_daemon --tls-cert "$T/cert.pem" --tls-key "$T/cert.key" "$@"; }

fetch() { curl -sS --cacert "$T/ca.pem" "$@" "https://localhost:$PORT/api/v1/health/liveness"; }
code() { fetch -o /dev/null -w '%{http_code}' "$@"; }

# shown: the serial number of the certificate that a new handshake shows.
shown() {
  openssl s_client -connect "127.0.0.1:$PORT" -servername localhost "$@" </dev/null 2>/dev/null | openssl x509 -noout -serial
}
serial_of() { openssl x509 -in "$T/$1.pem" -noout -serial; }
shows() { [ "$(shown "${@:2}")" = "$(serial_of "$1")" ]; }

reload() { kill -HUP "$DAEMON_PID"; }
logged() { grep -q "$1" "$T/daemon.err"; }

refused() { # TEXT FLAG...
  serve_fails --data "$DIR" --listen 127.0.0.1:0 "${@:2}"
  [[ $stderr == *"$1"* ]] || { echo "$stderr" && return 1; }
}

@test "the oldest version that is spoken, and the ciphers" {
  start_tls
  [ "$(code --tlsv1.2 --tls-max 1.2)" = 200 ]
  # Without forward secrecy there is no agreement.
  run ! fetch --tls-max 1.2 --ciphers AES128-GCM-SHA256
  run ! fetch --tls-max 1.2 --ciphers ECDHE-ECDSA-AES128-SHA
  stop_daemon
  start_tls --tls-min-version 1.3 --tls-ciphersuites TLS_CHACHA20_POLY1305_SHA256
  run ! fetch --tls-max 1.2
  [ "$(code)" = 200 ]
  run -0 openssl s_client -connect "127.0.0.1:$PORT" </dev/null
  [[ $output == *"Cipher is TLS_CHACHA20_POLY1305_SHA256"* ]]
  run ! fetch --tls13-ciphers TLS_AES_128_GCM_SHA256
  stop_daemon
  start_tls --tls-ciphers ECDHE-ECDSA-AES256-GCM-SHA384
  run ! fetch --tls-max 1.2 --ciphers ECDHE-ECDSA-AES128-GCM-SHA256
  [ "$(code --tls-max 1.2)" = 200 ]
}

@test "what clients of TLS 1.3 send first is enough" {
  start_tls
  # One flight: X25519, which they all guess, needs no second hello.
  run -0 openssl s_client -connect "127.0.0.1:$PORT" -groups X25519:P-256 -msg </dev/null
  [[ $output == *"Server Temp Key: X25519"* ]]
  [ "$(grep -c 'ClientHello' <<<"$output")" = 1 ]
}

@test "settings that do not go together, or name nothing" {
  local pair=(--tls-cert "$T/cert.pem" --tls-key "$T/cert.key")
  echo nonsense >"$T/nonsense"
  refused "tls_ciphers names a cipher" "${pair[@]}" --tls-ciphers none-such
  refused "tls_ciphersuites names a cipher" "${pair[@]}" --tls-ciphersuites none-such
  refused '"1.1" is none of' "${pair[@]}" --tls-min-version 1.1
  refused "tls_client_auth is required, but tls_client_ca is not set" "${pair[@]}" --tls-client-auth required
  refused "tls_client_auth is set, but there is no TLS" --tls-client-auth optional --tls-client-ca "$T/ca.pem"
  refused "tls_ocsp is set, but there is no TLS" --tls-ocsp "$T/nonsense"
  refused "tls_client_ca $T/nonsense holds no usable certificates" "${pair[@]}" --tls-client-auth required --tls-client-ca "$T/nonsense"
  refused "cannot read tls_client_ca $T/none" "${pair[@]}" --tls-client-auth required --tls-client-ca "$T/none"
  refused "tls_ocsp $T/nonsense is no OCSP response" "${pair[@]}" --tls-ocsp "$T/nonsense"
}

@test "HSTS, where there is TLS, for as long as the setting says" {
  hsts() { fetch -D - -o /dev/null | tr -d '\r' | sed -n 's/^Strict-Transport-Security: //p'; }
  start_tls
  [ "$(hsts)" = max-age=15552000 ]
  run -0 curl -sS --cacert "$T/ca.pem" -D - -o /dev/null "https://localhost:$PORT/none"
  [[ $output == *"Strict-Transport-Security: max-age=15552000"* ]]
  stop_daemon
  start_tls --hsts 0
  [ "$(hsts)" = "" ]
  stop_daemon
  start_daemon
  run -0 curl -sS -D - -o /dev/null "http://localhost:$PORT/api/v1/health/liveness"
  [[ $output != *Strict-Transport* ]]
}

@test "a required certificate: none, one of strangers, an expired one, a good one" {
  authority strangers "Strangers"
  issue alice alice email:alice@example.com
  issue mallory mallory email:m@example.com strangers
  openssl x509 -req -in "$T/alice.csr" -CA "$T/ca.pem" -CAkey "$T/ca.key" -days -1 -out "$T/late.pem" 2>/dev/null
  start_tls --tls-client-auth required --tls-client-ca "$T/ca.pem"
  run ! fetch
  run ! fetch --cert "$T/mallory.pem" --key "$T/mallory.key"
  run ! fetch --cert "$T/late.pem" --key "$T/alice.key"
  # Saying that nobody vouches for it oneself changes nothing.
  run ! fetch --cert "$T/strangers.pem" --key "$T/strangers.key"
  [ "$(code --cert "$T/alice.pem" --key "$T/alice.key")" = 200 ]
  # Who may send which is told.
  run openssl s_client -connect "127.0.0.1:$PORT" </dev/null
  [[ $output == *"CN = Test CA"* ]]
  # No ticket spares the certificate: not in 1.3 and not in 1.2.
  for version in -tls1_3 -tls1_2; do
    openssl s_client -connect "127.0.0.1:$PORT" $version -cert "$T/alice.pem" -key "$T/alice.key" \
      -ign_eof >"$T/first" 2>&1 <<<$'GET /api/v1/health/liveness HTTP/1.1\nHost: localhost\nConnection: close\n' || true
    grep -q 'HTTP/1.1 200' "$T/first"
    run ! grep -qi 'session ticket' "$T/first"
  done
  # The daemon still answers, and the command line has its certificate to show.
  "$BIN" query --cert "$T/alice.pem" --key "$T/alice.key" "CREATE TABLE t(a)"
  run --separate-stderr "$BIN" query "SELECT 1"
  [ "$status" = 3 ]
  stop_daemon
}

@test "an optional certificate names its connection, and must be good where there is one" {
  authority strangers "Strangers"
  issue alice 'alice, the "first"' email:alice@example.com
  issue mallory mallory email:m@example.com strangers
  start_tls --tls-client-auth optional --tls-client-ca "$T/ca.pem"
  [ "$(code)" = 200 ]
  run ! fetch --cert "$T/mallory.pem" --key "$T/mallory.key"
  "$BIN" query "CREATE TABLE t(a)"
  background "$BIN" subscribe t --quiet
  background "$BIN" subscribe t --quiet --cert "$T/alice.pem" --key "$T/alice.key"
  names() { "$BIN" connections --format jsonl | jq -r 'select(.subscription_count == 1).client_certificate' | sort; }
  both() { [ "$(names | wc -l)" = 2 ]; }
  wait_until both
  [ "$(names)" = 'CN=alice\, the \"first\",O=Example'$'\n'null ]
}

@test "SIGHUP: new handshakes show the new certificate, open connections go on" {
  start_tls
  "$BIN" query "CREATE TABLE t(a)"
  background "$BIN" subscribe t --count 2 --format jsonl >"$T/events"
  subscribed() { [ "$("$BIN" connections --format jsonl | jq .subscription_count)" = 1 ]; }
  wait_until subscribed
  "$BIN" query "INSERT INTO t VALUES(1)"
  shows cert
  cp "$T/cert.pem" "$T/first.pem"
  # Another kind of key: nothing of the old one may stay beside it.
  issue cert localhost "DNS:localhost" ca rsa:2048
  reload
  wait_until shows cert
  shows cert -tls1_2
  run ! openssl s_client -connect "127.0.0.1:$PORT" -tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256 </dev/null
  # The command line knows the new key by the record.
  "$BIN" query "INSERT INTO t VALUES(2)"
  wait_exit "$BG"
  [ "$(jq -c '.row.a' "$T/events" | tr '\n' ' ')" = "1 2 " ]
  stop_daemon
}

@test "a broken new file leaves the old certificate and the old settings, and says so" {
  touch "$T/rustydb.conf"
  start_tls --config "$T/rustydb.conf" --reactors 2
  cp "$T/cert.pem" "$T/old.pem"
  cp "$T/cert.key" "$T/old.key"
  issue other localhost DNS:localhost
  echo "max_batch = 7" >"$T/rustydb.conf"
  # Half renewed: the key is still the old one.
  cp "$T/other.pem" "$T/cert.pem"
  reload
  wait_until logged "is not the key of the certificate"
  shows old
  [ "$("$BIN" query --format csv "SELECT 7 AS n" | tail -n 1)" = 7 ]
  curl -sS --cacert "$T/ca.pem" -H "Authorization: Bearer $TOKEN" "https://localhost:$PORT/api/v1/admin/config" \
    | jq -e '.settings[] | select(.name == "max_batch").value == 64'
  run -0 curl -sS --cacert "$T/ca.pem" -H "Authorization: Bearer $TOKEN" -X POST -o "$T/answer" -w '%{http_code}' \
    "https://localhost:$PORT/api/v1/admin/config/reload"
  [ "$output" = 409 ]
  grep -q "is not the key of the certificate" "$T/answer"
  rm "$T/cert.pem"
  reload
  wait_until logged "cannot read tls_cert"
  shows old
  # The other half, and all is well.
  cp "$T/other.pem" "$T/cert.pem"
  cp "$T/other.key" "$T/cert.key"
  reload
  wait_until shows other
  for _ in 1 2 3 4 5 6 7 8; do shows other; done # of both reactors
  curl -sS --cacert "$T/ca.pem" -H "Authorization: Bearer $TOKEN" "https://localhost:$PORT/api/v1/admin/config" \
    | jq -e '.settings[] | select(.name == "max_batch").value == 7'
  stop_daemon
}

@test "whom clients are vouched for by is read again" {
  authority next "Next CA"
  issue alice alice email:alice@example.com
  issue bob bob email:bob@example.com next
  cp "$T/ca.pem" "$T/clients.pem"
  start_tls --tls-client-auth required --tls-client-ca "$T/clients.pem"
  [ "$(code --cert "$T/alice.pem" --key "$T/alice.key")" = 200 ]
  run ! fetch --cert "$T/bob.pem" --key "$T/bob.key"
  cp "$T/next.pem" "$T/clients.pem"
  reload
  bob_enters() { fetch --cert "$T/bob.pem" --key "$T/bob.key" -o /dev/null 2>/dev/null; }
  wait_until bob_enters
  run ! fetch --cert "$T/alice.pem" --key "$T/alice.key"
}

@test "an OCSP response is stapled, read again, and left out when its time is over" {
  # ocsp NAME [OPTION...]: the answer about $T/cert.pem in $T/NAME.
  ocsp() {
    printf 'V\t%s\t\t%s\tunknown\t/CN=localhost\n' "$(date -u -d '+2 days' +%y%m%d%H%M%SZ)" \
      "$(serial_of cert | cut -d= -f2)" >"$T/index.txt"
    openssl ocsp -index "$T/index.txt" -rsigner "$T/ca.pem" -rkey "$T/ca.key" -CA "$T/ca.pem" -issuer "$T/ca.pem" \
      -cert "$T/cert.pem" -respout "$T/$1" "${@:2}" >/dev/null 2>&1
    [ -s "$T/$1" ]
  }
  stapled() { openssl s_client -connect "127.0.0.1:$PORT" -status </dev/null 2>/dev/null | grep -q 'OCSP Response Status: successful'; }
  unstapled() { ! stapled; }
  cp "$T/cert.pem" "$T/first.pem"
  cp "$T/cert.key" "$T/first.key"
  ocsp staple -ndays 1
  issue cert localhost DNS:localhost
  refused "says nothing about the certificate" --tls-cert "$T/cert.pem" --tls-key "$T/cert.key" --tls-ocsp "$T/staple"
  cat "$T/first.pem" "$T/ca.pem" >"$T/cert.pem"
  cp "$T/first.key" "$T/cert.key"
  start_tls --tls-ocsp "$T/staple"
  stapled
  run -0 fetch --cert-status -o /dev/null
  run ! logged 'out of date'
  # The end of its time becomes one in the past.
  LC_ALL=C sed -i 's/20[0-9]\{12\}Z/20200101000000Z/g' "$T/staple"
  reload
  wait_until unstapled
  wait_until logged 'out of date'
  ocsp staple -ndays 1
  reload
  wait_until stapled
  stop_daemon
}
