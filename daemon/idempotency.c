#include "daemon/idempotency.h"

#include <openssl/sha.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "daemon/http.h"
#include "daemon/route.h"
#include "daemon/run.h"

enum { KEY_MAX = 255, STORED_KEY = 400, COST = 600 }; /* COST: bytes for one, beside its answer */

typedef enum once_state {
    UNDER_WAY,
    ANSWERED,
    LOST, /* its connection ended before its outcome was known */
} once_state;

struct once {
    list link; /* idempotency.ended, once it has ended */
    idempotency *store;
    char key[STORED_KEY];
    size_t key_len;
    unsigned char print[SHA256_DIGEST_LENGTH]; /* of the request */
    once_state state;
    int64_t ended_us; /* monotonic */
    int status;
    refbuf *answer; /* content type, headers, each with a NUL behind it, and the body */
};

struct idempotency {
    pthread_mutex_t lock;
    map keys;   /* who and key -> once */
    list ended; /* once.link, oldest first */
    size_t bytes;
};

idempotency *idempotency_new(void)
{
    idempotency *s = xalloc(sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    list_init(&s->ended);
    return s;
}

static void once_free(once *o)
{
    refbuf_unref(o->answer);
    mem_free(o);
}

void idempotency_free(idempotency *s)
{
    if (!s)
        return;
    size_t at = 0;
    for (map_slot *slot; (slot = map_next(&s->keys, &at));)
        once_free(slot->value);
    map_free(&s->keys);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

/* ---- under the lock ---------------------------------------------------------------------------
 */

static size_t cost_of(const once *o)
{
    return COST + (o->answer ? o->answer->len : 0);
}

static void drop(once *o)
{
    idempotency *s = o->store;
    list_unlink(&o->link);
    map_take(&s->keys, o->key, o->key_len);
    s->bytes -= cost_of(o);
    once_free(o);
}

static void drop_expired(idempotency *s, int64_t before_us)
{
    while (!list_empty(&s->ended)) {
        once *oldest = list_entry(s->ended.next, once, link);
        if (oldest->ended_us >= before_us)
            return;
        drop(oldest);
    }
}

static void end(once *o, once_state state, int status, refbuf *answer)
{
    idempotency *s = o->store;
    pthread_mutex_lock(&s->lock);
    o->state = state;
    o->status = status;
    o->answer = answer;
    o->ended_us = clock_mono_us();
    s->bytes += answer ? answer->len : 0;
    list_append(&s->ended, &o->link);
    pthread_mutex_unlock(&s->lock);
}

static void forget(once *o)
{
    idempotency *s = o->store;
    pthread_mutex_lock(&s->lock);
    drop(o);
    pthread_mutex_unlock(&s->lock);
}

/* ---- admission --------------------------------------------------------------------------------
 */

static bool check_key(const char *key, error *e)
{
    size_t n = strlen(key);
    bool good = n > 0 && n <= KEY_MAX;
    for (const char *p = key; good && *p; p++)
        good = *p >= 0x20 && *p < 0x7F;
    return good || error_set(e, ERR_INVALID_MESSAGE,
                             "Idempotency-Key has %zu bytes; 1 to %d printable ones are allowed", n,
                             KEY_MAX);
}

/* Everything that makes it the same request. */
static void take_print(const request *q, unsigned char print[SHA256_DIGEST_LENGTH])
{
    unsigned char text[SHA256_DIGEST_LENGTH + PATH_MAX_LEN + QUERY_MAX_LEN];
    size_t path = strlen(q->path) + 1, query = 0;
    while (q->query[query])
        query += strlen(q->query + query) + 1;
    SHA256((const unsigned char *)(q->body.len ? q->body.data : ""), q->body.len, text);
    memcpy(text + SHA256_DIGEST_LENGTH, q->path, path);
    memcpy(text + SHA256_DIGEST_LENGTH + path, q->query, query);
    SHA256(text, SHA256_DIGEST_LENGTH + path + query, print);
}

/* What an earlier request with this key leads to: true, and its answer, or e. */
static bool repeat(const once *o, const unsigned char *print, int *status, refbuf **answer,
                   error *e)
{
    if (memcmp(o->print, print, sizeof o->print) != 0) {
        error_set(e, ERR_IDEMPOTENCY_MISMATCH,
                  "another request was sent with this Idempotency-Key before");
        return error_hint(e, "Use a new key for each request that is not a repetition.");
    }
    if (o->state == UNDER_WAY) {
        error_set(e, ERR_CONFLICT, "the first request with this Idempotency-Key is under way");
        return error_hint(e, "Repeat it when it has ended.");
    }
    if (o->state == LOST) {
        error_set(e, ERR_CONFLICT,
                  "the connection of the first request ended before its outcome was known");
        return error_hint(e, "See what was done, then use a new Idempotency-Key.");
    }
    *status = o->status;
    *answer = refbuf_ref(o->answer);
    return true;
}

static once *add(idempotency *s, const char *key, size_t n, const unsigned char *print)
{
    once *o = mem_zalloc(sizeof *o);
    if (!o || !map_put(&s->keys, key, n, o, NULL)) {
        mem_free(o);
        return NULL;
    }
    list_init(&o->link);
    o->store = s;
    memcpy(o->key, key, n);
    o->key_len = n;
    memcpy(o->print, print, sizeof o->print);
    s->bytes += cost_of(o);
    return o;
}

/* The request is the first of its key (*first), or a repetition (*answer), or e says what is
 * wrong. */
static bool look_up(request *q, const char *key, once **first, int *status, refbuf **answer,
                    error *e)
{
    idempotency *s = q->c->r->d->once;
    const config *cfg = daemon_config(q->c->r->d);
    unsigned char print[SHA256_DIGEST_LENGTH];
    char whole[STORED_KEY], owner[IDENTITY_OWNER];
    identity_owner(q->who, owner);
    int n = snprintf(whole, sizeof whole, "%s\n%s", owner, key);
    bool ok = true;
    take_print(q, print);
    pthread_mutex_lock(&s->lock);
    drop_expired(s, clock_mono_us() - cfg->idempotency_keep * 1000);
    const once *before = map_get(&s->keys, whole, (size_t)n);
    if (before)
        ok = repeat(before, print, status, answer, e);
    else if (s->bytes >= (size_t)cfg->idempotency_max)
        ok = error_set(e, ERR_BUSY, "there is no room for another Idempotency-Key");
    else if (!(*first = add(s, whole, (size_t)n, print)))
        ok = error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    pthread_mutex_unlock(&s->lock);
    return ok;
}

static void reply_again(request *q, int status, refbuf *answer)
{
    const char *type = answer->data, *headers = type + strlen(type) + 1;
    const char *body = headers + strlen(headers) + 1;
    buf all = BUF_INIT;
    buf_adds(&all, headers);
    buf_adds(&all, "Idempotency-Replayed: true\r\n");
    http_reply_with(q, status, *type ? type : NULL, buf_cstr(&all), body,
                    answer->len - (size_t)(body - answer->data));
    buf_free(&all);
    refbuf_unref(answer);
}

bool idempotency_admit(request *q)
{
    const char *key = http_header(q, HEADER_IDEMPOTENCY_KEY);
    refbuf *answer = NULL;
    int status = 0;
    error e;
    if (!key || q->method != HTTP_POST || q->route->flags & ROUTE_OPEN)
        return true;
    if (!check_key(key, &e) || !look_up(q, key, &q->once, &status, &answer, &e)) {
        http_reply_error(q, &e);
        return false;
    }
    if (!answer)
        return true;
    reply_again(q, status, answer);
    return false;
}

/* ---- outcomes ---------------------------------------------------------------------------------
 */

static refbuf *pack(const char *type, const char *headers, const char *body, size_t n)
{
    buf all = BUF_INIT;
    buf_adds(&all, type ? type : "");
    buf_addc(&all, '\0');
    buf_adds(&all, headers ? headers : "");
    buf_addc(&all, '\0');
    buf_add(&all, body, n);
    refbuf *packed = all.failed ? NULL : refbuf_new(all.data, all.len);
    buf_free(&all);
    return packed;
}

static void keep(once *o, int status, refbuf *answer)
{
    end(o, answer ? ANSWERED : LOST, status, answer);
}

void idempotency_answered(request *q, int status, const char *type, const char *headers,
                          const char *body, size_t n)
{
    once *o = q->once;
    q->once = NULL;
    if (!o)
        return;
    if (status == 429 || status == 503)
        forget(o);
    else
        keep(o, status, pack(type, headers, body, n));
}

void idempotency_forget(request *q)
{
    once *o = q->once;
    q->once = NULL;
    if (o)
        forget(o);
}

void idempotency_leave(request *q)
{
    once *o = q->once;
    q->once = NULL;
    if (!o)
        return;
    if (q->once_run)
        q->once_run->once = o;
    else
        end(o, LOST, 0, NULL);
}

void idempotency_hand_over(request *q, run *r)
{
    if (q->once)
        q->once_run = r;
}

/* Whether a job that failed has changed nothing. A batch may have, before it was cancelled. */
static bool is_atomic(const job *j)
{
    return j->kind == JOB_QUERY || j->kind == JOB_ATOMIC || j->kind == JOB_TX_QUERY;
}

void idempotency_run_ended(run *r)
{
    once *o = r->once;
    r->once = NULL;
    if (!o)
        return;
    if (r->shipped || (r->failed && is_atomic(&r->job)))
        forget(o);
    else if (r->failed)
        end(o, LOST, 0, NULL);
    else
        keep(o, 200,
             pack(r->encoder->lines ? "application/x-ndjson" : "application/json", NULL,
                  r->last ? r->last->data : "", r->last ? r->last->len : 0));
}
