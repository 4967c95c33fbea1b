#!/usr/bin/env bats
# Users: /admin/users and what is below it.
# shellcheck disable=SC2154,SC2030,SC2031 # set by api; every test is a subshell

load helper
load identities

@test "a user is made, shown, listed, changed, replaced and removed" {
  start_daemon
  role clerk '{}'
  api POST /admin/users '{"name": "ann", "password": "long enough", "roles": ["clerk"], "claims": {"tenant": 7}, "certificates": ["CN=ann"], "uid": 70001}'
  [ "$status_code" = 201 ]
  header location /api/v1/admin/users/ann
  holds '.name == "ann" and .roles == ["clerk"] and (.disabled | not) and .has_password and .claims == {"tenant": 7}'
  holds '.certificates == ["CN=ann"] and .uid == 70001 and .created_at == .updated_at'
  local first=$body tag
  tag=$(etag)
  api GET /admin/users/ann
  [ "$status_code" = 200 ] && [ "$body" = "$first" ] && [ "$(etag)" = "$tag" ]
  api GET /admin/users/ann '' -H "If-None-Match: $tag"
  [ "$status_code" = 304 ] && [ -z "$body" ]
  api GET /admin/users
  holds '.total == 1 and .offset == 0 and .limit == 100 and .users[0].name == "ann"'
  # A patch leaves what it does not name, and null takes away.
  api PATCH /admin/users/ann '{"disabled": true, "uid": null}'
  [ "$status_code" = 200 ]
  holds '.disabled and .uid == null and .roles == ["clerk"] and .has_password and .certificates == ["CN=ann"] and .updated_at > .created_at'
  api PATCH /admin/users/ann '{"password": null}'
  holds '.has_password | not'
  api PATCH /admin/users/ann '{"password": "another one"}'
  holds '.has_password'
  # A replaced one has what the body says, and its password.
  api PUT /admin/users/ann '{"roles": []}'
  [ "$status_code" = 200 ]
  holds '.roles == [] and (.disabled | not) and .claims == {} and .certificates == [] and .has_password'
  api DELETE /admin/users/ann
  [ "$status_code" = 200 ]
  holds '. == {"name": "ann", "deleted": true}'
  api GET /admin/users/ann
  expect_problem 404 NOT_FOUND
  api DELETE /admin/users/ann
  expect_problem 404 NOT_FOUND
  api PATCH /admin/users/ann '{}'
  expect_problem 404 NOT_FOUND
}

@test "a change of what one has not seen is refused" {
  start_daemon
  user ann '{}'
  local tag
  tag=$(etag)
  api PATCH /admin/users/ann '{"disabled": true}' -H "If-Match: $tag"
  [ "$status_code" = 200 ]
  api PATCH /admin/users/ann '{"disabled": false}' -H "If-Match: $tag"
  expect_problem 412 PRECONDITION_FAILED
  api PUT /admin/users/ann '{}' -H "If-Match: $tag"
  expect_problem 412 PRECONDITION_FAILED
  api DELETE /admin/users/ann '' -H "If-Match: $tag"
  expect_problem 412 PRECONDITION_FAILED
  api GET /admin/users/ann
  holds '.disabled'
  api DELETE /admin/users/ann '' -H "If-Match: $(etag)"
  [ "$status_code" = 200 ]
}

