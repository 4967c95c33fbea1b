#include "daemon/exposure.h"
#include "base/log.h"
#include "daemon/tls.h"

#include <string.h>

bool exposure_check(const config *cfg, const address *bound, error *e)
{
    bool local = address_is_loopback(bound->host);
    if (tls_wanted(cfg) || (local && strcmp(cfg->plain_http, "never") != 0))
        return true;
    if (strcmp(cfg->plain_http, "never") == 0) {
        error_set(e, ERR_INVALID_MESSAGE,
                  "listen = %s would be plain HTTP, and plain_http is never", cfg->listen);
        return error_hint(e, "Set tls_cert and tls_key; \"rustydb tls selfsign\" makes both.");
    }
    if (strcmp(cfg->plain_http, "anywhere") == 0 &&
        strcmp(cfg->plain_http_confirm, cfg->listen) == 0) {
        log_warn("plain_http", "tokens and data travel unencrypted to and from %s", cfg->listen);
        return true;
    }
    error_set(e, ERR_INVALID_MESSAGE,
              "listen = %s would serve plain HTTP to the network: tokens and data could be read on "
              "the way",
              cfg->listen);
    return error_hint(e,
                      "Set tls_cert and tls_key (\"rustydb tls selfsign\" makes both), or say "
                      "it twice: plain_http = anywhere and plain_http_confirm = %s.",
                      cfg->listen);
}
