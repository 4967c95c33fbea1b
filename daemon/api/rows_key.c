/* GET, PUT, PATCH and DELETE /tables/{name}/rows/{key}. */
#include "daemon/api/rows_one.h"

#include <string.h>

static const char *keep_header(request *q, http_header_name name, arena *mem)
{
    const char *text = http_header(q, name);
    return text ? arena_strndup(mem, text, strlen(text)) : NULL;
}

/* "SELECT" and the row with this key. */
static void begin_look(row_sql *s, one_row *o)
{
    row_sql_init(s, &o->op);
    row_sql_add(s, "SELECT");
    row_sql_all_columns(s);
}

static bool end_look(row_sql *s, const value *key, error *e)
{
    row_sql_add(s, " FROM ");
    row_sql_table(s);
    row_sql_where_key(s, key);
    return row_sql_end(s, true, e);
}

static bool add_look(one_row *o, const value *key, error *e)
{
    row_sql s;
    begin_look(&s, o);
    return end_look(&s, key, e);
}

/* The first statement of those that write: the row, and whether it may be written in the columns v
 * (NULL: deleted). */
static bool add_first_look(one_row *o, const value *key, access_op op, const row_values *v,
                           error *e)
{
    row_sql s;
    begin_look(&s, o);
    if (o->op.table.grants) {
        row_sql_add(&s, ", (");
        row_sql_writable(&s, op, v);
        row_sql_add(&s, ") IS TRUE");
        s.extra = ROW_EXTRA_MAY;
    }
    return end_look(&s, key, e);
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
    return row_key_read(&o->op.table, o->key, mem, key, e) && rows_room(&o->op, n_stmts, e);
}

/* The rows that a statement may change in the columns v (NULL: delete). */
static void add_writable(row_sql *s, access_op op, const row_values *v)
{
    if (!s->op->table.grants)
        return;
    row_sql_and(s);
    row_sql_writable(s, op, v);
}

/* The row as it has become, and whether it may have. */
static void add_returning(row_sql *s, const row_values *inserted, const row_values *updated)
{
    row_sql_add(s, " RETURNING");
    row_sql_all_columns(s);
    if (!s->op->table.grants)
        return;
    row_sql_add(s, ", ");
    row_sql_written(s, inserted, updated);
}

/* ---- GET and DELETE ---------------------------------------------------------------------------
 */

static bool prepare_get(request *q, rows_op *op, error *e)
{
    value *key;
    op->r->job.readonly = true;
    return prepare_key(q, (one_row *)op, ROW_GET, 1, &key, e) && add_look((one_row *)op, key, e);
}

void api_get_row(request *q)
{
    rows_start(q, &encode_one_row, JOB_QUERY, sizeof(one_row), ACCESS_SELECT, prepare_get);
}

static bool prepare_delete(request *q, rows_op *op, error *e)
{
    value *key;
    row_sql s;
    if (!row_table_writable(&op->table, e) ||
        !prepare_key(q, (one_row *)op, ROW_DELETE, 2, &key, e) ||
        !add_first_look((one_row *)op, key, ACCESS_DELETE, NULL, e))
        return false;
    ((one_row *)op)->updates = true;
    row_sql_init(&s, op);
    row_sql_add(&s, "DELETE FROM ");
    row_sql_table(&s);
    row_sql_where_key(&s, key);
    add_writable(&s, ACCESS_DELETE, NULL);
    return row_sql_end(&s, true, e);
}

void api_delete_row(request *q)
{
    rows_start(q, &encode_one_row, JOB_ATOMIC, sizeof(one_row), ACCESS_SELECT | ACCESS_DELETE,
               prepare_delete);
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
    row_sql_add(&s, row_sql_update(&o->op));
    row_sql_table(&s);
    row_sql_set(&s, v);
    row_sql_where_key(&s, key);
    add_writable(&s, ACCESS_UPDATE, v);
    add_returning(&s, NULL, v);
    return row_sql_end(&s, true, e);
}

