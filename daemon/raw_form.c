#include "daemon/raw_form.h"
#include "base/arena.h"
#include "engine/value.h"
#include "json/read.h"
#include "json/slice.h"

/* The member "message" of the payload; without one, the payload. */
static json_slice find_message(const form_message *m)
{
    json_slice whole, name, member;
    error e;
    if (!json_slice_text(m->json, m->len, &whole, &e))
        return (json_slice){m->json, m->len};
    for (json_items at = json_items_of(whole); json_items_next(&at, &name, &member);) {
        if (json_slice_is(name, "message"))
            return member;
    }
    return whole;
}

ws_opcode raw_write_message(buf *out, const form_message *m)
{
    json_slice message = find_message(m);
    bool may_be_bytes = *message.p == '"' || *message.p == '{';
    error e;
    json_t *parsed = may_be_bytes ? json_read_text(message.p, message.n, &e) : NULL;
    ws_opcode opcode = WS_TEXT;
    arena mem = ARENA_INIT;
    value v;
    if (parsed && value_from_json(&v, parsed, &mem, "message", &e) &&
        (v.type == VALUE_TEXT || v.type == VALUE_BLOB)) {
        buf_add(out, v.p, v.len);
        opcode = v.type == VALUE_BLOB ? WS_BINARY : WS_TEXT;
    } else {
        buf_add(out, message.p, message.n);
    }
    arena_free(&mem);
    json_decref(parsed);
    return opcode;
}
