#!/usr/bin/env bats
# What the daemon tells of itself as events: the topics `queries` and `system`.

load helper

# ---- queries ----------------------------------------------------------------------------------------

@test "statements are told of with who, what and how long" {
  start_daemon
  case_of query_events start_and_end
}

@test "batches and transactions are told of" {
  start_daemon --reactors 2
  case_of query_events batches_and_transactions
}

@test "errors, cancels and clients that leave are told of" {
  start_daemon
  case_of query_events errors_and_cancels
}

@test "long statements tell how far they are" {
  start_daemon
  case_of query_events progress
}

@test "a busy daemon leaves events out and says how many" {
  start_daemon --max-daemon-events 20
  case_of query_events bounded
}

@test "a long text of a statement is cut" {
  start_daemon
  case_of query_events long_text
}

# ---- system -----------------------------------------------------------------------------------------

@test "who subscribes to system is told when the daemon started" {
  start_daemon
  case_of system_events started
}

@test "the stop of the daemon is told before the close" {
  start_daemon --reactors 2
  case_of system_events stopping TERM 1001
  wait_exit "$DAEMON_PID"
}

@test "so is a restart" {
  start_daemon
  case_of system_events stopping USR2 1012
  wait_exit "$DAEMON_PID"
}

@test "changed settings are told" {
  printf 'log_level = info\nreaders = 2\n' >"$T/conf"
  start_daemon --config "$T/conf"
  case_of system_events reload "$T/conf"
}

@test "checkpoints are told" {
  start_daemon
  case_of system_events checkpoint
}

@test "slow consumers are told" {
  start_daemon --stream-buffer 128k
  case_of system_events slow_consumer
}

@test "limits that are hit are told" {
  start_daemon --max-subscriptions 3 --max-pending 2 --max-connections 6
  case_of system_events limits
}

@test "these topics take no filter and no position" {
  start_daemon
  case_of system_events refused
}
