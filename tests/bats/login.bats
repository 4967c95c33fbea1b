#!/usr/bin/env bats
# Passwords and sessions: in, on, out, and what somebody tries who should not be in.
# shellcheck disable=SC2154,SC2030,SC2031 # set by api; every test is a subshell

load helper

PASSWORD='correct horse battery'

user() { # NAME [MEMBERS]: makes one
  api POST /admin/users "$(jq -cn --arg name "$1" --arg password "$PASSWORD" \
    --argjson more "${2:-"{}"}" '{name: $name, password: $password, roles: []} + $more')"
  [ "$status_code" = 201 ]
}

login() { # NAME [PASSWORD [CURL-OPTION...]]
  TOKEN='' api POST /auth/login \
    "$(jq -cn --arg user "$1" --arg password "${2-$PASSWORD}" '{$user, $password}')" "${@:3}"
}
refresh() { TOKEN='' api POST /auth/refresh "$(jq -cn --arg t "$1" '{refresh_token: $t}')"; }
logged_in() { # NAME: sets access, refresh_token, session
  login "$1"
  take_tokens
}
take_tokens() {
  [ "$status_code" = 200 ] || { echo "$status_code $body" >&2; return 1; }
  access=$(jq -r .access_token <<<"$body")
  refresh_token=$(jq -r .refresh_token <<<"$body")
  session=$(jq -r .session_id <<<"$body")
}
validate() { TOKEN=$1 api GET /auth/validate; }
opens() { validate "$1" && [ "$status_code" = 200 ]; }
is_refused() { validate "$1" && [ "$status_code" = 401 ]; }
wait_seconds() { sed -n 's/^retry-after: //p' <<<"$headers"; }

@test "a login gives tokens that open, and tell who it is" {
  start_daemon
  user anna
  login anna
  jq -e '.user == "anna" and .token_type == "Bearer" and .expires_in > 890 and .expires_in <= 900
    and (.access_token | startswith("eyJ")) and (.refresh_token | startswith("rdr_"))
    and (.session_id | length) == 32' <<<"$body"
  grep -q '^cache-control: no-store' <<<"$headers"
  take_tokens
  validate "$access"
  jq -e --arg id "$session" '.user_id == "anna" and .kind == "user" and .session_id == $id
    and .key_id == null and .scopes == [] and .expires_at != null' <<<"$body"
  TOKEN=$access api GET /auth/identity
  jq -e '.user_id == "anna"' <<<"$body"
  TOKEN='' api GET /auth/validate
  expect_problem 401 AUTH_REQUIRED
  is_refused "$refresh_token"
  is_refused "${access%.*}."
}

@test "who is not known is told what everybody is told, and it takes as long" {
  start_daemon
  user anna
  user bert '{"disabled": true}'
  login anna wrong
  expect_problem 401 AUTH_FAILED
  local known
  known=$(jq -r .detail <<<"$body")
  login nobody wrong
  expect_problem 401 AUTH_FAILED
  [ "$(jq -r .detail <<<"$body")" = "$known" ]
  login bert wrong
  [ "$(jq -r .detail <<<"$body")" = "$known" ]
  login anna ''
  expect_problem 400 INVALID_MESSAGE
  # One password hash each: its processor time, that of other threads is little beside it.
  local before middle after i
  before=$(cpu)
  for i in 1 2 3; do login anna "wrong $i"; done
  middle=$(cpu)
  for i in 1 2 3; do login "nobody$i" "wrong $i"; done
  after=$(cpu)
  echo "known $((middle - before)), unknown $((after - middle)) ticks"
  [ $((middle - before)) -ge 6 ]
  [ $(((after - middle) * 2)) -ge $((middle - before)) ]
  [ $((after - middle)) -le $(((middle - before) * 2)) ]
}
cpu() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$DAEMON_PID/stat"; }

