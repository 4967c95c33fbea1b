#include "cli/backoff.h"

#include <sys/random.h>

int backoff_next(backoff *b)
{
    int step = BACKOFF_FIRST_MS;
    for (int i = 0; i < b->tries && step < BACKOFF_LONGEST_MS; i++)
        step *= 2;
    if (step > BACKOFF_LONGEST_MS)
        step = BACKOFF_LONGEST_MS;
    b->tries++;
    uint32_t chance = 0;
    if (getrandom(&chance, sizeof chance, GRND_NONBLOCK) != sizeof chance)
        return step;
    return step / 2 + (int)(chance % (unsigned)(step / 2 + 1));
}
