#!/usr/bin/env bats
# What the daemon tells of what it is doing: active statements, sessions, statistics, sizes, health.
# shellcheck disable=SC2154,SC2016,SC2030,SC2031 # set by api; every test is a subshell

load helper

holds() { # FILTER: the last answer's body satisfies it
  jq -e "$1" <<<"$body" >/dev/null || {
    printf 'status %s does not satisfy %s: %s\n' "$status_code" "$1" "$body" >&2
    return 1
  }
}
query() { api POST /query "$(jq -cn --arg sql "$1" '{sql: $sql}')"; }

# Gives numbers without end; the text makes it known in lists.
endless() { echo "WITH RECURSIVE $1(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM $1) SELECT count(*) FROM $1"; }

# start_query ID SQL: runs it in the background; its answer goes to $T/ID.answer.
start_query() {
  jq -cn --arg id "$1" --arg sql "$2" '{id: $id, sql: $sql}' >"$T/$1.request"
  background curl -sS --max-time $((60 * SLOW)) -H "Authorization: Bearer $TOKEN" \
    -H 'Content-Type: application/json' --data-binary "@$T/$1.request" -o "$T/$1.answer" \
    "$RUSTYDB_URL/api/v1/query"
}
runs() { api GET "/monitoring/queries/$1" && [ "$status_code" = 200 ] && holds '.state == "running"'; } 2>/dev/null
absent() { api GET "/monitoring/queries/$1" && [ "$status_code" = 404 ]; }

# ---- active queries ---------------------------------------------------------------------------------

@test "a statement that runs is listed with who runs it, and cancelled by its id" {
  start_daemon
  api GET /monitoring/queries
  [ "$status_code" = 200 ]
  holds '. == {total: 0, offset: 0, limit: 100, queries: []}'
  start_query q-one "$(endless alpha)"
  wait_until runs q-one
  holds '.id == "q-one" and .kind == "query" and (.sql | contains("alpha")) and .user == "root"
    and .protocol == "http" and (.connection_id | test("^c[0-9]+$")) and .transaction_id == null
    and .elapsed_ms > 0 and .rows == 0 and (.submitted_at | test("Z$")) and (.started_at | test("Z$"))'
  api GET /monitoring/queries
  holds '.total == 1 and .queries[0].id == "q-one"'
  api DELETE /monitoring/queries/q-one
  [ "$status_code" = 200 ]
  holds '. == {id: "q-one", cancelled: true}'
  wait_until absent q-one
  expect_problem 404 NOT_FOUND
  wait_until test -s "$T/q-one.answer"
  [ "$(jq -r .code "$T/q-one.answer")" = CANCELLED ]
  api DELETE /monitoring/queries/q-one
  expect_problem 404 NOT_FOUND
}

@test "active queries come in pages, by state, user and age, from all reactors" {
  start_daemon --reactors 2 --readers 2
  local i
  for i in 1 2 3 4; do start_query "q-$i" "$(endless "c$i")"; done
  four_there() { api GET '/monitoring/queries' && holds '.total == 4'; }
  wait_until four_there
  wait_until api_says '/monitoring/queries?state=running' '.total == 2 and all(.queries[]; .state == "running")'
  api GET '/monitoring/queries?state=waiting'
  holds '.total == 2 and all(.queries[]; .started_at == null)'
  api GET '/monitoring/queries?limit=3&offset=2'
  holds '.total == 4 and .limit == 3 and .offset == 2 and (.queries | length) == 2'
  api GET '/monitoring/queries?user=nobody'
  holds '.total == 0'
  api GET '/monitoring/queries?user=root'
  holds '.total == 4'
  api GET '/monitoring/queries?min_ms=3600000'
  holds '.total == 0'
  api GET '/monitoring/queries?state=asleep'
  expect_problem 400 INVALID_MESSAGE
  for i in 1 2 3 4; do
    api DELETE "/monitoring/queries/q-$i"
    [ "$status_code" = 200 ]
  done
  wait_until api_says /monitoring/queries '.total == 0'
}
api_says() { api GET "$1" && holds "$2" 2>/dev/null; }

