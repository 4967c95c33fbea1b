#!/usr/bin/env bats
# REST as docs/protocol.md has it.
# shellcheck disable=SC2154,SC2016,SC2030,SC2031 # set by api; $base64; every test is a subshell

load helper

holds() { # FILTER: the last answer's body satisfies it
  jq -e "$1" <<<"$body" >/dev/null || {
    printf 'status %s does not satisfy %s: %s\n' "$status_code" "$1" "$body" >&2
    return 1
  }
}
header() { grep -qiE "^$1: $2\$" <<<"$headers" || { printf 'no %s: %s in\n%s\n' "$1" "$2" "$headers" >&2; return 1; }; }
query() { api POST /query "$(jq -cn --arg sql "$1" '{sql: $sql}')"; }

# ---- queries ----------------------------------------------------------------------------------------

@test "a query answers with columns, rows and what it did" {
  start_daemon
  query 'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, price REAL)'
  [ "$status_code" = 200 ]
  holds '.columns == [] and .rows == []'
  header content-type 'application/json.*'
  query "INSERT INTO t (name, price) VALUES ('a', 1.5), ('b', 2), (NULL, NULL)"
  holds '.changes == 3 and .last_insert_rowid == 3 and .rows == []'
  query 'SELECT id, name, price, 1 + 1 AS two FROM t ORDER BY id'
  holds '[.columns[] | .name] == ["id", "name", "price", "two"]'
  holds '[.columns[] | .type] == ["INTEGER", "TEXT", "REAL", null]'
  holds '.rows == [[1, "a", 1.5, 2], [2, "b", 2.0, 2], [3, null, null, 2]]'
  holds '.changes == 0 and (.elapsed_ms >= 0) and (.id | length) > 0 and (has("truncated") | not)'
}

@test "lsn counts the events, and a read says up to where it saw" {
  start_daemon
  query 'CREATE TABLE t (x)'
  query 'SELECT 1'
  local before
  before=$(jq .lsn <<<"$body")
  query 'INSERT INTO t VALUES (1), (2), (3)'
  holds ".lsn == $before + 3"
  query 'UPDATE t SET x = 9 WHERE x = 77'
  holds ".lsn == $before + 3"
  query 'SELECT 1'
  holds ".lsn == $before + 3"
}

@test "parameters go in by position and by name" {
  start_daemon
  api POST /query '{"sql": "SELECT ?, ?2, ?", "params": [1, "b", null]}'
  holds '.rows == [[1, "b", null]]'
  case_of rest parameters_by_name
}

@test "64-bit integers are exact" {
  start_daemon
  case_of rest integers_are_exact
}

@test "reals come in the shortest form that reads back the same" {
  start_daemon
  case_of rest reals_are_shortest_and_exact
}

@test "text with NULs and emoji, and blobs of any bytes, come back as they went in" {
  start_daemon
  case_of rest text_and_blobs_come_back
}

@test "max_rows cuts a result and says so" {
  start_daemon
  api POST /query '{"sql": "SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4", "max_rows": 3}'
  holds '.rows == [[1], [2], [3]] and .truncated == true'
  api POST /query '{"sql": "SELECT 1 UNION SELECT 2 UNION SELECT 3", "max_rows": 3}'
  holds '.rows == [[1], [2], [3]] and (.truncated // false) == false'
}

@test "RETURNING gives rows and the write stays" {
  start_daemon
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, x)'
  query "INSERT INTO t (x) VALUES ('a'), ('b') RETURNING id, x"
  holds '.rows == [[1, "a"], [2, "b"]] and .changes == 2'
  [ "$(sql 'SELECT count(*) FROM t')" = '[[2]]' ]
}

@test "one statement at a time; an empty one is refused" {
  start_daemon
  query 'SELECT 1; -- and a comment'
  holds '.rows == [[1]]'
  query 'SELECT 1; SELECT 2'
  expect_problem 400 "$(jq -r .code <<<"$body")"
  query ' -- nothing'
  expect_problem 400 "$(jq -r .code <<<"$body")"
  query ''
  expect_problem 400 "$(jq -r .code <<<"$body")"
}

