/* From tokens to identities: sessions of users, and an issuer's; what changes behind them counts at
 * once. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "auth/auth.h"
#include "auth_fixture.h"
#include "base/clock.h"
#include "base/log.h"
#include "jwt_forge.h"
#include "session_fixture.h"

#define HOUR INT64_C(3600000000)

static fx database;
static auth *a;
static auth_store *s;
static session_limits limits;

static int set_up(void **state)
{
    (void)state;
    error e;
    log_init(LOG_LEVEL_ERROR, false);
    limits = (session_limits){HOUR / 4, HOUR, 24 * HOUR, 100, 10};
    fx_init(&database);
    fx_open(&database);
    a = auth_open(database.g, database.dir, &e);
    assert_non_null(a);
    s = auth_store_of(a);
    sessions_limit(auth_sessions_of(a), &limits);
    assert_int_equal(put(s, AUTH_ROLE, "{'name':'watcher','scopes':['monitor']}"), ERR_NONE);
    assert_int_equal(put(s, AUTH_USER, "{'name':'ann','roles':['watcher'],'claims':{'team':7}}"),
                     ERR_NONE);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fx_close(&database);
    auth_close(a);
    fx_end(&database);
    return 0;
}

static identity *identify(const char *token, error *e)
{
    const credential c = {.kind = CREDENTIAL_TOKEN, .text = token, .n = strlen(token)};
    return auth_identify(a, &c, e);
}

static error_code judge(const char *token)
{
    error e;
    identity *who = identify(token, &e);
    identity_release(who);
    return who ? ERR_NONE : e.code;
}

static error_code renew(const identity *who)
{
    error e;
    identity *now = auth_renew(a, who, &e);
    identity_release(now);
    return now ? ERR_NONE : e.code;
}

static void login(pair *p)
{
    waiting *w = call_new();
    sessions_begin(auth_sessions_of(a), &w->call, "ann", "", "");
    assert_int_equal(take(w, p), ERR_NONE);
}

static void a_session_is_its_user(void **state)
{
    (void)state;
    pair p;
    error e;
    login(&p);
    identity *who = identify(p.access, &e);
    assert_non_null(who);
    assert_string_equal(who->name, "ann");
    assert_int_equal(who->kind, IDENTITY_USER);
    assert_string_equal(who->session, p.id);
    assert_string_equal(who->claims, "{\"team\":7}");
    assert_true(identity_may(who, SCOPE_monitor));
    assert_false(identity_may(who, SCOPE_users));
    assert_in_range(who->expires_us, clock_wall_us() + HOUR / 5, clock_wall_us() + HOUR / 3);
    identity *again = identify(p.access, &e);
    assert_ptr_equal(who, again); /* not read a second time */
    identity_release(again);
    assert_int_equal(judge(p.refresh), ERR_AUTH_FAILED);
    assert_int_equal(renew(who), ERR_NONE);
    identity_release(who);
}

static void what_ends_a_session_ends_its_tokens(void **state)
{
    (void)state;
    pair p;
    error e;
    login(&p);
    identity *who = identify(p.access, &e);
    waiting *w = call_new();
    sessions_end(auth_sessions_of(a), &w->call, p.id);
    assert_int_equal(take(w, NULL), ERR_NONE);
    assert_true(who->generation < auth_generation(a));
    assert_int_equal(judge(p.access), ERR_AUTH_FAILED);
    assert_int_equal(renew(who), ERR_AUTH_FAILED);
    identity_release(who);
}