@test "long SQL is cut in the list, and its length told" {
  start_daemon
  start_query long "$(endless beta) -- $(printf 'x%.0s' {1..3000})"
  wait_until runs long
  holds '(.sql | length) == 1000 and .sql_bytes > 3000'
  api DELETE /monitoring/queries/long
}

# ---- sessions ---------------------------------------------------------------------------------------

@test "sessions of both kinds stand in one list, with the open transaction" {
  start_daemon --reactors 2
  api GET /monitoring/sessions
  [ "$status_code" = 200 ]
  holds '.total == 1 and .transactions == []'
  holds '.sessions[0] | .kind == "http" and .state == "active" and .user == "root" and .tls == false
    and .request == "GET /api/v1/monitoring/sessions" and (.remote_address | startswith("127.0.0.1:"))'
  case_of monitoring sessions
}

# ---- where the room went ----------------------------------------------------------------------------

@test "storage tells the files, the pages and the disk" {
  start_daemon
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, x)'
  sql "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 500) INSERT INTO t SELECT n, hex(randomblob(500)) FROM c"
  sql 'DROP TABLE t'
  api POST /query '{"sql": "PRAGMA wal_checkpoint(TRUNCATE)"}'
  api GET /monitoring/storage
  [ "$status_code" = 200 ]
  holds ".database_bytes == $(stat -c %s "$DIR/rustydb.db") and .database_bytes == .pages * .page_size"
  holds '.free_pages > 50 and .free_bytes == .free_pages * .page_size and .wal_bytes >= 0'
  holds '.disk_free_bytes > 0 and .disk_total_bytes > .disk_free_bytes'
  holds '.change_log.oldest == 1 and .change_log.events == .change_log.head and .change_log.head >= 500'
}

@test "table sizes are those of the pages, rows are counted exactly, and pages of the list fit together" {
  start_daemon
  sql 'CREATE TABLE big (id INTEGER PRIMARY KEY, a TEXT, b INTEGER)'
  sql 'CREATE INDEX big_b ON big (b)'
  sql 'CREATE TABLE keyed (k TEXT PRIMARY KEY, v) WITHOUT ROWID'
  sql 'CREATE TABLE "odd ""name""" (x UNIQUE)'
  sql 'CREATE VIEW v AS SELECT 1'
  sql "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 5000) INSERT INTO big SELECT n, hex(randomblob(20)), n FROM c"
  sql "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 3001) INSERT INTO keyed SELECT 'key' || n, hex(randomblob(40)) FROM c"
  sql 'INSERT INTO "odd ""name""" VALUES (1), (2)'
  api GET /monitoring/tables
  [ "$status_code" = 200 ]
  holds '[.tables[].name] == ["big", "keyed", "odd \"name\""] and .total == 3 and .internal == null'
  holds '[.tables[].rows] == [5000, 3001, 2]'
  holds '.tables[0] | .bytes == .pages * 4096 and .pages > 50 and .total_bytes == .bytes + .indexes[0].bytes
    and .indexes[0].name == "big_b" and .indexes[0].pages > 5'
  holds '.tables[1].indexes == [] and (.tables[2].indexes | length) == 1'
  api GET '/monitoring/tables?offset=1&limit=1'
  holds '.total == 3 and [.tables[].name] == ["keyed"]'
  api GET '/monitoring/tables?internal=true'
  holds '.internal.pages > 50'
  local pages
  pages=$(jq '.internal.pages + ([.tables[] | .pages + ([.indexes[].pages] | add // 0)] | add)' <<<"$body")
  api GET /monitoring/storage
  holds ".pages - .free_pages == $pages"
}

@test "counting pages heeds its time limit" {
  start_daemon
  sql 'CREATE TABLE big (x)'
  sql "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 60000) INSERT INTO big SELECT randomblob(3000) FROM c"
  api GET '/monitoring/tables?timeout_ms=1'
  expect_problem 504 TIMEOUT
  api GET /monitoring/tables
  holds '.tables[0].rows == 60000'
}

