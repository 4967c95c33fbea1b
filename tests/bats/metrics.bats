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

# ---- the topic metrics ------------------------------------------------------------------------------

@test "the first sample comes at once, the next after the interval" {
  start_daemon
  case_of metrics_ws intervals
}

@test "samples have the chosen metrics alone" {
  start_daemon
  case_of metrics_ws chosen
}

@test "samples agree with what was done between them" {
  start_daemon --reactors 2
  case_of metrics_ws agree
}

@test "another subscription to metrics takes the place of the first" {
  start_daemon
  case_of metrics_ws replaced
}

@test "unknown metrics and intervals that are none are refused" {
  start_daemon
  case_of metrics_ws refused
}

@test "many subscribers of the same choice share one sample" {
  start_daemon --reactors 2
  case_of metrics_ws shared
}

@test "different choices are limited" {
  start_daemon --max-metric-streams 3
  case_of metrics_ws limited
}

@test "the sampler sleeps when nobody subscribes" {
  start_daemon
  case_of metrics_ws sleeps
}

@test "metrics with permessage-deflate" {
  start_daemon
  case_of metrics_ws deflated
}

@test "the endpoint ws/metrics takes subscriptions to metrics and nothing else" {
  start_daemon
  case_of metrics_ws endpoint
}

@test "SIGTERM with subscribers of metrics" {
  start_daemon --reactors 2
  case_of metrics_ws terminate
  wait_exit "$DAEMON_PID"
}

@test "metrics in rustydb.bin.v1 and in jsonrpc" {
  start_daemon
  case_of metrics_ws protocols
}
