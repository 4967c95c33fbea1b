#!/usr/bin/env bats
# Tables, indexes and views made and changed over REST, and tables exported.
# shellcheck disable=SC2154,SC2016,SC2030,SC2031 # set by api; every test is a subshell

load helper

holds() { # FILTER: the last answer's body satisfies it
  jq -e "$1" <<<"$body" >/dev/null || {
    printf 'status %s does not satisfy %s: %s\n' "$status_code" "$1" "$body" >&2
    return 1
  }
}
header() { grep -qiE "^$1: $2\$" <<<"$headers" || { printf 'no %s: %s in\n%s\n' "$1" "$2" "$headers" >&2; return 1; }; }
answers() { # STATUS METHOD PATH [BODY]
  local status=$1
  shift
  api "$@"
  [ "$status_code" = "$status" ] || { printf '%s %s: %s %s\n' "$1" "$2" "$status_code" "$body" >&2; return 1; }
}
lsn() { api POST /query '{"sql": "SELECT 1"}' && jq .lsn <<<"$body"; }

# ---- tables -----------------------------------------------------------------------------------------

@test "a table is made as it is described, and the answer is what GET gives" {
  start_daemon
  answers 201 POST /tables '{"name": "books", "columns": [
    {"name": "id", "type": "INTEGER", "primary_key": true},
    {"name": "title", "type": "VARCHAR(40)", "not_null": true, "collation": "NOCASE"},
    {"name": "price", "type": "REAL", "default": 9.25, "check": "price >= 0"},
    {"name": "twice", "generated": {"expression": "price * 2", "stored": true}},
    {"name": "isbn", "type": "TEXT", "unique": true}],
    "unique": [["title", "isbn"]], "checks": ["price < 1000 OR title = '"'a;b'"'"]}'
  header location /api/v1/tables/books
  local made=$body
  answers 200 GET /tables/books
  [ "$body" = "$made" ]
  holds '[.columns[] | [.name, .type, .not_null, .default, .primary_key, .generated]] == [
    ["id", "INTEGER", false, null, 1, null], ["title", "VARCHAR(40)", true, null, 0, null],
    ["price", "REAL", false, "9.25", 0, null], ["twice", "", false, null, 0, "stored"], ["isbn", "TEXT", false, null, 0, null]]'
  holds '[.indexes[] | [.origin, (.columns | map(.name))]] | sort == [["unique", ["isbn"]], ["unique", ["title", "isbn"]]]'
  sql "INSERT INTO books (title) VALUES ('A')"
  [ "$(sql "SELECT id, price, twice FROM books WHERE title = 'a'")" = '[[1,9.25,18.5]]' ]
  api POST /query '{"sql": "INSERT INTO books (title, price) VALUES (1, -1)"}'
  expect_problem 409 CONFLICT
  api POST /query '{"sql": "INSERT INTO books (title, price) VALUES (1, 1000)"}'
  expect_problem 409 CONFLICT
}

@test "names may be anything, and are never more than names" {
  start_daemon
  local name='a "b"; DROP TABLE t; -- ü?'
  sql 'CREATE TABLE t (x)'
  answers 201 POST /tables "$(jq -cn --arg n "$name" '{name: $n, columns: [{name: $n, primary_key: true}, {name: "select"}], unique: [[$n, "select"]]}')"
  header location '/api/v1/tables/a%20%22b%22%3B%20DROP%20TABLE%20t%3B%20--%20%C3%BC%3F'
  holds ".name == $(jq -cn --arg n "$name" '$n') and .columns[0].name == .name"
  answers 200 GET "$(sed -n 's/^location: //p' <<<"$headers")"
  answers 200 GET /tables/t
  answers 400 POST /tables '{"name": "a\u0000b", "columns": [{"name": "x"}]}'
  answers 400 POST /tables '{"name": "z", "columns": [{"name": "a\u0000b"}]}'
  answers 400 POST /tables '{"name": "", "columns": [{"name": "x"}]}'
}

