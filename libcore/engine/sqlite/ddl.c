/* Schema statements: what they did to which table, as records of the change log; and the repairs
 * that row capture needs after ALTER TABLE ADD COLUMN. */
#include <string.h>
#include <strings.h>

#include "engine/sqlite/sqltext.h"
#include "engine/sqlite/store.h"

static bool schema_version(writer *w, int64_t *out, error *e)
{
    return dbconn_int(&w->c, "PRAGMA schema_version", 0, out, e);
}

static bool root_page(writer *w, const char *table, int64_t *out, error *e)
{
    sqlite3_stmt *q = dbconn_prepare_own(
        &w->c, "SELECT rootpage FROM main.sqlite_schema WHERE type = 'table' AND name = ?", e);
    if (!q)
        return false;
    sqlite3_bind_text(q, 1, table, -1, SQLITE_STATIC);
    int rc = sqlite3_step(q);
    *out = rc == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE || dbconn_error(&w->c, rc, e);
    sqlite3_finalize(q);
    return ok;
}

bool ddl_before(store *g, const statement *s, ddl_change *d, error *e)
{
    writer *w = &g->writer;
    *d = (ddl_change){.kind = s->ddl};
    if (d->kind == DDL_NONE)
        return true;
    if (!schema_version(w, &d->version, e))
        return false;
    if (d->kind == DDL_CREATE)
        return true;
    error why;
    error_clear(&why);
    d->before = shape_load(&w->c, s->ddl_table, &why);
    if (d->before)
        return root_page(w, d->before->pub.table, &d->root, e);
    d->kind = DDL_NONE; /* a virtual table, or it will fail */
    if (why.code == ERR_TABLE_NOT_FOUND)
        return true;
    *e = why;
    return false;
}

void ddl_free(ddl_change *d)
{
    shape_free(d->before);
    d->before = NULL;
}

/* The shape of a table, NULL without an error when there is no such ordinary table. */
static bool load(writer *w, const char *table, shape **out, error *e)
{
    error why;
    error_clear(&why);
    *out = shape_load(&w->c, table, &why);
    if (*out || why.code == ERR_TABLE_NOT_FOUND)
        return true;
    *e = why;
    return false;
}

static bool after_create(store *g, const statement *s, const char *sql, error *e)
{
    writer *w = &g->writer;
    shape *now;
    if (!load(w, s->ddl_table, &now, e))
        return false;
    bool ok = !now || (changelog_append_ddl(&w->log, OP_CREATE, now, sql, NULL, e) &&
                       capture_table_rows(&w->cap, &w->log, now->pub.table, e));
    shape_free(now);
    return ok;
}

static bool after_drop(store *g, const char *sql, ddl_change *d, error *e)
{
    writer *w = &g->writer;
    return changelog_append_ddl(&w->log, OP_DROP, d->before, sql, NULL, e) &&
           changelog_end_shape(&w->log, d->before, 0, e);
}

/* ---- ALTER ------------------------------------------------------------------------------------
 */

/* The table's new name: whose rows start on the same page. */
static bool renamed(store *g, const char *sql, ddl_change *d, error *e)
{
    writer *w = &g->writer;
    sqlite3_stmt *q = dbconn_prepare_own(
        &w->c, "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND rootpage = ?", e);
    if (!q)
        return false;
    sqlite3_bind_int64(q, 1, d->root);
    int rc = sqlite3_step(q);
    const char *name = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(q, 0) : NULL;
    bool ok = name || dbconn_error(&w->c, rc == SQLITE_ROW ? SQLITE_NOMEM : rc, e);
    if (ok && sql_is_internal_name(name)) {
        error_clear(e);
        error_set(e, ERR_PERMISSION_DENIED, "\"%s\" is reserved for the database itself", name);
        error_hint(e, "Choose a name that does not start with _rustydb.");
        ok = false;
    }
    ok = ok && changelog_append_ddl(&w->log, OP_RENAME, d->before, sql, name, e) &&
         changelog_end_shape(&w->log, d->before, 0, e);
    sqlite3_finalize(q);
    return ok;
}

/* Rows from before an added column do not hold it, and the hook would report NULL as its old value
 * instead of the default: writes it into them. Not a change that anybody made, so not logged. */
static bool write_default(store *g, const shape *now, error *e)
{
    writer *w = &g->writer;
    const char *column = now->pub.names[now->pub.n_columns - 1];
    char *sql =
        sqlite3_mprintf("UPDATE main.\"%w\" SET \"%w\" = \"%w\"", now->pub.table, column, column);
    if (!sql)
        return dbconn_error(&w->c, SQLITE_NOMEM, e);
    w->cap.muted++;
    sqlite3_db_config(w->c.db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    bool ok = dbconn_exec(&w->c, sql, e);
    sqlite3_db_config(w->c.db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, NULL);
    w->cap.muted--;
    sqlite3_free(sql);
    return ok;
}

static bool added_default(const shape *before, const shape *now)
{
    return now->pub.n_columns == before->pub.n_columns + 1 && now->last_default &&
           strcasecmp(now->last_default, "NULL") != 0;
}

static bool after_alter(store *g, const char *sql, ddl_change *d, error *e)
{
    writer *w = &g->writer;
    shape *now;
    if (!load(w, d->before->pub.table, &now, e))
        return false;
    bool ok;
    if (!now || strcmp(now->pub.table, d->before->pub.table) != 0) {
        ok = renamed(g, sql, d, e);
    } else {
        ok = changelog_append_ddl(&w->log, OP_ALTER, now, sql, NULL, e) &&
             (!added_default(d->before, now) || write_default(g, now, e)) &&
             changelog_end_shape(&w->log, d->before, now->pub.id, e);
    }
    shape_free(now);
    return ok;
}

bool ddl_after(store *g, const statement *s, const char *sql, ddl_change *d, error *e)
{
    writer *w = &g->writer;
    int64_t version = d->version;
    if (!capture_flush(&w->cap, &w->log, e))
        return false;
    if (!s->schema)
        return true;
    w->changed_schema = true;
    capture_forget_tables(&w->cap);
    if (d->kind == DDL_NONE)
        return true;
    if (!schema_version(w, &version, e))
        return false;
    if (version == d->version) /* IF NOT EXISTS, IF EXISTS */
        return true;
    bool ok = d->kind == DDL_CREATE ? after_create(g, s, sql, e)
              : d->kind == DDL_DROP ? after_drop(g, sql, d, e)
                                    : after_alter(g, sql, d, e);
    capture_forget_tables(&w->cap);
    return ok;
}