@test "a statement that takes too long ends with TIMEOUT, and is gone" {
  start_daemon
  api POST /query '{"sql": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c", "timeout_ms": 200}'
  expect_problem 504 TIMEOUT
  sql 'CREATE TABLE t (x)'
  api POST /query '{"sql": "INSERT INTO t WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c", "timeout_ms": 200}'
  expect_problem 504 TIMEOUT
  [ "$(sql 'SELECT count(*) FROM t')" = '[[0]]' ]
}

@test "a running query is cancelled by its id" {
  start_daemon
  case_of rest cancel_by_id
  api POST /query/none-such/cancel
  expect_problem 404 NOT_FOUND
}

@test "a client that goes away cancels its query" {
  start_daemon
  case_of rest closing_cancels
}

@test "rows stream as lines where the client accepts application/x-ndjson" {
  start_daemon
  case_of rest ndjson_streams
}

@test "a million rows to a slow reader: memory stays, nothing is lost" {
  start_daemon
  case_of rest slow_reader_of_a_million_rows
}

@test "transaction words, ATTACH and the like are refused with a hint" {
  start_daemon
  local word
  for word in BEGIN 'BEGIN IMMEDIATE' COMMIT END ROLLBACK 'SAVEPOINT a' 'RELEASE a' 'ROLLBACK TO a' '/* x */ begin'; do
    query "$word"
    [ "$status_code" = 400 ] || [ "$status_code" = 403 ]
    expect_problem "$status_code" "$(jq -r .code <<<"$body")"
    holds '.hint | length > 0'
  done
  for word in "ATTACH '$T/x.db' AS x" "VACUUM INTO '$T/x.db'" "SELECT load_extension('x')" \
    'PRAGMA writable_schema = 1' 'PRAGMA journal_mode = DELETE' 'PRAGMA synchronous = OFF' \
    'PRAGMA foreign_keys = OFF' 'SELECT * FROM _rustydb_log' 'DROP TABLE _rustydb_meta' \
    "UPDATE sqlite_schema SET sql = ''" 'CREATE TABLE _rustydb_x (a)' "SELECT writefile('$T/x.db', 'x')"; do
    query "$word"
    [ "$status_code" = 400 ] || [ "$status_code" = 403 ] || [ "$status_code" = 404 ] || { echo "$word: $body"; false; }
  done
  [ ! -e "$T/x.db" ]
  query 'SELECT 1'
  holds '.rows == [[1]]'
  query "PRAGMA table_info('sqlite_schema')"
  [ "$status_code" = 200 ]
  query 'PRAGMA foreign_keys'
  holds '.rows == [[1]]'
}

@test "VACUUM, ANALYZE and REINDEX run, and make no events" {
  start_daemon
  sql 'CREATE TABLE t (x)'
  sql 'CREATE INDEX tx ON t (x)'
  sql "INSERT INTO t VALUES (1), (2)"
  sql 'SELECT 1'
  local lsn word
  lsn=$(jq .lsn "$T/answer")
  for word in VACUUM ANALYZE REINDEX; do
    query "$word"
    [ "$status_code" = 200 ]
  done
  query 'SELECT count(*) FROM t'
  holds ".rows == [[2]] and .lsn == $lsn"
}

# ---- batches and transactions -------------------------------------------------------------------------

@test "a batch goes on after an error; an atomic one is all or nothing" {
  start_daemon
  sql 'CREATE TABLE t (x INTEGER PRIMARY KEY)'
  api POST /batch '{"statements": [{"sql": "INSERT INTO t VALUES (1)"}, {"sql": "INSERT INTO t VALUES (1)"},
    {"sql": "INSERT INTO t VALUES (?)", "params": [2]}, {"sql": "SELECT x FROM t ORDER BY x"}]}'
  [ "$status_code" = 200 ]
  holds '.results | length == 4'
  holds '.results[1].error.code == "CONFLICT" or .results[1].error.code == "QUERY_ERROR"'
  holds '.results[0].changes == 1 and .results[2].changes == 1 and .results[3].rows == [[1], [2]]'
  query 'SELECT 1'
  local lsn
  lsn=$(jq .lsn <<<"$body")
  api POST /batch '{"atomic": true, "statements": [{"sql": "INSERT INTO t VALUES (3)"}, {"sql": "INSERT INTO t VALUES (4)"},
    {"sql": "INSERT INTO t VALUES (1)"}, {"sql": "INSERT INTO t VALUES (5)"}]}'
  expect_problem "$status_code" "$(jq -r .code <<<"$body")"
  [ "$status_code" -ge 400 ]
  holds '.statement == 2'
  query 'SELECT count(*), max(x) FROM t'
  holds ".rows == [[2, 2]] and .lsn == $lsn"
  api POST /batch '{"atomic": true, "statements": [{"sql": "INSERT INTO t VALUES (3)"}, {"sql": "SELECT count(*) FROM t"}]}'
  [ "$status_code" = 200 ]
  holds '.results[1].rows == [[3]]'
  query 'SELECT count(*) FROM t'
  holds ".rows == [[3]] and .lsn == $lsn + 1"
  api POST /batch '{"statements": []}'
  [ "$status_code" = 200 ] || expect_problem 400 INVALID_MESSAGE
}

