#include "cli/answer.h"

#include <string.h>

#include "cli/problem.h"
#include "cli/scan.h"

enum { MAX_LINE = 1 << 30 }; /* bytes of one row */

void answer_init(answer *a, format *f)
{
    *a = (answer){.format = f};
    a->line.limit = MAX_LINE;
    error_clear(&a->err);
}

static bool not_understood(answer *a)
{
    return error_set(&a->err, ERR_CLIENT_ERROR, "the daemon's answer is not understood");
}

static bool take_end(answer *a, scan_text end)
{
    scan_text v;
    a->ended = true;
    if (scan_member(end, "changes", &v))
        scan_int(v, &a->changes);
    if (scan_member(end, "truncated", &v))
        a->truncated = v.n == 4; /* true */
    if (scan_member(end, "elapsed_ms", &v) && v.n < sizeof a->elapsed_ms) {
        memcpy(a->elapsed_ms, v.p, v.n);
        a->elapsed_ms[v.n] = '\0';
    }
    if (a->has_columns)
        format_end(a->format);
    return true;
}

static bool take_object(answer *a, scan_text object)
{
    scan_text v;
    if (scan_member(object, "columns", &v)) {
        scan_items it;
        scan_text first;
        a->has_columns = scan_enter(&it, v) && scan_next(&it, NULL, &first);
        return !a->has_columns || format_begin(a->format, v) || not_understood(a);
    }
    if (scan_member(object, "end", &v))
        return take_end(a, v);
    if (scan_member(object, "error", &v)) {
        a->ended = true;
        return problem_read(v, 0, &a->err) ? false : not_understood(a);
    }
    return not_understood(a);
}

static bool take_line(answer *a, const char *p, size_t n)
{
    scan_text v = scan_value(p, n);
    switch (scan_kind_of(v)) {
    case SCAN_ARRAY:
        if (!a->has_columns || a->ended || !format_row(a->format, v))
            return not_understood(a);
        a->rows++;
        return true;
    case SCAN_OBJECT:
        return take_object(a, v);
    case SCAN_NOTHING:
        if (n == 0)
            return true;
        /* fall through */
    default:
        return not_understood(a);
    }
}

bool answer_feed(answer *a, const char *p, size_t n)
{
    const char *end = p + n, *eol;
    while (a->err.code == ERR_NONE && (eol = memchr(p, '\n', (size_t)(end - p)))) {
        if (a->line.len > 0) {
            buf_add(&a->line, p, (size_t)(eol - p));
            if (!a->line.failed)
                take_line(a, a->line.data, a->line.len);
        } else {
            take_line(a, p, (size_t)(eol - p));
        }
        if (a->line.failed)
            return error_set(&a->err, ERR_MESSAGE_TOO_BIG, "a row is too big for this command");
        buf_clear(&a->line);
        p = eol + 1;
    }
    if (a->err.code == ERR_NONE)
        buf_add(&a->line, p, (size_t)(end - p));
    return a->err.code == ERR_NONE;
}

bool answer_finish(answer *a)
{
    if (a->err.code == ERR_NONE && a->line.len > 0)
        answer_feed(a, "\n", 1);
    if (a->err.code == ERR_NONE && !a->ended)
        return error_set(&a->err, ERR_CANNOT_CONNECT, "the answer ended before it was complete");
    return a->err.code == ERR_NONE;
}

void answer_free(answer *a)
{
    buf_free(&a->line);
}