@test "guessing has to wait, and whoever knows the password gets in again" {
  local i
  start_daemon --password-cost 1
  user anna
  user bert
  for i in 1 2 3 4 5; do
    login anna wrong
    expect_problem 401 AUTH_FAILED
  done
  login anna
  expect_problem 429 RATE_LIMIT_EXCEEDED
  [ "$(wait_seconds)" = 1 ]
  login bert # others do not wait
  [ "$status_code" = 200 ]
  wait_until login_succeeds anna
  login anna wrong # and then it begins anew
  expect_problem 401 AUTH_FAILED
  for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do
    login "u$i" wrong
  done
  login bert # now the address has to wait
  expect_problem 429 RATE_LIMIT_EXCEEDED
  grep -q '"action":"rate.limited"' "$DIR"/audit*
  grep -q '"action":"auth.failed".*"target":"anna"' "$DIR"/audit*
}
login_succeeds() { login "$1" && [ "$status_code" = 200 ]; }

@test "many passwords at once are too many" {
  local i
  start_daemon --max-logins 1 --password-cost 6
  user anna
  for i in 1 2 3 4 5 6; do
    background bash -c 'curl -s -o /dev/null -w "%{http_code}\n" -H "Content-Type: application/json" \
      --data "{\"user\":\"u$1\",\"password\":\"wrong\"}" "$RUSTYDB_URL/api/v1/auth/login" >"$T/code$1"' - "$i"
  done
  for i in 1 2 3 4 5 6; do wait_until test -s "$T/code$i"; done
  grep -qx 401 "$T"/code*
  grep -qx 503 "$T"/code*
  api GET /health/liveness
  [ "$status_code" = 200 ]
}

@test "a refresh token is good once, and a second time ends the session" {
  local first access1 access2
  start_daemon
  user anna
  logged_in anna
  first=$refresh_token access1=$access
  refresh "$first"
  take_tokens
  access2=$access
  [ "$refresh_token" != "$first" ]
  opens "$access1"
  opens "$access2"
  refresh "$first"
  expect_problem 401 AUTH_FAILED
  is_refused "$access1"
  is_refused "$access2"
  refresh "$refresh_token"
  expect_problem 401 AUTH_FAILED
  grep -q '"action":"auth.reuse"' "$DIR"/audit*
  stop_daemon
  restart_daemon
  is_refused "$access2"
  refresh "$refresh_token"
  expect_problem 401 AUTH_FAILED
}

@test "of many who use one refresh token at once, none stays" {
  local i
  start_daemon
  user anna
  logged_in anna
  for i in 1 2 3 4 5 6 7 8; do
    background bash -c 'curl -s -w "%{http_code}\n" -o /dev/null -H "Content-Type: application/json" \
      --data "{\"refresh_token\":\"$1\"}" "$RUSTYDB_URL/api/v1/auth/refresh" >"$T/code$2"' - "$refresh_token" "$i"
  done
  for i in 1 2 3 4 5 6 7 8; do wait_until test -s "$T/code$i"; done
  [ "$(cat "$T"/code* | grep -cx 200)" -le 1 ]
  is_refused "$access"
}

@test "what is no refresh token refreshes nothing and ends nothing" {
  local forged
  start_daemon
  user anna
  logged_in anna
  for forged in x "$access" rdb_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA \
    rdr_00000000000000000000000000000000.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA "$refresh_token=" \
    "${refresh_token%?}" "$TOKEN"; do
    refresh "$forged"
    expect_problem 401 AUTH_FAILED
  done
  opens "$access"
  refresh "$refresh_token"
  [ "$status_code" = 200 ]
}

@test "logins last over a restart and end by logout, at once and for good" {
  start_daemon
  user anna
  logged_in anna
  kill_daemon
  restart_daemon
  opens "$access"
  refresh "$refresh_token"
  take_tokens
  TOKEN=$access api POST /auth/logout
  [ "$status_code" = 204 ]
  is_refused "$access"
  refresh "$refresh_token"
  expect_problem 401 AUTH_FAILED
  kill_daemon
  restart_daemon
  is_refused "$access"
  api POST /auth/logout # root has no session
  expect_problem 409 CONFLICT
}

