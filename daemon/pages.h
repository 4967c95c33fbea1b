/* Pages for people and tools: Swagger UI, and the documents that describe the interfaces.
 *
 * What is served, and where, is up to the settings swagger and swagger_path: `off` leaves nothing
 * of it, `auth` wants credentials for it; since a browser asks for a page without a header of ours,
 * the token may then come as the password of Basic authentication, too (RFC 7617). */
#ifndef DAEMON_PAGES_H
#define DAEMON_PAGES_H

#include "daemon/http.h"

/* Answers a GET below swagger_path, or of an address where people look for it. False: it is none of
 * these, and was not answered. Reactor thread. */
bool pages_answer(request *q);

/* Answers with the document that the path names. */
void pages_document(request *q);

#endif
