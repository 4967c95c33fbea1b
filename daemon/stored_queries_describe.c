/* Stored queries as operations of the OpenAPI document. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/stored_queries.h"

enum { PAGE = 100 };

static json_t *responses(void)
{
    static const char *const all[][2] = {
        {"200", "QueryResult"}, {"400", "BadRequest"}, {"401", "Unauthorized"},
        {"403", "Forbidden"},   {"404", "NotFound"},   {"409", "Conflict"},
        {"413", "TooLarge"},    {"499", "Cancelled"},  {"500", "ServerError"},
        {"503", "Unavailable"}, {"504", "TimedOut"},   {"507", "DiskFull"},
    };
    char ref[64];
    json_t *to = json_object();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        snprintf(ref, sizeof ref, "#/components/responses/%s", all[i][1]);
        json_object_set_new(to, all[i][0], json_pack("{s:s}", "$ref", ref));
    }
    return to;
}

static json_t *operation(const stored_query *q, const char *prefix)
{
    char id[100], summary[100];
    snprintf(id, sizeof id, "%s_%s", prefix, q->name);
    snprintf(summary, sizeof summary, "Run the stored query %s", q->name);
    return json_pack("{s:[s], s:s, s:s, s:s, s:o}", "tags", "sql", "operationId", id, "summary",
                     summary, "description", *q->description ? q->description : "A stored query.",
                     "responses", responses());
}

/* With the parameters in the query string. */
static json_t *get_operation(const stored_query *q)
{
    json_t *op = operation(q, "get"), *parameters = json_array();
    for (int i = 0; i < q->n_parameters; i++) {
        const stored_parameter *p = &q->parameters[i];
        json_t *one = json_pack("{s:s, s:s, s:b, s:o}", "name", p->name, "in", "query", "required",
                                p->required, "schema", stored_parameter_schema(p, false));
        json_object_set_new(
            one, "description",
            json_string(*p->description ? p->description : "A parameter of the query."));
        json_array_append_new(parameters, one);
    }
    json_object_set_new(op, "parameters", parameters);
    return op;
}

/* The object "params". */
static json_t *params_schema(const stored_query *q)
{
    json_t *properties = json_object(), *required = json_array();
    for (int i = 0; i < q->n_parameters; i++) {
        const stored_parameter *p = &q->parameters[i];
        json_object_set_new(properties, p->name, stored_parameter_schema(p, true));
        if (p->required)
            json_array_append_new(required, json_string(p->name));
    }
    return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties, "required",
                     required, "additionalProperties", 0);
}

static bool needs_params(const stored_query *q)
{
    for (int i = 0; i < q->n_parameters; i++) {
        if (q->parameters[i].required)
            return true;
    }
    return false;
}

static json_t *post_operation(const stored_query *q)
{
    json_t *op = operation(q, "call");
    bool needed = needs_params(q);
    json_t *schema = json_pack("{s:s, s:{s:o, s:{s:s}, s:{s:s}, s:{s:s, s:i}}, s:b}", "type",
                               "object", "properties", "params", params_schema(q), "id", "$ref",
                               "#/components/schemas/ClientId", "timeout_ms", "$ref",
                               "#/components/schemas/TimeoutMs", "max_rows", "type", "integer",
                               "minimum", 1, "additionalProperties", 0);
    if (needed)
        json_object_set_new(schema, "required", json_pack("[s]", "params"));
    json_object_set_new(op, "requestBody",
                        json_pack("{s:b, s:{s:{s:o}}}", "required", needed, "content",
                                  "application/json", "schema", schema));
    return op;
}

static void describe(const stored_query *q, json_t *paths)
{
    char path[100];
    json_t *item = json_pack("{s:o}", "post", post_operation(q));
    if (q->readonly)
        json_object_set_new(item, "get", get_operation(q));
    snprintf(path, sizeof path, "/api/v1/queries/%s", q->name);
    json_object_set_new(paths, path, item);
}

void stored_queries_describe(stored_queries *s, json_t *document)
{
    stored_query *page[PAGE];
    int64_t offset = 0, total;
    json_t *paths = json_object_get(document, "paths");
    for (int n = PAGE; n == PAGE; offset += n) {
        n = stored_queries_page(s, offset, PAGE, page, &total);
        for (int i = 0; i < n; i++) {
            describe(page[i], paths);
            stored_query_unref(page[i]);
        }
    }
}
