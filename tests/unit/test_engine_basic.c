/* The engine from end to end: values, parameters, errors, routing. */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine_fixture.h"

static void first_steps(void **state)
{
    fx *f = *state;
    assert_string_equal(fx_sql(f, "SELECT 1, 'a', NULL, 2.5, x'00ff'"),
                        "[1,\"a\",null,2.5,{\"$base64\":\"AP8=\"}]");
    fx_ok(f, "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)");
    fx_ok(f, "INSERT INTO t VALUES(1, 'x'), (2, 'y')");
    fx_ok(f, "UPDATE t SET b = 'z' WHERE a = 2");
    fx_ok(f, "DELETE FROM t WHERE a = 1");
    assert_string_equal(fx_sql(f, "SELECT * FROM t"), "[2,\"z\"]");
    assert_string_equal(fx_log(f), "1 create t\n"
                                   "2 insert t [1,\"x\"]\n"
                                   "3 insert t [2,\"y\"]\n"
                                   "4 update t [2,\"y\"]>[2,\"z\"]\n"
                                   "5 delete t [1,\"x\"]\n");
    fx_close(f);
    fx_open(f);
    assert_string_equal(fx_sql(f, "SELECT * FROM t"), "[2,\"z\"]");
    fx_ok(f, "INSERT INTO t VALUES(3, NULL)");
    assert_string_equal(fx_log(f), "6 insert t [3,null]\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(first_steps, fx_setup, fx_teardown),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
