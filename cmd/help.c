/* rustydb help [COMMAND]: the manual page where it is installed, else what --help says. */
#include "cmd/command.h"

#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const command_usage usage_help = {
    .synopsis = "[COMMAND]",
    .details = "Shows the manual page of COMMAND where it is installed, otherwise what\n"
               "\"rustydb COMMAND --help\" says. Without COMMAND: the list of commands.",
};

static bool has_manual(const char *page)
{
    posix_spawn_file_actions_t quiet;
    if (posix_spawn_file_actions_init(&quiet) != 0)
        return false;
    posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    char *const args[] = {"man", "-w", (char *)page, NULL};
    pid_t pid;
    int failed = posix_spawnp(&pid, "man", &quiet, NULL, args, environ);
    posix_spawn_file_actions_destroy(&quiet);
    int status;
    return !failed && waitpid(pid, &status, 0) == pid && status == 0;
}

int cmd_help(const command *self, int argc, char **argv, cli_options *common)
{
    int status = command_parse(self, &argc, argv, NULL, common);
    if (status >= 0)
        return status;
    if (argc > 2)
        return command_misuse(self, "one command at a time");
    if (argc < 2) {
        usage_program(stdout);
        return EXIT_OK;
    }
    const command *about = command_find(argv[1]);
    if (!about)
        return command_misuse(self, "there is no command \"%s\"", argv[1]);
    char page[64];
    snprintf(page, sizeof page, "rustydb-%s", about->name);
    if (has_manual(page))
        execlp("man", "man", page, (char *)NULL);
    usage_command(about, stdout);
    return EXIT_OK;
}
