#include "feed/position.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* "LOG_ID:N" */
static bool read_text(const char *text, char log_id[POSITION_LOG_ID_MAX], position *at)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon - text >= POSITION_LOG_ID_MAX || colon[1] < '0' || colon[1] > '9')
        return false;
    char *end;
    memcpy(log_id, text, (size_t)(colon - text));
    log_id[colon - text] = '\0';
    *at = (position){log_id, strtoll(colon + 1, &end, 10)};
    return !*end;
}

bool position_read(json_t *since, const char *where, char log_id[POSITION_LOG_ID_MAX], position *at,
                   error *e)
{
    const char *text = json_string_value(since);
    bool ok = json_is_integer(since);
    if (ok)
        *at = (position){NULL, json_integer_value(since)};
    else
        ok = text && read_text(text, log_id, at);
    return (ok && at->lsn >= 0) ||
           error_set(e, ERR_INVALID_MESSAGE, "%s.since is neither an lsn nor \"LOG_ID:LSN\"",
                     where);
}

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
