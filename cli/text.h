/* Text for terminals: UTF-8, columns on the screen, characters that must not reach a terminal. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Decodes one character at p (n > 0 bytes) into *c and returns its length in bytes. A byte that
 * begins no valid sequence gives U+FFFD and 1. */
size_t text_decode(const char *p, size_t n, uint32_t *c);
bool text_valid_utf8(const char *p, size_t n);
/* Columns that the text takes, wide and combining characters considered. Needs no locale. */
int text_width(const char *p, size_t n);
/* Appends the text so that it stays on its line and cannot steer the terminal: control characters
 * become \n, \t, \xNN or \u{NN}, a backslash stays; broken UTF-8 becomes U+FFFD. Returns its
 * width in columns. */
int text_printable(buf *out, const char *p, size_t n);
/* Appends n times the string s. */
void text_repeat(buf *out, const char *s, int n);

#endif
