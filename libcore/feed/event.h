/* The text of an event: a change record as the JSON payload that subscribers get.
 *
 * A text is made once per record and serves every stream of its table: what differs between them,
 * the filter's short id, goes in at a place that is remembered. The feed's thread. */
#ifndef FEED_EVENT_H
#define FEED_EVENT_H

#include <stdbool.h>

#include "base/buf.h"
#include "engine/engine.h"
#include "json/writer.h"

typedef struct event_text {
    buf json;         /* the payload without a filter */
    size_t filter_at; /* where the "filter" member goes */
} event_text;

#define EVENT_TEXT_INIT ((event_text){.json = BUF_INIT})

/* The payload of an "event" (LOG_ROW) or of a "system" message (LOG_DDL of a change, rename or
 * drop). Replaces what was in `t`. False when memory is out. */
bool event_text_make(event_text *t, const log_record *rec);
/* The payload with this filter id (empty: none); it may use `scratch`, and lives until either is
 * changed. NULL when memory is out. */
const char *event_text_get(const event_text *t, const char *filter, buf *scratch, size_t *len);
void event_text_free(event_text *t);

/* The member `key` with a row as an object by the names of its columns; null without a row. */
void event_write_row(json_writer *w, const char *key, const table_shape *shape, const value *row);
/* What a LOG_DDL record's operation is called: "table_altered", ... */
const char *event_ddl_name(log_op op);

/* Whether subscribers hear of it at all: a table's creation has none. */
bool event_is_told(const log_record *rec);

#endif
