#!/usr/bin/env bats
# rustydb.bin.v1 against decoders that are not ours: one in Python, written from the description
# alone, and the Rust crate bincode with derive (tests/conformance/bincode, where cargo is there).

load helper

CRATE=$REPO/tests/conformance/bincode
TARGET=$REPO/build/conformance/bincode
RUST=$TARGET/debug/rustydb-bincode

# Before the tests have homes of their own: cargo keeps the crates in the real one.
setup_file() {
  local log=$BATS_FILE_TMPDIR/cargo.log
  unset MAKEFLAGS MFLAGS MAKELEVEL CARGO_MAKEFLAGS # make's job server is not cargo's to use
  export RUST_SKIP=
  if ! command -v cargo >/dev/null || ! cargo --version >"$log" 2>&1; then
    RUST_SKIP='no cargo'
  elif ! printf '1.85\n%s\n' "$(cut -d' ' -f2 "$log")" | sort -CV; then
    RUST_SKIP="bincode 2.0.1 wants cargo 1.85; this is $(cut -d' ' -f2 "$log")"
  else
    mkdir -p "$TARGET/crate" # a copy, for cargo writes a lock file beside it
    cp -r "$CRATE/Cargo.toml" "$CRATE/src" "$TARGET/crate"
    if ! timeout 120 cargo fetch --manifest-path "$TARGET/crate/Cargo.toml" >"$log" 2>&1; then
      RUST_SKIP='the crates cannot be downloaded'
    else
      CARGO_TARGET_DIR=$TARGET timeout 600 cargo build --quiet --offline \
        --manifest-path "$TARGET/crate/Cargo.toml" 2>&1
    fi
  fi
}

rust() {
  [ -z "$RUST_SKIP" ] || skip "$RUST_SKIP"
  "$RUST" "$@"
}

good_files() {
  local f
  for f in "$REPO"/tests/data/bin/*.txt; do
    case ${f##*/} in bad.txt | refused.txt | long_forms.txt) ;; *) printf '%s\n' "$f" ;; esac
  done
}

@test "bincode: the Python decoder and the test vectors agree, both ways" {
  case_of bin_vectors same
  case_of bin_vectors longer
  case_of bin_vectors refused
}

@test "bincode: every name of a type, a variant and a field stands in the manual page" {
  case_of bin_vectors documented "$REPO/man/rustydb-protocol.7"
}

@test "bincode: the crate reads every vector and writes the same bytes" {
  mapfile -t files < <(good_files)
  [ "${#files[@]}" -ge 9 ]
  rust same "${files[@]}" "$REPO/tests/data/bin/refused.txt"
  rust longer "$REPO/tests/data/bin/long_forms.txt"
  rust refused "$REPO/tests/data/bin/bad.txt"
}

@test "bincode: what the crate writes is read by Python and by us" {
  rust own >"$T/own.txt"
  case_of bin_vectors same "$T/own.txt"
  local unit=${BIN%/*}/unit/test_bin_message
  if [ ! -x "$unit" ]; then skip 'the unit tests are not built'; fi
  (cd "$REPO" && BIN_VECTORS=$T/own.txt "$unit")
}

@test "bincode: the daemon answers what the crate writes, and the crate reads the answers" {
  rust requests >"$T/requests"
  start_daemon
  case_of bin_vectors exchange "$T/requests" "$T/answers"
  rust answers "$T/answers" >"$T/shown"
  cat "$T/shown"
  grep -q '^e ExecuteResult Statement(Summary { rows: 0, changes: 1, last_insert_rowid: -300,' "$T/shown"
  grep -qF 'q QueryResult Columns { columns: [Column { name: "id", decl_type: Some("INTEGER") }' "$T/shown"
  grep -qF 'q QueryResult Rows { values: [Integer(-300), Text("from Rust 🦀"), Decimal(1, 1), Blob([0, 255]), Null] }' "$T/shown"
  grep -q '^b ExecuteResult Begun { transaction: ' "$T/shown"
  grep -q '^bad Error Error { code: "QUERY_ERROR",' "$T/shown"
  grep -q '^s ExecuteResult Subscribed { ' "$T/shown"
  grep -q '^ Event Welcome { ' "$T/shown"
  grep -qE '^ Event Change \{ topic: "table:t", filter: Some\("[0-9a-f]{12}"\), .* op: Insert, columns: \["id", "x"\], row: Some\(\[Integer\(-300\), Text\("from Rust 🦀"\)\]\), old_row: None, changed: \[\] \}' "$T/shown"
}
