#!/usr/bin/env bats
# rustydb connections and broadcast to some: what they show and do, and what they say when they cannot.

load helper

# follow N: starts `rustydb subscribe channel:N`, waits until it is connected, leaves its pid in BG.
follow() {
  local before
  before=$("$BIN" connections --format jsonl --state open | wc -l)
  background "$BIN" subscribe -q "channel:$1" >"$T/out.$1" 2>"$T/err.$1"
  wait_until eval "[ \$($BIN connections --format jsonl --state open | jq -c 'select(.subscription_count == 1)' | wc -l) = $((before + 1)) ]"
}

@test "connections: list and show, in every format" {
  start_daemon
  [ "$("$BIN" connections --format jsonl)" = '' ]
  [ "$("$BIN" connections --format json)" = '[]' ]
  [ "$("$BIN" connections | wc -l)" = 1 ]
  local n
  for n in 1 2 3; do follow "$n"; done
  "$BIN" connections list --format jsonl >"$T/list"
  [ "$(jq -r .connection_id "$T/list" | tr '\n' ' ')" = "$(jq -r .connection_id "$T/list" | sort -V | tr '\n' ' ')" ]
  [ "$(jq -c '[.state, .user_id, .subprotocol, .metadata]' "$T/list" | sort -u)" = '["open","root","rustydb.json.v1",null]' ]
  [ "$("$BIN" connections --format json | jq length)" = 3 ]
  [ "$("$BIN" connections | cut -d, -f1)" = "connection_id
$(jq -r .connection_id "$T/list")" ]
  [ "$("$BIN" connections --limit 2 --format jsonl | jq -r .connection_id)" = "$(head -n 2 "$T/list" | jq -r .connection_id)" ]
  [ "$("$BIN" connections --user nobody --format jsonl)" = '' ]
  [ "$("$BIN" connections -u root --format jsonl | wc -l)" = 3 ]
  local id
  id=$(tail -n 1 "$T/list" | jq -r .connection_id)
  [ "$("$BIN" connections show "$id" --format json | jq -r '.[0].subscriptions | length')" = 1 ]
  "$BIN" connections show "$id" --format line | grep -q "connection_id = $id"
  script -qec "$BIN connections --no-color show $id" /dev/null </dev/null >"$T/tty"
  grep -q "connection_id = $id" "$T/tty"
  script -qec "$BIN connections" /dev/null </dev/null >"$T/tty"
  grep -q '│' "$T/tty"
  grep -q "$id" "$T/tty"
}

@test "connections: more than one page" {
  start_daemon --reactors 2
  case_of ws_manage more_than_a_page
}

@test "connections: lists and objects are one field of CSV" {
  start_daemon
  follow a
  local id
  id=$("$BIN" connections --format jsonl | jq -r .connection_id)
  "$BIN" subscriptions add "$id" channel:other
  "$BIN" connections --format csv >"$T/csv"
  "$PYTHON" -c 'import csv, json, sys
head, row = csv.reader(sys.stdin, strict=True)
assert len(head) == len(row), (head, row)
assert len(json.loads(dict(zip(head, row))["subscriptions"])) == 2, row' <"$T/csv"
  "$BIN" subscriptions --format csv >"$T/csv"
  grep -q '"{""policy"":""disconnect""}"' "$T/csv"
}

@test "connections: kill ends them with a code and a reason" {
  start_daemon
  follow a
  local first=$BG id
  id=$("$BIN" connections --format jsonl | jq -r .connection_id)
  [ "$("$BIN" connections kill "$id" --reason 'that is all')" = "$id is closed with 1008" ]
  local status=0
  wait_exit "$first" 20 || status=$?
  [ "$status" = 4 ]
  grep -q 'that is all' "$T/err.a"
  [ "$(grep -c token "$T/err.a")" = 0 ] # it was good
  # With 1012 it comes back by itself, as another connection.
  follow b
  id=$("$BIN" connections --format jsonl | jq -r .connection_id)
  [ "$("$BIN" connections kill "$id" -q --close-code 1012)" = '' ]
  wait_until eval "[ -n \"\$($BIN connections --state open --format jsonl | jq -r .connection_id | grep -vx $id)\" ]"
  id=$("$BIN" connections --state open --format jsonl | jq -r .connection_id)
  [ "$("$BIN" connections kill "$id" -c 4000 --format jsonl)" = "{\"connection_id\":\"$id\",\"close_code\":4000,\"reason\":\"closed by the administration\"}" ]
}

@test "connections: what cannot be done is said" {
  start_daemon
  follow a
  local id
  id=$("$BIN" connections --format jsonl | jq -r .connection_id)
  run --separate-stderr "$BIN" connections kill c999 "$id" x
  [ "$status" = 5 ]
  [ "$output" = "$id is closed with 1008" ]
  [ "$(grep -c NOT_FOUND <<<"$stderr")" = 2 ]
  run --separate-stderr "$BIN" connections show c999
  [ "$status" = 5 ]
  [ "$output" = '' ]
  [[ $stderr == *'there is no connection c999'* ]]
  run --separate-stderr "$BIN" connections --state up
  [ "$status" = 5 ]
  [ "$output" = '' ]
  run --separate-stderr "$BIN" connections kill c1 --close-code 1005
  [ "$status" = 5 ]
  local wrong
  for wrong in 'sing' 'list c1' 'show' 'kill' '--close-code 4000' 'show c1 --reason x' 'kill c1 --state open' \
    'kill c1 --close-code 999' '--limit 0' '--format yaml'; do
    # shellcheck disable=SC2086 # words
    run "$BIN" connections $wrong
    [ "$status" = 2 ]
  done
  run "$BIN" connections --token wrong
  [ "$status" = 4 ]
  kill_daemon
  run "$BIN" connections
  [ "$status" = 3 ]
}

@test "broadcast: to some connections or a user" {
  start_daemon
  follow a
  follow b
  local ids
  mapfile -t ids < <("$BIN" connections --format jsonl | jq -r .connection_id)
  [ "$("$BIN" broadcast --to "${ids[1]}" one)" = 'received by 1' ]
  [ "$("$BIN" broadcast --to "${ids[1]}" --to "${ids[0]}" --format json two | jq -c .connections)" = "[\"${ids[0]}\",\"${ids[1]}\"]" ]
  [ "$("$BIN" broadcast --user root three)" = 'received by 2' ]
  [ "$("$BIN" broadcast --user nobody four)" = 'received by 0' ]
  [ "$("$BIN" broadcast -c a --to "${ids[1]}" five)" = 'received by 0 on channel a' ]
  [ "$("$BIN" broadcast -c b --to "${ids[1]}" six)" = 'received by 1 on channel b' ]
  wait_until eval '[ "$(wc -l <"$T/out.b")" = 4 ]'
  [ "$(jq -r .message "$T/out.b" | tr '\n' ' ')" = 'one two three six ' ]
  [ "$(jq -r .message "$T/out.a" | tr '\n' ' ')" = 'two three ' ]
  run "$BIN" broadcast --to x hello
  [ "$status" = 5 ]
}

@test "subscriptions: list, add and rm" {
  start_daemon
  sql 'CREATE TABLE t (a)'
  follow a
  follow b
  local ids
  mapfile -t ids < <("$BIN" connections --format jsonl | jq -r .connection_id)
  "$BIN" subscriptions --format jsonl >"$T/list"
  [ "$(jq -c '[.connection_id, .subscription_type, .target, .status, .lag]' "$T/list")" = "[\"${ids[0]}\",\"channel\",\"a\",\"live\",0]
[\"${ids[1]}\",\"channel\",\"b\",\"live\",0]" ]
  [ "$("$BIN" subscriptions --connection "${ids[1]}" --format json | jq -c '[.[].target]')" = '["b"]' ]
  [ "$("$BIN" subscriptions --type table --format json)" = '[]' ]
  [ "$("$BIN" subscriptions -n 1 --status live | wc -l)" = 2 ]
  local made
  made=$("$BIN" subscriptions add "${ids[0]}" channel:c)
  [[ $made == "${ids[0]} has subscription s"* ]]
  "$BIN" broadcast -q -c c hello
  wait_until eval '[ -s "$T/out.a" ]'
  "$BIN" subscriptions add "${ids[1]}" t --where 'a > 1' --op insert --op update --column a --since 0 \
    --policy replay --format jsonl | jq -c '[.subscription_type, .target, .filters, .config]' >"$T/made"
  [ "$(cat "$T/made")" = '["table","t",{"ops":["insert","update"],"where":"a > 1","columns":["a"]},{"policy":"replay","since":0}]' ]
  [ "$("$BIN" subscriptions --format jsonl | wc -l)" = 4 ]
  script -qec "$BIN subscriptions --no-color" /dev/null </dev/null >"$T/tty"
  grep -q '│' "$T/tty"
  made=${made##* }
  [ "$("$BIN" subscriptions rm "$made")" = "$made is ended" ]
  # That one does not end who has another of its own.
  "$BIN" subscriptions rm "$("$BIN" subscriptions --type table --format jsonl | jq -r .subscription_id)"
  "$BIN" broadcast -q -c b hello
  wait_until grep -q channel:b "$T/out.b"
  made=$("$BIN" subscriptions --connection "${ids[1]}" --format jsonl | jq -r .subscription_id)
  [ "$("$BIN" subscriptions rm "$made" --reason why --format jsonl)" = "{\"subscription_id\":\"$made\",\"reason\":\"why\"}" ]
  wait_until grep -q why "$T/err.b"
}

@test "subscriptions: what cannot be done is said" {
  start_daemon
  follow a
  local id wrong
  id=$("$BIN" connections --format jsonl | jq -r .connection_id)
  run --separate-stderr "$BIN" subscriptions rm s99 "$("$BIN" subscriptions --format jsonl | jq -r .subscription_id)"
  [ "$status" = 5 ]
  [[ $output == *' is ended' ]]
  [[ $stderr == *NOT_FOUND* ]]
  for wrong in "add $id none" "add c999 channel:x" "add $id x:y" "--status up" "--connection s1"; do
    # shellcheck disable=SC2086 # words
    run --separate-stderr "$BIN" subscriptions $wrong
    [ "$status" = 5 ]
    [ "$output" = '' ]
  done
  for wrong in 'sing' 'list s1' 'add' 'add c1' 'add c1 t u' 'rm' '--where a' 'add c1 t --limit 3' 'rm s1 --since 1' \
    'list --reason x' '--limit 0' '--format yaml'; do
    # shellcheck disable=SC2086 # words
    run "$BIN" subscriptions $wrong
    [ "$status" = 2 ]
  done
  kill_daemon
  run "$BIN" subscriptions
  [ "$status" = 3 ]
}
