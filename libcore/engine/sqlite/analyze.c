#include "engine/sqlite/analyze.h"

#include <string.h>

#include "engine/sqlite/reads.h"
#include "engine/sqlite/sqltext.h"
#include "json/writer.h"

enum { DEPTH_MAX = 1000 }; /* of a plan; SQLite's parser takes less */

static bool no_memory(error *e)
{
    error_clear(e);
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

/* ---- touched tables ---------------------------------------------------------------------------
 */

static bool holds(const buf *names, const char *name)
{
    for (size_t at = 0; at < names->len; at += strlen(names->data + at) + 1) {
        if (strcmp(names->data + at, name) == 0)
            return true;
    }
    return false;
}

static bool add(buf *names, const char *name)
{
    if (!holds(names, name))
        buf_add(names, name, strlen(name) + 1);
    return !names->failed;
}

bool touches_note(touches *t, int action, const char *table, const char *trigger)
{
    bool writes = action == SQLITE_INSERT || action == SQLITE_UPDATE || action == SQLITE_DELETE;
    if (!table || !*table || sqlite3_strnicmp(table, "sqlite_", 7) == 0)
        return true;
    if (writes && !trigger && !t->first_write)
        t->first_write = action;
    return writes ? add(&t->written, table) : action != SQLITE_READ || add(&t->read, table);
}

static void touches_free(touches *t)
{
    buf_free(&t->read);
    buf_free(&t->written);
}

static void write_names(json_writer *w, const char *key, const buf *names)
{
    jw_keyn(w, key, strlen(key));
    jw_begin_array(w);
    for (size_t at = 0; at < names->len; at += strlen(names->data + at) + 1)
        jw_str(w, names->data + at);
    jw_end_array(w);
}

/* Of what is read, the tables and views: the authorizer also names functions that give tables, and
 * what WITH names. */
static bool find_tables(dbconn *c, const buf *names, buf *tables, error *e)
{
    sqlite3_stmt *q =
        dbconn_prepare_own(c, "SELECT 1 FROM pragma_table_list(?1) WHERE schema = 'main'", e);
    int rc = SQLITE_DONE;
    if (!q)
        return false;
    for (size_t at = 0; at < names->len && (rc == SQLITE_ROW || rc == SQLITE_DONE);
         at += strlen(names->data + at) + 1) {
        sqlite3_bind_text(q, 1, names->data + at, -1, SQLITE_STATIC);
        rc = sqlite3_step(q);
        if (rc == SQLITE_ROW)
            buf_add(tables, names->data + at, strlen(names->data + at) + 1);
        sqlite3_reset(q);
    }
    sqlite3_finalize(q);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return dbconn_error(c, rc, e);
    return !tables->failed || no_memory(e);
}

/* ---- the statement ----------------------------------------------------------------------------
 */

static const char *kind_of(const statement *s, const char *sql, const touches *t)
{
    static const struct {
        const char *word, *kind;
    } words[] = {
        {"PRAGMA", "pragma"}, {"CREATE", "create"},   {"ALTER", "alter"},     {"DROP", "drop"},
        {"VACUUM", "vacuum"}, {"ANALYZE", "analyze"}, {"REINDEX", "reindex"},
    };
    if (sqlite3_stmt_isexplain(s->stmt))
        return "explain";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (sql_starts_with(sql, words[i].word))
            return words[i].kind;
    }
    if (s->readonly)
        return "select";
    return t->first_write == SQLITE_DELETE   ? "delete"
           : t->first_write == SQLITE_UPDATE ? "update"
                                             : "insert";
}

static bool write_columns(dbconn *c, json_writer *w, statement *s, error *e)
{
    int n = sqlite3_column_count(s->stmt);
    if (!dbconn_columns(c, s, n, e))
        return false;
    jw_key(w, "columns");
    jw_begin_array(w);
    for (int i = 0; i < n; i++) {
        jw_begin_object(w);
        jw_key(w, "name");
        jw_str(w, c->columns[i].name);
        jw_key(w, "type");
        jw_str(w, c->columns[i].type);
        jw_end_object(w);
    }
    jw_end_array(w);
    return true;
}

static void write_readonly(json_writer *w, const statement *s)
{
    jw_key(w, "readonly");
    jw_bool(w, s->readonly && !s->needs_writer);
}

static void write_parameters(json_writer *w, const statement *s)
{
    int n = sqlite3_bind_parameter_count(s->stmt);
    jw_key(w, "parameters");
    jw_begin_array(w);
    for (int i = 1; i <= n; i++) {
        const char *name = sqlite3_bind_parameter_name(s->stmt, i);
        jw_begin_object(w);
        jw_key(w, "position");
        jw_int(w, i);
        jw_key(w, "name");
        jw_str(w, name && *name != '?' ? name + 1 : NULL);
        jw_end_object(w);
        if (w->out->failed)
            break;
    }
    jw_end_array(w);
}

/* Prepares it anew: for the present schema (in a transaction, which ends with the job), and so that
 * the authorizer tells what it touches. */
