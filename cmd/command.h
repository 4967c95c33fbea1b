/* What a command of the multi-call binary is made of.
 *
 * A command is one row in commands.def and one file, cmd/NAME.c, that starts with its usage and its
 * table of options. Help, errors and suggestions are made from these tables, nothing is typed
 * twice. A command reads:
 *
 *     typedef struct greet_options { const char *name; int64_t times; } greet_options;
 *     static const option options[] = {
 *         {"name", 'n', "NAME", "whom to greet", OPTION_TEXT, offsetof(greet_options, name)},
 *         {"times", 0, "N", "how often", OPTION_INT, offsetof(greet_options, times), 1, 100},
 *     };
 *     const command_usage usage_greet = {
 *         .synopsis = "[OPTION...] [WORD...]", COMMAND_OPTIONS(options)};
 *
 *     int cmd_greet(const command *self, int argc, char **argv, cli_options *common)
 *     {
 *         greet_options o = {.times = 1};
 *         int status = command_parse(self, &argc, argv, &o, common);
 *         if (status >= 0)
 *             return status;
 *         ... argv[1] to argv[argc - 1] are the words ...
 *     }
 */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "cli/options.h"

enum { EXIT_OK = 0, EXIT_OUTPUT = 1, EXIT_USAGE = 2 };

/* ---- options ----------------------------------------------------------------------------------
 */

/* The kind says what the option takes and what stands at `offset` in the command's struct. */
typedef enum option_kind {
    OPTION_SWITCH,  /* bool: takes nothing, sets true */
    OPTION_COUNT,   /* int: takes nothing, counts how often it was given */
    OPTION_TEXT,    /* const char *: the last one given counts */
    OPTION_INT,     /* int64_t within min and max */
    OPTION_MS,      /* int64_t milliseconds: "250ms", "5s", "1min" */
    OPTION_LIST,    /* option_list: all that were given, in order */
    OPTION_HELP,    /* prints the help and ends */
    OPTION_VERSION, /* prints the version and ends */
} option_kind;

typedef struct option {
    const char *name; /* without "--"; '_' and '-' are alike and '-' is shown */
    char letter;      /* of the short form, 0: none */
    const char *arg;  /* what the help calls its argument, NULL: takes none */
    const char *help;
    option_kind kind;
    size_t offset;    /* of its variable; options of one struct may share one OPTION_LIST */
    int64_t min, max; /* OPTION_INT */
} option;

typedef struct option_value {
    const option *opt; /* which option it was */
    const char *value; /* borrowed from argv */
} option_value;

typedef struct option_list {
    option_value *items; /* owned: option_list_free */
    int n;
} option_list;

void option_list_free(option_list *l);

/* The options that every command understands; their variables are those of cli_options. */
extern const option common_options[];
extern const int n_common_options;

/* ---- commands ---------------------------------------------------------------------------------
 */

typedef struct command_usage {
    const char *synopsis;  /* what follows "rustydb NAME" */
    const char *details;   /* paragraphs below the usage line, wrapped, NULL: none */
    const char *examples;  /* lines, NULL: none */
    const char *formats;   /* words that --format takes here, NULL: --format is refused */
    const option *options; /* NULL when n_options is 0 */
    int n_options;
} command_usage;

#define COMMAND_OPTIONS(table)                                                                     \
    .options = (table), .n_options = (int)(sizeof(table) / sizeof *(table))

enum {
    COMMAND_LOCAL = 1, /* never talks to a daemon: the help leaves out the connection options */
};

typedef struct command command;
typedef int command_fn(const command *self, int argc, char **argv, cli_options *common);

struct command {
    const char *name;
    const char *summary; /* one line, no capital, no full stop */
    command_fn *run;     /* returns the exit status */
    unsigned flags;
    const command_usage *usage;
};

extern const command commands[];
extern const int n_commands;

#define COMMAND(name, summary, flags)                                                              \
    command_fn cmd_##name;                                                                         \
    extern const command_usage usage_##name;
#include "cmd/commands.def"
#undef COMMAND

const command *command_find(const char *name); /* NULL when there is none */

/* Parses the options among argv[1..], those of the command into the struct at `into` and the common
 * ones into `common`; they may stand before, between or after the words, until "--". A word that
 * starts with '-' and a digit is a word. Afterwards argv[1..*argc) are the words.
 * Returns -1 to go on, or the exit status when the command ends here: after --help or --version,
 * or after an error, which was printed. */
int command_parse(const command *self, int *argc, char **argv, void *into, cli_options *common);

/* The same before the command's name: stops at the first word, *at becomes its index. */
int command_parse_leading(int argc, char **argv, int *at, cli_options *common);

/* Takes from the environment what no flag has set. */
void command_environment(cli_options *common);

/* "rustydb NAME: message" and where help is, on standard error. Returns EXIT_USAGE. */
int command_misuse(const command *self, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "rustydb NAME: message" and the hint, on standard error. Returns the exit status that goes with
 * the error's code. */
int command_fail(const command *self, const error *e);

/* ---- help -------------------------------------------------------------------------------------
 */

void usage_program(FILE *out);                      /* of rustydb itself */
void usage_command(const command *self, FILE *out); /* --help of a command */

#endif
