#!/usr/bin/env bats
# `rustydb subscribe`: what it prints, resuming over crashes, --exec, --state, ends and errors.

load helper

s() { run --separate-stderr timeout $((20 * SLOW)) "$BIN" subscribe "$@"; }

# follow [OPTION...]: starts a subscriber; its pid in F, its output in $T/events, waits until it is
# live.
follow() {
  : >"$T/events"
  : >"$T/notices"
  background env --default-signal=INT "$BIN" subscribe "$@" >>"$T/events" 2>>"$T/notices"
  F=$BG
  wait_until grep -q '^subscribed' "$T/notices"
}
events() { [ "$(wc -l <"$T/events")" -ge "$1" ]; }

table() {
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, x)'
}

@test "an event a line, as JSON, flushed at once" {
  start_daemon
  table
  follow t
  sql "INSERT INTO t VALUES (1, 'a')"
  wait_until events 1
  sql "UPDATE t SET x = 'b'"
  wait_until events 2
  sql 'DELETE FROM t'
  wait_until events 3
  [ "$(jq -c '[.topic, .op, .row, .old_row, .changed_columns]' "$T/events")" = \
    '["table:t","insert",{"id":1,"x":"a"},null,null]
["table:t","update",{"id":1,"x":"b"},{"id":1,"x":"a"},["x"]]
["table:t","delete",null,{"id":1,"x":"b"},null]' ]
  jq -es '[.[].lsn] == [range(.[0].lsn; .[0].lsn + 3)]' "$T/events"
  jq -e '.tx > 0 and (.committed_at | test("^20..-..-..T.*Z$"))' "$T/events"
  kill -INT "$F"
  local status=0
  wait_exit "$F" 5 || status=$?
  [ "$status" = 130 ]
}

@test "--format line is for people" {
  start_daemon
  table
  follow table:t --format line
  sql "INSERT INTO t VALUES (1, 'a b')"
  sql "UPDATE t SET x = 'c' || char(27)"
  sql 'DELETE FROM t'
  wait_until events 3
  sed -E 's/^([0-9]+) [^ ]+Z /\1 TIME /; s/^[0-9]+/N/' "$T/events" >"$T/shape"
  diff "$T/shape" - <<'END'
N TIME insert t id=1 x="a b"
N TIME update t id=1 x="a b"->"c\u001b"
N TIME delete t id=1 x="c\u001b"
END
}

@test "--ops, --where, --since and --count choose" {
  start_daemon
  table
  local head
  sql 'INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)'
  head=$(jq .lsn "$T/answer")
  sql 'UPDATE t SET x = x * 10'
  sql 'DELETE FROM t WHERE id = 3'
  s t --since 0 --count 7
  [ "$status" = 0 ]
  [ "$(jq -r .op <<<"$output" | sort | uniq -c | tr -s ' ' | tr '\n' ';')" = ' 1 delete; 3 insert; 3 update;' ]
  s t --since "$head" --count 3 --ops update
  [ "$(jq -c '.row.x' <<<"$output" | paste -sd' ')" = '10 20 30' ]
  s t --since 0 --count 1 --ops insert,delete --where 'old.id = 3 OR x = 2'
  [ "$(jq -c '[.op, .row.id]' <<<"$output")" = '["insert",2]' ]
  s t --since 0 --count 1 --where 'new.x > old.x AND id = 3'
  [ "$(jq -c '[.op, .row.x]' <<<"$output")" = '["update",30]' ]
  s t --since 0 --count 3 --quiet
  [ "$stderr" = '' ]
}

@test "it resumes after SIGKILL and restarts: every event once, in order" {
  start_daemon
  table
  local i n=0
  follow t
  for i in 1 2 3; do
    sql 'INSERT INTO t (x) VALUES (?)' "[$((++n))]"
    wait_until events "$n"
    # Changed while nobody is subscribed, and while the connection may be about to come back.
    kill -STOP "$F"
    kill_daemon
    restart_daemon
    sql 'INSERT INTO t (x) VALUES (?)' "[$((++n))]"
    kill -CONT "$F"
    sql 'INSERT INTO t (x) VALUES (?)' "[$((++n))]"
    wait_until events "$n"
  done
  stop_daemon
  restart_daemon
  sql 'INSERT INTO t (x) VALUES (?)' "[$((++n))]"
  wait_until events "$n"
  [ "$(jq -c .row.x "$T/events" | paste -sd' ')" = '1 2 3 4 5 6 7 8 9 10' ]
  [ "$(grep -c 'connecting again' "$T/notices")" -ge 4 ]
  grep -q '(1001)' "$T/notices"
}

@test "a subscriber that has printed nothing yet does not miss what comes while it is away" {
  start_daemon
  table
  follow t --where 'x > 100'
  sql 'INSERT INTO t (x) VALUES (1)'
  kill -STOP "$F"
  kill_daemon
  restart_daemon
  sql 'INSERT INTO t (x) VALUES (101)'
  kill -CONT "$F"
  wait_until events 1
  [ "$(jq -c .row.x "$T/events")" = 101 ]
}

@test "--state goes on where the last run ended, whatever ended it" {
  start_daemon
  table
  follow t --state "$T/state"
  [[ $(cat "$T/state") =~ ^[^:]+:[0-9]+$ ]]
  s t --state "$T/state"
  [ "$status" = 2 ]
  [[ $stderr == *'another process uses it'* ]]
  kill -KILL "$F"
  wait_exit "$F" || true
  sql 'INSERT INTO t (x) VALUES (1), (2), (3)'
  s t --state "$T/state" --count 2
  [ "$(jq -c .row.x <<<"$output" | paste -sd' ')" = '1 2' ]
  sql 'INSERT INTO t (x) VALUES (4)'
  s t --state "$T/state" --count 2 --since 0
  [ "$(jq -c .row.x <<<"$output" | paste -sd' ')" = '3 4' ]
  echo 'no position' >"$T/state"
  s t --state "$T/state"
  [ "$status" = 2 ]
  echo 'other-log:1' >"$T/state"
  s t --state "$T/state"
  [ "$status" = 7 ]
  s t --state "$T/no/such/folder"
  [ "$status" = 2 ]
}

@test "--exec runs a command per event, one at a time; a failure ends it and is not counted" {
  start_daemon
  table
  sql 'INSERT INTO t (x) VALUES (1), (2), (3)'
  s t --since 0 --count 3 --exec 'jq -c .row.x; echo "end"'
  [ "$status" = 0 ]
  [ "$(paste -sd' ' <<<"$output")" = '1 end 2 end 3 end' ]
  s t --since 0 --state "$T/state" --exec 'jq -e ".row.x != 2" >/dev/null'
  [ "$status" = 5 ]
  [[ $stderr == *'ended with status 1'* ]]
  s t --state "$T/state" --count 2 --exec 'jq -c .row.x'
  [ "$(paste -sd' ' <<<"$output")" = '2 3' ]
  # A command that does not read its input, and one that reads no end of it.
  s t --since 0 --count 3 --exec 'exit 0'
  [ "$status" = 0 ]
  s t --since 0 --count 1 --format line --exec 'cut -d" " -f3-'
  [ "$output" = 'insert t id=1 x=1' ]
}

@test "a gap ends it with status 7 and the range" {
  start_daemon --changes-keep 5
  table
  local i
  for i in 1 2 3; do sql 'INSERT INTO t (x) VALUES (1), (2), (3), (4), (5), (6), (7), (8)'; done
  pruned() {
    s t --since 1 --timeout 1s
    [ "$status" = 7 ]
  }
  if ! wait_until -t 5 pruned; then # pruned at the latest by the checkpoint at the end
    stop_daemon
    restart_daemon --changes-keep 5
    wait_until -t 5 pruned
  fi
  [[ $stderr == *GAP* ]]
  [[ $stderr == *'missing are lsn 2 to '* ]]
  s t --since other-log:1
  [ "$status" = 7 ]
  s t --since 100000
  [ "$status" = 5 ]
}

@test "errors that trying again would not cure end it" {
  start_daemon
  table
  s nope
  [ "$status" = 5 ]
  [[ $stderr == *TABLE_NOT_FOUND* ]]
  s t --where 'nope > 1'
  [ "$status" = 5 ]
  s t --where '(SELECT 1)'
  [ "$status" = 5 ]
  s t --token wrong
  [ "$status" = 4 ]
  XDG_RUNTIME_DIR=$T/elsewhere s t
  [ "$status" = 4 ]
  [[ $stderr == *--token* ]]
  s t --url http://127.0.0.1:1
  [ "$status" = 3 ]
  s t --timeout 300ms
  [ "$status" = 6 ]
}

@test "wrong use" {
  start_daemon
  local wrong
  s
  [ "$status" = 2 ]
  for wrong in 'table:' 'channel:' 't --ops insert,upsert' 't --ops ,' 't --since x' 't --since -1' \
    't --count 0' 't --format table' 'channel:c --since 1' 'channel:c --where 1' 'channel:c --ops insert' \
    'channel:c --state f' 't u'; do
    # shellcheck disable=SC2086 # words
    s $wrong
    [ "$status" = 2 ] || { echo "$wrong gave $status"; false; }
    [ -n "$stderr" ]
  done
}

@test "a dropped table ends it, an altered one does not" {
  start_daemon
  table
  follow t
  sql 'ALTER TABLE t ADD COLUMN y DEFAULT 7'
  sql 'INSERT INTO t (x) VALUES (1)'
  wait_until events 1
  [ "$(jq -c .row "$T/events")" = '{"id":1,"x":1,"y":7}' ]
  wait_until grep -q 'ALTER TABLE t' "$T/notices"
  sql 'DROP TABLE t'
  local status=0
  wait_exit "$F" 10 || status=$?
  [ "$status" = 5 ]
  grep -q 'dropped' "$T/notices"
}

@test "a table's name in another case, or with a quote in it" {
  start_daemon
  table
  # shellcheck disable=SC2016
  sql 'CREATE TABLE `a"b` (x)'
  follow T --count 1
  sql 'INSERT INTO t (x) VALUES (1)'
  wait_exit "$F" 10
  [ "$(jq -r .topic "$T/events")" = table:t ]
  follow 'A"b' --count 1
  sql 'INSERT INTO `a"b` VALUES (1)'
  wait_exit "$F" 10
  [ "$(jq -r .topic "$T/events")" = 'table:a"b' ]
}

@test "what others subscribe its connection to does not end it" {
  start_daemon
  table
  sql 'CREATE TABLE u (x)'
  follow t
  local id
  id=$("$BIN" connections --format jsonl | jq -r .connection_id)
  run --separate-stderr "$BIN" subscriptions add "$id" nosuch
  [ "$status" = 5 ]
  "$BIN" subscriptions add "$id" u
  sql 'INSERT INTO u VALUES (1)'
  sql 'DROP TABLE u'
  sql 'INSERT INTO t (x) VALUES (1)'
  wait_until events 1
  [ "$(jq -r .topic "$T/events")" = table:t ]
  [ "$(grep -c '^subscribed' "$T/notices")" = 1 ]
}

@test "channels: messages with and without an event, to one channel and to everyone" {
  start_daemon
  follow channel:news
  "$BIN" broadcast -c news -e flash '{"n": 1}'
  "$BIN" broadcast -c other 'not for us'
  "$BIN" broadcast 'for everyone'
  wait_until events 2
  [ "$(jq -c '[.topic, .event, .message]' "$T/events")" = \
    '["channel:news","flash",{"n":1}]
["broadcast",null,"for everyone"]' ]
  kill_daemon
  restart_daemon
  wait_until eval '[ "$(grep -c "^subscribed" "$T/notices")" = 2 ]'
  "$BIN" broadcast -c news again
  wait_until events 3
}

@test "a broadcast to everyone is a notice to who follows a table" {
  start_daemon
  table
  follow t
  "$BIN" broadcast 'for everyone'
  wait_until grep -q 'broadcast: "for everyone"' "$T/notices"
  sql 'INSERT INTO t (x) VALUES (1)'
  wait_until events 1
  [ "$(jq -r .op "$T/events")" = insert ]
}

@test "--query prints a result and its differences, and begins again after a crash" {
  start_daemon --live-interval 10ms
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, x)'
  sql "INSERT INTO t VALUES (1, 'a'), (2, 'b')"
  follow --query 'SELECT id, x FROM t WHERE id < ? ORDER BY id' 10
  wait_until events 1
  sql 'INSERT INTO t VALUES (3, 5), (11, 0)'
  wait_until events 2
  sql 'DELETE FROM t WHERE id = 1'
  wait_until events 3
  [ "$(jq -c '[.kind, .key, .rows, .added, .removed]' "$T/events")" = \
    '["result",[0],[[1,"a"],[2,"b"]],null,null]
["diff",null,null,[{"at":2,"row":[3,5]}],[]]
["diff",null,null,[],[{"was":0,"key":[1]}]]' ]
  kill_daemon
  start_daemon --live-interval 10ms --listen "127.0.0.1:$PORT"
  wait_until events 4
  [ "$(sed -n 4p "$T/events" | jq -c '[.kind, .rows]')" = '["result",[[2,"b"],[3,5]]]' ]
  local status=0
  sql 'DROP TABLE t'
  wait_exit "$F" $((20 * SLOW)) || status=$?
  [ "$status" = 5 ]
  grep -q 'no such table' "$T/notices"
}

@test "--query for people, with named parameters and a count" {
  start_daemon
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, x)'
  sql "INSERT INTO t VALUES (1, 'a b'), (2, char(27))"
  follow --query 'SELECT x FROM t WHERE id >= :low ORDER BY id' -p low=1 --interval 50 --format line --count 2
  "$BIN" query "BEGIN; DELETE FROM t WHERE id = 2; UPDATE t SET x = 'c' WHERE id = 1; INSERT INTO t VALUES (5, 1.5), (6, NULL); COMMIT"
  wait_exit "$F" $((20 * SLOW))
  sed -E 's/^[0-9]+/N/' "$T/events" >"$T/shape"
  diff "$T/shape" - <<'END'
N result 2 rows
= "a b"
= "\u001b"
N diff 3 rows
~ "c"
~ 1.5
+ null
END
}

@test "--query: what does not go together, and what is no live query" {
  start_daemon
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY)'
  for wrong in '--query=x --since=0' '--query=x --where=1' '--query=x --state=f' 't --interval 5' 't -p a=1' \
    '--query=x -p a=1 7' '--query=x -p a'; do
    # shellcheck disable=SC2086 # words
    s $wrong
    [ "$status" = 2 ]
  done
  s --query 'SELECT nope FROM t'
  [ "$status" = 5 ]
  [[ $stderr = *'no such column'* ]]
  s --query 'DELETE FROM t'
  [ "$status" = 5 ]
}

