#include "auth/sessions.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/session_text.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "engine/sink.h"
#include "json/writer.h"

enum {
    KEY_BYTES = 32,
    KID_BYTES = 6,
    SWEPT_AT_ONCE = 64, /* sessions that are over and are dropped with the next one that begins */
};

static const char key_name[] = "auth.session.key";
static const char own_issuer[] = "rustydb";

struct sessions {
    engine *engine;
    atomic_ullong *generation;
    jwt_key *key;
    pthread_mutex_t lock; /* guards all below, and the sessions in it */
    session_limits limits;
    map all;       /* by id */
    int beginning; /* that are being written */
};

/* ---- start and end -----------------------------------------------------------------------------
 */

static jwt_key *key_of(const unsigned char raw[KEY_BYTES], error *e)
{
    unsigned char hash[SECRET_HASH_BYTES];
    char kid[8 + 2 * KID_BYTES + 1];
    if (!secret_hash((const char *)raw, KEY_BYTES, hash, e))
        return NULL;
    int n = snprintf(kid, sizeof kid, "%s-", own_issuer);
    for (int i = 0; i < KID_BYTES; i++)
        n += snprintf(kid + n, sizeof kid - (size_t)n, "%02x", hash[i]);
    return jwt_key_secret(kid, raw, KEY_BYTES, e);
}

static jwt_key *load_key(engine *g, error *e)
{
    unsigned char raw[KEY_BYTES];
    error unread;
    error_clear(&unread);
    long n = engine_meta_get(g, key_name, raw, sizeof raw, &unread);
    if (n < 0 && unread.code != ERR_NONE && unread.code != ERR_NOT_FOUND) {
        *e = unread;
        return NULL;
    }
    bool ok = n == KEY_BYTES || (secret_random(raw, sizeof raw, e) &&
                                 engine_meta_set(g, key_name, raw, sizeof raw, e));
    jwt_key *k = ok ? key_of(raw, e) : NULL;
    secret_wipe(raw, sizeof raw);
    return k;
}

