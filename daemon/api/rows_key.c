/* GET, PUT, PATCH and DELETE /tables/{name}/rows/{key}. */
#include "daemon/api/rows_one.h"

#include <string.h>

static const char *keep_header(request *q, http_header_name name, arena *mem)
{
    const char *text = http_header(q, name);
    return text ? arena_strndup(mem, text, strlen(text)) : NULL;
}

/* "SELECT" and the row with this key, which is the first statement of all four. */
static bool add_look(one_row *o, const value *key, error *e)
{
    row_sql s;
    row_sql_init(&s, &o->op);
    row_sql_add(&s, "SELECT");
    row_sql_all_columns(&s);
    row_sql_add(&s, " FROM ");
    row_sql_name(&s, o->op.table.name);
    row_sql_where_key(&s, key);
    return row_sql_end(&s, true, e);
}

/* What all four begin with. */
static bool prepare_key(request *q, one_row *o, row_action action, size_t n_stmts, value **key,
                        error *e)
{
    arena *mem = &o->op.r->job.mem;
    o->action = action;
    o->key = arena_strndup(mem, q->params[1], strlen(q->params[1]));
    o->if_match = keep_header(q, HEADER_IF_MATCH, mem);
    o->if_none_match = keep_header(q, HEADER_IF_NONE_MATCH, mem);
    o->op.r->on_done = one_row_done;
    if (!o->key || (!o->if_match && http_header(q, HEADER_IF_MATCH)) ||
        (!o->if_none_match && http_header(q, HEADER_IF_NONE_MATCH)))
        return rows_no_memory(e);
    return row_key_read(&o->op.table, o->key, mem, key, e) && rows_room(&o->op, n_stmts, e) &&
           add_look(o, *key, e);
}

/* ---- GET and DELETE ---------------------------------------------------------------------------
 */

static bool prepare_get(request *q, rows_op *op, error *e)
{
    value *key;
    op->r->job.readonly = true;
    return prepare_key(q, (one_row *)op, ROW_GET, 1, &key, e);
}

void api_get_row(request *q)
{
    rows_start(q, &encode_one_row, JOB_QUERY, sizeof(one_row), prepare_get);
}

static bool prepare_delete(request *q, rows_op *op, error *e)
{
    value *key;
    row_sql s;
    if (!row_table_writable(&op->table, e) ||
        !prepare_key(q, (one_row *)op, ROW_DELETE, 2, &key, e))
        return false;
    ((one_row *)op)->updates = true;
    row_sql_init(&s, op);
    row_sql_add(&s, "DELETE FROM ");
    row_sql_name(&s, op->table.name);
    row_sql_where_key(&s, key);
    return row_sql_end(&s, true, e);
}

void api_delete_row(request *q)
{
    rows_start(q, &encode_one_row, JOB_ATOMIC, sizeof(one_row), prepare_delete);
}

/* ---- PATCH ------------------------------------------------------------------------------------
 */

/* Where the row is afterwards: a column of the key may be among those that change. */
static void move_key(const row_table *t, const row_values *v, value *key)
{
    for (int k = 0; k < t->n_key; k++) {
        for (int i = 0; i < v->n; i++) {
            if (v->columns[i] == &t->columns[t->key[k]])
                key[k] = v->values[i];
        }
    }
}

static bool add_update(one_row *o, const row_values *v, const value *key, error *e)
{
    row_sql s;
    row_sql_init(&s, &o->op);
    row_sql_add(&s, "UPDATE ");
    row_sql_name(&s, o->op.table.name);
    row_sql_set(&s, v);
    row_sql_where_key(&s, key);
    row_sql_add(&s, " RETURNING");
    row_sql_all_columns(&s);
    return row_sql_end(&s, true, e);
}

static bool prepare_patch(request *q, rows_op *op, error *e)
{
    one_row *o = (one_row *)op;
    value *key;
    row_values v;
    if (!row_table_writable(&op->table, e) || !prepare_key(q, o, ROW_PATCH, 3, &key, e) ||
        !row_values_read(op, q->doc, false, "", &v, e))
        return false;
    if (!v.n)
        return true;
    o->updates = true;
    if (!add_update(o, &v, key, e))
        return false;
    /* RETURNING does not see what triggers change behind it. */
    move_key(&op->table, &v, key);
    return !op->table.triggers || add_look(o, key, e);
}

