/* The audit log: what its lines are, that they are chained over files and starts, and that whatever
 * is done to them is found. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "audit/audit.h"
#include "audit/gate.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "json/read.h"

static char dir[64];
static audit_anchor last;

static char *path_of(int64_t number)
{
    static char path[PATH_MAX];
    assert_true(audit_file_path(dir, number, path));
    return path;
}

static int setup(void **state)
{
    (void)state;
    log_init(LOG_LEVEL_ERROR, false);
    strcpy(dir, "/tmp/test_audit.XXXXXX");
    memset(&last, 0, sizeof last);
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    char path[PATH_MAX];
    (void)state;
    DIR *d = opendir(dir);
    for (const struct dirent *f; (f = readdir(d)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", dir, f->d_name);
        if (f->d_name[0] != '.')
            unlink(path);
    }
    closedir(d);
    return rmdir(dir);
}

static audit_config settings_with(int64_t max, int64_t keep)
{
    audit_config c = {.max = max, .keep = keep, .known = last};
    strcpy(c.dir, dir);
    return c;
}

static audit_log *open_log(int64_t max, int64_t keep)
{
    const audit_config c = settings_with(max, keep);
    error e;
    audit_log *l = audit_open(&c, &e);
    if (!l)
        fail_msg("%s", e.message);
    return l;
}

static void post(audit_log *l, const char *target, const char *detail)
{
    audit_entry r = {.action = AUDIT_USER_CREATE, .from = {.user = "ann", .kind = "user"}};
    snprintf(r.target, sizeof r.target, "%s", target);
    r.detail = detail ? mem_strndup(detail, strlen(detail)) : NULL;
    audit_post(l, &r);
}

/* A log with n records, ended in order. */
static void make(int n, int64_t max)
{
    char target[16];
    audit_log *l = open_log(max, 100);
    for (int i = 1; i <= n; i++) {
        snprintf(target, sizeof target, "t%d", i);
        post(l, target, NULL);
    }
    audit_close(l, &last);
}

static char *slurp(const char *path, size_t *n)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    char *text = calloc(1, 1 << 20);
    *n = fread(text, 1, (1 << 20) - 1, f);
    fclose(f);
    return text;
}

static void spit(const char *path, const char *p, size_t n)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    fclose(f);
}

/* ---- verifying --------------------------------------------------------------------------------
 */

typedef struct verdict {
    audit_chain chain;
    int n[6]; /* faults by kind */
    audit_fault first;
} verdict;

static void on_fault(void *arg, const audit_fault *f)
{
    verdict *v = arg;
    if (!v->chain.faults || !*v->first.text)
        v->first = *f;
    v->n[f->kind]++;
}

static bool on_line(void *arg, const char *p, size_t n, int64_t at)
{
    (void)at;
    audit_chain_line(arg, p, n);
    return true;
}

static verdict verify(const audit_anchor *a)
{
    verdict v = {.chain = {.anchor = a, .fault = on_fault}};
    audit_files files;
    int64_t torn;
    error e;
    v.chain.arg = &v;
    assert_true(audit_files_open(dir, &files, &e));
    for (int i = 0; i < files.n; i++) {
        audit_chain_file(&v.chain, files.all[i].number);
        assert_true(
            audit_file_lines(files.all[i].fd, 0, files.all[i].size, on_line, &v.chain, &torn, &e));
        if (torn)
            audit_chain_torn(&v.chain);
    }
    audit_chain_end(&v.chain);
    audit_files_close(&files);
    return v;
}

#define assert_good(v)                                                                             \
    do {                                                                                           \
        if ((v).chain.faults)                                                                      \
            fail_msg("line %lld: %s", (long long)(v).first.line, (v).first.text);                  \
    } while (0)

/* ---- tests ------------------------------------------------------------------------------------
 */

