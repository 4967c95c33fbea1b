/* Header lines that keep browsers from doing harm with an answer: on each one, errors too. */
#ifndef DAEMON_SAFE_HEADERS_H
#define DAEMON_SAFE_HEADERS_H

#include "base/buf.h"

/* Appends all of them, except those that stand in `own` (the answer's own lines, or NULL). */
void safe_headers_put(buf *out, const char *own);

#endif
