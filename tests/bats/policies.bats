#!/usr/bin/env bats
# Row policies, masks and grants of columns: what each operation shows and does to a row of one's own,
# to that of somebody else, to a masked and to a denied column, through SQL and through the operations
# on rows.

load helper
load lib/rights

setup() {
  rustydb_setup
  start_daemon
  sql "CREATE TABLE orders(id INTEGER PRIMARY KEY, owner TEXT NOT NULL, status TEXT DEFAULT 'new',
    amount INTEGER, card TEXT, email TEXT UNIQUE COLLATE NOCASE, secret TEXT DEFAULT 'hidden default')"
  sql "INSERT INTO orders VALUES
    (1, 'ann', 'new', 10, '4111111111111111', 'ann@example.org', 'secret-of-ann'),
    (2, 'bob', 'new', 20, '5222222222222222', 'bob@example.org', 'secret-of-bob'),
    (3, 'ann', 'paid', 30, '4333333333333333', 'ann2@example.org', 'secret-of-ann2'),
    (4, 'bob', 'paid', 40, '5444444444444444', 'bob2@example.org', 'secret-of-bob2')"
  # Their own orders; paid ones are there to be read alone, and nobody writes for others.
  role clerk '{"scopes":["sql"],"tables":[
    {"table":"orders","operations":["select"],"columns":["id","owner","status","amount","card","email"],
     "where":"owner = current_user()","masks":{"card":{"kind":"partial","keep":4}}},
    {"table":"orders","operations":["insert","update","delete"],"columns":["id","owner","status","amount","email"],
     "where":"owner = current_user() AND status <> '"'paid'"'",
     "check":"owner = current_user() AND amount >= 0"}]}'
  # All orders, without cards, and without a right to change anything.
  role auditor '{"scopes":["sql"],"tables":[
    {"table":"orders","operations":["select"],"columns":["id","owner","status","amount","card"],
     "masks":{"card":{"kind":"null"},"amount":{"kind":"expression","sql":"amount / 10 * 10"}}}]}'
  user ann clerk
  user bob clerk
  user max auditor
}

rows=/tables/orders/rows

# unchanged ID: root finds the row as it was made.
unchanged() {
  [ "$(sql 'SELECT owner, status, amount FROM orders WHERE id = ?' "[$1]")" = "$2" ]
}

@test "a list has the rows that one may see, with masks, and without denied columns" {
  as ann api GET "$rows"
  [ "$(jq -c '[.rows[].id]' <<<"$body")" = '[1,3]' ]
  [ "$(jq -c '.rows[0]' <<<"$body")" = '{"id":1,"owner":"ann","status":"new","amount":10,"card":"************1111","email":"ann@example.org"}' ]
  as max api GET "$rows"
  [ "$(jq -c '[.rows[] | [.id, .amount, .card]]' <<<"$body")" = '[[1,10,null],[2,20,null],[3,30,null],[4,40,null]]' ]
  [[ $body != *secret* && $body != *email* ]]
  as ann api GET "$rows" '' -H 'Prefer: count=exact'
  [ "$(jq .total <<<"$body")" = 2 ]
}

@test "SQL sees the same rows" {
  sql_as ann 'SELECT id, card FROM orders ORDER BY id'
  [ "$(jq -c .rows <<<"$body")" = '[[1,"************1111"],[3,"************3333"]]' ]
  sql_as ann 'SELECT count(*) FROM orders'
  [ "$(jq -c .rows <<<"$body")" = '[[2]]' ]
  sql_as ann 'SELECT secret FROM orders'
  expect_problem 403 PERMISSION_DENIED
  sql_as max 'SELECT sum(amount), count(card) FROM orders'
  [ "$(jq -c .rows <<<"$body")" = '[[100,0]]' ]
}

