# For tests about users, roles and API keys.
# shellcheck shell=bash disable=SC2034,SC2154 # set here for the tests; set by api

holds() { # FILTER: the last answer's body satisfies it
  jq -e "$1" <<<"$body" >/dev/null || {
    printf 'status %s does not satisfy %s: %s\n' "$status_code" "$1" "$body" >&2
    return 1
  }
}
header() { grep -qiE "^$1: $2\$" <<<"$headers" || { printf 'no %s: %s in\n%s\n' "$1" "$2" "$headers" >&2; return 1; }; }
etag() { sed -n 's/^etag: //p' <<<"$headers"; }

made() {
  [ "$status_code" = 201 ] || { printf '%s %s\n' "$status_code" "$body" >&2; return 1; }
}
# user NAME OBJECT, role NAME OBJECT: makes one.
user() {
  api POST /admin/users "$(jq -c --arg name "$1" '. + {$name}' <<<"$2")"
  made
}
role() {
  api POST /admin/roles "$(jq -c --arg name "$1" '. + {$name}' <<<"$2")"
  made
}
# api_key OBJECT: makes one; sets key and key_id.
api_key() {
  api POST /admin/api-keys "$1"
  made || return 1
  key=$(jq -r .key <<<"$body")
  key_id=$(jq -r .id <<<"$body")
}
# as TOKEN METHOD PATH...: api with another token.
as() {
  local TOKEN=$1
  api "${@:2}"
}
