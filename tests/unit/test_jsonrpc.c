/* JSON-RPC 2.0 messages taken apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "json/read.h"
#include "wire/jsonrpc.h"

static bool read_text(const char *text, rpc_request *q, error *e)
{
    json_slice whole;
    error_clear(e);
    assert_true(json_slice_text(text, strlen(text), &whole, e));
    return rpc_read(whole, q, e);
}

static void same(json_slice s, const char *text)
{
    assert_int_equal(s.n, strlen(text));
    if (s.n)
        assert_memory_equal(s.p, text, s.n);
}

static void a_request_in_any_order(void **state)
{
    (void)state;
    rpc_request q;
    error e;
    assert_true(read_text("{\"id\": 1.50, \"params\": [1, 2], \"method\": \"a.b\", \"jsonrpc\": "
                          "\"2.0\"}",
                          &q, &e));
    assert_string_equal(q.method, "a.b");
    same(q.id, "1.50");
    same(q.params, "[1, 2]");
    assert_true(read_text("{\"jsonr\\u0070c\":\"2\\u002e0\",\"method\":\"\\u0061\"}", &q, &e));
    assert_string_equal(q.method, "a");
    same(q.id, "");
    same(q.params, "");
}

static void ids_are_kept_to_the_letter(void **state)
{
    (void)state;
    static const char *const legal[] = {
        "0",           "-0",
        "-7",          "1.0",
        "1e2",         "123456789012345678901234567890",
        "0.10",        "null",
        "\"\"",        "\"a\\u0062\\\"c\"",
        "\"\\ud800\"", "\"\xc3\xa9\"",
    };
    static const char *const illegal[] = {"true", "false", "[]", "{}", "[1]", "{\"a\":1}"};
    char text[600];
    rpc_request q;
    error e;
    for (size_t i = 0; i < sizeof legal / sizeof *legal; i++) {
        snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":%s}", legal[i]);
        assert_true(read_text(text, &q, &e));
        same(q.id, legal[i]);
    }
    for (size_t i = 0; i < sizeof illegal / sizeof *illegal; i++) {
        snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":%s}", illegal[i]);
        assert_false(read_text(text, &q, &e));
        assert_int_equal(e.code, ERR_INVALID_MESSAGE);
        same(q.id, "");
    }
    for (int digits = RPC_MAX_ID; digits <= RPC_MAX_ID + 1; digits++) {
        char id[RPC_MAX_ID + 2];
        memset(id, '1', (size_t)digits);
        id[digits] = '\0';
        snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":%s}", id);
        assert_int_equal(read_text(text, &q, &e), digits == RPC_MAX_ID);
    }
}

static void what_is_no_request_says_why(void **state)
{
    (void)state;
    static const struct {
        const char *text, *id, *why;
    } wrong[] = {
        {"1", "", "object"},
        {"[]", "", "object"},
        {"\"a\"", "", "object"},
        {"{}", "", "jsonrpc"},
        {"{\"foo\":\"boo\"}", "", "foo"},
        {"{\"jsonrpc\":\"1.0\",\"method\":\"m\",\"id\":7}", "7", "jsonrpc"},
        {"{\"jsonrpc\":2.0,\"method\":\"m\",\"id\":7}", "7", "jsonrpc"},
        {"{\"method\":\"m\",\"id\":7}", "7", "jsonrpc"},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"x\"}", "\"x\"", "method"},
        {"{\"jsonrpc\":\"2.0\",\"method\":1,\"params\":\"bar\"}", "", "method"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"m\\u0000\",\"id\":7}", "7", "method"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":\"bar\",\"id\":7}", "7", "params"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":null,\"id\":7}", "7", "params"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"parms\":[],\"id\":7}", "7", "parms"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"method\":\"n\",\"id\":7}", "7", "twice"},
        {"{\"jsonrpc\":\"2.0\",\"result\":1,\"id\":7}", "7", "result"},
    };
    rpc_request q;
    error e;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (read_text(wrong[i].text, &q, &e))
            fail_msg("%s passed", wrong[i].text);
        assert_int_equal(e.code, ERR_INVALID_MESSAGE);
        if (!strstr(e.message, wrong[i].why))
            fail_msg("%s: \"%s\" does not name %s", wrong[i].text, e.message, wrong[i].why);
        same(q.id, wrong[i].id);
    }
}

static void a_long_method_is_cut(void **state)
{
    (void)state;
    char text[400], name[RPC_MAX_METHOD * 2];
    rpc_request q;
    error e;
    memset(name, 'm', sizeof name);
    snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"%.*s\"}", (int)sizeof name,
             name);
    assert_true(read_text(text, &q, &e));
    assert_int_equal(strlen(q.method), RPC_MAX_METHOD);
}

static void positions_get_names(void **state)
{
    (void)state;
    static const char *const names[] = {"sql", "params", "timeout_ms"};
    error e;
    json_t *two = json_pack("[s,[i]]", "SELECT ?", 1), *four = json_pack("[iiii]", 1, 2, 3, 4);
    json_t *none = json_array();
    json_t *named = rpc_named(two, names, 3, &e);
    assert_int_equal(json_object_size(named), 2);
    assert_string_equal(json_string_value(json_object_get(named, "sql")), "SELECT ?");
    assert_int_equal(json_array_size(json_object_get(named, "params")), 1);
    json_decref(named);
    named = rpc_named(none, names, 0, &e);
    assert_int_equal(json_object_size(named), 0);
    json_decref(named);
    assert_null(rpc_named(four, names, 3, &e));
    assert_int_equal(e.code, ERR_INVALID_MESSAGE);
    json_decref(two);
    json_decref(four);
    json_decref(none);
}

static void answers_and_codes(void **state)
{
    (void)state;
    buf out = BUF_INIT;
    json_writer w;
    error e;
    rpc_begin_answer(&w, &out, (json_slice){"1.50", 4});
    jw_key(&w, "result");
    jw_bool(&w, true);
    jw_end_object(&w);
    assert_string_equal(buf_cstr(&out), "{\"jsonrpc\":\"2.0\",\"id\":1.50,\"result\":true}");
    buf_clear(&out);
    rpc_begin_answer(&w, &out, (json_slice){0});
    jw_end_object(&w);
    assert_string_equal(buf_cstr(&out), "{\"jsonrpc\":\"2.0\",\"id\":null}");
    buf_free(&out);
    error_set(&e, ERR_INVALID_MESSAGE, "x");
    assert_int_equal(rpc_code(&e), RPC_INVALID_PARAMS);
    error_set(&e, ERR_GAP, "x");
    assert_int_equal(rpc_code(&e), -32019);
    assert_string_equal(rpc_standard_name(RPC_PARSE_ERROR), "Parse error");
    assert_string_equal(rpc_standard_name(RPC_INTERNAL_ERROR), "Internal error");
    assert_null(rpc_standard_name(-32019));
}

/* Server errors stay in the range that the specification leaves to servers. */
static void every_code_is_the_servers_or_standard(void **state)
{
    (void)state;
    for (int code = 1; code < ERR_COUNT; code++) {
        int rpc = error_describe((error_code)code)->rpc_code;
        if (!rpc_standard_name(rpc) && (rpc > -32000 || rpc < -32099))
            fail_msg("%s has the code %d", error_describe((error_code)code)->name, rpc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_in_any_order),
        cmocka_unit_test(ids_are_kept_to_the_letter),
        cmocka_unit_test(what_is_no_request_says_why),
        cmocka_unit_test(a_long_method_is_cut),
        cmocka_unit_test(positions_get_names),
        cmocka_unit_test(answers_and_codes),
        cmocka_unit_test(every_code_is_the_servers_or_standard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
