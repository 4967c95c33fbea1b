#!/usr/bin/env bats
# POST /explain and POST /validate: what a statement would do, without doing it.
# shellcheck disable=SC2154,SC2030,SC2031 # set by api; every test is a subshell

load helper

holds() { # FILTER: the last answer's body satisfies it
  jq -e "$1" <<<"$body" >/dev/null || {
    printf 'status %s does not satisfy %s: %s\n' "$status_code" "$1" "$body" >&2
    return 1
  }
}
explain() { api POST /explain "$(jq -cn --arg sql "$1" --argjson params "${2:-null}" '{sql: $sql, params: $params}')"; }
validate() { api POST /validate "$(jq -cn --arg sql "$1" '{sql: $sql}')" && [ "$status_code" = 200 ]; }
valid() { # SQL FILTER
  validate "$1" && holds '.valid == true' && holds "$2"
}
invalid() { # SQL CODE
  validate "$1" && holds ".valid == false and .error.code == \"$2\" and (.error.detail | length) > 0"
}

tables() {
  sql 'CREATE TABLE u (id INTEGER PRIMARY KEY, x)'
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b REFERENCES u(id) ON DELETE CASCADE)'
  sql 'CREATE TABLE log (y)'
  sql 'CREATE INDEX t_a ON t (a)'
  sql 'CREATE VIEW w AS SELECT a, x FROM t JOIN u ON u.id = t.b'
  sql 'CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log SELECT count(*) FROM u; END'
  sql "INSERT INTO u VALUES (1, 'one')"
  sql "INSERT INTO t VALUES (1, 'a', 1)"
}

@test "a plan is a tree of steps" {
  start_daemon
  tables
  explain 'SELECT a FROM t WHERE id = ?'
  [ "$status_code" = 200 ]
  holds '.readonly and .columns == [{"name": "a", "type": "TEXT"}]'
  holds '.plan | length == 1 and (.[0].detail | test("^SEARCH t .*PRIMARY KEY")) and .[0].children == []'
  explain 'SELECT a FROM t UNION SELECT x FROM u'
  holds '.plan | length == 1 and .[0].detail == "COMPOUND QUERY"'
  holds '[.plan[0].children[] | .children | length] == [1, 1]'
  holds '[.plan | .. | .id? // empty] | length == (unique | length)'
  explain 'SELECT * FROM w JOIN t USING (a)'
  holds '.plan | length >= 3'
}

@test "explaining runs nothing, whatever the statement is" {
  start_daemon
  tables
  local statement
  for statement in 'DELETE FROM t' 'DROP TABLE u' 'CREATE TABLE z AS SELECT * FROM u' 'PRAGMA user_version = 7' \
    "INSERT INTO u VALUES (2, 'two')" 'ALTER TABLE u ADD COLUMN y' VACUUM; do
    explain "$statement"
    [ "$status_code" = 200 ]
    holds '.readonly == false'
    valid "$statement" '.readonly == false'
  done
  [ "$(sql 'SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM u)')" = '[[1,1]]' ]
  [ "$(sql 'PRAGMA user_version')" = '[[0]]' ]
  api GET /tables
  holds '[.tables[] | .name] == ["log", "t", "u", "w"]'
  explain 'WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c'
  [ "$status_code" = 200 ]
}

@test "a plan may be asked for with values" {
  start_daemon
  explain 'SELECT ?, ?' '[1, "b"]'
  [ "$status_code" = 200 ]
  explain 'SELECT :a' '{"a": 1}'
  [ "$status_code" = 200 ]
  explain 'SELECT ?' '[1, 2]'
  expect_problem 400 QUERY_ERROR
  explain 'SELECT :a' '{"b": 1}'
  expect_problem 400 QUERY_ERROR
}

@test "what cannot be explained is an error that says where" {
  start_daemon
  explain 'SELECT FROM'
  expect_problem 400 QUERY_ERROR
  holds '.position == 7'
  explain 'SELECT * FROM nowhere'
  expect_problem 404 TABLE_NOT_FOUND
  explain 'EXPLAIN SELECT 1'
  expect_problem 400 QUERY_ERROR
  explain 'SELECT 1; SELECT 2'
  expect_problem 400 QUERY_ERROR
  explain 'SELECT * FROM _rustydb_log'
  expect_problem 403 PERMISSION_DENIED
  explain "VACUUM INTO 'x'"
  expect_problem 403 PERMISSION_DENIED
  api POST /explain '{"params": []}'
  expect_problem 400 INVALID_MESSAGE
}

