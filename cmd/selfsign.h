/* A key and a certificate that it signs itself, for machines that no authority vouches for. */
#ifndef CMD_SELFSIGN_H
#define CMD_SELFSIGN_H

#include <stdbool.h>

#include "base/error.h"

typedef struct selfsign {
    const char *cert_file, *key_file; /* PEM; the key gets mode 0600 */
    char *const *names;               /* host names and addresses beside those of this machine */
    int n_names;
    int days;       /* until it ends */
    bool overwrite; /* what is at these paths */
} selfsign;

/* Makes both files, each whole or not at all; the key first. ECDSA on P-256, good for `localhost`,
 * 127.0.0.1, ::1 and the names. INVALID_MESSAGE for a name that is none, CONFLICT when a file is
 * there already, PERMISSION_DENIED or INTERNAL_ERROR when one cannot be written. May block. */
bool selfsign_make(const selfsign *s, error *e);

#endif
