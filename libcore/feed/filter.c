#include "feed/filter.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/sqlname.h"
#include "engine/sqlite/event_table.h"
#include "feed/feed.h"
#include "feed/filter_rules.h"
#include "feed/where.h"

enum { ROLE_ROW, ROLE_NEW, ROLE_OLD, N_ROLES };
static const char *const role_names[N_ROLES] = {"row", "new", "old"};

/* The three tables through which filters of one shape see the event. */
typedef struct shape_tables {
    list link; /* env->shapes */
    const table_shape *shape;
    int filters; /* how many use it */
    char prefix[24];
    event_row rows[N_ROLES];
} shape_tables;

struct filter_env {
    sqlite3 *db;
    list shapes;
    int64_t next_prefix;
    filter_rules rules;
    bool by_cpu;        /* the evaluation under way is measured in processor time */
    int64_t started_us; /* when it started, by that clock */
};

struct filter {
    filter_env *env;
    shape_tables *tables;
    sqlite3_stmt *stmt;
};

enum { MAX_VALUE = 4 << 20 }; /* bytes of a value that an expression reads or makes */

static bool no_memory(error *e)
{
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

/* ---- the database in memory -------------------------------------------------------------------
 */

/* Asked often, so it looks at the wall clock, which is cheap to read; but the time when others had
 * the processor does not count, so a late evaluation is repeated with the true measure. */
static bool is_late(void *arg)
{
    const filter_env *env = arg;
    int64_t now = env->by_cpu ? clock_thread_cpu_us() : clock_mono_us();
    return now - env->started_us > (int64_t)FILTER_MAX_CPU_MS * 1000;
}

static void set_limits(sqlite3 *db)
{
    static const int limits[][2] = {
        {SQLITE_LIMIT_LENGTH, MAX_VALUE},
        {SQLITE_LIMIT_COMPOUND_SELECT, 1},
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000},
        {SQLITE_LIMIT_VARIABLE_NUMBER, 0},
        {SQLITE_LIMIT_VDBE_OP, 50000},
        {SQLITE_LIMIT_ATTACHED, 0},
        {SQLITE_LIMIT_TRIGGER_DEPTH, 0},
        {SQLITE_LIMIT_WORKER_THREADS, 0},
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        sqlite3_limit(db, limits[i][0], limits[i][1]);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL); /* "x" is a name, never a text */
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
}

filter_env *filter_env_new(error *e)
{
    const char *vfs = filter_vfs();
    filter_env *env = mem_zalloc(sizeof *env);
    if (!env || !vfs) {
        mem_free(env);
        no_memory(e);
        return NULL;
    }
    list_init(&env->shapes);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(":memory:", &env->db, flags, vfs) != SQLITE_OK) {
        error_set(e, ERR_INTERNAL_ERROR, "cannot open a database in memory: %s",
                  sqlite3_errmsg(env->db));
        filter_env_free(env);
        return NULL;
    }
    set_limits(env->db);
    sqlite3_set_authorizer(env->db, filter_authorize, &env->rules);
    return env;
}

void filter_env_free(filter_env *env)
{
    if (!env)
        return;
    sqlite3_close(env->db);
    mem_free(env);
}

/* ---- the tables of a shape --------------------------------------------------------------------
 */

static void table_name(const shape_tables *t, int role, char *out, size_t room)
{
    snprintf(out, room, "%s%s", t->prefix, role_names[role]);
}

static void tables_release(filter_env *env, shape_tables *t)
{
    char name[40];
    if (--t->filters > 0)
        return;
    for (int role = 0; role < N_ROLES; role++) {
        table_name(t, role, name, sizeof name);
        event_table_remove(env->db, name);
    }
    list_unlink(&t->link);
    mem_free(t);
}

/* SQLite declares such a table when it is first used, and asks the authorizer about it as if
 * someone made a table: so it is used once here, where that is allowed. */
