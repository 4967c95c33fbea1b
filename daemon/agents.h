/* The User-Agent texts of a reactor's connections, each kept once however many connections sent it.
 * Thousands of connections come from a handful of programs. Reactor thread only. */
#ifndef DAEMON_AGENTS_H
#define DAEMON_AGENTS_H

#include "daemon/reactor.h"

enum { AGENT_MAX = 200 }; /* bytes kept of one */

typedef struct agent {
    int users; /* connections */
    char text[];
} agent;

/* The agent of a new connection, cut to AGENT_MAX; NULL when the text is empty or memory is out. */
agent *agent_hold(reactor *r, const char *text);
void agent_release(reactor *r, agent *a); /* NULL is fine */

#endif
