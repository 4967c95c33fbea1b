#include "daemon/credentials.h"

#include <string.h>

#include "daemon/daemon.h"
#include "daemon/tls_peer.h"

identity *conn_identify(const conn *c, const ip_address *from, const char *token, size_t n,
                        error *e)
{
    char address[IP_TEXT_ROOM];
    ip_format(from, address);
    const credential shown = {
        .kind = CREDENTIAL_TOKEN,
        .text = token,
        .n = n,
        .address = ip_is_known(from) ? address : NULL,
    };
    return auth_identify(c->r->d->auth, &shown, e);
}

static identity *by_certificate(const conn *c, const char *name, error *e)
{
    const credential shown = {.kind = CREDENTIAL_CERTIFICATE, .text = name, .n = strlen(name)};
    return auth_identify(c->r->d->auth, &shown, e);
}

/* By its subject, or the first of its alternative names that somebody has. */
static identity *by_certificates(const conn *c, const peer_certificate *p, error *e)
{
    error unwanted;
    identity *who = by_certificate(c, p->subject, e);
    for (int i = 0; !who && i < p->n_names; i++)
        who = by_certificate(c, p->names[i], &unwanted);
    return who;
}

static identity *by_uid(const conn *c, error *e)
{
    uid_t uid;
    if (!conn_peer_uid(c, &uid))
        return NULL;
    const credential shown = {.kind = CREDENTIAL_PEER, .uid = uid};
    return auth_identify(c->r->d->auth, &shown, e);
}

identity *conn_identify_peer(const conn *c, error *e)
{
    error_clear(e);
    peer_certificate *p = conn_peer_certificate(c);
    identity *who = p ? by_certificates(c, p, e) : by_uid(c, e);
    peer_certificate_free(p);
    return who;
}
