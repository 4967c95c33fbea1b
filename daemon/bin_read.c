#include "daemon/bin_read.h"
#include "daemon/params.h"
#include "json/read.h"
#include "json/writer.h"

#include <math.h>
#include <string.h>

/* ---- texts -------------------------------------------------------------------------------------
 */

const char *bin_cstr(arena *mem, bin_text t, const char *what, error *e)
{
    if (memchr(t.p, '\0', t.n))
        return error_set(e, ERR_INVALID_MESSAGE, "%s has a NUL byte in it", what), NULL;
    const char *s = arena_strndup(mem, t.p, t.n);
    if (!s)
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    return s;
}

bool bin_opt_cstr(arena *mem, bin_opt_text t, const char *what, const char **to, error *e)
{
    return !t.p || (*to = bin_cstr(mem, (bin_text){t.p, t.n}, what, e)) != NULL;
}

bool bin_opt_limit(bin_opt_uint v, const char *what, int64_t max, int64_t *to, error *e)
{
    if (!v.is)
        return true;
    if (v.v < 1 || v.v > (uint64_t)max)
        return error_set(e, ERR_INVALID_MESSAGE, "%s is %llu; expected 1 to %lld", what,
                         (unsigned long long)v.v, (long long)max);
    *to = (int64_t)v.v;
    return true;
}

/* ---- statements --------------------------------------------------------------------------------
 */

static bool copy_value(value *to, const bin_value *v, arena *mem)
{
    switch (v->type) {
    case BIN_INTEGER:
        *to = (value){.type = VALUE_INT, .i = v->i};
        return true;
    case BIN_REAL:
    case BIN_DECIMAL:
        *to = (value){.type = VALUE_REAL, .d = bin_value_real(v)};
        if (isnan(to->d)) /* as SQLite itself has it */
            *to = (value){.type = VALUE_NULL};
        return true;
    case BIN_TEXT:
    case BIN_BLOB:
        *to = (value){.type = v->type == BIN_TEXT ? VALUE_TEXT : VALUE_BLOB,
                      .len = v->n,
                      .p = arena_strndup(mem, v->p, v->n)};
        return to->p != NULL;
    case BIN_NULL:
    case BIN_VALUE_TYPES:
        break;
    }
    *to = (value){.type = VALUE_NULL};
    return true;
}

bool bin_fill_stmt(engine_stmt *to, arena *mem, bin_text sql, const bin_params *p, error *e)
{
    if (!(to->sql = bin_cstr(mem, sql, "sql", e)))
        return false;
    if (p->n > PARAMS_MAX)
        return error_set(e, ERR_INVALID_MESSAGE, "params has more than %d values", PARAMS_MAX);
    value *values = arena_alloc(mem, (p->n + 1) * sizeof *values);
    const char **names = arena_alloc(mem, (p->n + 1) * sizeof *names);
    if (!values || !names)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    for (size_t i = 0; i < p->n; i++) {
        if (!copy_value(&values[i], &p->v[i], mem))
            return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
        if (p->names && !(names[i] = bin_cstr(mem, p->names[i], "a parameter's name", e)))
            return false;
    }
    to->n_params = (int)p->n;
    to->params = values;
    to->names = p->names ? names : NULL;
    return true;
}

bool bin_fill_job(job *j, const bin_query *q, error *e)
{
    int64_t timeout_ms = 0;
    const char *transaction = NULL;
    engine_stmt *stmt = arena_alloc(&j->mem, sizeof *stmt);
    if (!stmt)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    if (!bin_fill_stmt(stmt, &j->mem, q->sql, &q->params, e) ||
        !bin_opt_cstr(&j->mem, q->transaction, "transaction", &transaction, e) ||
        !bin_opt_limit(q->timeout_ms, "timeout_ms", MAX_TIMEOUT_MS, &timeout_ms, e) ||
        !bin_opt_limit(q->max_rows, "max_rows", INT64_MAX, &j->max_rows, e) ||
        (transaction && !params_set_id(j->tx, transaction, "transaction", e)))
        return false;
    if (timeout_ms)
        j->timeout_us = timeout_ms * 1000;
    j->stmts = stmt;
    j->n_stmts = 1;
    return true;
}

/* ---- messages to channels ----------------------------------------------------------------------
 */

json_t *bin_body_json(const bin_body *body, error *e)
{
    buf packed = BUF_INIT;
    json_writer w;
    json_t *j = NULL;
    error_clear(e);
    if (body->form == BIN_BODY_TEXT) {
        j = json_stringn(body->p, body->n);
    } else if (body->form == BIN_BODY_JSON) {
        j = json_read_text(body->p, body->n, e);
    } else {
        jw_init(&w, &packed);
        jw_base64(&w, body->p, body->n);
        j = packed.failed ? NULL : json_read_text(packed.data, packed.len, e);
        buf_free(&packed);
    }
    if (!j && e->code == ERR_NONE)
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    return j;
}
