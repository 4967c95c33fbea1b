#!/usr/bin/env bats
# The documents under a linter, Swagger UI in a browser, and the examples of clients. What these need
# comes from npm (tests/web/package-lock.json) into build/web, and from Debian (Chromium).

load helper

setup_file() {
  local web=$BATS_TEST_DIRNAME/../../build/web
  mkdir -p "$web"
  cp "$BATS_TEST_DIRNAME"/../web/{package.json,package-lock.json,.npmrc,redocly.yaml} "$web"
  if ! cmp -s "$web/package-lock.json" "$web/installed"; then
    (cd "$web" && npm ci --loglevel=error >npm.log 2>&1) || {
      cat "$web/npm.log" >&2
      return 1
    }
    cp "$web/package-lock.json" "$web/installed"
  fi
}

setup() {
  rustydb_setup
  export WEB_MODULES=$REPO/build/web REDOCLY_TELEMETRY=off
  [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || skip "needs Node.js 20"
}

@test "the documents have nothing that their linter would remark on" {
  start_daemon
  api POST /queries '{"name":"by-id","sql":"SELECT :id","parameters":[{"name":"id","type":"integer","required":true,"description":"Which one."}]}'
  [ "$status_code" = 201 ]
  curl -sf "$RUSTYDB_URL/api-docs/openapi.json" >"$T/openapi.json"
  curl -sf "$RUSTYDB_URL/api-docs/asyncapi.yaml" >"$T/asyncapi.yaml"
  "$WEB_MODULES/node_modules/.bin/redocly" lint --config "$WEB_MODULES/redocly.yaml" "$T/openapi.json" "$T/asyncapi.yaml"
}

@test "Swagger UI in a browser: authorise, run a query, see the rows" {
  start_daemon
  timeout --kill-after=5 $((180 * SLOW)) \
    node "$REPO/tests/web/swagger.mjs" "$RUSTYDB_URL" "$TOKEN" "$REPO/openapi/ui" "$REPO/build/screenshots"
  [ -s "$REPO/build/screenshots/query.png" ]
}

# An example may name somebody who must be there, and may take him away.
things_named_in_examples() {
  local role
  for role in clerk reader; do
    api PUT "/admin/roles/$role" '{"scopes": ["sql"]}'
    [[ $status_code == 20[01] ]] || return 1
  done
  api POST /admin/users '{"name": "anna", "password": "correct horse battery staple"}'
  [[ $status_code == 201 || $status_code == 409 ]]
}

# Runs a client; what it prints must name every operation, each with a status that its example should
# lead to: a thing may be missing or there already, but nothing may be malformed.
client_is_good() { # COMMAND...
  things_named_in_examples
  "$@" >"$T/said" || return 1
  jq -r '[.paths[] | .[] | .operationId? // empty] | sort | .[]' "$T/openapi.json" >"$T/operations"
  awk '{ print $1 }' "$T/said" | sort | diff - "$T/operations"
  # No refresh token in a document is good.
  ! grep -vx 'refreshLogin 401' "$T/said" | grep -E ' (400|401|405|415|5..)$' || return 1
}

@test "clients made from the document's examples run: curl, Python, JavaScript" {
  start_daemon
  curl -sf "$RUSTYDB_URL/api-docs/openapi.json" >"$T/openapi.json"
  "$PYTHON" "$REPO/tests/web/examples.py" "$T/openapi.json" "$T/clients"
  sql 'CREATE TABLE notes(id INTEGER PRIMARY KEY, text TEXT)'
  sql 'CREATE TABLE accounts(id INTEGER PRIMARY KEY, balance REAL)'
  sql 'CREATE TABLE orders(id INTEGER PRIMARY KEY, owner TEXT, card TEXT)'
  client_is_good sh "$T/clients/client.sh"
  client_is_good "$PYTHON" "$T/clients/client.py"
  client_is_good node "$T/clients/client.mjs"
}

# Not on Debian: `pip install schemathesis`, where somebody wants it. What it may not find: an answer
# that the document does not describe, or a 5xx. A body or path with a zero byte is left out:
# libwebsockets hangs up on it, as on a query string of many kilobytes.
@test "requests made at random from the document find nothing (schemathesis, where it is installed)" {
  command -v schemathesis >/dev/null || skip "schemathesis is not installed"
  start_daemon
  sql 'CREATE TABLE notes(id INTEGER PRIMARY KEY, text TEXT)'
  cd "$T" # it leaves files where it runs
  timeout --kill-after=5 $((600 * SLOW)) schemathesis run "$RUSTYDB_URL/api-docs/openapi.json" \
    -H "Authorization: Bearer $TOKEN" --seed 1 --max-examples 10 --phases examples,fuzzing --mode positive \
    --generation-allow-x00 false --generation-database none --suppress-health-check all --no-color \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance \
    --exclude-operation-id drainPool --exclude-operation-id closeConnection
}
