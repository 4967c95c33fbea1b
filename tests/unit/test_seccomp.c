/* The filter of system calls, in processes of its own: what ends one, what is refused, and what
 * goes on working. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "daemon/seccomp.h"

/* Runs `body` behind the filter in a child; its wait status. */
static int behind(int (*body)(void), seccomp_mode mode)
{
    int status;
    error e;
    pid_t child = fork();
    if (child == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !seccomp_enter(mode, &e))
            _exit(99);
        _exit(body());
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static int start_program(void)
{
    char *const args[] = {"/bin/true", NULL};
    execv(args[0], args);
    return errno;
}
static int make_process(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return child > 0 ? 0 : errno;
}
static int trace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : errno;
}
static int mount_something(void)
{
    return mount("none", "/mnt", "tmpfs", 0, NULL) == 0 ? 0 : errno;
}
static int become_root(void)
{
    return setuid(0) == 0 ? 0 : errno;
}
static int make_link(void)
{
    return symlink("/etc/passwd", "/tmp/test_seccomp.link") == 0 ? 0 : errno;
}
static int filter_again(void)
{
    return syscall(SYS_seccomp, 0, 0, NULL) == 0 ? 0 : errno;
}

static void what_attackers_want_ends_the_process(void **state)
{
    (void)state;
    int (*const wishes[])(void) = {start_program, make_process, trace,       mount_something,
                                   become_root,   make_link,    filter_again};
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
        int status = behind(wishes[i], SECCOMP_ON);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
            fail_msg("wish %zu: status %x", i, (unsigned)status);
    }
}

static int raw_socket(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0) >= 0 ? 0 : errno;
}
static int set_dumpable(void)
{
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0 ? 0 : errno;
}
static int code_that_is_written(void)
{
    void *p =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p != MAP_FAILED ? 0 : errno;
}
static int unknown_call(void)
{
    return syscall(5000) == 0 ? 0 : errno;
}
static int type_into_terminal(void)
{
    return syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI */, "x") == 0 ? 0 : errno;
}
static int process_by_clone3(void)
{
    return syscall(SYS_clone3, NULL, 0) >= 0 ? 0 : errno;
}

static void the_rest_is_as_if_the_kernel_had_it_not(void **state)
{
    (void)state;
    int (*const wishes[])(void) = {raw_socket,   set_dumpable,       code_that_is_written,
                                   unknown_call, type_into_terminal, process_by_clone3};
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
        int status = behind(wishes[i], SECCOMP_ON);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != ENOSYS)
            fail_msg("wish %zu: status %x", i, (unsigned)status);
    }
}

static void *nothing(void *arg)
{
    return arg;
}

static int daily_work(void)
{
    struct addrinfo *found, hints = {.ai_family = AF_UNSPEC, .ai_flags = AI_NUMERICHOST};
    char path[] = "/tmp/test_seccomp.XXXXXX";
    pthread_t t;
    if (pthread_create(&t, NULL, nothing, NULL) != 0 || pthread_join(t, NULL) != 0)
        return 1;
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) != 0 || unlink(path) != 0)
        return 2;
    if (socket(AF_INET, SOCK_STREAM, 0) < 0 || socket(AF_UNIX, SOCK_DGRAM, 0) < 0)
        return 3;
    if (getaddrinfo("127.0.0.1", "80", &hints, &found) != 0)
        return 4;
    freeaddrinfo(found);
    void *p = malloc(10 << 20);
    if (!p)
        return 5;
    free(p);
    return 0;
}

static void daily_work_goes_on(void **state)
{
    (void)state;
    assert_int_equal(behind(daily_work, SECCOMP_ON), 0);
}

static void log_refuses_nothing(void **state)
{
    (void)state;
    assert_int_equal(behind(start_program, SECCOMP_LOG_ONLY), 0);
    assert_int_equal(behind(make_process, SECCOMP_LOG_ONLY), 0);
}

static void *wait_and_try(void *arg)
{
    pthread_barrier_wait(arg);
    pthread_barrier_wait(arg);
    _exit(start_program());
}

/* A thread that was there before the filter has it, too. */
static void threads_that_were_there_have_it(void **state)
{
    int status;
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        pthread_barrier_t both;
        pthread_t t;
        error e;
        pthread_barrier_init(&both, NULL, 2);
        pthread_create(&t, NULL, wait_and_try, &both);
        pthread_barrier_wait(&both);
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !seccomp_enter(SECCOMP_ON, &e))
            _exit(99);
        pthread_barrier_wait(&both);
        pthread_join(t, NULL);
        _exit(98);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_attackers_want_ends_the_process),
        cmocka_unit_test(the_rest_is_as_if_the_kernel_had_it_not),
        cmocka_unit_test(daily_work_goes_on),
        cmocka_unit_test(log_refuses_nothing),
        cmocka_unit_test(threads_that_were_there_have_it),
    };
    if (!seccomp_is_built_in())
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
