/* The OCSP response that is stapled to the handshake (RFC 6066, 8). Somebody else fetches it (a
 * timer, certbot's hook); here it is read, and left out once its time is over, since an old one is
 * worse than none. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/tls_material.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdio.h>

enum { RESPONSE_MAX = 65536 };

static bool read_der(tls_material *m, const char *file, error *e)
{
    if (!tls_readable("tls_ocsp", file, e))
        return false;
    FILE *f = fopen(file, "rb");
    if (!f)
        return error_set(e, ERR_INVALID_MESSAGE, "cannot open tls_ocsp %s", file);
    m->der = xalloc(RESPONSE_MAX + 1);
    m->der_len = fread(m->der, 1, RESPONSE_MAX + 1, f);
    fclose(f);
    if (m->der_len > 0 && m->der_len <= RESPONSE_MAX)
        return true;
    return error_set(e, ERR_INVALID_MESSAGE, "tls_ocsp %s is empty, or no OCSP response", file);
}

/* What the response says of our certificate; NULL when it is about another. */
static OCSP_SINGLERESP *about(OCSP_BASICRESP *basic, X509 *cert)
{
    for (int i = 0; i < OCSP_resp_count(basic); i++) {
        OCSP_SINGLERESP *one = OCSP_resp_get0(basic, i);
        ASN1_INTEGER *serial = NULL;
        OCSP_id_get0_info(NULL, NULL, NULL, &serial,
                          (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(one));
        if (serial && ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(cert)) == 0)
            return one;
    }
    return NULL;
}

/* The end of its time as wall clock; 0: it has none, or a distant one. */
static int64_t end_of(OCSP_SINGLERESP *one)
{
    ASN1_GENERALIZEDTIME *until = NULL;
    int days = 0, seconds = 0;
    OCSP_single_get0_status(one, NULL, NULL, NULL, &until);
    if (!until || ASN1_TIME_diff(&days, &seconds, NULL, until) != 1)
        return 0;
    return clock_wall_us() + ((int64_t)days * 86400 + seconds) * 1000000;
}

static bool look_at(tls_material *m, OCSP_BASICRESP *basic, const char *file, error *e)
{
    OCSP_SINGLERESP *one = basic ? about(basic, m->cert) : NULL;
    if (!one)
        return error_set(e, ERR_INVALID_MESSAGE,
                         "tls_ocsp %s says nothing about the certificate in tls_cert", file);
    m->der_until = end_of(one);
    if (m->der_until && m->der_until < clock_wall_us())
        log_warn("tls_ocsp", "the response in %s is out of date and is not stapled", file);
    return true;
}

bool tls_load_ocsp(tls_material *m, const char *file, error *e)
{
    if (!*file)
        return true;
    if (!read_der(m, file, e))
        return false;
    const unsigned char *at = m->der;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)m->der_len);
    ERR_clear_error();
    if (!response || OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
        OCSP_RESPONSE_free(response);
        return error_set(e, ERR_INVALID_MESSAGE, "tls_ocsp %s is no OCSP response that succeeded",
                         file);
    }
    OCSP_BASICRESP *basic = OCSP_response_get1_basic(response);
    bool ok = look_at(m, basic, file, e);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    return ok;
}
