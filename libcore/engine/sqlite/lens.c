/* Lenses: the policy and the masks of a table over one row, which stands in a virtual table. */
#include "engine/lens.h"

#include <stdio.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sqlname.h"
#include "engine/columns.h"
#include "engine/engine_ops.h"
#include "engine/policy.h"
#include "engine/sqlite/event_table.h"
#include "engine/sqlite/store.h"

enum { LOOK_OPS = 1000 }; /* virtual machine steps between looks at the clock */

/* What one of a record's two rows came to. */
typedef struct shown_row {
    bool visible;
    value *values; /* as wide as the lens's shape; owned */
    buf bytes;     /* their texts and blobs */
} shown_row;

typedef struct sqlite_lens {
    lens base;
    dbconn *c;
    const viewer *as;
    const table_shape *source;
    table_shape shape; /* in mem */
    arena mem;
    char name[40]; /* of the virtual table */
    bool named;
    event_row row;
    sqlite3_stmt *stmt;
    shown_row now, before;
    bool by_cpu;        /* the evaluation under way is measured in processor time */
    int64_t started_us; /* when it started, by that clock */
} sqlite_lens;

static sqlite_lens *own(const lens *l)
{
    return (sqlite_lens *)(uintptr_t)l;
}

static bool no_memory(error *e)
{
    error_clear(e);
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

/* ---- time -------------------------------------------------------------------------------------
 */

/* As for filters: the wall clock is cheap to read, and what it finds late is tried once more with
 * the true measure. */
static bool is_late(void *arg)
{
    const sqlite_lens *l = arg;
    int64_t now = l->by_cpu ? clock_thread_cpu_us() : clock_mono_us();
    return now - l->started_us > (int64_t)LENS_MAX_CPU_MS * 1000;
}

static int on_progress(void *arg)
{
    return is_late(arg);
}

/* ---- the shape --------------------------------------------------------------------------------
 */

static bool is_masked(const access_table *t, const char *column)
{
    for (int i = 0; i < t->n_grants; i++) {
        const access_grant *g = t->grants[i];
        for (int k = 0; g->ops & ACCESS_SELECT && k < g->n_masks; k++) {
            if (strcasecmp(g->masks[k].column, column) == 0)
                return true;
        }
    }
    return false;
}

/* Never the id of a shape in the log, which are positive. */
static int64_t next_id(void)
{
    static atomic_llong last;
    return -(atomic_fetch_add(&last, 1) + 1);
}

/* A masked value is an expression's: it has no type, and nothing is converted for it. */
static bool make_shape(sqlite_lens *l, const access_table *t)
{
    const table_shape *from = l->source;
    size_t n = (size_t)from->n_columns + 1;
    const char **names = arena_alloc(&l->mem, n * sizeof *names);
    const char **types = arena_alloc(&l->mem, n * sizeof *types);
    const char **collations = arena_alloc(&l->mem, n * sizeof *collations);
    int *pk = arena_alloc(&l->mem, n * sizeof *pk);
    if (!names || !types || !collations || !pk)
        return false;
    int width = 0;
    for (int i = 0; i < from->n_columns; i++) {
        if (!access_column(t, ACCESS_SELECT, from->names[i]))
            continue;
        bool masked = is_masked(t, from->names[i]);
        names[width] = from->names[i];
        types[width] = masked ? "" : from->types[i];
        collations[width] = masked ? "BINARY" : from->collations[i];
        pk[width++] = from->pk[i];
    }
    l->shape = (table_shape){
        .id = next_id(),
        .table = from->table,
        .n_columns = width,
        .names = names,
        .types = types,
        .collations = collations,
        .pk = pk,
    };
    l->now.values = arena_alloc(&l->mem, n * sizeof(value));
    l->before.values = arena_alloc(&l->mem, n * sizeof(value));
    return l->now.values && l->before.values;
}

/* ---- opening ----------------------------------------------------------------------------------
 */

/* The name of a column as the expressions have it is that of the row's table, which the virtual one
 * takes here; in subqueries the real one is meant. */
static bool write_statement(const sqlite_lens *l, const access_table *t, buf *sql)
{
    buf_adds(sql, "SELECT ");
    policy_rows(sql, t, ACCESS_SELECT, 0, NULL);
    for (int i = 0; i < l->shape.n_columns; i++) {
        buf_addc(sql, ',');
        policy_column(sql, t, l->shape.names[i], NULL);
    }
    buf_addf(sql, " FROM %s AS ", l->name);
    sqlname_add(sql, l->source->table);
    return !sql->failed;
}

static bool prepare(sqlite_lens *l, const access_table *t, error *e)
{
    buf sql = BUF_INIT;
    static atomic_llong last;
    snprintf(l->name, sizeof l->name, "_rustydb_lens_%lld", atomic_fetch_add(&last, 1) + 1);
    l->row = (event_row){.shape = l->source, .no_rowid = true, .must_stop = is_late, .arg = l};
    l->by_cpu = false;
    l->started_us = clock_mono_us();
    l->named = event_table_add(l->c->db, l->name, &l->row) == SQLITE_OK;
    bool ok = l->named && write_statement(l, t, &sql);
    if (!ok) {
        no_memory(e);
    } else {
        error why;
        error_clear(&why);
        l->stmt = dbconn_prepare_own(l->c, buf_cstr(&sql), &why);
        ok = l->stmt != NULL;
        if (!ok && why.code == ERR_INTERNAL_ERROR) {
            *e = why;
        } else if (!ok) {
            log_warn("lens", "the row policy or masks of \"%s\" cannot be used: %s",
                     l->source->table, why.message);
            error_set(
                e, ERR_QUERY_ERROR,
                "the row policy or the masks of \"%s\" do not fit the table as it was at this "
                "event",
                l->source->table);
        }
    }
    buf_free(&sql);
    return ok;
}

lens *store_lens_open(log_reader *r, const viewer *as, const table_shape *source, error *e)
{
    const access_table *t = access_find(as->access, source->table);
    if (!(t->ops & ACCESS_SELECT)) {
        error_set(e, ERR_PERMISSION_DENIED, "the table \"%s\" may not be read", source->table);
        return NULL;
    }
    sqlite_lens *l = mem_zalloc(sizeof *l);
    if (!l) {
        no_memory(e);
        return NULL;
    }
    l->base.ops = r->ops;
    l->c = store_log_conn(r);
    l->as = as;
    l->source = source;
    if (!make_shape(l, t))
        no_memory(e);
    else if (!l->shape.n_columns)
        error_set(e, ERR_PERMISSION_DENIED, "no column of \"%s\" may be read", source->table);
    else if (prepare(l, t, e))
        return &l->base;
    store_lens_free(&l->base);
    return NULL;
}

void store_lens_free(lens *base)
{
    sqlite_lens *l = own(base);
    sqlite3_finalize(l->stmt);
    if (l->named)
        event_table_remove(l->c->db, l->name);
    buf_free(&l->now.bytes);
    buf_free(&l->before.bytes);
    arena_free(&l->mem);
    mem_free(l);
}

const table_shape *store_lens_shape(const lens *l)
{
    return &own(l)->shape;
}

const table_shape *store_lens_source(const lens *l)
{
    return own(l)->source;
}

/* ---- looking ----------------------------------------------------------------------------------
 */

/* Copies the values, since the statement is reset at once: it holds a snapshot of the database. */
static bool take_values(sqlite_lens *l, shown_row *to)
{
    size_t n = 0;
    for (int i = 0; i < l->shape.n_columns; i++)
        n += (size_t)sqlite3_column_bytes(l->stmt, i + 1);
    buf_clear(&to->bytes);
    if (!buf_reserve(&to->bytes, n + 1))
        return false;
    for (int i = 0; i < l->shape.n_columns; i++) {
        value *v = &to->values[i];
        *v = (value){.type = VALUE_NULL};
        int type = sqlite3_column_type(l->stmt, i + 1);
        if (type == SQLITE_INTEGER) {
            *v = (value){.type = VALUE_INT, .i = sqlite3_column_int64(l->stmt, i + 1)};
        } else if (type == SQLITE_FLOAT) {
            *v = (value){.type = VALUE_REAL, .d = sqlite3_column_double(l->stmt, i + 1)};
        } else if (type != SQLITE_NULL) {
            const void *p = sqlite3_column_blob(l->stmt, i + 1);
            size_t len = (size_t)sqlite3_column_bytes(l->stmt, i + 1);
            if (!p && len)
                return false;
            v->type = type == SQLITE_TEXT ? VALUE_TEXT : VALUE_BLOB;
            v->len = len;
            v->p = to->bytes.data + to->bytes.len;
            buf_add(&to->bytes, p ? p : "", len);
        }
    }
    return !to->bytes.failed;
}

static lens_result evaluate(sqlite_lens *l, const value *row, shown_row *to, bool by_cpu,
                            bool *late)
{
    lens_result result = LENS_SHOWN;
    l->row.values = row;
    l->by_cpu = by_cpu;
    l->started_us = by_cpu ? clock_thread_cpu_us() : clock_mono_us();
    int rc = sqlite3_step(l->stmt);
    if (rc == SQLITE_ROW) {
        to->visible = sqlite3_column_int(l->stmt, 0) != 0;
        if (to->visible && !take_values(l, to))
            result = LENS_NO_MEMORY;
    } else {
        result = (rc & 0xff) == SQLITE_NOMEM ? LENS_NO_MEMORY : LENS_FAILED;
        *late = is_late(l);
        if (result == LENS_FAILED && !*late)
            log_warn("lens", "the row policy or masks of \"%s\" failed: %s", l->source->table,
                     sqlite3_errmsg(l->c->db));
    }
    sqlite3_reset(l->stmt);
    *late = is_late(l);
    return result;
}

/* What went wrong is for the log alone: SQLite's message may hold a value of the row. */
static lens_result fail(const sqlite_lens *l, const char *how, error *e)
{
    error_clear(e);
    error_set(e, ERR_QUERY_ERROR, "the row policy or the masks of \"%s\" %s", l->source->table,
              how);
    return LENS_FAILED;
}

static lens_result look(sqlite_lens *l, const value *row, shown_row *to, error *e)
{
    bool late = false;
    to->visible = false;
    if (!row)
        return LENS_SHOWN;
    lens_result result = evaluate(l, row, to, false, &late);
    if (late)
        result = evaluate(l, row, to, true, &late);
    if (result == LENS_NO_MEMORY)
        return result;
    if (late)
        return fail(l, "took too much time for one event", e);
    return result == LENS_FAILED ? fail(l, "could not be evaluated for this event", e) : result;
}

static bool nothing_changed(const sqlite_lens *l)
{
    for (int i = 0; i < l->shape.n_columns; i++) {
        if (!value_equal(&l->now.values[i], &l->before.values[i]))
            return false;
    }
    return true;
}

lens_result store_lens_apply(lens *base, const log_record *in, log_record *out, error *e)
{
    sqlite_lens *l = own(base);

    functions_see(&l->c->functions, l->as);
    sqlite3_progress_handler(l->c->db, LOOK_OPS, on_progress, l);
    lens_result result = look(l, in->row, &l->now, e);
    if (result == LENS_SHOWN)
        result = look(l, in->old_row, &l->before, e);
    sqlite3_progress_handler(l->c->db, 0, NULL, NULL);
    functions_see(&l->c->functions, NULL);

    if (result != LENS_SHOWN)
        return result;
    bool now = l->now.visible, before = l->before.visible;
    if ((!now && !before) || (now && before && nothing_changed(l)))
        return LENS_HIDDEN;
    *out = *in;
    out->shape = &l->shape;
    out->op = now && before ? OP_UPDATE : now ? OP_INSERT : OP_DELETE;
    out->row = now ? l->now.values : NULL;
    out->old_row = before ? l->before.values : NULL;
    return LENS_SHOWN;
}
