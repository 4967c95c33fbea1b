#include "cli/text.h"

#include <locale.h>
#include <wchar.h>

size_t text_decode(const char *s, size_t n, uint32_t *c)
{
    const unsigned char *p = (const unsigned char *)s;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (p[0] >= 0xF5 || len == 0 || len > n) {
        *c = 0xFFFD;
        return 1;
    }
    uint32_t v = len == 1 ? p[0] : p[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            *c = 0xFFFD;
            return 1;
        }
        v = v << 6 | (p[i] & 0x3F);
    }
    if (v < least[len] || v > 0x10FFFF || (v >= 0xD800 && v <= 0xDFFF)) {
        *c = 0xFFFD;
        return 1;
    }
    *c = v;
    return len;
}

bool text_valid_utf8(const char *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t c;
        size_t len = text_decode(p + i, n - i, &c);
        if (c == 0xFFFD && len == 1)
            return false;
        i += len;
    }
    return true;
}

/* wcwidth knows wide characters only in a UTF-8 locale, whatever the user's is. */
static int char_width(uint32_t c)
{
    static locale_t utf8;
    if (c < 0x7F)
        return 1;
    if (!utf8) {
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
        if (!utf8)
            return 1;
    }
    locale_t old = uselocale(utf8);
    int w = wcwidth((wchar_t)c);
    uselocale(old);
    return w < 0 ? 1 : w;
}

/* Control characters, and those that change the order or look of what follows (bidi overrides, line
 * separators): they could make one row look like another. */
static bool unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0x2028 || c == 0x2029;
}

int text_width(const char *p, size_t n)
{
    int width = 0;
    for (size_t i = 0; i < n;) {
        uint32_t c;
        i += text_decode(p + i, n - i, &c);
        width += char_width(c);
    }
    return width;
}

static int add_escaped(buf *out, uint32_t c)
{
    size_t before = out->len;
    switch (c) {
    case '\n':
        buf_adds(out, "\\n");
        break;
    case '\r':
        buf_adds(out, "\\r");
        break;
    case '\t':
        buf_adds(out, "\\t");
        break;
    default:
        buf_addf(out, c < 0x100 ? "\\x%02x" : "\\u{%x}", (unsigned)c);
    }
    return (int)(out->len - before);
}

int text_printable(buf *out, const char *p, size_t n)
{
    int width = 0;
    for (size_t i = 0; i < n;) {
        if (p[i] >= 0x20 && p[i] < 0x7F) {
            size_t from = i;
            while (i < n && p[i] >= 0x20 && p[i] < 0x7F)
                i++;
            buf_add(out, p + from, i - from);
            width += (int)(i - from);
            continue;
        }
        uint32_t c;
        size_t len = text_decode(p + i, n - i, &c);
        if (unsafe(c)) {
            width += add_escaped(out, c);
        } else {
            if (c == 0xFFFD)
                buf_adds(out, "\xEF\xBF\xBD");
            else
                buf_add(out, p + i, len);
            width += char_width(c);
        }
        i += len;
    }
    return width;
}

void text_repeat(buf *out, const char *s, int n)
{
    for (int i = 0; i < n; i++)
        buf_adds(out, s);
}
