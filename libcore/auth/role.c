#include "auth/role.h"

#include <stdio.h>
#include <string.h>

#include "auth/role_masks.h"
#include "base/sqlname.h"
#include "base/sqlscan.h"
#include "json/read.h"

static bool no_memory(error *e)
{
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

/* ---- expressions ------------------------------------------------------------------------------
 */

/* Where the token begins at which a text stops to be one expression that can stand in parentheses;
 * NULL: nowhere. */
static const char *find_foreign(const char *sql)
{
    int depth = 0;
    const char *s = sql;
    while (*s) {
        if ((s[0] == '-' && s[1] == '-') || (s[0] == '/' && s[1] == '*') || strchr(";?:@$#", *s))
            return s;
        depth += (*s == '(') - (*s == ')');
        if (depth < 0)
            return s;
        s = sqlscan_token(s);
    }
    return depth ? s : NULL;
}

bool role_check_expression(const char *sql, const char *what, error *e)
{
    const char *foreign;
    if (!auth_check_length(sql, what, false, ROLE_SQL_MAX, e))
        return false;
    if (!*sqlscan_blank(sql))
        return error_set(e, ERR_INVALID_MESSAGE, "%s is empty", what);
    foreign = find_foreign(sql);
    if (!foreign)
        return true;
    if (!*foreign)
        return error_set(e, ERR_INVALID_MESSAGE, "%s leaves a parenthesis open", what);
    error_set(e, ERR_INVALID_MESSAGE, "%s is not one SQL expression: \"%.20s\" cannot stand in it",
              what, foreign);
    return error_hint(e, "Comments, parameters and ; have no place there.");
}

/* ---- grants on tables --------------------------------------------------------------------------
 */

typedef struct word {
    const char *name;
    unsigned bit;
} word;

/* The bits of the names in an array, of which there must be one. */
static bool read_words(json_t *names, const word *known, size_t n, const char *what, unsigned *to,
                       error *e)
{
    size_t i;
    json_t *one;
    *to = 0;
    json_array_foreach(names, i, one)
    {
        const char *name = json_string_value(one);
        unsigned bit = 0;
        for (size_t k = 0; name && k < n; k++)
            bit |= strcmp(known[k].name, name) == 0 ? known[k].bit : 0;
        if (!bit)
            return error_set(e, ERR_INVALID_MESSAGE, "%s: there is no operation \"%.60s\"", what,
                             name ? name : "?");
        *to |= bit;
    }
    return *to || error_set(e, ERR_INVALID_MESSAGE, "%s names no operation", what);
}

static bool keep_expression(auth_document *d, const char *sql, const char *where, const char *name,
                            const char **to, error *e)
{
    char what[120];
    *to = NULL;
    if (!sql)
        return true;
    snprintf(what, sizeof what, "%s.%s", where, name);
    return role_check_expression(sql, what, e) && auth_keep_text(d, sql, to, e);
}

static bool keep_columns(auth_document *d, json_t *columns, const char *where, access_grant *to,
                         error *e)
{
    char what[120];
    if (!columns)
        return true;
    snprintf(what, sizeof what, "%s.columns", where);
    if (!json_array_size(columns))
        return error_set(e, ERR_INVALID_MESSAGE, "%s is empty: leave it out for all columns", what);
    return auth_keep_texts(d, columns, what, ROLE_COLUMNS_MAX, ROLE_IDENTIFIER_MAX, &to->n_columns,
                           &to->columns, e);
}

static bool read_grant(auth_document *d, json_t *from, const char *where, access_grant *to,
                       error *e)
{
    static const word operations[] = {
        {"select", ACCESS_SELECT},
        {"insert", ACCESS_INSERT},
        {"update", ACCESS_UPDATE},
        {"delete", ACCESS_DELETE},
    };
    json_t *ops, *columns = NULL, *masks = NULL;
    const char *table, *visible = NULL, *check = NULL;
    char what[120];
    const json_field fields[] = {
        {"table", FIELD_STR, true, &table},
        {"operations", FIELD_ARRAY, true, &ops},
        {"columns", FIELD_ARRAY, false, &columns},
        {"where", FIELD_STR, false, &visible},
        {"check", FIELD_STR, false, &check},
        {"masks", FIELD_OBJECT, false, &masks},
        {"expose_key", FIELD_BOOL, false, &to->expose_key},
    };
    if (!json_read_object_at(from, where, fields, JSON_FIELDS(fields), e))
        return false;
    snprintf(what, sizeof what, "%s.table", where);
    return auth_check_length(table, what, false, ROLE_IDENTIFIER_MAX, e) &&
           auth_keep_text(d, table, &to->table, e) &&
           read_words(ops, operations, sizeof operations / sizeof *operations, where, &to->ops,
                      e) &&
           keep_columns(d, columns, where, to, e) &&
           keep_expression(d, visible, where, "where", &to->where, e) &&
           keep_expression(d, check, where, "check", &to->check, e) &&
           role_read_masks(d, masks, where, to, e);
}

static bool read_grants(auth_document *d, json_t *tables, access_role *to, error *e)
{
    size_t n = json_array_size(tables);
    char where[40];
    if (n > ROLE_GRANTS_MAX)
        return error_set(e, ERR_INVALID_MESSAGE, "tables may have %d members, not %zu",
                         ROLE_GRANTS_MAX, n);
    access_grant *grants = arena_alloc(&d->mem, (n + 1) * sizeof *grants);
    if (!grants)
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        snprintf(where, sizeof where, "tables[%zu]", i);
        if (!read_grant(d, json_array_get(tables, i), where, &grants[i], e))
            return false;
    }
    *to = (access_role){.n_grants = (int)n, .grants = grants};
    return true;
}

/* ---- channels, streams, scopes -----------------------------------------------------------------
 */

