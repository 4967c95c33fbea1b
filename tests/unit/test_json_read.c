/* Strict reading of JSON objects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "json/read.h"

typedef struct taken {
    const char *sql;
    int64_t limit;
    bool atomic;
    json_t *params, *list, *object;
} taken;

/* Reads text by a table with one field of each type. */
static bool read_into(const char *text, taken *t, json_t **root, error *e)
{
    const json_field fields[] = {
        {"sql", FIELD_STR, true, &t->sql},         {"limit", FIELD_INT, false, &t->limit, 1, 100},
        {"atomic", FIELD_BOOL, false, &t->atomic}, {"params", FIELD_ANY, false, &t->params},
        {"list", FIELD_ARRAY, false, &t->list},    {"object", FIELD_OBJECT, false, &t->object},
    };
    error_clear(e);
    *root = json_read_text(text, strlen(text), e);
    return *root && json_read_object(*root, fields, JSON_FIELDS(fields), e);
}

static void refused(const char *text, const char *message)
{
    taken t = {0};
    json_t *root;
    error e;
    assert_false(read_into(text, &t, &root, &e));
    assert_int_equal(e.code, ERR_INVALID_MESSAGE);
    if (!strstr(e.message, message))
        fail_msg("%s gave \"%s\" without \"%s\"", text, e.message, message);
    json_decref(root);
}

static void every_type_is_taken(void **state)
{
    (void)state;
    taken t = {0};
    json_t *root;
    error e;
    assert_true(read_into("{\"sql\":\"SELECT 1\",\"limit\":100,\"atomic\":true,\"params\":[1],"
                          "\"list\":[],\"object\":{}}",
                          &t, &root, &e));
    assert_string_equal(t.sql, "SELECT 1");
    assert_int_equal(t.limit, 100);
    assert_true(t.atomic);
    assert_true(json_is_array(t.params) && json_is_array(t.list) && json_is_object(t.object));
    json_decref(root);
}

static void absent_and_null_leave_the_default(void **state)
{
    (void)state;
    taken t = {.limit = 7, .atomic = true};
    json_t *root;
    error e;
    assert_true(read_into("{\"sql\":\"x\",\"limit\":null,\"params\":null}", &t, &root, &e));
    assert_int_equal(t.limit, 7);
    assert_true(t.atomic);
    assert_true(json_is_null(t.params));
    json_decref(root);
}

static void wrong_fields_are_named(void **state)
{
    (void)state;
    refused("{}", "the field \"sql\" (a string) is missing");
    refused("{\"sql\":null}", "\"sql\" must be a string, not null");
    refused("{\"sql\":1}", "\"sql\" must be a string, not an integer");
    refused("{\"sql\":\"a\\u0000b\"}", "\"sql\" may not hold a NUL character");
    refused("{\"sql\":\"\",\"limit\":1.0}", "\"limit\" must be an integer, not a real number");
    refused("{\"sql\":\"\",\"limit\":\"1\"}", "\"limit\" must be an integer, not a string");
    refused("{\"sql\":\"\",\"limit\":0}", "\"limit\" must be from 1 to 100, not 0");
    refused("{\"sql\":\"\",\"limit\":101}", "\"limit\" must be from 1 to 100, not 101");
    refused("{\"sql\":\"\",\"atomic\":1}", "\"atomic\" must be true or false, not an integer");
    refused("{\"sql\":\"\",\"list\":{}}", "\"list\" must be an array, not an object");
    refused("{\"sql\":\"\",\"object\":[]}", "\"object\" must be an object, not an array");
    refused("[]", "this must be a JSON object, not an array");
    refused("\"sql\"", "this must be a JSON object, not a string");
}

static void unknown_fields_are_named(void **state)
{
    (void)state;
    taken t = {0};
    json_t *root;
    error e;
    assert_false(read_into("{\"sql\":\"\",\"limt\":1}", &t, &root, &e));
    assert_string_equal(e.message, "there is no field \"limt\"");
    assert_string_equal(e.hint, "known: sql, limit, atomic, params, list, object");
    json_decref(root);
}

static void malformed_text_has_a_position(void **state)
{
    (void)state;
    error e;
    assert_null(json_read_text("{\"a\":\n nope}", 12, &e));
    assert_int_equal(e.code, ERR_INVALID_MESSAGE);
    assert_non_null(strstr(e.message, "line 2"));
    assert_in_range(e.position, 7, 11);
    refused("", "malformed JSON at line 1");
    refused("{\"sql\":\"\"} x", "malformed JSON");
    refused("{\"sql\":\"\",\"sql\":\"\"}", "duplicate");
    refused("{\"sql\":\"\xff\"}", "not valid UTF-8");
    refused("{\"sql\":\"\",\"limit\":9223372036854775808}", "too large: integers have 64 bits");
    refused("{\"sql\":\"\",\"limit\":-9223372036854775809}", "too large");
    refused("{\"sql\":\"\",\"params\":1e999}", "too large");
}

