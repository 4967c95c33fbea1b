/* The latest statements that took long: the setting `slow_query` says what long is. A ring of fixed
 * size; any thread, and nobody waits for long. */
#ifndef DAEMON_SLOW_QUERIES_H
#define DAEMON_SLOW_QUERIES_H

#include "daemon/run.h"

enum { SLOW_QUERIES_KEPT = 200 };

typedef struct slow_queries slow_queries;

slow_queries *slow_queries_new(void);
void slow_queries_free(slow_queries *s); /* NULL is fine */

/* On the run's reactor, when it has ended and before it is answered: remembers it if it took long.
 */
void slow_queries_note(slow_queries *s, const run *r);

/* {"total","offset","limit","slow_queries":[...]}, latest first. Any thread that may block. */
void slow_queries_write(slow_queries *s, const server *d, int64_t offset, int64_t limit,
                        json_writer *w);
/* Forgets them; how many there were. Any thread that may block. */
int slow_queries_clear(slow_queries *s);

#endif
