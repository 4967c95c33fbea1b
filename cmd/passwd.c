/* rustydb passwd: changes one's own password. */
#include <string.h>

#include "cli/client.h"
#include "cli/secret_input.h"
#include "cmd/command.h"
#include "json/writer.h"

typedef struct passwd_options {
    const char *old_file;
    const char *new_file;
} passwd_options;

static const option options[] = {
    {"old-file", 0, "FILE", "the present password is FILE's first line; - is standard input",
     OPTION_TEXT, offsetof(passwd_options, old_file)},
    {"new-file", 0, "FILE", "and so is the new one", OPTION_TEXT,
     offsetof(passwd_options, new_file)},
};

const command_usage usage_passwd = {
    .synopsis = "[OPTION...]",
    .details = "Changes the password of the user who is logged in, asking for the present one\n"
               "and for the new one. All other sessions of the user end.",
    COMMAND_OPTIONS(options),
};

typedef struct secrets {
    char old[SECRET_MAX], new[SECRET_MAX];
} secrets;

static bool read_both(const passwd_options *o, secrets *s, error *e)
{
    bool good = o->old_file ? secret_from_file(o->old_file, s->old, e)
                            : secret_ask("Present password: ", "--old-file", s->old, e);
    if (!good)
        return false;
    return o->new_file ? secret_from_file(o->new_file, s->new, e)
                       : secret_ask_new("New password", "--new-file", s->new, e);
}

static bool change(client *c, const passwd_options *o, error *e)
{
    buf body = BUF_INIT;
    json_writer w;
    secrets s = {0};
    bool good = read_both(o, &s, e);
    jw_init(&w, &body);
    jw_begin_object(&w);
    jw_key_str(&w, "old", s.old);
    jw_key_str(&w, "new", s.new);
    jw_end_object(&w);
    good = good && rest_send(c->rest,
                             &(rest_request){.method = "POST",
                                             .path = "/auth/password",
                                             .body = body.data,
                                             .body_len = body.len,
                                             .timeout_ms = c->common->timeout_ms},
                             NULL, e);
    explicit_bzero(&s, sizeof s);
    if (body.data)
        explicit_bzero(body.data, body.cap);
    buf_free(&body);
    return good;
}

int cmd_passwd(const command *self, int argc, char **argv, cli_options *common)
{
    error e;
    client c;
    passwd_options o = {0};
    int status = command_parse(self, &argc, argv, &o, common);
    if (status >= 0)
        return status;
    if (argc > 1)
        return command_misuse(self, "takes no words; it is for one's own password");
    status = client_open(&c, self->name, common);
    if (status < 0)
        status = client_connect(&c);
    if (status < 0) {
        bool good = change(&c, &o, &e);
        if (good)
            output_notice(&c.out, "the password is changed");
        status = good ? EXIT_OK : client_fail(&c, &e);
    }
    client_close(&c);
    return status;
}
