#!/usr/bin/env bats
# Stored queries: /queries and what is below it.
# shellcheck disable=SC2154,SC2030,SC2031 # set by api; every test is a subshell

load helper

holds() { # FILTER: the last answer's body satisfies it
  jq -e "$1" <<<"$body" >/dev/null || {
    printf 'status %s does not satisfy %s: %s\n' "$status_code" "$1" "$body" >&2
    return 1
  }
}
header() { grep -qiE "^$1: $2\$" <<<"$headers" || { printf 'no %s: %s in\n%s\n' "$1" "$2" "$headers" >&2; return 1; }; }
etag() { sed -n 's/^etag: //p' <<<"$headers"; }

# store NAME SQL [PARAMETERS]
store() {
  api POST /queries "$(jq -cn --arg name "$1" --arg sql "$2" --argjson parameters "${3:-[]}" '{$name, $sql, $parameters}')"
}
stored() { store "$@" && [ "$status_code" = 201 ] || { printf '%s %s\n' "$status_code" "$body" >&2; return 1; }; }
# replace NAME SQL [CURL-OPTION...]
replace() {
  api PUT "/queries/$1/definition" "$(jq -cn --arg sql "$2" '{$sql}')" "${@:3}"
}
call() { api POST "/queries/$1" "${2:-}"; }

SUM='[{"name": "a", "type": "number"}, {"name": "b", "type": "number", "default": 1, "description": "more"}]'

@test "a query is stored, shown, listed, called and deleted" {
  start_daemon
  stored sum-of 'SELECT :a + :b AS sum' "$SUM"
  header location /api/v1/queries/sum-of
  holds '.name == "sum-of" and .version == 1 and .readonly and .updated_by == "root" and .sql == "SELECT :a + :b AS sum"'
  holds '.parameters[0] == {"name": "a", "type": "number", "required": true, "default": null, "description": ""}'
  holds '.parameters[1] == {"name": "b", "type": "number", "required": false, "default": 1, "description": "more"}'
  holds '.created_at == .updated_at'
  local first=$body tag
  tag=$(etag)
  api GET /queries/sum-of/definition
  [ "$status_code" = 200 ] && [ "$body" = "$first" ] && [ "$(etag)" = "$tag" ]
  api GET /queries/sum-of/definition '' -H "If-None-Match: $tag"
  [ "$status_code" = 304 ] && [ "$(etag)" = "$tag" ] && [ -z "$body" ]
  api GET /queries
  holds '.total == 1 and .queries[0].name == "sum-of" and (.queries[0] | has("sql") | not)'
  call sum-of '{"params": {"a": 2}}'
  holds '.columns == [{"name": "sum", "type": null}] and .rows == [[3]] and .changes == 0'
  api GET '/queries/sum-of?a=2.5&b=4'
  holds '.rows == [[6.5]]'
  api DELETE /queries/sum-of
  [ "$status_code" = 200 ]
  holds '.name == "sum-of" and .deleted'
  api GET /queries/sum-of/definition
  expect_problem 404 NOT_FOUND
  call sum-of '{"params": {"a": 2}}'
  expect_problem 404 NOT_FOUND
  api DELETE /queries/sum-of
  expect_problem 404 NOT_FOUND
  api GET /queries/sum-of/versions
  expect_problem 404 NOT_FOUND
  api GET /queries
  holds '.total == 0 and .queries == []'
}

@test "the list comes in the order of names and in pages" {
  start_daemon
  local name
  for name in m b z a; do stored "$name" 'SELECT 1'; done
  api GET /queries
  holds '[.queries[] | .name] == ["a", "b", "m", "z"] and .total == 4 and .offset == 0 and .limit == 100'
  api GET '/queries?offset=1&limit=2'
  holds '[.queries[] | .name] == ["b", "m"] and .total == 4 and .offset == 1 and .limit == 2'
  api GET '/queries?offset=9'
  holds '.queries == [] and .total == 4'
}

