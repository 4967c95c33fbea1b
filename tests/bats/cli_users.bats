#!/usr/bin/env bats
# login, logout, whoami, passwd, user, role, key and session: what people and scripts do with them.

load helper

# typed TEXT COMMAND...: runs a command in a terminal and types TEXT, a line for each question. What the
# terminal shows goes to standard output; the exit status is the command's.
typed() {
  timeout 60 "$PYTHON" - "$@" <<'END'
import os, pty, sys, time
lines, shown = sys.argv[1].split("\n"), b""
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
while True:
    try:
        piece = os.read(fd, 4096)
    except OSError:
        piece = b""
    if not piece:
        break
    shown += piece
    if shown.endswith(b": ") and lines:
        time.sleep(0.05)  # the terminal is made quiet behind the question
        os.write(fd, lines.pop(0).encode() + b"\n")
sys.stdout.write(shown.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
}

# root COMMAND...: as root, whoever is logged in.
root() { "$BIN" --token "$(cat "$DIR/root.token")" "$@"; }

some_users() {
  start_daemon
  root query 'CREATE TABLE orders (id INTEGER PRIMARY KEY, owner TEXT, total INT)'
  root query "INSERT INTO orders VALUES (1, 'ada', 10), (2, 'bob', 20)"
  cat >"$T/clerk.json" <<'END'
{"description": "sees his own", "scopes": ["sql"],
 "tables": [{"table": "orders", "operations": ["select"], "where": "owner = current_user()"}]}
END
  root role set clerk "$T/clerk.json"
  echo 'correct horse' >"$T/password"
  root user add ada --role clerk --password-file "$T/password"
}

@test "a user logs in with a password, is known, and logs out" {
  some_users
  "$BIN" login ada --password-file "$T/password"
  [ "$(stat -c %a "$XDG_CONFIG_HOME/rustydb/credentials.json")" = 600 ]
  [ "$("$BIN" whoami --format json | jq -r .user_id)" = ada ]
  "$BIN" whoami | grep -q 'user id *ada'
  # The login goes before the daemon's own token.
  [ "$("$BIN" query 'SELECT id FROM orders' | tail -n +2)" = 1 ]
  [ "$(root query 'SELECT count(*) FROM orders' | tail -n 1)" = 2 ]
  [ "$(root session --format jsonl | jq -r .user)" = ada ]
  "$BIN" logout
  [ "$(root session --format jsonl)" = '' ]
  [ "$("$BIN" whoami --format json | jq -r .user_id)" = root ]
  [ "$(jq length "$XDG_CONFIG_HOME/rustydb/credentials.json")" = 0 ]
  "$BIN" logout # of nobody
}

@test "a password is asked for in the terminal, and not shown" {
  some_users
  run typed 'correct horse' "$BIN" login ada
  [ "$status" = 0 ]
  [[ $output == *Password:* ]] && [[ $output != *horse* ]]
  [ "$("$BIN" whoami --format json | jq -r .user_id)" = ada ]
  run typed $'seven lamps\nseven lamps' "$BIN" --token "$(cat "$DIR/root.token")" user add bob
  [ "$status" = 0 ]
  [[ $output != *lamps* ]]
  run typed $'seven lamps\nother lamps' "$BIN" --token "$(cat "$DIR/root.token")" user add eve
  [ "$status" != 0 ]
  [[ $output == *'not the same'* ]]
  run ! root user show eve
  run typed 'seven lamps' "$BIN" login bob
  [ "$status" = 0 ]
  # Without a terminal it says what to give instead.
  run --separate-stderr setsid "$BIN" login ada
  [ "$status" = 5 ] || [ "$status" = 2 ]
  [[ $stderr == *--password-file* ]]
}

@test "wrong passwords and unknown users get the same answer, and leave nothing behind" {
  some_users
  echo 'wrong horse' >"$T/wrong"
  run --separate-stderr "$BIN" login ada --password-file "$T/wrong"
  [ "$status" = 4 ]
  local first=$stderr
  run --separate-stderr "$BIN" login nobody --password-file "$T/wrong"
  [ "$status" = 4 ]
  [ "${stderr//nobody/ada}" = "$first" ]
  [ ! -e "$XDG_CONFIG_HOME/rustydb/credentials.json" ]
  run ! "$BIN" login ada --password-file "$T/none"
  : >"$T/empty"
  run ! "$BIN" login ada --password-file "$T/empty"
}

@test "a session goes on when its access token expires, for one process and for many at once" {
  some_users
  stop_daemon
  start_daemon --session-access 31s
  "$BIN" login ada --password-file "$T/password"
  local i before
  before=$(jq -r '.[].refresh_token' "$XDG_CONFIG_HOME/rustydb/credentials.json")
  # As if it had expired: all of them want the next one, and one gets it for all.
  jq '.[].expires_at = 1' "$XDG_CONFIG_HOME/rustydb/credentials.json" >"$T/c"
  cat "$T/c" >"$XDG_CONFIG_HOME/rustydb/credentials.json"
  local jobs=()
  for i in 1 2 3 4 5 6; do
    "$BIN" query 'SELECT id FROM orders' >"$T/out.$i" 2>"$T/err.$i" 3>&- &
    jobs+=($!)
  done
  for i in "${jobs[@]}"; do wait "$i"; done
  for i in 1 2 3 4 5 6; do [ "$(tail -n 1 "$T/out.$i")" = 1 ]; done
  [ "$(jq -r '.[].refresh_token' "$XDG_CONFIG_HOME/rustydb/credentials.json")" != "$before" ]
  [ "$(root session --format jsonl | wc -l)" = 1 ]
}

@test "a session that was ended says so and what to do" {
  some_users
  "$BIN" login ada --password-file "$T/password"
  root session rm --user ada
  run --separate-stderr "$BIN" query 'SELECT 1'
  [ "$status" = 4 ]
  [[ $stderr == *'rustydb login'* ]]
}

@test "passwd changes one's own password" {
  some_users
  "$BIN" login ada --password-file "$T/password"
  echo 'a new horse' >"$T/new"
  run ! "$BIN" passwd --old-file "$T/new" --new-file "$T/new"
  "$BIN" passwd --old-file "$T/password" --new-file "$T/new"
  run ! "$BIN" login ada --password-file "$T/password"
  "$BIN" login ada --password-file "$T/new"
}

@test "user: make, show, change, list, remove" {
  some_users
  [ "$(root user --format jsonl | jq -r .name)" = ada ]
  [ "$(root user show ada --format json | jq -c '.[0].roles')" = '["clerk"]' ]
  root user set ada --disable
  run ! "$BIN" login ada --password-file "$T/password"
  root user set ada --enable --no-roles
  "$BIN" login ada --password-file "$T/password"
  run --separate-stderr "$BIN" query 'SELECT 1'
  [ "$status" = 4 ]
  [[ $stderr == *PERMISSION_DENIED* ]]
  root user add machine --no-password
  run ! "$BIN" login machine --password-file "$T/password"
  root user rm ada machine
  [ "$(root user --format jsonl)" = '' ]
  run --separate-stderr root user rm ada
  [ "$status" = 5 ]
  [[ $stderr == *NOT_FOUND* ]]
}

@test "user, role, key and session: more than one page" {
  start_daemon
  local i
  for i in $(seq 1 12); do root user add "u$i" --no-password; done
  [ "$(root user --format jsonl --limit 5 | wc -l)" = 5 ]
  [ "$(root user --format jsonl | wc -l)" = 12 ]
}

@test "role: set from a file and from standard input, show, refuse, remove" {
  some_users
  root role show clerk | jq -e '.tables[0].where == "owner = current_user()"'
  root role show clerk | jq 'del(.name) | .scopes = ["sql", "monitor"]' | root role set clerk -
  root role show clerk | jq -e '.scopes == ["sql", "monitor"]'
  run --separate-stderr root role set clerk <(echo '{"tables": [{"table": "orders"}]}')
  [ "$status" = 5 ]
  [[ $stderr == *operations* ]]
  run ! root role set clerk <(echo '[1]')
  run ! root role set clerk "$T/none"
  run --separate-stderr root role rm clerk
  [ "$status" = 5 ]
  [[ $stderr == *CONFLICT* ]] && [[ $stderr == *ada* ]]
  root user rm ada
  root role rm clerk
}

@test "key: shown once, good for what it says, kept by login, ended by rm" {
  some_users
  (umask 077 && root key add --user ada --description 'for tests' --expires 1h --address 127.0.0.1 >"$T/key")
  [[ $(cat "$T/key") == rdb_* ]]
  [ "$(wc -l <"$T/key")" = 1 ]
  local id
  id=$(root key --format jsonl | jq -r .id)
  [ "$(root key show "$id" --format json | jq -r '.[0].description')" = 'for tests' ]
  run ! grep -rqF "$(cut -c 5- "$T/key")" "$DIR"
  [ "$("$BIN" --token "$(cat "$T/key")" query 'SELECT id FROM orders' | tail -n 1)" = 1 ]
  "$BIN" login --key-file "$T/key"
  [ "$("$BIN" whoami --format json | jq -r .kind)" = key ]
  root key rm "$id"
  run --separate-stderr "$BIN" whoami
  [ "$status" = 4 ]
  # A key that is not known is not kept.
  "$BIN" logout
  run ! "$BIN" login --key-file "$T/key"
  run --separate-stderr root key add --user ada --role clerk
  [ "$status" = 2 ]
}

@test "a file of logins that others can read is not used" {
  some_users
  "$BIN" login ada --password-file "$T/password"
  chmod 644 "$XDG_CONFIG_HOME/rustydb/credentials.json"
  run --separate-stderr "$BIN" query 'SELECT 1'
  [ "$status" = 4 ]
  [[ $stderr == *chmod* ]]
  chmod 600 "$XDG_CONFIG_HOME/rustydb/credentials.json"
  mv "$XDG_CONFIG_HOME/rustydb/credentials.json" "$T/elsewhere"
  ln -s "$T/elsewhere" "$XDG_CONFIG_HOME/rustydb/credentials.json"
  run ! "$BIN" query 'SELECT 1'
  rm "$XDG_CONFIG_HOME/rustydb/credentials.json"
  echo '{' >"$XDG_CONFIG_HOME/rustydb/credentials.json"
  chmod 600 "$XDG_CONFIG_HOME/rustydb/credentials.json"
  run --separate-stderr "$BIN" query 'SELECT 1'
  [[ $stderr == *'not understood'* ]]
}

@test "wrong words and options are told" {
  local words
  while read -r -a words; do
    run --separate-stderr "$BIN" "${words[@]}"
    [ "$status" = 2 ] || { echo "${words[*]}: $status" >&2; false; }
  done <<'END'
login
login a b
login ada --key-file k
logout now
whoami me
passwd ada
user grow
user add
user add a b
user set ada
user set ada --disable --enable
user show ada --role r
user list a
role set a
role show
role grow
key add x
key rm
key list --user u
session rm
session rm a --user b
session grow
END
}

@test "subscribe goes on with the next token when its own expires" {
  some_users
  stop_daemon
  start_daemon --session-access 2s
  "$BIN" login ada --password-file "$T/password"
  background "$BIN" subscribe orders --count 2 --format jsonl >"$T/events" 2>"$T/err"
  wait_until eval '[ "$(root connections --format jsonl | jq -s "map(.subscription_count) | add")" = 1 ]'
  root query "INSERT INTO orders VALUES (3, 'ada', 1)"
  wait_until eval '[ "$(wc -l <"$T/events")" = 1 ]'
  # The connection ends with its token and is made anew with the next.
  wait_until -t 30 grep -q 'connecting again' "$T/err"
  root query "INSERT INTO orders VALUES (4, 'bob', 1), (5, 'ada', 1)"
  wait_until eval '[ "$(wc -l <"$T/events")" = 2 ]'
  [ "$(jq -c .row.id "$T/events" | tr '\n' ' ')" = '3 5 ' ]
}
