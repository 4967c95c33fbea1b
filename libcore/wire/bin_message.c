#include "wire/bin_message.h"
#include "wire/bin_field.h"
#include "wire/bin_layout.h"
#include "wire/bincode.h"

#include <string.h>

bin_text bin_str(const char *s)
{
    return (bin_text){s, strlen(s)};
}

bin_opt_text bin_opt_str(const char *s)
{
    return (bin_opt_text){s, s ? strlen(s) : 0};
}

static const bin_layout *layout_of(const bin_message *m)
{
    return &bin_types[m->type].forms[bin_types[m->type].n_forms ? m->form : 0];
}

/* ---- writing -----------------------------------------------------------------------------------
 */

/* The bytes behind `at` become a Vec<u8>: their number goes in before them. */
static void count_before(buf *out, size_t at)
{
    char count[BC_UINT_MAX];
    size_t n = out->len - at, room = bc_uint(n, count);
    if (!buf_reserve(out, room))
        return;
    memmove(out->data + at + room, out->data + at, n);
    memcpy(out->data + at, count, room);
    out->len += room;
}

void bin_envelope_put(buf *out, bin_type type, bin_text id)
{
    bc_put_u8(out, BIN_VERSION);
    bc_put_uint(out, type);
    bc_put_str(out, id.p, id.n);
}

void bin_message_put(buf *out, const bin_message *m)
{
    const bin_layout *layout = layout_of(m);
    bin_envelope_put(out, m->type, m->id);
    size_t payload = out->len;
    if (bin_types[m->type].n_forms)
        bc_put_uint(out, m->form);
    for (int i = 0; i < layout->n; i++)
        bin_put_field(out, layout->fields[i].kind, (const char *)m + layout->fields[i].at);
    if (!out->failed)
        count_before(out, payload);
}

/* ---- reading -----------------------------------------------------------------------------------
 */

/* Says what is wrong at the place where the reader stopped. */
static bool malformed(const bc_reader *r, const unsigned char *start, const char *what,
                      const char *field, error *e)
{
    error_set(e, ERR_INVALID_MESSAGE, "%s%s%s, byte %td: %s", what, *field ? "." : "", field,
              r->p - start, r->fault);
    e->position = r->p - start;
    return false;
}

static bool get_payload(bin_message *m, bc_reader *r, const unsigned char *start, arena *mem,
                        error *e)
{
    bin_input in = {.r = r, .mem = mem};
    const bin_type_layout *type = &bin_types[m->type];
    if (type->n_forms)
        m->form = bc_get_variant(r, type->n_forms);
    if (r->fault)
        return malformed(r, start, type->name, "", e);
    const bin_layout *layout = layout_of(m);
    for (int i = 0; i < layout->n; i++) {
        const bin_field *f = &layout->fields[i];
        bin_get_field(&in, f->kind, (char *)m + f->at);
        if (in.no_memory)
            return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
        if (r->fault)
            return malformed(r, start, layout->name, f->name, e);
    }
    if (bc_left(r)) {
        bc_fail(r, "the payload goes on behind its last field");
        return malformed(r, start, layout->name, "", e);
    }
    return true;
}

bool bin_message_get(bin_message *m, const void *p, size_t n, arena *mem, error *e)
{
    bc_reader r, payload;
    size_t payload_len;
    *m = (bin_message){.id = {"", 0}};
    bc_open(&r, p, n);
    uint8_t version = bc_get_u8(&r);
    if (!r.fault && version != BIN_VERSION)
        return error_set(e, ERR_INVALID_MESSAGE, "version %d is not spoken here, only %d", version,
                         BIN_VERSION);
    uint64_t type = bc_get_uint(&r, BC_U32);
    m->id.p = bc_get_str(&r, &m->id.n);
    const char *bytes = bc_get_bytes(&r, &payload_len);
    if (bc_left(&r))
        bc_fail(&r, "the message goes on behind its payload");
    if (r.fault)
        return malformed(&r, r.start, "message", "", e);
    if (type >= BIN_TYPES)
        return error_set(e, ERR_INVALID_MESSAGE, "there is no message type %u", (unsigned)type);
    m->type = (bin_type)type;
    bc_open(&payload, bytes, payload_len);
    return get_payload(m, &payload, r.start, mem, e);
}
