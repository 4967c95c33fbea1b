/* The audit log: who did what of importance, from where, and what came of it. An append-only file
 * of JSON lines, each with the hash of the one before (record.h), written by a thread of its own,
 * so that nobody waits for the disk.
 *
 * Records wait in a bounded mailbox. Each batch is written by one call and synced before the next
 * is begun: a crash of the daemon loses none that was written, a loss of power those of the last
 * moment. While the file cannot be written (disk full), records wait and are written when it can
 * be again; those for which there is no room are counted, and a record says how many. */
#ifndef AUDIT_AUDIT_H
#define AUDIT_AUDIT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "audit/chain.h"
#include "audit/files.h"
#include "audit/record.h"
#include "base/error.h"

typedef struct audit_log audit_log;

enum {
    AUDIT_QUEUE = 4096,      /* records that may wait */
    AUDIT_ANCHOR_EVERY = 64, /* records after which `anchor` is called, or after some seconds */
};

typedef struct audit_config {
    char dir[PATH_MAX]; /* the data folder */
    int64_t max;        /* bytes of a file after which the next is begun */
    int64_t keep;       /* full files kept */
    bool to_syslog;     /* facility authpriv */
    char journal[108];  /* socket of journald; empty: none */
    audit_anchor known; /* the newest that was kept; an empty log_id: none */
    /* Asks to keep an anchor, for `known` of the next start. On the log's thread; NULL: nobody. */
    void (*anchor)(void *arg, const audit_anchor *a);
    void *arg;
} audit_config;

/* Opens the log, or begins one; looks through the file that grows, and records what it finds wrong.
 * Blocks. NULL on error. */
audit_log *audit_open(const audit_config *c, error *e);
/* Writes what waits, as far as that is possible, and ends. *last (may be NULL) is for `known` of
 * the next start. */
void audit_close(audit_log *l, audit_anchor *last);

/* Takes a copy of the record, except its detail, which is handed over in every case. Any thread;
 * never blocks. */
void audit_post(audit_log *l, const audit_entry *r);
/* Whether records can be written at present, and how many were lost since the start. Any thread. */
bool audit_works(const audit_log *l);
int64_t audit_lost(const audit_log *l);

/* Opens the files as they are now, with the anchor that belongs to them: for verifying, where
 * everything up to there must be found. Blocks; any thread. */
bool audit_snapshot(audit_log *l, audit_files *files, audit_anchor *a, error *e);

#endif
