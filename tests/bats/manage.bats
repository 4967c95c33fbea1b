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

@test "a connection is told of with all that is known of it" {
  start_daemon
  case_of ws_manage connection_fields
}

@test "a connection is told of with all that is known of it, with two reactors" {
  start_daemon --reactors 2
  case_of ws_manage connection_fields
}

@test "connections come in pages, in the order they came in" {
  start_daemon
  case_of ws_manage connection_pages
}

@test "connections come in pages, in the order they came in, with two reactors" {
  start_daemon --reactors 2
  case_of ws_manage connection_pages
}

@test "connections by state and user; bad parameters are refused" {
  start_daemon
  case_of ws_manage connection_filters
}

@test "connections by state and user; bad parameters are refused, with two reactors" {
  start_daemon --reactors 2
  case_of ws_manage connection_filters
}

@test "what a client tells of itself stands with its connection" {
  start_daemon
  case_of ws_manage connection_metadata
}

@test "what a client tells of itself stands with its connection, with two reactors" {
  start_daemon --reactors 2
  case_of ws_manage connection_metadata
}

@test "a connection is ended with the code and reason asked for" {
  start_daemon
  case_of ws_manage connection_killed
}

@test "a connection is ended with the code and reason asked for, with two reactors" {
  start_daemon --reactors 2
  case_of ws_manage connection_killed
}

@test "lists stay right while connections come and go" {
  start_daemon
  case_of ws_manage connections_come_and_go
}

@test "lists stay right while connections come and go, with two reactors" {
  start_daemon --reactors 2
  case_of ws_manage connections_come_and_go
}

@test "a subscription is told of with all that is known of it" {
  start_daemon
  case_of ws_manage subscription_fields
}

@test "a subscription is told of with all that is known of it, with two reactors" {
  start_daemon --reactors 2
  case_of ws_manage subscription_fields
}

@test "subscriptions come in pages, and by what they are" {
  start_daemon
  case_of ws_manage subscription_pages
}

@test "subscriptions come in pages, and by what they are, with two reactors" {
  start_daemon --reactors 2
  case_of ws_manage subscription_pages
}

@test "a connection is subscribed from outside, and told so" {
  start_daemon
  case_of ws_manage subscribed_from_outside
}

@test "a connection is subscribed from outside, and told so, with two reactors" {
  start_daemon --reactors 2
  case_of ws_manage subscribed_from_outside
}

@test "a subscription is ended from outside, and its client told why" {
  start_daemon
  case_of ws_manage subscription_ended
}

@test "a subscription is ended from outside, and its client told why, with two reactors" {
  start_daemon --reactors 2
  case_of ws_manage subscription_ended
}

@test "lag is what waits for a subscriber" {
  start_daemon --stream-buffer 64m
  case_of ws_manage lag_is_what_waits
}

@test "lag is what waits for a subscriber, with two reactors" {
  start_daemon --reactors 2 --stream-buffer 64m
  case_of ws_manage lag_is_what_waits
}

@test "subscribing connections that go has an answer" {
  start_daemon
  case_of ws_manage subscriptions_come_and_go
}

@test "subscribing connections that go has an answer, with two reactors" {
  start_daemon --reactors 2
  case_of ws_manage subscriptions_come_and_go
}

@test "a broadcast reaches those it is for, and says which" {
  start_daemon
  case_of ws_manage broadcast_targets
}

@test "a broadcast reaches those it is for, and says which, with two reactors" {
  start_daemon --reactors 2
  case_of ws_manage broadcast_targets
}
