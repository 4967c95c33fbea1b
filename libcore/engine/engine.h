/* The engine: what the daemon asks of a database, and what a second engine must provide.
 *
 * Work travels as a `job`: statements with their parameters, a sink that takes the results, limits.
 * A job belongs to whoever made it until engine_submit, then to the engine until the sink's `done`
 * has been called (exactly once, on an engine thread, whatever happens), then to its maker again.
 * Reading jobs run on reader threads and stream with back-pressure; everything else goes through
 * the one writer thread, which commits in groups, and its results are held back until they are
 * durable.
 *
 * Every row change that commits is a record in the change log, written by the same commit. The feed
 * reads it through a log_reader.
 *
 * The functions below dispatch through `engine_ops`; engine_open picks the engine.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "base/task.h"
#include "engine/access.h"
#include "engine/value.h"

typedef struct engine engine;
typedef struct job job;
typedef struct job_sink job_sink;

/* ---- results ----------------------------------------------------------------------------------
 */

typedef struct engine_column {
    const char *name;
    const char *type; /* declared type, NULL for an expression */
} engine_column;

/* What one statement did. */
typedef struct engine_summary {
    int64_t rows;              /* rows given to the sink */
    int64_t changes;           /* rows inserted, updated or deleted by the statement itself */
    int64_t last_insert_rowid; /* 0 when it inserted nothing */
    int64_t lsn; /* reads: everything up to this lsn is in the result; writes: log head after it */
    int64_t elapsed_us; /* in the engine, without waiting in queues */
    bool truncated;     /* more rows than job.max_rows */
} engine_summary;

typedef enum sink_state {
    SINK_OK,
    SINK_FULL,    /* taken, but give no more until engine_resume (streaming only) */
    SINK_TOO_BIG, /* held results grew past their limit: the statement fails with MESSAGE_TOO_BIG */
    SINK_GONE,    /* nobody listens any more: stop */
} sink_state;

/* Takes the results of a job. All calls come from engine threads, one at a time; a streaming job's
 * calls may come from different reader threads one after the other. Nothing may block in them. */
typedef struct job_sink_ops {
    /* The job starts (a job that is refused or stopped before that gets done alone). held: keep
     * everything until done, because it is not yet committed. */
    void (*begin)(job_sink *s, bool held);
    /* The writer must run the job once more from its start: forget all that was given. */
    void (*restart)(job_sink *s);
    /* Statement `index` starts and has these columns; n is 0 when it gives no rows. */
    sink_state (*columns)(job_sink *s, int index, const engine_column *cols, int n);
    sink_state (*row)(job_sink *s, const value *row, int n);
    /* Statement `index` succeeded. */
    void (*end)(job_sink *s, int index, const engine_summary *sum);
    /* Statement `index` of a batch that is not atomic failed; the batch goes on. */
    void (*failed)(job_sink *s, int index, const error *e);
    /* The last call. e is NULL on success. For a failed atomic batch, `index` says which
     * statement failed; otherwise it is 0. The job may be freed by its maker from here on, so the
     * engine does not touch it afterwards. */
    void (*done)(job_sink *s, int index, const error *e);
} job_sink_ops;

struct job_sink {
    const job_sink_ops *ops;
};

/* ---- jobs -------------------------------------------------------------------------------------
 */

typedef struct engine_stmt {
    const char *sql; /* NUL-terminated, one statement (a trailing ';' and comments are fine) */
    int n_params;
    const value *params;
    const char *const *names; /* NULL: positional; else one name per parameter, without : @ or $ */
} engine_stmt;

