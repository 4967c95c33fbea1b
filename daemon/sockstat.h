/* What the kernel knows of a socket. Apart from the rest because the kernel's and the C library's
 * headers for struct tcp_info exclude each other. */
#ifndef DAEMON_SOCKSTAT_H
#define DAEMON_SOCKSTAT_H

#include <stdint.h>

/* Bytes that were taken out of a TCP socket since it was opened: those received less those still
 * waiting. -1 when the socket is no TCP socket. */
int64_t sockstat_taken(int fd);

/* Bytes that were written and that the peer has acknowledged, since the socket was opened; 0 when
 * it is not known. */
int64_t sockstat_acked(int fd);

/* Bytes that wait to be read; 0 when it is not known. */
int64_t sockstat_unread(int fd);

/* Bytes that were written and that the peer has not acknowledged; 0 when it is not known. */
int64_t sockstat_unsent(int fd);

#endif
