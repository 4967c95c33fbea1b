#include "cli/bench/answer.h"

#include <string.h>
#include <strings.h>

void bench_answer_reset(bench_answer *a)
{
    a->state = a->redis ? ANSWER_REPLY : ANSWER_STATUS;
    a->status = 0;
    a->closing = a->chunked = a->has_length = false;
    a->left = 0;
    a->body_bytes = 0;
    a->accept[0] = '\0';
    a->line_len = 0;
}

/* A number of digits in base 10 or 16 that ends at a non-digit; -1 when there is none or it is
 * too large. */
static int64_t read_number(const char *p, size_t n, int base)
{
    int64_t v = 0;
    size_t i = 0;
    for (; i < n; i++) {
        int c = p[i] | 0x20;
        int d = c >= '0' && c <= '9'                 ? c - '0'
                : base == 16 && c >= 'a' && c <= 'f' ? c - 'a' + 10
                                                     : -1;
        if (d < 0)
            break;
        if (v > (INT64_MAX - d) / base)
            return -1;
        v = v * base + d;
    }
    return i ? v : -1;
}

static void status_line(bench_answer *a, const char *p, size_t n)
{
    if (n < 12 || memcmp(p, "HTTP/1.", 7) != 0 || p[8] != ' ') {
        a->state = ANSWER_BROKEN;
        return;
    }
    a->status = (int)read_number(p + 9, 3, 10);
    a->closing = p[7] == '0';
    a->state = a->status >= 100 && a->status <= 599 ? ANSWER_HEADER : ANSWER_BROKEN;
}

/* The value when the line is the named header, else NULL. *n becomes its length. */
static const char *header_value(const char *p, size_t *n, const char *name)
{
    size_t len = strlen(name);
    if (*n <= len || p[len] != ':' || strncasecmp(p, name, len) != 0)
        return NULL;
    size_t at = len + 1;
    while (at < *n && (p[at] == ' ' || p[at] == '\t'))
        at++;
    *n -= at;
    return p + at;
}

static bool has_word(const char *v, size_t n, const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i + len <= n; i++)
        if (strncasecmp(v + i, word, len) == 0)
            return true;
    return false;
}

static void header_line(bench_answer *a, const char *p, size_t n)
{
    size_t len = n;
    const char *v;
    switch (*p | 0x20) {
    case 'c':
        if ((v = header_value(p, &len, "content-length"))) {
            a->left = read_number(v, len, 10);
            a->has_length = true;
            if (a->left < 0)
                a->state = ANSWER_BROKEN;
        } else if ((v = header_value(p, &len, "connection")) && has_word(v, len, "close")) {
            a->closing = true;
        }
        break;
    case 't':
        if ((v = header_value(p, &len, "transfer-encoding")) && has_word(v, len, "chunked"))
            a->chunked = true;
        break;
    case 's':
        if ((v = header_value(p, &len, "sec-websocket-accept")) && len < sizeof a->accept) {
            memcpy(a->accept, v, len);
            a->accept[len] = '\0';
        }
        break;
    default:
        break;
    }
}

static void headers_end(bench_answer *a)
{
    if (a->status == 101) {
        a->state = ANSWER_DONE;
    } else if (a->status < 200) {
        bench_answer_reset(a);
    } else if (a->status == 204 || a->status == 304) {
        a->state = ANSWER_DONE;
    } else if (a->chunked) {
        a->state = ANSWER_CHUNK_SIZE;
    } else if (a->has_length) {
        a->state = a->left ? ANSWER_BODY : ANSWER_DONE;
    } else {
        a->state = ANSWER_UNTIL_END;
        a->closing = true;
    }
}

static void chunk_size(bench_answer *a, const char *p, size_t n)
{
    a->left = read_number(p, n, 16);
    a->state = a->left < 0 ? ANSWER_BROKEN : a->left ? ANSWER_CHUNK : ANSWER_TRAILER;
}

/* "$5" announces a text of five bytes and a line end; ":5" and "+OK" are complete. */
static void reply_line(bench_answer *a, const char *p, size_t n)
{
    char kind = n ? *p : '-';
    a->status = kind == '-' ? 500 : 200;
    a->state = ANSWER_DONE;
    if (kind != '$')
        return;
    a->left = read_number(p + 1, n - 1, 10) + 2;
    a->state = a->left >= 2 ? ANSWER_BODY : ANSWER_BROKEN;
}

static void whole_line(bench_answer *a, const char *p, size_t n)
{
    if (n && p[n - 1] == '\r')
        n--;
    switch (a->state) {
    case ANSWER_REPLY:
        reply_line(a, p, n);
        break;
    case ANSWER_STATUS:
        status_line(a, p, n);
        break;
    case ANSWER_HEADER:
        if (n)
            header_line(a, p, n);
        else
            headers_end(a);
        break;
    case ANSWER_CHUNK_SIZE:
        chunk_size(a, p, n);
        break;
    case ANSWER_CHUNK_END:
        a->state = n ? ANSWER_BROKEN : ANSWER_CHUNK_SIZE;
        break;
    case ANSWER_TRAILER:
        if (!n)
            a->state = ANSWER_DONE;
        break;
    default:
        break;
    }
}

static void keep_line(bench_answer *a, const char *p, size_t n)
{
    if (a->line_len < sizeof a->line) {
        size_t room = sizeof a->line - a->line_len;
        memcpy(a->line + a->line_len, p, n < room ? n : room);
    }
    a->line_len += n;
}

/* Takes one line, or what there is of it. */
static size_t feed_line(bench_answer *a, const char *p, size_t n)
{
    const char *end = memchr(p, '\n', n);
    size_t len = end ? (size_t)(end - p) : n;
    if (!end || a->line_len) {
        keep_line(a, p, len);
        if (!end)
            return n;
        size_t kept = a->line_len < sizeof a->line ? a->line_len : sizeof a->line;
        a->line_len = 0;
        whole_line(a, a->line, kept);
    } else {
        whole_line(a, p, len);
    }
    return len + 1;
}

static size_t feed_body(bench_answer *a, const char *p, size_t n)
{
    if (a->state != ANSWER_UNTIL_END) {
        if ((int64_t)n > a->left)
            n = (size_t)a->left;
        a->left -= (int64_t)n;
    }
    a->body_bytes += n;
    if (a->body)
        a->body(a->arg, p, n);
    if (a->left == 0 && a->state == ANSWER_BODY)
        a->state = ANSWER_DONE;
    else if (a->left == 0 && a->state == ANSWER_CHUNK)
        a->state = ANSWER_CHUNK_END;
    return n;
}

size_t bench_answer_feed(bench_answer *a, const char *p, size_t n)
{
    size_t at = 0;
    while (at < n && a->state != ANSWER_DONE && a->state != ANSWER_BROKEN) {
        bool body =
            a->state == ANSWER_BODY || a->state == ANSWER_UNTIL_END || a->state == ANSWER_CHUNK;
        at += (body ? feed_body : feed_line)(a, p + at, n - at);
    }
    return at;
}

bool bench_answer_end(bench_answer *a)
{
    if (a->state != ANSWER_UNTIL_END)
        return false;
    a->state = ANSWER_DONE;
    return true;
}
