#!/usr/bin/env bats
# Roles: /admin/roles and what is below it.
# shellcheck disable=SC2154,SC2030,SC2031 # set by api; every test is a subshell

load helper
load identities

sql() { api POST /query "$(jq -cn --arg sql "$1" '{$sql}')"; }
ok_sql() { sql "$1" && [ "$status_code" = 200 ]; }

@test "a role is made, shown, listed, replaced and removed" {
  start_daemon
  local document='{"name": "clerk", "description": "Takes orders.", "tables": [{"table": "orders", "operations": ["select", "insert"]}], "channels": [{"channel": "news.*", "operations": ["subscribe"]}], "streams": ["metrics"], "scopes": ["sql"]}'
  api POST /admin/roles "$document"
  [ "$status_code" = 201 ]
  header location /api/v1/admin/roles/clerk
  holds ". + {inherits: []} == . and (. | del(.created_at, .updated_at, .inherits)) == $document"
  local first=$body tag
  tag=$(etag)
  api GET /admin/roles/clerk
  [ "$body" = "$first" ] && [ "$(etag)" = "$tag" ]
  api GET /admin/roles/clerk '' -H "If-None-Match: $tag"
  [ "$status_code" = 304 ]
  api GET /admin/roles
  holds '.total == 2 and [.roles[].name] == ["admin", "clerk"]'
  api GET '/admin/roles?offset=1&limit=1'
  holds '.total == 2 and [.roles[].name] == ["clerk"]'
  api GET '/admin/roles?limit=1'
  holds '[.roles[].name] == ["admin"]'
  # What was read can be sent back, and what a body leaves out is not granted.
  api PUT /admin/roles/clerk "$first" -H "If-Match: $tag"
  [ "$status_code" = 200 ]
  api PUT /admin/roles/clerk '{"scopes": ["monitor"]}' -H "If-Match: $tag"
  expect_problem 412 PRECONDITION_FAILED
  api PUT /admin/roles/clerk '{"scopes": ["monitor"]}'
  holds '.tables == [] and .channels == [] and .streams == [] and .scopes == ["monitor"] and .description == ""'
  api PUT /admin/roles/clerk '{"name": "other"}'
  expect_problem 400 INVALID_MESSAGE
  api PUT /admin/roles/new '{}'
  [ "$status_code" = 201 ]
  header location /api/v1/admin/roles/new
  api PUT /admin/roles/newer '{}' -H 'If-Match: *'
  expect_problem 412 PRECONDITION_FAILED
  api DELETE /admin/roles/clerk
  holds '. == {"name": "clerk", "deleted": true}'
  api GET /admin/roles/clerk
  expect_problem 404 NOT_FOUND
  api DELETE /admin/roles/clerk
  expect_problem 404 NOT_FOUND
}

@test "the built-in role stays as it is" {
  start_daemon
  api GET /admin/roles/admin
  holds '.tables == [{"table": "*", "operations": ["select", "insert", "update", "delete"]}] and (.scopes | index("audit")) and (.streams | length) == 4'
  api PUT /admin/roles/admin '{}'
  expect_problem 409 CONFLICT
  api DELETE /admin/roles/admin
  expect_problem 409 CONFLICT
  api POST /admin/roles '{"name": "admin"}'
  expect_problem 409 CONFLICT
  # Who has it may everything.
  user boss '{"roles": ["admin"]}'
  api_key '{"user": "boss"}'
  as "$key" GET /auth/identity
  holds '.roles == ["admin"] and (.scopes | index("users")) and .tables[0].table == "*"'
  as "$key" POST /query '{"sql": "CREATE TABLE made_by_boss(x)"}'
  [ "$status_code" = 200 ]
  as "$key" POST /admin/users '{"name": "x", "roles": ["admin"]}'
  [ "$status_code" = 201 ]
}

@test "a role that somebody has is not removed" {
  start_daemon
  role base '{}'
  role top '{"inherits": ["base"]}'
  role served '{}'
  user ann '{"roles": ["top"]}'
  api_key '{"roles": ["served"]}'
  api DELETE /admin/roles/base
  expect_problem 409 CONFLICT
  holds '.detail | contains("role \"top\"")'
  api DELETE /admin/roles/top
  expect_problem 409 CONFLICT
  holds '.detail | contains("user \"ann\"")'
  api DELETE /admin/roles/served
  expect_problem 409 CONFLICT
  api DELETE "/admin/api-keys/$key_id"
  api DELETE /admin/roles/served
  [ "$status_code" = 200 ]
  api DELETE /admin/users/ann
  api DELETE /admin/roles/top
  api DELETE /admin/roles/base
  [ "$status_code" = 200 ]
}

@test "inheritance has no circles and no depths" {
  start_daemon
  local i
  role r0 '{}'
  for i in 1 2 3 4 5 6 7 8 9 10; do role "r$i" "{\"inherits\": [\"r$((i - 1))\"]}"; done
  api POST /admin/roles '{"name": "r11", "inherits": ["r10"]}'
  expect_problem 400 INVALID_MESSAGE
  api PUT /admin/roles/r0 '{"inherits": ["r3"]}'
  expect_problem 400 INVALID_MESSAGE
  holds '.detail | contains("inherit itself")'
  api PUT /admin/roles/r0 '{"inherits": ["r0"]}'
  expect_problem 400 INVALID_MESSAGE
  api POST /admin/roles '{"name": "x", "inherits": ["none"]}'
  expect_problem 400 INVALID_MESSAGE
}

