#include "daemon/route.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "audit/record.h"
#include "auth/rights.h"
#include "daemon/api/api.h"
#include "json/read.h"

/* A segment of a path: what ends here, and what follows. A table of them ends with one that is all
 * NULL; a {name} stands last before that. */
typedef struct route_node {
    const char *segment; /* NULL: a {name} */
    const struct route_node *children;
    const route *const *ends;
} route_node;

#include "operations.inc"

static const struct {
    http_method method;
    const char *name;
} methods[] = {{HTTP_GET, "GET"},        {HTTP_HEAD, "HEAD"},   {HTTP_POST, "POST"},
               {HTTP_PUT, "PUT"},        {HTTP_PATCH, "PATCH"}, {HTTP_DELETE, "DELETE"},
               {HTTP_OPTIONS, "OPTIONS"}};

/* ---- finding ----------------------------------------------------------------------------------
 */

/* Where the {names} of a path begin and end. */
typedef struct found {
    const char *from[PATH_PARAMS], *to[PATH_PARAMS];
} found;

/* Goes on behind a "/". A literal segment goes before a {name}; there may be both. */
static const route *const *walk(const route_node *at, const char *path, int n, found *f)
{
    size_t len = strcspn(path, "/");
    for (; at->segment || at->children || at->ends; at++) {
        if (at->segment ? strncmp(at->segment, path, len) != 0 || at->segment[len]
                        : !len || n == PATH_PARAMS)
            continue;
        if (!at->segment) {
            f->from[n] = path;
            f->to[n] = path + len;
        }
        const route *const *ends = !path[len] ? at->ends
                                   : at->children
                                       ? walk(at->children, path + len + 1, n + !at->segment, f)
                                       : NULL;
        if (ends)
            return ends;
        if (!at->segment)
            f->from[n] = f->to[n] = NULL;
    }
    return NULL;
}

static void copy_params(request *q, const found *f)
{
    char *at = q->param_text;
    for (int i = 0; i < PATH_PARAMS && f->from[i]; i++) {
        size_t n = (size_t)(f->to[i] - f->from[i]);
        memcpy(at, f->from[i], n);
        at[n] = '\0';
        q->params[i] = at;
        at += n + 1;
    }
}

static bool wrong_method(const request *q, unsigned exist, char *allow, size_t room, error *e)
{
    if (exist & HTTP_GET)
        exist |= HTTP_HEAD;
    exist |= HTTP_OPTIONS;
    size_t at = 0;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (exist & methods[i].method && at < room)
            at += (size_t)snprintf(allow + at, room - at, "%s%s", at ? ", " : "", methods[i].name);
    }
    error_set(e, ERR_METHOD_NOT_ALLOWED, "%s does not take this method", q->path);
    return error_hint(e, "It takes %s.", allow);
}

bool route_find(request *q, char *allow, size_t room, error *e)
{
    unsigned exist = 0;
    found f = {0};
    const route *const *ends = q->path[0] == '/' ? walk(ROUTE_TOP, q->path + 1, 0, &f) : NULL;
    if (!ends)
        return error_set(e, ERR_NOT_FOUND, "there is no %s", q->path);
    for (; *ends; ends++) {
        exist |= (*ends)->method;
        if ((*ends)->method != q->method)
            continue;
        q->route = *ends;
        copy_params(q, &f);
        return true;
    }
    return wrong_method(q, exist, allow, room, e);
}

/* ---- parameters -------------------------------------------------------------------------------
 */

static const parameter *find_parameter(const route *r, const char *name, size_t n)
{
    for (int i = 0; i < r->n_query; i++) {
        const parameter *p = &r->query_parameters[i];
        if (strncmp(p->name, name, n) == 0 && !p->name[n])
            return p;
    }
    return NULL;
}

static bool unknown_parameter(const route *r, const char *name, size_t n, error *e)
{
    char known[sizeof e->hint];
    size_t used = 0;
    error_set(e, ERR_INVALID_MESSAGE, "there is no query parameter '%.*s'", (int)(n < 60 ? n : 60),
              name);
    known[0] = '\0';
    for (int i = 0; i < r->n_query && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                 r->query_parameters[i].name);
    return r->n_query ? error_hint(e, "known: %s", known) : false;
}

static bool check_query(const request *q, error *e)
{
    const route *r = q->route;
    for (const char *at = q->query; *at; at += strlen(at) + 1) {
        size_t n = strcspn(at, "=");
        const parameter *p = find_parameter(r, at, n);
        if (!p && r->flags & ROUTE_FREE_QUERY)
            continue;
        if (!p)
            return unknown_parameter(r, at, n, e);
        if (!schema_check_text(p->schema, at[n] ? at + n + 1 : "", p->name, e))
            return false;
    }
    for (int i = 0; i < r->n_query; i++) {
        if (r->query_parameters[i].required && !http_param(q, r->query_parameters[i].name))
            return error_set(e, ERR_INVALID_MESSAGE, "the query parameter %s is missing",
                             r->query_parameters[i].name);
    }
    return true;
}

int64_t http_int(const request *q, const char *name)
{
    const parameter *p = find_parameter(q->route, name, strlen(name));
    const char *text = http_param(q, name);
    int64_t v = p ? p->fallback : 0;
    if (text)
        schema_parse_int(text, &v);
    return v;
}

bool http_flag(const request *q, const char *name)
{
    const char *text = http_param(q, name);
    return text ? strcmp(text, "true") == 0 : http_int(q, name) != 0;
}

/* ---- bodies -----------------------------------------------------------------------------------
 */

/* The type without its parameters. */
static bool is_type(const char *header, const char *type)
{
    size_t n = strcspn(header, "; \t");
    return strlen(type) == n && strncasecmp(header, type, n) == 0;
}

/* What curl and browsers' forms say when nobody told them: JSON is taken for meant where it is one
 * of the types. */
static bool says_nothing(const char *header)
{
    return !*header || is_type(header, "application/x-www-form-urlencoded");
}

static bool check_type(const request *q, error *e)
{
    char known[sizeof e->hint];
    size_t used = 0;
    const char *const *types = q->route->body_types;
    bool has_body = q->chunked || q->content_length > 0;
    if (!types || !has_body)
        return true;
    known[0] = '\0';
    for (; *types; types++) {
        if (is_type(q->content_type, *types) ||
            (says_nothing(q->content_type) && strcmp(*types, "application/json") == 0))
            return true;
        if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
                                     *types);
    }
    error_set(e, ERR_UNSUPPORTED_MEDIA, "the content type '%.60s' is not known here",
              q->content_type);
    return error_hint(e, "known: %s", known);
}

bool route_check_head(const request *q, error *e)
{
    const route *r = q->route;
    for (int i = 0; i < r->n_path; i++) {
        if (!schema_check_text(r->path_parameters[i].schema, q->params[i],
                               r->path_parameters[i].name, e))
            return false;
    }
    return check_query(q, e) && ((r->flags & ROUTE_STREAM) || check_type(q, e));
}

bool route_read_body(request *q, error *e)
{
    const route *r = q->route;
    if (!r->body || (!q->body.len && !r->body_required))
        return true;
    q->doc = json_read_text(http_body(q), e);
    return q->doc && schema_check(r->body, q->doc, NULL, e);
}
