#include "engine/sqlite/inspect.h"

#include <string.h>

#include "engine/sqlite/dbconn.h"
#include "json/writer.h"

/* One inspection under way. */
typedef struct inspection {
    sqlite3 *db;
    const access_set *access; /* NULL: everything may be told */
    const access_table *t;    /* of the table, with access */
    bool whole;               /* all of the table may be read */
    const char *table;        /* the name as the schema spells it, owned by the first statement */
    json_writer w;
    error *e;
} inspection;

static bool failed(const inspection *in)
{
    int rc = sqlite3_errcode(in->db);
    if (rc == SQLITE_INTERRUPT)
        return error_set(in->e, ERR_CANCELLED, "cancelled while looking at the schema");
    if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB)
        return error_set(in->e, ERR_CORRUPT, "the schema cannot be read: %s",
                         sqlite3_errmsg(in->db));
    return error_set(in->e, ERR_INTERNAL_ERROR, "the schema cannot be read: %s",
                     sqlite3_errmsg(in->db));
}

/* A statement about the name `about` (its ?1), or NULL with the error set. */
static sqlite3_stmt *ask(inspection *in, const char *sql, const char *about)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(in->db, sql, -1, &stmt, NULL) != SQLITE_OK ||
        (about && sqlite3_bind_text(stmt, 1, about, -1, SQLITE_TRANSIENT) != SQLITE_OK)) {
        failed(in);
        sqlite3_finalize(stmt);
        return NULL;
    }
    return stmt;
}

/* Ends a statement whose last step gave rc. */
static bool finish(inspection *in, sqlite3_stmt *stmt, int rc)
{
    bool ok = rc == SQLITE_DONE || rc == SQLITE_ROW || failed(in);
    sqlite3_finalize(stmt);
    return ok;
}

static void key_str(inspection *in, const char *key, sqlite3_stmt *stmt, int column)
{
    const char *s = (const char *)sqlite3_column_text(stmt, column);
    jw_key(&in->w, key);
    if (s)
        jw_strn(&in->w, s, (size_t)sqlite3_column_bytes(stmt, column));
    else
        jw_null(&in->w);
}

static void key_int(inspection *in, const char *key, int64_t v)
{
    jw_key(&in->w, key);
    jw_int(&in->w, v);
}

static void key_bool(inspection *in, const char *key, bool v)
{
    jw_key(&in->w, key);
    jw_bool(&in->w, v);
}

/* ---- which tables users see -------------------------------------------------------------------
 */

static bool starts_with(const char *s, const char *prefix)
{
    return sqlite3_strnicmp(s, prefix, (int)strlen(prefix)) == 0;
}

/* A row of pragma_table_list: name, type, ncol, wr, strict. */
static bool is_visible(sqlite3_stmt *row)
{
    const char *name = (const char *)sqlite3_column_text(row, 0);
    const char *type = (const char *)sqlite3_column_text(row, 1);
    return name && type && strcmp(type, "shadow") != 0 && !starts_with(name, "sqlite_") &&
           !starts_with(name, "_rustydb_");
}

/* Whether any operation is granted for the table, and for the column of the table that is told
 * about. */
static bool may_know(const inspection *in, const char *table)
{
    return !in->access || (table && access_find(in->access, table)->ops);
}

static bool may_know_column(const inspection *in, const char *column)
{
    if (!in->access)
        return true;
    for (int i = 0; column && i < in->t->n_grants; i++) {
        if (access_grant_has(in->t->grants[i], column))
            return true;
    }
    return false;
}

