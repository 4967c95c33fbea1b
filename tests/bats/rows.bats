#!/usr/bin/env bats
# The rows of a table as resources: /api/v1/tables/{name}/rows.
# shellcheck disable=SC2154,SC2016,SC2030,SC2031 # set by api; $base64; every test is a subshell

load helper

holds() { # FILTER: the last answer's body satisfies it
  jq -e "$1" <<<"$body" >/dev/null || {
    printf 'status %s does not satisfy %s: %s\n' "$status_code" "$1" "$body" >&2
    return 1
  }
}
header() { grep -qiE "^$1: $2\$" <<<"$headers" || { printf 'no %s: %s in\n%s\n' "$1" "$2" "$headers" >&2; return 1; }; }
header_value() { sed -n "s/^$1: //p" <<<"$headers"; }
# get PATH [HEADER...]
get() {
  local path=$1 with=()
  for h in "${@:2}"; do with+=(-H "$h"); done
  api GET "$path" '' -g "${with[@]}"
}

# ---- lists ------------------------------------------------------------------------------------------

@test "rows are objects by column, with every value as POST /query writes it" {
  start_daemon
  sql "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, x)"
  sql "INSERT INTO t VALUES (1, 'a', 9223372036854775807), (2, NULL, x'6162'), (3, 'c', -9e999), (4, 'd', 1.0)"
  get /tables/t/rows
  [ "$status_code" = 200 ]
  [[ $body == *'{"id":1,"name":"a","x":9223372036854775807},'* ]]
  [[ $body == *'{"id":4,"name":"d","x":1.0}]'* ]]
  holds '.rows[1:3] == [{"id": 2, "name": null, "x": {"$base64": "YWI="}},
    {"id": 3, "name": "c", "x": {"$real": "-Infinity"}}] and .next_cursor == null and (has("total") | not)'
  get '/tables/T/rows?select=X,id&order=id.desc&limit=1'
  holds '.rows == [{"x": 1.0, "id": 4}] and (.rows[0] | keys_unsorted) == ["x", "id"]'
  get '/tables/t/rows?name=eq.none'
  holds '.rows == [] and .next_cursor == null'
}

@test "rows without a primary key show their rowid, whatever it may be called" {
  start_daemon
  sql 'CREATE TABLE n (a)'
  sql 'INSERT INTO n (rowid, a) VALUES (7, 1)'
  get /tables/n/rows
  holds '.rows == [{"rowid": 7, "a": 1}]'
  get '/tables/n/rows?rowid=gt.7'
  holds '.rows == []'
  sql 'CREATE TABLE m (rowid TEXT, "select" INT)'
  sql "INSERT INTO m (_rowid_, rowid, \"select\") VALUES (9, 'text', 5)"
  get '/tables/m/rows?"select"=eq.5'
  holds '.rows == [{"_rowid_": 9, "rowid": "text", "select": 5}]'
}

@test "conditions mean what they mean in SQL" {
  start_daemon
  case_of rows filters_agree_with_sql
}

@test "pages have every row once and in order, whatever the order" {
  start_daemon
  case_of rows pages_have_every_row_once_in_order
}

@test "pages go on at their place while rows come and go" {
  start_daemon
  case_of rows pages_go_on_while_rows_come_and_go
}

@test "the number of rows is told where it is asked for" {
  start_daemon
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY)'
  sql 'INSERT INTO t VALUES (1), (2), (3), (4)'
  get '/tables/t/rows?limit=2&id=gt.1' 'Prefer: count=exact'
  holds '.total == 3 and (.rows | length) == 2'
  get '/tables/t/rows?id=gt.10' 'Prefer: count=exact'
  holds '.total == 0 and .rows == []'
  get '/tables/t/rows' 'Prefer: count=planned'
  holds 'has("total") | not'
}