typedef enum job_kind {
    JOB_QUERY,       /* one statement, committed by itself */
    JOB_BATCH,       /* several, each on its own */
    JOB_ATOMIC,      /* several, all or none */
    JOB_TX_BEGIN,    /* no statement; on success tx holds the new transaction's id */
    JOB_TX_QUERY,    /* one statement inside transaction tx */
    JOB_TX_COMMIT,   /* end(0) tells the lsn; a deferred constraint fails it and leaves it open */
    JOB_TX_ROLLBACK, /* end(0) tells the lsn */
    JOB_INSERT_ROWS, /* rows of an import: see job_rows */
    JOB_INSPECT,     /* tables as JSON into `text`: see engine_inspect_job */
    JOB_EXPLAIN,     /* the plan of one statement as JSON into `text`; it is not run */
    JOB_VALIDATE,    /* what one statement is, and reads and writes, likewise; it is not run */
    JOB_STORAGE,     /* figures of the files into `storage` */
    JOB_SIZES, /* what each table takes, as JSON into `text`: a page of them, see job.internal */
    JOB_CHECKPOINT, /* truncate the WAL, prune the log */
    JOB_SLOTS,      /* keeps and drops slots: see slot_change */
    JOB_STORE,      /* keeps or drops a text: see stored_change */
    JOB_STORED,     /* the versions of a stored text as JSON into `text` */
    JOB_AUTH,       /* keeps and drops texts about identities: see auth_change */
} job_kind;

enum { ENGINE_ID_MAX = 64 }; /* bytes of a client-chosen job id and of a transaction id */
enum { ENGINE_OWNER_MAX = 119 };

/* Rows to insert, all in one savepoint: the whole chunk or nothing of it. */
typedef struct job_rows {
    const char *table;
    bool create; /* make the table first, if it is not there, from columns and types */
    int n_columns;
    const char *const *columns;
    const char *const *types; /* with create: declared type per column */
    int n_rows;
    const value *cells; /* n_rows * n_columns, row after row */
    bool created;       /* the engine's answer, valid at done: the table was not there */
} job_rows;

/* A slot: a named position in the change log, which the database keeps for somebody. The engine
 * stores slots and knows nothing of their use: whoever owns them reads them once and keeps them in
 * memory. Writing them is a job, so that it shares the writer's commits; it makes no log records.
 */
enum { ENGINE_SLOT_NAME = 63, ENGINE_LOG_ID = 39 };
typedef struct log_slot {
    char name[ENGINE_SLOT_NAME + 1];
    char log_id[ENGINE_LOG_ID + 1]; /* the log that lsn is a position in */
    int64_t lsn;                    /* everything up to it is done with */
    int64_t created_at, seen_at;    /* wall clock, microseconds; seen_at 0: never used */
} log_slot;
typedef struct slot_change {
    bool drop;     /* remove the slot of this name; otherwise it is made or replaced */
    log_slot slot; /* drop: the name alone counts */
} slot_change;

/* Where the room went; -1: not known. Pages are the database's. */
typedef struct engine_storage {
    int64_t database, wal;         /* bytes of the files */
    int64_t page_size;             /* bytes */
    int64_t pages, free_pages;     /* free: to be used again, or given back by VACUUM */
    int64_t disk_free, disk_total; /* bytes of the file system that holds them */
} engine_storage;

/* A text that the database stores under a name for somebody, in versions; its owner numbers them.
 * As with slots the engine knows nothing of its use, except that it is JSON, and whoever owns the
 * texts reads the newest of each once and keeps it in memory. Writing makes no log records. */
enum { ENGINE_STORED_KEPT = 100 }; /* versions of a name; older ones go */
typedef struct stored_text {
    const char *name;
    int64_t version;
    const char *json;
    size_t len;
} stored_text;
typedef struct stored_change {
    bool drop;        /* remove the name with all its versions; otherwise a version is added, */
    stored_text text; /* which must be new. drop: the name alone counts */
} stored_change;

/* A text that the database keeps under a kind and a name for those who look after identities. The
 * engine knows nothing of its use, except that it is JSON; its owner reads all of them once and
 * keeps them in memory. Writing makes no log records. */
typedef struct auth_text {
    const char *kind, *name;
    const char *json;
    size_t len;
} auth_text;
typedef enum auth_expect {
    AUTH_ANYTHING,
    AUTH_NOTHING, /* CONFLICT when there is one of this kind and name */
    AUTH_PRESENT, /* NOT_FOUND when there is none */
} auth_expect;
typedef struct auth_change {
    bool drop; /* removes it; otherwise it is made or replaced */
    auth_expect expect;
    auth_text text; /* drop: kind and name alone count */
} auth_change;

