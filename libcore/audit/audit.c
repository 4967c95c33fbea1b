#include "audit/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/forward.h"
#include "audit/gate.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/mem.h"

enum {
    BATCH = 64,                /* records written by one call */
    RETRY_US = 1000000,        /* pause after a write that failed */
    ANCHOR_AFTER_US = 5000000, /* a new record is anchored within this */
};

struct audit_log {
    audit_config cfg;
    pthread_t thread;
    mailbox box;
    atomic_int waiting;  /* records in the box and in `pending` */
    atomic_bool failing; /* the last write failed */
    atomic_llong lost;   /* records, since the start */
    audit_gate gates[AUDIT_ACTIONS];

    /* The log's thread's, and the opener's before it runs. */
    int fd;
    int64_t file, size; /* number and bytes of the file that grows */
    char log_id[AUDIT_ID + 1];
    audit_link chain;  /* what the next line continues */
    list pending;      /* records, oldest first */
    int64_t lost_told; /* of `lost`, how many a record has told of */
    int64_t anchored;  /* number of the record last handed to cfg.anchor */
    int64_t anchored_us;
    buf text;
    forwarder *forward;

    /* Guards the names of the files and `place`: held by the log's thread while it changes them,
     * and by readers while they open the files. */
    pthread_mutex_t lock;
    audit_anchor place; /* the last record that is on the disk */
};

/* ---- records -----------------------------------------------------------------------------------
 */

static void record_free(audit_entry *r)
{
    mem_free(r->detail);
    mem_free(r);
}

