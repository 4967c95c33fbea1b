# Every event once and in order, whatever happens to subscribers and to the daemon. For minutes and
# with hundreds of subscribers: make delivery.
load helper

@test "subscribers that are cut, a daemon that is killed: every record is the history" {
  run -0 "$PYTHON" "$LIB/delivery.py" --bin "$BIN" --dir "$T" --seconds $((10 * SLOW)) --subscribers 30 --restarts 3
  echo "$output"
  [[ ${lines[-1]} == *' passed, 0 failed' ]]
}
