#!/usr/bin/env bats
# From an account with few rights, at what it may not see. Every attack must be refused, or come back
# with nothing of it; and no answer ever has the secret in it.

load helper
load lib/rights

SECRET=s3cr3t-value

setup() {
  rustydb_setup
  start_daemon
  sql 'CREATE TABLE vault(id INTEGER PRIMARY KEY, body TEXT)'
  sql "INSERT INTO vault VALUES (1, '$SECRET'), (7, '$SECRET-7')"
  sql 'CREATE TABLE notes(id INTEGER PRIMARY KEY, owner TEXT, title TEXT, secret TEXT)'
  sql "INSERT INTO notes VALUES (1, 'mallory', 'mine', '$SECRET-own'), (2, 'alice', 'hidden-$SECRET', '$SECRET-2')"
  sql 'CREATE TABLE pub(id INTEGER PRIMARY KEY, title TEXT)'
  sql "INSERT INTO pub VALUES (1, 'public'), (2, 'open')"
  sql 'CREATE TABLE child(id INTEGER PRIMARY KEY, vault_id INTEGER REFERENCES vault(id) ON DELETE CASCADE)'
  sql 'CREATE VIEW vault_view AS SELECT body FROM vault'
  sql "CREATE TABLE log(line TEXT)"
  role thief '{"scopes":["sql"],"tables":[
    {"table":"notes","operations":["select","insert","update","delete"],"columns":["id","owner","title"],"where":"owner = current_user()"},
    {"table":"pub","operations":["select","insert","update","delete"]},
    {"table":"child","operations":["select","insert","update","delete"]}]}'
  user mallory thief
}

quiet() {
  [[ $body != *"$SECRET"* ]] || { echo "the secret is out: $body" >&2; return 1; }
}

# refused SQL...: each is refused by right, not by accident, and tells nothing.
refused() {
  local statement bad=0
  for statement; do
    sql_as mallory "$statement"
    if [ "$status_code" != 403 ] || ! quiet; then
      echo "not refused ($status_code): $statement: $body" >&2
      bad=1
    fi
  done
  return "$bad"
}

# fruitless SQL...: may fail or succeed, and tells nothing.
fruitless() {
  local statement bad=0
  for statement; do
    sql_as mallory "$statement"
    if [ "$status_code" -ge 500 ] || ! quiet; then
      echo "($status_code): $statement: $body" >&2
      bad=1
    fi
  done
  return "$bad"
}

untouched() {
  [ "$(sql 'SELECT * FROM vault')" = "[[1,\"$SECRET\"],[7,\"$SECRET-7\"]]" ]
  [ "$(sql 'SELECT title FROM notes WHERE id = 2')" = "[[\"hidden-$SECRET\"]]" ]
}

@test "a table without a grant, by every way to name it" {
  refused 'SELECT * FROM vault' 'SELECT body FROM main.vault' 'SELECT "body" FROM "main"."vault"' \
    'SELECT count(*) FROM vault' 'SELECT 1 FROM vault' 'SELECT rowid FROM vault' 'SELECT oid FROM [vault]' \
    'SELECT * FROM VAULT' 'SELECT v.body FROM vault v' 'SELECT notes.body FROM vault AS notes' \
    'SELECT * FROM vault notes' 'SELECT EXISTS (SELECT 1 FROM vault)' 'SELECT max(id) FROM vault'
}

@test "a table without a grant that has the name of a function" {
  sql 'CREATE TABLE generate_series(id INTEGER PRIMARY KEY, body TEXT)'
  sql "INSERT INTO generate_series VALUES (1, '$SECRET')"
  refused 'SELECT * FROM generate_series' 'SELECT body FROM main.generate_series'
}

