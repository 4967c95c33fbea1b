/* Whether what the daemon listens on may be reached in the way it is set to: HTTP without TLS is
 * for this machine, unless the settings say otherwise twice. */
#ifndef DAEMON_EXPOSURE_H
#define DAEMON_EXPOSURE_H

#include "base/error.h"
#include "config/address.h"
#include "config/config.h"

/* `bound` is the address that `listen` has led to. INVALID_MESSAGE says why it is refused, and what
 * to do. Warns in the log where plain HTTP is served to the network. */
bool exposure_check(const config *cfg, const address *bound, error *e);

#endif
