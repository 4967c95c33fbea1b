/* What somebody may do with the tables of a database, and whose eyes a job sees with.
 *
 * An access set is made once from the roles of somebody, never changes, is counted, and is shared
 * by all who have the same roles. It knows tables by name; whether a table exists is not its
 * matter.
 *
 * It is made of grants. A grant lets operations on a table through, perhaps only for some columns,
 * for rows for which a predicate is true, or with values masked. Grants add up: a row is visible
 * when any grant shows it, and a column of it as the first grant says that shows this column of
 * this row, those without a mask for it before those with one. Within one role the grants that name
 * a table take the place of those for "*".
 *
 * Predicates and masks are SQL over the columns of the row, by their bare names. They may call
 * current_user() and claim('name'), and look at other tables by subqueries. */
#ifndef ENGINE_ACCESS_H
#define ENGINE_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

typedef enum access_op {
    ACCESS_SELECT = 1,
    ACCESS_INSERT = 2,
    ACCESS_UPDATE = 4,
    ACCESS_DELETE = 8,
    ACCESS_ALL = 15
} access_op;

/* What is shown in the place of a column. */
typedef struct access_mask {
    const char *column;
    const char *sql; /* an expression */
} access_mask;

typedef struct access_grant {
    const char *table; /* "*": every table that the role does not name */
    unsigned ops;      /* of access_op */
    int n_columns;     /* 0: all. Else what is read, given in an INSERT, or set by an UPDATE */
    const char *const *columns;
    const char *where; /* rows that are read, updated, deleted; NULL: every row */
    const char *check; /* rows as they are after an insert or update; NULL: as `where` */
    int n_masks;
    const access_mask *masks; /* of what is read */
    bool expose_key; /* the primary key of a hidden row may show that it exists, so that reading by
                        key is a look-up */
} access_grant;

/* What a role grants. */
typedef struct access_role {
    int n_grants;
    const access_grant *grants;
} access_role;

/* The grants that count for a table. */
typedef struct access_table {
    unsigned ops; /* of all of them */
    int n_grants;
    const access_grant *const *grants;
} access_table;

typedef struct access_set access_set;

enum { ACCESS_DIGEST = 32 }; /* hex digits */

/* A copy of all that the roles grant. The caller holds it. NULL when memory is out. Any thread. */
access_set *access_new(const access_role *roles, int n_roles);
access_set *access_hold(const access_set *a);
void access_release(const access_set *a); /* NULL is fine */
/* No other access set of this process has it; 0: of NULL. */
uint64_t access_id(const access_set *a);
/* A hash of all that it grants: sets of the same digest grant the same. "" of NULL. Lives as long
 * as the access. */
const char *access_digest(const access_set *a);
/* Appends all that a grant says, so that grants of the same text do the same. */
void access_grant_write(buf *out, const access_grant *g);
/* The digest of a text. False when memory is out. */
bool access_hash(const buf *text, char out[ACCESS_DIGEST + 1]);

/* What counts for a table, whose name is compared without regard to case (ASCII). Lives as long as
 * the access; never NULL. a is not NULL. */
const access_table *access_find(const access_set *a, const char *table);
/* Whether a role names the table, so that not the grants for "*" alone count for it. */
bool access_is_named(const access_set *a, const char *table);
/* Whether some grant has the operation for this column. "" asks for any column (count(*)). */
bool access_column(const access_table *t, access_op op, const char *column);
/* Whether a grant is about this column, whatever its operations. "": about any. */
bool access_grant_has(const access_grant *g, const char *column);
/* Whether one grant has the operation for every row and column, and for reading without masks: then
 * nothing needs to be looked at. */
bool access_is_plain(const access_table *t, access_op op);
/* The same for one column: some grant has the operation for it in every row, as it is. */
bool access_is_plain_column(const access_table *t, access_op op, const char *column);
/* Whether what may be read of the table differs from row to row, or is masked: it is then read
 * through its policy alone. Where only columns are left out, they are refused by name instead. */
bool access_is_filtered(const access_table *t);

/* Whose eyes a job sees with. */
typedef struct viewer {
    const access_set *access; /* NULL: everything may be read and changed, and the schema too */
    bool schema;              /* may create, alter and drop tables, views, indexes and triggers */
    const char *user;         /* current_user() */
    const char *claims;       /* a JSON object for claim(); NULL: none */
} viewer;

/* Somebody who may do nothing. */
extern const viewer viewer_nobody;

#endif