/* Of a row of the list. */
static int64_t count_columns(inspection *in, sqlite3_stmt *row)
{
    const char *table = (const char *)sqlite3_column_text(row, 0);
    int64_t n = 0;
    if (!in->access)
        return sqlite3_column_int64(row, 2);
    sqlite3_stmt *stmt = ask(in, "SELECT name FROM pragma_table_xinfo(?1, 'main')", table);
    in->t = access_find(in->access, table);
    while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
        n += may_know_column(in, (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    return n;
}

static bool write_list(inspection *in, int64_t offset, int64_t limit)
{
    sqlite3_stmt *stmt =
        ask(in,
            "SELECT name, type, ncol, wr, strict FROM pragma_table_list WHERE schema = 'main' "
            "ORDER BY name COLLATE NOCASE, name",
            NULL);
    if (!stmt)
        return false;
    int64_t total = 0;
    int rc;
    jw_begin_object(&in->w);
    jw_key(&in->w, "tables");
    jw_begin_array(&in->w);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (!is_visible(stmt) || !may_know(in, (const char *)sqlite3_column_text(stmt, 0)))
            continue;
        int64_t at = total++;
        if (at < offset || (limit && at - offset >= limit))
            continue;
        jw_begin_object(&in->w);
        key_str(in, "name", stmt, 0);
        key_str(in, "type", stmt, 1);
        key_int(in, "columns", count_columns(in, stmt));
        key_bool(in, "without_rowid", sqlite3_column_int(stmt, 3));
        key_bool(in, "strict", sqlite3_column_int(stmt, 4));
        jw_end_object(&in->w);
    }
    jw_end_array(&in->w);
    key_int(in, "total", total);
    key_int(in, "offset", offset);
    key_int(in, "limit", limit);
    jw_end_object(&in->w);
    return finish(in, stmt, rc);
}

/* ---- one table --------------------------------------------------------------------------------
 */

static bool write_sql(inspection *in, bool is_view)
{
    if (in->access && (is_view || !in->whole)) {
        jw_key(&in->w, "sql");
        jw_null(&in->w);
        return true;
    }
    sqlite3_stmt *stmt = ask(in,
                             "SELECT sql FROM main.sqlite_schema "
                             "WHERE type IN ('table', 'view') AND name = ?1",
                             in->table);
    if (!stmt)
        return false;
    int rc = sqlite3_step(stmt);
    key_str(in, "sql", stmt, 0);
    return finish(in, stmt, rc);
}

static void write_column(inspection *in, sqlite3_stmt *row)
{
    static const char *const generated[] = {[2] = "virtual", [3] = "stored"};
    int hidden = sqlite3_column_int(row, 5);
    jw_begin_object(&in->w);
    key_str(in, "name", row, 0);
    key_str(in, "type", row, 1);
    key_bool(in, "not_null", sqlite3_column_int(row, 2));
    key_str(in, "default", row, 3);
    key_int(in, "primary_key", sqlite3_column_int64(row, 4));
    key_bool(in, "hidden", hidden == 1);
    jw_key(&in->w, "generated");
    jw_str(&in->w, hidden == 2 || hidden == 3 ? generated[hidden] : NULL);
    jw_end_object(&in->w);
}

/* A view whose tables are gone has no columns to tell, but its text is all the more wanted: it gets
 * an empty list and an "error" beside it. */
static bool write_columns(inspection *in, bool is_view)
{
    sqlite3_stmt *stmt = ask(in,
                             "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM "
                             "pragma_table_xinfo(?1, 'main')",
                             in->table);
    if (!stmt)
        return false;
    int rc;
    jw_key(&in->w, "columns");
    jw_begin_array(&in->w);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (may_know_column(in, (const char *)sqlite3_column_text(stmt, 0)))
            write_column(in, stmt);
    }
    jw_end_array(&in->w);
    if (is_view && sqlite3_errcode(in->db) == SQLITE_ERROR) {
        jw_key(&in->w, "error");
        jw_str(&in->w, in->access ? "the view cannot be read" : sqlite3_errmsg(in->db));
        rc = SQLITE_DONE;
    }
    return finish(in, stmt, rc);
}

