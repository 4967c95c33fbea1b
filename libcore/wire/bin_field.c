#include "wire/bin_field.h"

/* ---- single values -----------------------------------------------------------------------------
 */

static void put_bool(buf *out, const void *at)
{
    bc_put_u8(out, *(const bool *)at);
}

static void get_bool(bin_input *in, void *at)
{
    *(bool *)at = bc_get_bool(in->r);
}

static void put_u16(buf *out, const void *at)
{
    bc_put_uint(out, *(const uint16_t *)at);
}

static void get_u16(bin_input *in, void *at)
{
    *(uint16_t *)at = (uint16_t)bc_get_uint(in->r, BC_U16);
}

static void put_u64(buf *out, const void *at)
{
    bc_put_uint(out, *(const uint64_t *)at);
}

static void get_u64(bin_input *in, void *at)
{
    *(uint64_t *)at = bc_get_uint(in->r, BC_U64);
}

static void put_i64(buf *out, const void *at)
{
    bc_put_int(out, *(const int64_t *)at);
}

static void get_i64(bin_input *in, void *at)
{
    *(int64_t *)at = bc_get_int(in->r);
}

static void put_text(buf *out, const void *at)
{
    const bin_text *t = at;
    bc_put_str(out, t->p, t->n);
}

static void get_text(bin_input *in, void *at)
{
    bin_text *t = at;
    t->p = bc_get_str(in->r, &t->n);
}

static void put_opt_text(buf *out, const void *at)
{
    const bin_opt_text *t = at;
    bc_put_u8(out, t->p != NULL);
    if (t->p)
        bc_put_str(out, t->p, t->n);
}

static void get_opt_text(bin_input *in, void *at)
{
    bin_opt_text *t = at;
    if (bc_get_bool(in->r))
        t->p = bc_get_str(in->r, &t->n);
}

static void put_opt_uint(buf *out, const void *at)
{
    const bin_opt_uint *v = at;
    bc_put_u8(out, v->is);
    if (v->is)
        bc_put_uint(out, v->v);
}

static void get_opt_uint(bin_input *in, void *at)
{
    bin_opt_uint *v = at;
    v->is = bc_get_bool(in->r);
    if (v->is)
        v->v = bc_get_uint(in->r, BC_U64);
}

static void put_op(buf *out, const void *at)
{
    bc_put_uint(out, *(const bin_op *)at);
}

static void get_op(bin_input *in, void *at)
{
    *(bin_op *)at = (bin_op)bc_get_variant(in->r, BIN_OPS);
}

static void put_table_change(buf *out, const void *at)
{
    bc_put_uint(out, *(const bin_table_change *)at);
}

static void get_table_change(bin_input *in, void *at)
{
    *(bin_table_change *)at = (bin_table_change)bc_get_variant(in->r, BIN_TABLE_CHANGES);
}

static void put_opt_policy(buf *out, const void *at)
{
    const bin_opt_policy *policy = at;
    bc_put_u8(out, policy->is);
    if (policy->is)
        bc_put_uint(out, policy->v);
}

static void get_opt_policy(bin_input *in, void *at)
{
    bin_opt_policy *policy = at;
    policy->is = bc_get_bool(in->r);
    if (policy->is)
        policy->v = (bin_policy)bc_get_variant(in->r, BIN_POLICIES);
}

static void put_body(buf *out, const void *at)
{
    const bin_body *body = at;
    bc_put_uint(out, body->form);
    if (body->form == BIN_BODY_BINARY)
        bc_put_bytes(out, body->p, body->n);
    else
        bc_put_str(out, body->p, body->n);
}

static void get_body(bin_input *in, void *at)
{
    bin_body *body = at;
    body->form = (bin_body_form)bc_get_variant(in->r, BIN_BODY_FORMS);
    if (body->form == BIN_BODY_BINARY)
        body->p = bc_get_bytes(in->r, &body->n);
    else
        body->p = bc_get_str(in->r, &body->n);
}

/* ---- lists -------------------------------------------------------------------------------------
 */

/* Reads the count, of items that take `least` bytes or more each, and makes room for them. NULL
 * with *n 0 when there are none or cannot be. */
static void *get_list(bin_input *in, size_t *n, size_t least, size_t item)
{
    *n = bc_get_count(in->r, least);
    if (*n == 0)
        return NULL;
    void *v = arena_alloc(in->mem, *n * item);
    if (!v) {
        in->no_memory = true;
        bc_fail(in->r, "out of memory");
        *n = 0;
    }
    return v;
}

static void put_values(buf *out, const void *at)
{
    const bin_values *values = at;
    bc_put_uint(out, values->n);
    for (size_t i = 0; i < values->n; i++)
        bin_put_value(out, &values->v[i]);
}

static void get_values(bin_input *in, void *at)
{
    bin_values *values = at;
    bin_value *v = get_list(in, &values->n, 1, sizeof *v);
    for (size_t i = 0; i < values->n; i++)
        v[i] = bin_get_value(in->r);
    values->v = v;
}

static void put_opt_values(buf *out, const void *at)
{
    const bin_opt_values *values = at;
    bc_put_u8(out, values->is);
    if (values->is)
        put_values(out, &values->values);
}

static void get_opt_values(bin_input *in, void *at)
{
    bin_opt_values *values = at;
    values->is = bc_get_bool(in->r);
    if (values->is)
        get_values(in, &values->values);
}

