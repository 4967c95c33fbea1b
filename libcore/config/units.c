#include "config/units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

typedef struct unit {
    const char *name;
    int64_t factor;
} unit;

/* Largest first; the first name of a factor is the one shown. */
static const unit sizes[] = {
    {"t", 1ll << 40}, {"tb", 1ll << 40}, {"tib", 1ll << 40},
    {"g", 1ll << 30}, {"gb", 1ll << 30}, {"gib", 1ll << 30},
    {"m", 1ll << 20}, {"mb", 1ll << 20}, {"mib", 1ll << 20},
    {"k", 1ll << 10}, {"kb", 1ll << 10}, {"kib", 1ll << 10},
    {"", 1},          {"b", 1},
};
static const unit times[] = {
    {"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}, {"", 1},
};
static const unit plain[] = {{"", 1}};

#define COUNT(table) (int)(sizeof(table) / sizeof *(table))

static bool parse(const char *text, const unit *units, int n, int64_t *out)
{
    const char *digits = *text == '-' || *text == '+' ? text + 1 : text;
    if (!isdigit((unsigned char)*digits))
        return false;
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (errno)
        return false;
    while (*end == ' ')
        end++;
    for (int i = 0; i < n; i++) {
        if (strcasecmp(end, units[i].name) == 0)
            return !__builtin_mul_overflow(v, units[i].factor, out);
    }
    return false;
}

static void format(int64_t v, const unit *units, int n, char *out)
{
    for (int i = 0; i < n; i++) {
        if (v != 0 && v % units[i].factor == 0) {
            snprintf(out, 24, "%" PRId64 "%s", v / units[i].factor, units[i].name);
            return;
        }
    }
    snprintf(out, 24, "%" PRId64, v);
}

bool units_parse_int(const char *text, int64_t *out)
{
    return parse(text, plain, COUNT(plain), out);
}

bool units_parse_size(const char *text, int64_t *out)
{
    return parse(text, sizes, COUNT(sizes), out);
}

bool units_parse_ms(const char *text, int64_t *out)
{
    return parse(text, times, COUNT(times), out);
}

void units_format_size(int64_t bytes, char *out)
{
    format(bytes, sizes, COUNT(sizes), out);
}

void units_format_ms(int64_t ms, char *out)
{
    format(ms, times, COUNT(times), out);
}
