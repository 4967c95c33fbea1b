/* The daemon: engine, feed, identities and reactors put together, started and stopped.
 *
 * The struct is filled before the reactors start and then read by all of them; what changes later
 * is atomic. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "auth/auth.h"
#include "config/config.h"
#include "engine/engine.h"
#include "daemon/event_gate.h"
#include "feed/feed.h"
#include "feed/replication.h"
#include "live/queries.h"

struct reactor;
struct jobs;
struct sampler;
struct slow_queries;
struct audit_anchors;
struct audit_log;
struct settings_owner;
struct stored_queries;
struct idempotency;
struct limits;
struct tls_material;
struct presence;
struct logins;

enum { MAX_REACTORS = 64, NODE_ID_LEN = 16 };

/* Topics with events of the daemon's own (own_topics.h). */
typedef enum own_topic { OWN_QUERIES, OWN_SYSTEM, OWN_TOPICS } own_topic;

typedef enum daemon_phase { PHASE_STARTING, PHASE_READY, PHASE_STOPPING } daemon_phase;

typedef struct server {
    _Atomic(const config *) cfg; /* replaced by settings.h; old ones live until the end */
    struct settings_owner *settings;
    struct audit_log *audit;       /* NULL: it is switched off */
    struct audit_anchors *anchors; /* likewise */
    struct tls_material *tls;      /* NULL: no TLS; replaced under the settings' lock (tls.h) */
    struct presence *presence;
    engine *engine;
    auth *auth;
    feed *feed;
    feed_source tables;  /* the feed, for subscriptions */
    feed_source samples; /* the sampler, likewise */
    queries *live;
    feed_source results; /* the live queries, likewise */
    replication *replication;
    feed_source consumers; /* the replication, likewise */
    struct stored_queries *stored;
    struct idempotency *once;
    struct limits *limits; /* accounts of those who ask */
    struct logins *logins;
    task_pool workers; /* imports */
    struct reactor *reactors[MAX_REACTORS];
    int n_reactors;
    struct sampler *sampler;
    struct jobs *jobs;
    struct slow_queries *slow;
    atomic_int listening[OWN_TOPICS]; /* subscriptions, all reactors */
    event_gate gates[OWN_TOPICS];
    atomic_int reactors_in_use; /* running, and not empty of connections while stopping */
    int64_t reconnect_ms;       /* while stopping: clients are to come back within this */
    int close_code;             /* WebSocket close code of a stop: 1001, or 1012 for a restart */
    atomic_int phase;           /* daemon_phase */
    int64_t started_mono_us;
    int64_t started_wall_us;
    char listen[128]; /* address as bound, HOST:PORT with the real port */
    char data_dir[4096];
    char log_id[40];                /* of the change log */
    char node_id[NODE_ID_LEN + 1];  /* node.h */
    atomic_uint_fast64_t next_conn; /* numbers connections across reactors */
    atomic_int connections;         /* open, all reactors */
    atomic_int imports;             /* running */
} server;

typedef struct daemon_options {
    const char *config_file;  /* NULL: none; read again on SIGHUP */
    const config_flag *flags; /* from the command line; they win again on SIGHUP */
    int n_flags;
    bool hints; /* print what to try next behind the ready line */
} daemon_options;

/* Runs until SIGTERM, SIGINT (1001) or SIGUSR2 (1012) and returns an exit code. Prints one line on
 * standard output when it is ready. Takes over the process's signals. */
int daemon_run(const config *cfg, const daemon_options *opt);

/* The wall-clock time of a moment on the monotonic clock, always the same for the same moment. */
static inline int64_t daemon_wall_us(const server *d, int64_t mono_us)
{
    return d->started_wall_us + (mono_us - d->started_mono_us);
}

static inline const config *daemon_config(server *d)
{
    return atomic_load_explicit(&d->cfg, memory_order_acquire);
}

#endif
