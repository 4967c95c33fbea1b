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
    return true;
}

static void add_upsert(row_sql *s, const upsert *u, const row_values *v)
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
}

/* Begins a statement that inserts one row. */
static bool add_insert(row_sql *s, const upsert *u, json_t *row, const char *where, error *e)
{
    row_values v;
    if (!row_values_read(s->op, row, false, where, &v, e))
        return false;
    row_sql_add(s, "INSERT INTO ");
    row_sql_name(s, s->op->table.name);
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
    add_upsert(s, u, &v);
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
    row_sql_name(&s, op->table.name);
    row_sql_add(&s, " WHERE ");
    row_sql_column(&s, op->table.rowid);
    row_sql_add(&s, " = last_insert_rowid()");
    return row_sql_end(&s, true, e);
}

static bool prepare_one(request *q, rows_op *op, error *e)
{
    one_row *o = (one_row *)op;
    upsert u;
    row_sql s;
    o->action = ROW_INSERT;
    op->r->on_done = one_row_done;
    if (!row_table_writable(&op->table, e) || !read_upsert(&u, op, q, e) || !rows_room(op, 2, e))
        return false;
    o->creates = !u.ignore;
    bool looks = op->table.triggers && op->table.rowid && !u.merge && !u.ignore;
    o->untagged = op->table.triggers && !looks;
    row_sql_init(&s, op);
    bool ok = add_insert(&s, &u, q->doc, "", e);
    row_sql_add(&s, " RETURNING");
    row_sql_all_columns(&s);
    return row_sql_end(&s, ok, e) && (!looks || add_look(op, e));
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
    if (!row_table_writable(&op->table, e) || !read_upsert(&u, op, q, e) || !rows_room(op, n, e))
        return false;
    json_array_foreach(rows, i, item)
    {
        row_sql s;
        snprintf(where, sizeof where, "rows[%zu].", i);
        row_sql_init(&s, op);
        bool ok = json_is_object(item) ||
                  error_set(e, ERR_INVALID_MESSAGE, "rows[%zu] is not an object of columns", i);
        ok = ok && add_insert(&s, &u, item, where, e);
        many_rows_returning(m, &s);
        if (!row_sql_end(&s, ok, e))
            return false;
    }
    return true;
}

void api_insert_rows(request *q)
{
    if (rows_of(q->doc))
        rows_start(q, &encode_many_rows, JOB_ATOMIC, sizeof(many_rows), prepare_many);
    else
        rows_start(q, &encode_one_row, JOB_ATOMIC, sizeof(one_row), prepare_one);
}