static bool prepare_patch(request *q, rows_op *op, error *e)
{
    one_row *o = (one_row *)op;
    value *key;
    row_values v;
    if (!row_table_writable(&op->table, e) || !prepare_key(q, o, ROW_PATCH, 3, &key, e) ||
        !row_values_read(op, q->doc, false, "", &v, e) ||
        !rows_may_write(&op->table, ACCESS_UPDATE, &v, e) ||
        !add_first_look(o, key, ACCESS_UPDATE, &v, e))
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
    rows_start(q, &encode_one_row, JOB_ATOMIC, sizeof(one_row), ACCESS_SELECT | ACCESS_UPDATE,
               prepare_patch);
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

/* The columns that a replacement sets: all but the key. */
static bool replaced(const row_table *t, arena *mem, row_values *out, error *e)
{
    *out = (row_values){.columns =
                            arena_alloc(mem, sizeof *out->columns * (size_t)(t->n_columns + 1))};
    if (!out->columns)
        return rows_no_memory(e);
    for (int i = 0; i < t->n_columns; i++) {
        if (!t->columns[i].key && !t->columns[i].generated)
            out->columns[out->n++] = &t->columns[i];
    }
    return true;
}

/* A row that is there gets every column anew: what the body leaves out gets its default. */
static bool add_replacement(one_row *o, const row_values *sets, const row_values *v,
                            const value *key, error *e)
{
    const row_table *t = &o->op.table;
    row_sql s;
    o->updates = sets->n > 0;
    if (!o->updates) /* the key is all there is */
        return true;
    row_sql_init(&s, &o->op);
    row_sql_add(&s, row_sql_update(&o->op));
    row_sql_table(&s);
    for (int i = 0; i < sets->n; i++) {
        const row_column *c = sets->columns[i];
        const value *new = given(v, c);
        row_sql_add(&s, i ? ", " : " SET ");
        row_sql_name(&s, c->name);
        row_sql_add(&s, " = ");
        if (new)
            row_sql_value(&s, new);
        else
            row_sql_fallback(&s, c);
    }
    row_sql_where_key(&s, key);
    add_writable(&s, ACCESS_UPDATE, sets);
    if (t->grants)
        add_returning(&s, NULL, sets);
    return row_sql_end(&s, true, e);
}

static bool add_creation(one_row *o, const row_values *inserted, const row_values *v,
                         const value *key, error *e)
{
    const row_table *t = &o->op.table;
    row_sql s;
    row_sql_init(&s, &o->op);
    row_sql_add(&s, row_sql_insert(&o->op));
    row_sql_table(&s);
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
    row_sql_table(&s);
    row_sql_where_key(&s, key);
    row_sql_add(&s, ")");
    if (t->grants)
        add_returning(&s, inserted, NULL);
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
    begin_look(&s, o);
    for (int i = 0; i < v->n; i++) {
        if (!v->columns[i]->key)
            continue;
        row_sql_add(&s, ", ");
        row_sql_column(&s, v->columns[i]->name);
        row_sql_add(&s, " IS ");
        row_sql_value(&s, &v->values[i]);
        o->same[o->n_same++] = v->columns[i]->name;
    }
    return end_look(&s, key, e);
}

/* What a creation gives values to: the key, and what the body has. */
static bool created(const row_table *t, const row_values *v, arena *mem, row_values *out, error *e)
{
    *out = (row_values){.columns =
                            arena_alloc(mem, sizeof *out->columns * (size_t)(t->n_key + v->n + 1))};
    if (!out->columns)
        return rows_no_memory(e);
    for (int i = 0; i < t->n_key; i++)
        out->columns[out->n++] = &t->columns[t->key[i]];
    for (int i = 0; i < v->n; i++) {
        if (!v->columns[i]->key)
            out->columns[out->n++] = v->columns[i];
    }
    return true;
}

static bool prepare_put(request *q, rows_op *op, error *e)
{
    one_row *o = (one_row *)op;
    const row_table *t = &op->table;
    arena *mem = &op->r->job.mem;
    value *key;
    row_values v, sets, gives;
    if (!row_table_writable(t, e) || !prepare_key(q, o, ROW_PUT, 4, &key, e) ||
        !row_values_read(op, q->doc, true, "", &v, e) || !replaced(t, mem, &sets, e) ||
        !created(t, &v, mem, &gives, e) || !rows_may_write(t, ACCESS_UPDATE, &sets, e) ||
        !add_first_look(o, key, ACCESS_UPDATE, &sets, e))
        return false;
    o->creates = !o->if_match && rows_may_write(t, ACCESS_INSERT, &gives, e);
    error_clear(e);
    return add_replacement(o, &sets, &v, key, e) &&
           (!o->creates || add_creation(o, &gives, &v, key, e)) && add_result(o, &v, key, e);
}

void api_put_row(request *q)
{
    rows_start(q, &encode_one_row, JOB_ATOMIC, sizeof(one_row), ACCESS_SELECT | ACCESS_UPDATE,
               prepare_put);
}
