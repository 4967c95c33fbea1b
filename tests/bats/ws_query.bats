#!/usr/bin/env bats
# The endpoint /api/v1/ws/query: one query after the other, results in batches, progress, cancel.

load helper

@test "a query: columns, batches, end" {
  start_daemon
  case_of query_stream plain
}

@test "batches have the size that was asked for" {
  start_daemon
  case_of query_stream batches
}

@test "a batch is not held back until the next one is full" {
  start_daemon
  case_of query_stream prompt
}

@test "statements that write, and their results" {
  start_daemon
  case_of query_stream writes
}

@test "an error ends the query, the connection stays" {
  start_daemon
  case_of query_stream errors
}

@test "messages that are no queries are refused" {
  start_daemon
  case_of query_stream refused
}

@test "malformed messages in a row end the connection" {
  start_daemon --max-bad-messages 5
  case_of query_stream many_malformed
}

@test "progress says how many rows and how long, and no percentage" {
  start_daemon
  case_of query_stream progress
}

@test "cancel by message" {
  start_daemon
  case_of query_stream cancel
}

@test "closing cancels" {
  start_daemon
  case_of query_stream close_cancels
}

@test "a second query while one runs is refused with BUSY" {
  start_daemon
  case_of query_stream busy
}

@test "who reads slowly costs a bounded amount of memory, and gets everything" {
  start_daemon
  case_of query_stream slow_reader
}

@test "large rows end a batch early" {
  start_daemon
  case_of query_stream large_rows
}

@test "results with permessage-deflate" {
  start_daemon
  case_of query_stream deflated
}

@test "without credentials only a token is answered" {
  start_daemon
  case_of query_stream authenticates
}

@test "who sends no token in time is closed with 1008" {
  start_daemon --auth-timeout 400ms
  case_of query_stream auth_too_late
}

@test "SIGTERM ends the query and says so" {
  start_daemon --shutdown-timeout 1s
  case_of query_stream terminate
  wait_exit "$DAEMON_PID"
}
