/* Preferences of a request (RFC 7240). Any thread. */
#ifndef DAEMON_PREFER_H
#define DAEMON_PREFER_H

#include <stdbool.h>
#include <stdint.h>

/* The seconds of `wait=N` in a header Prefer, at most `max`. False where there is no such
 * preference or it is no number; header NULL: false. */
bool prefer_wait(const char *header, int64_t max, int64_t *seconds);

#endif
