/* Texts about identities: kept, replaced and dropped all or none, closed to SQL, and no events. */
#include <stdio.h>
#include <string.h>

#include "engine_fixture.h"

static auth_change put(const char *kind, const char *name, const char *json, auth_expect expect)
{
    return (auth_change){.expect = expect, .text = {kind, name, json, strlen(json)}};
}

static auth_change drop(const char *kind, const char *name, auth_expect expect)
{
    return (auth_change){.drop = true, .expect = expect, .text = {kind, name, NULL, 0}};
}

static error_code apply(fx *f, const auth_change *changes, int n)
{
    run *r = run_new(f, JOB_AUTH);
    r->job.auth = changes;
    r->job.n_auth = n;
    run_submit(r);
    run_wait(r);
    error_code code = r->err.code;
    run_free(r);
    return code;
}

static bool list_one(void *arg, const auth_text *t, error *e)
{
    buf_addf(arg, "%s %s %.*s\n", t->kind, t->name, (int)t->len, t->json);
    return !((buf *)arg)->failed || error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

static void expect(fx *f, const char *texts)
{
    buf b = BUF_INIT;
    error e;
    if (!engine_auth_read(f->g, list_one, &b, &e))
        fail_msg("%s", e.message);
    assert_string_equal(buf_cstr(&b), texts);
    buf_free(&b);
}

static void kept_replaced_dropped(void **state)
{
    fx *f = *state;
    expect(f, "");
    const auth_change first[] = {put("user", "b", "{}", AUTH_NOTHING),
                                 put("role", "b", "[1]", AUTH_ANYTHING)};
    assert_int_equal(apply(f, first, 2), ERR_NONE);
    expect(f, "role b [1]\nuser b {}\n");
    const auth_change second[] = {put("role", "b", "[2]", AUTH_PRESENT),
                                  drop("user", "b", AUTH_PRESENT),
                                  drop("user", "unknown", AUTH_ANYTHING)};
    assert_int_equal(apply(f, second, 3), ERR_NONE);
    expect(f, "role b [2]\n");
    fx_close(f);
    fx_open(f);
    expect(f, "role b [2]\n");
}

static void all_or_none(void **state)
{
    fx *f = *state;
    const auth_change first[] = {put("user", "a", "1", AUTH_NOTHING)};
    assert_int_equal(apply(f, first, 1), ERR_NONE);
    const auth_change twice[] = {put("user", "b", "1", AUTH_NOTHING),
                                 put("user", "a", "2", AUTH_NOTHING)};
    assert_int_equal(apply(f, twice, 2), ERR_CONFLICT);
    const auth_change missing[] = {drop("user", "a", AUTH_PRESENT),
                                   put("user", "c", "2", AUTH_PRESENT)};
    assert_int_equal(apply(f, missing, 2), ERR_NOT_FOUND);
    const auth_change gone[] = {put("user", "b", "1", AUTH_NOTHING),
                                drop("user", "c", AUTH_PRESENT)};
    assert_int_equal(apply(f, gone, 2), ERR_NOT_FOUND);
    expect(f, "user a 1\n");
}

static void no_events_closed_to_sql(void **state)
{
    fx *f = *state;
    const auth_change one[] = {put("user", "a", "{}", AUTH_NOTHING)};
    assert_int_equal(apply(f, one, 1), ERR_NONE);
    assert_string_equal(fx_events(f), "");
    assert_non_null(strstr(fx_sql(f, "SELECT * FROM _rustydb_auth"), "PERMISSION_DENIED"));
    assert_non_null(strstr(fx_sql(f, "DELETE FROM _rustydb_auth"), "PERMISSION_DENIED"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(kept_replaced_dropped, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(all_or_none, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(no_events_closed_to_sql, fx_setup, fx_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
