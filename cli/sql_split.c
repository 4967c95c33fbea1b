#include "cli/sql_split.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

typedef enum token_kind { TOKEN_SPACE, TOKEN_SEMI, TOKEN_WORD, TOKEN_OTHER } token_kind;

void sql_split_init(sql_split *s)
{
    *s = (sql_split){.line = 1};
}

void sql_split_free(sql_split *s)
{
    buf_free(&s->text);
    buf_free(&s->current);
}

void sql_split_feed(sql_split *s, const char *p, size_t n)
{
    buf_consume(&s->text, s->start);
    s->at -= s->start;
    s->end = s->end > s->start ? s->end - s->start : 0;
    s->start = 0;
    buf_add(&s->text, p, n);
}

/* ---- tokens -----------------------------------------------------------------------------------
 */

static bool word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* Length of what is closed by `close`; 0 when it is not closed yet and more text may come. */
static size_t quoted(const char *p, size_t n, char close, bool last)
{
    const char *end = n > 1 ? memchr(p + 1, close, n - 1) : NULL;
    return end ? (size_t)(end - p) + 1 : last ? n : 0;
}

static size_t block_comment(const char *p, size_t n, bool last)
{
    const char *end = n >= 4 ? memmem(p + 2, n - 2, "*/", 2) : NULL;
    return end ? (size_t)(end - p) + 2 : last ? n : 0;
}

static size_t run_of(const char *p, size_t n, bool last, bool (*belongs)(char))
{
    size_t i = 1;
    while (i < n && belongs(p[i]))
        i++;
    return i < n || last ? i : 0;
}

static bool space_char(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The token at p; returns its length, 0 when its end is not there yet. */
static size_t next_token(const char *p, size_t n, bool last, token_kind *kind)
{
    *kind = TOKEN_OTHER;
    switch (p[0]) {
    case '\'':
    case '"':
    case '`':
        return quoted(p, n, p[0], last);
    case '[':
        return quoted(p, n, ']', last);
    case ';':
        *kind = TOKEN_SEMI;
        return 1;
    case '-':
    case '/':
        if (n == 1 && !last)
            return 0;
        if (n > 1 && p[0] == '-' && p[1] == '-') {
            *kind = TOKEN_SPACE;
            return quoted(p, n, '\n', last);
        }
        if (n > 1 && p[0] == '/' && p[1] == '*') {
            *kind = TOKEN_SPACE;
            return block_comment(p, n, last);
        }
        return 1;
    }
    if (space_char(p[0])) {
        *kind = TOKEN_SPACE;
        return run_of(p, n, true, space_char);
    }
    if (word_char(p[0])) {
        *kind = TOKEN_WORD;
        return run_of(p, n, last, word_char);
    }
    return 1;
}

/* ---- statements -------------------------------------------------------------------------------
 */

static bool is_word(const char *p, size_t n, const char *word)
{
    return strlen(word) == n && strncasecmp(p, word, n) == 0;
}

/* Notes what the word means for the transaction: it is one of the first three. */
static void classify(sql_split *s, const char *p, size_t n)
{
    if (s->words == 0) {
        s->kind = is_word(p, n, "BEGIN")                            ? SQL_BEGIN
                  : is_word(p, n, "COMMIT") || is_word(p, n, "END") ? SQL_COMMIT
                  : is_word(p, n, "ROLLBACK")                       ? SQL_ROLLBACK
                                                                    : SQL_OTHER;
    } else if (s->kind == SQL_ROLLBACK && is_word(p, n, "TO")) {
        s->kind = SQL_OTHER; /* ROLLBACK [TRANSACTION] TO savepoint */
    }
}

static void take_word(sql_split *s, const char *p, size_t n)
{
    switch (s->state) {
    case SPLIT_START:
        if (is_word(p, n, "CREATE"))
            s->state = SPLIT_CREATE;
        else if (!is_word(p, n, "EXPLAIN") && !is_word(p, n, "QUERY") && !is_word(p, n, "PLAN"))
            s->state = SPLIT_PLAIN;
        break;
    case SPLIT_CREATE:
        if (is_word(p, n, "TRIGGER"))
            s->state = SPLIT_TRIGGER;
        else if (!is_word(p, n, "TEMP") && !is_word(p, n, "TEMPORARY"))
            s->state = SPLIT_PLAIN;
        break;
    case SPLIT_BODY_SEMI:
        s->state = is_word(p, n, "END") ? SPLIT_BODY_END : SPLIT_TRIGGER;
        break;
    case SPLIT_BODY_END:
        s->state = SPLIT_TRIGGER;
        break;
    case SPLIT_PLAIN:
    case SPLIT_TRIGGER:
        break;
    }
}

/* Something that is neither space, word nor ';'. */
static void take_other(sql_split *s)
{
    if (s->state == SPLIT_START || s->state == SPLIT_CREATE)
        s->state = SPLIT_PLAIN;
    else if (s->state != SPLIT_PLAIN)
        s->state = SPLIT_TRIGGER;
}

/* True when this ';' ends the statement. */
static bool take_semi(sql_split *s)
{
    if (s->state == SPLIT_TRIGGER || s->state == SPLIT_BODY_SEMI) {
        s->state = SPLIT_BODY_SEMI;
        return false;
    }
    return true;
}

static void take_token(sql_split *s, token_kind kind, const char *p, size_t n)
{
    if (s->words == 0) {
        s->start = s->at;
        s->start_line = s->line;
    }
    if (kind == TOKEN_WORD && s->words < 3)
        classify(s, p, n);
    if (s->words < 3)
        s->words++;
    if (kind == TOKEN_WORD)
        take_word(s, p, n);
    else if (kind == TOKEN_OTHER)
        take_other(s);
    s->end = s->at + n;
}

/* Gives out text[start, end) when something stands there, and begins anew at `at`. */
static bool give(sql_split *s, sql_statement *out)
{
    bool some = s->words > 0;
    if (some) {
        buf_clear(&s->current);
        buf_add(&s->current, s->text.data + s->start, s->end - s->start);
        *out = (sql_statement){.text = buf_cstr(&s->current),
                               .n = s->current.len,
                               .line = s->start_line,
                               .kind = s->kind};
    }
    s->start = s->end = s->at;
    s->words = 0;
    s->kind = SQL_OTHER;
    s->state = SPLIT_START;
    return some;
}

static void pass(sql_split *s, const char *p, size_t n)
{
    const char *to = p + n;
    while ((p = memchr(p, '\n', (size_t)(to - p)))) {
        s->line++;
        p++;
    }
    s->at += n;
    if (s->words == 0)
        s->start = s->at;
}

bool sql_split_next(sql_split *s, bool last, sql_statement *out)
{
    while (s->at < s->text.len) {
        token_kind kind;
        const char *p = s->text.data + s->at;
        size_t n = next_token(p, s->text.len - s->at, last, &kind);
        if (n == 0)
            return false;
        if (kind == TOKEN_SEMI && take_semi(s)) {
            pass(s, p, n);
            if (give(s, out))
                return true;
            continue;
        }
        if (kind == TOKEN_SEMI)
            s->end = s->at + n;
        else if (kind != TOKEN_SPACE)
            take_token(s, kind, p, n);
        pass(s, p, n);
    }
    return last && give(s, out);
}
