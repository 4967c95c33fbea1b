#include "cli/secret_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* Up to the end of the line, or of what there is. */
static ssize_t read_line(int fd, char out[SECRET_MAX])
{
    size_t n = 0;
    while (n < SECRET_MAX) {
        ssize_t got = read(fd, out + n, 1);
        if (got < 0)
            return -1;
        if (got == 0 || out[n] == '\n')
            break;
        n++;
    }
    if (n > 0 && n < SECRET_MAX && out[n - 1] == '\r')
        n--;
    return (ssize_t)n;
}

/* Ends the line that was read with a NUL, or says what is wrong with it. */
static bool take_line(ssize_t n, char out[SECRET_MAX], const char *from, error *e)
{
    if (n > 0 && n < SECRET_MAX && !memchr(out, '\0', (size_t)n)) {
        out[n] = '\0';
        return true;
    }
    explicit_bzero(out, SECRET_MAX);
    if (n < 0)
        return error_set(e, ERR_INVALID_MESSAGE, "cannot read %.200s: %s", from, strerror(errno));
    return error_set(e, ERR_INVALID_MESSAGE, n == 0 ? "%.200s is empty" : "%.200s is no secret",
                     from);
}

bool secret_from_file(const char *path, char out[SECRET_MAX], error *e)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read_line(fd, out) : -1;
    bool good = take_line(n, out, standard ? "standard input" : path, e);
    if (fd >= 0 && !standard)
        close(fd);
    return good;
}

static bool read_unseen(int tty, const char *prompt, char out[SECRET_MAX], error *e)
{
    struct termios before, quiet;
    if (tcgetattr(tty, &before) != 0)
        return error_set(e, ERR_INVALID_MESSAGE, "the terminal cannot be asked: %s",
                         strerror(errno));
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    dprintf(tty, "%s", prompt);
    tcsetattr(tty, TCSAFLUSH, &quiet);
    ssize_t n = read_line(tty, out);
    int why = errno;
    tcsetattr(tty, TCSAFLUSH, &before);
    dprintf(tty, "\n");
    if (n < 0 && why == EINTR)
        return error_set(e, ERR_CANCELLED, "interrupted");
    errno = why;
    return take_line(n, out, "what was typed", e);
}

bool secret_ask(const char *prompt, const char *instead, char out[SECRET_MAX], error *e)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (tty < 0) {
        error_set(e, ERR_INVALID_MESSAGE, "there is no terminal to ask for a secret");
        return error_hint(e, "give %s FILE, where - is standard input", instead);
    }
    bool good = read_unseen(tty, prompt, out, e);
    close(tty);
    return good;
}

bool secret_ask_new(const char *what, const char *instead, char out[SECRET_MAX], error *e)
{
    char prompt[128], again[SECRET_MAX];
    snprintf(prompt, sizeof prompt, "%s: ", what);
    if (!secret_ask(prompt, instead, out, e))
        return false;
    snprintf(prompt, sizeof prompt, "%s, once more: ", what);
    bool good = secret_ask(prompt, instead, again, e);
    if (good && strcmp(out, again) != 0)
        good = error_set(e, ERR_INVALID_MESSAGE, "the two are not the same");
    explicit_bzero(again, sizeof again);
    if (!good)
        explicit_bzero(out, SECRET_MAX);
    return good;
}
