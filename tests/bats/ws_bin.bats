#!/usr/bin/env bats
# The subprotocol rustydb.bin.v1, with a decoder of its own (lib/bincode.py, lib/binmsg.py).

load helper

# ---- sessions ---------------------------------------------------------------------------------------

@test "bin: a session opens with a welcome" {
  start_daemon
  case_of ws_bin welcome
}

@test "bin: credentials come with the upgrade, or it is 401" {
  start_daemon
  case_of ws_bin needs_header
}

@test "bin: a text message ends the session with 1003" {
  start_daemon
  case_of ws_bin text_is_refused
}

@test "bin: SIGTERM says so and closes with 1001" {
  start_daemon
  case_of ws_bin terminate
  wait_exit "$DAEMON_PID"
}

# ---- statements -------------------------------------------------------------------------------------

@test "bin: values of every kind come back as they went" {
  start_daemon
  case_of ws_bin values
}

@test "bin: queries give columns, rows and an end, executes a summary" {
  start_daemon
  case_of ws_bin statements
}

@test "bin: errors have a code and a place" {
  start_daemon
  case_of ws_bin errors
}

@test "bin: malformed messages are answered and the session stays" {
  start_daemon
  case_of ws_bin malformed
}

@test "bin: malformed messages in a row end the session" {
  start_daemon --max-bad-messages 5
  case_of ws_bin abuse 5
}

@test "bin: a large result comes in several messages" {
  start_daemon
  case_of ws_bin many
}

@test "bin: text that is not UTF-8 is mended" {
  start_daemon
  case_of ws_bin not_utf8
}

@test "bin: a running query is cancelled by its id" {
  start_daemon
  case_of ws_bin cancel
}

@test "bin: transactions" {
  start_daemon
  case_of ws_bin transactions
}

@test "bin: results take less room than as JSON arrays" {
  start_daemon
  case_of ws_bin sizes
}

# ---- subscriptions ----------------------------------------------------------------------------------

@test "bin: changes of a table" {
  start_daemon
  case_of ws_bin changes
}

@test "bin: both protocols tell the same, live and replayed" {
  start_daemon
  case_of ws_bin same_as_json
}

@test "bin: operations, filters, and what is refused" {
  start_daemon
  case_of ws_bin filters
}

@test "bin: a subscription that begins with the rows that are there" {
  start_daemon
  case_of ws_bin initial
}

@test "bin: a live query" {
  start_daemon
  case_of ws_bin live
}

@test "bin: metrics, all and chosen" {
  start_daemon
  case_of ws_bin metrics
}

@test "bin: managed over REST like any other connection" {
  start_daemon
  case_of ws_bin managed
}

@test "bin: topics of the daemon itself come as notices" {
  start_daemon
  case_of ws_bin own_topics
}

@test "bin: several tables in one stream, updates by their columns" {
  start_daemon
  case_of ws_bin several
}

@test "bin: a subscription from a position" {
  start_daemon
  case_of ws_bin positions
}

@test "bin: a table is altered, renamed, dropped" {
  start_daemon
  case_of ws_bin tables
}

@test "bin: channels carry text, bytes and JSON to every protocol" {
  start_daemon
  case_of ws_bin channels
}

@test "bin: drop_oldest names what was lost and goes on" {
  start_daemon --stream-buffer 1mb
  case_of ws_bin lost
}

@test "bin: with permessage-deflate" {
  start_daemon
  case_of ws_bin deflate
}
