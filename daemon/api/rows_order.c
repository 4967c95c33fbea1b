/* Pages by key: a cursor holds the last row's values of the columns that the list is ordered by,
 * and the next page begins behind them. NULLs come first, as SQLite has them, and last where the
 * order descends. */
#include "daemon/api/rows_list.h"
#include "json/read.h"

#include <openssl/evp.h>
#include <string.h>

/* ---- what was asked for -----------------------------------------------------------------------
 */

static bool has_term(const row_order *o, const char *column)
{
    for (int i = 0; i < o->n; i++) {
        if (strcmp(o->terms[i].column, column) == 0)
            return true;
    }
    return false;
}

static bool ends_with(const row_item *item, const char *end)
{
    size_t n = strlen(end);
    return item->n > n && strcmp(item->text + item->n - n, end) == 0;
}

static bool read_term(row_order *o, const row_table *t, const row_item *item, error *e)
{
    bool ascending = ends_with(item, ".asc"), descending = ends_with(item, ".desc");
    size_t n = item->n - (ascending ? 4 : descending ? 5 : 0);
    const row_column *c = row_table_find(t, item->text, n, e);
    if (!c || !row_column_readable(t, c, e))
        return false;
    if (o->n == ORDER_MAX)
        return error_set(e, ERR_INVALID_MESSAGE, "order: more than %d columns", ORDER_MAX);
    if (has_term(o, c->name))
        return error_set(e, ERR_INVALID_MESSAGE, "order: %s is there twice", c->name);
    o->terms[o->n++] = (order_term){c->name, c, descending, c->not_null && !c->masked};
    return true;
}

/* Goes the way of the last column, so that an index on the columns gives the whole order. */
static void break_ties(row_order *o, const row_table *t)
{
    bool descending = o->n && o->terms[o->n - 1].descending;
    o->total = (t->rowid || t->n_key) && row_key_is_shown(t);
    if (!o->total)
        return;
    if (t->rowid && !has_term(o, t->rowid))
        o->terms[o->n++] = (order_term){t->rowid, NULL, descending, true};
    for (int i = 0; !t->rowid && i < t->n_key; i++) {
        const row_column *c = &t->columns[t->key[i]];
        if (!has_term(o, c->name))
            o->terms[o->n++] = (order_term){c->name, c, descending, true};
    }
}

/* The order in one text, so that a cursor of another order is known. */
static void describe(const row_order *o, buf *out)
{
    for (int i = 0; i < o->n; i++)
        buf_addf(out, "%s%s%s", i ? "," : "", o->terms[i].column,
                 o->terms[i].descending ? ".desc" : "");
}

/* ---- cursors ----------------------------------------------------------------------------------
 */

static const char *encode(const char *text, size_t n, arena *mem)
{
    char *out = arena_alloc(mem, (n + 2) / 3 * 4 + 1);
    if (!out)
        return NULL;
    EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)text, (int)n);
    for (char *p = out; *p; p++)
        *p = *p == '+' ? '-' : *p == '/' ? '_' : *p == '=' ? '\0' : *p;
    return out;
}

/* NULL when it is not base64url. */
static json_t *decode(const char *cursor, arena *mem)
{
    error e;
    size_t n = strlen(cursor), padded = (n + 3) / 4 * 4;
    char *text = arena_alloc(mem, padded + 1);
    if (!text || !n || n > CURSOR_MAX ||
        strspn(cursor, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != n)
        return NULL;
    for (size_t i = 0; i < padded; i++)
        text[i] = (char)(i >= n             ? '='
                         : cursor[i] == '-' ? '+'
                         : cursor[i] == '_' ? '/'
                                            : cursor[i]);
    unsigned char *bytes = arena_alloc(mem, padded);
    int len = bytes ? EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)padded) : -1;
    if (len < (int)(padded - n))
        return NULL;
    return json_read_text((const char *)bytes, (size_t)len - (padded - n), &e);
}

const char *row_order_cursor(const row_order *o, const value *terms, int64_t skip, arena *mem)
{
    buf json = BUF_INIT, order = BUF_INIT;
    json_writer w;
    describe(o, &order);
    jw_init(&w, &json);
    jw_begin_object(&w);
    jw_key(&w, "order");
    jw_strn(&w, order.data, order.len);
    if (o->total) {
        jw_key(&w, "after");
        jw_begin_array(&w);
        for (int i = 0; i < o->n; i++)
            value_write_json(&w, &terms[i]);
        jw_end_array(&w);
    } else {
        jw_key(&w, "skip");
        jw_int(&w, skip);
    }
    jw_end_object(&w);
    const char *text = json.failed || order.failed ? NULL : encode(json.data, json.len, mem);
    buf_free(&json);
    buf_free(&order);
    return text;
}

