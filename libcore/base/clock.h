/* Time. Durations and deadlines use the monotonic clock in microseconds; stamps that people see use
 * the wall clock in microseconds since 1970. Any thread. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int64_t clock_mono_us(void);
int64_t clock_wall_us(void);
/* Processor time of the calling thread. */
int64_t clock_thread_cpu_us(void);
/* The monotonic clock as of the kernel's last tick, up to 10 ms ago: for what is done per delivery
 * and compared with limits of seconds. */
int64_t clock_coarse_us(void);

#define CLOCK_RFC3339_LEN 27 /* "2026-01-02T03:04:05.678901Z" */

/* RFC 3339 in UTC with microseconds; out has room for CLOCK_RFC3339_LEN + 1 bytes. */
void clock_rfc3339(int64_t wall_us, char *out);
/* The same the other way: a moment with "Z" or an offset ("+02:00"), with or without a fraction of
 * a second. False when it is none. */
bool clock_parse_rfc3339(const char *text, int64_t *wall_us);

#endif
