#include "engine/sqlite/event_table.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/sqlname.h"
#include "engine/columns.h"

typedef struct event_vtab {
    sqlite3_vtab base;
    const event_row *row;
} event_vtab;

typedef struct event_cursor {
    sqlite3_vtab_cursor base;
    bool at_end;
} event_cursor;

/* ---- the declaration --------------------------------------------------------------------------
 */

static void add_declaration(buf *out, const table_shape *shape, bool no_rowid)
{
    buf_adds(out, "CREATE TABLE x(");
    for (int i = 0; i < shape->n_columns; i++) {
        if (i)
            buf_addc(out, ',');
        sqlname_add(out, shape->names[i]);
        buf_addc(out, ' ');
        /* The type itself is not repeated: its text is the user's. */
        buf_adds(out, affinity_name(affinity_of(shape->types[i])));
        buf_adds(out, " COLLATE ");
        sqlname_add(out, *shape->collations[i] ? shape->collations[i] : "BINARY");
    }
    /* What has no rowid must have a key: a column that nobody sees, and nothing is known of. */
    buf_adds(out, no_rowid ? ",\"_rustydb_key\" HIDDEN PRIMARY KEY) WITHOUT ROWID" : ")");
}

/* ---- the module -------------------------------------------------------------------------------
 */

static int on_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out,
                      char **message)
{
    (void)argc;
    (void)argv;
    const event_row *row = aux;
    buf sql = BUF_INIT;
    add_declaration(&sql, row->shape, row->no_rowid);
    const char *text = buf_cstr(&sql);
    event_vtab *t = sql.failed ? NULL : mem_zalloc(sizeof *t);
    int rc = t ? sqlite3_declare_vtab(db, text) : SQLITE_NOMEM;
    buf_free(&sql);
    if (rc != SQLITE_OK) {
        if (rc != SQLITE_NOMEM)
            *message = sqlite3_mprintf("%s", sqlite3_errmsg(db));
        mem_free(t);
        return rc;
    }
    t->row = row;
    *out = &t->base;
    return SQLITE_OK;
}

static int on_disconnect(sqlite3_vtab *t)
{
    mem_free(t);
    return SQLITE_OK;
}

static int on_best_index(sqlite3_vtab *t, sqlite3_index_info *info)
{
    (void)t;
    info->estimatedCost = 1;
    info->estimatedRows = 1;
    info->idxFlags = SQLITE_INDEX_SCAN_UNIQUE;
    return SQLITE_OK;
}

static int on_open(sqlite3_vtab *t, sqlite3_vtab_cursor **out)
{
    (void)t;
    event_cursor *c = mem_zalloc(sizeof *c);
    if (!c)
        return SQLITE_NOMEM;
    *out = &c->base;
    return SQLITE_OK;
}

static int on_close(sqlite3_vtab_cursor *c)
{
    mem_free(c);
    return SQLITE_OK;
}

static int on_filter(sqlite3_vtab_cursor *c, int n, const char *s, int argc, sqlite3_value **argv)
{
    (void)n;
    (void)s;
    (void)argc;
    (void)argv;
    ((event_cursor *)c)->at_end = false;
    return SQLITE_OK;
}

static int on_next(sqlite3_vtab_cursor *c)
{
    ((event_cursor *)c)->at_end = true;
    return SQLITE_OK;
}

static int on_eof(sqlite3_vtab_cursor *c)
{
    return ((event_cursor *)c)->at_end;
}

static int on_column(sqlite3_vtab_cursor *c, sqlite3_context *ctx, int i)
{
    const event_row *row = ((event_vtab *)c->pVtab)->row;
    if (row->must_stop(row->arg))
        return SQLITE_INTERRUPT;
    if (!row->values || i < 0 || i >= row->shape->n_columns)
        return SQLITE_OK; /* NULL */
    const value *v = &row->values[i];
    switch (v->type) {
    case VALUE_NULL:
        break;
    case VALUE_INT:
        sqlite3_result_int64(ctx, v->i);
        break;
    case VALUE_REAL:
        sqlite3_result_double(ctx, v->d);
        break;
    case VALUE_TEXT: /* static: the values outlive the evaluation */
        sqlite3_result_text64(ctx, v->len ? v->p : "", v->len, SQLITE_STATIC, SQLITE_UTF8);
        break;
    case VALUE_BLOB:
        sqlite3_result_blob64(ctx, v->len ? v->p : "", v->len, SQLITE_STATIC);
        break;
    }
    return SQLITE_OK;
}

static int on_rowid(sqlite3_vtab_cursor *c, sqlite3_int64 *rowid)
{
    (void)c;
    *rowid = 1;
    return SQLITE_OK;
}

/* Without xCreate, so a table by the module's own name is simply there. */
static const sqlite3_module module = {
    .iVersion = 1,
    .xConnect = on_connect,
    .xBestIndex = on_best_index,
    .xDisconnect = on_disconnect,
    .xOpen = on_open,
    .xClose = on_close,
    .xFilter = on_filter,
    .xNext = on_next,
    .xEof = on_eof,
    .xColumn = on_column,
    .xRowid = on_rowid,
};

int event_table_add(sqlite3 *db, const char *name, event_row *row)
{
    return sqlite3_create_module_v2(db, name, &module, row, NULL);
}

void event_table_remove(sqlite3 *db, const char *name)
{
    sqlite3_create_module_v2(db, name, NULL, NULL, NULL);
}
