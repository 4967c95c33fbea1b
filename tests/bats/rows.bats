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
