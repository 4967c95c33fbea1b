/* Opening: one daemon per folder, modes of files, and files that must be refused and left alone. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine_fixture.h"

static const char *path_of(fx *f, const char *name)
{
    static char path[160];
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    return path;
}

static buf slurp(const char *path)
{
    buf b = BUF_INIT;
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    char part[4096];
    for (size_t n; (n = fread(part, 1, sizeof part, in)) > 0;)
        buf_add(&b, part, n);
    fclose(in);
    return b;
}

static void write_file(const char *path, const void *p, size_t n)
{
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(p, 1, n, out), n);
    fclose(out);
}

/* Must not open; the file must be as it was. */
static void refused(fx *f, error_code code)
{
    error e;
    error_clear(&e);
    buf before = slurp(path_of(f, "rustydb.db"));
    assert_null(engine_open(&f->cfg, &e));
    if (e.code != code)
        fail_msg("%s: %s", error_describe(e.code)->name, e.message);
    buf after = slurp(path_of(f, "rustydb.db"));
    assert_int_equal(before.len, after.len);
    assert_memory_equal(before.data, after.data, after.len);
    assert_int_not_equal(access(path_of(f, "rustydb.db-wal"), F_OK), 0);
    buf_free(&before);
    buf_free(&after);
}

static void one_daemon_per_folder(void **state)
{
    (void)state;
    fx f;
    fx_init(&f);
    fx_open(&f);
    error e;
    assert_null(engine_open(&f.cfg, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    char pid[32];
    snprintf(pid, sizeof pid, "process %ld)", (long)getpid());
    assert_non_null(strstr(e.message, pid));
    assert_true(e.hint[0]);
    assert_string_equal(fx_sql(&f, "SELECT 1"), "[1]");
    fx_close(&f);
    fx_open(&f); /* the lock ends with its holder */
    fx_end(&f);
}

static void files_are_private(void **state)
{
    (void)state;
    fx f;
    fx_init(&f);
    mode_t mask = umask(0);
    fx_open(&f);
    fx_ok(&f, "CREATE TABLE t(a)");
    const char *const names[] = {"rustydb.db", "rustydb.db-wal", "rustydb.db-shm", "lock"};
    for (int i = 0; i < 4; i++) {
        struct stat st;
        assert_int_equal(stat(path_of(&f, names[i]), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    umask(mask);
    fx_close(&f);
    assert_int_not_equal(access(path_of(&f, "rustydb.db-wal"), F_OK), 0);
    assert_int_not_equal(access(path_of(&f, "rustydb.db-shm"), F_OK), 0);
    fx_end(&f);
}

static void damaged_files_are_refused(void **state)
{
    (void)state;
    fx f;
    fx_init(&f);
    fx_open(&f);
    fx_ok(&f, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
    fx_ok(&f, "CREATE INDEX i ON t(b)");
    fx_ok(&f, "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
              "INSERT INTO t SELECT i, hex(randomblob(20)) FROM n");
    fx_close(&f);
    char db[160];
    snprintf(db, sizeof db, "%s", path_of(&f, "rustydb.db"));
    buf good = slurp(db);
    buf bad = BUF_INIT;

    write_file(db, "this is no database, whatever its name", 38);
    refused(&f, ERR_CORRUPT);

    buf_add(&bad, good.data, good.len);
    memset(bad.data, 'x', 16); /* the magic */
    write_file(db, bad.data, bad.len);
    refused(&f, ERR_CORRUPT);

    memcpy(bad.data, good.data, good.len);
    memset(bad.data + 100, 0xff, 60); /* the schema's page */
    write_file(db, bad.data, bad.len);
    refused(&f, ERR_CORRUPT);

    write_file(db, good.data, good.len / 2); /* cut off */
    refused(&f, ERR_CORRUPT);

    memcpy(bad.data, good.data, good.len);
    for (size_t at = 20 * 4096; at + 4096 <= good.len; at += 3 * 4096)
        memset(bad.data + at, 0x5a, 200); /* pages of rows and of the index */
    write_file(db, bad.data, bad.len);
    refused(&f, ERR_CORRUPT);

    write_file(db, good.data, good.len);
    fx_open(&f);
    assert_string_equal(fx_sql(&f, "SELECT count(*) FROM t"), "[5000]");
    buf_free(&good);
    buf_free(&bad);
    fx_end(&f);
}

static void other_databases_are_taken_over(void **state)
{
    (void)state;
    fx f;
    sqlite3 *db;
    fx_init(&f);
    assert_int_equal(sqlite3_open(path_of(&f, "rustydb.db"), &db), SQLITE_OK);
    sqlite3_exec(db,
                 "CREATE TABLE old(a UNIQUE); INSERT INTO old VALUES(5); CREATE TABLE "
                 "child(a REFERENCES old(a) DEFERRABLE INITIALLY DEFERRED)",
                 NULL, NULL, NULL);
    sqlite3_close(db);
    fx_open(&f);
    assert_string_equal(fx_sql(&f, "SELECT * FROM old"), "[5]");
    assert_string_equal(fx_log(&f), "");
    fx_ok(&f, "UPDATE old SET a = 6");
    assert_string_equal(fx_log(&f), "1 update old [5]>[6]\n");
    /* The shape that a failed statement stored is stored again by the next one. */
    assert_non_null(strstr(fx_sql(&f, "INSERT INTO child VALUES(7)"), "FOREIGN KEY"));
    fx_ok(&f, "INSERT INTO child VALUES(6)");
    assert_string_equal(fx_log(&f), "2 insert child [6]\n");
    fx_close(&f);
    /* The format of a later version is not for us. */
    assert_int_equal(sqlite3_open(path_of(&f, "rustydb.db"), &db), SQLITE_OK);
    sqlite3_exec(db, "UPDATE _rustydb_meta SET value = 2 WHERE key = 'engine.format'", NULL, NULL,
                 NULL);
    sqlite3_close(db);
    error e;
    assert_null(engine_open(&f.cfg, &e));
    assert_int_equal(e.code, ERR_INTERNAL_ERROR);
    assert_non_null(strstr(e.message, "format 2"));
    fx_end(&f);
}

/* Another program's changes to the schema are noticed. */
static void others_may_change_the_schema(void **state)
{
    (void)state;
    fx f;
    sqlite3 *db;
    fx_init(&f);
    fx_open(&f);
    fx_ok(&f, "CREATE TABLE t(a)");
    fx_ok(&f, "INSERT INTO t VALUES(1)");
    assert_int_equal(sqlite3_open(path_of(&f, "rustydb.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "ALTER TABLE t ADD COLUMN b", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    fx_ok(&f, "INSERT INTO t VALUES(2, 3)");
    assert_string_equal(fx_log(&f), "1 create t\n2 insert t [1]\n3 insert t [2,3]\n");
    fx_end(&f);
}

static int open_as_nobody(fx *f)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        error e;
        error_clear(&e);
        if (geteuid() == 0 && (setegid(65534) != 0 || seteuid(65534) != 0))
            _exit(100);
        engine *g = engine_open(&f->cfg, &e);
        engine_close(g, 0);
        _exit(g ? 0 : e.hint[0] ? (int)e.code : 101);
    }
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void read_only_folders(void **state)
{
    (void)state;
    fx f;
    fx_init(&f);
    assert_int_equal(chmod(f.dir, 0555), 0);
    assert_int_equal(open_as_nobody(&f), ERR_READ_ONLY);
    assert_int_equal(chmod(f.dir, 0777), 0);
    fx_open(&f);
    fx_close(&f);
    assert_int_equal(chmod(path_of(&f, "lock"), 0666), 0);
    if (geteuid() == 0) /* the file belongs to somebody else */
        assert_int_equal(open_as_nobody(&f), ERR_READ_ONLY);
    fx_end(&f);
    f.cfg.dir = "/nonexistent/folder";
    error e;
    assert_null(engine_open(&f.cfg, &e));
    assert_int_equal(e.code, ERR_INTERNAL_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_daemon_per_folder),
        cmocka_unit_test(files_are_private),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(other_databases_are_taken_over),
        cmocka_unit_test(others_may_change_the_schema),
        cmocka_unit_test(read_only_folders),
    };
    return cmocka_run_group_tests_name("engine open", tests, NULL, NULL);
}