@test "a table without a grant, inside of something else" {
  refused 'SELECT title FROM pub UNION SELECT body FROM vault' 'SELECT title FROM pub UNION ALL SELECT body FROM vault' \
    'SELECT title FROM pub EXCEPT SELECT body FROM vault' 'SELECT title FROM pub INTERSECT SELECT body FROM vault' \
    'WITH v AS (SELECT * FROM vault) SELECT * FROM v' 'WITH pub AS (SELECT * FROM vault) SELECT * FROM pub' \
    'WITH RECURSIVE r(b) AS (SELECT body FROM vault UNION SELECT b FROM r) SELECT * FROM r' \
    'SELECT (SELECT body FROM vault LIMIT 1)' 'SELECT * FROM pub WHERE id IN (SELECT id FROM vault)' \
    'SELECT * FROM pub WHERE id IN vault' 'SELECT * FROM pub ORDER BY (SELECT body FROM vault)' \
    'SELECT * FROM pub LIMIT (SELECT count(*) FROM vault)' 'SELECT * FROM pub JOIN vault USING (id)' \
    'SELECT * FROM pub NATURAL JOIN vault' 'SELECT * FROM pub LEFT JOIN vault ON 0' \
    'SELECT CASE WHEN 0 THEN (SELECT body FROM vault) END' 'SELECT json_group_array(body) FROM vault' \
    'SELECT value FROM json_each((SELECT json_group_array(body) FROM vault))' \
    'SELECT count(*) FILTER (WHERE id IN (SELECT id FROM vault)) FROM pub' \
    'SELECT title, row_number() OVER (ORDER BY (SELECT body FROM vault)) FROM pub' \
    'VALUES ((SELECT body FROM vault))' 'SELECT * FROM vault_view' 'SELECT count(*) FROM vault_view'
}

@test "rows under a policy, by every way around the view of them" {
  sql_as mallory 'SELECT id FROM notes'
  [ "$(jq -c .rows <<<"$body")" = '[[1]]' ]
  refused 'SELECT * FROM main.notes' 'SELECT count(*) FROM main.notes' 'SELECT title FROM "main"."notes" AS notes' \
    'WITH notes AS (SELECT * FROM main.notes) SELECT * FROM notes' \
    'WITH notes(id, title) AS (SELECT id, title FROM main.notes) SELECT title FROM notes' \
    'SELECT * FROM (SELECT * FROM main.notes) AS notes' 'SELECT rowid, title FROM main.notes' \
    'SELECT title FROM pub UNION SELECT title FROM main.notes' 'SELECT * FROM notes JOIN main.notes AS m USING (id)'
  fruitless 'SELECT * FROM temp.notes' 'SELECT * FROM notes' 'SELECT * FROM notes NOT INDEXED' \
    'SELECT * FROM notes WHERE 1 OR 1' 'SELECT * FROM notes UNION ALL SELECT * FROM notes' \
    'SELECT group_concat(title) FROM notes' 'SELECT * FROM notes a LEFT JOIN notes b ON a.id <> b.id' \
    "WITH current_user AS (SELECT 'alice') SELECT * FROM notes" "SELECT *, current_user() AS owner FROM notes" \
    "SELECT * FROM notes WHERE owner = 'alice'" 'SELECT * FROM notes WHERE id = 2' 'SELECT * FROM notes WHERE rowid = 2'
  sql_as mallory 'SELECT count(*) FROM notes WHERE id = 2 OR 1'
  [ "$(jq -c .rows <<<"$body")" = '[[1]]' ]
}

@test "a column without a grant" {
  refused 'SELECT secret FROM notes' 'SELECT n.secret FROM notes n' 'SELECT id FROM notes WHERE secret LIKE '"'s%'" \
    'SELECT id FROM notes ORDER BY secret' 'SELECT count(*) FROM notes GROUP BY secret' \
    'SELECT max(secret) FROM notes' 'SELECT id FROM notes WHERE length(secret) > 1' \
    'SELECT notes.id FROM notes JOIN pub ON pub.title = notes.secret' 'SELECT (SELECT secret FROM notes LIMIT 1)'
  fruitless 'SELECT "secret" FROM notes' 'SELECT * FROM notes' 'SELECT notes.* FROM notes, pub'
}