@test "logins end by themselves when they are idle, and when they are old" {
  start_daemon --session-idle 2s --session-max 4s --session-access 1h
  user anna
  logged_in anna
  wait_until is_refused "$access"
  expect_problem 401 AUTH_EXPIRED
  logged_in anna
  used=0
  wait_until used_up "$access" # it is used all the time
  [ "$used" -ge 10 ]
  refresh "$refresh_token"
  expect_problem 401 AUTH_EXPIRED
  jq -e '.detail == "the session has expired"' <<<"$body"
}
used_up() { used=$((used + 1)); is_refused "$1"; }

@test "the administration lists logins and ends them; others may not" {
  local a b c id
  start_daemon
  user anna '{"roles": ["admin"]}'
  user bert
  logged_in anna
  a=$access id=$session
  logged_in bert
  b=$access
  login bert "$PASSWORD" -A 'a client/1'
  take_tokens
  c=$access
  TOKEN=$a api GET '/admin/sessions?limit=2'
  jq -e '.total == 3 and (.sessions | length) == 2 and .sessions[0].user == "bert"
    and .sessions[0].agent == "a client/1" and .sessions[0].address == "127.0.0.1"' <<<"$body"
  run ! grep -q 'rdr_\|eyJ' <<<"$body"
  TOKEN=$a api GET '/admin/sessions?user=anna'
  jq -e --arg id "$id" '.total == 1 and .sessions[0].id == $id and .sessions[0].current' <<<"$body"
  TOKEN=$b api GET /admin/sessions
  expect_problem 403 PERMISSION_DENIED
  TOKEN=$b api DELETE "/admin/sessions/$id"
  expect_problem 403 PERMISSION_DENIED
  TOKEN=$b api DELETE '/admin/sessions?user=anna'
  expect_problem 403 PERMISSION_DENIED
  opens "$a"
  TOKEN=$a api DELETE "/admin/sessions/$session"
  [ "$status_code" = 204 ]
  is_refused "$c"
  opens "$b"
  TOKEN=$a api DELETE "/admin/sessions/$session"
  expect_problem 404 NOT_FOUND
  TOKEN=$a api DELETE '/admin/sessions?user=bert'
  jq -e '.ended == 1' <<<"$body"
  is_refused "$b"
  TOKEN=$a api DELETE '/admin/sessions?user=nobody'
  jq -e '.ended == 0' <<<"$body"
  opens "$a"
}

@test "who may not see to a user may not log him out" {
  start_daemon
  api PUT /admin/roles/clerk '{"scopes": ["users"]}'
  user boss '{"roles": ["admin"]}'
  user carl '{"roles": ["clerk"]}'
  user anna
  logged_in boss
  local his=$access boss_session=$session
  logged_in anna
  local hers=$access anna_session=$session
  logged_in carl
  TOKEN=$access api DELETE "/admin/sessions/$boss_session"
  expect_problem 403 PERMISSION_DENIED
  TOKEN=$access api DELETE '/admin/sessions?user=boss'
  expect_problem 403 PERMISSION_DENIED
  opens "$his"
  TOKEN=$access api DELETE "/admin/sessions/$anna_session"
  [ "$status_code" = 204 ]
  is_refused "$hers"
}

@test "another password ends the other logins, and the old one" {
  local other
  start_daemon
  user anna
  logged_in anna
  other=$access
  logged_in anna
  TOKEN=$access api POST /auth/password '{"old": "wrong password", "new": "seven quiet lamps"}'
  expect_problem 401 AUTH_FAILED
  TOKEN=$access api POST /auth/password "{\"old\": \"$PASSWORD\", \"new\": \"short\"}"
  expect_problem 400 INVALID_MESSAGE
  TOKEN=$access api POST /auth/password "{\"old\": \"$PASSWORD\", \"new\": \"seven quiet lamps\"}"
  [ "$status_code" = 200 ]
  jq -e '.sessions_ended == 1' <<<"$body"
  is_refused "$other"
  opens "$access"
  login anna
  expect_problem 401 AUTH_FAILED
  login anna 'seven quiet lamps'
  [ "$status_code" = 200 ]
  api POST /auth/password "{\"old\": \"$PASSWORD\", \"new\": \"seven quiet lamps\"}"
  expect_problem 409 CONFLICT # root has none
}