# ---- what statements cost ---------------------------------------------------------------------------

@test "statements that differ in their values alone are one, with calls, errors, rows and times" {
  start_daemon
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, x)'
  api DELETE /monitoring/statements
  [ "$status_code" = 200 ]
  holds '.forgotten >= 1'
  local i
  for i in 1 2 3; do sql "INSERT INTO t VALUES ($i, 'v$i')"; done
  query "INSERT INTO t VALUES (1, 'again')"
  expect_problem 409 CONFLICT
  sql 'SELECT x FROM t WHERE id = ?' '[2]'
  sql 'select  x from t where id=3 -- three'
  query 'SELECT FROM'
  api GET '/monitoring/statements?sort=calls'
  [ "$status_code" = 200 ]
  holds '.total == 2 and .dropped == 0 and [.statements[].sql] == ["insert into t values (?, ...)", "select x from t where id = ?"]'
  holds '.statements[0] | .calls == 4 and .errors == 1 and .rows == 3 and .total_ms > 0 and .min_ms <= .mean_ms
    and .mean_ms <= .max_ms and .p99_ms <= .max_ms and (.id | test("^[0-9a-f]{16}$")) and (.last_at | test("Z$"))'
  holds '.statements[1] | .calls == 2 and .errors == 0 and .rows == 2'
  api GET '/monitoring/statements?limit=1&sort=total'
  holds '.total == 2 and (.statements | length) == 1'
  api GET '/monitoring/statements?sort=beauty'
  expect_problem 400 INVALID_MESSAGE
  api DELETE /monitoring/statements
  holds '. == {forgotten: 2}'
  sql 'SELECT x FROM t WHERE id = ?' '[2]'
  api GET /monitoring/statements
  holds '.total == 1 and .statements[0].calls == 1'
}

@test "the table of statements is bounded, and counts nothing when it is to have none" {
  start_daemon --statement-stats-max 20
  local i
  for i in {1..40}; do sql "SELECT 1 AS c$i"; done
  api GET /monitoring/statements
  holds '.total <= 20 and .total > 10 and .total + .dropped == 40'
  stop_daemon
  start_daemon --statement-stats-max 0
  sql 'SELECT 1'
  api GET /monitoring/statements
  holds '. == {since: null, total: 0, dropped: 0, statements: []}'
}

@test "slow queries are remembered, latest first, those that failed too" {
  start_daemon --slow-query 60ms
  sql 'SELECT 1'
  api GET /monitoring/slow-queries
  holds '. == {total: 0, offset: 0, limit: 100, slow_queries: []}'
  sql "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 2000000) SELECT count(*) AS counted FROM c"
  api POST /query "$(jq -cn --arg sql "$(endless gone)" '{sql: $sql, timeout_ms: 100, id: "too-long"}')"
  expect_problem 504 TIMEOUT
  api GET /monitoring/slow-queries
  holds '.total == 2 and .slow_queries[0].id == "too-long" and .slow_queries[0].error == "TIMEOUT"'
  holds '.slow_queries[1] | .error == null and .rows == 1 and .elapsed_ms >= 60 and (.sql | contains("counted"))
    and .user == "root" and .protocol == "http" and .statements == 1 and .sql_bytes == (.sql | length)'
  api GET '/monitoring/slow-queries?offset=1&limit=1'
  holds '.total == 2 and (.slow_queries | length) == 1 and .slow_queries[0].error == null'
  api DELETE /monitoring/slow-queries
  holds '. == {forgotten: 2}'
  api GET /monitoring/slow-queries
  holds '.total == 0'
}

@test "only the latest 200 slow queries are kept" {
  start_daemon --slow-query 1ms
  local i many='[]'
  for i in {1..205}; do
    api POST /query "{\"sql\": \"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 20000) SELECT count(*) FROM c\", \"id\": \"n$i\"}"
  done
  api GET '/monitoring/slow-queries?limit=1000'
  holds '.total == 200 and .slow_queries[0].id == "n205" and .slow_queries[199].id == "n6"'
}

