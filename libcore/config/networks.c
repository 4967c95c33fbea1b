#include "config/networks.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config/units.h"

enum { V4_AT = 12, V4_BITS = 96 }; /* where IPv4 stands in the common form */

static const uint8_t mapped[V4_AT] = {[10] = 0xff, [11] = 0xff};

/* ---- addresses ---------------------------------------------------------------------------------
 */

ip_address ip_of_v4(const void *four)
{
    ip_address a;
    memcpy(a.bytes, mapped, sizeof mapped);
    memcpy(a.bytes + V4_AT, four, 4);
    return a;
}

ip_address ip_of_v6(const void *sixteen)
{
    ip_address a;
    memcpy(a.bytes, sixteen, sizeof a.bytes);
    return a;
}

bool ip_parse(const char *text, size_t n, ip_address *out)
{
    char copy[IP_TEXT_ROOM];
    uint8_t bytes[16];
    if (n == 0 || n >= sizeof copy || memchr(text, '\0', n))
        return false;
    memcpy(copy, text, n);
    copy[n] = '\0';
    if (inet_pton(AF_INET, copy, bytes) == 1)
        *out = ip_of_v4(bytes);
    else if (inet_pton(AF_INET6, copy, bytes) == 1)
        *out = ip_of_v6(bytes);
    else
        return false;
    return true;
}

bool ip_is_known(const ip_address *a)
{
    static const ip_address none;
    return memcmp(a, &none, sizeof none) != 0;
}

bool ip_is_v4(const ip_address *a)
{
    return memcmp(a->bytes, mapped, sizeof mapped) == 0;
}

bool ip_is_loopback(const ip_address *a)
{
    static const ip_address six = {{[15] = 1}};
    return ip_is_v4(a) ? a->bytes[V4_AT] == 127 : memcmp(a, &six, sizeof six) == 0;
}

void ip_format(const ip_address *a, char out[IP_TEXT_ROOM])
{
    out[0] = '\0';
    if (ip_is_v4(a))
        inet_ntop(AF_INET, a->bytes + V4_AT, out, IP_TEXT_ROOM);
    else if (ip_is_known(a))
        inet_ntop(AF_INET6, a->bytes, out, IP_TEXT_ROOM);
}

/* ---- networks ----------------------------------------------------------------------------------
 */

static bool same_bits(const ip_address *a, const ip_address *b, int bits)
{
    int whole = bits / 8, rest = bits % 8;
    if (memcmp(a->bytes, b->bytes, (size_t)whole) != 0)
        return false;
    return rest == 0 || ((a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest)) == 0;
}

/* Nothing is set behind the first `bits`: "10.1.2.3/8" is more likely a slip than a network. */
static bool ends_in_zeros(const ip_address *a, int bits)
{
    for (int i = bits; i < 128; i++) {
        if (a->bytes[i / 8] & (0x80 >> i % 8))
            return false;
    }
    return true;
}

static bool read_bits(const char *text, size_t n, int most, int *bits)
{
    char copy[4];
    int64_t value;
    if (n == 0 || n >= sizeof copy || strspn(text, "0123456789") < n)
        return false;
    memcpy(copy, text, n);
    copy[n] = '\0';
    if (!units_parse_int(copy, &value) || value > most)
        return false;
    *bits = (int)value;
    return true;
}

static bool parse_one(const char *text, size_t n, network *out, error *e)
{
    const char *slash = memchr(text, '/', n);
    size_t address = slash ? (size_t)(slash - text) : n;
    if (!ip_parse(text, address, &out->base))
        return error_set(e, ERR_INVALID_MESSAGE,
                         "\"%.*s\" is no network such as 10.0.0.0/8, 2001:db8::/32 or 192.0.2.7",
                         n > 64 ? 64 : (int)n, text);
    bool four = ip_is_v4(&out->base) && !memchr(text, ':', address);
    out->bits = 128;
    if (slash) {
        if (!read_bits(slash + 1, n - address - 1, four ? 32 : 128, &out->bits))
            return error_set(e, ERR_INVALID_MESSAGE, "\"%.*s\" has no length from 0 to %d",
                             n > 64 ? 64 : (int)n, text, four ? 32 : 128);
        out->bits += four ? V4_BITS : 0;
    }
    if (ends_in_zeros(&out->base, out->bits))
        return true;
    error_set(e, ERR_INVALID_MESSAGE, "\"%.*s\" has bits set behind its length",
              n > 64 ? 64 : (int)n, text);
    return error_hint(e, "A network is written with its first address, as 10.0.0.0/8.");
}

static size_t count_of(const char *text)
{
    size_t n = 0;
    for (text += strspn(text, " ,"); *text; text += strspn(text, " ,")) {
        text += strcspn(text, " ,");
        n++;
    }
    return n;
}

bool networks_parse(const char *text, networks *out, error *e)
{
    *out = (networks){0};
    size_t n = count_of(text);
    if (n == 0)
        return true;
    if (n > NETWORKS_MAX)
        return error_set(e, ERR_INVALID_MESSAGE, "there are %zu networks; %d may be given", n,
                         NETWORKS_MAX);
    out->items = mem_zalloc(n * sizeof *out->items);
    if (!out->items)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    for (text += strspn(text, " ,"); *text; text += strspn(text, " ,")) {
        size_t length = strcspn(text, " ,");
        if (!parse_one(text, length, &out->items[out->n++], e)) {
            networks_free(out);
            return false;
        }
        text += length;
    }
    return true;
}

void networks_free(networks *list)
{
    mem_free(list->items);
    *list = (networks){0};
}

bool networks_have(const networks *list, const ip_address *a)
{
    if (list->n == 0 || !ip_is_known(a))
        return false;
    for (size_t i = 0; i < list->n; i++) {
        if (same_bits(&list->items[i].base, a, list->items[i].bits))
            return true;
    }
    return false;
}
