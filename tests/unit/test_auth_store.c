/* The store of identities: documents that last, are found, and change one after the other; roles
 * that become rights. */
#include <stdio.h>
#include <string.h>

#include "auth/auth.h"
#include "auth/role.h"
#include "auth/role_sets.h"
#include "auth/secret.h"
#include "auth/user.h"
#include "auth_fixture.h"
#include "base/log.h"

static fx database;
static auth *a;
static auth_store *s;

static void start(void)
{
    error e;
    fx_open(&database);
    a = auth_open(database.g, database.dir, &e);
    if (!a)
        fail_msg("%s", e.message);
    s = auth_store_of(a);
}

static void stop(void)
{
    fx_close(&database);
    auth_close(a);
}

static int set_up(void **state)
{
    (void)state;
    log_init(LOG_LEVEL_ERROR, false);
    fx_init(&database);
    start();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stop();
    fx_end(&database);
    return 0;
}

/* ---- documents ---------------------------------------------------------------------------------
 */

static void documents_last(void **state)
{
    (void)state;
    assert_int_equal(put(s, AUTH_USER, "{'name':'ann','roles':['r'],'uid':1000,'claims':{'a':1}}"),
                     ERR_NONE);
    assert_int_equal(put(s, AUTH_ROLE, "{'name':'r'}"), ERR_NONE);
    stop();
    start();
    auth_document *d = auth_store_find(s, AUTH_USER, "ann");
    assert_non_null(d);
    assert_string_equal(auth_user_of(d)->claims, "{\"a\":1}");
    auth_document *same = auth_store_marked(s, "uid 1000");
    assert_ptr_equal(d, same);
    auth_document_release(same);
    auth_document_release(d);
    assert_int_equal(drop(s, AUTH_USER, "ann"), ERR_NONE);
    assert_null(auth_store_find(s, AUTH_USER, "ann"));
    assert_null(auth_store_marked(s, "uid 1000"));
    stop();
    start();
    assert_null(auth_store_find(s, AUTH_USER, "ann"));
    auth_document *role = auth_store_find(s, AUTH_ROLE, "r");
    assert_non_null(role);
    auth_document_release(role);
}

static void marks_are_of_one_alone(void **state)
{
    (void)state;
    assert_int_equal(put(s, AUTH_USER, "{'name':'ann','certificates':['CN=a','CN=b']}"), ERR_NONE);
    assert_int_equal(put(s, AUTH_USER, "{'name':'bob','certificates':['CN=b']}"), ERR_CONFLICT);
    assert_null(auth_store_find(s, AUTH_USER, "bob"));
    assert_int_equal(put(s, AUTH_USER, "{'name':'ann','certificates':['CN=a','CN=c']}"), ERR_NONE);
    assert_int_equal(put(s, AUTH_USER, "{'name':'bob','certificates':['CN=b']}"), ERR_NONE);
}

/* Changes that are begun while others are under way are decided on what these have left. */
static void changes_take_turns(void **state)
{
    enum { MANY = 200 };
    static wish wishes[MANY];
    uint64_t before = auth_store_generation(s);
    (void)state;
    memset(wishes, 0, sizeof wishes);
    for (int i = 0; i < MANY; i++) {
        char text[100];
        snprintf(text, sizeof text, "{'name':'u%d','uid':%d}", i / 2, 1000 + i / 4);
        wishes[i].put[0] = document(AUTH_USER, text);
        wish_start(&wishes[i], s);
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(wish_wait(&wishes[i]), i / 2 % 2 ? ERR_CONFLICT : ERR_NONE);
        auth_document_release(wishes[i].put[0]);
    }
    int64_t total;
    auth_store_page(s, AUTH_USER, 0, 0, NULL, &total);
    assert_int_equal(total, MANY / 4);
    assert_int_equal(auth_store_generation(s) - before, MANY / 2);
}

static void a_change_is_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_int_equal(put(s, AUTH_USER, "{'name':'ann','uid':5}"), ERR_NONE);
    wish w = {.put = {document(AUTH_USER, "{'name':'bob'}"),
                      document(AUTH_USER, "{'name':'cat','uid':5}")}};
    wish_start(&w, s);
    assert_int_equal(wish_wait(&w), ERR_CONFLICT);
    auth_document_release(w.put[0]);
    auth_document_release(w.put[1]);
    assert_null(auth_store_find(s, AUTH_USER, "bob"));
}