@test "errors and costs tell nothing of hidden rows" {
  local probe
  # An error, were the expression looked at for the hidden row.
  for probe in "CASE WHEN title LIKE 'hidden%' THEN abs(-9223372036854775807 - 1) ELSE 1 END" \
    "CASE WHEN title LIKE 'hidden%' THEN json('{') ELSE 1 END" \
    "CASE WHEN id = 2 THEN abs(-9223372036854775807 - 1) ELSE 1 END" \
    "iif(owner = 'alice', json_extract('[', '$'), 1)"; do
    sql_as mallory "SELECT id FROM notes WHERE $probe"
    [ "$status_code" = 200 ] || { echo "$probe: $body" >&2; return 1; }
    [ "$(jq -c .rows <<<"$body")" = '[[1]]' ]
    quiet
  done
  # Seconds of work, were it done for the hidden row.
  probe="CASE WHEN title LIKE 'hidden%' THEN (WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 100000000) SELECT max(i + length(title)) FROM c) > 0 ELSE 0 END"
  as mallory api POST /query "$(jq -cn --arg s "SELECT id FROM notes WHERE $probe" --argjson t $((3000 * SLOW)) '{sql: $s, timeout_ms: $t}')"
  [ "$status_code" = 200 ]
  [ "$(jq -c .rows <<<"$body")" = '[]' ]
}

@test "plans and checks of statements" {
  refused 'EXPLAIN SELECT * FROM vault' 'EXPLAIN QUERY PLAN SELECT * FROM vault' 'EXPLAIN SELECT title FROM main.notes' \
    'EXPLAIN SELECT * FROM notes'
  local path sql
  for path in /explain /validate; do
    for sql in 'SELECT * FROM vault' 'SELECT * FROM main.notes' 'SELECT secret FROM notes'; do
      as mallory api POST "$path" "$(jq -cn --arg s "$sql" '{sql: $s}')"
      quiet
      [ "$status_code" = 403 ] || jq -e '.valid == false' <<<"$body"
    done
  done
}

@test "the schema, pragmas, and what shows storage" {
  refused 'SELECT * FROM sqlite_schema' 'SELECT sql FROM sqlite_master' 'SELECT * FROM main.sqlite_schema' \
    'SELECT * FROM sqlite_temp_schema' 'SELECT * FROM temp.sqlite_master' 'PRAGMA writable_schema = 1' \
    "SELECT * FROM pragma_table_info('vault')" "SELECT * FROM pragma_table_xinfo('notes')" 'SELECT * FROM pragma_table_list' \
    'PRAGMA table_info(vault)' 'PRAGMA table_list' 'PRAGMA database_list' 'PRAGMA foreign_key_check(child)' \
    'PRAGMA integrity_check' 'PRAGMA user_version = 7' 'PRAGMA query_only = 0' 'PRAGMA temp_store = 1' \
    'PRAGMA journal_mode = DELETE' 'SELECT * FROM _rustydb_auth' 'SELECT * FROM _rustydb_log' 'SELECT * FROM main._rustydb_meta'
  fruitless 'SELECT * FROM dbstat' 'SELECT * FROM sqlite_dbpage' 'SELECT * FROM sqlite_stmt' 'SELECT * FROM sqlite_sequence' \
    'SELECT * FROM sqlite_stat1' "SELECT * FROM bytecode('SELECT 1')" 'SELECT * FROM sqlite_temp_master'
}

@test "other files, extensions, and functions that reach outside" {
  refused "ATTACH '$DIR/rustydb.db' AS x" "ATTACH ':memory:' AS x" 'DETACH main' "VACUUM INTO '$T/copy.db'" \
    "SELECT load_extension('/tmp/x')" "SELECT mask_hash('a')" "SELECT mask_partial('abcd', 4)"
  fruitless "SELECT readfile('/etc/passwd')" "SELECT writefile('$T/written', 'x')" "SELECT fts3_tokenizer('simple')" \
    "SELECT edit('x')" "SELECT * FROM fsdir('/')" "SELECT * FROM generate_series(1, 2)" \
    "SELECT current_user(), claim('sub')" "SELECT * FROM json_each('[1]')"
  [ ! -e "$T/copy.db" ]
  [ ! -e "$T/written" ]
}

