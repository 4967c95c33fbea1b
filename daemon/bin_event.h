/* The form FORM_BIN: events and published messages as messages of rustydb.bin.v1, without their
 * frames. */
#ifndef DAEMON_BIN_EVENT_H
#define DAEMON_BIN_EVENT_H

#include "daemon/forms.h"
#include "engine/value.h"
#include "wire/bin_value.h"

/* Text and blobs stay borrowed. Any thread. */
bin_value bin_value_of(const value *v);

/* An event of the feed: a record of the change log, or what another source has as JSON. Its thread.
 */
void bin_write_record(buf *out, const feed_event *ev);
/* A row that is there when a subscription begins; filter "": none. Any thread. */
void bin_write_initial(buf *out, const char *topic, const char *filter, const char *const *names,
                       const value *row, int n);
/* What is JSON in the other forms. Any thread. */
void bin_write_message(buf *out, const form_message *m);

#endif