@test "a reader that leaves ends it quietly, with and without events" {
  start_daemon
  table
  sql 'INSERT INTO t (x) VALUES (1), (2), (3)'
  run --separate-stderr timeout $((20 * SLOW)) bash -c '"$RUSTYDB_BIN" subscribe -q t --since 0 | head -n 1 | jq -c .row.x; echo "${PIPESTATUS[0]}"'
  [ "$output" = $'1\n141' ]
  [ "$stderr" = '' ]
}

@test "a large backlog and large rows come through in order" {
  start_daemon
  table
  sql "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 20000) INSERT INTO t (x) SELECT n FROM c"
  sql "INSERT INTO t (x) VALUES (hex(zeroblob(200000)))"
  "$BIN" subscribe -q t --since 0 --count 20001 >"$T/events"
  [ "$(jq -s '[.[].lsn] == ([.[].lsn] | sort) and length == 20001' "$T/events")" = true ]
  [ "$(tail -n 1 "$T/events" | jq '.row.x | length')" = 400000 ]
}

# ---- what the daemon tells of itself ----------------------------------------------------------------

@test "--topic metrics prints chosen metrics at an interval" {
  start_daemon
  s --topic metrics --interval 100 --count 3 cpu.cores 'feed.*'
  [ "$status" = 0 ]
  [ "${#lines[@]}" = 3 ]
  for line in "${lines[@]}"; do
    jq -e '.topic == "metrics" and (.metrics | keys == ["cpu.cores","feed.head_lsn","feed.lag","feed.oldest_lsn"])' <<<"$line"
  done
  s --topic metrics --count 1 --format line cpu.cores
  [ "$status" = 0 ]
  [[ $output =~ ^[0-9T:.-]+Z\ metrics\ cpu.cores=[0-9]+$ ]]
  s --topic metrics cpu.coers
  [ "$status" = 5 ]
  [[ $stderr == *cpu.cores* ]]
}

@test "--topic queries and --topic system print events" {
  start_daemon
  follow --topic queries --format line --count 2
  sql 'SELECT 40 + 2'
  wait_exit "$F"
  grep -qE '^[0-9T:.-]+Z queries start .*user="root".* sql="SELECT 40 \+ 2"' "$T/events"
  grep -qE ' queries end .* rows=1 ' "$T/events"
  s --topic system --count 1
  [ "$status" = 0 ]
  jq -e --argjson pid "$DAEMON_PID" '.event == "started" and .pid == $pid' <<<"$output"
}

@test "--topic goes without what belongs to tables" {
  start_daemon
  for args in '--topic metrics --since 0' '--topic metrics --where 1' '--topic system --interval 100' \
    '--topic queries cpu.cores' '--topic metrics --query SELECT'; do
    # shellcheck disable=SC2086 # several words
    s $args
    [ "$status" = 2 ]
  done
  s --topic weather
  [ "$status" = 5 ]
}
