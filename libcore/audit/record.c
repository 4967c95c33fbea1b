#include "audit/record.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "json/read.h"
#include "json/writer.h"

const audit_action_info audit_actions[AUDIT_ACTIONS] = {
#define AUDIT(symbol, name, sensitive, bounded, meaning) {name, sensitive, bounded, meaning},
#include "audit/actions.def"
#undef AUDIT
};

int audit_action_find(const char *name)
{
    for (int i = 0; i < AUDIT_ACTIONS; i++) {
        if (strcmp(audit_actions[i].name, name) == 0)
            return i;
    }
    return -1;
}

/* ---- hashes -----------------------------------------------------------------------------------
 */

bool audit_hash(const char *p, size_t n, unsigned char out[AUDIT_HASH])
{
    return EVP_Digest(p, n, out, NULL, EVP_sha256(), NULL) == 1;
}

void audit_hash_text(const unsigned char hash[AUDIT_HASH], char out[2 * AUDIT_HASH + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < AUDIT_HASH; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    out[2 * AUDIT_HASH] = '\0';
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool audit_hash_parse(const char *text, size_t n, unsigned char out[AUDIT_HASH])
{
    if (n != 2 * AUDIT_HASH)
        return false;
    for (int i = 0; i < AUDIT_HASH; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static void put_text(json_writer *w, const char *key, const char *text)
{
    jw_key_str(w, key, *text ? text : NULL);
}

static void begin(json_writer *w, buf *out, int64_t n, int64_t time_us)
{
    char stamp[CLOCK_RFC3339_LEN + 1];
    clock_rfc3339(time_us, stamp);
    jw_init(w, out);
    jw_begin_object(w);
    jw_key_int(w, "n", n);
    jw_key_str(w, "time", stamp);
}

/* Ends the line that begins at `from`. */
static bool end(buf *out, size_t from, int64_t n, audit_link *at)
{
    char prev[2 * AUDIT_HASH + 1];
    unsigned char hash[AUDIT_HASH];
    audit_hash_text(at->hash, prev);
    buf_addf(out, ",\"prev\":\"%s\"}", prev);
    if (out->failed || !audit_hash(out->data + from, out->len - from, hash)) {
        out->len = from;
        out->failed = false;
        return false;
    }
    at->n = n;
    memcpy(at->hash, hash, AUDIT_HASH);
    return true;
}

/* Written anew from what it says, so that nothing but JSON in one line comes from a caller. */
static void put_detail(json_writer *w, const char *detail)
{
    error e;
    size_t n = detail ? strlen(detail) : 0;
    json_t *tree = n && n <= AUDIT_DETAIL_MAX ? json_read_text(detail, n, &e) : NULL;
    char *text = json_is_object(tree) ? json_dumps(tree, JSON_COMPACT) : NULL;
    jw_key(w, "detail");
    if (text) {
        jw_raw(w, text, strlen(text));
    } else {
        jw_begin_object(w);
        if (n)
            jw_key_int(w, "left_out_bytes", (int64_t)n);
        jw_end_object(w);
    }
    free(text);
    json_decref(tree);
}

/* One character beyond ASCII, as JSON's escapes. Returns how many bytes it had. */
static size_t put_escaped(buf *out, const unsigned char *p, size_t n)
{
    size_t len = utf8_sequence(p, n);
    uint32_t c = p[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++)
        c = c << 6 | (p[i] & 0x3Fu);
    if (len == 1)
        c = p[0];
    if (c > 0xFFFF) {
        c -= 0x10000;
        buf_addf(out, "\\u%04x", 0xD800 | c >> 10);
        c = 0xDC00 | (c & 0x3FF);
    }
    buf_addf(out, "\\u%04x", c);
    return len ? len : 1;
}

/* The same JSON in printable ASCII: whatever shows the file, no control characters, no direction
 * marks and no look-alikes reach it. */
static void put_plain(buf *out, const buf *json)
{
    const unsigned char *p = (const unsigned char *)json->data;
    for (size_t i = 0; i < json->len;) {
        if (p[i] >= 0x7F) {
            i += put_escaped(out, p + i, json->len - i);
        } else {
            buf_addc(out, (char)p[i]);
            i++;
        }
    }
    out->failed = out->failed || json->failed;
}

void audit_text_put(buf *out, const char *text)
{
    buf json = BUF_INIT;
    json_writer w;
    jw_init(&w, &json);
    jw_str(&w, text);
    put_plain(out, &json);
    buf_free(&json);
}

static void put_members(buf *out, const audit_entry *r, const audit_link *at)
{
    json_writer w;
    begin(&w, out, at->n + 1, r->time_us);
    jw_key_str(&w, "action", audit_actions[r->action].name);
    jw_key_str(&w, "outcome", r->code == ERR_NONE ? "ok" : "refused");
    jw_key_str(&w, "code", r->code == ERR_NONE ? NULL : error_describe(r->code)->name);
    put_text(&w, "user", r->from.user);
    put_text(&w, "kind", r->from.kind);
    put_text(&w, "address", r->from.address);
    put_text(&w, "target", r->target);
    put_text(&w, "request_id", r->from.request_id);
    put_detail(&w, r->detail);
}

bool audit_entry_put(buf *out, const audit_entry *r, audit_link *at)
{
    buf json = BUF_INIT;
    size_t from = out->len;
    put_members(&json, r, at);
    put_plain(out, &json);
    buf_free(&json);
    return end(out, from, at->n + 1, at);
}

bool audit_header_put(buf *out, const char *log_id, int64_t file, int64_t time_us, audit_link *at)
{
    json_writer w;
    size_t from = out->len;
    begin(&w, out, at->n, time_us);
    jw_key_str(&w, "log", "rustydb-audit");
    jw_key_int(&w, "version", 1);
    jw_key_str(&w, "log_id", log_id);
    jw_key_int(&w, "file", file);
    return end(out, from, at->n, at);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

/* Takes `text` away from the front. */
static bool take(const char **p, const char *end, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(end - *p) < n || memcmp(*p, text, n) != 0)
        return false;
    *p += n;
    return true;
}

static bool take_number(const char **p, const char *end, int64_t *out)
{
    const char *from = *p;
    int64_t v = 0;
    while (*p < end && **p >= '0' && **p <= '9' && *p - from < 18)
        v = v * 10 + (*(*p)++ - '0');
    *out = v;
    return *p > from;
}

static bool read_header(const char *p, const char *end, audit_line *out)
{
    if (!take(&p, end, "\"version\":1,\"log_id\":\"") || end - p < AUDIT_ID)
        return false;
    memcpy(out->log_id, p, AUDIT_ID);
    out->log_id[AUDIT_ID] = '\0';
    p += AUDIT_ID;
    return strspn(out->log_id, "0123456789abcdef") == AUDIT_ID && take(&p, end, "\",\"file\":") &&
           take_number(&p, end, &out->file) && take(&p, end, ",\"prev\":\"");
}

bool audit_line_read(const char *p, size_t n, audit_line *out)
{
    static const char before[] = ",\"prev\":\"";
    enum { BEFORE = sizeof before - 1, TAIL = BEFORE + 2 * AUDIT_HASH + 2 };
    const char *end = p + n, *tail = end - TAIL;
    *out = (audit_line){0};
    if (n < TAIL || n > AUDIT_LINE_MAX || memcmp(tail, before, BEFORE) != 0 ||
        memcmp(end - 2, "\"}", 2) != 0 ||
        !audit_hash_parse(tail + BEFORE, 2 * AUDIT_HASH, out->prev))
        return false;
    if (!take(&p, end, "{\"n\":") || !take_number(&p, end, &out->n) ||
        !take(&p, end, ",\"time\":\"") || end - p < CLOCK_RFC3339_LEN)
        return false;
    p += CLOCK_RFC3339_LEN;
    if (!take(&p, end, "\","))
        return false;
    out->header = take(&p, end, "\"log\":\"rustydb-audit\",");
    return out->header ? read_header(p, end, out) : take(&p, end, "\"action\":\"");
}
