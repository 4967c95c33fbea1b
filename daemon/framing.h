/* Headers that say how long a request is, written so that libwebsockets takes them for others while
 * a proxy in front may not. Reactor thread. */
#ifndef DAEMON_FRAMING_H
#define DAEMON_FRAMING_H

#include <libwebsockets.h>
#include <stdbool.h>

/* Whether there is a space or tab between the name of such a header and its colon, which is to be
 * refused (RFC 9112, 5.1). */
bool http_framing_hidden(struct lws *wsi);

#endif
