/* What a command writes: results to standard output, notices to standard error.
 *
 * Results collect in a buf and go out in large writes when the command says so. A reader that has
 * gone (`rustydb query ... | head`) ends the process quietly, by SIGPIPE, as it ends other tools.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "cli/options.h"

enum { EXIT_OUTPUT_FAILED = 1 }; /* standard output cannot be written: disk full, for instance */

typedef struct output {
    buf text;       /* not yet written */
    bool terminal;  /* standard output is one */
    bool color;     /* colours may be used on standard output */
    bool utf8;      /* the locale's encoding is UTF-8, so lines may be drawn */
    bool err_color; /* and on standard error */
    bool notices;  /* standard error takes notices: it is a terminal or --verbose, and no --quiet */
    bool progress; /* standard error is a terminal that may be redrawn */
    bool failed;   /* writing failed; a message was printed */
} output;

void output_init(output *o, const cli_options *common);
/* Writes what has collected. False when that is impossible, after a message on standard error; the
 * command then ends with EXIT_OUTPUT_FAILED. Does not return when the reader has gone. */
bool output_flush(output *o);
/* Ends the process quietly when nobody reads standard output any more. For commands that wait
 * long without writing. */
void output_check_reader(void);
void output_free(output *o);

/* One line on standard error. notice: only where it is wanted (see `notices`); say: unless
 * --quiet. */
void output_notice(const output *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Where an error happened in SQL that was sent. */
typedef struct output_place {
    const char *sql;  /* the statement; NULL: not about SQL */
    int64_t line;     /* of the input, from 1, on which it begins */
    int number;       /* of the statement in the input, 0: it is the only one */
    const char *file; /* the input's name, NULL for the command line */
} output_place;

/* An error for people on standard error: "rustydb COMMAND: message (CODE)" (no code where
 * the daemon has no part in it), the line of SQL with a
 * caret under the place (where both are known; place may be NULL), the hint. Returns the exit
 * status that goes with the code. */
int output_error(const output *o, const char *command, const error *e, const output_place *place);

#endif
