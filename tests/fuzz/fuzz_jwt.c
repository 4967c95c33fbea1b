/* Throws tokens at the reading of JSON Web Tokens: as they are, and, where a line end parts the
 * input into a header and claims, signed by our own key, so that claims are reached too. What is
 * not signed by a key of ours is never good; what is good says who made it, for whom and until
 * when. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/base64url.h"
#include "auth/jwt.h"
#include "auth/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1900000000)

static jwt_key *ours, *theirs;

static void make_keys(void)
{
    error e;
    json_t *j = json_pack("{s:s,s:s,s:s}", "kty", "OKP", "crv", "Ed25519", "x",
                          "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    ours = jwt_key_secret("ours", "0123456789abcdef0123456789abcdef", 32, &e);
    theirs = jwt_key_public(j, &e);
    json_decref(j);
    if (!ours || !theirs)
        abort();
}

static void must_be_refused(const error *e)
{
    if ((e->code != ERR_AUTH_FAILED && e->code != ERR_AUTH_EXPIRED) || !*e->message)
        abort();
}

static void look_at_claims(const jwt *t)
{
    const jwt_rules rules = {"rustydb", "me", 30};
    int64_t expires = -1;
    error e;
    error_clear(&e);
    if (!jwt_check(t, &rules, NOW, &expires, &e))
        must_be_refused(&e);
    else if (expires < NOW - 30 || !json_object_get(t->claims, "iss"))
        abort();
    jwt_claim(t->claims, "a.b");
    jwt_claim(t->claims, "sub");
}

/* Whether the signature is that of `k`. */
static bool judge(const char *text, size_t n, const jwt_key *k)
{
    jwt t;
    error e;
    error_clear(&e);
    if (!jwt_read(&t, text, n, &e)) {
        must_be_refused(&e);
        return false;
    }
    if (!jwt_key_serves(k, t.algorithm) && jwt_verify(&t, k, &e))
        abort();
    bool good = jwt_verify(&t, k, &e);
    if (good)
        look_at_claims(&t);
    else
        must_be_refused(&e);
    jwt_free(&t);
    return good;
}

static void add_part(buf *out, const void *p, size_t n)
{
    char *to = buf_reserve(out, BASE64URL_LENGTH(n) + 1);
    if (!to)
        abort();
    base64url_write(p, n, to);
    out->len += BASE64URL_LENGTH(n);
}

static void judge_signed(const char *header, size_t n_header, const char *claims, size_t n_claims)
{
    unsigned char mac[JWT_HS256_BYTES];
    buf token = BUF_INIT;
    add_part(&token, header, n_header);
    buf_addc(&token, '.');
    add_part(&token, claims, n_claims);
    if (!jwt_key_sign(ours, token.data, token.len, mac))
        abort();
    buf_addc(&token, '.');
    add_part(&token, mac, sizeof mac);
    judge(token.data, token.len, ours);
    if (judge(token.data, token.len, theirs))
        abort();
    buf_free(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *end = size ? memchr(text, '\n', size) : NULL;
    char id[SECRET_ID_LENGTH + 1];
    if (!ours)
        make_keys();
    jwt_looks_like_one(text, size);
    secret_is_key(text, size);
    secret_read_refresh(text, size, id);
    if (judge(text, size, ours) || judge(text, size, theirs))
        abort();
    if (end)
        judge_signed(text, (size_t)(end - text), end + 1, size - (size_t)(end + 1 - text));
    return 0;
}