@test "values are held against the types before anything runs" {
  start_daemon
  sql 'CREATE TABLE t (i, s, b, n, x)'
  stored put 'INSERT INTO t VALUES (:i, :s, :b, :n, :x)' '[{"name": "i", "type": "integer"}, {"name": "s", "type": "string"},
    {"name": "b", "type": "boolean"}, {"name": "n", "type": "number"}, {"name": "x", "type": "blob", "required": false}]'
  holds '.readonly == false'
  call put '{"params": {"i": 9007199254740993, "s": "a", "b": true, "n": 1.5, "x": {"$base64": "AQID"}}}'
  [ "$status_code" = 200 ]
  holds '.changes == 1 and .last_insert_rowid == 1'
  call put '{"params": {"i": -1, "s": "", "b": false, "n": 2, "x": null}}'
  [ "$status_code" = 200 ]
  local good='{"i": 1, "s": "a", "b": true, "n": 1}' wrong
  for wrong in '{"i": 1.5}' '{"i": "1"}' '{"i": null}' '{"s": 1}' '{"b": 1}' '{"n": "1"}' '{"x": "AQID"}' \
    '{"x": {"$base64": "?"}}' '{"y": 1}' '{"s": ["a"]}'; do
    call put "$(jq -cn --argjson good "$good" --argjson wrong "$wrong" '{params: ($good + $wrong)}')"
    expect_problem 400 INVALID_MESSAGE
  done
  call put '{"params": {"i": 1, "s": "a", "b": true}}'
  expect_problem 400 INVALID_MESSAGE
  holds '.detail == "params.n is missing"'
  call put
  expect_problem 400 INVALID_MESSAGE
  call put '{"params": [1]}'
  expect_problem 400 INVALID_MESSAGE
  [ "$(sql 'SELECT CAST(i AS TEXT), s, b, n, hex(x) FROM t')" = '[["9007199254740993","a",1,1.5,"010203"],["-1","",0,2,""]]' ]
}

@test "a query string gives values by their types" {
  start_daemon
  stored show 'SELECT :i, :s, :b, :n, hex(:x)' '[{"name": "i", "type": "integer", "default": 7}, {"name": "s", "type": "string",
    "required": false}, {"name": "b", "type": "boolean", "default": true}, {"name": "n", "type": "number", "default": 0.5},
    {"name": "x", "type": "blob", "required": false}]'
  api GET /queries/show
  holds '.rows == [[7, null, 1, 0.5, ""]]'
  api GET '/queries/show?i=-3&s=1%20%2B%C3%A9&b=false&n=1e3&x=AQID'
  holds '.rows == [[-3, "1 +é", 0, 1000.0, "010203"]]'
  api GET '/queries/show?s='
  holds '.rows[0][1] == ""'
  local wrong
  for wrong in i=1.5 i= i=x i=null b=1 n=x 'n=1%202' 'x=?' y=1 'i=1&i=2' _max_rows=0 _timeout_ms=x _other=1; do
    api GET "/queries/show?$wrong"
    expect_problem 400 INVALID_MESSAGE
  done
}

@test "limits and lines are those of other queries" {
  start_daemon
  stored many 'WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c'
  call many '{"max_rows": 2, "id": "mine"}'
  holds '.rows == [[1], [2]] and .truncated and .id == "mine"'
  api GET '/queries/many?_max_rows=3'
  holds '.rows == [[1], [2], [3]] and .truncated'
  stored endless 'WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c'
  call endless '{"timeout_ms": 100}'
  expect_problem 504 TIMEOUT
  api GET '/queries/endless?_timeout_ms=100'
  expect_problem 504 TIMEOUT
  api GET '/queries/many?_max_rows=2' '' -H 'Accept: application/x-ndjson'
  header content-type application/x-ndjson
  [ "$(jq -c . <<<"$body" | sed -n '2,3p' | tr '\n' ' ')" = '[1] [2] ' ]
}

@test "GET only reads, and a stored query that reads never writes" {
  start_daemon
  sql 'CREATE TABLE t (x)'
  stored put 'INSERT INTO t VALUES (:x) RETURNING x' '[{"name": "x", "type": "integer"}]'
  api GET '/queries/put?x=1'
  expect_problem 405 METHOD_NOT_ALLOWED
  header allow 'POST, DELETE, OPTIONS'
  [ "$(sql 'SELECT count(*) FROM t')" = '[[0]]' ]
  call put '{"params": {"x": 5}}'
  holds '.rows == [[5]] and .changes == 1'
}

@test "versions are counted and kept, and conditions are held to" {
  start_daemon
  stored q 'SELECT 1'
  local tag
  tag=$(etag)
  replace q 'SELECT 2' -H "If-Match: $tag"
  [ "$status_code" = 200 ]
  holds '.version == 2 and .sql == "SELECT 2" and .created_at < .updated_at'
  [ "$(etag)" != "$tag" ]
  replace q 'SELECT 9' -H "If-Match: $tag"
  expect_problem 412 PRECONDITION_FAILED
  api DELETE /queries/q '' -H "If-Match: $tag"
  expect_problem 412 PRECONDITION_FAILED
  api PUT /queries/q/definition '{"sql": "SELECT 9", "version": 1}'
  expect_problem 409 CONFLICT
  api PUT /queries/q/definition '{"sql": "SELECT 3", "version": 2}'
  [ "$status_code" = 200 ]
  replace q 'SELECT 4' -H 'If-Match: *'
  holds '.version == 4'
  call q
  holds '.rows == [[4]]'
  api GET /queries/q/versions
  holds '[.versions[] | .version] == [4, 3, 2, 1] and .total == 4 and .versions[3].sql == "SELECT 1"'
  api GET '/queries/q/versions?offset=1&limit=2'
  holds '[.versions[] | .version] == [3, 2] and .total == 4'
  api GET /queries/q/versions/2
  holds '.version == 2 and .sql == "SELECT 2"'
  api GET /queries/q/versions/5
  expect_problem 404 NOT_FOUND
  replace none 'SELECT 1'
  expect_problem 404 NOT_FOUND
  store q 'SELECT 1'
  expect_problem 409 CONFLICT
  api DELETE '/queries/q?version=3'
  expect_problem 409 CONFLICT
  api DELETE '/queries/q?version=4' '' -H 'If-Match: *'
  [ "$status_code" = 200 ]
  stored q 'SELECT 1'
  holds '.version == 1'
  api GET /queries/q/versions
  holds '.total == 1'
}

