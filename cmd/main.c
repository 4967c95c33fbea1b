/* rustydb: one binary, many commands. Finds the command and runs it. */
#include "cmd/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"

const command commands[] = {
#define COMMAND(name, summary, flags) {#name, summary, cmd_##name, flags, &usage_##name},
#include "cmd/commands.def"
#undef COMMAND
};
const int n_commands = sizeof commands / sizeof *commands;

const command *command_find(const char *name)
{
    for (int i = 0; i < n_commands; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static const char *nth_command(const void *arg, int i)
{
    (void)arg;
    return i < n_commands ? commands[i].name : NULL;
}

static int unknown_command(const char *name)
{
    const char *near = nearest(name, nth_command, NULL);
    if (near)
        return command_misuse(NULL, "there is no command \"%s\"; did you mean \"%s\"?", name, near);
    return command_misuse(NULL, "there is no command \"%s\"", name);
}

/* Output that could not be written must not look like success; a reader who left is no error. */
static int finish(int status)
{
    errno = 0;
    bool broken = ferror(stdout) || fflush(stdout) != 0;
    if (!broken || errno == EPIPE || status != EXIT_OK)
        return status;
    fprintf(stderr, "rustydb: cannot write to standard output%s%s\n", errno ? ": " : "",
            errno ? strerror(errno) : "");
    return EXIT_OUTPUT;
}

int main(int argc, char **argv)
{
    cli_options common = {0};
    command_environment(&common);
    int at = 1;
    int status = command_parse_leading(argc, argv, &at, &common);
    if (status >= 0)
        return finish(status);
    if (at == argc) {
        usage_program(stdout);
        return finish(EXIT_OK);
    }
    const command *c = command_find(argv[at]);
    if (!c)
        return unknown_command(argv[at]);
    return finish(c->run(c, argc - at, argv + at, &common));
}
