/* Rows for those who may not see or change all of them: what grants say of a table becomes part of
 * the statements (engine/policy.h), and is looked at once more in what a write returns. */
#include "daemon/api/rows.h"
#include "engine/policy.h"

#include <string.h>
#include <strings.h>

static const struct {
    access_op op;
    const char *verb;
} verbs[] = {{ACCESS_SELECT, "read"},
             {ACCESS_INSERT, "insert"},
             {ACCESS_UPDATE, "update"},
             {ACCESS_DELETE, "delete"}};

static const char *verb_of(access_op op)
{
    size_t i = 0;
    while (verbs[i].op != op)
        i++;
    return verbs[i].verb;
}

static bool refuse_ops(const rows_op *op, const char *table, unsigned missing, error *e)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (!(missing & verbs[i].op))
            continue;
        error_set(e, ERR_PERMISSION_DENIED, "%s may not %s rows of \"%.100s\"", op->r->job.as->user,
                  verbs[i].verb, table);
        break;
    }
    return error_hint(e, "It takes a role with a grant on the table.");
}

/* Whether there is a table is told to nobody who may not do this with it. */
bool rows_may(const rows_op *op, const char *table, unsigned ops, error *e)
{
    const viewer *as = op->r->job.as;
    unsigned missing = as->access ? ops & ~access_find(as->access, table)->ops : 0;
    return !missing || refuse_ops(op, table, missing, e);
}

/* ---- columns ----------------------------------------------------------------------------------
 */

static bool is_masked_by(const access_grant *g, const char *column)
{
    for (int i = 0; i < g->n_masks; i++) {
        if (strcasecmp(g->masks[i].column, column) == 0)
            return true;
    }
    return false;
}

static void look_at_column(row_column *c, const access_table *t)
{
    c->hidden = !access_column(t, ACCESS_SELECT, c->name);
    for (int i = 0; i < t->n_grants; i++) {
        const access_grant *g = t->grants[i];
        if (g->ops & ACCESS_SELECT && (!access_grant_has(g, c->name) || is_masked_by(g, c->name)))
            c->masked = true;
    }
}

void rows_apply_grants(rows_op *op)
{
    const viewer *as = op->r->job.as;
    row_table *t = &op->table;
    const access_table *grants = as->access ? access_find(as->access, t->name) : NULL;
    bool plain = !grants || t->kind; /* of a view the engine sees to it */
    if (!plain) {
        plain = true;
        for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
            if ((op->ops | ACCESS_SELECT) & verbs[i].op)
                plain = plain && access_is_plain(grants, verbs[i].op);
        }
    }
    if (plain)
        return;
    t->grants = grants;
    op->r->job.structured = t->name;
    for (int i = 0; i < t->n_columns; i++)
        look_at_column(&t->columns[i], grants);
}

bool row_column_readable(const row_table *t, const row_column *c, error *e)
{
    if (!c->hidden)
        return true;
    return error_set(e, ERR_PERMISSION_DENIED, "the column \"%s\" of \"%s\" may not be read",
                     c->name, t->name);
}

bool row_key_is_shown(const row_table *t)
{
    for (int i = 0; i < t->n_key; i++) {
        const row_column *c = &t->columns[t->key[i]];
        if (c->hidden || c->masked)
            return false;
    }
    return true;
}

static bool has_all(const access_grant *g, const row_values *v)
{
    for (int i = 0; i < v->n; i++) {
        if (!access_grant_has(g, v->columns[i]->name))
            return false;
    }
    return true;
}

bool rows_may_write(const row_table *t, access_op op, const row_values *v, error *e)
{
    if (!t->grants)
        return true;
    for (int i = 0; i < v->n; i++) {
        if (!access_column(t->grants, op, v->columns[i]->name))
            return error_set(e, ERR_PERMISSION_DENIED,
                             "the column \"%s\" of \"%s\" may not be written by %s",
                             v->columns[i]->name, t->name, verb_of(op));
    }
    for (int i = 0; i < t->grants->n_grants; i++) {
        if (t->grants->grants[i]->ops & op && has_all(t->grants->grants[i], v))
            return true;
    }
    return error_set(e, ERR_PERMISSION_DENIED,
                     "no grant on \"%s\" lets one %s write all of these columns", t->name,
                     verb_of(op));
}

/* ---- in statements ----------------------------------------------------------------------------
 */

/* The names of the columns that are written, or NULL when memory is out (shown by the text). */
static const char **names_of(row_sql *s, const row_values *v)
{
    const char **names = arena_alloc(&s->op->r->job.mem, sizeof *names * (size_t)(v->n + 1));
    for (int i = 0; names && i < v->n; i++)
        names[i] = v->columns[i]->name;
    s->text.failed = s->text.failed || !names;
    return names;
}

void row_sql_shown(row_sql *s, const row_column *c)
{
    buf raw = BUF_INIT;
    if (!s->op->table.grants) {
        row_sql_column(s, c->name);
        return;
    }
    row_sql_add_column(&raw, &s->op->table, c->name);
    policy_column(&s->text, s->op->table.grants, c->name, buf_cstr(&raw));
    s->text.failed = s->text.failed || raw.failed;
    buf_free(&raw);
}

void row_sql_visible(row_sql *s)
{
    policy_rows(&s->text, s->op->table.grants, ACCESS_SELECT, 0, NULL);
}

void row_sql_writable(row_sql *s, access_op op, const row_values *v)
{
    static const row_values none = {0};
    const char **names = names_of(s, v ? v : &none);
    if (names)
        policy_rows(&s->text, s->op->table.grants, op, v ? v->n : 0, names);
}

static void add_check(row_sql *s, access_op op, const row_values *v)
{
    const char **names = names_of(s, v);
    if (names)
        policy_check(&s->text, s->op->table.grants, op, v->n, names);
}

void row_sql_written(row_sql *s, const row_values *inserted, const row_values *updated)
{
    if (inserted)
        add_check(s, ACCESS_INSERT, inserted);
    row_sql_add(s, inserted && updated ? " AND " : "");
    if (updated)
        add_check(s, ACCESS_UPDATE, updated);
    row_sql_add(s, ", (");
    row_sql_visible(s);
    row_sql_add(s, ") IS TRUE");
    s->extra = ROW_EXTRA_WRITTEN;
}

/* ---- in what they give: engine threads ---------------------------------------------------------
 */

static bool is_true(const value *v)
{
    return v->type == VALUE_INT && v->i;
}

bool rows_judge(run *r, const rows_op *op, const value *extra)
{
    row_extra what = op->extras[r->statements];
    const char *table = op->table.name;
    bool seen = true;
    if (r->refusal.code != ERR_NONE)
        return false;
    if (what == ROW_EXTRA_MAY && !is_true(&extra[0]))
        error_set(&r->refusal, ERR_PERMISSION_DENIED, "%s may not change this row of \"%s\"",
                  r->job.as->user, table);
    else if (what == ROW_EXTRA_WRITTEN && !is_true(&extra[0]))
        error_set(&r->refusal, ERR_PERMISSION_DENIED,
                  "%s may not write such a row to \"%s\": a policy refuses it", r->job.as->user,
                  table);
    else if (what == ROW_EXTRA_WRITTEN)
        seen = is_true(&extra[1]);
    else if (what == ROW_EXTRA_CHANGES && !is_true(&extra[0]))
        error_set(&r->refusal, ERR_PERMISSION_DENIED,
                  "%s may not change a row of \"%s\" that is there already", r->job.as->user,
                  table);
    return seen && r->refusal.code == ERR_NONE;
}
