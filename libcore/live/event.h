/* What a live query's subscribers are sent: the payload of an event, as JSON.
 *
 *   {"topic":"query:HASH","lsn":N,"kind":"result","key":[columns]|null,"columns":[{"name","type"}],
 *    "rows":[[...],...]}
 *   {"topic":"query:HASH","lsn":N,"kind":"diff","since":M,"count":ROWS,
 *    "removed":[{"was","key":[...]}|{"was","row":[...]}],"changed":[{"was","at","row":[...]}],
 *    "added":[{"at","row":[...]}]}
 *
 * A result replaces all there was. A difference leads from the event with the lsn M to the rows of
 * lsn N: see live/diff.h. One thread. */
#ifndef LIVE_EVENT_H
#define LIVE_EVENT_H

#include "live/diff.h"

/* Where rows are unpacked; one per thread that writes events. */
typedef struct lq_writer {
    value *values;
    int room;
} lq_writer;

void lq_writer_free(lq_writer *w);

/* Appended to out. False when memory is out. */
bool lq_event_result(lq_writer *w, buf *out, const char *hash, const lq_result *r);
bool lq_event_diff(lq_writer *w, buf *out, const char *hash, const lq_result *old,
                   const lq_result *new, const lq_diff *d);

#endif
