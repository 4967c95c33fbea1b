#include "daemon/settings.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/logins.h"
#include "daemon/presence.h"
#include "daemon/system_events.h"
#include "daemon/tls.h"

#include <pthread.h>
#include <string.h>

/* Settings in use or replaced: reactors may still look at those. */
typedef struct old_config {
    struct old_config *next;
    config *cfg;
} old_config;

struct settings_owner {
    const config *start;
    const daemon_options *opt;
    pthread_mutex_t lock; /* one change at a time */
    old_config *old;      /* guarded by it */
};

settings_owner *settings_new(const config *start, const daemon_options *opt)
{
    settings_owner *o = xalloc(sizeof *o);
    o->start = start;
    o->opt = opt;
    pthread_mutex_init(&o->lock, NULL);
    return o;
}

void settings_free(settings_owner *o)
{
    while (o->old) {
        old_config *next = o->old->next;
        config_free(o->old->cfg);
        mem_free(o->old);
        o->old = next;
    }
    pthread_mutex_destroy(&o->lock);
    mem_free(o);
}

const config *settings_of_start(const settings_owner *o)
{
    return o->start;
}

queries_limits settings_live_limits(const config *cfg)
{
    return (queries_limits){
        .max_queries = cfg->max_live_queries,
        .max_rows = cfg->live_max_rows,
        .max_result = cfg->live_max_result,
        .max_memory = cfg->live_memory,
        .min_interval_us = cfg->live_interval * 1000,
    };
}

/* Puts new settings in force. */
static void replace(server *d, config *fresh)
{
    settings_owner *o = d->settings;
    log_level level;
    old_config *kept = xalloc(sizeof *kept);
    kept->cfg = fresh;
    kept->next = o->old;
    o->old = kept;
    atomic_store_explicit(&d->cfg, fresh, memory_order_release);
    const queries_limits limits = settings_live_limits(fresh);
    queries_set_limits(d->live, &limits);
    const session_limits logged_in = logins_session_limits(fresh);
    sessions_limit(auth_sessions_of(d->auth), &logged_in);
    if (log_parse_level(fresh->log_level, &level))
        log_set_level(level);
}

static bool reload(server *d, settings_step *step, error *e)
{
    const daemon_options *opt = d->settings->opt;
    config *fresh = config_load(opt->config_file, opt->flags, opt->n_flags, e);
    if (!fresh || !tls_reload(d, e)) {
        config_free(fresh);
        log_error("reload", "the old settings stay: %s", e->message);
        system_reload_failed(d, e);
        return false;
    }
    const config *was = daemon_config(d);
    *step = (settings_step){was, fresh};
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(was->text[i], fresh->text[i]) != 0 && !settings[i].runtime)
            log_warn("reload", "%s takes effect at the next start", settings[i].name);
    }
    replace(d, fresh);
    if (d->tls)
        presence_renew(d->presence);
    log_info("reload", "settings were read again");
    system_reloaded(d, was, fresh);
    return true;
}

bool settings_reload(server *d, settings_step *step, error *e)
{
    pthread_mutex_lock(&d->settings->lock);
    bool ok = reload(d, step, e);
    pthread_mutex_unlock(&d->settings->lock);
    return ok;
}

static bool change(server *d, const config_flag *changes, int n, settings_step *step, error *e)
{
    const config *was = daemon_config(d);
    config *fresh = config_change(was, changes, n, e);
    if (!fresh)
        return false;
    *step = (settings_step){was, fresh};
    replace(d, fresh);
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(was->text[i], fresh->text[i]) != 0)
            log_info("settings", "%s is %s, until the next reload or restart", settings[i].name,
                     fresh->text[i]);
    }
    system_reloaded(d, was, fresh);
    return true;
}

bool settings_change(server *d, const config_flag *changes, int n, settings_step *step, error *e)
{
    pthread_mutex_lock(&d->settings->lock);
    bool ok = change(d, changes, n, step, e);
    pthread_mutex_unlock(&d->settings->lock);
    return ok;
}
