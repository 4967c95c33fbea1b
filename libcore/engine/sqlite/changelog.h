/* The change log: every committed row change and table DDL, numbered, in the database itself.
 *
 *   _rustydb_log     lsn, client transaction, operation, shape, packed rows
 *   _rustydb_shape   the shapes that records refer to
 *   _rustydb_commit  one row per commit that made records: the last lsn of it, and when
 *
 * A record is appended inside the savepoint of the statement that made it, so both stand or fall
 * together. The lsn is ours, not AUTOINCREMENT's; the last record is never pruned, so the highest
 * lsn in the table is always the head. Writer thread only. */
#ifndef ENGINE_SQLITE_CHANGELOG_H
#define ENGINE_SQLITE_CHANGELOG_H

#include "engine/sqlite/dbconn.h"
#include "engine/sqlite/shape.h"

enum { CHANGELOG_ID_ROOM = 32 + 1 };

/* Whether a shape's row is in _rustydb_shape. */
typedef enum shape_stored {
    SHAPE_UNKNOWN,
    SHAPE_PENDING, /* written by the open transaction */
    SHAPE_STORED
} shape_stored;

typedef struct changelog {
    dbconn *c;
    sqlite3_stmt *append, *seal, *head_of, *find_shape, *add_shape, *end_shape;
    sqlite3_stmt *aged, *prune_log, *prune_commits, *prune_shapes, *first_commit;
    int64_t head;        /* highest lsn, the open transaction's included */
    int64_t committed;   /* highest committed lsn */
    int64_t oldest;      /* lowest lsn kept */
    int64_t oldest_time; /* committed_at of the oldest commit kept, INT64_MAX: none */
    int64_t tx;          /* number of the client transaction that runs */
    int64_t pruned_at;   /* head when pruning last ran */
    bool pruned_shapes;  /* the last prune took shapes: what is known of them is out of date */
    buf scratch;
} changelog;

/* Makes the tables in a new database, and checks the format of an old one. */
bool changelog_create(dbconn *c, error *e);
/* Gives the log of a copy an id of its own; CORRUPT when it is no database of ours. */
bool changelog_rename(dbconn *c, error *e);
bool changelog_open(changelog *l, dbconn *c, error *e);
void changelog_close(changelog *l);

/* Gives the next client transaction its number. */
void changelog_begin_tx(changelog *l);
/* Appends a row record: the old and the new row as value_pack laid them out, as op needs them. */
bool changelog_append(changelog *l, log_op op, shape *s, shape_stored *known, const void *data,
                      size_t n, error *e);
/* Appends a DDL record. other may be NULL. */
bool changelog_append_ddl(changelog *l, log_op op, shape *s, const char *text, const char *other,
                          error *e);
/* The shape ended with the record at the head: it may go when that is pruned. Nothing happens when
 * it was never used, or is the one with the id `now`. */
bool changelog_end_shape(changelog *l, shape *s, int64_t now, error *e);

/* Right before COMMIT: notes the time, if there are new records. */
bool changelog_seal(changelog *l, error *e);
void changelog_was_committed(changelog *l);
/* After any rollback whose extent is not known: reads the head again. */
bool changelog_reread(changelog *l, error *e);

/* Removes what retention lets go, at most `max` records, inside the open transaction. */
bool changelog_prune(changelog *l, const engine_config *cfg, int64_t max, error *e);
/* Whether changelog_prune would find something now. */
bool changelog_can_prune(const changelog *l, const engine_config *cfg);

#endif
