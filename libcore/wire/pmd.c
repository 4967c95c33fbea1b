#include "wire/pmd.h"
#include "base/mem.h"

#include <string.h>

enum { STEP = 4096, MAX_BITS = 15 };

/* ---- offers ------------------------------------------------------------------------------------
 */

typedef struct text {
    const char *p;
    size_t n;
} text;

static text trimmed(const char *p, size_t n)
{
    while (n && p[0] == ' ')
        p++, n--;
    while (n && p[n - 1] == ' ')
        n--;
    return (text){p, n};
}

/* Cuts the part in front of a separator off; false when nothing is left. */
static bool cut(text *rest, char separator, text *part)
{
    if (!rest->p)
        return false;
    const char *end = memchr(rest->p, separator, rest->n);
    size_t n = end ? (size_t)(end - rest->p) : rest->n;
    *part = trimmed(rest->p, n);
    *rest = end ? (text){end + 1, rest->n - n - 1} : (text){NULL, 0};
    return true;
}

static bool is(text t, const char *word)
{
    return t.n == strlen(word) && memcmp(t.p, word, t.n) == 0;
}

/* A number of window bits as RFC 7692, 7.1.2.1 has it: 8 to 15 without a leading zero; else 0. */
static int bits_of(text t)
{
    if (t.n == 1 && (t.p[0] == '8' || t.p[0] == '9'))
        return t.p[0] - '0';
    return t.n == 2 && t.p[0] == '1' && t.p[1] >= '0' && t.p[1] <= '5' ? 10 + t.p[1] - '0' : 0;
}

enum { SERVER_TAKEOVER = 1, CLIENT_TAKEOVER = 2, SERVER_BITS = 4, CLIENT_BITS = 8 };

/* Which parameter it is; 0 when it cannot be accepted. */
static int read_parameter(text t)
{
    const char *equals = memchr(t.p, '=', t.n);
    text name = {t.p, equals ? (size_t)(equals - t.p) : t.n};
    text value = {equals ? equals + 1 : NULL, equals ? t.n - name.n - 1 : 0};
    if (is(name, "server_no_context_takeover"))
        return equals ? 0 : SERVER_TAKEOVER;
    if (is(name, "client_no_context_takeover"))
        return equals ? 0 : CLIENT_TAKEOVER;
    if (is(name, "server_max_window_bits"))
        return bits_of(value) >= PMD_WINDOW_BITS ? SERVER_BITS : 0;
    if (is(name, "client_max_window_bits"))
        return !equals || bits_of(value) ? CLIENT_BITS : 0;
    return 0;
}

static bool acceptable(text parameters, pmd_offer *o)
{
    int seen = 0;
    text t;
    while (cut(&parameters, ';', &t)) {
        int which = t.n ? read_parameter(t) : 0;
        if (!which || seen & which)
            return false;
        seen |= which;
    }
    o->client_no_takeover = seen & CLIENT_TAKEOVER;
    return true;
}

/* Whether libwebsockets reads this name as permessage-deflate, whose offers it counts. */
static bool is_counted(text name)
{
    static const char word[] = "permessage-deflate";
    size_t k = 0;
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] != ' ' && (k >= sizeof word - 1 || name.p[i] != word[k++]))
            return false;
    }
    return k == sizeof word - 1;
}

bool pmd_choose(const char *header, pmd_offer *out)
{
    text rest = {header, strlen(header)}, offer, name;
    bool found = false;
    int index = 0;
    /* Quotes and tabs are legal and nobody sends them; libwebsockets counts otherwise there. */
    if (strpbrk(header, "\"\t"))
        return false;
    while (cut(&rest, ',', &offer)) {
        if (!cut(&offer, ';', &name) || !is_counted(name))
            continue;
        pmd_offer o = {.index = index};
        index++;
        bool has_parameters = offer.p;
        if (!memchr(name.p, ' ', name.n) && acceptable(offer, &o)) {
            *out = o;
            found = true;
            if (has_parameters)
                return true;
        } else {
            found = false; /* one without parameters before it is not the last */
        }
    }
    return found;
}