@test "defaults are literals, or one of a few expressions" {
  start_daemon
  answers 201 POST /tables '{"name": "d", "columns": [{"name": "id", "primary_key": true}, {"name": "c0", "default": null},
    {"name": "c1", "default": true}, {"name": "c2", "default": 5}, {"name": "c3", "default": -9223372036854775808},
    {"name": "c4", "default": 0.1}, {"name": "c5", "default": "it'"'"'s; --"}, {"name": "c6", "default": {"$base64": "AAH/"}},
    {"name": "c7", "default": {"$real": "-Infinity"}}, {"name": "c8", "default": 1e300}]}'
  sql 'INSERT INTO d (id) VALUES (1)'
  [ "$(sql 'SELECT c0, c1, c2, CAST(c3 AS TEXT), typeof(c3), c4, c5, c6, c7, c8 = 1e300, typeof(c8) FROM d')" = \
    '[[null,1,5,"-9223372036854775808","integer",0.1,"it'"'"'s; --",{"$base64":"AAH/"},{"$real":"-Infinity"},1,"real"]]' ]
  answers 201 POST /tables '{"name": "e", "columns": [{"name": "id", "primary_key": true},
    {"name": "at", "default": {"expression": "CURRENT_TIMESTAMP"}},
    {"name": "key", "default": {"expression": "lower(hex(randomblob(16)))"}},
    {"name": "unix", "default": {"expression": "unixepoch()"}}]}'
  sql 'INSERT INTO e (id) VALUES (1)'
  [ "$(sql 'SELECT at LIKE "20__-__-__ __:__:__", length(key), unix > 1700000000 FROM e')" = '[[1,32,1]]' ]
  local bad
  for bad in '{"expression": "abs(1)"}' '{"expression": "1) ; --"}' '[1]' '{}' '{"$base64": "x"}' '"a\u0000"' \
    '{"$base64": "", "expression": "random()"}'; do
    api POST /tables "$(jq -cn --argjson d "$bad" '{name: "f", columns: [{name: "x", default: $d}]}')"
    expect_problem 400 INVALID_MESSAGE
    grep -q 'default' <<<"$body"
  done
}

@test "types and expressions cannot be more than that" {
  start_daemon
  local bad
  for bad in 'TEXT NOT NULL' 'TEXT)' 'INTEGER PRIMARY KEY' 'TEXT DEFAULT 1' 'TEXT, y' 'TEXT -- ' '"TEXT"' 'X(1,2,3)' 'a unique (1)'; do
    api POST /tables "$(jq -cn --arg t "$bad" '{name: "f", columns: [{name: "x", type: $t}]}')"
    expect_problem 400 INVALID_MESSAGE
  done
  for bad in '1) NOT NULL, y CHECK (1' '1; DROP TABLE t' '1 -- x' '1 /* x */' "'a" '"a' '[a' '  ' '(1' 'x)'; do
    api POST /tables "$(jq -cn --arg c "$bad" '{name: "f", columns: [{name: "x", check: $c}]}')"
    expect_problem 400 INVALID_MESSAGE
    api POST /tables "$(jq -cn --arg c "$bad" '{name: "f", columns: [{name: "x"}, {name: "y", generated: {expression: $c}}]}')"
    expect_problem 400 INVALID_MESSAGE
    api POST /tables "$(jq -cn --arg c "$bad" '{name: "f", columns: [{name: "x"}], checks: [$c]}')"
    expect_problem 400 INVALID_MESSAGE
  done
  api POST /tables '{"name": "f", "columns": [{"name": "x", "check": "nosuch > 1"}]}'
  expect_problem 400 QUERY_ERROR
  answers 404 GET /tables/f
  answers 201 POST /tables '{"name": "f", "columns": [{"name": "x", "type": "DOUBLE PRECISION (10, 2)", "check": "x <> '"';--(' AND x <> 'it''s'"'"}]}'
  holds '.columns[0].type == "DOUBLE PRECISION (10, 2)"'
}