static void nul_bytes_are_refused(void **state)
{
    (void)state;
    error e;
    assert_null(json_read_text("[1,-2\0]", 7, &e));
    assert_int_equal(e.code, ERR_INVALID_MESSAGE);
    assert_int_equal(e.position, 5);
    json_t *root = json_read_text("\"\\u0000\"", 8, &e);
    assert_int_equal(json_string_length(root), 1);
    json_decref(root);
}

static void the_whole_range_of_integers(void **state)
{
    (void)state;
    const char *text = "[9223372036854775807,-9223372036854775808]";
    error e;
    json_t *root = json_read_text(text, strlen(text), &e);
    assert_non_null(root);
    assert_true(json_integer_value(json_array_get(root, 0)) == INT64_MAX);
    assert_true(json_integer_value(json_array_get(root, 1)) == INT64_MIN);
    json_decref(root);
}

static void depth_is_limited(void **state)
{
    (void)state;
    char text[2 * JSON_MAX_DEPTH + 3];
    error e;
    memset(text, '[', JSON_MAX_DEPTH);
    memset(text + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
    json_t *root = json_read_text(text, 2 * JSON_MAX_DEPTH, &e);
    assert_non_null(root);
    json_decref(root);
    memset(text, '[', JSON_MAX_DEPTH + 1);
    memset(text + JSON_MAX_DEPTH + 1, ']', JSON_MAX_DEPTH + 1);
    assert_null(json_read_text(text, 2 * JSON_MAX_DEPTH + 2, &e));
    assert_int_equal(e.position, JSON_MAX_DEPTH);
    assert_non_null(strstr(e.message, "deeper than 100 levels"));
    /* Brackets inside strings are no depth. */
    char quoted[JSON_MAX_DEPTH * 2 + 2];
    memset(quoted, '[', sizeof quoted);
    quoted[0] = quoted[sizeof quoted - 1] = '"';
    memcpy(quoted + 1, "\\\"", 2);
    root = json_read_text(quoted, sizeof quoted, &e);
    assert_non_null(root);
    json_decref(root);
}

static void inner_objects_say_where(void **state)
{
    (void)state;
    const char *sql;
    const json_field fields[] = {{"sql", FIELD_STR, true, &sql}};
    error e;
    json_t *root = json_read_text("{\"sql\":[]}", 10, &e);
    assert_false(json_read_object_at(root, "statements[2]", fields, 1, &e));
    assert_string_equal(e.message, "\"statements[2].sql\" must be a string, not an array");
    json_decref(root);
    root = json_read_text("{\"x\":1}", 7, &e);
    assert_false(json_read_object_at(root, "payload", NULL, 0, &e));
    assert_string_equal(e.message, "there is no field \"payload.x\"");
    json_decref(root);
    assert_false(json_read_object_at(NULL, "payload", fields, 1, &e));
    assert_string_equal(e.message, "\"payload\" must be an object, not nothing");
}

static void test_values(void **state)
{
    (void)state;
    size_t n = 2 * JSON_MAX_VALUES + 10;
    char *text = malloc(n);
    error e;
    /* As many as there may be: the array's bracket counts for its first value. */
    text[0] = '[';
    for (size_t i = 1; i < 2 * JSON_MAX_VALUES; i += 2)
        memcpy(text + i, "1,", 2);
    text[2 * JSON_MAX_VALUES] = ']';
    json_t *root = json_read_text(text, 2 * JSON_MAX_VALUES - 1, &e);
    assert_null(root); /* not closed */
    assert_int_equal(e.code, ERR_INVALID_MESSAGE);
    text[2 * JSON_MAX_VALUES - 1] = '1';
    memmove(text + 2 * JSON_MAX_VALUES - 2, "]", 1);
    root = json_read_text(text, 2 * JSON_MAX_VALUES - 1, &e);
    assert_int_equal(json_array_size(root), JSON_MAX_VALUES - 1);
    json_decref(root);
    /* And more. */
    for (size_t i = 1; i + 2 < n; i += 2)
        memcpy(text + i, "1,", 2);
    assert_null(json_read_text(text, n - 3, &e));
    assert_int_equal(e.code, ERR_MESSAGE_TOO_BIG);
    assert_int_equal(e.position, 2 * JSON_MAX_VALUES);
    /* Commas in a string are none. */
    memset(text, ',', n);
    text[0] = text[n - 1] = '"';
    root = json_read_text(text, n, &e);
    assert_int_equal(json_string_length(root), n - 2);
    json_decref(root);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(every_type_is_taken),
        cmocka_unit_test(absent_and_null_leave_the_default),
        cmocka_unit_test(wrong_fields_are_named),
        cmocka_unit_test(unknown_fields_are_named),
        cmocka_unit_test(malformed_text_has_a_position),
        cmocka_unit_test(nul_bytes_are_refused),
        cmocka_unit_test(the_whole_range_of_integers),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(inner_objects_say_where),
    };
    return cmocka_run_group_tests_name("json_read", tests, NULL, NULL);
}
