/* Reads what redis pushes to a subscriber (RESP2 arrays), split anywhere: so that its fan-out can
 * be measured beside the daemon's by the same generator. */
#ifndef BENCH_RESP_H
#define BENCH_RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "cli/bench/target.h"

typedef struct bench_resp {
    /* An array is complete. payload is its last text, NULL when that was split. */
    void (*message)(void *arg, const char *payload, size_t len);
    void *arg;
    const char *broken; /* why nothing more is read; NULL: all is well */
    int elements;       /* of the array, still to come */
    bool in_text;       /* left bytes of a text and its line end are to come */
    size_t left;
    size_t text_len;  /* of the last text */
    const char *text; /* where it lies, NULL when it was split or there was none */
    char line[24];
    size_t line_len;
} bench_resp;

/* False when it is no such protocol; p->broken says so. */
bool bench_resp_feed(bench_resp *r, const char *p, size_t n);

/* Appends the redis command with the target's key or channel, and a value where there is one. */
void bench_redis_command(buf *out, const char *command, const bench_target *to, const char *value);

#endif
