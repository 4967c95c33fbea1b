#!/usr/bin/env bats
# Swagger UI and the documents that describe the interfaces: who sees them, where, and how they are
# kept by browsers; and pages of other origins.

load helper

# get PATH [CURL ARGUMENT...]: status_code, headers, body.
get() {
  : >"$T/answer"
  status_code=$(curl -s -o "$T/answer" -D "$T/headers" -w '%{http_code}' "${@:2}" "http://127.0.0.1:$PORT$1")
  headers=$(tr -d '\r' <"$T/headers" | sed 's/^\([^:]*\):/\L\1:/')
  body=$(tr -d '\0' <"$T/answer")
}

@test "the document as JSON and as YAML is the same" {
  start_daemon
  get /api-docs/openapi.json
  [ "$status_code" = 200 ]
  grep -qx 'content-type: application/json' <<<"$headers"
  jq -e '.openapi == "3.1.0" and (.paths | length) > 20' <<<"$body"
  [ "$(jq '[.. | objects | has("x-rustydb")] | any' <<<"$body")" = false ]
  get /api-docs/openapi.yaml
  [ "$status_code" = 200 ]
  grep -qx 'content-type: application/yaml' <<<"$headers"
  "$PYTHON" - "$T/answer" "http://127.0.0.1:$PORT/api-docs/openapi.json" <<'END'
import json, sys, urllib.request, yaml
assert yaml.safe_load(open(sys.argv[1])) == json.load(urllib.request.urlopen(sys.argv[2]))
END
}

@test "documents are kept by who has them: ETag, 304, gzip" {
  start_daemon
  get /api-docs/openapi.json
  etag=$(sed -n 's/^etag: //p' <<<"$headers")
  cp "$T/answer" "$T/plain"
  get /api-docs/openapi.json -H "If-None-Match: $etag"
  [ "$status_code" = 304 ]
  [ -z "$body" ]
  get /api-docs/openapi.json -H 'If-None-Match: "other"'
  [ "$status_code" = 200 ]
  get /api-docs/openapi.json -H 'Accept-Encoding: gzip'
  grep -qx 'content-encoding: gzip' <<<"$headers"
  run ! grep -qxF "etag: $etag" <<<"$headers"
  gunzip <"$T/answer" | cmp - "$T/plain"
}

@test "Swagger UI is there, and where people look for it" {
  start_daemon
  get /swagger-ui
  [ "$status_code" = 200 ]
  grep -q '^content-security-policy: default-src .none.;' <<<"$headers"
  grep -q '<base href="/swagger-ui/">' <<<"$body"
  for f in $(grep -oE '(src|href)="[a-z][^"]*"' <<<"$body" | cut -d'"' -f2 | sort -u); do
    get "/swagger-ui/$f"
    [ "$status_code" = 200 ]
    get "/swagger-ui/$f" --compressed
    [ -n "$body" ]
  done
  for path in / /docs /docs/ /swagger-ui/ /swagger-ui/index.html /api-docs; do
    get "$path"
    [ "$status_code" = 302 ]
    grep -qx 'location: /swagger-ui' <<<"$headers"
  done
  get /swagger-ui/../root.token --path-as-is
  [ "$status_code" != 200 ]
  get /swagger-ui/none
  [ "$status_code" = 401 ]
}

@test "it can be put elsewhere, and switched off" {
  start_daemon --swagger-path /help/rest
  get /help/rest
  [ "$status_code" = 200 ]
  grep -q '<base href="/help/rest/">' <<<"$body"
  get /help/rest/rustydb.css
  [ "$status_code" = 200 ]
  get /swagger-ui
  grep -qx 'location: /help/rest' <<<"$headers"
  stop_daemon
  start_daemon --swagger off
  for path in /swagger-ui /docs /swagger-ui/rustydb.css; do
    get "$path" -H "Authorization: Bearer $TOKEN"
    [ "$status_code" = 404 ]
  done
  for path in /api-docs/openapi.json /api-docs/openapi.yaml /api-docs/asyncapi.yaml; do
    get "$path"
    [ "$status_code" = 404 ]
  done
}