static void what_changes_a_user_changes_his_rights(void **state)
{
    (void)state;
    pair p;
    error e;
    login(&p);
    identity *who = identify(p.access, &e);
    assert_int_equal(put(s, AUTH_ROLE, "{'name':'watcher','scopes':['users']}"), ERR_NONE);
    assert_true(who->generation < auth_generation(a));
    identity *now = auth_renew(a, who, &e), *read = identify(p.access, &e);
    assert_true(identity_may(now, SCOPE_users) && !identity_may(now, SCOPE_monitor));
    assert_true(identity_may(read, SCOPE_users) && !identity_may(read, SCOPE_monitor));
    assert_string_equal(now->session, p.id);
    assert_int_equal(now->expires_us, who->expires_us);
    identity_release(now);
    identity_release(read);
    assert_int_equal(put(s, AUTH_USER, "{'name':'ann','disabled':true}"), ERR_NONE);
    assert_int_equal(judge(p.access), ERR_AUTH_FAILED);
    assert_int_equal(renew(who), ERR_AUTH_FAILED);
    assert_int_equal(drop(s, AUTH_USER, "ann"), ERR_NONE);
    assert_int_equal(judge(p.access), ERR_AUTH_FAILED);
    assert_int_equal(renew(who), ERR_AUTH_FAILED);
    /* Another one of the same name. */
    assert_int_equal(put(s, AUTH_USER, "{'name':'ann','created_us':4000000000000000}"), ERR_NONE);
    assert_int_equal(judge(p.access), ERR_AUTH_FAILED);
    assert_int_equal(renew(who), ERR_AUTH_FAILED);
    identity_release(who);
}

static void idle_sessions_are_refused_however_fresh_the_token(void **state)
{
    (void)state;
    pair p;
    login(&p);
    assert_int_equal(judge(p.access), ERR_NONE);
    limits.idle_us = 1;
    sessions_limit(auth_sessions_of(a), &limits);
    int64_t start = clock_wall_us();
    while (clock_wall_us() <= start + 1)
        ;
    assert_int_equal(judge(p.access), ERR_AUTH_EXPIRED);
}

static void tokens_of_an_issuer_have_the_roles_they_name(void **state)
{
    (void)state;
    char path[] = "/tmp/rustydb-tokens.XXXXXX", claims[300];
    EVP_PKEY *key = forge_ed25519();
    char *jwk = forge_jwk(key, "k", NULL);
    FILE *f = fdopen(mkstemp(path), "w");
    fprintf(f, "{\"keys\":[%s]}", jwk);
    fclose(f);
    free(jwk);
    const issuer_options o = {"https://issuer", "rustydb", "", path, HOUR, 0, "sub", "roles"};
    error e;
    snprintf(claims, sizeof claims,
             "{\"iss\":\"https://issuer\",\"aud\":\"rustydb\",\"sub\":\"bob\",\"exp\":%lld,"
             "\"roles\":[\"watcher\",\"no such\"],\"team\":8}",
             (long long)(clock_wall_us() / 1000000 + 600));
    char *token = forge("{\"alg\":\"EdDSA\",\"kid\":\"k\"}", claims, "EdDSA", key, NULL, 0);
    assert_int_equal(judge(token), ERR_AUTH_FAILED);
    assert_true(auth_trust_issuer(a, &o, &e));
    identity *who = identify(token, &e);
    assert_non_null(who);
    assert_int_equal(who->kind, IDENTITY_TOKEN);
    assert_string_equal(who->name, "bob");
    assert_true(identity_may(who, SCOPE_monitor));
    assert_non_null(strstr(who->claims, "\"team\":8"));
    assert_int_equal(drop(s, AUTH_ROLE, "watcher"), ERR_NONE);
    identity *now = auth_renew(a, who, &e);
    assert_non_null(now);
    assert_false(identity_may(now, SCOPE_monitor));
    assert_string_equal(now->name, "bob");
    who->expires_us = 1;
    assert_int_equal(renew(who), ERR_AUTH_EXPIRED);
    identity_release(now);
    identity_release(who);
    free(token);
    EVP_PKEY_free(key);
    unlink(path);
}

static void no_issuer_is_no_mistake(void **state)
{
    (void)state;
    const issuer_options none = {"", "", "", "", HOUR, 0, "sub", "roles"};
    const issuer_options half = {"https://issuer", "", "", "", HOUR, 0, "sub", "roles"};
    error e;
    assert_true(auth_trust_issuer(a, &none, &e));
    assert_false(auth_trust_issuer(a, &half, &e));
    assert_int_equal(e.code, ERR_INVALID_MESSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_session_is_its_user, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_ends_a_session_ends_its_tokens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_changes_a_user_changes_his_rights, set_up, tear_down),
        cmocka_unit_test_setup_teardown(idle_sessions_are_refused_however_fresh_the_token, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(tokens_of_an_issuer_have_the_roles_they_name, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(no_issuer_is_no_mistake, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("auth_tokens", tests, NULL, NULL);
}
