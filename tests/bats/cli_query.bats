#!/usr/bin/env bats
# `rustydb query`: what goes in, every format byte for byte, errors, Ctrl-C, broken pipes.

load helper

q() { run --separate-stderr "$BIN" query "$@"; }

# The output and nothing else, line ends included.
prints() { # EXPECTED COMMAND...
  local expected=$1
  shift
  "$@" >"$T/printed" || return 1
  printf "$expected" | cmp - "$T/printed"
}

people() {
  sql 'CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, height REAL, photo BLOB)'
  sql "INSERT INTO people VALUES (1, 'Zoë', 1.5, NULL), (2, '日本', NULL, x'00ff'), (30, 'a,\"b\"', 1e300, x'')"
}

@test "every format, byte for byte" {
  start_daemon
  people
  prints 'id,name,height,photo\n1,Zoë,1.5,\n2,日本,,x'\''00ff'\''\n30,"a,""b""",1e+300,x'\'\''\n' \
    "$BIN" query 'SELECT * FROM people'
  prints '1,Zoë\n' "$BIN" query --no-header --format csv 'SELECT id, name FROM people WHERE id = 1'
  prints '[\n{"id":1,"name":"Zoë","height":1.5,"photo":null},\n{"id":2,"name":"日本","height":null,"photo":{"$base64":"AP8="}}\n]\n' \
    "$BIN" query --format json 'SELECT * FROM people WHERE id < 3'
  prints '{"id":2,"name":"日本"}\n{"id":30,"name":"a,\\"b\\""}\n' \
    "$BIN" query --format jsonl 'SELECT id, name FROM people WHERE id > 1'
  prints ' id │ name  │ height │ photo\n────┼───────┼────────┼─────────\n  1 │ Zoë   │    1.5 │ NULL\n  2 │ 日本  │   NULL │ x'\''00ff'\''\n 30 │ a,"b" │ 1e+300 │ x'\'\''\n' \
    "$BIN" query --format table 'SELECT * FROM people'
  prints ' id | name\n----+------\n  1 | Zoë\n' \
    env LC_ALL=C "$BIN" query --format table 'SELECT id, name FROM people WHERE id = 1'
  prints '    id = 1\n  name = Zoë\nheight = 1.5\n\n    id = 2\n  name = 日本\nheight = NULL\n' \
    "$BIN" query --format line 'SELECT id, name, height FROM people WHERE id < 3'
}

@test "nothing found: each format says so in its way" {
  start_daemon
  prints 'a\n' "$BIN" query 'SELECT 1 AS a WHERE 0'
  prints '[]\n' "$BIN" query --format json 'SELECT 1 AS a WHERE 0'
  prints '' "$BIN" query --format jsonl 'SELECT 1 AS a WHERE 0'
  prints '' "$BIN" query --format line 'SELECT 1 AS a WHERE 0'
  prints '' "$BIN" query 'CREATE TABLE t (x)'
  prints '' "$BIN" query --format json 'INSERT INTO t VALUES (1)'
}

@test "values keep their worth" {
  start_daemon
  prints '[\n{"a":9223372036854775807,"b":-9223372036854775808,"c":0.1,"d":1e+100,"e":{"$real":"Infinity"},"f":3.0}\n]\n' \
    "$BIN" query --format json 'SELECT 9223372036854775807 AS a, -9223372036854775807 - 1 AS b, 0.1 AS c, 1e100 AS d, 9e999 AS e, 3.0 AS f'
  prints '9223372036854775807,0.1,Infinity,3.0\n' \
    "$BIN" query --no-header 'SELECT 9223372036854775807, 0.1, 9e999, 3.0'
  prints 'a,b\n"",\n' "$BIN" query "SELECT '' AS a, NULL AS b"
}

