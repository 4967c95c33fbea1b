#include "auth/user.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "json/read.h"

static bool check_name(const char *name, error *e)
{
    if (strcasecmp(name, "root") == 0)
        return error_set(e, ERR_INVALID_MESSAGE,
                         "\"root\" is who has the token in root.token: no "
                         "user can have this name");
    return auth_check_name(name, "user", e);
}

/* By what else a user is found. No two have names that differ in the case of letters alone: the
 * predicate of a role may compare them without regard to it. */
static bool mark(auth_document *d, const auth_user *u, error *e)
{
    char uid[24], name[AUTH_NAME_MAX + 1];
    for (size_t i = 0; i <= strlen(u->name); i++)
        name[i] = (char)tolower((unsigned char)u->name[i]);
    if (!auth_mark(d, "name", name, e))
        return false;
    for (int i = 0; i < u->n_certificates; i++) {
        if (!auth_mark(d, "certificate", u->certificates[i], e))
            return false;
    }
    snprintf(uid, sizeof uid, "%" PRId64, u->uid);
    return u->uid < 0 || auth_mark(d, "uid", uid, e);
}

bool auth_read_user(auth_document *d, json_t *object, error *e)
{
    auth_user *u = arena_alloc(&d->mem, sizeof *u);
    if (!u)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    json_t *roles = NULL, *claims = NULL, *certificates = NULL;
    const char *name, *hash = NULL, *created = "", *updated = "";
    u->uid = -1;
    const json_field fields[] = {
        {"name", FIELD_STR, true, &name},
        {"password_hash", FIELD_STR, false, &hash},
        {"roles", FIELD_ARRAY, false, &roles},
        {"disabled", FIELD_BOOL, false, &u->disabled},
        {"claims", FIELD_OBJECT, false, &claims},
        {"certificates", FIELD_ARRAY, false, &certificates},
        {"uid", FIELD_INT, false, &u->uid, 1, UINT32_MAX - 1},
        {"created_us", FIELD_INT, false, &u->created_us},
        {"created_at", FIELD_STR, false, &created},
        {"updated_at", FIELD_STR, false, &updated},
    };
    if (!json_read_object(object, fields, JSON_FIELDS(fields), e) || !check_name(name, e))
        return false;
    d->is = u;
    bool ok = auth_keep_text(d, name, &u->name, e) &&
              auth_keep_text(d, hash, &u->password_hash, e) &&
              auth_keep_text(d, created, &u->created_at, e) &&
              auth_keep_text(d, updated, &u->updated_at, e) &&
              auth_keep_texts(d, roles, "roles", USER_ROLES_MAX, AUTH_NAME_MAX, &u->n_roles,
                              &u->roles, e) &&
              auth_keep_texts(d, certificates, "certificates", USER_CERTIFICATES_MAX,
                              USER_SUBJECT_MAX, &u->n_certificates, &u->certificates, e) &&
              auth_keep_json(d, claims, "claims", USER_CLAIMS_MAX, &u->claims, e) && mark(d, u, e);
    d->name = u->name;
    return ok;
}