@test "keys, foreign keys and the kinds of tables" {
  start_daemon
  answers 201 POST /tables '{"name": "p", "columns": [{"name": "a", "type": "INT", "primary_key": true},
    {"name": "b", "type": "TEXT", "primary_key": true}], "strict": true, "without_rowid": true}'
  holds '.strict and .without_rowid and ([.columns[].primary_key] == [1, 2])'
  answers 201 POST /tables '{"name": "q", "columns": [{"name": "a", "type": "INTEGER"}, {"name": "b"}], "primary_key": ["b", "a"]}'
  holds '[.columns[].primary_key] == [2, 1]'
  answers 201 POST /tables '{"name": "parent", "columns": [{"name": "id", "type": "INTEGER", "primary_key": true}]}'
  answers 201 POST /tables '{"name": "child", "columns": [
    {"name": "x", "references": {"table": "parent", "column": "id", "on_delete": "CASCADE", "on_update": "SET NULL"}},
    {"name": "y", "references": {"table": "parent", "deferred": true}}]}'
  holds '.foreign_keys | map([.table, .on_delete, .on_update, .columns[0].from, .columns[0].to]) | sort == [
    ["parent", "CASCADE", "SET NULL", "x", "id"], ["parent", "NO ACTION", "NO ACTION", "y", null]]'
  sql 'INSERT INTO parent VALUES (1)'
  sql 'INSERT INTO child VALUES (1, NULL)'
  sql 'DELETE FROM parent'
  [ "$(sql 'SELECT count(*) FROM child')" = '[[0]]' ]
  answers 201 POST /tables '{"name": "pair", "columns": [{"name": "x"}, {"name": "y"}, {"name": "z"}], "foreign_keys": [
    {"table": "p", "columns": [{"from": "x", "to": "a"}, {"from": "y", "to": "b"}], "on_delete": "SET NULL"},
    {"table": "parent", "columns": [{"from": "z"}], "deferred": true}]}'
  holds '[.foreign_keys[] | [.table, .on_delete, .columns]] | sort == [
    ["p", "SET NULL", [{"from": "x", "to": "a"}, {"from": "y", "to": "b"}]], ["parent", "NO ACTION", [{"from": "z", "to": null}]]]'
  local bad
  for bad in '[{"from": "nosuch"}]' '[{"from": "x", "to": "a"}, {"from": "y"}]' '[]' '[{"to": "a"}]'; do
    api POST /tables "$(jq -cn --argjson c "$bad" '{name: "r", columns: [{name: "x"}, {name: "y"}], foreign_keys: [{table: "p", columns: $c}]}')"
    expect_problem 400 INVALID_MESSAGE
  done
  api POST /tables '{"name": "r", "columns": [{"name": "a"}], "primary_key": ["nosuch"]}'
  expect_problem 400 INVALID_MESSAGE
  api POST /tables '{"name": "r", "columns": [{"name": "a", "primary_key": true}], "primary_key": ["a"]}'
  expect_problem 400 INVALID_MESSAGE
  api POST /tables '{"name": "r", "columns": [{"name": "a"}], "strict": true}'
  expect_problem 400 QUERY_ERROR
  api POST /tables '{"name": "r", "columns": [{"name": "a"}, {"name": "A"}]}'
  expect_problem 409 CONFLICT
}

@test "a name that is taken is a conflict, unless if_not_exists says otherwise" {
  start_daemon
  sql 'CREATE TABLE t (x)'
  sql 'CREATE VIEW v AS SELECT 1'
  api POST /tables '{"name": "T", "columns": [{"name": "y"}]}'
  expect_problem 409 CONFLICT
  answers 200 POST /tables '{"name": "T", "columns": [{"name": "y"}], "if_not_exists": true}'
  holds '.name == "t" and .columns[0].name == "x"'
  answers 201 POST /tables '{"name": "u", "columns": [{"name": "y"}], "if_not_exists": true}'
  api POST /tables '{"name": "v", "columns": [{"name": "y"}], "if_not_exists": true}'
  expect_problem 409 CONFLICT
  api POST /tables '{"name": "_rustydb_x", "columns": [{"name": "y"}]}'
  expect_problem 403 PERMISSION_DENIED
  api POST /tables '{"name": "sqlite_x", "columns": [{"name": "y"}]}'
  expect_problem 400 QUERY_ERROR
}