@test "a view is read, in pages that are counted" {
  start_daemon
  sql 'CREATE TABLE t (a)'
  sql 'INSERT INTO t VALUES (3), (1), (2)'
  sql 'CREATE VIEW v AS SELECT a, a * 2 AS twice FROM t'
  get '/tables/v/rows?order=twice.desc&limit=2'
  holds '.rows == [{"a": 3, "twice": 6}, {"a": 2, "twice": 4}]'
  get "/tables/v/rows?order=twice.desc&limit=2&cursor=$(jq -r .next_cursor <<<"$body")"
  holds '.rows == [{"a": 1, "twice": 2}] and .next_cursor == null'
  sql 'DROP TABLE t'
  get /tables/v/rows
  expect_problem 400 QUERY_ERROR
}

@test "a list that is asked for wrongly says what there is" {
  start_daemon
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, name)'
  sql "INSERT INTO t VALUES (1, 'a'), (2, 'b')"
  for wrong in 'nam=eq.1' 'select=id,nam' 'order=nam.desc'; do
    get "/tables/t/rows?$wrong"
    expect_problem 400 INVALID_MESSAGE
    holds '(.detail | contains("\"nam\"")) and .hint == "known: id, name"'
  done
  for wrong in 'id=5' 'id=above.5' 'id=is.big' 'id=in.(1,2' 'id=in.(1,"2)' 'id=in.(1)x' 'select=id,id' 'order=id,id.desc' \
    limit=0 limit=1001 limit=x cursor=x cursor=eyJ9 'cursor=e30' "cursor=$(printf '{"order":"rowid","after":[]}' | base64 -w0 | tr -d =)"; do
    get "/tables/t/rows?$wrong"
    expect_problem 400 INVALID_MESSAGE
  done
  get '/tables/t/rows?limit=1'
  get "/tables/t/rows?limit=1&order=name&cursor=$(jq -r .next_cursor <<<"$body")"
  expect_problem 400 INVALID_MESSAGE
  holds '.detail | contains("another order")'
  for hidden in nothing sqlite_schema sqlite_sequence _rustydb_log _RustyDB_log; do
    get "/tables/$hidden/rows"
    expect_problem 404 TABLE_NOT_FOUND
  done
}

@test "a cursor that would not fit a query is refused, not cut" {
  start_daemon
  sql 'CREATE TABLE t (name TEXT)'
  sql "INSERT INTO t VALUES (printf('%.*c', 3000, 'a')), ('b'), ('c')"
  get '/tables/t/rows?order=name&limit=1'
  expect_problem 413 MESSAGE_TOO_BIG
  get '/tables/t/rows?order=name&limit=2'
  holds '(.rows | length) == 2 and .next_cursor != null'
  get '/tables/t/rows?limit=1'
  holds '(.rows | length) == 1 and .next_cursor != null'
}

# ---- one row ----------------------------------------------------------------------------------------

@test "a row is made, read, changed, replaced and deleted" {
  start_daemon
  sql "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, price REAL DEFAULT 9.5, note DEFAULT word,
    made TEXT DEFAULT CURRENT_DATE, sum AS (price + 1))"
  api POST /tables/t/rows '{"name": "bolt", "note": {"k": [1, true]}}'
  [ "$status_code" = 201 ]
  header location /api/v1/tables/t/rows/1
  holds '.id == 1 and .price == 9.5 and .sum == 10.5 and .note == "{\"k\":[1,true]}" and (.made | length) == 10'
  local tag
  tag=$(header_value etag)
  get /tables/t/rows/1
  header etag "$tag"
  header cache-control 'private, no-cache'
  get /tables/t/rows/1 "If-None-Match: W/$tag"
  [ "$status_code" = 304 ]
  [ -z "$body" ]
  header etag "$tag"
  api PATCH /tables/t/rows/1 '{"price": 7, "note": true}'
  [ "$status_code" = 200 ]
  [[ $body == *'"price":7.0,"note":1,'* ]]
  [ "$(header_value etag)" != "$tag" ]
  get /tables/t/rows/1 "If-None-Match: $tag"
  [ "$status_code" = 200 ]
  api PUT /tables/t/rows/1 '{"name": "nut", "sum": 5}'
  [ "$status_code" = 200 ]
  holds '.name == "nut" and .price == 9.5 and .note == "word" and (.made | length) == 10'
  api PUT /tables/t/rows/5 '{"id": 5, "name": "five"}' -H 'Prefer: return=minimal'
  [ "$status_code" = 201 ]
  [ -z "$body" ]
  header location /api/v1/tables/t/rows/5
  api PATCH /tables/t/rows/5 '{"id": 6}'
  holds '.id == 6'
  get /tables/t/rows/5
  expect_problem 404 NOT_FOUND
  api DELETE /tables/t/rows/6
  [ "$status_code" = 204 ]
  api DELETE /tables/t/rows/6
  expect_problem 404 NOT_FOUND
  api PATCH /tables/t/rows/6 '{"name": "x"}'
  expect_problem 404 NOT_FOUND
  api PATCH /tables/t/rows/1 '{}'
  [ "$status_code" = 200 ]
  [ "$(sql 'SELECT id, name FROM t')" = '[[1,"nut"]]' ]
}