@test "a batch of more statements than allowed is refused" {
  start_daemon --max-statements 10
  local many
  many=$(jq -cn '{statements: [range(11) | {sql: "SELECT 1"}]}')
  api POST /batch "$many"
  [ "$status_code" = 400 ] || [ "$status_code" = 413 ]
  expect_problem "$status_code" "$(jq -r .code <<<"$body")"
}

@test "a transaction is seen by others once it is committed, and never when rolled back" {
  start_daemon
  sql 'CREATE TABLE t (x)'
  api POST /transactions
  [ "$status_code" = 201 ]
  holds '.idle_timeout_ms > 0 and .max_ms > 0'
  local tx
  tx=$(jq -r .transaction_id <<<"$body")
  api POST "/transactions/$tx/query" '{"sql": "INSERT INTO t VALUES (?)", "params": [1]}'
  holds '.changes == 1'
  api POST "/transactions/$tx/query" '{"sql": "SELECT x FROM t"}'
  holds '.rows == [[1]]'
  [ "$(sql 'SELECT count(*) FROM t')" = '[[0]]' ]
  api POST "/transactions/$tx/commit"
  [ "$status_code" = 200 ]
  holds ".transaction_id == \"$tx\" and .committed == true"
  [ "$(sql 'SELECT x FROM t')" = '[[1]]' ]
  local lsn
  lsn=$(jq .lsn <<<"$body")
  api POST "/transactions/$tx/commit"
  expect_problem 404 NOT_FOUND
  api POST /transactions '{}'
  tx=$(jq -r .transaction_id <<<"$body")
  api POST "/transactions/$tx/query" '{"sql": "INSERT INTO t VALUES (2)"}'
  api POST "/transactions/$tx/rollback"
  holds '.committed == false'
  query 'SELECT x FROM t'
  holds ".rows == [[1]] and .lsn == $lsn"
  api POST "/transactions/$tx/query" '{"sql": "SELECT 1"}'
  expect_problem 404 NOT_FOUND
}

@test "savepoints inside a transaction; an error keeps what went before" {
  start_daemon
  sql 'CREATE TABLE t (x INTEGER PRIMARY KEY)'
  api POST /transactions
  local tx s
  tx=$(jq -r .transaction_id <<<"$body")
  for s in 'INSERT INTO t VALUES (1)' 'SAVEPOINT a' 'INSERT INTO t VALUES (2)' 'SAVEPOINT b' \
    'INSERT INTO t VALUES (3)' 'ROLLBACK TO a' 'INSERT INTO t VALUES (4)' 'RELEASE a'; do
    api POST "/transactions/$tx/query" "$(jq -cn --arg sql "$s" '{sql: $sql}')"
    [ "$status_code" = 200 ] || { echo "$s: $body"; false; }
  done
  api POST "/transactions/$tx/query" '{"sql": "INSERT INTO t VALUES (1)"}'
  [ "$status_code" -ge 400 ]
  api POST "/transactions/$tx/query" '{"sql": "INSERT INTO t VALUES (5)"}'
  holds '.changes == 1'
  api POST "/transactions/$tx/commit"
  holds '.committed == true'
  query 'SELECT x FROM t ORDER BY x'
  holds '.rows == [[1], [4], [5]]'
}

