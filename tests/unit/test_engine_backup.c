/* Copies taken while writers go on, verified, and restored into new data folders. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine_fixture.h"

typedef struct follower {
    fx *f;
    int looks, stop_at;
    int64_t done, total;
    bool writes; /* at every look, as somebody else would */
} follower;

static bool follow(void *arg, int64_t done, int64_t total)
{
    follower *w = arg;
    assert_true(++w->looks < 100); /* a copy that is begun again for each write never ends */
    assert_true(done >= w->done);
    w->done = done;
    w->total = total;
    if (w->writes) {
        fx_ok(w->f, "INSERT INTO a VALUES(randomblob(100000))");
        fx_ok(w->f, "INSERT INTO b SELECT count(*) FROM a");
    }
    return w->looks != w->stop_at;
}

static void path_in(const fx *f, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", f->dir, name);
}

static void fill(fx *f)
{
    fx_ok(f, "CREATE TABLE a(x)");
    fx_ok(f, "CREATE TABLE b(n)");
    fx_ok(f, "INSERT INTO a WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
             " WHERE i < 30) SELECT randomblob(100000) FROM n");
    fx_ok(f, "INSERT INTO b VALUES(30)");
}

static int64_t head(fx *f)
{
    engine_stats s;
    engine_stats_get(f->g, &s);
    return s.log_head;
}

static void collect(void *arg, const char *text)
{
    buf_addf(arg, "%s\n", text);
}

static const char *verify(fx *f, const char *file)
{
    follower w = {.f = f};
    const engine_watch watch = {follow, &w};
    buf found = BUF_INIT;
    error e;
    if (!engine_verify(f->g, file, collect, &found, &watch, &e))
        fail_msg("%s", e.message);
    char *text = mem_strndup(buf_cstr(&found), found.len);
    buf_free(&found);
    return fx_keep(f, text);
}

static void remove_folder(const char *dir)
{
    char path[160];
    static const char *const files[] = {"rustydb.db", "lock", "rustydb.lock"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
}

static void a_copy_is_one_moment(void **state)
{
    fx *f = *state;
    char file[128], dir[128];
    follower w = {.f = f, .writes = true};
    const engine_watch watch = {follow, &w};
    error e;
    engine_copy holds;
    fill(f);
    int64_t lsn = head(f);
    path_in(f, "copy.db", file);
    path_in(f, "restored", dir);
    assert_true(engine_backup(f->g, file, &watch, &e));
    assert_true(w.looks > 2);
    assert_int_equal(w.done, w.total);
    assert_true(head(f) > lsn);
    assert_true(engine_copy_look(f->g, file, &holds, &e));
    assert_int_equal(holds.lsn, lsn);
    assert_string_equal(verify(f, file), "");

    w = (follower){.f = f};
    assert_true(engine_restore(f->g, file, dir, &watch, &e));
    fx_close(f);
    f->cfg.dir = dir;
    fx_open(f);
    assert_string_equal(fx_sql(f, "SELECT (SELECT count(*) FROM a), (SELECT max(n) FROM b)"),
                        "[30,30]");
    assert_int_equal(head(f), lsn);
    log_bounds bounds;
    log_reader *log = engine_log_open(f->g, &e);
    assert_true(engine_log_bounds(log, &bounds, &e));
    engine_log_close(log);
    assert_string_not_equal(bounds.log_id, holds.log_id);
    fx_ok(f, "INSERT INTO b VALUES(31)");
    assert_int_equal(head(f), lsn + 1);
    fx_close(f);
    unlink(file);
    remove_folder(dir);
    f->cfg.dir = f->dir;
    fx_open(f);
}

static void a_cancelled_copy_leaves_nothing(void **state)
{
    fx *f = *state;
    char file[128], dir[128];
    follower w = {.f = f, .stop_at = 2};
    const engine_watch watch = {follow, &w};
    error e;
    fill(f);
    path_in(f, "copy.db", file);
    path_in(f, "restored", dir);
    assert_false(engine_backup(f->g, file, &watch, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    assert_int_not_equal(access(file, F_OK), 0);
    w = (follower){.f = f};
    assert_true(engine_backup(f->g, file, &watch, &e));
    w = (follower){.f = f, .stop_at = 2};
    assert_false(engine_restore(f->g, file, dir, &watch, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    assert_int_not_equal(access(dir, F_OK), 0);
    w = (follower){.f = f, .stop_at = 1};
    buf found = BUF_INIT;
    fx_ok(f, "INSERT INTO b WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
             " WHERE i < 20000) SELECT i FROM n");
    assert_false(engine_verify(f->g, NULL, collect, &found, &watch, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    buf_free(&found);
    unlink(file);
}

static void nothing_is_overwritten(void **state)
{
    fx *f = *state;
    char file[128], dir[128];
    follower w = {.f = f};
    const engine_watch watch = {follow, &w};
    error e;
    path_in(f, "copy.db", file);
    path_in(f, "restored", dir);
    fx_ok(f, "CREATE TABLE t(x)");
    assert_true(engine_backup(f->g, file, &watch, &e));
    w.done = 0;
    assert_false(engine_backup(f->g, file, &watch, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_int_equal(access(file, F_OK), 0);
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_false(engine_restore(f->g, file, dir, &watch, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    rmdir(dir);
    unlink(file);
}

static void damage_is_found(void **state)
{
    fx *f = *state;
    char file[128], dir[128];
    follower w = {.f = f};
    const engine_watch watch = {follow, &w};
    error e;
    engine_copy holds;
    path_in(f, "copy.db", file);
    path_in(f, "restored", dir);
    fill(f);
    fx_ok(f, "CREATE INDEX i ON b(n)");
    assert_string_equal(verify(f, NULL), "");
    assert_true(engine_backup(f->g, file, &watch, &e));
    int fd = open(file, O_WRONLY);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    for (off_t at = 4096; at < st.st_size; at += 4096)
        assert_int_equal(pwrite(fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, at), 8);
    assert_string_not_equal(verify(f, file), "");
    assert_false(engine_copy_look(f->g, file, &holds, &e));
    assert_int_equal(e.code, ERR_CORRUPT);
    assert_int_equal(pwrite(fd, "nothing of SQLite", 17, 0), 17);
    close(fd);
    assert_non_null(strstr(verify(f, file), "not a database"));
    assert_false(engine_restore(f->g, file, dir, &watch, &e));
    assert_int_equal(e.code, ERR_CORRUPT);
    assert_int_not_equal(access(dir, F_OK), 0);
    unlink(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_copy_is_one_moment, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(a_cancelled_copy_leaves_nothing, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(nothing_is_overwritten, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(damage_is_found, fx_setup, fx_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
