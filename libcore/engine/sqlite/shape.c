#include "engine/sqlite/shape.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "engine/sqlite/sqltext.h"
#include "json/writer.h"

static bool no_memory(error *e)
{
    error_clear(e);
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

void shape_free(shape *s)
{
    if (!s)
        return;
    arena mem = s->mem;
    arena_free(&mem); /* s lives in it */
}

static shape *shape_new(void)
{
    arena mem = ARENA_INIT;
    shape *s = arena_alloc(&mem, sizeof *s);
    if (s) {
        s->mem = mem;
        s->rowid_alias = s->rowid_alias_all = -1;
    }
    return s;
}

static char *copy(shape *s, const char *text)
{
    return arena_strndup(&s->mem, text ? text : "", text ? strlen(text) : 0);
}

static bool contains(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (; *text; text++) {
        if (strncasecmp(text, word, n) == 0)
            return true;
    }
    return false;
}

/* https://sqlite.org/datatype3.html#determination_of_column_affinity */
static affinity affinity_of(const char *type, bool strict)
{
    if (contains(type, "INT"))
        return AFF_INTEGER;
    if (contains(type, "CHAR") || contains(type, "CLOB") || contains(type, "TEXT"))
        return AFF_TEXT;
    if (!*type || contains(type, "BLOB") || (strict && strcasecmp(type, "ANY") == 0))
        return AFF_BLOB;
    if (contains(type, "REAL") || contains(type, "FLOA") || contains(type, "DOUB"))
        return AFF_REAL;
    return AFF_NUMERIC;
}

/* ---- from the schema --------------------------------------------------------------------------
 */

typedef struct columns {
    const char **names, **types, **collations;
    int *pk, *column;
    affinity *aff;
} columns;

static bool columns_alloc(shape *s, columns *k, int n)
{
    size_t room = (size_t)(n ? n : 1);
    k->names = arena_alloc(&s->mem, room * sizeof *k->names);
    k->types = arena_alloc(&s->mem, room * sizeof *k->types);
    k->collations = arena_alloc(&s->mem, room * sizeof *k->collations);
    k->pk = arena_alloc(&s->mem, room * sizeof *k->pk);
    k->column = arena_alloc(&s->mem, room * sizeof *k->column);
    k->aff = arena_alloc(&s->mem, room * sizeof *k->aff);
    s->pub.names = k->names;
    s->pub.types = k->types;
    s->pub.collations = k->collations;
    s->pub.pk = k->pk;
    s->column = k->column;
    s->aff = k->aff;
    return k->names && k->types && k->collations && k->pk && k->column && k->aff;
}

/* Kind of table, number of columns. 1: an ordinary table, 0: not, -1: error. */
static int look_up(dbconn *c, const char *table, shape *s, int *n_all, bool *strict, error *e)
{
    static const char *const sql = "SELECT name, type, ncol, wr, strict FROM pragma_table_list(?1)"
                                   " WHERE schema = 'main'";
    sqlite3_stmt *q = dbconn_prepare_own(c, sql, e);
    if (!q)
        return -1;
    sqlite3_bind_text(q, 1, table, -1, SQLITE_STATIC);
    int rc = sqlite3_step(q);
    int found = 0;
    if (rc == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(q, 0);
        const char *type = (const char *)sqlite3_column_text(q, 1);
        found = type && name && strcmp(type, "table") == 0 && !sql_is_internal_name(name) &&
                strncasecmp(name, "sqlite_", 7) != 0;
        *n_all = sqlite3_column_int(q, 2);
        s->without_rowid = sqlite3_column_int(q, 3);
        *strict = sqlite3_column_int(q, 4);
        s->pub.table = found ? copy(s, name) : "";
        if (!s->pub.table)
            found = -1;
    } else if (rc != SQLITE_DONE) {
        found = -1;
    }
    if (found < 0)
        dbconn_error(c, rc == SQLITE_ROW ? SQLITE_NOMEM : rc, e);
    sqlite3_finalize(q);
    return found;
}

static bool add_column(dbconn *c, shape *s, columns *k, sqlite3_stmt *q, bool strict)
{
    int i = s->pub.n_columns;
    const char *name = (const char *)sqlite3_column_text(q, 0);
    const char *collation = NULL;
    sqlite3_table_column_metadata(c->db, "main", s->pub.table, name, NULL, &collation, NULL, NULL,
                                  NULL);
    k->names[i] = copy(s, name);
    k->types[i] = copy(s, (const char *)sqlite3_column_text(q, 1));
    k->collations[i] = copy(s, collation ? collation : "BINARY");
    if (!name || !k->names[i] || !k->types[i] || !k->collations[i])
        return false;
    k->pk[i] = sqlite3_column_int(q, 2);
    k->aff[i] = affinity_of(k->types[i], strict);
    const char *fallback = (const char *)sqlite3_column_text(q, 4);
    s->last_default = fallback ? copy(s, fallback) : NULL;
    s->pub.n_columns++;
    return !fallback || s->last_default;
}

/* The one INTEGER column of a primary key of one column is the rowid, unless it was declared DESC
 * in the column: that oddity is harmless here (its value is in the record then as well). */
static void find_rowid_alias(shape *s)
{
    int keys = 0, at = -1;
    for (int i = 0; i < s->pub.n_columns; i++) {
        if (s->pub.pk[i]) {
            keys++;
            at = i;
        }
    }
    if (keys == 1 && !s->without_rowid && strcasecmp(s->pub.types[at], "INTEGER") == 0) {
        s->rowid_alias = at;
        s->rowid_alias_all = s->column[at];
    }
}

static bool read_columns(dbconn *c, shape *s, int n_all, bool strict, error *e)
{
    columns k;
    sqlite3_stmt *q = dbconn_prepare_own(
        c, "SELECT name, type, pk, hidden, dflt_value FROM pragma_table_xinfo(?1, 'main')", e);
    if (!q)
        return false;
    sqlite3_bind_text(q, 1, s->pub.table, -1, SQLITE_STATIC);
    bool ok = columns_alloc(s, &k, n_all);
    int rc = SQLITE_ROW;
    for (int at = 0; ok && at < n_all && (rc = sqlite3_step(q)) == SQLITE_ROW; at++) {
        if (sqlite3_column_int(q, 3) == 2) {
            s->has_virtual = true;
            continue;
        }
        k.column[s->pub.n_columns] = at;
        ok = add_column(c, s, &k, q, strict);
    }
    if (!ok)
        no_memory(e);
    else if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        ok = dbconn_error(c, rc, e);
    sqlite3_finalize(q);
    if (ok)
        find_rowid_alias(s);
    return ok;
}

shape *shape_load(dbconn *c, const char *table, error *e)
{
    shape *s = shape_new();
    if (!s) {
        no_memory(e);
        return NULL;
    }
    int n_all = 0;
    bool strict = false;
    bool was = c->guard.client;
    c->guard.client = false;
    int found = look_up(c, table, s, &n_all, &strict, e);
    bool ok = found == 1 && read_columns(c, s, n_all, strict, e);
    c->guard.client = was;
    if (ok)
        return s;
    if (found == 0) {
        error_clear(e);
        engine_no_table(table, e);
    }
    shape_free(s);
    return NULL;
}

/* ---- as JSON ----------------------------------------------------------------------------------
 */

bool shape_columns_json(const table_shape *s, buf *out)
{
    json_writer w;
    jw_init(&w, out);
    jw_begin_array(&w);
    for (int i = 0; i < s->n_columns; i++) {
        jw_begin_array(&w);
        jw_str(&w, s->names[i]);
        jw_str(&w, s->types[i]);
        jw_str(&w, s->collations[i]);
        jw_int(&w, s->pk[i]);
        jw_end_array(&w);
    }
    jw_end_array(&w);
    return !out->failed;
}

static bool fill_from_json(shape *s, json_t *columns_of)
{
    columns k;
    size_t n = json_array_size(columns_of);
    if (!columns_alloc(s, &k, (int)n))
        return false;
    for (size_t i = 0; i < n; i++) {
        json_t *row = json_array_get(columns_of, i);
        k.names[i] = copy(s, json_string_value(json_array_get(row, 0)));
        k.types[i] = copy(s, json_string_value(json_array_get(row, 1)));
        k.collations[i] = copy(s, json_string_value(json_array_get(row, 2)));
        k.pk[i] = (int)json_integer_value(json_array_get(row, 3));
        k.column[i] = (int)i;
        if (!k.names[i] || !k.types[i] || !k.collations[i])
            return false;
    }
    s->pub.n_columns = (int)n;
    return true;
}

shape *shape_from_json(int64_t id, const char *table, const char *json, size_t n, error *e)
{
    json_error_t why;
    json_t *columns_of = json_loadb(json ? json : "", n, 0, &why);
    if (!json_is_array(columns_of)) {
        json_decref(columns_of);
        error_clear(e);
        error_set(e, ERR_CORRUPT, "the change log's shape %lld is damaged", (long long)id);
        return NULL;
    }
    shape *s = shape_new();
    bool ok = s && (s->pub.table = copy(s, table)) && fill_from_json(s, columns_of);
    json_decref(columns_of);
    if (ok) {
        s->pub.id = id;
        return s;
    }
    no_memory(e);
    shape_free(s);
    return NULL;
}

/* ---- ids --------------------------------------------------------------------------------------
 */

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
    const unsigned char *b = p;
    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 1099511628211u; /* FNV-1a */
    return h;
}