/* What a reading statement depends on, for those who want to know when to run it again. */
enum { ENGINE_KEY_MAX = 16 };
typedef struct job_origin {
    bool wanted; /* set by the maker of a JOB_QUERY: fill in the rest, and make summary.lsn exact
                    (everything up to it is in the result and nothing behind it). The statement
                    must be one that reads tables of the log or none: what writes gets READ_ONLY,
                    anything else INVALID_MESSAGE. Valid from the sink's columns on */
    buf tables;  /* names of the tables it reads, also through views and subqueries, as the schema
                    spells them, each with a NUL behind it; the maker frees it */
    int n_key;   /* result columns that hold the whole primary key of the one table that the result
                    has columns of; 0: none such. That rows differ in it is not promised: joins and
                    unions can repeat it */
    int key[ENGINE_KEY_MAX];
} job_origin;

struct job {
    /* set by the maker */
    job_kind kind;
    arena mem; /* everything below points into it, or outlives the job */
    job_sink *sink;
    int n_stmts;
    const engine_stmt *stmts;
    job_rows rows;              /* JOB_INSERT_ROWS */
    const char *table;          /* JOB_INSPECT: NULL lists all tables; JOB_STORED: the name */
    int64_t version;            /* JOB_STORED: which one; 0 lists all, newest first */
    int64_t offset, limit;      /* JOB_INSPECT of the list, JOB_SIZES, JOB_STORED of all: which page
                                   of it; limit 0: no limit */
    bool internal;              /* JOB_SIZES: the engine's own tables, too */
    engine_storage storage;     /* JOB_STORAGE: the answer, valid at done */
    buf text;                   /* JOB_INSPECT, JOB_EXPLAIN, JOB_VALIDATE, JOB_STORED: the answer,
                                   valid at done; the maker sets its limit and frees it */
    int n_slots;                /* JOB_SLOTS */
    const slot_change *slots;   /* JOB_SLOTS: all of them or none */
    const stored_change *store; /* JOB_STORE */
    int n_auth;                 /* JOB_AUTH */
    const auth_change *auth;    /* JOB_AUTH: all of them or none */
    char id[ENGINE_ID_MAX + 1]; /* cancel by this; empty: the engine chooses */
    char tx[ENGINE_ID_MAX + 1]; /* JOB_TX_*: which transaction */
    const char *whose;          /* JOB_TX_*: whose it is, ENGINE_OWNER_MAX bytes at most: for others
                                   it is not there. NULL: of anybody */
    int64_t timeout_us;         /* from submit to the last row, 0: the engine's default */
    int64_t max_rows;           /* 0: no limit */
    job_origin origin;          /* JOB_QUERY */
    const viewer *as; /* whose eyes it sees with, which outlive it; NULL: the daemon itself,
                         which may everything */
    /* The statements were made by the daemon for this one table, whose rows, columns and masks they
     * already hold `as` to by what policy.h gave: the table itself is open to them then, for the
     * operations that `as` has some grant for. Everything else that they touch, triggers and
     * foreign keys too, is judged as always, but that subqueries of the statement's own text may
     * read any table, since only policies have such. The table must be written as main."name".
     * Never set it for a text of which any part but a literal or a quoted name is a client's. NULL:
     * the statements are a client's. */
    const char *structured;
    bool readonly;     /* refuse statements that write (READ_ONLY) */
    int64_t log_pages; /* JOB_CHECKPOINT: the answer, pages that were in the WAL */

    /* the engine's, zeroed by the maker */
    task task;                         /* on the reader pool */
    list link;                         /* in the writer's queue */
    list active;                       /* in the list of running jobs */
    atomic_int cancel;                 /* an error_code once someone wants it to stop */
    int64_t submitted_us, deadline_us; /* monotonic */
    int at;                            /* index of the statement that runs */
    int place;                         /* which part of the engine has it */
    void *run;                         /* engine-private state of a streaming read */
    engine *owner;
};

/* ---- the change log ---------------------------------------------------------------------------
 */

typedef enum log_kind { LOG_ROW, LOG_DDL } log_kind;
typedef enum log_op {
    OP_INSERT,
    OP_UPDATE,
    OP_DELETE,
    OP_CREATE,
    OP_ALTER,
    OP_RENAME,
    OP_DROP
} log_op;

const char *log_op_name(log_op op); /* "insert", ... */

