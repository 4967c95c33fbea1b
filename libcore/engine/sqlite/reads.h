/* What a statement depends on: the tables it reads, which the authorizer tells while SQLite
 * prepares it, and the result columns that make up a primary key. One thread, that of the
 * connection. */
#ifndef ENGINE_SQLITE_READS_H
#define ENGINE_SQLITE_READS_H

#include "engine/sqlite/dbconn.h"

typedef struct reads {
    int64_t version; /* of the schema it was found in */
    bool failed;     /* memory was out while noting */
    bool repeats;    /* it reads a table-valued function: rows of a table may come several times */
    buf noted;       /* what the authorizer named, each with a NUL: views and functions too */
    buf tables;      /* ordinary tables only */
    int n_key, key[ENGINE_KEY_MAX];
} reads;

/* Notes a table. False when memory is out. */
bool reads_note(reads *r, const char *table);
void reads_free(reads *r); /* NULL is fine */

/* The first use of a table-valued function declares it, which looks to the authorizer like reading
 * the schema: done here, it does not happen while a client's statement is looked at. */
bool reads_declare_functions(dbconn *c, error *e);

/* Prepares a client's SELECT like dbconn_prepare, with s->reads known. Inside a transaction whose
 * schema has this version. INVALID_MESSAGE for what is no SELECT or reads what is not in the change
 * log, READ_ONLY for what writes. */
statement *reads_prepare(dbconn *c, const char *sql, int64_t version, error *e);

/* Copies what is known to a job. False when memory is out. */
bool reads_tell(const reads *r, job_origin *o, error *e);

#endif
