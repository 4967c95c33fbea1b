#include "daemon/daemon.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/audit.h"
#include "daemon/exposure.h"
#include "daemon/jobs.h"
#include "daemon/limits.h"
#include "daemon/listener.h"
#include "daemon/logins.h"
#include "daemon/metrics_sampler.h"
#include "daemon/node.h"
#include "daemon/presence.h"
#include "daemon/reactor.h"
#include "daemon/reconnect.h"
#include "daemon/slow_queries.h"
#include "daemon/settings.h"
#include "daemon/idempotency.h"
#include "daemon/stored_queries.h"
#include "daemon/system_events.h"
#include "daemon/tls.h"
#include "daemon/unix_socket.h"
#include "daemon/forms.h"
#include "daemon/harden.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct process {
    server d;
    const daemon_options *opt;
    harden harden;
    int fds[MAX_REACTORS], unix_fds[MAX_REACTORS];
    unix_socket local;
    address bound;
} process;

/* ---- start -------------------------------------------------------------------------------------
 */

/* libwebsockets makes its tables as large as the soft limit, which may be a million or more in a
 * container, and Debian's build walks one of them at each open: so it is brought down to what makes
 * sense. */
#define DESCRIPTORS_ENOUGH 16384

static void take_descriptors(int64_t connections)
{
    struct rlimit limit;
    rlim_t want = (rlim_t)connections + 256;
    rlim_t most = want > DESCRIPTORS_ENOUGH ? want : DESCRIPTORS_ENOUGH;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || (limit.rlim_cur >= want && limit.rlim_cur <= most))
        return;
    if (limit.rlim_cur > most)
        limit.rlim_cur = most;
    else
        limit.rlim_cur = want < limit.rlim_max ? want : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < want)
        log_warn("descriptors",
                 "only %llu file descriptors are allowed; max_connections wants %llu",
                 (unsigned long long)limit.rlim_cur, (unsigned long long)want);
}

static void on_commit(void *arg, int64_t head)
{
    server *d = arg;
    (void)head;
    if (d->feed)
        feed_wake(d->feed);
    if (d->replication)
        replication_wake(d->replication);
    if (d->live)
        queries_wake(d->live);
}

/* Half of the readers at most: the others are for those who wait for an answer. */
static bool start_live(server *d, const config *cfg, error *e)
{
    const queries_config qc = {
        .parallel = (int)cfg->readers / 2,
        .forms = form_table(),
        .n_forms = FORM_COUNT,
        .limits = settings_live_limits(cfg),
    };
    _Static_assert((int)FORM_COUNT <= (int)LIVE_MAX_FORMS, "every form has its place");
    d->live = queries_start(d->engine, &qc, e);
    if (d->live)
        d->results = queries_as_source(d->live);
    return d->live != NULL;
}

static void on_checkpoint(void *arg, const engine_checkpoint *c)
{
    system_checkpoint(arg, c);
}

static bool open_engine(server *d, const config *cfg, error *e)
{
    const engine_config ec = {
        .dir = d->data_dir,
        .readers = (int)cfg->readers,
        .max_read_connections = (int)cfg->max_read_connections,
        .statement_timeout_us = cfg->statement_timeout * 1000,
        .tx_idle_us = cfg->transaction_idle * 1000,
        .tx_max_us = cfg->transaction_max * 1000,
        .max_queue = (int)cfg->max_queue,
        .statement_cache = (int)cfg->statement_cache,
        .statement_stats = (int)cfg->statement_stats_max,
        .synchronous_full = strcmp(cfg->synchronous, "full") == 0,
        .log_max_events = cfg->changes_keep,
        .log_max_age_us = cfg->changes_keep_for * 1000,
        .on_commit = on_commit,
        .on_commit_arg = d,
        .on_checkpoint = on_checkpoint,
        .on_checkpoint_arg = d,
    };
    d->engine = engine_open(&ec, e);
    return d->engine != NULL;
}

