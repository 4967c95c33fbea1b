/* Sessions: what a login gives, how it goes on, how it ends, and what is left of it on the disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "auth/sessions.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/engine_ops.h"
#include "engine_fixture.h"
#include "jwt_forge.h"
#include "session_fixture.h"

#define HOUR INT64_C(3600000000)

static fx database;
static sessions *s;
static atomic_ullong generation;
static session_limits limits;

/* ---- asking and waiting ------------------------------------------------------------------------
 */

static error_code login(const char *user, pair *out)
{
    waiting *w = call_new();
    sessions_limit(s, &limits);
    sessions_begin(s, &w->call, user, "192.0.2.7", "a\tclient");
    return take(w, out);
}

static error_code refresh(const char *token, pair *out)
{
    waiting *w = call_new();
    sessions_limit(s, &limits);
    sessions_refresh(s, &w->call, token, strlen(token));
    return take(w, out);
}

static error_code end(const char *id)
{
    waiting *w = call_new();
    sessions_end(s, &w->call, id);
    return take(w, NULL);
}

static error_code check(const char *token)
{
    jwt t;
    error e;
    session_info who;
    int64_t expires;
    error_clear(&e);
    if (!jwt_read(&t, token, strlen(token), &e))
        return e.code;
    sessions_limit(s, &limits);
    bool ok = sessions_made(s, &t) ? sessions_check(s, &t, &who, &expires, &e)
                                   : error_set(&e, ERR_AUTH_FAILED, "not ours");
    jwt_free(&t);
    assert_int_equal(ok, e.code == ERR_NONE);
    return e.code;
}

static int count(const char *user)
{
    session_info page[8];
    int64_t total;
    sessions_page(s, user, 0, 8, page, &total);
    return (int)total;
}

/* ---- set-up ------------------------------------------------------------------------------------
 */

static int kept; /* sessions that the database had */

static bool load(void *arg, const auth_text *t, error *e)
{
    kept++;
    return strcmp(t->kind, "session") != 0 || sessions_load(arg, t, e);
}

static void open_sessions(void)
{
    error e;
    s = sessions_new(database.g, &limits, &generation, &e);
    assert_non_null(s);
    kept = 0;
    assert_true(engine_auth_read(database.g, load, s, &e));
}

static void start_again(void)
{
    fx_close(&database);
    sessions_free(s);
    fx_open(&database);
    open_sessions();
}

static int set_up(void **state)
{
    (void)state;
    log_init(LOG_LEVEL_ERROR, false);
    limits = (session_limits){HOUR / 4, HOUR, 24 * HOUR, 100, 10};
    generation = 0;
    fx_init(&database);
    fx_open(&database);
    open_sessions();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fx_end(&database);
    sessions_free(s);
    return 0;
}

/* ---- tests -------------------------------------------------------------------------------------
 */

static void a_login_gives_two_tokens(void **state)
{
    (void)state;
    pair p;
    assert_int_equal(login("anna", &p), ERR_NONE);
    assert_int_equal(check(p.access), ERR_NONE);
    assert_int_equal(check(p.refresh), ERR_AUTH_FAILED);
    session_info one[2];
    int64_t total;
    assert_int_equal(sessions_page(s, "anna", 0, 2, one, &total), 1);
    assert_string_equal(one[0].id, p.id);
    assert_string_equal(one[0].address, "192.0.2.7");
    assert_string_equal(one[0].agent, "a client");
    assert_int_equal(one[0].expires_us - one[0].created_us, 24 * HOUR);
    assert_int_equal(sessions_page(s, "ann", 0, 2, one, &total), 0);
    assert_int_equal(sessions_page(s, NULL, 1, 2, one, &total), 0);
    assert_int_equal(total, 1);
}

static void a_refresh_token_is_good_once(void **state)
{
    (void)state;
    pair a, b, c;
    assert_int_equal(login("anna", &a), ERR_NONE);
    assert_int_equal(refresh(a.refresh, &b), ERR_NONE);
    assert_string_equal(a.id, b.id);
    assert_string_not_equal(a.refresh, b.refresh);
    assert_int_equal(refresh(b.refresh, &c), ERR_NONE);
    assert_int_equal(check(a.access), ERR_NONE);
    assert_int_equal(generation, 0);
    /* The first one comes again: somebody has it who should not. */
    assert_int_equal(refresh(a.refresh, NULL), ERR_AUTH_FAILED);
    assert_int_equal(generation, 1);
    assert_int_equal(check(c.access), ERR_AUTH_FAILED);
    assert_int_equal(refresh(c.refresh, NULL), ERR_AUTH_FAILED);
    assert_int_equal(count(NULL), 0);
    start_again();
    assert_int_equal(check(c.access), ERR_AUTH_FAILED);
    assert_int_equal(refresh(c.refresh, NULL), ERR_AUTH_FAILED);
}

