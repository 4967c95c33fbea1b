/* GET /tables/{name}/rows. */
#include "daemon/api/rows_list.h"

#include <string.h>

typedef struct listing {
    rows_op op;
    row_table shown; /* the table with the columns that are wanted */
    row_order order;
    int64_t limit;
    bool counts; /* the first statement counts */

    /* the encoder's */
    int64_t given, total;
    bool more;
    const char *cursor; /* behind the last row of a full page */
} listing;

/* ---- engine threads ---------------------------------------------------------------------------
 */

static void begin(run *r)
{
    listing *l = r->state;
    l->given = 0;
    l->more = false;
    jw_init(&r->w, &r->out);
}

static bool is_counting(const run *r)
{
    const listing *l = r->state;
    return l->counts && r->statements == 0;
}

static void columns(run *r, const engine_column *cols, int n)
{
    (void)cols;
    (void)n;
    if (is_counting(r))
        return;
    jw_begin_object(&r->w);
    jw_key(&r->w, "rows");
    jw_begin_array(&r->w);
}

/* One row more than the limit was asked for: it says that there is a next page. */
static void one_too_many(run *r, listing *l)
{
    l->more = true;
    if (!l->cursor)
        r->out.failed = true;
    else if (strlen(l->cursor) > CURSOR_MAX)
        error_set(&r->refusal, ERR_MESSAGE_TOO_BIG,
                  "the values that the rows are ordered by are too long for a cursor");
    if (r->refusal.code != ERR_NONE)
        error_hint(&r->refusal, "Order by shorter columns, or ask for another number of rows.");
}

static void row(run *r, const value *v, int n)
{
    listing *l = r->state;
    (void)n;
    if (is_counting(r)) {
        l->total = v[0].i;
        return;
    }
    if (l->given == l->limit) {
        one_too_many(r, l);
        return;
    }
    row_write(&r->w, &l->shown, v);
    if (++l->given == l->limit)
        l->cursor = row_order_cursor(&l->order, v + l->shown.n_columns, l->order.skip + l->limit,
                                     &r->job.mem);
}

static void end(run *r, const engine_summary *sum)
{
    (void)sum;
    r->statements++;
}

static void failed(run *r, int index, const error *e)
{
    (void)index;
    if (r->refusal.code == ERR_NONE)
        r->refusal = *e;
}

static void finish(run *r)
{
    const listing *l = r->state;
    jw_end_array(&r->w);
    jw_key(&r->w, "next_cursor");
    jw_str(&r->w, l->more ? l->cursor : NULL);
    if (l->counts) {
        jw_key(&r->w, "total");
        jw_int(&r->w, l->total);
    }
    jw_end_object(&r->w);
}

static const run_encoder encode_rows = {
    .begin = begin,
    .columns = columns,
    .row = row,
    .end = end,
    .failed = failed,
    .finish = finish,
    .whole = true,
};

/* ---- the reactor ------------------------------------------------------------------------------
 */

static bool select_column(row_table *shown, const row_column *c, error *e)
{
    for (int i = 0; i < shown->n_columns; i++) {
        if (strcmp(shown->columns[i].name, c->name) == 0)
            return error_set(e, ERR_INVALID_MESSAGE, "select: %s is there twice", c->name);
    }
    shown->columns[shown->n_columns++] = *c;
    return true;
}

static bool read_select(listing *l, const char *select, error *e)
{
    arena *mem = &l->op.r->job.mem;
    const row_table *t = &l->op.table;
    l->shown = *t;
    if (!select || !*select)
        return true;
    l->shown.n_columns = 0;
    l->shown.columns = arena_alloc(mem, sizeof *l->shown.columns * (size_t)(t->n_columns + 1));
    if (!l->shown.columns)
        return rows_no_memory(e);
    while (*select) {
        row_item item;
        const row_column *c;
        if (!row_item_next(&select, '\0', mem, &item, e) ||
            !(c = row_table_find(t, item.text, item.n, e)) || !row_column_readable(t, c, e) ||
            !select_column(&l->shown, c, e))
            return false;
        select += *select == ',';
    }
    return true;
}

static bool add_count(listing *l, const request *q, error *e)
{
    row_sql s;
    bool any;
    row_sql_init(&s, &l->op);
    row_sql_add(&s, "SELECT count(*) FROM ");
    row_sql_table(&s);
    row_sql_seen(&s);
    return row_sql_end(&s, row_filter_add(&s, q, &any, e), e);
}

static bool add_page(listing *l, const request *q, error *e)
{
    const value limit = {.type = VALUE_INT, .i = l->limit + 1};
    const value skip = {.type = VALUE_INT, .i = l->order.skip};
    row_sql s;
    bool any, ok;
    row_sql_init(&s, &l->op);
    row_sql_add(&s, "SELECT");
    for (int i = 0; i < l->shown.n_columns; i++) {
        row_sql_add(&s, i ? ", " : " ");
        row_sql_shown(&s, &l->shown.columns[i]);
    }
    for (int i = 0; i < l->order.n; i++) {
        row_sql_add(&s, ", ");
        row_order_add_term(&s, &l->order.terms[i]);
    }
    row_sql_add(&s, " FROM ");
    row_sql_table(&s);
    row_sql_seen(&s);
    ok = row_filter_add(&s, q, &any, e);
    if (ok && l->order.after) {
        row_sql_and(&s);
        row_order_add_after(&s, &l->order);
    }
    row_order_add(&s, &l->order);
    row_sql_add(&s, " LIMIT ");
    row_sql_value(&s, &limit);
    row_sql_add(&s, " OFFSET ");
    row_sql_value(&s, &skip);
    return row_sql_end(&s, ok, e);
}

static bool prepare(request *q, rows_op *op, error *e)
{
    listing *l = (listing *)op;
    l->limit = http_int(q, "limit");
    l->counts = rows_prefers(q, "count", "exact");
    if (l->counts)
        op->r->job.kind = JOB_BATCH;
    op->r->job.readonly = true;
    http_answer_with(q, op->r);
    return read_select(l, http_param(q, "select"), e) &&
           row_order_read(&l->order, &op->table, http_param(q, "order"), http_param(q, "cursor"),
                          &op->r->job.mem, e) &&
           rows_room(op, 2, e) && (!l->counts || add_count(l, q, e)) && add_page(l, q, e);
}

void api_list_rows(request *q)
{
    rows_start(q, &encode_rows, JOB_QUERY, sizeof(listing), ACCESS_SELECT, prepare);
}
