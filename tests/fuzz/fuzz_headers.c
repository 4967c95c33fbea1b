/* Throws text at what reads headers and lists of networks: an address that was read is written so
 * that it reads as the same; the client that proxies name is an address that stands in the header,
 * or the peer; and it is none of the proxies unless there is nothing else. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/networks.h"
#include "daemon/cors.h"
#include "daemon/forwarded.h"
#include "daemon/hosts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *text_of(const uint8_t *data, size_t n)
{
    char *text = malloc(n + 1);
    memcpy(text, data, n);
    text[n] = '\0';
    return text;
}

static bool alike(const ip_address *a, const ip_address *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static void check_address(const char *text)
{
    ip_address a, b;
    char shown[IP_TEXT_ROOM];
    if (!ip_parse(text, strlen(text), &a))
        return;
    ip_format(&a, shown);
    if (ip_is_known(&a) && (!ip_parse(shown, strlen(shown), &b) || !alike(&a, &b)))
        abort();
}

static void check_client(const char *header, const networks *proxies)
{
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    ip_address peer = ip_of_v4(loopback), client = forwarded_client(header, &peer, proxies);
    char shown[IP_TEXT_ROOM];
    ip_format(&client, shown);
    if (!alike(&client, &peer) && !ip_is_known(&client))
        abort();
    if (!*header && !alike(&client, &peer))
        abort();
}

/* A list of networks, a line end, the rest. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, '\n', size);
    size_t n = end ? (size_t)(end - data) : size;
    char *list = text_of(data, n), *rest = text_of(data + n, size - n);
    networks proxies = {0};
    error e;
    check_address(rest + (*rest == '\n'));
    host_listed(list, rest, strlen(rest));
    cors_listed(list, rest);
    if (networks_parse(list, &proxies, &e)) {
        if (proxies.n > NETWORKS_MAX)
            abort();
        check_client(rest + (*rest == '\n'), &proxies);
        networks_free(&proxies);
    } else if (e.code != ERR_INVALID_MESSAGE && e.code != ERR_INTERNAL_ERROR) {
        abort();
    }
    free(list);
    free(rest);
    return 0;
}
