/* What a table is like, as the engine tells it. */
#include "daemon/api/rows.h"
#include "json/read.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *text_in(const json_t *from, const char *name)
{
    return json_string_value(json_object_get(from, name));
}

static bool has_text(const char *type, const char *part)
{
    return strcasestr(type, part) != NULL;
}

/* SQLite's rules for the affinity of a declared type. */
static void set_affinity(row_column *c, const char *type, bool strict)
{
    if (has_text(type, "INT"))
        return;
    c->text = has_text(type, "CHAR") || has_text(type, "CLOB") || has_text(type, "TEXT");
    c->loose =
        !c->text && (!*type || has_text(type, "BLOB") || (strict && strcasecmp(type, "ANY") == 0));
    c->real = !c->text && !c->loose &&
              (has_text(type, "REAL") || has_text(type, "FLOA") || has_text(type, "DOUB"));
}

/* DEFAULT word and DEFAULT "word" are texts; as an expression they would be columns. */
static bool is_bare(const char *fallback)
{
    static const char *const words[] = {"NULL",         "TRUE",         "FALSE",
                                        "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP"};
    if (!fallback)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcasecmp(fallback, words[i]) == 0)
            return false;
    }
    for (const char *p = fallback; *p && *fallback != '"'; p++) {
        if (!isalpha((unsigned char)*p) && *p != '_' && (unsigned char)*p < 0x80 &&
            (p == fallback || !isdigit((unsigned char)*p)))
            return false;
    }
    return *fallback != '\0';
}

static char *copy(arena *mem, const char *text)
{
    return text ? arena_strndup(mem, text, strlen(text)) : NULL;
}

/* The text in double quotes, in place. */
static void unquote(char *text)
{
    char *to = text;
    for (const char *p = text + 1; *p && (*p != '"' || p[1] == '"'); p++) {
        *to++ = *p;
        p += *p == '"';
    }
    *to = '\0';
}

static bool read_column(row_column *c, const json_t *from, bool strict, arena *mem)
{
    const char *type = text_in(from, "type"), *fallback = text_in(from, "default");
    c->name = copy(mem, text_in(from, "name"));
    char *kept = copy(mem, fallback);
    c->bare = is_bare(fallback);
    if (kept && c->bare && *kept == '"')
        unquote(kept);
    c->fallback = kept;
    c->generated = text_in(from, "generated") != NULL;
    c->not_null = json_is_true(json_object_get(from, "not_null"));
    c->key = json_integer_value(json_object_get(from, "primary_key")) > 0;
    set_affinity(c, type ? type : "", strict);
    return c->name && (kept || !fallback);
}

static const row_column *find(const row_table *t, const char *name, size_t n)
{
    for (int i = 0; i < t->n_columns; i++) {
        if (strncasecmp(t->columns[i].name, name, n) == 0 && !t->columns[i].name[n])
            return &t->columns[i];
    }
    return NULL;
}

/* A column can have one of the rowid's names, and then means something else. */
static const char *rowid_name(const row_table *t)
{
    static const char *const names[] = {"rowid", "_rowid_", "oid"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!find(t, names[i], strlen(names[i])))
            return names[i];
    }
    return NULL;
}

static void make_rowid_the_key(row_table *t)
{
    memmove(t->columns + 1, t->columns, sizeof *t->columns * (size_t)t->n_columns);
    t->columns[0] = (row_column){.name = t->rowid, .key = true, .not_null = true};
    t->n_columns++;
    t->n_key = 1;
    t->key[0] = 0;
}

static bool read_columns(row_table *t, json_t *columns, bool strict, arena *mem, error *e)
{
    size_t n = json_array_size(columns), i;
    json_t *item;
    t->columns = arena_alloc(mem, sizeof *t->columns * (n + 1));
    t->key = arena_alloc(mem, sizeof *t->key * (n + 1));
    if (!t->columns || !t->key)
        return rows_no_memory(e);
    json_array_foreach(columns, i, item)
    {
        json_int_t place = json_integer_value(json_object_get(item, "primary_key"));
        if (json_is_true(json_object_get(item, "hidden")))
            continue;
        if (place > 0) {
            t->key[place - 1] = t->n_columns;
            t->n_key++;
        }
        if (!read_column(&t->columns[t->n_columns++], item, strict, mem))
            return rows_no_memory(e);
    }
    return true;
}

static bool read_kind(row_table *t, const json_t *from, arena *mem, error *e)
{
    const char *kind = text_in(from, "type"), *failed = text_in(from, "error");
    bool has_rowid = !json_is_true(json_object_get(from, "without_rowid"));
    if (failed)
        return error_set(e, ERR_QUERY_ERROR, "%s", failed);
    t->name = copy(mem, text_in(from, "name"));
    t->triggers = json_array_size(json_object_get(from, "triggers")) > 0;
    if (strcmp(kind, "view") == 0)
        t->kind = "view";
    else if (strcmp(kind, "virtual") == 0)
        t->kind = "virtual table";
    if (!read_columns(t, json_object_get(from, "columns"),
                      json_is_true(json_object_get(from, "strict")), mem, e))
        return false;
    if (t->kind)
        t->n_key = 0;
    else if (has_rowid)
        t->rowid = rowid_name(t);
    if (t->rowid && !t->n_key)
        make_rowid_the_key(t);
    return t->name || rows_no_memory(e);
}

bool row_table_read(row_table *t, const char *json, size_t n, arena *mem, error *e)
{
    json_t *root = json_read_text(json, n, e);
    bool ok = root && read_kind(t, root, mem, e);
    json_decref(root);
    return ok;
}

const row_column *row_table_find(const row_table *t, const char *name, size_t n, error *e)
{
    const row_column *c = find(t, name, n);
    if (c)
        return c;
    char known[sizeof e->hint];
    size_t used = 0;
    error_set(e, ERR_INVALID_MESSAGE, "\"%s\" has no column \"%.*s\"", t->name,
              (int)(n < 60 ? n : 60), name);
    known[0] = '\0';
    for (int i = 0; i < t->n_columns && used < sizeof known; i++)
        used += t->columns[i].hidden ? 0
                                     : (size_t)snprintf(known + used, sizeof known - used, "%s%s",
                                                        i ? ", " : "", t->columns[i].name);
    error_hint(e, "known: %s", known);
    return NULL;
}

bool row_table_writable(const row_table *t, error *e)
{
    if (!t->kind)
        return true;
    error_set(e, ERR_CONFLICT, "\"%s\" is a %s: its rows can be read here, not written", t->name,
              t->kind);
    return error_hint(e, "%s",
                      *t->kind == 'v' && t->kind[2] == 'e'
                          ? "Write to the tables behind it."
                          : "Write to it with SQL: POST /api/v1/query.");
}
