#include "cli/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "base/clock.h"

static volatile sig_atomic_t came;
static int wake[2] = {-1, -1};
static void (*volatile notify_fn)(void);

static void on_sigint(int sig)
{
    int saved = errno;
    if (came) {
        signal(sig, SIG_DFL);
        raise(sig);
    }
    came = 1;
    if (wake[1] >= 0 && write(wake[1], "", 1) < 0) {
        /* full already: it is readable, which is all that counts */
    }
    if (notify_fn)
        notify_fn();
    errno = saved;
}

void interrupt_arm(void)
{
    struct sigaction old, act = {.sa_handler = on_sigint};
    sigemptyset(&act.sa_mask);
    signal(SIGPIPE, SIG_IGN);
    if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) != 0)
        wake[0] = wake[1] = -1;
    if (sigaction(SIGINT, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
        sigaction(SIGINT, &act, NULL);
}

bool interrupted(void)
{
    return came != 0;
}

int interrupt_fd(void)
{
    return wake[0];
}

void interrupt_notify(void (*notify)(void))
{
    notify_fn = notify;
}

void interrupt_disarm(void)
{
    struct sigaction now;
    if (sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == on_sigint)
        signal(SIGINT, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
}

bool interrupt_sleep(int ms)
{
    int64_t until = clock_mono_us() + (int64_t)ms * 1000;
    while (!interrupted()) {
        int64_t left = (until - clock_mono_us() + 999) / 1000;
        if (left <= 0)
            return true;
        struct pollfd p = {.fd = wake[0], .events = POLLIN};
        poll(&p, 1, (int)left);
    }
    return false;
}