@test "wrong users are refused with what is wrong" {
  start_daemon
  local bad
  for bad in '{}' '{"name": ""}' '{"name": "a b"}' '{"name": "-a"}' '{"name": "ä"}' '{"name": "key:x"}' \
    "{\"name\": \"$(printf 'x%.0s' {1..64})\"}" '{"name": "a", "password": "short"}' \
    '{"name": "a", "roles": "clerk"}' '{"name": "a", "roles": [1]}' '{"name": "a", "uid": 0}' \
    '{"name": "a", "claims": []}' '{"name": "a", "claims": "x"}' '{"name": "a", "password_hash": "x"}' \
    '{"name": "a", "created_at": "x"}' '{"name": "a", "colour": 1}' '{"name": "root"}' \
    '{"name": "a", "roles": ["unknown"]}' '[]' 'x' \
    "{\"name\": \"a\", \"claims\": {\"x\": \"$(printf 'x%.0s' {1..5000})\"}}"; do
    api POST /admin/users "$bad"
    expect_problem 400 INVALID_MESSAGE || { echo "accepted: $bad"; return 1; }
  done
  api POST /admin/users '{"name": "a", "claims": {"x": "a\u0000b"}}'
  expect_problem 400 INVALID_MESSAGE
  api POST /admin/users '{"name": "Root"}'
  expect_problem 400 INVALID_MESSAGE
  user ann '{"certificates": ["CN=a"], "uid": 70001}'
  api POST /admin/users '{"name": "Ann"}'
  expect_problem 409 CONFLICT
  api POST /admin/users '{"name": "ann"}'
  expect_problem 409 CONFLICT
  api POST /admin/users '{"name": "bob", "certificates": ["CN=a"]}'
  expect_problem 409 CONFLICT
  holds '.detail | contains("ann")'
  api POST /admin/users '{"name": "bob", "uid": 70001}'
  expect_problem 409 CONFLICT
  api GET /admin/users
  holds '.total == 1'
}

@test "users, roles and keys outlive restarts and crashes" {
  start_daemon
  role clerk '{"scopes": ["sql"]}'
  user ann '{"roles": ["clerk"], "claims": {"a": 1}}'
  api_key '{"user": "ann"}'
  api GET /admin/users/ann
  local before=$body
  kill_daemon
  restart_daemon
  api GET /admin/users/ann
  [ "$body" = "$before" ]
  as "$key" GET /auth/identity
  holds '.user_id == "ann" and .kind == "key"'
  api DELETE /admin/users/ann
  kill_daemon
  restart_daemon
  api GET /admin/users/ann
  expect_problem 404 NOT_FOUND
  as "$key" GET /auth/identity
  expect_problem 401 AUTH_FAILED
  stop_daemon
  restart_daemon
  api GET /admin/roles/clerk
  [ "$status_code" = 200 ]
}

@test "no password and no hash of one is shown, logged or kept" {
  start_daemon --log-level debug
  user ann '{"password": "a very secret word"}'
  run ! grep -q 'secret word\|\$y\$' <<<"$body$headers"
  api GET /admin/users
  run ! grep -q 'secret word\|\$y\$\|hash' <<<"$body$headers"
  api PATCH /admin/users/ann '{"password": "another secret word", "uid": 0}'
  run ! grep -q 'secret word' <<<"$body$headers"
  stop_daemon
  run ! grep -rqa 'secret word' "$DIR" "$T/daemon.err" "$T/daemon.out"
  run ! grep -qa '\$y\$' "$T/daemon.err" "$T/daemon.out"
  grep -rqa '\$y\$' "$DIR/rustydb.db"
  [ "$(find "$DIR" -type f -perm /077)" = "" ]
}

