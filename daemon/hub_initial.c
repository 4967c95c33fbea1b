#include "daemon/hub_initial.h"
#include "base/mem.h"
#include "base/sqlname.h"
#include "daemon/conn.h"
#include "daemon/run.h"
#include "daemon/ws.h"
#include "feed/where.h"

#include <string.h>
#include <strings.h>

/* What the encoder needs on its way; in the job's arena. */
typedef struct initial_rows {
    int form;
    const char *filter; /* "" without one */
    const char *table;  /* as it was asked for */
    const char *topic;  /* of the table, as its events have it */
    const char *const *names;
    int n;
} initial_rows;

bool initial_check(const sub_request *q, error *e)
{
    buf normal = BUF_INIT;
    if (!q->n_tables)
        return error_set(e, ERR_INVALID_MESSAGE, "initial needs to know the tables");
    if (q->has_since)
        return error_set(e, ERR_INVALID_MESSAGE, "either initial or since, not both");
    bool ok = !q->where || where_normalise(q->where, &normal, e);
    buf_free(&normal);
    return ok;
}

/* ---- engine threads: rows as events ------------------------------------------------------------
 */

/* As the schema spells it. A policy may read other tables besides. */
static const char *schema_name(const buf *tables, const char *asked)
{
    const char *at = tables->len ? tables->data : "", *end = at + tables->len;
    for (; at < end; at += strlen(at) + 1) {
        if (strcasecmp(at, asked) == 0)
            return at;
    }
    return asked;
}

static void columns(run *r, const engine_column *cols, int n)
{
    initial_rows *rows = r->state;
    buf topic = BUF_INIT;
    buf_addf(&topic, "table:%s", schema_name(&r->job.origin.tables, rows->table));
    rows->topic = topic.failed ? NULL : arena_strndup(&r->job.mem, topic.data, topic.len);
    buf_free(&topic);
    const char **names = arena_alloc(&r->job.mem, sizeof *names * (size_t)n);
    for (int i = 0; names && i < n; i++) {
        names[i] = arena_strndup(&r->job.mem, cols[i].name, strlen(cols[i].name));
        if (!names[i])
            r->out.failed = true;
    }
    r->out.failed |= !names || !rows->topic;
    rows->names = names;
    rows->n = n;
}

static void row(run *r, const value *values, int n)
{
    const initial_rows *rows = r->state;
    if (!r->out.failed)
        form_write_initial(&r->wire, rows->form, rows->topic, rows->filter, rows->names, values,
                           n < rows->n ? n : rows->n);
    r->wire.failed |= r->out.failed;
}

static const run_encoder encode_initial = {.columns = columns, .row = row, .frames = true};

/* ---- reactor thread ----------------------------------------------------------------------------
 */

static void fail(sub *s, const error *e)
{
    char name[32];
    conn *c = s->c;
    hub_sub_name(s, name);
    c->ws->protocol->failed(c, NULL, e, name);
    hub_sub_free(s);
}

static void read_table(sub *s);

static void say_end(const sub *s, const run *r)
{
    char name[32];
    const initial_rows *rows = r->state;
    buf json = BUF_INIT;
    json_writer w;
    hub_sub_name(s, name);
    jw_init(&w, &json);
    jw_begin_object(&w);
    jw_key(&w, "event");
    jw_str(&w, "initial_end");
    jw_key(&w, "topic");
    jw_str(&w, rows->topic);
    jw_key(&w, "subscription_id");
    jw_str(&w, name);
    jw_key(&w, "lsn");
    jw_int(&w, r->sum.lsn);
    jw_key(&w, "rows");
    jw_int(&w, r->sum.rows);
    jw_end_object(&w);
    ws_say(s->c, "system", json.data, json.len);
    buf_free(&json);
}

/* All tables are read: the source goes on from the earliest position, and leaves out of each table
 * what was read. */
static void follow(sub *s)
{
    feed_request *q = &s->kept->q;
    q->has_since = true;
    q->since = s->read_to[0];
    for (int i = 1; i < q->n_tables; i++) {
        if (s->read_to[i] < q->since)
            q->since = s->read_to[i];
    }
    q->read_to = s->read_to;
    hub_sub_ask_again(s);
}

