#!/usr/bin/env bats
# API keys: /admin/api-keys, and who comes with one.
# shellcheck disable=SC2154,SC2030,SC2031 # set by api; every test is a subshell

load helper
load identities

@test "a key is made, told once, shown, listed and revoked" {
  start_daemon
  role r '{"scopes": ["monitor"]}'
  api POST /admin/api-keys '{"description": "nightly", "roles": ["r"], "addresses": ["127.0.0.0/8", "::1"], "rate": 100, "expires_at": "2099-12-31T00:00:00Z"}'
  [ "$status_code" = 201 ]
  local key id
  key=$(jq -r .key <<<"$body")
  id=$(jq -r .id <<<"$body")
  header location "/api/v1/admin/api-keys/$id"
  [[ $key =~ ^rdb_[A-Za-z0-9_-]{43}$ ]]
  holds '.description == "nightly" and .user == null and .roles == ["r"] and .rate == 100 and .created_by == "root"'
  holds '.addresses == ["127.0.0.0/8", "::1"] and .expires_at == "2099-12-31T00:00:00.000000Z" and .last_used_at == null'
  holds '. as $x | .key | startswith($x.prefix)'
  holds '.prefix | length == 8'
  as "$key" GET /auth/identity
  holds ".user_id == \"key:$id\" and .kind == \"key\" and .roles == [\"r\"] and .scopes == [\"monitor\"] and .expires_at == \"2099-12-31T00:00:00.000000Z\""
  TOKEN='' api GET /auth/identity '' -H "X-API-Key: $key"
  [ "$status_code" = 200 ]
  api GET "/admin/api-keys/$id"
  holds '.last_used_at != null and (has("key") | not) and (has("hash") | not)'
  api GET /admin/api-keys
  holds '.total == 1 and .api_keys[0].description == "nightly"'
  run ! grep -q "${key:8}" <<<"$body"
  api DELETE "/admin/api-keys/$id"
  holds ". == {\"id\": \"$id\", \"deleted\": true}"
  as "$key" GET /auth/identity
  expect_problem 401 AUTH_FAILED
  api GET "/admin/api-keys/$id"
  expect_problem 404 NOT_FOUND
  api DELETE "/admin/api-keys/$id"
  expect_problem 404 NOT_FOUND
  stop_daemon
  run ! grep -rqa "${key:8}" "$DIR" "$T/daemon.err" "$T/daemon.out"
}

@test "wrong keys are refused with what is wrong" {
  start_daemon
  role r '{}'
  local bad
  for bad in '{}' '{"user": "nobody"}' '{"roles": ["nothing"]}' '{"roles": []}' '{"roles": ["r"], "addresses": ["x"]}' \
    '{"roles": ["r"], "addresses": ["10.0.0.0/33"]}' '{"roles": ["r"], "addresses": ["10.0.0.1/8"]}' \
    '{"roles": ["r"], "addresses": ["10.0.0.1,10.0.0.2"]}' '{"roles": ["r"], "rate": 0}' \
    '{"roles": ["r"], "expires_at": "2001-01-01T00:00:00Z"}' '{"roles": ["r"], "expires_at": "tomorrow"}' \
    '{"roles": ["r"], "expires_at": "2099-02-30T00:00:00Z"}' '{"roles": ["r"], "expires_at": "2099-01-01"}' \
    '{"roles": ["r"], "key": "rdb_x"}' '{"roles": ["r"], "hash": "x"}' '{"roles": ["r"], "id": "x"}'; do
    api POST /admin/api-keys "$bad"
    expect_problem 400 INVALID_MESSAGE || { echo "accepted: $bad"; return 1; }
  done
  api GET /admin/api-keys
  holds '.total == 0'
  local token
  for token in rdb_ rdb_x "rdb_$(printf 'A%.0s' {1..43})" "rdb_$(printf 'A%.0s' {1..44})" "rdb_$(printf '!%.0s' {1..43})"; do
    as "$token" GET /auth/identity
    expect_problem 401 AUTH_FAILED
  done
}

@test "a key has no more than its user has, now" {
  start_daemon
  role one '{"scopes": ["monitor"]}'
  role two '{"scopes": ["backup"]}'
  user ann '{"roles": ["one", "two"], "claims": {"tenant": 7}}'
  api_key '{"user": "ann"}'
  local whole=$key
  api_key '{"user": "ann", "roles": ["two"]}'
  local part=$key
  as "$whole" GET /auth/identity
  holds '.user_id == "ann" and .roles == ["one", "two"]'
  as "$part" GET /auth/identity
  holds '.user_id == "ann" and .roles == ["two"] and .scopes == ["backup"]'
  api PATCH /admin/users/ann '{"roles": ["one"]}'
  as "$whole" GET /auth/identity
  holds '.roles == ["one"]'
  as "$part" GET /auth/identity
  holds '.roles == [] and .scopes == []'
  as "$part" GET /monitoring/sessions
  expect_problem 403 PERMISSION_DENIED
}

@test "a key is good until it expires, and from where it may come" {
  start_daemon
  role r '{"scopes": ["monitor"]}'
  api_key "{\"roles\": [\"r\"], \"expires_at\": \"$(date -u -d '+2 seconds' +%Y-%m-%dT%H:%M:%SZ)\"}"
  as "$key" GET /auth/identity
  [ "$status_code" = 200 ]
  expired() { as "$key" GET /auth/identity && [ "$status_code" = 401 ]; }
  wait_until -t 10 expired
  expect_problem 401 AUTH_EXPIRED
  api_key '{"roles": ["r"], "addresses": ["192.0.2.0/24", "2001:db8::/32"]}'
  as "$key" GET /auth/identity
  expect_problem 401 AUTH_FAILED
  holds '.detail | contains("127.0.0.1")'
  api_key '{"roles": ["r"], "addresses": ["192.0.2.0/24", "127.0.0.1"]}'
  as "$key" GET /auth/identity
  [ "$status_code" = 200 ]
}

@test "when a key was used is kept" {
  start_daemon
  role r '{}'
  api_key '{"roles": ["r"]}'
  local id=$key_id at
  as "$key" GET /auth/identity
  written() { sqlite3 -readonly "$DIR/rustydb.db" "SELECT json FROM _rustydb_auth WHERE kind = 'key'" | grep -q last_used_us; }
  wait_until -t 10 written
  api GET "/admin/api-keys/$id"
  at=$(jq -r .last_used_at <<<"$body")
  [ "$at" != null ]
  kill_daemon
  restart_daemon
  api GET "/admin/api-keys/$id"
  [ "$(jq -r .last_used_at <<<"$body")" = "$at" ]
}

@test "who makes a key without saying whose gets his own" {
  start_daemon
  role keeper '{"scopes": ["users"]}'
  user kim '{"roles": ["keeper"], "password": "long enough"}'
  api POST /auth/login '{"user": "kim", "password": "long enough"}'
  [ "$status_code" = 200 ]
  local token
  token=$(jq -r .access_token <<<"$body")
  as "$token" POST /admin/api-keys '{}'
  [ "$status_code" = 201 ]
  holds '.user == "kim" and .created_by == "kim"'
}
