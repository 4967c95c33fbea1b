/* An intrusive doubly linked list: the link lives in the member, so linking never fails.
 * A `list` head is a link that points to itself when the list is empty. Not thread-safe. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct list {
    struct list *next, *prev;
} list;

#define list_entry(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#define list_each(it, head) for (list *it = (head)->next; it != (head); it = it->next)
/* The body may unlink or free `it`. */
#define list_each_safe(it, head)                                                                   \
    for (list *it = (head)->next, *it##_next = it->next; it != (head);                             \
         it = it##_next, it##_next = it->next)

static inline void list_init(list *l)
{
    l->next = l->prev = l;
}
static inline bool list_empty(const list *l)
{
    return l->next == l;
}
static inline void list_append(list *head, list *item)
{
    item->prev = head->prev;
    item->next = head;
    head->prev->next = item;
    head->prev = item;
}
static inline void list_prepend(list *head, list *item)
{
    list_append(head->next, item);
}
/* Afterwards the item is an empty list of its own, so unlinking twice is harmless. */
static inline void list_unlink(list *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    list_init(item);
}
static inline list *list_pop(list *head)
{
    if (list_empty(head))
        return NULL;
    list *first = head->next;
    list_unlink(first);
    return first;
}

#endif
