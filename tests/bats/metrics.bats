#!/usr/bin/env bats
# Metrics: what the daemon tells of itself agrees with what the kernel says and with what was done.

load helper

# ---- GET /metrics -----------------------------------------------------------------------------------

@test "metrics are figures of the running process" {
  start_daemon
  case_of metrics process
}

@test "metrics count what was done" {
  start_daemon
  case_of metrics counts
}

@test "metrics add up what several reactors counted" {
  start_daemon --reactors 2
  case_of metrics counts
}

@test "metrics tell the busiest topics" {
  start_daemon --reactors 2
  case_of metrics topics
}

@test "metrics as text for Prometheus" {
  start_daemon
  case_of metrics prometheus
}

@test "chosen metrics, and names that do not exist" {
  start_daemon
  case_of metrics names
}

@test "metrics need credentials" {
  start_daemon
  TOKEN='' api GET /metrics
  expect_problem 401 AUTH_REQUIRED
}

@test "a client that leaves while the figures are read harms nothing" {
  start_daemon
  case_of metrics client_leaves
  stop_daemon
}
