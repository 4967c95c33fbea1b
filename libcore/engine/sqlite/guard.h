/* What a client's SQL may do: SQLite's authorizer on every connection.
 *
 * Closed for everyone are the internal tables, other files, loadable extensions, transaction
 * control outside of a transaction, pragmas that are not on the list, and objects that would
 * outlive the client on a shared connection. Where there is a viewer, everything else is closed too
 * unless his rights open it (permit.h). The guard also notes what a statement is about (DDL,
 * savepoints) while SQLite prepares it. One thread at a time, the one that has the connection. */
#ifndef ENGINE_SQLITE_GUARD_H
#define ENGINE_SQLITE_GUARD_H

#include <stdbool.h>
#include <sqlite3.h>

#include "base/error.h"
#include "engine/access.h"

typedef enum ddl_kind { DDL_NONE, DDL_CREATE, DDL_ALTER, DDL_DROP } ddl_kind;
typedef enum control_kind { CONTROL_NONE, CONTROL_SAVEPOINT, CONTROL_ROLLBACK_TO } control_kind;

struct reads;
struct touches;
struct shadows;

typedef struct guard {
    struct reads *reads;     /* where to note what a client's statement reads; NULL: nowhere */
    struct touches *touches; /* where to note all tables that it reads and writes; NULL: nowhere */
    bool client;     /* SQL of a client is being prepared or run; otherwise everything is allowed */
    bool in_tx;      /* inside an interactive transaction or an atomic batch */
    bool vacuum;     /* VACUUM runs: it attaches a nameless file and reads everything */
    bool names_main; /* the statement's text has the name main in it */
    const char *joins;    /* the text, where it joins by NATURAL or USING; while it is prepared */
    bool stepping;        /* a statement runs: what is asked is of one that SQLite prepares anew */
    const viewer *viewer; /* whose rights count; NULL: of somebody who may everything */
    const char *structured;        /* job.structured */
    const struct shadows *shadows; /* of the connection */

    /* noted while preparing; guard_reset clears it */
    ddl_kind ddl;
    char *ddl_table; /* owned; set with ddl */
    control_kind control;
    bool schema;        /* creates, alters or drops anything */
    bool needs_writer;  /* a pragma that writes without saying so */
    bool no_cache;      /* allowed here and now only: must be prepared anew each time */
    bool temp;          /* temporary objects may have been made; cleared by who drops them */
    char *wanted;       /* a table that must be read through a shadow; owned */
    bool shadowed;      /* reads one through it */
    bool unclear;       /* reads rows without columns, of a shadow or of the table itself */
    bool keeps_rows;    /* changes a table of which the viewer may not delete rows */
    bool makes_trigger; /* CREATE TRIGGER */
    bool makes_view;    /* CREATE VIEW */
    bool makes_virtual; /* CREATE VIRTUAL TABLE */
    bool inserts;       /* the text itself inserts into a table */
    bool selects;       /* SQLite has asked about a SELECT */
    bool alters;        /* ALTER or DROP, and may: SQLite looks through the schema for it */
    bool wrote_schema;  /* SQLite has written into the schema's table for it */
    error refused;      /* why SQLite was told to refuse, code ERR_NONE when it was not */
} guard;

/* Makes the guard watch over a connection; it must live as long as the connection. */
void guard_install(guard *g, sqlite3 *db);
void guard_reset(guard *g);
/* Whether a text names no internal table: SQLite does not ask about all that it reads (unasked.h).
 */
bool guard_text(const char *sql, error *e);
void guard_free(guard *g);

#endif
