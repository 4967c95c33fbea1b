#include "daemon/forms.h"
#include "wire/ws_frame.h"

enum { WINDOW_BITS = 15 };

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
};

void form_write(buf *out, int form, const form_message *m)
{
    bool deflated = form >= FORM_DEFLATED;
    const form_writer *w = &writers[deflated ? form - FORM_DEFLATED : form];
    buf text = BUF_INIT;
    w->write(&text, m);
    if (text.failed)
        out->failed = true;
    else if (deflated && text.len >= FORM_COMPRESS_MIN)
        ws_frame_add_deflated(out, w->opcode, text.data, text.len, WINDOW_BITS);
    else if (text.len)
        ws_frame_add(out, w->opcode, text.data, text.len);
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

const feed_form *form_table(void)
{
    static const feed_form table[FORM_COUNT] = {
        {true, render},
        {true, render},
        {true, render},
        {true, render},
    };
    return table;
}
