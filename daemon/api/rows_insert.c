/* POST /tables/{name}/rows: one row, or many. */
#include "daemon/api/rows_many.h"
#include "daemon/api/rows_one.h"

#include <stdio.h>
#include <string.h>

/* What is to become of a row that is there already. */
typedef struct upsert {
    bool merge, ignore;
    int n; /* columns that tell that it is */
    const row_column **columns;
} upsert;

static bool has_column(const upsert *u, const row_column *c)
{
    for (int i = 0; i < u->n; i++) {
        if (u->columns[i] == c)
            return true;
    }
    return false;
}

static bool read_upsert(upsert *u, rows_op *op, const request *q, error *e)
{
    const row_table *t = &op->table;
    arena *mem = &op->r->job.mem;
    const char *columns = http_param(q, "on_conflict"), *way = http_param(q, "resolution");
    *u = (upsert){.ignore = way && strcmp(way, "ignore") == 0};
    u->merge = !u->ignore && (way || columns);
    u->columns = arena_alloc(mem, sizeof *u->columns * (size_t)(t->n_columns + 1));
    if (!u->columns)
        return rows_no_memory(e);
    while (columns && *columns) {
        row_item item;
        const row_column *c;
        if (!row_item_next(&columns, '\0', mem, &item, e) ||
            !(c = row_table_find(t, item.text, item.n, e)))
            return false;
        if (has_column(u, c))
            return error_set(e, ERR_INVALID_MESSAGE, "on_conflict: %s is there twice", c->name);
        u->columns[u->n++] = c;
        columns += *columns == ',';
    }
    if (u->merge && !u->n) {
        for (; u->n < t->n_key; u->n++)
            u->columns[u->n] = &t->columns[t->key[u->n]];
    }
    return !u->merge || rows_may(op, t->name, ACCESS_UPDATE, e);
}

/* What an upsert sets: all that is given but the columns that tell a row. */
static bool changed(const upsert *u, const row_values *v, arena *mem, row_values *out, error *e)
{
    *out = (row_values){.columns = arena_alloc(mem, sizeof *out->columns * (size_t)(v->n + 1))};
    if (!out->columns)
        return rows_no_memory(e);
    for (int i = 0; i < v->n; i++) {
        if (!has_column(u, v->columns[i]))
            out->columns[out->n++] = v->columns[i];
    }
    return true;
}

static void add_upsert(row_sql *s, const upsert *u, const row_values *v, const row_values *sets)
{
    int n = 0;
    if (!u->merge && !u->ignore)
        return;
    row_sql_add(s, " ON CONFLICT");
    for (int i = 0; i < u->n; i++) {
        row_sql_add(s, i ? ", " : " (");
        row_sql_name(s, u->columns[i]->name);
    }
    row_sql_add(s, u->n ? ")" : "");
    row_sql_add(s, u->merge ? " DO UPDATE" : " DO NOTHING");
    for (int i = 0; u->merge && i < v->n; i++) {
        if (has_column(u, v->columns[i]))
            continue;
        row_sql_add(s, n++ ? ", " : " SET ");
        row_sql_name(s, v->columns[i]->name);
        row_sql_add(s, " = excluded.");
        row_sql_name(s, v->columns[i]->name);
    }
    if (u->merge && !n) { /* nothing differs, but the row is to be returned */
        row_sql_add(s, " SET ");
        row_sql_name(s, u->columns[0]->name);
        row_sql_add(s, " = ");
        row_sql_column(s, u->columns[0]->name);
    }
    if (u->merge && s->op->table.grants) {
        row_sql_add(s, " WHERE ");
        row_sql_visible(s);
        row_sql_add(s, " AND ");
        row_sql_writable(s, ACCESS_UPDATE, sets);
    }
}

/* What a row of a request gives values to. */
typedef struct insertion {
    row_values all;
    row_values sets; /* of these, what an upsert sets in a row that is there */
} insertion;

static bool read_insertion(rows_op *op, const upsert *u, json_t *row, const char *where,
                           insertion *out, error *e)
{
    *out = (insertion){0};
    if (!row_values_read(op, row, false, where, &out->all, e) ||
        !rows_may_write(&op->table, ACCESS_INSERT, &out->all, e))
        return false;
    return !u->merge || (changed(u, &out->all, &op->r->job.mem, &out->sets, e) &&
                         rows_may_write(&op->table, ACCESS_UPDATE, &out->sets, e));
}

