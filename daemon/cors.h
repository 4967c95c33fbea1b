/* Cross-origin requests: which pages of other origins a browser lets ask us (the Fetch standard,
 * "HTTP extensions"). The setting cors_origins names them; without it there are no such headers,
 * and a browser keeps everyone out. Reactor thread. */
#ifndef DAEMON_CORS_H
#define DAEMON_CORS_H

#include "base/buf.h"
#include "daemon/http.h"

/* Appends the headers that let the page see an answer; nothing when the request is of no page, or
 * of one that may not. */
void cors_put(buf *out, const request *q);
/* The same for the answer to OPTIONS: what the page may send. allow: methods of the path. */
void cors_put_preflight(buf *out, const request *q, const char *allow);

/* Whether a list of origins, as the setting has it ("*", or several with spaces between, of which
 * each may stand for all hosts below one by "*." before its name), names this one. Any thread. */
bool cors_listed(const char *origins, const char *origin);

#endif