@test "conditions on the entity tag hold, and nothing is done when they do not" {
  start_daemon
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, n)'
  sql 'INSERT INTO t VALUES (1, 1)'
  get /tables/t/rows/1
  local tag lsn
  tag=$(header_value etag)
  sql 'SELECT 1'
  lsn=$(jq .lsn <<<"$body")
  for method in PATCH PUT; do
    api $method /tables/t/rows/1 '{"n": 2}' -H 'If-Match: "other", "one"'
    expect_problem 412 PRECONDITION_FAILED
    api $method /tables/t/rows/1 '{"n": 2}' -H "If-Match: W/$tag"
    expect_problem 412 PRECONDITION_FAILED
    api $method /tables/t/rows/2 '{"n": 2}' -H 'If-Match: *'
    expect_problem 412 PRECONDITION_FAILED
    api $method /tables/t/rows/1 '{"n": 2}' -H 'If-None-Match: *'
    expect_problem 412 PRECONDITION_FAILED
  done
  api DELETE /tables/t/rows/1 '' -H 'If-Match: "other"'
  expect_problem 412 PRECONDITION_FAILED
  sql 'SELECT * FROM t'
  holds '.rows == [[1, 1]]'
  [ "$(jq .lsn <<<"$body")" = "$lsn" ]
  api PATCH /tables/t/rows/1 '{"n": 2}' -H "If-Match: \"other\", $tag"
  [ "$status_code" = 200 ]
  tag=$(header_value etag)
  sql "UPDATE t SET n = '2'"
  api DELETE /tables/t/rows/1 '' -H "If-Match: $tag"
  expect_problem 412 PRECONDITION_FAILED
  api DELETE /tables/t/rows/1 '' -H 'If-Match: *'
  [ "$status_code" = 204 ]
}

@test "the tag that a write answers is the one that a read finds, for every kind of value" {
  start_daemon
  case_of rows tags_of_writes_are_those_of_reads
}

@test "no update is lost between clients who use If-Match" {
  start_daemon
  case_of rows no_update_is_lost
}

@test "one of many makes a row with If-None-Match: *" {
  start_daemon
  case_of rows one_of_many_makes_the_row
}

@test "keys of every kind name their rows, and Location is where a row is" {
  start_daemon
  case_of rows keys_of_every_kind_come_back
}

@test "what triggers do is in the answer and in its tag" {
  start_daemon
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, n, seen DEFAULT 0)'
  sql 'CREATE TRIGGER i AFTER INSERT ON t BEGIN UPDATE t SET seen = seen + 10 WHERE id = new.id; END'
  sql 'CREATE TRIGGER u AFTER UPDATE OF n ON t BEGIN UPDATE t SET seen = seen + 1 WHERE id = new.id; END'
  sql "CREATE TRIGGER no BEFORE UPDATE ON t WHEN new.n = 'never' BEGIN SELECT RAISE(IGNORE); END"
  api POST /tables/t/rows '{"n": 1}'
  holds '.seen == 10'
  local tag
  tag=$(header_value etag)
  api PATCH /tables/t/rows/1 '{"n": 2}' -H "If-Match: $tag"
  holds '.seen == 11'
  tag=$(header_value etag)
  api PUT /tables/t/rows/1 '{"n": 3}' -H "If-Match: $tag"
  holds '.seen == 1'
  api PATCH /tables/t/rows/1 '{"n": "never"}'
  expect_problem 409 CONFLICT
  [ "$(sql 'SELECT * FROM t')" = '[[1,3,1]]' ]
}