@test "changing the schema without the scope" {
  refused 'CREATE VIEW v AS SELECT * FROM vault' 'CREATE TABLE copy AS SELECT * FROM vault' 'CREATE TABLE t(a)' \
    'CREATE INDEX i ON pub(title)' 'DROP TABLE vault' 'DROP TABLE pub' 'DROP VIEW vault_view' 'ALTER TABLE vault RENAME TO pub2' \
    'ALTER TABLE pub RENAME TO vault2' 'ALTER TABLE notes ADD COLUMN x' 'ALTER TABLE notes RENAME COLUMN secret TO title2' \
    'ALTER TABLE notes DROP COLUMN owner' 'CREATE TRIGGER t AFTER INSERT ON pub BEGIN INSERT INTO log SELECT body FROM vault; END' \
    'CREATE VIRTUAL TABLE f USING fts5(a)' 'REINDEX' 'ANALYZE' 'VACUUM' \
    'CREATE TEMP TABLE x AS SELECT * FROM vault' 'CREATE TEMP VIEW pub AS SELECT * FROM vault'
  untouched
}

@test "temporary objects in a transaction" {
  as mallory api POST /transactions
  local id statement
  id=$(jq -r .transaction_id <<<"$body")
  for statement in 'CREATE TEMP TABLE x AS SELECT * FROM vault' 'CREATE TEMP VIEW v AS SELECT * FROM vault' \
    'CREATE TEMP TABLE notes(id, owner, title)' 'CREATE TEMP VIEW notes AS SELECT * FROM main.notes' 'SELECT * FROM v' \
    'CREATE TEMP TRIGGER t AFTER INSERT ON main.pub BEGIN UPDATE pub SET title = (SELECT body FROM vault); END' \
    'SELECT * FROM vault' 'SELECT * FROM main.notes' 'SELECT secret FROM notes' 'SELECT * FROM notes' \
    "INSERT INTO pub VALUES (9, (SELECT body FROM vault))" 'SELECT * FROM pub' \
    'WITH notes AS (SELECT * FROM main.notes) SELECT * FROM notes' 'SELECT * FROM sqlite_temp_schema'; do
    as mallory api POST "/transactions/$id/query" "$(jq -cn --arg s "$statement" '{sql: $s}')"
    quiet || { echo "$statement" >&2; return 1; }
  done
  as mallory api POST "/transactions/$id/commit"
  as mallory api GET /tables/pub/rows
  quiet
  untouched
}

@test "a secret carried into a table that one may read" {
  refused 'INSERT INTO pub SELECT id + 100, body FROM vault' 'INSERT INTO pub VALUES (50, (SELECT body FROM vault))' \
    'UPDATE pub SET title = (SELECT body FROM vault)' 'UPDATE pub SET title = body FROM vault WHERE vault.id = pub.id' \
    'DELETE FROM pub WHERE id IN (SELECT id FROM vault)' 'INSERT INTO pub(title) VALUES (1) RETURNING (SELECT body FROM vault)' \
    "INSERT INTO pub VALUES (1, 'x') ON CONFLICT DO UPDATE SET title = (SELECT body FROM vault)" \
    "INSERT INTO pub VALUES (1, 'x') ON CONFLICT DO UPDATE SET title = 'y' WHERE (SELECT body FROM vault) LIKE 's%'" \
    'INSERT INTO pub(title) SELECT title FROM main.notes' 'INSERT INTO pub(title) SELECT secret FROM notes' \
    'UPDATE pub SET title = (SELECT title FROM main.notes WHERE id = 2)' 'INSERT INTO vault DEFAULT VALUES' \
    'DELETE FROM vault' "UPDATE vault SET body = 'x'" "REPLACE INTO vault VALUES (1, 'x')" \
    "INSERT INTO notes VALUES (9, 'mallory', 'x', 'y')" "REPLACE INTO notes(id, owner, title) VALUES (2, 'mallory', 'x')" \
    'DELETE FROM notes' "UPDATE notes SET owner = 'mallory'" "UPDATE main.notes SET owner = 'mallory' RETURNING title"
  [ "$(sql 'SELECT * FROM pub')" = '[[1,"public"],[2,"open"]]' ]
  untouched
}