/* Begins a statement that inserts one row. */
static bool add_insert(row_sql *s, const upsert *u, json_t *row, const char *where, insertion *in,
                       error *e)
{
    if (!read_insertion(s->op, u, row, where, in, e))
        return false;
    const row_values v = in->all;
    row_sql_add(s, row_sql_insert(s->op));
    row_sql_table(s);
    if (!v.n && (u->merge || u->ignore))
        return error_set(e, ERR_INVALID_MESSAGE,
                         "%sa row without values cannot be compared with those that are there",
                         where);
    for (int i = 0; i < v.n; i++) {
        row_sql_add(s, i ? ", " : " (");
        row_sql_name(s, v.columns[i]->name);
    }
    row_sql_add(s, v.n ? ") VALUES " : " DEFAULT VALUES");
    for (int i = 0; i < v.n; i++) {
        row_sql_add(s, i ? ", " : "(");
        row_sql_value(s, &v.values[i]);
    }
    row_sql_add(s, v.n ? ")" : "");
    add_upsert(s, u, &v, &in->sets);
    return true;
}

/* ---- one --------------------------------------------------------------------------------------
 */

/* The row behind its triggers. */
static bool add_look(rows_op *op, error *e)
{
    row_sql s;
    row_sql_init(&s, op);
    row_sql_add(&s, "SELECT");
    row_sql_all_columns(&s);
    row_sql_add(&s, " FROM ");
    row_sql_table(&s);
    row_sql_and(&s);
    row_sql_column(&s, op->table.rowid);
    row_sql_add(&s, " = last_insert_rowid()");
    row_sql_seen(&s);
    return row_sql_end(&s, true, e);
}

/* An upsert whose row is there and may not be changed does nothing, in silence. (What the engine
 * writes for itself leaves changes() other than 0 only behind a change.) */
static bool add_changes(rows_op *op, error *e)
{
    row_sql s;
    row_sql_init(&s, op);
    row_sql_add(&s, "SELECT changes()");
    s.extra = ROW_EXTRA_CHANGES;
    return row_sql_end(&s, true, e);
}

static bool prepare_one(request *q, rows_op *op, error *e)
{
    one_row *o = (one_row *)op;
    upsert u;
    insertion in;
    row_sql s;
    o->action = ROW_INSERT;
    op->r->on_done = one_row_done;
    if (!row_table_writable(&op->table, e) || !read_upsert(&u, op, q, e) || !rows_room(op, 2, e))
        return false;
    bool asks = u.merge && op->table.grants;
    o->creates = !u.ignore;
    bool looks = op->table.triggers && op->table.rowid && !u.merge && !u.ignore;
    o->untagged = op->table.triggers && !looks;
    row_sql_init(&s, op);
    bool ok = add_insert(&s, &u, q->doc, "", &in, e);
    row_sql_add(&s, " RETURNING");
    row_sql_all_columns(&s);
    if (ok && op->table.grants) {
        row_sql_add(&s, ", ");
        row_sql_written(&s, &in.all, u.merge ? &in.sets : NULL);
    }
    return row_sql_end(&s, ok, e) && (!looks || add_look(op, e)) && (!asks || add_changes(op, e));
}

/* ---- many -------------------------------------------------------------------------------------
 */

/* The rows of {"rows":[...]} and [...]; NULL: the body is one row. */
static json_t *rows_of(json_t *body)
{
    json_t *rows = json_object_size(body) == 1 ? json_object_get(body, "rows") : NULL;
    return json_is_array(body) ? body : json_is_array(rows) ? rows : NULL;
}

static bool prepare_many(request *q, rows_op *op, error *e)
{
    many_rows *m = (many_rows *)op;
    json_t *rows = rows_of(q->doc), *item;
    size_t n = json_array_size(rows), i;
    int64_t most = daemon_config(q->c->r->d)->max_statements;
    upsert u;
    char where[40];
    many_rows_begin(m, q, 201);
    if (n == 0 || n > (size_t)most)
        return error_set(e, ERR_INVALID_MESSAGE, "there are %zu rows; 1 to %lld are allowed", n,
                         (long long)most);
    if (!row_table_writable(&op->table, e) || !read_upsert(&u, op, q, e) ||
        !rows_room(op, 2 * n, e))
        return false;
    bool asks = u.merge && op->table.grants;
    m->per_row = asks ? 2 : 1;
    if (m->returns && !rows_may(op, op->table.name, ACCESS_SELECT, e))
        return false;
    json_array_foreach(rows, i, item)
    {
        row_sql s;
        insertion in = {0};
        snprintf(where, sizeof where, "rows[%zu].", i);
        row_sql_init(&s, op);
        bool ok = json_is_object(item) ||
                  error_set(e, ERR_INVALID_MESSAGE, "rows[%zu] is not an object of columns", i);
        ok = ok && add_insert(&s, &u, item, where, &in, e);
        many_rows_returning(m, &s, &in.all, u.merge ? &in.sets : NULL);
        if (!row_sql_end(&s, ok, e) || (asks && !add_changes(op, e)))
            return false;
    }
    return true;
}

void api_insert_rows(request *q)
{
    if (rows_of(q->doc))
        rows_start(q, &encode_many_rows, JOB_ATOMIC, sizeof(many_rows), ACCESS_INSERT,
                   prepare_many);
    else
        rows_start(q, &encode_one_row, JOB_ATOMIC, sizeof(one_row), ACCESS_INSERT, prepare_one);
}