@test "a key that is wrong, a body that is wrong" {
  start_daemon
  sql 'CREATE TABLE t (a TEXT, b INT, g AS (b), PRIMARY KEY (a, b)) WITHOUT ROWID'
  for key in x x,1,2 'x,"1'; do
    get "/tables/t/rows/$(jq -rn --arg k "$key" '$k | @uri')"
    expect_problem 400 INVALID_MESSAGE
  done
  api PUT /tables/t/rows/x,1 '{"b": 2}'
  expect_problem 400 INVALID_MESSAGE
  api POST /tables/t/rows '{"a": "x", "b": 1, "g": 1}'
  expect_problem 400 INVALID_MESSAGE
  api POST /tables/t/rows '{"a": "x", "A": "y"}'
  expect_problem 400 INVALID_MESSAGE
  api POST /tables/t/rows '{"a": "x", "colour": "y"}'
  expect_problem 400 INVALID_MESSAGE
  holds '.hint == "known: a, b, g"'
  api POST /tables/t/rows '{"a": "x", "b": {"$base64": "?"}}'
  expect_problem 400 INVALID_MESSAGE
  api POST /tables/t/rows '{"a": "x"}'
  expect_problem 409 CONFLICT
  [ "$(sql 'SELECT count(*) FROM t')" = '[[0]]' ]
}

# ---- many rows --------------------------------------------------------------------------------------

@test "several rows are inserted, all or none" {
  start_daemon --max-statements 5
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE)'
  api POST /tables/t/rows '{"rows": [{"name": "a"}, {"id": 7}, {}]}'
  [ "$status_code" = 201 ]
  holds '. == {"changes": 3, "lsn": .lsn}'
  ! grep -qi '^location' <<<"$headers"
  api POST /tables/t/rows '[{"name": "b"}]' -H 'Prefer: return=representation'
  holds '.rows == [{"id": 9, "name": "b"}] and .changes == 1'
  api POST /tables/t/rows '[{"name": "c"}, {"name": "a"}, {"name": "d"}]'
  expect_problem 409 CONFLICT
  holds '.statement == 1'
  api POST /tables/t/rows '[{"name": "c"}, {"colour": "a"}]'
  expect_problem 400 INVALID_MESSAGE
  api POST /tables/t/rows '[{"name": "c"}, 5]'
  expect_problem 400 INVALID_MESSAGE
  api POST /tables/t/rows '[]'
  expect_problem 400 INVALID_MESSAGE
  api POST /tables/t/rows '[{}, {}, {}, {}, {}, {}]'
  expect_problem 400 INVALID_MESSAGE
  [ "$(sql 'SELECT id FROM t')" = '[[1],[7],[8],[9]]' ]
}

@test "rows that are there already are merged or left alone" {
  start_daemon
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n, m)'
  sql "INSERT INTO t VALUES (1, 'a', 1, 1)"
  api POST '/tables/t/rows?on_conflict=name' '{"name": "a", "n": 2}'
  [ "$status_code" = 201 ]
  holds '. == {"id": 1, "name": "a", "n": 2, "m": 1}'
  header location /api/v1/tables/t/rows/1
  api POST '/tables/t/rows?resolution=merge' '[{"id": 1, "n": 3}, {"id": 2, "n": 4}]' -H 'Prefer: return=representation'
  holds '.changes == 2 and [.rows[].n] == [3, 4]'
  api POST '/tables/t/rows?resolution=ignore' '{"name": "a", "n": 9}'
  [ "$status_code" = 204 ]
  api POST '/tables/t/rows?resolution=ignore&on_conflict=name' '[{"name": "a"}, {"name": "b"}]'
  holds '.changes == 1'
  api POST '/tables/t/rows?on_conflict=name' '{"name": "b"}'
  holds '.name == "b"'
  api POST '/tables/t/rows?on_conflict=n' '{"n": 1}'
  expect_problem 400 QUERY_ERROR
  api POST '/tables/t/rows?on_conflict=colour' '{"n": 1}'
  expect_problem 400 INVALID_MESSAGE
  api POST '/tables/t/rows?resolution=ignore' '{}'
  expect_problem 400 INVALID_MESSAGE
  api POST '/tables/t/rows?on_conflict=name&resolution=ignore' '{"id": 1, "name": "z"}'
  expect_problem 409 CONFLICT
  [ "$(sql 'SELECT * FROM t')" = '[[1,"a",3,1],[2,null,4,null],[3,"b",null,null]]' ]
}

