#include "cli/bench/target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static bool is_loopback(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr) >> 24) ==
               127;
    return sa->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
}

static bool resolve(bench_target *t, const char *name, const char *port, error *e)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(name, port, &hints, &found);
    if (rc)
        return error_set(e, ERR_NOT_FOUND, "cannot find the host \"%s\": %s", name,
                         gai_strerror(rc));
    const struct addrinfo *best = found;
    for (const struct addrinfo *a = found; a; a = a->ai_next)
        if (a->ai_family == AF_INET) {
            best = a;
            break;
        }
    memcpy(&t->addr, best->ai_addr, best->ai_addrlen);
    t->addr_len = best->ai_addrlen;
    t->loopback = is_loopback(best->ai_addr);
    freeaddrinfo(found);
    return true;
}

/* Length of the scheme with "://", 0 when it is not one of ours. */
static size_t scheme_length(const char *url)
{
    static const char *const known[] = {"http://", "ws://", "https://", "wss://", "redis://"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncasecmp(url, known[i], strlen(known[i])) == 0)
            return strlen(known[i]);
    return 0;
}

bool bench_target_parse(bench_target *t, const char *url, error *e)
{
    *t = (bench_target){0};
    size_t scheme = scheme_length(url);
    t->redis = *url == 'r' || *url == 'R';
    t->tls = strncasecmp(url, "https:", 6) == 0 || strncasecmp(url, "wss:", 4) == 0;
    if (!scheme) {
        error_set(e, ERR_INVALID_MESSAGE, "cannot put load on \"%s\"", url);
        return error_hint(e, "The address must begin with http://, https://, ws:// or wss://.");
    }
    const char *at = url + scheme;
    size_t len = strcspn(at, "/?#");
    if (len == 0 || len >= sizeof t->host || strlen(at + len) >= sizeof t->path - 1)
        return error_set(e, ERR_INVALID_MESSAGE, "\"%s\" is no usable address", url);
    memcpy(t->host, at, len);
    snprintf(t->path, sizeof t->path, "%s%s", at[len] == '/' ? "" : "/", at + len);

    char name[sizeof t->host];
    memcpy(name, t->host, sizeof name);
    char *port = strrchr(name, ':');
    char *bracket = strchr(name, ']');
    if (port && (!bracket || port > bracket))
        *port++ = '\0';
    else
        port = t->tls ? "443" : "80";
    char *start = name;
    if (*name == '[' && bracket) {
        *bracket = '\0';
        start++;
    }
    return resolve(t, start, port, e);
}

/* Leaves the port to connect(), which may then use one port towards several peers. */
static void pick_source(int fd, const bench_target *t, unsigned nth)
{
    unsigned step = nth / BENCH_PER_SOURCE;
    if (!step || !t->loopback || t->addr.ss_family != AF_INET)
        return;
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK + step)};
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    bind(fd, (struct sockaddr *)&from, sizeof from);
}

int bench_target_connect(const bench_target *t, unsigned nth)
{
    int fd = socket(t->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    pick_source(fd, t, nth);
    if (connect(fd, (const struct sockaddr *)&t->addr, t->addr_len) == 0 || errno == EINPROGRESS)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}
