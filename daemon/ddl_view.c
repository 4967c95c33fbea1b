#include "daemon/ddl_view.h"
#include "daemon/ddl_sql.h"
#include "base/sqlname.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* ---- looking at SQL text ----------------------------------------------------------------------
 */

/* Past blanks and comments. */
static const char *skip_blank(const char *s)
{
    for (;;) {
        const char *end;
        if (isspace((unsigned char)*s)) {
            s++;
        } else if (strncmp(s, "--", 2) == 0) {
            s += strcspn(s, "\n");
        } else if (strncmp(s, "/*", 2) == 0) {
            end = strstr(s + 2, "*/");
            s = end ? end + 2 : s + strlen(s);
        } else {
            return s;
        }
    }
}

static bool in_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* Past a name in quotes, in which the quote itself is doubled. */
static const char *skip_quoted(const char *s)
{
    char end = *s == '[' ? ']' : *s;
    for (s++; *s; s++) {
        if (*s == end && (end == ']' || s[1] != end))
            return s + 1;
        if (*s == end)
            s++;
    }
    return s;
}

/* Past a word, a name in quotes, or one other character. */
static const char *skip_token(const char *s)
{
    if (*s && strchr("'\"`[", *s))
        return skip_quoted(s);
    if (!in_word(*s))
        return *s ? s + 1 : s;
    while (in_word(*s))
        s++;
    return s;
}

static bool is_word(const char *s, const char *end, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(end - s) == n && strncasecmp(s, word, n) == 0;
}

/* ---- views ------------------------------------------------------------------------------------
 */

static bool begins_as_select(const char *sql)
{
    const char *s = skip_blank(sql), *end = skip_token(s);
    return is_word(s, end, "SELECT") || is_word(s, end, "WITH") || is_word(s, end, "VALUES");
}

static bool put_columns(const json_t *columns, buf *out, error *e)
{
    size_t i;
    const json_t *one;
    json_array_foreach(columns, i, one)
    {
        buf_adds(out, i ? ", " : " (");
        if (!ddl_put_name(one, "columns", out, e))
            return false;
    }
    if (columns)
        buf_addc(out, ')');
    return true;
}

bool ddl_create_view(const char *name, const json_t *doc, buf *out, error *e)
{
    const char *sql;
    if (!ddl_text(doc, "sql", "", &sql, e))
        return false;
    if (!begins_as_select(sql)) {
        error_set(e, ERR_INVALID_MESSAGE, "sql is not a SELECT");
        return error_hint(e, "Give what follows AS in CREATE VIEW: SELECT, VALUES or WITH.");
    }
    buf_adds(out, "CREATE VIEW main.");
    sqlname_add(out, name);
    if (!put_columns(json_object_get(doc, "columns"), out, e))
        return false;
    buf_addf(out, " AS %s", sql);
    return true;
}

/* CREATE VIEW, the name, names in parentheses perhaps, AS. The first word AS behind the name is it,
 * since the names between are apart: SQLite takes no keyword for one without quotes. */
const char *ddl_view_select(const char *create)
{
    const char *s = create;
    for (int i = 0; *s; i++) {
        s = skip_blank(s);
        const char *end = skip_token(s);
        if (i > 2 && is_word(s, end, "AS"))
            return skip_blank(end);
        s = end;
    }
    return create;
}
