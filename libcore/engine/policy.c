#include "engine/policy.h"

#include <string.h>
#include <strings.h>

#include "base/sqlname.h"
#include "base/sqlscan.h"

/* ---- names of tables --------------------------------------------------------------------------
 */

enum { LEVELS_MAX = 100 };

typedef enum expectation { EXPECT_NOTHING, EXPECT_TABLE, EXPECT_SET } expectation;

/* Where a walk over a policy is. */
typedef struct place {
    bool from[LEVELS_MAX]; /* per level of brackets: inside a FROM clause */
    int level;
    expectation next;
    bool after_dot, after_distinct;
} place;

static bool is_any(const char *s, const char *end, const char *const *words)
{
    for (; *words; words++) {
        if (sqlscan_is(s, end, *words))
            return true;
    }
    return false;
}

static bool is_name(const char *s)
{
    bool digit = *s >= '0' && *s <= '9';
    return (sqlscan_in_word(*s) && !digit) || (*s && strchr("'\"`[", *s));
}

/* Where the words that begin and end FROM clauses lead. False: it is none of them. */
static bool step_keyword(place *at, const char *s, const char *end)
{
    static const char *const ends[] = {"SELECT", "VALUES", "WHERE",  "GROUP",     "HAVING", "ORDER",
                                       "LIMIT",  "UNION",  "EXCEPT", "INTERSECT", "WINDOW", NULL};
    if (sqlscan_is(s, end, "IN")) {
        at->next = EXPECT_SET;
    } else if (sqlscan_is(s, end, "JOIN") ||
               (sqlscan_is(s, end, "FROM") && !at->after_distinct)) { /* a IS DISTINCT FROM b */
        at->from[at->level] = true;
        at->next = EXPECT_TABLE;
    } else if (is_any(s, end, ends)) {
        at->from[at->level] = false;
        at->next = EXPECT_NOTHING;
    } else {
        return false;
    }
    return true;
}

/* False when it is nested too deep. */
static bool step_mark(place *at, char c)
{
    bool table = at->next == EXPECT_TABLE;
    at->next = EXPECT_NOTHING;
    if (c == '(') {
        if (++at->level == LEVELS_MAX)
            return false;
        at->from[at->level] = table;
        at->next = table ? EXPECT_TABLE : EXPECT_NOTHING;
    } else if (c == ')' && at->level > 0) {
        at->level--;
    } else if (c == ',' && at->from[at->level]) {
        at->next = EXPECT_TABLE;
    }
    return true;
}

/* A table's name without a schema; what is followed by a bracket is a function. */
static bool names_table(const place *at, const char *s, const char *end)
{
    char behind = *sqlscan_blank(end);
    return at->next != EXPECT_NOTHING && !at->after_dot && is_name(s) && behind != '.' &&
           behind != '(';
}

static void add_qualified(buf *out, const char *sql)
{
    place at = {.level = 0};
    for (const char *s = sql; *s && !out->failed;) {
        const char *start = sqlscan_blank(s);
        const char *end = sqlscan_token(start);
        buf_add(out, s, (size_t)(start - s));
        bool keyword = !at.after_dot && step_keyword(&at, start, end);
        if (!keyword && names_table(&at, start, end))
            buf_adds(out, "main.");
        if (!keyword && is_name(start))
            at.next = EXPECT_NOTHING;
        else if (!keyword && *start != '.' && !step_mark(&at, *start))
            out->failed = true;
        at.after_dot = *start == '.';
        at.after_distinct = sqlscan_is(start, end, "DISTINCT");
        buf_add(out, start, (size_t)(end - start));
        s = end;
    }
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
