/* Messages to chosen connections, wherever they are: by id, by user, by what they are subscribed
 * to. (To a topic's subscribers or to everyone, without asking who they are: hub_publish.h.)
 *
 * The reactors choose and deliver in a survey; the one that asked is told how many got the message
 * and which. */
#ifndef DAEMON_AUDIENCE_H
#define DAEMON_AUDIENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/publication.h"

struct conn;

enum { AUDIENCE_NAMED = 1000 }; /* connections that an answer names */

/* Who is to get a message: those authenticated connections of which all that is given is true. */
typedef struct audience {
    const char *topic;           /* subscribed to it; NULL: to anything or nothing */
    const char *type;            /* with a subscription of this type ("table"); NULL: or not */
    const char *user;            /* of this user; NULL: of any */
    const uint64_t *connections; /* with one of these numbers, ascending; NULL: with any */
    size_t n_connections;
    bool list; /* tell which got it, not only how many */
} audience;

typedef struct audience_reached {
    int64_t n;
    bool list; /* the audience's; else nobody is named */
    size_t n_named;
    const uint64_t *named; /* numbers of the first AUDIENCE_NAMED, ascending */
} audience_reached;

/* Called once, on the origin's reactor; the connection may be CONN_DEAD by then. */
typedef void audience_done(struct conn *origin, void *arg, const audience_reached *r);

/* Copies the audience, takes over the reference to the message. The origin's reactor thread. */
void audience_send(struct conn *origin, const audience *to, publication *p, audience_done *done,
                   void *arg);

#endif
