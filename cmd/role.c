/* rustydb role: what roles there are and what they grant. */
#include <string.h>

#include "cli/listing.h"
#include "cli/resource.h"
#include "cli/scan.h"
#include "cmd/command.h"

typedef struct role_options {
    int64_t limit;
} role_options;

static const option options[] = {
    {"limit", 'n', "N", "list: at most N", OPTION_INT, offsetof(role_options, limit), 1, INT64_MAX},
};

const command_usage usage_role = {
    .synopsis = "[OPTION...] [list]\n"
                "       rustydb role [OPTION...] show NAME\n"
                "       rustydb role [OPTION...] set NAME FILE|-\n"
                "       rustydb role [OPTION...] rm NAME...",
    .details = "Lists roles, shows one as JSON, makes or replaces one by the JSON document in\n"
               "FILE (- is standard input), or removes some that nobody has. What a change takes\n"
               "away is gone at once, for open connections and subscriptions too. What a role\n"
               "document looks like is in docs/security.md.",
    .examples = "  rustydb role set clerk clerk.json\n"
                "  rustydb role show clerk | jq .tables",
    .formats = FORMAT_NAMES,
    COMMAND_OPTIONS(options),
};

static const char list_path[] = "/admin/roles";
static const char *const columns[] = {"name",     "description", "inherits", "tables",
                                      "channels", "streams",     "scopes",   NULL};
static const char *const brief[] = {"name", "description", "inherits", "scopes", NULL};
static const listing_kind roles = {list_path, "roles", "name", columns, brief, true};

static int show(client *c, const char *name)
{
    error e;
    buf answer = BUF_INIT;
    bool good = resource_send(c, "GET", list_path, name, NULL, &answer, &e);
    if (good) {
        buf_add(&c->out.text, answer.data, answer.len);
        buf_addc(&c->out.text, '\n');
    }
    buf_free(&answer);
    good = output_flush(&c->out) && good;
    return good ? EXIT_OK : client_fail(c, &e);
}

static int set(client *c, const char *name, const char *file)
{
    error e;
    buf body = BUF_INIT;
    bool good =
        resource_read(file, &body, &e) && resource_send(c, "PUT", list_path, name, &body, NULL, &e);
    buf_free(&body);
    if (good)
        output_notice(&c->out, "role %s is as %s says", name,
                      strcmp(file, "-") == 0 ? "standard input" : file);
    return good ? EXIT_OK : client_fail(c, &e);
}

static int check(const command *self, const role_options *o, const char *verb, int n)
{
    bool is_list = strcmp(verb, "list") == 0;
    if (!is_list && o->limit)
        return command_misuse(self, "--limit goes with list");
    if (is_list)
        return n ? command_misuse(self, "list takes no words") : -1;
    if (strcmp(verb, "show") == 0)
        return n != 1 ? command_misuse(self, "show takes the NAME of one role") : -1;
    if (strcmp(verb, "set") == 0)
        return n != 2 ? command_misuse(self, "set takes a NAME and a FILE") : -1;
    if (strcmp(verb, "rm") == 0)
        return n < 1 ? command_misuse(self, "needs the NAME of a role") : -1;
    return command_misuse(self, "knows list, show, set and rm, not \"%s\"", verb);
}

static int run(client *c, const role_options *o, const char *verb, char **words)
{
    if (strcmp(verb, "list") == 0)
        return listing_list(c, &roles, "", o->limit);
    if (strcmp(verb, "show") == 0)
        return show(c, words[0]);
    if (strcmp(verb, "rm") == 0)
        return resource_remove(c, "role", list_path, words);
    return set(c, words[0], words[1]);
}

int cmd_role(const command *self, int argc, char **argv, cli_options *common)
{
    client c;
    role_options o = {0};
    int status = command_parse(self, &argc, argv, &o, common);
    if (status >= 0)
        return status;
    const char *verb = argc > 1 ? argv[1] : "list";
    status = check(self, &o, verb, argc > 2 ? argc - 2 : 0);
    if (status >= 0)
        return status;
    status = client_open(&c, self->name, common);
    if (status < 0)
        status = client_connect(&c);
    if (status < 0)
        status = run(&c, &o, verb, argv + 2);
    client_close(&c);
    return status;
}
