/* One connection to the database: its guard, its cache of prepared statements, the job it works
 * for.
 *
 * A connection belongs to one thread at a time (reader connections are handed from thread to thread
 * between uses). Text and blobs that columns give live until the next step or reset. */
#ifndef ENGINE_SQLITE_DBCONN_H
#define ENGINE_SQLITE_DBCONN_H

#include <sqlite3.h>

#include "base/list.h"
#include "base/map.h"
#include "engine/engine.h"
#include "engine/sqlite/functions.h"
#include "engine/sqlite/guard.h"
#include "engine/sqlite/shadows.h"

enum {
    DBCONN_BUSY_MS = 5000,        /* wait for another process's lock on the file */
    DBCONN_PROGRESS_OPS = 1000,   /* virtual machine steps between looks at the job's cancel */
    DBCONN_CACHED_SQL_MAX = 8192, /* bytes; longer statements are not worth keeping */
};

/* A client's statement, prepared. */
typedef struct statement {
    sqlite3_stmt *stmt;
    char *sql; /* key in the cache: whose rights it was prepared for, and the SQL; owned; NULL when
                  not cached */
    size_t len;
    list lru;             /* dbconn->lru, most recently used first */
    int64_t uses;         /* times that it was found in the cache */
    bool readonly;        /* changes nothing: may run on a reader */
    bool dml;             /* INSERT, UPDATE, DELETE, REPLACE or WITH: changes() means something */
    bool schema;          /* creates, alters or drops something */
    bool needs_writer;    /* readonly or not, only the writer may run it */
    bool shadowed;        /* reads shadows, */
    unsigned epoch;       /* as they were then */
    bool names_main;      /* guard.names_main */
    bool outdated;        /* refused when SQLite prepared it anew as it ran, since the schema has
                             changed: to be prepared with a look at what it needs now */
    control_kind control; /* a savepoint statement */
    ddl_kind ddl;         /* what it does to which table */
    char *ddl_table;      /* owned */
    struct statement_entry *stats; /* held; what it has cost, NULL until it has ended once */
    struct reads *reads;           /* owned; what it depends on, where somebody wanted to know */
} statement;

/* What a connection's cache is like: written by its thread, read by any. */
typedef struct cache_figures {
    atomic_llong kept, hits, misses;
} cache_figures;

typedef enum dbconn_role { DBCONN_WRITER, DBCONN_READER, DBCONN_PROBE } dbconn_role;

typedef struct dbconn {
    sqlite3 *db;
    dbconn_role role;
    guard guard;
    functions functions;
    shadows shadows;
    buf key;          /* of the cache: the last one that was looked for */
    const job *job;   /* whose statement runs; the progress handler watches its cancel */
    int64_t evict_at; /* monotonic: interrupt the statement then, and set evicted; 0: never */
    bool evicted;
    map cache; /* SQL -> statement */
    list lru;
    int cache_max;
    cache_figures figures;
    const atomic_uint *forget; /* NULL, or a number: when it changes, the cache is emptied */
    unsigned forgot;           /* the number as it was last */
    value *values;             /* one row, `room` wide */
    engine_column *columns;
    int room;
    list link;            /* idle reader connections */
    bool functions_known; /* table-valued functions were used once, see reads.c */
    void *reading;        /* the reader's state, see reader.c */
} dbconn;

/* Opens and sets up a connection. The writer's creates the file and switches to WAL; a probe's
 * opens read-only, takes a URI, and changes no setting. On failure nothing stays open. */
bool dbconn_open(dbconn *c, const char *path, const char *vfs, dbconn_role role,
                 const engine_config *cfg, error *e);
void dbconn_close(dbconn *c); /* also after a failed open, or zeroed */

/* From now on it works for this job and sees with its eyes; NULL: for nobody. */
void dbconn_serve(dbconn *c, const job *j);

/* Runs SQL of our own that returns nothing of interest. */
bool dbconn_exec(dbconn *c, const char *sql, error *e);
/* Prepares SQL of our own, to be kept for the life of the connection. */
sqlite3_stmt *dbconn_prepare_own(dbconn *c, const char *sql, error *e);
/* Steps a statement of our own that returns no rows, and resets it. */
bool dbconn_step_own(dbconn *c, sqlite3_stmt *s, error *e);
/* First column of the first row of a query of our own as an integer, `none` without rows. */
bool dbconn_int(dbconn *c, const char *sql, int64_t none, int64_t *out, error *e);

/* Prepares a client's SQL: exactly one statement, or an error. Give it back with dbconn_release,
 * which resets it and keeps or finalizes it. */
statement *dbconn_prepare(dbconn *c, const char *sql, bool in_tx, error *e);
/* The same from the cache, NULL where it is not there; it stays where it is. */
statement *dbconn_cached(dbconn *c, const char *sql);
void dbconn_release(dbconn *c, statement *s);
/* Instead of releasing it, or for a cached one that nobody uses: finalizes it. */
void dbconn_forget(dbconn *c, statement *s);
bool dbconn_bind(dbconn *c, statement *s, const engine_stmt *from, error *e);
/* Steps a client's statement with the guard up. */
int dbconn_step(dbconn *c, statement *s);
/* The present row, in c->values. False when memory is out. */
bool dbconn_row(dbconn *c, statement *s, int n, error *e);
/* Names and types of the n result columns, in c->columns. False when memory is out. */
bool dbconn_columns(dbconn *c, statement *s, int n, error *e);

/* Fills e from what SQLite last said on this connection. rc: its result code. */
bool dbconn_error(dbconn *c, int rc, error *e);
/* The same for a code without a connection's message. */
bool sql_code_error(int rc, const char *message, error *e);
/* Whether an answer was written whole; otherwise e says that it is too big or memory out. */
bool dbconn_text_ok(const buf *out, error *e);
/* The error of a job that was asked to stop. */
void stop_error(const job *j, error_code why, error *e);

#endif
