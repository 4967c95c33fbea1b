/* Catching row changes: SQLite's preupdate hook on the writer's connection.
 *
 * The hook may not write to the database, so the rows of a statement are packed into a buffer, and
 * into a nameless file when there are many; after the statement has succeeded capture_flush appends
 * them to the change log inside the same savepoint. No rollback calls a hook: whoever rolls back
 * drops the buffer. Writer thread only. */
#ifndef ENGINE_SQLITE_CAPTURE_H
#define ENGINE_SQLITE_CAPTURE_H

#include "engine/sqlite/changelog.h"

enum {
    CAPTURE_MEMORY = 8 << 20, /* bytes of one statement's rows kept in memory */
    CAPTURE_READ = 1 << 20,   /* bytes read back at a time */
};

/* A table that the hook has met. */
typedef struct captured_table {
    char *name;
    shape *shape; /* NULL: its changes are not caught */
    shape_stored stored;
} captured_table;

/* What stands before each event's packed rows in the buffer. */
typedef struct event_head {
    captured_table *table;
    uint32_t op;
    uint32_t len;
} event_head;

typedef struct capture {
    dbconn *c;
    const char *dir;  /* where the file for large statements goes; not owned */
    bool table_order; /* how this SQLite numbers columns in the hook, see capture.c */
    int muted;        /* > 0: changes are not caught */
    bool inserted;    /* the statement itself (no trigger) inserted a row */
    bool failed;      /* something was not caught: err says why, the statement must fail */
    error err;
    map tables;           /* name -> captured_table, as the schema is now */
    captured_table *last; /* the one looked up last */
    bool pending_shapes;  /* some table's shape was stored by the open transaction */
    value *row;
    int room;
    buf data;        /* events that were not flushed yet, after those in the file */
    int file;        /* -1: none */
    int64_t in_file; /* bytes */
} capture;

bool capture_open(capture *cap, dbconn *c, const char *dir, error *e);
void capture_close(capture *cap);

/* Before each statement, and after one that failed: nothing is waiting. */
void capture_drop(capture *cap);
/* Appends what was caught to the log. */
bool capture_flush(capture *cap, changelog *l, error *e);
/* Appends insert records for all rows of a table (CREATE TABLE AS calls no hook). */
bool capture_table_rows(capture *cap, changelog *l, const char *table, error *e);

/* The schema may have changed: tables are looked up again. */
void capture_forget_tables(capture *cap);
/* The transaction ended: shapes it stored are stored, or are not. */
void capture_ended(capture *cap, bool committed);

/* Between capture.c and capture_flush.c. */
captured_table *capture_find_table(capture *cap, const char *name); /* NULL: failed is set */
void capture_fail(capture *cap, error_code code, const char *message);
void capture_spill(capture *cap); /* moves the buffer into the file */

#endif
