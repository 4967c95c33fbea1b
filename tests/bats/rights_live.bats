#!/usr/bin/env bats
# What is pushed to whom: events, live queries and messages by the rights of each, and the loss of
# rights while somebody listens (docs/security.md, "What events show").

load helper

@test "two users with different policies on a table see each their own rows of it" {
  start_daemon --reactors 2
  case_of rights_live own_rows
}

@test "columns and masks are in events what they are in results" {
  start_daemon
  case_of rights_live columns_and_masks
}

@test "a filter says nothing of what is hidden" {
  start_daemon
  case_of rights_live filters
}

@test "resuming shows no more than listening does" {
  start_daemon
  case_of rights_live resume
}

@test "the rows at the beginning are those that may be seen" {
  start_daemon
  case_of rights_live initial
}

@test "a table that may not be read is refused as one that is not there" {
  start_daemon
  case_of rights_live hidden_tables
}

@test "a live query is shared with nobody who sees otherwise" {
  start_daemon --live-interval 1ms
  case_of rights_live live_query
}

@test "the daemon's own topics and replication take their right" {
  start_daemon
  case_of rights_live streams
}

@test "channels and messages take their right, in every protocol" {
  start_daemon
  case_of rights_live channels
}

@test "a role that is taken away ends what it gave within a second, and nothing else" {
  start_daemon --reactors 2
  case_of rights_live role_taken
}

@test "a key that is deleted ends its connections within a second" {
  start_daemon
  case_of rights_live key_deleted
}

@test "a user that is disabled loses statements under way" {
  start_daemon
  case_of rights_live statements_end
}
