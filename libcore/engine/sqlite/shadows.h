/* Restricted tables as the viewer sees them: temporary views on a connection that take the place of
 * the tables for unqualified names.
 *
 * An inner view with a random name reads the table itself, rows and columns held to the policy; an
 * outer one with the table's name reads the inner. The guard trusts what is read inside the inner
 * view, and knows it by its name alone (the authorizer is told which view or WITH clause a column
 * is read in, and anybody can give a WITH clause the table's name; nobody knows the random one).
 * Columns are guarded by the policy themselves, beside the WHERE, since SQLite may look at the
 * client's terms first, and an error or a cost would tell of a hidden row.
 *
 * They are made when a statement needs them: it is prepared, the guard refuses the table and notes
 * it, its views are made, it is prepared again. So policies of tables that nobody reads cost
 * nothing. Views of the schema that look at such tables are copied beside them, so that the names
 * inside mean the shadows.
 *
 * A connection has the shadows of one access at a time. They go before anybody else's statement is
 * prepared on it, and when the schema has changed. The writer's may come and go with a rollback,
 * which is looked at before each statement. One thread at a time, that of the connection. */
#ifndef ENGINE_SQLITE_SHADOWS_H
#define ENGINE_SQLITE_SHADOWS_H

#include <stdbool.h>
#include <stdint.h>
#include <sqlite3.h>

#include "base/error.h"
#include "base/map.h"
#include "engine/access.h"

struct dbconn;

enum { SHADOWS_PREFIX = 48 };

typedef struct shadows {
    uint64_t owner;              /* access_id of whom they are for; 0: there are none */
    int64_t version;             /* of the schema that they were made for */
    unsigned epoch;              /* grows whenever some are made or dropped */
    int inner, all;              /* how many there are */
    bool used;                   /* there have been some since the connection was opened */
    char prefix[SHADOWS_PREFIX]; /* of inner views; random; empty when there are none */
    map names;                   /* in small letters, of what is shadowed */
    map views; /* in small letters -> view of the schema, known while owner is set */
    bool views_known;
    sqlite3_stmt *count, *schema; /* our own, made when first needed */
} shadows;

/* Leaves those that are for the viewer whom the connection works for, and drops all others. Before
 * anything of a client's is prepared. */
bool shadows_fit(struct dbconn *c, error *e);

/* Drops all. */
bool shadows_drop(struct dbconn *c, error *e);

typedef enum shadows_made { SHADOWS_FAILED, SHADOWS_NONE, SHADOWS_NEW } shadows_made;
/* Makes what a statement lacks: the shadow of `table` (NULL: of none) and copies of the views that
 * the statement names. SHADOWS_NONE when all of it is there. */
shadows_made shadows_make(struct dbconn *c, const char *table, const char *sql, error *e);

/* Whether an unqualified name means a shadow. */
bool shadows_have(const shadows *s, const char *name);
/* Whether this is the name of an inner view. */
bool shadows_trust(const shadows *s, const char *name);

/* Before the connection is closed; also zeroed. */
void shadows_free(shadows *s);

#endif
