/* Who this daemon is among others: an id that the data folder keeps. */
#ifndef DAEMON_NODE_H
#define DAEMON_NODE_H

#include "daemon/daemon.h"

/* Reads d->node_id from the database, where it is made once. Blocks: for the start only. */
bool node_identify(server *d, error *e);

#endif
