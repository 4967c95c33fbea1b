/* Imports: a chunk of rows in one savepoint, the table made first where asked. */
#include <string.h>

#include "base/clock.h"
#include "base/sqlname.h"
#include "engine/sqlite/store.h"

enum {
    ROWS_LOOK = 64,       /* rows between looks at the job's cancel */
    ROWS_FLUSH = 1 << 20, /* bytes of caught rows before they are logged */
};

static void create_sql(buf *b, const job_rows *r)
{
    buf_adds(b, "CREATE TABLE IF NOT EXISTS main.");
    sqlname_add(b, r->table);
    for (int i = 0; i < r->n_columns; i++) {
        buf_adds(b, i ? ", " : "(");
        sqlname_add(b, r->columns[i]);
        buf_addc(b, ' ');
        buf_adds(b, r->types && r->types[i] ? r->types[i] : "");
    }
    buf_addc(b, ')');
}

static void insert_sql(buf *b, const job_rows *r)
{
    buf_adds(b, "INSERT INTO main.");
    sqlname_add(b, r->table);
    for (int i = 0; i < r->n_columns; i++) {
        buf_adds(b, i ? ", " : "(");
        sqlname_add(b, r->columns[i]);
    }
    buf_adds(b, ") VALUES");
    for (int i = 0; i < r->n_columns; i++)
        buf_adds(b, i ? ", ?" : "(?");
    buf_addc(b, ')');
}

static bool make_table(store *g, job *j, error *e)
{
    writer *w = &g->writer;
    buf sql = BUF_INIT;
    create_sql(&sql, &j->rows);
    const char *text = buf_cstr(&sql);
    int64_t head = w->log.head;
    ddl_change ddl = {0};
    statement *s = NULL;
    bool ok = sql.failed ? dbconn_error(&w->c, SQLITE_NOMEM, e)
                         : (s = dbconn_prepare(&w->c, text, false, e)) != NULL;
    ok = ok && ddl_before(g, s, &ddl, e);
    if (ok) {
        int rc = dbconn_step(&w->c, s);
        sqlite3_reset(s->stmt);
        ok = (rc == SQLITE_DONE || dbconn_error(&w->c, rc, e)) && ddl_after(g, s, text, &ddl, e);
    }
    ddl_free(&ddl);
    if (s)
        dbconn_release(&w->c, s);
    buf_free(&sql);
    j->rows.created = ok && w->log.head > head; /* a table that is there already is no record */
    return ok;
}

/* Says which row of the chunk it was. */
static void name_row(error *e, int at)
{
    error was = *e;
    error_set(e, was.code, "row %d: %.440s", at + 1, was.message);
    e->position = -1;
}

static bool insert_one(store *g, job *j, statement *s, int at, error *e)
{
    writer *w = &g->writer;
    const job_rows *r = &j->rows;
    const engine_stmt row = {.n_params = r->n_columns,
                             .params = r->cells + (size_t)at * (size_t)r->n_columns};
    bool ok = dbconn_bind(&w->c, s, &row, e);
    if (ok) {
        int rc = dbconn_step(&w->c, s);
        ok = rc == SQLITE_DONE || rc == SQLITE_ROW || dbconn_error(&w->c, rc, e);
        sqlite3_reset(s->stmt);
    }
    if (!ok) {
        if (w->cap.failed)
            *e = w->cap.err;
        name_row(e, at);
        return false;
    }
    if (w->cap.in_file + (int64_t)w->cap.data.len < ROWS_FLUSH)
        return true;
    ok = capture_flush(&w->cap, &w->log, e);
    capture_drop(&w->cap);
    return ok;
}

static bool insert_rows(store *g, job *j, error *e)
{
    writer *w = &g->writer;
    buf sql = BUF_INIT;
    insert_sql(&sql, &j->rows);
    const char *text = buf_cstr(&sql);
    statement *s = NULL;
    bool ok = sql.failed ? dbconn_error(&w->c, SQLITE_NOMEM, e)
                         : (s = dbconn_prepare(&w->c, text, false, e)) != NULL;
    for (int i = 0; ok && i < j->rows.n_rows; i++) {
        if (i % ROWS_LOOK == 0 && atomic_load(&j->cancel) != ERR_NONE) {
            stop_error(j, (error_code)atomic_load(&j->cancel), e);
            ok = false;
        } else {
            ok = insert_one(g, j, s, i, e);
        }
    }
    if (s)
        dbconn_release(&w->c, s);
    buf_free(&sql);
    return ok && capture_flush(&w->cap, &w->log, e);
}

/* Whether some grant lets these columns be given in every row. What SQLite asks of an INSERT names
 * no columns, so that its own answer is for grants of all columns alone. */
static bool may_give_columns(const job *j)
{
    if (!j->as || !j->as->access)
        return false;
    const access_table *t = access_find(j->as->access, j->rows.table);
    for (int i = 0; i < t->n_grants; i++) {
        const access_grant *g = t->grants[i];
        bool all = g->ops & ACCESS_INSERT && !g->where && !g->check;
        for (int k = 0; all && k < j->rows.n_columns; k++)
            all = access_grant_has(g, j->rows.columns[k]);
        if (all)
            return true;
    }
    return false;
}

bool exec_rows(store *g, job *j, engine_summary *sum, error *e)
{
    writer *w = &g->writer;
    int64_t began = clock_mono_us();
    int64_t head = w->log.head;
    *sum = (engine_summary){0};
    changelog_begin_tx(&w->log);
    sqlite3_set_last_insert_rowid(w->c.db, 0);
    if (j->rows.n_columns <= 0) {
        error_clear(e);
        return error_set(e, ERR_INVALID_MESSAGE, "the rows have no columns");
    }
    if (!dbconn_step_own(&w->c, w->savepoint, e))
        return false;
    dbconn_serve(&w->c, j);
    if (may_give_columns(j))
        w->c.guard.structured = j->rows.table;
    capture_drop(&w->cap);
    bool ok = exec_sink_took(j->sink->ops->columns(j->sink, 0, NULL, 0), e) &&
              (!j->rows.create || make_table(g, j, e)) && insert_rows(g, j, e) &&
              exec_deferred_ok(g, e);
    dbconn_serve(&w->c, NULL);
    capture_drop(&w->cap);
    ok = exec_end_savepoint(g, ok, j->rows.create, head, e);
    sum->rows = 0;
    sum->changes = ok ? j->rows.n_rows : 0;
    sum->last_insert_rowid = ok && j->rows.n_rows ? sqlite3_last_insert_rowid(w->c.db) : 0;
    sum->lsn = w->log.head;
    sum->elapsed_us = clock_mono_us() - began;
    atomic_fetch_add_explicit(ok ? &g->n_writes : &g->n_errors, 1, memory_order_relaxed);
    return ok;
}
