#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/viewer.h"
#include "feed/tokens.h"
#include "live/state.h"

void lq_ask_free(lq_ask *a)
{
    if (!a)
        return;
    viewer_release(a->as);
    arena_free(&a->mem);
    mem_free(a);
}

/* ---- the normal form --------------------------------------------------------------------------
 */

/* Spaces and comments become single spaces, and go at both ends with what ends the statement. */
static void normalise(const char *sql, buf *out)
{
    bool space = false;
    size_t end = 0; /* up to here there is more than semicolons */
    for (token t; (t = token_next(sql)).kind != TOKEN_END; sql += t.len) {
        if (t.kind == TOKEN_SPACE) {
            space = true;
            continue;
        }
        if (space && out->len)
            buf_addc(out, ' ');
        space = false;
        buf_add(out, sql, t.len);
        if (t.kind != TOKEN_SEMICOLON)
            end = out->len;
    }
    out->len = end;
}

typedef struct named {
    const char *name; /* NULL: by position */
    const value *v;
} named;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

/* Parameters, those with names in the order of these. */
static bool add_params(buf *out, const engine_stmt *stmt, arena *mem)
{
    int n = stmt->n_params;
    named *all = arena_alloc(mem, sizeof *all * ((size_t)n + 1));
    if (!all)
        return false;
    for (int i = 0; i < n; i++)
        all[i] = (named){stmt->names ? stmt->names[i] : NULL, &stmt->params[i]};
    if (stmt->names)
        qsort(all, (size_t)n, sizeof *all, by_name);
    for (int i = 0; i < n; i++) {
        if (all[i].name)
            buf_add(out, all[i].name, strlen(all[i].name) + 1);
        value_pack(out, all[i].v, 1);
    }
    return !out->failed;
}

/* Who asks, too where everything may be read: the statement itself may ask who it is for. */
static bool add_viewer(buf *out, const viewer *as)
{
    char key[VIEWER_KEY + 1];
    if (!viewer_key(as, key))
        return false;
    buf_adds(out, key);
    if (as)
        buf_addf(out, " %zu:%s %s", strlen(as->user ? as->user : ""), as->user ? as->user : "",
                 as->claims ? as->claims : "");
    buf_addc(out, '\0');
    return !out->failed;
}

static bool digest(lq_ask *a, const viewer *as)
{
    unsigned n = 0;
    buf all = BUF_INIT;
    bool known = add_viewer(&all, as);
    buf_add(&all, a->stmt.sql, strlen(a->stmt.sql) + 1);
    buf_addc(&all, a->stmt.names ? 'n' : 'p');
    bool ok = known && add_params(&all, &a->stmt, &a->mem) &&
              EVP_Digest(all.data, all.len, a->digest, &n, EVP_sha256(), NULL) == 1;
    buf_free(&all);
    for (size_t i = 0; ok && i < LIVE_HASH / 2; i++)
        snprintf(a->hash + i * 2, 3, "%02x", a->digest[i]);
    return ok;
}

/* ---- copying ----------------------------------------------------------------------------------
 */

static bool copy_sql(lq_ask *a, const char *sql)
{
    buf text = BUF_INIT;
    normalise(sql, &text);
    const char *normal = buf_cstr(&text);
    a->moved = strcmp(normal, sql) != 0;
    a->stmt.sql = text.failed ? NULL : arena_strndup(&a->mem, normal, text.len);
    buf_free(&text);
    return a->stmt.sql != NULL;
}

static bool copy_params(lq_ask *a, const engine_stmt *from)
{
    size_t n = (size_t)from->n_params;
    value *params = arena_alloc(&a->mem, sizeof *params * (n + 1));
    const char **names = arena_alloc(&a->mem, sizeof *names * (n + 1));
    if (!params || !names)
        return false;
    for (size_t i = 0; i < n; i++) {
        value v = from->params[i];
        if (v.type == VALUE_TEXT || v.type == VALUE_BLOB)
            v.p = arena_strndup(&a->mem, v.p, v.len);
        names[i] =
            from->names ? arena_strndup(&a->mem, from->names[i], strlen(from->names[i])) : "";
        if (((v.type == VALUE_TEXT || v.type == VALUE_BLOB) && !v.p) || !names[i])
            return false;
        params[i] = v;
    }
    a->stmt.n_params = from->n_params;
    a->stmt.params = params;
    a->stmt.names = from->names ? names : NULL;
    return true;
}

static bool copy_viewer(lq_ask *a, const viewer *as)
{
    a->as = as ? viewer_keep(as) : NULL;
    return a->as || !as;
}

lq_ask *lq_ask_new(const engine_stmt *stmt, const viewer *as)
{
    lq_ask *a = mem_zalloc(sizeof *a);
    if (a && copy_sql(a, stmt->sql) && copy_params(a, stmt) && copy_viewer(a, as) && digest(a, as))
        return a;
    lq_ask_free(a);
    return NULL;
}

int64_t lq_interval(int64_t wanted_us, int64_t least_us)
{
    static const int steps[] = {1, 2, 5};
    if (wanted_us <= least_us)
        return least_us;
    for (int64_t decade = 1000;; decade *= 10) {
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
            if (decade * steps[i] >= wanted_us)
                return decade * steps[i];
        }
    }
}
