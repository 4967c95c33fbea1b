/* rustydb user: the daemon's users. */
#include <string.h>

#include "cli/listing.h"
#include "cli/resource.h"
#include "cli/secret_input.h"
#include "cmd/command.h"
#include "json/writer.h"

typedef struct user_options {
    option_list roles;
    bool no_roles;
    bool password, no_password;
    const char *password_file;
    bool disable, enable;
    int64_t limit;
} user_options;

static const option options[] = {
    {"role", 'r', "ROLE", "add, set: give it this role (may be given again)", OPTION_LIST,
     offsetof(user_options, roles)},
    {"no-roles", 0, NULL, "set: take all roles away", OPTION_SWITCH,
     offsetof(user_options, no_roles)},
    {"password", 0, NULL, "set: ask for a new password", OPTION_SWITCH,
     offsetof(user_options, password)},
    {"no-password", 0, NULL,
     "add: none, so that nobody can log in as it (it has keys or certificates)", OPTION_SWITCH,
     offsetof(user_options, no_password)},
    {"password-file", 'p', "FILE",
     "add, set: the password is FILE's first line; - is standard input", OPTION_TEXT,
     offsetof(user_options, password_file)},
    {"disable", 0, NULL, "add, set: nobody can be it until it is enabled", OPTION_SWITCH,
     offsetof(user_options, disable)},
    {"enable", 0, NULL, "set: undo --disable", OPTION_SWITCH, offsetof(user_options, enable)},
    {"limit", 'n', "N", "list: at most N", OPTION_INT, offsetof(user_options, limit), 1, INT64_MAX},
};

const command_usage usage_user = {
    .synopsis = "[OPTION...] [list]\n"
                "       rustydb user [OPTION...] show NAME...\n"
                "       rustydb user [OPTION...] add NAME\n"
                "       rustydb user [OPTION...] set NAME\n"
                "       rustydb user [OPTION...] rm NAME...",
    .details = "Lists users, shows some, makes one (asking for its password, unless a file has\n"
               "it), changes one, or removes some. With set, --role takes the place of all roles\n"
               "that it had. What is removed, disabled or has lost a role loses its rights at\n"
               "once, in open connections too.",
    .examples = "  rustydb user add ada --role clerk\n"
                "  rustydb user set ada --role clerk --role reader\n"
                "  rustydb user set ada --disable\n"
                "  rustydb user rm ada",
    .formats = FORMAT_NAMES,
    COMMAND_OPTIONS(options),
};

static const char list_path[] = "/admin/users";
static const char *const columns[] = {"name",         "roles", "disabled",   "claims",
                                      "certificates", "uid",   "created_at", NULL};
static const char *const brief[] = {"name", "roles", "disabled", "created_at", NULL};
static const listing_kind users = {list_path, "users", "name", columns, brief, true};

/* ---- add and set ------------------------------------------------------------------------------
 */

static void put_roles(json_writer *w, const user_options *o)
{
    if (!o->roles.n && !o->no_roles)
        return;
    jw_key(w, "roles");
    jw_begin_array(w);
    for (int i = 0; i < o->roles.n; i++)
        jw_str(w, o->roles.items[i].value);
    jw_end_array(w);
}

static bool read_password(const user_options *o, char secret[SECRET_MAX], error *e)
{
    return o->password_file ? secret_from_file(o->password_file, secret, e)
                            : secret_ask_new("Password", "--password-file", secret, e);
}

/* name: of a new user; NULL: of one that is there. */
static bool write_body(buf *body, const user_options *o, const char *name, error *e)
{
    json_writer w;
    char secret[SECRET_MAX] = "";
    bool with_password = (name && !o->no_password) || o->password || o->password_file;
    if (with_password && !read_password(o, secret, e))
        return false;
    jw_init(&w, body);
    jw_begin_object(&w);
    if (name)
        jw_key_str(&w, "name", name);
    if (with_password)
        jw_key_str(&w, "password", secret);
    put_roles(&w, o);
    if (o->disable || o->enable)
        jw_key_bool(&w, "disabled", o->disable);
    jw_end_object(&w);
    explicit_bzero(secret, sizeof secret);
    return true;
}

static int change(client *c, const user_options *o, const char *name, bool fresh)
{
    error e;
    buf body = BUF_INIT;
    bool good =
        write_body(&body, o, fresh ? name : NULL, &e) &&
        resource_send(c, fresh ? "POST" : "PATCH", list_path, fresh ? NULL : name, &body, NULL, &e);
    if (body.data)
        explicit_bzero(body.data, body.cap);
    buf_free(&body);
    if (good)
        output_notice(&c->out, fresh ? "user %s is made" : "user %s is changed", name);
    return good ? EXIT_OK : client_fail(c, &e);
}

/* ---- the rest ---------------------------------------------------------------------------------
 */

static int check(const command *self, const user_options *o, const char *verb, int n)
{
    bool set = strcmp(verb, "set") == 0, add = strcmp(verb, "add") == 0;
    bool list = strcmp(verb, "list") == 0;
    if (!set && !add && !list && strcmp(verb, "show") != 0 && strcmp(verb, "rm") != 0)
        return command_misuse(self, "knows list, show, add, set and rm, not \"%s\"", verb);
    if (list ? n > 0 : n < 1)
        return command_misuse(self, list ? "list takes no words" : "needs the NAME of a user");
    if ((set || add) && n > 1)
        return command_misuse(self, "one user at a time");
    if (!set && (o->no_roles || o->password || o->enable))
        return command_misuse(self, "--no-roles, --password and --enable go with set");
    if (!add && o->no_password)
        return command_misuse(self, "--no-password goes with add");
    if (!set && !add && (o->roles.n || o->password_file || o->disable))
        return command_misuse(self, "--role, --password-file and --disable go with add and set");
    if ((o->disable && o->enable) || (o->no_roles && o->roles.n) ||
        (o->password && o->password_file) || (o->no_password && o->password_file))
        return command_misuse(self, "two of the options contradict each other");
    if (set && !o->roles.n && !o->no_roles && !o->password && !o->password_file && !o->disable &&
        !o->enable)
        return command_misuse(self, "set needs to be told what to change");
    return -1;
}

static int run(client *c, const user_options *o, const char *verb, char **names)
{
    if (strcmp(verb, "list") == 0)
        return listing_list(c, &users, "", o->limit);
    if (strcmp(verb, "show") == 0)
        return listing_show(c, &users, names);
    if (strcmp(verb, "rm") == 0)
        return resource_remove(c, "user", list_path, names);
    return change(c, o, names[0], strcmp(verb, "add") == 0);
}

int cmd_user(const command *self, int argc, char **argv, cli_options *common)
{
    client c;
    user_options o = {0};
    int status = command_parse(self, &argc, argv, &o, common);
    if (status >= 0)
        return status;
    const char *verb = argc > 1 ? argv[1] : "list";
    status = check(self, &o, verb, argc > 2 ? argc - 2 : 0);
    if (status < 0) {
        status = client_open(&c, self->name, common);
        if (status < 0)
            status = client_connect(&c);
        if (status < 0)
            status = run(&c, &o, verb, argv + 2);
        client_close(&c);
    }
    option_list_free(&o.roles);
    return status;
}
