/* The topic `system`: what happens to the daemon itself. Nothing is made while nobody listens;
 * `max_daemon_events` bounds the events of a second. Any thread, while the reactors run. */
#ifndef DAEMON_SYSTEM_EVENTS_H
#define DAEMON_SYSTEM_EVENTS_H

#include "config/config.h"
#include "daemon/daemon.h"
#include "engine/engine.h"

struct conn;
struct sub;

/* Told to a connection that has just subscribed, so that it knows which daemon it is, and that it
 * is another one after a restart. Reactor thread. */
void system_say_started(struct conn *c);

void system_stopping(server *d);
/* Settings were read again: what differs, and whether it is in effect already. */
void system_reloaded(server *d, const config *was, const config *now);
void system_reload_failed(server *d, const error *e);
void system_checkpoint(server *d, const engine_checkpoint *c);
/* `action` is what was done about it, in the words of the policies. Reactor thread. */
void system_slow_consumer(const struct sub *s, const char *action);
/* Something was refused because a limit is reached (e says which). c may be NULL; reactor thread
 * of c. */
void system_limit_hit(server *d, const struct conn *c, const error *e);

#endif