/* The columns of a table at the time of an event. Immutable once made; pointers stay valid for as
 * long as the log_reader that gave it. */
typedef struct table_shape {
    int64_t id; /* unique within a log; a changed table gets a new one */
    const char *table;
    int n_columns;
    const char *const *names;
    const char *const *types;      /* declared types, "" where none */
    const char *const *collations; /* "BINARY", "NOCASE", ... */
    const int *pk;                 /* 1-based place in the primary key, 0: not part of it */
} table_shape;

typedef struct log_record {
    int64_t lsn;
    int64_t tx;           /* numbers the client's own transaction */
    int64_t committed_at; /* wall clock, microseconds */
    log_kind kind;
    log_op op;
    const table_shape *shape; /* LOG_DDL: the shape after it (before it, under the old name, for a
                                 drop and a rename) */
    const value *row;         /* new row (insert, update), else NULL; n_columns values */
    const value *old_row;     /* old row (update, delete), else NULL */
    const char *text;         /* LOG_DDL: the statement; OP_RENAME: see other */
    const char *other;        /* OP_RENAME: the new name */
} log_record;

/* Reads the log in order. One thread at a time owns a log_reader; it has a connection of its own.
 */
typedef struct log_reader log_reader;

typedef struct log_bounds {
    char log_id[ENGINE_LOG_ID + 1]; /* NUL-terminated */
    int64_t oldest;                 /* lowest lsn kept; head + 1 when nothing is kept */
    int64_t head;                   /* highest lsn given so far, 0 for an empty log */
} log_bounds;

/* ---- the interface ----------------------------------------------------------------------------
 */

typedef struct engine_checkpoint {
    int log_pages, moved_pages; /* -1: not known */
    int64_t elapsed_us;
} engine_checkpoint;

typedef struct engine_config {
    const char *dir;          /* data folder, exists and is ours */
    int readers;              /* reader threads */
    int max_read_connections; /* streaming reads that may be open at once, waiting ones included */
    int64_t statement_timeout_us;
    int64_t tx_idle_us, tx_max_us;
    int max_queue;          /* jobs that may wait for the writer; more get BUSY */
    int statement_cache;    /* prepared statements kept per connection */
    int statement_stats;    /* statements whose cost is known; 0: nothing is counted */
    bool synchronous_full;  /* false: NORMAL (a power loss may take the last commits) */
    int64_t log_max_events; /* retention by count, 0: none */
    int64_t log_max_age_us; /* retention by age, 0: none */
    /* Called on the writer thread after every commit that made log records or changed the schema;
     * must not block. */
    void (*on_commit)(void *arg, int64_t head);
    void *on_commit_arg;
    /* Called on the writer thread after pages of the write-ahead log were moved into the database;
     * must not block. */
    void (*on_checkpoint)(void *arg, const engine_checkpoint *c);
    void *on_checkpoint_arg;
    const char *vfs; /* tests: name of a registered VFS, NULL for the default */
} engine_config;

typedef struct engine_stats {
    int64_t reads, writes, errors;      /* statements finished since start */
    int64_t commits, commit_statements; /* their quotient is the mean group */
    int64_t queued_writes, queued_reads, active;
    int64_t log_head, log_oldest;
    int64_t open_transactions;
} engine_stats;

/* Opens or creates the database in config->dir and takes its lock. Errors: CONFLICT when another
 * daemon has it, CORRUPT (the file is left untouched), READ_ONLY, INTERNAL_ERROR. The config is
 * copied; its strings are too. */
engine *engine_open(const engine_config *config, error *e);

/* Refuses new jobs (SHUTTING_DOWN), lets running ones finish until `grace_us` passed, then cancels
 * them, rolls back open transactions, checkpoints and closes. Blocks. Log readers must be closed.
 */
void engine_close(engine *g, int64_t grace_us);

/* Any thread. sink->done may be called before this returns (on an engine thread). */
void engine_submit(engine *g, job *j);
/* The sink that said SINK_FULL has room again. Any thread, before the maker has freed the job. */
void engine_resume(engine *g, job *j);
/* Asks a job to stop; it ends with `why` (CANCELLED, TIMEOUT, ...) unless it was done already. */
void engine_cancel(engine *g, job *j, error_code why);
/* The same by id; false when no such job runs. */
bool engine_cancel_id(engine *g, const char *id, error_code why);