static bool read_log_id(server *d, error *e)
{
    log_bounds bounds;
    log_reader *reader = engine_log_open(d->engine, e);
    if (!reader)
        return false;
    bool ok = engine_log_bounds(reader, &bounds, e);
    engine_log_close(reader);
    if (ok)
        memcpy(d->log_id, bounds.log_id, sizeof d->log_id);
    return ok;
}

static bool start_reactors(process *p, error *e)
{
    server *d = &p->d;
    int n = (int)daemon_config(d)->reactors;
    for (int i = 0; i < n; i++)
        d->reactors[i] = xalloc(sizeof(reactor));
    d->n_reactors = n;
    for (int i = 0; i < n; i++) {
        if (reactor_open(d->reactors[i], d, i, p->fds[i], p->unix_fds[i], e))
            continue;
        d->n_reactors = i; /* these are freed by the caller */
        for (int k = i; k < n; k++)
            mem_free(d->reactors[k]);
        return false;
    }
    if (!harden_seal(&p->harden, daemon_config(d), e))
        return false;
    /* Only now, since the first connection of the first may have it post to the last. */
    for (int i = 0; i < n; i++) {
        if (!reactor_run(d->reactors[i], e))
            return false;
    }
    return true;
}

static void render_replication(buf *out, int form, const char *json, size_t n)
{
    form_write(out, form, &(form_message){.type = "event", .json = json, .len = n});
}

static bool start_replication(server *d, const config *cfg, error *e)
{
    const replication_config rc = {
        .slice = 500,
        .max_consumers = (int)cfg->max_replication_consumers,
        .max_slots = (int)cfg->max_replication_slots,
        .render = render_replication,
    };
    d->replication = replication_start(d->engine, &rc, e);
    if (!d->replication)
        return false;
    d->consumers = replication_as_source(d->replication);
    return true;
}

static bool start_tls(server *d, const config *cfg, error *e)
{
    if (!tls_check(cfg, e))
        return false;
    d->tls = tls_wanted(cfg) ? tls_load(cfg, e) : NULL;
    return d->tls || !tls_wanted(cfg);
}

static bool open_auth(server *d, const config *cfg, error *e)
{
    const session_limits limits = logins_session_limits(cfg);
    const issuer_options theirs = {
        .issuer = cfg->jwt_issuer,
        .audience = cfg->jwt_audience,
        .jwks_url = cfg->jwt_jwks_url,
        .jwks_file = cfg->jwt_jwks_file,
        .refresh_ms = cfg->jwt_jwks_refresh,
        .skew_ms = cfg->jwt_skew,
        .user_claim = cfg->jwt_user_claim,
        .roles_claim = cfg->jwt_roles_claim,
    };
    d->auth = auth_open(d->engine, d->data_dir, e);
    if (!d->auth || !auth_trust_issuer(d->auth, &theirs, e))
        return false;
    sessions_limit(auth_sessions_of(d->auth), &limits);
    d->logins = logins_start(e);
    return d->logins != NULL;
}

/* The file of a Unix socket is the user's that the process becomes; ports may need root. */
static bool listen_to(process *p, const config *cfg, error *e)
{
    server *d = &p->d;
    int n = (int)cfg->reactors;
    bool port = strcmp(cfg->listen, "none") != 0;
    if (!unix_socket_open(&p->local, cfg, n, p->unix_fds, e) || !harden_regain(&p->harden, e))
        return false;
    if (port)
        return listener_open(cfg->listen, n, p->fds, &p->bound, d->listen, sizeof d->listen, e) &&
               exposure_check(cfg, &p->bound, e);
    for (int i = 0; i < n; i++)
        p->fds[i] = -1;
    snprintf(d->listen, sizeof d->listen, "unix:%s", p->local.path);
    return *p->local.path ||
           error_set(e, ERR_INVALID_MESSAGE, "listen is none, and listen_unix is not set");
}

