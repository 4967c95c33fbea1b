#define SQLITE_ENABLE_PREUPDATE_HOOK 1 /* sqlite3.h declares it only then */
#include "engine/sqlite/capture.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "engine/sqlite/sqltext.h"

void capture_fail(capture *cap, error_code code, const char *message)
{
    if (cap->failed)
        return;
    cap->failed = true;
    error_clear(&cap->err);
    error_set(&cap->err, code, "%s", message);
}

/* ---- tables -----------------------------------------------------------------------------------
 */

static void table_free(captured_table *t)
{
    shape_free(t->shape);
    mem_free(t->name);
    mem_free(t);
}

/* SQLite before 3.46 gives wrong values for this layout: it takes the place among the stored
 * columns for the place among all of them. */
static bool unreadable(const capture *cap, const shape *s)
{
    return !cap->table_order && s->has_virtual && s->rowid_alias != s->rowid_alias_all;
}

static captured_table *add_table(capture *cap, const char *name)
{
    captured_table *t = mem_zalloc(sizeof *t);
    if (t)
        t->name = mem_strndup(name, strlen(name));
    error e;
    error_clear(&e);
    if (t && t->name) {
        t->shape = shape_load(cap->c, name, &e);
        if (!t->shape && e.code != ERR_TABLE_NOT_FOUND) {
            capture_fail(cap, e.code, e.message);
        } else if (t->shape && unreadable(cap, t->shape)) {
            capture_fail(
                cap, ERR_QUERY_ERROR,
                "the table has a VIRTUAL column before its INTEGER PRIMARY KEY, whose changes "
                "cannot be caught; put the key first");
        } else if (map_put(&cap->tables, name, strlen(name), t, NULL)) {
            return t;
        }
    }
    capture_fail(cap, ERR_INTERNAL_ERROR, "out of memory");
    if (t)
        table_free(t);
    return NULL;
}

captured_table *capture_find_table(capture *cap, const char *name)
{
    if (cap->last && strcmp(cap->last->name, name) == 0)
        return cap->last;
    captured_table *t = map_get(&cap->tables, name, strlen(name));
    if (!t)
        t = add_table(cap, name);
    cap->last = t;
    return t;
}

void capture_forget_tables(capture *cap)
{
    size_t at = 0;
    for (map_slot *slot; (slot = map_next(&cap->tables, &at));)
        table_free(slot->value);
    map_free(&cap->tables);
    cap->last = NULL;
    cap->pending_shapes = false;
}

void capture_ended(capture *cap, bool committed)
{
    if (!cap->pending_shapes)
        return;
    size_t at = 0;
    for (map_slot *slot; (slot = map_next(&cap->tables, &at));) {
        captured_table *t = slot->value;
        if (t->stored == SHAPE_PENDING)
            t->stored = committed ? SHAPE_STORED : SHAPE_UNKNOWN;
    }
    cap->pending_shapes = false;
}

/* ---- rows -------------------------------------------------------------------------------------
 */

/* A value as the table stores it. The hook gives the integers of a REAL column as integers, and in
 * a WITHOUT ROWID table may make reals of another column's integers. */
static bool take_value(sqlite3_value *from, affinity aff, bool odd, value *v)
{
    v->len = 0;
    switch (sqlite3_value_type(from)) {
    case SQLITE_INTEGER:
        v->i = sqlite3_value_int64(from);
        v->type = VALUE_INT;
        if (aff == AFF_REAL) {
            v->d = (double)v->i;
            v->type = VALUE_REAL;
        }
        return true;
    case SQLITE_FLOAT:
        v->d = sqlite3_value_double(from);
        v->type = VALUE_REAL;
        if (odd && (aff == AFF_INTEGER || aff == AFF_NUMERIC) && v->d > -9.2e18 && v->d < 9.2e18 &&
            v->d == (double)(int64_t)v->d) {
            v->i = (int64_t)v->d;
            v->type = VALUE_INT;
        }
        return true;
    case SQLITE_TEXT:
        v->type = VALUE_TEXT;
        v->p = (const char *)sqlite3_value_text(from);
        v->len = (size_t)sqlite3_value_bytes(from);
        return v->p != NULL;
    case SQLITE_BLOB:
        v->type = VALUE_BLOB;
        v->p = sqlite3_value_blob(from);
        v->len = (size_t)sqlite3_value_bytes(from);
        return v->p || v->len == 0;
    default:
        v->type = VALUE_NULL;
        v->i = 0;
        return true;
    }
}

typedef enum which_row { OLD_ROW, NEW_ROW } which_row;

/* How the hook numbers the i-th column of the shape. Newer versions count all columns of the table;
 * older ones count stored columns, except where they look through a WITHOUT ROWID table's index. */
static int hook_index(const capture *cap, const shape *s, int i, which_row which, int op)
{
    if (cap->table_order || (s->without_rowid && (which == OLD_ROW || op == SQLITE_INSERT)))
        return s->column[i];
    return i;
}

