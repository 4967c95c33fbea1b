#!/usr/bin/env bats
# The frame of the command line: help, version, options anywhere, errors that say what was meant.

load helper

# misuse WORDS -- ARGUMENT...: status 2, nothing on standard output, WORDS on standard error.
misuse() {
  local words=$1
  shift 2
  run --separate-stderr "$BIN" "$@"
  if [ "$status" != 2 ] || [ -n "$output" ] || [[ $stderr != *"$words"* ]]; then
    printf '%s: status %s, output "%s"\n%s\n' "$*" "$status" "$output" "$stderr"
    return 1
  fi
}

commands() { "$BIN" | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'; }

@test "rustydb alone shows the help; --help, -h and help do the same" {
  run --separate-stderr "$BIN"
  [ "$status" = 0 ]
  [ -z "$stderr" ]
  [[ $output == *"Usage: rustydb [OPTION...] COMMAND"* ]]
  local all=$output how
  for how in --help -h help; do
    run "$BIN" "$how"
    [ "$status" = 0 ]
    [ "$output" = "$all" ]
  done
}

@test "every command has a help that fits a terminal, and help COMMAND shows it" {
  local name
  [ "$(commands | wc -l)" -ge 3 ]
  for name in $(commands); do
    run --separate-stderr "$BIN" "$name" --help
    [ "$status" = 0 ]
    [ -z "$stderr" ]
    [[ $output == "rustydb $name: "*"Usage: rustydb $name"* ]]
    # Examples may be longer: a command that is copied stays in one line.
    awk -v name="$name" '/^Examples:/ { exit } length > 80 { print name ": " $0; bad = 1 } END { exit bad }' <<<"$output"
    run ! grep -q ' $' <<<"$output"
    # A machine without manual pages: the same text.
    [ "$(PATH=/nonexistent "$BIN" help "$name")" = "$("$BIN" "$name" --help)" ]
  done
}

@test "help shows the manual page where there is one" {
  mkdir "$T/bin"
  cat >"$T/bin/man" <<'END'
#!/bin/sh
[ "$1" = -w ] && exit 0
echo "page $1"
END
  chmod +x "$T/bin/man"
  PATH=$T/bin:$PATH run "$BIN" help version
  [ "$output" = "page rustydb-version" ]
}

@test "--version and version say the same, one line" {
  run "$BIN" --version
  [ "$status" = 0 ]
  [[ $output =~ ^rustydb\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
  [ "$("$BIN" version)" = "$output" ]
  [ "$("$BIN" version --version)" = "$output" ]
  [ "$("$BIN" -qv --no-color version)" = "$output" ]
  [ "$("$BIN" version -v --quiet)" = "$output" ]
}

@test "what is misspelt gets a suggestion" {
  misuse 'there is no command "hepl"; did you mean "help"?' -- hepl
  misuse 'there is no command "sevre"; did you mean "serve"?' -- sevre
  misuse 'there is no command "zzzzz"' -- zzzzz
  misuse 'there is no option --formt; did you mean --format?' -- --formt x
  misuse 'rustydb version: there is no option --cacrt; did you mean --cacert?' -- version --cacrt
  misuse 'rustydb serve: there is no option --max-bdy; did you mean --max-body?' -- serve --max-bdy 1
  misuse 'there is no option --zzzzz' -- version --zzzzz
  misuse 'there is no option -Z' -- version -vZ
  misuse '"rustydb version --help" says what there is.' -- version --zzzzz
}

@test "options are checked" {
  misuse '--url needs its URL' -- version --url
  misuse '--max-body needs its SIZE' -- serve --max-body
  misuse '--quiet takes no value' -- version --quiet=1
  misuse '--timeout takes a time' -- --timeout soon version
  misuse '--timeout takes a time' -- version --timeout=-1s
  misuse 'has no choice of --format' -- --format json version
  misuse 'there is no format "xml" here, but: ' -- query --format xml 'SELECT 1'
  misuse 'takes no arguments' -- version now
  misuse 'takes no arguments' -- version -- --help
  misuse 'takes no arguments' -- version -1
  misuse 'one command at a time' -- help version help
  misuse 'there is no command "nothing"' -- help nothing
}

@test "output that cannot be written is no success, a reader who left is no noise" {
  [ -c /dev/full ] || skip "there is no /dev/full"
  run bash -c '"$1" --version >/dev/full' - "$BIN"
  [ "$status" = 1 ]
  [[ $output == *"cannot write to standard output"* ]]
  run --separate-stderr bash -c '"$1" serve --help | head -n 1 >/dev/null' - "$BIN"
  [ -z "$stderr" ]
}
