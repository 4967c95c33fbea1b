#include "daemon/identity_describe.h"

#include "auth/role.h"
#include "base/clock.h"

enum { GRANTS_SHOWN = 1000 };

static void put_roles(json_writer *w, const identity *who)
{
    jw_key(w, "roles");
    jw_begin_array(w);
    if (who->kind != IDENTITY_ROOT && rights_all(who->rights))
        jw_str(w, ROLE_ADMIN);
    for (int i = 0; i < rights_n_roles(who->rights); i++)
        jw_str(w, rights_role_name(who->rights, i));
    jw_end_array(w);
}

static void put_scopes(json_writer *w, const rights *r)
{
    jw_key(w, "scopes");
    jw_begin_array(w);
    for (unsigned bit = 0; bit < SCOPE_COUNT; bit++) {
        if (rights_scopes(r) & 1u << bit)
            jw_str(w, scope_name((auth_scope)bit));
    }
    jw_end_array(w);
    jw_key(w, "streams");
    jw_begin_array(w);
    for (unsigned bit = 1; bit <= STREAM_ALL; bit <<= 1) {
        if (rights_streams(r) & bit)
            jw_str(w, stream_name(bit));
    }
    jw_end_array(w);
}

static void put_grant(json_writer *w, const char *role, const access_grant *g)
{
    static const char *const operations[] = {"select", "insert", "update", "delete"};
    jw_begin_object(w);
    jw_key_str(w, "table", g->table);
    jw_key(w, "operations");
    jw_begin_array(w);
    for (unsigned bit = 0; bit < sizeof operations / sizeof *operations; bit++) {
        if (g->ops & 1u << bit)
            jw_str(w, operations[bit]);
    }
    jw_end_array(w);
    jw_key_bool(w, "restricted", g->n_columns || g->where || g->check || g->n_masks);
    jw_key_str(w, "role", role);
    jw_end_object(w);
}

static void put_tables(json_writer *w, auth *a, const identity *who)
{
    static const access_grant everything = {.table = "*", .ops = ACCESS_ALL};
    int left = GRANTS_SHOWN;
    jw_key(w, "tables");
    jw_begin_array(w);
    if (rights_all(who->rights))
        put_grant(w, who->kind == IDENTITY_ROOT ? NULL : ROLE_ADMIN, &everything);
    for (int i = 0; i < rights_n_roles(who->rights); i++) {
        const char *name = rights_role_name(who->rights, i);
        auth_document *role = auth_store_find(auth_store_of(a), AUTH_ROLE, name);
        const access_role *t = role ? &auth_role_of(role)->gives.tables : NULL;
        for (int k = 0; t && k < t->n_grants && left > 0; k++, left--)
            put_grant(w, name, &t->grants[k]);
        auth_document_release(role);
    }
    jw_end_array(w);
}

void describe_identity(json_writer *w, auth *a, const identity *who)
{
    char expires[CLOCK_RFC3339_LEN + 1];
    if (who->expires_us)
        clock_rfc3339(who->expires_us, expires);
    jw_key_str(w, "user_id", who->name);
    jw_key_str(w, "kind", identity_kind_name(who->kind));
    put_roles(w, who);
    put_scopes(w, who->rights);
    put_tables(w, a, who);
    jw_key_str(w, "expires_at", who->expires_us ? expires : NULL);
}
