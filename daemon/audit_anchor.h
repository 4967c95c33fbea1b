/* Where the audit log had come to, as the database remembers it, so that records which were cut off
 * at the end of the log are missed. Kept on the way, at most every few seconds, and at the stop. */
#ifndef DAEMON_AUDIT_ANCHOR_H
#define DAEMON_AUDIT_ANCHOR_H

#include "audit/audit.h"
#include "daemon/daemon.h"

typedef struct audit_anchors audit_anchors;

/* Reads the anchor that was kept last into c->known, and has the log's further ones kept. One of a
 * database that was restored into this folder belongs to another log and is none here. Blocks; at
 * the start. NULL on error. */
audit_anchors *audit_anchors_open(server *d, audit_config *c, error *e);
/* Hands the last of this run to the engine, which writes it before it closes: it may have to end an
 * open transaction first. At the stop; the log is closed. */
void audit_anchors_stop(audit_anchors *k, const audit_anchor *last);
/* When the engine is closed. NULL is fine. */
void audit_anchors_free(audit_anchors *k);

#endif
