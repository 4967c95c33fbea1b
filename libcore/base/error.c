#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const error_info table[ERR_COUNT] = {
    [ERR_NONE] = {"NONE", 200, 0, 0, 0, "No error."},
#define ERR(name, http, rpc, close, exit, text)                                                    \
    [ERR_##name] = {#name, http, rpc, close, exit, text},
#include "base/errors.def"
#undef ERR
};

const error_info *error_describe(error_code code)
{
    if (code < 0 || code >= ERR_COUNT)
        code = ERR_INTERNAL_ERROR;
    return &table[code];
}

error_code error_by_name(const char *name)
{
    for (int i = 1; i < ERR_COUNT; i++) {
        if (strcmp(table[i].name, name) == 0)
            return (error_code)i;
    }
    return ERR_NONE;
}

/* vsnprintf may cut a UTF-8 sequence in two; such a tail must not reach a JSON answer. */
static void drop_cut_sequence(char *s)
{
    size_t n = strlen(s), back = 0;
    while (back < n && back < 4 && ((unsigned char)s[n - 1 - back] & 0xC0) == 0x80)
        back++;
    if (back == n)
        return;
    unsigned char lead = (unsigned char)s[n - 1 - back];
    size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (want > 1 && want != back + 1)
        s[n - 1 - back] = '\0';
}

bool error_set(error *e, error_code code, const char *fmt, ...)
{
    if (!e)
        return false;
    error_clear(e);
    e->code = code;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->message, sizeof e->message, fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof e->message)
        drop_cut_sequence(e->message);
    return false;
}

bool error_hint(error *e, const char *fmt, ...)
{
    if (!e)
        return false;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->hint, sizeof e->hint, fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof e->hint)
        drop_cut_sequence(e->hint);
    return false;
}