@test "parameters: JSON numbers, true, false and null, and everything else as text" {
  start_daemon
  types() { "$BIN" query --format json 'SELECT typeof(?1) AS a, ?1 AS b' "$1" | jq -c '.[] | [.a, .b]'; }
  [ "$(types 5)" = '["integer",5]' ]
  [ "$(types -5)" = '["integer",-5]' ]
  [ "$(types 1.50)" = '["real",1.5]' ]
  # As it stands: jq 1.6 writes 1000.0 as 1000.
  prints '[\n{"a":"real","b":1000.0}\n]\n' "$BIN" query --format json 'SELECT typeof(?1) AS a, ?1 AS b' 1e3
  [ "$(types true)" = '["integer",1]' ]
  [ "$(types null)" = '["null",null]' ]
  [ "$(types 007)" = '["text","007"]' ]
  [ "$(types '')" = '["text",""]' ]
  [ "$(types "it's; -- \"x\" é")" = '["text","it'\''s; -- \"x\" é"]' ]
  prints '3,DE\n' "$BIN" query --no-header -p n=3 --param :code=DE 'SELECT :n, :code'
  q 'SELECT ?' 1 2
  [ "$status" = 5 ]
  q 'SELECT :a' -p a=1 2
  [ "$status" = 2 ]
  q 'SELECT :a' -p a
  [ "$status" = 2 ]
  q 'SELECT ?' $'\xff'
  [ "$status" = 2 ]
  [[ $stderr == *UTF-8* ]]
}

@test "SQL from standard input and from files; statements run in order" {
  start_daemon
  printf 'CREATE TABLE t (x); INSERT INTO t VALUES (1);\n-- a comment; with this\nSELECT x FROM t' >"$T/in.sql"
  prints 'x\n1\n' "$BIN" query -f "$T/in.sql"
  prints 'x\n1\n\ny\n2\n' "$BIN" query - <<<'SELECT x FROM t; ; SELECT 2 AS y;'
  prints 'n\n7\n' "$BIN" query - 7 <<<'SELECT ? AS n'
  prints '' "$BIN" query - </dev/null
  cat >"$T/trigger.sql" <<'SQL'
CREATE TABLE log (what);
CREATE TRIGGER r AFTER INSERT ON t BEGIN
  INSERT INTO log VALUES (CASE new.x WHEN 5 THEN 'five; END' END);
END;
INSERT INTO t VALUES (5);
SELECT what FROM log;
SQL
  prints 'what\nfive; END\n' "$BIN" query -f "$T/trigger.sql"
}

@test "BEGIN, COMMIT and ROLLBACK among statements are a transaction" {
  start_daemon
  "$BIN" query 'CREATE TABLE t (x)'
  prints 'n\n2\n' "$BIN" query 'BEGIN; INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); SELECT count(*) AS n FROM t; COMMIT'
  prints 'n\n2\n' "$BIN" query 'BEGIN; DELETE FROM t; ROLLBACK; SELECT count(*) AS n FROM t'
  q - <<<$'BEGIN;\nDELETE FROM t;\nSELECT nope FROM t;\nCOMMIT;'
  [ "$status" = 5 ]
  [[ $stderr == *'statement 3, line 3 of standard input'*'rolled back'* ]]
  q 'BEGIN; DELETE FROM t'
  [ "$status" = 5 ]
  [[ $stderr == *'inside a transaction'* ]]
  q 'COMMIT'
  [ "$status" = 5 ]
  [ "$(sql 'SELECT count(*) FROM t')" = '[[2]]' ]
}

@test "a database dump goes in" {
  start_daemon
  sqlite3 "$T/old.db" "CREATE TABLE a (id INTEGER PRIMARY KEY, x); INSERT INTO a VALUES (1, 'it''s; x'), (2, x'00'), (3, 'li
ne'); CREATE TABLE b (y); CREATE TRIGGER tr AFTER INSERT ON b BEGIN DELETE FROM a WHERE id = new.y; END;"
  sqlite3 "$T/old.db" .dump | grep -v ^PRAGMA >"$T/dump.sql"
  "$BIN" query -f "$T/dump.sql"
  "$BIN" query 'INSERT INTO b VALUES (2)'
  prints '1,it'\''s; x\n3,"li\nne"\n' "$BIN" query --no-header 'SELECT * FROM a ORDER BY id'
}

@test "an SQL error shows the place, and stops what follows" {
  start_daemon
  q $'SELECT 1,\n  nope FROM sqlite_schema'
  [ "$status" = 5 ]
  [ "$output" = '' ]
  [[ ${stderr_lines[0]} == 'rustydb query: '*nope*'(QUERY_ERROR)' ]]
  [ "${stderr_lines[1]}" = '    2 |   nope FROM sqlite_schema' ]
  [ "${stderr_lines[2]}" = '          ^' ]
  q 'SELEC 1'
  [ "$status" = 5 ]
  [ "${stderr_lines[1]}" = '    1 | SELEC 1' ]
  [ "${stderr_lines[2]}" = '        ^' ]
  q 'SELECT 1 AS a; SELEC 2; CREATE TABLE never (x)'
  [ "$status" = 5 ]
  [ "$output" = $'a\n1' ]
  [[ $stderr == *'statement 2, line 1'* ]]
  [ "$(sql "SELECT count(*) FROM pragma_table_list WHERE name = 'never'" 2>/dev/null || echo '[[0]]')" = '[[0]]' ]
  q "SELECT 'never closed"
  [ "$status" = 5 ]
}

@test "wrong use" {
  start_daemon
  q
  [ "$status" = 2 ]
  q --format xml 'SELECT 1'
  [ "$status" = 2 ]
  q -f "$T/absent.sql"
  [ "$status" = 2 ]
  [[ $stderr == *'No such file'* ]]
  q --surprise 'SELECT 1'
  [ "$status" = 2 ]
  q --url nonsense://x 'SELECT 1'
  [ "$status" = 2 ]
  q 'SELECT 1; SELECT ?' 2
  [ "$status" = 2 ]
  [ "$output" = '' ]
}

@test "no daemon, no token, a wrong token, too little time" {
  start_daemon
  q --url http://127.0.0.1:1 'SELECT 1'
  [ "$status" = 3 ]
  [[ $stderr == *"hint: "*"$RUSTYDB_URL"* ]]
  q --token wrong 'SELECT 1'
  [ "$status" = 4 ]
  [[ $stderr == *AUTH_FAILED* ]]
  XDG_RUNTIME_DIR=$T/elsewhere q 'SELECT 1'
  [ "$status" = 4 ]
  [[ $stderr == *AUTH_REQUIRED*--token* ]]
  XDG_RUNTIME_DIR=$T/elsewhere RUSTYDB_TOKEN=$TOKEN q 'SELECT 1 AS a'
  [ "$status" = 0 ]
  q --timeout 300ms 'WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c'
  [ "$status" = 6 ]
  [[ $stderr == *TIMEOUT* ]]
  kill_daemon
  q 'SELECT 1'
  [ "$status" = 3 ]
}

ENDLESS='WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT'


# The daemon has worked for a while since `start` clock ticks.
cpu_ticks() { awk '{ print $14 }' "/proc/$DAEMON_PID/stat"; }
works() { [ "$(cpu_ticks)" -gt $(($1 + 10)) ]; }

@test "Ctrl-C cancels the statement on the daemon" {
  start_daemon --readers 1 --max-read-connections 1
  # A statement that gives no rows, and one that never ends to give some.
  local what
  for what in 'count(*) FROM c' 'n FROM c'; do
    local start pid
    start=$(cpu_ticks)
    : >"$T/out"
    background env --default-signal=INT "$BIN" query --timeout 60s "$ENDLESS $what" >"$T/out" 2>"$T/err"
    pid=$BG
    wait_until works "$start"
    [[ $what == count* ]] || wait_until test -s "$T/out"
    kill -INT "$pid"
    local status=0
    wait_exit "$pid" 10 || status=$?
    [ "$status" = 130 ]
    [ ! -s "$T/err" ]
    # The only reader is free again.
    run timeout 10 "$BIN" query --timeout 9s 'SELECT 1'
    [ "$status" = 0 ]
  done
}

@test "Ctrl-C asks the daemon to cancel, by the id that the client chose" {
  start_daemon
  background "$PYTHON" "$LIB/cli.py" forward_watched "$PORT" >"$T/requests"
  wait_until test -s "$T/requests"
  background env --default-signal=INT "$BIN" query --token "$TOKEN" --timeout 60s \
    --url "http://127.0.0.1:$(head -n 1 "$T/requests")" "$ENDLESS n FROM c" >"$T/out" 2>"$T/err"
  wait_until test -s "$T/out"
  kill -INT "$BG"
  local status=0
  wait_exit "$BG" 10 || status=$?
  [ "$status" = 130 ]
  grep -qE '^POST /api/v1/query/[0-9a-f]{32}/cancel HTTP/1.1$' "$T/requests"
}

@test "a reader that leaves ends it quietly, whether rows come or not" {
  start_daemon --readers 1 --max-read-connections 1
  run --separate-stderr bash -c '"$RUSTYDB_BIN" query "$1" | head -n 3; echo "${PIPESTATUS[0]}"' _ "$ENDLESS n FROM c"
  [ "$output" = $'n\n1\n2\n141' ]
  [ "$stderr" = '' ]
  run --separate-stderr timeout 20 bash -c '"$RUSTYDB_BIN" query --timeout 60s "$1" | :; echo "${PIPESTATUS[0]}"' _ "$ENDLESS count(*) FROM c"
  [ "$output" = 141 ]
  [ "$stderr" = '' ]
  run timeout 10 "$BIN" query --timeout 9s 'SELECT 1'
  [ "$status" = 0 ]
}

@test "output that cannot be written is an error" {
  start_daemon
  run --separate-stderr bash -c '"$RUSTYDB_BIN" query "SELECT 1" >/dev/full'
  [ "$status" = 1 ]
  [[ $stderr == *'No space left'* ]]
}

@test "on a terminal: table, colours and notices, unless switched off" {
  start_daemon
  terminal() { script -qec "$1" /dev/null </dev/null | tr -d '\r'; }
  terminal "$BIN query 'SELECT 1 AS a'" >"$T/tty"
  grep -q $'\e\\[1ma' "$T/tty"
  grep -q '^1 row (' "$T/tty"
  [ "$(terminal "$BIN query --quiet --no-color 'SELECT 1 AS a'")" = $' a\n───\n 1' ]
  [ "$(NO_COLOR=1 terminal "$BIN query -q 'SELECT 1 AS a'")" = $' a\n───\n 1' ]
  terminal "$BIN query -q 'SELECT char(27) || char(91) || char(51) AS a, 1 AS \"x' || char(27)" >"$T/tty" || true
  terminal "$BIN query -q --no-color 'SELECT char(27) AS a'" >"$T/tty"
  grep -qF '\x1b' "$T/tty"
  ! grep -q $'\e' "$T/tty"
  q -v 'CREATE TABLE t (x)'
  q -v 'INSERT INTO t VALUES (1), (2)'
  [[ $stderr == '2 rows changed ('* ]]
  q 'INSERT INTO t VALUES (3)'
  [ "$stderr" = '' ]
}

@test "rows are printed as they arrive" {
  start_daemon
  local form
  for form in csv jsonl json table line; do
    background env --default-signal=INT "$BIN" query --timeout 60s --format $form \
      "$ENDLESS n, 'some text to fill the chunks of the daemon' FROM c LIMIT 1 << 40" >"$T/out.$form" 2>/dev/null
    wait_until test -s "$T/out.$form"
    kill -INT "$BG"
    wait_exit "$BG" 10 || [ $? = 130 ]
    rm "$T/out.$form"
  done
}

@test "a million rows pass through in little memory" {
  [ -z "$SANITIZED" ] || skip "memory is not comparable under sanitizers"
  start_daemon
  run case_of cli million_rows "$BIN"
  [ "$status" = 0 ]
}

@test "--max-rows cuts and says so" {
  start_daemon
  q -v --max-rows 2 "$ENDLESS n FROM c"
  [ "$status" = 0 ]
  [ "$output" = $'n\n1\n2' ]
  [[ $stderr == *'there are more'* ]]
}
