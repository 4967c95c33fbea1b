/* The embedded engine's structures: the store (one database folder), its writer, its readers.
 *
 *   submit -> registry -> reader pool task  -> sink
 *                      -> writer's queue    -> group -> commit -> sinks
 *
 * Lock order: registry.lock, readers.lock or writer.lock (never two of these at once), then the
 * pool's own lock. No lock is held while a sink is called. */
#ifndef ENGINE_SQLITE_STORE_H
#define ENGINE_SQLITE_STORE_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/engine_ops.h"
#include "engine/sqlite/capture.h"
#include "engine/sqlite/changelog.h"
#include "engine/sqlite/dbconn.h"
#include "engine/sqlite/registry.h"
#include "engine/statement_stats.h"

typedef struct store store;

/* ---- reading ----------------------------------------------------------------------------------
 */

/* A reader connection and the job it streams. */
typedef struct reader_conn {
    dbconn c;
    list link;     /* readers.idle */
    list all_link; /* readers.all */
    /* guarded by readers.lock */
    int64_t number, opened_us, since_us, jobs;
    job *user;          /* whom it works for */
    atomic_bool paused; /* in the middle of rows, its thread is elsewhere */
    /* the thread's own */
    statement *s;  /* that runs; NULL between statements */
    int n_columns; /* of s, once it was stepped */
    bool stepped;  /* s was stepped: its columns were given */
    bool again;    /* it has been prepared a second time */
    bool begun;    /* the sink's begin was called */
    engine_summary sum;
    sqlite3_stmt *head, *version; /* for jobs that want an exact lsn; NULL until then */
} reader_conn;

typedef struct readers {
    pthread_mutex_t lock; /* guards those below, and job.run of jobs that wait here */
    list idle;            /* reader_conn.link, most recently used first */
    list all;             /* reader_conn.all_link, oldest first */
    list waiting;         /* job.link: for a connection */
    int opened, most;     /* connections; how many there may be */
    int64_t numbered;     /* connections that there were so far */
    int64_t hits, misses; /* of caches that are gone */
    task mend;            /* brings the number of connections to `most` */
    atomic_int queued;    /* jobs submitted whose first slice has not run */
} readers;

/* ---- writing ----------------------------------------------------------------------------------
 */

enum {
    GROUP_MAX = 256,     /* jobs in one commit */
    GROUP_US = 10000,    /* a group that ran so long takes no more */
    LINGER_US = 50,      /* an empty queue is waited on so long before the commit, */
    LINGER_FROM = 10,    /* when the group before had at least so many jobs */
    EVICT_US = 50000,    /* a statement that runs so long leaves its group and runs alone */
    REPLAYS_MAX = 3,     /* of one group; then one transaction per job */
    PRUNE_STEP = 512,    /* events between looks at retention */
    PRUNE_BATCH = 5000,  /* records pruned in one idle transaction */
    ENDED_KEPT = 64,     /* ended transactions whose end is remembered */
    ALONE_BUSY_MS = 250, /* patience of VACUUM and checkpoints with readers */
};

typedef enum held_state {
    HELD_OK,     /* ran; answered when the group is committed */
    HELD_FAILED, /* its error is known; nothing of it is in the transaction */
    HELD_LATER,  /* to be run by itself after the group */
} held_state;

/* A job in the group. */
typedef struct held {
    job *job;
    held_state state;
    int index; /* HELD_FAILED: of the statement */
    error err; /* HELD_FAILED */
} held;

/* The interactive transaction that has the writer. */
typedef struct open_tx {
    char id[33];
    char whose[ENGINE_OWNER_MAX + 1]; /* job.whose of who began it; empty: NULL */
    int64_t opened_us, last_us;       /* monotonic; last_us: when its last statement ended */
} open_tx;

typedef struct ended_tx {
    char id[33];
    const char *why; /* a literal */
} ended_tx;

typedef struct writer {
    pthread_t thread;
    pthread_mutex_t lock; /* guards the queues and flags up to idle */
    pthread_cond_t work;
    list queue;    /* job.link */
    list tx_queue; /* job.link: JOB_TX_QUERY, JOB_TX_COMMIT, JOB_TX_ROLLBACK */
    int queued;    /* in both */
    bool closing;  /* an open transaction is to be rolled back */
    bool stop;
    bool idle;     /* the thread waits for work */
    open_tx shown; /* tx as others see it; no id: none is open */

    /* the thread's own */
    dbconn c;
    capture cap;
    changelog log;
    sqlite3_stmt *begin, *commit, *rollback, *savepoint, *release, *rollback_to, *version;
    int64_t schema_version; /* that cap's tables are of */
    bool changed_schema;    /* in the open transaction: whoever follows commits is told */
    bool reread;            /* the log's head is not known: read it before anything else */
    held group[GROUP_MAX];
    int n;
    int last_n; /* jobs of the group before */
    int replays;
    open_tx tx;
    ended_tx ended[ENDED_KEPT];
    int next_ended;
} writer;

