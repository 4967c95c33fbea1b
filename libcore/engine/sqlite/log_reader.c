/* Reading the change log: a connection of its own, shapes remembered by id. */
#include <string.h>

#include "base/mem.h"
#include "engine/sqlite/store.h"

typedef struct sqlite_log_reader {
    log_reader base;
    store *g;
    dbconn c;
    sqlite3_stmt *begin, *commit, *bounds, *records, *commits, *find_shape, *get_shape, *touched,
        *version;
    shape **shapes; /* owned; sorted by nothing, few */
    int n_shapes, room;
    value *rows; /* two rows, `width` wide together */
    int width;
} sqlite_log_reader;

static sqlite_log_reader *own(log_reader *r)
{
    return (sqlite_log_reader *)(void *)r;
}

dbconn *store_log_conn(log_reader *r)
{
    return &own(r)->c;
}

static bool no_memory(error *e)
{
    error_clear(e);
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

static bool damaged(int64_t lsn, error *e)
{
    error_clear(e);
    return error_set(e, ERR_CORRUPT, "record %lld of the change log is damaged", (long long)lsn);
}

/* ---- opening ----------------------------------------------------------------------------------
 */

static bool prepare_all(sqlite_log_reader *r, error *e)
{
    const struct {
        sqlite3_stmt **to;
        const char *sql;
    } all[] = {
        {&r->begin, "BEGIN"},
        {&r->commit, "COMMIT"},
        {&r->bounds, "SELECT (SELECT min(lsn) FROM _rustydb_log), (SELECT max(lsn) FROM"
                     " _rustydb_log)"},
        {&r->records, "SELECT lsn, tx, op, shape, data FROM _rustydb_log WHERE lsn > ?1"
                      " ORDER BY lsn LIMIT ?2"},
        {&r->commits, "SELECT last_lsn, committed_at FROM _rustydb_commit WHERE last_lsn > ?1"
                      " ORDER BY last_lsn"},
        {&r->touched, "SELECT shape, max(lsn) FROM _rustydb_log WHERE lsn > ?1 GROUP BY shape"},
        {&r->version, "PRAGMA schema_version"},
        {&r->find_shape, "SELECT tbl, columns FROM _rustydb_shape WHERE id = ?"},
        {&r->get_shape, "SELECT tbl, columns FROM _rustydb_shape WHERE id = ?"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        *all[i].to = dbconn_prepare_own(&r->c, all[i].sql, e);
        if (!*all[i].to)
            return false;
    }
    return true;
}

log_reader *store_log_open(engine *g, error *e)
{
    sqlite_log_reader *r = mem_zalloc(sizeof *r);
    if (!r) {
        no_memory(e);
        return NULL;
    }
    r->base.ops = g->ops;
    r->g = (store *)(void *)g;
    if (dbconn_open(&r->c, r->g->path, r->g->cfg.vfs, DBCONN_READER, &r->g->cfg, e) &&
        functions_install(&r->c.functions, r->c.db, r->g->mask_key, e) && prepare_all(r, e))
        return &r->base;
    store_log_close(&r->base);
    return NULL;
}

void store_log_close(log_reader *base)
{
    sqlite_log_reader *r = own(base);
    sqlite3_stmt *all[] = {r->begin,      r->commit,    r->bounds,  r->records, r->commits,
                           r->find_shape, r->get_shape, r->touched, r->version};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sqlite3_finalize(all[i]);
    dbconn_close(&r->c);
    for (int i = 0; i < r->n_shapes; i++)
        shape_free(r->shapes[i]);
    mem_free(r->shapes);
    mem_free(r->rows);
    mem_free(r);
}

/* ---- shapes -----------------------------------------------------------------------------------
 */

static shape *known_shape(sqlite_log_reader *r, int64_t id)
{
    for (int i = r->n_shapes - 1; i >= 0; i--) {
        if (r->shapes[i]->pub.id == id)
            return r->shapes[i];
    }
    return NULL;
}

/* Takes the shape over, or frees it when memory is out. */
static shape *keep_shape(sqlite_log_reader *r, shape *s, error *e)
{
    if (r->n_shapes == r->room) {
        int room = r->room ? r->room * 2 : 16;
        shape **more = mem_realloc(r->shapes, (size_t)room * sizeof *more);
        if (!more) {
            shape_free(s);
            no_memory(e);
            return NULL;
        }
        r->shapes = more;
        r->room = room;
    }
    r->shapes[r->n_shapes++] = s;
    return s;
}

static shape *read_shape(sqlite_log_reader *r, int64_t id, error *e)
{
    sqlite3_bind_int64(r->get_shape, 1, id);
    int rc = sqlite3_step(r->get_shape);
    shape *s = NULL;
    if (rc == SQLITE_ROW) {
        const char *table = (const char *)sqlite3_column_text(r->get_shape, 0);
        const char *json = (const char *)sqlite3_column_text(r->get_shape, 1);
        size_t n = (size_t)sqlite3_column_bytes(r->get_shape, 1);
        if (table && json)
            s = shape_from_json(id, table, json, n, e);
        else
            no_memory(e);
    } else if (rc == SQLITE_DONE) {
        error_clear(e);
        error_set(e, ERR_CORRUPT, "the change log's shape %lld is missing", (long long)id);
    } else {
        dbconn_error(&r->c, rc, e);
    }
    sqlite3_reset(r->get_shape);
    return s ? keep_shape(r, s, e) : NULL;
}

const table_shape *store_log_table(log_reader *base, const char *table, error *e)
{
    sqlite_log_reader *r = own(base);
    shape *s = shape_load(&r->c, table, e);
    bool stored;
    if (!s)
        return NULL;
    if (!shape_find_id(&r->c, r->find_shape, s, &stored, e)) {
        shape_free(s);
        return NULL;
    }
    shape *same = known_shape(r, s->pub.id);
    if (same) {
        shape_free(s);
        return &same->pub;
    }
    s = keep_shape(r, s, e);
    return s ? &s->pub : NULL;
}

/* ---- records ----------------------------------------------------------------------------------
 */

bool store_log_bounds(log_reader *base, log_bounds *out, error *e)
{
    sqlite_log_reader *r = own(base);
    int rc = sqlite3_step(r->bounds);
    bool ok = rc == SQLITE_ROW || dbconn_error(&r->c, rc, e);
    if (ok) {
        memcpy(out->log_id, r->g->log_id, sizeof out->log_id);
        out->oldest = sqlite3_column_int64(r->bounds, 0);
        out->head = sqlite3_column_int64(r->bounds, 1);
        if (out->oldest == 0)
            out->oldest = out->head + 1;
    }
    sqlite3_reset(r->bounds);
    return ok;
}

static bool make_room(sqlite_log_reader *r, int n, error *e)
{
    if (n <= r->width)
        return true;
    value *rows = mem_realloc(r->rows, (size_t)n * sizeof *rows);
    if (!rows)
        return no_memory(e);
    r->rows = rows;
    r->width = n;
    return true;
}

static bool unpack_rows(sqlite_log_reader *r, log_record *rec, const char *data, size_t len,
                        error *e)
{
    int n = rec->shape->n_columns;
    long used = 0;
    if (!make_room(r, 2 * n + 2, e))
        return false;
    if (rec->op != OP_INSERT) {
        used = value_unpack(data, len, r->rows, n);
        rec->old_row = r->rows;
    }
    if (used >= 0 && rec->op != OP_DELETE) {
        used = value_unpack(data + used, len - (size_t)used, r->rows + n, n);
        rec->row = r->rows + n;
    }
    return used >= 0 || damaged(rec->lsn, e);
}

/* Text that ends with a NUL. */
static bool is_string(const value *v)
{
    return v->type == VALUE_TEXT && v->len > 0 && v->p[v->len - 1] == '\0';
}

static bool unpack_ddl(sqlite_log_reader *r, log_record *rec, const char *data, size_t len,
                       error *e)
{
    if (!make_room(r, 2, e))
        return false;
    if (value_unpack(data, len, r->rows, 2) < 0 || !is_string(&r->rows[0]) ||
        (r->rows[1].type != VALUE_NULL && !is_string(&r->rows[1])))
        return damaged(rec->lsn, e);
    rec->text = r->rows[0].p;
    rec->other = r->rows[1].type == VALUE_TEXT ? r->rows[1].p : NULL;
    return true;
}

static bool decode(sqlite_log_reader *r, log_record *rec, error *e)
{
    int64_t op = sqlite3_column_int64(r->records, 2);
    *rec = (log_record){.lsn = sqlite3_column_int64(r->records, 0),
                        .tx = sqlite3_column_int64(r->records, 1),
                        .op = (log_op)op,
                        .kind = op >= OP_CREATE ? LOG_DDL : LOG_ROW};
    int64_t id = sqlite3_column_int64(r->records, 3);
    const char *data = sqlite3_column_blob(r->records, 4);
    size_t len = (size_t)sqlite3_column_bytes(r->records, 4);
    if (op < OP_INSERT || op > OP_DROP)
        return damaged(rec->lsn, e);
    shape *s = known_shape(r, id);
    if (!s)
        s = read_shape(r, id, e);
    if (!s)
        return false;
    rec->shape = &s->pub;
    return rec->kind == LOG_ROW ? unpack_rows(r, rec, data, len, e)
                                : unpack_ddl(r, rec, data, len, e);
}

/* Moves the cursor over the commits to the one that made this lsn. */
static bool find_commit(sqlite_log_reader *r, int64_t lsn, int64_t *last, int64_t *at, error *e)
{
    while (*last < lsn) {
        int rc = sqlite3_step(r->commits);
        if (rc != SQLITE_ROW)
            return rc == SQLITE_DONE ? damaged(lsn, e) : dbconn_error(&r->c, rc, e);
        *last = sqlite3_column_int64(r->commits, 0);
        *at = sqlite3_column_int64(r->commits, 1);
    }
    return true;
}

static bool gap(sqlite_log_reader *r, int64_t after, int64_t first, error *e)
{
    (void)r;
    error_clear(e);
    error_set(e, ERR_GAP, "the change log starts at lsn %lld, lsn %lld was pruned",
              (long long)first, (long long)after + 1);
    error_hint(e, "Read the tables anew and subscribe from the present lsn.");
    e->detail = first;
    return false;
}

static int read_records(sqlite_log_reader *r, int64_t after, int max,
                        bool (*each)(void *arg, const log_record *rec), void *arg, error *e)
{
    int64_t last = 0, at = 0;
    int given = 0;
    bool more = true;
    sqlite3_bind_int64(r->records, 1, after);
    sqlite3_bind_int(r->records, 2, max);
    sqlite3_bind_int64(r->commits, 1, after);
    while (more) {
        int rc = sqlite3_step(r->records);
        if (rc == SQLITE_DONE)
            break;
        log_record rec;
        if (rc != SQLITE_ROW) {
            dbconn_error(&r->c, rc, e);
            return -1;
        }
        int64_t lsn = sqlite3_column_int64(r->records, 0);
        if (given == 0 && lsn != after + 1) {
            gap(r, after, lsn, e);
            return -1;
        }
        if (!decode(r, &rec, e) || !find_commit(r, rec.lsn, &last, &at, e))
            return -1;
        rec.committed_at = at;
        more = each(arg, &rec);
        given++;
    }
    return given;
}

int store_log_read(log_reader *base, int64_t after, int max,
                   bool (*each)(void *arg, const log_record *rec), void *arg, error *e)
{
    sqlite_log_reader *r = own(base);
    if (max <= 0)
        return 0;
    if (!dbconn_step_own(&r->c, r->begin, e))
        return -1;
    int n = read_records(r, after, max, each, arg, e);
    sqlite3_reset(r->records);
    sqlite3_reset(r->commits);
    dbconn_step_own(&r->c, r->commit, NULL);
    return n;
}

/* ---- tables -----------------------------------------------------------------------------------
 */

static bool each_touched(sqlite_log_reader *r,
                         void (*each)(void *arg, const char *table, int64_t lsn), void *arg,
                         error *e)
{
    for (int rc; (rc = sqlite3_step(r->touched)) != SQLITE_DONE;) {
        if (rc != SQLITE_ROW)
            return dbconn_error(&r->c, rc, e);
        int64_t id = sqlite3_column_int64(r->touched, 0);
        shape *s = known_shape(r, id);
        if (!s)
            s = read_shape(r, id, e);
        if (!s)
            return false;
        each(arg, s->pub.table, sqlite3_column_int64(r->touched, 1));
    }
    return true;
}

static bool look(sqlite_log_reader *r, int64_t after,
                 void (*each)(void *arg, const char *table, int64_t lsn), void *arg, int64_t *head,
                 int64_t *schema, error *e)
{
    log_bounds bounds;
    if (!store_log_bounds(&r->base, &bounds, e))
        return false;
    if (bounds.head > after && bounds.oldest > after + 1)
        return gap(r, after, bounds.oldest, e);
    int rc = sqlite3_step(r->version);
    if (rc != SQLITE_ROW)
        return dbconn_error(&r->c, rc, e);
    *schema = sqlite3_column_int64(r->version, 0);
    *head = bounds.head;
    sqlite3_bind_int64(r->touched, 1, after);
    return each_touched(r, each, arg, e);
}

bool store_log_touched(log_reader *base, int64_t after,
                       void (*each)(void *arg, const char *table, int64_t lsn), void *arg,
                       int64_t *head, int64_t *schema, error *e)
{
    sqlite_log_reader *r = own(base);
    if (!dbconn_step_own(&r->c, r->begin, e))
        return false;
    bool ok = look(r, after, each, arg, head, schema, e);
    sqlite3_reset(r->touched);
    sqlite3_reset(r->version);
    dbconn_step_own(&r->c, r->commit, NULL);
    return ok;
}
