#!/usr/bin/env bats
# Tokens of another issuer: which are taken, which are not, and where its keys come from.
# shellcheck disable=SC2154,SC2030,SC2031 # set by api; every test is a subshell

load helper

issuer() { "$PYTHON" "$LIB/issuer.py" "$@" 3>&-; }

# keys KID...: an RSA key for each, and the set of them.
keys() {
  local kid pairs=()
  mkdir -p "$T/issuer"
  for kid; do
    [ -s "$T/$kid.pem" ] || issuer key "$T/$kid.pem" rsa
    pairs+=("$kid=$T/$kid.pem")
  done
  issuer jwks "$T/issuer/jwks.json" "${pairs[@]}"
}

# serve_issuer: its set of keys, on a port of its own.
serve_issuer() {
  mkdir -p "$T/issuer"
  background "$PYTHON" "$LIB/issuer.py" serve "$T/issuer"
  wait_until test -s "$T/issuer/port"
  ISSUER_PORT=$(cat "$T/issuer/port")
}

start_with_file() { # FLAG...
  start_daemon --jwt-issuer https://issuer.test --jwt-audience rustydb \
    --jwt-jwks-file "$T/issuer/jwks.json" "$@"
}
start_with_url() { # PATH FLAG...
  start_daemon --jwt-issuer https://issuer.test --jwt-audience rustydb \
    --jwt-jwks-url "http://127.0.0.1:$ISSUER_PORT$1" --jwt-jwks-refresh 1s "${@:2}"
}

identity() { TOKEN=$1 api GET /auth/validate; }
opens() { identity "$1" && [ "$status_code" = 200 ]; }
is_refused() { identity "$1" && [ "$status_code" = 401 ]; }

@test "tokens of every algorithm say who somebody is" {
  local token alg
  mkdir "$T/issuer"
  issuer key "$T/rsa.pem" rsa
  issuer key "$T/ec.pem" ec
  issuer key "$T/ed.pem" ed25519
  issuer jwks "$T/issuer/jwks.json" r="$T/rsa.pem" e="$T/ec.pem" d="$T/ed.pem"
  start_with_file
  for alg in RS256:r:rsa PS256:r:rsa ES256:e:ec EdDSA:d:ed; do
    IFS=: read -r alg kid key <<<"$alg"
    token=$(issuer token "$T/$key.pem" "$alg" "{\"kid\":\"$kid\"}" '{}')
    identity "$token"
    jq -e '.user_id == "anna" and .kind == "token" and .expires_at != null and .session_id == null
      and (.scopes | index("users"))' <<<"$body" || { echo "$alg: $body" >&2; false; }
    TOKEN=$token sql 'SELECT 1'
  done
  # A long one, as some issuers make them.
  opens "$(issuer token "$T/ec.pem" ES256 '{"kid":"e"}' "{\"groups\":\"$(printf 'x%.0s' $(seq 5000))\"}")"
  # Without a key id the only key for the algorithm is taken.
  opens "$(issuer token "$T/ec.pem" ES256 '{}' '{}')"
}

@test "roles are what the token's claim names, and what is not known gives nothing" {
  local token
  keys k
  start_with_file --jwt-roles-claim realm_access.roles --jwt-user-claim preferred_username
  token=$(issuer token "$T/k.pem" RS256 '{"kid":"k"}' \
    '{"preferred_username":"bert","realm_access":{"roles":["no-such-role"]},"roles":["admin"]}')
  identity "$token"
  jq -e '.user_id == "bert" and .scopes == []' <<<"$body"
  TOKEN=$token api GET /admin/sessions
  expect_problem 403 PERMISSION_DENIED
  token=$(issuer token "$T/k.pem" RS256 '{"kid":"k"}' \
    '{"preferred_username":"cora","realm_access":{"roles":["x","admin"]}}')
  TOKEN=$token api GET /admin/sessions
  [ "$status_code" = 200 ]
}

