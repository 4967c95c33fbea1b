#include "daemon/framing.h"

#include <string.h>

bool http_framing_hidden(struct lws *wsi)
{
    /* lws knows others' headers by the text before the colon, and with it. */
    static const char *const hidden[] = {
        "content-length :",    "content-length\t:",    "content-length  :",
        "transfer-encoding :", "transfer-encoding\t:", "transfer-encoding  :",
    };
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        if (lws_hdr_custom_length(wsi, hidden[i], (int)strlen(hidden[i])) >= 0)
            return true;
    }
    return false;
}
