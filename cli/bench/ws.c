#include "cli/bench/ws.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include "base/mem.h"

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455, 1.3 */

/* One key serves a whole run: nothing here shields anyone from a proxy. */
static char key[28];
static char expected[32];
static uint32_t mask_seed;

static bool make_key(error *e)
{
    uint8_t nonce[20];
    if (getrandom(nonce, sizeof nonce, 0) != sizeof nonce)
        return error_set(e, ERR_INTERNAL_ERROR, "no random bytes: %s", strerror(errno));
    memcpy(&mask_seed, nonce + 16, sizeof mask_seed);
    EVP_EncodeBlock((uint8_t *)key, nonce, 16);
    char text[sizeof key + sizeof GUID];
    int n = snprintf(text, sizeof text, "%s" GUID, key);
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (!EVP_Digest(text, (size_t)n, digest, &len, EVP_sha1(), NULL))
        return error_set(e, ERR_INTERNAL_ERROR, "SHA-1 is not available");
    EVP_EncodeBlock((uint8_t *)expected, digest, (int)len);
    return true;
}

static uint32_t next_mask(void)
{
    mask_seed ^= mask_seed << 13;
    mask_seed ^= mask_seed >> 17;
    mask_seed ^= mask_seed << 5;
    return mask_seed;
}

void bench_ws_close(bench_ws *w)
{
    bench_sock_close(&w->sock);
    mem_free(w->answer);
    w->answer = NULL;
    w->resp.broken = "closed";
    w->frames.broken = "closed";
    bench_frames_free(&w->frames);
    w->state = WS_SHUT;
}

static void lost(bench_ws *w, const char *why)
{
    if (w->state == WS_SHUT)
        return;
    bench_ws_close(w);
    w->calls->closed(w, why);
}

static void take_close(bench_ws *w, const char *payload, size_t len)
{
    if (len >= 2) {
        w->close_code = (uint8_t)payload[0] << 8 | (uint8_t)payload[1];
        snprintf(w->reason, sizeof w->reason, "%.*s", (int)(len - 2), payload + 2);
    }
    char why[200];
    snprintf(why, sizeof why, "the server closed with %d %s", w->close_code, w->reason);
    lost(w, why);
}

static void frame(void *arg, int opcode, bool fin, const char *payload, size_t len)
{
    bench_ws *w = arg;
    switch (opcode) {
    case WS_PING:
        bench_frame_put(&w->sock.out, WS_PONG, payload, len, next_mask());
        bench_ws_flush(w);
        return;
    case WS_PONG:
        return;
    case WS_CLOSE:
        take_close(w, payload, len);
        return;
    default:
        if (fin)
            w->calls->frame(w, opcode, payload, len);
    }
}

/* Reads the answer to the upgrade; returns how many bytes were its own, or sets why. */
static size_t upgrade(bench_ws *w, const char *p, size_t n, const char **why)
{
    static char text[80];
    size_t took = bench_answer_feed(w->answer, p, n);
    if (w->answer->state == ANSWER_BROKEN) {
        *why = "the answer to the upgrade is not HTTP";
    } else if (w->answer->status && w->answer->status != 101) {
        snprintf(text, sizeof text, "the upgrade was answered with status %d", w->answer->status);
        *why = text;
    } else if (w->answer->state == ANSWER_DONE) {
        if (strcmp(w->answer->accept, expected) != 0) {
            *why = "the upgrade's Sec-WebSocket-Accept is wrong";
            return took;
        }
        mem_free(w->answer);
        w->answer = NULL;
        w->state = WS_OPEN;
        w->calls->opened(w);
    }
    return took;
}

/* The first message is the answer to the subscription. */
static void redis_message(void *arg, const char *payload, size_t len)
{
    bench_ws *w = arg;
    if (w->state == WS_UPGRADING) {
        w->state = WS_OPEN;
        w->calls->opened(w);
    } else {
        w->calls->frame(w, WS_TEXT, payload, len);
    }
}

static void input(bench_ws *w)
{
    ssize_t n = bench_sock_read(&w->sock);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        lost(w, n < 0 ? strerror(errno) : "the server closed the connection");
        return;
    }
    size_t at = 0;
    const char *why = NULL;
    if (w->redis) {
        if (!bench_resp_feed(&w->resp, w->sock.loop->in, (size_t)n))
            lost(w, w->resp.broken);
        return;
    }
    if (w->state == WS_UPGRADING)
        at = upgrade(w, w->sock.loop->in, (size_t)n, &why);
    if (!why && w->state == WS_OPEN &&
        !bench_frames_feed(&w->frames, w->sock.loop->in + at, (size_t)n - at))
        why = w->frames.broken;
    if (why)
        lost(w, why);
}

static void ready(bench_io *io, uint32_t events)
{
    bench_ws *w = (bench_ws *)(void *)io;
    if ((events & EPOLLOUT) && !bench_sock_flush(&w->sock)) {
        lost(w, strerror(errno));
        return;
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        input(w);
}

static void ask_upgrade(buf *out, const bench_target *to, const char *path, const char *auth,
                        const char *protocol)
{
    buf_addf(out,
             "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n",
             path, to->host, key);
    if (auth)
        buf_addf(out, "Authorization: %s\r\n", auth);
    if (to->deflate)
        buf_adds(out, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
    if (protocol)
        buf_addf(out, "Sec-WebSocket-Protocol: %s\r\n", protocol);
    buf_adds(out, "\r\n");
}

bool bench_ws_open(bench_ws *w, bench_loop *loop, const bench_target *to, const char *path,
                   unsigned nth, const char *auth, const char *protocol,
                   const bench_ws_calls *calls, void *owner, error *e)
{
    if (!*key && !make_key(e))
        return false;
    *w = (bench_ws){.calls = calls, .owner = owner, .state = WS_UPGRADING};
    w->frames = (bench_frames){.frame = frame, .arg = w, .compressed = to->deflate};
    w->sock.io.fd = -1;
    w->answer = mem_zalloc(sizeof *w->answer);
    w->redis = to->redis;
    w->resp = (bench_resp){.message = redis_message, .arg = w};
    if (!w->answer)
        return error_set(e, ERR_INTERNAL_ERROR, "memory is out");
    bench_answer_reset(w->answer);
    if (to->redis) {
        bench_redis_command(&w->sock.out, "SUBSCRIBE", to, NULL);
    } else {
        ask_upgrade(&w->sock.out, to, path ? path : to->path, auth, protocol);
    }
    if (bench_sock_open(&w->sock, loop, to, nth, ready))
        return true;
    error_set(e, ERR_INTERNAL_ERROR, "cannot open connection %u: %s", nth + 1, strerror(errno));
    bench_ws_close(w);
    return false;
}

void bench_ws_text(bench_ws *w, const char *text, size_t len)
{
    bench_frame_put(&w->sock.out, WS_TEXT, text, len, next_mask());
}

void bench_ws_flush(bench_ws *w)
{
    if (w->state == WS_OPEN && !bench_sock_flush(&w->sock))
        lost(w, strerror(errno));
}