@test "forged tokens are refused" {
  local name token n=0
  keys k
  issuer key "$T/other.pem" rsa
  start_with_file
  opens "$(issuer token "$T/k.pem" RS256 '{"kid":"k"}' '{}')"
  issuer forge "$T/k.pem" "$T/other.pem" k >"$T/forged"
  while IFS=$'\t' read -r name token; do
    is_refused "$token" || { echo "$name: $status_code $body" >&2; false; }
    n=$((n + 1))
  done <"$T/forged"
  [ "$n" -ge 35 ]
  # An end that has passed is told apart, to those whose token was good.
  identity "$(issuer token "$T/k.pem" RS256 '{"kid":"k"}' '{"exp":1000000000}')"
  expect_problem 401 AUTH_EXPIRED
}

@test "without an issuer no token of one is good" {
  keys k
  start_daemon
  is_refused "$(issuer token "$T/k.pem" RS256 '{"kid":"k"}' '{}')"
}

@test "keys are rotated" {
  local old new
  keys old
  issuer key "$T/new.pem" rsa
  old=$(issuer token "$T/old.pem" RS256 '{"kid":"old"}' '{}')
  new=$(issuer token "$T/new.pem" RS256 '{"kid":"new"}' '{}')
  serve_issuer
  start_with_url /jwks.json
  wait_until opens "$old"
  is_refused "$new"
  keys old new
  wait_until opens "$new"
  opens "$old"
  keys new
  wait_until is_refused "$old" # although it was good before
  wait_until is_refused "$(issuer token "$T/old.pem" RS256 '{"kid":"old"}' '{"jti":"2"}')"
  opens "$new"
}

@test "keys stay while they cannot be read, and come when they can" {
  local token
  serve_issuer
  start_with_url /jwks.json
  issuer key "$T/k.pem" rsa
  token=$(issuer token "$T/k.pem" RS256 '{"kid":"k"}' '{}')
  is_refused "$token"
  wait_until grep -q 'cannot read the keys of the issuer.*500' "$T/daemon.err"
  keys k
  wait_until opens "$token"
  echo 'no keys here' >"$T/issuer/jwks.json"
  wait_until grep -q 'cannot read the keys of the issuer.*malformed' "$T/daemon.err"
  opens "$(issuer token "$T/k.pem" RS256 '{"kid":"k"}' '{"jti":"2"}')"
}

@test "redirects, endless answers and silence give no keys, and hold nothing up" {
  local path
  keys k
  serve_issuer
  for path in /redirect /endless /never; do
    : >"$T/issuer/requests"
    start_with_url "$path"
    wait_until grep -qx "$path" "$T/issuer/requests"
    is_refused "$(issuer token "$T/k.pem" RS256 '{"kid":"k"}' '{}')"
    [ "$path" = /never ] || wait_until grep -q "cannot read the keys.*$path" "$T/daemon.err"
    run ! grep -qx /jwks.json "$T/issuer/requests"
    stop_daemon
  done
}

@test "settings that would let others in are refused" {
  local url
  keys k
  for url in http://issuer.test/keys http://127.0.0.1.issuer.test/ ftp://127.0.0.1/ file:///etc/passwd; do
    serve_fails --data "$DIR" --jwt-issuer i --jwt-audience a --jwt-jwks-url "$url"
    [[ $stderr == *jwt_jwks_url* ]]
  done
  serve_fails --data "$DIR" --jwt-issuer i --jwt-jwks-file "$T/issuer/jwks.json"
  [[ $stderr == *jwt_audience* ]]
  serve_fails --data "$DIR" --jwt-issuer i --jwt-audience a
  [[ $stderr == *jwt_jwks_url* ]]
  serve_fails --data "$DIR" --jwt-issuer i --jwt-audience a --jwt-jwks-file "$T/none.json"
  [[ $stderr == *none.json* ]]
}

@test "tokens do not get into the log" {
  local good bad
  keys k
  issuer key "$T/other.pem" rsa
  good=$(issuer token "$T/k.pem" RS256 '{"kid":"k"}' '{}')
  bad=$(issuer token "$T/other.pem" RS256 '{"kid":"k"}' '{}')
  start_with_file --log-level debug
  opens "$good"
  is_refused "$bad"
  stop_daemon
  run ! grep -rqF -e "${good##*.}" -e "${bad##*.}" "$T/daemon.err" "$DIR"
}
