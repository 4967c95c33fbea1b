#include "engine/sqlite/guard.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/sqltables.h"
#include "engine/sqlite/analyze.h"
#include "engine/sqlite/permit.h"
#include "engine/sqlite/reads.h"
#include "engine/sqlite/shadows.h"
#include "engine/sqlite/sqltext.h"

enum { NAME_ROOM = 256 };

typedef enum pragma_use {
    PRAGMA_ANY,      /* with and without a value */
    PRAGMA_READ,     /* without a value */
    PRAGMA_TX_SET,   /* with a value only inside a transaction, whose end resets it */
    PRAGMA_ON_WRITER /* does work of its own: on the writer's connection */
} pragma_use;

static const struct {
    const char *name;
    pragma_use use;
} pragmas[] = {
    {"analysis_limit", PRAGMA_READ},
    {"application_id", PRAGMA_ANY},
    {"auto_vacuum", PRAGMA_READ},
    {"busy_timeout", PRAGMA_READ},
    {"cache_size", PRAGMA_READ},
    {"collation_list", PRAGMA_READ},
    {"compile_options", PRAGMA_READ},
    {"data_version", PRAGMA_READ},
    {"database_list", PRAGMA_READ},
    {"defer_foreign_keys", PRAGMA_TX_SET},
    {"encoding", PRAGMA_READ},
    {"foreign_key_check", PRAGMA_ANY},
    {"foreign_key_list", PRAGMA_ANY},
    {"foreign_keys", PRAGMA_READ},
    {"freelist_count", PRAGMA_READ},
    {"function_list", PRAGMA_READ},
    {"incremental_vacuum", PRAGMA_ON_WRITER},
    {"index_info", PRAGMA_ANY},
    {"index_list", PRAGMA_ANY},
    {"index_xinfo", PRAGMA_ANY},
    {"integrity_check", PRAGMA_ANY},
    {"journal_mode", PRAGMA_READ},
    {"max_page_count", PRAGMA_READ},
    {"module_list", PRAGMA_READ},
    {"optimize", PRAGMA_ON_WRITER},
    {"page_count", PRAGMA_READ},
    {"page_size", PRAGMA_READ},
    {"pragma_list", PRAGMA_READ},
    {"query_only", PRAGMA_READ},
    {"quick_check", PRAGMA_ANY},
    {"recursive_triggers", PRAGMA_READ},
    {"schema_version", PRAGMA_READ},
    {"secure_delete", PRAGMA_READ},
    {"synchronous", PRAGMA_READ},
    {"table_info", PRAGMA_ANY},
    {"table_list", PRAGMA_ANY},
    {"table_xinfo", PRAGMA_ANY},
    {"trusted_schema", PRAGMA_READ},
    {"user_version", PRAGMA_ANY},
    {"wal_autocheckpoint", PRAGMA_READ},
    {"wal_checkpoint", PRAGMA_ON_WRITER},
};

static int refuse(guard *g, const char *what, const char *hint)
{
    if (g->refused.code == ERR_NONE) {
        error_clear(&g->refused);
        error_set(&g->refused, ERR_PERMISSION_DENIED, "%s", what);
        error_hint(&g->refused, "%s", hint);
    }
    return SQLITE_DENY;
}

static int refuse_internal(guard *g, const char *name)
{
    if (g->refused.code == ERR_NONE) {
        error_clear(&g->refused);
        error_set(&g->refused, ERR_PERMISSION_DENIED, "\"%s\" is reserved for the database itself",
                  name);
        error_hint(&g->refused, "Names that start with _rustydb are closed to SQL.");
    }
    return SQLITE_DENY;
}

