/* Decoder for chunked request bodies (RFC 9112, 7.1), which libwebsockets leaves to us. Fed bytes
 * in any pieces. */
#ifndef DAEMON_CHUNKED_H
#define DAEMON_CHUNKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum chunked_state {
    CHUNKED_SIZE,      /* hexadecimal digits of a chunk's size */
    CHUNKED_EXTENSION, /* behind them, ignored up to the line's end */
    CHUNKED_DATA,
    CHUNKED_DATA_CR, /* the CRLF behind the data */
    CHUNKED_DATA_LF,
    CHUNKED_TRAILER, /* lines after the last chunk, ignored; an empty one ends the body */
    CHUNKED_DONE,
    CHUNKED_BAD,
} chunked_state;

typedef struct chunked {
    chunked_state state;
    uint64_t left; /* bytes of the chunk still to come */
    int digits;    /* of the size */
    int line;      /* bytes of the present extension or trailer line */
    int trailers;  /* bytes of all trailer lines */
} chunked;

/* Takes bytes from p, and gives the next run of body bytes as *data, *n (n 0: none). Returns how
 * many bytes of p it used; call again with the rest. It stops at CHUNKED_DONE and CHUNKED_BAD. */
size_t chunked_feed(chunked *c, const char *p, size_t len, const char **data, size_t *n);

#endif
