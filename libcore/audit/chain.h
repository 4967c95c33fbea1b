/* Verifying: lines of the audit log, given in order, are held against one another and against an
 * anchor, a place in the chain that is known from elsewhere (the daemon keeps one in its database).
 *
 * What was changed, removed, added or put elsewhere between two lines is found, since each line has
 * the hash of the one before. What was cut off at the end, or a change of the very last line, is
 * found when the anchor lies behind it; what was cut off at the front, when it is not what the
 * anchor says was dropped by age. Any thread; one chain is one thread's. */
#ifndef AUDIT_CHAIN_H
#define AUDIT_CHAIN_H

#include "audit/record.h"

/* What is known from elsewhere. */
typedef struct audit_anchor {
    char log_id[AUDIT_ID + 1]; /* empty: nothing is known */
    audit_link at;             /* the log reached this place at least */
    int64_t first;             /* the first record that was still kept then */
} audit_anchor;

typedef enum audit_fault_kind {
    AUDIT_CHANGED,   /* a record is not what the next line was chained to */
    AUDIT_MISSING,   /* records are not there */
    AUDIT_REORDERED, /* a record stands where it does not belong, or twice */
    AUDIT_MALFORMED, /* a line is no record */
    AUDIT_TRUNCATED, /* records at the end, or at the front, are not there */
    AUDIT_FOREIGN,   /* a file, or all of them, belong to another log */
} audit_fault_kind;

const char *audit_fault_name(audit_fault_kind k); /* "changed" */

typedef struct audit_fault {
    audit_fault_kind kind;
    int64_t file, line; /* where it was seen: number of the file, line in it from 1 */
    int64_t n;          /* number of the record it is about; 0: not known */
    char text[160];     /* for people */
} audit_fault;

typedef struct audit_chain {
    /* set by the owner: the anchor (may be NULL), and who is told of faults */
    const audit_anchor *anchor;
    void (*fault)(void *arg, const audit_fault *f);
    void *arg;

    /* as far as it has come */
    char log_id[AUDIT_ID + 1];
    int64_t file, line;
    audit_link at;     /* after the last line */
    audit_link record; /* after the last line that is a record */
    int64_t first;     /* number of the first record seen; 0: none */
    int64_t records;   /* seen */
    int64_t faults;
    bool begun;        /* a line was read */
    bool anchor_found; /* the anchored record is there and is the same */
} audit_chain;

/* The next file begins; `number` is what its name says, 0: not known. */
void audit_chain_file(audit_chain *c, int64_t number);
/* The next line, without its line break. */
void audit_chain_line(audit_chain *c, const char *p, size_t n);
/* A line that no line break ends. */
void audit_chain_torn(audit_chain *c);
/* All lines have been given. */
void audit_chain_end(audit_chain *c);

#endif
