/* Settings: the layers, what is refused and how it is said, units, addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "config/address.h"
#include "config/config.h"
#include "config/units.h"

static char path[64];

static int make_file(void **state)
{
    (void)state;
    strcpy(path, "/tmp/rustydb-config.XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0 ? -1 : 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_bytes(const char *text, size_t n)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    int failed = fclose(f);
    assert_false(failed);
}

static config *load_text(const char *text)
{
    write_bytes(text, strlen(text));
    error e;
    config *c = config_load(path, NULL, 0, &e);
    if (!c)
        fail_msg("%s", e.message);
    return c;
}

/* What loading this file says, without the path before it. */
static void file_refused(const char *text, const char *message)
{
    write_bytes(text, strlen(text));
    error e;
    assert_null(config_load(path, NULL, 0, &e));
    assert_int_equal(e.code, ERR_INVALID_MESSAGE);
    assert_int_equal(strncmp(e.message, path, strlen(path)), 0);
    assert_string_equal(e.message + strlen(path), message);
}

static void flag_refused(const char *name, const char *value, const char *message)
{
    config_flag flag = {name, value};
    error e;
    assert_null(config_load(NULL, &flag, 1, &e));
    assert_int_equal(e.code, ERR_INVALID_MESSAGE);
    assert_string_equal(e.message, message);
}

/* ---- layers -----------------------------------------------------------------------------------
 */

static void defaults_hold(void **state)
{
    (void)state;
    error e;
    config *c = config_load(NULL, NULL, 0, &e);
    assert_non_null(c);
    assert_string_equal(c->listen, "127.0.0.1:8080");
    assert_int_equal(c->max_body, 16 << 20);
    assert_int_equal(c->statement_timeout, 30000);
    assert_int_equal(c->changes_keep_for, 7ll * 86400000);
    assert_string_equal(c->synchronous, "full");
    for (int i = 0; i < SETTING_COUNT; i++)
        assert_int_equal(c->source[i], FROM_DEFAULT);
    config_free(c);
}

static void each_layer_beats_the_one_before(void **state)
{
    (void)state;
    write_bytes("readers = 3\nreactors = 3\nmax_queue = 3\n", 39);
    setenv("RUSTYDB_REACTORS", "4", 1);
    setenv("RUSTYDB_MAX_QUEUE", "4", 1);
    setenv("RUSTYDB_LOG_LEVEL", "", 1);
    config_flag flags[] = {{"max_queue", "9"}, {"max-queue", "5"}};
    error e;
    config *c = config_load(path, flags, 2, &e);
    unsetenv("RUSTYDB_REACTORS");
    unsetenv("RUSTYDB_MAX_QUEUE");
    unsetenv("RUSTYDB_LOG_LEVEL");
    assert_non_null(c);
    assert_int_equal(c->readers, 3);
    assert_int_equal(c->source[SETTING_ID_readers], FROM_FILE);
    assert_int_equal(c->reactors, 4);
    assert_int_equal(c->source[SETTING_ID_reactors], FROM_ENVIRONMENT);
    assert_int_equal(c->max_queue, 5);
    assert_int_equal(c->source[SETTING_ID_max_queue], FROM_FLAG);
    assert_string_equal(c->log_level, "info");
    assert_int_equal(c->source[SETTING_ID_log_level], FROM_DEFAULT);
    config_free(c);
}

static void files_are_read(void **state)
{
    (void)state;
    config *c = load_text("; a comment\n# another\n\nreaders=2\n  reactors : 2 ; both\n[rustydb]\n"
                          "max-body = 2M\r\nidle_timeout = 2 min\ndata = /var/lib/my db");
    assert_int_equal(c->readers, 2);
    assert_int_equal(c->reactors, 2);
    assert_int_equal(c->max_body, 2 << 20);
    assert_int_equal(c->idle_timeout, 120000);
    assert_string_equal(c->data, "/var/lib/my db");
    config_free(c);
    config_free(load_text(""));
}

