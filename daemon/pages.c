#include "daemon/pages.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "base/mem.h"
#include "daemon/assets.h"
#include "daemon/documents.h"
#include "daemon/etag.h"

/* Scripts, styles and pictures come from the daemon, and nothing goes anywhere else. Swagger UI
 * sets styles of elements by script, and draws its icons from data. */
#define POLICY                                                                                     \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self' "            \
    "'unsafe-inline'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "                 \
    "frame-ancestors 'none'; base-uri 'self'; form-action 'none'\r\n"

/* ---- assets -----------------------------------------------------------------------------------
 */

static const asset *find_asset(const char *name)
{
    for (const asset *a = assets; a->name; a++) {
        if (strcmp(a->name, name) == 0)
            return a;
    }
    return NULL;
}

static size_t asset_size(const asset *a)
{
    return (size_t)(a->to - a->from);
}

/* Appends what was compressed. */
static void inflate_to(buf *out, const asset *a)
{
    z_stream z = {0};
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) {
        out->failed = true;
        return;
    }
    z.next_in = (Bytef *)a->from;
    z.avail_in = (uInt)asset_size(a);
    int rc = Z_OK;
    while (rc == Z_OK) {
        char *room = buf_reserve(out, 65536);
        if (!room)
            break;
        z.next_out = (Bytef *)room;
        z.avail_out = 65536;
        rc = inflate(&z, Z_NO_FLUSH);
        out->len += 65536 - z.avail_out;
    }
    if (rc != Z_STREAM_END)
        out->failed = true;
    inflateEnd(&z);
}

/* ---- answers ----------------------------------------------------------------------------------
 */

static void not_found(request *q)
{
    error e;
    error_set(&e, ERR_NOT_FOUND, "there is no %s", q->path);
    http_reply_error(q, &e);
}

/* Whether it may be seen; otherwise the request was answered. */
static bool may_see(request *q)
{
    const char *mode = daemon_config(q->c->r->d)->swagger;
    error e;
    if (strcmp(mode, "off") == 0) {
        not_found(q);
        return false;
    }
    if (strcmp(mode, "auth") != 0 || http_authenticate_page(q, &e))
        return true;
    http_reply_challenge(q, &e, "Basic realm=\"rustydb\"");
    return false;
}

/* Bytes that change only with the program, or with the stored queries: kept by browsers, and asked
 * for again each time. */
static void reply_kept(request *q, const char *type, const buf *body, bool gzip, const char *etag)
{
    char headers[1024];
    error e;
    if (body->failed) {
        error_set(&e, ERR_INTERNAL_ERROR, "out of memory");
        http_reply_error(q, &e);
        return;
    }
    snprintf(headers, sizeof headers,
             "%sETag: %s\r\nCache-Control: no-cache\r\nVary: Accept-Encoding, "
             "Authorization, X-API-Key\r\n" POLICY,
             gzip ? "Content-Encoding: gzip\r\n" : "", etag);
    if (etag_listed(http_header(q, HEADER_IF_NONE_MATCH), etag, true))
        http_reply_with(q, 304, NULL, headers, NULL, 0);
    else
        http_reply_with(q, 200, type, headers, body->data, body->len);
}

/* The two forms of a text have different bytes, so they have different tags (RFC 9110, 8.8.1). */
static void tag_of(const char *bytes, size_t n, bool gzip, char out[ETAG_ROOM])
{
    etag_make(bytes, n, out);
    if (gzip)
        out[1] = 'z';
}

static void reply_asset(request *q, const asset *a)
{
    char etag[ETAG_ROOM];
    buf body = BUF_INIT;
    bool gzip = a->gzip && q->accepts_gzip;
    tag_of(a->from, asset_size(a), gzip, etag);
    if (a->gzip && !gzip)
        inflate_to(&body, a);
    else
        buf_add(&body, a->from, asset_size(a));
    reply_kept(q, a->type, &body, gzip, etag);
    buf_free(&body);
}

/* A page names its own place once, as @PATH@. */
static void reply_page(request *q, const char *path)
{
    static const char mark[] = "@PATH@";
    char etag[ETAG_ROOM];
    const asset *page = find_asset("index.html");
    const char *at = memmem(page->from, asset_size(page), mark, sizeof mark - 1);
    const char *behind = at ? at + sizeof mark - 1 : page->from;
    buf body = BUF_INIT;
    buf_add(&body, page->from, at ? (size_t)(at - page->from) : 0);
    buf_adds(&body, at ? path : "");
    buf_add(&body, behind, (size_t)(page->to - behind));
    tag_of(body.data, body.len, false, etag);
    reply_kept(q, "text/html; charset=utf-8", &body, false, etag);
    buf_free(&body);
}

static void redirect(request *q, const char *to)
{
    char headers[PATH_MAX_LEN + 64];
    snprintf(headers, sizeof headers, "Location: %s\r\n", to);
    http_reply_with(q, 302, NULL, headers, NULL, 0);
}

/* ---- the interface ----------------------------------------------------------------------------
 */

/* Names and parameters of stored queries are for those who may list them. */
static bool may_see_queries(request *q)
{
    error e;
    return (q->who || http_authenticate_page(q, &e)) && identity_may(q->who, SCOPE_sql);
}

void pages_document(request *q)
{
    error e;
    if (!may_see(q))
        return;
    const asset *a = find_asset(q->path);
    const document *d = documents_get(q->c->r, a, may_see_queries(q));
    if (d) {
        bool gzip = q->accepts_gzip;
        reply_kept(q, a->type, gzip ? &d->packed : &d->plain, gzip,
                   gzip ? d->packed_etag : d->plain_etag);
        return;
    }
    error_set(&e, ERR_INTERNAL_ERROR, "out of memory");
    http_reply_error(q, &e);
}

/* Where people look for it. */
static bool is_guess(const char *path)
{
    static const char *const guesses[] = {"/",
                                          "/docs",
                                          "/docs/",
                                          "/swagger",
                                          "/swagger/",
                                          "/swagger-ui",
                                          "/swagger-ui/",
                                          "/swagger-ui/index.html",
                                          "/swagger-ui.html",
                                          "/api-docs",
                                          "/api-docs/",
                                          NULL};
    for (const char *const *g = guesses; *g; g++) {
        if (strcmp(path, *g) == 0)
            return true;
    }
    return false;
}

/* What follows the place of Swagger UI in the path: "" at the place itself, "/NAME" below it; NULL:
 * the path is another. */
static const char *behind_place(const request *q, const char *place)
{
    size_t n = strlen(place);
    if (strncmp(q->path, place, n) != 0 || (q->path[n] && q->path[n] != '/'))
        return NULL;
    return q->path + n;
}

bool pages_answer(request *q)
{
    const config *cfg = daemon_config(q->c->r->d);
    if (q->method != HTTP_GET || strcmp(cfg->swagger, "off") == 0)
        return false;
    const char *rest = behind_place(q, cfg->swagger_path);
    bool page = rest && !*rest;
    bool elsewhere =
        is_guess(q->path) || (rest && (strcmp(rest, "/") == 0 || strcmp(rest, "/index.html") == 0));
    const asset *a = rest && *rest ? find_asset(rest + 1) : NULL;
    if (!page && !elsewhere && !a)
        return false;
    if (!may_see(q))
        return true;
    if (page)
        reply_page(q, cfg->swagger_path);
    else if (elsewhere)
        redirect(q, cfg->swagger_path);
    else
        reply_asset(q, a);
    return true;
}