# ---- the node, and how it was built -----------------------------------------------------------------

@test "the node has an id that stays, and says where it is in the log" {
  start_daemon
  local id
  api GET /cluster
  [ "$status_code" = 200 ]
  holds '.role == "single" and .nodes == 1 and .node_id == .primary_id and (.node_id | test("^[0-9a-f]{16}$"))'
  id=$(jq -r .node_id <<<"$body")
  sql 'CREATE TABLE t (x)'
  sql 'INSERT INTO t VALUES (1), (2)'
  api GET /cluster/nodes
  holds ".total == 1 and .nodes[0].id == \"$id\" and .nodes[0].state == \"ready\" and .nodes[0].address == \"127.0.0.1:$PORT\"
    and .nodes[0].lsn >= 2 and .nodes[0].lag_events == 0 and .nodes[0].self"
  api GET '/cluster/nodes?offset=1'
  holds '.total == 1 and .nodes == []'
  api POST /pool/drain
  api GET "/cluster/nodes/$id"
  holds '.state == "draining"'
  api GET /cluster/nodes/none-such
  expect_problem 404 NOT_FOUND
  stop_daemon
  start_daemon
  api GET /cluster/nodes/self
  holds ".id == \"$id\" and .state == \"ready\""
}

@test "the build tells compiler, hardening and libraries" {
  start_daemon
  api GET /server/build
  [ "$status_code" = 200 ]
  holds '(.compiler | length) > 3 and (.engine | startswith("SQLite")) and .hardening.stack_protector
    and .hardening.position_independent and .hardening.read_only_relocations and .hardening.immediate_binding'
  holds '[.libraries[].name] | contains(["libwebsockets", "openssl", "jansson", "zlib"])'
  holds '(.compile_flags | contains("-std=gnu17")) and all(.libraries[]; (.compiled | length) > 0 and (.running | length) > 0)'
}

# ---- health -----------------------------------------------------------------------------------------

@test "full health looks at every part" {
  start_daemon --reactors 2
  api GET /health/full
  [ "$status_code" = 200 ]
  holds '.status == "ok" and (.components | length) == 10 and all(.components[]; .status == "ok" and .reason == null and .took_ms >= 0)'
  TOKEN='' api GET /health/full
  expect_problem 401 AUTH_REQUIRED
}

@test "a part that is busy is degraded, and the others are not" {
  start_daemon --readers 1
  sql 'CREATE TABLE t (x)'
  api POST /transactions '{}'
  local tx
  tx=$(jq -r .transaction_id <<<"$body")
  api GET /health/full
  [ "$status_code" = 200 ]
  holds '.status == "degraded" and .components.writer.status == "degraded" and (.components.writer.reason | length) > 0
    and .components.readers.status == "ok" and .components.writer.took_ms >= 900'
  api POST "/transactions/$tx/rollback"
  start_query busy "$(endless c)"
  wait_until runs busy
  api GET /health/full
  holds '.components.writer.status == "ok" and .components.readers.status == "degraded"'
  api DELETE /monitoring/queries/busy
  wait_until absent busy
  api POST /pool/drain
  api GET /health/full
  [ "$status_code" = 200 ]
  holds '.status == "degraded" and .components.engine.status == "degraded" and .components.readers.status == "ok"'
}

@test "a part that does not work has failed, and the answer is 503" {
  mkdir "$T/small"
  mount -t tmpfs -o "size=12m,mode=700" none "$T/small" 2>/dev/null || skip "no mount allowed here"
  MOUNTS+=("$T/small")
  start_daemon --data "$T/small/data"
  api GET /health/full
  [ "$status_code" = 503 ]
  holds '.status == "failed" and .components.disk.status == "failed" and (.components.disk.reason | contains("full"))
    and .components.writer.status == "ok"'
  stop_daemon
}
