#!/usr/bin/env bats
# The main job of a newcomer, with real data: Debian's iso-codes.

load helper

rows() { # SQL: the rows as arrays, through the command line
  "$BIN" query --format json "$1" | jq -c '[.[] | [.[]]]'
}

import_both() {
  "$BIN" import countries "$ISO_CODES/iso_3166-1.json" --at /3166-1 --create
  "$BIN" import subdivisions "$ISO_CODES/iso_3166-2.json" --at /3166-2 --create
}

@test "real data goes in as it is, and joins" {
  start_daemon
  import_both
  [ "$(rows 'SELECT count(*) FROM countries')" = '[[249]]' ]
  local there parents
  there=$(jq '.["3166-2"] | length' "$ISO_CODES/iso_3166-2.json")
  [ "$there" -gt 5000 ]
  [ "$(rows 'SELECT count(*) FROM subdivisions')" = "[[$there]]" ]
  [ "$(rows 'SELECT count(*) FROM subdivisions s JOIN countries c ON c.alpha_2 = substr(s.code, 1, 2)')" = "[[$there]]" ]
  parents=$(jq '[.["3166-2"][] | select(.parent != null)] | length' "$ISO_CODES/iso_3166-2.json")
  [ "$parents" -gt 1000 ]
  [ "$(rows 'SELECT count(*) FROM subdivisions WHERE parent IS NOT NULL')" = "[[$parents]]" ]
  # Codes with leading zeros are text, accents and flags survive, what a row lacks is NULL.
  [ "$(rows "SELECT numeric, typeof(numeric), flag FROM countries WHERE alpha_2 = 'AF'")" = '[["004","text","🇦🇫"]]' ]
  [ "$(rows "SELECT name, common_name FROM countries WHERE alpha_2 = 'CI'")" = "[[\"Côte d'Ivoire\",null]]" ]
}

@test "every row of the file is in the table, value for value" {
  start_daemon
  import_both
  "$BIN" query --format json 'SELECT * FROM subdivisions' |
    jq -cS '.[] | with_entries(select(.value != null))' | sort >"$T/found"
  jq -cS '.["3166-2"][]' "$ISO_CODES/iso_3166-2.json" | sort >"$T/expected"
  cmp "$T/expected" "$T/found"
}

@test "changes from several clients at once reach a subscriber, each once and in order" {
  start_daemon
  import_both
  sql 'ALTER TABLE countries ADD COLUMN visits INTEGER NOT NULL DEFAULT 0'
  local lsn code codes n=0 clients=()
  lsn=$(jq .lsn "$T/answer")
  background "$BIN" subscribe table:countries --since "$lsn" --ops update --count 24 --format jsonl >"$T/events"
  local subscriber=$BG
  codes=(FR DE IT ES PT NL BE LU)
  for code in "${codes[@]}"; do
    (
      for _ in 1 2 3; do
        "$BIN" query --quiet 'UPDATE countries SET visits = visits + 1 WHERE alpha_2 = ?' "$code"
      done
    ) >"$T/client.$code" 2>&1 3>&- &
    clients+=($!)
  done
  for n in "${clients[@]}"; do wait "$n"; done
  wait_exit "$subscriber"
  [ "$(jq -s length "$T/events")" = 24 ]
  jq -es '[.[].lsn] == ([.[].lsn] | unique)' "$T/events"
  jq -es '[.[] | .row.visits - .old_row.visits] | unique == [1]' "$T/events"
  jq -es '[.[].changed_columns] | unique == [["visits"]]' "$T/events"
  jq -es '[group_by(.row.alpha_2)[] | [.[].row.visits]] | length == 8 and (unique == [[1, 2, 3]])' "$T/events"
}

@test "SIGKILL amid the writes: what was acknowledged is there, and subscribers miss nothing" {
  run "$PYTHON" "$LIB/story.py" --bin "$BIN" --dir "$T" --kills 3 --seed "$RANDOM"
  echo "$output"
  [ "$status" = 0 ]
  [[ ${lines[-1]} =~ ^[0-9]+\ passed,\ 0\ failed$ ]]
}