static int check_pragma(guard *g, const char *name, const char *arg)
{
    if (sql_is_internal_name(arg))
        return refuse_internal(g, arg);
    for (size_t i = 0; i < sizeof pragmas / sizeof *pragmas; i++) {
        if (strcasecmp(pragmas[i].name, name) != 0)
            continue;
        pragma_use use = pragmas[i].use;
        if (use == PRAGMA_ON_WRITER)
            g->needs_writer = true;
        if (use == PRAGMA_ANY || use == PRAGMA_ON_WRITER || !arg)
            return SQLITE_OK;
        if (use == PRAGMA_TX_SET && g->in_tx) {
            g->no_cache = g->needs_writer = true;
            return SQLITE_OK;
        }
        break;
    }
    if (g->refused.code == ERR_NONE) {
        error_clear(&g->refused);
        error_set(&g->refused, ERR_PERMISSION_DENIED, "PRAGMA %s%s is not allowed", name,
                  arg ? " with a value" : "");
        error_hint(&g->refused, "Connections are shared; the daemon's settings govern them.");
    }
    return SQLITE_DENY;
}

static int check_savepoint(guard *g, const char *op, const char *name)
{
    if (!g->in_tx)
        return refuse(g, "SAVEPOINT works only inside a transaction",
                      "Open one with POST /transactions, or send an atomic batch.");
    if (sql_is_internal_name(name))
        return refuse_internal(g, name);
    g->control = strcmp(op, "ROLLBACK") == 0 ? CONTROL_ROLLBACK_TO : CONTROL_SAVEPOINT;
    g->no_cache = true;
    return SQLITE_OK;
}

static int check_temp(guard *g)
{
    g->no_cache = g->schema = true;
    if (g->in_tx) {
        g->temp = true;
        return SQLITE_OK;
    }
    return refuse(g, "temporary objects work only inside a transaction, and end with it",
                  "Open one with POST /transactions, send an atomic batch, or use WITH.");
}

/* Notes DDL on a table. Tables of SQLite's own come along with others and do not count. */
static int note_table_ddl(guard *g, ddl_kind kind, const char *table, const char *schema)
{
    g->schema = g->no_cache = true;
    if (!table || (schema && strcmp(schema, "main") != 0) || g->ddl != DDL_NONE ||
        strncasecmp(table, "sqlite_", 7) == 0)
        return SQLITE_OK;
    g->ddl_table = mem_strndup(table, strlen(table));
    if (!g->ddl_table) {
        error_set(&g->refused, ERR_INTERNAL_ERROR, "out of memory");
        return SQLITE_DENY;
    }
    g->ddl = kind;
    return SQLITE_OK;
}

static bool creates(int action)
{
    switch (action) {
    case SQLITE_CREATE_INDEX:
    case SQLITE_CREATE_TABLE:
    case SQLITE_CREATE_TEMP_INDEX:
    case SQLITE_CREATE_TEMP_TABLE:
    case SQLITE_CREATE_TEMP_TRIGGER:
    case SQLITE_CREATE_TEMP_VIEW:
    case SQLITE_CREATE_TRIGGER:
    case SQLITE_CREATE_VIEW:
    case SQLITE_CREATE_VTABLE:
        return true;
    }
    return false;
}

static int check_ddl(guard *g, int action, const char *a, const char *b, const char *schema)
{
    if (creates(action) && schema && strcmp(schema, "temp") == 0)
        return check_temp(g);
    switch (action) {
    case SQLITE_CREATE_TABLE:
        return note_table_ddl(g, DDL_CREATE, a, schema);
    case SQLITE_DROP_TABLE:
        return note_table_ddl(g, DDL_DROP, a, schema);
    case SQLITE_ALTER_TABLE: /* (schema, table) */
        return note_table_ddl(g, DDL_ALTER, b, a);
    }
    g->schema = g->no_cache = true;
    return SQLITE_OK;
}

