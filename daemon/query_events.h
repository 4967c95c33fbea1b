/* The topic `queries`: what statements are run by whom, how far they are, and how they end.
 *
 * A statement is watched when somebody listens at the time it is submitted. `max_daemon_events`
 * bounds the events of a second: a start is left out together with its end, but failures, progress
 * and the ends of what took long may take up a quarter more. */
#ifndef DAEMON_QUERY_EVENTS_H
#define DAEMON_QUERY_EVENTS_H

#include <stdint.h>

#include "daemon/run.h"

/* On the run's reactor: it is about to be submitted; and, now and then, it is still under way. */
void query_submitted(run *r);
void query_still_runs(run *r, int64_t now_us);

/* On an engine thread: it starts; and it is over (e NULL: well), before anybody is told. */
void query_started(run *r);
void query_ended(run *r, const error *e);

/* What clients call a job's statements: "query", "batch"; NULL for what is none. Any thread. */
const char *query_kind(const job *j);
/* Writes its SQL as the members `sql`, cut to what people read, with `sql_bytes` where it was, and
 * `statements` where there are several. Nothing where there is none. Any thread. */
void query_put_sql(json_writer *w, const job *j);

void query_watch_free(struct query_watch *w); /* NULL is fine */

#endif
