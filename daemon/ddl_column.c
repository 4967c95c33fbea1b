#include "daemon/ddl_sql.h"
#include "engine/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { WHERE_ROOM = 80 };

/* ---- defaults ---------------------------------------------------------------------------------
 */

static void put_quoted(const char *p, size_t n, buf *out)
{
    buf_addc(out, '\'');
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\'')
            buf_addc(out, '\'');
        buf_addc(out, p[i]);
    }
    buf_addc(out, '\'');
}

static void put_hex(const char *p, size_t n, buf *out)
{
    buf_adds(out, "X'");
    for (size_t i = 0; i < n; i++)
        buf_addf(out, "%02X", (unsigned char)p[i]);
    buf_addc(out, '\'');
}

static void put_real(double d, buf *out)
{
    char text[32];
    if (d - d != 0)
        buf_adds(out, d > 0 ? "9e999" : "-9e999"); /* infinity: a NaN does not occur */
    else
        buf_add(out, text, json_format_real(d, text));
}

static bool put_literal(const value *v, const char *where, buf *out, error *e)
{
    switch (v->type) {
    case VALUE_NULL:
        buf_adds(out, "NULL");
        break;
    case VALUE_INT:
        buf_addf(out, "%" PRId64, v->i);
        break;
    case VALUE_REAL:
        put_real(v->d, out);
        break;
    case VALUE_TEXT:
        if (memchr(v->p, '\0', v->len))
            return error_set(e, ERR_INVALID_MESSAGE, "%s holds a NUL character", where);
        put_quoted(v->p, v->len, out);
        break;
    case VALUE_BLOB:
        put_hex(v->p, v->len, out);
        break;
    }
    return true;
}

/* The expressions are a closed list, checked by the schema. */
static bool put_default(json_t *given, const char *where, buf *out, error *e)
{
    const char *expression = json_string_value(json_object_get(given, "expression"));
    arena mem = ARENA_INIT;
    value v;
    if (!given)
        return true;
    if (json_is_object(given) && json_object_size(given) != 1)
        return error_set(e, ERR_INVALID_MESSAGE, "%s is an object with %zu members; it has one",
                         where, json_object_size(given));
    buf_adds(out, " DEFAULT ");
    if (expression) {
        buf_addf(out, "(%s)", expression);
        return true;
    }
    bool ok = value_from_json(&v, given, &mem, where, e) && put_literal(&v, where, out, e);
    arena_free(&mem);
    return ok;
}

/* ---- columns ----------------------------------------------------------------------------------
 */

/* The words that a constraint starts with are not part of a type, though a type may be any words.
 */
static bool is_constraint_word(const char *s, size_t n)
{
    static const char *const words[] = {"as",        "check",      "collate", "constraint",
                                        "default",   "deferrable", "foreign", "generated",
                                        "initially", "not",        "null",    "on",
                                        "primary",   "references", "unique"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i]) == n && strncasecmp(words[i], s, n) == 0)
            return true;
    }
    return false;
}

static bool put_type(const json_t *column, const char *where, buf *out, error *e)
{
    const char *type;
    if (!ddl_text(column, "type", where, &type, e))
        return false;
    if (!type)
        return true;
    for (const char *s = type; *s;) {
        size_t n = strcspn(s, " (");
        if (is_constraint_word(s, n)) {
            error_set(e, ERR_INVALID_MESSAGE, "%stype has '%.*s', which is not part of a type",
                      where, (int)n, s);
            return error_hint(e, "Constraints have members of their own, such as not_null.");
        }
        s += n;
        s += strspn(s, " (");
    }
    buf_addf(out, " %s", type);
    return true;
}

static bool put_generated(const json_t *column, const char *where, buf *out, error *e)
{
    const json_t *generated = json_object_get(column, "generated");
    char what[WHERE_ROOM + 24];
    if (!generated)
        return true;
    snprintf(what, sizeof what, "%sgenerated.expression", where);
    buf_adds(out, " GENERATED ALWAYS AS ");
    if (!ddl_put_expression(json_object_get(generated, "expression"), what, out, e))
        return false;
    if (json_is_true(json_object_get(generated, "stored")))
        buf_adds(out, " STORED");
    return true;
}

static void put_action(const json_t *from, const char *name, const char *words, buf *out)
{
    const char *action = json_string_value(json_object_get(from, name));
    if (action) /* one of a list */
        buf_addf(out, " %s %s", words, action);
}

void ddl_put_actions(const json_t *key, buf *out)
{
    put_action(key, "on_delete", "ON DELETE", out);
    put_action(key, "on_update", "ON UPDATE", out);
    if (json_is_true(json_object_get(key, "deferred")))
        buf_adds(out, " DEFERRABLE INITIALLY DEFERRED");
}

static bool put_references(const json_t *to, const char *where, buf *out, error *e)
{
    const json_t *column = json_object_get(to, "column");
    char what[WHERE_ROOM + 24];
    if (!to)
        return true;
    buf_adds(out, " REFERENCES ");
    snprintf(what, sizeof what, "%sreferences.table", where);
    if (!ddl_put_name(json_object_get(to, "table"), what, out, e))
        return false;
    if (column) {
        snprintf(what, sizeof what, "%sreferences.column", where);
        buf_addc(out, '(');
        if (!ddl_put_name(column, what, out, e))
            return false;
        buf_addc(out, ')');
    }
    ddl_put_actions(to, out);
    return true;
}

bool ddl_put_column(const json_t *column, const char *where, buf *out, error *e)
{
    const json_t *check = json_object_get(column, "check");
    const char *collation = json_string_value(json_object_get(column, "collation"));
    char what[WHERE_ROOM + 24];
    snprintf(what, sizeof what, "%sname", where);
    if (!ddl_put_name(json_object_get(column, "name"), what, out, e) ||
        !put_type(column, where, out, e))
        return false;
    if (json_is_true(json_object_get(column, "not_null")))
        buf_adds(out, " NOT NULL");
    if (json_is_true(json_object_get(column, "unique")))
        buf_adds(out, " UNIQUE");
    if (collation) /* one of a list */
        buf_addf(out, " COLLATE %s", collation);
    snprintf(what, sizeof what, "%sdefault", where);
    if (!put_default(json_object_get(column, "default"), what, out, e) ||
        !put_generated(column, where, out, e))
        return false;
    if (check) {
        buf_adds(out, " CHECK ");
        snprintf(what, sizeof what, "%scheck", where);
        if (!ddl_put_expression(check, what, out, e))
            return false;
    }
    return put_references(json_object_get(column, "references"), where, out, e);
}
