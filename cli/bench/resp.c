#include "cli/bench/resp.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (64u << 20)

static void element_done(bench_resp *r)
{
    if (--r->elements == 0)
        r->message(r->arg, r->text, r->text_len);
}

static bool whole_line(bench_resp *r)
{
    r->line[r->line_len] = '\0';
    long n = strtol(r->line + 1, NULL, 10);
    if (r->elements == 0) {
        r->elements = *r->line == '*' && n > 0 && n < 10 ? (int)n : 0;
        return r->elements > 0;
    }
    if (*r->line == ':') {
        r->text = NULL;
        r->text_len = 0;
        element_done(r);
        return true;
    }
    if (*r->line != '$' || n < 0 || n > TEXT_MAX)
        return false;
    r->text_len = (size_t)n;
    r->left = (size_t)n + 2;
    r->in_text = true;
    return true;
}

static size_t feed_line(bench_resp *r, const char *p, size_t n)
{
    const char *end = memchr(p, '\n', n);
    size_t len = end ? (size_t)(end - p) : n;
    if (r->line_len + len >= sizeof r->line) {
        r->broken = "a reply is not understood";
        return n;
    }
    memcpy(r->line + r->line_len, p, len);
    r->line_len += len;
    if (!end)
        return n;
    if (!whole_line(r))
        r->broken = "a reply is not understood";
    r->line_len = 0;
    return len + 1;
}

static size_t feed_text(bench_resp *r, const char *p, size_t n)
{
    size_t all = r->text_len + 2;
    size_t take = n < r->left ? n : r->left;
    r->text = r->left == all && take == all ? p : NULL;
    r->left -= take;
    if (!r->left) {
        r->in_text = false;
        element_done(r);
    }
    return take;
}

bool bench_resp_feed(bench_resp *r, const char *p, size_t n)
{
    size_t at = 0;
    while (at < n && !r->broken)
        at += (r->in_text ? feed_text : feed_line)(r, p + at, n - at);
    return !r->broken;
}

void bench_redis_command(buf *out, const char *command, const bench_target *to, const char *value)
{
    const char *key = to->path + 1;
    buf_addf(out, "*%d\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n", value ? 3 : 2, strlen(command), command,
             strlen(key), key);
    if (value)
        buf_addf(out, "$%zu\r\n%s\r\n", strlen(value), value);
}
