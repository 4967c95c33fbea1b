#!/usr/bin/env bats
# Who may do what: every operation, method, message and topic x every role (tests/rights/matrix.py).

load helper

@test "every operation and topic is let through or refused as the table of rights says" {
  start_daemon
  timeout --kill-after=5 $((300 * SLOW)) "$PYTHON" "$REPO/tests/rights/matrix.py"
}
