#!/usr/bin/env bash
# Delivery as it is promised, for minutes: tests/delivery.sh [BINARY]
#   DELIVERY_SECONDS      how long writers write (180)
#   DELIVERY_SUBSCRIBERS  how many subscribers follow (200)
#   DELIVERY_RESTARTS     how often the daemon is killed or restarted (20)
#   DELIVERY_REACTORS     its reactors (2)
#   DELIVERY_SEED         the choices made (the time, and it is printed)
# Progress goes to standard error; the last line of standard output is `N passed, N failed`.
set -eu
cd "$(dirname "$0")/.."
bin=$(realpath "${1:-build/rustydb}")
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
  "$python" tests/bats/lib/delivery.py --bin "$bin" --dir "$dir" \
  --seconds "${DELIVERY_SECONDS:-180}" --subscribers "${DELIVERY_SUBSCRIBERS:-200}" \
  --restarts "${DELIVERY_RESTARTS:-20}" --reactors "${DELIVERY_REACTORS:-2}" \
  --seed "${DELIVERY_SEED:-$(date +%s)}" || status=$?
if [ "$status" != 0 ]; then
  echo "# the daemon's log ends:" >&2
  tail -n 40 "$dir/daemon.err" >&2
fi
exit "$status"
