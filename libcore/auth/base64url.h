/* base64url without padding (RFC 4648, section 5), read strictly: each value has one spelling, so
 * that a token cannot be changed without changing what it says. Any thread. */
#ifndef AUTH_BASE64URL_H
#define AUTH_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>

/* Characters that n bytes take. */
#define BASE64URL_LENGTH(n) (((n) * 4 + 2) / 3)

/* Writes BASE64URL_LENGTH(n) characters and a NUL. */
void base64url_write(const void *p, size_t n, char *out);

/* Reads n characters into out (`room` bytes) and says in *size how many bytes they were. False when
 * a character is not of the alphabet (padding and white space are not), the length is one that no
 * value has, bits behind the value are set, or there is no room. */
bool base64url_read(const char *p, size_t n, void *out, size_t room, size_t *size);

#endif
