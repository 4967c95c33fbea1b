#include "cli/problem.h"

#include <string.h>

static bool text_member(scan_text object, const char *name, buf *out)
{
    scan_text value;
    buf_clear(out);
    return scan_member(object, name, &value) && scan_unquote(out, value);
}

static error_code code_of_status(int status)
{
    switch (status) {
    case 401:
        return ERR_AUTH_FAILED;
    case 408:
    case 504:
        return ERR_TIMEOUT;
    case 429:
        return ERR_RATE_LIMIT_EXCEEDED;
    case 503:
        return ERR_BUSY;
    }
    for (int c = 1; c < ERR_COUNT; c++) {
        if (error_describe((error_code)c)->http_status == status)
            return (error_code)c;
    }
    return status >= 400 && status < 500 ? ERR_INVALID_MESSAGE : ERR_INTERNAL_ERROR;
}

void problem_of_status(int status, error *e)
{
    error_set(e, code_of_status(status), "the answer has status %d and is not from rustydb",
              status);
    error_hint(e, "does --url name a rustydb daemon?");
}

bool problem_read(scan_text object, int status, error *e)
{
    buf text = BUF_INIT;
    scan_text value;
    error_code code = ERR_NONE;
    if (text_member(object, "code", &text))
        code = error_by_name(buf_cstr(&text));
    bool has_code = text.len > 0;
    if (code == ERR_NONE)
        code = code_of_status(status);
    bool has_text = text_member(object, "detail", &text) || text_member(object, "message", &text) ||
                    text_member(object, "title", &text);
    if (has_code || has_text) {
        error_set(e, code, "%s", has_text ? buf_cstr(&text) : error_describe(code)->explain);
        if (text_member(object, "hint", &text))
            error_hint(e, "%s", buf_cstr(&text));
        if (scan_member(object, "position", &value))
            scan_int(value, &e->position);
        if (scan_member(object, "oldest", &value) || scan_member(object, "rows_kept", &value))
            scan_int(value, &e->detail);
    }
    buf_free(&text);
    return has_code || has_text;
}