@test "who is removed, shut out or given another password is logged out" {
  start_daemon
  user anna
  logged_in anna
  api PATCH /admin/users/anna '{"password": "seven quiet lamps"}'
  [ "$status_code" = 200 ]
  wait_until is_refused "$access"
  login anna 'seven quiet lamps'
  take_tokens
  api PATCH /admin/users/anna '{"disabled": true}'
  is_refused "$access"
  refresh "$refresh_token"
  expect_problem 401 AUTH_FAILED
  login anna 'seven quiet lamps'
  expect_problem 401 AUTH_FAILED
  api PATCH /admin/users/anna '{"disabled": false}'
  is_refused "$access"
  login anna 'seven quiet lamps'
  take_tokens
  api PATCH /admin/users/anna '{"roles": ["admin"]}' # which is none of these
  opens "$access"
  api DELETE /admin/users/anna
  is_refused "$access"
  user anna
  is_refused "$access"
  refresh "$refresh_token"
  expect_problem 401 AUTH_FAILED
}

@test "behind a proxy the limit is on the client, and nobody else names clients" {
  local i
  start_daemon --password-cost 1 --trusted-proxies 127.0.0.1
  user anna
  for i in $(seq 20); do
    login "u$i" wrong -H 'X-Forwarded-For: 192.0.2.7'
  done
  login anna "$PASSWORD" -H 'X-Forwarded-For: 192.0.2.7'
  expect_problem 429 RATE_LIMIT_EXCEEDED
  login anna "$PASSWORD" -H 'X-Forwarded-For: 192.0.2.8'
  [ "$status_code" = 200 ]
  api GET /admin/sessions
  jq -e '.sessions[0].address == "192.0.2.8"' <<<"$body"
  stop_daemon
  restart_daemon --password-cost 1
  for i in $(seq 20); do
    login "u$i" wrong -H "X-Forwarded-For: 192.0.2.$i"
  done
  login anna "$PASSWORD" -H 'X-Forwarded-For: 192.0.2.99'
  expect_problem 429 RATE_LIMIT_EXCEEDED
}

@test "an open WebSocket loses its rights within a second of the end of its login" {
  start_daemon
  user anna '{"roles": ["admin"]}'
  for how in logout revoke refresh disable; do
    logged_in anna
    background "$PYTHON" "$LIB/login_ws.py" "$access" "$T/ws"
    wait_until test -s "$T/ws"
    changed=$(date +%s.%N)
    case $how in
    logout) TOKEN=$access api POST /auth/logout ;;
    revoke) api DELETE "/admin/sessions/$session" ;;
    refresh)
      local first=$refresh_token
      refresh "$first"
      refresh "$first"
      ;;
    disable) api PATCH /admin/users/anna '{"disabled": true}' ;;
    esac
    wait_exit "$BG" 10 || { echo "$how" >&2; cat "$T/ws"; false; }
    jq -e --argjson changed "$changed" --argjson slow "$SLOW" \
      '.code == 1008 and .closed - $changed < 1.5 * $slow' "$T/ws.end"
    rm "$T/ws" "$T/ws.end"
    is_refused "$access"
  done
}

@test "an open WebSocket ends when its token does" {
  start_daemon --session-access 3s
  user anna '{"roles": ["admin"]}'
  logged_in anna
  background "$PYTHON" "$LIB/login_ws.py" "$access" "$T/ws"
  wait_until test -s "$T/ws"
  wait_exit "$BG" 10
  jq -e '.code == 1008' "$T/ws.end"
  is_refused "$access"
  expect_problem 401 AUTH_EXPIRED
  refresh "$refresh_token" # while the session lives on
  take_tokens
  opens "$access"
}

@test "a hash of an old cost is made anew at the next login" {
  start_daemon --password-cost 1
  user anna
  stop_daemon
  restart_daemon --password-cost 2
  login_succeeds anna
  stop_daemon
  sqlite3 "file:$DIR/rustydb.db?mode=ro" "SELECT json FROM _rustydb_auth WHERE kind = 'user'" | grep -q '\$y\$j85\$'
  restart_daemon --password-cost 2
  login_succeeds anna
}