@test "wrong roles are refused with what is wrong" {
  start_daemon
  ok_sql 'CREATE TABLE orders(id INTEGER PRIMARY KEY, owner TEXT, card TEXT)'
  local bad grant
  for grant in '{}' '{"table": "orders"}' '{"table": "", "operations": ["select"]}' \
    '{"table": "orders", "operations": []}' '{"table": "orders", "operations": ["drop"]}' \
    '{"table": "orders", "operations": ["select"], "columns": []}' \
    '{"table": "orders", "operations": ["select"], "columns": ["nothing"]}' \
    '{"table": "orders", "operations": ["select"], "where": "owner ="}' \
    '{"table": "orders", "operations": ["select"], "where": "nothing = 1"}' \
    '{"table": "orders", "operations": ["select"], "where": "no_function(id)"}' \
    '{"table": "orders", "operations": ["select"], "where": "count(*) > 1"}' \
    '{"table": "orders", "operations": ["select"], "where": "1) OR (1"}' \
    '{"table": "orders", "operations": ["select"], "where": "1 -- "}' \
    '{"table": "orders", "operations": ["select"], "where": "1; DROP TABLE orders"}' \
    '{"table": "orders", "operations": ["select"], "where": "id = ?"}' \
    '{"table": "orders", "operations": ["select"], "where": "owner = '"'"'open"}' \
    '{"table": "orders", "operations": ["select"], "check": "nothing"}' \
    '{"table": "orders", "operations": ["select"], "masks": {"card": {"kind": "blur"}}}' \
    '{"table": "orders", "operations": ["select"], "masks": {"card": {"kind": "partial"}}}' \
    '{"table": "orders", "operations": ["select"], "masks": {"card": {"kind": "null", "keep": 1}}}' \
    '{"table": "orders", "operations": ["select"], "masks": {"card": {"kind": "expression"}}}' \
    '{"table": "orders", "operations": ["select"], "masks": {"card": {"kind": "expression", "sql": "nothing"}}}' \
    '{"table": "orders", "operations": ["select"], "masks": {"nothing": {"kind": "null"}}}' \
    '{"table": "not_there", "operations": ["select"], "where": "a = = b"}' \
    '{"table": "*", "operations": ["select"], "where": "a b c"}'; do
    api POST /admin/roles "{\"name\": \"x\", \"tables\": [$grant]}"
    expect_problem 400 INVALID_MESSAGE || { echo "accepted: $grant"; return 1; }
  done
  for bad in '{"scopes": ["everything"]}' '{"streams": ["sql"]}' '{"channels": [{"channel": "a"}]}' \
    '{"channels": [{"channel": "a", "operations": ["select"]}]}' '{"inherits": "a"}' '{"colour": 1}' \
    '{"name": "a b"}' '{"created_by": "x"}'; do
    api POST /admin/roles "$(jq -c '{name: "x"} + .' <<<"$bad")"
    expect_problem 400 INVALID_MESSAGE || { echo "accepted: $bad"; return 1; }
  done
  # What may be right later is taken.
  role later '{"tables": [{"table": "not_there", "operations": ["select"], "where": "a = 1", "columns": ["a"]}]}'
  role any '{"tables": [{"table": "*", "operations": ["select"], "where": "a = 1"}]}'
  role good '{"tables": [{"table": "orders", "operations": ["select"], "where": "owner = '"'it''s)'"' AND id IN (SELECT id FROM orders)", "masks": {"card": {"kind": "expression", "sql": "upper(card)"}, "owner": {"kind": "null"}}}]}'
  api GET /admin/roles
  holds '[.roles[].name] == ["admin", "any", "good", "later"]'
}

@test "what a role grants holds at once, and what it loses is gone at once" {
  start_daemon
  ok_sql 'CREATE TABLE orders(id INTEGER PRIMARY KEY)'
  ok_sql 'CREATE TABLE secrets(id INTEGER PRIMARY KEY)'
  role reader '{"tables": [{"table": "orders", "operations": ["select"]}], "scopes": ["sql"]}'
  user ann '{"roles": ["reader"]}'
  api_key '{"user": "ann"}'
  as "$key" POST /query '{"sql": "SELECT * FROM orders"}'
  [ "$status_code" = 200 ]
  as "$key" POST /query '{"sql": "SELECT * FROM secrets"}'
  expect_problem 403 PERMISSION_DENIED
  as "$key" POST /query '{"sql": "INSERT INTO orders VALUES(1)"}'
  expect_problem 403 PERMISSION_DENIED
  as "$key" POST /query '{"sql": "SELECT json FROM _rustydb_auth"}'
  expect_problem 403 PERMISSION_DENIED
  sql 'SELECT json FROM _rustydb_auth'
  expect_problem 403 PERMISSION_DENIED
  api PUT /admin/roles/reader '{"tables": [{"table": "secrets", "operations": ["select"]}], "scopes": ["sql"]}'
  as "$key" POST /query '{"sql": "SELECT * FROM orders"}'
  expect_problem 403 PERMISSION_DENIED
  as "$key" POST /query '{"sql": "SELECT * FROM secrets"}'
  [ "$status_code" = 200 ]
  api PUT /admin/roles/reader '{"tables": [{"table": "secrets", "operations": ["select"]}]}'
  as "$key" POST /query '{"sql": "SELECT * FROM secrets"}'
  expect_problem 403 PERMISSION_DENIED
  holds '.hint | contains("sql")'
}
