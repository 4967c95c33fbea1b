/* rustydb query: sends SQL statements to a daemon and prints their rows as they arrive. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/interrupt.h"
#include "cli/param.h"
#include "cli/session.h"
#include "cmd/command.h"

typedef struct query_options {
    const char *file;
    option_list params;
    int64_t max_rows;
    bool no_header;
} query_options;

static const option options[] = {
    {"file", 'f', "FILE", "take the SQL from FILE (- for standard input)", OPTION_TEXT,
     offsetof(query_options, file)},
    {"param", 'p', "NAME=VALUE", "value of the parameter :NAME", OPTION_LIST,
     offsetof(query_options, params)},
    {"max-rows", 0, "N", "at most N rows of each result", OPTION_INT,
     offsetof(query_options, max_rows), 1, INT64_MAX},
    {"no-header", 0, NULL, "table and csv: no line of column names", OPTION_SWITCH,
     offsetof(query_options, no_header)},
};

const command_usage usage_query = {
    .synopsis = "[OPTION...] SQL|- [PARAM...]",
    .details = "Sends SQL and prints the rows as they arrive. Several statements, set apart by\n"
               "\";\", run one after another until one fails; BEGIN, COMMIT and ROLLBACK work\n"
               "among them, and a transaction left open at the end is rolled back. With - or\n"
               "-f, the SQL comes from standard input or a file.\n\n"
               "A PARAM is the value of a \"?\", in order. It is text unless it is a JSON number,\n"
               "true, false or null. Parameters go with a single statement.\n\n"
               "Without --format it is table on a terminal and csv otherwise. In csv NULL is an\n"
               "empty field and empty text is \"\"; elsewhere NULL is NULL or null. Ctrl-C\n"
               "cancels the statement on the daemon.",
    .examples = "  rustydb query 'SELECT * FROM countries WHERE alpha_2 = ?' DE\n"
                "  rustydb query -p low=10 'SELECT * FROM t WHERE n > :low' --format json\n"
                "  sqlite3 old.db .dump | grep -v ^PRAGMA | rustydb query -",
    .formats = FORMAT_NAMES,
    COMMAND_OPTIONS(options),
};

/* One run of the command. */
typedef struct query_run {
    client c;
    session s;
    sql_split split;
    int fd;           /* where SQL comes from, -1: all of it was fed */
    const char *file; /* its name for messages, NULL for the command line */
    buf params;       /* JSON, empty for none */
    int n_statements; /* run so far */
} query_run;

static bool read_params(buf *out, const query_options *o, char **words, int n, error *e)
{
    if (o->params.n == 0)
        return param_array(out, words, n, e);
    buf_addc(out, '{');
    for (int i = 0; i < o->params.n; i++) {
        if (!param_named(out, i == 0, o->params.items[i].value, e))
            return false;
    }
    buf_addc(out, '}');
    return true;
}

/* Makes the next statement available; false at the end of the input or when reading fails. */
static bool next_statement(query_run *q, sql_statement *stmt, error *e)
{
    enum { BLOCK = 65536 };
    char block[BLOCK];
    while (!sql_split_next(&q->split, q->fd < 0, stmt)) {
        if (q->fd < 0 || interrupted())
            return false;
        ssize_t n = read(q->fd, block, sizeof block);
        if (n < 0 && errno != EINTR)
            return error_set(e, ERR_INVALID_MESSAGE, "cannot read %s: %s", q->file,
                             strerror(errno));
        if (n == 0)
            q->fd = -1;
        if (n > 0)
            sql_split_feed(&q->split, block, (size_t)n);
        if (q->split.text.failed)
            return error_set(e, ERR_MESSAGE_TOO_BIG, "a statement is too long for this command");
    }
    return true;
}

/* Prints why a statement failed (stmt NULL: something else did); returns the exit status. */
static int fail(query_run *q, const error *e, const sql_statement *stmt)
{
    bool in_transaction = session_abandon(&q->s);
    if (q->c.out.failed || interrupted() || !stmt)
        return client_fail(&q->c, e);
    bool alone = !q->file && q->n_statements == 1;
    int status = output_error(&q->c.out, "query", e,
                              &(output_place){.sql = stmt->text,
                                              .line = stmt->line,
                                              .number = alone ? 0 : q->n_statements,
                                              .file = q->file});
    if (in_transaction && !q->c.common->quiet)
        fputs("  the transaction was rolled back\n", stderr);
    return status;
}

