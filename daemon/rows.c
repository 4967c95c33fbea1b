#include "daemon/rows.h"
#include "json/read.h"

#include <stdlib.h>
#include <string.h>

static bool no_memory(error *e)
{
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

/* The column of this name, added when it is new; -1 with e set when it cannot be. `guess` is where
 * it probably stands: rows mostly have the same members in the same order. */
static int column_of(rows *r, const char *name, int guess, error *e)
{
    if (guess < r->n_columns && strcmp(r->columns[guess].name, name) == 0)
        return guess;
    for (int i = 0; i < r->n_columns; i++) {
        if (strcmp(r->columns[i].name, name) == 0)
            return i;
    }
    if (r->n_columns == ROWS_MAX_COLUMNS) {
        error_set(e, ERR_INVALID_MESSAGE, "more than %d columns", ROWS_MAX_COLUMNS);
        return -1;
    }
    if (r->n_columns == r->cap_columns) {
        int cap = r->cap_columns ? r->cap_columns * 2 : 16;
        rows_column *grown = arena_alloc(&r->mem, sizeof *grown * (size_t)cap);
        if (!grown) {
            no_memory(e);
            return -1;
        }
        if (r->n_columns)
            memcpy(grown, r->columns, sizeof *grown * (size_t)r->n_columns);
        r->columns = grown;
        r->cap_columns = cap;
    }
    char *copy = arena_strndup(&r->mem, name, strlen(name));
    if (!copy) {
        no_memory(e);
        return -1;
    }
    r->columns[r->n_columns] = (rows_column){copy, 0};
    return r->n_columns++;
}

static rows_row *add_row(rows *r, error *e)
{
    rows_row *row = arena_alloc(&r->mem, sizeof *row);
    if (!row) {
        no_memory(e);
        return NULL;
    }
    if (r->last)
        r->last->next = row;
    else
        r->first = row;
    r->last = row;
    r->n_rows++;
    return row;
}

static value *add_cell(rows *r, rows_row *row, int column, error *e)
{
    rows_cell *cell = arena_alloc(&r->mem, sizeof *cell);
    if (!cell) {
        no_memory(e);
        return NULL;
    }
    cell->column = column;
    cell->next = row->cells;
    row->cells = cell;
    return &cell->v;
}

static bool keep_text(arena *mem, value *v, const char *p, size_t n, error *e)
{
    v->type = VALUE_TEXT;
    v->len = n;
    v->p = arena_strndup(mem, p, n);
    return v->p || no_memory(e);
}

static bool is_tagged(json_t *j)
{
    return json_is_object(j) && json_object_size(j) == 1 &&
           (json_object_get(j, "$base64") || json_object_get(j, "$real"));
}

bool rows_value_from_json(value *v, json_t *j, arena *mem, const char *name, error *e)
{
    if ((!json_is_object(j) && !json_is_array(j)) || is_tagged(j))
        return value_from_json(v, j, mem, name, e);
    char *text = json_dumps(j, JSON_COMPACT);
    if (!text)
        return no_memory(e);
    bool ok = keep_text(mem, v, text, strlen(text), e);
    free(text);
    return ok;
}

static unsigned seen_of(const value *v)
{
    static const unsigned by_type[] = {[VALUE_NULL] = 0,
                                       [VALUE_INT] = SEEN_INT,
                                       [VALUE_REAL] = SEEN_REAL,
                                       [VALUE_TEXT] = SEEN_TEXT,
                                       [VALUE_BLOB] = SEEN_BLOB};
    return by_type[v->type];
}

bool rows_add_json(rows *r, json_t *object, error *e)
{
    const char *key;
    json_t *item;
    int i = 0;
    if (!json_is_object(object))
        return error_set(e, ERR_INVALID_MESSAGE, "a row is %s; expected an object",
                         json_kind(object));
    rows_row *row = add_row(r, e);
    if (!row)
        return false;
    json_object_foreach(object, key, item)
    {
        int column = column_of(r, key, i++, e);
        value *v = column < 0 ? NULL : add_cell(r, row, column, e);
        if (!v || !rows_value_from_json(v, item, &r->mem, key, e))
            return false;
        r->columns[column].seen |= seen_of(v);
    }
    return true;
}

/* What a CSV field looks like: numbers as SQLite would take them back, but not 007 or +1, which are
 * more often labels. */
static unsigned looks_like(const char *p, size_t n)
{
    char text[40], *end;
    const char *digits = *p == '-' ? p + 1 : p;
    size_t len = n - (size_t)(digits - p);
    if (n >= sizeof text || len == 0 || digits[0] < '0' || digits[0] > '9')
        return SEEN_TEXT;
    memcpy(text, p, n);
    text[n] = '\0';
    if (digits[0] == '0' && len > 1 && digits[1] != '.' && digits[1] != 'e' && digits[1] != 'E')
        return SEEN_TEXT;
    if (strspn(digits, "0123456789") >= len)
        return len <= 18 ? SEEN_INT : SEEN_TEXT;
    if (strspn(text, "0123456789+-.eE") != n)
        return SEEN_TEXT;
    strtod(text, &end);
    return *end ? SEEN_TEXT : SEEN_REAL;
}

bool rows_add_csv(rows *r, const char *const *names, const csv_field *fields, int n, error *e)
{
    rows_row *row = add_row(r, e);
    if (!row)
        return false;
    for (int i = 0; i < n; i++) {
        int column = column_of(r, names[i], i, e);
        value *v = column < 0 ? NULL : add_cell(r, row, column, e);
        if (!v)
            return false;
        if (fields[i].len == 0 && !fields[i].quoted)
            continue;
        if (!keep_text(&r->mem, v, fields[i].p, fields[i].len, e))
            return false;
        r->columns[column].seen |= looks_like(v->p, v->len);
    }
    return true;
}

static const char *type_of(unsigned seen)
{
    switch (seen) {
    case SEEN_INT:
        return "INTEGER";
    case SEEN_REAL:
    case SEEN_REAL | SEEN_INT:
        return "REAL";
    case SEEN_BLOB:
        return "BLOB";
    default:
        return "TEXT";
    }
}

bool rows_finish(rows *r, const char *table, bool create, job_rows *out, error *e)
{
    size_t n = (size_t)r->n_columns;
    const char **names = arena_alloc(&r->mem, sizeof *names * (n + 1));
    const char **types = arena_alloc(&r->mem, sizeof *types * (n + 1));
    value *cells = arena_alloc(&r->mem, sizeof *cells * (n * (size_t)r->n_rows + 1));
    if (!names || !types || !cells)
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        names[i] = r->columns[i].name;
        types[i] = type_of(r->columns[i].seen);
    }
    value *at = cells;
    for (const rows_row *row = r->first; row; row = row->next, at += n) {
        for (const rows_cell *cell = row->cells; cell; cell = cell->next)
            at[cell->column] = cell->v;
    }
    *out = (job_rows){
        .table = table,
        .create = create,
        .n_columns = r->n_columns,
        .columns = names,
        .types = types,
        .n_rows = r->n_rows,
        .cells = cells,
    };
    return true;
}

bool rows_full(const rows *r)
{
    return r->n_rows >= ROWS_CHUNK || r->mem.total >= 4 * ROWS_CHUNK_BYTES;
}

void rows_clear(rows *r)
{
    arena_free(&r->mem);
    *r = (rows){0};
}