sessions *sessions_new(engine *g, const session_limits *limits, atomic_ullong *generation, error *e)
{
    jwt_key *key = load_key(g, e);
    if (!key)
        return NULL;
    sessions *s = xalloc(sizeof *s);
    s->engine = g;
    s->generation = generation;
    s->key = key;
    s->limits = *limits;
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

void sessions_limit(sessions *s, const session_limits *limits)
{
    pthread_mutex_lock(&s->lock);
    s->limits = *limits;
    pthread_mutex_unlock(&s->lock);
}

void sessions_free(sessions *s)
{
    if (!s)
        return;
    size_t at = 0;
    for (map_slot *x; (x = map_next(&s->all, &at));)
        session_discard(x->value);
    map_free(&s->all);
    jwt_key_free(s->key);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

bool sessions_load(sessions *s, const auth_text *t, error *e)
{
    error why;
    session *x = session_read(t->json, t->len, &why);
    if (!x) {
        log_warn("session", "the session %.30s cannot be read: %s", t->name, why.message);
        return true;
    }
    if (map_put(&s->all, x->info.id, strlen(x->info.id), x, NULL))
        return true;
    session_discard(x);
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

/* ---- looking at them ---------------------------------------------------------------------------
 */

static session *find(const sessions *s, const char *id)
{
    return map_get(&s->all, id, strlen(id));
}

static bool is_over(const sessions *s, const session *x, int64_t now)
{
    return now >= x->info.expires_us || now - x->info.used_us >= s->limits.idle_us;
}

/* The session, if it lives; with the lock held. */
static session *living(const sessions *s, const char *id, int64_t now, error *e)
{
    session *x = find(s, id);
    if (!x || x->ending) {
        error_set(e, ERR_AUTH_FAILED, "the session has ended");
        return NULL;
    }
    if (is_over(s, x, now)) {
        error_set(e, ERR_AUTH_EXPIRED, "the session has expired");
        return NULL;
    }
    return x;
}

static void note_use(session *x, int64_t now)
{
    if (x->info.used_us < now)
        x->info.used_us = now;
}

bool sessions_made(const sessions *s, const jwt *t)
{
    return t->algorithm == JWT_HS256 && t->kid && strcmp(t->kid, jwt_key_id(s->key)) == 0;
}

bool sessions_check(sessions *s, jwt *t, session_info *out, int64_t *expires_us, error *e)
{
    const jwt_rules rules = {own_issuer, NULL, 0};
    int64_t now = clock_wall_us(), expires_s = 0;
    if (!jwt_verify(t, s->key, e) || !jwt_check(t, &rules, now / 1000000, &expires_s, e))
        return false;
    const char *id = json_string_value(json_object_get(t->claims, "sid"));
    pthread_mutex_lock(&s->lock);
    session *x = living(s, id ? id : "", now, e);
    if (x) {
        note_use(x, now);
        *out = x->info;
    }
    pthread_mutex_unlock(&s->lock);
    if (expires_us)
        *expires_us = expires_s * 1000000;
    return x != NULL;
}

bool sessions_find(sessions *s, const char *id, session_info *out, error *e)
{
    pthread_mutex_lock(&s->lock);
    const session *x = living(s, id, clock_wall_us(), e);
    if (x)
        *out = x->info;
    pthread_mutex_unlock(&s->lock);
    return x != NULL;
}

bool sessions_use(sessions *s, const char *id, error *e)
{
    int64_t now = clock_wall_us();
    pthread_mutex_lock(&s->lock);
    session *x = living(s, id, now, e);
    if (x)
        note_use(x, now);
    pthread_mutex_unlock(&s->lock);
    return x != NULL;
}

static int newest_first(const void *a, const void *b)
{
    const session *x = *(session *const *)a, *y = *(session *const *)b;
    return x->info.created_us != y->info.created_us
               ? (x->info.created_us < y->info.created_us ? 1 : -1)
               : strcmp(x->info.id, y->info.id);
}

int sessions_page(sessions *s, const char *user, int64_t offset, int limit, session_info *out,
                  int64_t *total)
{
    int64_t now = clock_wall_us();
    size_t at = 0, n = 0;
    int given = 0;
    pthread_mutex_lock(&s->lock);
    session **found = xalloc((s->all.count + 1) * sizeof(session *));
    for (map_slot *slot; (slot = map_next(&s->all, &at));) {
        session *x = slot->value;
        if (!x->ending && !is_over(s, x, now) && (!user || strcmp(x->info.user, user) == 0))
            found[n++] = x;
    }
    qsort(found, n, sizeof(session *), newest_first);
    for (size_t i = offset < (int64_t)n ? (size_t)offset : n; i < n && given < limit; i++)
        out[given++] = found[i]->info;
    pthread_mutex_unlock(&s->lock);
    mem_free(found);
    *total = (int64_t)n;
    return given;
}

/* ---- changing them -----------------------------------------------------------------------------
 * A change is prepared under the lock, written by the engine, and then becomes true. One that ends
 * a session does so at once, and takes it back when it could not be written. */

static void prepare(sessions *s, session_call *c)
{
    c->owner = s;
    c->failed = c->reused = false;
    c->ended = c->n_changes = 0;
    c->changes = NULL;
    c->fresh = NULL;
    c->turned = false;
    c->mem = ARENA_INIT;
    c->text = BUF_INIT;
    c->grant = (session_grant){.access_token = BUF_INIT};
    error_clear(&c->err);
}

void session_call_end(session_call *c)
{
    buf *token = &c->grant.access_token;
    if (token->data)
        secret_wipe(token->data, token->len);
    buf_free(token);
    secret_wipe(c->grant.refresh_token, sizeof c->grant.refresh_token);
    buf_free(&c->text);
    arena_free(&c->mem);
}

static void fail(session_call *c)
{
    c->failed = true;
    c->done(c);
}

static bool room_for_changes(session_call *c, size_t n)
{
    c->changes = arena_alloc(&c->mem, n * sizeof *c->changes);
    return c->changes || error_set(&c->err, ERR_INTERNAL_ERROR, "out of memory");
}

static void add_end(session_call *c, session *x)
{
    x->ending = true;
    c->ended++;
    c->changes[c->n_changes++] =
        (auth_change){.drop = true, .text = {.kind = SESSION_KIND, .name = x->info.id}};
}

/* The session may be gone by the time that this is written: nothing may point into it. */
static bool add_put(session_call *c, const session *x, auth_expect expect)
{
    session_write(x, &c->text);
    c->changes[c->n_changes++] = (auth_change){
        .expect = expect,
        .text = {SESSION_KIND, c->grant.session.id, c->text.data, c->text.len},
    };
    return !c->text.failed || error_set(&c->err, ERR_INTERNAL_ERROR, "out of memory");
}

/* ---- ... when it is written, or not ---- */

static void settle_ended(sessions *s, session_call *c)
{
    for (int i = 0; i < c->n_changes; i++) {
        const auth_change *change = &c->changes[i];
        session *x = change->drop ? find(s, change->text.name) : NULL;
        if (x && !c->failed) {
            map_take(&s->all, x->info.id, strlen(x->info.id));
            session_discard(x);
        } else if (x && !c->reused) {
            x->ending = false;
        }
    }
}

static void settle_fresh(sessions *s, session_call *c)
{
    session *x = c->fresh;
    s->beginning--;
    if (!c->failed && !map_put(&s->all, x->info.id, strlen(x->info.id), x, NULL))
        c->failed = !error_set(&c->err, ERR_INTERNAL_ERROR, "out of memory");
    if (c->failed)
        session_discard(x);
}

static void turn_back(sessions *s, session_call *c)
{
    session *x = find(s, c->grant.session.id);
    if (x && strcmp(x->refresh_hash, c->new_hash) == 0)
        strcpy(x->refresh_hash, c->old_hash);
    if (c->err.code == ERR_NOT_FOUND)
        error_set(&c->err, ERR_AUTH_FAILED, "the session has ended");
}

static void on_done(job_sink *sink, int index, const error *e)
{
    session_call *c = list_entry(sink, session_call, sink);
    sessions *s = c->owner;
    (void)index;
    c->failed = e != NULL;
    if (e)
        c->err = *e;
    pthread_mutex_lock(&s->lock);
    if (c->turned && c->failed)
        turn_back(s, c);
    settle_ended(s, c);
    if (c->fresh)
        settle_fresh(s, c);
    pthread_mutex_unlock(&s->lock);
    if (c->ended)
        atomic_fetch_add(s->generation, 1);
    if (c->reused && !c->failed) {
        error_set(&c->err, ERR_AUTH_FAILED, "the refresh token was used before");
        error_hint(&c->err, "its session has ended, since somebody else may have the token");
        c->failed = true;
    }
    c->done(c);
}

static void submit(session_call *c)
{
    static const job_sink_ops ops = {
        .begin = sink_ignore_begin,
        .restart = sink_ignore_restart,
        .end = sink_ignore_end,
        .done = on_done,
    };
    c->sink.ops = &ops;
    c->job = (job){.kind = JOB_AUTH, .sink = &c->sink, .auth = c->changes, .n_auth = c->n_changes};
    engine_submit(c->owner->engine, &c->job);
}

/* ---- ... tokens ---- */

static bool sign(const sessions *s, session_call *c, int64_t now)
{
    session_grant *g = &c->grant;
    buf claims = BUF_INIT;
    json_writer w;
    int64_t until = now + s->limits.access_us;
    g->access_expires_us = until < g->session.expires_us ? until : g->session.expires_us;
    jw_init(&w, &claims);
    jw_begin_object(&w);
    jw_key_str(&w, "iss", own_issuer);
    jw_key_str(&w, "sub", g->session.user);
    jw_key_str(&w, "sid", g->session.id);
    jw_key_int(&w, "iat", now / 1000000);
    /* Rounded up: a token lives for at least what is said of it. */
    jw_key_int(&w, "exp", (g->access_expires_us + 999999) / 1000000);
    jw_end_object(&w);
    bool ok = claims.failed ? error_set(&c->err, ERR_INTERNAL_ERROR, "out of memory")
                            : jwt_sign(s->key, claims.data, claims.len, &g->access_token, &c->err);
    buf_free(&claims);
    return ok;
}

/* Gives the session a new refresh token, and the grant both. */
static bool grant(const sessions *s, session_call *c, session *x, int64_t now)
{
    char *token = c->grant.refresh_token;
    c->grant.session = x->info;
    return secret_make_refresh(x->info.id, token, &c->err) &&
           secret_hash_text(token, strlen(token), x->refresh_hash, &c->err) && sign(s, c, now);
}

/* ---- ... what is asked for ---- */

/* Adds the end of those that are over, and of the user's least used one when there are too many.
 * Returns how many of all will be left. */
static size_t make_room(sessions *s, session_call *c, const char *user, int64_t now)
{
    session *idlest = NULL;
    int of_user = 0;
    size_t at = 0, left = s->all.count + (size_t)s->beginning;
    for (map_slot *slot; (slot = map_next(&s->all, &at));) {
        session *x = slot->value;
        if (x->ending)
            continue;
        if (is_over(s, x, now)) {
            if (c->n_changes < SWEPT_AT_ONCE)
                add_end(c, x);
            left -= x->ending;
        } else if (strcmp(x->info.user, user) == 0) {
            of_user++;
            if (!idlest || x->info.used_us < idlest->info.used_us)
                idlest = x;
        }
    }
    if (of_user >= s->limits.per_user) {
        add_end(c, idlest);
        left--;
    }
    return left;
}

static void take_back(session_call *c)
{
    for (int i = 0; i < c->n_changes; i++) {
        session *x = find(c->owner, c->changes[i].text.name);
        if (x)
            x->ending = false;
    }
}

/* With the lock held. */
static bool begin(sessions *s, session_call *c, session *x, int64_t now)
{
    x->info.created_us = x->info.used_us = now;
    x->info.expires_us = now + s->limits.max_us;
    if (!grant(s, c, x, now))
        return false;
    if (make_room(s, c, x->info.user, now) >= (size_t)s->limits.max) {
        error_set(&c->err, ERR_BUSY, "there are %d sessions, as many as may be", s->limits.max);
        error_hint(&c->err, "end some of them, or raise max_sessions");
    } else if (add_put(c, x, AUTH_NOTHING)) {
        c->fresh = x;
        s->beginning++;
        return true;
    }
    take_back(c);
    return false;
}

void sessions_begin(sessions *s, session_call *c, const char *user, const char *address,
                    const char *agent)
{
    prepare(s, c);
    session *x = xalloc(sizeof *x);
    snprintf(x->info.user, sizeof x->info.user, "%s", user);
    snprintf(x->info.address, sizeof x->info.address, "%s", address ? address : "");
    session_set_agent(&x->info, agent ? agent : "");
    bool ok = secret_make_id(x->info.id, &c->err) && room_for_changes(c, SWEPT_AT_ONCE + 2);
    pthread_mutex_lock(&s->lock);
    ok = ok && begin(s, c, x, clock_wall_us());
    pthread_mutex_unlock(&s->lock);
    if (ok) {
        submit(c);
        return;
    }
    session_discard(x);
    fail(c);
}

/* With the lock held. True: there is something to write. */
static bool turn(sessions *s, session_call *c, const char *id, const char *hash, int64_t now)
{
    session *x = living(s, id, now, &c->err);
    if (!x)
        return false;
    if (!secret_equal(x->refresh_hash, hash, SECRET_HASH_TEXT)) {
        c->reused = true;
        c->grant.session = x->info;
        add_end(c, x);
        return true;
    }
    int64_t used = x->info.used_us;
    strcpy(c->old_hash, x->refresh_hash);
    x->info.used_us = now;
    c->turned = grant(s, c, x, now) && add_put(c, x, AUTH_PRESENT);
    if (c->turned) {
        strcpy(c->new_hash, x->refresh_hash);
        return true;
    }
    strcpy(x->refresh_hash, c->old_hash);
    x->info.used_us = used;
    return false;
}

void sessions_refresh(sessions *s, session_call *c, const char *token, size_t n)
{
    char id[SECRET_ID_LENGTH + 1], hash[SECRET_HASH_TEXT + 1];
    prepare(s, c);
    if (!secret_read_refresh(token, n, id)) {
        error_set(&c->err, ERR_AUTH_FAILED, "this is no refresh token");
        fail(c);
        return;
    }
    bool ok = secret_hash_text(token, n, hash, &c->err) && room_for_changes(c, 1);
    if (ok) {
        pthread_mutex_lock(&s->lock);
        ok = turn(s, c, id, hash, clock_wall_us());
        pthread_mutex_unlock(&s->lock);
    }
    if (ok)
        submit(c);
    else
        fail(c);
}

static bool matches(const session *x, const char *user, const char *except)
{
    return !x->ending && strcmp(x->info.user, user) == 0 &&
           (!except || strcmp(x->info.id, except) != 0);
}

void sessions_end(sessions *s, session_call *c, const char *id)
{
    prepare(s, c);
    bool ok = room_for_changes(c, 1);
    pthread_mutex_lock(&s->lock);
    session *x = ok ? find(s, id) : NULL;
    if (x && !x->ending)
        add_end(c, x);
    pthread_mutex_unlock(&s->lock);
    if (c->n_changes) {
        submit(c);
        return;
    }
    if (ok)
        error_set(&c->err, ERR_NOT_FOUND, "there is no session \"%.30s\"", id);
    fail(c);
}

void sessions_end_user(sessions *s, session_call *c, const char *user, const char *except)
{
    size_t at = 0;
    prepare(s, c);
    pthread_mutex_lock(&s->lock);
    bool ok = room_for_changes(c, s->all.count + 1);
    for (map_slot *slot; ok && (slot = map_next(&s->all, &at));) {
        if (matches(slot->value, user, except))
            add_end(c, slot->value);
    }
    pthread_mutex_unlock(&s->lock);
    if (!ok)
        fail(c);
    else if (c->n_changes)
        submit(c);
    else
        c->done(c);
}
