#include "cli/bench/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

volatile int bench_interrupted;

bool bench_loop_open(bench_loop *l, error *e)
{
    *l = (bench_loop){.epfd = epoll_create1(EPOLL_CLOEXEC), .in = mem_alloc(BENCH_LOOP_IN)};
    if (l->epfd >= 0 && l->in)
        return true;
    error_set(e, ERR_INTERNAL_ERROR, "cannot make an event loop: %s", strerror(errno));
    bench_loop_close(l);
    return false;
}

void bench_loop_close(bench_loop *l)
{
    if (l->epfd >= 0)
        close(l->epfd);
    mem_free(l->in);
    *l = (bench_loop){.epfd = -1};
}

bool bench_loop_add(bench_loop *l, bench_io *io, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = io};
    io->events = events;
    return epoll_ctl(l->epfd, EPOLL_CTL_ADD, io->fd, &ev) == 0;
}

void bench_loop_watch(bench_loop *l, bench_io *io, uint32_t events)
{
    if (io->events == events || io->fd < 0)
        return;
    struct epoll_event ev = {.events = events, .data.ptr = io};
    io->events = events;
    epoll_ctl(l->epfd, EPOLL_CTL_MOD, io->fd, &ev);
}

void bench_loop_drop(bench_loop *l, bench_io *io)
{
    (void)l;
    if (io->fd >= 0)
        close(io->fd);
    io->fd = -1;
}

void bench_loop_timer(bench_loop *l, bench_timer *t)
{
    for (int i = 0; i < BENCH_LOOP_TIMERS; i++) {
        if (l->timers[i] == t)
            return;
        if (!l->timers[i]) {
            l->timers[i] = t;
            return;
        }
    }
}

void bench_loop_timer_gone(bench_loop *l, bench_timer *t)
{
    for (int i = 0; i < BENCH_LOOP_TIMERS; i++)
        if (l->timers[i] == t)
            l->timers[i] = NULL;
}

static int64_t fire_timers(bench_loop *l, int64_t now, int64_t until_us)
{
    int64_t next = until_us;
    for (int i = 0; i < BENCH_LOOP_TIMERS; i++) {
        bench_timer *t = l->timers[i];
        if (t && t->at_us && t->at_us <= now) {
            t->at_us = 0;
            t->fire(t);
        }
        if (l->timers[i] && l->timers[i]->at_us && l->timers[i]->at_us < next)
            next = l->timers[i]->at_us;
    }
    return next;
}

static int wait_for(int epfd, struct epoll_event *ev, int room, int64_t us)
{
    struct timespec ts = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    return epoll_pwait2(epfd, ev, room, &ts, NULL);
}

bool bench_loop_run(bench_loop *l, int64_t until_us)
{
    struct epoll_event ev[256];
    l->stopped = false;
    while (!l->stopped && !bench_interrupted) {
        int64_t now = clock_mono_us();
        if (now >= until_us)
            return false;
        int64_t next = fire_timers(l, now, until_us);
        if (l->stopped)
            break;
        int n = wait_for(l->epfd, ev, 256, next > now && !l->spin ? next - now : 0);
        for (int i = 0; i < n; i++) {
            bench_io *io = ev[i].data.ptr;
            if (io->fd >= 0)
                io->ready(io, ev[i].events);
        }
    }
    return l->stopped;
}

void bench_loop_stop(bench_loop *l)
{
    l->stopped = true;
}
