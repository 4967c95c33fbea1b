/* Checking values and texts against schemas: what fits, and what is said of what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "json/schema.h"

static const schema text = {
    .types = SCHEMA_STRING, .expected = "a string", .min_size = 1, .max_size = 3};
static const schema any_size = {.types = SCHEMA_STRING, .expected = "a string", .max_size = -1};
static const schema word = {
    .types = SCHEMA_STRING, .expected = "a string", .max_size = -1, .pattern = "^[a-z]+$"};
static const char *const colours[] = {"red", "green", NULL};
static const schema colour = {.types = SCHEMA_STRING | SCHEMA_NULL,
                              .expected = "a string or null",
                              .max_size = -1,
                              .values = colours};
static const schema small = {.types = SCHEMA_INTEGER,
                             .expected = "an integer",
                             .has_min = true,
                             .min = -5,
                             .has_max = true,
                             .max = 5};
static const schema counted = {
    .types = SCHEMA_INTEGER, .expected = "an integer", .has_min = true, .min = 1};
static const schema number = {
    .types = SCHEMA_NUMBER, .expected = "a number", .has_max = true, .max = 10};
static const schema flag = {.types = SCHEMA_BOOLEAN, .expected = "true or false"};
static const schema smalls = {
    .types = SCHEMA_ARRAY, .expected = "an array", .min_size = 1, .max_size = 2, .items = &small};
static const schema *const text_or_small[] = {&text, &small, NULL};
static const schema either = {
    .expected = "a string or an integer", .max_size = -1, .any_of = text_or_small};
static const schema anything = {.expected = "any value", .max_size = -1};
static const schema_member inner_members[] = {{"list", &smalls, true}, {"as", &colour, false}};
static const schema inner = {.types = SCHEMA_OBJECT,
                             .expected = "an object",
                             .max_size = -1,
                             .members = inner_members,
                             .n_members = 2,
                             .closed = true};
static const schema_member members[] = {{"name", &text, true}, {"in", &inner, false}};
static const schema outer = {.types = SCHEMA_OBJECT,
                             .expected = "an object",
                             .max_size = -1,
                             .members = members,
                             .n_members = 2,
                             .rest = &small};

/* The message about a JSON text, or "" when it fits. */
static const char *say(const schema *s, const char *json, const char *where)
{
    static error e;
    json_t *value = json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_non_null(value);
    error_clear(&e);
    bool fits = schema_check(s, value, where, &e);
    json_decref(value);
    assert_int_equal(e.code, fits ? ERR_NONE : ERR_INVALID_MESSAGE);
    return fits ? "" : e.message;
}

static void values(void **state)
{
    (void)state;
    static const struct {
        const schema *s;
        const char *json, *message;
    } cases[] = {
        {&text, "\"abc\"", ""},
        {&text, "\"\\u00e4\\u00f6\\u00fc\"", ""}, /* characters, not bytes */
        {&text, "\"\"", "\"x\" has 0 characters; 1 to 3 are allowed"},
        {&text, "\"abcd\"", "\"x\" has 4 characters; 1 to 3 are allowed"},
        {&text, "1", "\"x\" must be a string, not an integer"},
        {&text, "null", "\"x\" must be a string, not null"},
        {&any_size, "\"a\\u0000b\"", "\"x\" may not hold a NUL character"},
        {&word, "\"abc\"", ""},
        {&word, "\"a1\"", "\"x\" may not be 'a1'"},
        {&colour, "\"red\"", ""},
        {&colour, "null", ""},
        {&colour, "\"blue\"", "\"x\" may not be 'blue'"},
        {&small, "-5", ""},
        {&small, "6", "\"x\" must be from -5 to 5, not 6"},
        {&small, "5.0", "\"x\" must be an integer, not a real number"},
        {&counted, "9223372036854775807", ""},
        {&counted, "0", "\"x\" must be at least 1, not 0"},
        {&number, "9.5", ""},
        {&number, "10", ""},
        {&number, "11", "\"x\" must be at most 10, not 11"},
        {&number, "10.5", "\"x\" is 10.5: too small or too large"},
        {&flag, "false", ""},
        {&flag, "0", "\"x\" must be true or false, not an integer"},
        {&smalls, "[1,2]", ""},
        {&smalls, "[]", "\"x\" has 0 items; 1 to 2 are allowed"},
        {&smalls, "[1,9]", "\"x[1]\" must be from -5 to 5, not 9"},
        {&either, "\"a\"", ""},
        {&either, "3", ""},
        {&either, "30", "\"x\" must be from -5 to 5, not 30"},
        {&either, "true", "\"x\" must be a string or an integer, not true"},
        {&anything, "[{\"a\":null}]", ""},
        {&inner, "{\"list\":[1]}", ""},
        {&inner, "{}", "the field \"x.list\" (an array) is missing"},
        {&inner, "{\"list\":[1],\"lsit\":1}", "there is no field \"x.lsit\""},
        {&outer, "{\"name\":\"a\",\"in\":{\"list\":[7]}}",
         "\"x.in.list[0]\" must be from -5 to 5, not 7"},
        {&outer, "{\"name\":\"a\",\"other\":5}", ""},
        {&outer, "{\"name\":\"a\",\"other\":\"5\"}",
         "\"x.other\" must be an integer, not a string"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(say(cases[i].s, cases[i].json, "x"), cases[i].message);
}

static void a_whole_body(void **state)
{
    (void)state;
    assert_string_equal(say(&outer, "[]", NULL), "this must be a JSON object, not an array");
    assert_string_equal(say(&outer, "{}", NULL), "the field \"name\" (a string) is missing");
    assert_string_equal(say(&outer, "{\"name\":\"a\",\"in\":{\"list\":[1],\"no\":1}}", NULL),
                        "there is no field \"in.no\"");
}

static void hints_name_what_is_known(void **state)
{
    (void)state;
    error e;
    json_t *value = json_pack("{s:[i], s:i}", "list", 1, "no", 1);
    assert_false(schema_check(&inner, value, NULL, &e));
    assert_string_equal(e.hint, "known: list, as");
    json_decref(value);
    assert_false(schema_check_text(&colour, "blue", "colour", &e));
    assert_string_equal(e.hint, "known: red, green");
}

static void texts(void **state)
{
    (void)state;
    static const struct {
        const schema *s;
        const char *text, *message;
    } cases[] = {
        {&small, "-5", ""},
        {&small, "6", "x is not a whole number from -5 to 5"},
        {&small, "", "x is not a whole number from -5 to 5"},
        {&small, "1e0", "x is not a whole number from -5 to 5"},
        {&small, " 1", "x is not a whole number from -5 to 5"},
        {&counted, "9223372036854775807", ""},
        {&counted, "9223372036854775808", "x is not a whole number of 1 or more"},
        {&number, "1.5e0", ""},
        {&number, "1.5x", "x is not a number"},
        {&flag, "true", ""},
        {&flag, "1", "x is neither true nor false"},
        {&text, "abcd", "\"x\" has 4 characters; 1 to 3 are allowed"},
        {&colour, "red", ""},
        {&smalls, "1,2", ""},
        {&smalls, "1,2,3", "\"x\" has 3 items; 1 to 2 are allowed"},
        {&smalls, "1,", "x is not a whole number from -5 to 5"},
        {&any_size, "\xff", "x is not valid UTF-8"},
        {&anything, "what you like", ""},
    };
    error e;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        error_clear(&e);
        bool fits = schema_check_text(cases[i].s, cases[i].text, "x", &e);
        assert_string_equal(fits ? "" : e.message, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(a_whole_body),
        cmocka_unit_test(hints_name_what_is_known),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