/* Two at once with the same token: one is given tokens, and the session ends all the same. */
static void a_race_has_no_winner(void **state)
{
    (void)state;
    pair a, b;
    assert_int_equal(login("anna", &a), ERR_NONE);
    sessions_limit(s, &limits);
    waiting *one = call_new(), *two = call_new();
    sessions_refresh(s, &one->call, a.refresh, strlen(a.refresh));
    sessions_refresh(s, &two->call, a.refresh, strlen(a.refresh));
    assert_int_equal(take(two, NULL), ERR_AUTH_FAILED);
    take(one, &b);
    assert_int_equal(count(NULL), 0);
    assert_int_equal(check(a.access), ERR_AUTH_FAILED);
    start_again();
    assert_int_equal(count(NULL), 0);
}

static void other_tokens_refresh_nothing(void **state)
{
    (void)state;
    pair a;
    char forged[SECRET_REFRESH_LENGTH + 1];
    error e;
    assert_int_equal(login("anna", &a), ERR_NONE);
    assert_int_equal(refresh("", NULL), ERR_AUTH_FAILED);
    assert_int_equal(refresh(a.access, NULL), ERR_AUTH_FAILED);
    assert_true(secret_make_refresh("00000000000000000000000000000000", forged, &e));
    assert_int_equal(refresh(forged, NULL), ERR_AUTH_FAILED);
    assert_int_equal(check(a.access), ERR_NONE);
    assert_true(secret_make_refresh(a.id, forged, &e));
    assert_int_equal(refresh(forged, NULL), ERR_AUTH_FAILED);
    assert_int_equal(check(a.access), ERR_AUTH_FAILED); /* as if used before */
}

static void sessions_last_over_starts(void **state)
{
    (void)state;
    pair a, b;
    assert_int_equal(login("anna", &a), ERR_NONE);
    assert_int_equal(refresh(a.refresh, &b), ERR_NONE);
    start_again();
    assert_int_equal(check(a.access), ERR_NONE);
    assert_int_equal(check(b.access), ERR_NONE);
    assert_int_equal(refresh(b.refresh, &a), ERR_NONE);
    assert_int_equal(refresh(b.refresh, NULL), ERR_AUTH_FAILED);
}

static void sessions_end_at_once(void **state)
{
    (void)state;
    pair a, b, c;
    error e;
    session_info info;
    assert_int_equal(login("anna", &a), ERR_NONE);
    assert_int_equal(login("anna", &b), ERR_NONE);
    assert_int_equal(login("bert", &c), ERR_NONE);
    assert_true(sessions_find(s, a.id, &info, &e));
    assert_int_equal(end(a.id), ERR_NONE);
    assert_int_equal(end(a.id), ERR_NOT_FOUND);
    assert_int_equal(end("nothing"), ERR_NOT_FOUND);
    assert_false(sessions_find(s, a.id, &info, &e));
    assert_int_equal(e.code, ERR_AUTH_FAILED);
    assert_int_equal(check(a.access), ERR_AUTH_FAILED);
    assert_int_equal(refresh(a.refresh, NULL), ERR_AUTH_FAILED);
    assert_int_equal(check(b.access), ERR_NONE);
    assert_int_equal(login("anna", &a), ERR_NONE);
    waiting *w = call_new();
    sessions_end_user(s, &w->call, "anna", b.id);
    assert_true(wait_for(w));
    assert_int_equal(w->call.ended, 1);
    call_free(w);
    assert_int_equal(check(a.access), ERR_AUTH_FAILED);
    assert_int_equal(check(b.access), ERR_NONE);
    assert_int_equal(check(c.access), ERR_NONE);
    w = call_new();
    sessions_end_user(s, &w->call, "nobody", NULL);
    assert_true(wait_for(w));
    assert_int_equal(w->call.ended, 0);
    call_free(w);
    start_again();
    assert_int_equal(count(NULL), 2);
}

static void time_ends_sessions(void **state)
{
    (void)state;
    pair a, b;
    limits.idle_us = 1;
    assert_int_equal(login("anna", &a), ERR_NONE);
    while (check(a.access) == ERR_NONE) /* within the microsecond */
        ;
    assert_int_equal(check(a.access), ERR_AUTH_EXPIRED);
    assert_int_equal(refresh(a.refresh, NULL), ERR_AUTH_EXPIRED);
    limits.idle_us = HOUR;
    assert_int_equal(check(a.access), ERR_NONE);
    limits.max_us = 1;
    assert_int_equal(login("anna", &b), ERR_NONE);
    assert_int_equal(check(b.access), ERR_AUTH_EXPIRED);
    assert_int_equal(refresh(b.refresh, NULL), ERR_AUTH_EXPIRED);
    assert_int_equal(count("anna"), 1);
    /* What is over is removed with the next login. */
    limits.max_us = HOUR;
    assert_int_equal(login("anna", &b), ERR_NONE);
    start_again();
    limits.max_us = 24 * HOUR;
    assert_int_equal(count("anna"), 2);
    assert_int_equal(kept, 2);
}

