/* /admin/backups: copies of the database, taken while it is in use. */
#include "daemon/backups.h"
#include "base/clock.h"
#include "base/mem.h"
#include "daemon/api/api.h"
#include "daemon/checkup.h"
#include "daemon/errand.h"
#include "daemon/jobs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A look into the folder, for a request. */
typedef struct question {
    errand k;
    char name[BACKUP_NAME_MAX + 1], other[BACKUP_NAME_MAX + 1];
    int64_t offset, limit;
    buf out;
} question;

static void question_end(errand *k)
{
    question *n = list_entry(k, question, k);
    buf_free(&n->out);
    mem_free(n);
}

static void ask(request *q, const char *name, const char *other, void (*work)(errand *k, server *d),
                void (*answer)(errand *k, request *q))
{
    question *n = xalloc(sizeof *n);
    snprintf(n->name, sizeof n->name, "%s", name ? name : "");
    snprintf(n->other, sizeof n->other, "%s", other ? other : "");
    n->k.work = work;
    n->k.answer = answer;
    n->k.end = question_end;
    if (!name) {
        n->offset = http_int(q, "offset");
        n->limit = http_int(q, "limit");
    }
    errand_start(q, &n->k);
}

static void answer_json(errand *k, request *q)
{
    const question *n = list_entry(k, question, k);
    http_reply(q, 200, n->out.data, n->out.len);
}

static void check_memory(question *n)
{
    if (!n->k.failed && n->out.failed)
        n->k.failed = !error_set(&n->k.err, ERR_INTERNAL_ERROR, "out of memory");
}

/* ---- looking ----------------------------------------------------------------------------------
 */

static void work_list(errand *k, server *d)
{
    question *n = list_entry(k, question, k);
    json_writer w;
    jw_init(&w, &n->out);
    jw_begin_object(&w);
    k->failed = !backups_list(d, n->offset, n->limit, &w, &k->err);
    jw_end_object(&w);
    check_memory(n);
}

void api_list_backups(request *q)
{
    ask(q, NULL, NULL, work_list, answer_json);
}

static void work_describe(errand *k, server *d)
{
    question *n = list_entry(k, question, k);
    json_writer w;
    jw_init(&w, &n->out);
    k->failed = !backups_describe(d, n->name, &w, &k->err);
    check_memory(n);
}

void api_get_backup(request *q)
{
    ask(q, q->params[0], NULL, work_describe, answer_json);
}

/* ---- removing ---------------------------------------------------------------------------------
 */

static void work_delete(errand *k, server *d)
{
    const question *n = list_entry(k, question, k);
    char path[PATH_MAX];
    k->failed = !backups_find(d, n->name, path, &k->err);
    if (!k->failed && unlink(path) != 0)
        k->failed = !error_set(&k->err, errno == ENOENT ? ERR_NOT_FOUND : ERR_READ_ONLY,
                               "cannot remove the backup %s: %s", n->name, strerror(errno));
}

static void answer_deleted(errand *k, request *q)
{
    (void)k;
    http_reply_with(q, 204, NULL, "", NULL, 0);
}

void api_delete_backup(request *q)
{
    ask(q, q->params[0], NULL, work_delete, answer_deleted);
}

/* ---- making -----------------------------------------------------------------------------------
 */

/* Jobs run one at a time, so what is left of an unfinished one belongs to nobody. */
static bool run_backup(admin_job *j, json_writer *w, error *e)
{
    char part[PATH_MAX], path[PATH_MAX];
    const engine_watch watch = checkup_watch(j);
    if (!backups_path(j->d, ".", j->target[0], ".part", part, e) ||
        !backups_path(j->d, "", j->target[0], ".db", path, e) || !backups_make_dir(j->d, e) ||
        !backups_is_free(path, e))
        return false;
    unlink(part);
    if (!engine_backup(j->d->engine, part, &watch, e))
        return false;
    if (!backups_publish(j->d, part, path, e)) {
        unlink(part);
        return false;
    }
    return backups_describe(j->d, j->target[0], w, e);
}

static const admin_job_kind backup_kind = {
    .name = "backup",
    .unit = "pages",
    .status = 201,
    .made = "/api/v1/admin/backups/",
    .run = run_backup,
};

static void work_free(errand *k, server *d)
{
    const question *n = list_entry(k, question, k);
    char path[PATH_MAX];
    k->failed =
        !backups_path(d, "", n->name, ".db", path, &k->err) || !backups_is_free(path, &k->err);
}