/* ---- the store --------------------------------------------------------------------------------
 */

struct store {
    engine base;
    engine_config cfg; /* strings owned */
    char *path;        /* of the database file */
    int lock_fd;
    char version[32]; /* "SQLite 3.40.1" */
    char log_id[40];
    unsigned char mask_key[MASK_KEY_SIZE]; /* of mask_hash; random in each database */
    registry registry;
    task_pool pool;
    readers readers;
    writer writer;
    atomic_llong head, oldest; /* of the committed log */
    atomic_llong n_reads, n_writes, n_errors, n_commits, n_commit_statements;
    atomic_int n_open_tx;
    statement_stats *stats; /* NULL: nothing is counted */
    atomic_bool draining;
    atomic_uint forget; /* grows whenever caches of statements are to be emptied */
};

/* Ends a job: the registry forgets it, the sink is told. e: NULL on success; statements: how many
 * ended well, for the statistics. Any engine thread, exactly once per job. */
void job_finish(store *g, job *j, int index, const error *e);
/* Ends a job that was asked to stop before it ran. */
void job_stopped(store *g, job *j);

/* A prepared statement has ended: counts what it cost. */
void store_count(store *g, statement *s, const char *sql, bool ok, const engine_summary *sum);

/* reader.c */
void readers_init(readers *r, int most);
void readers_close(readers *r); /* no job may be left */
/* Closes idle connections that are too many, and has jobs that wait for one try again, where there
 * is room: readers.mend. */
task_result readers_mend(task *t);
/* Counts a job that will wait for a reader; false when there are too many. */
bool reader_reserve(store *g);
task_result reader_run(task *t);
/* Ends a job with its cancel code as the error. */
task_result reader_reject(task *t);

/* writer.c */
bool writer_open(store *g, error *e); /* connection, tables, log; no thread yet */
bool writer_start(store *g, error *e);
void writer_stop(store *g);  /* ends the thread; the queues are empty by now */
void writer_close(store *g); /* also half-open */

/* writer_queue.c */
bool writer_push(store *g, job *j);     /* false when the queue is full */
void writer_shut(store *g);             /* an open transaction is rolled back */
void writer_sweep(void *store_arg);     /* registry's callback */
job *writer_pop(writer *w, list *from); /* the caller holds writer.lock */
/* The next job; NULL when there is none and the thread is to end, or has time for pruning. */
job *writer_next(store *g, bool *stop);
/* One more for the group; NULL when none waits or the next one must be alone. */
job *writer_next_for_group(writer *w);
void writer_pause(writer *w, int64_t us); /* or until something comes */
bool writer_of_tx(const job *j);          /* belongs to an interactive transaction */
bool writer_is_alone(const job *j);       /* must not share a transaction with others */

/* transaction.c: the writer's one transaction. */
bool txn_begin(store *g, error *e);
/* Commits and publishes the head. On failure everything is rolled back. */
bool txn_commit(store *g, int statements, error *e);
void txn_rollback(store *g);
/* SQLite has rolled everything back by itself, or there was nothing. */
static inline bool txn_lost(const store *g)
{
    return sqlite3_get_autocommit(g->writer.c.db) != 0;
}
/* Tells whoever wants to know of checkpoints. */
void txn_tell_checkpoint(store *g, int log_pages, int moved_pages, int64_t began_us);
/* Moves the write-ahead log into the database whenever a commit has made it long. */
void txn_checkpoint_by_itself(store *g);
bool txn_prune(store *g, int64_t max, error *e); /* opens and commits its own */

/* exec.c: statements on the writer's connection, inside the open transaction. */
typedef enum exec_mode {
    EXEC_AUTO, /* commits with the group; deferred constraints must hold at its end */
    EXEC_TX,   /* part of a longer transaction of the client's */
} exec_mode;
bool exec_statement(store *g, job *j, int index, exec_mode mode, engine_summary *sum, error *e);
bool exec_atomic(store *g, job *j, int *index, error *e);
/* Statements of the daemon's own, in a savepoint; they make no log records. */
bool exec_own(store *g, const job *j, bool (*write)(dbconn *c, const job *j, error *e),
              engine_summary *sum, error *e);
bool exec_rows(store *g, job *j, engine_summary *sum, error *e); /* exec_rows.c */
/* Ends the savepoint around a piece of work: keeps it, or takes it and its records back (head: the
 * log's head before it). schema: it may have changed the schema. */
