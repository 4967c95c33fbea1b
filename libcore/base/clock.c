#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t now_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
    return now_us(CLOCK_MONOTONIC);
}

int64_t clock_coarse_us(void)
{
    return now_us(CLOCK_MONOTONIC_COARSE);
}

int64_t clock_wall_us(void)
{
    return now_us(CLOCK_REALTIME);
}

void clock_rfc3339(int64_t wall_us, char *out)
{
    /* Events come many to the second: keep the part that stays the same. */
    static _Thread_local int64_t cached_second = -1;
    static _Thread_local char cached[20];
    int64_t second = wall_us / 1000000;
    int micro = (int)(wall_us % 1000000);
    if (second != cached_second) {
        time_t t = (time_t)second;
        struct tm tm;
        gmtime_r(&t, &tm);
        strftime(cached, sizeof cached, "%Y-%m-%dT%H:%M:%S", &tm);
        cached_second = second;
    }
    memcpy(out, cached, 19);
    out[19] = '.';
    for (int i = 25; i >= 20; i--) {
        out[i] = (char)('0' + micro % 10);
        micro /= 10;
    }
    out[26] = 'Z';
    out[27] = '\0';
}
