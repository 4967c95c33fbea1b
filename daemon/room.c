#include "daemon/room.h"

#include <sys/epoll.h>
#include <unistd.h>

enum { ROOM_BATCH = 64 };

bool room_open(reactor *r, error *e)
{
    lws_sock_file_fd_type fd;
    r->room_fd = epoll_create1(EPOLL_CLOEXEC);
    if (r->room_fd < 0)
        return error_set(e, ERR_INTERNAL_ERROR, "no file descriptor is left for a reactor");
    fd.filefd = r->room_fd;
    r->room_wsi = lws_adopt_descriptor_vhost(r->vhost, LWS_ADOPT_RAW_FILE_DESC, fd, FILES, NULL);
    return r->room_wsi || error_set(e, ERR_INTERNAL_ERROR, "libwebsockets did not take a file");
}

void room_watch(conn *c)
{
    struct epoll_event ev = {.events = EPOLLOUT | EPOLLONESHOT, .data.ptr = c};
    int fd = c->r->room_fd;
    if (epoll_ctl(fd, c->in_room ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &ev) != 0)
        conn_kill(c);
    c->in_room = true;
}

void room_forget(conn *c)
{
    if (c->in_room)
        epoll_ctl(c->r->room_fd, EPOLL_CTL_DEL, c->fd, NULL);
    c->in_room = false;
}

/* Nothing to do for one that lws serves by itself again. */
static void go_on(conn *c)
{
    if (c->state != CONN_HTTP || !c->blocked || !c->rx_paused)
        return;
    /* Nothing new: lws writes what it has kept. */
    if (lws_write(c->wsi, NULL, 0, LWS_WRITE_HTTP) < 0) {
        conn_kill(c);
        return;
    }
    c->asks_room = true;
    if (conn_unblock(c))
        reactor_want_flush(c->r, c);
    else
        room_watch(c);
}

void room_found(reactor *r)
{
    struct epoll_event ready[ROOM_BATCH];
    int n = epoll_wait(r->room_fd, ready, ROOM_BATCH, 0);
    for (int i = 0; i < n; i++)
        go_on(ready[i].data.ptr);
}
