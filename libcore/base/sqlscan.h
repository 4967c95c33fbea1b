/* Walking over SQL text without parsing it: blanks, comments, quotes, words. Nothing here looks
 * behind the text's NUL. Any thread. */
#ifndef BASE_SQLSCAN_H
#define BASE_SQLSCAN_H

#include <stdbool.h>

/* Past blanks and comments. */
const char *sqlscan_blank(const char *s);
/* Past what is in quotes ('', "", ``, []), in which the quote itself is doubled; s is at the quote.
 */
const char *sqlscan_quoted(const char *s);
/* Past a word, something in quotes, or one other character; at the end of the text it stays. */
const char *sqlscan_token(const char *s);
/* Whether a name or keyword may have this character. */
bool sqlscan_in_word(char c);
/* Whether the token from s to end is this word, in any case of letters. */
bool sqlscan_is(const char *s, const char *end, const char *word);

#endif