static void put_params(buf *out, const void *at)
{
    const bin_params *p = at;
    bc_put_uint(out, p->form);
    if (p->form == BIN_PARAMS_NONE)
        return;
    bc_put_uint(out, p->n);
    for (size_t i = 0; i < p->n; i++) {
        if (p->form == BIN_PARAMS_NAMED)
            put_text(out, &p->names[i]);
        bin_put_value(out, &p->v[i]);
    }
}

static void get_params(bin_input *in, void *at)
{
    bin_params *p = at;
    p->form = (bin_params_form)bc_get_variant(in->r, BIN_PARAMS_FORMS);
    if (p->form == BIN_PARAMS_NONE)
        return;
    bool named = p->form == BIN_PARAMS_NAMED;
    bin_value *v = get_list(in, &p->n, named ? 2 : 1, sizeof *v + (named ? sizeof(bin_text) : 0));
    bin_text *names = named && v ? (bin_text *)(v + p->n) : NULL;
    for (size_t i = 0; i < p->n; i++) {
        if (names)
            get_text(in, &names[i]);
        v[i] = bin_get_value(in->r);
    }
    p->v = v;
    p->names = names;
}

static void put_texts(buf *out, const void *at)
{
    const bin_texts *t = at;
    bc_put_uint(out, t->n);
    for (size_t i = 0; i < t->n; i++)
        put_text(out, &t->v[i]);
}

static void get_texts(bin_input *in, void *at)
{
    bin_texts *t = at;
    bin_text *v = get_list(in, &t->n, 1, sizeof *v);
    for (size_t i = 0; i < t->n; i++)
        get_text(in, &v[i]);
    t->v = v;
}

static void put_indexes(buf *out, const void *at)
{
    const bin_indexes *x = at;
    bc_put_uint(out, x->n);
    for (size_t i = 0; i < x->n; i++)
        bc_put_uint(out, x->v[i]);
}

static void get_indexes(bin_input *in, void *at)
{
    bin_indexes *x = at;
    uint32_t *v = get_list(in, &x->n, 1, sizeof *v);
    for (size_t i = 0; i < x->n; i++)
        v[i] = (uint32_t)bc_get_uint(in->r, BC_U32);
    x->v = v;
}

static void put_columns(buf *out, const void *at)
{
    const bin_column_list *c = at;
    bc_put_uint(out, c->n);
    for (size_t i = 0; i < c->n; i++) {
        put_text(out, &c->v[i].name);
        put_opt_text(out, &c->v[i].decl_type);
    }
}

static void get_columns(bin_input *in, void *at)
{
    bin_column_list *c = at;
    bin_column *v = get_list(in, &c->n, 2, sizeof *v);
    for (size_t i = 0; i < c->n; i++) {
        get_text(in, &v[i].name);
        get_opt_text(in, &v[i].decl_type);
    }
    c->v = v;
}

static void put_ops(buf *out, const void *at)
{
    const bin_op_list *ops = at;
    bc_put_uint(out, (uint64_t)__builtin_popcount(ops->set));
    for (unsigned op = 0; op < BIN_OPS; op++) {
        if (ops->set & 1u << op)
            bc_put_uint(out, op);
    }
}

static void get_ops(bin_input *in, void *at)
{
    bin_op_list *ops = at;
    for (size_t n = bc_get_count(in->r, 1); n && !in->r->fault; n--)
        ops->set |= 1u << bc_get_variant(in->r, BIN_OPS);
}

/* ---- kinds -------------------------------------------------------------------------------------
 */

static const struct {
    void (*put)(buf *out, const void *at);
    void (*get)(bin_input *in, void *at);
} kinds[] = {
    [BIN_KIND_BOOL] = {put_bool, get_bool},
    [BIN_KIND_U16] = {put_u16, get_u16},
    [BIN_KIND_U64] = {put_u64, get_u64},
    [BIN_KIND_I64] = {put_i64, get_i64},
    [BIN_KIND_TEXT] = {put_text, get_text},
    [BIN_KIND_OPT_TEXT] = {put_opt_text, get_opt_text},
    [BIN_KIND_OPT_UINT] = {put_opt_uint, get_opt_uint},
    [BIN_KIND_TEXTS] = {put_texts, get_texts},
    [BIN_KIND_INDEXES] = {put_indexes, get_indexes},
    [BIN_KIND_VALUES] = {put_values, get_values},
    [BIN_KIND_OPT_VALUES] = {put_opt_values, get_opt_values},
    [BIN_KIND_PARAMS] = {put_params, get_params},
    [BIN_KIND_COLUMNS] = {put_columns, get_columns},
    [BIN_KIND_OP] = {put_op, get_op},
    [BIN_KIND_OPS] = {put_ops, get_ops},
    [BIN_KIND_OPT_POLICY] = {put_opt_policy, get_opt_policy},
    [BIN_KIND_TABLE_CHANGE] = {put_table_change, get_table_change},
    [BIN_KIND_BODY] = {put_body, get_body},
};

void bin_put_field(buf *out, bin_kind kind, const void *at)
{
    kinds[kind].put(out, at);
}

void bin_get_field(bin_input *in, bin_kind kind, void *at)
{
    kinds[kind].get(in, at);
}
