#include "daemon/seccomp.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(undefined_behavior_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

bool seccomp_is_built_in(void)
{
    return !SANITIZED;
}

/* By name, since not every architecture and every version of libseccomp has all of them. */
static const char *const allowed[] = {
    /* files */
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2",
    "pwritev2", "open", "openat", "close", "close_range", "creat", "stat", "fstat", "lstat",
    "newfstatat", "fstatat64", "statx", "access", "faccessat", "faccessat2", "readlink",
    "readlinkat", "getdents", "getdents64", "getcwd", "mkdir", "mkdirat", "rmdir", "unlink",
    "unlinkat", "rename", "renameat", "renameat2", "chmod", "fchmod", "fchmodat", "fchown",
    "fchownat", "ftruncate", "truncate", "fallocate", "fadvise64", "fsync", "fdatasync",
    "sync_file_range", "flock", "fcntl", "fcntl64", "utimensat", "utimes", "utime", "statfs",
    "fstatfs", "umask", "lseek", "_llseek", "dup", "dup2", "dup3", "pipe", "pipe2", "sendfile",
    "copy_file_range", "memfd_create", "inotify_init1", "inotify_add_watch", "inotify_rm_watch",
    /* memory */
    "munmap", "mremap", "madvise", "brk", "msync", "mlock", "munlock", "mincore", "membarrier",
    /* threads, signals, time */
    "futex", "futex_time64", "futex_waitv", "set_robust_list", "get_robust_list", "rseq",
    "sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getparam", "sched_getscheduler",
    "exit", "exit_group", "set_tid_address", "gettid", "getpid", "getppid", "getuid", "geteuid",
    "getgid", "getegid", "getresuid", "getresgid", "getgroups", "capget", "rt_sigaction",
    "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "rt_sigsuspend", "rt_sigpending",
    "sigaltstack", "sigreturn", "tgkill", "pause", "restart_syscall", "clock_gettime",
    "clock_gettime64", "clock_getres", "clock_nanosleep", "clock_nanosleep_time64", "nanosleep",
    "gettimeofday", "time", "times", "getrusage", "sysinfo", "uname", "getrlimit", "prlimit64",
    "getrandom", "getcpu", "timerfd_create", "timerfd_settime", "timerfd_gettime", "arch_prctl",
    "set_thread_area",
    /* sockets and waiting */
    "socketpair", "bind", "listen", "accept", "accept4", "connect", "getsockname", "getpeername",
    "setsockopt", "getsockopt", "sendto", "recvfrom", "send", "recv", "sendmsg", "recvmsg",
    "sendmmsg", "recvmmsg", "shutdown", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait",
    "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "ppoll_time64", "select", "pselect6", "eventfd",
    "eventfd2", "signalfd4"};

/* Nobody calls these by accident. */
static const char *const deadly[] = {"execve",
                                     "execveat",
                                     "fork",
                                     "vfork",
                                     "ptrace",
                                     "process_vm_readv",
                                     "process_vm_writev",
                                     "mount",
                                     "umount",
                                     "umount2",
                                     "pivot_root",
                                     "chroot",
                                     "move_mount",
                                     "open_tree",
                                     "fsopen",
                                     "fsmount",
                                     "fspick",
                                     "fsconfig",
                                     "mount_setattr",
                                     "unshare",
                                     "setns",
                                     "init_module",
                                     "finit_module",
                                     "delete_module",
                                     "kexec_load",
                                     "kexec_file_load",
                                     "bpf",
                                     "perf_event_open",
                                     "userfaultfd",
                                     "add_key",
                                     "request_key",
                                     "keyctl",
                                     "reboot",
                                     "swapon",
                                     "swapoff",
                                     "acct",
                                     "iopl",
                                     "ioperm",
                                     "modify_ldt",
                                     "personality",
                                     "setuid",
                                     "setgid",
                                     "setreuid",
                                     "setregid",
                                     "setresuid",
                                     "setresgid",
                                     "setfsuid",
                                     "setfsgid",
                                     "setgroups",
                                     "capset",
                                     "mknod",
                                     "mknodat",
                                     "symlink",
                                     "symlinkat",
                                     "link",
                                     "linkat",
                                     "quotactl",
                                     "settimeofday",
                                     "clock_settime",
                                     "clock_adjtime",
                                     "adjtimex",
                                     "sethostname",
                                     "setdomainname",
                                     "seccomp",
                                     "pidfd_getfd",
                                     "pidfd_send_signal",
                                     "open_by_handle_at",
                                     "name_to_handle_at",
                                     "io_uring_enter"};

