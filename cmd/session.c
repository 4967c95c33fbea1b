/* rustydb session: who is logged in; ends sessions. */
#include <string.h>

#include "cli/listing.h"
#include "cli/resource.h"
#include "cmd/command.h"

typedef struct session_options {
    const char *user;
    int64_t limit;
} session_options;

static const option options[] = {
    {"user", 'u', "NAME", "those of this user", OPTION_TEXT, offsetof(session_options, user)},
    {"limit", 'n', "N", "list: at most N", OPTION_INT, offsetof(session_options, limit), 1,
     INT64_MAX},
};

const command_usage usage_session = {
    .synopsis = "[OPTION...] [list]\n"
                "       rustydb session [OPTION...] rm ID...\n"
                "       rustydb session [OPTION...] rm --user NAME",
    .details = "Lists the sessions that logins have begun, or ends some: their tokens are good\n"
               "for nothing at once, in open connections too.",
    .examples = "  rustydb session list --user ada\n"
                "  rustydb session rm --user ada",
    .formats = FORMAT_NAMES,
    COMMAND_OPTIONS(options),
};

static const char list_path[] = "/admin/sessions";
static const char *const columns[] = {"id",         "user",    "created_at", "last_used_at",
                                      "expires_at", "address", "agent",      NULL};
static const listing_kind sessions = {list_path, "sessions", "id", columns, columns, true};

static int list_all(client *c, const session_options *o)
{
    buf filter = BUF_INIT;
    listing_param(&filter, "user", o->user);
    int status = listing_list(c, &sessions, buf_cstr(&filter), o->limit);
    buf_free(&filter);
    return status;
}

/* All of a user's. */
static int end_all(client *c, const char *user)
{
    error e;
    buf path = BUF_INIT;
    buf_addf(&path, "%s?", list_path);
    buf query = BUF_INIT;
    listing_param(&query, "user", user);
    buf_adds(&path, buf_cstr(&query));
    bool good = resource_send(c, "DELETE", buf_cstr(&path), NULL, NULL, NULL, &e);
    buf_free(&path);
    buf_free(&query);
    if (good)
        output_notice(&c->out, "the sessions of %s are ended", user);
    return good ? EXIT_OK : client_fail(c, &e);
}

static int check(const command *self, const session_options *o, const char *verb, int n)
{
    if (strcmp(verb, "list") == 0)
        return n ? command_misuse(self, "list takes no words") : -1;
    if (strcmp(verb, "rm") != 0)
        return command_misuse(self, "knows list and rm, not \"%s\"", verb);
    if (o->limit)
        return command_misuse(self, "--limit goes with list");
    if ((n > 0) == (o->user != NULL))
        return command_misuse(self, "rm takes the ID of a session, or --user NAME");
    return -1;
}

int cmd_session(const command *self, int argc, char **argv, cli_options *common)
{
    client c;
    session_options o = {0};
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
    if (status < 0 && strcmp(verb, "list") == 0)
        status = list_all(&c, &o);
    else if (status < 0)
        status = o.user ? end_all(&c, o.user) : resource_remove(&c, "session", list_path, argv + 2);
    client_close(&c);
    return status;
}
