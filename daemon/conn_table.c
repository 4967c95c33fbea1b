#include "daemon/conn_table.h"

#include "base/mem.h"
#include "daemon/conn.h"

enum { FIRST_CAP = 64 };

/* Numbers are given one after the other, so that their low bits spread well. */
static conn **slot_of(const conn_table *t, uint64_t serial)
{
    return &t->slots[serial & (t->cap - 1)];
}

static void link_in(conn_table *t, conn *c)
{
    conn **slot = slot_of(t, c->serial);
    c->next_by_number = *slot;
    *slot = c;
}

/* Without memory for more slots the chains get longer, that is all. */
static void grow(conn_table *t)
{
    conn_table wider = {.cap = t->cap * 2, .count = t->count};
    wider.slots = mem_zalloc(wider.cap * sizeof *wider.slots);
    if (!wider.slots)
        return;
    for (size_t i = 0; i < t->cap; i++) {
        for (conn *c = t->slots[i], *next; c; c = next) {
            next = c->next_by_number;
            link_in(&wider, c);
        }
    }
    mem_free(t->slots);
    *t = wider;
}

void conn_table_add(conn_table *t, conn *c)
{
    if (!t->slots) {
        t->slots = xalloc(FIRST_CAP * sizeof *t->slots);
        t->cap = FIRST_CAP;
    }
    if (t->count >= t->cap)
        grow(t);
    link_in(t, c);
    t->count++;
}

void conn_table_remove(conn_table *t, conn *c)
{
    if (!t->cap)
        return;
    for (conn **at = slot_of(t, c->serial); *at; at = &(*at)->next_by_number) {
        if (*at != c)
            continue;
        *at = c->next_by_number;
        t->count--;
        return;
    }
}

conn *conn_table_find(const conn_table *t, uint64_t serial)
{
    conn *c = t->cap ? *slot_of(t, serial) : NULL;
    while (c && c->serial != serial)
        c = c->next_by_number;
    return c;
}

void conn_table_free(conn_table *t)
{
    mem_free(t->slots);
    *t = (conn_table){0};
}