static bool write_index_columns(inspection *in, const char *index)
{
    sqlite3_stmt *stmt =
        ask(in, "SELECT name, \"desc\", coll FROM pragma_index_xinfo(?1, 'main') WHERE key", index);
    if (!stmt)
        return false;
    int rc;
    jw_key(&in->w, "columns");
    jw_begin_array(&in->w);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        jw_begin_object(&in->w);
        key_str(in, "name", stmt, 0); /* null: an expression */
        key_bool(in, "descending", sqlite3_column_int(stmt, 1));
        key_str(in, "collation", stmt, 2);
        jw_end_object(&in->w);
    }
    jw_end_array(&in->w);
    return finish(in, stmt, rc);
}

/* Whether all that an index is made of may be known. */
static bool may_know_index(inspection *in, const char *index, bool partial)
{
    if (!in->access || in->whole)
        return true;
    if (partial)
        return false;
    sqlite3_stmt *stmt =
        ask(in, "SELECT name FROM pragma_index_xinfo(?1, 'main') WHERE key", index);
    bool all = stmt != NULL;
    while (all && sqlite3_step(stmt) == SQLITE_ROW)
        all = may_know_column(in, (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    return all;
}

static bool write_indexes(inspection *in)
{
    sqlite3_stmt *stmt =
        ask(in,
            "SELECT l.name, l.\"unique\", l.origin, l.partial, s.sql "
            "FROM pragma_index_list(?1, 'main') AS l "
            "LEFT JOIN main.sqlite_schema AS s ON s.type = 'index' AND s.name = l.name "
            "ORDER BY l.name",
            in->table);
    if (!stmt)
        return false;
    static const char *const origins[] = {"create_index", "unique", "primary_key"};
    int rc;
    bool ok = true;
    jw_key(&in->w, "indexes");
    jw_begin_array(&in->w);
    while (ok && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        const char *origin = (const char *)sqlite3_column_text(stmt, 2);
        if (!may_know_index(in, name ? name : "", sqlite3_column_int(stmt, 3)))
            continue;
        jw_begin_object(&in->w);
        key_str(in, "name", stmt, 0);
        key_bool(in, "unique", sqlite3_column_int(stmt, 1));
        key_bool(in, "partial", sqlite3_column_int(stmt, 3));
        jw_key(&in->w, "origin");
        jw_str(&in->w, origins[!origin || *origin == 'c' ? 0 : *origin == 'u' ? 1 : 2]);
        ok = write_index_columns(in, name ? name : "");
        key_str(in, "sql", stmt, 4);
        jw_end_object(&in->w);
    }
    jw_end_array(&in->w);
    return ok ? finish(in, stmt, rc) : (sqlite3_finalize(stmt), false);
}

/* Rows of one key follow each other: its columns become pairs of names. */
static bool write_foreign_keys(inspection *in)
{
    sqlite3_stmt *stmt = ask(in,
                             "SELECT id, \"table\", on_update, on_delete, \"from\", \"to\" "
                             "FROM pragma_foreign_key_list(?1, 'main') ORDER BY id, seq",
                             in->table);
    if (!stmt)
        return false;
    int64_t open = -1;
    int rc;
    jw_key(&in->w, "foreign_keys");
    jw_begin_array(&in->w);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(stmt, 0);
        if (!may_know(in, (const char *)sqlite3_column_text(stmt, 1)) ||
            !may_know_column(in, (const char *)sqlite3_column_text(stmt, 4)))
            continue;
        if (id != open) {
            if (open >= 0) {
                jw_end_array(&in->w);
                jw_end_object(&in->w);
            }
            open = id;
            jw_begin_object(&in->w);
            key_str(in, "table", stmt, 1);
            key_str(in, "on_update", stmt, 2);
            key_str(in, "on_delete", stmt, 3);
            jw_key(&in->w, "columns");
            jw_begin_array(&in->w);
        }
        jw_begin_object(&in->w);
        key_str(in, "from", stmt, 4);
        key_str(in, "to", stmt, 5); /* null: the primary key of the other table */
        jw_end_object(&in->w);
    }
    if (open >= 0) {
        jw_end_array(&in->w);
        jw_end_object(&in->w);
    }
    jw_end_array(&in->w);
    return finish(in, stmt, rc);
}

static bool write_triggers(inspection *in)
{
    sqlite3_stmt *stmt = ask(in,
                             "SELECT name, sql FROM main.sqlite_schema "
                             "WHERE type = 'trigger' AND tbl_name = ?1 ORDER BY name",
                             in->table);
    if (!stmt)
        return false;
    int rc;
    jw_key(&in->w, "triggers");
    jw_begin_array(&in->w);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (in->access)
            continue;
        jw_begin_object(&in->w);
        key_str(in, "name", stmt, 0);
        key_str(in, "sql", stmt, 1);
        jw_end_object(&in->w);
    }
    jw_end_array(&in->w);
    return finish(in, stmt, rc);
}

