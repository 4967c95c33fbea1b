#include "audit/chain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {"changed",   "missing",   "reordered",
                                    "malformed", "truncated", "foreign"};

const char *audit_fault_name(audit_fault_kind k)
{
    return names[k];
}

static void tell(audit_chain *c, audit_fault_kind kind, int64_t n, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void tell(audit_chain *c, audit_fault_kind kind, int64_t n, const char *fmt, ...)
{
    audit_fault f = {.kind = kind, .file = c->file, .line = c->line, .n = n};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(f.text, sizeof f.text, fmt, ap);
    va_end(ap);
    c->faults++;
    if (c->fault)
        c->fault(c->arg, &f);
}

void audit_chain_file(audit_chain *c, int64_t number)
{
    c->file = number;
    c->line = 0;
}

/* ---- a line against the one before -------------------------------------------------------------
 */

static void check_header(audit_chain *c, const audit_line *l)
{
    if (c->line != 1)
        tell(c, AUDIT_REORDERED, 0, "the header of a file stands inside one");
    if (c->file && l->file != c->file)
        tell(c, AUDIT_REORDERED, 0, "the file is number %lld by its header", (long long)l->file);
    if (!*c->log_id)
        memcpy(c->log_id, l->log_id, sizeof c->log_id);
    else if (strcmp(c->log_id, l->log_id) != 0)
        tell(c, AUDIT_FOREIGN, 0, "the file belongs to another log");
}

/* Numbers go up by one; the header of a file has that of the last record again. */
static void check_number(audit_chain *c, const audit_line *l)
{
    int64_t want = c->at.n + !l->header, last = l->n - !l->header;
    if (l->n > want + 1)
        tell(c, AUDIT_MISSING, want, "records %lld to %lld are missing", (long long)(c->at.n + 1),
             (long long)last);
    else if (l->n > want)
        tell(c, AUDIT_MISSING, last, "record %lld is missing", (long long)last);
    else
        tell(c, AUDIT_REORDERED, l->n, "record %lld stands behind record %lld", (long long)l->n,
             (long long)c->at.n);
}

static void check_link(audit_chain *c, const audit_line *l)
{
    if (l->n != c->at.n + !l->header)
        check_number(c, l);
    else if (memcmp(l->prev, c->at.hash, AUDIT_HASH) != 0)
        tell(c, AUDIT_CHANGED, c->at.n,
             "the line before is not the one that this was written behind: record %lld was changed",
             (long long)c->at.n);
}

/* The first line of all: what was before it is gone, or never was. */
static void check_front(audit_chain *c, const audit_line *l)
{
    static const unsigned char zeros[AUDIT_HASH];
    int64_t first = l->n + l->header;
    if (!l->header)
        tell(c, AUDIT_TRUNCATED, 0, "the log does not begin with a header");
    if (l->header && (memcmp(l->prev, zeros, AUDIT_HASH) == 0) != (l->file == 1))
        tell(c, AUDIT_CHANGED, 0, "the first header does not fit its place");
    if (c->anchor && *c->anchor->log_id && first > c->anchor->first)
        tell(c, AUDIT_TRUNCATED, c->anchor->first, "records %lld to %lld are missing at the front",
             (long long)c->anchor->first, (long long)(first - 1));
}

static void check_anchor(audit_chain *c, int64_t n)
{
    if (!c->anchor || !*c->anchor->log_id || n != c->anchor->at.n)
        return;
    if (memcmp(c->anchor->at.hash, c->at.hash, AUDIT_HASH) == 0)
        c->anchor_found = true;
    else
        tell(c, AUDIT_CHANGED, n, "record %lld is not the one that the database remembers",
             (long long)n);
}

void audit_chain_line(audit_chain *c, const char *p, size_t n)
{
    audit_line l;
    c->line++;
    if (!audit_line_read(p, n, &l)) {
        tell(c, AUDIT_MALFORMED, 0, "the line is no record");
        audit_hash(p, n, c->at.hash); /* so that the next says what became of the chain */
        return;
    }
    if (l.header)
        check_header(c, &l);
    else if (c->line == 1)
        tell(c, AUDIT_MISSING, 0, "the file does not begin with a header");
    if (c->begun)
        check_link(c, &l);
    else
        check_front(c, &l);
    c->begun = true;
    c->at.n = l.n;
    if (!audit_hash(p, n, c->at.hash))
        tell(c, AUDIT_CHANGED, l.n, "out of memory");
    if (l.header)
        return;
    c->records++;
    c->record = c->at;
    if (!c->first)
        c->first = l.n;
    check_anchor(c, l.n);
}

void audit_chain_torn(audit_chain *c)
{
    c->line++;
    tell(c, AUDIT_MALFORMED, 0, "the last line has no end");
}

void audit_chain_end(audit_chain *c)
{
    const audit_anchor *a = c->anchor;
    if (!a || !*a->log_id)
        return;
    if (*c->log_id && strcmp(a->log_id, c->log_id) != 0)
        tell(c, AUDIT_FOREIGN, 0, "this is not the log that the database remembers");
    else if (!c->begun)
        tell(c, AUDIT_TRUNCATED, a->at.n, "the log is gone; it had %lld records",
             (long long)a->at.n);
    else if (a->at.n > c->at.n)
        tell(c, AUDIT_TRUNCATED, c->at.n + 1, "records %lld to %lld are missing at the end",
             (long long)(c->at.n + 1), (long long)a->at.n);
}