static bool same_text(sqlite3_stmt *q, int column, const char *p, size_t n)
{
    const void *text = sqlite3_column_text(q, column);
    return text && (size_t)sqlite3_column_bytes(q, column) == n && memcmp(text, p, n) == 0;
}

bool shape_find_id(dbconn *c, sqlite3_stmt *find, shape *s, bool *stored, error *e)
{
    buf json = BUF_INIT;
    if (!shape_columns_json(&s->pub, &json)) {
        buf_free(&json);
        return no_memory(e);
    }
    size_t len = strlen(s->pub.table);
    uint64_t h = mix(mix(14695981039346656037u, s->pub.table, len + 1), json.data, json.len);
    int64_t id = (int64_t)(h >> 12) + 1; /* 52 bits: exact as a JSON number everywhere */
    bool ok = true;
    for (;; id++) {
        sqlite3_bind_int64(find, 1, id);
        int rc = sqlite3_step(find);
        bool same = rc == SQLITE_ROW && same_text(find, 0, s->pub.table, len) &&
                    same_text(find, 1, json.data, json.len);
        ok = rc == SQLITE_ROW || rc == SQLITE_DONE || dbconn_error(c, rc, e);
        sqlite3_reset(find);
        if (!ok || rc == SQLITE_DONE || same) {
            *stored = same;
            break;
        }
    }
    s->pub.id = id;
    buf_free(&json);
    return ok;
}