@test "an idle transaction is rolled back and the writer goes on" {
  start_daemon --transaction-idle 300ms
  sql 'CREATE TABLE t (x)'
  api POST /transactions
  local tx
  tx=$(jq -r .transaction_id <<<"$body")
  api POST "/transactions/$tx/query" '{"sql": "INSERT INTO t VALUES (1)"}'
  query 'INSERT INTO t VALUES (2)' # waits for the idle one to end
  [ "$status_code" = 200 ]
  [ "$(sql 'SELECT x FROM t')" = '[[2]]' ]
  api POST "/transactions/$tx/commit"
  [ "$status_code" = 404 ] || [ "$status_code" = 504 ]
  expect_problem "$status_code" "$(jq -r .code <<<"$body")"
}

@test "one client's error is its own, whatever it tries, in a group with eleven others" {
  start_daemon
  case_of rest one_clients_error_is_its_own
}

# ---- tables -------------------------------------------------------------------------------------------

@test "tables are listed by pages and described; internal ones are hidden" {
  start_daemon
  sql 'CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT '"'x'"') STRICT'
  sql 'CREATE TABLE "odd name?é" (a TEXT, b TEXT, c TEXT GENERATED ALWAYS AS (a || b) VIRTUAL, p REFERENCES parent, PRIMARY KEY (a, b)) WITHOUT ROWID'
  sql 'CREATE VIEW v AS SELECT name FROM parent'
  sql 'CREATE UNIQUE INDEX by_name ON parent (name)'
  sql 'CREATE TRIGGER tr AFTER INSERT ON parent BEGIN SELECT 1; END'
  api GET /tables
  [ "$status_code" = 200 ]
  holds '.total == 3 and .offset == 0 and (.limit >= 3) and ([.tables[].name] | sort == ["odd name?é", "parent", "v"])'
  holds '[.tables[] | select(.name == "v") | .type] == ["view"]'
  holds '.tables[] | select(.name == "parent") | .type == "table" and .strict == true and .without_rowid == false'
  holds '.tables[] | select(.name == "odd name?é") | .without_rowid == true'
  api GET '/tables?offset=1&limit=1'
  holds '.total == 3 and .offset == 1 and .limit == 1 and (.tables | length) == 1'
  api GET /tables/parent
  holds '.name == "parent" and .type == "table" and (.sql | startswith("CREATE TABLE"))'
  holds '[.columns[].name] == ["id", "name"] and .columns[1].not_null == true and .columns[1].type == "TEXT"'
  holds '.columns[0].primary_key == 1 and (.columns[1].primary_key == 0)'
  holds '([.indexes[].name] | index("by_name") != null) and (.triggers | length) == 1'
  api GET '/tables/odd%20name%3F%C3%A9'
  [ "$status_code" = 200 ]
  holds '.name == "odd name?é" and (.foreign_keys | length) == 1 and (.columns | length) == 4'
  api GET /tables/none
  expect_problem 404 TABLE_NOT_FOUND
  api GET /tables/_rustydb_meta
  expect_problem 404 TABLE_NOT_FOUND
  api GET '/tables?limit=-1'
  expect_problem 400 INVALID_MESSAGE
  api GET '/tables?limit=x'
  expect_problem 400 INVALID_MESSAGE
}

# ---- import -------------------------------------------------------------------------------------------

@test "import takes JSON, JSON lines and CSV, and infers types" {
  start_daemon
  api POST '/import/j?create=true&at=/data/rows' '{"data": {"other": [1], "rows": [{"a": 1, "b": "x"}, {"a": 2.5, "c": true}, {"b": null}]}}'
  [ "$status_code" = 200 ]
  holds '.table == "j" and .rows == 3 and .created == true and .lsn == 4' # the table and its rows
  [ "$(sql 'SELECT a, b, c FROM j')" = '[[1,"x",null],[2.5,null,1],[null,null,null]]' ] ||
    [ "$(sql 'SELECT a, b, c FROM j')" = '[[1.0,"x",null],[2.5,null,1],[null,null,null]]' ]
  printf '{"n": 1, "t": "é"}\n\n{"n": 9007199254740993, "t": "b"}\n' >"$T/lines"
  api POST '/import/l?create=true&format=jsonl' '' --data-binary "@$T/lines"
  holds '.rows == 2'
  [ "$(sql 'SELECT CAST(n AS TEXT), t, typeof(n) FROM l')" = '[["1","é","integer"],["9007199254740993","b","integer"]]' ]
  printf 'id,name,price,code\r\n1,"Smith, ""Jo""",2.50,007\r\n2,"two\nlines",,008\r\n' >"$T/csv"
  api POST '/import/c?create=true' '' -H 'Content-Type: text/csv' --data-binary "@$T/csv"
  holds '.rows == 2'
  [ "$(sql 'SELECT typeof(id), name, price, code FROM c ORDER BY id')" = '[["integer","Smith, \"Jo\"",2.5,"007"],["integer","two\nlines",null,"008"]]' ]
  # Into a table that is there: no create needed, and the columns are found by name.
  api POST '/import/c?format=csv' - -H 'Content-Type: text/csv' < <(printf 'code,id,name\n9,3,three\n')
  [ "$status_code" = 200 ]
  holds '.rows == 1 and .created == false'
  [ "$(sql 'SELECT name, code FROM c WHERE id = 3')" = '[["three","9"]]' ]
}

