/* Finding records in the files of an audit log, by reading them from the first to the last: what a
 * line says is compared without parsing it, so that a file takes no longer than reading it. Blocks;
 * any thread. */
#ifndef AUDIT_SEARCH_H
#define AUDIT_SEARCH_H

#include "audit/files.h"
#include "audit/record.h"
#include "base/clock.h"

/* Which records; all that is zero or empty says nothing. */
typedef struct audit_filter {
    char since[CLOCK_RFC3339_LEN + 1], until[CLOCK_RFC3339_LEN + 1]; /* both included */
    char *user;    /* as it stands in a line, with its quotes; owned */
    int action;    /* 1 + AUDIT_* */
    int outcome;   /* 1: ok, 2: refused */
    int64_t below; /* only numbers below this one */
} audit_filter;

/* Fills a filter from texts that people give; NULL: not given. INVALID_MESSAGE says what is wrong.
 * Times: RFC 3339, or a date alone. audit_filter_free in any case. */
bool audit_filter_read(audit_filter *f, const char *since, const char *until, const char *user,
                       const char *action, const char *outcome, error *e);
void audit_filter_free(audit_filter *f);

/* Whether a line is a record that fits. */
bool audit_filter_match(const audit_filter *f, const char *line, size_t n);

/* Gives the records that fit, oldest first; false from `each` ends it. */
bool audit_search(const audit_files *files, const audit_filter *f,
                  bool (*each)(void *arg, const char *line, size_t n), void *arg, error *e);

#endif