@test "the last hundred versions are kept" {
  start_daemon
  stored q 'SELECT 0'
  case_of saved many_versions
  api GET '/queries/q/versions?limit=1000'
  holds '.total == 100 and .versions[0].version == 120 and .versions[99].version == 21'
  api GET /queries/q/versions/20
  expect_problem 404 NOT_FOUND
}

@test "what makes no sense is not stored" {
  start_daemon
  sql 'CREATE TABLE t (x)'
  local x='{"name": "x", "type": "integer"}'
  store q 'SELEC 1' && expect_problem 400 QUERY_ERROR
  holds '.position == 0'
  store q 'SELECT * FROM nowhere' && expect_problem 404 TABLE_NOT_FOUND
  store q 'SELECT * FROM _rustydb_query' && expect_problem 403 PERMISSION_DENIED
  store q 'SELECT 1; SELECT 2' && expect_problem 400 QUERY_ERROR
  store q 'DROP TABLE t' && expect_problem 400 INVALID_MESSAGE
  store q 'PRAGMA user_version' && expect_problem 400 INVALID_MESSAGE
  store q 'EXPLAIN SELECT 1' && expect_problem 400 INVALID_MESSAGE
  store q 'SELECT ?' && expect_problem 400 INVALID_MESSAGE
  store q 'SELECT :x' && expect_problem 400 INVALID_MESSAGE
  store q 'SELECT 1' "[$x]" && expect_problem 400 INVALID_MESSAGE
  store q 'SELECT :x' "[$x, $x]" && expect_problem 400 INVALID_MESSAGE
  store q 'SELECT :x' '[{"name": "x", "type": "integer", "default": "1"}]' && expect_problem 400 INVALID_MESSAGE
  store q 'SELECT :x' '[{"name": "x", "type": "integer", "default": 1, "required": true}]' && expect_problem 400 INVALID_MESSAGE
  store q 'SELECT :x' '[{"name": "x", "type": "date"}]' && expect_problem 400 INVALID_MESSAGE
  store q 'SELECT :_x' '[{"name": "_x", "type": "integer"}]' && expect_problem 400 INVALID_MESSAGE
  store Q 'SELECT 1' && expect_problem 400 INVALID_MESSAGE
  store "q'; DROP TABLE t" 'SELECT 1' && expect_problem 400 INVALID_MESSAGE
  api GET /queries
  holds '.total == 0'
  [ "$(sql 'SELECT count(*) FROM t')" = '[[0]]' ]
}

@test "they outlive a stop and a crash" {
  start_daemon
  stored a 'SELECT :x AS x' '[{"name": "x", "type": "string", "default": "é\u0000\"", "description": "an é"}]'
  stored b 'SELECT 1'
  stored c 'SELECT 1'
  replace b 'SELECT 2'
  api DELETE /queries/c
  api GET /queries/a/definition
  local tag
  tag=$(etag)
  kill_daemon
  restart_daemon
  api GET /queries
  holds '[.queries[] | [.name, .version]] == [["a", 1], ["b", 2]]'
  api GET /queries/a/definition
  [ "$(etag)" = "$tag" ]
  call a
  holds '.rows == [["é\u0000\""]]'
  stop_daemon
  restart_daemon
  call b
  holds '.rows == [[2]]'
}

@test "they are invisible to SQL and to the list of tables, and make no events" {
  start_daemon
  sql 'SELECT 1'
  local before
  before=$(jq .lsn <<<"$body")
  stored q 'SELECT 1'
  api POST /query '{"sql": "SELECT * FROM _rustydb_query"}'
  expect_problem 403 PERMISSION_DENIED
  api GET /tables
  holds '.total == 0'
  sql 'SELECT 1'
  holds ".lsn == $before"
}

@test "a setting bounds how many there are" {
  start_daemon --max-stored-queries 2
  stored a 'SELECT 1'
  stored b 'SELECT 1'
  store c 'SELECT 1'
  expect_problem 409 CONFLICT
  replace a 'SELECT 2'
  [ "$status_code" = 200 ]
  api DELETE /queries/b
  stored c 'SELECT 1'
}

@test "many who change the same query leave one version after the other" {
  start_daemon --reactors 3
  case_of saved together
}
