#include "daemon/audit_anchor.h"

#include <string.h>

#include "base/log.h"

static const char key[] = "audit.anchor";

typedef struct stored_anchor {
    char change_log[sizeof((server *)0)->log_id]; /* its id names the database's life */
    audit_anchor a;
} stored_anchor;

bool audit_anchor_load(server *d, audit_config *c, error *e)
{
    stored_anchor s;
    long n = engine_meta_get(d->engine, key, &s, sizeof s, e);
    if (n == sizeof s && memcmp(s.change_log, d->log_id, sizeof s.change_log) == 0)
        c->known = s.a;
    return n >= 0 || e->code == ERR_NONE || e->code == ERR_NOT_FOUND ||
           e->code == ERR_MESSAGE_TOO_BIG; /* of another version */
}

void audit_anchor_save(server *d, const audit_anchor *a)
{
    stored_anchor s;
    error e;
    memset(&s, 0, sizeof s);
    memcpy(s.change_log, d->log_id, sizeof s.change_log);
    s.a = *a;
    if (!engine_meta_set(d->engine, key, &s, sizeof s, &e))
        log_warn("audit", "the database does not remember the end of the audit log: %s", e.message);
}
