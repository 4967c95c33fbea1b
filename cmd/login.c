/* rustydb login: gets a session, or keeps an API key, for later commands. */
#include <string.h>

#include "cli/login.h"
#include "cli/secret_input.h"
#include "cmd/command.h"

typedef struct login_options {
    const char *password_file;
    const char *key_file;
} login_options;

static const option options[] = {
    {"password-file", 'p', "FILE", "read the password from FILE's first line; - is standard input",
     OPTION_TEXT, offsetof(login_options, password_file)},
    {"key-file", 'k', "FILE", "keep the API key in FILE's first line instead of a session",
     OPTION_TEXT, offsetof(login_options, key_file)},
};

const command_usage usage_login = {
    .synopsis = "[OPTION...] USER\n"
                "       rustydb login [OPTION...] --key-file FILE",
    .details = "Asks for USER's password and begins a session at the daemon, which later\n"
               "commands use, until \"rustydb logout\"; or keeps an API key for them. There is a\n"
               "login for each daemon. They are in credentials.json in $XDG_CONFIG_HOME/rustydb\n"
               "or ~/.config/rustydb, which nobody else can read. --token and RUSTYDB_TOKEN go\n"
               "before a login, and a login before the token of a daemon of one's own.",
    .examples = "  rustydb login ada\n"
                "  rustydb login --url https://db.example.org:8443 ada\n"
                "  rustydb login --key-file deploy.key",
    COMMAND_OPTIONS(options),
};

static bool log_in(client *c, const login_options *o, const char *user, error *e)
{
    char secret[SECRET_MAX] = "";
    bool good;
    if (o->key_file)
        good = secret_from_file(o->key_file, secret, e) && login_keep_token(c, secret, e);
    else
        good = (o->password_file ? secret_from_file(o->password_file, secret, e)
                                 : secret_ask("Password: ", "--password-file", secret, e)) &&
               login_make(c, user, secret, e);
    explicit_bzero(secret, sizeof secret);
    return good;
}

int cmd_login(const command *self, int argc, char **argv, cli_options *common)
{
    error e;
    client c;
    login_options o = {0};
    int status = command_parse(self, &argc, argv, &o, common);
    if (status >= 0)
        return status;
    if (o.key_file && (argc > 1 || o.password_file))
        return command_misuse(self, "--key-file goes without USER and --password-file");
    if (!o.key_file && argc != 2)
        return command_misuse(self, argc < 2 ? "needs a USER" : "one USER at a time");
    status = client_open(&c, self->name, common);
    if (status < 0)
        status = client_connect_as_stranger(&c);
    if (status < 0) {
        bool good = log_in(&c, &o, argv[1], &e);
        if (good)
            output_notice(&c.out, "logged in at %s", c.ep.shown);
        status = good ? EXIT_OK : client_fail(&c, &e);
    }
    client_close(&c);
    return status;
}
