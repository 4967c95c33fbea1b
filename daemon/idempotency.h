/* POST once: a request with the header Idempotency-Key is carried out once, and whoever repeats it
 * gets the answer of the first time.
 *
 * The answers are in memory, for all reactors together, for `idempotency_keep`; a restart forgets
 * them. They take up to `idempotency_max`; then new keys are turned away, since to forget an old
 * one early would be to carry out its request twice. A request that was turned away itself (429,
 * 503) leaves nothing behind. One whose connection ends goes on being watched until its statement
 * has ended: what was committed is answered to the repetition, what was cancelled may run again. */
#ifndef DAEMON_IDEMPOTENCY_H
#define DAEMON_IDEMPOTENCY_H

#include <stdbool.h>
#include <stddef.h>

struct request;
struct run;

typedef struct idempotency idempotency;
/* A request that was admitted and is not answered yet; the store's. */
typedef struct once once;

idempotency *idempotency_new(void);
void idempotency_free(idempotency *s); /* when no request is left; NULL is fine */

/* ---- the request's side, on its reactor ---- */
/* Whether a request, complete and checked, is to be carried out. False: it was answered, with what
 * was answered before, or CONFLICT while the first one is under way or when its outcome is not
 * known, IDEMPOTENCY_MISMATCH for another request with the same key, BUSY when there is no room. */
bool idempotency_admit(struct request *q);
/* It was answered with this; headers may be NULL. */
void idempotency_answered(struct request *q, int status, const char *type, const char *headers,
                          const char *body, size_t n);
/* It may be carried out again: nothing was changed. */
void idempotency_forget(struct request *q);
/* The request goes, answered or not. */
void idempotency_leave(struct request *q);

/* The answer comes from this run. If the connection ends before, the run's end decides: then it is
 * to call idempotency_run_ended. */
void idempotency_hand_over(struct request *q, struct run *r);
void idempotency_run_ended(struct run *r);

#endif
