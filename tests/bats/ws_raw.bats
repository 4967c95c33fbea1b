#!/usr/bin/env bats
# The subprotocol raw: plain frames as messages of one channel.

load helper

@test "texts and bytes go between sessions, and to rustydb.json.v1" {
  start_daemon
  case_of ws_raw between_sessions
}

@test "messages of other protocols arrive as plain frames" {
  start_daemon
  case_of ws_raw from_other_protocols
}

@test "the channel stands in the URL; a bad or missing one is 400" {
  start_daemon
  case_of ws_raw names
}

@test "credentials come with the upgrade" {
  start_daemon
  case_of ws_raw credentials
}

@test "permessage-deflate" {
  start_daemon
  case_of ws_raw compressed
}

@test "a message that is too big ends the session" {
  start_daemon --max-message 64k
  case_of ws_raw large
}

@test "two reactors" {
  start_daemon --reactors 2
  case_of ws_raw reactors
}

@test "nothing but the channel's messages is said" {
  start_daemon
  case_of ws_raw nothing_but_the_channel
  wait_exit "$DAEMON_PID"
}
