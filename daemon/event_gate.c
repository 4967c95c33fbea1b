#include "daemon/event_gate.h"

bool event_gate_pass(event_gate *g, int64_t n, int64_t most, int64_t now_us)
{
    long long now = now_us / 1000000, was = atomic_load(&g->second);
    if (now != was && atomic_compare_exchange_strong(&g->second, &was, now))
        atomic_store(&g->passed, 0);
    if (atomic_fetch_add(&g->passed, n) + n <= most)
        return true;
    atomic_fetch_sub(&g->passed, n);
    event_gate_leave_out(g);
    return false;
}

void event_gate_leave_out(event_gate *g)
{
    atomic_fetch_add(&g->left_out, 1);
}

int64_t event_gate_left_out(event_gate *g)
{
    return atomic_load(&g->left_out) ? atomic_exchange(&g->left_out, 0) : 0;
}
