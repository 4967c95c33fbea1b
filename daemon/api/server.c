/* GET /server/info: what runs here. */
#include "base/clock.h"
#include "daemon/api/api.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <unistd.h>
#include <zlib.h>

static void put_libraries(json_writer *w)
{
    jw_key(w, "libraries");
    jw_begin_object(w);
    jw_key(w, "libwebsockets");
    jw_str(w, lws_get_library_version());
    jw_key(w, "jansson");
    jw_str(w, JANSSON_VERSION);
    jw_key(w, "openssl");
    jw_str(w, OpenSSL_version(OPENSSL_VERSION));
    jw_key(w, "zlib");
    jw_str(w, zlibVersion());
    jw_end_object(w);
}

static void put_limits(json_writer *w, const config *cfg)
{
    jw_key(w, "limits");
    jw_begin_object(w);
#define SETTING(type, name, def, min, max, rt, help) PUT_##type(name)
#define PUT_STR(name)
#define PUT_ENUM(name)
#define PUT_BOOL(name)
#define PUT_INT(name)                                                                              \
    jw_key(w, #name);                                                                              \
    jw_int(w, cfg->name);
#define PUT_SIZE(name) PUT_INT(name)
#define PUT_MS(name)                                                                               \
    jw_key(w, #name "_ms");                                                                        \
    jw_int(w, cfg->name);
#include "config/settings.def"
#undef SETTING
    jw_end_object(w);
}

static void put_engine(json_writer *w, engine *g)
{
    engine_stats s;
    engine_stats_get(g, &s);
    jw_key(w, "engine_stats");
    jw_begin_object(w);
    const struct {
        const char *name;
        int64_t value;
    } figures[] = {
        {"reads", s.reads},
        {"writes", s.writes},
        {"errors", s.errors},
        {"commits", s.commits},
        {"commit_statements", s.commit_statements},
        {"queued_writes", s.queued_writes},
        {"queued_reads", s.queued_reads},
        {"active", s.active},
        {"log_head", s.log_head},
        {"log_oldest", s.log_oldest},
        {"open_transactions", s.open_transactions},
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        jw_key(w, figures[i].name);
        jw_int(w, figures[i].value);
    }
    jw_end_object(w);
}

void api_get_server_info(request *q)
{
    server *d = q->c->r->d;
    char stamp[CLOCK_RFC3339_LEN + 1];
    buf out;
    json_writer w;
    clock_rfc3339(d->started_wall_us, stamp);
    http_begin_json(&w, &out);
    jw_key(&w, "name");
    jw_str(&w, "rustydb");
    jw_key(&w, "version");
    jw_str(&w, RUSTYDB_VERSION);
    jw_key(&w, "engine");
    jw_str(&w, engine_version(d->engine));
    jw_key(&w, "pid");
    jw_int(&w, getpid());
    jw_key(&w, "started_at");
    jw_str(&w, stamp);
    jw_key(&w, "uptime_seconds");
    jw_int(&w, (clock_mono_us() - d->started_mono_us) / 1000000);
    jw_key(&w, "data_dir");
    jw_str(&w, d->data_dir);
    jw_key(&w, "listen");
    jw_str(&w, d->listen);
    jw_key(&w, "log_id");
    jw_str(&w, d->log_id);
    jw_key(&w, "reactors");
    jw_int(&w, d->n_reactors);
    put_engine(&w, d->engine);
    put_libraries(&w);
    put_limits(&w, daemon_config(d));
    http_end_json(q, 200, &w);
}
