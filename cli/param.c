#include "cli/param.h"

#include <string.h>

#include "cli/scan.h"
#include "cli/text.h"
#include "json/writer.h"

bool param_value(buf *out, const char *text, error *e)
{
    size_t n = strlen(text);
    if (scan_is_number(text, n) || strcmp(text, "true") == 0 || strcmp(text, "false") == 0 ||
        strcmp(text, "null") == 0) {
        buf_add(out, text, n);
        return true;
    }
    if (!text_valid_utf8(text, n))
        return error_set(e, ERR_INVALID_MESSAGE, "a parameter is not valid UTF-8");
    json_writer w;
    jw_init(&w, out);
    jw_strn(&w, text, n);
    return true;
}

bool param_array(buf *out, char **words, int n, error *e)
{
    buf_addc(out, '[');
    for (int i = 0; i < n; i++) {
        if (i > 0)
            buf_addc(out, ',');
        if (!param_value(out, words[i], e))
            return false;
    }
    buf_addc(out, ']');
    return true;
}

bool param_named(buf *out, bool first, const char *assignment, error *e)
{
    const char *equals = strchr(assignment, '=');
    const char *name = assignment + (strchr(":@$", *assignment) != NULL && *assignment != '\0');
    if (!equals || equals <= name)
        return error_set(e, ERR_INVALID_MESSAGE, "a named parameter is NAME=VALUE, not \"%s\"",
                         assignment);
    if (!text_valid_utf8(name, (size_t)(equals - name)))
        return error_set(e, ERR_INVALID_MESSAGE, "the name of a parameter is not valid UTF-8");
    json_writer w;
    if (!first)
        buf_addc(out, ',');
    jw_init(&w, out);
    jw_strn(&w, name, (size_t)(equals - name));
    buf_addc(out, ':');
    return param_value(out, equals + 1, e);
}
