/* Where the keys of an issuer come from: a document behind a URL, or a file. A thread of its own
 * reads it at the start, then every `refresh_ms`, and sooner when a token names a key that is not
 * known (but at most once in JWKS_PAUSE_MS). When that fails, the keys read before stay, and it is
 * tried again after JWKS_PAUSE_MS; the log says so.
 *
 * URLs are https, or http to this machine alone; redirects are not followed, proxies of the
 * environment not used, and size and time are limited. */
#ifndef AUTH_JWKS_SOURCE_H
#define AUTH_JWKS_SOURCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "auth/jwks.h"
#include "base/error.h"

enum {
    JWKS_PAUSE_MS = 10000,   /* least time between two reads */
    JWKS_TIMEOUT_MS = 10000, /* for one document */
};

typedef struct jwks_source jwks_source;

/* Whether keys may be fetched from a URL. INVALID_MESSAGE with the reason. */
bool jwks_url_allowed(const char *url, error *e);

/* `changes` (may be NULL; outlives this) grows whenever the keys are not what they were.
 * Exactly one of url and file is not NULL; both are copied. A file is read before this returns, and
 * must be good; a URL is fetched later, by the thread. NULL with INVALID_MESSAGE or INTERNAL_ERROR.
 * One thread calls start and stop. */
jwks_source *jwks_source_start(const char *url, const char *file, int64_t refresh_ms,
                               atomic_ullong *changes, error *e);
/* Breaks off a read under way, ends the thread. NULL is fine. */
void jwks_source_stop(jwks_source *s);

/* The newest keys, with a reference for the caller; NULL when none were read yet. Any thread; never
 * blocks. */
jwks *jwks_source_keys(jwks_source *s);
/* A token names a key that is not among them. Any thread; never blocks. */
void jwks_source_missing(jwks_source *s);

#endif