static bool start(process *p, const config *cfg, error *e)
{
    const feed_config fc = {.slice = 500, .forms = form_table(), .n_forms = FORM_COUNT};
    server *d = &p->d;
    if (!harden_begin(&p->harden, cfg, e) || !start_tls(d, cfg, e) ||
        !harden_data_dir(&p->harden, cfg->data, d->data_dir, e) || !harden_user(&p->harden, e) ||
        !open_engine(d, cfg, e) || !read_log_id(d, e) || !audit_start(d, e) ||
        !node_identify(d, e) || !open_auth(d, cfg, e))
        return false;
    d->feed = feed_start(d->engine, &fc, e);
    d->tables = feed_as_source(d->feed);
    d->stored = d->feed ? stored_queries_open(d->engine, e) : NULL;
    if (!d->stored || !start_live(d, cfg, e) || !start_replication(d, cfg, e) ||
        !listen_to(p, cfg, e))
        return false;
    d->presence = presence_new(d, &p->bound);
    if (!task_pool_start(&d->workers, 1, "import"))
        return error_set(e, ERR_INTERNAL_ERROR, "cannot start a worker thread");
    d->slow = slow_queries_new();
    d->sampler = sampler_start(d, e);
    if (!d->sampler)
        return false;
    d->samples = sampler_as_source(d->sampler);
    d->jobs = jobs_start(d, e);
    if (!d->jobs)
        return false;
    return start_reactors(p, e);
}

/* What stands in front of the address. */
static const char *scheme(const process *p)
{
    return !*p->bound.host ? "" : p->d.tls ? "https://" : "http://";
}

static void print_hints(process *p)
{
    const server *d = &p->d;
    printf("\nTry, in another terminal:\n"
           "  build/rustydb query 'CREATE TABLE notes(id INTEGER PRIMARY KEY, text TEXT)'\n"
           "  build/rustydb subscribe notes\n"
           "  build/rustydb query 'INSERT INTO notes(text) VALUES(?)' 'hello'\n"
           "  build/rustydb status\n");
    if (*p->bound.host)
        printf("  curl -H \"Authorization: Bearer $(cat %s/root.token)\" %s%s/api/v1/tables\n",
               d->data_dir, scheme(p), d->listen);
    if (*p->bound.host && strcmp(daemon_config(&p->d)->swagger, "off") != 0)
        printf("Or open %s%s%s in a browser.\n", scheme(p), d->listen,
               daemon_config(&p->d)->swagger_path);
    printf("Ctrl-C stops the daemon.\n");
}

static void say_ready(process *p)
{
    printf("rustydb %s ready on %s%s (data %s)\n", RUSTYDB_VERSION, scheme(p), p->d.listen,
           p->d.data_dir);
    if (p->opt->hints)
        print_hints(p);
    fflush(stdout);
    bool both = *p->bound.host && *p->local.path;
    log_info("ready", "listening on %s%s%s, data in %s, %s", p->d.listen, both ? " and unix:" : "",
             both ? p->local.path : "", p->d.data_dir, engine_version(p->d.engine));
}

static void audit_started(process *p)
{
    char detail[120];
    snprintf(detail, sizeof detail, "{\"version\":\"%s\",\"pid\":%d,\"tls\":%s}", RUSTYDB_VERSION,
             (int)getpid(), p->d.tls ? "true" : "false");
    audit_daemon(&p->d, AUDIT_DAEMON_START, p->d.listen, NULL, detail);
}

/* ---- signals -----------------------------------------------------------------------------------
 */

static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2};

static sigset_t block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof handled / sizeof *handled; i++)
        sigaddset(&set, handled[i]);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* before any thread: they inherit it */
    signal(SIGPIPE, SIG_IGN);
    return set;
}