static void records_are_chained(void **state)
{
    (void)state;
    struct stat st;
    make(10, 1 << 20);
    verdict v = verify(&last);
    assert_good(v);
    assert_int_equal(v.chain.records, 10);
    assert_int_equal(last.at.n, 10);
    assert_true(v.chain.anchor_found);
    assert_int_equal(stat(path_of(0), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void starts_go_on_with_the_chain(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        make(3, 1 << 20);
    verdict v = verify(&last);
    assert_good(v);
    assert_int_equal(v.chain.records, 15);
}

static void files_go_on_with_the_chain(void **state)
{
    (void)state;
    make(400, 4096);
    make(400, 4096);
    int64_t newest;
    error e;
    assert_true(audit_files_newest(dir, &newest, &e));
    assert_true(newest > 5);
    verdict v = verify(&last);
    assert_good(v);
    assert_int_equal(v.chain.records, 800);
    assert_int_equal(v.chain.first, 1);
}

static void old_files_go_and_are_not_missed(void **state)
{
    (void)state;
    audit_log *l = open_log(4096, 2);
    for (int i = 0; i < 500; i++)
        post(l, "x", NULL);
    audit_close(l, &last);
    verdict v = verify(&last);
    assert_good(v);
    assert_true(v.chain.first > 300);
    assert_int_equal(last.first, v.chain.first);
}

static void a_line_says_all_and_nothing_else(void **state)
{
    (void)state;
    size_t n;
    audit_log *l = open_log(1 << 20, 10);
    audit_entry r = {.action = AUDIT_AUTH_FAILED, .code = ERR_AUTH_FAILED};
    strcpy(r.from.user, "bob\n{\"n\":99}\x1b[2J\x7f");
    strcpy(r.from.address, "\xe2\x80\xae\xf0\x9f\x98\x80\xff");
    strcpy(r.target, "a\"b\\c\r\nd");
    r.detail = xstrdup("{\"a\":\n[1,\"x\\ny\"] , \"b\":\"\xc2\x9b\"}");
    audit_post(l, &r);
    audit_close(l, NULL);
    char *text = slurp(path_of(0), &n), *line = strchr(text, '\n') + 1;
    for (size_t i = 0; i < n; i++)
        assert_true(text[i] == '\n' || (text[i] >= ' ' && text[i] < 0x7F));
    assert_ptr_equal(strchr(line, '\n'), text + n - 1);
    error e;
    json_t *doc = json_read_text(line, strlen(line) - 1, &e);
    assert_non_null(doc);
    assert_string_equal(json_string_value(json_object_get(doc, "user")), r.from.user);
    assert_string_equal(json_string_value(json_object_get(doc, "target")), r.target);
    assert_string_equal(json_string_value(json_object_get(doc, "address")),
                        "\xe2\x80\xae\xf0\x9f\x98\x80\xef\xbf\xbd");
    assert_string_equal(json_string_value(json_object_get(doc, "code")), "AUTH_FAILED");
    const json_t *detail = json_object_get(doc, "detail");
    assert_string_equal(json_string_value(json_object_get(detail, "b")), "\xc2\x9b");
    json_decref(doc);
    free(text);
}

static void a_detail_that_is_too_long_is_left_out(void **state)
{
    (void)state;
    size_t n;
    audit_log *l = open_log(1 << 20, 10);
    char *detail = calloc(1, AUDIT_DETAIL_MAX + 100);
    memset(detail, ' ', AUDIT_DETAIL_MAX + 50);
    detail[0] = '{';
    detail[AUDIT_DETAIL_MAX + 40] = '}';
    post(l, "x", detail);
    post(l, "y", "no json");
    post(l, "z", "[1]");
    audit_close(l, &last);
    free(detail);
    char *text = slurp(path_of(0), &n);
    assert_non_null(strstr(text, "\"detail\":{\"left_out_bytes\":4146}"));
    assert_non_null(strstr(text, "\"detail\":{\"left_out_bytes\":7}"));
    free(text);
    assert_good(verify(&last));
}

/* Start of line `i`, from 0, and its length with the line break. */
static char *line_at(char *text, int i, size_t *n)
{
    while (i--)
        text = strchr(text, '\n') + 1;
    *n = (size_t)(strchr(text, '\n') - text) + 1;
    return text;
}

static void every_changed_byte_is_found(void **state)
{
    (void)state;
    size_t n, len;
    make(6, 1 << 20);
    char *text = slurp(path_of(0), &n);
    for (size_t i = 0; i < n; i++) {
        for (int bit = 0; bit < 8; bit += 3) {
            text[i] ^= (char)(1 << bit);
            spit(path_of(0), text, n);
            text[i] ^= (char)(1 << bit);
            verdict v = verify(&last);
            if (!v.chain.faults)
                fail_msg("byte %zu, bit %d: not found", i, bit);
        }
    }
    /* Without the anchor, all but the last line is held by the next. */
    char *end = line_at(text, 6, &len);
    for (char *p = text; p < end; p++) {
        *p ^= 1;
        spit(path_of(0), text, n);
        *p ^= 1;
        assert_true(verify(NULL).chain.faults > 0);
    }
    free(text);
}

static void removed_lines_are_found(void **state)
{
    (void)state;
    size_t n, len;
    make(6, 1 << 20);
    char *text = slurp(path_of(0), &n), *changed = malloc(n);
    for (int i = 0; i < 7; i++) {
        char *line = line_at(text, i, &len);
        size_t before = (size_t)(line - text);
        memcpy(changed, text, before);
        memcpy(changed + before, line + len, n - before - len);
        spit(path_of(0), changed, n - len);
        verdict v = verify(&last);
        assert_true(v.chain.faults > 0);
        if (i > 0 && i < 6) {
            assert_int_equal(v.n[AUDIT_MISSING], 1);
            assert_int_equal(v.first.n, i);
        }
        assert_int_equal(v.n[AUDIT_TRUNCATED] != 0, i == 0 || i == 6);
    }
    free(changed);
    free(text);
}

static void put_elsewhere_and_twice_is_found(void **state)
{
    (void)state;
    size_t n, a_len, b_len;
    make(6, 1 << 20);
    char *text = slurp(path_of(0), &n), *changed = calloc(1, 2 * n);
    for (int i = 1; i < 6; i++) {
        char *a = line_at(text, i, &a_len), *b = line_at(text, i + 1, &b_len);
        size_t before = (size_t)(a - text);
        memcpy(changed, text, n);
        memcpy(changed + before, b, b_len);
        memcpy(changed + before + b_len, a, a_len);
        spit(path_of(0), changed, n);
        assert_true(verify(&last).n[AUDIT_REORDERED] > 0);
        memcpy(changed, text, n); /* the line once more at the end */
        memcpy(changed + n, a, a_len);
        spit(path_of(0), changed, n + a_len);
        assert_true(verify(&last).n[AUDIT_REORDERED] > 0);
    }
    free(changed);
    free(text);
}

static void a_cut_end_is_found_and_stays_found(void **state)
{
    (void)state;
    size_t n, len;
    make(6, 1 << 20);
    char *text = slurp(path_of(0), &n), *end = line_at(text, 4, &len);
    spit(path_of(0), text, (size_t)(end - text));
    verdict v = verify(&last);
    assert_int_equal(v.n[AUDIT_TRUNCATED], 1);
    assert_int_equal(v.first.n, 4);
    assert_false(v.chain.anchor_found);
    make(2, 1 << 20); /* the daemon goes on; the gap remains */
    v = verify(&last);
    assert_int_equal(v.n[AUDIT_MISSING], 1);
    assert_string_equal(v.first.text, "records 4 to 6 are missing");
    free(text);
    text = slurp(path_of(0), &n);
    assert_non_null(strstr(text, "\"action\":\"audit.broken\""));
    free(text);
}

static void missing_files_are_found(void **state)
{
    (void)state;
    make(400, 4096);
    int64_t newest;
    error e;
    assert_true(audit_files_newest(dir, &newest, &e));
    char aside[PATH_MAX];
    snprintf(aside, sizeof aside, "%s/aside", dir);
    for (int64_t i = 0; i <= newest; i++) {
        assert_int_equal(rename(path_of(i), aside), 0);
        assert_true(verify(&last).chain.faults > 0);
        assert_int_equal(rename(aside, path_of(i)), 0);
    }
    assert_good(verify(&last));
    for (int64_t i = 0; i <= newest; i++)
        assert_int_equal(unlink(path_of(i)), 0);
    assert_int_equal(verify(&last).n[AUDIT_TRUNCATED], 1);
}

static void a_torn_line_is_repaired(void **state)
{
    (void)state;
    size_t n, len;
    make(6, 1 << 20);
    char *text = slurp(path_of(0), &n), *end = line_at(text, 6, &len);
    for (size_t cut = 1; cut < len; cut += 37) {
        size_t n_now;
        spit(path_of(0), text, (size_t)(end - text) + cut);
        memset(&last, 0, sizeof last); /* a crash: no anchor so late */
        assert_int_equal(verify(NULL).n[AUDIT_MALFORMED], 1);
        make(2, 1 << 20);
        verdict v = verify(&last);
        assert_good(v);
        assert_int_equal(v.chain.records, 5 + 1 + 2);
        char *now = slurp(path_of(0), &n_now), say[80];
        snprintf(say, sizeof say, "\"action\":\"audit.repaired\",\"outcome\":\"ok\"");
        assert_non_null(strstr(now, say));
        snprintf(say, sizeof say, "\"detail\":{\"bytes\":%zu}", cut);
        assert_non_null(strstr(now, say));
        free(now);
    }
    free(text);
}

static void a_crash_between_two_files_is_no_fault(void **state)
{
    (void)state;
    make(6, 1 << 20);
    char grows[PATH_MAX];
    strcpy(grows, path_of(0));
    assert_int_equal(rename(grows, path_of(1)), 0);
    make(2, 1 << 20);
    verdict v = verify(&last);
    assert_good(v);
    assert_int_equal(v.chain.records, 8);
}

static void links_and_other_things_are_refused(void **state)
{
    (void)state;
    error e;
    const audit_config c = settings_with(1 << 20, 10);
    assert_int_equal(symlink("/tmp/test_audit.elsewhere", path_of(0)), 0);
    assert_null(audit_open(&c, &e));
    assert_non_null(strstr(e.message, "symbolic link"));
    assert_int_equal(access("/tmp/test_audit.elsewhere", F_OK), -1);
    unlink(path_of(0));
    assert_int_equal(mkfifo(path_of(0), 0600), 0);
    assert_null(audit_open(&c, &e));
    assert_non_null(strstr(e.message, "not a plain file"));
}

static void a_wrong_mode_is_mended(void **state)
{
    (void)state;
    struct stat st;
    make(1, 1 << 20);
    assert_int_equal(chmod(path_of(0), 0644), 0);
    make(1, 1 << 20);
    assert_int_equal(stat(path_of(0), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

/* The disk is full, as far as a process may make files grow. */
static void records_wait_for_room(void **state)
{
    (void)state;
    struct rlimit was, little;
    audit_log *l = open_log(1 << 20, 10);
    post(l, "first", NULL);
    while (access(path_of(0), F_OK) != 0 || !audit_works(l))
        ;
    getrlimit(RLIMIT_FSIZE, &was);
    signal(SIGXFSZ, SIG_IGN);
    little = was;
    little.rlim_cur = 1500;
    setrlimit(RLIMIT_FSIZE, &little);
    for (int i = 0; i < 20; i++)
        post(l, "more", NULL);
    for (int i = 0; i < 10000 && audit_works(l); i++)
        usleep(1000);
    assert_false(audit_works(l));
    for (int i = 0; i < AUDIT_QUEUE; i++)
        post(l, "many", NULL);
    int64_t lost = audit_lost(l);
    assert_true(lost > 0);
    setrlimit(RLIMIT_FSIZE, &was);
    for (int i = 0; i < 10000 && !audit_works(l); i++)
        usleep(1000);
    assert_true(audit_works(l));
    audit_close(l, &last);
    verdict v = verify(&last);
    assert_good(v);
    assert_int_equal(v.chain.records, 1 + 20 + AUDIT_QUEUE - lost + 1);
}

static void strangers_cannot_fill_it(void **state)
{
    (void)state;
    size_t n;
    audit_log *l = open_log(1 << 20, 10);
    audit_entry r = {.action = AUDIT_AUTH_FAILED, .code = ERR_AUTH_FAILED};
    for (int i = 0; i < 2000; i++)
        audit_post(l, &r);
    post(l, "of importance", NULL);
    audit_close(l, &last);
    verdict v = verify(&last);
    assert_good(v);
    assert_true(v.chain.records <= 2 * AUDIT_A_MINUTE + 2);
    char *text = slurp(path_of(0), &n);
    assert_non_null(strstr(text, "\"target\":\"of importance\""));
    assert_non_null(strstr(text, "\"action\":\"audit.left_out\""));
    assert_non_null(strstr(text, "{\"action\":\"auth.failed\",\"records\":"));
    free(text);
}

static void the_gate_counts_what_it_leaves_out(void **state)
{
    (void)state;
    audit_gate g = {0};
    const int64_t minute = 60000000;
    for (int i = 0; i < AUDIT_A_MINUTE; i++)
        assert_true(audit_gate_pass(&g, 5 * minute + i));
    assert_false(audit_gate_pass(&g, 6 * minute - 1));
    assert_int_equal(audit_gate_left_out(&g, 6 * minute - 1), 0);
    assert_int_equal(audit_gate_left_out(&g, 6 * minute), 1);
    assert_int_equal(audit_gate_left_out(&g, 6 * minute), 0);
    assert_true(audit_gate_pass(&g, 6 * minute));
}

typedef struct kept {
    audit_anchor newest;
    int times;
} kept;

static void keep(void *arg, const audit_anchor *a)
{
    kept *k = arg;
    k->newest = *a;
    k->times++;
}

static void anchors_are_kept_on_the_way(void **state)
{
    (void)state;
    kept k = {0};
    audit_config c = settings_with(1 << 20, 10);
    c.anchor = keep;
    c.arg = &k;
    error e;
    audit_log *l = audit_open(&c, &e);
    for (int i = 0; i < 1000; i++)
        post(l, "x", NULL);
    audit_close(l, &last);
    assert_true(k.times >= 1 && k.times <= 1000 / AUDIT_ANCHOR_EVERY + 1);
    assert_good(verify(&k.newest));
    assert_true(verify(&k.newest).chain.anchor_found);
}

static void another_log_is_told_apart(void **state)
{
    (void)state;
    make(3, 1 << 20);
    audit_anchor old = last;
    unlink(path_of(0));
    memset(&last, 0, sizeof last);
    make(5, 1 << 20);
    assert_int_equal(verify(&old).n[AUDIT_FOREIGN], 1);
}

static void journald_gets_copies(void **state)
{
    (void)state;
    char got[8192];
    audit_config c = settings_with(1 << 20, 10);
    snprintf(c.journal, sizeof c.journal, "%s/journal", dir);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", c.journal);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    error e;
    audit_log *l = audit_open(&c, &e);
    audit_entry r = {.action = AUDIT_USER_DELETE, .code = ERR_NOT_FOUND};
    strcpy(r.from.user, "eve\nPRIORITY=0");
    audit_post(l, &r);
    ssize_t n = recv(fd, got, sizeof got - 1, 0);
    assert_true(n > 0);
    got[n] = '\0';
    assert_non_null(strstr(got, "\nSYSLOG_IDENTIFIER=rustydb\n"));
    assert_non_null(strstr(got, "\nRUSTYDB_ACTION=user.delete\n"));
    assert_non_null(strstr(got, "\nRUSTYDB_USER=eve?PRIORITY=0\n"));
    assert_non_null(strstr(got, "\nMESSAGE={\"n\":1,"));
    assert_null(strstr(got, "\nPRIORITY=0"));
    audit_close(l, NULL);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(records_are_chained),
        TEST(starts_go_on_with_the_chain),
        TEST(files_go_on_with_the_chain),
        TEST(old_files_go_and_are_not_missed),
        TEST(a_line_says_all_and_nothing_else),
        TEST(a_detail_that_is_too_long_is_left_out),
        TEST(every_changed_byte_is_found),
        TEST(removed_lines_are_found),
        TEST(put_elsewhere_and_twice_is_found),
        TEST(a_cut_end_is_found_and_stays_found),
        TEST(missing_files_are_found),
        TEST(a_torn_line_is_repaired),
        TEST(a_crash_between_two_files_is_no_fault),
        TEST(links_and_other_things_are_refused),
        TEST(a_wrong_mode_is_mended),
        TEST(records_wait_for_room),
        TEST(strangers_cannot_fill_it),
        TEST(the_gate_counts_what_it_leaves_out),
        TEST(anchors_are_kept_on_the_way),
        TEST(another_log_is_told_apart),
        TEST(journald_gets_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
