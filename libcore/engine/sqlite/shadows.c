#include "engine/sqlite/shadows.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/sqlname.h"
#include "base/sqlscan.h"
#include "base/sqltables.h"
#include "engine/policy.h"
#include "engine/sqlite/dbconn.h"
#include "engine/sqlite/permit.h"

enum { NAME_ROOM = 1024, VIEWS_DEEP = 50 };

/* A view of the schema. */
typedef struct schema_view {
    char *sql;
    enum { TAINT_UNKNOWN, TAINT_LOOKING, TAINT_NONE, TAINT_FOUND } taint;
} schema_view;

static bool no_memory(error *e)
{
    error_clear(e);
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

/* In small letters; its length, 0 where it is too long for a name. */
static size_t fold(const char *name, char out[NAME_ROOM])
{
    size_t n = strlen(name);
    if (n >= NAME_ROOM)
        return 0;
    for (size_t i = 0; i <= n; i++)
        out[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
    return n;
}

static void *find(const map *m, const char *name)
{
    char key[NAME_ROOM];
    size_t n = fold(name, key);
    return n ? map_get(m, key, n) : NULL;
}

static bool put(map *m, const char *name, void *what)
{
    char key[NAME_ROOM];
    size_t n = fold(name, key);
    return n && map_put(m, key, n, what, NULL);
}

bool shadows_have(const shadows *s, const char *name)
{
    return s->owner && find(&s->names, name);
}

bool shadows_trust(const shadows *s, const char *name)
{
    return name && *s->prefix && sqlite3_strnicmp(name, s->prefix, (int)strlen(s->prefix)) == 0;
}

static void forget_views(shadows *s)
{
    size_t at = 0;
    for (map_slot *slot; (slot = map_next(&s->views, &at));) {
        schema_view *v = slot->value;
        mem_free(v->sql);
        mem_free(v);
    }
    map_free(&s->views);
    s->views = (map){0};
    s->views_known = false;
}

static void forget(shadows *s)
{
    forget_views(s);
    map_free(&s->names);
    s->names = (map){0};
    s->owner = 0;
    s->inner = s->all = 0;
    s->prefix[0] = '\0';
    s->epoch++;
}

void shadows_free(shadows *s)
{
    sqlite3_finalize(s->count);
    sqlite3_finalize(s->schema);
    s->count = s->schema = NULL;
    forget(s);
}

/* ---- running our own SQL ----------------------------------------------------------------------
 */

/* Readers refuse all writing, that of the temporary schema included. */
static bool exec_temp(dbconn *c, const char *sql, error *e)
{
    bool reads = c->role == DBCONN_READER;
    if (reads && !dbconn_exec(c, "PRAGMA query_only=OFF", e))
        return false;
    bool ok = dbconn_exec(c, sql, e);
    if (reads && !dbconn_exec(c, "PRAGMA query_only=ON", ok ? e : NULL))
        return false;
    return ok;
}

static bool look(dbconn *c, sqlite3_stmt **s, const char *sql, int64_t out[3], error *e)
{
    if (!*s)
        *s = dbconn_prepare_own(c, sql, e);
    if (!*s)
        return false;
    sqlite3_bind_text(*s, 1, c->shadows.prefix, -1, SQLITE_STATIC);
    bool was = c->guard.client;
    c->guard.client = false;
    int rc = sqlite3_step(*s);
    c->guard.client = was;
    for (int i = 0; i < 3 && rc == SQLITE_ROW; i++)
        out[i] = i < sqlite3_column_count(*s) ? sqlite3_column_int64(*s, i) : 0;
    bool ok = rc == SQLITE_ROW || dbconn_error(c, rc, e);
    sqlite3_reset(*s);
    return ok;
}

static bool schema_version(dbconn *c, int64_t *out, error *e)
{
    int64_t got[3];
    if (!look(c, &c->shadows.schema, "PRAGMA main.schema_version", got, e))
        return false;
    *out = got[0];
    return true;
}

/* ---- dropping ---------------------------------------------------------------------------------
 */

/* Clients with restricted rights have no temporary objects, and those of others have gone with
 * their transaction: all views are ours. */
bool shadows_drop(dbconn *c, error *e)
{
    sqlite3_stmt *q = dbconn_prepare_own(
        c,
        "SELECT 'DROP VIEW temp.' || printf('\"%w\"', name) FROM temp.sqlite_schema"
        " WHERE type = 'view'",
        e);
    if (!q)
        return false;
    buf sql = BUF_INIT;
    int rc;
    while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(q, 0);
        buf_adds(&sql, text ? text : "");
        buf_addc(&sql, ';');
    }
    sqlite3_finalize(q);
    bool ok = rc == SQLITE_DONE || dbconn_error(c, rc, e);
    ok = ok && exec_temp(c, buf_cstr(&sql), e) && (!sql.failed || no_memory(e));
    buf_free(&sql);
    if (ok)
        forget(&c->shadows);
    return ok;
}

/* Whether the views that there are, are those that are remembered: on a reader nothing is ever
 * rolled back. */
static bool is_whole(dbconn *c, bool *whole, error *e)
{
    static const char counts[] =
        "SELECT count(*), total(name GLOB '_rustydb_v*'), total(substr(name, 1, length(?1)) = ?1)"
        " FROM temp.sqlite_schema WHERE type = 'view'";
    shadows *s = &c->shadows;
    int64_t got[3];
    *whole = true;
    if (c->role == DBCONN_READER)
        return true;
    if (!look(c, &s->count, counts, got, e))
        return false;
    *whole = got[1] == s->inner && got[2] == s->inner && (!s->owner || got[0] == s->all);
    return true;
}

bool shadows_fit(dbconn *c, error *e)
{
    shadows *s = &c->shadows;
    bool whole;
    int64_t version = 0;
    if (!s->used)
        return true;
    if (!is_whole(c, &whole, e))
        return false;
    if (whole && !s->owner)
        return true;
    uint64_t wanted = c->guard.viewer ? access_id(c->guard.viewer->access) : 0;
    if (whole && wanted == s->owner) {
        if (!schema_version(c, &version, e))
            return false;
        if (version == s->version)
            return true;
    }
    return shadows_drop(c, e);
}

/* ---- views of the schema ----------------------------------------------------------------------
 */

static bool keep_view(shadows *s, const char *name, const char *sql)
{
    schema_view *v = mem_zalloc(sizeof *v);
    if (v && (v->sql = mem_strndup(sql, strlen(sql))) && put(&s->views, name, v))
        return true;
    if (v)
        mem_free(v->sql);
    mem_free(v);
    return false;
}

static bool know_views(dbconn *c, error *e)
{
    shadows *s = &c->shadows;
    if (s->views_known)
        return true;
    sqlite3_stmt *q =
        dbconn_prepare_own(c, "SELECT name, sql FROM main.sqlite_schema WHERE type = 'view'", e);
    if (!q)
        return false;
    bool ok = true;
    int rc;
    while (ok && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(q, 0);
        const char *sql = (const char *)sqlite3_column_text(q, 1);
        ok = name && sql && keep_view(s, name, sql);
    }
    if (!ok)
        no_memory(e);
    else if (rc != SQLITE_DONE)
        ok = dbconn_error(c, rc, e);
    sqlite3_finalize(q);
    if (!ok)
        forget_views(s);
    s->views_known = ok;
    return ok;
}

/* The next token of a text that may be a name; false at its end. */
static bool next_name(const char **at, char out[NAME_ROOM])
{
    for (const char *s = sqlscan_blank(*at); *s; s = sqlscan_blank(s)) {
        const char *end = sqlscan_token(s);
        bool name =
            (sqlscan_in_word(*s) || strchr("'\"`[", *s)) && sqltables_name(s, end, out, NAME_ROOM);
        s = end;
        if (name) {
            *at = s;
            return true;
        }
    }
    return false;
}

/* Whether a view may look at a table that has a shadow, by the names in its text: too often rather
 * than too seldom. */
static bool is_tainted(dbconn *c, schema_view *v, int depth)
{
    char name[NAME_ROOM];
    const access_set *a = c->guard.viewer->access;
    if (v->taint != TAINT_UNKNOWN)
        return v->taint == TAINT_FOUND;
    v->taint = TAINT_LOOKING;
    bool found = depth > VIEWS_DEEP;
    for (const char *at = v->sql; !found && next_name(&at, name);) {
        schema_view *other = find(&c->shadows.views, name);
        found = access_is_filtered(access_find(a, name)) ||
                (other && other != v && is_tainted(c, other, depth + 1));
    }
    v->taint = found ? TAINT_FOUND : TAINT_NONE;
    return found;
}

static shadows_made copy_views(dbconn *c, const char *sql, int depth, error *e);

static shadows_made copy_view(dbconn *c, const char *name, const schema_view *v, int depth,
                              error *e)
{
    static const char begins[] = "CREATE VIEW ";
    shadows *s = &c->shadows;
    if (strncmp(v->sql, begins, sizeof begins - 1) != 0 || depth > VIEWS_DEEP ||
        permit_text_names(v->sql, "main")) {
        error_clear(e);
        error_set(e, ERR_PERMISSION_DENIED,
                  "the view \"%.200s\" cannot be held to your rights on the tables in it", name);
        error_hint(e, "Read the tables themselves, or have it name them without a schema.");
        return SHADOWS_FAILED;
    }
    if (!put(&s->names, name, s)) {
        no_memory(e);
        return SHADOWS_FAILED;
    }
    if (copy_views(c, v->sql, depth + 1, e) == SHADOWS_FAILED)
        return SHADOWS_FAILED;
    buf text = BUF_INIT;
    buf_adds(&text, "CREATE TEMP VIEW ");
    buf_adds(&text, v->sql + sizeof begins - 1);
    const char *made = buf_cstr(&text);
    bool ok = text.failed ? no_memory(e) : exec_temp(c, made, e);
    buf_free(&text);
    s->all += ok;
    return ok ? SHADOWS_NEW : SHADOWS_FAILED;
}

/* Copies the views that a text names, where they look at tables with shadows. */
static shadows_made copy_views(dbconn *c, const char *sql, int depth, error *e)
{
    char name[NAME_ROOM];
    shadows_made all = SHADOWS_NONE;
    if (!know_views(c, e))
        return SHADOWS_FAILED;
    for (const char *at = sql; next_name(&at, name);) {
        schema_view *v = find(&c->shadows.views, name);
        if (!v || shadows_have(&c->shadows, name) || !is_tainted(c, v, 0))
            continue;
        shadows_made one = copy_view(c, name, v, depth, e);
        if (one == SHADOWS_FAILED)
            return one;
        if (one == SHADOWS_NEW)
            all = one;
    }
    return all;
}

/* ---- tables -----------------------------------------------------------------------------------
 */

/* Some grant lets the key of hidden rows be compared with, and none masks it. */
static bool exposes(const access_table *t, const char *column)
{
    bool any = false;
    for (int i = 0; i < t->n_grants; i++) {
        const access_grant *g = t->grants[i];
        if (!(g->ops & ACCESS_SELECT))
            continue;
        any = any || (g->expose_key && access_grant_has(g, column));
        for (int k = 0; k < g->n_masks; k++) {
            if (sqlite3_stricmp(g->masks[k].column, column) == 0)
                return false;
        }
    }
    return any;
}

static void add_names(buf *out, const char *const *names, int n)
{
    for (int i = 0; i < n; i++) {
        buf_adds(out, i ? ", " : "");
        sqlname_add(out, names[i]);
    }
}

typedef struct columns {
    arena mem;
    int n, room;
    const char **names;
    bool *key;
} columns;

static bool add_column(columns *k, const char *name, bool key)
{
    if (k->n == k->room) {
        int room = k->room ? 2 * k->room : 32;
        const char **names = arena_alloc(&k->mem, (size_t)room * sizeof *names);
        bool *keys = arena_alloc(&k->mem, (size_t)room * sizeof *keys);
        if (!names || !keys)
            return false;
        if (k->n) {
            memcpy(names, k->names, (size_t)k->n * sizeof *names);
            memcpy(keys, k->key, (size_t)k->n * sizeof *keys);
        }
        k->names = names;
        k->key = keys;
        k->room = room;
    }
    k->key[k->n] = key;
    k->names[k->n] = arena_strndup(&k->mem, name, strlen(name));
    return k->names[k->n++] != NULL;
}

static bool read_columns(dbconn *c, const char *table, columns *k, error *e)
{
    sqlite3_stmt *q = dbconn_prepare_own(
        c, "SELECT name, pk FROM pragma_table_xinfo(?1, 'main') WHERE hidden <> 1", e);
    if (!q)
        return false;
    sqlite3_bind_text(q, 1, table, -1, SQLITE_STATIC);
    bool ok = true;
    int rc;
    while (ok && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(q, 0);
        ok = name && add_column(k, name, sqlite3_column_int(q, 1) > 0);
    }
    if (!ok)
        no_memory(e);
    else if (rc != SQLITE_DONE)
        ok = dbconn_error(c, rc, e);
    sqlite3_finalize(q);
    return ok;
}

static void add_views(buf *out, const char *table, const access_table *t, const columns *k,
                      const char *inner)
{
    buf_addf(out, "CREATE TEMP VIEW \"%s\"(", inner);
    add_names(out, k->names, k->n);
    buf_adds(out, ") AS SELECT ");
    for (int i = 0; i < k->n; i++) {
        buf_adds(out, i ? ", " : "");
        if (k->key[i] && exposes(t, k->names[i]))
            sqlname_add(out, k->names[i]);
        else
            policy_column(out, t, k->names[i], NULL);
    }
    buf_adds(out, " FROM main.");
    sqlname_add(out, table);
    buf_adds(out, " WHERE ");
    policy_rows(out, t, ACCESS_SELECT, 0, NULL);
    buf_adds(out, ";CREATE TEMP VIEW ");
    sqlname_add(out, table);
    buf_addc(out, '(');
    add_names(out, k->names, k->n);
    buf_adds(out, ") AS SELECT ");
    add_names(out, k->names, k->n);
    buf_addf(out, " FROM temp.\"%s\"", inner);
}

static bool shadow_table(dbconn *c, const char *table, error *e)
{
    shadows *s = &c->shadows;
    char inner[SHADOWS_PREFIX + 16];
    columns k = {.n = 0};
    buf sql = BUF_INIT;
    bool ok = read_columns(c, table, &k, e);
    if (ok && k.n == 0) { /* SQLite remembered a table that is gone: it has looked by now */
        arena_free(&k.mem);
        return true;
    }
    if (ok) {
        snprintf(inner, sizeof inner, "%s%d", s->prefix, s->inner);
        add_views(&sql, table, access_find(c->guard.viewer->access, table), &k, inner);
        const char *text = buf_cstr(&sql);
        ok = !sql.failed || no_memory(e);
        ok = ok && (put(&s->names, table, s) || no_memory(e)) && exec_temp(c, text, e);
    }
    s->inner += ok;
    s->all += ok ? 2 : 0;
    arena_free(&k.mem);
    buf_free(&sql);
    return ok;
}

/* ---- making -----------------------------------------------------------------------------------
 */

static bool begin(dbconn *c, error *e)
{
    shadows *s = &c->shadows;
    unsigned char random[16];
    if (s->owner)
        return true;
    if (RAND_bytes(random, sizeof random) != 1) {
        error_clear(e);
        return error_set(e, ERR_INTERNAL_ERROR, "no random bytes for the name of a view");
    }
    int n = snprintf(s->prefix, sizeof s->prefix, "_rustydb_v");
    for (size_t i = 0; i < sizeof random; i++)
        n += snprintf(s->prefix + n, sizeof s->prefix - (size_t)n, "%02x", random[i]);
    s->prefix[n++] = '_';
    s->prefix[n] = '\0';
    s->used = true;
    s->owner = access_id(c->guard.viewer->access);
    return schema_version(c, &s->version, e);
}

/* A view that no grant names is held to nothing but what its tables are held to: it is copied, and
 * the grants for "*" do not apply once more. */
static shadows_made make_one(dbconn *c, const char *table, error *e)
{
    schema_view *v = find(&c->shadows.views, table);
    if (shadows_have(&c->shadows, table))
        return SHADOWS_NONE;
    if (v && !access_is_named(c->guard.viewer->access, table))
        return copy_view(c, table, v, 0, e);
    return shadow_table(c, table, e) ? SHADOWS_NEW : SHADOWS_FAILED;
}

shadows_made shadows_make(dbconn *c, const char *table, const char *sql, error *e)
{
    shadows_made one = SHADOWS_NONE, copies = SHADOWS_FAILED;
    if (begin(c, e) && know_views(c, e)) {
        one = table ? make_one(c, table, e) : SHADOWS_NONE;
        copies = one == SHADOWS_FAILED ? one : copy_views(c, sql, 0, e);
    }
    c->shadows.epoch++;
    if (copies == SHADOWS_FAILED) {
        shadows_drop(c, NULL);
        return SHADOWS_FAILED;
    }
    return one == SHADOWS_NEW ? one : copies;
}
