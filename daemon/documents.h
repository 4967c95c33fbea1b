/* The documents that describe the interfaces, as they are served: those that were made when the
 * project was built, with the stored queries among the paths of the OpenAPI ones. A reactor keeps
 * its own, with their compressed form, until the set of stored queries changes. Reactor thread. */
#ifndef DAEMON_DOCUMENTS_H
#define DAEMON_DOCUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "daemon/assets.h"
#include "daemon/etag.h"

struct reactor;

typedef struct document {
    const asset *of;
    bool stored;         /* with the stored queries among the paths */
    uint64_t generation; /* of the stored queries */
    buf plain, packed;   /* packed: gzip */
    char plain_etag[ETAG_ROOM], packed_etag[ETAG_ROOM];
} document;

typedef struct documents documents;

/* The document that an asset becomes, with the stored queries or without; borrowed until the next
 * call. Its bufs have failed where memory was out. NULL: out of memory altogether. */
const document *documents_get(struct reactor *r, const asset *a, bool stored);

/* NULL is fine. */
void documents_free(documents *d);

#endif
