/* The root token: how it is made, what it opens, and what a start does with what it finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "auth/auth.h"
#include "auth/edit.h"
#include "auth_fixture.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine_ops.h"
#include "engine_fixture.h"

/* The token's folder is apart from the engine's, so that each can be lost by itself. */
static fx database;
static char dir[64], path[80];

static int set_up(void **state)
{
    (void)state;
    log_init(LOG_LEVEL_ERROR, false);
    fx_init(&database);
    fx_open(&database);
    strcpy(dir, "/tmp/rustydb-auth.XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/root.token", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fx_end(&database);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

/* An engine that knows nothing and keeps nothing. */
static long knows_nothing(engine *g, const char *key, void *out, size_t room, error *e)
{
    (void)g, (void)key, (void)out, (void)room, (void)e;
    return -1;
}

static bool keeps_nothing(engine *g, const char *key, const void *p, size_t n, error *e)
{
    (void)g, (void)key, (void)p, (void)n;
    return error_set(e, ERR_DISK_FULL, "the disk is full");
}

static long is_broken(engine *g, const char *key, void *out, size_t room, error *e)
{
    (void)g, (void)key, (void)out, (void)room;
    error_set(e, ERR_CORRUPT, "the file is damaged");
    return -1;
}

static auth *open_auth(void)
{
    error e;
    auth *a = auth_open(database.g, dir, &e);
    if (!a)
        fail_msg("%s", e.message);
    return a;
}

/* The first line of the file. */
static void read_token(char out[80])
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(out, 80, f));
    fclose(f);
    out[strcspn(out, "\n")] = '\0';
}

static identity *identify(auth *a, const char *token, size_t n, error *e)
{
    const credential shown = {.kind = CREDENTIAL_TOKEN, .text = token, .n = n};
    return auth_identify(a, &shown, e);
}

static bool opens(auth *a, const char *token)
{
    error e;
    identity *who = identify(a, token, strlen(token), &e);
    if (!who) {
        assert_int_equal(e.code, ERR_AUTH_FAILED);
        return false;
    }
    assert_int_equal(who->kind, IDENTITY_ROOT);
    assert_string_equal(who->name, "root");
    identity_release(who);
    return true;
}

static void the_first_start_makes_a_token(void **state)
{
    (void)state;
    auth *a = open_auth();
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    char token[80];
    read_token(token);
    assert_int_equal(strlen(token), 64);
    assert_int_equal(strspn(token, "0123456789abcdef"), 64);
    assert_true(opens(a, token));
    auth_close(a);
}

static void other_tokens_open_nothing(void **state)
{
    (void)state;
    auth *a = open_auth();
    char token[80], longer[1024];
    read_token(token);
    assert_false(opens(a, ""));
    assert_false(opens(a, "root"));
    token[63] ^= 1;
    assert_false(opens(a, token));
    token[63] ^= 1;
    token[10] = 'A';
    assert_false(opens(a, token));
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_false(opens(a, longer));
    error e;
    read_token(token);
    assert_null(identify(a, token, 63, &e));
    assert_null(identify(a, token, 65, &e));
    auth_close(a);
}

static void a_token_lasts_over_starts(void **state)
{
    (void)state;
    auth_close(open_auth());
    char token[80], again[80];
    read_token(token);
    fx_close(&database);
    fx_open(&database);
    auth *a = open_auth();
    read_token(again);
    assert_string_equal(token, again);
    assert_true(opens(a, token));
    auth_close(a);
}

static void a_lost_file_means_a_new_token(void **state)
{
    (void)state;
    auth_close(open_auth());
    char old[80], new[80];
    read_token(old);
    assert_int_equal(unlink(path), 0);
    auth *a = open_auth();
    read_token(new);
    assert_string_not_equal(old, new);
    assert_false(opens(a, old));
    assert_true(opens(a, new));
    auth_close(a);
}

static void a_foreign_file_opens_nothing(void **state)
{
    (void)state;
    auth_close(open_auth());
    char token[80];
    read_token(token);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("something else\n", f);
    fclose(f);
    auth *a = open_auth();
    assert_false(opens(a, "something else"));
    assert_true(opens(a, token));
    auth_close(a);
}

static void a_file_left_of_another_database_is_replaced(void **state)
{
    (void)state;
    auth_close(open_auth());
    char old[80], new[80];
    read_token(old);
    fx_end(&database);
    fx_init(&database);
    fx_open(&database);
    auth *a = open_auth();
    read_token(new);
    assert_false(opens(a, old));
    assert_true(opens(a, new));
    auth_close(a);
}

static void what_fails_is_told_and_leaves_no_token(void **state)
{
    (void)state;
    const engine_ops forgetful = {.meta_get = knows_nothing, .meta_set = keeps_nothing};
    const engine_ops broken = {.meta_get = is_broken, .meta_set = keeps_nothing};
    engine full = {&forgetful}, damaged = {&broken};
    char left[100];
    error e;
    snprintf(left, sizeof left, "%s.new", path);
    assert_null(auth_open(&full, dir, &e));
    assert_int_equal(e.code, ERR_DISK_FULL);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(left, F_OK), -1);
    assert_null(auth_open(&damaged, dir, &e));
    assert_int_equal(e.code, ERR_CORRUPT);
    assert_int_equal(access(path, F_OK), -1);
    assert_null(auth_open(database.g, "/nonexistent", &e));
    assert_string_equal(e.message,
                        "cannot create /nonexistent/root.token.new: No such file or directory");
    mem_fail_nth(1);
    assert_null(auth_open(database.g, dir, &e));
    mem_fail_nth(0);
    assert_string_equal(e.message, "out of memory");
}