@test "passwords and tokens are nowhere to be found" {
  start_daemon --log-level debug
  user anna
  login anna 'a wrong one'
  login 'a wrong user' "$PASSWORD"
  logged_in anna
  local first=$refresh_token
  refresh "$first"
  take_tokens
  refresh "$first"
  logged_in anna
  TOKEN=$access api POST /auth/password "{\"old\": \"$PASSWORD\", \"new\": \"seven quiet lamps\"}"
  stop_daemon
  run ! grep -rqaF -e "$PASSWORD" -e 'a wrong one' -e 'seven quiet' -e "${first#*.}" \
    -e "${refresh_token#*.}" -e "${access##*.}" "$T/daemon.err" "$T/daemon.out" "$DIR"
}

@test "malformed logins are refused before anything is done for them" {
  local request
  start_daemon
  for request in '{}' '{"user":"a"}' '{"user":"a","password":7}' '{"user":"","password":"x"}' \
    '{"user":"a","password":"x","more":1}' '{"user":"a","user":"b","password":"x"}' \
    '{"user":"a\u0000b","password":"x"}' '["a","b"]'; do
    TOKEN='' api POST /auth/login "$request"
    [ "$status_code" = 400 ] || [ "$status_code" = 401 ]
  done
  TOKEN='' api POST /auth/login "$(jq -cn '{user: "anna", password: ("x" * 600)}')"
  expect_problem 400 INVALID_MESSAGE
  TOKEN='' api POST /auth/login "$(jq -cn '{user: ("x" * 600), password: "x"}')"
  expect_problem 400 INVALID_MESSAGE
  TOKEN='' api GET /auth/login
  expect_problem 401 AUTH_REQUIRED
}

# hang_up METHOD PATH BODY: sends a request and is gone before the answer.
hang_up() {
  "$PYTHON" - "$RUSTYDB_URL" "$TOKEN" "$@" <<'END'
import socket, sys
url, token, method, path, body = sys.argv[1:]
host, port = url.removeprefix("http://").split(":")
s = socket.create_connection((host, int(port)))
s.sendall(f"{method} /api/v1{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
          f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
s.close()
END
}
has_no_password() { api GET "/admin/users/$1" && jq -e '.has_password | not' <<<"$body" >/dev/null; }
records() { # ACTION TARGET: how many the audit log has
  api GET "/admin/audit?action=$1&limit=100"
  jq --arg target "$2" '[.records[] | select(.target == $target)] | length' <<<"$body"
}
is_recorded() { [ "$(records "$@")" -gt 0 ]; }

@test "who hangs up is obeyed and recorded as who waits for the answer" {
  start_daemon
  local i
  for i in 1 2 3 4 5 6 7 8; do
    user "anna$i"
    logged_in "anna$i"
    hang_up PATCH "/admin/users/anna$i" '{"password": null}'
    wait_until has_no_password "anna$i"
    wait_until is_refused "$access"
    wait_until is_recorded user.update "anna$i"
  done
}

hashing() { # whether a thread that looks at passwords has worked for 100 ms since the start
  local f
  for f in /proc/"$DAEMON_PID"/task/*; do
    if [ "$(cat "$f/comm")" = login ] && awk '{ exit $14 + $15 < 10 }' "$f/stat"; then return 0; fi
  done
  return 1
}

@test "a password that is taken away while it is looked at opens nothing" {
  start_daemon --password-cost 9
  user anna
  stop_daemon
  start_daemon --password-cost 9
  jq -cn --arg password "$PASSWORD" '{user: "anna", $password}' |
    background curl -sS -o "$T/late" -H 'Content-Type: application/json' --data-binary @- \
      "$RUSTYDB_URL/api/v1/auth/login"
  wait_until hashing
  api PATCH /admin/users/anna '{"password": null}'
  [ "$status_code" = 200 ]
  wait_until test -s "$T/late"
  jq -e '.code == "AUTH_FAILED"' "$T/late"
  api GET /admin/sessions
  jq -e '.total == 0' <<<"$body"
}
