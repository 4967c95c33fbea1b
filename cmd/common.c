/* The options that every command understands, and the environment behind them. */
#include "cmd/command.h"

#include <stdlib.h>
#include <string.h>

#define TO(member) offsetof(cli_options, member)

const option common_options[] = {
    {"url", 0, "URL",
     "the daemon: http://HOST:PORT, https://HOST:PORT or unix:PATH (RUSTYDB_URL; "
     "default: " CLI_DEFAULT_URL ")",
     OPTION_TEXT, TO(url), 0, 0},
    {"token", 0, "TOKEN",
     "token to get in with (RUSTYDB_TOKEN; a daemon of yours on this machine "
     "needs none)",
     OPTION_TEXT, TO(token), 0, 0},
    {"format", 0, "FORMAT", "form of the output", OPTION_TEXT, TO(format), 0, 0},
    {"timeout", 0, "TIME", "give up after TIME (ms, s, min, h)", OPTION_MS, TO(timeout_ms), 0, 0},
    {"cacert", 0, "FILE", "trust the certificates in FILE", OPTION_TEXT, TO(cacert), 0, 0},
    {"cert", 0, "FILE", "certificate to show to the daemon", OPTION_TEXT, TO(cert), 0, 0},
    {"key", 0, "FILE", "key of that certificate", OPTION_TEXT, TO(key), 0, 0},
    {"insecure", 0, NULL, "take any certificate (for trials only)", OPTION_SWITCH, TO(insecure), 0,
     0},
    {"quiet", 'q', NULL, "errors only, no notices and no progress", OPTION_SWITCH, TO(quiet), 0, 0},
    {"verbose", 'v', NULL, "say more; twice: even more", OPTION_COUNT, TO(verbose), 0, 0},
    {"no-color", 0, NULL, "no colours (NO_COLOR)", OPTION_SWITCH, TO(no_color), 0, 0},
    {"help", 'h', NULL, "this help", OPTION_HELP, 0, 0, 0},
    {"version", 0, NULL, "the version", OPTION_VERSION, 0, 0, 0},
};
const int n_common_options = sizeof common_options / sizeof *common_options;

/* An empty variable counts as not set. */
static const char *variable(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

void command_environment(cli_options *common)
{
    common->url = variable("RUSTYDB_URL");
    common->token = variable("RUSTYDB_TOKEN");
    const char *terminal = getenv("TERM");
    common->no_color = variable("NO_COLOR") || (terminal && strcmp(terminal, "dumb") == 0);
}
