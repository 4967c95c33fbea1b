/* A bound on records that strangers can cause: so many of each action are written in a minute, the
 * others are counted, and the count is written behind the minute. Any thread, without a lock: at
 * the turn of a minute a few more may get through. */
#ifndef AUDIT_GATE_H
#define AUDIT_GATE_H

#include <stdatomic.h>

#include "audit/record.h"

enum { AUDIT_A_MINUTE = 60 };

typedef struct audit_gate {
    atomic_llong minute;   /* of the monotonic clock */
    atomic_llong passed;   /* in it */
    atomic_llong left_out; /* since somebody was told of it */
} audit_gate;

/* Whether one more may pass; else it is counted. */
bool audit_gate_pass(audit_gate *g, int64_t now_us);
/* How many were left out in minutes that are over; 0 while the present one goes on. */
int64_t audit_gate_left_out(audit_gate *g, int64_t now_us);
/* The same, however far the minute is. */
int64_t audit_gate_drain(audit_gate *g);

#endif