@test "import refuses what does not fit, says how many rows were kept, and atomic keeps none" {
  start_daemon
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT NOT NULL)'
  api POST /import/none '[{"a": 1}]'
  expect_problem 404 TABLE_NOT_FOUND
  api POST /import/t '[{"id": 1, "nope": 2}]'
  [ "$status_code" = 400 ]
  expect_problem 400 "$(jq -r .code <<<"$body")"
  api POST '/import/t?atomic=true' - < <(jq -cn '[range(5000) | {id: ., x: "a"}] + [{id: 0, x: "again"}]')
  [ "$status_code" -ge 400 ]
  holds '.rows_kept == 0'
  [ "$(sql 'SELECT count(*) FROM t')" = '[[0]]' ]
  api POST /import/t - < <(jq -cn '[range(5000) | {id: ., x: "a"}] + [{id: 0, x: "again"}]')
  [ "$status_code" -ge 400 ]
  local kept
  kept=$(jq .rows_kept <<<"$body")
  [ "$(sql 'SELECT count(*) FROM t')" = "[[$kept]]" ]
  local bad
  for bad in '[{"id": 9001, "x": "a"}, 5]' '[{"id": 9002, "x": "a"}' '{"id": 9003' 'nonsense' '"text"'; do
    api POST /import/t "$bad"
    [ "$status_code" = 400 ] || { echo "$bad: $status_code $body"; false; }
    holds 'has("rows_kept")'
  done
  api POST '/import/t?at=/nowhere' '{"a": []}'
  [ "$status_code" = 400 ]
  api POST '/import/t?format=csv' - < <(printf 'id,x\n9010\n')
  [ "$status_code" = 400 ]
  api POST '/import/t?format=csv' - < <(printf 'id,x\n9011,"open\n')
  [ "$status_code" = 400 ]
  api POST '/import/t?format=xml' '[]'
  expect_problem 400 INVALID_MESSAGE
  api POST '/import/t?surprise=1' '[]'
  expect_problem 400 INVALID_MESSAGE
  api POST /import/t '[]'
  [ "$status_code" = 200 ]
  holds '.rows == 0'
}

@test "an import arrives whole in pieces, and its rows are events" {
  start_daemon
  case_of rest import_in_pieces
  query 'SELECT 1'
  holds '.lsn == 30001' # the table and its rows
}

@test "an atomic import larger than allowed is refused" {
  start_daemon --max-atomic-import 100k
  sql 'CREATE TABLE t (x)'
  api POST '/import/t?atomic=true' - < <(jq -cn '[range(10000) | {x: "some text"}]')
  expect_problem 413 MESSAGE_TOO_BIG
  [ "$(sql 'SELECT count(*) FROM t')" = '[[0]]' ]
}

# ---- the daemon itself --------------------------------------------------------------------------------