static void a_change_makes_another_config(void **state)
{
    (void)state;
    error e;
    config *c = load_text("max_body = 2m\nreaders = 3\n");
    const config_flag good[] = {{"max-body", "3m"}, {"log_level", "debug"}};
    config *changed = config_change(c, good, 2, &e);
    assert_non_null(changed);
    assert_int_equal(changed->max_body, 3 << 20);
    assert_int_equal(changed->source[SETTING_ID_max_body], FROM_RUNTIME);
    assert_string_equal(changed->log_level, "debug");
    assert_int_equal(changed->readers, 3);
    assert_int_equal(changed->source[SETTING_ID_readers], FROM_FILE);
    assert_string_equal(changed->file, c->file);
    assert_int_equal(c->max_body, 2 << 20);
    config_free(c);

    const config_flag bad[][2] = {
        {{"max_body", "4m"}, {"max_body", "1"}},
        {{"max_body", "4m"}, {"readers", "4"}},
        {{"max_body", "4m"}, {"none", "4"}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_null(config_change(changed, bad[i], 2, &e));
        assert_int_equal(e.code, ERR_INVALID_MESSAGE);
        assert_int_equal(changed->max_body, 3 << 20);
    }
    config_free(changed);
}

static void values_come_by_their_type(void **state)
{
    (void)state;
    config *c = load_text("max_body = 2m\nlog_level = warn\n");
    assert_int_equal(config_value(c, SETTING_ID_max_body).number, 2 << 20);
    assert_int_equal(config_default(SETTING_ID_max_body).number, 16 << 20);
    assert_string_equal(config_value(c, SETTING_ID_log_level).text, "warn");
    assert_string_equal(config_default(SETTING_ID_log_level).text, "info");
    config_free(c);
}

/* ---- refusals ---------------------------------------------------------------------------------
 */

static void bad_files_are_refused(void **state)
{
    (void)state;
    file_refused("readers = 2\nreders = 2\n", ":2: there is no setting \"reders\"");
    file_refused("readers\n", ":1: neither \"name = value\" nor \"[rustydb]\"");
    file_refused("\n\nreaders 2\nnope = 1\n", ":3: neither \"name = value\" nor \"[rustydb]\"");
    file_refused("nope = 1\nreaders 2\n", ":1: there is no setting \"nope\"");
    file_refused("[rustydb\n", ":1: neither \"name = value\" nor \"[rustydb]\"");
    file_refused("[server]\nreaders = 2\n", ":2: there is no section [server], only [rustydb]");
    file_refused("readers = 2\n\n  readers = 3\n",
                 ":3: readers is set a second time, first in line 1");
    file_refused("max_body = 16q\n",
                 ":1: max_body: \"16q\" is not a size in bytes such as 4096, 64k, 16m or 2g");
    file_refused("max_body = 1\n", ":1: max_body: \"1\" is not within 1k to 1g");
    file_refused("idle_timeout = soon\n",
                 ":1: idle_timeout: \"soon\" is not a time such as 500ms, 30s, 5min, 12h or 7d");
    file_refused("idle_timeout = 2d\n", ":1: idle_timeout: \"2d\" is not within 100ms to 1d");
    file_refused("readers = 2.5\n", ":1: readers: \"2.5\" is not a whole number");
    file_refused("readers = 0\n", ":1: readers: \"0\" is not within 1 to 64");
    file_refused("log_level = loud\n", ":1: log_level: \"loud\" is none of: error warn info debug");
    file_refused("log_level = err\n", ":1: log_level: \"err\" is none of: error warn info debug");
    file_refused("data =\n", ":1: data: it may not be empty");
    file_refused("listen = 8080\n", ":1: listen: \"8080\" has no port; HOST:PORT is wanted");
}

static void long_lines_and_binaries_are_refused(void **state)
{
    (void)state;
    char text[1024];
    memset(text, 'x', sizeof text);
    memcpy(text, "\ndata = ", 8);
    write_bytes(text, sizeof text);
    error e;
    assert_null(config_load(path, NULL, 0, &e));
    assert_non_null(strstr(e.message, ":2: the line is longer than "));
    write_bytes("readers = 2\n\0\n", 14);
    assert_null(config_load(path, NULL, 0, &e));
    assert_non_null(strstr(e.message, ":2: this is not a text file"));
}

static void unreadable_files_are_told(void **state)
{
    (void)state;
    error e;
    assert_null(config_load("/nonexistent/rustydb.conf", NULL, 0, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_string_equal(e.message,
                        "cannot read /nonexistent/rustydb.conf: No such file or directory");
    assert_null(config_load("/tmp", NULL, 0, &e));
    assert_string_equal(e.message, "cannot read /tmp: Is a directory");
}

static void bad_flags_and_variables_are_refused(void **state)
{
    (void)state;
    flag_refused("max_body", "-1", "--max-body: \"-1\" is not within 1k to 1g");
    flag_refused("max_body", "",
                 "--max-body: \"\" is not a size in bytes such as 4096, 64k, 16m or 2g");
    flag_refused("listen", "::1:80", "--listen: \"::1:80\" is not HOST:PORT");
    flag_refused("colour", "red", "there is no setting \"colour\"");
    setenv("RUSTYDB_STREAM_BUFFER", "9999999999999999999", 1);
    error e;
    assert_null(config_load(NULL, NULL, 0, &e));
    unsetenv("RUSTYDB_STREAM_BUFFER");
    assert_string_equal(e.message,
                        "RUSTYDB_STREAM_BUFFER: \"9999999999999999999\" is not a size in "
                        "bytes such as 4096, 64k, 16m or 2g");
}

static void misspelt_names_get_a_suggestion(void **state)
{
    (void)state;
    config_flag flag = {"max_bdoy", "1m"};
    error e;
    assert_null(config_load(NULL, &flag, 1, &e));
    assert_string_equal(e.hint, "did you mean \"max_body\"?");
}

static void note_stray(void *arg, const char *variable, const char *meant)
{
    strcat(arg, variable);
    strcat(arg, ">");
    strcat(arg, meant);
}

static void misspelt_variables_are_noticed(void **state)
{
    (void)state;
    char noted[256] = "";
    setenv("RUSTYDB_MAX_BDY", "1m", 1);
    setenv("RUSTYDB_TOKEN", "secret", 1);
    setenv("RUSTYDB_PORT_8080_TCP_ADDR", "10.0.0.1", 1);
    int n = config_strays(note_stray, noted);
    unsetenv("RUSTYDB_MAX_BDY");
    unsetenv("RUSTYDB_TOKEN");
    unsetenv("RUSTYDB_PORT_8080_TCP_ADDR");
    assert_string_equal(noted, "RUSTYDB_MAX_BDY>max_body");
    assert_int_equal(n, 1);
}

/* ---- printing ---------------------------------------------------------------------------------
 */

static void print_to_file(const config *c)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    config_print(c, f);
    int failed = fclose(f);
    assert_false(failed);
}

static void what_is_printed_can_be_read_again(void **state)
{
    (void)state;
    config_flag flags[] = {{"readers", "7"}, {"idle_timeout", "90s"}, {"data", "/a b"}};
    error e;
    config *c = config_load(NULL, flags, 3, &e);
    assert_non_null(c);
    print_to_file(c);
    config *again = config_load(path, NULL, 0, &e);
    if (!again)
        fail_msg("%s", e.message);
    for (int i = 0; i < SETTING_COUNT; i++) {
        assert_string_equal(again->text[i], c->text[i]);
        assert_int_equal(again->source[i], FROM_FILE);
    }
    config_free(c);
    config_free(again);
}

static void sources_are_printed(void **state)
{
    (void)state;
    config_flag flag = {"max_body", "1m"};
    error e;
    setenv("RUSTYDB_READERS", "5", 1);
    config *c = config_load(NULL, &flag, 1, &e);
    unsetenv("RUSTYDB_READERS");
    assert_non_null(c);
    print_to_file(c);
    config_free(c);
    char line[256], seen[3] = "";
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        if (strcmp(line,
                   "readers = 5                              ; environment RUSTYDB_READERS\n") == 0)
            strcat(seen, "e");
        if (strcmp(line, "max_body = 1m                            ; flag --max-body\n") == 0)
            strcat(seen, "f");
    }
    fclose(f);
    assert_string_equal(seen, "ef");
}

/* ---- memory -----------------------------------------------------------------------------------
 */

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    write_bytes("readers = 3\n", 12);
    config_flag flag = {"max_queue", "5"};
    unsigned long n = 1;
    for (;; n++) {
        error e;
        error_clear(&e);
        mem_fail_nth(n);
        config *c = config_load(path, &flag, 1, &e);
        mem_fail_nth(0);
        if (c) {
            config_free(c);
            break;
        }
        assert_int_equal(e.code, ERR_INTERNAL_ERROR);
        assert_non_null(strstr(e.message, "out of memory"));
    }
    assert_true(n > SETTING_COUNT);
}