static void the_database_holds_the_hash_alone(void **state)
{
    (void)state;
    auth_close(open_auth());
    char token[80], command[300];
    read_token(token);
    fx_close(&database);
    snprintf(command, sizeof command, "! grep -rqF '%s' '%s'", token, database.dir);
    assert_int_equal(system(command), 0);
}

static void a_start_cut_short_is_made_good(void **state)
{
    (void)state;
    char left[100];
    snprintf(left, sizeof left, "%s.new", path);
    FILE *f = fopen(left, "w");
    assert_non_null(f);
    fclose(f);
    auth_close(open_auth());
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(access(left, F_OK), -1);
}

static void a_key_is_somebody_else_than_its_user(void **state)
{
    char owner[IDENTITY_OWNER], other[IDENTITY_OWNER];
    (void)state;
    identity *user = identity_new(IDENTITY_USER, "ann", rights_new(NULL, 0), NULL);
    identity *again = identity_new(IDENTITY_USER, "ann", rights_everything(), NULL);
    identity *key = identity_new(IDENTITY_KEY, "ann", rights_new(NULL, 0), NULL);
    identity *second = identity_new(IDENTITY_KEY, "ann", rights_new(NULL, 0), NULL);
    assert_true(user && again && key && second);
    snprintf(key->key, sizeof key->key, "k1");
    snprintf(second->key, sizeof second->key, "k2");
    assert_true(identity_same(user, again)); /* whatever he may by now */
    assert_false(identity_same(user, key));
    assert_false(identity_same(key, second));
    assert_false(identity_same(user, NULL));
    identity_owner(key, owner);
    identity_owner(second, other);
    assert_string_not_equal(owner, other);
    identity_release(user);
    identity_release(again);
    identity_release(key);
    identity_release(second);
}

static void a_scope_that_is_missing_is_named(void **state)
{
    error e;
    (void)state;
    const rights_role sql = {.scopes = SCOPE_sql};
    identity *who = identity_new(IDENTITY_USER, "ann", rights_new(&sql, 1), NULL);
    assert_non_null(who);
    assert_true(identity_check(who, 0, &e));
    assert_true(identity_check(who, SCOPE_sql, &e));
    assert_false(identity_check(who, SCOPE_backup, &e));
    assert_int_equal(e.code, ERR_PERMISSION_DENIED);
    assert_non_null(strstr(e.hint, "backup"));
    assert_false(identity_check(NULL, SCOPE_sql, &e));
    identity_release(who);
}

/* ---- changes that wait for their turn ----------------------------------------------------------
 */

typedef struct asked {
    auth_edit edit;
    pthread_mutex_t lock; /* guards done */
    pthread_cond_t changed;
    bool done;
} asked;

static void asked_done(auth_edit *edit)
{
    asked *x = list_entry(edit, asked, edit);
    pthread_mutex_lock(&x->lock);
    x->done = true;
    pthread_cond_signal(&x->changed);
    pthread_mutex_unlock(&x->lock);
}

static error_code asked_wait(asked *x)
{
    pthread_mutex_lock(&x->lock);
    while (!x->done)
        pthread_cond_wait(&x->changed, &x->lock);
    pthread_mutex_unlock(&x->lock);
    return x->edit.call.failed ? x->edit.call.err.code : ERR_NONE;
}

/* The key is asked for while its user, who may everything, is on the way to the disk. */
static void nobody_gets_a_key_of_who_is_being_made(void **state)
{
    (void)state;
    auth *a = open_auth();
    error e;
    rights *none = auth_rights_of(a, NULL, 0, &e);
    identity *who = identity_new(IDENTITY_USER, "ann", none, NULL);
    wish boss = {.put = {document(AUTH_USER, "{'name':'boss','roles':['admin']}")}};
    auth_document *key = document(AUTH_KEY, "{'id':'k1','user':'boss','hash':'aa'}");
    asked x = {
        .edit = {.who = who, .is = key, .done = asked_done},
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
    };
    wish_start(&boss, auth_store_of(a));
    auth_edit_start(a, &x.edit);
    assert_int_equal(wish_wait(&boss), ERR_NONE);
    assert_int_equal(asked_wait(&x), ERR_PERMISSION_DENIED);
    assert_null(auth_store_find(auth_store_of(a), AUTH_KEY, "k1"));
    auth_document_release(boss.put[0]);
    auth_document_release(key);
    identity_release(who);
    auth_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_start_makes_a_token, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_tokens_open_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_token_lasts_over_starts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_file_means_a_new_token, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_foreign_file_opens_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_left_of_another_database_is_replaced, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_fails_is_told_and_leaves_no_token, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_database_holds_the_hash_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_start_cut_short_is_made_good, set_up, tear_down),
        cmocka_unit_test(a_key_is_somebody_else_than_its_user),
        cmocka_unit_test(a_scope_that_is_missing_is_named),
        cmocka_unit_test_setup_teardown(nobody_gets_a_key_of_who_is_being_made, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
