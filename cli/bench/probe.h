/* What a process costs, read from the kernel: CPU time by its own clock (exact, threads that have
 * ended included) and resident memory. */
#ifndef BENCH_PROBE_H
#define BENCH_PROBE_H

#include <stdint.h>
#include <time.h>

typedef struct bench_probe {
    int pid; /* 0: no process is measured */
    clockid_t cpu;
} bench_probe;

/* pid 0, or one that is not on this machine: nothing is known. */
void bench_probe_open(bench_probe *p, int pid);
int64_t bench_probe_cpu_ns(const bench_probe *p); /* -1: not known */
int64_t bench_probe_rss(const bench_probe *p);    /* bytes, -1: not known */
int64_t bench_own_cpu_ns(void);

#endif
