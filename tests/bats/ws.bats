#!/usr/bin/env bats
# The WebSocket side as docs/protocol.md has it. Sessions are Debian's python3-websockets.

load helper

# ---- sessions ---------------------------------------------------------------------------------------

@test "a session opens with a welcome" {
  start_daemon
  case_of ws_session welcome
}

@test "without credentials only auth is answered" {
  start_daemon
  case_of ws_session auth_in_time
}

@test "a wrong token gets auth_error, in the request's head 401" {
  start_daemon
  case_of ws_session auth_wrong
}

@test "who does not authenticate in time is closed with 1008" {
  start_daemon --auth-timeout 400ms
  case_of ws_session auth_too_late
}

@test "a token in the URL is taken only where the setting says so, and never logged" {
  start_daemon
  case_of ws_session token_in_url refused
  stop_daemon
  start_daemon --url-tokens on --log-level debug
  case_of ws_session token_in_url taken
  run ! grep -rq "$(cat "$DIR/root.token")" "$T/daemon.err"
}

@test "pings of the envelope and of the protocol are answered" {
  start_daemon
  case_of ws_session pings
}

@test "unknown message types are refused, the session stays" {
  start_daemon
  case_of ws_session unknown_types_are_refused
}

@test "subprotocols: ours among others, none at all, an unknown one alone is 400" {
  start_daemon
  case_of ws_session subprotocols
}

@test "upgrades that are none are refused" {
  start_daemon
  case_of ws_session upgrades_that_are_none
}

@test "permessage-deflate, with and without context takeover" {
  start_daemon
  case_of ws_session deflate
}

@test "SIGTERM says so and closes everyone with 1001" {
  start_daemon
  case_of ws_session terminate
  wait_exit "$DAEMON_PID"
}

@test "a silent client is pinged, and closed when it does not answer" {
  start_daemon --ping-interval 300ms
  case_of ws_session silent_client_is_pinged_and_closed
}

@test "more connections than allowed are refused with CONNECTION_LIMIT" {
  start_daemon --max-connections 5
  case_of ws_session connection_limit
}

@test "peers that have stopped are found in time, whatever is on its way to them" {
  start_daemon --ping-interval 400ms --stream-buffer 64m
  case_of ws_session dead_peers_are_found
}

@test "a slow reader that is far behind is no dead peer" {
  start_daemon --ping-interval 400ms --stream-buffer 64m
  case_of ws_session slow_reader_is_alive
}

@test "messages in fragments, with a ping among them, and a byte at a time" {
  start_daemon
  case_of ws_session fragments
}

@test "a client's close is answered with its code" {
  start_daemon
  case_of ws_session client_close_is_answered
}

# ---- statements -------------------------------------------------------------------------------------

@test "query and execute stream their results" {
  start_daemon
  case_of ws_query streams
}

@test "errors of statements have a code, and the position in the SQL" {
  start_daemon
  case_of ws_query errors
}

@test "many requests under way: each answer finds its request" {
  start_daemon
  case_of ws_query interleaved
}

@test "cancel ends a query; closing the session does, too" {
  start_daemon
  case_of ws_query cancel
}

@test "transactions over a session" {
  start_daemon
  case_of ws_query transactions
}

@test "a session that breaks off leaves nothing of its transaction and does not hold the writer" {
  start_daemon --transaction-idle 1s
  case_of ws_query transaction_of_a_session_that_breaks_off
}

# ---- subscriptions to tables ------------------------------------------------------------------------

@test "insert, update and delete come as events" {
  start_daemon
  case_of ws_feed event_shapes
}

@test "triggers, cascades, REPLACE, UPSERT and WITHOUT ROWID make events in order" {
  start_daemon
  case_of ws_feed who_ever_made_the_change
}

@test "what was rolled back is silent" {
  start_daemon
  case_of ws_feed rolled_back_work_is_silent
}

@test "ops choose" {
  start_daemon
  case_of ws_filter ops
}

@test "where chooses, by the new row, the old row, affinity and collation" {
  start_daemon
  case_of ws_filter where
}

@test "where takes any deterministic expression over the row" {
  start_daemon
  case_of ws_filter where_with_everything_in_it
}

@test "where refuses subqueries, parameters, unknown columns and what is not deterministic" {
  start_daemon
  case_of ws_filter where_refused
}

@test "a filter that fails for one row goes on with the next" {
  start_daemon
  case_of ws_filter filter_that_fails_for_a_row
}

@test "one subscription per topic and filter; unsubscribe ends it" {
  start_daemon
  case_of ws_feed one_subscription_per_topic_and_filter
}

@test "topics that are none are refused" {
  start_daemon
  case_of ws_feed topics_refused
}

@test "since replays, from any position, and refuses what cannot be" {
  start_daemon
  case_of ws_position since
}

@test "a replay goes through the filter" {
  start_daemon
  case_of ws_filter replay_with_a_filter
}

@test "replay hands over to live under write load, no gap and no repeat" {
  start_daemon
  case_of ws_position handover
}

@test "a write that starts after subscribed is never missed" {
  start_daemon
  case_of ws_position subscribed_means_live
}

@test "what was pruned is a GAP that names the oldest kept" {
  start_daemon --changes-keep 100
  case_of ws_position gap
}

@test "ALTER, RENAME and DROP are told to subscribers" {
  start_daemon
  case_of ws_feed ddl
}

@test "a replay keeps the columns of the time" {
  start_daemon
  case_of ws_position replay_across_an_alter
}

@test "a slow consumer is closed with 1013 and resumes; memory stays" {
  start_daemon --stream-buffer 1m
  case_of ws_position slow_consumer
}

@test "a slow reader of a replay costs a bounded window" {
  start_daemon
  case_of ws_position slow_replay
}

@test "a hundred subscribers see the same in the same order" {
  start_daemon
  case_of ws_feed many_subscribers
}

@test "more subscriptions than allowed are refused" {
  start_daemon --max-subscriptions 10
  case_of ws_feed subscription_limit
}

@test "two reactors share the port, and everyone sees everything" {
  start_daemon --reactors 2
  case_of ws_feed many_subscribers
  case_of ws_channel publish_and_subscribe
}

# ---- channels ---------------------------------------------------------------------------------------

@test "channels carry messages between sessions and from REST" {
  start_daemon
  case_of ws_channel publish_and_subscribe
}

@test "a broadcast reaches everyone who has authenticated" {
  start_daemon
  case_of ws_channel broadcast_reaches_everyone
}

@test "channels refuse since, where and ops" {
  start_daemon
  case_of ws_channel refused
}

@test "malformed messages in a row end a connection with 1008; a good one between starts anew" {
  start_daemon
  case_of ws_session malformed_in_a_row
}
