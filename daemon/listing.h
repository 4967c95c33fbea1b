/* Lists of what all reactors own together, a page at a time, in the order of numbers that never
 * change, so that pages fit together while things come and go:
 *
 *     {"total":N,"offset":N,"limit":N,"NAME":[...]}
 *
 * A list takes two rounds of a survey: first every reactor says which numbers match (8 bytes each),
 * then those of the wanted page are described. So a page costs the memory of its own text, however
 * much there is. What goes between the rounds is missing from the page. */
#ifndef DAEMON_LISTING_H
#define DAEMON_LISTING_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "daemon/http.h"

enum { LISTING_LIMIT = 100, LISTING_MAX = 1000 }; /* rows of a page: by default, at most */

/* The descriptions that one reactor gives. */
typedef struct listing_rows {
    buf text; /* JSON objects, one behind the other */
    buf ends; /* of each: listing_end */
} listing_rows;

/* Both run on the reactor's thread, for what it owns. The filter is shared and only read. */
typedef struct listing_kind {
    const char *name; /* of the array, such as "connections" */
    const char *one;  /* what one of them is, such as "connection" */
    /* Appends the numbers (uint64_t) of all that match, in any order. */
    void (*collect)(reactor *r, const void *filter, buf *numbers);
    /* Describes those of the wanted numbers (ascending) that are here, in that order, between
     * listing_begin and listing_end. */
    void (*describe)(reactor *r, const uint64_t *wanted, size_t n, listing_rows *to);
    /* NULL, or writes further members behind a page's rows; on the asker's thread. */
    void (*add_members)(server *d, json_writer *w);
} listing_kind;

/* Around the description of one; the writer is begin's to set up. */
void listing_begin(listing_rows *to, json_writer *w);
void listing_end(listing_rows *to, uint64_t number);

/* Answers with a page, now or later. Takes over the filter (mem_alloc; may be NULL). */
void listing_reply(request *q, const listing_kind *kind, void *filter, int64_t offset,
                   int64_t limit);
/* Answers with one of them, or NOT_FOUND; `id` is its name for the message. */
void listing_reply_one(request *q, const listing_kind *kind, uint64_t number, const char *id);

#endif
