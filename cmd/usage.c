/* Help texts and suggestions, made from the tables of commands and options. */
#include "cmd/command.h"

#include <stdarg.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64, OPTION_COLUMN = 30, WIDTH = 80 };

/* ---- laying out -------------------------------------------------------------------------------
 */

/* Prints the words of text[0..n), further lines starting at column `indent`, where it is now. */
static void wrap(FILE *out, int indent, const char *text, size_t n)
{
    static const char blanks[] = " \n";
    const char *end = text + n;
    int column = indent;
    while (text < end) {
        int word = (int)strcspn(text, blanks);
        if (word > end - text)
            word = (int)(end - text);
        if (column > indent && column + 1 + word > WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        }
        column += fprintf(out, "%s%.*s", column > indent ? " " : "", word, text);
        text += word;
        text += strspn(text, blanks);
    }
    fputc('\n', out);
}

/* Paragraphs are set apart by empty lines; one that begins with a space stays as it is. */
static void print_paragraphs(FILE *out, const char *text)
{
    while (*text) {
        const char *end = strstr(text, "\n\n");
        size_t n = end ? (size_t)(end - text) : strlen(text);
        fputc('\n', out);
        if (*text == ' ')
            fprintf(out, "%.*s\n", (int)n, text);
        else
            wrap(out, 0, text, n);
        text += n;
        text += strspn(text, "\n");
    }
}

static void dashed(char *to, size_t room, const char *name)
{
    snprintf(to, room, "%s", name);
    for (; *to; to++) {
        if (*to == '_')
            *to = '-';
    }
}

static void print_option(FILE *out, const option *o)
{
    char name[NAME_MAX_BYTES], left[2 * NAME_MAX_BYTES];
    dashed(name, sizeof name, o->name);
    char letter[] = "    ";
    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    int n = snprintf(left, sizeof left, "  %s--%s%s%s", letter, name, o->arg ? " " : "",
                     o->arg ? o->arg : "");
    fputs(left, out);
    if (n + 1 >= OPTION_COLUMN) {
        fputc('\n', out);
        n = 0;
    }
    fprintf(out, "%*s", OPTION_COLUMN - n, "");
    wrap(out, OPTION_COLUMN, o->help, strlen(o->help));
}

/* Options that only make sense with a daemon to talk to. */
static bool about_connection(const option *o)
{
    return o->offset == offsetof(cli_options, url) || o->offset == offsetof(cli_options, token) ||
           o->offset == offsetof(cli_options, cacert) || o->offset == offsetof(cli_options, cert) ||
           o->offset == offsetof(cli_options, key) ||
           o->offset == offsetof(cli_options, insecure) ||
           o->offset == offsetof(cli_options, timeout_ms);
}

static bool shown_for(const command *self, const option *o)
{
    if (!self || o->kind == OPTION_HELP || o->kind == OPTION_VERSION)
        return true;
    if (o->offset == offsetof(cli_options, format))
        return self->usage->formats != NULL;
    return !(self->flags & COMMAND_LOCAL) || !about_connection(o);
}

static void print_common(FILE *out, const command *self)
{
    fputs("\nCommon options:\n", out);
    for (int i = 0; i < n_common_options; i++) {
        if (shown_for(self, &common_options[i]))
            print_option(out, &common_options[i]);
    }
}

/* ---- the texts --------------------------------------------------------------------------------
 */

void usage_program(FILE *out)
{
    fprintf(out,
            "rustydb %s: a SQL database whose every committed change is an event\n\n"
            "Usage: rustydb [OPTION...] COMMAND [ARGUMENT...]\n\nCommands:\n",
            RUSTYDB_VERSION);
    for (int i = 0; i < n_commands; i++)
        fprintf(out, "  %-14s %s\n", commands[i].name, commands[i].summary);
    print_common(out, NULL);
    fputs("\n\"rustydb help COMMAND\" says more about one of them.\n", out);
}

void usage_command(const command *self, FILE *out)
{
    const command_usage *u = self->usage;
    fprintf(out, "rustydb %s: %s\n\nUsage: rustydb %s%s%s\n", self->name, self->summary, self->name,
            *u->synopsis ? " " : "", u->synopsis);
    if (u->details)
        print_paragraphs(out, u->details);
    if (u->n_options)
        fputs("\nOptions:\n", out);
    for (int i = 0; i < u->n_options; i++)
        print_option(out, &u->options[i]);
    if (u->formats)
        fprintf(out, "\nFormats: %s\n", u->formats);
    print_common(out, self);
    if (u->examples)
        fprintf(out, "\nExamples:\n%s\n", u->examples);
}

static void say(const command *self, const char *message)
{
    fprintf(stderr, "rustydb%s%s: %s\n", self ? " " : "", self ? self->name : "", message);
}

int command_misuse(const command *self, const char *fmt, ...)
{
    char message[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    say(self, message);
    fprintf(stderr, "\"rustydb %s%s--help\" says what there is.\n", self ? self->name : "",
            self ? " " : "");
    return EXIT_USAGE;
}

int command_fail(const command *self, const error *e)
{
    say(self, e->message);
    if (e->hint[0])
        fprintf(stderr, "  %s\n", e->hint);
    return error_describe(e->code)->exit_code;
}
