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
exec tests/long.sh "${1:-build/rustydb}" delivery.py \
  --seconds "${DELIVERY_SECONDS:-180}" --subscribers "${DELIVERY_SUBSCRIBERS:-200}" \
  --restarts "${DELIVERY_RESTARTS:-20}" --reactors "${DELIVERY_REACTORS:-2}" \
  --seed "${DELIVERY_SEED:-$(date +%s)}"