@test "a valid statement is described" {
  start_daemon
  tables
  valid 'SELECT a, 1 + 1 AS two FROM t WHERE a = :a AND b = @b AND 1 = ?' \
    '.kind == "select" and .readonly and .columns == [{"name": "a", "type": "TEXT"}, {"name": "two", "type": null}]'
  holds '.parameters == [{"position": 1, "name": "a"}, {"position": 2, "name": "b"}, {"position": 3, "name": null}]'
  valid 'INSERT INTO t (a) VALUES (?) RETURNING id' '.kind == "insert" and (.readonly | not)'
  holds '.columns == [{"name": "id", "type": "INTEGER"}]'
  valid 'WITH c AS (SELECT 1) DELETE FROM u WHERE id IN c' '.kind == "delete"'
  valid 'REPLACE INTO u VALUES (1, 2)' '.kind == "insert"'
  valid 'INSERT INTO u (id) VALUES (1) ON CONFLICT DO UPDATE SET x = 1' '.kind == "insert"'
  valid '/* a */ UPDATE u SET x = 1' '.kind == "update"'
  valid 'VALUES (1)' '.kind == "select"'
  valid 'EXPLAIN DELETE FROM u' '.kind == "explain" and .readonly and .tables_written == []'
  valid 'PRAGMA table_info(t)' '.kind == "pragma" and .readonly'
}

@test "tables are told through views, triggers, foreign keys and WITH" {
  start_daemon
  tables
  valid 'SELECT * FROM w' '(.tables_read | sort) == ["t", "u", "w"] and .tables_written == []'
  valid 'INSERT INTO t (a) VALUES (1)' '.tables_read == ["u"] and (.tables_written | sort) == ["log", "t"]'
  valid 'DELETE FROM u' '(.tables_written | sort) == ["t", "u"]'
  valid "WITH c AS (SELECT * FROM log) SELECT * FROM c, json_each('[1]'), pragma_table_info('t'), sqlite_schema" \
    '.tables_read == ["log"]'
  valid 'CREATE TABLE z AS SELECT * FROM u' '.kind == "create" and .tables_read == ["u"] and .tables_written == ["z"]'
  valid 'ALTER TABLE u ADD COLUMN y' '.kind == "alter" and .tables_written == ["u"]'
  valid 'DROP TABLE log' '.kind == "drop" and .tables_written == ["log"]'
}

@test "what would be refused is told with the reason" {
  start_daemon
  tables
  invalid 'SELEC 1' QUERY_ERROR
  holds '.error.position == 0'
  invalid 'SELECT nothing FROM t' QUERY_ERROR
  invalid 'SELECT * FROM nowhere' TABLE_NOT_FOUND
  invalid 'SELECT 1; SELECT 2' QUERY_ERROR
  invalid '-- nothing' QUERY_ERROR
  invalid 'SELECT * FROM _rustydb_log' PERMISSION_DENIED
  invalid "ATTACH 'x' AS y" PERMISSION_DENIED
  invalid "VACUUM INTO 'x'" PERMISSION_DENIED
  invalid 'BEGIN' PERMISSION_DENIED
  invalid 'PRAGMA foreign_keys = off' PERMISSION_DENIED
}

@test "a verdict is of the present schema" {
  start_daemon
  invalid 'SELECT x FROM late' TABLE_NOT_FOUND
  sql 'CREATE TABLE late (x)'
  valid 'SELECT x FROM late' '.tables_read == ["late"]'
  sql 'SELECT x FROM late'
  valid 'SELECT x FROM late' '.tables_read == ["late"]'
  sql 'ALTER TABLE late RENAME COLUMN x TO y'
  invalid 'SELECT x FROM late' QUERY_ERROR
  explain 'SELECT y FROM late'
  holds '.columns[0].name == "y"'
  sql 'DROP TABLE late'
  invalid 'SELECT y FROM late' TABLE_NOT_FOUND
}
