/* Entity tags (RFC 9110, 8.8.3) and the conditions that name them. Any thread. */
#ifndef DAEMON_ETAG_H
#define DAEMON_ETAG_H

#include <stdbool.h>
#include <stddef.h>

enum { ETAG_ROOM = 2 + 32 + 1 };

/* The strong tag of n bytes: 128 bits of their SHA-256, in quotes. */
void etag_make(const void *bytes, size_t n, char out[ETAG_ROOM]);

/* Whether a header If-Match or If-None-Match names the tag, or everything ("*"). weak: a tag marked
 * W/ counts, too (If-None-Match); otherwise it never does (If-Match). header NULL: false. */
bool etag_listed(const char *header, const char *etag, bool weak);

#endif
