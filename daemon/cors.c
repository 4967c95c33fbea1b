#include "daemon/cors.h"

#include <string.h>

enum { PREFLIGHT_KEPT = 600 }; /* seconds that a browser need not ask again */

/* With "*." before its name: any host below that one, not itself. */
static bool below(const char *pattern, size_t len, const char *origin, size_t n)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    const char *star = memmem(pattern, len, "://*.", 5);
    if (!star)
        return false;
    size_t head = (size_t)(star - pattern) + 3, tail = len - head - 1;
    return n > head + tail && memcmp(origin, pattern, head) == 0 &&
           memcmp(origin + n - tail, star + 4, tail) == 0 &&
           strspn(origin + head, good) >= n - tail - head;
}

bool cors_listed(const char *origins, const char *origin)
{
    size_t n = strlen(origin);
    for (const char *at = origins; *at;) {
        size_t len = strcspn(at, " ,");
        if ((len == 1 && *at == '*') || (len == n && n && strncmp(at, origin, n) == 0) ||
            below(at, len, origin, n))
            return true;
        at += len;
        at += strspn(at, " ,");
    }
    return false;
}

static const char *list_of(const request *q)
{
    return daemon_config(q->c->r->d)->cors_origins;
}

void cors_put(buf *out, const request *q)
{
    const char *origins = list_of(q);
    if (!*origins)
        return;
    buf_adds(out, "Vary: Origin\r\n"); /* also where it is refused: caches keep both apart */
    if (!q->origin[0] || !cors_listed(origins, q->origin))
        return;
    buf_addf(out,
             "Access-Control-Allow-Origin: %s\r\nAccess-Control-Expose-Headers: ETag, Location, "
             "Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, X-Request-Id, "
             "Preference-Applied, Idempotency-Replayed\r\n",
             q->origin);
}

void cors_put_preflight(buf *out, const request *q, const char *allow)
{
    if (!q->origin[0] || !cors_listed(list_of(q), q->origin))
        return;
    buf_addf(out,
             "Access-Control-Allow-Methods: %s\r\nAccess-Control-Allow-Headers: Authorization, "
             "X-API-Key, Content-Type, If-Match, If-None-Match, Prefer, Idempotency-Key, "
             "X-Request-Id\r\nAccess-Control-Max-Age: %d\r\n",
             allow, PREFLIGHT_KEPT);
}
