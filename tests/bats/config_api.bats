#!/usr/bin/env bats
# The settings over REST: looking at them, changing them in memory, reading them again.

load helper

# setting NAME FILTER: what a setting says.
setting() {
  api GET "/admin/config/$1" && [ "$status_code" = 200 ] && jq -c "$2" <<<"$body"
}

@test "every setting is shown with its value, default, bounds and source" {
  printf 'max_body = 2m\nlog_level = warn\n' >"$T/conf"
  RUSTYDB_IDLE_TIMEOUT=90s start_daemon --config "$T/conf" --readers 3
  api GET /admin/config
  [ "$status_code" = 200 ]
  [ "$(jq '.settings | length' <<<"$body")" = "$(grep -c '^SETTING(' "$REPO/libcore/config/settings.def")" ]
  [ "$(jq -r .file <<<"$body")" = "$T/conf" ]
  [ "$(setting max_body '[.value, .default, .unit, .minimum, .maximum, .source, .origin, .runtime, .pending]')" = \
    "[2097152,16777216,\"bytes\",1024,1073741824,\"file\",\"$T/conf\",true,null]" ]
  [ "$(setting idle-timeout '[.name, .value, .unit, .source, .origin]')" = \
    '["idle_timeout",90000,"milliseconds","environment","RUSTYDB_IDLE_TIMEOUT"]' ]
  [ "$(setting readers '[.value, .unit, .source, .origin, .runtime]')" = '[3,null,"flag","--readers",false]' ]
  [ "$(setting log_level '[.value, .type, .allowed, .help]')" = \
    '["warn","enum",["error","warn","info","debug"],"least important lines to log"]' ]
  [ "$(setting tls_key '[.value, .source, .origin, .minimum]')" = '["","default",null,null]' ]
  api GET /admin/config/max_bdy
  expect_problem 404 NOT_FOUND
  [ "$(jq -r .hint <<<"$body")" = 'did you mean "max_body"?' ]
}

@test "settings change in memory, all or none" {
  start_daemon
  api PATCH /admin/config '{"max_body": 2048, "statement_timeout": "10s", "log_level": "debug"}'
  [ "$status_code" = 200 ]
  [ "$(jq -c '[.persistent, (.settings[] | .name, .value, .source)]' <<<"$body")" = \
    '[false,"max_body",2048,"runtime","statement_timeout",10000,"runtime","log_level","debug","runtime"]' ]
  api POST /query "{\"sql\": \"SELECT '$(printf 'x%.0s' {1..3000})'\"}"
  expect_problem 413 MESSAGE_TOO_BIG
  wait_until grep -q 'max_body is 2048, until the next reload' "$T/daemon.err"

  local wrong
  for wrong in '{"max_message": "2k", "max_body": 5}' '{"max_message": "2k", "max_bdy": 5000}' \
    '{"max_message": "2k", "readers": 4}' '{"max_message": "2k", "log_level": "loud"}' \
    '{"max_message": "2k", "max_body": true}' '{"max_message": null}' '{"max_message": 1.5}' '[]'; do
    api PATCH /admin/config "$wrong"
    expect_problem 400 INVALID_MESSAGE
  done
  api PATCH /admin/config '{"max_body": 5}'
  [ "$(jq -r .detail <<<"$body")" = 'max_body: "5" is not within 1k to 1g' ]
  api PATCH /admin/config '{"readers": 4}'
  [[ "$(jq -r .detail <<<"$body")" = 'readers cannot be changed while the daemon runs' ]]
  [ "$(setting max_message '[.value, .source]')" = '[1048576,"default"]' ]
  [ "$(setting max_body .value)" = 2048 ]
}

@test "reading the settings again ends what was changed in memory" {
  printf 'max_body = 2m\nreaders = 2\n' >"$T/conf"
  start_daemon --config "$T/conf"
  api PATCH /admin/config '{"max_body": "3m"}'
  [ "$(setting max_body .value)" = 3145728 ]
  printf 'max_body = 2m\nreaders = 5\n' >"$T/conf"
  api POST /admin/config/reload
  [ "$status_code" = 200 ]
  [ "$(jq -c '.changed | map([.name, .value, .source, .pending])' <<<"$body")" = \
    '[["readers",2,"file",5],["max_body",2097152,"file",null]]' ]
  printf 'max_body = 5\n' >"$T/conf"
  api POST /admin/config/reload
  expect_problem 409 CONFLICT
  [[ "$(jq -r .detail <<<"$body")" = "the old settings stay: $T/conf:1: max_body: \"5\" is not within"* ]]
  rm "$T/conf"
  api POST /admin/config/reload
  expect_problem 409 CONFLICT
  [ "$(setting max_body .value)" = 2097152 ]
}

@test "subscribers of system are told of changed settings" {
  start_daemon
  case_of system_events change
}