@test "a table is changed in one step or not at all" {
  start_daemon
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)'
  sql "INSERT INTO t VALUES (1, 'x', 'y')"
  answers 200 PATCH /tables/t '{"rename_columns": {"a": "A 1"}, "drop_columns": ["b"],
    "add_columns": [{"name": "b", "type": "INT", "default": 7}, {"name": "c", "collation": "NOCASE"}], "rename_to": "u"}'
  holds '.name == "u" and [.columns[].name] == ["id", "A 1", "b", "c"]'
  [ "$(sql 'SELECT * FROM u')" = '[[1,"x",7,null]]' ]
  local before
  answers 200 GET /tables/u
  before=$body
  api PATCH /tables/u '{"rename_columns": {"b": "z"}, "drop_columns": ["nosuch"]}'
  expect_problem 400 QUERY_ERROR
  api PATCH /tables/u '{"add_columns": [{"name": "z"}, {"name": "c"}]}'
  expect_problem 409 CONFLICT
  api PATCH /tables/u '{"add_columns": [{"name": "z", "not_null": true}]}'
  expect_problem 400 QUERY_ERROR
  api PATCH /tables/u '{"add_columns": [{"name": "z", "primary_key": true}]}'
  expect_problem 400 QUERY_ERROR
  api PATCH /tables/u '{"add_columns": [{"name": "z"}], "rename_to": "_rustydb_z"}'
  expect_problem 403 PERMISSION_DENIED
  answers 200 GET /tables/u
  [ "$body" = "$before" ]
  api PATCH /tables/u '{}'
  expect_problem 400 INVALID_MESSAGE
  api PATCH /tables/t '{"rename_to": "w"}'
  expect_problem 404 TABLE_NOT_FOUND
  api PATCH /tables/_rustydb_log '{"rename_to": "w"}'
  expect_problem 404 TABLE_NOT_FOUND
  sql 'CREATE TABLE w (x)'
  api PATCH /tables/u '{"rename_to": "w"}'
  expect_problem 409 CONFLICT
  sql 'CREATE VIEW v AS SELECT 1 AS one'
  api PATCH /tables/v '{"rename_columns": {"one": "two"}}'
  expect_problem 409 CONFLICT
}

@test "a table is dropped, when nothing forbids it" {
  start_daemon
  sql 'CREATE TABLE "a b" (id INTEGER PRIMARY KEY)'
  sql 'CREATE TABLE child (x REFERENCES "a b")'
  sql 'INSERT INTO "a b" VALUES (1)'
  sql 'INSERT INTO child VALUES (1)'
  api DELETE /tables/a%20b
  expect_problem 409 CONFLICT
  answers 200 DELETE /tables/child
  holds '.name == "child" and .lsn > 0'
  answers 200 DELETE /tables/a%20b
  api DELETE /tables/a%20b
  expect_problem 404 TABLE_NOT_FOUND
  sql 'CREATE TABLE many (x)'
  sql 'INSERT INTO many VALUES (1), (2), (3)'
  local before
  before=$(lsn)
  answers 200 DELETE /tables/many
  holds ".lsn == $before + 1"
  sql 'CREATE TABLE parent (id INTEGER PRIMARY KEY)'
  sql 'CREATE TABLE refers (x REFERENCES parent)'
  sql 'INSERT INTO parent VALUES (1), (2), (3)'
  before=$(lsn)
  answers 200 DELETE /tables/parent
  holds ".lsn == $before + 4"
  api DELETE /tables/_rustydb_log
  expect_problem 404 TABLE_NOT_FOUND
  sql 'CREATE VIEW v AS SELECT 1'
  api DELETE /tables/v
  expect_problem 409 CONFLICT
}

@test "truncate removes every row, and each is an event" {
  start_daemon
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY)'
  sql 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) INSERT INTO t SELECT i FROM n'
  local before
  before=$(lsn)
  answers 200 POST /tables/t/truncate
  holds ".name == \"t\" and .rows_removed == 2500 and .lsn == $before + 2500"
  [ "$(sql 'SELECT count(*) FROM t')" = '[[0]]' ]
  answers 200 POST /tables/t/truncate
  holds '.rows_removed == 0'
  sql 'INSERT INTO t VALUES (1)'
  sql 'CREATE TABLE child (x REFERENCES t)'
  sql 'INSERT INTO child VALUES (1)'
  api POST /tables/t/truncate
  expect_problem 409 CONFLICT
  sql 'CREATE VIEW v AS SELECT 1'
  api POST /tables/v/truncate
  expect_problem 409 CONFLICT
  api POST /tables/nosuch/truncate
  expect_problem 404 TABLE_NOT_FOUND
}

