/* One text for all statements that differ in their values alone: literals and parameters become
 * `?`, lists of them `?, ...`, comments go, words that stand outside of quotes are in lower case,
 * and blanks are single. So what is left of `SELECT 1 -- x` is `select ?`.
 *
 * It looks at tokens, not at grammar: what stands in double quotes is taken for a name. Any thread.
 */
#ifndef ENGINE_FINGERPRINT_H
#define ENGINE_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

enum { FINGERPRINT_MAX = 2000 }; /* bytes of a text; a longer one is cut */

typedef struct fingerprint {
    uint64_t id; /* of the whole text, also where it was cut */
    size_t len;
    char text[FINGERPRINT_MAX + 1];
} fingerprint;

void fingerprint_make(fingerprint *f, const char *sql);

#endif
