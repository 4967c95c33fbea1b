#!/usr/bin/env bats
# Replication as docs/protocol.md has it: transactions, slots, a replica.

load helper

@test "statements, batches, transactions, triggers and cascades are transactions, whole" {
  start_daemon
  case_of ws_replication boundaries
}

@test "all consumers get every transaction, in commit order" {
  start_daemon
  case_of ws_replication order
}

@test "changes to tables are told when asked for; some tables alone" {
  start_daemon
  case_of ws_replication ddl
}

@test "a transaction larger than the window arrives whole and costs bounded memory" {
  start_daemon
  case_of ws_replication large
}

@test "with two reactors and with compression it is the same" {
  start_daemon --reactors 2
  case_of ws_replication order
  case_of ws_replication slots
}

@test "a slot has one consumer, keeps its position and gives it back" {
  start_daemon
  case_of ws_replication slots
}

@test "slots are made, listed and dropped over REST; consumers are listed" {
  start_daemon --max-replication-slots 2
  case_of ws_replication managed
}

@test "there are only so many consumers" {
  start_daemon --max-replication-consumers 2
  case_of ws_replication too_many
}

@test "after SIGKILL a slot goes on where it was confirmed, and misses nothing" {
  start_daemon
  local at
  at=$(case_of ws_replication make a)
  kill_daemon
  restart_daemon
  case_of ws_replication resumes a "$at"
  kill_daemon
  restart_daemon
  case_of ws_replication at a $((at + 3)) # written when the consumer left
}

@test "a stop writes the last confirmation" {
  start_daemon
  background case_of ws_replication stopped >"$T/lsn"
  local consumer=$BG
  wait_until grep -q . "$T/lsn"
  stop_daemon
  wait_exit "$consumer"
  restart_daemon
  case_of ws_replication at last "$(cat "$T/lsn")"
}

@test "a slot whose position was pruned is lost" {
  start_daemon --changes-keep 10
  case_of ws_replication gap
}

@test "the endpoint and the topic" {
  start_daemon
  case_of ws_replication endpoint
  api GET /ws/replication
  expect_problem 426 UPGRADE_REQUIRED
}

@test "by JSON-RPC it is the same" {
  start_daemon
  case_of ws_replication over_rpc
}

@test "a replica under writers and SIGKILL equals its source" {
  run "$PYTHON" "$LIB/replica.py" --bin "$BIN" --dir "$T" --kills 3 --seed "$RANDOM"
  echo "$output"
  [ "$status" = 0 ]
  [[ ${lines[-1]} =~ ^[0-9]+\ passed,\ 0\ failed$ ]]
}
