#!/usr/bin/env bats
# Users who are known by the connection itself: a client certificate, the uid at a Unix socket.
# shellcheck disable=SC2154,SC2030,SC2031 # set by api; every test is a subshell

load helper
load identities

# authority NAME, issue NAME CN CA: $T/NAME.pem and $T/NAME.key.
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -keyout "$T/$1.key" -out "$T/$1.pem" -subj "/CN=$1" 2>/dev/null
}
issue() {
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/$1.key" -out "$T/$1.csr" \
    -subj "/O=Example/CN=$2" -addext "subjectAltName=DNS:localhost,IP:127.0.0.1,email:$2@example.org" 2>/dev/null
  openssl x509 -req -in "$T/$1.csr" -CA "$T/$3.pem" -CAkey "$T/$3.key" -days 2 -copy_extensions copy \
    -out "$T/$1.pem" 2>/dev/null
}

@test "a client certificate is its user, as long as the user has it" {
  authority ca
  authority foreign
  issue cert localhost ca
  issue ann ann ca
  issue bob bob ca
  issue forged ann foreign
  start_daemon --tls-cert "$T/cert.pem" --tls-key "$T/cert.key" --tls-client-auth optional --tls-client-ca "$T/ca.pem"
  RUSTYDB_URL=https://127.0.0.1:$PORT
  export CURL_CA_BUNDLE=$T/ca.pem
  with() { TOKEN='' api GET /auth/identity '' --cert "$T/$1.pem" --key "$T/$1.key" "${@:2}"; }
  role r '{"scopes": ["monitor"]}'
  user ann '{"roles": ["r"], "certificates": ["CN=ann,O=Example"]}'
  user bert '{"certificates": ["email:bob@example.org"]}'
  with ann
  holds '.user_id == "ann" and .kind == "user" and .scopes == ["monitor"]'
  with bob
  holds '.user_id == "bert"'
  # A header says more.
  with ann -H "Authorization: Bearer $TOKEN"
  holds '.user_id == "root"'
  with ann -H "Authorization: Bearer nonsense"
  expect_problem 401 AUTH_FAILED
  run ! with forged
  TOKEN='' api GET /auth/identity
  expect_problem 401 AUTH_REQUIRED
  api PATCH /admin/users/ann '{"disabled": true}'
  with ann
  expect_problem 401 AUTH_REQUIRED
  holds '.detail | contains("disabled")'
  api PATCH /admin/users/ann '{"disabled": false, "certificates": []}'
  with ann
  expect_problem 401 AUTH_REQUIRED
}

@test "at a Unix socket the kernel says who it is" {
  local socket=$T/run/db.sock
  start_daemon --listen-unix "$socket" --unix-mode 0666
  user ann '{"uid": 70001}'
  TOKEN='' api GET /auth/identity '' --unix-socket "$socket"
  holds '.user_id == "root" and .kind == "root"'
  as nonsense GET /auth/identity '' --unix-socket "$socket"
  expect_problem 401 AUTH_FAILED
  TOKEN='' api GET /auth/identity
  expect_problem 401 AUTH_REQUIRED
  [ "$(id -u)" = 0 ] || skip "only root can be somebody else"
  chmod 711 "$T" "$T/run"
  uid() { setpriv --reuid "$1" --regid "$1" --clear-groups curl -sS --unix-socket "$socket" http://localhost/api/v1/auth/identity; }
  uid 70001 | jq -e '.user_id == "ann" and .kind == "user" and .scopes == []'
  uid 70002 | jq -e '.code == "AUTH_REQUIRED" and (.detail | contains("70002"))'
  api DELETE /admin/users/ann
  uid 70001 | jq -e '.code == "AUTH_REQUIRED"'
}
