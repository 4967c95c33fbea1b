/* From JSON requests to jobs and frames: what REST and WebSocket have in common. Reactor thread. */
#ifndef DAEMON_PARAMS_H
#define DAEMON_PARAMS_H

#include <jansson.h>

#include "base/buf.h"
#include "base/error.h"
#include "daemon/publication.h"
#include "engine/engine.h"

#define MAX_TIMEOUT_MS 86400000
enum { PARAMS_MAX = 32766 }; /* of one statement */

/* The fields that a request to run SQL has. Pointers are borrowed from the request. */
typedef struct sql_request {
    const char *sql;
    json_t *params;               /* NULL, array or object */
    int64_t timeout_ms, max_rows; /* 0: not given */
} sql_request;

/* Copies one statement and its limits into the job's arena. */
bool params_fill_job(job *j, const sql_request *s, error *e);
/* One statement into an arena (for batches); `where` names it in errors ("statements[3]."). */
bool params_fill_stmt(engine_stmt *to, arena *mem, const char *sql, json_t *params,
                      const char *where, error *e);
/* A client's id of a query or transaction; INVALID_MESSAGE when it is empty or too long. */
bool params_set_id(char to[ENGINE_ID_MAX + 1], const char *id, const char *what, error *e);

typedef struct broadcast_request {
    const char *channel; /* NULL: everyone */
    const char *event;
    json_t *message;
    json_t *metadata;
} broadcast_request;

/* The event of a broadcast, for any number of connections. NULL with e set when the channel's name
 * is not acceptable. */
publication *params_broadcast(const broadcast_request *b, error *e);
enum { TOPIC_ROOM = 256 };
/* The topic of a channel whose name is acceptable. */
void params_channel_topic(const char *channel, char out[TOPIC_ROOM]);
/* Channel names: 1 to 200 bytes, no control characters. */
bool params_check_channel(const char *name, error *e);

#endif
