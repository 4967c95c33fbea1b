/* What a connection still has to write: counted buffers in order, each a run of whole frames (or
 * bytes of an HTTP answer). Once one has been handed to the socket, whoever waits for that gets
 * credit: a run may go on reading rows, or a replay may read on in the change log. */
#ifndef DAEMON_OUTQ_H
#define DAEMON_OUTQ_H

#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"

struct run;

typedef struct out_item {
    list link;
    refbuf *data;     /* one reference is ours */
    size_t skip;      /* bytes at its front that are not for this connection */
    struct run *run;  /* NULL, or whom to credit */
    uint64_t replay;  /* 0, or the subscription whose replay this is */
    int64_t asked_us; /* 0, or when the message came that this answers */
} out_item;

typedef struct outq {
    list items;
    size_t bytes; /* waiting */
} outq;

#endif
