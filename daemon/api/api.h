/* Handlers of the REST interface, one file per group of operations. operations.h, made from the
 * specification, declares one for each operation: the operation listTables is answered by
 * api_list_tables. Each is called on the reactor's thread with a complete request that fits its
 * description (one that streams: with its head), and answers it once, now or when its run is done.
 */
#ifndef DAEMON_API_API_H
#define DAEMON_API_API_H

#include "daemon/http.h"

#include "operations.h"

/* The form in which the client takes the result of one statement: an object, or lines. */
const run_encoder *api_result_encoder(const request *q);

#endif
