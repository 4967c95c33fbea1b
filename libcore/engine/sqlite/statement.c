/* Clients' statements: preparing exactly one, keeping it, binding its parameters. */
#include <string.h>

#include "base/mem.h"
#include "engine/statement_stats.h"
#include "engine/sqlite/dbconn.h"
#include "engine/sqlite/permit.h"
#include "engine/sqlite/reads.h"
#include "engine/sqlite/sqltext.h"

enum { ROUNDS_MAX = 100 }; /* tables and views of one statement that need shadows */

static bool no_memory(error *e)
{
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

static bool is_dml(const char *sql)
{
    static const char *const words[] = {"INSERT", "UPDATE", "DELETE", "REPLACE", "WITH"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (sql_starts_with(sql, words[i]))
            return true;
    }
    return false;
}

static bool describe(dbconn *c, statement *s, const char *sql)
{
    s->readonly = sqlite3_stmt_readonly(s->stmt) || sqlite3_stmt_isexplain(s->stmt);
    s->dml = !s->readonly && is_dml(sql);
    s->schema = c->guard.schema;
    s->shadowed = c->guard.shadowed;
    s->epoch = c->shadows.epoch;
    s->names_main = c->guard.names_main;
    s->needs_writer = c->guard.needs_writer;
    s->control = c->guard.control;
    s->ddl = c->guard.ddl;
    s->ddl_table = c->guard.ddl_table;
    c->guard.ddl_table = NULL;
    return true;
}

static bool check_tail(const char *sql, const char *tail, error *e)
{
    const char *rest = sql_skip_empty(tail);
    if (!*rest)
        return true;
    error_set(e, ERR_QUERY_ERROR, "there is more than one statement");
    e->position = rest - sql;
    return error_hint(e, "Send several statements as a batch.");
}

static void note_kept(dbconn *c)
{
    atomic_store_explicit(&c->figures.kept, (long long)c->cache.count, memory_order_relaxed);
}

/* The key of a text in the cache. Who may everything shares plain texts with all who may;
 * everything that a statement's being allowed hangs on is in it for others. NULL: none. */
static const char *key_of(dbconn *c, const char *sql, size_t *len)
{
    const viewer *v = c->guard.viewer;
    *len = strlen(sql);
    if (!v)
        return sql;
    uint64_t id = access_id(v->access);
    const char *structured = c->guard.structured ? c->guard.structured : "";
    buf_clear(&c->key);
    buf_addc(&c->key, '\0'); /* as no text begins */
    buf_add(&c->key, &id, sizeof id);
    buf_addc(&c->key, (char)('0' + v->schema + 2 * (c->guard.structured != NULL)));
    buf_add(&c->key, structured, strlen(structured) + 1);
    buf_add(&c->key, sql, *len);
    *len = c->key.len;
    return c->key.failed ? NULL : c->key.data;
}

static void keep(dbconn *c, statement *s, const char *sql)
{
    size_t len;
    const char *key = key_of(c, sql, &len);
    if (!key || c->cache_max <= 0 || len > DBCONN_CACHED_SQL_MAX || c->guard.no_cache)
        return;
    s->sql = mem_strndup(key, len);
    s->len = len;
    if (!s->sql)
        return;
    if (!map_put(&c->cache, key, len, s, NULL)) {
        mem_free(s->sql);
        s->sql = NULL;
        return;
    }
    list_prepend(&c->lru, &s->lru);
    note_kept(c);
}

static void drop_from_cache(dbconn *c, statement *s)
{
    if (!s->sql)
        return;
    map_take(&c->cache, s->sql, s->len);
    list_unlink(&s->lru);
    mem_free(s->sql);
    s->sql = NULL;
    note_kept(c);
}

static void statement_end(statement *s)
{
    statement_entry_release(s->stats);
    sqlite3_finalize(s->stmt);
    reads_free(s->reads);
    mem_free(s->ddl_table);
    mem_free(s);
}

static int prepare_once(dbconn *c, const char *sql, size_t len, statement *s, const char **tail)
{
    guard_reset(&c->guard);
    c->guard.client = true;
    int rc =
        sqlite3_prepare_v3(c->db, sql, (int)len + 1, SQLITE_PREPARE_PERSISTENT, &s->stmt, tail);
    c->guard.client = false;
    return rc;
}

/* Some errors and refusals come from what SQLite remembers of the schema, without a look at whether
 * another connection has changed it: looks, and prepares once more. */
static int prepare_fresh(dbconn *c, const char *sql, size_t len, statement *s, const char **tail)
{
    int rc = prepare_once(c, sql, len, s, tail);
    bool refused = c->guard.refused.code != ERR_NONE;
    bool again = refused ? c->guard.viewer && !c->guard.wanted : rc == SQLITE_ERROR;
    if (!again)
        return rc;
    if (!dbconn_exec(c, "SELECT 1 FROM sqlite_schema LIMIT 1", NULL))
        return rc;
    return prepare_once(c, sql, len, s, tail);
}

/* The same with the shadows that the statement needs: each round makes what the last one lacked. */
static bool prepare_shadowed(dbconn *c, const char *sql, size_t len, statement *s,
                             const char **tail, error *e)
{
    for (int round = 0;; round++) {
        const guard *g = &c->guard;
        int rc = prepare_fresh(c, sql, len, s, tail);
        if (g->viewer && rc == SQLITE_OK)
            permit_joins_want(&c->guard);
        if (!g->viewer || (!g->wanted && !g->unclear) || round == ROUNDS_MAX)
            return rc == SQLITE_OK || dbconn_error(c, rc, e);
        char *wanted = c->guard.wanted;
        c->guard.wanted = NULL;
        error refused = g->refused;
        shadows_made made = shadows_make(c, wanted, sql, e);
        mem_free(wanted);
        if (made == SHADOWS_FAILED)
            return false;
        c->guard.refused = refused;
        if (made == SHADOWS_NONE)
            return rc == SQLITE_OK || dbconn_error(c, rc, e);
        sqlite3_finalize(s->stmt);
        s->stmt = NULL;
    }
}

/* What a viewer's rights say of the statement as a whole. */
static bool check_rights(dbconn *c, const statement *s, const char *sql, error *e)
{
    if (!c->guard.viewer)
        return true;
    bool explains = sqlite3_stmt_isexplain(s->stmt);
    if (explains && c->guard.shadowed) {
        error_clear(e);
        error_set(e, ERR_PERMISSION_DENIED,
                  "how a statement reads restricted tables is not explained");
        return error_hint(e, "Ask somebody who may read them whole.");
    }
    return permit_text(&c->guard, sql, sqlite3_stmt_readonly(s->stmt), e);
}

static statement *prepare_new(dbconn *c, const char *sql, size_t len, error *e)
{
    statement *s = mem_zalloc(sizeof *s);
    if (!s) {
        no_memory(e);
        return NULL;
    }
    list_init(&s->lru);
    const char *tail = NULL;
    bool ok = guard_text(sql, e) && (!c->guard.viewer || permit_begin(&c->guard, sql, e));
    ok = ok && prepare_shadowed(c, sql, len, s, &tail, e);
    if (ok && !s->stmt) {
        error_clear(e);
        ok = error_set(e, ERR_QUERY_ERROR, "the statement is empty");
    }
    if (ok && check_tail(sql, tail, e) && check_rights(c, s, sql, e) && describe(c, s, sql)) {
        c->guard.joins = NULL;
        keep(c, s, sql);
        return s;
    }
    c->guard.joins = NULL;
    if (c->guard.viewer)
        permit_conceal(&c->guard, sql, e);
    statement_end(s);
    return NULL;
}

/* The connection's thread alone writes, so that no read-modify-write is needed. */
static void count(atomic_llong *of, long long by)
{
    atomic_store_explicit(of, atomic_load_explicit(of, memory_order_relaxed) + by,
                          memory_order_relaxed);
}

/* Empties the cache where that was asked for; nothing of it is in use between statements. */
static void forget_if_asked(dbconn *c)
{
    unsigned now = c->forget ? atomic_load_explicit(c->forget, memory_order_relaxed) : 0;
    if (now == c->forgot)
        return;
    c->forgot = now;
    while (!list_empty(&c->lru)) {
        statement *s = list_entry(c->lru.next, statement, lru);
        drop_from_cache(c, s);
        statement_end(s);
    }
}

statement *dbconn_cached(dbconn *c, const char *sql)
{
    size_t len;
    const char *key = key_of(c, sql, &len);
    statement *s = key ? map_get(&c->cache, key, len) : NULL;
    if (!s || !s->shadowed || s->epoch == c->shadows.epoch)
        return s;
    dbconn_forget(c, s); /* the shadows are others: what it may read is looked at anew */
    return NULL;
}

/* Names in such a statement mean the schema's own tables and views, and ALTER looks through all
 * there are. What a CREATE TABLE AS reads gets its shadows anew. */
static bool changes_schema(const char *sql)
{
    return sql_starts_with(sql, "CREATE") || sql_starts_with(sql, "ALTER") ||
           sql_starts_with(sql, "DROP");
}

/* What must be so before a client's statement is prepared. */
static bool make_ready(dbconn *c, const char *sql, error *e)
{
    if (!shadows_fit(c, e))
        return false;
    if (!c->guard.viewer)
        return true;
    if (c->shadows.owner && changes_schema(sql) && !shadows_drop(c, e))
        return false;
    return reads_declare_functions(c, e);
}

statement *dbconn_prepare(dbconn *c, const char *sql, bool in_tx, error *e)
{
    size_t len = strlen(sql);
    forget_if_asked(c);
    if (!make_ready(c, sql, e))
        return NULL;
    statement *s = dbconn_cached(c, sql);
    c->guard.in_tx = in_tx;
    count(s ? &c->figures.hits : &c->figures.misses, 1);
    if (s) {
        s->uses++;
        guard_reset(&c->guard);
        c->guard.names_main = s->names_main;
        list_unlink(&s->lru);
        list_prepend(&c->lru, &s->lru);
        return s;
    }
    error_clear(e);
    if (len > 16 << 20) {
        error_set(e, ERR_MESSAGE_TOO_BIG, "the statement is longer than 16 MiB");
        return NULL;
    }
    return prepare_new(c, sql, len, e);
}

void dbconn_release(dbconn *c, statement *s)
{
    c->guard.client = false;
    sqlite3_reset(s->stmt);
    if (s->outdated)
        drop_from_cache(c, s);
    if (!s->sql) {
        statement_end(s);
        return;
    }
    sqlite3_clear_bindings(s->stmt);
    while (c->cache.count > (size_t)c->cache_max) {
        statement *oldest = list_entry(c->lru.prev, statement, lru);
        drop_from_cache(c, oldest);
        statement_end(oldest);
    }
}

void dbconn_forget(dbconn *c, statement *s)
{
    c->guard.client = false;
    drop_from_cache(c, s);
    statement_end(s);
}

/* ---- parameters -------------------------------------------------------------------------------
 */

static int bind_value(sqlite3_stmt *s, int at, const value *v)
{
    switch (v->type) {
    case VALUE_INT:
        return sqlite3_bind_int64(s, at, v->i);
    case VALUE_REAL:
        return sqlite3_bind_double(s, at, v->d);
    case VALUE_TEXT:
        return sqlite3_bind_text64(s, at, v->len ? v->p : "", v->len, SQLITE_STATIC, SQLITE_UTF8);
    case VALUE_BLOB:
        return sqlite3_bind_blob64(s, at, v->len ? v->p : "", v->len, SQLITE_STATIC);
    default:
        return sqlite3_bind_null(s, at);
    }
}

static bool bind_at(dbconn *c, statement *s, int at, const value *v, error *e)
{
    int rc = bind_value(s->stmt, at, v);
    return rc == SQLITE_OK || dbconn_error(c, rc, e);
}

static bool bind_positional(dbconn *c, statement *s, const engine_stmt *from, error *e)
{
    int wanted = sqlite3_bind_parameter_count(s->stmt);
    if (wanted != from->n_params) {
        error_clear(e);
        return error_set(e, ERR_QUERY_ERROR, "the statement has %d parameter%s, %d %s given",
                         wanted, wanted == 1 ? "" : "s", from->n_params,
                         from->n_params == 1 ? "was" : "were");
    }
    for (int i = 0; i < wanted; i++) {
        if (!bind_at(c, s, i + 1, &from->params[i], e))
            return false;
    }
    return true;
}

static const value *find_named(const engine_stmt *from, const char *name)
{
    for (int i = 0; i < from->n_params; i++) {
        if (strcmp(from->names[i], name) == 0)
            return &from->params[i];
    }
    return NULL;
}

static bool all_exist(statement *s, const engine_stmt *from, error *e)
{
    int n = sqlite3_bind_parameter_count(s->stmt);
    for (int i = 0; i < from->n_params; i++) {
        bool found = false;
        for (int at = 1; at <= n && !found; at++) {
            const char *name = sqlite3_bind_parameter_name(s->stmt, at);
            found = name && strcmp(name + 1, from->names[i]) == 0;
        }
        if (!found) {
            error_clear(e);
            return error_set(e, ERR_QUERY_ERROR, "the statement has no parameter named \"%s\"",
                             from->names[i]);
        }
    }
    return true;
}

static bool bind_named(dbconn *c, statement *s, const engine_stmt *from, error *e)
{
    int n = sqlite3_bind_parameter_count(s->stmt);
    for (int at = 1; at <= n; at++) {
        const char *name = sqlite3_bind_parameter_name(s->stmt, at);
        const value *v = name && *name != '?' ? find_named(from, name + 1) : NULL;
        if (v && bind_at(c, s, at, v, e))
            continue;
        if (v)
            return false;
        error_clear(e);
        if (name && *name != '?')
            return error_set(e, ERR_QUERY_ERROR, "no value was given for the parameter \"%s\"",
                             name + 1);
        error_set(e, ERR_QUERY_ERROR, "parameter %d of the statement has no name", at);
        return error_hint(e, "Give the parameters as an array, or name all of them.");
    }
    return all_exist(s, from, e);
}

bool dbconn_bind(dbconn *c, statement *s, const engine_stmt *from, error *e)
{
    return from->names ? bind_named(c, s, from, e) : bind_positional(c, s, from, e);
}
