#!/usr/bin/env bats
# Every operation of the document that the daemon serves, against the daemon: tests/contract/.

load helper

@test "every answer is as the specification says, and what is wrong is refused" {
  export CONF=$T/conf # which a scenario may write
  touch "$CONF"
  start_daemon --config "$CONF" --max-body 64k --max-import 64k
  timeout --kill-after=5 $((300 * SLOW)) "$PYTHON" "$REPO/tests/contract/harness.py"
}
