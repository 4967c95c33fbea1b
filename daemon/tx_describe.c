#include "daemon/tx_describe.h"

#include "base/clock.h"
#include "daemon/conn_describe.h"

#include <string.h>

static void put_ms(json_writer *w, const char *key, int64_t us)
{
    jw_keyn(w, key, strlen(key));
    jw_real(w, us > 0 ? (double)us / 1000.0 : 0);
}

void describe_transaction(json_writer *w, const server *d, const engine_pool *p)
{
    int64_t now = clock_mono_us();
    if (!p->writer.tx[0]) {
        jw_null(w);
        return;
    }
    jw_begin_object(w);
    jw_key(w, "id");
    jw_str(w, p->writer.tx);
    describe_moment(w, d, "opened_at", p->writer.tx_opened_us);
    put_ms(w, "open_ms", now - p->writer.tx_opened_us);
    put_ms(w, "idle_ms", now - p->writer.tx_last_us);
    jw_end_object(w);
}
