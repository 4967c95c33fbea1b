#include "daemon/prefer.h"

#include <string.h>
#include <strings.h>

static const char *skip_blanks(const char *p)
{
    return p + strspn(p, " \t");
}

/* Behind a name and an equals sign: digits, perhaps in quotes. */
static bool read_seconds(const char *p, int64_t max, int64_t *out)
{
    p = skip_blanks(p);
    if (*p != '=')
        return false;
    p = skip_blanks(p + 1);
    p += *p == '"';
    size_t n = strspn(p, "0123456789");
    *out = 0;
    for (size_t i = 0; i < n && *out < max; i++)
        *out = *out * 10 + (p[i] - '0');
    *out = *out < max ? *out : max;
    p = skip_blanks(p + n + (p[n] == '"'));
    return n > 0 && (!*p || *p == ',' || *p == ';');
}

bool prefer_wait(const char *header, int64_t max, int64_t *seconds)
{
    for (const char *p = header; p && *p; p += *p == ',') {
        p = skip_blanks(p);
        if (strncasecmp(p, "wait", 4) == 0 && strchr(" \t=", p[4]))
            return read_seconds(p + 4, max, seconds);
        p += strcspn(p, ",");
    }
    return false;
}
