#!/usr/bin/env bats
# Settings as a user meets them before the daemon starts; what they do when it runs is in serve.bats.

load helper

print_config() { run --separate-stderr "$BIN" serve "$@" --print-config; }

# setting NAME: its line.
setting() { grep -E "^$1 = " <<<"$output" | tr -s ' '; }

@test "every setting is a flag with its default in the help" {
  run "$BIN" serve --help
  [ "$status" = 0 ]
  local name default help
  # The help is broken into lines; as one line it holds everything in order.
  help=$(tr -s ' \n' ' ' <<<"$output")
  while IFS=$'\t' read -r name default; do
    [[ $help == *" --${name//_/-} "*"(default: $default)"* ]] || { echo "no $name, $default"; false; }
  done < <(sed -n 's/^SETTING([A-Z]*, \([a-z_]*\), "\([^"]*\)".*/\1\t\2/p' \
    "$REPO/libcore/config/settings.def")
}

@test "what --print-config prints is a file that says the same" {
  print_config --readers 7 --idle-timeout=90s --data "$T/a b" --listen '[::1]:0'
  [ "$status" = 0 ]
  local flags=$output
  printf '%s\n' "$flags" >"$T/conf"
  print_config --config "$T/conf"
  [ "$status" = 0 ]
  diff <(sed 's/ *;.*//' <<<"$flags") <(sed 's/ *;.*//' <<<"$output")
  [ "$(setting readers)" = "readers = 7 ; file $T/conf" ]
  [ "$(setting data)" = "data = $T/a b ; file $T/conf" ]
}

@test "the file may be named by the environment; a flag beats it" {
  printf 'readers = 3\n' >"$T/one"
  printf 'readers = 4\n' >"$T/two"
  RUSTYDB_CONFIG=$T/one print_config
  [ "$(setting readers)" = "readers = 3 ; file $T/one" ]
  RUSTYDB_CONFIG=$T/one print_config --config "$T/two"
  [ "$(setting readers)" = "readers = 4 ; file $T/two" ]
  RUSTYDB_CONFIG='' print_config
  [ "$(setting readers)" = "readers = 2 ; default" ]
}

@test "sources are told apart by name" {
  RUSTYDB_READERS=5 print_config --max-body 3m --max-body 4m
  [ "$(setting readers)" = "readers = 5 ; environment RUSTYDB_READERS" ]
  [ "$(setting max_body)" = "max_body = 4m ; flag --max-body" ]
  [ "$(setting reactors)" = "reactors = 1 ; default" ]
}

@test "an underscore in a flag is as good as a dash" {
  print_config --max_body 3m
  [ "$(setting max_body)" = "max_body = 3m ; flag --max-body" ]
}

@test "a file is complained of by its line, once and to the point" {
  complains() { # MESSAGE FILE-CONTENT
    printf "$2" >"$T/conf"
    print_config --config "$T/conf"
    [ "$status" = 2 ] && [ -z "$output" ] && [[ $stderr == "rustydb serve: $1"* ]] || {
      printf 'status %s: %s\n' "$status" "$stderr"
      return 1
    }
  }
  complains "$T/conf:2: there is no setting \"max_bdy\"" 'readers = 2\nmax_bdy = 3m\n'
  [[ $stderr == *'did you mean "max_body"?'* ]]
  complains "$T/conf:3: readers is set a second time, first in line 1" 'readers = 1\n\nreaders = 2\n'
  complains "$T/conf:2: there is no section [other], only [rustydb]" '[other]\nreaders = 1\n'
  complains "$T/conf:1: listen: \"nowhere\" has no port" 'listen = nowhere\n'
  complains "$T/conf:1: the line is longer than " "data = $(printf 'x%.0s' {1..400})\n"
  complains "$T/conf:1: this is not a text file" 'data\0 = x\n'
}

@test "a misspelt variable is noticed, others are none of our business" {
  RUSTYDB_READRS=3 RUSTYDB_PORT_8080_TCP=tcp://10.0.0.1:80 RUSTYDB_TOKEN=x \
    start_daemon
  grep -q 'RUSTYDB_READRS is no setting and was not used; is readers meant?' "$T/daemon.err"
  run ! grep -q 'RUSTYDB_PORT\|RUSTYDB_TOKEN' "$T/daemon.err"
}

@test "the record of the daemon is closed to others and goes with it" {
  start_daemon
  local file=$XDG_RUNTIME_DIR/rustydb/127.0.0.1:$PORT.json
  [ "$(stat -c %a "${file%/*}")" = 700 ]
  [ "$(stat -c %a "$file")" = 600 ]
  jq -e --arg url "$RUSTYDB_URL" --arg dir "$DIR" --argjson pid "$DAEMON_PID" \
    '.url == $url and .data_dir == $dir and .token_file == $dir + "/root.token" and .pid == $pid' "$file"
  run ! grep -qF "$TOKEN" "$file"
  stop_daemon
  [ ! -e "$file" ]
}

@test "the command line gets into a daemon of this user by itself, and not past its death" {
  start_daemon
  run --separate-stderr "$BIN" query --format csv 'SELECT 42 AS x'
  [ "$status" = 0 ]
  [ "$output" = $'x\n42' ]
  RUSTYDB_URL=http://localhost:$PORT run --separate-stderr "$BIN" query --format csv 'SELECT 42 AS x'
  [ "$status" = 0 ]
  local file=$XDG_RUNTIME_DIR/rustydb/127.0.0.1:$PORT.json
  kill_daemon
  [ -e "$file" ]
  run "$BIN" query 'SELECT 1'
  [ "$status" = 3 ]
  [ ! -e "$file" ] # what was stale is gone
}
