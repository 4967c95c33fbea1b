#!/usr/bin/env bats
# What SQL shows to people of few rights, and ways around that were tried. The engine's own tests
# (tests/unit/test_engine_rights.c) go through many more.
# shellcheck disable=SC2154,SC2030,SC2031 # set by api; every test is a subshell

load helper
load identities

# Two tenants' orders; a seller sees those of one, without what they cost, and part of a phone number.
shop() {
  start_daemon
  sql "CREATE TABLE orders(id INTEGER PRIMARY KEY, tenant, item, cost, phone)"
  sql "INSERT INTO orders VALUES (1, 1, 'pen', 10, '0301234567'), (2, 1, 'ink', 20, '0307654321'), (3, 2, 'gold', 30, '040111')"
  sql "CREATE TABLE notes(id INTEGER PRIMARY KEY, body)"
  sql "CREATE TABLE salaries(who, much)"
  sql "CREATE VIEW all_orders AS SELECT id, item FROM orders"
  sql "CREATE VIEW ones AS SELECT 1 AS one FROM orders"
  role seller '{"scopes": ["sql"], "tables": [
    {"table": "orders", "operations": ["select", "update"], "columns": ["id", "tenant", "item", "phone"],
     "where": "tenant = claim('\''tenant'\'')", "masks": {"phone": {"kind": "partial", "keep": 3}}},
    {"table": "notes", "operations": ["select", "insert"]},
    {"table": "all_orders", "operations": ["select"]}, {"table": "ones", "operations": ["select"]}]}'
  user ann '{"roles": ["seller"], "claims": {"tenant": 1}}'
  user bob '{"roles": ["seller"], "claims": {"tenant": 2}}'
  api_key '{"user": "ann"}'
  ann=$key
  api_key '{"user": "bob"}'
  bob=$key
}
# query TOKEN SQL
query() { as "$1" POST /query "$(jq -nc --arg sql "$2" '{$sql}')"; }
gives() { # TOKEN SQL ROWS
  query "$1" "$2"
  [ "$status_code" = 200 ] && [ "$(jq -c .rows <<<"$body")" = "$3" ] || {
    printf '%s gave %s %s\n' "$2" "$status_code" "$body" >&2
    return 1
  }
}
refused() { # TOKEN SQL...
  local token=$1 text
  for text in "${@:2}"; do
    query "$token" "$text"
    expect_problem 403 PERMISSION_DENIED || { printf 'sent: %s\n' "$text" >&2; return 1; }
    [[ $body != *_rustydb_v* ]]
  done
}

@test "rows, columns and masks are what a role says, for each who has it" {
  shop
  for _ in 1 2 3; do
    gives "$ann" "SELECT id, item, phone FROM orders" '[[1,"pen","*******567"],[2,"ink","*******321"]]'
    gives "$bob" "SELECT id, item FROM orders" '[[3,"gold"]]'
    gives "$TOKEN" "SELECT count(*), sum(cost) FROM orders" '[[3,60]]'
    gives "$ann" "SELECT count(*) FROM orders" '[[2]]'
    gives "$ann" "SELECT item FROM all_orders" '[["pen"],["ink"]]'
    gives "$ann" "SELECT count(*) FROM ones" '[[2]]'
  done
  refused "$ann" "SELECT * FROM orders" "SELECT cost FROM orders" "SELECT id FROM orders ORDER BY cost" \
    "SELECT id FROM orders WHERE cost > 5"
  query "$ann" "SELECT cost FROM orders"
  [[ $body == *'orders.cost'* ]]
}

@test "no way leads around the shadow of a table" {
  shop
  refused "$ann" "SELECT id FROM main.orders" "SELECT count(*) FROM main.orders" \
    "WITH orders AS (SELECT * FROM main.orders) SELECT id FROM orders" \
    "SELECT count(*) FROM main.ones" "SELECT id FROM main.all_orders" \
    "EXPLAIN SELECT id FROM orders" "EXPLAIN QUERY PLAN SELECT id FROM orders" \
    "SELECT name FROM sqlite_temp_schema" "SELECT name FROM sqlite_schema" "SELECT * FROM dbstat" \
    "PRAGMA table_list" "SELECT * FROM pragma_table_list" "SELECT mask_partial('x', 1)" \
    "INSERT INTO notes(body) SELECT item FROM main.orders" "CREATE TEMP TABLE orders(a)" "VACUUM"
  # A term of one's own meets no hidden value.
  gives "$ann" "SELECT count(*) FROM orders WHERE CASE item WHEN 'gold' THEN abs(-9223372036854775808) ELSE 1 END" '[[2]]'
  gives "$ann" "SELECT count(*) FROM orders WHERE phone = '0301234567'" '[[0]]'
}

@test "changes by SQL are for tables that one may change without conditions" {
  shop
  refused "$ann" "UPDATE orders SET item = 'x'" "UPDATE main.orders SET item = 'x' WHERE id = 3" "DELETE FROM orders" \
    "INSERT OR REPLACE INTO notes VALUES(1, 'x')" "DELETE FROM notes" "CREATE TABLE t(a)"
  query "$ann" "UPDATE orders SET item = 'x'"
  [[ $body == */api/v1/tables/* ]]
  query "$ann" "INSERT INTO notes(body) SELECT item FROM orders"
  [ "$status_code" = 200 ]
  gives "$TOKEN" "SELECT body FROM notes" '[["pen"],["ink"]]'
}

@test "a table without a grant looks like one that is not there" {
  shop
  local text there
  for text in "SELECT * FROM %s" "SELECT nope FROM %s" "INSERT INTO %s VALUES(1)" "DELETE FROM main.%s" "EXPLAIN SELECT 1 FROM %s"; do
    query "$ann" "${text//%s/salaries}"
    expect_problem 403 PERMISSION_DENIED
    there=$(jq -c 'del(.request_id, .timestamp)' <<<"$body")
    query "$ann" "${text//%s/missings}"
    [ "${there//salaries/missings}" = "$(jq -c 'del(.request_id, .timestamp)' <<<"$body")" ]
  done
  as "$ann" GET /tables
  [[ $body != *salaries* ]]
}

@test "a role that changes, changes what its holders see at once" {
  shop
  gives "$ann" "SELECT count(*) FROM orders" '[[2]]'
  api PUT /admin/roles/seller '{"scopes": ["sql"], "tables": [{"table": "orders", "operations": ["select"], "where": "id = 3"}]}'
  [ "$status_code" = 200 ]
  gives "$ann" "SELECT id, cost FROM orders" '[[3,30]]'
  refused "$ann" "SELECT * FROM notes"
}
