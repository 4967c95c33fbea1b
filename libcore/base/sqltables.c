#include "base/sqltables.h"

#include <string.h>
#include <strings.h>

#include "base/sqlscan.h"

enum { LEVELS_MAX = 100, WITH_MAX = 64 };

typedef enum expectation {
    EXPECT_NOTHING,
    EXPECT_TABLE,
    EXPECT_SET,    /* behind IN: a name, or a list in brackets */
    EXPECT_TARGET, /* of a change or definition: OR and IF clauses may stand before it */
    EXPECT_WITH,   /* a name that WITH defines */
} expectation;

typedef struct defined {
    const char *start, *end;
    int level;
} defined;

/* Where a walk over a text is. */
typedef struct place {
    bool from[LEVELS_MAX]; /* per level of brackets: inside a FROM clause */
    bool with[LEVELS_MAX]; /* in the list of a WITH */
    int level;
    expectation next;
    bool after_dot, after_distinct;
    defined names[WITH_MAX];
    int n_names;
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

bool sqltables_name(const char *start, const char *end, char *out, size_t room)
{
    bool quoted = end - start >= 2 && strchr("'\"`[", *start);
    size_t n = 0;
    for (const char *s = quoted ? start + 1 : start; s < (quoted ? end - 1 : end); s++) {
        if (n + 1 >= room)
            return false;
        out[n++] = *s;
        if (quoted && *start != '[' && *s == *start) /* doubled */
            s++;
    }
    out[n] = '\0';
    return true;
}

static void define(place *at, const char *start, const char *end)
{
    if (at->n_names < WITH_MAX)
        at->names[at->n_names++] = (defined){start, end, at->level};
}

static bool is_defined(const place *at, const char *start, const char *end)
{
    char name[256], other[256];
    if (!sqltables_name(start, end, name, sizeof name))
        return false;
    for (int i = 0; i < at->n_names; i++) {
        if (sqltables_name(at->names[i].start, at->names[i].end, other, sizeof other) &&
            strcasecmp(name, other) == 0)
            return true;
    }
    return false;
}

/* Past a name or keyword; NULL when there is none. */
static const char *past_name(const char *s)
{
    return s && is_name(s) ? sqlscan_blank(sqlscan_token(s)) : NULL;
}

static const char *past_word(const char *s, const char *word)
{
    const char *end = s ? sqlscan_token(s) : NULL;
    return s && sqlscan_is(s, end, word) ? sqlscan_blank(end) : NULL;
}

/* Past what is in brackets; s when there are none. */
static const char *past_brackets(const char *s)
{
    int level = 0;
    const char *at = s;
    while (at && *at) {
        level += *at == '(' ? 1 : *at == ')' ? -1 : 0;
        if (level <= 0 && *at != ')')
            return s;
        at = sqlscan_blank(sqlscan_token(at));
        if (level == 0)
            return at;
    }
    return s;
}

/* WITH and WINDOW are names, too, wherever they cannot be keywords.
 * WITH [RECURSIVE] name [(columns)] AS [[NOT] MATERIALIZED] ( */
static bool begins_with(const char *s)
{
    const char *recursive = past_word(s, "RECURSIVE");
    const char *at = past_word(past_brackets(past_name(recursive ? recursive : s)), "AS");
    const char *behind_not = past_word(at, "NOT");
    at = behind_not ? behind_not : at;
    const char *materialized = past_word(at, "MATERIALIZED");
    at = materialized ? materialized : at;
    return at && *at == '(';
}

/* WINDOW name AS ( */
static bool begins_window(const char *s)
{
    const char *at = past_word(past_name(s), "AS");
    return at && *at == '(';
}

/* What a word makes of what follows. False: it is none of them. */
static bool step_keyword(place *at, const char *s, const char *end)
{
    static const char *const ends[] = {"SELECT", "VALUES",    "WHERE", "GROUP",  "HAVING",
                                       "ORDER",  "LIMIT",     "UNION", "EXCEPT", "INTERSECT",
                                       "SET",    "RETURNING", NULL};
    static const char *const targets[] = {"INTO", "UPDATE", "TABLE", NULL};
    static const char *const clauses[] = {"OR",     "REPLACE", "ROLLBACK", "ABORT",  "FAIL",
                                          "IGNORE", "IF",      "NOT",      "EXISTS", NULL};
    if (at->next == EXPECT_TARGET && is_any(s, end, clauses))
        return true;
    if (at->next == EXPECT_TARGET && (sqlscan_is(s, end, "OF") || sqlscan_is(s, end, "ON"))) {
        at->next = EXPECT_NOTHING; /* of a trigger */
        return true;
    }
    if (at->next == EXPECT_WITH && sqlscan_is(s, end, "RECURSIVE"))
        return true;
    if (sqlscan_is(s, end, "IN")) {
        at->next = EXPECT_SET;
    } else if (sqlscan_is(s, end, "WITH") && begins_with(sqlscan_blank(end))) {
        at->with[at->level] = true;
        at->next = EXPECT_WITH;
    } else if (sqlscan_is(s, end, "JOIN") ||
               (sqlscan_is(s, end, "FROM") && !at->after_distinct)) { /* a IS DISTINCT FROM b */
        at->from[at->level] = true;
        at->next = EXPECT_TABLE;
    } else if (is_any(s, end, ends) ||
               (sqlscan_is(s, end, "WINDOW") && begins_window(sqlscan_blank(end)))) {
        at->from[at->level] = at->with[at->level] = false;
        at->next = EXPECT_NOTHING;
    } else if (is_any(s, end, targets)) {
        at->with[at->level] = false;
        at->next = EXPECT_TARGET;
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
        at->with[at->level] = false;
        at->next = table ? EXPECT_TABLE : EXPECT_NOTHING;
    } else if (c == ')' && at->level > 0) {
        at->level--;
        while (at->n_names > 0 && at->names[at->n_names - 1].level > at->level)
            at->n_names--;
    } else if (c == ';') { /* of a trigger: what WITH defines ends with its statement */
        at->n_names = 0;
        at->from[at->level] = at->with[at->level] = false;
    } else if (c == ',' && at->with[at->level]) {
        at->next = EXPECT_WITH;
    } else if (c == ',' && at->from[at->level]) {
        at->next = EXPECT_TABLE;
    }
    return true;
}

/* A name, or what would be one. True: it is a table's. */
static bool step_name(place *at, const char *start, const char *end)
{
    char behind = *sqlscan_blank(end);
    expectation was = at->next;
    if (behind == '.' && was != EXPECT_NOTHING) /* a schema */
        return false;
    at->next = EXPECT_NOTHING;
    if (was == EXPECT_WITH)
        define(at, start, end);
    bool table =
        was == EXPECT_TARGET || (was != EXPECT_NOTHING && was != EXPECT_WITH && behind != '(');
    return table && (at->after_dot || !is_defined(at, start, end));
}

bool sqltables_each(const char *sql,
                    bool (*each)(void *arg, const char *start, const char *end, bool qualified),
                    void *arg)
{
    place at = {.level = 0};
    const char *end;
    for (const char *start = sqlscan_blank(sql); *start; start = sqlscan_blank(end)) {
        end = sqlscan_token(start);
        if (at.after_dot || !step_keyword(&at, start, end)) {
            if (is_name(start)) {
                if (step_name(&at, start, end) && !each(arg, start, end, at.after_dot))
                    return false;
            } else if (*start != '.' && !step_mark(&at, *start)) {
                return false;
            }
        }
        at.after_dot = *start == '.';
        at.after_distinct = sqlscan_is(start, end, "DISTINCT");
    }
    return true;
}
