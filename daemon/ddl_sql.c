#include "daemon/ddl_sql.h"
#include "base/sqlname.h"
#include "engine/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { WHERE_ROOM = 80 };

/* ---- texts and names --------------------------------------------------------------------------
 */

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

/* Names in parentheses. */
static bool put_names(const json_t *names, const char *where, buf *out, error *e)
{
    size_t i;
    const json_t *one;
    buf_addc(out, '(');
    json_array_foreach(names, i, one)
    {
        if (i)
            buf_adds(out, ", ");
        if (!ddl_put_name(one, where, out, e))
            return false;
    }
    buf_addc(out, ')');
    return true;
}

static void put_table(const char *table, buf *out)
{
    buf_adds(out, "main.");
    sqlname_add(out, table);
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

/* In quotes SQLite would take what is no column for a text in some places. */
static bool are_columns(const json_t *columns, const json_t *names, const char *where, error *e)
{
    size_t i;
    const json_t *one;
    json_array_foreach(names, i, one)
    {
        if (!ddl_has_column(columns, json_string_value(one)))
            return error_set(e, ERR_INVALID_MESSAGE, "%s names '%s', which is not a column", where,
                             json_string_value(one));
    }
    return true;
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
    if (action)
        buf_addf(out, " %s %s", words, action);
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
    put_action(to, "on_delete", "ON DELETE", out);
    put_action(to, "on_update", "ON UPDATE", out);
    if (json_is_true(json_object_get(to, "deferred")))
        buf_adds(out, " DEFERRABLE INITIALLY DEFERRED");
    return true;
}

/* All of a column but a primary key. */
static bool put_column(const json_t *column, const char *where, buf *out, error *e)
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

/* ---- tables -----------------------------------------------------------------------------------
 */

static bool put_columns(const json_t *columns, buf *out, error *e)
{
    char where[WHERE_ROOM];
    size_t i;
    const json_t *one;
    json_array_foreach(columns, i, one)
    {
        if (i)
            buf_adds(out, ", ");
        snprintf(where, sizeof where, "columns[%zu].", i);
        if (!put_column(one, where, out, e))
            return false;
    }
    return true;
}

/* From `primary_key`, else from the columns that say so. */
static bool put_primary_key(const json_t *doc, buf *out, error *e)
{
    const json_t *columns = json_object_get(doc, "columns"), *one;
    const json_t *key = json_object_get(doc, "primary_key");
    size_t i, n = 0;
    json_array_foreach(columns, i, one)
    {
        if (!json_is_true(json_object_get(one, "primary_key")))
            continue;
        if (key)
            return error_set(e, ERR_INVALID_MESSAGE,
                             "the primary key is given by the table and by columns[%zu]", i);
        buf_adds(out, n++ ? ", " : ", PRIMARY KEY (");
        sqlname_add(out, json_string_value(json_object_get(one, "name")));
    }
    if (n)
        buf_addc(out, ')');
    if (!key)
        return true;
    buf_adds(out, ", PRIMARY KEY ");
    return are_columns(columns, key, "primary_key", e) && put_names(key, "primary_key", out, e);
}

static bool put_unique(const json_t *doc, buf *out, error *e)
{
    char where[WHERE_ROOM];
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(doc, "unique"), i, one)
    {
        snprintf(where, sizeof where, "unique[%zu]", i);
        buf_adds(out, ", UNIQUE ");
        if (!are_columns(json_object_get(doc, "columns"), one, where, e) ||
            !put_names(one, where, out, e))
            return false;
    }
    return true;
}

static bool put_checks(const json_t *doc, buf *out, error *e)
{
    char where[WHERE_ROOM];
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(doc, "checks"), i, one)
    {
        snprintf(where, sizeof where, "checks[%zu]", i);
        buf_adds(out, ", CHECK ");
        if (!ddl_put_expression(one, where, out, e))
            return false;
    }
    return true;
}

static void put_options(const json_t *doc, buf *out)
{
    bool strict = json_is_true(json_object_get(doc, "strict"));
    if (strict)
        buf_adds(out, " STRICT");
    if (json_is_true(json_object_get(doc, "without_rowid")))
        buf_adds(out, strict ? ", WITHOUT ROWID" : " WITHOUT ROWID");
}

bool ddl_create_table(const json_t *doc, buf *out, error *e)
{
    buf_adds(out, "CREATE TABLE main.");
    if (!ddl_put_name(json_object_get(doc, "name"), "name", out, e))
        return false;
    buf_adds(out, " (");
    if (!put_columns(json_object_get(doc, "columns"), out, e) || !put_primary_key(doc, out, e) ||
        !put_unique(doc, out, e) || !put_checks(doc, out, e))
        return false;
    buf_addc(out, ')');
    put_options(doc, out);
    return true;
}

static void alter(const char *table, const char *what, buf *out)
{
    buf_adds(out, "ALTER TABLE ");
    put_table(table, out);
    buf_addf(out, " %s ", what);
}

bool ddl_add_column(const char *table, const json_t *column, size_t at, buf *out, error *e)
{
    char where[WHERE_ROOM];
    snprintf(where, sizeof where, "add_columns[%zu].", at);
    alter(table, "ADD COLUMN", out);
    if (!put_column(column, where, out, e))
        return false;
    if (json_is_true(json_object_get(column, "primary_key")))
        buf_adds(out, " PRIMARY KEY"); /* SQLite says why it cannot be */
    return true;
}

bool ddl_drop_column(const char *table, const json_t *name, buf *out, error *e)
{
    alter(table, "DROP COLUMN", out);
    return ddl_put_name(name, "drop_columns", out, e);
}

bool ddl_rename_column(const char *table, const char *from, const json_t *to, buf *out, error *e)
{
    alter(table, "RENAME COLUMN", out);
    sqlname_add(out, from);
    buf_adds(out, " TO ");
    return ddl_put_name(to, "rename_columns", out, e);
}

bool ddl_rename_table(const char *table, const json_t *to, buf *out, error *e)
{
    alter(table, "RENAME TO", out);
    return ddl_put_name(to, "rename_to", out, e);
}
