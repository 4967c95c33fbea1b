#include "live/index.h"

#include "base/map.h"
#include "base/mem.h"

bool lq_index_make(lq_index *x, const lq_strings *of, int last)
{
    size_t cap = 16;
    while (cap < (size_t)last * 2)
        cap *= 2;
    *x = (lq_index){.of = of, .mask = cap - 1};
    x->slots = mem_zalloc(cap * sizeof *x->slots);
    x->next = mem_zalloc(((size_t)last + 1) * sizeof *x->next);
    if (x->slots && x->next)
        return true;
    lq_index_free(x);
    return false;
}

void lq_index_free(lq_index *x)
{
    mem_free(x->slots);
    mem_free(x->next);
    *x = (lq_index){0};
}

/* The slot where strings with this content are, or would be. A slot whose strings were all taken
 * keeps its last one, negative, so that the search goes on behind it. */
static int *slot_of(const lq_index *x, lq_span s)
{
    for (size_t i = map_hash(s.p, s.n) & x->mask;; i = (i + 1) & x->mask) {
        int at = x->slots[i] < 0 ? -x->slots[i] : x->slots[i];
        if (at == 0 || lq_span_equal(lq_strings_at(x->of, at - 1), s))
            return &x->slots[i];
    }
}

bool lq_index_add(lq_index *x, int i)
{
    int *slot = slot_of(x, lq_strings_at(x->of, i));
    bool there = *slot > 0;
    x->next[i] = there ? *slot : 0;
    *slot = i + 1;
    return there;
}

int lq_index_take(lq_index *x, lq_span s)
{
    int *slot = slot_of(x, s);
    if (*slot <= 0)
        return -1;
    int i = *slot - 1;
    *slot = x->next[i] ? x->next[i] : -(i + 1);
    return i;
}