/* With parameters there may be one statement only, and that is known before it runs. */
static int run_with_params(query_run *q)
{
    sql_statement stmt, second;
    error e;
    error_clear(&e);
    if (!next_statement(q, &stmt, &e))
        return e.code == ERR_NONE ? EXIT_OK : fail(q, &e, NULL);
    buf copy = BUF_INIT;
    buf_add(&copy, stmt.text, stmt.n);
    stmt.text = buf_cstr(&copy);
    int status = EXIT_OK;
    q->n_statements = 1;
    if (next_statement(q, &second, &e))
        status = command_misuse(command_find("query"), "parameters go with a single statement");
    else if (e.code != ERR_NONE)
        status = fail(q, &e, NULL);
    else if (!session_run(&q->s, &stmt, buf_cstr(&q->params), &e))
        status = fail(q, &e, &stmt);
    buf_free(&copy);
    return status;
}

static int run_all(query_run *q)
{
    sql_statement stmt;
    error e;
    error_clear(&e);
    while (!interrupted() && next_statement(q, &stmt, &e)) {
        q->n_statements++;
        if (!session_run(&q->s, &stmt, NULL, &e))
            return fail(q, &e, &stmt);
    }
    if (interrupted())
        error_set(&e, ERR_CANCELLED, "interrupted");
    if (e.code == ERR_NONE && q->s.tx[0]) {
        error_set(&e, ERR_CONFLICT, "the input ends inside a transaction, which was rolled back");
        error_hint(&e, "end it with COMMIT");
    }
    return e.code == ERR_NONE ? EXIT_OK : fail(q, &e, NULL);
}

static int run(query_run *q, const query_options *o)
{
    const cli_options *common = q->c.common;
    int status = client_connect(&q->c);
    if (status >= 0)
        return status;
    const char *name = common->format ? common->format : q->c.out.terminal ? "table" : "csv";
    format *f = format_new(
        name,
        &(format_options){.color = q->c.out.color, .utf8 = q->c.out.utf8, .header = !o->no_header},
        &q->c.out.text);
    q->s = (session){.ep = &q->c.ep,
                     .rest = q->c.rest,
                     .out = &q->c.out,
                     .format = f,
                     .timeout_ms = common->timeout_ms,
                     .max_rows = o->max_rows};
    status = q->params.len > 0 ? run_with_params(q) : run_all(q);
    format_free(f);
    return status;
}

/* Where the SQL comes from. Returns the exit status of a wrong use, or -1. */
static int open_input(query_run *q, const command *self, const char *file, const char *sql)
{
    q->fd = -1;
    if (!file) {
        sql_split_feed(&q->split, sql, strlen(sql));
        return -1;
    }
    q->file = strcmp(file, "-") == 0 ? "standard input" : file;
    q->fd = strcmp(file, "-") == 0 ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    return q->fd >= 0 ? -1 : command_misuse(self, "cannot open %s: %s", file, strerror(errno));
}

/* What the words mean: SQL first, unless it comes from a file; then parameters. */
static int take_words(query_run *q, const command *self, const query_options *o, int argc,
                      char **argv)
{
    error e;
    const char *file = o->file, *sql = NULL;
    int at = 1;
    if (!file && at == argc)
        return command_misuse(self, "needs SQL, or - or -f to read some");
    if (!file) {
        sql = argv[at++];
        if (strcmp(sql, "-") == 0)
            file = sql;
    }
    if (o->params.n > 0 && at < argc)
        return command_misuse(self, "takes named parameters or others, not both");
    if ((o->params.n > 0 || at < argc) && !read_params(&q->params, o, argv + at, argc - at, &e))
        return command_misuse(self, "%s", e.message);
    return open_input(q, self, file, sql);
}

int cmd_query(const command *self, int argc, char **argv, cli_options *common)
{
    query_options o = {0};
    int status = command_parse(self, &argc, argv, &o, common);
    if (status >= 0)
        return status;
    query_run q = {.fd = -1};
    sql_split_init(&q.split);
    status = take_words(&q, self, &o, argc, argv);
    if (status < 0)
        status = client_open(&q.c, "query", common);
    if (status < 0)
        status = run(&q, &o);
    client_close(&q.c);
    sql_split_free(&q.split);
    buf_free(&q.params);
    option_list_free(&o.params);
    return status;
}
