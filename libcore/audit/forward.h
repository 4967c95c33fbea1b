/* Copies of audit records to the system's logs: syslog(3), with facility authpriv, and journald by
 * its native protocol (datagrams to a socket; no library). A copy that cannot be sent is no reason
 * to stop: it is said once, until it works again. One thread. */
#ifndef AUDIT_FORWARD_H
#define AUDIT_FORWARD_H

#include "audit/record.h"

typedef struct forwarder forwarder;

/* `journal`: path of journald's socket; empty: none. */
forwarder *forward_open(bool to_syslog, const char *journal);
void forward_close(forwarder *f);

/* A record and its line (n bytes, printable ASCII). */
void forward_line(forwarder *f, const audit_entry *r, const char *line, size_t n);

#endif