/* A record of the log's own. */
static void say(audit_log *l, audit_action action, error_code code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void say(audit_log *l, audit_action action, error_code code, const char *fmt, ...)
{
    char detail[512];
    va_list ap;
    audit_entry *r = xalloc(sizeof *r);
    va_start(ap, fmt);
    vsnprintf(detail, sizeof detail, fmt, ap);
    va_end(ap);
    r->action = action;
    r->code = code;
    r->time_us = clock_wall_us();
    r->detail = xstrdup(detail);
    strcpy(r->from.user, "rustydb");
    strcpy(r->from.kind, "daemon");
    atomic_fetch_add(&l->waiting, 1);
    list_append(&l->pending, &r->link);
}

static bool take_room(audit_log *l)
{
    if (atomic_fetch_add(&l->waiting, 1) < AUDIT_QUEUE)
        return true;
    atomic_fetch_sub(&l->waiting, 1);
    return false;
}

void audit_post(audit_log *l, const audit_entry *r)
{
    bool passes =
        !audit_actions[r->action].bounded || audit_gate_pass(&l->gates[r->action], clock_mono_us());
    audit_entry *copy = NULL;
    if (passes && take_room(l)) {
        copy = mem_alloc(sizeof *copy);
        if (!copy)
            atomic_fetch_sub(&l->waiting, 1);
    }
    if (copy) {
        *copy = *r;
        if (!copy->time_us)
            copy->time_us = clock_wall_us();
        mailbox_post(&l->box, &copy->link);
        return;
    }
    mem_free(r->detail);
    if (passes)
        atomic_fetch_add(&l->lost, 1);
}

bool audit_works(const audit_log *l)
{
    return !atomic_load(&l->failing) && atomic_load(&l->waiting) < AUDIT_QUEUE;
}

int64_t audit_lost(const audit_log *l)
{
    return atomic_load(&l->lost);
}

/* ---- files -------------------------------------------------------------------------------------
 */

static bool cannot(const char *what, error *e)
{
    int why = errno;
    return error_set(e, why == ENOSPC || why == EDQUOT ? ERR_DISK_FULL : ERR_INTERNAL_ERROR,
                     "cannot %s the audit log: %s", what, strerror(why));
}

/* Writes the header into a file that gets its name when it is whole. */
static bool make_file(audit_log *l, int64_t number, audit_link *chain, int *fd, int64_t *size,
                      error *e)
{
    char path[PATH_MAX], part[PATH_MAX + 8];
    buf text = BUF_INIT;
    if (!audit_file_path(l->cfg.dir, 0, path))
        return error_set(e, ERR_INTERNAL_ERROR, "the path of the audit log is too long");
    snprintf(part, sizeof part, "%s.new", path);
    unlink(part); /* of a start that was cut short */
    bool ok = audit_header_put(&text, l->log_id, number, clock_wall_us(), chain) ||
              error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    buf_addc(&text, '\n');
    *fd = ok ? audit_file_open(part, O_RDWR | O_CREAT | O_EXCL | O_APPEND, e) : -1;
    *size = (int64_t)text.len;
    ok = ok && *fd >= 0;
    if (ok && !(audit_file_write(*fd, text.data, text.len) && fsync(*fd) == 0 &&
                rename(part, path) == 0 && audit_dir_sync(l->cfg.dir)))
        ok = cannot("begin", e);
    buf_free(&text);
    if (ok)
        return true;
    unlink(part);
    if (*fd >= 0)
        close(*fd);
    return false;
}

static bool begin_file(audit_log *l, int64_t number, error *e)
{
    audit_link chain = l->chain;
    int fd;
    int64_t size;
    if (!make_file(l, number, &chain, &fd, &size, e))
        return false;
    if (l->fd >= 0)
        close(l->fd);
    l->fd = fd;
    l->size = size;
    l->file = number;
    l->chain = chain;
    return true;
}

/* Number of the first record in the oldest file that is kept. */
static int64_t first_kept(audit_log *l)
{
    audit_files files;
    audit_line line;
    char text[AUDIT_LINE_MAX];
    int64_t first = 0;
    error e;
    if (!audit_files_open(l->cfg.dir, &files, &e))
        return 0;
    ssize_t n = files.n ? pread(files.all[0].fd, text, sizeof text, 0) : -1;
    const char *end = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;
    if (end && audit_line_read(text, (size_t)(end - text), &line))
        first = line.n + 1;
    audit_files_close(&files);
    return first;
}

/* The full file gets a number, and the next is begun. When that fails the full one goes on. */
static void rotate(audit_log *l)
{
    char path[PATH_MAX], full[PATH_MAX];
    error e;
    if (!audit_file_path(l->cfg.dir, 0, path) || !audit_file_path(l->cfg.dir, l->file, full))
        return;
    pthread_mutex_lock(&l->lock);
    if (rename(path, full) != 0) {
        log_warn("audit", "cannot begin the next file: %s", strerror(errno));
    } else if (begin_file(l, l->file + 1, &e)) {
        audit_files_prune(l->cfg.dir, l->file - 1, l->cfg.keep);
        l->place.first = first_kept(l);
    } else {
        log_warn("audit", "cannot begin the next file: %s", e.message);
        if (rename(full, path) != 0)
            log_error("audit", "cannot rename %s: %s", full, strerror(errno));
    }
    pthread_mutex_unlock(&l->lock);
}

/* ---- the thread --------------------------------------------------------------------------------
 */

/* What was lost and left out becomes records of its own. */
static void account(audit_log *l, bool end)
{
    int64_t lost = atomic_load(&l->lost) - l->lost_told, now = clock_mono_us();
    for (int i = 0; i < AUDIT_ACTIONS; i++) {
        int64_t n = end ? audit_gate_drain(&l->gates[i]) : audit_gate_left_out(&l->gates[i], now);
        if (n)
            say(l, AUDIT_AUDIT_LEFT_OUT, ERR_NONE, "{\"action\":\"%s\",\"records\":%lld}",
                audit_actions[i].name, (long long)n);
    }
    if (!lost)
        return;
    l->lost_told += lost;
    say(l, AUDIT_AUDIT_LOST, ERR_NONE, "{\"records\":%lld}", (long long)lost);
}

/* Renders up to BATCH records; returns how many. */
static int render(audit_log *l, audit_link *chain)
{
    int n = 0;
    buf_clear(&l->text);
    list_each(it, &l->pending)
    {
        const audit_entry *r = list_entry(it, audit_entry, link);
        if (n == BATCH || !audit_entry_put(&l->text, r, chain))
            break;
        buf_addc(&l->text, '\n');
        n++;
    }
    return l->text.failed ? 0 : n;
}

static void fail(audit_log *l, int why)
{
    /* What was written of the batch must not stay, or it would stand there twice. */
    if (ftruncate(l->fd, l->size) != 0)
        log_error("audit", "cannot cut the audit log back: %s", strerror(errno));
    if (!atomic_exchange(&l->failing, true))
        log_error("audit", "THE AUDIT LOG CANNOT BE WRITTEN: %s; records wait until it can",
                  strerror(why));
}

static void forward_batch(audit_log *l)
{
    const char *p = l->text.data, *end = p + l->text.len;
    list *it = l->pending.next;
    for (const char *line_end; p < end && it != &l->pending; p = line_end + 1, it = it->next) {
        line_end = memchr(p, '\n', (size_t)(end - p));
        forward_line(l->forward, list_entry(it, audit_entry, link), p, (size_t)(line_end - p));
    }
}

static void written(audit_log *l, int n, const audit_link *chain)
{
    forward_batch(l);
    l->size += (int64_t)l->text.len;
    l->chain = *chain;
    pthread_mutex_lock(&l->lock);
    l->place.at = *chain;
    pthread_mutex_unlock(&l->lock);
    for (; n > 0; n--) {
        record_free(list_entry(list_pop(&l->pending), audit_entry, link));
        atomic_fetch_sub(&l->waiting, 1);
    }
    if (atomic_exchange(&l->failing, false))
        log_warn("audit", "the audit log can be written again");
}

/* False: try again later. */
static bool write_batch(audit_log *l)
{
    audit_link chain = l->chain;
    if (l->size >= l->cfg.max) {
        rotate(l);
        chain = l->chain;
    }
    int n = render(l, &chain);
    if (!n) {
        fail(l, ENOMEM);
        return false;
    }
    if (!audit_file_write(l->fd, l->text.data, l->text.len) || fdatasync(l->fd) != 0) {
        fail(l, errno);
        return false;
    }
    written(l, n, &chain);
    return true;
}

static void anchor(audit_log *l)
{
    int64_t n = l->place.at.n;
    bool due = n >= l->anchored + AUDIT_ANCHOR_EVERY ||
               clock_mono_us() - l->anchored_us >= ANCHOR_AFTER_US;
    if (!l->cfg.anchor || n == l->anchored || !due)
        return;
    l->anchored = n;
    l->anchored_us = clock_mono_us();
    l->cfg.anchor(l->cfg.arg, &l->place);
}

static void *run(void *arg)
{
    audit_log *l = arg;
    int64_t try_at = 0;
    bool open = true;
    pthread_setname_np(pthread_self(), "audit");
    while (open) {
        list came;
        list_init(&came);
        int64_t pause = list_empty(&l->pending) ? ANCHOR_AFTER_US : try_at - clock_mono_us();
        open = mailbox_wait(&l->box, &came, pause > 0 ? pause : 0);
        while (!list_empty(&came))
            list_append(&l->pending, list_pop(&came));
        account(l, !open);
        if (open && clock_mono_us() < try_at)
            continue;
        while (!list_empty(&l->pending) && write_batch(l))
            ;
        try_at = list_empty(&l->pending) ? 0 : clock_mono_us() + RETRY_US;
        anchor(l);
    }
    return NULL;
}

/* ---- open --------------------------------------------------------------------------------------
 */

static bool look_at_line(void *arg, const char *p, size_t n, int64_t at)
{
    (void)at;
    audit_chain_line(arg, p, n);
    return true;
}

static void found_fault(void *arg, const audit_fault *f)
{
    audit_log *l = arg;
    log_error("audit", "THE AUDIT LOG WAS CHANGED: line %lld: %s", (long long)f->line, f->text);
    say(l, AUDIT_AUDIT_BROKEN, ERR_CORRUPT, "{\"fault\":\"%s\",\"line\":%lld,\"message\":\"%s\"}",
        audit_fault_name(f->kind), (long long)f->line, f->text);
}

/* Removes what a crash left of a last line. */
static bool cut_torn(audit_log *l, int64_t torn, error *e)
{
    if (ftruncate(l->fd, l->size - torn) != 0 || fsync(l->fd) != 0)
        return cannot("repair", e);
    l->size -= torn;
    log_warn("audit", "removed %lld bytes of a record that was not written to its end",
             (long long)torn);
    say(l, AUDIT_AUDIT_REPAIRED, ERR_NONE, "{\"bytes\":%lld}", (long long)torn);
    return true;
}

/* Goes along the lines of a file, from where the chain has come to. */
static bool walk(audit_log *l, audit_chain *chain, int fd, int64_t number, int64_t *torn, error *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return cannot("look at", e);
    l->size = st.st_size;
    audit_chain_file(chain, number);
    return audit_file_lines(fd, 0, l->size, look_at_line, chain, torn, e);
}

/* The file that grows is not there: the next is begun, behind the newest full one. */
static bool begin_next(audit_log *l, audit_chain *chain, int64_t newest, error *e)
{
    char path[PATH_MAX];
    unsigned char id[AUDIT_ID / 2];
    int64_t torn = 0;
    bool ok = true;
    if (newest && audit_file_path(l->cfg.dir, newest, path)) {
        int fd = audit_file_open(path, O_RDONLY, e);
        ok = fd >= 0 && walk(l, chain, fd, newest, &torn, e);
        if (fd >= 0)
            close(fd);
    }
    if (ok && !*chain->log_id) {
        if (RAND_bytes(id, sizeof id) != 1)
            return error_set(e, ERR_INTERNAL_ERROR, "the system gives no random numbers");
        for (size_t i = 0; i < sizeof id; i++)
            snprintf(chain->log_id + 2 * i, 3, "%02x", id[i]);
    }
    memcpy(l->log_id, chain->log_id, sizeof l->log_id);
    l->chain = chain->at;
    return ok && begin_file(l, newest + 1, e);
}

static bool go_on(audit_log *l, audit_chain *chain, int64_t newest, error *e)
{
    int64_t torn = 0;
    if (!walk(l, chain, l->fd, newest + 1, &torn, e) || (torn && !cut_torn(l, torn, e)))
        return false;
    l->file = newest + 1;
    l->chain = chain->at;
    if (!*chain->log_id) /* of a header that nobody can read */
        strcpy(chain->log_id, *l->cfg.known.log_id ? l->cfg.known.log_id : "");
    memcpy(l->log_id, chain->log_id, sizeof l->log_id);
    return true;
}

/* Numbers that were given once are not given again: what is missing shows as a gap. */
static void step_over_gap(audit_log *l)
{
    const audit_anchor *known = &l->cfg.known;
    if (strcmp(known->log_id, l->log_id) == 0 && known->at.n > l->chain.n)
        l->chain.n = known->at.n;
}

static bool load(audit_log *l, error *e)
{
    char path[PATH_MAX];
    int64_t newest;
    audit_anchor known = l->cfg.known;
    known.first = INT64_MAX; /* the front is not looked at */
    audit_chain chain = {.anchor = &known, .fault = found_fault, .arg = l};
    if (!audit_file_path(l->cfg.dir, 0, path))
        return error_set(e, ERR_INTERNAL_ERROR, "the path of the audit log is too long");
    if (!audit_files_newest(l->cfg.dir, &newest, e))
        return false;
    l->fd = audit_file_open(path, O_RDWR | O_APPEND, e);
    if (l->fd < 0 && e->code != ERR_NOT_FOUND)
        return false;
    if (l->fd >= 0 && !go_on(l, &chain, newest, e))
        return false;
    if ((l->fd < 0 || l->size == 0) && !begin_next(l, &chain, newest, e))
        return false;
    audit_chain_end(&chain);
    step_over_gap(l);
    memcpy(l->place.log_id, l->log_id, sizeof l->log_id);
    l->place.at = chain.record;
    l->place.first = first_kept(l);
    return true;
}

static void release(audit_log *l)
{
    while (!list_empty(&l->pending))
        record_free(list_entry(list_pop(&l->pending), audit_entry, link));
    if (l->fd >= 0)
        close(l->fd);
    forward_close(l->forward);
    mailbox_destroy(&l->box);
    pthread_mutex_destroy(&l->lock);
    buf_free(&l->text);
    mem_free(l);
}

audit_log *audit_open(const audit_config *c, error *e)
{
    audit_log *l = mem_zalloc(sizeof *l);
    if (!l) {
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
        return NULL;
    }
    l->cfg = *c;
    l->fd = -1;
    list_init(&l->pending);
    mailbox_init(&l->box, NULL, NULL);
    pthread_mutex_init(&l->lock, NULL);
    l->forward = forward_open(c->to_syslog, c->journal);
    bool ok = load(l, e);
    if (ok && pthread_create(&l->thread, NULL, run, l) != 0)
        ok = error_set(e, ERR_INTERNAL_ERROR, "cannot start a thread for the audit log");
    if (ok)
        return l;
    release(l);
    return NULL;
}

void audit_close(audit_log *l, audit_anchor *last)
{
    mailbox_close(&l->box);
    pthread_join(l->thread, NULL);
    if (!list_empty(&l->pending))
        log_error("audit", "records could not be written and are lost");
    if (last)
        *last = l->place;
    release(l);
}

bool audit_snapshot(audit_log *l, audit_files *files, audit_anchor *a, error *e)
{
    pthread_mutex_lock(&l->lock);
    *a = l->place;
    bool ok = audit_files_open(l->cfg.dir, files, e);
    pthread_mutex_unlock(&l->lock);
    return ok;
}
