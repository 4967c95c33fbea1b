/* A reactor's WebSocket connections by number, to find the one that a request or a message names.
 * Chained through the connections, which costs each 8 bytes and the table 8 more. Reactor thread
 * only. */
#ifndef DAEMON_CONN_TABLE_H
#define DAEMON_CONN_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct conn;

typedef struct conn_table {
    struct conn **slots; /* chains by conn.next_by_number; NULL before the first one */
    size_t cap;          /* a power of two, or 0 */
    size_t count;
} conn_table;

/* Never fails but at the very first, when memory for a few slots is out and the process ends. */
void conn_table_add(conn_table *t, struct conn *c);
void conn_table_remove(conn_table *t, struct conn *c); /* harmless for one that is not in it */
struct conn *conn_table_find(const conn_table *t, uint64_t serial); /* NULL: not here */
void conn_table_free(conn_table *t);

#endif