void engine_stats_get(engine *g, engine_stats *out);
/* Sizes of what the engine keeps in the data folder, in bytes; -1 where it is not known. Looks at
 * files: any thread that may block. */
typedef struct engine_files {
    int64_t database, log;
} engine_files;
void engine_files_get(engine *g, engine_files *out);

/* ---- how the work is shared out ---------------------------------------------------------------
 */

typedef struct engine_cache {
    int64_t kept;         /* prepared statements */
    int64_t capacity;     /* of one connection */
    int64_t hits, misses; /* times that a statement was there, and that it had to be prepared */
} engine_cache;

typedef enum engine_conn_state {
    ENGINE_CONN_IDLE,
    ENGINE_CONN_RUNNING, /* a thread works for its job, or will in its turn */
    ENGINE_CONN_PAUSED,  /* in the middle of rows, until the job's sink has room again */
} engine_conn_state;

/* A connection to the database that reads. */
typedef struct engine_conn {
    int64_t number; /* no other of this engine has it */
    engine_conn_state state;
    char job[ENGINE_ID_MAX + 1]; /* whom it works for; empty when idle */
    int64_t since_us;            /* monotonic: when that began, or when the last one ended */
    int64_t opened_us;           /* monotonic */
    int64_t jobs;                /* that it has had, the present one included */
    engine_cache cache;
} engine_conn;

typedef struct engine_pool {
    bool draining;
    int64_t active; /* jobs under way, of whatever kind */
    struct {
        int threads, wanted, busy;        /* wanted: what the number of threads is to become */
        int connections, max_connections; /* open now; may be open */
        int64_t queued;                   /* jobs whose first slice has not run */
        int64_t waiting;                  /* of these, for a connection */
        engine_cache cache;               /* of all connections, closed ones' hits included */
    } readers;
    struct {
        bool busy;                          /* works at this moment */
        int64_t queued;                     /* jobs that wait */
        int64_t commits, commit_statements; /* since start */
        char tx[ENGINE_ID_MAX + 1];         /* the open interactive transaction; empty: none */
        int64_t tx_opened_us, tx_last_us;   /* monotonic; tx_last_us: its last statement's end */
        engine_cache cache;
    } writer;
    int64_t max_queue; /* of the readers' and of the writer's queue */
} engine_pool;

/* Any thread; takes locks for a moment. */
void engine_pool_get(engine *g, engine_pool *out);
/* The reading connections, in the order of their numbers: up to `room`. How many were given. */
int engine_pool_conns(engine *g, engine_conn *out, int room);
/* Has so many reader threads, and so many reading connections at most, from now on; 0 leaves what
 * is there. Jobs under way go on; what is too much goes away when it has nothing in hand. BUSY when
 * not all threads could be started. Any thread. */
bool engine_pool_resize(engine *g, int readers, int max_read_connections, error *e);
/* While draining, jobs with statements of clients are refused (BUSY), those of open transactions
 * excepted. What runs and waits goes on; so does what the daemon does for itself: chunks of
 * imports, jobs whose origin is wanted, slots, looks at the schema. Any thread. */
void engine_pool_drain(engine *g, bool on);
bool engine_is_draining(engine *g);
/* What a statement has cost, with all others that differ from it in their values alone. */
typedef struct engine_statement {
    uint64_t id;
    char *text; /* with ? in place of values; owned */
    int64_t calls, errors;
    int64_t rows; /* given, or changed */
    int64_t total_us, min_us, max_us, p99_us;
    int64_t last_us; /* monotonic: its last end */
} engine_statement;
typedef struct engine_statements {
    int n;
    engine_statement *items; /* in no order; owned */
    int64_t dropped;         /* statements that had to make room for others */
    int64_t since_us;        /* monotonic: when counting began */
} engine_statements;

/* All that are known: any thread that may block. INTERNAL_ERROR when memory is out. */
bool engine_statements_get(engine *g, engine_statements *out, error *e);
void engine_statements_free(engine_statements *s);
/* Forgets them and counts anew. */
void engine_statements_reset(engine *g);

/* Has every connection forget its prepared statements before it prepares the next. Any thread. */
void engine_pool_forget_statements(engine *g);

