# Users, roles and keys for tests of rights. Load it behind helper.
# shellcheck shell=bash disable=SC2034,SC2154 # set here for the tests; set by api

# role NAME JSON: makes or replaces a role.
role() {
  api PUT "/admin/roles/$1" "$2"
  [[ $status_code == 20[01] ]] || { echo "role $1: $body" >&2; return 1; }
}

# user NAME ROLE...: makes a user who has these roles; his key is in KEYS[NAME].
declare -gA KEYS
user() {
  api POST /admin/users "$(jq -cn --arg n "$1" '{name: $n, password: "a long password 1", roles: $ARGS.positional}' --args "${@:2}")"
  [ "$status_code" = 201 ] || { echo "user $1: $body" >&2; return 1; }
  api POST /admin/api-keys "$(jq -cn --arg n "$1" '{user: $n}')"
  [ "$status_code" = 201 ] || { echo "key of $1: $body" >&2; return 1; }
  KEYS[$1]=$(jq -r .key <<<"$body")
}

# as NAME COMMAND...: with the credentials of a user.
as() {
  local TOKEN=${KEYS[$1]}
  "${@:2}"
}

# sql_as NAME SQL [PARAMS]: the answer is in status_code and body, whatever it is.
sql_as() {
  as "$1" api POST /query "$(jq -cn --arg sql "$2" --argjson params "${3:-null}" \
    '{sql: $sql} + (if $params == null then {} else {params: $params} end)')"
}
