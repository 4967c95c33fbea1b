#include "daemon/sockstat.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int64_t sockstat_taken(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    int waiting = 0;
    memset(&info, 0, sizeof info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
        ioctl(fd, FIONREAD, &waiting) != 0)
        return -1;
    return (int64_t)info.tcpi_bytes_received - waiting;
}

int64_t sockstat_acked(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    memset(&info, 0, sizeof info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 ? (int64_t)info.tcpi_bytes_acked
                                                                   : 0;
}

int64_t sockstat_unread(int fd)
{
    int waiting = 0;
    return ioctl(fd, FIONREAD, &waiting) == 0 ? waiting : 0;
}

int64_t sockstat_unsent(int fd)
{
    int waiting = 0;
    return ioctl(fd, SIOCOUTQ, &waiting) == 0 ? waiting : 0;
}
