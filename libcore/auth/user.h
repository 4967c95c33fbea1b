/* Users: who they are, and how they are known.
 *
 *     {"name","password_hash"?,"roles":[...],"disabled","claims":{...},"certificates":[...],"uid"?,
 *      "created_at","updated_at"} */
#ifndef AUTH_USER_H
#define AUTH_USER_H

#include "auth/document.h"

enum {
    USER_ROLES_MAX = 32,
    USER_CLAIMS_MAX = 4096, /* bytes of JSON */
    USER_CERTIFICATES_MAX = 16,
    USER_SUBJECT_MAX = 512, /* bytes */
};

typedef struct auth_user {
    const char *name;
    const char *password_hash; /* password.h; NULL: no password opens it */
    int n_roles;
    const char *const *roles;
    bool disabled;
    const char *claims; /* a JSON object; NULL: none */
    int n_certificates;
    const char *const *certificates; /* subjects */
    int64_t uid;                     /* at the other end of a Unix socket; -1: none */
    int64_t created_us;              /* wall clock */
    const char *created_at, *updated_at;
} auth_user;

static inline const auth_user *auth_user_of(const auth_document *d)
{
    return d->is;
}

#endif
