#!/usr/bin/env bats
# JSON-RPC 2.0 as docs/protocol.md has it: the subprotocol jsonrpc, and POST /api/v1/rpc.

load helper

@test "messages good and bad are answered as the specification says, over WebSocket" {
  start_daemon --max-bad-messages 1000
  case_of rpc corpus_over_websocket
}

@test "the same messages over HTTP" {
  start_daemon
  case_of rpc corpus_over_http
}

@test "query and execute answer one result" {
  start_daemon
  case_of rpc queries
}

@test "results and the answers of a batch are bounded" {
  start_daemon --max-result 64k
  case_of rpc large_results
}

@test "permessage-deflate: results, batches, events" {
  start_daemon
  case_of rpc compressed
}

@test "batches run in order and are answered in one array" {
  start_daemon
  case_of rpc batches
}

@test "a session that breaks off takes its batches along" {
  start_daemon
  case_of rpc a_batch_that_breaks_off
}

@test "more batches under way than allowed are refused" {
  start_daemon --max-pending 4
  case_of rpc many_batches
}

@test "cancel names a query by the value of its id" {
  start_daemon
  case_of rpc cancelling
}

@test "transactions and savepoints" {
  start_daemon
  case_of rpc transactions
}

@test "events are notifications with the same payload as in rustydb.json.v1" {
  start_daemon
  case_of rpc events
}

@test "the daemon's close is told as a notification" {
  start_daemon
  case_of rpc closing
  wait_exit "$DAEMON_PID"
}

@test "without credentials only auth is answered" {
  start_daemon
  case_of rpc authentication
}

@test "status says what the daemon does and the connection may do" {
  start_daemon
  case_of rpc status
}

@test "malformed messages in a row end the connection" {
  start_daemon --max-bad-messages 10
  case_of rpc abuse
}

@test "rpc.discover describes every method, truly" {
  start_daemon --max-bad-messages 1000
  case_of rpc discover
}

@test "the methods over HTTP" {
  start_daemon
  case_of rpc over_http
}
