#include "engine/sqlite/permit.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/sqlscan.h"
#include "base/sqltables.h"
#include "engine/sqlite/functions.h"
#include "engine/sqlite/shadows.h"
#include "engine/sqlite/sqltext.h"
#include "engine/sqlite/unasked.h"

enum { NAME_ROOM = 256 };

static const access_op every_op[] = {ACCESS_SELECT, ACCESS_INSERT, ACCESS_UPDATE, ACCESS_DELETE};

/* ---- saying no --------------------------------------------------------------------------------
 */

static int deny(guard *g, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int deny(guard *g, const char *hint, const char *fmt, ...)
{
    if (g->refused.code != ERR_NONE)
        return SQLITE_DENY;
    va_list ap;
    va_start(ap, fmt);
    char what[sizeof g->refused.message];
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    error_clear(&g->refused);
    error_set(&g->refused, ERR_PERMISSION_DENIED, "%s", what);
    error_hint(&g->refused, "%s", hint);
    return SQLITE_DENY;
}

static void hide(error *e, const char *table)
{
    error_clear(e);
    error_set(e, ERR_PERMISSION_DENIED, "there is no table \"%.200s\" that you may use", table);
    error_hint(e,
               "Look at its spelling, or ask for a grant on it. Of a name of WITH, read a column.");
}

static int deny_hidden(guard *g, const char *table)
{
    if (g->refused.code == ERR_NONE)
        hide(&g->refused, table);
    return SQLITE_DENY;
}

static int deny_write(guard *g, const char *table)
{
    return deny(g, "Use the operations on rows: /api/v1/tables/NAME/rows.",
                "SQL may not change \"%.200s\": what you may read or change of it is restricted",
                table);
}

/* ---- kinds of names ---------------------------------------------------------------------------
 */

static bool is_any(const char *name, const char *const *names)
{
    for (; *names; names++) {
        if (strcasecmp(name, *names) == 0)
            return true;
    }
    return false;
}

/* Functions that give tables and look at nothing but their arguments. */
static bool is_harmless_module(const char *name)
{
    static const char *const names[] = {"json_each", "json_tree", NULL};
    return is_any(name, names);
}

/* What tells of the database itself, whatever grants for "*" say. */
static bool is_system(const char *name)
{
    static const char *const names[] = {"dbstat",       "bytecode",  "tables_used", "completion",
                                        "fts3tokenize", "fts5vocab", "fts4aux",     NULL};
    return strncasecmp(name, "sqlite_", 7) == 0 || strncasecmp(name, "pragma_", 7) == 0 ||
           is_any(name, names);
}

static bool is_schema_table(const char *name)
{
    static const char *const names[] = {"sqlite_master", "sqlite_schema", "sqlite_temp_master",
                                        "sqlite_temp_schema", NULL};
    return is_any(name, names);
}

static bool is_open(const access_table *t)
{
    for (size_t i = 0; i < sizeof every_op / sizeof *every_op; i++) {
        if (!access_is_plain(t, every_op[i]))
            return false;
    }
    return true;
}

static const access_table *grants(const guard *g, const char *table)
{
    return access_find(g->viewer->access, table);
}

static bool is_structured(const guard *g, const char *table)
{
    return g->structured && strcasecmp(table, g->structured) == 0;
}

/* ---- the system's tables ----------------------------------------------------------------------
 */

/* SQLite changes them itself while it runs a schema statement, with the same questions to us. It
 * begins before it names that statement, so writing is left to its own rule that nobody writes the
 * schema's table; reading is what it needs to find its row again, and ALTER and DROP, in which
 * nobody can put a SELECT, need more. */
static int permit_system(guard *g, int action, const char *table, const char *column)
{
    bool writes = action != SQLITE_READ;
    if (is_schema_table(table) && writes && g->viewer->schema) {
        g->wrote_schema = action == SQLITE_UPDATE && column && strcmp(column, "sql") == 0;
        return SQLITE_OK;
    }
    bool row = g->wrote_schema && column && strcmp(column, "ROWID") == 0;
    if (is_schema_table(table) && !writes && row)
        return SQLITE_OK;
    return g->alters ? SQLITE_OK : deny_hidden(g, table);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static int permit_column(guard *g, const access_table *t, const char *table, const char *column)
{
    if (access_column(t, ACCESS_SELECT, column))
        return SQLITE_OK;
    return deny(g, "Name the columns that you may read, or ask for a grant on this one.",
                "the column \"%.200s.%.200s\" may not be read", table, column);
}

/* A table that is read through its shadow, but here is read itself, or is not known to be. */
static int permit_filtered(guard *g, const char *table, const char *column, const char *schema)
{
    /* SQLite names a table of which no column is used by its name in the text alone. Seen from
     * here it may be the shadow, or the table itself in a view of the schema: see permit_text. */
    if (!schema && !*column && shadows_have(g->shadows, table)) {
        if (!g->stepping) {
            g->unclear = g->shadowed = true;
            return SQLITE_OK;
        }
        error_clear(&g->refused);
        error_set(&g->refused, ERR_BUSY, "the schema has changed while the statement began");
        error_hint(&g->refused, "Send it again.");
        return SQLITE_DENY;
    }
    if (!g->wanted && !g->stepping)
        g->wanted = mem_strndup(table, strlen(table));
    return deny(g, "Name it without a schema, outside of triggers and of changes.",
                "\"%.200s\" may be read only as far as your rights on its rows reach", table);
}

static int permit_read(guard *g, const char *table, const char *column, const char *schema,
                       const char *context)
{
    if (is_harmless_module(table))
        return SQLITE_OK;
    if (is_system(table))
        return permit_system(g, SQLITE_READ, table, column);
    if (shadows_trust(g->shadows, context)) {
        g->shadowed = true;
        return SQLITE_OK;
    }
    /* Of what is read without a column SQLite does not say where. But only the text itself, and
     * what shadows are made of, can name a schema. */
    bool main = schema && strcmp(schema, "main") == 0;
    if (main && !*column && g->shadows->owner && !g->names_main) {
        g->shadowed = true;
        return SQLITE_OK;
    }
    const access_table *t = grants(g, table);
    bool own = is_structured(g, table) && t->ops;
    if (own || (g->structured && !context && main))
        return SQLITE_OK;
    if (!t->ops)
        return deny_hidden(g, table);
    if (!(t->ops & ACCESS_SELECT))
        return deny(g, "Ask for a grant that includes select.", "\"%.200s\" may not be read",
                    table);
    if (schema && strcmp(schema, "temp") == 0)
        g->shadowed = true;
    else if (access_is_filtered(t))
        return permit_filtered(g, table, column, schema);
    return permit_column(g, t, table, column);
}

/* ---- changing ---------------------------------------------------------------------------------
 */

static access_op op_of(int action)
{
    return action == SQLITE_INSERT   ? ACCESS_INSERT
           : action == SQLITE_UPDATE ? ACCESS_UPDATE
                                     : ACCESS_DELETE;
}

static int permit_structured(guard *g, const access_table *t, access_op op, const char *table,
                             const char *column)
{
    static const char *const names[] = {[ACCESS_INSERT] = "insert into",
                                        [ACCESS_UPDATE] = "update",
                                        [ACCESS_DELETE] = "delete from"};
    const char *one = op == ACCESS_UPDATE && column ? column : "";
    if (access_column(t, op, one))
        return SQLITE_OK;
    if (t->ops & op)
        return deny(g, "Leave it out, or ask for a grant on it.",
                    "the column \"%.200s.%.200s\" may not be changed", table, one);
    return deny(g, "Ask for a grant that includes it.", "you may not %s \"%.200s\"", names[op],
                table);
}

static int permit_write(guard *g, int action, const char *table, const char *column,
                        const char *schema, const char *context)
{
    access_op op = op_of(action);
    if (is_system(table))
        return permit_system(g, action, table, column);
    const access_table *t = grants(g, table);
    g->inserts = g->inserts || (op == ACCESS_INSERT && !context);
    if (!t->ops)
        return deny_hidden(g, table);
    int rc = permit_structured(g, t, op, table, column);
    if (rc != SQLITE_OK || (is_structured(g, table) && !context))
        return rc;
    bool plain = op == ACCESS_UPDATE && column ? access_is_plain_column(t, op, column)
                                               : access_is_plain(t, op);
    bool shadow = schema && strcmp(schema, "temp") == 0;
    if (!plain || shadow || access_is_filtered(t))
        return deny_write(g, table);
    if (op != ACCESS_DELETE && !access_is_plain(t, ACCESS_DELETE))
        g->keeps_rows = true;
    return SQLITE_OK;
}

/* ---- the schema -------------------------------------------------------------------------------
 */

static int permit_open(guard *g, const char *table)
{
    const access_table *t = grants(g, table);
    if (!t->ops)
        return deny_hidden(g, table);
    if (is_open(t))
        return SQLITE_OK;
    return deny(g, "Ask for all operations on it, without conditions, columns and masks.",
                "the schema of \"%.200s\" may be changed only by those who may everything with it",
                table);
}

static int permit_module(guard *g, const char *module)
{
    static const char *const names[] = {"fts3",      "fts4",    "fts5", "rtree",
                                        "rtree_i32", "geopoly", NULL};
    if (module && is_any(module, names))
        return SQLITE_OK;
    return deny(g, "Full-text and R-tree tables may be made.",
                "virtual tables of the kind \"%.100s\" may not be made", module ? module : "");
}

static int permit_schema(guard *g, int action, const char *a, const char *b)
{
    if (!g->viewer->schema)
        return deny(g, "Ask for a role with the scope schema.", "you may not change the schema");
    switch (action) {
    case SQLITE_CREATE_VIEW:
        g->makes_view = true;
        return SQLITE_OK;
    case SQLITE_CREATE_TABLE:
    case SQLITE_REINDEX:
        return SQLITE_OK;
    case SQLITE_CREATE_VTABLE:
        g->makes_virtual = true;
        return permit_module(g, b);
    case SQLITE_CREATE_TRIGGER:
        g->makes_trigger = true;
        return permit_open(g, b);
    case SQLITE_CREATE_INDEX:
        return permit_open(g, b);
    case SQLITE_ALTER_TABLE: /* (schema, table) */
        g->alters = true;
        return permit_open(g, b);
    case SQLITE_DROP_TABLE:
    case SQLITE_DROP_VIEW:
    case SQLITE_DROP_VTABLE:
        g->alters = true;
        return permit_open(g, a);
    case SQLITE_DROP_INDEX:
    case SQLITE_DROP_TRIGGER:
        g->alters = true;
        return permit_open(g, b);
    }
    return deny(g, "WITH gives names to results within one statement.",
                "this kind of statement is for those who may everything");
}

/* ---- the questions ----------------------------------------------------------------------------
 */

int permit_action(guard *g, int action, const char *a, const char *b, const char *schema,
                  const char *context)
{
    a = a ? a : "";
    switch (action) {
    case SQLITE_READ:
        return permit_read(g, a, b ? b : "", schema, context);
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
        return permit_write(g, action, a, b, schema, context);
    default:
        return permit_schema(g, action, a, b ? b : "");
    }
}

int permit_function(guard *g, const char *name, const char *context)
{
    if (!functions_are_closed(name) || shadows_trust(g->shadows, context) || g->structured ||
        g->alters)
        return SQLITE_OK;
    return deny(g, "It is not for clients.", "the function %.100s is not allowed", name);
}

/* Those that tell of a table are for tables of which every column may be read. */
int permit_pragma(guard *g, const char *name, const char *arg, const char *schema)
{
    static const char *const told[] = {"application_id", "collation_list",     "compile_options",
                                       "data_version",   "encoding",           "foreign_keys",
                                       "user_version",   "defer_foreign_keys", NULL};
    static const char *const of_table[] = {"table_info", "table_xinfo", "foreign_key_list",
                                           "index_list", NULL};
    bool set = arg && strcasecmp(name, "defer_foreign_keys") != 0;
    if (is_any(name, told) && !set)
        return SQLITE_OK;
    if (!is_any(name, of_table) || !arg || (schema && strcasecmp(schema, "main") != 0))
        return deny(g, "GET /api/v1/tables tells what you may know of the schema.",
                    "PRAGMA %.100s is for those who may everything", name);
    const access_table *t = grants(g, arg);
    for (int i = 0; i < t->n_grants; i++) {
        if (t->grants[i]->ops & ACCESS_SELECT && !t->grants[i]->n_columns && !is_system(arg))
            return SQLITE_OK;
    }
    return deny_hidden(g, arg);
}

/* ---- the text ---------------------------------------------------------------------------------
 */

static bool has_name(const char *sql, const char *wanted)
{
    char name[NAME_ROOM];
    for (const char *s = sqlscan_blank(sql); *s;) {
        const char *end = sqlscan_token(s);
        if (sqltables_name(s, end, name, sizeof name) && strcasecmp(name, wanted) == 0)
            return true;
        s = sqlscan_blank(end);
    }
    return false;
}

bool permit_begin(guard *g, const char *sql, error *e)
{
    g->names_main = has_name(sql, "main");
    g->joins = unasked_joins(sql) ? sql : NULL;
    if (!sql_starts_with(sql, "REINDEX") && !sql_starts_with(sql, "ANALYZE"))
        return true;
    error_clear(e);
    error_set(e, ERR_PERMISSION_DENIED, "REINDEX and ANALYZE are for those who may everything");
    return error_hint(e, "Maintenance has operations of its own.");
}

/* REPLACE as a way to resolve conflicts, which deletes rows; not the function. */
static bool replaces(const char *sql)
{
    for (const char *s = sqlscan_blank(sql); *s;) {
        const char *end = sqlscan_token(s);
        const char *next = sqlscan_blank(end);
        if (sqlscan_is(s, end, "REPLACE") && *next != '(')
            return true;
        s = next;
    }
    return false;
}

typedef struct asked {
    guard *g;
    const guard *of;
    char name[NAME_ROOM];
} asked;

/* Stops at a table that the viewer may not do everything with. */
static bool open_to_maker(void *arg, const char *start, const char *end, bool qualified)
{
    asked *q = arg;
    (void)qualified;
    return sqltables_name(start, end, q->name, sizeof q->name) && is_open(grants(q->of, q->name));
}

/* Stops at a table that the viewer may not read whole. */
static bool shown_to_maker(void *arg, const char *start, const char *end, bool qualified)
{
    asked *q = arg;
    (void)qualified;
    return sqltables_name(start, end, q->name, sizeof q->name) &&
           access_is_plain(grants(q->of, q->name), ACCESS_SELECT);
}

static bool refused(guard *g, error *e)
{
    *e = g->refused;
    g->refused.code = ERR_NONE;
    return false;
}

bool permit_text_names(const char *sql, const char *name)
{
    return has_name(sql, name);
}

/* What is made acts with the rights of whoever uses it. */
static bool permit_made(guard *g, const char *sql, error *e)
{
    asked q = {.of = g};
    if (g->makes_trigger && !sqltables_each(sql, open_to_maker, &q))
        deny(g, "A trigger runs with the rights of whoever causes it.",
             "a trigger may name only tables that you may everything with, unlike \"%.200s\"",
             q.name);
    else if (g->makes_view && !sqltables_each(sql, shown_to_maker, &q))
        deny(g, "A view reads with the rights of whoever uses it.",
             "a view may name only tables that you may read whole, unlike \"%.200s\"", q.name);
    else if (g->makes_virtual && unasked_content(sql))
        deny(g, "Leave the option content out.",
             "a virtual table that reads another one is for those who may everything");
    else
        return true;
    return refused(g, e);
}

/* SQLite says nothing of the SELECT when it copies whole rows. May it, a change of the schema could
 * make the same text copy more: so it is looked at each time. */
static bool permit_copy(guard *g, const char *sql, error *e)
{
    char name[NAME_ROOM];
    if (!g->inserts || !unasked_word(sql, "SELECT"))
        return true;
    g->no_cache = true;
    if (g->selects ||
        (unasked_source(sql, name, sizeof name) && access_is_plain(grants(g, name), ACCESS_SELECT)))
        return true;
    deny(g, "Name the columns in the place of *.",
         "whole rows may be copied only from tables that you may read whole");
    return refused(g, e);
}

/* ---- joins of which SQLite says too little -----------------------------------------------------
 */

/* Stops at a table that must be, but is not, read through its shadow. */
static bool is_shadowed(void *arg, const char *start, const char *end, bool qualified)
{
    asked *q = arg;
    return !sqltables_name(start, end, q->name, sizeof q->name) || qualified ||
           !access_is_filtered(grants(q->of, q->name)) || shadows_have(q->of->shadows, q->name);
}

void permit_joins_want(guard *g)
{
    asked q = {.of = g};
    if (g->joins && !g->wanted && !sqltables_each(g->joins, is_shadowed, &q))
        g->wanted = mem_strndup(q.name, strlen(q.name));
}

static bool may_be_joined(void *arg, const char *start, const char *end, bool qualified)
{
    asked *q = arg;
    if (!sqltables_name(start, end, q->name, sizeof q->name) || is_system(q->name))
        return false;
    const access_table *t = grants(q->of, q->name);
    if (access_is_filtered(t))
        return !qualified && shadows_have(q->of->shadows, q->name);
    return t->ops & ACCESS_SELECT && unasked_may_join(q->of->joins, t);
}

static bool permit_joins(guard *g, error *e)
{
    asked q = {.of = g};
    if (!g->joins || g->structured || sqltables_each(g->joins, may_be_joined, &q))
        return true;
    if (grants(g, q.name)->ops && !is_system(q.name))
        deny(g, "Join with ON, and name columns that you may read.",
             "NATURAL and USING could read columns of \"%.200s\" that you may not", q.name);
    else
        deny_hidden(g, q.name);
    return refused(g, e);
}

bool permit_text(guard *g, const char *sql, bool readonly, error *e)
{
    if (g->keeps_rows && !g->structured && replaces(sql)) {
        deny(g, "Use ON CONFLICT, or ask for a grant that includes delete.",
             "REPLACE deletes rows, which you may not");
        return refused(g, e);
    }
    if (!permit_made(g, sql, e) || !permit_copy(g, sql, e) || !permit_joins(g, e))
        return false;
    if (strcasestr(sql, "_rustydb_v")) {
        deny(g, "Names that start with _rustydb are closed to SQL.",
             "a name in the statement is reserved for the database itself");
        return refused(g, e);
    }
    /* Views of the schema have been copied where the text names them. Only an explicit main. or a
     * trigger could still lead to one of them, and to the table itself. */
    if (g->unclear && (!readonly || g->names_main)) {
        deny(g, "Use a column of each, as in count(id), and name them without a schema.",
             "it is not clear that restricted tables are read as you may see them");
        return refused(g, e);
    }
    return true;
}

/* ---- errors -----------------------------------------------------------------------------------
 */

static bool is_known(void *arg, const char *start, const char *end, bool qualified)
{
    asked *q = arg;
    (void)qualified;
    return sqltables_name(start, end, q->name, sizeof q->name) && !is_system(q->name) &&
           !sql_is_internal_name(q->name) && grants(q->of, q->name)->ops;
}

static bool is_syntax(const char *message)
{
    return strstr(message, "syntax error") || strncmp(message, "unrecognized token", 18) == 0 ||
           strcmp(message, "incomplete input") == 0 ||
           strcmp(message, "there is more than one statement") == 0;
}

void permit_conceal_name(const guard *g, error *e)
{
    const char *prefix = g->shadows->prefix;
    if (!g->viewer || !*prefix || !strstr(e->message, prefix))
        return;
    error_set(e, ERR_PERMISSION_DENIED, "your rights on a table cannot be applied to it");
    error_hint(e, "Whoever keeps the roles must look at its conditions and masks.");
}

void permit_conceal(const guard *g, const char *sql, error *e)
{
    static const char none[] = "no such table: ", view[] = "cannot modify ";
    asked q = {.of = g};
    bool about_text = e->code == ERR_QUERY_ERROR || e->code == ERR_TABLE_NOT_FOUND ||
                      e->code == ERR_PERMISSION_DENIED;
    if (!about_text || is_syntax(e->message))
        return;
    if (!sqltables_each(sql, is_known, &q)) {
        hide(e, q.name);
        return;
    }
    if (strncmp(e->message, none, sizeof none - 1) == 0) {
        const char *name = e->message + sizeof none - 1;
        name += strncasecmp(name, "main.", 5) == 0 ? 5 : 0;
        if (!grants(g, name)->ops)
            hide(e, name);
    } else if (strncmp(e->message, view, sizeof view - 1) == 0) {
        size_t n = strcspn(e->message + sizeof view - 1, " ");
        snprintf(q.name, sizeof q.name, "%.*s", (int)(n < sizeof q.name ? n : sizeof q.name - 1),
                 e->message + sizeof view - 1);
        guard g2 = {.viewer = g->viewer};
        if (shadows_have(g->shadows, q.name)) {
            deny_write(&g2, q.name);
            *e = g2.refused;
        }
    }
    permit_conceal_name(g, e);
}