@test "who looks after users gives no more than he has" {
  start_daemon
  role keeper '{"scopes": ["users"]}'
  role helper '{"scopes": ["monitor"]}'
  role helper_keeper '{"inherits": ["keeper", "helper"]}'
  role rich '{"tables": [{"table": "*", "operations": ["select"]}]}'
  user kim '{"roles": ["helper_keeper"], "claims": {"tenant": 7}}'
  user boss '{"roles": ["admin"]}'
  user ric '{"roles": ["rich"]}'
  user foreign '{"roles": ["helper"], "claims": {"tenant": 8}}'
  api_key '{"user": "kim"}'
  local kim=$key try
  # What he may.
  as "$kim" POST /admin/users '{"name": "new", "roles": ["helper"], "claims": {"tenant": 7}}'
  [ "$status_code" = 201 ]
  as "$kim" POST /admin/api-keys '{"user": "new"}'
  [ "$status_code" = 201 ]
  as "$kim" POST /admin/roles '{"name": "less", "inherits": ["helper"], "scopes": ["users"]}'
  [ "$status_code" = 201 ]
  as "$kim" DELETE /admin/users/new
  [ "$status_code" = 200 ]
  # What he may not.
  local -a tries=(
    'POST /admin/users {"name":"x","roles":["admin"]}'
    'POST /admin/users {"name":"x","roles":["rich"]}'
    'POST /admin/users {"name":"x","roles":["helper"],"claims":{"tenant":8}}'
    'PATCH /admin/users/kim {"roles":["helper_keeper","admin"]}'
    'PATCH /admin/users/kim {"claims":{"tenant":8}}'
    'PUT /admin/users/kim {"roles":["rich"]}'
    'PATCH /admin/users/boss {"password":"taken over"}'
    'PATCH /admin/users/boss {"roles":[]}'
    'PATCH /admin/users/ric {"certificates":["CN=kim"]}'
    'PATCH /admin/users/foreign {"password":"taken over"}'
    'DELETE /admin/users/boss '
    'POST /admin/roles {"name":"x","tables":[{"table":"t","operations":["select"]}]}'
    'POST /admin/roles {"name":"x","channels":[{"channel":"*","operations":["publish"]}]}'
    'POST /admin/roles {"name":"x","scopes":["sql"]}'
    'POST /admin/roles {"name":"x","streams":["queries"]}'
    'POST /admin/roles {"name":"x","inherits":["admin"]}'
    'POST /admin/roles {"name":"x","inherits":["rich"]}'
    'PUT /admin/roles/helper {"scopes":["monitor","audit"]}'
    'PUT /admin/roles/helper {"inherits":["rich"]}'
    'PUT /admin/roles/rich {}'
    'PUT /admin/roles/new {"scopes":["backup"]}'
    'DELETE /admin/roles/rich '
    'POST /admin/api-keys {"user":"boss"}'
    'POST /admin/api-keys {"user":"foreign"}'
    'POST /admin/api-keys {"roles":["admin"]}'
    'POST /admin/api-keys {"roles":["helper","rich"]}'
  )
  for try in "${tries[@]}"; do
    read -r method path document <<<"$try"
    as "$kim" "$method" "$path" "$document"
    expect_problem 403 PERMISSION_DENIED || { echo "not refused: $try"; return 1; }
  done
  # Nothing of it was done.
  api GET /admin/users/boss
  holds '.roles == ["admin"] and (.has_password | not)'
  api GET /admin/users/kim
  holds '.roles == ["helper_keeper"] and .claims == {"tenant": 7}'
  api GET /admin/roles
  holds '[.roles[].name] == ["admin", "helper", "helper_keeper", "keeper", "less", "rich"]'
  # A key of less is no way around it.
  api_key '{"user": "boss", "roles": ["helper"]}'
  as "$key" GET /auth/identity
  holds '.user_id == "boss"'
  as "$key" GET /admin/users
  expect_problem 403 PERMISSION_DENIED
  # Without the scope, nothing at all.
  api_key '{"roles": ["rich"]}'
  for try in GET:/admin/users GET:/admin/roles GET:/admin/api-keys GET:/admin/users/kim DELETE:/admin/users/kim; do
    as "$key" "${try%%:*}" "${try#*:}"
    expect_problem 403 PERMISSION_DENIED
  done
}

@test "a disabled or removed user has lost his keys at once" {
  start_daemon
  role r '{"scopes": ["monitor"]}'
  user ann '{"roles": ["r"]}'
  api_key '{"user": "ann"}'
  as "$key" GET /monitoring/sessions
  [ "$status_code" = 200 ]
  api PATCH /admin/users/ann '{"roles": []}'
  as "$key" GET /monitoring/sessions
  expect_problem 403 PERMISSION_DENIED
  api PATCH /admin/users/ann '{"disabled": true}'
  as "$key" GET /auth/identity
  expect_problem 401 AUTH_FAILED
  api PATCH /admin/users/ann '{"disabled": false}'
  as "$key" GET /auth/identity
  [ "$status_code" = 200 ]
  api DELETE /admin/users/ann
  api GET /admin/api-keys
  holds '.total == 0'
  # Nor does another one of the same name get them.
  user ann '{"roles": ["r"]}'
  as "$key" GET /auth/identity
  expect_problem 401 AUTH_FAILED
}
