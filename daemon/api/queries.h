/* What the files about stored queries share. */
#ifndef DAEMON_API_QUERIES_H
#define DAEMON_API_QUERIES_H

#include "daemon/http.h"
#include "daemon/stored_queries.h"

/* A reference to the stored query that the path names; NULL when the request was answered. */
stored_query *find_stored_query(request *q);

#endif
