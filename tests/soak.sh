#!/usr/bin/env bash
# The main job with many crashes: tests/soak.sh [BINARY]
#   SOAK_KILLS    how many times the daemon is killed (300)
#   SOAK_WRITERS  clients that write (4)
#   SOAK_SEED     the choices of the writers and of the moments to kill (the time, and it is printed)
# Progress goes to standard error; the last line of standard output is `N passed, N failed`.
set -eu
cd "$(dirname "$0")/.."
seed=${SOAK_SEED:-$(date +%s)}
echo "# seed $seed"
exec tests/long.sh "${1:-build/rustydb}" story.py --progress --seed "$seed" \
  --kills "${SOAK_KILLS:-300}" --writers "${SOAK_WRITERS:-4}"