@test "SQL does not write to a table with policies, and says what does" {
  local statement
  for statement in "INSERT INTO orders(owner, amount) VALUES ('ann', 1)" 'UPDATE orders SET amount = 1' \
    'DELETE FROM orders' "REPLACE INTO orders(id, owner, amount) VALUES (2, 'ann', 1)"; do
    sql_as ann "$statement"
    expect_problem 403 PERMISSION_DENIED
    jq -e '.hint | length > 0' <<<"$body"
  done
  unchanged 2 '[["bob","new",20]]'
  [ "$(sql 'SELECT count(*) FROM orders')" = '[[4]]' ]
}

@test "a row by its key: one's own, that of somebody else, one that is not there" {
  as ann api GET "$rows/1"
  [ "$(jq -c '[.id, .card, has("secret")]' <<<"$body")" = '[1,"************1111",false]' ]
  as ann api GET "$rows/2"
  expect_problem 404 NOT_FOUND
  hidden=${body//2/N}
  as ann api GET "$rows/9"
  expect_problem 404 NOT_FOUND
  [ "${body//9/N}" = "$hidden" ] || [ "$(jq -r .detail <<<"${body//9/N}")" = "$(jq -r .detail <<<"$hidden")" ]
}

@test "conditions and order are about what is shown, and about nothing that is denied" {
  as ann api GET "$rows?card=eq.4111111111111111"
  [ "$(jq -c .rows <<<"$body")" = '[]' ]
  as ann api GET "$rows?card=like.%251111"
  [ "$(jq -c '[.rows[].id]' <<<"$body")" = '[1]' ]
  as ann api GET "$rows?email=eq.ANN@EXAMPLE.ORG" # the column's collation counts
  [ "$(jq -c '[.rows[].id]' <<<"$body")" = '[1]' ]
  as ann api GET "$rows?amount=in.(10,20,30)&order=amount.desc"
  [ "$(jq -c '[.rows[].id]' <<<"$body")" = '[3,1]' ]
  as max api GET "$rows?amount=eq.40&select=id"
  [ "$(jq -c '[.rows[].id]' <<<"$body")" = '[4]' ]
  as ann api GET "$rows?not_there=eq.1"
  [[ $body != *secret* ]]
  local query
  for query in 'secret=eq.x' 'secret=is.null' 'order=secret' 'select=id,secret'; do
    as ann api GET "$rows?$query"
    expect_problem 403 PERMISSION_DENIED
  done
}

@test "pages go through what one sees, also where the key is masked" {
  role blurred '{"tables":[{"table":"orders","operations":["select"],"masks":{"id":{"kind":"hash"},"secret":{"kind":"null"}}}]}'
  user eve blurred
  local who cursor seen
  for who in ann max eve; do
    seen=0 cursor=
    while :; do
      as "$who" api GET "$rows?limit=1${cursor:+&cursor=$cursor}"
      [ "$status_code" = 200 ]
      seen=$((seen + $(jq '.rows | length' <<<"$body")))
      cursor=$(jq -r '.next_cursor // empty' <<<"$body")
      [ -n "$cursor" ] || break
      [[ $who != eve ]] || [[ $(base64 -d <<<"${cursor//[-_]/+}==" 2>/dev/null) != *after* ]]
    done
    case $who in ann) [ "$seen" = 2 ] ;; *) [ "$seen" = 4 ] ;; esac
  done
  as eve api GET "$rows/1" # the value itself finds nothing
  expect_problem 404 NOT_FOUND
}

@test "a row is inserted where the policy lets it" {
  as ann api POST "$rows" '{"id":10,"owner":"ann","amount":5}'
  [ "$status_code" = 201 ]
  [ "$(jq -c . <<<"$body")" = '{"id":10,"owner":"ann","status":"new","amount":5,"card":null,"email":null}' ]
  as ann api POST "$rows" '{"owner":"bob","amount":5}'
  expect_problem 403 PERMISSION_DENIED
  as ann api POST "$rows" '{"owner":"ann","amount":-1}'
  expect_problem 403 PERMISSION_DENIED
  as ann api POST "$rows" '{"owner":"ann","amount":1,"secret":"mine"}'
  expect_problem 403 PERMISSION_DENIED
  as ann api POST "$rows" '[{"owner":"ann","amount":1},{"owner":"bob","amount":1}]'
  expect_problem 403 PERMISSION_DENIED
  [ "$(jq .statement <<<"$body")" = 1 ]
  as max api POST "$rows" '{"owner":"max","amount":1}'
  expect_problem 403 PERMISSION_DENIED
  [ "$(sql 'SELECT count(*) FROM orders')" = '[[5]]' ]
}

@test "a row is changed and deleted where the policy lets it" {
  as ann api PATCH "$rows/1" '{"amount":11}'
  [ "$status_code" = 200 ]
  [ "$(jq -c '[.amount, .card]' <<<"$body")" = '[11,"************1111"]' ]
  as ann api PATCH "$rows/2" '{"amount":11}' # of somebody else: not there
  expect_problem 404 NOT_FOUND
  as ann api PATCH "$rows/3" '{"amount":11}' # seen, but not to be changed
  expect_problem 403 PERMISSION_DENIED
  as ann api PATCH "$rows/1" '{"owner":"bob"}' # out of one's hands
  expect_problem 403 PERMISSION_DENIED
  as ann api PATCH "$rows/1" '{"card":"x"}'
  expect_problem 403 PERMISSION_DENIED
  as ann api DELETE "$rows/2"
  expect_problem 404 NOT_FOUND
  as ann api DELETE "$rows/3"
  expect_problem 403 PERMISSION_DENIED
  as max api DELETE "$rows/1"
  expect_problem 403 PERMISSION_DENIED
  unchanged 1 '[["ann","new",11]]'
  unchanged 2 '[["bob","new",20]]'
  unchanged 3 '[["ann","paid",30]]'
  as ann api DELETE "$rows/1"
  [ "$status_code" = 204 ]
  [ "$(sql 'SELECT id FROM orders ORDER BY id')" = '[[2],[3],[4]]' ]
}

@test "many rows are changed and deleted as far as the policy lets them" {
  as ann api PATCH "$rows?all=true" '{"amount":7}'
  [ "$(jq .changes <<<"$body")" = 1 ]
  as ann api PATCH "$rows?owner=eq.bob" '{"amount":7}'
  [ "$(jq .changes <<<"$body")" = 0 ]
  as ann api PATCH "$rows?id=gt.0" '{"status":"open"}' -H 'Prefer: return=representation'
  [ "$(jq -c '[.rows[] | [.id, .status, .card]]' <<<"$body")" = '[[1,"open","************1111"]]' ]
  as ann api PATCH "$rows?id=eq.1" '{"owner":"bob"}'
  expect_problem 403 PERMISSION_DENIED
  as ann api PATCH "$rows?secret=like.secret%25" '{"amount":1}'
  expect_problem 403 PERMISSION_DENIED
  as ann api DELETE "$rows?id=in.(1,2,3,4)" '' -H 'Prefer: return=representation'
  [ "$(jq -c '[.changes, [.rows[].id]]' <<<"$body")" = '[1,[1]]' ]
  [ "$(sql 'SELECT id, owner, amount FROM orders')" = '[[2,"bob",20],[3,"ann",30],[4,"bob",40]]' ]
}

@test "an upsert does not touch a row that is hidden or may not be changed" {
  as ann api POST "$rows?resolution=merge" '{"id":1,"owner":"ann","amount":12}'
  [[ $status_code == 20[01] ]]
  unchanged 1 '[["ann","new",12]]'
  as ann api POST "$rows?resolution=merge" '{"id":2,"owner":"ann","amount":12}'
  expect_problem 403 PERMISSION_DENIED
  as ann api POST "$rows?resolution=merge" '{"id":3,"owner":"ann","amount":12}'
  expect_problem 403 PERMISSION_DENIED
  as ann api POST "$rows?resolution=merge" '[{"id":20,"owner":"ann","amount":1},{"id":2,"owner":"ann","amount":1}]'
  expect_problem 403 PERMISSION_DENIED
  as ann api POST "$rows?resolution=ignore" '{"id":2,"owner":"ann","amount":12}'
  [ "$status_code" = 204 ]
  as ann api POST "$rows?on_conflict=email" '{"email":"bob@example.org","owner":"ann","amount":1}'
  expect_problem 403 PERMISSION_DENIED
  unchanged 2 '[["bob","new",20]]'
  unchanged 3 '[["ann","paid",30]]'
  [ "$(sql 'SELECT count(*) FROM orders')" = '[[4]]' ]
}

@test "a table that replaces on conflict replaces nothing that is hidden" {
  sql "CREATE TABLE slots(id INTEGER PRIMARY KEY ON CONFLICT REPLACE, owner TEXT,
    place TEXT UNIQUE ON CONFLICT REPLACE)"
  sql "INSERT INTO slots VALUES (1, 'ann', 'a'), (2, 'bob', 'b')"
  role slotted '{"tables":[{"table":"slots","operations":["select","insert","update","delete"],"where":"owner = current_user()"}]}'
  user cid slotted
  as cid api POST /tables/slots/rows '{"id":2,"owner":"cid"}'
  [ "$status_code" -ge 400 ]
  as cid api POST /tables/slots/rows '{"owner":"cid","place":"b"}'
  [ "$status_code" -ge 400 ]
  as cid api POST /tables/slots/rows '{"id":3,"owner":"cid","place":"c"}'
  [ "$status_code" = 201 ]
  as cid api PATCH /tables/slots/rows/3 '{"place":"b"}'
  [ "$status_code" -ge 400 ]
  as cid api PATCH /tables/slots/rows/3 '{"id":1}'
  [ "$status_code" -ge 400 ]
  as cid api PUT /tables/slots/rows/1 '{"owner":"cid"}'
  [ "$status_code" -ge 400 ]
  [ "$(sql 'SELECT id, owner, place FROM slots')" = '[[1,"ann","a"],[2,"bob","b"],[3,"cid","c"]]' ]
}

