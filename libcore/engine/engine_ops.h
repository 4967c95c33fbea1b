/* What a second engine provides: one table of functions, and its own structures that begin with the
 * ones here. engine.c dispatches through it; nobody else includes this but engines. */
#ifndef ENGINE_ENGINE_OPS_H
#define ENGINE_ENGINE_OPS_H

#include "engine/engine.h"
#include "engine/lens.h"

/* Each function does what the engine_* function of the same name in engine.h says. */
typedef struct engine_ops {
    const char *name; /* "sqlite" */
    engine *(*open)(const engine_config *config, error *e);
    void (*close)(engine *g, int64_t grace_us);
    void (*submit)(engine *g, job *j);
    void (*resume)(engine *g, job *j);
    void (*cancel)(engine *g, job *j, error_code why);
    bool (*cancel_id)(engine *g, const char *id, error_code why);
    void (*stats_get)(engine *g, engine_stats *out);
    void (*files_get)(engine *g, engine_files *out);
    void (*pool_get)(engine *g, engine_pool *out);
    int (*pool_conns)(engine *g, engine_conn *out, int room);
    bool (*pool_resize)(engine *g, int readers, int max_read_connections, error *e);
    void (*pool_drain)(engine *g, bool on);
    bool (*is_draining)(engine *g);
    void (*pool_forget_statements)(engine *g);
    bool (*statements_get)(engine *g, engine_statements *out, error *e);
    void (*statements_reset)(engine *g);
    const char *(*version)(engine *g);
    bool (*verify)(engine *g, const char *file, void (*problem)(void *arg, const char *text),
                   void *arg, const engine_watch *w, error *e);
    bool (*backup)(engine *g, const char *file, const engine_watch *w, error *e);
    bool (*copy_look)(engine *g, const char *file, engine_copy *out, error *e);
    bool (*restore)(engine *g, const char *file, const char *dir, const engine_watch *w, error *e);
    log_reader *(*log_open)(engine *g, error *e);
    void (*log_close)(log_reader *r);
    bool (*log_bounds)(log_reader *r, log_bounds *out, error *e);
    int (*log_read)(log_reader *r, int64_t after, int max,
                    bool (*each)(void *arg, const log_record *rec), void *arg, error *e);
    bool (*log_touched)(log_reader *r, int64_t after,
                        void (*each)(void *arg, const char *table, int64_t lsn), void *arg,
                        int64_t *head, int64_t *schema, error *e);
    const table_shape *(*log_table)(log_reader *r, const char *table, error *e);
    lens *(*lens_open)(log_reader *r, const viewer *as, const table_shape *shape, error *e);
    void (*lens_free)(lens *l);
    const table_shape *(*lens_shape)(const lens *l);
    const table_shape *(*lens_source)(const lens *l);
    lens_result (*lens_apply)(lens *l, const log_record *in, log_record *out, error *e);
    bool (*meta_set)(engine *g, const char *key, const void *value, size_t n, error *e);
    long (*meta_get)(engine *g, const char *key, void *out, size_t room, error *e);
    bool (*slots_read)(engine *g, bool (*each)(void *arg, const log_slot *s), void *arg, error *e);
    bool (*stored_read)(engine *g, bool (*each)(void *arg, const stored_text *t, error *e),
                        void *arg, error *e);
    bool (*auth_read)(engine *g, bool (*each)(void *arg, const auth_text *t, error *e), void *arg,
                      error *e);
} engine_ops;

/* First member of every engine's own structure; its open sets ops. */
struct engine {
    const engine_ops *ops;
};

/* First member of every engine's own log reader; its log_open sets ops. */
struct log_reader {
    const engine_ops *ops;
};

/* First member of every engine's own lens; its lens_open sets ops. */
struct lens {
    const engine_ops *ops;
};

extern const engine_ops sqlite_engine_ops;

#endif
