#include "base/nearest.h"

#include <stdbool.h>
#include <string.h>

enum { LONGEST = 64 }; /* bytes of a word, the NUL included; longer ones are not compared */

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static bool same(char a, char b)
{
    return a == b || (a == '-' && b == '_') || (a == '_' && b == '-');
}

/* How many letters must be changed, added, dropped or swapped with their neighbour to make b of a
 * (optimal string alignment). Three rows of the table are enough. */
static int distance(const char *a, const char *b)
{
    int rows[3][LONGEST];
    int n = (int)strlen(b);
    for (int j = 0; j <= n; j++)
        rows[0][j] = j;
    int i = 0;
    for (; a[i]; i++) {
        int *before = rows[(i + 2) % 3], *last = rows[i % 3], *now = rows[(i + 1) % 3];
        now[0] = i + 1;
        for (int j = 0; j < n; j++) {
            now[j + 1] = smaller(last[j] + !same(a[i], b[j]), smaller(last[j + 1], now[j]) + 1);
            if (i > 0 && j > 0 && same(a[i], b[j - 1]) && same(a[i - 1], b[j]))
                now[j + 1] = smaller(now[j + 1], before[j - 1] + 1);
        }
    }
    return rows[i % 3][n];
}

const char *nearest(const char *word, const char *(*each)(const void *arg, int i), const void *arg)
{
    size_t length = strlen(word);
    if (length >= LONGEST)
        return NULL;
    const char *best = NULL, *candidate;
    int best_distance = length <= 3 ? 2 : 4; /* from this distance on it is another word */
    for (int i = 0; (candidate = each(arg, i)); i++) {
        if (strlen(candidate) >= LONGEST)
            continue;
        /* The beginning of a name is as good as one wrong letter. */
        bool begins = length >= 2 && strncmp(candidate, word, length) == 0;
        int d = begins ? 1 : distance(word, candidate);
        if (d < best_distance) {
            best = candidate;
            best_distance = d;
        }
    }
    return best;
}
