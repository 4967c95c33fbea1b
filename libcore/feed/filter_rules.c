#include "feed/filter_rules.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- functions and tables ---------------------------------------------------------------------
 */

/* SQLite's own functions that give the same answer for the same arguments, in strcmp order. The
 * date functions are here because the clock below catches their use of the present time. */
static const char *const functions[] = {
    "->",           "->>",         "abs",          "char",       "coalesce",   "concat",
    "concat_ws",    "date",        "datetime",     "format",     "glob",       "hex",
    "ifnull",       "iif",         "instr",        "json",       "json_array", "json_array_length",
    "json_extract", "json_insert", "json_object",  "json_patch", "json_quote", "json_remove",
    "json_replace", "json_set",    "json_type",    "json_valid", "julianday",  "length",
    "like",         "likelihood",  "likely",       "lower",      "ltrim",      "max",
    "min",          "nullif",      "octet_length", "printf",     "quote",      "replace",
    "round",        "rtrim",       "sign",         "strftime",   "substr",     "substring",
    "time",         "timediff",    "trim",         "typeof",     "unhex",      "unicode",
    "unixepoch",    "unlikely",    "upper",        "zeroblob",
};

static int by_name(const void *key, const void *item)
{
    return strcasecmp(key, *(const char *const *)item);
}

static bool is_known_function(const char *name)
{
    return bsearch(name, functions, sizeof functions / sizeof *functions, sizeof *functions,
                   by_name) != NULL;
}

static int deny(filter_rules *r, const char *what, const char *name)
{
    if (!r->reason[0])
        snprintf(r->reason, sizeof r->reason, "%s%s%s", what, *name ? " " : "", name);
    return SQLITE_DENY;
}

/* SQLite calls the number of a row ROWID where the table has no column for it; an event carries no
 * such number. */
static bool is_rowid(const table_shape *shape, const char *column)
{
    if (strcmp(column, "ROWID") != 0)
        return false;
    for (int i = 0; i < shape->n_columns; i++) {
        if (strcasecmp(shape->names[i], column) == 0)
            return false;
    }
    return true;
}

int filter_authorize(void *rules, int action, const char *a, const char *b, const char *schema,
                     const char *trigger)
{
    (void)schema;
    (void)trigger;
    filter_rules *r = rules;
    if (!r->shape)
        return SQLITE_OK;
    a = a ? a : "";
    b = b ? b : "";
    switch (action) {
    case SQLITE_SELECT:
        return ++r->selects <= 2 ? SQLITE_OK : deny(r, "subqueries are not allowed", "");
    case SQLITE_READ:
        if (strncmp(a, r->prefix, strlen(r->prefix)) != 0)
            return deny(r, "other tables cannot be read:", a);
        return is_rowid(r->shape, b) ? deny(r, "no such column:", "rowid") : SQLITE_OK;
    case SQLITE_FUNCTION:
        return is_known_function(b) ? SQLITE_OK : deny(r, "not allowed in a filter: function", b);
    default:
        return deny(r, "only an expression over the row is allowed", "");
    }
}

/* ---- the clock --------------------------------------------------------------------------------
 */

static _Thread_local bool clock_read;
static sqlite3_vfs vfs;
static pthread_once_t vfs_once = PTHREAD_ONCE_INIT;

static int clock_int64(sqlite3_vfs *v, sqlite3_int64 *julian_ms)
{
    (void)v;
    clock_read = true;
    *julian_ms = INT64_C(210866760000000); /* 1970-01-01 */
    return SQLITE_OK;
}

static int clock_double(sqlite3_vfs *v, double *julian_day)
{
    (void)v;
    clock_read = true;
    *julian_day = 2440587.5;
    return SQLITE_OK;
}

static void make_vfs(void)
{
    sqlite3_vfs *usual = sqlite3_vfs_find(NULL);
    if (!usual || usual->iVersion < 2)
        return;
    vfs = *usual;
    vfs.zName = "rustydb-still-clock";
    vfs.pNext = NULL;
    vfs.xCurrentTime = clock_double;
    vfs.xCurrentTimeInt64 = clock_int64;
    if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK)
        vfs.zName = NULL;
}

const char *filter_vfs(void)
{
    pthread_once(&vfs_once, make_vfs);
    return vfs.zName;
}

bool filter_clock_was_read(void)
{
    bool was = clock_read;
    clock_read = false;
    return was;
}