static void wait_for_end(process *p, const sigset_t *set)
{
    for (;;) {
        int sig;
        settings_step step;
        error e;
        if (sigwait(set, &sig) != 0)
            continue;
        if (sig == SIGHUP) {
            bool ok = settings_reload(&p->d, &step, &e);
            audit_daemon(&p->d, AUDIT_CONFIG_RELOAD, "SIGHUP", ok ? NULL : &e, NULL);
            continue;
        }
        p->d.close_code = sig == SIGUSR2 ? 1012 : 1001;
        log_info("stopping", "%s", sig == SIGUSR2 ? "for a restart" : strsignal(sig));
        return;
    }
}

/* ---- stop --------------------------------------------------------------------------------------
 */

static void stop(process *p)
{
    server *d = &p->d;
    atomic_store(&d->phase, PHASE_STOPPING);
    presence_withdraw(d->presence);
    unix_socket_remove(&p->local);
    system_stopping(d);
    audit_daemon(d, AUDIT_DAEMON_STOP, d->listen, NULL,
                 d->close_code == 1012 ? "{\"restart\":true}" : NULL);
    if (d->jobs)
        jobs_shut(d->jobs); /* who waits for one is answered */
    reconnect_plan(d);
    for (int i = 0; i < d->n_reactors; i++)
        reactor_stop(d->reactors[i]);
    for (int i = 0; i < d->n_reactors; i++)
        reactor_wait(d->reactors[i]);
    if (d->jobs)
        jobs_wait(d->jobs);
    if (d->sampler)
        sampler_stop(d->sampler);
    if (d->feed)
        feed_stop(d->feed); /* freed when the engine commits nothing more that could wake it */
    if (d->live)
        queries_stop(d->live); /* likewise */
    if (d->replication)
        replication_stop(d->replication); /* likewise */
    if (d->workers.n_threads)
        task_pool_stop(&d->workers);
    logins_stop(d->logins);
    for (int i = 0; i < d->n_reactors; i++)
        reactor_free(d->reactors[i]);
    sampler_free(d->sampler);
    if (d->jobs)
        jobs_free(d->jobs);
    slow_queries_free(d->slow);
    audit_stop(d);
    if (d->engine)
        engine_close(d->engine, daemon_config(d)->shutdown_timeout * 1000);
    audit_free(d);
    feed_free(d->feed);
    queries_free(d->live);
    replication_free(d->replication);
    stored_queries_free(d->stored);
    auth_close(d->auth);
    idempotency_free(d->once);
    limits_free(d->limits);
    presence_free(d->presence);
    tls_drop(d->tls);
    settings_free(d->settings);
}

int daemon_run(const config *cfg, const daemon_options *opt)
{
    static process p; /* large: reactors hold pointers into it */
    error e;
    log_level level = LOG_LEVEL_INFO;
    int exit_code = 0;
    error_clear(&e);
    log_parse_level(cfg->log_level, &level);
    log_init(level, strcmp(cfg->log_format, "json") == 0);
    sigset_t signals = block_signals();
    p.opt = opt;
    p.d.close_code = 1001;
    p.d.started_mono_us = clock_mono_us();
    p.d.started_wall_us = clock_wall_us();
    atomic_store(&p.d.cfg, cfg);
    p.d.settings = settings_new(cfg, opt);
    p.d.once = idempotency_new();
    p.d.limits = limits_new();
    take_descriptors(cfg->max_connections);
    if (start(&p, cfg, &e)) {
        atomic_store(&p.d.phase, PHASE_READY);
        presence_publish(p.d.presence);
        audit_started(&p);
        say_ready(&p);
        wait_for_end(&p, &signals);
    } else {
        log_error("start", "%s%s%s", e.message, e.hint[0] ? " " : "", e.hint);
        exit_code = error_describe(e.code)->exit_code;
    }
    stop(&p);
    if (exit_code == 0)
        log_info("stopped", "all changes are in the database");
    return exit_code;
}
