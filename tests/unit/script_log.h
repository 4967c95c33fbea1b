/* Reading a scripted log: what every test with such a log tells its subject through the engine's
 * interface. Include it once, behind the definition of a static `script` with these members, all
 * guarded by its lock: records, n, oldest, gap_is_error, failing_reads, fail_nth and armed. */
#ifndef TESTS_SCRIPT_LOG_H
#define TESTS_SCRIPT_LOG_H

#include <string.h>

#include "base/mem.h"
#include "engine/engine_ops.h"

static log_reader script_reader;

static log_reader *script_log_open(engine *g, error *e)
{
    (void)g;
    (void)e;
    return &script_reader;
}

static void script_log_close(log_reader *r)
{
    (void)r;
}

static bool read_fails(error *e)
{
    if (script.failing_reads == 0)
        return false;
    script.failing_reads--;
    error_set(e, ERR_INTERNAL_ERROR, "disk I/O error");
    return true;
}

static bool script_log_bounds(log_reader *r, log_bounds *out, error *e)
{
    (void)r;
    pthread_mutex_lock(&script.lock);
    bool fails = read_fails(e);
    strcpy(out->log_id, "log-1");
    out->oldest = script.oldest;
    out->head = script.n;
    pthread_mutex_unlock(&script.lock);
    return !fails;
}

static int script_log_read(log_reader *r, int64_t after, int max,
                           bool (*each)(void *arg, const log_record *rec), void *arg, error *e)
{
    (void)r;
    pthread_mutex_lock(&script.lock);
    bool fails = read_fails(e);
    int n = script.n;
    int64_t at = after + 1 < script.oldest ? script.oldest : after + 1;
    if (script.fail_nth && !script.armed && n > 0) {
        script.armed = true;
        mem_fail_nth(script.fail_nth);
    }
    pthread_mutex_unlock(&script.lock);
    if (fails)
        return -1;
    if (script.gap_is_error && at <= n && at != after + 1) {
        error_set(e, ERR_GAP, "pruned");
        e->detail = at;
        return -1;
    }
    int given = 0;
    for (; at <= n && given < max; at++) {
        given++;
        if (!each(arg, &script.records[at - 1]))
            break;
    }
    return given;
}

#endif
