/* rustydb tls: what TLS needs on a machine that no authority vouches for. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "cmd/command.h"
#include "cmd/selfsign.h"

typedef struct tls_options {
    const char *dir;
    int64_t days;
    bool force;
} tls_options;

enum { DEFAULT_DAYS = 365, MAX_DAYS = 3650 };

static const option options[] = {
    {"dir", 'd', "DIR", "folder to write to (default: this one)", OPTION_TEXT,
     offsetof(tls_options, dir)},
    {"days", 0, "N", "days until the certificate ends (default: 365)", OPTION_INT,
     offsetof(tls_options, days), 1, MAX_DAYS},
    {"force", 'f', NULL, "overwrite what is there", OPTION_SWITCH, offsetof(tls_options, force)},
};

const command_usage usage_tls = {
    .synopsis = "[OPTION...] selfsign [NAME...]",
    .details = "Makes a key (rustydb-key.pem, readable by its owner alone) and a certificate\n"
               "(rustydb-cert.pem) for localhost, 127.0.0.1, ::1 and each NAME, which is a host\n"
               "or an address, and says how to use them. Nobody vouches for it: clients have to\n"
               "be given the certificate.",
    .examples = "  rustydb tls selfsign\n"
                "  rustydb tls --dir /etc/rustydb --days 90 selfsign db.example.com 192.0.2.7",
    COMMAND_OPTIONS(options),
};

static void explain(const char *cert, const char *key, const char *host)
{
    printf("made %s and %s\n\n"
           "The daemon:\n"
           "  rustydb serve --tls-cert %s --tls-key %s\n"
           "Clients (on this machine, your own rustydb knows it by itself):\n"
           "  rustydb status --url https://%s:8080 --cacert %s\n"
           "  curl --cacert %s https://%s:8080/api/v1/health/liveness\n"
           "After making it anew: kill -HUP the daemon.\n",
           cert, key, cert, key, host, cert, cert, host);
}

static int make(const command *self, const tls_options *o, int n, char **names)
{
    error e;
    buf cert = BUF_INIT, key = BUF_INIT;
    int status = EXIT_OK;
    if (o->dir && mkdir(o->dir, 0700) != 0 && errno != EEXIST) {
        error_set(&e, ERR_INVALID_MESSAGE, "cannot make the folder %s: %s", o->dir,
                  strerror(errno));
        return command_fail(self, &e);
    }
    buf_addf(&cert, "%s%srustydb-cert.pem", o->dir ? o->dir : "", o->dir ? "/" : "");
    buf_addf(&key, "%s%srustydb-key.pem", o->dir ? o->dir : "", o->dir ? "/" : "");
    const selfsign s = {buf_cstr(&cert), buf_cstr(&key), names, n, (int)o->days, o->force};
    if (selfsign_make(&s, &e))
        explain(s.cert_file, s.key_file, n ? names[0] : "localhost");
    else
        status = command_fail(self, &e);
    buf_free(&cert);
    buf_free(&key);
    return status;
}

int cmd_tls(const command *self, int argc, char **argv, cli_options *common)
{
    tls_options o = {.days = DEFAULT_DAYS};
    int status = command_parse(self, &argc, argv, &o, common);
    if (status >= 0)
        return status;
    if (argc < 2 || strcmp(argv[1], "selfsign") != 0)
        return command_misuse(self, "selfsign is what it can do");
    return make(self, &o, argc - 2, argv + 2);
}
