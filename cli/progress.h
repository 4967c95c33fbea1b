/* A progress bar on a terminal's standard error. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/output.h"

typedef struct progress {
    bool shown;        /* there is a terminal to draw on */
    bool utf8;         /* block characters may be used */
    const char *label; /* borrowed */
    int64_t total;     /* bytes, -1 when not known */
    int64_t done;
    int64_t started_us, drawn_us; /* monotonic */
} progress;

void progress_start(progress *p, const output *o, const char *label, int64_t total);
/* `n` more bytes; draws now and then. */
void progress_add(progress *p, int64_t n);
/* Takes the bar off the screen. */
void progress_end(progress *p);

/* The line as it is drawn after `elapsed_us`, for a terminal of `columns`. */
void progress_line(const progress *p, int64_t elapsed_us, int columns, buf *out);

#endif