static void answer_backup(errand *k, request *q)
{
    jobs_submit(q, &backup_kind, list_entry(k, question, k)->name, NULL);
}

/* "backup-20260102T030405.678901Z" */
static void name_by_time(char out[BACKUP_NAME_MAX + 1])
{
    char stamp[CLOCK_RFC3339_LEN + 1];
    size_t n = (size_t)snprintf(out, BACKUP_NAME_MAX + 1, "backup-");
    clock_rfc3339(clock_wall_us(), stamp);
    for (const char *p = stamp; *p; p++) {
        if (*p != '-' && *p != ':')
            out[n++] = *p;
    }
    out[n] = '\0';
}

void api_create_backup(request *q)
{
    char made[BACKUP_NAME_MAX + 1];
    const char *name = json_string_value(json_object_get(q->doc, "name"));
    if (!name) {
        name_by_time(made);
        name = made;
    }
    ask(q, name, NULL, work_free, answer_backup);
}

/* ---- verifying --------------------------------------------------------------------------------
 */

static bool run_verify(admin_job *j, json_writer *w, error *e)
{
    char path[PATH_MAX];
    return backups_find(j->d, j->target[0], path, e) && checkup_run(j, path, w, e);
}

static void work_find(errand *k, server *d)
{
    char path[PATH_MAX];
    k->failed = !backups_find(d, list_entry(k, question, k)->name, path, &k->err);
}

static void answer_verify(errand *k, request *q)
{
    static const admin_job_kind kind = {.name = "backup-verify", .status = 200, .run = run_verify};
    jobs_submit(q, &kind, list_entry(k, question, k)->name, NULL);
}

void api_verify_backup(request *q)
{
    ask(q, q->params[0], NULL, work_find, answer_verify);
}

/* ---- restoring --------------------------------------------------------------------------------
 */

/* Removes a data folder that a restore has not finished. */
static void remove_part(const char *dir)
{
    static const char *const files[] = {"rustydb.db", "rustydb.db-wal", "rustydb.db-shm"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (snprintf(path, sizeof path, "%s/%s", dir, files[i]) < (int)sizeof path)
            unlink(path);
    }
    rmdir(dir);
}

static bool put_restored(admin_job *j, const char *dir, json_writer *w, error *e)
{
    char path[PATH_MAX];
    engine_copy holds;
    if (snprintf(path, sizeof path, "%s/rustydb.db", dir) >= (int)sizeof path)
        return error_set(e, ERR_INTERNAL_ERROR, "the path is too long");
    if (!engine_copy_look(j->d->engine, path, &holds, e))
        return false;
    jw_begin_object(w);
    jw_key(w, "backup");
    jw_str(w, j->target[0]);
    jw_key(w, "data_dir");
    jw_str(w, dir);
    jw_key(w, "log_id");
    jw_str(w, holds.log_id);
    jw_key(w, "lsn");
    jw_int(w, holds.lsn);
    jw_end_object(w);
    return true;
}

static bool run_restore(admin_job *j, json_writer *w, error *e)
{
    char from[PATH_MAX], part[PATH_MAX], to[PATH_MAX];
    const engine_watch watch = checkup_watch(j);
    if (!backups_find(j->d, j->target[0], from, e) ||
        !backups_path(j->d, ".", j->target[1], ".part", part, e) ||
        !backups_path(j->d, "", j->target[1], "", to, e) || !backups_is_free(to, e))
        return false;
    remove_part(part);
    if (engine_restore(j->d->engine, from, part, &watch, e) && backups_publish(j->d, part, to, e))
        return put_restored(j, to, w, e);
    remove_part(part);
    return false;
}

static void work_restorable(errand *k, server *d)
{
    const question *n = list_entry(k, question, k);
    char path[PATH_MAX];
    k->failed = !backups_find(d, n->name, path, &k->err) ||
                !backups_path(d, "", n->other, "", path, &k->err) ||
                !backups_is_free(path, &k->err);
}

static void answer_restore(errand *k, request *q)
{
    static const admin_job_kind kind = {
        .name = "backup-restore", .unit = "pages", .status = 201, .run = run_restore};
    const question *n = list_entry(k, question, k);
    jobs_submit(q, &kind, n->name, n->other);
}

void api_restore_backup(request *q)
{
    ask(q, q->params[0], json_string_value(json_object_get(q->doc, "to")), work_restorable,
        answer_restore);
}
