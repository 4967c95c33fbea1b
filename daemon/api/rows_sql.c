/* Statements on the rows of a table, piece by piece. */
#include "daemon/api/rows.h"
#include "base/sqlname.h"
#include "daemon/params.h"
#include "daemon/rows.h"

#include <stdio.h>
#include <string.h>

bool rows_no_memory(error *e)
{
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

void row_sql_init(row_sql *s, rows_op *op)
{
    *s = (row_sql){.op = op};
}

void row_sql_add(row_sql *s, const char *text)
{
    buf_adds(&s->text, text);
}

void row_sql_name(row_sql *s, const char *name)
{
    sqlname_add(&s->text, name);
}

void row_sql_table(row_sql *s)
{
    if (s->op->table.grants) /* job.structured names it so */
        row_sql_add(s, "main.");
    row_sql_name(s, s->op->table.name);
}

const char *row_sql_insert(const rows_op *op)
{
    return op->table.grants ? "INSERT OR ABORT INTO " : "INSERT INTO ";
}

const char *row_sql_update(const rows_op *op)
{
    return op->table.grants ? "UPDATE OR ABORT " : "UPDATE ";
}

void row_sql_add_column(buf *out, const row_table *t, const char *name)
{
    sqlname_add(out, t->name);
    buf_addc(out, '.');
    sqlname_add(out, name);
}

void row_sql_column(row_sql *s, const char *name)
{
    row_sql_add_column(&s->text, &s->op->table, name);
}

void row_sql_value(row_sql *s, const value *v)
{
    buf_addf(&s->text, "?%d", s->n + 1); /* by number: a policy may need it more than once */
    if (s->n == s->cap) {
        int cap = s->cap ? s->cap * 2 : 16;
        value *grown = arena_alloc(&s->op->r->job.mem, sizeof *grown * (size_t)cap);
        if (!grown) {
            s->text.failed = true;
            return;
        }
        if (s->n)
            memcpy(grown, s->params, sizeof *grown * (size_t)s->n);
        s->params = grown;
        s->cap = cap;
    }
    s->params[s->n++] = *v;
}

void row_sql_all_columns(row_sql *s)
{
    const row_table *t = &s->op->table;
    for (int i = 0; i < t->n_columns; i++) {
        row_sql_add(s, i ? ", " : " ");
        row_sql_shown(s, &t->columns[i]);
    }
}

void row_sql_and(row_sql *s)
{
    row_sql_add(s, s->where ? " AND " : " WHERE ");
    s->where = true;
}

void row_sql_seen(row_sql *s)
{
    if (!s->op->table.grants)
        return;
    row_sql_and(s);
    row_sql_visible(s);
}

/* The value itself is what is looked up; one that is shown otherwise is not there. */
void row_sql_where_key(row_sql *s, const value *key)
{
    const row_table *t = &s->op->table;
    for (int i = 0; i < t->n_key; i++) {
        const row_column *c = &t->columns[t->key[i]];
        row_sql_and(s);
        row_sql_column(s, c->name);
        row_sql_add(s, " = ");
        row_sql_value(s, &key[i]);
        if (!c->masked && !c->hidden)
            continue;
        row_sql_and(s);
        row_sql_shown(s, c);
        row_sql_add(s, " IS ");
        row_sql_column(s, c->name);
    }
    row_sql_seen(s);
}

void row_sql_set(row_sql *s, const row_values *v)
{
    for (int i = 0; i < v->n; i++) {
        row_sql_add(s, i ? ", " : " SET ");
        row_sql_name(s, v->columns[i]->name);
        row_sql_add(s, " = ");
        row_sql_value(s, &v->values[i]);
    }
}

void row_sql_fallback(row_sql *s, const row_column *c)
{
    if (c->bare) {
        const value text = {.type = VALUE_TEXT, .len = strlen(c->fallback), .p = c->fallback};
        row_sql_value(s, &text);
    } else {
        row_sql_add(s, "(");
        row_sql_add(s, c->fallback ? c->fallback : "NULL");
        row_sql_add(s, ")");
    }
}

bool row_sql_end(row_sql *s, bool ok, error *e)
{
    job *j = &s->op->r->job;
    engine_stmt *to = &s->op->stmts[j->n_stmts];
    if (ok && s->n > PARAMS_MAX)
        ok = error_set(e, ERR_INVALID_MESSAGE, "more than %d values in one statement", PARAMS_MAX);
    if (ok) {
        *to = (engine_stmt){.n_params = s->n, .params = s->params};
        to->sql = s->text.failed ? NULL : arena_strndup(&j->mem, s->text.data, s->text.len);
        ok = to->sql || rows_no_memory(e);
    }
    if (ok)
        s->op->extras[j->n_stmts++] = s->extra;
    buf_free(&s->text);
    return ok;
}

value row_stored(const row_column *c, const value *v)
{
    if (c->real && v->type == VALUE_INT)
        return (value){.type = VALUE_REAL, .d = (double)v->i};
    return *v;
}

void row_write(json_writer *w, const row_table *t, const value *row)
{
    jw_begin_object(w);
    for (int i = 0; i < t->n_columns; i++) {
        if (t->columns[i].hidden)
            continue;
        jw_keyn(w, t->columns[i].name, strlen(t->columns[i].name));
        const value v = row_stored(&t->columns[i], &row[i]);
        value_write_json(w, &v);
    }
    jw_end_object(w);
}

/* ---- what a body holds ------------------------------------------------------------------------
 */

static bool has_column(const row_values *v, const row_column *c)
{
    for (int i = 0; i < v->n; i++) {
        if (v->columns[i] == c)
            return true;
    }
    return false;
}

bool row_values_read(rows_op *op, json_t *object, bool skip_generated, const char *where,
                     row_values *out, error *e)
{
    arena *mem = &op->r->job.mem;
    const char *key;
    json_t *item;
    char what[160];
    *out = (row_values){
        .columns = arena_alloc(mem, sizeof *out->columns * (json_object_size(object) + 1)),
        .values = arena_alloc(mem, sizeof *out->values * (json_object_size(object) + 1)),
    };
    if (!out->columns || !out->values)
        return rows_no_memory(e);
    json_object_foreach(object, key, item)
    {
        const row_column *c = row_table_find(&op->table, key, strlen(key), e);
        if (!c)
            return false;
        snprintf(what, sizeof what, "%s%s", where, key);
        if (c->generated && skip_generated)
            continue;
        if (c->generated)
            return error_set(e, ERR_INVALID_MESSAGE, "%s: the column is computed, not written",
                             what);
        if (has_column(out, c))
            return error_set(e, ERR_INVALID_MESSAGE, "%s: the column is given twice", what);
        if (!rows_value_from_json(&out->values[out->n], item, mem, what, e))
            return false;
        out->columns[out->n++] = c;
    }
    return true;
}
