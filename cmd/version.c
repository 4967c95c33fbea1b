/* rustydb version: the same line as --version. */
#include "cmd/command.h"

const command_usage usage_version = {.synopsis = ""};

int cmd_version(const command *self, int argc, char **argv, cli_options *common)
{
    int status = command_parse(self, &argc, argv, NULL, common);
    if (status >= 0)
        return status;
    if (argc > 1)
        return command_misuse(self, "takes no arguments");
    printf("rustydb %s\n", RUSTYDB_VERSION);
    return EXIT_OK;
}