/* ---- units and addresses ----------------------------------------------------------------------
 */

static void units_are_exact(void **state)
{
    (void)state;
    int64_t v;
    assert_true(units_parse_size("1kib", &v) && v == 1024);
    assert_true(units_parse_size("3 GB", &v) && v == 3ll << 30);
    assert_true(units_parse_size("0", &v) && v == 0);
    assert_false(units_parse_size("9223372036854775807k", &v));
    assert_false(units_parse_size("1 2", &v));
    assert_false(units_parse_size("k", &v));
    assert_true(units_parse_ms("15", &v) && v == 15);
    assert_true(units_parse_ms("2d", &v) && v == 172800000);
    assert_false(units_parse_ms("2m", &v));
    assert_false(units_parse_ms(" 2s", &v));
    assert_true(units_parse_int("-9223372036854775808", &v) && v == INT64_MIN);
    assert_false(units_parse_int("9223372036854775808", &v));
    assert_false(units_parse_int("0x10", &v));
    char out[24];
    units_format_size(3 << 20, out);
    assert_string_equal(out, "3m");
    units_format_size(1025, out);
    assert_string_equal(out, "1025");
    units_format_ms(90000, out);
    assert_string_equal(out, "90s");
    units_format_ms(0, out);
    assert_string_equal(out, "0");
}

