/* The tokens of an SQL expression, as SQLite cuts it. They are enough to look at an expression
 * before any SQL compiler does. */
#ifndef FEED_TOKENS_H
#define FEED_TOKENS_H

#include <stddef.h>

typedef enum token_kind {
    TOKEN_END,
    TOKEN_SPACE, /* comments too */
    TOKEN_WORD,  /* unquoted: a keyword, a name, a number */
    TOKEN_QUOTED,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_PARAMETER,
    TOKEN_SEMICOLON,
    TOKEN_UNTERMINATED,
    TOKEN_OTHER,
} token_kind;

typedef struct token {
    token_kind kind;
    size_t len;
} token;

/* The token at s; TOKEN_END at its end. Any thread. */
token token_next(const char *s);

#endif
