#include "engine/policy.h"

#include <string.h>
#include <strings.h>

#include "base/sqlname.h"
#include "base/sqltables.h"

/* ---- names of tables --------------------------------------------------------------------------
 */

typedef struct qualifying {
    buf *out;
    const char *done; /* what stands before it has been written */
} qualifying;

static bool qualify(void *arg, const char *start, const char *end, bool qualified)
{
    qualifying *q = arg;
    buf_add(q->out, q->done, (size_t)(start - q->done));
    buf_adds(q->out, qualified ? "" : "main.");
    buf_add(q->out, start, (size_t)(end - start));
    q->done = end;
    return true;
}

static void add_qualified(buf *out, const char *sql)
{
    qualifying q = {out, sql};
    if (sqltables_each(sql, qualify, &q))
        buf_adds(out, q.done);
    else
        out->failed = true;
}

/* The line's end closes a comment that the policy may end with. */
void policy_term(buf *out, const char *sql)
{
    buf_addc(out, '(');
    add_qualified(out, sql);
    buf_adds(out, "\n)");
}

/* ---- rows -------------------------------------------------------------------------------------
 */

static bool counts(const access_grant *g, access_op op, int n, const char *const *columns)
{
    if (!(g->ops & op))
        return false;
    for (int i = 0; i < n; i++) {
        if (!access_grant_has(g, columns[i]))
            return false;
    }
    return true;
}

static const char *check_of(const access_grant *g)
{
    return g->check ? g->check : g->where;
}

static const char *where_of(const access_grant *g)
{
    return g->where;
}

/* Any of what `what` gives of the grants that count. */
static void add_any(buf *out, const access_table *t, access_op op, int n,
                    const char *const *columns, const char *(*what)(const access_grant *))
{
    bool any = false;
    for (int i = 0; i < t->n_grants; i++) {
        if (counts(t->grants[i], op, n, columns) && !what(t->grants[i])) {
            buf_addc(out, '1');
            return;
        }
    }
    for (int i = 0; i < t->n_grants; i++) {
        if (!counts(t->grants[i], op, n, columns))
            continue;
        buf_adds(out, any ? " OR " : "(");
        policy_term(out, what(t->grants[i]));
        any = true;
    }
    buf_addc(out, any ? ')' : '0');
}

void policy_rows(buf *out, const access_table *t, access_op op, int n, const char *const *columns)
{
    add_any(out, t, op, n, columns, where_of);
}

void policy_check(buf *out, const access_table *t, access_op op, int n, const char *const *columns)
{
    buf_addc(out, '(');
    add_any(out, t, op, n, columns, check_of);
    buf_adds(out, " IS TRUE)");
}

/* ---- columns ----------------------------------------------------------------------------------
 */

/* NULL: it shows the column as it is. */
static const char *mask_of(const access_grant *g, const char *column)
{
    for (int i = 0; i < g->n_masks; i++) {
        if (strcasecmp(g->masks[i].column, column) == 0)
            return g->masks[i].sql;
    }
    return NULL;
}

static void add_shown(buf *out, const char *mask, const char *column, const char *source)
{
    if (mask)
        policy_term(out, mask);
    else if (source)
        buf_adds(out, source);
    else
        sqlname_add(out, column);
}

void policy_column(buf *out, const access_table *t, const char *column, const char *source)
{
    bool open = false, all = false;
    for (int masked = 0; masked < 2 && !all; masked++) {
        for (int i = 0; i < t->n_grants && !all; i++) {
            const access_grant *g = t->grants[i];
            const char *mask = mask_of(g, column);
            if (!counts(g, ACCESS_SELECT, 1, &column) || (mask != NULL) != masked)
                continue;
            all = !g->where;
            if (!all) {
                buf_adds(out, open ? " WHEN " : "CASE WHEN ");
                policy_term(out, g->where);
                buf_adds(out, " THEN ");
                open = true;
            } else if (open) {
                buf_adds(out, " ELSE ");
            }
            add_shown(out, mask, column, source);
        }
    }
    if (open)
        buf_adds(out, " END");
    else if (!all)
        buf_adds(out, "NULL");
}
