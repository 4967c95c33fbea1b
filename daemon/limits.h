/* How much one may ask: limits on a rate, for whoever a key names, and how many connections he has.
 *
 * A limit is kept as one number, the time at which everything that was allowed so far would be used
 * up at the sustained rate (GCRA, the generic cell rate algorithm). So the window slides with every
 * request instead of beginning anew each second: within any span of t seconds at most
 * burst + rate * t pass.
 *
 * Accounts are shared by the reactors, since one client's connections are spread over them. They
 * stand in a table that is cut into shards, each under a lock of its own: one owner would have
 * every request wait for a message to another thread and back, while a lock is held for a look-up
 * alone, and a connection holds its account, so that what it asks costs no look-up. An account is
 * freed when nobody holds it and its limits have recovered; at most LIMITS_IDLE are kept that
 * nobody holds, and the one that was let go of longest ago makes room. Any thread. */
#ifndef DAEMON_LIMITS_H
#define DAEMON_LIMITS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/networks.h"

enum { LIMITS_IDLE = 65536 };

/* What is allowed: `rate` a second for long, `burst` at once. rate 0: no limit; burst 0: as many as
 * rate. */
typedef struct rate_limit {
    int64_t rate, burst;
} rate_limit;

/* All zero: nothing was used yet. */
typedef struct rate_state {
    atomic_int_fast64_t used_until_ns; /* monotonic */
} rate_state;

/* What a client is told (RateLimit-Limit, -Remaining, -Reset, Retry-After). limit 0: nothing. */
typedef struct rate_verdict {
    int64_t limit, remaining;
    int64_t reset_us; /* until all of it is there again */
    int64_t retry_us; /* refused: until it would be let pass */
} rate_verdict;

/* Uses n. False: there are not so many left, and nothing was used. *v is written where there is a
 * limit, and says less than what stood there before: of several limits the tightest. */
bool rate_take(rate_state *s, rate_limit limit, int64_t n, int64_t now_us, rate_verdict *v);

/* Somebody's account. The fields are anybody's to use who holds it. */
typedef struct account {
    rate_state connections, requests, messages;
    atomic_int open; /* connections that are counted */
    atomic_int told; /* of these, past a limit, and open to be told so */
} account;

typedef struct limits limit_table;

limit_table *limits_new(void);
void limits_free(limit_table *l); /* when nobody holds an account */

/* Finds or makes an account, by a key of up to 100 bytes. The caller holds it. NULL when memory is
 * out: then nobody is limited. */
account *limits_hold(limit_table *l, const char *key, size_t n);
void limits_release(limit_table *l, account *a); /* NULL is fine */

/* The key for an address: all of IPv4, the first 64 bits of IPv6, since that is what one subscriber
 * gets (RFC 6177). Gives its length. */
enum { LIMITS_KEY = 104 };
size_t limits_key_address(const ip_address *ip, char out[LIMITS_KEY]);
/* For a name or an id; `kind` keeps them apart. */
size_t limits_key_text(char kind, const char *text, char out[LIMITS_KEY]);

#endif