/* ---- inflating ---------------------------------------------------------------------------------
 */

static voidpf z_alloc(voidpf arg, uInt items, uInt size)
{
    (void)arg;
    return mem_alloc((size_t)items * size);
}

static void z_free(voidpf arg, voidpf p)
{
    (void)arg;
    mem_free(p);
}

static bool start(pmd_inflater *p)
{
    if (p->running)
        return true;
    p->z = (z_stream){.zalloc = z_alloc, .zfree = z_free};
    p->running = inflateInit2(&p->z, -MAX_BITS) == Z_OK;
    return p->running;
}

/* Room for the next step of output within max; false: out holds as much as it may. */
static bool make_room(pmd_inflater *p, buf *out, size_t max)
{
    size_t room = max - out->len < STEP ? max - out->len : STEP;
    if (room == 0)
        return false;
    char *to = buf_reserve(out, room);
    p->z.next_out = (unsigned char *)to;
    p->z.avail_out = to ? (unsigned)room : 0;
    return true;
}

/* Everything of the input, which is left in z. One byte more than max is tried for, so that a
 * message of just max bytes is not taken for a larger one. */
static pmd_result run(pmd_inflater *p, buf *out, size_t max)
{
    do {
        if (!make_room(p, out, max + 1))
            return PMD_TOO_BIG;
        if (out->failed)
            return PMD_NO_MEMORY;
        unsigned room = p->z.avail_out;
        /* A final block ends the stream for zlib, but not for the message, and the window stays
         * (RFC 7692, 7.2.3.4). */
        if (p->ended && p->z.avail_in) {
            inflateResetKeep(&p->z);
            p->ended = false;
        }
        int end = inflate(&p->z, Z_SYNC_FLUSH);
        out->len += room - p->z.avail_out;
        if (end == Z_STREAM_END)
            p->ended = true;
        else if (end == Z_MEM_ERROR)
            return PMD_NO_MEMORY;
        else if (end != Z_OK && end != Z_BUF_ERROR)
            return PMD_BAD;
    } while (p->z.avail_in || p->z.avail_out == 0);
    return out->len > max ? PMD_TOO_BIG : PMD_OK;
}

/* Whether the deflate stream stands between two blocks, on a whole byte. */
static bool between_blocks(const pmd_inflater *p)
{
    return p->ended || (p->z.data_type & 128 && !(p->z.data_type & 63));
}

/* The end of a message: the four bytes that its sender has left out (RFC 7692, 7.2.2). */
static pmd_result finish(pmd_inflater *p, buf *out, size_t max)
{
    static const unsigned char tail[] = {0x00, 0x00, 0xFF, 0xFF};
    pmd_result r = PMD_OK;
    if (p->has_input && !p->ended) {
        p->z.next_in = (unsigned char *)(uintptr_t)tail;
        p->z.avail_in = sizeof tail;
        r = run(p, out, max);
    }
    if (r == PMD_OK && p->has_input && !between_blocks(p))
        r = PMD_BAD;
    p->has_input = false;
    if (p->no_takeover)
        pmd_free(p);
    return r;
}

pmd_result pmd_inflate(pmd_inflater *p, const void *in, size_t n, bool last, buf *out, size_t max)
{
    if (!start(p))
        return PMD_NO_MEMORY;
    pmd_result r = PMD_OK;
    if (n) {
        p->has_input = true;
        p->z.next_in = (unsigned char *)(uintptr_t)in;
        p->z.avail_in = (unsigned)n;
        r = run(p, out, max);
    }
    return r == PMD_OK && last ? finish(p, out, max) : r;
}

void pmd_free(pmd_inflater *p)
{
    if (p->running)
        inflateEnd(&p->z);
    p->running = p->ended = p->has_input = false;
}
