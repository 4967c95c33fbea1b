#!/usr/bin/env bats
# Live queries: a SELECT's result, and then what changes in it (docs/protocol.md).

load helper

@test "a live query gives its result and then the differences" {
  start_daemon
  case_of ws_live result_then_differences
}

@test "aggregates, views, joins, limits, rows without a key, parameters" {
  start_daemon --live-interval 10ms
  case_of ws_live kinds_of_queries
}

@test "1,000 quick writes make few messages" {
  start_daemon
  case_of ws_live coalescing
}

@test "100 subscribers of the same query share one run of it" {
  start_daemon
  case_of ws_live shared 100
}

@test "two reactors see the same messages" {
  start_daemon --reactors 2
  case_of ws_live many_reactors
}

@test "under a random writer everyone ends with what a SELECT gives" {
  start_daemon --live-interval 1ms --reactors 2
  case_of ws_live random_writer
}

@test "each subscriber has its own pace" {
  start_daemon --live-interval 10ms
  case_of ws_live pace
}

@test "what is no live query is refused, with the reason" {
  start_daemon
  case_of ws_live refusals
}

@test "a query that no longer works ends with its error" {
  start_daemon --live-max-rows 8
  case_of ws_live ends
}

@test "a query that takes too long ends with TIMEOUT, and holds up no other" {
  start_daemon --statement-timeout 700ms --live-interval 10ms
  case_of ws_live too_slow
}

@test "a query ends with its last subscriber and with the daemon, also while it runs" {
  start_daemon
  case_of ws_live left_running
  stop_daemon
}

@test "a changed schema is followed" {
  start_daemon
  case_of ws_live schema_changes
}

@test "the number of live queries is limited" {
  start_daemon --max-live-queries 3
  case_of ws_live limits
}

@test "a slow reader may begin again" {
  start_daemon --stream-buffer 1m --live-interval 1ms
  case_of ws_live slow_reader
}

@test "live queries over compressed connections" {
  start_daemon
  case_of ws_live compressed
}

@test "live queries over JSON-RPC" {
  start_daemon
  case_of ws_live over_json_rpc
}

@test "live queries among the listed subscriptions" {
  start_daemon
  case_of ws_live listed
}