# ---- indexes ----------------------------------------------------------------------------------------

@test "indexes are made, shown, listed and dropped" {
  start_daemon
  sql 'CREATE TABLE "t 1" (id INTEGER PRIMARY KEY, a TEXT, b REAL UNIQUE)'
  sql "INSERT INTO \"t 1\" (a, b) VALUES ('x', 1), ('X', 2)"
  answers 201 POST /tables/t%201/indexes '{"name": "i \"1\"", "columns": [{"column": "A", "collation": "NOCASE", "descending": true},
    {"expression": "abs(b)"}], "where": "b > 0"}'
  header location '/api/v1/tables/t%201/indexes/i%20%221%22'
  holds '.name == "i \"1\"" and .unique == false and .partial and .origin == "create_index"'
  holds '.columns == [{"name": "a", "descending": true, "collation": "NOCASE"}, {"name": null, "descending": false, "collation": "BINARY"}]'
  local made=$body
  answers 200 GET '/tables/t%201/indexes/I%20%221%22'
  [ "$body" = "$made" ]
  answers 201 POST /tables/t%201/indexes '{"name": "u", "columns": [{"column": "a"}], "unique": true}'
  holds '.unique'
  api POST /tables/t%201/indexes '{"name": "v", "columns": [{"column": "a", "collation": "NOCASE"}], "unique": true}'
  expect_problem 409 CONFLICT
  answers 200 GET /tables/t%201/indexes
  holds '.total == 3 and .offset == 0 and .limit == 100 and [.indexes[].origin] == ["create_index", "unique", "create_index"]'
  answers 200 GET '/tables/t%201/indexes?offset=1&limit=1'
  holds '.total == 3 and [.indexes[].origin] == ["unique"]'
  local auto
  auto=$(jq -r '.indexes[0].name' <<<"$body" | jq -sRr '.[:-1] | @uri')
  api DELETE "/tables/t%201/indexes/$auto"
  expect_problem 409 CONFLICT
  answers 200 DELETE /tables/t%201/indexes/U
  api DELETE /tables/t%201/indexes/u
  expect_problem 404 NOT_FOUND
  answers 200 GET /tables/t%201/indexes
  holds '.total == 2'
}

@test "an index is refused where it names what is not there" {
  start_daemon
  sql 'CREATE TABLE t (a, b)'
  sql 'CREATE TABLE other (x)'
  sql 'CREATE INDEX i ON other (x)'
  api POST /tables/t/indexes '{"name": "j", "columns": [{"column": "nosuch"}]}'
  expect_problem 400 QUERY_ERROR
  api POST /tables/t/indexes '{"name": "j", "columns": [{"expression": "nosuch + 1"}]}'
  expect_problem 400 QUERY_ERROR
  api POST /tables/t/indexes '{"name": "j", "columns": [{"expression": "random()"}]}'
  expect_problem 400 QUERY_ERROR
  api POST /tables/t/indexes '{"name": "j", "columns": [{"expression": "a) ; DROP TABLE t; --"}]}'
  expect_problem 400 INVALID_MESSAGE
  api POST /tables/t/indexes '{"name": "j", "columns": [{"column": "a"}], "where": "1; DROP TABLE t"}'
  expect_problem 400 INVALID_MESSAGE
  api POST /tables/t/indexes '{"name": "j", "columns": [{"column": "a", "expression": "b"}]}'
  expect_problem 400 INVALID_MESSAGE
  api POST /tables/t/indexes '{"name": "j", "columns": [{"descending": true}]}'
  expect_problem 400 INVALID_MESSAGE
  api POST /tables/t/indexes '{"name": "I", "columns": [{"column": "a"}]}'
  expect_problem 409 CONFLICT
  api POST /tables/t/indexes '{"name": "other", "columns": [{"column": "a"}]}'
  expect_problem 409 CONFLICT
  api POST /tables/t/indexes '{"name": "_rustydb_i", "columns": [{"column": "a"}]}'
  expect_problem 403 PERMISSION_DENIED
  api POST /tables/nosuch/indexes '{"name": "j", "columns": [{"column": "a"}]}'
  expect_problem 404 TABLE_NOT_FOUND
  api GET /tables/_rustydb_log/indexes
  expect_problem 404 TABLE_NOT_FOUND
  api GET /tables/t/indexes/i
  expect_problem 404 NOT_FOUND
  api DELETE /tables/t/indexes/i
  expect_problem 404 NOT_FOUND
  answers 200 GET /tables/other/indexes/i
  sql 'CREATE VIEW v AS SELECT 1 AS x'
  answers 200 GET /tables/v/indexes
  holds '.total == 0'
  api POST /tables/v/indexes '{"name": "j", "columns": [{"column": "x"}]}'
  expect_problem 400 QUERY_ERROR
}