static void addresses_are_taken_apart(void **state)
{
    (void)state;
    address a;
    error e;
    char out[300];
    assert_true(address_parse("[::1]:0", &a, &e));
    assert_string_equal(a.host, "::1");
    assert_int_equal(a.port, 0);
    address_format(&a, out, sizeof out);
    assert_string_equal(out, "[::1]:0");
    assert_true(address_parse("localhost:65535", &a, &e));
    address_format(&a, out, sizeof out);
    assert_string_equal(out, "localhost:65535");
    static const char *const bad[] = {"",       ":",      ":80",     "a",
                                      "a:",     "a:b",    "a:65536", "a:-1",
                                      "a: 1",   "[::1]",  "[::1:80", "[]:80",
                                      "[x]:80", "a b:80", "a/b:80",  "a:99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (address_parse(bad[i], &a, &e))
            fail_msg("\"%s\" was taken", bad[i]);
    }
}

static void loopback_is_known(void **state)
{
    (void)state;
    assert_true(address_is_loopback("localhost"));
    assert_true(address_is_loopback("127.0.0.1"));
    assert_true(address_is_loopback("127.9.9.9"));
    assert_true(address_is_loopback("::1"));
    assert_false(address_is_loopback("0.0.0.0"));
    assert_false(address_is_loopback("128.0.0.1"));
    assert_false(address_is_loopback("127.0.0.1.example.org"));
    assert_false(address_is_loopback("localhost.example.org"));
    assert_true(address_same_host("localhost", "127.0.0.1"));
    assert_true(address_same_host("::1", "LOCALHOST"));
    assert_false(address_same_host("127.0.0.1", "127.0.0.2"));
    assert_false(address_same_host("localhost", "127.0.0.2"));
    assert_false(address_same_host("127.0.0.1", "::1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold),
        cmocka_unit_test(each_layer_beats_the_one_before),
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(bad_files_are_refused),
        cmocka_unit_test(long_lines_and_binaries_are_refused),
        cmocka_unit_test(unreadable_files_are_told),
        cmocka_unit_test(bad_flags_and_variables_are_refused),
        cmocka_unit_test(misspelt_names_get_a_suggestion),
        cmocka_unit_test(misspelt_variables_are_noticed),
        cmocka_unit_test(what_is_printed_can_be_read_again),
        cmocka_unit_test(sources_are_printed),
        cmocka_unit_test(every_failed_allocation_is_reported),
        cmocka_unit_test(a_change_makes_another_config),
        cmocka_unit_test(values_come_by_their_type),
        cmocka_unit_test(units_are_exact),
        cmocka_unit_test(addresses_are_taken_apart),
        cmocka_unit_test(loopback_is_known),
    };
    return cmocka_run_group_tests_name("config", tests, make_file, remove_file);
}
