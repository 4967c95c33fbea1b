#include "daemon/checkup.h"

static bool tell(void *arg, int64_t done, int64_t total)
{
    admin_job *j = arg;
    atomic_store(&j->progress, done);
    atomic_store(&j->total, total);
    return !atomic_load(&j->stop);
}

engine_watch checkup_watch(admin_job *j)
{
    return (engine_watch){tell, j};
}

typedef struct findings {
    json_writer *w;
    bool any;
} findings;

static void problem(void *arg, const char *text)
{
    findings *f = arg;
    f->any = true;
    jw_str(f->w, text);
}

bool checkup_run(admin_job *j, const char *file, json_writer *w, error *e)
{
    findings f = {.w = w};
    const engine_watch watch = checkup_watch(j);
    jw_begin_object(w);
    jw_key(w, "problems");
    jw_begin_array(w);
    if (!engine_verify(j->d->engine, file, problem, &f, &watch, e))
        return false;
    jw_end_array(w);
    jw_key(w, "ok");
    jw_bool(w, !f.any);
    jw_end_object(w);
    return true;
}
