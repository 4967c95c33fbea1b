#include "daemon/http_auth.h"

#include <string.h>
#include <strings.h>

#include "daemon/credentials.h"
#include "daemon/route.h"

enum { TOKEN_ROOM = 8192 }; /* bytes: all headers of a request have no more */

static bool take(request *q, identity *who)
{
    if (!who)
        return false;
    identity_release(q->who);
    q->who = who;
    return true;
}

static bool identify(request *q, const char *token, size_t n, error *e)
{
    return take(q, conn_identify(q->c, &q->client, token, n, e));
}

/* Without a header the connection itself may say who it is. e has AUTH_REQUIRED. */
static bool identify_peer(request *q, error *e)
{
    error why;
    if (take(q, conn_identify_peer(q->c, &why)))
        return true;
    if (why.code != ERR_NONE)
        error_set(e, ERR_AUTH_REQUIRED, "this needs credentials: %.300s", why.message);
    return false;
}

/* The token in a header that fits into `text`; NULL: none (or e says what is wrong with it). */
static const char *find_token(struct lws *wsi, char *text, int room, error *e)
{
    static const char key_name[] = "x-api-key:";
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_AUTHORIZATION)) {
        if (lws_hdr_copy(wsi, text, room, WSI_TOKEN_HTTP_AUTHORIZATION) > 0 &&
            strncasecmp(text, "Bearer ", 7) == 0)
            return text + 7;
        error_set(e, ERR_AUTH_FAILED, "the Authorization header is not a bearer token");
        return NULL;
    }
    if (lws_hdr_custom_length(wsi, key_name, sizeof key_name - 1) > 0) {
        if (lws_hdr_custom_copy(wsi, text, room, key_name, sizeof key_name - 1) > 0)
            return text;
        error_set(e, ERR_AUTH_FAILED, "the X-API-Key header is too long");
        return NULL;
    }
    error_set(e, ERR_AUTH_REQUIRED, "this needs credentials");
    error_hint(e, "Send the header Authorization: Bearer TOKEN; the token is in "
                  "root.token in the data folder.");
    return NULL;
}

bool http_authenticate(request *q, error *e)
{
    char text[TOKEN_ROOM];
    const char *token = find_token(q->c->wsi, text, sizeof text, e);
    bool ok = token ? identify(q, token, strlen(token), e)
                    : e->code == ERR_AUTH_REQUIRED && identify_peer(q, e);
    explicit_bzero(text, token ? (size_t)(token - text) + strlen(token) : 0);
    return ok;
}

bool http_authenticate_upgrade(request *q, error *e)
{
    const char *token = http_param(q, "access_token");
    if (!token)
        return http_authenticate(q, e);
    if (!daemon_config(q->c->r->d)->url_tokens) {
        error_set(e, ERR_AUTH_FAILED, "tokens in URLs are not taken here");
        return error_hint(e,
                          "Send the header Authorization, or authenticate by the first message.");
    }
    return identify(q, token, strlen(token), e);
}

bool http_authenticate_page(request *q, error *e)
{
    struct lws *wsi = q->c->wsi;
    char text[600], pair[600];
    if (lws_hdr_copy(wsi, text, sizeof text, WSI_TOKEN_HTTP_AUTHORIZATION) <= 0 ||
        strncasecmp(text, "Basic ", 6) != 0)
        return http_authenticate(q, e);
    int n = lws_b64_decode_string_len(text + 6, (int)strlen(text + 6), pair, sizeof pair);
    const char *colon = n > 0 ? memchr(pair, ':', (size_t)n) : NULL;
    bool ok = colon ? identify(q, colon + 1, (size_t)(pair + n - colon - 1), e)
                    : error_set(e, ERR_AUTH_FAILED, "the Authorization header is malformed");
    explicit_bzero(text, sizeof text);
    explicit_bzero(pair, sizeof pair);
    return ok;
}

bool http_authorize(const request *q, error *e)
{
    return identity_check(q->who, q->route->right, e);
}
