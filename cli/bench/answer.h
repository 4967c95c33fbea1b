/* Reads HTTP/1.1 answers (and, for comparison, redis's replies) as bytes arrive, split anywhere:
 * status, framing of the body (length, chunks, until close), and the two headers the generator
 * needs. The body is not kept: it is counted, and shown in pieces to whoever asks. */
#ifndef BENCH_ANSWER_H
#define BENCH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_ANSWER_LINE 160 /* longest start of a line that is looked at; the rest is skipped */

typedef enum bench_answer_state {
    ANSWER_STATUS,     /* in the status line */
    ANSWER_REPLY,      /* in the first line of a redis reply */
    ANSWER_HEADER,     /* in the header lines */
    ANSWER_BODY,       /* left bytes of body to come */
    ANSWER_UNTIL_END,  /* body until the connection closes */
    ANSWER_CHUNK_SIZE, /* in a chunk's size line */
    ANSWER_CHUNK,      /* left bytes of the chunk to come */
    ANSWER_CHUNK_END,  /* the empty line behind a chunk */
    ANSWER_TRAILER,    /* lines behind the last chunk */
    ANSWER_DONE,
    ANSWER_BROKEN /* not HTTP: nothing more is read */
} bench_answer_state;

typedef struct bench_answer {
    bool redis; /* replies of RESP2 are read; an error has the status 500. Kept from answer to
                   answer */
    bench_answer_state state;
    int status;          /* 0 until known */
    bool closing;        /* the server ends the connection after this answer */
    bool chunked;        /* Transfer-Encoding: chunked */
    bool has_length;     /* Content-Length was given; left holds it */
    int64_t left;        /* bytes of body or chunk still to come */
    uint64_t body_bytes; /* of body so far */
    char accept[32];     /* Sec-WebSocket-Accept, "" when absent */
    /* Shown the body's pieces; NULL: nobody looks. Kept from answer to answer. */
    void (*body)(void *arg, const char *p, size_t n);
    void *arg;
    char line[BENCH_ANSWER_LINE]; /* a line that began in an earlier piece */
    size_t line_len;              /* bytes of it so far, also those beyond what is kept */
} bench_answer;

/* For the next answer on the same connection. */
void bench_answer_reset(bench_answer *a);
/* Reads up to the end of one answer; returns how many of the n bytes belong to it. */
size_t bench_answer_feed(bench_answer *a, const char *p, size_t n);
/* The connection has closed: true when that is how this answer ends. */
bool bench_answer_end(bench_answer *a);

#endif
