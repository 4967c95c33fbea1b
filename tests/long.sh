#!/usr/bin/env bash
# Runs one of the long cases, in a home of its own: tests/long.sh BINARY CASE [ARGUMENT...]
# CASE is a file of tests/bats/lib that takes --bin and --dir and runs its own daemon; when it fails,
# the end of that daemon's log is shown.
set -eu
cd "$(dirname "$0")/.."
bin=$(realpath "$1")
case=tests/bats/lib/$2
shift 2
python=python3
for python in /usr/bin/python3 python3; do
  "$python" -c 'import websockets' 2>/dev/null && break
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -m 700 "$dir/home" "$dir/run" "$dir/config"
status=0
env -u RUSTYDB_URL -u RUSTYDB_TOKEN HOME="$dir/home" XDG_RUNTIME_DIR="$dir/run" \
  XDG_CONFIG_HOME="$dir/config" PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/bats/lib SLOW="${SLOW:-1}" \
  "$python" "$case" --bin "$bin" --dir "$dir" "$@" || status=$?
if [ "$status" != 0 ]; then
  echo "# the daemon's log ends:" >&2
  tail -n 40 "$dir/daemon.err" >&2
fi
exit "$status"
