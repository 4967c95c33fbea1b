#include "cli/cell.h"

#include <limits.h>
#include <openssl/evp.h>

cell cell_of(scan_text json)
{
    scan_text inner;
    switch (scan_kind_of(json)) {
    case SCAN_NOTHING:
    case SCAN_NULL:
        return (cell){CELL_NULL, json};
    case SCAN_STRING:
        return (cell){CELL_TEXT, json};
    case SCAN_OBJECT:
        return (cell){scan_member(json, "$real", &inner) ? CELL_NUMBER : CELL_BLOB, json};
    default:
        return (cell){CELL_NUMBER, json};
    }
}

static void blob_text(scan_text json, buf *out)
{
    scan_text base64;
    if (!scan_member(json, "$base64", &base64) || base64.n < 2 || base64.n > INT_MAX) {
        buf_add(out, json.p, json.n);
        return;
    }
    const char *p = base64.p + 1;
    size_t n = base64.n - 2, padding = 0;
    buf bytes = BUF_INIT;
    char *to = buf_reserve(&bytes, n / 4 * 3 + 1);
    while (padding < 2 && padding < n && p[n - 1 - padding] == '=')
        padding++;
    int len = to ? EVP_DecodeBlock((unsigned char *)to, (const unsigned char *)p, (int)n) : -1;
    if (len < 0) {
        buf_add(out, json.p, json.n);
    } else {
        buf_adds(out, "x'");
        for (size_t i = 0; i + padding < (size_t)len; i++) {
            static const char hex[] = "0123456789abcdef";
            buf_addc(out, hex[(unsigned char)to[i] >> 4]);
            buf_addc(out, hex[to[i] & 15]);
        }
        buf_addc(out, '\'');
    }
    buf_free(&bytes);
}

void cell_text(const cell *c, buf *out)
{
    scan_text real;
    switch (c->kind) {
    case CELL_NULL:
        break;
    case CELL_TEXT:
        scan_unquote(out, c->json);
        break;
    case CELL_BLOB:
        blob_text(c->json, out);
        break;
    case CELL_NUMBER:
        if (scan_member(c->json, "$real", &real))
            scan_unquote(out, real);
        else
            buf_add(out, c->json.p, c->json.n);
    }
}
