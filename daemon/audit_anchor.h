/* Where the audit log had come to, as the database remembers it, so that records cut off at the end
 * of the log are missed. */
#ifndef DAEMON_AUDIT_ANCHOR_H
#define DAEMON_AUDIT_ANCHOR_H

#include "audit/audit.h"
#include "daemon/daemon.h"

/* Reads the anchor that was kept last into c->known. One of a database that was restored into this
 * folder belongs to another log and is no anchor here. Blocks; at the start. */
bool audit_anchor_load(server *d, audit_config *c, error *e);
/* Keeps the last of this run. Blocks; at the stop. */
void audit_anchor_save(server *d, const audit_anchor *a);

#endif
