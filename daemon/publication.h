/* A message on its way to many connections: it is written once per form, when the first connection
 * of that form is about to get it. Any thread may hold one. */
#ifndef DAEMON_PUBLICATION_H
#define DAEMON_PUBLICATION_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/error.h"
#include "daemon/forms.h"

typedef struct publication {
    atomic_int refs;
    const char *type; /* a string constant */
    size_t len;
    char *json; /* the payload; owned */
    _Atomic(refbuf *) frames[FORM_COUNT];
} publication;

/* Copies the payload; one reference. NULL with INTERNAL_ERROR when memory is out. */
publication *publication_new(const char *type, const char *json, size_t len, error *e);
publication *publication_ref(publication *p);
void publication_unref(publication *p); /* NULL is fine */

/* The frame in this form, the publication's own; empty when the form has no way to say it, NULL
 * when memory is out. */
const refbuf *publication_frame(publication *p, int form);

#endif
