/* The daemon's record for its own user's command line (config/runtime.h): published when it is
 * ready, renewed when its TLS key changes, withdrawn when it stops. Any thread that may block. */
#ifndef DAEMON_PRESENCE_H
#define DAEMON_PRESENCE_H

#include "daemon/daemon.h"
#include "config/address.h"

typedef struct presence presence;

/* `at` is where it listens, as bound. */
presence *presence_new(server *d, const address *at);
void presence_free(presence *p); /* NULL is fine */

/* Cannot fail: without a record the command line has to be told where the token is. */
void presence_publish(presence *p);
/* Once published, the record is written with the key that is in use now. */
void presence_renew(presence *p);
/* From here on there is no record; NULL is fine. */
void presence_withdraw(presence *p);

#endif
