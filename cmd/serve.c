/* rustydb serve: the daemon. Every setting is a flag, taken from the table of settings. */
#include "cmd/command.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "daemon/daemon.h"

typedef struct serve_options {
    const char *config_file;
    bool print_config;
    bool hints;
    option_list settings;
} serve_options;

#define ARG_STR  "TEXT"
#define ARG_INT  "N"
#define ARG_SIZE "SIZE"
#define ARG_MS   "TIME"
#define ARG_BOOL "on|off"
#define ARG_ENUM "WORD"

static const option options[] = {
    {"config", 0, "FILE", "read settings from FILE (RUSTYDB_CONFIG)", OPTION_TEXT,
     offsetof(serve_options, config_file)},
    {"print-config", 0, NULL, "print the settings and where each comes from, and end",
     OPTION_SWITCH, offsetof(serve_options, print_config)},
    {"hints", 0, NULL, "once ready, say what to try next", OPTION_SWITCH,
     offsetof(serve_options, hints)},
#define SETTING(type, name, def, min, max, runtime, help)                                          \
    {#name,       0,                                                                               \
     ARG_##type,  help " (default: " def ")",                                                      \
     OPTION_LIST, offsetof(serve_options, settings)},
#include "config/settings.def"
#undef SETTING
};

const command_usage usage_serve = {
    .synopsis = "[OPTION...]",
    .details = "Opens the database in --data, or makes one, and serves it at --listen until\n"
               "SIGTERM or SIGINT. One line on standard output says when it is ready; the log\n"
               "goes to standard error. SIGHUP reads the file of settings again.\n\n"
               "A setting is taken from its flag, else from RUSTYDB_NAME in the environment,\n"
               "else from the file (\"name = value\"), else it has its default. Sizes take k, m,\n"
               "g and t, times take ms, s, min, h and d.",
    .examples = "  rustydb serve\n"
                "  rustydb serve --data /srv/db --listen 0.0.0.0:8080 --tls-cert cert.pem "
                "--tls-key key.pem\n"
                "  rustydb serve --config rustydb.conf --print-config",
    COMMAND_OPTIONS(options),
};

/* Wrong settings are wrong usage, wherever they stand. */
static int wrong_settings(const command *self, const error *e)
{
    command_fail(self, e);
    return EXIT_USAGE;
}

static void warn_of_stray(void *arg, const char *variable, const char *meant)
{
    (void)arg;
    log_warn("unknown_variable", "%s is no setting and was not used; is %s meant?", variable,
             meant);
}

static int serve(const config *cfg, const serve_options *o, const config_flag *flags)
{
    log_level level = LOG_LEVEL_INFO;
    log_parse_level(cfg->log_level, &level);
    log_init(level, cfg->log_format[0] == 'j');
    config_strays(warn_of_stray, NULL);
    daemon_options opt = {
        .config_file = o->config_file,
        .flags = flags,
        .n_flags = o->settings.n,
        .hints = o->hints,
    };
    return daemon_run(cfg, &opt);
}

static int with_settings(const command *self, serve_options *o)
{
    config_flag *flags = xalloc((size_t)(o->settings.n + 1) * sizeof *flags);
    for (int i = 0; i < o->settings.n; i++)
        flags[i] = (config_flag){o->settings.items[i].opt->name, o->settings.items[i].value};
    const char *variable = getenv("RUSTYDB_CONFIG");
    if (!o->config_file && variable && *variable)
        o->config_file = variable;
    error e;
    int status = EXIT_OK;
    config *cfg = config_load(o->config_file, flags, o->settings.n, &e);
    if (!cfg)
        status = wrong_settings(self, &e);
    else if (o->print_config)
        config_print(cfg, stdout);
    else
        status = serve(cfg, o, flags);
    config_free(cfg);
    mem_free(flags);
    return status;
}

int cmd_serve(const command *self, int argc, char **argv, cli_options *common)
{
    serve_options o = {0};
    int status = command_parse(self, &argc, argv, &o, common);
    if (status < 0 && argc > 1)
        status = command_misuse(self, "takes no words, but got \"%s\"", argv[1]);
    if (status < 0)
        status = with_settings(self, &o);
    option_list_free(&o.settings);
    return status;
}