@test "a key or value that is taken says so, and shows nothing of who has it" {
  as ann api POST "$rows" '{"id":2,"owner":"ann","amount":1}'
  [ "$status_code" -ge 400 ]
  [[ $body != *bob* && $body != *secret* && $body != *5222* ]]
  as ann api PATCH "$rows/1" '{"email":"bob@example.org"}'
  [ "$status_code" -ge 400 ]
  [[ $body != *bob* && $body != *secret* && $body != *5222* ]]
}

@test "PUT writes every column, and so takes a grant for every one" {
  as ann api PUT "$rows/1" '{"owner":"ann","amount":1}'
  expect_problem 403 PERMISSION_DENIED
  unchanged 1 '[["ann","new",10]]'
  role whole '{"tables":[{"table":"orders","operations":["select","insert","update"],"where":"owner = current_user()"}]}'
  user ida whole
  as ida api PUT "$rows/30" '{"owner":"ida","amount":1}'
  [ "$status_code" = 201 ]
  as ida api PUT "$rows/30" '{"owner":"ida","amount":2}'
  [ "$status_code" = 200 ]
  as ida api PUT "$rows/30" '{"owner":"ann","amount":2}'
  expect_problem 403 PERMISSION_DENIED
  as ida api PUT "$rows/1" '{"owner":"ida","amount":2}'
  [ "$status_code" -ge 400 ]
  unchanged 1 '[["ann","new",10]]'
  unchanged 30 '[["ida","new",2]]'
}

