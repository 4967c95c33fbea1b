#include "base/sqlscan.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

const char *sqlscan_blank(const char *s)
{
    for (;;) {
        if (isspace((unsigned char)*s)) {
            s++;
        } else if (s[0] == '-' && s[1] == '-') {
            s += strcspn(s, "\n");
        } else if (s[0] == '/' && s[1] == '*') {
            const char *end = strstr(s + 2, "*/");
            s = end ? end + 2 : s + strlen(s);
        } else {
            return s;
        }
    }
}

const char *sqlscan_quoted(const char *s)
{
    char quote = *s == '[' ? ']' : *s;
    for (s++; *s; s++) {
        if (*s != quote)
            continue;
        if (quote == ']' || s[1] != quote)
            return s + 1;
        s++;
    }
    return s;
}

bool sqlscan_in_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

const char *sqlscan_token(const char *s)
{
    if (*s && strchr("'\"`[", *s))
        return sqlscan_quoted(s);
    if (!sqlscan_in_word(*s))
        return *s ? s + 1 : s;
    while (sqlscan_in_word(*s))
        s++;
    return s;
}

bool sqlscan_is(const char *s, const char *end, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(end - s) == n && strncasecmp(s, word, n) == 0;
}
