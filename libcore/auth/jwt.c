#include "auth/jwt.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "auth/base64url.h"
#include "base/mem.h"
#include "json/read.h"
#include "json/writer.h"

/* The end of the year 9999, in seconds: what is later is no time. */
static const double last_moment = 253402300799.0;

static bool malformed(error *e)
{
    return error_set(e, ERR_AUTH_FAILED, "the token is malformed");
}

/* ---- form --------------------------------------------------------------------------------------
 */

/* "eyJ" is how {" begins in base64url. */
bool jwt_looks_like_one(const char *text, size_t n)
{
    const char *first = n > 3 && memcmp(text, "eyJ", 3) == 0 ? memchr(text, '.', n) : NULL;
    return first && memchr(first + 1, '.', n - (size_t)(first + 1 - text));
}

/* Where the parts end; there must be three, and none of them empty. */
static bool split(jwt *t)
{
    const char *end = t->text + t->n;
    const char *first = t->n <= JWT_MAX ? memchr(t->text, '.', t->n) : NULL;
    const char *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    if (!second)
        return false;
    t->n_header = (size_t)(first - t->text);
    t->n_claims = (size_t)(second - first - 1);
    size_t left = (size_t)(end - second - 1);
    return t->n_header && t->n_claims && left &&
           base64url_read(second + 1, left, t->signature, sizeof t->signature, &t->n_signature);
}

static bool shallow(const char *p, size_t n)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        if (in_string && p[i] == '\\')
            i++;
        else if (p[i] == '"')
            in_string = !in_string;
        else if (!in_string && (p[i] == '{' || p[i] == '['))
            depth++;
        else if (!in_string && (p[i] == '}' || p[i] == ']'))
            depth--;
        if (depth > JWT_DEPTH_MAX)
            return false;
    }
    return true;
}

/* The JSON object that a part of at most `max` bytes holds; NULL when it holds something else. */
static json_t *read_part(const char *p, size_t n, size_t max)
{
    size_t size = n / 4 * 3 + 3;
    char *text = n <= BASE64URL_LENGTH(max) ? mem_alloc(size) : NULL;
    json_t *j = NULL;
    error why;
    if (text && base64url_read(p, n, text, size, &size) && shallow(text, size))
        j = json_read_text(text, size, &why);
    mem_free(text);
    if (json_is_object(j))
        return j;
    json_decref(j);
    return NULL;
}

/* ---- header ------------------------------------------------------------------------------------
 */

/* Text without NULs; NULL when the member is absent. False when it is something else. */
static bool text_member(const json_t *object, const char *name, const char **out)
{
    const json_t *j = json_object_get(object, name);
    *out = json_string_value(j);
    return !j || (*out && strlen(*out) == json_string_length(j));
}

/* A token of another purpose is none of ours (RFC 8725, 3.11). */
static bool is_token_type(const char *typ)
{
    const char *const known[] = {"JWT", "at+jwt", "application/jwt", "application/at+jwt"};
    for (size_t i = 0; typ && i < sizeof known / sizeof *known; i++) {
        if (strcasecmp(typ, known[i]) == 0)
            return true;
    }
    return !typ;
}

static bool look_at_header(jwt *t, error *e)
{
    const char *alg, *typ;
    if (!text_member(t->header, "alg", &alg) || !alg || !text_member(t->header, "typ", &typ) ||
        !text_member(t->header, "kid", &t->kid) || (t->kid && strlen(t->kid) > JWT_KID_MAX))
        return malformed(e);
    int algorithm = jwt_algorithm_find(alg);
    if (algorithm < 0)
        return error_set(e, ERR_AUTH_FAILED, "the token's algorithm is not accepted here");
    if (!is_token_type(typ) || json_object_get(t->header, "crit") ||
        json_object_get(t->header, "cty") || json_object_get(t->header, "b64"))
        return error_set(e, ERR_AUTH_FAILED, "the token is of a kind that is not accepted here");
    t->algorithm = (jwt_algorithm)algorithm;
    return true;
}

bool jwt_read(jwt *t, const char *text, size_t n, error *e)
{
    *t = (jwt){.text = text, .n = n};
    if (!split(t))
        return malformed(e);
    t->header = read_part(text, t->n_header, JWT_HEADER_MAX);
    if (!t->header)
        return malformed(e);
    if (look_at_header(t, e))
        return true;
    jwt_free(t);
    return false;
}

void jwt_free(jwt *t)
{
    json_decref(t->header);
    json_decref(t->claims);
    t->header = t->claims = NULL;
}

/* ---- signature and claims ----------------------------------------------------------------------
 */

