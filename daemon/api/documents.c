/* The documents that describe the interfaces: GET /api-docs/... */
#include "daemon/api/api.h"
#include "daemon/pages.h"

void api_get_openapi_json(request *q)
{
    pages_document(q);
}

void api_get_openapi_yaml(request *q)
{
    pages_document(q);
}

void api_get_asyncapi_yaml(request *q)
{
    pages_document(q);
}
