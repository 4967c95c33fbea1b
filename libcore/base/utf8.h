/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. Any thread.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

/* Length of the well-formed sequence at s, of which n >= 1 bytes are there; 0 when there is none.
 */
size_t utf8_sequence(const unsigned char *s, size_t n);

/* How many bytes from the start are well formed: n when all are. */
size_t utf8_valid(const char *p, size_t n);

#endif
