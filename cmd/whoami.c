/* rustydb whoami: who the daemon takes one for, and what one may do. */
#include <string.h>

#include "cli/client.h"
#include "cli/describe.h"
#include "cli/scan.h"
#include "cmd/command.h"

const command_usage usage_whoami = {
    .synopsis = "[OPTION...]",
    .details = "Asks the daemon whom the credentials belong to that commands send it: those of\n"
               "--token, RUSTYDB_TOKEN, \"rustydb login\", or of a daemon of one's own. With\n"
               "--format json it is the daemon's whole answer, on one line.",
    .formats = "text json",
};

static bool show(client *c, error *e)
{
    buf answer = BUF_INIT;
    bool json = c->common->format && strcmp(c->common->format, "json") == 0;
    bool good = rest_send(c->rest,
                          &(rest_request){.method = "GET",
                                          .path = "/auth/identity",
                                          .timeout_ms = c->common->timeout_ms},
                          &answer, e);
    scan_text who = scan_value(answer.data ? answer.data : "", answer.len);
    if (good && scan_kind_of(who) != SCAN_OBJECT)
        good = error_set(e, ERR_CLIENT_ERROR, "the daemon's answer is not understood");
    if (good && json) {
        buf_add(&c->out.text, who.p, who.n);
        buf_addc(&c->out.text, '\n');
    } else if (good) {
        describe_object(&c->out.text, who, 0, NULL);
    }
    buf_free(&answer);
    return output_flush(&c->out) && good;
}

int cmd_whoami(const command *self, int argc, char **argv, cli_options *common)
{
    error e;
    client c;
    int status = command_parse(self, &argc, argv, NULL, common);
    if (status >= 0)
        return status;
    if (argc > 1)
        return command_misuse(self, "takes no arguments");
    status = client_open(&c, self->name, common);
    if (status < 0)
        status = client_connect(&c);
    if (status < 0)
        status = show(&c, &e) ? EXIT_OK : client_fail(&c, &e);
    client_close(&c);
    return status;
}