@test "rows are changed and deleted by conditions, and never all of them by accident" {
  start_daemon
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, n INT CHECK (n < 100), "all")'
  sql 'INSERT INTO t VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3), (4, NULL, 4)'
  api PATCH '/tables/t/rows?id=in.(1,2)' '{"n": 50}'
  holds '. == {"changes": 2, "lsn": .lsn}'
  api PATCH '/tables/t/rows?n=is.null' '{"n": 7}' -H 'Prefer: return=representation'
  holds '.rows == [{"id": 4, "n": 7, "all": 4}] and .changes == 1'
  api PATCH '/tables/t/rows?id=gte.1' '{"n": 100}'
  expect_problem 409 CONFLICT
  for wrong in '' '?all=false' '?all=true&id=eq.1' '?colour=eq.1' '?id=1'; do
    api PATCH "/tables/t/rows$wrong" '{"n": 1}'
    expect_problem 400 INVALID_MESSAGE
    api DELETE "/tables/t/rows$wrong"
    expect_problem 400 INVALID_MESSAGE
  done
  api PATCH '/tables/t/rows?id=eq.1' '{}'
  expect_problem 400 INVALID_MESSAGE
  api DELETE '/tables/t/rows?"all"=eq.4' '' -g -H 'Prefer: return=representation'
  holds '.rows == [{"id": 4, "n": 7, "all": 4}]'
  api DELETE '/tables/t/rows?id=eq.77'
  holds '.changes == 0'
  api PATCH '/tables/t/rows?all=true' '{"n": 9}'
  holds '.changes == 3'
  api DELETE '/tables/t/rows?all=true'
  holds '.changes == 3'
  [ "$(sql 'SELECT count(*) FROM t')" = '[[0]]' ]
}

@test "every change is an event, in one transaction" {
  start_daemon
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, n)'
  api POST /tables/t/rows '[{"n": 1}, {"n": 2}]'
  api PUT /tables/t/rows/3 '{"n": 3}'
  api PATCH '/tables/t/rows?id=lt.3' '{"n": 5}'
  api PATCH /tables/t/rows/3 '{"n": 6}'
  api DELETE /tables/t/rows/3
  "$BIN" subscribe t --since 0 --format jsonl --count 7 --timeout 20s >"$T/events"
  jq -s -e '[.[].op] == ["insert", "insert", "insert", "update", "update", "update", "delete"]' "$T/events"
  jq -s -e '.[0].tx == .[1].tx and .[1].tx != .[2].tx and .[3].tx == .[4].tx' "$T/events"
}

@test "what cannot be written says so" {
  start_daemon
  sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, n)'
  sql 'CREATE VIEW v AS SELECT * FROM t'
  api POST /tables/v/rows '{"n": 1}'
  expect_problem 409 CONFLICT
  holds '.detail | contains("is a view")'
  api PATCH '/tables/v/rows?n=eq.1' '{"n": 1}'
  expect_problem 409 CONFLICT
  api DELETE '/tables/v/rows?n=eq.1'
  expect_problem 409 CONFLICT
  for method in PUT PATCH; do
    api $method /tables/v/rows/1 '{"n": 1}'
    expect_problem 409 CONFLICT
  done
  api DELETE /tables/v/rows/1
  expect_problem 409 CONFLICT
  get /tables/v/rows/1
  expect_problem 404 NOT_FOUND
  for hidden in nothing sqlite_schema _rustydb_log; do
    api POST "/tables/$hidden/rows" '{"n": 1}'
    expect_problem 404 TABLE_NOT_FOUND
    api DELETE "/tables/$hidden/rows?all=true"
    expect_problem 404 TABLE_NOT_FOUND
    api PUT "/tables/$hidden/rows/1" '{"n": 1}'
    expect_problem 404 TABLE_NOT_FOUND
  done
}
