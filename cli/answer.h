/* The answer to a query as JSON lines, taken as it arrives: {"columns":[...]}, then one array a
 * row, then {"end":{...}} or {"error":{...}}. Rows go straight to a format. */
#ifndef CLI_ANSWER_H
#define CLI_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "cli/format/format.h"

typedef struct answer {
    format *format;   /* not owned */
    buf line;         /* the beginning of a line whose end has not come */
    bool has_columns; /* the statement gives rows */
    bool ended;       /* its end, or its error, has come */
    bool truncated;   /* the daemon left rows out, as it was asked to */
    int64_t rows, changes;
    char elapsed_ms[32]; /* as the daemon wrote it; may be empty */
    error err;           /* code is ERR_NONE while all is well */
} answer;

void answer_init(answer *a, format *f);
/* Takes a piece. False when it is not understood or the daemon reported an error (see err). */
bool answer_feed(answer *a, const char *p, size_t n);
/* No more will come. False when the answer is not complete, or failed. */
bool answer_finish(answer *a);
void answer_free(answer *a);

#endif