static void there_are_so_many_and_no_more(void **state)
{
    (void)state;
    pair p[4];
    limits.per_user = 2;
    limits.max = 3;
    assert_int_equal(login("anna", &p[0]), ERR_NONE);
    assert_int_equal(login("anna", &p[1]), ERR_NONE);
    assert_int_equal(check(p[0].access), ERR_NONE); /* used later than the other */
    assert_int_equal(login("anna", &p[2]), ERR_NONE);
    assert_int_equal(check(p[0].access), ERR_NONE);
    assert_int_equal(check(p[1].access), ERR_AUTH_FAILED);
    assert_int_equal(login("bert", &p[3]), ERR_NONE);
    assert_int_equal(login("cora", NULL), ERR_BUSY);
    assert_int_equal(count(NULL), 3);
    assert_int_equal(login("anna", &p[1]), ERR_NONE); /* takes the place of her own */
    assert_int_equal(count("anna"), 2);
}

static void foreign_keys_sign_nothing_here(void **state)
{
    (void)state;
    pair p;
    char claims[300];
    assert_int_equal(login("anna", &p), ERR_NONE);
    snprintf(claims, sizeof claims,
             "{\"iss\":\"rustydb\",\"sub\":\"anna\",\"sid\":\"%s\",\"exp\":4000000000}", p.id);
    jwt t;
    error e;
    char header[200];
    session_info who;
    assert_true(jwt_read(&t, p.access, strlen(p.access), &e));
    snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"kid\":\"%s\"}", t.kid);
    jwt_free(&t);
    const char *const secrets[] = {"", "secret", "0123456789abcdef0123456789abcdef"};
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        char *token = forge(header, claims, "HS256", NULL, secrets[i], strlen(secrets[i]));
        assert_int_equal(check(token), ERR_AUTH_FAILED);
        free(token);
    }
    char *token = forge("{\"alg\":\"HS256\"}", claims, "HS256", NULL, "x", 1);
    assert_true(jwt_read(&t, token, strlen(token), &e));
    assert_false(sessions_made(s, &t));
    assert_false(sessions_check(s, &t, &who, NULL, &e));
    jwt_free(&t);
    free(token);
}

static void the_disk_has_no_token(void **state)
{
    (void)state;
    pair p;
    char command[1300];
    assert_int_equal(login("anna", &p), ERR_NONE);
    fx_close(&database);
    snprintf(command, sizeof command, "! grep -rqF -e '%s' -e '%s' '%s'", p.refresh + 37, p.access,
             database.dir);
    assert_int_equal(system(command), 0);
    fx_open(&database);
}

/* An engine that takes nothing: every change fails, and nothing has changed. */
static void refuse(engine *g, job *j)
{
    error e;
    (void)g;
    error_set(&e, ERR_DISK_FULL, "the disk is full");
    j->sink->ops->done(j->sink, 0, &e);
}

static long knows_nothing(engine *g, const char *key, void *out, size_t room, error *e)
{
    (void)g, (void)key, (void)out, (void)room, (void)e;
    return -1;
}

static bool keeps_all(engine *g, const char *key, const void *p, size_t n, error *e)
{
    (void)g, (void)key, (void)p, (void)n, (void)e;
    return true;
}

static bool accepts = true;

static void decide(engine *g, job *j)
{
    if (accepts)
        j->sink->ops->done(j->sink, 0, NULL);
    else
        refuse(g, j);
}

static void what_cannot_be_written_did_not_happen(void **state)
{
    (void)state;
    const engine_ops ops = {.meta_get = knows_nothing, .meta_set = keeps_all, .submit = decide};
    engine fake = {&ops};
    error e;
    sessions *real = s;
    pair a, b;
    s = sessions_new(&fake, &limits, &generation, &e);
    assert_non_null(s);
    accepts = true;
    assert_int_equal(login("anna", &a), ERR_NONE);
    accepts = false;
    assert_int_equal(login("anna", &b), ERR_DISK_FULL);
    assert_int_equal(count("anna"), 1);
    assert_int_equal(end(a.id), ERR_DISK_FULL);
    assert_int_equal(check(a.access), ERR_NONE);
    assert_int_equal(refresh(a.refresh, &b), ERR_DISK_FULL);
    accepts = true;
    assert_int_equal(refresh(a.refresh, &b), ERR_NONE);
    accepts = false;
    /* But what was stolen is not good again. */
    assert_int_equal(refresh(a.refresh, NULL), ERR_DISK_FULL);
    assert_int_equal(check(b.access), ERR_AUTH_FAILED);
    sessions_free(s);
    s = real;
}

static void what_is_kept_is_looked_at(void **state)
{
    (void)state;
    const char *const bad[] = {"", "{}", "[]", "{\"user\":\"anna\",\"refresh_hash\":\"x\"}"};
    error e;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const auth_text t = {"session", "x", bad[i], strlen(bad[i])};
        assert_true(sessions_load(s, &t, &e));
    }
    assert_int_equal(count(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_login_gives_two_tokens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refresh_token_is_good_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_race_has_no_winner, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_tokens_refresh_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sessions_last_over_starts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sessions_end_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(time_ends_sessions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(there_are_so_many_and_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(foreign_keys_sign_nothing_here, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_disk_has_no_token, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_did_not_happen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_kept_is_looked_at, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("sessions", tests, NULL, NULL);
}
