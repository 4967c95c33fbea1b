#include "cli/client.h"

#include "base/mem.h"
#include "cli/interrupt.h"
#include "cli/login.h"

int client_open(client *c, const char *command, const cli_options *common)
{
    error e;
    *c = (client){.command = command, .common = common};
    interrupt_arm();
    output_init(&c->out, common);
    error_clear(&e);
    if (endpoint_resolve(&c->ep, common, &e))
        return -1;
    output_error(&c->out, command, &e, NULL);
    return EXIT_BAD_USE;
}

int client_connect(client *c)
{
    error e;
    error_clear(&e);
    if (!login_use(&c->ep, &e))
        return client_fail(c, &e);
    c->rest = rest_open(&c->ep, &e);
    return c->rest ? -1 : client_fail(c, &e);
}

int client_connect_as_stranger(client *c)
{
    error e;
    mem_free(c->ep.token);
    c->ep.token = NULL;
    c->rest = rest_open(&c->ep, &e);
    return c->rest ? -1 : client_fail(c, &e);
}

void client_close(client *c)
{
    rest_close(c->rest);
    endpoint_free(&c->ep);
    output_free(&c->out);
}

int client_fail(const client *c, const error *e)
{
    if (c->out.failed)
        return EXIT_OUTPUT_FAILED;
    if (interrupted()) {
        output_notice(&c->out, "interrupted");
        return EXIT_INTERRUPTED;
    }
    return output_error(&c->out, c->command, e, NULL);
}
