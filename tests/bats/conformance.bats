#!/usr/bin/env bats
# RFC 6455 and RFC 7692 as tests/conformance has them: one daemon per category, many cases each. What
# deviates, and why, is in docs/conformance.md.

load helper

conforms() { # CATEGORY [FLAG...]
  local category=$1
  shift
  start_daemon "$@"
  timeout --kill-after=5 $((120 * SLOW)) "$PYTHON" "$REPO/tests/conformance/run.py" "$category" 3>&- >"$T/tap" ||
    { grep -A 20 '^not ok' "$T/tap"; false; }
  grep -q '^ok 1 ' "$T/tap"
  gone "$DAEMON_PID" && { echo "the daemon has ended"; false; }
  [ "$(sql 'SELECT 1')" = '[[1]]' ]
  stop_daemon
}

closes_at() { # CASE
  start_daemon
  timeout --kill-after=5 $((120 * SLOW)) "$PYTHON" "$REPO/tests/conformance/closing.py" "$1" 3>&-
  wait_exit "$DAEMON_PID"
}

@test "conformance: the opening handshake" { conforms handshake; }
@test "conformance: framing" { conforms framing; }
@test "conformance: pings and pongs" { conforms control; }
@test "conformance: reserved bits and opcodes" { conforms reserved; }
@test "conformance: fragmentation" { conforms fragments; }
@test "conformance: UTF-8 while it arrives" { conforms utf8; }
@test "conformance: the closing handshake" { conforms closing; }
@test "conformance: permessage-deflate" { conforms deflate; }
@test "conformance: limits of size, after decompression" { conforms limits; }
@test "conformance: masking" { conforms masking; }
@test "conformance: a library that others wrote" { conforms library; }
@test "conformance: the same on the other event loop" { conforms "fragments" --event-loop poll; }
@test "conformance: permessage-deflate on the other event loop" { conforms "deflate" --event-loop poll; }
@test "conformance: a storm of hostile clients" { conforms storm --reactors 2 --stall-timeout 2s --stream-buffer 64k; }
@test "conformance: SIGTERM closes with 1001" { closes_at term; }
@test "conformance: SIGUSR2 closes with 1012" { closes_at usr2; }
@test "conformance: a client that does not answer the close holds nothing up" { closes_at silent; }
