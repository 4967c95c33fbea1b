#!/usr/bin/env bats
# What the daemon tells of its connections, and lets be done to them.

load helper

@test "ws/status counts messages each way and how long answers took" {
  start_daemon
  case_of ws_manage status_counts
}

@test "ws/status adds up what several reactors counted" {
  start_daemon --reactors 2
  case_of ws_manage status_counts
}
