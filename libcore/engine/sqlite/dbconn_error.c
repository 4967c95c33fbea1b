/* SQLite's result codes as our errors. */
#include <string.h>

#include "base/clock.h"
#include "engine/sqlite/dbconn.h"
#include "engine/sqlite/permit.h"

void stop_error(const job *j, error_code why, error *e)
{
    error_clear(e);
    switch (why) {
    case ERR_TIMEOUT:
        error_set(e, why, "the statement did not end within its time limit of %lld ms",
                  (long long)((j->deadline_us - j->submitted_us) / 1000));
        error_hint(e, "Raise timeout_ms, or make the statement do less at a time.");
        break;
    case ERR_SHUTTING_DOWN:
        error_set(e, why, "the daemon is stopping; nothing of this statement was kept");
        break;
    case ERR_BUSY:
        error_set(e, why, "too many statements are waiting");
        error_hint(e, "Try again in a moment, or send several statements as one batch.");
        break;
    case ERR_CONFLICT:
        error_set(e, why, "a statement with the id \"%s\" is running", j->id);
        error_hint(e, "Choose ids that are unique, or leave the id out.");
        break;
    case ERR_AUTH_EXPIRED:
    case ERR_AUTH_FAILED:
        error_set(e, why, "the credentials that the statement ran with are no longer good");
        break;
    case ERR_PERMISSION_DENIED:
        error_set(e, why, "the rights that the statement ran with have changed");
        error_hint(e, "Send it again: it will do what is allowed now.");
        break;
    default:
        error_set(e, why, "the statement was cancelled");
    }
}

static error_code code_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_CONSTRAINT:
        return ERR_CONFLICT;
    case SQLITE_FULL:
        return ERR_DISK_FULL;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return ERR_READ_ONLY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_NOMEM:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
    case SQLITE_INTERNAL:
    case SQLITE_MISUSE:
        return ERR_INTERNAL_ERROR;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_INTERRUPT:
        return ERR_CANCELLED;
    case SQLITE_TOOBIG:
        return ERR_MESSAGE_TOO_BIG;
    case SQLITE_AUTH:
        return ERR_PERMISSION_DENIED;
    default:
        return ERR_QUERY_ERROR;
    }
}

bool sql_code_error(int rc, const char *message, error *e)
{
    error_clear(e);
    error_code code = code_of(rc);
    if (code == ERR_QUERY_ERROR && strncmp(message, "no such table: ", 15) == 0)
        code = ERR_TABLE_NOT_FOUND;
    error_set(e, code, "%s", message);
    if (code == ERR_DISK_FULL)
        error_hint(e, "Free space on the disk of the data folder, then try again.");
    else if (code == ERR_BUSY)
        error_hint(e, "Another process holds a lock on the database file.");
    else if (code == ERR_CORRUPT)
        error_hint(e, "Restore a backup, or try the sqlite3 shell's .recover on a copy.");
    return false;
}

bool dbconn_text_ok(const buf *out, error *e)
{
    if (!out->failed)
        return true;
    error_clear(e);
    if (!out->limit)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    return error_set(e, ERR_MESSAGE_TOO_BIG, "the answer is larger than %zu bytes", out->limit);
}

bool dbconn_error(dbconn *c, int rc, error *e)
{
    error unused;
    if (!e)
        e = &unused;
    int why = c->job ? atomic_load(&c->job->cancel) : ERR_NONE;
    if ((rc & 0xff) == SQLITE_INTERRUPT && why != ERR_NONE) {
        stop_error(c->job, (error_code)why, e);
        return false;
    }
    /* SQLite gives AUTH, ERROR, or SCHEMA when it had to look at the schema again. */
    if (c->guard.refused.code != ERR_NONE) {
        *e = c->guard.refused;
        c->guard.refused.code = ERR_NONE;
        return false;
    }
    if (!c->db || (rc & 0xff) == SQLITE_NOMEM)
        return sql_code_error(rc, sqlite3_errstr(rc), e);
    sql_code_error(rc, sqlite3_errmsg(c->db), e);
    e->position = sqlite3_error_offset(c->db);
    permit_conceal_name(&c->guard, e);
    return false;
}
