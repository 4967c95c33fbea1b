/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. Any thread.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length of the well-formed sequence at s, of which n >= 1 bytes are there; 0 when there is none.
 */
size_t utf8_sequence(const unsigned char *s, size_t n);

/* How many bytes from the start are well formed: n when all are. */
size_t utf8_valid(const char *p, size_t n);

/* Text that comes in pieces, cut anywhere. All zero: nothing has come yet. */
typedef struct utf8_stream {
    unsigned char missing;  /* bytes that the sequence begun still needs */
    unsigned char from, to; /* between which the next of them lies */
} utf8_stream;

/* Takes the next piece; false as soon as a byte shows that the text is not UTF-8. */
bool utf8_feed(utf8_stream *u, const char *p, size_t n);
/* Whether the text may end here: no sequence is cut. */
static inline bool utf8_whole(const utf8_stream *u)
{
    return u->missing == 0;
}

#endif
