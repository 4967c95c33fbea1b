#include "bin_json.h"

#include <stdlib.h>
#include <string.h>

#include "wire/bin_layout.h"

static json_t *text(const char *p, size_t n)
{
    return json_stringn(p, n);
}

static json_t *hex(const char *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char *out = malloc(2 * n + 1);
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[(unsigned char)p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    json_t *j = json_stringn(out, 2 * n);
    free(out);
    return j;
}

static json_t *variant(const char *name, json_t *fields)
{
    return json_pack("{s:o}", name, fields);
}

static json_t *value_json(const bin_value *v)
{
    switch (v->type) {
    case BIN_INTEGER:
        return variant("Integer", json_integer(v->i));
    case BIN_REAL:
        return variant("Real", json_real(v->d));
    case BIN_TEXT:
        return variant("Text", text(v->p, v->n));
    case BIN_BLOB:
        return variant("Blob", hex(v->p, v->n));
    case BIN_DECIMAL:
        return variant("Decimal", json_pack("[I,i]", (json_int_t)v->i, (int)v->n));
    default:
        return json_string("Null");
    }
}

static json_t *values_json(const bin_values *values)
{
    json_t *list = json_array();
    for (size_t i = 0; i < values->n; i++)
        json_array_append_new(list, value_json(&values->v[i]));
    return list;
}

static json_t *params_json(const bin_params *p)
{
    if (p->form == BIN_PARAMS_NONE)
        return json_string("None");
    if (p->form == BIN_PARAMS_POSITIONAL)
        return variant("Positional", values_json(&(bin_values){p->n, p->v}));
    json_t *list = json_array();
    for (size_t i = 0; i < p->n; i++)
        json_array_append_new(
            list, json_pack("[o,o]", text(p->names[i].p, p->names[i].n), value_json(&p->v[i])));
    return variant("Named", list);
}

static json_t *opt_text_json(const bin_opt_text *t)
{
    return t->p ? text(t->p, t->n) : json_null();
}

static json_t *columns_json(const bin_column_list *c)
{
    json_t *list = json_array();
    for (size_t i = 0; i < c->n; i++)
        json_array_append_new(list,
                              json_pack("{s:o,s:o}", "name", text(c->v[i].name.p, c->v[i].name.n),
                                        "decl_type", opt_text_json(&c->v[i].decl_type)));
    return list;
}

static json_t *texts_json(const bin_texts *t)
{
    json_t *list = json_array();
    for (size_t i = 0; i < t->n; i++)
        json_array_append_new(list, text(t->v[i].p, t->v[i].n));
    return list;
}

static const char *const ops[] = {"Insert", "Update", "Delete"};
static const char *const policies[] = {"Disconnect", "DropOldest", "Replay"};
static const char *const table_changes[] = {"Altered", "Renamed", "Dropped"};
static const char *const bodies[] = {"Json", "Text", "Binary"};

static json_t *ops_json(const bin_op_list *set)
{
    json_t *list = json_array();
    for (unsigned op = 0; op < BIN_OPS; op++) {
        if (set->set & 1u << op)
            json_array_append_new(list, json_string(ops[op]));
    }
    return list;
}

static json_t *indexes_json(const bin_indexes *x)
{
    json_t *list = json_array();
    for (size_t i = 0; i < x->n; i++)
        json_array_append_new(list, json_integer(x->v[i]));
    return list;
}

static json_t *field_json(bin_kind kind, const void *at)
{
    const bin_text *t = at;
    const bin_opt_uint *u = at;
    const bin_opt_values *values = at;
    const bin_opt_policy *policy = at;
    const bin_body *body = at;
    switch (kind) {
    case BIN_KIND_BOOL:
        return json_boolean(*(const bool *)at);
    case BIN_KIND_U16:
        return json_integer(*(const uint16_t *)at);
    case BIN_KIND_U64:
        return json_integer((json_int_t) * (const uint64_t *)at);
    case BIN_KIND_I64:
        return json_integer(*(const int64_t *)at);
    case BIN_KIND_TEXT:
        return text(t->p, t->n);
    case BIN_KIND_OPT_TEXT:
        return opt_text_json(at);
    case BIN_KIND_OPT_UINT:
        return u->is ? json_integer((json_int_t)u->v) : json_null();
    case BIN_KIND_TEXTS:
        return texts_json(at);
    case BIN_KIND_INDEXES:
        return indexes_json(at);
    case BIN_KIND_VALUES:
        return values_json(at);
    case BIN_KIND_OPT_VALUES:
        return values->is ? values_json(&values->values) : json_null();
    case BIN_KIND_PARAMS:
        return params_json(at);
    case BIN_KIND_COLUMNS:
        return columns_json(at);
    case BIN_KIND_OP:
        return json_string(ops[*(const bin_op *)at]);
    case BIN_KIND_OPS:
        return ops_json(at);
    case BIN_KIND_OPT_POLICY:
        return policy->is ? json_string(policies[policy->v]) : json_null();
    case BIN_KIND_TABLE_CHANGE:
        return json_string(table_changes[*(const bin_table_change *)at]);
    case BIN_KIND_BODY:
        return variant(bodies[body->form], body->form == BIN_BODY_BINARY ? hex(body->p, body->n)
                                                                         : text(body->p, body->n));
    }
    return NULL;
}

json_t *bin_json(const bin_message *m)
{
    const bin_type_layout *type = &bin_types[m->type];
    const bin_layout *layout = &type->forms[type->n_forms ? m->form : 0];
    json_t *payload = json_object();
    for (int i = 0; i < layout->n; i++)
        json_object_set_new(
            payload, layout->fields[i].name,
            field_json(layout->fields[i].kind, (const char *)m + layout->fields[i].at));
    if (type->n_forms)
        payload = variant(layout->name, payload);
    return json_pack("{s:i,s:s,s:o,s:o}", "version", BIN_VERSION, "msg_type", type->name, "id",
                     text(m->id.p, m->id.n), "payload", payload);
}
