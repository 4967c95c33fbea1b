/* The set of stored queries: all in memory, in their newest versions, and kept by the database.
 *
 * One mutex guards the table of names, held for a look-up and never while anything is waited for or
 * written; what the table points at is immutable and counted (stored_query.h). So any reactor reads
 * what it holds as long as it likes, and the next change makes a new definition beside it.
 *
 * A change is made by the engine's writer, and the table follows when it is durable. Meanwhile the
 * name is taken: another change of it is CONFLICT. */
#ifndef DAEMON_STORED_QUERIES_H
#define DAEMON_STORED_QUERIES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/stored_query.h"
#include "engine/engine.h"

typedef struct stored_queries stored_queries;

/* Reads them from the database; blocks, for start-up only. */
stored_queries *stored_queries_open(engine *g, error *e);
/* When the engine has closed: until then changes may end. NULL is fine. */
void stored_queries_free(stored_queries *s);

/* A reference, for the caller to give back; NULL when there is none of this name. Any thread. */
stored_query *stored_queries_find(stored_queries *s, const char *name);
/* References to those of a page in the order of their names, and how many there are in all. Gives
 * at most `limit` and returns how many. Any thread. */
int stored_queries_page(stored_queries *s, int64_t offset, int limit, stored_query **out,
                        int64_t *total);

/* Differs from what it was before whenever the set has changed since. Any thread. */
uint64_t stored_queries_generation(const stored_queries *s);
/* Adds each stored query to "paths" of an OpenAPI document, as an operation of its own with the
 * schemas of its parameters. The document should be made anew when the generation has changed. Any
 * thread. */
void stored_queries_describe(stored_queries *s, json_t *document);

/* A change. `is` is made, in the place of `was`; NULL: `was` is dropped. `was` is what the asker
 * believes to be there, NULL: nothing. */
typedef struct stored_call {
    stored_query *was, *is;              /* references, the asker's; at least one of them */
    int64_t max;                         /* how many queries there may be */
    void (*done)(struct stored_call *c); /* once, on an engine thread or the asker's */
    bool failed;                         /* valid at done */
    error err;

    /* the set's own */
    stored_queries *owner;
    job job;
    job_sink sink;
    stored_change change;
} stored_call;

/* Any thread. The call must live until `done`. CONFLICT when `was` is no longer what is there, the
 * name is taken by another change, or the set is full. */
void stored_queries_change(stored_queries *s, stored_call *c);

#endif
