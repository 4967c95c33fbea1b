/* Conditions on columns from the query: COLUMN=OP.VALUE. */
#include "daemon/api/rows.h"
#include "daemon/route.h"
#include "engine/policy.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *sql;
} comparisons[] = {
    {"eq", " = "},   {"ne", " <> "}, {"neq", " <> "}, {"lt", " < "},
    {"lte", " <= "}, {"gt", " > "},  {"gte", " >= "}, {"like", " LIKE "},
};

static bool starts(const char **text, const char *with)
{
    size_t n = strlen(with);
    if (strncmp(*text, with, n) != 0)
        return false;
    *text += n;
    return true;
}

static bool unknown(const row_column *c, const char *text, error *e)
{
    error_set(e, ERR_INVALID_MESSAGE, "%s=%.100s is no condition", c->name, text);
    return error_hint(e,
                      "%s=OP.VALUE with eq, ne, lt, lte, gt, gte, like, in.(a,b), is.null, "
                      "not.null, or any of them behind not.",
                      c->name);
}

/* What a condition is about. A column that is never masked stands for itself, so that its type and
 * collation count, inside what guards it (add_guarded); another is what is shown in its place. */
static void add_subject(row_sql *s, const row_column *c)
{
    if (c->masked)
        row_sql_shown(s, c);
    else
        row_sql_column(s, c->name);
}

static bool add_compared(row_sql *s, const row_column *c, const char *sql, const char *text,
                         bool like, error *e)
{
    row_item item;
    value v;
    arena *mem = &s->op->r->job.mem;
    if (!row_item_of(text, c, mem, &item, e))
        return false;
    if (like)
        v = (value){.type = VALUE_TEXT, .len = item.n, .p = item.text};
    else if (!row_item_value(&item, c, mem, &v, e))
        return false;
    if (c->masked)
        row_value_as_shown(c, &v);
    add_subject(s, c);
    row_sql_add(s, sql);
    row_sql_value(s, &v);
    return true;
}

/* `text` is behind the opening parenthesis. */
static bool add_list(row_sql *s, const row_column *c, const char *text, error *e)
{
    const char *at = text;
    arena *mem = &s->op->r->job.mem;
    add_subject(s, c);
    row_sql_add(s, " IN (");
    for (bool first = true; *at != ')' || !first; first = false) {
        row_item item;
        value v;
        if (!row_item_next(&at, ')', mem, &item, e) || !row_item_value(&item, c, mem, &v, e))
            return false;
        if (c->masked)
            row_value_as_shown(c, &v);
        if (!first)
            row_sql_add(s, ", ");
        row_sql_value(s, &v);
        if (*at != ',')
            break;
        at++;
    }
    row_sql_add(s, ")");
    return (at[0] == ')' && !at[1]) ||
           error_set(e, ERR_INVALID_MESSAGE, "%s=in.(%.100s: the list does not end with ')'",
                     c->name, text);
}

static bool add_is(row_sql *s, const row_column *c, const char *text)
{
    static const struct {
        const char *name, *sql;
    } states[] = {{"null", " IS NULL"},
                  {"not_null", " IS NOT NULL"},
                  {"true", " IS TRUE"},
                  {"false", " IS FALSE"}};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        if (strcmp(text, states[i].name) == 0) {
            add_subject(s, c);
            row_sql_add(s, states[i].sql);
            return true;
        }
    }
    return false;
}

static bool add_condition(row_sql *s, const row_column *c, const char *text, error *e)
{
    const char *at = text;
    if (starts(&at, "is."))
        return add_is(s, c, at) || unknown(c, text, e);
    if (starts(&at, "in.("))
        return add_list(s, c, at, e);
    for (size_t i = 0; i < sizeof comparisons / sizeof *comparisons; i++) {
        at = text;
        if (starts(&at, comparisons[i].name) && *at == '.')
            return add_compared(s, c, comparisons[i].sql, at + 1,
                                strcmp(comparisons[i].name, "like") == 0, e);
    }
    return unknown(c, text, e);
}

static bool add_one(row_sql *s, const row_column *c, const char *text, error *e)
{
    if (strcmp(text, "not.null") == 0)
        return add_is(s, c, "not_null");
    if (!starts(&text, "not."))
        return add_condition(s, c, text, e);
    row_sql_add(s, "NOT (");
    if (!add_condition(s, c, text, e))
        return false;
    row_sql_add(s, ")");
    return true;
}

/* No condition is looked at for a row that may not be seen, whose value it could tell by what it
 * takes or by failing: SQLite is free to look at the terms of a WHERE in any order. */
static bool add_guarded(row_sql *s, const row_column *c, const char *text, error *e)
{
    const access_table *grants = s->op->table.grants;
    if (!grants || c->masked)
        return add_one(s, c, text, e);
    buf before = s->text;
    s->text = BUF_INIT;
    row_sql_add(s, "(");
    bool ok = add_one(s, c, text, e);
    row_sql_add(s, ")");
    buf condition = s->text;
    s->text = before;
    policy_column(&s->text, grants, c->name, buf_cstr(&condition));
    s->text.failed = s->text.failed || condition.failed;
    buf_free(&condition);
    return ok;
}

static bool is_described(const request *q, const char *name, size_t n)
{
    for (int i = 0; i < q->route->n_query; i++) {
        const char *known = q->route->query_parameters[i].name;
        if (strncmp(known, name, n) == 0 && !known[n])
            return true;
    }
    return false;
}

/* A name in double quotes is always a column's, also where a parameter has that name. */
bool row_filter_add(row_sql *s, const request *q, bool *any, error *e)
{
    *any = false;
    for (const char *at = q->query; *at; at += strlen(at) + 1) {
        const char *name = at;
        size_t len = strcspn(at, "="), n = len;
        if (is_described(q, at, len))
            continue;
        if (len >= 2 && at[0] == '"' && at[len - 1] == '"') {
            name++;
            n -= 2;
        }
        const row_column *c = row_table_find(&s->op->table, name, n, e);
        if (!c || !row_column_readable(&s->op->table, c, e))
            return false;
        row_sql_and(s);
        *any = true;
        if (!add_guarded(s, c, at[len] ? at + len + 1 : "", e))
            return false;
    }
    return true;
}
