#include "engine/sqlite/reads.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "engine/sqlite/shape.h"
#include "engine/sqlite/sqltext.h"

static bool no_memory(error *e)
{
    error_clear(e);
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

void reads_free(reads *r)
{
    if (!r)
        return;
    buf_free(&r->noted);
    buf_free(&r->tables);
    mem_free(r);
}

/* ---- tables -----------------------------------------------------------------------------------
 */

static bool holds(const buf *list_of, const char *name)
{
    size_t n = strlen(name) + 1;
    for (size_t at = 0; at < list_of->len; at += strlen(list_of->data + at) + 1) {
        if (list_of->len - at >= n && memcmp(list_of->data + at, name, n) == 0)
            return true;
    }
    return false;
}

bool reads_note(reads *r, const char *table)
{
    if (table && *table && !holds(&r->noted, table))
        buf_add(&r->noted, table, strlen(table) + 1);
    r->failed = r->noted.failed;
    return !r->failed;
}

/* The kind of what has this name, as pragma table_list says it; empty when it is no object of the
 * schema (a table-valued function). */
static bool kind_of(dbconn *c, const char *name, char *kind, size_t room, error *e)
{
    sqlite3_stmt *q =
        dbconn_prepare_own(c, "SELECT type FROM pragma_table_list(?1) WHERE schema = 'main'", e);
    if (!q)
        return false;
    sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
    int rc = sqlite3_step(q);
    const char *type = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(q, 0) : "";
    bool ok = (rc == SQLITE_ROW && type) || rc == SQLITE_DONE || dbconn_error(c, rc, e);
    if (ok) {
        strncpy(kind, type, room - 1);
        kind[room - 1] = '\0';
    }
    sqlite3_finalize(q);
    return ok;
}

/* A name that no object of the schema has is a table-valued function, or else that of a WITH clause
 * (SQLite tells the authorizer of one from which no column is used). */
static bool is_module(dbconn *c, const char *name, bool *is, error *e)
{
    sqlite3_stmt *q =
        dbconn_prepare_own(c, "SELECT 1 FROM pragma_module_list WHERE name = ?1 COLLATE NOCASE", e);
    if (!q)
        return false;
    sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
    int rc = sqlite3_step(q);
    *is = rc == SQLITE_ROW;
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE || dbconn_error(c, rc, e);
    sqlite3_finalize(q);
    return ok;
}

static bool classify(dbconn *c, reads *r, const char *name, error *e)
{
    char kind[16];
    if (!kind_of(c, name, kind, sizeof kind, e))
        return false;
    if (strcmp(kind, "table") == 0 && strncasecmp(name, "sqlite_", 7) != 0) {
        buf_add(&r->tables, name, strlen(name) + 1);
        return !r->tables.failed || no_memory(e);
    }
    if (strcmp(kind, "view") == 0)
        return true;
    if (strcasecmp(name, "json_each") == 0 || strcasecmp(name, "json_tree") == 0) {
        r->repeats = true;
        return true;
    }
    bool module = true;
    if (!*kind && !is_module(c, name, &module, e))
        return false;
    if (!module)
        return true;
    error_clear(e);
    error_set(e, ERR_INVALID_MESSAGE, "a live query cannot read \"%s\"", name);
    return error_hint(e, "The change log does not tell of its changes. Read ordinary tables.");
}

/* ---- the key ----------------------------------------------------------------------------------
 */

/* The one table that the result has columns of; NULL when there are several or none. */
static const char *source_of(sqlite3_stmt *s)
{
    const char *source = NULL;
    for (int i = 0; i < sqlite3_column_count(s); i++) {
        const char *db = sqlite3_column_database_name(s, i);
        const char *table = sqlite3_column_table_name(s, i);
        if (!table || !db || strcmp(db, "main") != 0)
            continue;
        if (source && strcmp(source, table) != 0)
            return NULL;
        source = table;
    }
    return source;
}

static int column_of(sqlite3_stmt *s, const char *table, const char *name)
{
    for (int i = 0; i < sqlite3_column_count(s); i++) {
        const char *from = sqlite3_column_table_name(s, i);
        const char *origin = sqlite3_column_origin_name(s, i);
        if (from && origin && strcmp(from, table) == 0 && strcasecmp(origin, name) == 0)
            return i;
    }
    return -1;
}

/* Fills in the columns of the primary key in its order; none where one is missing. */
static void match_key(reads *r, sqlite3_stmt *s, const char *table, const table_shape *is)
{
    int wanted = 0;
    for (int i = 0; i < is->n_columns; i++)
        wanted += is->pk[i] > 0;
    if (wanted > ENGINE_KEY_MAX)
        return;
    for (int i = 0; i < is->n_columns; i++) {
        int at = is->pk[i] > 0 ? column_of(s, table, is->names[i]) : -1;
        if (is->pk[i] > 0 && at < 0)
            return;
        if (at >= 0)
            r->key[is->pk[i] - 1] = at;
    }
    r->n_key = wanted;
}

static bool find_key(dbconn *c, reads *r, sqlite3_stmt *s, error *e)
{
    const char *table = r->repeats ? NULL : source_of(s);
    if (!table)
        return true;
    error why;
    error_clear(&why);
    shape *sh = shape_load(c, table, &why);
    if (sh)
        match_key(r, s, table, &sh->pub);
    shape_free(sh);
    if (sh || why.code == ERR_TABLE_NOT_FOUND)
        return true;
    *e = why;
    return false;
}

/* ---- preparing --------------------------------------------------------------------------------
 */

static bool is_select(statement *s, const char *sql, error *e)
{
    error_clear(e);
    if (!s->readonly || s->needs_writer)
        return error_set(e, ERR_READ_ONLY, "a live query only reads, and this statement writes");
    bool select = sql_starts_with(sql, "SELECT") || sql_starts_with(sql, "WITH") ||
                  sql_starts_with(sql, "VALUES");
    if (select && s->control == CONTROL_NONE && sqlite3_column_count(s->stmt) > 0)
        return true;
    return error_set(e, ERR_INVALID_MESSAGE, "a live query is one SELECT");
}

static bool look(dbconn *c, statement *s, const char *sql, error *e)
{
    reads *r = s->reads;
    if (!is_select(s, sql, e))
        return false;
    for (size_t at = 0; at < r->noted.len; at += strlen(r->noted.data + at) + 1) {
        if (!classify(c, r, r->noted.data + at, e))
            return false;
    }
    return find_key(c, r, s->stmt, e);
}

bool reads_declare_functions(dbconn *c, error *e)
{
    c->functions_known =
        c->functions_known || dbconn_exec(c, "SELECT 1 FROM json_each('[]'), json_tree('[]')", e);
    return c->functions_known;
}

statement *reads_prepare(dbconn *c, const char *sql, int64_t version, error *e)
{
    if (!shadows_fit(c, e))
        return NULL;
    statement *s = dbconn_cached(c, sql);
    if (s && s->reads && s->reads->version == version)
        return dbconn_prepare(c, sql, false, e);
    if (s)
        dbconn_forget(c, s);
    if (!reads_declare_functions(c, e))
        return NULL;
    reads *r = mem_zalloc(sizeof *r);
    if (!r) {
        no_memory(e);
        return NULL;
    }
    r->version = version;
    c->guard.reads = r;
    s = dbconn_prepare(c, sql, false, e);
    c->guard.reads = NULL;
    if (!s) {
        if (r->failed)
            no_memory(e);
        reads_free(r);
        return NULL;
    }
    s->reads = r;
    if (look(c, s, sql, e))
        return s;
    dbconn_forget(c, s);
    return NULL;
}

bool reads_tell(const reads *r, job_origin *o, error *e)
{
    buf_clear(&o->tables);
    buf_add(&o->tables, r->tables.data, r->tables.len);
    o->n_key = r->n_key;
    memcpy(o->key, r->key, sizeof o->key);
    return !o->tables.failed || no_memory(e);
}
