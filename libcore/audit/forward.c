#include "audit/forward.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

struct forwarder {
    bool to_syslog;
    int fd; /* to journald; -1: none */
    struct sockaddr_un journal;
    bool broken; /* the last copy did not reach journald */
};

forwarder *forward_open(bool to_syslog, const char *journal)
{
    forwarder *f = xalloc(sizeof *f);
    f->to_syslog = to_syslog;
    f->fd = -1;
    f->journal.sun_family = AF_UNIX;
    snprintf(f->journal.sun_path, sizeof f->journal.sun_path, "%s", journal);
    if (to_syslog)
        openlog("rustydb", LOG_PID, LOG_AUTHPRIV);
    if (*journal)
        f->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*journal && f->fd < 0)
        log_warn("audit", "cannot make a socket for journald: %s", strerror(errno));
    return f;
}

void forward_close(forwarder *f)
{
    if (f->fd >= 0)
        close(f->fd);
    if (f->to_syslog)
        closelog();
    mem_free(f);
}

/* A field in the form that carries any bytes but a line break; texts of a record come from outside,
 * so what would end the line becomes a question mark. */
static void put_field(buf *out, const char *name, const char *text)
{
    if (!*text)
        return;
    buf_addf(out, "%s=", name);
    for (; *text; text++)
        buf_addc(out, (unsigned char)*text < ' ' || *text == 0x7F ? '?' : *text);
    buf_addc(out, '\n');
}

static void to_journal(forwarder *f, const audit_entry *r, const char *line, size_t n)
{
    buf out = BUF_INIT;
    buf_addf(&out,
             "PRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=rustydb\nRUSTYDB_ACTION=%s\n"
             "RUSTYDB_OUTCOME=%s\n",
             r->code == ERR_NONE ? LOG_NOTICE : LOG_WARNING, LOG_AUTHPRIV >> 3,
             audit_actions[r->action].name, r->code == ERR_NONE ? "ok" : "refused");
    put_field(&out, "RUSTYDB_USER", r->from.user);
    put_field(&out, "RUSTYDB_ADDRESS", r->from.address);
    put_field(&out, "RUSTYDB_REQUEST_ID", r->from.request_id);
    buf_adds(&out, "MESSAGE=");
    buf_add(&out, line, n);
    buf_addc(&out, '\n');
    bool ok = !out.failed &&
              sendto(f->fd, out.data, out.len, MSG_NOSIGNAL, (const struct sockaddr *)&f->journal,
                     sizeof f->journal) == (ssize_t)out.len;
    if (!ok && !f->broken)
        log_warn("audit", "records do not reach journald at %s: %s", f->journal.sun_path,
                 strerror(errno));
    f->broken = !ok;
    buf_free(&out);
}

void forward_line(forwarder *f, const audit_entry *r, const char *line, size_t n)
{
    if (f->to_syslog)
        syslog(LOG_AUTHPRIV | (r->code == ERR_NONE ? LOG_NOTICE : LOG_WARNING), "%.*s", (int)n,
               line);
    if (f->fd >= 0)
        to_journal(f, r, line, n);
}