@test "production shows nothing unless it is told to" {
  start_daemon --preset production
  get /api-docs/openapi.json
  [ "$status_code" = 404 ]
  [ "$("$BIN" serve --preset production --print-config | sed -n 's/^swagger *= *\([^ ]*\)  *; /\1 by /p')" = 'off by preset production' ]
  stop_daemon
  start_daemon --preset production --swagger on
  get /api-docs/openapi.json
  [ "$status_code" = 200 ]
}

@test "with swagger = auth they are for those with credentials" {
  start_daemon --swagger auth
  for path in /swagger-ui /api-docs/openapi.json /swagger-ui/rustydb.js; do
    get "$path"
    [ "$status_code" = 401 ]
    grep -q '^www-authenticate: Basic realm=' <<<"$headers"
    get "$path" -u "someone:wrong"
    [ "$status_code" = 401 ]
    get "$path" -u "someone:$TOKEN"
    [ "$status_code" = 200 ]
    get "$path" -H "X-API-Key: $TOKEN"
    [ "$status_code" = 200 ]
  done
  get /api/v1/tables -u "someone:$TOKEN"
  [ "$status_code" = 401 ]
}

@test "pages of other origins get in where the setting names them" {
  start_daemon
  get /api/v1/health -H 'Origin: https://app.example'
  run ! grep -q '^access-control' <<<"$headers"
  stop_daemon
  start_daemon --cors-origins 'https://app.example https://b.example'
  get /api/v1/tables -H 'Origin: https://app.example' -H "Authorization: Bearer $TOKEN"
  [ "$status_code" = 200 ]
  grep -qx 'access-control-allow-origin: https://app.example' <<<"$headers"
  grep -qx 'vary: Origin' <<<"$headers"
  get /api/v1/tables -H 'Origin: https://app.exampl' -H "Authorization: Bearer $TOKEN"
  run ! grep -q '^access-control' <<<"$headers"
  get /api/v1/query -X OPTIONS -H 'Origin: https://b.example' -H 'Access-Control-Request-Method: POST'
  [ "$status_code" = 204 ]
  grep -qx 'access-control-allow-methods: POST, OPTIONS' <<<"$headers"
  grep -q '^access-control-allow-headers: .*Authorization' <<<"$headers"
  get /api/v1/query -X OPTIONS -H 'Origin: https://evil.example' -H 'Access-Control-Request-Method: POST'
  run ! grep -q '^access-control' <<<"$headers"
}

@test "a wrong place for Swagger UI is refused" {
  for path in swagger / /api/v1/x '/a"b' /x/ /api-docs; do
    run -2 "$BIN" serve --data "$DIR" --swagger-path "$path"
    [[ $output == *swagger-path* ]]
  done
}

@test "stored queries are in the document, in both its forms, as soon as they are there" {
  start_daemon
  known=(-H "Authorization: Bearer $TOKEN")
  get /api-docs/openapi.json "${known[@]}"
  before=$(sed -n 's/^etag: //p' <<<"$headers")
  api POST /queries '{"name":"by-id","sql":"SELECT :id","parameters":[{"name":"id","type":"integer","required":true}]}'
  [ "$status_code" = 201 ]
  get /api-docs/openapi.json "${known[@]}" -H "If-None-Match: $before"
  [ "$status_code" = 200 ]
  jq -e '.paths["/api/v1/queries/by-id"] | .get.operationId and .post.operationId' <<<"$body"
  cp "$T/answer" "$T/openapi.json"
  get /api-docs/openapi.yaml --compressed "${known[@]}"
  "$PYTHON" -c 'import json, sys, yaml
assert yaml.safe_load(open(sys.argv[1])) == json.load(open(sys.argv[2]))' "$T/answer" "$T/openapi.json"
  for path in /api-docs/openapi.json /api-docs/openapi.yaml; do # strangers learn nothing of them
    get "$path"
    [ "$status_code" = 200 ]
    [[ $body != *by-id* ]]
    get "$path" -H 'Authorization: Bearer wrong'
    [[ $status_code = 200 && $body != *by-id* ]]
  done
  api DELETE /queries/by-id
  get /api-docs/openapi.json "${known[@]}"
  grep -qxF "etag: $before" <<<"$headers"
}
