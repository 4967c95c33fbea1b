#include "engine/sqlite/sizes.h"

#include <string.h>
#include <sys/statvfs.h>

#include "json/writer.h"

/* ---- the files --------------------------------------------------------------------------------
 */

bool sizes_storage(store *g, dbconn *c, engine_storage *out, error *e)
{
    engine_files files;
    struct statvfs fs;
    engine_files_get(&g->base, &files);
    *out = (engine_storage){
        .database = files.database, .wal = files.log, .disk_free = -1, .disk_total = -1};
    if (statvfs(g->cfg.dir, &fs) == 0) {
        out->disk_free = (int64_t)(fs.f_bavail * fs.f_frsize);
        out->disk_total = (int64_t)(fs.f_blocks * fs.f_frsize);
    }
    return dbconn_int(c, "PRAGMA page_size", -1, &out->page_size, e) &&
           dbconn_int(c, "PRAGMA page_count", -1, &out->pages, e) &&
           dbconn_int(c, "PRAGMA freelist_count", -1, &out->free_pages, e);
}

/* ---- tables -----------------------------------------------------------------------------------
 */

/* What one b-tree takes. */
typedef struct extent {
    int64_t pages, bytes, unused;
    int64_t leaf_cells, cells;
} extent;

typedef struct measuring {
    dbconn *c;
    const viewer *as;
    sqlite3_stmt *pages, *indexes;
    json_writer w;
    error *e;
} measuring;

/* One row per page, so that the virtual machine comes by between pages. */
static const char pages_sql[] =
    "SELECT count(*), sum(pgsize), sum(unused),"
    " sum(CASE WHEN pagetype = 'leaf' THEN ncell ELSE 0 END), sum(ncell)"
    " FROM dbstat WHERE name = ?1";

static const char indexes_sql[] =
    "SELECT name FROM main.sqlite_schema WHERE type = 'index'"
    " AND tbl_name = ?1 COLLATE NOCASE AND rootpage > 0 ORDER BY name";

/* Tables that have pages of their own: no views, no virtual tables. */
static const char tables_sql[] =
    "SELECT l.name, l.wr, s.name LIKE '\\_rustydb\\_%' ESCAPE '\\' OR s.name LIKE 'sqlite\\_%'"
    " ESCAPE '\\' FROM main.sqlite_schema s JOIN pragma_table_list l"
    " ON l.schema = 'main' AND l.name = s.name WHERE s.type = 'table' AND s.rootpage > 0"
    " ORDER BY l.name COLLATE NOCASE, l.name";

static bool measure(measuring *s, const char *name, extent *out)
{
    sqlite3_bind_text(s->pages, 1, name, -1, SQLITE_TRANSIENT);
    int rc = sqlite3_step(s->pages);
    bool ok = rc == SQLITE_ROW || dbconn_error(s->c, rc, s->e);
    if (ok)
        *out = (extent){
            .pages = sqlite3_column_int64(s->pages, 0),
            .bytes = sqlite3_column_int64(s->pages, 1),
            .unused = sqlite3_column_int64(s->pages, 2),
            .leaf_cells = sqlite3_column_int64(s->pages, 3),
            .cells = sqlite3_column_int64(s->pages, 4),
        };
    sqlite3_reset(s->pages);
    return ok;
}

static void put_int(measuring *s, const char *key, int64_t v)
{
    jw_keyn(&s->w, key, strlen(key));
    jw_int(&s->w, v);
}

static void put_extent(measuring *s, const extent *x)
{
    put_int(s, "bytes", x->bytes);
    put_int(s, "pages", x->pages);
    put_int(s, "unused_bytes", x->unused);
}

static bool put_index(measuring *s, const char *name, extent *sum)
{
    extent x;
    if (!measure(s, name, &x))
        return false;
    jw_begin_object(&s->w);
    jw_key(&s->w, "name");
    jw_str(&s->w, name);
    put_extent(s, &x);
    jw_end_object(&s->w);
    sum->bytes += x.bytes;
    return true;
}

static bool put_indexes(measuring *s, const char *table, extent *sum)
{
    int rc;
    bool ok = true;
    jw_key(&s->w, "indexes");
    jw_begin_array(&s->w);
    sqlite3_bind_text(s->indexes, 1, table, -1, SQLITE_TRANSIENT);
    while (ok && (rc = sqlite3_step(s->indexes)) != SQLITE_DONE) {
        if (rc != SQLITE_ROW)
            ok = dbconn_error(s->c, rc, s->e);
        else
            ok = put_index(s, (const char *)sqlite3_column_text(s->indexes, 0), sum);
    }
    sqlite3_reset(s->indexes);
    jw_end_array(&s->w);
    return ok;
}

