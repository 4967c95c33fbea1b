/* What the daemon tells of a WebSocket connection to those who manage it. On the thread of the
 * connection's reactor. */
#ifndef DAEMON_CONN_DESCRIBE_H
#define DAEMON_CONN_DESCRIBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "daemon/conn.h"
#include "json/writer.h"

/* What a connection is, to the eyes of its managers. */
typedef enum conn_phase {
    CONN_AUTHENTICATING, /* open, and has not said who it is */
    CONN_OPEN,
    CONN_LEAVING, /* shown as "closing": what waits is written, then it ends */
} conn_phase;

/* False for what is no WebSocket (any more, or yet). */
bool conn_phase_of(const conn *c, conn_phase *phase);
const char *conn_phase_name(conn_phase phase);
/* INVALID_MESSAGE for a word that is none of them. */
bool conn_phase_parse(const char *name, conn_phase *phase, error *e);

/* The number in a connection's id ("c12"); 0 when no connection can have it. */
uint64_t conn_parse_id(const char *id);

/* Writes it as an object. */
void conn_describe(conn *c, json_writer *w);

/* ---- shared by descriptions ---- */
/* The number in an id of a letter and a number; 0 when it is none. */
uint64_t describe_parse_id(char letter, const char *id);
/* The other end of a connection as the member `remote_address`, HOST:PORT; null where it has none.
 */
void describe_remote(json_writer *w, const conn *c);
/* A moment of the monotonic clock as a member, in RFC 3339; 0 gives null. */
void describe_moment(json_writer *w, const server *d, const char *key, int64_t mono_us);

#endif
