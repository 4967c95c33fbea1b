/* What every command of the client understands: where the daemon is, how to get in, how to speak.
 * Filled by cmd/ from flags and environment before a command runs; read by the rest. All text is
 * borrowed from the command line or the environment and lives as long as the process. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define CLI_DEFAULT_URL "http://127.0.0.1:8080"

typedef struct cli_options {
    const char *url;    /* --url or RUSTYDB_URL; NULL: neither, so CLI_DEFAULT_URL */
    const char *token;  /* --token or RUSTYDB_TOKEN; NULL: neither, look for a local one */
    const char *format; /* --format, one that the command knows; NULL: its own choice */
    const char *cacert; /* --cacert: file of certificates to trust, NULL: the system's */
    const char *cert;   /* --cert and --key: the client's own certificate, NULL: none */
    const char *key;
    int64_t timeout_ms; /* --timeout: limit of a request, 0: none but the daemon's */
    int verbose;        /* how many -v */
    bool quiet;         /* no notices and no progress; errors only */
    bool no_color;      /* --no-color, NO_COLOR, or a dumb terminal */
    bool insecure;      /* take any certificate */
} cli_options;

#endif
