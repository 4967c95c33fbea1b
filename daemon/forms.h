/* Forms: what each protocol makes of an event or a published message, as whole WebSocket frames. A
 * message is written once per form, whoever gets it; nothing in it differs between its receivers.
 *
 * Every form exists twice: as it is, and compressed for connections that negotiated
 * permessage-deflate. Each message is compressed by itself, which leaves the choice of a window to
 * the sender (RFC 7692, 7.1.1), so that one compressed frame serves them all. */
#ifndef DAEMON_FORMS_H
#define DAEMON_FORMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "feed/feed.h"

typedef enum ws_form {
    FORM_JSON, /* {"type","payload"}, rustydb.json.v1 and the endpoints that speak its envelope */
    FORM_RPC,  /* notifications of JSON-RPC 2.0: {"jsonrpc":"2.0","method","params"} */
    FORM_RAW,  /* plain frames: what a channel's message holds, see raw_form.h */
    FORM_BIN,  /* rustydb.bin.v1: Event and Error messages, see bin_event.h */
    WS_FORMS,
} ws_form;

/* Numbers of forms with and without compression: a ws_form, or a ws_form + FORM_DEFLATED. */
enum { FORM_DEFLATED = WS_FORMS, FORM_COUNT = 2 * WS_FORMS };

/* Something to be told to connections. */
typedef struct form_message {
    const char *type; /* "event", "system", ... */
    const char *json; /* the payload, JSON text of `len` bytes */
    size_t len;
} form_message;

/* Appends the message's frame. A form that has no way to say it appends nothing. What fails shows
 * in out->failed. Any thread. */
void form_write(buf *out, int form, const form_message *m);

/* A row that is there when a subscription begins, as a frame likewise; filter "": none. */
void form_write_initial(buf *out, int form, const char *topic, const char *filter,
                        const char *const *names, const value *row, int n);

/* FORM_COUNT entries, for the feed. */
const feed_form *form_table(void);

#endif
