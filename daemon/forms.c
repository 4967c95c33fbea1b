#include "daemon/forms.h"
#include "daemon/bin_event.h"
#include "daemon/raw_form.h"
#include "wire/pmd.h"
#include "wire/ws_frame.h"

#include <string.h>

/* Writes the whole message; nothing when the form has no way to say it. */
typedef struct form_writer {
    void (*write)(buf *text, const form_message *m);
    ws_opcode opcode;
} form_writer;

static void write_json(buf *text, const form_message *m)
{
    buf_addf(text, "{\"type\":\"%s\",\"payload\":", m->type);
    buf_add(text, m->json, m->len);
    buf_addc(text, '}');
}

static void write_rpc(buf *text, const form_message *m)
{
    buf_addf(text, "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":", m->type);
    buf_add(text, m->json, m->len);
    buf_addc(text, '}');
}

static const form_writer writers[WS_FORMS] = {
    [FORM_JSON] = {write_json, WS_TEXT},
    [FORM_RPC] = {write_rpc, WS_TEXT},
    [FORM_BIN] = {bin_write_message, WS_BINARY},
};

/* Takes over `text`, a whole message. */
static void add_frame(buf *out, int form, ws_opcode opcode, buf *text)
{
    if (text->failed)
        out->failed = true;
    else
        ws_frame_add_message(out, opcode, text->data, text->len,
                             form >= FORM_DEFLATED ? PMD_WINDOW_BITS : 0);
    buf_free(text);
}

void form_write(buf *out, int form, const form_message *m)
{
    buf text = BUF_INIT;
    const form_writer *w = &writers[form % WS_FORMS];
    if (form % WS_FORMS == FORM_RAW) { /* an empty message is one, too */
        ws_opcode opcode = raw_write_message(&text, m);
        add_frame(out, form, opcode, &text);
        return;
    }
    w->write(&text, m);
    if (text.len || text.failed)
        add_frame(out, form, w->opcode, &text);
}

static void initial_json(buf *json, const char *topic, const char *filter, const char *const *names,
                         const value *row, int n)
{
    json_writer w;
    jw_init(&w, json);
    jw_begin_object(&w);
    jw_key(&w, "topic");
    jw_str(&w, topic);
    if (*filter) {
        jw_key(&w, "filter");
        jw_str(&w, filter);
    }
    jw_key(&w, "op");
    jw_str(&w, "initial");
    jw_key(&w, "row");
    jw_begin_object(&w);
    for (int i = 0; i < n; i++) {
        jw_keyn(&w, names[i], strlen(names[i]));
        value_write_json(&w, &row[i]);
    }
    jw_end_object(&w);
    jw_end_object(&w);
}

void form_write_initial(buf *out, int form, const char *topic, const char *filter,
                        const char *const *names, const value *row, int n)
{
    buf text = BUF_INIT;
    if (form % WS_FORMS == FORM_BIN) {
        bin_write_initial(&text, topic, filter, names, row, n);
        add_frame(out, form, WS_BINARY, &text);
        return;
    }
    initial_json(&text, topic, filter, names, row, n);
    form_write(out, form, &(form_message){"event", text.data, text.len});
    out->failed |= text.failed;
    buf_free(&text);
}

static void render(buf *out, int form, const feed_event *ev)
{
    const form_message m = {
        .type = ev->rec && ev->rec->kind == LOG_DDL ? "system" : "event",
        .json = ev->json,
        .len = ev->len,
    };
    form_write(out, form, &m);
}

/* Straight from the record, where there is one, without JSON in between. */
static void render_bin(buf *out, int form, const feed_event *ev)
{
    buf text = BUF_INIT;
    if (!ev->rec) {
        render(out, form, ev);
        return;
    }
    bin_write_record(&text, ev);
    if (text.len || text.failed)
        add_frame(out, form, WS_BINARY, &text);
}

const feed_form *form_table(void)
{
    static const feed_form table[FORM_COUNT] = {
        [FORM_JSON] = {true, render},
        [FORM_RPC] = {true, render},
        [FORM_RAW] = {true, render},
        [FORM_BIN] = {false, render_bin},
        [FORM_DEFLATED + FORM_JSON] = {true, render},
        [FORM_DEFLATED + FORM_RPC] = {true, render},
        [FORM_DEFLATED + FORM_RAW] = {true, render},
        [FORM_DEFLATED + FORM_BIN] = {false, render_bin},
    };
    return table;
}