static statement *prepare_anew(dbconn *c, const char *sql, touches *t, error *e)
{
    if (!sql_check_vacuum(sql, e) || !reads_declare_functions(c, e) ||
        !dbconn_exec(c, "BEGIN;SELECT 1 FROM sqlite_schema LIMIT 1", e))
        return NULL;
    if (!shadows_fit(c, e))
        return NULL;
    statement *cached = dbconn_cached(c, sql);
    if (cached)
        dbconn_forget(c, cached);
    c->guard.touches = t;
    statement *s = dbconn_prepare(c, sql, false, e);
    c->guard.touches = NULL;
    if (t->read.failed || t->written.failed) {
        if (s)
            dbconn_release(c, s);
        no_memory(e);
        return NULL;
    }
    return s;
}

static bool write_statement(dbconn *c, statement *s, const char *sql, touches *t, buf *out,
                            error *e)
{
    json_writer w;
    buf tables = BUF_INIT;
    if (sqlite3_stmt_isexplain(s->stmt))
        buf_clear(&t->written);
    if (s->ddl_table && !add(&t->written, s->ddl_table))
        return no_memory(e);
    jw_init(&w, out);
    jw_begin_object(&w);
    jw_key(&w, "valid");
    jw_bool(&w, true);
    jw_key(&w, "kind");
    jw_str(&w, kind_of(s, sql, t));
    write_readonly(&w, s);
    write_parameters(&w, s);
    bool ok = write_columns(c, &w, s, e) && find_tables(c, &t->read, &tables, e);
    write_names(&w, "tables_read", &tables);
    write_names(&w, "tables_written", &t->written);
    jw_end_object(&w);
    buf_free(&tables);
    return ok && dbconn_text_ok(out, e);
}

bool analyze_validate(dbconn *c, const char *sql, buf *out, error *e)
{
    touches t = {0};
    bool ok = false;
    statement *s = prepare_anew(c, sql, &t, e);
    if (s) {
        ok = write_statement(c, s, sql, &t, out, e);
        dbconn_release(c, s);
    }
    touches_free(&t);
    return ok;
}

/* ---- the plan ---------------------------------------------------------------------------------
 */

/* The steps that are open, from the root to the one written last. */
typedef struct plan {
    json_writer w;
    int64_t open[DEPTH_MAX];
    int depth;
} plan;

static void close_step(plan *p)
{
    jw_end_array(&p->w);
    jw_end_object(&p->w);
    p->depth--;
}

/* SQLite gives the steps in the order of a walk: each stands right behind its parent or behind what
 * is below a sibling. */
static void write_step(plan *p, int64_t id, int64_t parent, const char *detail)
{
    while (p->depth > 0 && (p->open[p->depth - 1] != parent || p->depth == DEPTH_MAX))
        close_step(p);
    p->open[p->depth++] = id;
    jw_begin_object(&p->w);
    jw_key(&p->w, "id");
    jw_int(&p->w, id);
    jw_key(&p->w, "detail");
    jw_str(&p->w, detail ? detail : "");
    jw_key(&p->w, "children");
    jw_begin_array(&p->w);
}

static bool write_steps(dbconn *c, statement *s, plan *p, error *e)
{
    int rc;
    while ((rc = dbconn_step(c, s)) == SQLITE_ROW && !p->w.out->failed)
        write_step(p, sqlite3_column_int64(s->stmt, 0), sqlite3_column_int64(s->stmt, 1),
                   (const char *)sqlite3_column_text(s->stmt, 3));
    while (p->depth > 0)
        close_step(p);
    return rc == SQLITE_DONE || rc == SQLITE_ROW || dbconn_error(c, rc, e);
}

static bool write_plan(dbconn *c, const engine_stmt *from, plan *p, error *e)
{
    static const char before[] = "EXPLAIN QUERY PLAN ";
    buf text = BUF_INIT;
    buf_adds(&text, before);
    buf_adds(&text, from->sql);
    const char *sql = buf_cstr(&text);
    statement *s = text.failed ? NULL : dbconn_prepare(c, sql, false, e);
    bool ok = s && (from->n_params == 0 || dbconn_bind(c, s, from, e)) && write_steps(c, s, p, e);
    if (s)
        dbconn_release(c, s);
    if (text.failed)
        no_memory(e);
    buf_free(&text);
    return ok;
}

/* Prepared by itself first: errors then say the right place, and columns are its own. */
bool analyze_explain(dbconn *c, const engine_stmt *from, buf *out, error *e)
{
    plan p = {.depth = 0};
    touches t = {0};
    statement *s = prepare_anew(c, from->sql, &t, e);
    touches_free(&t);
    if (!s)
        return false;
    if (sqlite3_stmt_isexplain(s->stmt)) {
        dbconn_release(c, s);
        error_clear(e);
        error_set(e, ERR_QUERY_ERROR, "the statement is an EXPLAIN itself");
        return error_hint(e, "Send the statement that is to be explained.");
    }
    jw_init(&p.w, out);
    jw_begin_object(&p.w);
    write_readonly(&p.w, s);
    bool ok = write_columns(c, &p.w, s, e);
    dbconn_release(c, s);
    jw_key(&p.w, "plan");
    jw_begin_array(&p.w);
    ok = ok && write_plan(c, from, &p, e);
    jw_end_array(&p.w);
    jw_end_object(&p.w);
    return ok && dbconn_text_ok(out, e);
}
