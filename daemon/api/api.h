/* Handlers of the REST interface, one file per tag. Each is called on the reactor's thread with a
 * complete request (api_import: with its head) and answers it once, now or when its run is done. */
#ifndef DAEMON_API_API_H
#define DAEMON_API_API_H

#include "daemon/http.h"

/* health.c */
void api_liveness(request *q);
void api_readiness(request *q);
void api_startup(request *q);
/* server.c */
void api_server_info(request *q);
/* sql.c */
void api_query(request *q);
void api_cancel(request *q);
void api_batch(request *q);
/* transactions.c */
void api_tx_begin(request *q);
void api_tx_query(request *q);
void api_tx_commit(request *q);
void api_tx_rollback(request *q);
/* rpc.c */
void api_rpc(request *q);
/* tables.c */
void api_tables(request *q);
void api_table(request *q);
/* import.c */
void api_import(request *q);
/* metrics.c */
void api_metrics(request *q);
void api_metrics_catalog(request *q);
/* websocket.c */
void api_ws_upgrade_required(request *q);
void api_ws_status(request *q);
/* broadcast.c */
void api_ws_broadcast(request *q);
/* connections.c */
void api_ws_connections(request *q);
void api_ws_connection(request *q);
void api_ws_disconnect(request *q);
/* subscriptions.c */
void api_ws_subscriptions(request *q);
void api_ws_subscription(request *q);
void api_ws_unsubscribe(request *q);
/* subscribe.c */
void api_ws_subscribe(request *q);
/* replication.c */
void api_replication_status(request *q);
void api_replication_consumers(request *q);
void api_replication_slots(request *q);
void api_replication_slot(request *q);
void api_replication_create(request *q);
void api_replication_drop(request *q);

#endif
