/* rustydb logout: ends the session of a login and forgets it. */
#include "cli/login.h"
#include "cmd/command.h"

const command_usage usage_logout = {
    .synopsis = "[OPTION...]",
    .details = "Ends the session that \"rustydb login\" began at this daemon, and forgets it. An\n"
               "API key is forgotten, but goes on being good: \"rustydb key rm\" ends it.",
};

int cmd_logout(const command *self, int argc, char **argv, cli_options *common)
{
    error e;
    client c;
    bool was;
    int status = command_parse(self, &argc, argv, NULL, common);
    if (status >= 0)
        return status;
    if (argc > 1)
        return command_misuse(self, "takes no arguments");
    status = client_open(&c, self->name, common);
    if (status < 0) {
        status = login_end(&c, &was, &e) ? EXIT_OK : client_fail(&c, &e);
        if (status == EXIT_OK)
            output_notice(&c.out, was ? "logged out at %s" : "nobody is logged in at %s",
                          c.ep.shown);
    }
    client_close(&c);
    return status;
}
