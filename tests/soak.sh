#!/usr/bin/env bash
# The main job with many crashes: tests/soak.sh [BINARY]
#   SOAK_KILLS    how many times the daemon is killed (300)
#   SOAK_WRITERS  clients that write (4)
#   SOAK_SEED     the choices of the writers and of the moments to kill (the time, and it is printed)
# Progress goes to standard error; the last line of standard output is `N passed, N failed`.
set -eu
cd "$(dirname "$0")/.."
bin=$(realpath "${1:-build/rustydb}")
seed=${SOAK_SEED:-$(date +%s)}
python=python3
for python in /usr/bin/python3 python3; do
  "$python" -c 'import websockets' 2>/dev/null && break
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -m 700 "$dir/home" "$dir/run" "$dir/config"
echo "# seed $seed"
status=0
env -u RUSTYDB_URL -u RUSTYDB_TOKEN HOME="$dir/home" XDG_RUNTIME_DIR="$dir/run" \
  XDG_CONFIG_HOME="$dir/config" PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/bats/lib SLOW="${SLOW:-1}" \
  "$python" tests/bats/lib/story.py --bin "$bin" --dir "$dir" --progress --seed "$seed" \
  --kills "${SOAK_KILLS:-300}" --writers "${SOAK_WRITERS:-4}" || status=$?
if [ "$status" != 0 ]; then
  echo "# the daemon's log ends:" >&2
  tail -n 40 "$dir/daemon.err" >&2
fi
exit "$status"