static void pages_are_in_order(void **state)
{
    (void)state;
    auth_document *page[3];
    int64_t total;
    const char *texts[] = {"{'name':'c'}", "{'name':'a'}", "{'name':'d'}", "{'name':'b'}"};
    for (int i = 0; i < 4; i++)
        assert_int_equal(put(s, AUTH_ROLE, texts[i]), ERR_NONE);
    assert_int_equal(auth_store_page(s, AUTH_ROLE, 1, 3, page, &total), 3);
    assert_int_equal(total, 4);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(page[i]->name[0], "bcd"[i]);
        auth_document_release(page[i]);
    }
}

static void wrong_documents_are_refused(void **state)
{
    (void)state;
    static const struct {
        auth_kind kind;
        const char *text, *message;
    } wrong[] = {
        {AUTH_USER, "{}", "\"name\""},
        {AUTH_USER, "{'name':'root'}", "root.token"},
        {AUTH_USER, "{'name':'a b'}", "cannot be the name"},
        {AUTH_USER, "{'name':'key:a'}", "cannot be the name"},
        {AUTH_USER, "{'name':''}", "cannot be the name"},
        {AUTH_USER, "{'name':'-a'}", "cannot be the name"},
        {AUTH_USER, "{'name':'a','roles':['r','r']}", "twice"},
        {AUTH_USER, "{'name':'a','roles':[1]}", "array of texts"},
        {AUTH_USER, "{'name':'a','uid':0}", "uid"},
        {AUTH_USER, "{'name':'a','claims':[]}", "claims"},
        {AUTH_USER, "{'name':'a','colour':1}", "colour"},
        {AUTH_ROLE, "{'name':'r','tables':[{'table':'t'}]}", "operations"},
        {AUTH_ROLE, "{'name':'r','tables':[{'table':'t','operations':[]}]}", "no operation"},
        {AUTH_ROLE, "{'name':'r','tables':[{'table':'t','operations':['drop']}]}", "drop"},
        {AUTH_ROLE, "{'name':'r','tables':[{'table':'t','operations':['select'],'x':1}]}", "x"},
        {AUTH_ROLE, "{'name':'r','tables':[{'table':'t','operations':['select'],'columns':[]}]}",
         "for all columns"},
        {AUTH_ROLE,
         "{'name':'r','tables':[{'table':'t','operations':['select'],'where':'1) or (1'}]}",
         "not one SQL expression"},
        {AUTH_ROLE,
         "{'name':'r','tables':[{'table':'t','operations':['select'],'where':'1 -- x'}]}",
         "not one SQL expression"},
        {AUTH_ROLE,
         "{'name':'r','tables':[{'table':'t','operations':['select'],'where':'1 /* x'}]}",
         "not one SQL expression"},
        {AUTH_ROLE,
         "{'name':'r','tables':[{'table':'t','operations':['select'],'where':'a = ?1'}]}",
         "not one SQL expression"},
        {AUTH_ROLE, "{'name':'r','tables':[{'table':'t','operations':['select'],'where':'a; b'}]}",
         "not one SQL expression"},
        {AUTH_ROLE, "{'name':'r','tables':[{'table':'t','operations':['select'],'where':'((a)'}]}",
         "parenthesis open"},
        {AUTH_ROLE, "{'name':'r','tables':[{'table':'t','operations':['select'],'where':' '}]}",
         "empty"},
        {AUTH_ROLE,
         "{'name':'r','tables':[{'table':'t','operations':['select'],'masks':{'c':{'kind':'x'}}}]}",
         "kind of mask"},
        {AUTH_ROLE,
         "{'name':'r','tables':[{'table':'t','operations':['select'],'masks':{'c':{'kind':"
         "'partial'}}}]}",
         "keep"},
        {AUTH_ROLE,
         "{'name':'r','tables':[{'table':'t','operations':['select'],'masks':{'c':{'kind':"
         "'expression','sql':'a),(b'}}}]}",
         "not one SQL expression"},
        {AUTH_ROLE, "{'name':'r','channels':[{'channel':'c','operations':['select']}]}", "select"},
        {AUTH_ROLE, "{'name':'r','scopes':['all']}", "all"},
        {AUTH_ROLE, "{'name':'r','streams':['sql']}", "sql"},
        {AUTH_ROLE, "{'name':'admin'}", "built in"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        error e;
        auth_document *d = try_document(wrong[i].kind, wrong[i].text, &e);
        if (d || !strstr(e.message, wrong[i].message))
            fail_msg("%s: %s", wrong[i].text, d ? "accepted" : e.message);
    }
}

/* ---- roles -------------------------------------------------------------------------------------
 */

static void masks_become_sql(void **state)
{
    (void)state;
    auth_document *d =
        document(AUTH_ROLE,
                 "{'name':'r','tables':[{'table':'t','operations':['select'],'where':'a = `)`',"
                 "'columns':['a'],'masks':{'n':{'kind':'null'},'a\\'b':{'kind':'hash'},"
                 "'p':{'kind':'partial','keep':4},'e':{'kind':'expression','sql':'upper(e)'}}}]}");
    const access_grant *g = &auth_role_of(d)->gives.tables.grants[0];
    assert_int_equal(g->n_masks, 4);
    assert_string_equal(g->masks[0].sql, "NULL");
    assert_string_equal(g->masks[1].sql, "mask_hash(\"a\"\"b\")");
    assert_string_equal(g->masks[2].sql, "mask_partial(\"p\", 4)");
    assert_string_equal(g->masks[3].sql, "upper(e)");
    buf sql = BUF_INIT;
    assert_true(auth_role_probe(g, &sql));
    assert_non_null(strstr(buf_cstr(&sql), "SELECT 1 FROM \"t\" WHERE (a = ')') AND "));
    assert_non_null(strstr(buf_cstr(&sql), " AND \"t\".\"a\" IS NULL"));
    buf_free(&sql);
    auth_document_release(d);
}

static rights *rights_for(const char *one, const char *two)
{
    const char *names[] = {one, two};
    error e;
    rights *r = auth_rights_of(a, names, two ? 2 : 1, &e);
    assert_non_null(r);
    return r;
}

static void roles_add_up(void **state)
{
    (void)state;
    assert_int_equal(put(s, AUTH_ROLE, "{'name':'base','scopes':['sql'],'streams':['metrics']}"),
                     ERR_NONE);
    assert_int_equal(put(s, AUTH_ROLE,
                         "{'name':'top','inherits':['base'],'channels':[{'channel':"
                         "'n.*','operations':['publish']}]}"),
                     ERR_NONE);
    rights *r = rights_for("top", NULL);
    assert_int_equal(rights_scopes(r), SCOPE_sql);
    assert_int_equal(rights_streams(r), STREAM_METRICS);
    assert_true(rights_channel(r, "n.a", CHANNEL_PUBLISH));
    assert_false(rights_channel(r, "n.a", CHANNEL_SUBSCRIBE));
    assert_true(rights_have(r, "base"));
    assert_false(rights_have(r, "admin"));
    rights_release(r);
    r = rights_for("top", "admin");
    assert_true(rights_all(r));
    rights_release(r);
    r = rights_for("nobody", NULL);
    assert_int_equal(rights_scopes(r), 0);
    assert_false(rights_all(r));
    rights_release(r);
}

/* What does not concern a set of roles leaves its rights, and what is kept for them. */
static void rights_are_shared(void **state)
{
    (void)state;
    assert_int_equal(put(s, AUTH_ROLE, "{'name':'a','scopes':['sql']}"), ERR_NONE);
    assert_int_equal(put(s, AUTH_ROLE, "{'name':'b','inherits':['a']}"), ERR_NONE);
    rights *first = rights_for("a", "b"), *second = rights_for("b", "a");
    assert_ptr_equal(first, second);
    rights_release(second);
    assert_int_equal(put(s, AUTH_ROLE, "{'name':'c'}"), ERR_NONE);
    second = rights_for("b", "a");
    assert_ptr_equal(first, second);
    rights_release(second);
    assert_int_equal(put(s, AUTH_ROLE, "{'name':'a','scopes':['schema']}"), ERR_NONE);
    second = rights_for("b", NULL);
    assert_int_equal(rights_scopes(second), SCOPE_schema);
    rights_release(second);
    second = rights_for("b", "a");
    assert_ptr_not_equal(first, second);
    assert_int_equal(rights_scopes(second), SCOPE_schema);
    rights_release(second);
    assert_int_equal(rights_scopes(first), SCOPE_sql);
    rights_release(first);
}

static error_code check_role(const char *text)
{
    error e;
    auth_document *d = document(AUTH_ROLE, text);
    error_clear(&e);
    bool ok = role_sets_check(s, d, &e);
    auth_document_release(d);
    assert_int_equal(ok, e.code == ERR_NONE);
    return e.code;
}

static void inheritance_has_limits(void **state)
{
    (void)state;
    assert_int_equal(put(s, AUTH_ROLE, "{'name':'r0'}"), ERR_NONE);
    for (int i = 1; i <= ROLE_DEPTH_MAX; i++) {
        char text[80];
        snprintf(text, sizeof text, "{'name':'r%d','inherits':['r%d']}", i, i - 1);
        assert_int_equal(put(s, AUTH_ROLE, text), ERR_NONE);
    }
    assert_int_equal(check_role("{'name':'x','inherits':['r9']}"), ERR_NONE);
    assert_int_equal(check_role("{'name':'x','inherits':['r10']}"), ERR_INVALID_MESSAGE);
    assert_int_equal(check_role("{'name':'x','inherits':['none']}"), ERR_INVALID_MESSAGE);
    assert_int_equal(check_role("{'name':'x','inherits':['x']}"), ERR_INVALID_MESSAGE);
    assert_int_equal(check_role("{'name':'r0','inherits':['r5']}"), ERR_INVALID_MESSAGE);
    assert_int_equal(check_role("{'name':'r5','inherits':['r4','admin']}"), ERR_NONE);
}

/* ---- identities --------------------------------------------------------------------------------
 */

static void users_are_known_by_marks(void **state)
{
    (void)state;
    error e;
    const credential peer = {.kind = CREDENTIAL_PEER, .uid = 70000};
    const credential shown = {.kind = CREDENTIAL_CERTIFICATE, .text = "CN=ann", .n = 6};
    assert_null(auth_identify(a, &peer, &e));
    assert_int_equal(e.code, ERR_AUTH_FAILED);
    assert_null(auth_identify(a, &shown, &e));
    assert_int_equal(put(s, AUTH_ROLE, "{'name':'r','scopes':['sql']}"), ERR_NONE);
    assert_int_equal(put(s, AUTH_USER,
                         "{'name':'ann','roles':['r'],'uid':70000,"
                         "'certificates':['CN=ann']}"),
                     ERR_NONE);
    identity *by_peer = auth_identify(a, &peer, &e);
    assert_non_null(by_peer);
    assert_string_equal(by_peer->name, "ann");
    assert_int_equal(by_peer->kind, IDENTITY_USER);
    assert_true(identity_may(by_peer, SCOPE_sql));
    identity *again = auth_identify(a, &peer, &e);
    assert_ptr_equal(by_peer, again);
    identity_release(again);
    identity *by_certificate = auth_identify(a, &shown, &e);
    assert_non_null(by_certificate);
    /* The certificate is taken away: who came by it has lost, the other has not. */
    assert_int_equal(put(s, AUTH_USER, "{'name':'ann','roles':[],'uid':70000}"), ERR_NONE);
    assert_null(auth_renew(a, by_certificate, &e));
    assert_int_equal(e.code, ERR_AUTH_EXPIRED);
    again = auth_renew(a, by_peer, &e);
    assert_non_null(again);
    assert_false(identity_may(again, SCOPE_sql));
    assert_int_equal(again->generation, auth_generation(a));
    identity_release(again);
    assert_int_equal(put(s, AUTH_USER, "{'name':'ann','uid':70000,'disabled':true}"), ERR_NONE);
    assert_null(auth_renew(a, by_peer, &e));
    assert_int_equal(drop(s, AUTH_USER, "ann"), ERR_NONE);
    assert_null(auth_renew(a, by_peer, &e));
    /* Another user with the same uid is not the one who was there. */
    assert_int_equal(put(s, AUTH_USER, "{'name':'eve','uid':70000}"), ERR_NONE);
    assert_null(auth_renew(a, by_peer, &e));
    identity_release(by_peer);
    identity_release(by_certificate);
}

static void the_system_is_root(void **state)
{
    (void)state;
    error e;
    const credential peer = {.kind = CREDENTIAL_PEER, .uid = 0};
    identity *who = auth_identify(a, &peer, &e);
    assert_non_null(who);
    assert_int_equal(who->kind, IDENTITY_ROOT);
    identity_release(who);
}

/* ---- API keys ----------------------------------------------------------------------------------
 */

/* A key with these members; its text goes to `secret`. */
static error_code put_key(const char *id, const char *members, char secret[SECRET_KEY_LENGTH + 1])
{
    char hash[SECRET_HASH_TEXT + 1], text[400];
    error e;
    assert_true(secret_make_key(secret, &e));
    assert_true(secret_hash_text(secret, SECRET_KEY_LENGTH, hash, &e));
    snprintf(text, sizeof text, "{'id':'%s','hash':'%s',%s}", id, hash, members);
    return put(s, AUTH_KEY, text);
}

static identity *show(const char *secret, const char *address, error_code expected)
{
    error e;
    const credential c = {
        .kind = CREDENTIAL_TOKEN, .text = secret, .n = strlen(secret), .address = address};
    error_clear(&e);
    identity *who = auth_identify(a, &c, &e);
    assert_int_equal(e.code, expected);
    assert_int_equal(who != NULL, expected == ERR_NONE);
    return who;
}

static void keys_are_of_users_and_services(void **state)
{
    (void)state;
    char own[SECRET_KEY_LENGTH + 1], part[SECRET_KEY_LENGTH + 1], service[SECRET_KEY_LENGTH + 1];
    assert_int_equal(put(s, AUTH_ROLE, "{'name':'a','scopes':['sql']}"), ERR_NONE);
    assert_int_equal(put(s, AUTH_ROLE, "{'name':'b','scopes':['schema'],'inherits':['a']}"),
                     ERR_NONE);
    assert_int_equal(put(s, AUTH_USER, "{'name':'ann','roles':['b'],'claims':{'x':1}}"), ERR_NONE);
    assert_int_equal(put_key("k1", "'user':'ann'", own), ERR_NONE);
    assert_int_equal(put_key("k2", "'user':'ann','roles':['a','c']", part), ERR_NONE);
    assert_int_equal(put_key("k3", "'roles':['a'],'rate':7", service), ERR_NONE);
    identity *who = show(own, NULL, ERR_NONE);
    assert_string_equal(who->name, "ann");
    assert_string_equal(who->claims, "{\"x\":1}");
    assert_int_equal(rights_scopes(who->rights), SCOPE_sql | SCOPE_schema);
    identity *again = show(own, NULL, ERR_NONE);
    assert_ptr_equal(who, again);
    identity_release(again);
    identity *narrow = show(part, NULL, ERR_NONE);
    assert_int_equal(rights_scopes(narrow->rights), SCOPE_sql);
    identity *alone = show(service, NULL, ERR_NONE);
    assert_string_equal(alone->name, "key:k3");
    assert_int_equal(alone->rate, 7);
    assert_null(alone->claims);
    error e;
    assert_int_equal(drop(s, AUTH_KEY, "k3"), ERR_NONE);
    assert_null(auth_renew(a, alone, &e));
    assert_int_equal(e.code, ERR_AUTH_EXPIRED);
    assert_int_equal(put(s, AUTH_USER, "{'name':'ann','disabled':true,'roles':['b']}"), ERR_NONE);
    show(own, NULL, ERR_AUTH_FAILED);
    assert_null(auth_renew(a, who, &e));
    identity_release(who);
    identity_release(narrow);
    identity_release(alone);
}

static void keys_have_ends_and_places(void **state)
{
    (void)state;
    char old[SECRET_KEY_LENGTH + 1], bound[SECRET_KEY_LENGTH + 1];
    assert_int_equal(put_key("k1", "'roles':['a'],'expires_us':1000000", old), ERR_NONE);
    show(old, NULL, ERR_AUTH_EXPIRED);
    assert_int_equal(
        put_key("k2", "'roles':['a'],'addresses':['10.0.0.0/8','2001:db8::/32']", bound), ERR_NONE);
    static const struct {
        const char *address;
        error_code code;
    } tries[] = {{"10.1.2.3", ERR_NONE},           {"::ffff:10.1.2.3", ERR_NONE},
                 {"2001:db8::7", ERR_NONE},        {"11.1.2.3", ERR_AUTH_FAILED},
                 {"2001:db9::7", ERR_AUTH_FAILED}, {"not one", ERR_AUTH_FAILED},
                 {NULL, ERR_AUTH_FAILED}};
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
        identity_release(show(bound, tries[i].address, tries[i].code));
    /* Another key, and what only looks like one, is not looked for elsewhere. */
    bound[20] = bound[20] == 'x' ? 'y' : 'x';
    show(bound, "10.1.2.3", ERR_AUTH_FAILED);
    show("rdb_short", "10.1.2.3", ERR_AUTH_FAILED);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(documents_last),
        TEST(marks_are_of_one_alone),
        TEST(changes_take_turns),
        TEST(a_change_is_whole_or_not_at_all),
        TEST(pages_are_in_order),
        TEST(wrong_documents_are_refused),
        TEST(masks_become_sql),
        TEST(roles_add_up),
        TEST(rights_are_shared),
        TEST(inheritance_has_limits),
        TEST(users_are_known_by_marks),
        TEST(the_system_is_root),
        TEST(keys_are_of_users_and_services),
        TEST(keys_have_ends_and_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
