#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

/* The sequences of more than one byte (RFC 3629, section 4): what they begin with, and between
 * which their second byte lies; those behind it are 80 to BF. */
static const struct form {
    unsigned char lead_from, lead_to, second_from, second_to;
    unsigned char len;
} forms[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
    {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
    {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

static const struct form *form_of(unsigned char lead)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (lead >= forms[i].lead_from && lead <= forms[i].lead_to)
            return &forms[i];
    }
    return NULL;
}

size_t utf8_sequence(const unsigned char *s, size_t n)
{
    if (s[0] < 0x80)
        return 1;
    const struct form *f = form_of(s[0]);
    if (!f || n < f->len || s[1] < f->second_from || s[1] > f->second_to)
        return 0;
    for (size_t k = 2; k < f->len; k++) {
        if ((s[k] & 0xC0) != 0x80)
            return 0;
    }
    return f->len;
}

size_t utf8_valid(const char *p, size_t n)
{
    const unsigned char *s = (const unsigned char *)p;
    size_t i = 0;
    while (i < n) {
        uint64_t eight;
        if (n - i >= sizeof eight) { /* mostly it is plain ASCII */
            memcpy(&eight, s + i, sizeof eight);
            if ((eight & 0x8080808080808080u) == 0) {
                i += sizeof eight;
                continue;
            }
        }
        size_t length = utf8_sequence(s + i, n - i);
        if (length == 0)
            break;
        i += length;
    }
    return i;
}

static bool begin_sequence(utf8_stream *u, unsigned char lead)
{
    const struct form *f = form_of(lead);
    if (!f)
        return false;
    *u = (utf8_stream){(unsigned char)(f->len - 1), f->second_from, f->second_to};
    return true;
}

bool utf8_feed(utf8_stream *u, const char *p, size_t n)
{
    size_t i = 0;
    while (i < n) {
        unsigned char c = (unsigned char)p[i];
        if (u->missing) {
            if (c < u->from || c > u->to)
                return false;
            *u = (utf8_stream){(unsigned char)(u->missing - 1), 0x80, 0xBF};
            i++;
            continue;
        }
        size_t whole = utf8_valid(p + i, n - i);
        i += whole;
        if (i < n && !begin_sequence(u, (unsigned char)p[i++]))
            return false;
    }
    return true;
}
