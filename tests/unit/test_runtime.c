/* The record of running daemons: who finds what, what is stale, what is not to be trusted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "config/runtime.h"

/* A port nobody listens on, so that the shared folder in /tmp cannot hold it. */
enum { PORT = 1 };

static char top[64], folder[80], token[96];

static int set_up(void **state)
{
    (void)state;
    strcpy(top, "/tmp/rustydb-runtime.XXXXXX");
    if (!mkdtemp(top))
        return -1;
    snprintf(folder, sizeof folder, "%s/rustydb", top);
    snprintf(token, sizeof token, "%s/root.token", top);
    return setenv("XDG_RUNTIME_DIR", top, 1);
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", top);
    return system(command);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static runtime_entry *publish(const char *host, int port)
{
    address at = {.port = port};
    strcpy(at.host, host);
    error e;
    runtime_entry *r = runtime_publish(&at, NULL, top, token, &e);
    if (!r)
        fail_msg("%s", e.message);
    return r;
}

static bool found(const char *host, int port)
{
    runtime_record r;
    error e;
    bool ok = runtime_find(host, port, &r, &e);
    assert_true(ok || e.code == ERR_NOT_FOUND);
    return ok;
}

static void what_is_published_is_found(void **state)
{
    (void)state;
    runtime_entry *entry = publish("127.0.0.1", PORT);
    struct stat st;
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    runtime_record r;
    error e;
    assert_true(runtime_find("localhost", PORT, &r, &e));
    assert_string_equal(r.url, "http://127.0.0.1:1");
    assert_string_equal(r.at.host, "127.0.0.1");
    assert_string_equal(r.data_dir, top);
    assert_string_equal(r.token_file, token);
    assert_int_equal(r.pid, getpid());
    assert_true(found("127.0.0.1", PORT));
    assert_false(found("127.0.0.1", PORT + 1));
    assert_false(found("127.0.0.2", PORT));
    assert_false(found("::1", PORT));
    assert_false(found("192.0.2.1", PORT));
    assert_false(found("localhost.example.org", PORT));
    runtime_withdraw(entry);
    assert_false(found("127.0.0.1", PORT));
}

static void addresses_for_everyone_are_reached_by_loopback(void **state)
{
    (void)state;
    runtime_entry *four = publish("0.0.0.0", PORT), *six = publish("::", PORT + 1);
    assert_true(found("127.0.0.1", PORT));
    assert_true(found("::1", PORT + 1));
    runtime_record r[2];
    assert_true(runtime_list(r, 2) >= 2);
    runtime_withdraw(four);
    runtime_withdraw(six);
    address far = {"192.0.2.1", PORT};
    error e;
    assert_null(runtime_publish(&far, NULL, top, token, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

static int records(void)
{
    char command[128];
    snprintf(command, sizeof command, "exit $(ls '%s' | wc -l)", folder);
    return WEXITSTATUS(system(command));
}

static void a_dead_daemon_is_forgotten(void **state)
{
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        publish("127.0.0.1", PORT);
        _exit(0); /* as if killed: nothing is withdrawn */
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(records(), 1);
    assert_false(found("127.0.0.1", PORT));
    assert_int_equal(records(), 0);
}

static void a_new_daemon_takes_the_place_of_a_stale_one(void **state)
{
    (void)state;
    runtime_entry *old = publish("127.0.0.1", PORT), *new = publish("127.0.0.1", PORT);
    runtime_withdraw(old); /* must leave the new one's file alone */
    assert_true(found("127.0.0.1", PORT));
    runtime_withdraw(new);
    assert_int_equal(records(), 0);
}

static void folders_open_to_others_are_not_trusted(void **state)
{
    (void)state;
    runtime_entry *entry = publish("127.0.0.1", PORT);
    assert_int_equal(chmod(folder, 0770), 0);
    assert_false(found("127.0.0.1", PORT));
    assert_int_equal(chmod(folder, 0700), 0);
    assert_true(found("127.0.0.1", PORT));
    char file[128];
    snprintf(file, sizeof file, "%s/127.0.0.1:1.json", folder);
    assert_int_equal(chmod(file, 0606), 0);
    assert_false(found("127.0.0.1", PORT));
    runtime_withdraw(entry);
}

static void damaged_records_are_passed_over(void **state)
{
    (void)state;
    runtime_entry *entry = publish("127.0.0.1", PORT);
    char file[128];
    snprintf(file, sizeof file, "%s/127.0.0.1:1.json", folder);
    write_file(file, "{\"url\":", 0600); /* the same file, so still locked */
    assert_false(found("127.0.0.1", PORT));
    write_file(file,
               "{\"url\":\"http://192.0.2.1:1\",\"data_dir\":\"/\",\"token_file\":\"/\",\"pid\":1,"
               "\"started_at\":\"\"}",
               0600);
    assert_false(found("127.0.0.1", PORT));
    runtime_withdraw(entry);
}

static void tokens_are_read_only_from_closed_files(void **state)
{
    (void)state;
    runtime_record r = {0};
    strcpy(r.token_file, token);
    char out[65];
    error e;
    assert_false(runtime_token(&r, out, sizeof out, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    write_file(token, "abc123\n", 0600);
    assert_true(runtime_token(&r, out, sizeof out, &e));
    assert_string_equal(out, "abc123");
    assert_int_equal(chmod(token, 0640), 0);
    assert_false(runtime_token(&r, out, sizeof out, &e));
    assert_int_equal(e.code, ERR_PERMISSION_DENIED);
    write_file(token, "\n", 0600);
    assert_int_equal(chmod(token, 0600), 0);
    assert_false(runtime_token(&r, out, sizeof out, &e));
    assert_int_equal(unlink(token), 0);
    assert_int_equal(symlink("/etc/hostname", token), 0);
    assert_false(runtime_token(&r, out, sizeof out, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_published_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(addresses_for_everyone_are_reached_by_loopback, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_dead_daemon_is_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_daemon_takes_the_place_of_a_stale_one, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(folders_open_to_others_are_not_trusted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_records_are_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tokens_are_read_only_from_closed_files, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("runtime", tests, NULL, NULL);
}
