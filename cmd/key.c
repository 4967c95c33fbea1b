/* rustydb key: API keys. */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/listing.h"
#include "cli/resource.h"
#include "cli/scan.h"
#include "cmd/command.h"
#include "json/writer.h"

typedef struct key_options {
    const char *user;
    option_list roles;
    option_list addresses;
    int64_t expires_ms;
    int64_t rate;
    const char *description;
    int64_t limit;
} key_options;

static const option options[] = {
    {"user", 'u', "NAME", "add: the user whose rights it has (default: your own)", OPTION_TEXT,
     offsetof(key_options, user)},
    {"role", 'r', "ROLE", "add: instead of a user, a role (may be given again)", OPTION_LIST,
     offsetof(key_options, roles)},
    {"address", 'a', "NETWORK", "add: good from there alone, such as 10.0.0.0/8 (may be repeated)",
     OPTION_LIST, offsetof(key_options, addresses)},
    {"expires", 'e', "TIME", "add: good for so long, such as 30d", OPTION_MS,
     offsetof(key_options, expires_ms)},
    {"rate", 0, "N", "add: requests a second that it is good for", OPTION_INT,
     offsetof(key_options, rate), 1, 1000000},
    {"description", 'd', "TEXT", "add: what it is for", OPTION_TEXT,
     offsetof(key_options, description)},
    {"limit", 'n', "N", "list: at most N", OPTION_INT, offsetof(key_options, limit), 1, INT64_MAX},
};

const command_usage usage_key = {
    .synopsis = "[OPTION...] [list]\n"
                "       rustydb key [OPTION...] show ID...\n"
                "       rustydb key [OPTION...] add\n"
                "       rustydb key [OPTION...] rm ID...",
    .details = "Lists API keys, shows some, makes one, or ends some. A new key is printed once,\n"
               "alone on standard output; the daemon keeps a hash of it and cannot tell it again.\n"
               "A key that is removed is good for nothing at once, in open connections too.",
    .examples = "  (umask 077; rustydb key add --role reader --expires 90d > deploy.key)\n"
                "  rustydb login --key-file deploy.key\n"
                "  rustydb key rm k3f9",
    .formats = FORMAT_NAMES,
    COMMAND_OPTIONS(options),
};

static const char list_path[] = "/admin/api-keys";
static const char *const columns[] = {"id",         "description",  "user", "roles",
                                      "prefix",     "addresses",    "rate", "created_at",
                                      "expires_at", "last_used_at", NULL};
static const char *const brief[] = {"id",         "description",  "user", "roles",
                                    "expires_at", "last_used_at", NULL};
static const listing_kind keys = {list_path, "api_keys", "id", columns, brief, true};

/* ---- add --------------------------------------------------------------------------------------
 */

static void put_list(json_writer *w, const char *name, const option_list *l)
{
    if (!l->n)
        return;
    jw_key(w, name);
    jw_begin_array(w);
    for (int i = 0; i < l->n; i++)
        jw_str(w, l->items[i].value);
    jw_end_array(w);
}

static void write_body(buf *body, const key_options *o)
{
    json_writer w;
    char stamp[CLOCK_RFC3339_LEN + 1];
    jw_init(&w, body);
    jw_begin_object(&w);
    if (o->user)
        jw_key_str(&w, "user", o->user);
    put_list(&w, "roles", &o->roles);
    put_list(&w, "addresses", &o->addresses);
    if (o->expires_ms) {
        clock_rfc3339(clock_wall_us() + o->expires_ms * 1000, stamp);
        jw_key_str(&w, "expires_at", stamp);
    }
    if (o->rate)
        jw_key_int(&w, "rate", o->rate);
    if (o->description)
        jw_key_str(&w, "description", o->description);
    jw_end_object(&w);
}

/* The key itself on standard output, what else there is to say on standard error. */
static bool tell(client *c, const buf *answer, error *e)
{
    scan_text made = scan_value(answer->data ? answer->data : "", answer->len), v;
    buf id = BUF_INIT;
    bool good = scan_member(made, "key", &v) && scan_unquote(&c->out.text, v) &&
                scan_member(made, "id", &v) && scan_unquote(&id, v);
    if (!good) {
        buf_clear(&c->out.text);
        error_set(e, ERR_CLIENT_ERROR, "the daemon's answer is not understood");
    } else {
        buf_addc(&c->out.text, '\n');
        output_notice(&c->out, "key %s is made; it is shown this once", buf_cstr(&id));
    }
    buf_free(&id);
    return output_flush(&c->out) && good;
}

static int add(client *c, const key_options *o)
{
    error e;
    buf body = BUF_INIT, answer = BUF_INIT;
    write_body(&body, o);
    bool good =
        resource_send(c, "POST", list_path, NULL, &body, &answer, &e) && tell(c, &answer, &e);
    if (answer.data)
        explicit_bzero(answer.data, answer.cap);
    buf_free(&body);
    buf_free(&answer);
    return good ? EXIT_OK : client_fail(c, &e);
}

/* ---- the rest ---------------------------------------------------------------------------------
 */

static int check(const command *self, const key_options *o, const char *verb, int n)
{
    bool is_add = strcmp(verb, "add") == 0, is_list = strcmp(verb, "list") == 0;
    bool adds =
        o->user || o->roles.n || o->addresses.n || o->expires_ms || o->rate || o->description;
    if (!is_add && !is_list && strcmp(verb, "show") != 0 && strcmp(verb, "rm") != 0)
        return command_misuse(self, "knows list, show, add and rm, not \"%s\"", verb);
    if (!is_list && o->limit)
        return command_misuse(self, "--limit goes with list");
    if (!is_add && adds)
        return command_misuse(self, "--user, --role, --address, --expires, --rate and "
                                    "--description go with add");
    if (o->user && o->roles.n)
        return command_misuse(self, "a key has a user's rights or roles of its own, not both");
    if (is_add || is_list)
        return n ? command_misuse(self, "%s takes no words", verb) : -1;
    return n < 1 ? command_misuse(self, "needs the ID of a key") : -1;
}

static int run(client *c, const key_options *o, const char *verb, char **ids)
{
    if (strcmp(verb, "add") == 0)
        return add(c, o);
    if (strcmp(verb, "rm") == 0)
        return resource_remove(c, "key", list_path, ids);
    if (strcmp(verb, "show") == 0)
        return listing_show(c, &keys, ids);
    return listing_list(c, &keys, "", o->limit);
}

int cmd_key(const command *self, int argc, char **argv, cli_options *common)
{
    client c;
    key_options o = {0};
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
    option_list_free(&o.addresses);
    return status;
}