static int add(scmp_filter_ctx f, uint32_t action, const char *name, unsigned n,
               const struct scmp_arg_cmp *args)
{
    int call = seccomp_syscall_resolve_name(name);
    if (call == __NR_SCMP_ERROR)
        return 0; /* unknown here, so it is refused anyway */
    int rc = seccomp_rule_add_array(f, action, call, n, args);
    return rc == -EACCES ? 0 : rc; /* the action is what happens by default */
}

static int add_all(scmp_filter_ctx f, uint32_t action, const char *const *names, size_t n)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = add(f, action, names[i], 0, NULL);
    return rc;
}

/* Allows a call where its argument number `arg` is one of these. */
static int add_values(scmp_filter_ctx f, const char *name, unsigned arg,
                      const unsigned long *values, size_t n)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const struct scmp_arg_cmp is = SCMP_CMP(arg, SCMP_CMP_EQ, values[i]);
        rc = add(f, SCMP_ACT_ALLOW, name, 1, &is);
    }
    return rc;
}

/* Memory is written or executed, never both. */
static int add_memory(scmp_filter_ctx f)
{
    static const char *const names[] = {"mmap", "mmap2", "mprotect"};
    const struct scmp_arg_cmp no_code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    const struct scmp_arg_cmp code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof names / sizeof *names; i++) {
        rc = add(f, SCMP_ACT_ALLOW, names[i], 1, &no_code);
        if (rc == 0)
            rc = add(f, SCMP_ACT_ALLOW, names[i], 1, &code);
    }
    return rc;
}

/* Those that depend on what is asked of them. */
static int add_narrow(scmp_filter_ctx f, uint32_t kill)
{
    static const unsigned long families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    static const unsigned long names[] = {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE};
    static const unsigned long controls[] = {FIONREAD, FIONBIO,  FIOCLEX,   FIONCLEX,
                                             TCGETS,   TIOCOUTQ, TIOCGWINSZ};
    int rc = add_values(f, "socket", 0, families, sizeof families / sizeof *families);
    if (rc == 0)
        rc = add_values(f, "prctl", 0, names, sizeof names / sizeof *names);
    if (rc == 0)
        rc = add_values(f, "ioctl", 1, controls, sizeof controls / sizeof *controls);
    if (rc == 0)
        rc = add_memory(f);
    /* A thread, but no process. clone3 hides its flags in memory: as if the kernel had none, so
     * that the C library takes clone. */
    if (rc == 0)
        rc = add(f, SCMP_ACT_ALLOW, "clone", 1,
                 &SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    if (rc == 0)
        rc = add(f, kill, "clone", 1, &SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
    return rc;
}

static int build(scmp_filter_ctx f, seccomp_mode mode)
{
    uint32_t kill = mode == SECCOMP_ON ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_LOG;
    int rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
    if (rc == 0)
        rc = add_all(f, SCMP_ACT_ALLOW, allowed, sizeof allowed / sizeof *allowed);
    if (rc == 0)
        rc = add_all(f, kill, deadly, sizeof deadly / sizeof *deadly);
    if (rc == 0)
        rc = add_narrow(f, kill);
    return rc ? rc : seccomp_load(f);
}

bool seccomp_enter(seccomp_mode mode, error *e)
{
    if (mode == SECCOMP_OFF || !seccomp_is_built_in())
        return true;
    scmp_filter_ctx f = seccomp_init(mode == SECCOMP_ON ? SCMP_ACT_ERRNO(ENOSYS) : SCMP_ACT_LOG);
    int rc = f ? build(f, mode) : -ENOMEM;
    seccomp_release(f);
    if (rc == 0)
        return true;
    error_set(e, ERR_INTERNAL_ERROR, "cannot set up the filter of system calls: %s", strerror(-rc));
    return error_hint(e, "Where the system does not allow one, start with seccomp = off.");
}