bool jwt_verify(jwt *t, const jwt_key *k, error *e)
{
    jwt_signed s = {t->text, t->n, t->n_header + 1 + t->n_claims, t->signature, t->n_signature};
    if (!jwt_key_verify(k, t->algorithm, &s))
        return error_set(e, ERR_AUTH_FAILED, "the token is not signed by a key that is known here");
    if (!t->claims)
        t->claims = read_part(t->text + t->n_header + 1, t->n_claims, JWT_MAX);
    return t->claims || malformed(e);
}

/* A time in seconds (RFC 7519: NumericDate), which may have a fraction. False when the claim is
 * something else; an absent one leaves *out alone. */
static bool read_time(const json_t *claims, const char *name, bool *there, double *out)
{
    const json_t *j = json_object_get(claims, name);
    *there = j != NULL;
    if (!j)
        return true;
    *out = json_number_value(j);
    return json_is_number(j) && isfinite(*out) && *out >= 0 && *out <= last_moment;
}

static bool is_text(const json_t *j, const char *s)
{
    return json_is_string(j) && json_string_length(j) == strlen(s) &&
           strcmp(json_string_value(j), s) == 0;
}

static bool for_audience(const json_t *aud, const char *wanted)
{
    const json_t *one;
    size_t i;
    json_array_foreach(aud, i, one)
    {
        if (is_text(one, wanted))
            return true;
    }
    return is_text(aud, wanted);
}

static bool check_times(const jwt *t, int64_t skew, int64_t now, int64_t *expires, error *e)
{
    double exp = 0, nbf = 0, iat = 0;
    bool has_exp, has_nbf, has_iat;
    if (!read_time(t->claims, "exp", &has_exp, &exp) ||
        !read_time(t->claims, "nbf", &has_nbf, &nbf) ||
        !read_time(t->claims, "iat", &has_iat, &iat))
        return error_set(e, ERR_AUTH_FAILED, "a time of the token is no number of seconds");
    if (!has_exp)
        return error_set(e, ERR_AUTH_FAILED, "the token does not say when it expires");
    if ((has_nbf && nbf > (double)(now + skew)) || (has_iat && iat > (double)(now + skew))) {
        error_set(e, ERR_AUTH_FAILED, "the token is not valid yet");
        return error_hint(e, "are the clocks right? jwt_skew says by how much they may differ");
    }
    if (exp + (double)skew <= (double)now)
        return error_set(e, ERR_AUTH_EXPIRED, "the token has expired");
    if (expires)
        *expires = (int64_t)exp;
    return true;
}

bool jwt_check(const jwt *t, const jwt_rules *rules, int64_t now_s, int64_t *expires_s, error *e)
{
    if (!t->claims)
        return malformed(e);
    if (!is_text(json_object_get(t->claims, "iss"), rules->issuer))
        return error_set(e, ERR_AUTH_FAILED, "the token is of another issuer");
    if (rules->audience && !for_audience(json_object_get(t->claims, "aud"), rules->audience))
        return error_set(e, ERR_AUTH_FAILED, "the token is for another audience");
    return check_times(t, rules->skew_s, now_s, expires_s, e);
}

json_t *jwt_claim(const json_t *claims, const char *path)
{
    json_t *whole = json_object_get(claims, path);
    if (whole)
        return whole;
    const json_t *at = claims;
    for (const char *point = strchr(path, '.'); point && at; point = strchr(path, '.')) {
        at = json_object_getn(at, path, (size_t)(point - path));
        path = point + 1;
    }
    return at == claims ? NULL : json_object_get(at, path);
}

/* ---- making one --------------------------------------------------------------------------------
 */

static void add_part(buf *out, const void *p, size_t n)
{
    char *to = buf_reserve(out, BASE64URL_LENGTH(n) + 1);
    if (!to)
        return;
    base64url_write(p, n, to);
    out->len += BASE64URL_LENGTH(n);
}

static void add_header(buf *out, const char *kid)
{
    buf header = BUF_INIT;
    json_writer w;
    jw_init(&w, &header);
    jw_begin_object(&w);
    jw_key_str(&w, "alg", "HS256");
    jw_key_str(&w, "typ", "JWT");
    jw_key_str(&w, "kid", kid);
    jw_end_object(&w);
    if (header.failed)
        out->failed = true;
    else
        add_part(out, header.data, header.len);
    buf_free(&header);
}

bool jwt_sign(const jwt_key *secret, const char *claims, size_t n, buf *out, error *e)
{
    unsigned char mac[JWT_HS256_BYTES];
    size_t start = out->len;
    add_header(out, jwt_key_id(secret));
    buf_addc(out, '.');
    add_part(out, claims, n);
    if (out->failed || !jwt_key_sign(secret, out->data + start, out->len - start, mac))
        return error_set(e, ERR_INTERNAL_ERROR, "cannot sign a token: out of memory");
    buf_addc(out, '.');
    add_part(out, mac, sizeof mac);
    return !out->failed || error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}
