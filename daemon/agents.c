#include "daemon/agents.h"

#include <string.h>

#include "base/mem.h"

agent *agent_hold(reactor *r, const char *text)
{
    size_t n = strnlen(text, AGENT_MAX);
    if (!n)
        return NULL;
    agent *a = map_get(&r->agents, text, n);
    if (!a) {
        a = mem_alloc(sizeof *a + n + 1);
        if (!a)
            return NULL;
        a->users = 0;
        memcpy(a->text, text, n);
        a->text[n] = '\0';
        if (!map_put(&r->agents, text, n, a, NULL)) {
            mem_free(a);
            return NULL;
        }
    }
    a->users++;
    return a;
}

void agent_release(reactor *r, agent *a)
{
    if (!a || --a->users > 0)
        return;
    map_take(&r->agents, a->text, strlen(a->text));
    mem_free(a);
}
