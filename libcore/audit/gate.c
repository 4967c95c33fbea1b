#include "audit/gate.h"

static long long minute_of(int64_t now_us)
{
    return now_us / 60000000;
}

bool audit_gate_pass(audit_gate *g, int64_t now_us)
{
    long long now = minute_of(now_us), was = atomic_load(&g->minute);
    if (now != was && atomic_compare_exchange_strong(&g->minute, &was, now))
        atomic_store(&g->passed, 0);
    if (atomic_fetch_add(&g->passed, 1) < AUDIT_A_MINUTE)
        return true;
    atomic_fetch_add(&g->left_out, 1);
    return false;
}

int64_t audit_gate_drain(audit_gate *g)
{
    return atomic_load(&g->left_out) ? atomic_exchange(&g->left_out, 0) : 0;
}

int64_t audit_gate_left_out(audit_gate *g, int64_t now_us)
{
    return minute_of(now_us) == atomic_load(&g->minute) ? 0 : audit_gate_drain(g);
}