@test "views and triggers of others do what those who fire them may" {
  sql 'CREATE TRIGGER tell AFTER UPDATE ON pub BEGIN INSERT INTO log SELECT body FROM vault; END'
  sql_as mallory "UPDATE pub SET title = 'z' WHERE id = 1"
  [ "$status_code" = 403 ]
  quiet
  as mallory api PATCH /tables/pub/rows/1 '{"title":"z"}'
  [ "$status_code" = 403 ]
  quiet
  [ "$(sql 'SELECT count(*) FROM log')" = '[[0]]' ]
  sql 'DROP TRIGGER tell'
}

@test "keys of other tables: a reference shows at most that a key is there" {
  sql_as mallory 'INSERT INTO child VALUES (1, 7)'
  quiet
  sql_as mallory 'INSERT INTO child VALUES (2, 8) RETURNING *'
  quiet
  sql_as mallory 'DELETE FROM child'
  quiet
  untouched
}

@test "what SQLite reads without asking: rows copied whole, and columns that are joined" {
  sql 'CREATE TABLE empty(id INTEGER PRIMARY KEY, body TEXT)'
  sql 'CREATE TABLE wide(id INTEGER PRIMARY KEY, owner TEXT, title TEXT, secret TEXT)'
  sql 'CREATE TABLE staff(id INTEGER PRIMARY KEY, name TEXT, pay TEXT)'
  sql "INSERT INTO staff VALUES (1, 'ann', '$SECRET-pay')"
  role copier '{"tables":[
    {"table":"empty","operations":["select","insert","delete"]},
    {"table":"wide","operations":["select","insert","delete"]},
    {"table":"staff","operations":["select"],"columns":["id","name"]}]}'
  api PATCH /admin/users/mallory '{"roles":["thief","copier"]}'
  [ "$status_code" = 200 ]
  refused 'INSERT INTO empty SELECT * FROM vault' 'INSERT INTO empty SELECT * FROM (vault)' \
    'INSERT INTO empty SELECT * FROM main.vault AS pub' "INSERT INTO empty SELECT * FROM 'vault'" \
    'REPLACE INTO empty SELECT * FROM vault' 'INSERT INTO wide SELECT * FROM notes' \
    'INSERT INTO wide SELECT * FROM main.notes' 'EXPLAIN INSERT INTO empty SELECT * FROM vault' \
    'INSERT INTO empty SELECT * FROM _rustydb_meta'
  refused "SELECT body FROM (SELECT 'z' AS body) x FULL JOIN vault USING (body)" \
    'SELECT * FROM vault NATURAL FULL JOIN (SELECT 1 AS body)' \
    "SELECT title FROM (SELECT 'z' AS title) x FULL JOIN main.notes USING (title)" \
    "SELECT pay FROM (SELECT 'z' AS pay) x FULL JOIN staff USING (pay)" \
    "SELECT count(*) FROM staff JOIN (SELECT '$SECRET-pay' AS pay) USING (pay)" \
    'SELECT pay FROM staff NATURAL FULL JOIN (SELECT 1 AS pay)' \
    "SELECT value FROM (SELECT 1 AS value) x FULL JOIN _rustydb_meta USING (value)" \
    "SELECT sql FROM (SELECT 1 AS sql) x FULL JOIN sqlite_schema USING (sql)"
  fruitless "SELECT secret FROM (SELECT 'z' AS secret) x FULL JOIN notes USING (secret)" \
    "SELECT title FROM (SELECT 'z' AS title) x FULL JOIN notes USING (title)"
  # What is granted still goes.
  sql_as mallory 'SELECT name FROM staff JOIN pub USING (id)'
  [ "$(jq -c .rows <<<"$body")" = '[["ann"]]' ]
  sql_as mallory 'INSERT INTO empty SELECT * FROM pub'
  [ "$(jq -c .changes <<<"$body")" = 2 ]
  # Not even who may everything reads the tables of the database itself.
  local statement
  for statement in 'INSERT INTO wide SELECT * FROM _rustydb_meta' \
    'SELECT value FROM (SELECT 1 AS value) x FULL JOIN _rustydb_meta USING (value)' \
    'CREATE VIEW peek AS SELECT value FROM (SELECT 1 AS value) x FULL JOIN "_rustydb_meta" USING (value)'; do
    api POST /query "$(jq -cn --arg s "$statement" '{sql: $s}')"
    [ "$status_code" = 403 ] || { echo "$statement: $body" >&2; return 1; }
  done
  untouched
}

