/* What the daemon tells the audit log (audit/audit.h).
 *
 * An operation of the REST interface that is to stand in the log says so in its description, with
 * `x-rustydb-audit: ACTION` (audit/actions.def): its answer then becomes a record, with who asked,
 * from where, and what came of it. Refused credentials, missing rights and exceeded limits are
 * recorded for every operation. For all else there are the calls below, each one line:
 *
 *     audit_request(q, AUDIT_USER_CREATE, name, NULL, NULL);
 *     audit_conn(c, AUDIT_AUTH_FAILED, NULL, &e, NULL);
 *     audit_daemon(d, AUDIT_CONFIG_RELOAD, NULL, NULL, NULL);
 *
 * `target`: what it was done to, or NULL. `why`: the error that it was refused with, or NULL when
 * it was done. `detail`: a JSON object as text, copied, or NULL. None of them blocks. */
#ifndef DAEMON_AUDIT_H
#define DAEMON_AUDIT_H

#include "audit/audit.h"
#include "auth/identity.h"
#include "daemon/daemon.h"
#include "daemon/peer.h"

struct conn;
struct request;

/* Opens the log, unless the setting `audit` is off. Blocks; before the reactors. */
bool audit_start(server *d, error *e);
/* Writes what waits and closes it; the engine is still there, and nobody calls the below any more.
 */
void audit_stop(server *d);
/* When the engine is closed. */
void audit_free(server *d);

/* Any thread. */
void audit_record(server *d, const audit_from *from, audit_action what, const char *target,
                  const error *why, const char *detail);
void audit_daemon(server *d, audit_action what, const char *target, const error *why,
                  const char *detail);
/* On the thread of the connection's reactor. */
void audit_request(struct request *q, audit_action what, const char *target, const error *why,
                   const char *detail);
void audit_conn(struct conn *c, audit_action what, const char *target, const error *why,
                const char *detail);

/* Who asks, for a record that is made later or on another thread. Reactor thread. */
audit_from audit_from_request(const struct request *q);
audit_from audit_from_conn(const struct conn *c);
/* The same for an identity alone. */
audit_from audit_from_identity(const identity *who);

/* A connection was turned away before it could say anything. */
void audit_turned_away(server *d, const peer *from, const char *why);

/* With `audit = strict`, AUDIT_UNAVAILABLE for an action that matters while it could not be
 * recorded. Any thread. */
bool audit_allows(server *d, audit_action what, error *e);

/* ---- for http.c ---- */
/* The same for the request's operation. */
bool audit_admits(const struct request *q, error *e);
/* The head of an answer goes out. */
void audit_answered(struct request *q, int status);
/* It is refused. */
void audit_refused(struct request *q, const error *e);
/* The request ends, and if it was not answered, nobody hears what came of it: the log says that it
 * was begun. */
void audit_unanswered(struct request *q);
/* What the record of the request's operation says further: a JSON object, copied. */
void audit_set_detail(struct request *q, const char *json);

#endif