static bool table_connect(filter_env *env, const char *name, event_row *row)
{
    if (event_table_add(env->db, name, row) != SQLITE_OK)
        return false;
    char sql[80];
    sqlite3_stmt *stmt = NULL;
    snprintf(sql, sizeof sql, "SELECT 1 FROM %s", name);
    env->rules = (filter_rules){.shape = NULL};
    int rc = sqlite3_prepare_v2(env->db, sql, -1, &stmt, NULL);
    sqlite3_finalize(stmt);
    return rc == SQLITE_OK;
}

static shape_tables *tables_of(filter_env *env, const table_shape *shape, error *e)
{
    list_each(it, &env->shapes)
    {
        shape_tables *t = list_entry(it, shape_tables, link);
        if (t->shape == shape) {
            t->filters++;
            return t;
        }
    }
    shape_tables *t = mem_zalloc(sizeof *t);
    if (!t) {
        no_memory(e);
        return NULL;
    }
    t->shape = shape;
    t->filters = 1;
    snprintf(t->prefix, sizeof t->prefix, "s%lld_", (long long)++env->next_prefix);
    list_append(&env->shapes, &t->link);
    char name[40];
    for (int role = 0; role < N_ROLES; role++) {
        t->rows[role] = (event_row){.shape = shape, .must_stop = is_late, .arg = env};
        table_name(t, role, name, sizeof name);
        if (!table_connect(env, name, &t->rows[role])) {
            if (sqlite3_errcode(env->db) == SQLITE_NOMEM)
                no_memory(e);
            else
                error_set(e, ERR_INVALID_MESSAGE, "where: no filter is possible on this table: %s",
                          sqlite3_errmsg(env->db));
            tables_release(env, t);
            return NULL;
        }
    }
    return t;
}

/* ---- compiling --------------------------------------------------------------------------------
 */

/* The inner SELECT is the scope of bare names, the outer one that of new.x and old.x. The line
 * breaks end a comment at the expression's end. As a CASE's condition, AND and OR stop early, so
 * that one term can guard the next. Where the expression starts is told in *start. */
static void add_statement(buf *sql, const shape_tables *t, const char *where, size_t *start)
{
    const char *table = t->shape->table; /* t.x may be written as in a query */
    if (strcasecmp(table, "new") == 0 || strcasecmp(table, "old") == 0)
        table = "row";
    buf_adds(sql, "SELECT (SELECT CASE WHEN (\n");
    *start = sql->len;
    buf_adds(sql, where);
    buf_addf(sql, "\n) THEN 1 ELSE 0 END FROM %srow AS ", t->prefix);
    sqlname_add(sql, table);
    buf_addf(sql, ") FROM %snew AS \"new\", %sold AS \"old\"", t->prefix, t->prefix);
}

static bool explain(const filter_env *env, int rc, size_t start, size_t len, error *e)
{
    if (rc == SQLITE_NOMEM)
        return no_memory(e);
    int64_t at = sqlite3_error_offset(env->db);
    at = at < (int64_t)start ? -1 : at - (int64_t)start;
    const char *what = sqlite3_errmsg(env->db);
    if (env->rules.reason[0])
        what = env->rules.reason;
    else if (at >= (int64_t)len && strstr(what, "syntax error"))
        what = "the expression is not complete";
    error_set(e, ERR_INVALID_MESSAGE, "where: %s", what);
    if (e)
        e->position = at > (int64_t)len ? (int64_t)len : at;
    return false;
}

static bool compile(filter *f, const char *where, error *e)
{
    filter_env *env = f->env;
    buf sql = BUF_INIT;
    size_t start = 0;
    add_statement(&sql, f->tables, where, &start);
    const char *text = buf_cstr(&sql);
    env->rules = (filter_rules){.shape = f->tables->shape, .prefix = f->tables->prefix};
    int rc = sql.failed
                 ? SQLITE_NOMEM
                 : sqlite3_prepare_v3(env->db, text, -1, SQLITE_PREPARE_PERSISTENT, &f->stmt, NULL);
    bool ok = rc == SQLITE_OK || explain(env, rc, start, strlen(where), e);
    buf_free(&sql);
    return ok;
}