static bool read_channel(auth_document *d, json_t *from, const char *where, channel_rule *to,
                         error *e)
{
    static const word operations[] = {
        {"subscribe", CHANNEL_SUBSCRIBE},
        {"publish", CHANNEL_PUBLISH},
    };
    const char *channel;
    json_t *ops;
    char what[60];
    const json_field fields[] = {
        {"channel", FIELD_STR, true, &channel},
        {"operations", FIELD_ARRAY, true, &ops},
    };
    snprintf(what, sizeof what, "%s.channel", where);
    return json_read_object_at(from, where, fields, JSON_FIELDS(fields), e) &&
           auth_check_length(channel, what, false, ROLE_PATTERN_MAX, e) &&
           auth_keep_text(d, channel, &to->pattern, e) &&
           read_words(ops, operations, sizeof operations / sizeof *operations, where, &to->may, e);
}

static bool read_channels(auth_document *d, json_t *channels, rights_role *to, error *e)
{
    size_t n = json_array_size(channels);
    char where[40];
    if (n > ROLE_CHANNELS_MAX)
        return error_set(e, ERR_INVALID_MESSAGE, "channels may have %d members, not %zu",
                         ROLE_CHANNELS_MAX, n);
    channel_rule *rules = arena_alloc(&d->mem, (n + 1) * sizeof *rules);
    if (!rules)
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        snprintf(where, sizeof where, "channels[%zu]", i);
        if (!read_channel(d, json_array_get(channels, i), where, &rules[i], e))
            return false;
    }
    to->n_channels = (int)n;
    to->channels = rules;
    return true;
}

/* The bits of names that `bit_of` knows. */
static bool read_bits(json_t *names, const char *what, unsigned (*bit_of)(const char *name),
                      unsigned *to, error *e)
{
    size_t i;
    json_t *one;
    json_array_foreach(names, i, one)
    {
        const char *name = json_string_value(one);
        unsigned bit = name ? bit_of(name) : 0;
        if (!bit)
            return error_set(e, ERR_INVALID_MESSAGE, "%s: there is no \"%.60s\"", what,
                             name ? name : "?");
        *to |= bit;
    }
    return true;
}

/* ---- a role ------------------------------------------------------------------------------------
 */

static bool check_name(const char *name, error *e)
{
    if (strcmp(name, ROLE_ADMIN) == 0)
        return error_set(e, ERR_CONFLICT, "the role \"%s\" is built in", name);
    return auth_check_name(name, "role", e);
}

bool auth_read_role(auth_document *d, json_t *object, error *e)
{
    auth_role *r = arena_alloc(&d->mem, sizeof *r);
    if (!r)
        return no_memory(e);
    json_t *inherits = NULL, *tables = NULL, *channels = NULL, *streams = NULL, *scopes = NULL;
    const char *name, *description = "", *created = "", *updated = "";
    const json_field fields[] = {
        {"name", FIELD_STR, true, &name},
        {"description", FIELD_STR, false, &description},
        {"inherits", FIELD_ARRAY, false, &inherits},
        {"tables", FIELD_ARRAY, false, &tables},
        {"channels", FIELD_ARRAY, false, &channels},
        {"streams", FIELD_ARRAY, false, &streams},
        {"scopes", FIELD_ARRAY, false, &scopes},
        {"created_at", FIELD_STR, false, &created},
        {"updated_at", FIELD_STR, false, &updated},
    };
    if (!json_read_object(object, fields, JSON_FIELDS(fields), e) || !check_name(name, e))
        return false;
    d->is = r;
    bool ok = auth_keep_text(d, name, &r->name, e) &&
              auth_check_length(description, "description", true, ROLE_DESCRIPTION_MAX, e) &&
              auth_keep_text(d, description, &r->description, e) &&
              auth_keep_text(d, created, &r->created_at, e) &&
              auth_keep_text(d, updated, &r->updated_at, e) &&
              auth_keep_texts(d, inherits, "inherits", ROLE_INHERITS_MAX, AUTH_NAME_MAX,
                              &r->n_inherits, &r->inherits, e) &&
              read_grants(d, tables, &r->gives.tables, e) &&
              read_channels(d, channels, &r->gives, e) &&
              read_bits(streams, "streams", stream_of, &r->gives.streams, e) &&
              read_bits(scopes, "scopes", scope_of, &r->gives.scopes, e);
    d->name = r->name;
    r->gives.name = r->name;
    return ok;
}

/* ---- whether its SQL makes sense ----------------------------------------------------------------
 */

static void add_term(buf *sql, int *n, const char *expression)
{
    buf_adds(sql, (*n)++ ? " AND (" : "(");
    buf_adds(sql, expression);
    buf_adds(sql, ")");
}

static void add_column(buf *sql, int *n, const char *table, const char *column)
{
    buf_adds(sql, (*n)++ ? " AND " : "");
    sqlname_add(sql, table);
    buf_addc(sql, '.');
    sqlname_add(sql, column);
    buf_adds(sql, " IS NULL");
}

bool auth_role_probe(const access_grant *g, buf *sql)
{
    const char *table = g->table; /* "*" is no table's name: the columns of all are others */
    int n = 0;
    buf_adds(sql, "SELECT 1 FROM ");
    sqlname_add(sql, table);
    buf_adds(sql, " WHERE ");
    if (g->where)
        add_term(sql, &n, g->where);
    if (g->check)
        add_term(sql, &n, g->check);
    for (int i = 0; i < g->n_masks; i++) {
        add_column(sql, &n, table, g->masks[i].column);
        add_term(sql, &n, g->masks[i].sql);
    }
    for (int i = 0; i < g->n_columns; i++)
        add_column(sql, &n, table, g->columns[i]);
    return n > 0;
}