/* ANALYZE leaves the row count as the first number of each index's statistics (a partial index
 * counts its own rows only, so the largest is the table's). The table of statistics exists only
 * after the first ANALYZE. */
static bool write_estimate(inspection *in)
{
    jw_key(&in->w, "row_estimate");
    if (in->access && !in->whole) {
        jw_null(&in->w);
        return true;
    }
    sqlite3_stmt *stmt =
        ask(in, "SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_stat1'", NULL);
    if (!stmt)
        return false;
    int rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW) {
        jw_null(&in->w);
        return finish(in, stmt, rc);
    }
    finish(in, stmt, rc);
    stmt = ask(in, "SELECT stat FROM main.sqlite_stat1 WHERE tbl = ?1", in->table);
    if (!stmt)
        return false;
    int64_t rows = -1;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        int64_t n = sqlite3_column_int64(stmt, 0); /* the text's leading integer */
        if (n > rows)
            rows = n;
    }
    if (rows < 0)
        jw_null(&in->w);
    else
        jw_int(&in->w, rows);
    return finish(in, stmt, rc);
}

/* `row` is the table's own row of pragma_table_list. It stays open meanwhile, and an open statement
 * keeps its snapshot: so all the others see the same schema. */
static bool write_table(inspection *in, sqlite3_stmt *row)
{
    const char *type = (const char *)sqlite3_column_text(row, 1);
    bool is_view = type && strcmp(type, "view") == 0;
    in->table = (const char *)sqlite3_column_text(row, 0);
    in->t = in->access ? access_find(in->access, in->table) : NULL;
    in->whole = in->t && access_is_plain(in->t, ACCESS_SELECT);
    jw_begin_object(&in->w);
    key_str(in, "name", row, 0);
    key_str(in, "type", row, 1);
    key_bool(in, "without_rowid", sqlite3_column_int(row, 3));
    key_bool(in, "strict", sqlite3_column_int(row, 4));
    bool ok = write_sql(in, is_view) && write_columns(in, is_view) && write_indexes(in) &&
              write_foreign_keys(in) && write_triggers(in) && write_estimate(in);
    jw_end_object(&in->w);
    return ok;
}

static bool write_one(inspection *in, const char *table)
{
    sqlite3_stmt *stmt = ask(in,
                             "SELECT name, type, ncol, wr, strict FROM pragma_table_list(?1) "
                             "WHERE schema = 'main'",
                             table);
    if (!stmt)
        return false;
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW && is_visible(stmt) &&
        may_know(in, (const char *)sqlite3_column_text(stmt, 0))) {
        bool ok = write_table(in, stmt);
        sqlite3_finalize(stmt);
        return ok;
    }
    return finish(in, stmt, rc) &&
           error_set(in->e, ERR_TABLE_NOT_FOUND, "there is no table or view named \"%s\"", table);
}

bool sqlite_inspect(sqlite3 *db, const char *table, int64_t offset, int64_t limit, const viewer *as,
                    buf *out, error *e)
{
    inspection in = {.db = db, .access = as ? as->access : NULL, .e = e};
    jw_init(&in.w, out);
    bool ok = table ? write_one(&in, table) : write_list(&in, offset, limit);
    return ok && dbconn_text_ok(out, e);
}