/* Rows stand on the leaves of a table, and on all pages of one without rowid. */
static bool put_table(measuring *s, const char *name, bool without_rowid)
{
    extent x;
    if (!measure(s, name, &x))
        return false;
    jw_begin_object(&s->w);
    jw_key(&s->w, "name");
    jw_str(&s->w, name);
    put_int(s, "rows", without_rowid ? x.cells : x.leaf_cells);
    put_extent(s, &x);
    bool ok = put_indexes(s, name, &x);
    put_int(s, "total_bytes", x.bytes);
    jw_end_object(&s->w);
    return ok;
}

/* Adds up the tables that are the engine's, with their indexes. */
static bool put_internal(measuring *s, bool wanted)
{
    extent sum = {0};
    jw_key(&s->w, "internal");
    if (!wanted) {
        jw_null(&s->w);
        return true;
    }
    sqlite3_stmt *all = dbconn_prepare_own(s->c,
                                           "SELECT name FROM main.sqlite_schema WHERE rootpage > 0"
                                           " AND (tbl_name LIKE '\\_rustydb\\_%' ESCAPE '\\' OR "
                                           "tbl_name LIKE 'sqlite\\_%' ESCAPE '\\')"
                                           " UNION ALL SELECT 'sqlite_schema'",
                                           s->e);
    int rc;
    bool ok = all != NULL;
    while (ok && (rc = sqlite3_step(all)) != SQLITE_DONE) {
        extent x = {0};
        if (rc != SQLITE_ROW)
            ok = dbconn_error(s->c, rc, s->e);
        else
            ok = measure(s, (const char *)sqlite3_column_text(all, 0), &x);
        sum.pages += x.pages;
        sum.bytes += x.bytes;
        sum.unused += x.unused;
    }
    sqlite3_finalize(all);
    jw_begin_object(&s->w);
    put_extent(s, &sum);
    jw_end_object(&s->w);
    return ok;
}

static bool may_count(const viewer *as, const char *table)
{
    return !as || !as->access ||
           (table && access_is_plain(access_find(as->access, table), ACCESS_SELECT));
}

static bool put_page(measuring *s, sqlite3_stmt *tables, int64_t offset, int64_t limit,
                     int64_t *total)
{
    int rc;
    while ((rc = sqlite3_step(tables)) == SQLITE_ROW) {
        if (sqlite3_column_int(tables, 2) ||
            !may_count(s->as, (const char *)sqlite3_column_text(tables, 0)))
            continue;
        int64_t at = (*total)++;
        if (at < offset || (limit && at - offset >= limit))
            continue;
        const char *name = (const char *)sqlite3_column_text(tables, 0);
        if (!name)
            return dbconn_error(s->c, SQLITE_NOMEM, s->e);
        if (!put_table(s, name, sqlite3_column_int(tables, 1)))
            return false;
    }
    return rc == SQLITE_DONE || dbconn_error(s->c, rc, s->e);
}

static bool put_all(measuring *s, sqlite3_stmt *tables, int64_t offset, int64_t limit,
                    bool internal)
{
    int64_t total = 0;
    jw_begin_object(&s->w);
    jw_key(&s->w, "tables");
    jw_begin_array(&s->w);
    bool ok = put_page(s, tables, offset, limit, &total);
    jw_end_array(&s->w);
    ok = ok && put_internal(s, internal);
    put_int(s, "total", total);
    put_int(s, "offset", offset);
    put_int(s, "limit", limit);
    jw_end_object(&s->w);
    return ok;
}

bool sizes_tables(dbconn *c, int64_t offset, int64_t limit, bool internal, const viewer *as,
                  buf *out, error *e)
{
    measuring s = {.c = c, .as = as, .e = e};
    jw_init(&s.w, out);
    bool ok = dbconn_exec(c, "BEGIN", e); /* one snapshot; the end of the job commits it */
    sqlite3_stmt *tables = ok ? dbconn_prepare_own(c, tables_sql, e) : NULL;
    s.pages = tables ? dbconn_prepare_own(c, pages_sql, e) : NULL;
    s.indexes = s.pages ? dbconn_prepare_own(c, indexes_sql, e) : NULL;
    ok = s.indexes && put_all(&s, tables, offset, limit, internal);
    sqlite3_finalize(tables);
    sqlite3_finalize(s.pages);
    sqlite3_finalize(s.indexes);
    return ok && (!out->failed || error_set(e, ERR_INTERNAL_ERROR, "out of memory"));
}
