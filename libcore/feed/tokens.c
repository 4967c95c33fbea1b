#include "feed/tokens.h"

#include <stdbool.h>
#include <string.h>

/* The characters SQLite takes inside a name or a number. */
static bool is_word(unsigned char c)
{
    return c >= 0x80 || c == '_' || c == '$' || (c >= '0' && c <= '9') ||
           ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r' && c != '\v');
}

/* 'text', "name", `name`, where a doubled quote stands for itself, and [name]. */
static token quoted(const char *s)
{
    char end = *s == '[' ? ']' : *s;
    for (size_t i = 1; s[i]; i++) {
        if (s[i] != end)
            continue;
        if (end == ']' || s[i + 1] != end)
            return (token){TOKEN_QUOTED, i + 1};
        i++;
    }
    return (token){TOKEN_UNTERMINATED, strlen(s)};
}

static token comment(const char *s)
{
    if (*s == '-') /* up to the end of the line */
        return (token){TOKEN_SPACE, strcspn(s, "\n")};
    const char *end = strstr(s + 2, "*/");
    return end ? (token){TOKEN_SPACE, (size_t)(end - s) + 2}
               : (token){TOKEN_UNTERMINATED, strlen(s)};
}

token token_next(const char *s)
{
    size_t n = 0;
    switch (*s) {
    case '\0':
        return (token){TOKEN_END, 0};
    case '\'':
    case '"':
    case '`':
    case '[':
        return quoted(s);
    case '(':
        return (token){TOKEN_OPEN, 1};
    case ')':
        return (token){TOKEN_CLOSE, 1};
    case ';':
        return (token){TOKEN_SEMICOLON, 1};
    case '?':
    case ':':
    case '@':
    case '#':
    case '$':
        return (token){TOKEN_PARAMETER, 1};
    default:
        break;
    }
    if ((s[0] == '-' && s[1] == '-') || (s[0] == '/' && s[1] == '*'))
        return comment(s);
    while (is_space(s[n]))
        n++;
    if (n)
        return (token){TOKEN_SPACE, n};
    while (is_word((unsigned char)s[n]))
        n++;
    return n ? (token){TOKEN_WORD, n} : (token){TOKEN_OTHER, 1};
}