# ---- views ------------------------------------------------------------------------------------------

@test "views are made, shown, listed, replaced and dropped" {
  start_daemon
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)'
  sql "INSERT INTO t VALUES (1, 'x'), (2, 'y')"
  answers 201 POST /views '{"name": "v \"1\"", "sql": "SELECT id, a || a FROM t WHERE id > 1;", "columns": ["id", "as"]}'
  header location '/api/v1/views/v%20%221%22'
  holds '. == {"name": "v \"1\"", "sql": "SELECT id, a || a FROM t WHERE id > 1", "triggers": [],
    "columns": [{"name": "id", "type": "INTEGER"}, {"name": "as", "type": ""}]}'
  [ "$(sql 'SELECT * FROM "v ""1"""')" = '[[2,"yy"]]' ]
  local made=$body
  answers 200 GET '/views/V%20%221%22'
  sql 'CREATE VIEW /* AS */ a_view(x, "as") -- AS
    AS /* why */ WITH n AS (SELECT 1 AS one) SELECT one, 2 FROM n'
  sql 'CREATE VIEW IF NOT EXISTS [b AS c] AS VALUES (1)'
  answers 200 GET /views
  holds '.total == 3 and .offset == 0 and .limit == 100 and .views == [
    {"name": "a_view", "sql": "WITH n AS (SELECT 1 AS one) SELECT one, 2 FROM n"}, {"name": "b AS c", "sql": "VALUES (1)"},
    {"name": "v \"1\"", "sql": "SELECT id, a || a FROM t WHERE id > 1"}]'
  answers 200 GET '/views?limit=1&offset=1'
  holds '.total == 3 and [.views[].name] == ["b AS c"]'
  answers 200 GET '/views?offset=5'
  holds '.total == 3 and .views == []'

  answers 201 PUT /views/w '{"sql": "SELECT id, a FROM t"}'
  header location /api/v1/views/w
  sql 'CREATE TRIGGER w_insert INSTEAD OF INSERT ON w BEGIN INSERT INTO t VALUES (NEW.id, NEW.a); END'
  answers 200 PUT /views/W '{"sql": "VALUES (1, 2)", "columns": ["id", "a"]}'
  holds '.name == "w" and .sql == "VALUES (1, 2)" and [.triggers[].name] == ["w_insert"]'
  sql "INSERT INTO w VALUES (3, 'z')"
  [ "$(sql 'SELECT count(*) FROM t')" = '[[3]]' ]
  [ "$(sql 'SELECT * FROM w')" = '[[1,2]]' ]

  answers 200 DELETE /views/W
  api DELETE /views/w
  expect_problem 404 TABLE_NOT_FOUND
  sql 'DROP TABLE t'
  answers 200 GET '/views/v%20%221%22'
  holds '.columns == [] and (.error | length) > 0'
  answers 200 DELETE '/views/v%20%221%22'
}

@test "a view is refused that cannot be read, or is no SELECT" {
  start_daemon
  sql 'CREATE TABLE t (x)'
  sql 'CREATE INDEX i ON t (x)'
  local bad
  for bad in 'DELETE FROM t' '' ' ' '-- SELECT' 'PRAGMA table_list' 'INSERT INTO t VALUES (1)' 'SELECTX' '"SELECT"'; do
    api POST /views "$(jq -cn --arg s "$bad" '{name: "v", sql: $s}')"
    expect_problem 400 INVALID_MESSAGE
  done
  for bad in 'SELECT 1; DROP TABLE t' 'WITH n AS (SELECT 1) DELETE FROM t' 'SELECT ?' 'SELECT nosuch FROM t' 'SELECT 1 FORM t' \
    'SELECT * FROM v'; do
    api POST /views "$(jq -cn --arg s "$bad" '{name: "v", sql: $s}')"
    expect_problem 400 QUERY_ERROR
  done
  api POST /views '{"name": "v", "sql": "SELECT * FROM nosuch"}'
  expect_problem 404 TABLE_NOT_FOUND
  api POST /views '{"name": "v", "sql": "SELECT * FROM _rustydb_log"}'
  expect_problem 403 PERMISSION_DENIED
  api POST /views '{"name": "v", "sql": "SELECT 1, 2", "columns": ["a"]}'
  expect_problem 400 QUERY_ERROR
  api POST /views '{"name": "_rustydb_v", "sql": "SELECT 1"}'
  expect_problem 403 PERMISSION_DENIED
  answers 200 GET /views
  holds '.total == 0'
  api POST /views '{"name": "T", "sql": "SELECT 1"}'
  expect_problem 409 CONFLICT
  api PUT /views/t '{"sql": "SELECT 1"}'
  expect_problem 409 CONFLICT
  api PUT /views/i '{"sql": "SELECT 1"}'
  expect_problem 409 CONFLICT
  api PUT /views/_rustydb_log '{"sql": "SELECT 1"}'
  expect_problem 403 PERMISSION_DENIED
  api GET /views/t
  expect_problem 404 TABLE_NOT_FOUND
  api DELETE /views/t
  expect_problem 404 TABLE_NOT_FOUND
  sql 'CREATE VIEW v AS SELECT 1 AS one'
  api PUT /views/v '{"sql": "SELECT nosuch FROM t"}'
  expect_problem 400 QUERY_ERROR
  answers 200 GET /views/v
  holds '.sql == "SELECT 1 AS one"'
}

# ---- export -----------------------------------------------------------------------------------------

# same TABLE TABLE: they have the same rows, by value and type.
same() {
  local columns='id, a, typeof(a), b, typeof(b), c, typeof(c), d, typeof(d)'
  [ "$(sql "SELECT count(*) FROM (SELECT $columns FROM $1 EXCEPT SELECT $columns FROM $2)")" = '[[0]]' ] &&
    [ "$(sql "SELECT count(*) FROM $1")" = "$(sql "SELECT count(*) FROM $2")" ]
}

@test "what is exported as JSON lines is imported as the same rows" {
  start_daemon
  local t
  for t in t u; do sql "CREATE TABLE $t (id INTEGER PRIMARY KEY, a TEXT, b REAL, c BLOB, d, g AS (a || b))"; done
  sql "INSERT INTO t (id, a, b, c, d) VALUES (1, 'x', 1.5, x'00ff10', 'text'), (2, '', 1e300, x'', 7), (3, NULL, NULL, NULL, NULL),
    (4, 'q\"u,o' || char(13) || char(10) || 't', 9e999, 'no blob', -9e999), (5, char(0, 9, 128512), 0.1, 3, x'22'),
    (9223372036854775807, '007', 5, 2.0, '5'), (-9223372036854775808, '{\"\$base64\": 1}', -0.0, '[1]', 'null')"
  answers 200 GET /tables/t/export
  header content-type application/x-ndjson
  header content-disposition 'attachment; filename="t.jsonl"'
  head -n 2 "$T/answer" | jq -se '.[1] == {"id": 1, "a": "x", "b": 1.5, "c": {"$base64": "AP8Q"}, "d": "text"}'
  cp "$T/answer" "$T/export"
  answers 200 POST /import/u - -H 'Content-Type: application/x-ndjson' <"$T/export"
  same t u
}

@test "what is exported as CSV is imported as the same rows, where the types say what a text is" {
  start_daemon
  local t
  for t in t u; do sql "CREATE TABLE $t (id INTEGER PRIMARY KEY, a TEXT, b REAL, c NUMERIC, \"d\" TEXT, \"e\"\", f\" TEXT)"; done
  sql "INSERT INTO t VALUES (1, 'x', 1.5, 7, 'a,b', 'ü'), (2, '', 1e300, 2.5, 'q\"u\"o', NULL), (3, NULL, NULL, NULL, NULL, NULL),
    (4, 'l1' || char(13) || char(10) || 'l2', -9e999, -9223372036854775808, ' ', '007'), (5, char(65279) || 'b', 0.1, 0, char(10), 'NULL')"
  answers 200 GET '/tables/t/export?format=csv'
  header content-type 'text/csv; charset=utf-8; header=present'
  header content-disposition 'attachment; filename="t.csv"'
  cp "$T/answer" "$T/export"
  [ "$(head -n 2 "$T/export")" = $'id,a,b,c,d,"e"", f"\r\n1,x,1.5,7,"a,b",ü\r' ]
  grep -qaxF $'3,,,,,\r' "$T/export"
  grep -qaF '2,"",1e+300,2.5,"q""u""o",' "$T/export"
  answers 200 POST /import/u - -H 'Content-Type: text/csv' <"$T/export"
  same t u
  [ "$(sql 'SELECT count(*) FROM (SELECT * FROM t EXCEPT SELECT * FROM u)')" = '[[0]]' ]
  sql 'CREATE TABLE b (x BLOB)'
  sql "INSERT INTO b VALUES (x'00ff10'), (x'')"
  answers 200 GET '/tables/b/export?format=csv'
  [ "$(tr -d '\r' <"$T/answer")" = $'x\nAP8Q' ]
}

@test "an export has the columns and rows that are asked for" {
  start_daemon
  sql 'CREATE TABLE "a/b ü" (id INTEGER PRIMARY KEY, "x y" TEXT, g AS (id * 2))'
  sql "INSERT INTO \"a/b ü\" VALUES (1, 'one'), (2, 'two'), (3, 'three')"
  sql 'CREATE VIEW v AS SELECT "x y", id AS n FROM "a/b ü" WHERE id > 1'
  sql 'ALTER TABLE "a/b ü" RENAME TO "a ü"'
  answers 200 GET '/tables/a%20%C3%BC/export?format=csv&columns=g,X%20Y&limit=2'
  [ "$(tr -d '\r' <"$T/answer")" = $'g,x y\n2,one\n4,two' ]
  header content-disposition "attachment; filename=\"a___.csv\"; filename\*=UTF-8''a%20%C3%BC.csv"
  answers 200 GET '/tables/v/export?format=csv'
  [ "$(tr -d '\r' <"$T/answer")" = $'x y,n\ntwo,2\nthree,3' ]
  sql 'CREATE TABLE empty (x, y)'
  answers 200 GET '/tables/empty/export?format=csv'
  [ "$(tr -d '\r' <"$T/answer")" = x,y ]
  answers 200 GET /tables/empty/export
  [ -z "$body" ]
  api GET '/tables/empty/export?columns=x,nosuch'
  expect_problem 400 INVALID_MESSAGE
  api GET '/tables/empty/export?columns=x,X'
  expect_problem 400 INVALID_MESSAGE
  api GET '/tables/empty/export?columns='
  expect_problem 400 INVALID_MESSAGE
  api GET '/tables/empty/export?format=xml'
  expect_problem 400 INVALID_MESSAGE
  api GET /tables/_rustydb_log/export
  expect_problem 404 TABLE_NOT_FOUND
  sql 'DROP TABLE "a ü"'
  api GET /tables/v/export
  expect_problem 400 QUERY_ERROR
}

@test "a client that does not read keeps an export waiting, not in memory" {
  start_daemon
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)'
  sql "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) INSERT INTO t SELECT i, printf('%0500d', i) FROM n"
  case_of ddl export_waits_for_its_reader
}

@test "an export that fails half-way is not taken for whole" {
  start_daemon
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)'
  sql "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO t SELECT i, printf('%0500d', i) FROM n"
  sql "CREATE VIEW v AS SELECT id, CASE id WHEN 2900 THEN abs(-9223372036854775807 - 1) ELSE x END AS x FROM t"
  local format encoding
  for format in jsonl csv; do
    for encoding in identity gzip; do
      case_of ddl export_breaks_off "$format" "$encoding"
    done
  done
  api GET '/tables/v/export?columns=id'
  [ "$status_code" = 200 ]
}