bool exec_end_savepoint(store *g, bool ok, bool schema, int64_t head, error *e);
/* Whether the sink goes on; otherwise the error to fail with. */
bool exec_sink_took(sink_state st, error *e);
/* VACUUM and wal_checkpoint: outside any transaction. */
bool exec_alone(store *g, job *j, int index, engine_summary *sum, error *e);
/* Drops temporary objects that the client's transaction made. */
bool exec_drop_temp(store *g, error *e);
/* CONFLICT while a deferred foreign key is violated. */
bool exec_deferred_ok(store *g, error *e);
/* The job's own view of a sink: begin the first time, restart afterwards. */
void exec_begin(job *j);

/* ddl.c: what a schema statement did, as records. */
typedef struct ddl_change {
    ddl_kind kind;
    shape *before;
    int64_t root, version;
} ddl_change;
bool ddl_before(store *g, const statement *s, ddl_change *d, error *e);
bool ddl_after(store *g, const statement *s, const char *sql, ddl_change *d, error *e);
void ddl_free(ddl_change *d);

/* tx.c: interactive transactions. */
void tx_run(store *g, job *begin);
void tx_refuse(store *g, job *j); /* there is no such transaction */

/* log_reader.c */
log_reader *store_log_open(engine *g, error *e);
void store_log_close(log_reader *r);
bool store_log_bounds(log_reader *r, log_bounds *out, error *e);
int store_log_read(log_reader *r, int64_t after, int max,
                   bool (*each)(void *arg, const log_record *rec), void *arg, error *e);
bool store_log_touched(log_reader *r, int64_t after,
                       void (*each)(void *arg, const char *table, int64_t lsn), void *arg,
                       int64_t *head, int64_t *schema, error *e);
const table_shape *store_log_table(log_reader *r, const char *table, error *e);
dbconn *store_log_conn(log_reader *r);

/* lens.c */
lens *store_lens_open(log_reader *r, const viewer *as, const table_shape *source, error *e);
void store_lens_free(lens *l);
const table_shape *store_lens_shape(const lens *l);
const table_shape *store_lens_source(const lens *l);
lens_result store_lens_apply(lens *l, const log_record *in, log_record *out, error *e);

/* meta.c */
bool store_meta_set(engine *g, const char *key, const void *bytes, size_t n, error *e);
long store_meta_get(engine *g, const char *key, void *out, size_t room, error *e);

/* slots.c */
bool slots_create(dbconn *c, error *e); /* the table, where it is not there */
bool slots_write(dbconn *c, const job *j, error *e);
bool store_slots_read(engine *g, bool (*each)(void *arg, const log_slot *s), void *arg, error *e);

/* pool.c */
void store_pool_get(engine *g, engine_pool *out);
int store_pool_conns(engine *g, engine_conn *out, int room);
bool store_pool_resize(engine *g, int readers, int max_read_connections, error *e);
void store_pool_drain(engine *g, bool on);
bool store_is_draining(engine *g);
void store_pool_forget_statements(engine *g);
/* Whether a job is kept out while the store drains. */
bool drain_refuses(const job *j);

/* stored.c */
bool stored_create(dbconn *c, error *e); /* the table, where it is not there */
bool stored_write(dbconn *c, const job *j, error *e);
bool stored_tell(dbconn *c, job *j, error *e); /* JOB_STORED, on a reader's connection */
bool store_stored_read(engine *g, bool (*each)(void *arg, const stored_text *t, error *e),
                       void *arg, error *e);

/* authtext.c */
bool auth_create(dbconn *c, error *e); /* the table, where it is not there */
bool auth_write(dbconn *c, const job *j, error *e);
bool store_auth_read(engine *g, bool (*each)(void *arg, const auth_text *t, error *e), void *arg,
                     error *e);

/* check.c: looks at an existing file through a connection that cannot write, for as long as is
 * affordable (big files are checked in part). A damaged file is thus refused before anything
 * touches it. */
bool check_file(store *g, error *e);
/* Opens a file that nobody writes to, for reading, so that SQLite makes no side files. */
bool check_open_still(store *g, const char *path, dbconn *c, error *e);

/* verify.c */
bool store_verify(engine *g, const char *file, void (*problem)(void *arg, const char *text),
                  void *arg, const engine_watch *w, error *e);

/* backup.c */
bool store_backup(engine *g, const char *file, const engine_watch *w, error *e);
bool store_copy_look(engine *g, const char *file, engine_copy *out, error *e);
bool store_restore(engine *g, const char *file, const char *dir, const engine_watch *w, error *e);

/* lockfile.c */
int lockfile_take(const char *dir, error *e); /* a descriptor, -1 with CONFLICT or READ_ONLY */
void lockfile_release(int fd);

#endif