@test "health is open to all; everything else wants the token" {
  start_daemon
  local path
  for path in liveness readiness startup; do
    TOKEN=wrong api GET "/health/$path"
    [ "$status_code" = 200 ]
    holds '.status == "ok"'
    [ "$(curl -s -o /dev/null -w '%{http_code}' "$RUSTYDB_URL/api/v1/health/$path")" = 200 ]
  done
  for path in /server/info /tables /ws/status /nowhere; do
    TOKEN='' api GET "$path"
    expect_problem 401 AUTH_REQUIRED
    TOKEN=wrong api GET "$path"
    expect_problem 401 AUTH_FAILED
    header www-authenticate 'Bearer.*'
  done
  local token=$TOKEN
  TOKEN='' api POST /query '{"sql": "SELECT 1"}' -H "X-API-Key: $token"
  [ "$status_code" = 200 ]
  TOKEN='' api POST /query '{"sql": "SELECT 1"}' -H 'Authorization: Basic cm9vdDpyb290'
  [ "$status_code" = 401 ]
  TOKEN='' api OPTIONS /query '' -H 'Origin: http://localhost' -H 'Access-Control-Request-Method: POST'
  [ "$status_code" = 200 ] || [ "$status_code" = 204 ]
}

@test "server/info and ws/status say what runs" {
  start_daemon
  api GET /server/info
  holds '.name == "rustydb" and (.version | test("^[0-9]+\\.[0-9]+\\.[0-9]+")) and (.engine | test("SQLite"))'
  holds ".pid == $DAEMON_PID and .uptime_seconds >= 0 and .data_dir == \"$DIR\" and .listen == \"127.0.0.1:$PORT\""
  holds '(.libraries | length) > 0 and (.limits | length) > 0'
  api GET /ws/status
  [ "$status_code" = 200 ]
  holds '.status == "running" and .active_connections == 0 and .http_connections >= 1 and .queue_depth == 0'
  holds '[.avg_message_latency_ms, .p50_message_latency_ms, .p95_message_latency_ms, .p99_message_latency_ms,
          .backpressure_events, .messages_sent] == [0, 0, 0, 0, 0, 0]'
}

@test "broadcast says how many it reached" {
  start_daemon
  api POST /ws/broadcast '{"message": {"hello": [1, null]}}'
  [ "$status_code" = 200 ]
  holds '.delivered == 0'
  api POST /ws/broadcast '{"message": "x", "channel": "news", "event": "e", "metadata": {"a": 1}}'
  holds '.channel == "news" and .delivered == 0'
  api POST /ws/broadcast '{"channel": "news"}'
  expect_problem 400 INVALID_MESSAGE
}

@test "large answers are compressed where the client accepts it, and hold the same" {
  start_daemon
  local request='{"sql": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 20000) SELECT n, '"'text '"' || n FROM c"}'
  api POST /query "$request"
  run ! header content-encoding gzip
  jq -c .rows "$T/answer" >"$T/plain"
  api POST /query "$request" -H 'Accept-Encoding: gzip'
  header content-encoding gzip
  header vary '.*Accept-Encoding.*'
  [ "$(stat -c %s "$T/answer")" -lt $(($(stat -c %s "$T/plain") / 2)) ]
  gzip -dc <"$T/answer" | jq -c .rows | cmp - "$T/plain"
  api POST /query "$request" -H 'Accept-Encoding: br, gzip;q=0'
  run ! header content-encoding gzip
  api POST /query '{"sql": "SELECT 1"}' -H 'Accept-Encoding: gzip'
  run ! header content-encoding gzip
  holds '.rows == [[1]]'
}

@test "request bodies may be chunked, in chunks of any size" {
  start_daemon
  case_of rest chunked_bodies
}

@test "a connection serves request after request; HTTP/1.0 and Connection: close end it" {
  start_daemon
  case_of rest keep_alive
}

@test "Expect: 100-continue is answered before the body" {
  start_daemon
  case_of rest expect_continue
}

@test "every answer has a request id, the client's own where it is decent" {
  start_daemon
  api GET /server/info '' -H 'X-Request-Id: abc-123.x_9'
  header x-request-id abc-123.x_9
  local path id
  for path in /server/info /nowhere /health/liveness; do
    api GET "$path" '' -H 'X-Request-Id: <script>"'
    id=$(sed -n 's/^x-request-id: //p' <<<"$headers")
    [[ $id =~ ^[A-Za-z0-9._-]{8,}$ ]]
  done
  api GET /server/info '' -H "X-Request-Id: $(printf 'x%.0s' {1..500})"
  id=$(sed -n 's/^x-request-id: //p' <<<"$headers")
  [ "${#id}" -lt 200 ]
  api GET /server/info
  [ "$(sed -n 's/^x-request-id: //p' <<<"$headers")" != "$id" ]
}