static bool read_after(row_order *o, json_t *after, arena *mem, error *e)
{
    if ((int)json_array_size(after) != o->n)
        return false;
    o->after = arena_alloc(mem, sizeof *o->after * (size_t)(o->n + 1));
    if (!o->after)
        return false;
    for (int i = 0; i < o->n; i++) {
        if (!value_from_json(&o->after[i], json_array_get(after, (size_t)i), mem, "cursor", e))
            return false;
    }
    return true;
}

static bool read_cursor(row_order *o, const char *cursor, arena *mem, error *e)
{
    json_t *root = decode(cursor, mem);
    const char *text = json_string_value(json_object_get(root, "order"));
    json_t *skip = json_object_get(root, "skip");
    buf order = BUF_INIT;
    describe(o, &order);
    bool same = text && strcmp(text, buf_cstr(&order)) == 0;
    bool ok = same && (o->total ? read_after(o, json_object_get(root, "after"), mem, e)
                                : json_is_integer(skip) && json_integer_value(skip) >= 0);
    if (ok && !o->total)
        o->skip = json_integer_value(skip);
    buf_free(&order);
    json_decref(root);
    if (ok)
        return true;
    error_set(e, ERR_INVALID_MESSAGE,
              text ? "the cursor is of a list in another order" : "cursor: this is no cursor");
    return error_hint(e,
                      "Take next_cursor as it came, and leave the other parameters as they were.");
}

bool row_order_read(row_order *o, const row_table *t, const char *order, const char *cursor,
                    arena *mem, error *e)
{
    *o = (row_order){.terms =
                         arena_alloc(mem, sizeof *o->terms * (size_t)(ORDER_MAX + t->n_key + 1))};
    if (!o->terms)
        return rows_no_memory(e);
    while (order && *order) {
        row_item item;
        if (!row_item_next(&order, '\0', mem, &item, e) || !read_term(o, t, &item, e))
            return false;
        order += *order == ',';
    }
    break_ties(o, t);
    return !cursor || read_cursor(o, cursor, mem, e);
}

/* ---- SQL --------------------------------------------------------------------------------------
 */

/* A column that is never masked is shown as it is in every row that is there, so its order is that
 * of its values. But an index on one that is no key would have to be walked past hidden rows: how
 * long that takes would tell how many of them there are between two values. The + keeps SQLite
 * from it. */
void row_order_add_term(row_sql *s, const order_term *term)
{
    const row_table *t = &s->op->table;
    if (t->grants && term->of && term->of->masked) {
        row_sql_shown(s, term->of);
        return;
    }
    row_sql_add(s, t->grants && term->of && !term->of->key ? "+" : "");
    row_sql_column(s, term->column);
}

static void add_compared(row_sql *s, const order_term *term, const char *sql, const value *v)
{
    row_order_add_term(s, term);
    row_sql_add(s, sql);
    row_sql_value(s, v);
}

static void add_behind(row_sql *s, const order_term *term, const value *v)
{
    if (v->type == VALUE_NULL && term->descending) {
        row_sql_add(s, "0");
    } else if (v->type == VALUE_NULL) {
        row_order_add_term(s, term);
        row_sql_add(s, " IS NOT NULL");
    } else if (!term->descending) {
        add_compared(s, term, " > ", v);
    } else if (term->not_null) {
        add_compared(s, term, " < ", v);
    } else {
        row_sql_add(s, "(");
        add_compared(s, term, " < ", v);
        row_sql_add(s, " OR ");
        row_order_add_term(s, term);
        row_sql_add(s, " IS NULL)");
    }
}

/* What follows from the first column alone, in a form that an index can begin at. */
static void add_bound(row_sql *s, const row_order *o)
{
    const order_term *first = &o->terms[0];
    if (o->n == 1 || o->after[0].type == VALUE_NULL || (first->descending && !first->not_null))
        return;
    add_compared(s, first, first->descending ? " <= " : " >= ", &o->after[0]);
    row_sql_add(s, " AND ");
}

void row_order_add_after(row_sql *s, const row_order *o)
{
    add_bound(s, o);
    for (int i = 0; i < o->n; i++) {
        row_sql_add(s, "(");
        add_behind(s, &o->terms[i], &o->after[i]);
        if (i + 1 == o->n)
            break;
        row_sql_add(s, " OR (");
        add_compared(s, &o->terms[i], " IS ", &o->after[i]);
        row_sql_add(s, " AND ");
    }
    for (int i = 0; i < o->n; i++)
        row_sql_add(s, i ? "))" : ")");
}

void row_order_add(row_sql *s, const row_order *o)
{
    for (int i = 0; i < o->n; i++) {
        row_sql_add(s, i ? ", " : " ORDER BY ");
        row_order_add_term(s, &o->terms[i]);
        row_sql_add(s, o->terms[i].descending ? " DESC" : "");
    }
}
