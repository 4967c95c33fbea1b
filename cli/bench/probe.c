#include "cli/bench/probe.h"

#include <stdio.h>
#include <unistd.h>

static int64_t read_clock(clockid_t clock)
{
    struct timespec ts;
    if (clock_gettime(clock, &ts) != 0)
        return -1;
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void bench_probe_open(bench_probe *p, int pid)
{
    *p = (bench_probe){0};
    if (pid > 0 && clock_getcpuclockid(pid, &p->cpu) == 0)
        p->pid = pid;
}

int64_t bench_probe_cpu_ns(const bench_probe *p)
{
    return p->pid ? read_clock(p->cpu) : -1;
}

static int64_t rss_exact(int pid)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return -1;
    long long kb = -1;
    while (kb < 0 && fgets(line, sizeof line, f))
        if (sscanf(line, "Rss: %lld kB", &kb) != 1)
            kb = -1;
    fclose(f);
    return kb < 0 ? -1 : kb * 1024;
}

/* The kernel keeps this one per CPU and adds up now and then: good to some hundred KB. */
static int64_t rss_rough(int pid)
{
    char path[64];
    long long pages = -1;
    snprintf(path, sizeof path, "/proc/%d/statm", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return -1;
    if (fscanf(f, "%*s %lld", &pages) != 1)
        pages = -1;
    fclose(f);
    return pages < 0 ? -1 : pages * sysconf(_SC_PAGESIZE);
}

int64_t bench_probe_rss(const bench_probe *p)
{
    if (!p->pid)
        return -1;
    int64_t rss = rss_exact(p->pid);
    return rss >= 0 ? rss : rss_rough(p->pid);
}

int64_t bench_own_cpu_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}
