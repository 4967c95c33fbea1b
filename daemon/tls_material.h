/* What a tls_material is made of. For daemon/tls*.c alone; see tls.h. */
#ifndef DAEMON_TLS_MATERIAL_H
#define DAEMON_TLS_MATERIAL_H

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdint.h>

#include "daemon/tls.h"

struct tls_material {
    atomic_int refs;
    X509 *cert;
    STACK_OF(X509) * chain; /* those who vouch for it; NULL: none */
    EVP_PKEY *key;
    int verify;         /* how clients are asked for theirs: SSL_VERIFY_* */
    X509_STORE *store;  /* who vouches for clients; NULL: they are not asked */
    unsigned char *der; /* the OCSP response; NULL: none */
    size_t der_len;
    int64_t der_until; /* wall clock, us: it says nothing any more; 0: always */
    char pin[TLS_PIN_ROOM];
};

/* Reads the OCSP response that the settings name into m, whose certificate is known. The same
 * errors as tls_load's. */
bool tls_load_ocsp(tls_material *m, const char *file, error *e);

/* The same about a file that cannot be opened. */
bool tls_readable(const char *setting, const char *file, error *e);
/* What OpenSSL says was wrong, and forgets. */
const char *tls_last_reason(void);

#endif
