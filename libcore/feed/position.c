#include "feed/position.h"

#include <inttypes.h>
#include <string.h>

void position_gap(error *e, int64_t from, int64_t next)
{
    error_set(e, ERR_GAP, "the events %" PRId64 " to %" PRId64 " are no longer in the change log",
              from, next - 1);
    error_hint(e, "The oldest kept is %" PRId64 ": read the table, then subscribe again.", next);
    e->detail = next;
}

void position_other_log(error *e, const log_bounds *b, const char *given)
{
    error_set(e, ERR_GAP, "the change log is another one: \"%s\", not \"%s\"", b->log_id, given);
    error_hint(e, "The database was restored or made anew: read the table, then subscribe.");
    e->detail = b->oldest;
}

bool position_check(const log_bounds *b, const char *log_id, bool has_since, int64_t since,
                    error *e)
{
    if (log_id && strcmp(log_id, b->log_id) != 0) {
        position_other_log(e, b, log_id);
        return false;
    }
    if (!has_since)
        return true;
    if (since < 0 || since > b->head)
        return error_set(e, ERR_INVALID_MESSAGE,
                         "since: %" PRId64
                         " is no position in the log, which goes from 0 to %" PRId64,
                         since, b->head);
    /* 0 means all that is retained */
    if (since > 0 && since + 1 < b->oldest) {
        position_gap(e, since + 1, b->oldest);
        return false;
    }
    return true;
}
