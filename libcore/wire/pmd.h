/* permessage-deflate (RFC 7692) on the receiving side of a server: choosing among what a client
 * offers, and inflating its messages piece by piece with a bound on what comes out. Knows no
 * sockets. What is sent is compressed by ws_frame_add_deflated. A pmd_inflater belongs to one
 * thread. */
#ifndef WIRE_PMD_H
#define WIRE_PMD_H

#include <stdbool.h>
#include <stddef.h>
#include <zlib.h>

#include "base/buf.h"

/* The window, in bits, of all that is sent compressed: what is compressed once is inflated by every
 * connection. Larger ones make messages like ours no smaller and cost more to set up. */
enum { PMD_WINDOW_BITS = 12 };

typedef struct pmd_offer {
    int index;               /* its place among the header's offers of permessage-deflate, from 0 */
    bool client_no_takeover; /* the client begins each message with an empty window */
} pmd_offer;

/* Reads a Sec-WebSocket-Extensions header for the first offer of permessage-deflate that can be
 * accepted; false when there is none. Parameters that are unknown, repeated or ill-formed make an
 * offer unacceptable (RFC 7692, 7), and so does a limit on our window below PMD_WINDOW_BITS.
 *
 * libwebsockets, which writes the answer, stops at the accepted offer only where that has
 * parameters, and takes another offer behind it for an error. So one without parameters is chosen
 * only when it is the last. */
bool pmd_choose(const char *header, pmd_offer *out);

typedef enum pmd_result { PMD_OK, PMD_BAD, PMD_TOO_BIG, PMD_NO_MEMORY } pmd_result;

/* All zero: nothing has come yet, and no memory is held. */
typedef struct pmd_inflater {
    z_stream z;
    bool running;     /* z is set up */
    bool ended;       /* behind a final block; what follows begins a new one */
    bool has_input;   /* the message that is arriving is not empty */
    bool no_takeover; /* each message has its own window: nothing is kept between them */
} pmd_inflater;

/* Inflates the next n bytes of a message and appends them to out, which never grows beyond max
 * bytes. With `last`, the message ends here. After anything but PMD_OK only pmd_free may follow. */
pmd_result pmd_inflate(pmd_inflater *p, const void *in, size_t n, bool last, buf *out, size_t max);
void pmd_free(pmd_inflater *p);

#endif
