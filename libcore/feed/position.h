/* Positions in the change log that clients give: whether everything behind them is still there. */
#ifndef FEED_POSITION_H
#define FEED_POSITION_H

#include <jansson.h>

#include "engine/engine.h"

enum { POSITION_LOG_ID_MAX = 64 }; /* bytes of a log's name, its NUL included */

typedef struct position {
    const char *log_id; /* NULL: of the log that there is */
    int64_t lsn;
} position;

/* Reads what a client sends for `since`: N, or "LOG_ID:N". at->log_id is put into log_id. `where`
 * ("payload") names the place for the message. INVALID_MESSAGE. */
bool position_read(json_t *since, const char *where, char log_id[POSITION_LOG_ID_MAX], position *at,
                   error *e);

/* Fills e with GAP: the events from `from` on are gone, `next` is the oldest that still exists. */
void position_gap(error *e, int64_t from, int64_t next);
/* Fills e with GAP: the position is one in the log `given`, which is another than that of b. */
void position_other_log(error *e, const log_bounds *b, const char *given);

/* Whether the log has everything behind `since` (0: all that it keeps). log_id: the log that the
 * position is said to be of, NULL when nothing is said; it is looked at without `since` too.
 * Errors: GAP with e->detail = the oldest lsn kept; INVALID_MESSAGE beyond the head. */
bool position_check(const log_bounds *b, const char *log_id, bool has_since, int64_t since,
                    error *e);

#endif
