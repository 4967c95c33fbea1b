#include "daemon/ws_handshake.h"

#include <string.h>
#include <strings.h>

enum { KEY_LENGTH = 24, EXTENSIONS_MAX = 254 };

static bool copy(struct lws *wsi, enum lws_token_indexes token, char *out, int room)
{
    return lws_hdr_total_length(wsi, token) > 0 && lws_hdr_copy(wsi, out, room, token) > 0;
}

/* Whether a list of tokens has this one. */
static bool lists(char *header, const char *token)
{
    for (char *item; (item = strsep(&header, ",")) != NULL;) {
        item += strspn(item, " \t");
        size_t n = strcspn(item, " \t");
        if (n == strlen(token) && strncasecmp(item, token, n) == 0)
            return true;
    }
    return false;
}

/* Sixteen bytes in base64. */
static bool is_key(const char *key)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return strlen(key) == KEY_LENGTH && strspn(key, letters) == KEY_LENGTH - 2 &&
           strcmp(key + KEY_LENGTH - 2, "==") == 0;
}

bool ws_handshake_check(struct lws *wsi, error *e)
{
    char text[256];
    if (!copy(wsi, WSI_TOKEN_CONNECTION, text, sizeof text) || !lists(text, "upgrade"))
        return error_set(e, ERR_INVALID_MESSAGE,
                         "the Connection header of a WebSocket handshake must list Upgrade");
    if (!copy(wsi, WSI_TOKEN_HTTP, text, sizeof text) || strcmp(text, "HTTP/1.1") != 0)
        return error_set(e, ERR_INVALID_MESSAGE, "a WebSocket handshake takes HTTP/1.1");
    if (!lws_hdr_total_length(wsi, WSI_TOKEN_HOST))
        return error_set(e, ERR_INVALID_MESSAGE, "a WebSocket handshake needs a Host header");
    if (!copy(wsi, WSI_TOKEN_VERSION, text, sizeof text) || strcmp(text, "13") != 0)
        return error_set(e, ERR_UPGRADE_REQUIRED,
                         "the version of WebSocket spoken here is 13 (RFC 6455)");
    if (!copy(wsi, WSI_TOKEN_KEY, text, sizeof text) || !is_key(text))
        return error_set(e, ERR_INVALID_MESSAGE,
                         "Sec-WebSocket-Key is not 16 bytes in base64 (RFC 6455, 4.1)");
    if (lws_hdr_total_length(wsi, WSI_TOKEN_EXTENSIONS) > EXTENSIONS_MAX)
        return error_set(e, ERR_INVALID_MESSAGE, "Sec-WebSocket-Extensions has more than %d bytes",
                         EXTENSIONS_MAX);
    return true;
}
