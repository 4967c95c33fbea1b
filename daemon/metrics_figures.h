/* The figures that metrics are made of: what the kernel says of the process and the machine, what
 * reactors, engine and feed have counted, at one moment.
 *
 * Reading them opens files under /proc and looks at the data folder, so it is never done on a
 * reactor. A figure that cannot be had is FIGURE_UNKNOWN. */
#ifndef DAEMON_METRICS_FIGURES_H
#define DAEMON_METRICS_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/latency.h"
#include "daemon/metrics_topics.h"
#include "engine/engine.h"
#include "live/queries.h"

struct server;

enum { FIGURE_UNKNOWN = -1 };

enum {
    FROM_CPU = 1,
    FROM_MEMORY = 2,
    FROM_DISK = 4,
    FROM_IO = 8,
    FROM_REACTORS = 16,
    FROM_ENGINE = 32,
    FROM_LATENCY = 64,
    FROM_TOPICS = 128, /* not read here: whoever asks the reactors fills `topics` */
    FROM_LIVE = 256,
    FROM_ALL = 511,
};

/* Added up over the reactors. */
typedef struct net_figures {
    int64_t http, websocket, subscriptions, opened, refused, requests;
    int64_t messages_in, messages_out, bytes_in, bytes_out, events;
    int64_t slow, errors, backpressure;
} net_figures;

typedef struct figure_set {
    int64_t at_us; /* monotonic */
    /* FROM_CPU */
    int64_t uptime_us;
    int64_t user_us, system_us; /* processor time of the process */
    int64_t threads;
    int64_t all_busy, all_ticks; /* of all processors since the machine started, in ticks */
    int64_t cores;
    /* FROM_MEMORY, bytes */
    int64_t resident, peak, virtual_size, memory_total, memory_available;
    /* FROM_DISK, bytes */
    int64_t database, wal, disk_free, disk_total;
    /* FROM_IO, bytes */
    int64_t io_read, io_written;
    net_figures net;                /* FROM_REACTORS */
    engine_stats engine;            /* FROM_ENGINE */
    int64_t feed_lag;               /* FROM_ENGINE */
    queries_stats live;             /* FROM_LIVE */
    latency_sum messages, requests; /* FROM_LATENCY */
    topic_list topics;              /* FROM_TOPICS; owned */
} figure_set;

/* Reads those of the given sources (FROM_*); the others are zero. Any thread but a reactor. */
void figures_read(figure_set *f, struct server *d, unsigned from);
void figures_free(figure_set *f);

/* The texts of files under /proc, each into its figures; what is not found stays. */
void figures_parse_stat(figure_set *f, const char *text);    /* /proc/stat */
void figures_parse_status(figure_set *f, const char *text);  /* /proc/self/status */
void figures_parse_meminfo(figure_set *f, const char *text); /* /proc/meminfo */
void figures_parse_io(figure_set *f, const char *text);      /* /proc/self/io */

#endif
