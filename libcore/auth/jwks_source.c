#include "auth/jwks_source.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

struct jwks_source {
    char *url, *file; /* one of them */
    int64_t refresh_us;
    atomic_ullong *changes; /* NULL: nobody wants to know */
    pthread_t thread;
    pthread_mutex_t lock; /* guards keys and missing; held for a few instructions */
    pthread_cond_t wake;  /* something is missing, or it is time to stop */
    jwks *keys;
    bool missing;
    atomic_bool stopping;
};

/* ---- what may be fetched -----------------------------------------------------------------------
 */

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}

static bool parts_allowed(CURLU *u, error *e)
{
    char *scheme = NULL, *host = NULL, *user = NULL;
    bool ok = curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK;
    if (!ok)
        error_set(e, ERR_INVALID_MESSAGE, "jwt_jwks_url is no URL");
    else if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK)
        ok = error_set(e, ERR_INVALID_MESSAGE, "jwt_jwks_url may not hold a user or a password");
    else if (strcmp(scheme, "https") != 0 && (strcmp(scheme, "http") != 0 || !is_loopback(host))) {
        error_set(e, ERR_INVALID_MESSAGE,
                  "jwt_jwks_url must be https, or http to localhost: whoever can change the "
                  "answer decides who may enter");
        ok = false;
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    return ok;
}

bool jwks_url_allowed(const char *url, error *e)
{
    CURLU *u = curl_url();
    if (!u)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    bool ok = curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK
                  ? parts_allowed(u, e)
                  : error_set(e, ERR_INVALID_MESSAGE, "jwt_jwks_url is no URL");
    curl_url_cleanup(u);
    return ok;
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static size_t take_piece(char *p, size_t size, size_t n, void *to)
{
    buf *b = to;
    buf_add(b, p, size * n);
    return b->failed ? 0 : size * n;
}

static int go_on(void *source, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    return atomic_load(&((jwks_source *)source)->stopping);
}

static bool set_options(CURL *c, jwks_source *s, buf *to)
{
    return curl_easy_setopt(c, CURLOPT_URL, s->url) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)JWKS_TIMEOUT_MS) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_MAXFILESIZE, (long)JWKS_MAX) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_USERAGENT, "rustydb/" RUSTYDB_VERSION) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_piece) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEDATA, to) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, go_on) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_XFERINFODATA, s) == CURLE_OK;
}

static bool fetch(jwks_source *s, buf *to, error *e)
{
    CURL *c = curl_easy_init();
    long status = 0;
    if (!c || !set_options(c, s, to)) {
        curl_easy_cleanup(c);
        return error_set(e, ERR_INTERNAL_ERROR, "cannot set libcurl up");
    }
    CURLcode code = curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(c);
    if (to->failed)
        return error_set(e, ERR_MESSAGE_TOO_BIG, "the answer has more than %d bytes", JWKS_MAX);
    if (code != CURLE_OK)
        return error_set(e, ERR_CANNOT_CONNECT, "%s", curl_easy_strerror(code));
    return status == 200 || error_set(e, ERR_CANNOT_CONNECT, "the answer has status %ld", status);
}

static bool read_file(const char *path, buf *to, error *e)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ssize_t n = -1;
    while (fd >= 0 && buf_reserve(to, 4096) && (n = read(fd, to->data + to->len, 4096)) > 0)
        to->len += (size_t)n;
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (to->failed)
        return error_set(e, ERR_MESSAGE_TOO_BIG, "%.300s has more than %d bytes", path, JWKS_MAX);
    return n == 0 ||
           error_set(e, ERR_INVALID_MESSAGE, "cannot read %.300s: %s", path, strerror(why));
}

static bool renew(jwks_source *s, error *e)
{
    buf text = {.limit = JWKS_MAX + 4096};
    jwks *new = NULL;
    if (s->url ? fetch(s, &text, e) : read_file(s->file, &text, e))
        new = jwks_read(text.data, text.len, e);
    buf_free(&text);
    if (!new)
        return false;
    pthread_mutex_lock(&s->lock);
    jwks *old = s->keys;
    s->keys = new;
    s->missing = false;
    pthread_mutex_unlock(&s->lock);
    if (s->changes && old && !jwks_alike(old, new))
        atomic_fetch_add(s->changes, 1);
    jwks_release(old);
    return true;
}

/* ---- the thread --------------------------------------------------------------------------------
 */

/* Waits until it is time to read again: at `due`, or when a key is missing at `soonest`. False: it
 * is time to stop. */
static bool wait_for_it(jwks_source *s, int64_t soonest, int64_t due)
{
    pthread_mutex_lock(&s->lock);
    for (;;) {
        int64_t until = s->missing && soonest < due ? soonest : due;
        if (atomic_load(&s->stopping) || clock_mono_us() >= until)
            break;
        struct timespec at = {until / 1000000, until % 1000000 * 1000};
        pthread_cond_clockwait(&s->wake, &s->lock, CLOCK_MONOTONIC, &at);
    }
    pthread_mutex_unlock(&s->lock);
    return !atomic_load(&s->stopping);
}

static void read_once(jwks_source *s, bool *good)
{
    error why;
    *good = renew(s, &why);
    if (!*good && !atomic_load(&s->stopping))
        log_warn("jwks", "cannot read the keys of the issuer from %s: %s",
                 s->url ? s->url : s->file, why.message);
}

static void *run(void *arg)
{
    jwks_source *s = arg;
    bool good = s->keys != NULL;
    const int64_t pause = JWKS_PAUSE_MS * INT64_C(1000);
    int64_t now = clock_mono_us();
    int64_t soonest = good ? now + pause : now, due = good ? now + s->refresh_us : now;
    while (wait_for_it(s, soonest, due)) {
        read_once(s, &good);
        now = clock_mono_us();
        soonest = now + pause;
        due = now + (good || s->refresh_us < pause ? s->refresh_us : pause);
    }
    return NULL;
}

static bool start(jwks_source *s, error *e)
{
    if (s->url ? !jwks_url_allowed(s->url, e) : !renew(s, e))
        return false;
    if (s->url && curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return error_set(e, ERR_INTERNAL_ERROR, "cannot set libcurl up");
    if (pthread_create(&s->thread, NULL, run, s) != 0)
        return error_set(e, ERR_INTERNAL_ERROR, "cannot start a thread for the issuer's keys");
    pthread_setname_np(s->thread, "jwks");
    return true;
}

static void discard(jwks_source *s)
{
    jwks_release(s->keys);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    mem_free(s->url);
    mem_free(s->file);
    mem_free(s);
}

jwks_source *jwks_source_start(const char *url, const char *file, int64_t refresh_ms,
                               atomic_ullong *changes, error *e)
{
    jwks_source *s = xalloc(sizeof *s);
    s->url = url ? xstrdup(url) : NULL;
    s->file = file ? xstrdup(file) : NULL;
    s->refresh_us = refresh_ms * 1000;
    s->changes = changes;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    if (start(s, e))
        return s;
    discard(s);
    return NULL;
}

void jwks_source_stop(jwks_source *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    atomic_store(&s->stopping, true);
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    discard(s);
}

jwks *jwks_source_keys(jwks_source *s)
{
    pthread_mutex_lock(&s->lock);
    jwks *keys = s->keys ? jwks_hold(s->keys) : NULL;
    pthread_mutex_unlock(&s->lock);
    return keys;
}

void jwks_source_missing(jwks_source *s)
{
    pthread_mutex_lock(&s->lock);
    if (!s->missing)
        pthread_cond_signal(&s->wake);
    s->missing = true;
    pthread_mutex_unlock(&s->lock);
}
