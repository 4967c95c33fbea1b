/* Errors as the daemon sends them: problem documents (RFC 9457) over REST, `error` payloads over
 * WebSocket. */
#ifndef CLI_PROBLEM_H
#define CLI_PROBLEM_H

#include <stdbool.h>

#include "base/error.h"
#include "cli/scan.h"

/* Takes {"code","detail" or "message","hint"?,"position"?,"oldest"?,"rows_kept"?} apart. False,
 * with e untouched, when the object has no code and no text. `status` is the HTTP status, 0 for
 * none: it stands in for a code that is not known here. */
bool problem_read(scan_text object, int status, error *e);
/* The error for an HTTP status without a problem document. */
void problem_of_status(int status, error *e);

#endif