static bool take_row(capture *cap, const shape *s, which_row which, int op, int64_t rowid)
{
    int n = s->pub.n_columns;
    if (n > cap->room) {
        value *row = mem_realloc(cap->row, (size_t)n * sizeof *row);
        if (!row)
            return false;
        cap->row = row;
        cap->room = n;
    }
    for (int i = 0; i < n; i++) {
        if (i == s->rowid_alias) {
            cap->row[i] = (value){.type = VALUE_INT, .i = rowid};
            continue;
        }
        sqlite3_value *v = NULL;
        int at = hook_index(cap, s, i, which, op);
        int rc = which == OLD_ROW ? sqlite3_preupdate_old(cap->c->db, at, &v)
                                  : sqlite3_preupdate_new(cap->c->db, at, &v);
        if (rc != SQLITE_OK || !v || !take_value(v, s->aff[i], s->without_rowid, &cap->row[i]))
            return false;
    }
    value_pack(&cap->data, cap->row, n);
    return !cap->data.failed;
}

/* ---- the hook ---------------------------------------------------------------------------------
 */

static void catch_change(capture *cap, captured_table *t, int op, int64_t old_rowid,
                         int64_t new_rowid)
{
    size_t start = cap->data.len;
    event_head head = {t, OP_INSERT, 0};
    buf_add(&cap->data, &head, sizeof head);
    bool ok = true;
    if (op != SQLITE_INSERT)
        ok = take_row(cap, t->shape, OLD_ROW, op, old_rowid);
    if (ok && op != SQLITE_DELETE)
        ok = take_row(cap, t->shape, NEW_ROW, op, new_rowid);
    size_t len = cap->data.len - start - sizeof head;
    if (!ok || cap->data.failed || len > UINT32_MAX) {
        capture_fail(cap, ERR_INTERNAL_ERROR, "out of memory while catching a change");
        return;
    }
    head.op = op == SQLITE_INSERT ? OP_INSERT : op == SQLITE_DELETE ? OP_DELETE : OP_UPDATE;
    head.len = (uint32_t)len;
    memcpy(cap->data.data + start, &head, sizeof head);
    if (cap->data.len >= CAPTURE_MEMORY)
        capture_spill(cap);
}

static void on_change(void *arg, sqlite3 *db, int op, const char *schema, const char *table,
                      sqlite3_int64 old_rowid, sqlite3_int64 new_rowid)
{
    capture *cap = arg;
    if (op == SQLITE_INSERT && sqlite3_preupdate_depth(db) == 0)
        cap->inserted = true;
    if (cap->muted || cap->failed || strcmp(schema, "main") != 0 ||
        (*table == '_' && sql_is_internal_name(table)) || strncasecmp(table, "sqlite_", 7) == 0)
        return;
    captured_table *t = capture_find_table(cap, table);
    if (t && t->shape)
        catch_change(cap, t, op, old_rowid, new_rowid);
}

/* ---- opening ----------------------------------------------------------------------------------
 */

static void on_probe(void *arg, sqlite3 *db, int op, const char *schema, const char *table,
                     sqlite3_int64 old_rowid, sqlite3_int64 new_rowid)
{
    (void)op, (void)schema, (void)table, (void)old_rowid, (void)new_rowid;
    sqlite3_value *v = NULL;
    *(bool *)arg =
        sqlite3_preupdate_new(db, 2, &v) == SQLITE_OK && v && sqlite3_value_type(v) == SQLITE_TEXT;
}

/* Asks this SQLite how its hook numbers columns: with a VIRTUAL one at place 0, is x at 2? */
static bool probe(bool *table_order, error *e)
{
    sqlite3 *db = NULL;
    *table_order = false;
    int rc = sqlite3_open(":memory:", &db);
    if (rc == SQLITE_OK) {
        sqlite3_preupdate_hook(db, on_probe, table_order);
        rc = sqlite3_exec(db, "CREATE TABLE t(v AS (1), w, x); INSERT INTO t VALUES(1, 'x')", NULL,
                          NULL, NULL);
    }
    if (rc != SQLITE_OK)
        sql_code_error(rc, sqlite3_errstr(rc), e);
    sqlite3_close(db);
    return rc == SQLITE_OK;
}

bool capture_open(capture *cap, dbconn *c, const char *dir, error *e)
{
    *cap = (capture){.c = c, .dir = dir, .file = -1};
    if (!probe(&cap->table_order, e))
        return false;
    sqlite3_preupdate_hook(c->db, on_change, cap);
    return true;
}

void capture_close(capture *cap)
{
    if (cap->c && cap->c->db)
        sqlite3_preupdate_hook(cap->c->db, NULL, NULL);
    if (cap->c)
        capture_drop(cap);
    capture_forget_tables(cap);
    buf_free(&cap->data);
    mem_free(cap->row);
    cap->row = NULL;
    cap->room = 0;
}
