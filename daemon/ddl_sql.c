#include "daemon/ddl_sql.h"
#include "base/sqlname.h"

#include <string.h>
#include <strings.h>

/* ---- texts and names --------------------------------------------------------------------------
 */

/* SQL text cannot hold a NUL. */
static bool usable_text(const json_t *text, const char *where, const char *name, error *e)
{
    if (strlen(json_string_value(text)) == json_string_length(text))
        return true;
    return error_set(e, ERR_INVALID_MESSAGE, "%s%s holds a NUL character", where, name);
}

bool ddl_text(const json_t *from, const char *name, const char *where, const char **out, error *e)
{
    const json_t *text = json_object_get(from, name);
    *out = json_string_value(text);
    return !*out || usable_text(text, where, name, e);
}

bool ddl_put_name(const json_t *name, const char *where, buf *out, error *e)
{
    if (!usable_text(name, where, "", e))
        return false;
    sqlname_add(out, json_string_value(name));
    return true;
}

bool ddl_has_column(const json_t *columns, const char *name)
{
    size_t i;
    const json_t *one;
    json_array_foreach(columns, i, one)
    {
        if (strcasecmp(json_string_value(json_object_get(one, "name")), name) == 0)
            return true;
    }
    return false;
}

/* ---- expressions ------------------------------------------------------------------------------
 */

/* Behind the quoted text that starts at s; NULL when it does not end. A doubled quote is two texts
 * without a gap, which is as good here. */
static const char *skip_quoted(const char *s)
{
    const char *end = strchr(s + 1, *s == '[' ? ']' : *s);
    return end ? end + 1 : NULL;
}

/* Why a text cannot be an expression in parentheses; NULL when it can, as far as its outer form
 * goes: the rest is SQLite's to say. */
static const char *why_not_expression(const char *s)
{
    int depth = 0;
    if (!s[strspn(s, " \t\r\n\f")])
        return "is empty";
    while (*s) {
        if (strchr("'\"`[", *s)) {
            s = skip_quoted(s);
            if (!s)
                return "has a quote that does not end";
            continue;
        }
        if (*s == ';')
            return "has a semicolon";
        if (strncmp(s, "--", 2) == 0 || strncmp(s, "/*", 2) == 0)
            return "has a comment";
        depth += (*s == '(') - (*s == ')');
        if (depth < 0)
            break;
        s++;
    }
    return depth ? "has parentheses that do not match" : NULL;
}

bool ddl_put_expression(const json_t *text, const char *where, buf *out, error *e)
{
    if (!usable_text(text, where, "", e))
        return false;
    const char *why = why_not_expression(json_string_value(text));
    if (why) {
        error_set(e, ERR_INVALID_MESSAGE, "%s %s", where, why);
        return error_hint(e, "Give one SQL expression, such as price > 0.");
    }
    buf_addf(out, "(%s)", json_string_value(text));
    return true;
}
