/* The form FORM_RAW: a channel's message as a plain frame, for clients that know no envelope. */
#ifndef DAEMON_RAW_FORM_H
#define DAEMON_RAW_FORM_H

#include "daemon/forms.h"
#include "wire/ws_frame.h"

/* A text is written as it is, {"$base64":"..."} as its bytes, any other message as its JSON; and so
 * is what is no message: an event of a table, say. Any thread. */
ws_opcode raw_write_message(buf *out, const form_message *m);

#endif