const char *engine_version(engine *g); /* "SQLite 3.40.1" */

/* ---- upkeep: blocking, on a connection of its own; a thread that may take its time ---- */

/* Who follows such a piece of work. */
typedef struct engine_watch {
    /* Called now and then with how many pages are done; total is -1 where it is not known. False
     * ends the work with CANCELLED. */
    bool (*tell)(void *arg, int64_t done, int64_t total);
    void *arg;
} engine_watch;

/* Looks for damage and for violated foreign keys in a database file (NULL: the one that is open)
 * and gives each problem to `problem`, 100 at most. A file that is no database at all is a problem
 * as well. False with e set when it could not be looked at. */
bool engine_verify(engine *g, const char *file, void (*problem)(void *arg, const char *text),
                   void *arg, const engine_watch *w, error *e);

/* A copy of the database in one file, and what it holds: the log it was taken from, up to lsn. */
typedef struct engine_copy {
    char log_id[ENGINE_LOG_ID + 1];
    int64_t lsn;
} engine_copy;

/* Writes a copy of what is committed now into a new file, while writers go on, and sees it onto the
 * disk. What has been written of it is removed when that fails: CONFLICT (the file is there),
 * DISK_FULL, CANCELLED, INTERNAL_ERROR. */
bool engine_backup(engine *g, const char *file, const engine_watch *w, error *e);
/* What a copy holds; CORRUPT when it is none. Reads a few pages. */
bool engine_copy_look(engine *g, const char *file, engine_copy *out, error *e);
/* Makes a data folder, which must not be there, with the database of a copy in it. It begins a log
 * of its own, since its history goes on in another way than that of the original: positions of that
 * mean nothing in it. Errors as for engine_backup. */
bool engine_restore(engine *g, const char *file, const char *dir, const engine_watch *w, error *e);

log_reader *engine_log_open(engine *g, error *e);
void engine_log_close(log_reader *r);
bool engine_log_bounds(log_reader *r, log_bounds *out, error *e);
/* Gives up to `max` records with lsn > after, in order, to `each` (which returns false to stop).
 * Returns how many were given, or -1 with e set: GAP, with e->detail = the oldest lsn kept, when
 * after + 1 was pruned. A record lives until `each` returns. */
int engine_log_read(log_reader *r, int64_t after, int max,
                    bool (*each)(void *arg, const log_record *rec), void *arg, error *e);
/* Which tables the records with lsn > after are about, each table once or more with an lsn that is
 * its highest among them at least once. *head gets the position up to which it looked, *schema a
 * number that differs from the last when anything in the schema changed. GAP as above. */
bool engine_log_touched(log_reader *r, int64_t after,
                        void (*each)(void *arg, const char *table, int64_t lsn), void *arg,
                        int64_t *head, int64_t *schema, error *e);
/* The present shape of a table; NULL with TABLE_NOT_FOUND when there is none (views and internal
 * tables included). Lives as long as the reader. */
const table_shape *engine_log_table(log_reader *r, const char *table, error *e);
/* Says so, in the words in which it is said everywhere: also to those who may not know of a table
 * that is there. False. */
bool engine_no_table(const char *table, error *e);

/* Small facts that the rest of the daemon keeps in the database (the hash of the root token):
 * blocking, for start-up only. get: bytes copied to out, -1 when absent. */
bool engine_meta_set(engine *g, const char *key, const void *value, size_t n, error *e);
long engine_meta_get(engine *g, const char *key, void *out, size_t room, error *e);
/* Gives every slot, in the order of their names: blocking, for start-up only. A slot lives until
 * `each` returns; false from it (memory is out) ends the reading and fails it. */
bool engine_slots_read(engine *g, bool (*each)(void *arg, const log_slot *s), void *arg, error *e);
/* The same for stored texts, each in its newest version; false from `each` has set e. */
bool engine_stored_read(engine *g, bool (*each)(void *arg, const stored_text *t, error *e),
                        void *arg, error *e);
/* The same for texts about identities, in the order of kinds and names. */
bool engine_auth_read(engine *g, bool (*each)(void *arg, const auth_text *t, error *e), void *arg,
                      error *e);

#endif
