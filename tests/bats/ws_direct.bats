#!/usr/bin/env bats
# Messages of rustydb.json.v1: good and bad ones, batches, and direct messages between connections.

load helper

@test "messages good and bad are answered as the corpus says" {
  start_daemon --max-bad-messages 1000
  case_of ws_direct corpus_is_answered_as_it_says
}

@test "the messages of a batch are answered each on its own" {
  start_daemon
  case_of ws_direct batches
}

@test "a batch may authenticate and go on" {
  start_daemon
  case_of ws_direct a_batch_before_authentication
}

@test "malformed messages count inside batches, too" {
  start_daemon --max-bad-messages 10
  case_of ws_direct malformed_in_batches
}

@test "text and binary go from one connection to another" {
  start_daemon
  case_of ws_direct between_connections
}

@test "text goes to a connection of another reactor" {
  start_daemon --reactors 2
  case_of ws_direct across_reactors
}

@test "a session of jsonrpc gets text as a notification" {
  start_daemon
  case_of ws_direct to_a_session_of_jsonrpc
}

@test "who does not read does not get more; the sender is told" {
  start_daemon --stream-buffer 64k
  case_of ws_direct one_that_does_not_read
}
