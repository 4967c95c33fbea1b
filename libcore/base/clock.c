#include "base/clock.h"

#include <ctype.h>
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

int64_t clock_thread_cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
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

/* Exactly so many digits. */
static bool take_digits(const char **p, int n, int *out)
{
    *out = 0;
    for (; n > 0; n--, ++*p) {
        if (!isdigit((unsigned char)**p))
            return false;
        *out = *out * 10 + (**p - '0');
    }
    return true;
}

static bool take_char(const char **p, const char *any)
{
    return **p && strchr(any, **p) && *(*p)++;
}

static int take_micro(const char **p)
{
    int micro = 0;
    if (**p != '.')
        return 0;
    ++*p;
    for (int unit = 100000; isdigit((unsigned char)**p); ++*p, unit /= 10)
        micro += (**p - '0') * unit;
    return micro;
}

/* Seconds that the local time is ahead of UTC. */
static bool take_offset(const char **p, int *seconds)
{
    int hours, minutes;
    char sign = **p;
    *seconds = 0;
    if (take_char(p, "Zz"))
        return true;
    if (!take_char(p, "+-") || !take_digits(p, 2, &hours) || !take_char(p, ":") ||
        !take_digits(p, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *seconds = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
    return true;
}

bool clock_parse_rfc3339(const char *text, int64_t *wall_us)
{
    struct tm tm = {0}, back;
    int offset, micro;
    const char *p = text;
    if (!take_digits(&p, 4, &tm.tm_year) || !take_char(&p, "-") ||
        !take_digits(&p, 2, &tm.tm_mon) || !take_char(&p, "-") ||
        !take_digits(&p, 2, &tm.tm_mday) || !take_char(&p, "Tt ") ||
        !take_digits(&p, 2, &tm.tm_hour) || !take_char(&p, ":") ||
        !take_digits(&p, 2, &tm.tm_min) || !take_char(&p, ":") || !take_digits(&p, 2, &tm.tm_sec))
        return false;
    micro = take_micro(&p);
    if (!take_offset(&p, &offset) || *p)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    back = tm;
    time_t second = timegm(&back);
    /* 30 February and the like become other days. */
    if (back.tm_mday != tm.tm_mday || back.tm_mon != tm.tm_mon || back.tm_hour != tm.tm_hour ||
        back.tm_min != tm.tm_min)
        return false;
    *wall_us = ((int64_t)second - offset) * 1000000 + micro;
    return true;
}