@test "the entity tag is of what one sees" {
  as ann api GET "$rows/1"
  seen=$(sed -n 's/^etag: //p' <<<"$headers")
  api GET "$rows/1"
  [ "$(sed -n 's/^etag: //p' <<<"$headers")" != "$seen" ]
  sql "UPDATE orders SET secret = 'another' WHERE id = 1" # no change that ann could see
  as ann api GET "$rows/1"
  [ "$(sed -n 's/^etag: //p' <<<"$headers")" = "$seen" ]
  as ann api PATCH "$rows/1" '{"amount":13}' -H "If-Match: $seen"
  [ "$status_code" = 200 ]
  as ann api PATCH "$rows/1" '{"amount":14}' -H "If-Match: $seen"
  expect_problem 412 PRECONDITION_FAILED
}

@test "who may insert and not read is told that it worked, and nothing else" {
  role dropbox '{"tables":[{"table":"orders","operations":["insert"],"columns":["owner","amount"]}]}'
  user zoe dropbox
  as zoe api POST "$rows" '{"owner":"zoe","amount":3}'
  [ "$status_code" = 201 ]
  [ -z "$body" ]
  run ! grep -qi '^location:' <<<"$headers"
  as zoe api GET "$rows"
  expect_problem 403 PERMISSION_DENIED
  as zoe api POST "$rows?resolution=merge" '{"owner":"zoe","amount":3}'
  expect_problem 403 PERMISSION_DENIED
}

