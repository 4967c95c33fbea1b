/* What the daemon tells of the open interactive transaction. Any thread. */
#ifndef DAEMON_TX_DESCRIBE_H
#define DAEMON_TX_DESCRIBE_H

#include "daemon/daemon.h"
#include "json/writer.h"

/* Writes it as an object; null when there is none. */
void describe_transaction(json_writer *w, const server *d, const engine_pool *p);

#endif
