/* The record of the daemons that run under this user, so that the command line gets into them
 * without being told how.
 *
 * A daemon publishes one file per address it listens on, in $XDG_RUNTIME_DIR/rustydb, or in
 * /tmp/rustydb-UID where that is not to be had; both are looked into. The folder and its files are
 * trusted only when they belong to this user and are closed to everyone else. The daemon holds a
 * lock on its file for as long as it lives: a file without one is stale, whatever its pid says, and
 * whoever finds it removes it.
 *
 * Only loopback addresses are recorded, as numbers: whoever sends the token must connect to the
 * record's own address, not to what a name leads to. */
#ifndef CONFIG_RUNTIME_H
#define CONFIG_RUNTIME_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/address.h"

typedef struct runtime_record {
    char url[300]; /* "http://127.0.0.1:8080" */
    address at;    /* the same, a numeric loopback address */
    char data_dir[PATH_MAX];
    char token_file[PATH_MAX];
    char tls_pin[64]; /* "sha256//BASE64" of its certificate's public key; "" without TLS */
    int64_t pid;
    char started_at[40]; /* RFC 3339 */
} runtime_record;

typedef struct runtime_entry runtime_entry;

/* Records that this process listens at `at` (the numeric address it is bound to, with the real
 * port; "any" addresses are recorded as the loopback address that reaches them). Paths may be
 * relative. tls_pin: of the key it shows, NULL when it speaks no TLS. NULL with NOT_FOUND when the
 * address cannot be reached over loopback (nothing to record), PERMISSION_DENIED when there is no
 * folder to trust, or INTERNAL_ERROR: the daemon can go on without. Not thread-safe. */
runtime_entry *runtime_publish(const address *at, const char *tls_pin, const char *data_dir,
                               const char *token_file, error *e);
void runtime_withdraw(runtime_entry *r); /* NULL is fine */

/* Finds the live daemon of this user at a loopback host and port; "localhost" finds 127.0.0.1 and
 * ::1. NOT_FOUND when there is none, or the host is not loopback. */
bool runtime_find(const char *host, int port, runtime_record *out, error *e);

/* All live daemons of this user, at most `max` of them; how many there are. */
int runtime_list(runtime_record *out, int max);

/* Reads the token that belongs to a record, NUL-terminated. NOT_FOUND or PERMISSION_DENIED (the
 * file is open to others). */
bool runtime_token(const runtime_record *r, char *out, size_t room, error *e);

#endif
