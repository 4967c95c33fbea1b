#include "cli/resource.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/scan.h"
#include "cli/text.h"
#include "json/read.h"

enum { MAX_DOCUMENT = 1 << 20, BLOCK = 16384 };

bool resource_send(client *c, const char *method, const char *list, const char *name,
                   const buf *body, buf *answer, error *e)
{
    buf path = BUF_INIT;
    buf_adds(&path, list);
    if (name) {
        buf_addc(&path, '/');
        rest_escape(&path, name);
    }
    bool good = rest_send(c->rest,
                          &(rest_request){.method = method,
                                          .path = buf_cstr(&path),
                                          .body = body ? body->data : NULL,
                                          .body_len = body ? body->len : 0,
                                          .timeout_ms = c->common->timeout_ms},
                          answer, e);
    buf_free(&path);
    return good;
}

int resource_remove(client *c, const char *what, const char *list, char **names)
{
    int status = 0;
    error e;
    for (; *names; names++) {
        if (!resource_send(c, "DELETE", list, *names, NULL, NULL, &e)) {
            status = client_fail(c, &e);
        } else if (!c->common->quiet) {
            buf_addf(&c->out.text, "%s ", what);
            text_printable(&c->out.text, *names, strlen(*names));
            buf_adds(&c->out.text, " is removed\n");
        }
    }
    return output_flush(&c->out) ? status : EXIT_OUTPUT_FAILED;
}

/* All that a descriptor gives. */
static bool read_whole(int fd, buf *out)
{
    out->limit = MAX_DOCUMENT;
    for (;;) {
        char *to = buf_reserve(out, BLOCK);
        ssize_t n = to ? read(fd, to, BLOCK) : -1;
        if (n <= 0)
            return n == 0 || (!to && out->failed);
        out->len += (size_t)n;
    }
}

bool resource_read(const char *path, buf *out, error *e)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    bool good = (fd >= 0 && read_whole(fd, out)) ||
                error_set(e, ERR_INVALID_MESSAGE, "cannot read %.200s: %s", path, strerror(errno));
    if (fd >= 0 && !standard)
        close(fd);
    if (good && out->failed)
        return error_set(e, ERR_INVALID_MESSAGE, "%.200s is larger than %d bytes", path,
                         MAX_DOCUMENT);
    json_t *tree = good ? json_read_text(out->data ? out->data : "", out->len, e) : NULL;
    if (tree && !json_is_object(tree))
        error_set(e, ERR_INVALID_MESSAGE, "%.200s is %s, not an object", path, json_kind(tree));
    good = tree && json_is_object(tree);
    json_decref(tree);
    return good;
}
