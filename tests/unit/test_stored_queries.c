/* Stored queries: the table follows what is durable, changes of one name exclude each other, and
 * each is described as an operation. */
#include <string.h>

#include "daemon/stored_queries.h"
#include "engine_fixture.h"

static stored_query *make(const char *name, int64_t version, bool readonly, const char *input)
{
    error e;
    json_t *doc = json_loads(input, 0, NULL);
    const stored_origin origin = {name, version, readonly, "then", "now", "me"};
    assert_non_null(doc);
    stored_query *q = stored_query_make(doc, &origin, &e);
    if (!q)
        fail_msg("%s", e.message);
    json_decref(doc);
    return q;
}

/* A change, waited for. */
typedef struct waited {
    stored_call call;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
} waited;

static void on_done(stored_call *c)
{
    waited *w = list_entry(c, waited, call);
    pthread_mutex_lock(&w->lock);
    w->done = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void begin(stored_queries *s, waited *w, stored_query *was, stored_query *is)
{
    *w = (waited){.call = {.was = was, .is = is, .max = 10, .done = on_done}};
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    stored_queries_change(s, &w->call);
}

static error_code end(waited *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->done)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    return w->call.failed ? w->call.err.code : ERR_NONE;
}

static error_code change(stored_queries *s, stored_query *was, stored_query *is)
{
    waited w;
    begin(s, &w, was, is);
    return end(&w);
}

static stored_queries *open_set(fx *f)
{
    error e;
    stored_queries *s = stored_queries_open(f->g, &e);
    if (!s)
        fail_msg("%s", e.message);
    return s;
}

/* The database keeps the engine open; the set goes after it, as in the daemon. */
static void close_set(fx *f, stored_queries *s)
{
    fx_close(f);
    stored_queries_free(s);
}

static const char one[] = "{\"sql\":\"SELECT 1\"}";

static void follows_what_is_durable(void **state)
{
    fx *f = *state;
    stored_queries *s = open_set(f);
    uint64_t first = stored_queries_generation(s);
    stored_query *q = make("q", 1, true, one);
    assert_null(stored_queries_find(s, "q"));
    assert_int_equal(change(s, NULL, q), ERR_NONE);
    stored_query *found = stored_queries_find(s, "q");
    assert_ptr_equal(found, q);
    stored_query_unref(found);
    assert_true(stored_queries_generation(s) != first);
    close_set(f, s);
    stored_query_unref(q);

    fx_open(f);
    s = open_set(f);
    q = stored_queries_find(s, "q");
    assert_non_null(q);
    assert_string_equal(q->sql, "SELECT 1");
    assert_int_equal(change(s, q, NULL), ERR_NONE);
    assert_null(stored_queries_find(s, "q"));
    close_set(f, s);
    stored_query_unref(q);
    fx_open(f);
}

static void what_fails_changes_nothing(void **state)
{
    fx *f = *state;
    stored_queries *s = open_set(f);
    stored_query *q = make("q", 1, true, one), *same = make("q", 1, true, one);
    assert_int_equal(change(s, NULL, q), ERR_NONE);
    uint64_t before = stored_queries_generation(s);
    assert_int_equal(change(s, NULL, same), ERR_CONFLICT); /* it is there */
    assert_int_equal(change(s, same, NULL), ERR_CONFLICT); /* it is another one */
    assert_int_equal(change(s, q, same), ERR_CONFLICT);    /* the version is in the database */
    assert_true(stored_queries_generation(s) == before);
    stored_query *found = stored_queries_find(s, "q");
    assert_ptr_equal(found, q);
    stored_query_unref(found);
    stored_query *next = make("q", 2, true, one);
    assert_int_equal(change(s, q, next), ERR_NONE); /* the name is free again */
    close_set(f, s);
    stored_query_unref(next);
    stored_query_unref(same);
    stored_query_unref(q);
    fx_open(f);
}

static void one_change_at_a_time(void **state)
{
    fx *f = *state;
    stored_queries *s = open_set(f);
    stored_query *q = make("q", 1, true, one), *other = make("q", 1, true, one);
    waited first, second;
    run *tx = run_new(f, JOB_TX_BEGIN); /* has the writer */
    run_submit(tx);
    run_wait(tx);
    begin(s, &first, NULL, q);
    begin(s, &second, NULL, other);
    assert_int_equal(end(&second), ERR_CONFLICT);
    assert_null(stored_queries_find(s, "q"));
    run *rollback = run_new(f, JOB_TX_ROLLBACK);
    strcpy(rollback->job.tx, tx->job.tx);
    run_submit(rollback);
    run_wait(rollback);
    assert_int_equal(end(&first), ERR_NONE);
    run_free(tx);
    run_free(rollback);
    close_set(f, s);
    stored_query_unref(q);
    stored_query_unref(other);
    fx_open(f);
}

static json_t *at(json_t *from, const char *const *keys)
{
    for (; *keys; keys++)
        from = json_object_get(from, *keys);
    return from;
}
#define AT(from, ...) at(from, (const char *const[]){__VA_ARGS__, NULL})

static void each_is_an_operation(void **state)
{
    fx *f = *state;
    stored_queries *s = open_set(f);
    stored_query *q = make("sum-of", 1, true,
                           "{\"sql\":\"SELECT :a, :b\",\"description\":\"A sum.\",\"parameters\":["
                           "{\"name\":\"a\",\"type\":\"integer\",\"description\":\"first\"},"
                           "{\"name\":\"b\",\"type\":\"blob\",\"required\":false}]}");
    stored_query *put = make("put", 1, false, "{\"sql\":\"DELETE FROM t\"}");
    assert_int_equal(change(s, NULL, q), ERR_NONE);
    assert_int_equal(change(s, NULL, put), ERR_NONE);
    json_t *document = json_pack("{s:{}}", "paths");
    stored_queries_describe(s, document);
    json_t *item = AT(document, "paths", "/api/v1/queries/sum-of");
    json_t *parameter = json_array_get(AT(item, "get", "parameters"), 0);
    assert_string_equal(json_string_value(AT(item, "get", "description")), "A sum.");
    assert_string_equal(json_string_value(AT(parameter, "name")), "a");
    assert_string_equal(json_string_value(AT(parameter, "description")), "first");
    assert_string_equal(json_string_value(AT(parameter, "schema", "type")), "integer");
    assert_true(json_is_true(AT(parameter, "required")));
    json_t *body = AT(item, "post", "requestBody", "content", "application/json", "schema");
    assert_string_equal(
        json_string_value(AT(body, "properties", "params", "properties", "a", "type")), "integer");
    assert_int_equal(json_array_size(AT(body, "properties", "params", "properties", "b", "type")),
                     2);
    assert_int_equal(json_array_size(AT(body, "properties", "params", "required")), 1);
    assert_string_equal(json_string_value(json_array_get(AT(body, "required"), 0)), "params");
    assert_null(AT(document, "paths", "/api/v1/queries/put", "get"));
    assert_non_null(AT(document, "paths", "/api/v1/queries/put", "post", "responses", "200"));
    json_decref(document);
    close_set(f, s);
    stored_query_unref(q);
    stored_query_unref(put);
    fx_open(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(follows_what_is_durable, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(what_fails_changes_nothing, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(one_change_at_a_time, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(each_is_an_operation, fx_setup, fx_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
