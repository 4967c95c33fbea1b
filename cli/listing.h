/* What a list of the daemon's holds (connections, subscriptions), shown in one of the formats that
 * rows are shown in. One thread. */
#ifndef CLI_LISTING_H
#define CLI_LISTING_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/client.h"
#include "cli/format/format.h"

/* How things of one kind are asked for and shown. */
typedef struct listing_kind {
    const char *path;           /* of the list, below /api/v1: "/ws/connections" */
    const char *name;           /* of the array in its answer: "connections" */
    const char *key;            /* of what a thing is known by, the first column: "connection_id" */
    const char *const *columns; /* members of a thing, ends with NULL */
    const char *const *brief;   /* those that a table on a terminal has room for */
    bool by_offset; /* pages are asked for by their place in the list, not by what stands before */
} listing_kind;

typedef struct listing {
    const listing_kind *kind;
    client *c;
    format *format;
    const char *const *columns; /* as shown */
    bool begun;
} listing;

/* Begins the output. format: how, where --format says nothing and standard output is a terminal
 * (elsewhere csv). listing_close in any case. */
void listing_open(listing *l, const listing_kind *kind, client *c, const char *on_terminal);
/* Shows the things of the list from the first on, at most `limit` (0: all of them). filter: a query
 * string, escaped, may be empty. They are fetched in pages, each behind the last thing of the one
 * before, so that none is left out because another went. False with e set. */
bool listing_pages(listing *l, const char *filter, int64_t limit, error *e);
/* Shows the one thing of this id. */
bool listing_one(listing *l, const char *id, error *e);
/* Shows a thing that came in an answer. */
bool listing_row(listing *l, scan_text thing, error *e);
/* Ends the output. complete: whatever was to be shown was. */
void listing_close(listing *l, bool complete);

/* The whole of a command that lists, from listing_open to its messages: a table on a terminal.
 * Returns the exit status. */
int listing_list(client *c, const listing_kind *kind, const char *filter, int64_t limit);
/* The same for one that shows things by their ids (a list that ends with NULL): a line for each
 * member on a terminal. */
int listing_show(client *c, const listing_kind *kind, char **ids);

/* Ends things by their ids (a list that ends with NULL), each with this query string. The answers
 * are shown as rows where --format asks for them; otherwise `say` puts them into words. One that is
 * not there does not save the others. Returns the exit status, after messages. */
int listing_remove(client *c, const listing_kind *shown, const char *query, char **ids,
                   void (*say)(buf *out, scan_text answer));

/* Appends a query string's next NAME=VALUE, escaped; nothing when value is NULL. */
void listing_param(buf *query, const char *name, const char *value);

#endif