static void on_chunk(run *r, refbuf *data)
{
    if (r->arg) {
        conn_queue(r->c, data, r, 0);
        return;
    }
    run_credit(r, data->len);
    refbuf_unref(data);
}

static void on_done(run *r)
{
    sub *s = r->arg;
    if (!s) {
        run_free(r);
        return;
    }
    s->reading = NULL;
    if (r->failed) {
        fail(s, &r->err);
    } else {
        if (r->last)
            conn_queue(s->c, r->last, NULL, 0);
        r->last = NULL;
        say_end(s, r);
        s->read_to[s->tables_read++] = r->sum.lsn;
        if (s->tables_read < s->kept->q.n_tables)
            read_table(s);
        else
            follow(s);
    }
    run_free(r);
}

/* The columns that are seen of a table by its place in the list (feed_msg.shown); "": as it is. */
static const char *names_of(const char *shown, int place)
{
    if (!shown)
        return "";
    for (; place > 0; place--) {
        while (*shown)
            shown += strlen(shown) + 1;
        shown++;
    }
    return shown;
}

/* Bare names and new.x are the row; there is no old one. The line breaks end a comment in the
 * expression, which is known to keep its parentheses together. */
static void add_statement(buf *sql, const sub *s)
{
    const feed_request *q = &s->kept->q;
    const char *name = names_of(s->shown, s->tables_read);
    bool plain = !*name;
    buf_adds(sql, plain ? "SELECT \"new\".*" : "SELECT ");
    for (bool first = true; *name; first = false, name += strlen(name) + 1) {
        buf_adds(sql, first ? "\"new\"." : ",\"new\".");
        sqlname_add(sql, name);
    }
    /* Without main. it is what the subscriber may see of the table. */
    buf_adds(sql, plain ? " FROM main." : " FROM ");
    const char *table = q->tables[s->tables_read];
    sqlname_add(sql, table);
    buf_adds(sql, " AS \"new\"");
    if (q->where)
        buf_addf(sql, " WHERE (\n%s\n)", q->where);
}

static bool fill_job(run *r, const sub *s)
{
    const feed_request *q = &s->kept->q;
    buf sql = BUF_INIT;
    engine_stmt *stmt = arena_alloc(&r->job.mem, sizeof *stmt);
    initial_rows *rows = arena_alloc(&r->job.mem, sizeof *rows);
    add_statement(&sql, s);
    const char *text = sql.failed ? NULL : arena_strndup(&r->job.mem, sql.data, sql.len);
    buf_free(&sql);
    if (!stmt || !rows || !text)
        return false;
    rows->filter = arena_strndup(&r->job.mem, s->filter, strlen(s->filter));
    rows->form = q->form;
    rows->table =
        arena_strndup(&r->job.mem, q->tables[s->tables_read], strlen(q->tables[s->tables_read]));
    stmt->sql = text;
    r->state = rows;
    r->job.stmts = stmt;
    r->job.n_stmts = 1;
    r->job.readonly = true;
    r->job.origin.wanted = true;
    return rows->filter && rows->table;
}

static void read_table(sub *s)
{
    run *r = run_new(s->c, &encode_initial, JOB_QUERY);
    error e;
    if (!fill_job(r, s)) {
        run_free(r);
        error_set(&e, ERR_INTERNAL_ERROR, "out of memory");
        fail(s, &e);
        return;
    }
    r->on_chunk = on_chunk;
    r->on_done = on_done;
    r->arg = s;
    s->reading = r;
    run_submit(r);
}

void initial_start(sub *s)
{
    s->state = SUB_INITIAL;
    s->tables_read = 0;
    s->read_to = xalloc(sizeof *s->read_to * (size_t)s->kept->q.n_tables);
    read_table(s);
}

void initial_forget(sub *s)
{
    mem_free(s->read_to);
    s->read_to = NULL;
    if (!s->reading)
        return;
    s->reading->arg = NULL;
    engine_cancel(s->c->r->d->engine, &s->reading->job, ERR_CANCELLED);
    s->reading = NULL;
}
