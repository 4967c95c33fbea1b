#include "daemon/metrics_figures.h"
#include "base/clock.h"
#include "daemon/daemon.h"
#include "daemon/reactor.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { PROC_TEXT = 8192 }; /* enough for the first lines of every file that is read here */

/* ---- texts of /proc ----------------------------------------------------------------------------
 */

/* The number behind "name" at the beginning of a line; FIGURE_UNKNOWN when there is none. */
static int64_t number_of(const char *text, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, n) == 0)
            return strtoll(line + n, NULL, 10);
    }
    return FIGURE_UNKNOWN;
}

static void take(int64_t *to, const char *text, const char *name, int64_t unit)
{
    int64_t n = number_of(text, name);
    if (n >= 0)
        *to = n * unit;
}

void figures_parse_stat(figure_set *f, const char *text)
{
    enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, FIELDS };
    int64_t ticks[FIELDS] = {0}, all = 0;
    char *at;
    if (strncmp(text, "cpu ", 4) != 0)
        return;
    at = (char *)text + 4;
    for (int i = 0; i < FIELDS; i++) {
        ticks[i] = strtoll(at, &at, 10);
        all += ticks[i];
    }
    f->all_ticks = all;
    f->all_busy = all - ticks[IDLE] - ticks[IOWAIT];
}

void figures_parse_status(figure_set *f, const char *text)
{
    take(&f->threads, text, "Threads:", 1);
    take(&f->resident, text, "VmRSS:", 1024);
    take(&f->peak, text, "VmHWM:", 1024);
    take(&f->virtual_size, text, "VmSize:", 1024);
}

void figures_parse_meminfo(figure_set *f, const char *text)
{
    take(&f->memory_total, text, "MemTotal:", 1024);
    take(&f->memory_available, text, "MemAvailable:", 1024);
}

void figures_parse_io(figure_set *f, const char *text)
{
    take(&f->io_read, text, "read_bytes:", 1);
    take(&f->io_written, text, "write_bytes:", 1);
}

static void parse_file(figure_set *f, const char *path, void (*parse)(figure_set *, const char *))
{
    char text[PROC_TEXT];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return;
    text[n] = '\0';
    parse(f, text);
}

/* ---- what each source gives --------------------------------------------------------------------
 */

static int64_t micros(struct timeval t)
{
    return t.tv_sec * INT64_C(1000000) + t.tv_usec;
}

static void read_cpu(figure_set *f, const server *d)
{
    struct rusage used;
    f->threads = f->all_busy = f->all_ticks = FIGURE_UNKNOWN;
    f->uptime_us = f->at_us - d->started_mono_us;
    getrusage(RUSAGE_SELF, &used);
    f->user_us = micros(used.ru_utime);
    f->system_us = micros(used.ru_stime);
    f->cores = sysconf(_SC_NPROCESSORS_ONLN);
    parse_file(f, "/proc/stat", figures_parse_stat);
}

static void read_memory(figure_set *f)
{
    f->resident = f->peak = f->virtual_size = FIGURE_UNKNOWN;
    f->memory_total = f->memory_available = FIGURE_UNKNOWN;
    parse_file(f, "/proc/meminfo", figures_parse_meminfo);
}

static void read_disk(figure_set *f, server *d)
{
    struct statvfs fs;
    engine_files files = {FIGURE_UNKNOWN, FIGURE_UNKNOWN};
    engine_files_get(d->engine, &files);
    f->database = files.database;
    f->wal = files.log;
    f->disk_free = f->disk_total = FIGURE_UNKNOWN;
    if (statvfs(d->data_dir, &fs) != 0)
        return;
    f->disk_free = (int64_t)(fs.f_bavail * fs.f_frsize);
    f->disk_total = (int64_t)(fs.f_blocks * fs.f_frsize);
}

static void read_io(figure_set *f)
{
    f->io_read = f->io_written = FIGURE_UNKNOWN;
    parse_file(f, "/proc/self/io", figures_parse_io);
}

static void read_reactors(net_figures *to, const server *d)
{
    for (int i = 0; i < d->n_reactors; i++) {
        const reactor_stats *s = &d->reactors[i]->stats;
        to->http += STAT_GET(s->http_connections);
        to->websocket += STAT_GET(s->ws_connections);
        to->subscriptions += STAT_GET(s->subscriptions);
        to->opened += (int64_t)STAT_GET(s->connections_total);
        to->refused += (int64_t)STAT_GET(s->connections_refused);
        to->requests += (int64_t)STAT_GET(s->requests);
        to->messages_in += (int64_t)STAT_GET(s->messages_in);
        to->messages_out += (int64_t)STAT_GET(s->messages_out);
        to->bytes_in += (int64_t)STAT_GET(s->bytes_in);
        to->bytes_out += (int64_t)STAT_GET(s->bytes_out);
        to->events += (int64_t)STAT_GET(s->frames_delivered);
        to->slow += (int64_t)STAT_GET(s->slow_consumers);
        to->errors += (int64_t)STAT_GET(s->errors);
        to->backpressure += (int64_t)STAT_GET(s->backpressure);
    }
}

/* The feed's position is read first: what is committed meanwhile is behind it at worst. */
static void read_engine(figure_set *f, server *d)
{
    int64_t position = feed_position(d->feed);
    engine_stats_get(d->engine, &f->engine);
    f->feed_lag = f->engine.log_head > position ? f->engine.log_head - position : 0;
}

static void read_latency(figure_set *f, const server *d)
{
    for (int i = 0; i < d->n_reactors; i++) {
        latency_collect(&f->messages, &d->reactors[i]->message_latency);
        latency_collect(&f->requests, &d->reactors[i]->request_latency);
    }
}

void figures_read(figure_set *f, server *d, unsigned from)
{
    *f = (figure_set){.at_us = clock_mono_us()};
    if (from & FROM_CPU)
        read_cpu(f, d);
    if (from & FROM_MEMORY)
        read_memory(f);
    if (from & (FROM_CPU | FROM_MEMORY))
        parse_file(f, "/proc/self/status", figures_parse_status);
    if (from & FROM_DISK)
        read_disk(f, d);
    if (from & FROM_IO)
        read_io(f);
    if (from & FROM_REACTORS)
        read_reactors(&f->net, d);
    if (from & FROM_ENGINE)
        read_engine(f, d);
    if (from & FROM_LIVE)
        queries_stats_get(d->live, &f->live);
    if (from & FROM_LATENCY)
        read_latency(f, d);
}

void figures_free(figure_set *f)
{
    topics_free(&f->topics);
}