static bool survives_trial(filter *f, error *e)
{
    /* A row of NULLs cannot show every use of the clock or of too much time, but it shows the plain
     * ones at once. Other failures may be the NULLs' fault. */
    if (filter_match(f, NULL, NULL, e) == FILTER_NO_MEMORY)
        return false;
    if (e->code == ERR_INVALID_MESSAGE || e->code == ERR_TIMEOUT)
        return false;
    error_clear(e);
    return true;
}

filter *filter_new(filter_env *env, const table_shape *shape, const char *where, error *e)
{
    error own = {.code = ERR_NONE};
    e = e ? e : &own;
    error_clear(e);
    buf normal = BUF_INIT;
    bool ok = where_normalise(where, &normal, e);
    buf_free(&normal);
    if (!ok)
        return NULL;
    filter *f = mem_zalloc(sizeof *f);
    if (!f) {
        no_memory(e);
        return NULL;
    }
    f->env = env;
    f->tables = tables_of(env, shape, e);
    if (!f->tables) {
        mem_free(f);
        return NULL;
    }
    if (!compile(f, where, e) || !survives_trial(f, e)) {
        filter_free(f);
        return NULL;
    }
    return f;
}

void filter_free(filter *f)
{
    if (!f)
        return;
    sqlite3_finalize(f->stmt);
    tables_release(f->env, f->tables);
    mem_free(f);
}

const table_shape *filter_shape(const filter *f)
{
    return f->tables->shape;
}

/* ---- evaluating -------------------------------------------------------------------------------
 */

static filter_verdict failure(filter_env *env, int rc, error *e)
{
    if (rc == SQLITE_NOMEM) {
        no_memory(e);
        return FILTER_NO_MEMORY;
    }
    error_set(e, ERR_QUERY_ERROR, "the filter failed: %s", sqlite3_errmsg(env->db));
    if (rc == SQLITE_TOOBIG)
        error_hint(e, "a filter can look at values of up to %d MB", MAX_VALUE >> 20);
    return FILTER_FAILED;
}

/* One evaluation; *late says that it took too long by the clock in use, whatever it gave. */
static filter_verdict evaluate(filter *f, bool by_cpu, bool *late, error *e)
{
    filter_env *env = f->env;
    filter_verdict verdict;
    env->by_cpu = by_cpu;
    env->started_us = by_cpu ? clock_thread_cpu_us() : clock_mono_us();
    int rc = sqlite3_step(f->stmt);
    if (rc == SQLITE_ROW)
        verdict = sqlite3_column_int(f->stmt, 0) ? FILTER_YES : FILTER_NO;
    else
        verdict = failure(env, rc == SQLITE_DONE ? SQLITE_ERROR : rc, e);
    sqlite3_reset(f->stmt);
    *late = is_late(env);
    return verdict;
}

filter_verdict filter_match(filter *f, const value *row, const value *old_row, error *e)
{
    event_row *rows = f->tables->rows;
    rows[ROLE_ROW].values = row ? row : old_row;
    rows[ROLE_NEW].values = row;
    rows[ROLE_OLD].values = old_row;
    f->env->rules = (filter_rules){.shape = f->tables->shape, .prefix = f->tables->prefix};
    filter_clock_was_read();

    bool late;
    filter_verdict verdict = evaluate(f, false, &late, e);
    if (late)
        verdict = evaluate(f, true, &late, e);
    if (verdict == FILTER_NO_MEMORY)
        return verdict;
    if (late) {
        error_set(e, ERR_TIMEOUT, "the filter took more than %d ms of processor time for one event",
                  FILTER_MAX_CPU_MS);
        return FILTER_FAILED;
    }
    if (filter_clock_was_read()) {
        error_set(e, ERR_INVALID_MESSAGE,
                  "where: a filter may not depend on the present time ('now')");
        return FILTER_FAILED;
    }
    return verdict;
}
