# Streams of changes: several tables in one, by columns, with the rows first; and slow consumers.
load helper

@test "one stream of several tables, or of all, in commit order" {
  start_daemon
  case_of ws_events tables_in_one_stream
}

@test "where over several tables" {
  start_daemon
  case_of ws_events where_over_several_tables
}

@test "columns: updates of others are left out" {
  start_daemon
  case_of ws_events changed_columns
}

@test "initial: the rows that are there, then changes from just that point, under load" {
  start_daemon
  case_of ws_events initial_rows
}

@test "initial through a filter" {
  start_daemon
  case_of ws_events initial_with_a_filter
}

@test "initial rows stop when nobody wants them any more" {
  start_daemon
  case_of ws_events initial_ends_early
}

@test "the endpoint takes subscriptions to tables only" {
  start_daemon
  case_of ws_events endpoint
}

@test "drop_oldest: the events that were missed are named, and it goes on" {
  start_daemon --stream-buffer 1m
  case_of ws_events drop_oldest
}

@test "drop_oldest: what was missed is named at the end, too" {
  start_daemon --stream-buffer 1m
  case_of ws_events drop_oldest_to_the_end
}

@test "replay: a slow reader gets everything from the log" {
  start_daemon --stream-buffer 1m
  case_of ws_events replay_policy
}

@test "policies that are none are refused" {
  start_daemon
  case_of ws_events policies_refused
}

@test "a thousand filters on values, each gets its own" {
  start_daemon --max-subscriptions 2000
  case_of ws_events many_filters
}

@test "clients with and without compression see the same" {
  start_daemon
  case_of ws_events plain_and_compressed
}
