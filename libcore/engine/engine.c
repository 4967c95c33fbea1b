#include "engine/engine.h"
#include "engine/engine_ops.h"

#include "base/mem.h"

const char *log_op_name(log_op op)
{
    static const char *const names[] = {"insert", "update", "delete", "create",
                                        "alter",  "rename", "drop"};
    return (unsigned)op < sizeof names / sizeof *names ? names[op] : "unknown";
}

engine *engine_open(const engine_config *config, error *e)
{
    return sqlite_engine_ops.open(config, e);
}

void engine_close(engine *g, int64_t grace_us)
{
    if (g)
        g->ops->close(g, grace_us);
}

void engine_submit(engine *g, job *j)
{
    g->ops->submit(g, j);
}

void engine_resume(engine *g, job *j)
{
    g->ops->resume(g, j);
}

void engine_cancel(engine *g, job *j, error_code why)
{
    g->ops->cancel(g, j, why);
}

bool engine_cancel_id(engine *g, const char *id, error_code why)
{
    return g->ops->cancel_id(g, id, why);
}

void engine_stats_get(engine *g, engine_stats *out)
{
    g->ops->stats_get(g, out);
}

void engine_files_get(engine *g, engine_files *out)
{
    g->ops->files_get(g, out);
}

void engine_pool_get(engine *g, engine_pool *out)
{
    g->ops->pool_get(g, out);
}

int engine_pool_conns(engine *g, engine_conn *out, int room)
{
    return g->ops->pool_conns(g, out, room);
}

bool engine_pool_resize(engine *g, int readers, int max_read_connections, error *e)
{
    return g->ops->pool_resize(g, readers, max_read_connections, e);
}

void engine_pool_drain(engine *g, bool on)
{
    g->ops->pool_drain(g, on);
}

bool engine_is_draining(engine *g)
{
    return g->ops->is_draining(g);
}

void engine_pool_forget_statements(engine *g)
{
    g->ops->pool_forget_statements(g);
}

bool engine_statements_get(engine *g, engine_statements *out, error *e)
{
    return g->ops->statements_get(g, out, e);
}

void engine_statements_free(engine_statements *s)
{
    for (int i = 0; i < s->n; i++)
        mem_free(s->items[i].text);
    mem_free(s->items);
    *s = (engine_statements){0};
}

void engine_statements_reset(engine *g)
{
    g->ops->statements_reset(g);
}

const char *engine_version(engine *g)
{
    return g->ops->version(g);
}

bool engine_verify(engine *g, const char *file, void (*problem)(void *arg, const char *text),
                   void *arg, const engine_watch *w, error *e)
{
    return g->ops->verify(g, file, problem, arg, w, e);
}

bool engine_backup(engine *g, const char *file, const engine_watch *w, error *e)
{
    return g->ops->backup(g, file, w, e);
}

bool engine_copy_look(engine *g, const char *file, engine_copy *out, error *e)
{
    return g->ops->copy_look(g, file, out, e);
}

bool engine_restore(engine *g, const char *file, const char *dir, const engine_watch *w, error *e)
{
    return g->ops->restore(g, file, dir, w, e);
}

log_reader *engine_log_open(engine *g, error *e)
{
    return g->ops->log_open(g, e);
}

void engine_log_close(log_reader *r)
{
    if (r)
        r->ops->log_close(r);
}

bool engine_log_bounds(log_reader *r, log_bounds *out, error *e)
{
    return r->ops->log_bounds(r, out, e);
}

int engine_log_read(log_reader *r, int64_t after, int max,
                    bool (*each)(void *arg, const log_record *rec), void *arg, error *e)
{
    return r->ops->log_read(r, after, max, each, arg, e);
}

bool engine_log_touched(log_reader *r, int64_t after,
                        void (*each)(void *arg, const char *table, int64_t lsn), void *arg,
                        int64_t *head, int64_t *schema, error *e)
{
    return r->ops->log_touched(r, after, each, arg, head, schema, e);
}

bool engine_no_table(const char *table, error *e)
{
    return error_set(e, ERR_TABLE_NOT_FOUND, "there is no table \"%s\"", table);
}

const table_shape *engine_log_table(log_reader *r, const char *table, error *e)
{
    return r->ops->log_table(r, table, e);
}

lens *engine_lens_open(log_reader *r, const viewer *as, const table_shape *shape, error *e)
{
    return r->ops->lens_open(r, as, shape, e);
}

void engine_lens_free(lens *l)
{
    if (l)
        l->ops->lens_free(l);
}

const table_shape *engine_lens_shape(const lens *l)
{
    return l->ops->lens_shape(l);
}

const table_shape *engine_lens_source(const lens *l)
{
    return l->ops->lens_source(l);
}

lens_result engine_lens_apply(lens *l, const log_record *in, log_record *out, error *e)
{
    return l->ops->lens_apply(l, in, out, e);
}

bool engine_meta_set(engine *g, const char *key, const void *bytes, size_t n, error *e)
{
    return g->ops->meta_set(g, key, bytes, n, e);
}

long engine_meta_get(engine *g, const char *key, void *out, size_t room, error *e)
{
    return g->ops->meta_get(g, key, out, room, e);
}

bool engine_slots_read(engine *g, bool (*each)(void *arg, const log_slot *s), void *arg, error *e)
{
    return g->ops->slots_read(g, each, arg, e);
}

bool engine_stored_read(engine *g, bool (*each)(void *arg, const stored_text *t, error *e),
                        void *arg, error *e)
{
    return g->ops->stored_read(g, each, arg, e);
}

bool engine_auth_read(engine *g, bool (*each)(void *arg, const auth_text *t, error *e), void *arg,
                      error *e)
{
    return g->ops->auth_read(g, each, arg, e);
}
