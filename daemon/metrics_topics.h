/* What was delivered per topic: counts from the reactors put together, and the busiest ones picked
 * out. Any thread; a list has one owner at a time. */
#ifndef DAEMON_METRICS_TOPICS_H
#define DAEMON_METRICS_TOPICS_H

#include <stdbool.h>
#include <stdint.h>

#include "json/writer.h"

enum { TOPICS_TOP = 20 }; /* topics that are named at most */

/* Counted since the topic's stream exists, which is while it has subscribers. */
typedef struct topic_count {
    char *name; /* owned */
    int64_t subscribers, messages, bytes;
} topic_count;

typedef struct topic_list {
    topic_count *items; /* by name, after topics_merge */
    int n, cap;
    bool failed; /* memory ran out: something is missing */
} topic_list;

void topics_add(topic_list *l, const char *name, int64_t subscribers, int64_t messages,
                int64_t bytes);
/* Adds another list to one (both may be in any order), and sorts: a name stands once then. The
 * other one is empty afterwards. */
void topics_merge(topic_list *to, topic_list *from);
bool topics_copy(topic_list *to, const topic_list *from);
void topics_free(topic_list *l);

/* A topic with its rates over a period. */
typedef struct topic_rate {
    const topic_count *of;  /* in the list `now` */
    double messages, bytes; /* per second */
} topic_rate;

/* The busiest topics of `now`, by messages delivered since `was` (both merged): at most TOPICS_TOP.
 * Returns how many. */
int topics_rank(const topic_list *now, const topic_list *was, int64_t span_us,
                topic_rate out[TOPICS_TOP]);

#endif
