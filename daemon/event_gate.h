/* A bound on how many events a second go out on a topic, which counts those that it leaves out. Any
 * thread, without a lock: at the turn of a second a few more may get through. */
#ifndef DAEMON_EVENT_GATE_H
#define DAEMON_EVENT_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct event_gate {
    atomic_llong second;   /* the present one, of the monotonic clock */
    atomic_llong passed;   /* events in it */
    atomic_llong left_out; /* since somebody was told of it */
} event_gate;

/* Whether an event may pass, which stands for n; `most`: how many may in a second. Else it is left
 * out. */
bool event_gate_pass(event_gate *g, int64_t n, int64_t most, int64_t now_us);
/* Leaves one out. */
void event_gate_leave_out(event_gate *g);
/* How many were left out since the last call. */
int64_t event_gate_left_out(event_gate *g);

#endif
