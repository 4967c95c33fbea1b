#include "config/values.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/address.h"
#include "config/networks.h"
#include "config/units.h"

typedef void format_fn(int64_t v, char *out);

static void format_int(int64_t v, char *out)
{
    snprintf(out, 24, "%" PRId64, v);
}

static bool in_range(const setting_info *s, const char *text, int64_t v, format_fn *format,
                     error *e)
{
    if (v >= s->min && v <= s->max)
        return true;
    char low[24], high[24];
    format(s->min, low);
    format(s->max, high);
    return error_set(e, ERR_INVALID_MESSAGE, "\"%.64s\" is not within %s to %s", text, low, high);
}

static bool parse_INT(const setting_info *s, const char *text, int64_t *to, error *e)
{
    if (!units_parse_int(text, to))
        return error_set(e, ERR_INVALID_MESSAGE, "\"%.64s\" is not a whole number", text);
    return in_range(s, text, *to, format_int, e);
}

static bool parse_SIZE(const setting_info *s, const char *text, int64_t *to, error *e)
{
    if (!units_parse_size(text, to))
        return error_set(e, ERR_INVALID_MESSAGE,
                         "\"%.64s\" is not a size in bytes such as 4096, 64k, 16m or 2g", text);
    return in_range(s, text, *to, units_format_size, e);
}

static bool parse_MS(const setting_info *s, const char *text, int64_t *to, error *e)
{
    if (!units_parse_ms(text, to))
        return error_set(e, ERR_INVALID_MESSAGE,
                         "\"%.64s\" is not a time such as 500ms, 30s, 5min, 12h or 7d", text);
    return in_range(s, text, *to, units_format_ms, e);
}

__attribute__((unused)) /* for as long as no setting is of this type */
static bool
parse_BOOL(const setting_info *s, const char *text, bool *to, error *e)
{
    (void)s;
    static const char *const words[][2] = {
        {"off", "on"}, {"false", "true"}, {"no", "yes"}, {"0", "1"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        for (int v = 0; v < 2; v++) {
            if (strcasecmp(text, words[i][v]) == 0) {
                *to = v;
                return true;
            }
        }
    }
    return error_set(e, ERR_INVALID_MESSAGE, "\"%.64s\" is neither on nor off", text);
}

static bool parse_STR(const setting_info *s, const char *text, const char **to, error *e)
{
    if (!*text && *s->fallback)
        return error_set(e, ERR_INVALID_MESSAGE, "it may not be empty");
    *to = text;
    return true;
}

/* The words stand in braces at the beginning of the help. */
static bool parse_ENUM(const setting_info *s, const char *text, const char **to, error *e)
{
    const char *words = s->help + 1;
    size_t all = strcspn(words, "}"), n = strlen(text);
    for (const char *w = words; w < words + all;) {
        size_t length = strcspn(w, " }");
        if (length == n && memcmp(w, text, n) == 0) {
            *to = text;
            return true;
        }
        w += length;
        w += strspn(w, " ");
    }
    return error_set(e, ERR_INVALID_MESSAGE, "\"%.64s\" is none of: %.*s", text, (int)all, words);
}

/* It stands in a page and in headers as it is, and is no place of the interface itself. */
static bool is_page_path(const char *text)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/";
    size_t n = strlen(text);
    return n > 1 && n < 200 && text[0] == '/' && text[n - 1] != '/' && strspn(text, good) == n &&
           !strstr(text, "//") && strncmp(text, "/api/", 5) != 0 &&
           strncmp(text, "/api-docs", 9) != 0;
}

static bool is_networks(const char *text, error *e)
{
    networks list;
    if (!networks_parse(text, &list, e))
        return false;
    networks_free(&list);
    return true;
}

static bool is_host_name(const char *name, size_t n)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    if (n > 2 && name[0] == '*' && name[1] == '.')
        name += 2, n -= 2;
    return n < 254 && strspn(name, good) >= n && name[0] != '.';
}

static bool is_hosts(const char *text, error *e)
{
    for (text += strspn(text, " ,"); *text; text += strspn(text, " ,")) {
        size_t n = strcspn(text, " ,");
        if (!(n == 1 && *text == '*') && !is_host_name(text, n))
            return error_set(e, ERR_INVALID_MESSAGE,
                             "\"%.*s\" is no name such as db.example.org, without a port",
                             n > 64 ? 64 : (int)n, text);
        text += n;
    }
    return true;
}

static bool is_mode(const char *text)
{
    size_t n = strlen(text);
    return n >= 3 && n <= 4 && strspn(text, "01234567") == n && (n == 3 || text[0] == '0');
}

/* What the type alone does not tell. */
static bool check(int id, const char *text, error *e)
{
    address ignored;
    switch (id) {
    case SETTING_ID_swagger_path:
        return is_page_path(text) ||
               error_set(e, ERR_INVALID_MESSAGE,
                         "\"%.64s\" is no path such as /swagger-ui, of letters, digits, - and _",
                         text);
    case SETTING_ID_listen:
        return strcmp(text, "none") == 0 || address_parse(text, &ignored, e);
    case SETTING_ID_unix_mode:
        return is_mode(text) || error_set(e, ERR_INVALID_MESSAGE,
                                          "\"%.64s\" is no mode of a file such as 0660", text);
    case SETTING_ID_allow_networks:
    case SETTING_ID_deny_networks:
    case SETTING_ID_trusted_proxies:
        return is_networks(text, e);
    case SETTING_ID_hosts:
        return is_hosts(text, e);
    default:
        return true;
    }
}

bool values_assign(config *c, int id, const char *text, error *e)
{
    bool ok = false;
    switch (id) {
#define SETTING(type, name, def, min, max, rt, help)                                               \
    case SETTING_ID_##name:                                                                        \
        ok = parse_##type(&settings[id], text, &c->name, e);                                       \
        break;
#include "config/settings.def"
#undef SETTING
    }
    return ok && check(id, text, e);
}