static int authorize(void *arg, int action, const char *a, const char *b, const char *schema,
                     const char *trigger)
{
    guard *g = arg;
    if (!g->client)
        return SQLITE_OK;
    if (g->vacuum && (action != SQLITE_ATTACH || !a || !*a))
        return SQLITE_OK;
    switch (action) {
    case SQLITE_ATTACH:
        return refuse(g, g->vacuum ? "VACUUM INTO is not allowed" : "ATTACH is not allowed",
                      "One daemon serves one database; start another one for another file.");
    case SQLITE_DETACH:
        return refuse(g, "DETACH is not allowed", "Nothing can be attached either.");
    case SQLITE_TRANSACTION:
        return refuse(g, "BEGIN, COMMIT and ROLLBACK as SQL are not allowed",
                      "Use the transaction resource (POST /transactions), or an atomic batch.");
    case SQLITE_SAVEPOINT:
        return check_savepoint(g, a, b);
    case SQLITE_PRAGMA:
        if (g->viewer && permit_pragma(g, a, b, schema) != SQLITE_OK)
            return SQLITE_DENY;
        return check_pragma(g, a, b);
    case SQLITE_FUNCTION:
        if (g->viewer && b && permit_function(g, b, trigger) != SQLITE_OK)
            return SQLITE_DENY;
        if (b && strcasecmp(b, "load_extension") == 0)
            return refuse(g, "load_extension is not allowed", "Extensions cannot be loaded.");
        return SQLITE_OK;
    case SQLITE_ANALYZE: /* of everything: passes the internal tables by */
        if (g->viewer)
            return permit_action(g, action, a, b, schema, trigger);
        return sql_is_internal_name(a) ? SQLITE_IGNORE : SQLITE_OK;
    case SQLITE_SELECT:
        g->selects = true;
        return SQLITE_OK;
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    }
    if (g->viewer && action == SQLITE_READ && shadows_trust(g->shadows, a)) {
        g->shadowed = true;
        return SQLITE_OK;
    }
    if (sql_is_internal_name(a))
        return refuse_internal(g, a);
    if (g->viewer && permit_action(g, action, a, b, schema, trigger) != SQLITE_OK)
        return SQLITE_DENY;
    if (action == SQLITE_READ && g->reads && !reads_note(g->reads, a))
        return SQLITE_DENY;
    bool policy = g->viewer && shadows_trust(g->shadows, trigger);
    if (g->touches && !policy && !touches_note(g->touches, action, a, trigger))
        return SQLITE_DENY;
    switch (action) {
    case SQLITE_READ: /* (table, column) */
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
    case SQLITE_REINDEX:
        return SQLITE_OK;
    }
    if (sql_is_internal_name(b))
        return refuse_internal(g, b);
    return check_ddl(g, action, a, b, schema);
}

void guard_install(guard *g, sqlite3 *db)
{
    guard_reset(g);
    sqlite3_set_authorizer(db, authorize, g);
}

static bool is_open_name(void *arg, const char *start, const char *end, bool qualified)
{
    char *name = arg;
    (void)qualified;
    return sqltables_name(start, end, name, NAME_ROOM) && !sql_is_internal_name(name);
}

bool guard_text(const char *sql, error *e)
{
    char name[NAME_ROOM] = "_rustydb";
    if (!strcasestr(sql, name) || sqltables_each(sql, is_open_name, name))
        return true;
    guard g = {.refused.code = ERR_NONE};
    refuse_internal(&g, name);
    *e = g.refused;
    return false;
}

void guard_reset(guard *g)
{
    mem_free(g->ddl_table);
    mem_free(g->wanted);
    g->ddl_table = g->wanted = NULL;
    g->ddl = DDL_NONE;
    g->control = CONTROL_NONE;
    g->schema = g->needs_writer = g->no_cache = false;
    g->shadowed = g->unclear = g->keeps_rows = g->makes_trigger = false;
    g->alters = g->wrote_schema = false;
    g->makes_view = g->makes_virtual = g->inserts = g->selects = false;
    g->refused.code = ERR_NONE;
}

void guard_free(guard *g)
{
    mem_free(g->ddl_table);
    mem_free(g->wanted);
    g->ddl_table = g->wanted = NULL;
}