@test "what is made for others to run reads nothing that its maker may not" {
  role architect '{"scopes":["sql","schema"],"tables":[
    {"table":"pub","operations":["select","insert","update","delete"]},
    {"table":"mine","operations":["select","insert","update","delete"]},
    {"table":"mine_content","operations":["select","insert","update","delete"]},
    {"table":"mine_data","operations":["select","insert","update","delete"]},
    {"table":"mine_idx","operations":["select","insert","update","delete"]},
    {"table":"mine_docsize","operations":["select","insert","update","delete"]},
    {"table":"mine_config","operations":["select","insert","update","delete"]}]}'
  user eve architect
  local statement
  for statement in \
    'CREATE TRIGGER a AFTER INSERT ON log BEGIN INSERT INTO pub(title) SELECT body FROM vault; END' \
    'CREATE TRIGGER b AFTER INSERT ON pub BEGIN SELECT 1 AS with, vault FROM (SELECT 1 AS vault); INSERT INTO pub(title) SELECT body FROM vault; END' \
    'CREATE TRIGGER c AFTER INSERT ON pub BEGIN INSERT INTO pub(title) SELECT body FROM pub AS window, vault; END' \
    'CREATE TRIGGER d AFTER INSERT ON pub BEGIN INSERT INTO pub(title) WITH vault AS (SELECT 1 AS body) SELECT body FROM vault LIMIT 0; INSERT INTO pub(title) SELECT body FROM vault; END' \
    'CREATE VIEW mine AS SELECT body FROM vault' \
    "CREATE VIRTUAL TABLE mine USING fts5(body, content='vault', content_rowid='id')" \
    "CREATE VIRTUAL TABLE mine USING fts5(body, c = 'vault', content_rowid='id')"; do
    sql_as eve "$statement"
    [ "$status_code" = 403 ] || { echo "$statement: $body" >&2; return 1; }
  done
  for statement in 'CREATE VIEW mine AS WITH p AS (SELECT title FROM pub) SELECT title FROM p' 'DROP VIEW mine' \
    'CREATE VIRTUAL TABLE mine USING fts5(body)' 'DROP TABLE mine' \
    'CREATE TRIGGER e AFTER INSERT ON pub BEGIN UPDATE pub SET title = title; END'; do
    sql_as eve "$statement"
    [ "$status_code" = 200 ] || { echo "$statement: $body" >&2; return 1; }
  done
}

@test "import and export" {
  as mallory api GET /tables/vault/export
  [[ $status_code == 40[34] ]]
  quiet
  as mallory api GET '/tables/notes/export?columns=secret' # there is no such column for her
  [[ $status_code == 40[03] ]]
  quiet
  as mallory api GET /tables/notes/export
  [ "$status_code" = 200 ]
  [[ $body == *mine* ]]
  quiet
  local query table
  for table in vault notes; do
    for query in '' '?create=true' '?atomic=true'; do
      as mallory api POST "/import/$table$query" '{"id":2,"owner":"mallory","title":"x","body":"x"}' -H 'Content-Type: application/x-ndjson'
      [ "$status_code" -ge 400 ]
      quiet
    done
  done
  as mallory api POST '/import/fresh?create=true' '{"a":1}' -H 'Content-Type: application/x-ndjson'
  [ "$status_code" = 403 ]
  untouched
}

@test "a stored query of somebody with more rights" {
  api POST /queries '{"name":"peek","sql":"SELECT body FROM vault"}'
  api POST /queries '{"name":"take","sql":"INSERT INTO pub(title) SELECT body FROM vault"}'
  local name
  for name in peek take; do
    as mallory api POST "/queries/$name" '{}'
    [ "$status_code" = 403 ]
    quiet
  done
  as mallory api GET /queries/peek
  [ "$status_code" = 403 ]
  quiet
  [ "$(sql 'SELECT count(*) FROM pub')" = '[[2]]' ]
}

