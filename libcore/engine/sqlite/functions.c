#include "engine/sqlite/functions.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

/* ---- who asks ---------------------------------------------------------------------------------
 */

static void current_user(sqlite3_context *ctx, int n, sqlite3_value **args)
{
    const functions *f = sqlite3_user_data(ctx);
    (void)n;
    (void)args;
    const char *user = f->viewer && f->viewer->user ? f->viewer->user : "";
    sqlite3_result_text(ctx, user, -1, SQLITE_TRANSIENT);
}

static void result_json(sqlite3_context *ctx, const json_t *v)
{
    char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text)
        sqlite3_result_text(ctx, text, -1, SQLITE_TRANSIENT);
    else
        sqlite3_result_error_nomem(ctx);
    free(text); /* jansson's */
}

static void forget(functions *f)
{
    json_decref(f->claims);
    mem_free(f->text);
    f->claims = NULL;
    f->text = NULL;
}

/* The viewer's claims. Who asks next is often the same. False when memory is out. */
static bool know_claims(functions *f)
{
    const char *text = f->viewer && f->viewer->claims ? f->viewer->claims : "{}";
    if (f->text && strcmp(f->text, text) == 0)
        return true;
    forget(f);
    f->text = mem_strndup(text, strlen(text));
    f->claims = f->text ? json_loads(text, 0, NULL) : NULL;
    return f->text != NULL;
}

static void claim(sqlite3_context *ctx, int n, sqlite3_value **args)
{
    functions *f = sqlite3_user_data(ctx);
    (void)n;
    if (!know_claims(f)) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    const char *name = (const char *)sqlite3_value_text(args[0]);
    const json_t *v = name ? json_object_get(f->claims, name) : NULL;
    if (json_is_string(v))
        sqlite3_result_text(ctx, json_string_value(v), (int)json_string_length(v),
                            SQLITE_TRANSIENT);
    else if (json_is_integer(v))
        sqlite3_result_int64(ctx, json_integer_value(v));
    else if (json_is_real(v))
        sqlite3_result_double(ctx, json_real_value(v));
    else if (json_is_boolean(v))
        sqlite3_result_int(ctx, json_is_true(v));
    else if (json_is_array(v) || json_is_object(v))
        result_json(ctx, v);
}

/* ---- masks ------------------------------------------------------------------------------------
 */

static void mask_hash(sqlite3_context *ctx, int n, sqlite3_value **args)
{
    static const char hex[] = "0123456789abcdef";
    const functions *f = sqlite3_user_data(ctx);
    unsigned char digest[32];
    unsigned int size = 0;
    char text[2 * sizeof digest];
    (void)n;
    int type = sqlite3_value_type(args[0]);
    if (type == SQLITE_NULL)
        return;
    const void *p = type == SQLITE_BLOB ? sqlite3_value_blob(args[0])
                                        : (const void *)sqlite3_value_text(args[0]);
    size_t len = (size_t)sqlite3_value_bytes(args[0]);
    if ((!p && len) || !HMAC(EVP_sha256(), f->key, MASK_KEY_SIZE, p ? p : "", len, digest, &size)) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    for (size_t i = 0; i < sizeof digest; i++) {
        text[2 * i] = hex[digest[i] >> 4];
        text[2 * i + 1] = hex[digest[i] & 15];
    }
    sqlite3_result_text(ctx, text, (int)sizeof text, SQLITE_TRANSIENT);
}

static bool starts_char(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

static void mask_partial(sqlite3_context *ctx, int n, sqlite3_value **args)
{
    (void)n;
    if (sqlite3_value_type(args[0]) == SQLITE_NULL)
        return;
    const char *p = (const char *)sqlite3_value_text(args[0]);
    size_t len = (size_t)sqlite3_value_bytes(args[0]), chars = 0;
    sqlite3_int64 wanted = sqlite3_value_int64(args[1]);
    for (size_t i = 0; p && i < len; i++)
        chars += starts_char(p[i]);
    size_t keep = wanted > 0 && (size_t)wanted < (chars + 1) / 2 ? (size_t)wanted : 0;
    size_t tail = len; /* where what is kept begins */
    for (size_t left = keep; p && left > 0;)
        left -= starts_char(p[--tail]);
    size_t stars = chars - keep;
    char *out = p ? mem_alloc(stars + (len - tail) + 1) : NULL;
    if (!out) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    memset(out, '*', stars);
    memcpy(out + stars, p + tail, len - tail);
    sqlite3_result_text64(ctx, out, stars + (len - tail), SQLITE_TRANSIENT, SQLITE_UTF8);
    mem_free(out);
}

/* ---- the connection ---------------------------------------------------------------------------
 */

bool functions_install(functions *f, sqlite3 *db, const unsigned char *key, error *e)
{
    static const struct {
        const char *name;
        int args;
        void (*call)(sqlite3_context *, int, sqlite3_value **);
    } all[] = {
        {"current_user", 0, current_user},
        {"claim", 1, claim},
        {"mask_hash", 1, mask_hash},
        {"mask_partial", 2, mask_partial},
    };
    *f = (functions){.key = key};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (sqlite3_create_function_v2(db, all[i].name, all[i].args, SQLITE_UTF8, f, all[i].call,
                                       NULL, NULL, NULL) != SQLITE_OK) {
            error_clear(e);
            return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
        }
    }
    return true;
}

void functions_see(functions *f, const viewer *v)
{
    f->viewer = v;
}

void functions_free(functions *f)
{
    forget(f);
    f->viewer = NULL;
}

bool functions_are_closed(const char *name)
{
    static const char *const closed[] = {
        "mask_hash",   "mask_partial", "load_extension", "fts3_tokenizer",
        "readfile",    "writefile",    "edit",           "zipfile",
        "zipfile_cds", "lsmode",       "fsdir",          "sqlite_offset",
        "sqlite_log",  "rtreecheck",   "total_changes",  NULL};
    for (const char *const *it = closed; *it; it++) {
        if (strcasecmp(*it, name) == 0)
            return true;
    }
    return false;
}
