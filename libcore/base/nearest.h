/* "Did you mean ...?": finds the name that was meant by a misspelt word. Any thread. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

/* The candidate most like `word`, or NULL when none is near enough to be what was meant; '-' and
 * '_' count as the same. `each` gives the i-th candidate, NULL behind the last. */
const char *nearest(const char *word, const char *(*each)(const void *arg, int i), const void *arg);

#endif
