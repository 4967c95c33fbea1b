/* How often something may be tried: names (of users, addresses) whose tries fail have to wait, ever
 * longer, before the next.
 *
 * A try counts as failed from its beginning until it is said to have succeeded, so that many at
 * once are no way around. `free` tries cost nothing; the wait behind the next is first_us, and then
 * twice as long each time, up to most_us. What has not been tried for forget_us is forgotten; when
 * there are `max` names, the one that was tried longest ago makes room. Any thread. */
#ifndef AUTH_ATTEMPTS_H
#define AUTH_ATTEMPTS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct attempts attempts;

typedef struct attempts_rule {
    int free, max;
    int64_t first_us, most_us, forget_us;
} attempts_rule;

attempts *attempts_new(const attempts_rule *rule); /* never NULL */
void attempts_free(attempts *a);                   /* NULL is fine */

/* Begins a try at `now` (monotonic, microseconds). 0: go ahead. Otherwise it may not be tried yet,
 * and does not count: the microseconds until it may. */
int64_t attempts_begin(attempts *a, const char *name, int64_t now);
/* The name may be tried as if it never had failed. */
void attempts_succeeded(attempts *a, const char *name);
/* Takes back the last try, which came to no end. */
void attempts_undo(attempts *a, const char *name);

#endif
