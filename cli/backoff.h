/* How long to wait before the next try: twice as long each time, up to a limit, and by chance
 * shorter, so that clients which lost the same daemon do not return all at once. */
#ifndef CLI_BACKOFF_H
#define CLI_BACKOFF_H

#include <stdint.h>

enum { BACKOFF_FIRST_MS = 200, BACKOFF_LONGEST_MS = 15000 };

typedef struct backoff {
    int tries; /* since the last success */
} backoff;

/* Milliseconds until the next try: between half of the step and all of it. */
int backoff_next(backoff *b);
static inline void backoff_reset(backoff *b)
{
    b->tries = 0;
}

#endif
