#include "daemon/proxy_protocol.h"

#include <string.h>

enum {
    SIGNATURE = 12,
    FIXED = 16, /* bytes of version 2 before the addresses */
    V4_BLOCK = 12,
    V6_BLOCK = 36,
};

static const uint8_t signature[SIGNATURE] = "\r\n\r\n\0\r\nQUIT\n";
static const char first[] = "PROXY ";

/* ---- version 1: a line of text -----------------------------------------------------------------
 */

/* The next word of a line, which ends with one space or with the line. */
static const char *word(const char **at, size_t *n)
{
    const char *from = *at;
    *n = strcspn(from, " ");
    *at = from + *n + (from[*n] == ' ');
    return from;
}

static bool read_port(const char **at, uint16_t *port)
{
    size_t n;
    const char *text = word(at, &n);
    unsigned value = 0;
    if (n == 0 || n > 5 || strspn(text, "0123456789") < n || (n > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < n; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    *port = (uint16_t)value;
    return value <= 65535;
}

static bool read_address(const char **at, bool four, ip_address *to)
{
    size_t n;
    const char *text = word(at, &n);
    return ip_parse(text, n, to) && !memchr(text, ':', n) == four;
}

/* What stands between "PROXY " and the line break. */
static bool read_line(proxy_header *h, const char *at)
{
    ip_address to;
    uint16_t to_port;
    size_t n;
    const char *family = word(&at, &n);
    if (n == 7 && memcmp(family, "UNKNOWN", 7) == 0) {
        h->local = true; /* the rest is to be ignored */
        return true;
    }
    bool four = n == 4 && memcmp(family, "TCP4", 4) == 0;
    if (!four && !(n == 4 && memcmp(family, "TCP6", 4) == 0))
        return false;
    return read_address(&at, four, &h->from) && read_address(&at, four, &to) &&
           read_port(&at, &h->port) && read_port(&at, &to_port) && !*at && at[-1] != ' ';
}

static proxy_state take_text(proxy_header *h)
{
    char *line = (char *)h->text;
    if (h->got < sizeof first - 1)
        return PROXY_MORE;
    if (h->text[h->got - 1] != '\n')
        return h->got < PROXY_V1_MAX ? PROXY_MORE : PROXY_BAD;
    if (h->got < sizeof first + 1 || h->text[h->got - 2] != '\r' || memchr(line, '\0', h->got))
        return PROXY_BAD;
    line[h->got - 2] = '\0';
    return read_line(h, line + sizeof first - 1) ? PROXY_DONE : PROXY_BAD;
}

/* ---- version 2: bytes --------------------------------------------------------------------------
 */

static unsigned two(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static bool read_fixed(proxy_header *h)
{
    static const size_t blocks[] = {0, V4_BLOCK, V6_BLOCK, 0};
    unsigned version = h->text[12] >> 4, command = h->text[12] & 15, family = h->text[13] >> 4;
    unsigned length = two(h->text + 14);
    if (version != 2 || command > 1 || length > PROXY_V2_MAX)
        return false;
    h->want = FIXED + length;
    /* Over anything but TCP on IPv4 or IPv6 there is no address that would mean something here. */
    h->local = command == 0 || h->text[13] == 0 || family > 2 || (h->text[13] & 15) != 1;
    return h->local || length >= blocks[family];
}

static void read_block(proxy_header *h)
{
    const uint8_t *block = h->text + FIXED;
    if (h->local)
        return;
    bool four = h->text[13] >> 4 == 1;
    h->from = four ? ip_of_v4(block) : ip_of_v6(block);
    h->port = (uint16_t)two(block + (four ? 8 : 32));
}

static proxy_state take_bytes(proxy_header *h)
{
    if (h->got == FIXED && !read_fixed(h))
        return PROXY_BAD;
    if (h->got < FIXED || h->got < h->want)
        return PROXY_MORE;
    read_block(h);
    return PROXY_DONE;
}

/* ---- both --------------------------------------------------------------------------------------
 */

/* The state with one more byte. The first one says which version it is. */
static proxy_state take(proxy_header *h, uint8_t byte)
{
    bool text = h->got ? h->text[0] == first[0] : byte == first[0];
    size_t at = h->got++;
    if (at < PROXY_V1_MAX)
        h->text[at] = byte;
    if (text)
        return at < sizeof first - 1 && byte != first[at] ? PROXY_BAD : take_text(h);
    return at < SIGNATURE && byte != signature[at] ? PROXY_BAD : take_bytes(h);
}

size_t proxy_feed(proxy_header *h, const void *bytes, size_t n)
{
    size_t used = 0;
    while (used < n && h->state == PROXY_MORE)
        h->state = take(h, ((const uint8_t *)bytes)[used++]);
    return used;
}
