/* GET /tables/{name}/export: a table as a file. */
#include "daemon/api/api.h"
#include "daemon/api/schema_steps.h"
#include "daemon/encode.h"
#include "base/mem.h"
#include "base/sqlname.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { FILE_NAME_MAX = 100 }; /* characters of the table's name in the file's plain name */

static const char *text_of(const json_t *from, const char *name)
{
    return json_string_value(json_object_get(from, name));
}

/* ---- which columns ----------------------------------------------------------------------------
 */

static void put_column(const char *name, buf *sql)
{
    bool first = sql->len && sql->data[sql->len - 1] == ' ';
    buf_adds(sql, first ? "" : ", ");
    sqlname_add(sql, name);
    buf_adds(sql, " AS "); /* else a view may call it otherwise */
    sqlname_add(sql, name);
}

/* All that can be written, and that this viewer may read. */
static void put_own_columns(const json_t *table, const access_set *access, buf *sql)
{
    const access_table *t = access ? access_find(access, text_of(table, "name")) : NULL;
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(table, "columns"), i, one)
    {
        const char *name = text_of(one, "name");
        if (!json_is_true(json_object_get(one, "hidden")) &&
            json_is_null(json_object_get(one, "generated")) &&
            (!t || access_column(t, ACCESS_SELECT, name)))
            put_column(name, sql);
    }
}

/* The place of a column; -1 when there is none of this name. */
static int find_column(const json_t *columns, const char *name, size_t n)
{
    size_t i;
    const json_t *one;
    json_array_foreach(columns, i, one)
    {
        const char *has = text_of(one, "name");
        if (strlen(has) == n && strncasecmp(has, name, n) == 0)
            return (int)i;
    }
    return -1;
}

/* Those that the request names. `taken` has a flag for each column. */
static bool put_named_columns(const json_t *columns, const char *wanted, bool *taken, buf *sql,
                              error *e)
{
    for (;;) {
        size_t n = strcspn(wanted, ",");
        int at = find_column(columns, wanted, n);
        if (at < 0)
            return error_set(e, ERR_INVALID_MESSAGE, "columns names '%.*s', which is not a column",
                             (int)n, wanted);
        if (taken[at])
            return error_set(e, ERR_INVALID_MESSAGE, "columns names '%.*s' twice", (int)n, wanted);
        taken[at] = true;
        put_column(text_of(json_array_get(columns, (size_t)at), "name"), sql);
        if (!wanted[n])
            return true;
        wanted += n + 1;
    }
}

static bool put_columns(request *q, const json_t *table, arena *mem, buf *sql, error *e)
{
    const json_t *columns = json_object_get(table, "columns");
    const char *wanted = http_param(q, "columns");
    if (!wanted) {
        put_own_columns(table, identity_eyes(q->who)->access, sql);
        return true;
    }
    bool *taken = arena_alloc(mem, json_array_size(columns) + 1);
    if (!taken)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    return put_named_columns(columns, wanted, taken, sql, e);
}

/* ---- the file's name --------------------------------------------------------------------------
 */

/* The name without what a file's may not have, or what would make it another folder's or hidden. */
static void put_whole_name(buf *out, const char *name)
{
    char one[2] = "";
    for (const char *s = name; *s; s++) {
        bool bad = (unsigned char)*s < ' ' || *s == 0x7F || strchr("/\\:*?\"<>|", *s);
        one[0] = bad || (s == name && *s == '.') ? '_' : *s;
        http_put_segment(out, one);
    }
}

/* RFC 6266: a plain name for those who know no other, and the whole one. */
static void put_disposition(buf *out, const char *name, const char *ending)
{
    bool plain = strlen(name) <= FILE_NAME_MAX;
    buf_adds(out, "Content-Disposition: attachment; filename=\"");
    for (size_t i = 0; i < FILE_NAME_MAX && name[i]; i++) {
        bool fits = isalnum((unsigned char)name[i]) || strchr("-_", name[i]);
        buf_addc(out, fits ? name[i] : '_');
        plain = plain && fits;
    }
    buf_addf(out, ".%s\"", ending);
    if (!plain) {
        buf_adds(out, "; filename*=UTF-8''");
        put_whole_name(out, name);
        buf_addf(out, ".%s", ending);
    }
    buf_adds(out, "\r\n");
}

static bool may_export(const request *q, const char *table, error *e)
{
    const access_set *access = identity_eyes(q->who)->access;
    return !access || access_find(access, table)->ops & ACCESS_SELECT ||
           error_set(e, ERR_PERMISSION_DENIED, "%s may not read \"%s\"", q->who->name, table);
}

/* ---- the rows ---------------------------------------------------------------------------------
 */

static bool fill(request *q, run *r, const json_t *table, error *e)
{
    const char *broken = text_of(table, "error");
    int64_t limit = http_int(q, "limit"), timeout_ms = http_int(q, "timeout_ms");
    buf sql = BUF_INIT;
    if (broken)
        return error_set(e, ERR_QUERY_ERROR, "%s", broken);
    if (!may_export(q, text_of(table, "name"), e))
        return false;
    buf_adds(&sql, "SELECT ");
    bool ok = put_columns(q, table, &r->job.mem, &sql, e);
    buf_adds(&sql, " FROM "); /* without a schema, so that policies take its place */
    sqlname_add(&sql, text_of(table, "name"));
    if (limit)
        buf_addf(&sql, " LIMIT %lld", (long long)limit);
    engine_stmt *stmt = arena_alloc(&r->job.mem, sizeof *stmt);
    char *text = sql.failed ? NULL : arena_strndup(&r->job.mem, sql.data, sql.len);
    buf_free(&sql);
    if (!ok)
        return false;
    if (!stmt || !text)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    stmt->sql = text;
    r->job.stmts = stmt;
    r->job.n_stmts = 1;
    r->job.readonly = true;
    if (timeout_ms)
        r->job.timeout_us = timeout_ms * 1000;
    return true;
}

static void export(request *q, const json_t *table)
{
    const char *format = http_param(q, "format");
    bool csv = format && strcmp(format, "csv") == 0;
    run *r = run_new(q->c, csv ? &encode_export_csv : &encode_export_jsonl, JOB_QUERY);
    error e;
    buf headers = BUF_INIT;
    if (!fill(q, r, table, &e)) {
        schema_give_up(r, &e);
        return;
    }
    put_disposition(&headers, text_of(table, "name"), csv ? "csv" : "jsonl");
    q->run_headers = xstrdup(buf_cstr(&headers));
    buf_free(&headers);
    http_answer_with(q, r);
    run_submit(r);
}

void api_export_table(request *q)
{
    schema_find(q, q->params[0], export);
}