@test "the operations on rows and tables" {
  local path
  for path in /tables/vault/rows /tables/vault/rows/1 '/tables/notes/rows?secret=like.s%25' '/tables/notes/rows?order=secret' \
    '/tables/notes/rows?select=secret' '/tables/notes/rows/2' '/tables/main.vault/rows' '/tables/_rustydb_auth/rows' \
    '/tables/sqlite_schema/rows' '/tables/sqlite_master/rows' '/tables/vault_view/rows'; do
    as mallory api GET "$path"
    [ "$status_code" -ge 400 ] || { echo "$path: $body" >&2; return 1; }
    quiet
  done
  for path in '/tables/notes/rows' '/tables/notes/rows?title=like.hidden%25' '/tables/notes/rows?id=eq.2' \
    '/tables/notes/rows?%22title%22=not.null' '/tables/notes/rows?select=title&order=title.desc'; do
    as mallory api GET "$path"
    [ "$status_code" = 200 ] || { echo "$path: $body" >&2; return 1; }
    quiet
  done
  # A cursor that was made up: the position of another row is no way to it.
  as mallory api GET "/tables/notes/rows?limit=1&cursor=$(printf '{"order":"id","after":[1]}' | base64 | tr '+/' '-_' | tr -d '=')"
  quiet
  as mallory api POST /tables/notes/rows '{"title":"x","owner":"mallory","secret":"y"}'
  [ "$status_code" = 403 ]
  as mallory api PATCH '/tables/notes/rows?id=eq.2' '{"title":"x"}' -H 'Prefer: return=representation'
  [ "$(jq .changes <<<"$body")" = 0 ]
  as mallory api DELETE '/tables/notes/rows?id=eq.2' '' -H 'Prefer: return=representation'
  [ "$(jq .changes <<<"$body")" = 0 ]
  for path in /tables /tables/vault /tables/vault/indexes /views /views/vault_view; do
    as mallory api GET "$path"
    quiet
    [[ $body != *'"vault"'* || $status_code -ge 400 ]] || { echo "$path: $body" >&2; return 1; }
  done
  untouched
}

@test "with the scope for the schema, still not at other tables" {
  role architect '{"scopes":["sql","schema"],"tables":[
    {"table":"pub","operations":["select","insert","update","delete"]},
    {"table":"mine","operations":["select","insert","update","delete"]}]}'
  user eve architect
  local statement
  for statement in 'CREATE VIEW mine AS SELECT body FROM vault' 'SELECT * FROM mine' 'DROP VIEW mine' \
    'CREATE TABLE mine AS SELECT * FROM vault' 'SELECT * FROM mine' 'DROP TABLE mine' \
    'ALTER TABLE vault RENAME TO mine' 'SELECT * FROM mine' 'ALTER TABLE mine RENAME TO vault' \
    'CREATE TRIGGER grab AFTER UPDATE ON pub BEGIN INSERT INTO pub(title) SELECT body FROM vault; END' \
    "UPDATE pub SET title = 'a' WHERE id = 1" 'SELECT * FROM pub' 'DROP TRIGGER grab' \
    'CREATE TRIGGER leak AFTER INSERT ON vault BEGIN INSERT INTO pub(title) VALUES (new.body); END' \
    'CREATE INDEX i ON pub((SELECT body FROM vault))' 'CREATE INDEX spy ON vault(body)'; do
    sql_as eve "$statement"
    quiet || { echo "$statement" >&2; return 1; }
  done
  as eve api PATCH /tables/vault '{"rename_to":"mine"}'
  as eve api GET /tables/mine/rows
  quiet
  as eve api POST /views '{"name":"mine","sql":"SELECT body FROM vault"}'
  quiet
  as eve api GET /tables/mine/rows
  quiet
  sql "INSERT INTO vault VALUES (8, '$SECRET-8')" # by root: what eve left behind must not carry it out
  as eve api GET /tables/pub/rows
  quiet
  sql 'DELETE FROM vault WHERE id = 8'
  untouched
}

@test "live queries, subscriptions and their filters" {
  case_of attacks subscriptions "${KEYS[mallory]}" "$SECRET"
}
