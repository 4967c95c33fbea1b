/* What a command that talks to a daemon over REST starts with: its output, the daemon's address,
 * the connection. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "cli/endpoint.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/rest.h"

enum { EXIT_BAD_USE = 2 };

typedef struct client {
    const char *command; /* "query", for messages */
    const cli_options *common;
    output out;
    endpoint ep;
    rest *rest; /* NULL until client_connect */
} client;

/* Takes over Ctrl-C, finds the daemon's address. Returns -1 to go on, or the exit status after a
 * message. client_close in either case. */
int client_open(client *c, const char *command, const cli_options *common);
/* Starts the REST client, with the token of a saved login where there is one and none was given;
 * the same return value. */
int client_connect(client *c);
/* The same without any token: for those who are about to get one. */
int client_connect_as_stranger(client *c);
void client_close(client *c);

/* Prints the error; returns its exit status, 130 after Ctrl-C (then only with --verbose). */
int client_fail(const client *c, const error *e);

#endif