@test "exports and stored queries show what SQL shows" {
  as ann api GET '/tables/orders/export?format=csv'
  [ "$status_code" = 200 ]
  [[ $body == *'************1111'* && $body != *secret-of* && $body != *bob@* ]]
  api POST /queries '{"name":"all-orders","sql":"SELECT * FROM orders"}'
  [ "$status_code" = 201 ]
  as ann api POST /queries/all-orders '{}'
  [[ $body != *secret-of* && $body != *bob@* ]]
  api POST /queries '{"name":"ids","sql":"SELECT id FROM orders ORDER BY id"}'
  as ann api GET /queries/ids
  [ "$(jq -c .rows <<<"$body")" = '[[1],[3]]' ]
}

@test "a transaction, a statement and a job are their owner's alone" {
  as ann api POST /transactions
  local id
  id=$(jq -r .transaction_id <<<"$body")
  as bob api POST "/transactions/$id/query" '{"sql":"SELECT count(*) FROM orders"}'
  expect_problem 404 NOT_FOUND
  as bob api POST "/transactions/$id/commit"
  expect_problem 404 NOT_FOUND
  as bob api POST "/transactions/$id/rollback"
  expect_problem 404 NOT_FOUND
  as ann api POST "/transactions/$id/query" '{"sql":"SELECT count(*) FROM orders"}'
  [ "$(jq -c .rows <<<"$body")" = '[[2]]' ]
  api POST "/transactions/$id/rollback" # root may end what others do
  [ "$status_code" = 200 ]
  api POST /admin/maintenance/analyze '' -H 'Prefer: wait=30'
  api GET /admin/jobs
  [ "$(jq .total <<<"$body")" = 1 ]
  id=$(jq -r '.jobs[0].id' <<<"$body")
  as ann api GET /admin/jobs
  [ "$(jq .total <<<"$body")" = 0 ]
  as ann api GET "/admin/jobs/$id"
  expect_problem 404 NOT_FOUND
}

@test "the same Idempotency-Key of two users is two keys" {
  as ann api POST "$rows" '{"owner":"ann","amount":1}' -H 'Idempotency-Key: same'
  [ "$status_code" = 201 ]
  as bob api POST "$rows" '{"owner":"bob","amount":1}' -H 'Idempotency-Key: same'
  [ "$status_code" = 201 ]
  [[ $body != *ann* ]]
}

@test "a look-up by key stays a look-up under a policy" {
  sql "INSERT INTO orders(owner, amount) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
    WHERE i < 20000) SELECT 'cy', i FROM n"
  as ann api GET "$rows/1"
  [ "$status_code" = 200 ]
  api GET '/monitoring/statements?limit=1000'
  # 20,000 rows take milliseconds; one takes far less.
  jq -e '[.statements[] | select(.sql | test("main") and test("orders")) | .min_ms] | min < 1' <<<"$body"
}