void api_patch_row(request *q)
{
    rows_start(q, &encode_one_row, JOB_ATOMIC, sizeof(one_row), prepare_patch);
}

/* ---- PUT --------------------------------------------------------------------------------------
 */

static const value *given(const row_values *v, const row_column *c)
{
    for (int i = 0; i < v->n; i++) {
        if (v->columns[i] == c)
            return &v->values[i];
    }
    return NULL;
}

/* A row that is there gets every column anew: what the body leaves out gets its default. */
static bool add_replacement(one_row *o, const row_values *v, const value *key, error *e)
{
    const row_table *t = &o->op.table;
    row_sql s;
    int n = 0;
    row_sql_init(&s, &o->op);
    row_sql_add(&s, "UPDATE ");
    row_sql_name(&s, t->name);
    for (int i = 0; i < t->n_columns; i++) {
        const row_column *c = &t->columns[i];
        const value *new = given(v, c);
        if (c->key || c->generated)
            continue;
        row_sql_add(&s, n++ ? ", " : " SET ");
        row_sql_name(&s, c->name);
        row_sql_add(&s, " = ");
        if (new)
            row_sql_value(&s, new);
        else
            row_sql_fallback(&s, c);
    }
    row_sql_where_key(&s, key);
    o->updates = n > 0;
    if (n)
        return row_sql_end(&s, true, e);
    buf_free(&s.text); /* the key is all there is */
    return true;
}

static bool add_creation(one_row *o, const row_values *v, const value *key, error *e)
{
    const row_table *t = &o->op.table;
    row_sql s;
    row_sql_init(&s, &o->op);
    row_sql_add(&s, "INSERT INTO ");
    row_sql_name(&s, t->name);
    for (int i = 0; i < t->n_key; i++) {
        row_sql_add(&s, i ? ", " : " (");
        row_sql_name(&s, t->columns[t->key[i]].name);
    }
    for (int i = 0; i < v->n; i++) {
        if (v->columns[i]->key)
            continue;
        row_sql_add(&s, ", ");
        row_sql_name(&s, v->columns[i]->name);
    }
    row_sql_add(&s, ") SELECT ");
    for (int i = 0; i < t->n_key; i++) {
        row_sql_add(&s, i ? ", " : "");
        row_sql_value(&s, &key[i]);
    }
    for (int i = 0; i < v->n; i++) {
        if (v->columns[i]->key)
            continue;
        row_sql_add(&s, ", ");
        row_sql_value(&s, &v->values[i]);
    }
    row_sql_add(&s, " WHERE NOT EXISTS (SELECT 1 FROM ");
    row_sql_name(&s, t->name);
    row_sql_where_key(&s, key);
    row_sql_add(&s, ")");
    return row_sql_end(&s, true, e);
}

/* The row as it is now, and whether its key is what the body says of it. */
static bool add_result(one_row *o, const row_values *v, const value *key, error *e)
{
    const row_table *t = &o->op.table;
    row_sql s;
    o->same = arena_alloc(&o->op.r->job.mem, sizeof *o->same * (size_t)(t->n_key + 1));
    if (!o->same)
        return rows_no_memory(e);
    row_sql_init(&s, &o->op);
    row_sql_add(&s, "SELECT");
    row_sql_all_columns(&s);
    for (int i = 0; i < v->n; i++) {
        if (!v->columns[i]->key)
            continue;
        row_sql_add(&s, ", ");
        row_sql_column(&s, v->columns[i]->name);
        row_sql_add(&s, " IS ");
        row_sql_value(&s, &v->values[i]);
        o->same[o->n_same++] = v->columns[i]->name;
    }
    row_sql_add(&s, " FROM ");
    row_sql_name(&s, t->name);
    row_sql_where_key(&s, key);
    return row_sql_end(&s, true, e);
}

static bool prepare_put(request *q, rows_op *op, error *e)
{
    one_row *o = (one_row *)op;
    value *key;
    row_values v;
    if (!row_table_writable(&op->table, e) || !prepare_key(q, o, ROW_PUT, 4, &key, e) ||
        !row_values_read(op, q->doc, true, "", &v, e))
        return false;
    o->creates = !o->if_match;
    return add_replacement(o, &v, key, e) && (!o->creates || add_creation(o, &v, key, e)) &&
           add_result(o, &v, key, e);
}

void api_put_row(request *q)
{
    rows_start(q, &encode_one_row, JOB_ATOMIC, sizeof(one_row), prepare_put);
}
