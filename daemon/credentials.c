#include "daemon/credentials.h"

#include <netdb.h>
#include <sys/socket.h>

#include "daemon/daemon.h"
#include "daemon/reactor.h"

/* The address at the other end, as numbers; NULL: it has none. */
static const char *address_of(const conn *c, char *text, socklen_t room)
{
    struct sockaddr_storage from;
    socklen_t n = sizeof from;
    bool ok = getpeername(c->fd, (struct sockaddr *)&from, &n) == 0 && from.ss_family != AF_UNIX &&
              getnameinfo((struct sockaddr *)&from, n, text, room, NULL, 0, NI_NUMERICHOST) == 0;
    return ok ? text : NULL;
}

identity *conn_identify(const conn *c, const char *token, size_t n, error *e)
{
    char address[NI_MAXHOST];
    const credential shown = {
        .kind = CREDENTIAL_TOKEN,
        .text = token,
        .n = n,
        .address = address_of(c, address, sizeof address),
    };
    return auth_identify(c->r->d->auth, &shown, e);
}
