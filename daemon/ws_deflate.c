#include "daemon/ws_deflate.h"
#include "base/mem.h"
#include "daemon/ws.h"
#include "wire/pmd.h"

/* What the answer repeats of an accepted offer. */
static const struct lws_ext_options repeated[] = {
    {"server_no_context_takeover", EXTARG_NONE},
    {"client_no_context_takeover", EXTARG_NONE},
    {"server_max_window_bits=12", EXTARG_NONE},
    {"server_max_window_bits=13", EXTARG_NONE},
    {"server_max_window_bits=14", EXTARG_NONE},
    {"server_max_window_bits=15", EXTARG_NONE},
    {NULL, EXTARG_NONE},
};

/* 0 everywhere: nothing was done to the payload. */
static int on_extension(struct lws_context *ctx, const struct lws_extension *ext, struct lws *wsi,
                        enum lws_extension_callback_reasons reason, void *user, void *in,
                        size_t len)
{
    (void)ctx;
    (void)ext;
    (void)wsi;
    (void)user;
    (void)len;
    if (reason == LWS_EXT_CB_CONSTRUCT && in)
        *(const struct lws_ext_options **)in = repeated;
    return 0;
}

const struct lws_extension ws_extensions[] = {
    {"permessage-deflate", on_extension, "permessage-deflate"},
    {NULL, NULL, NULL},
};

bool ws_deflate_accept(conn *c)
{
    char header[256];
    pmd_offer offer;
    ws *s = c->ws;
    int index = s->offers_seen++;
    if (lws_hdr_copy(c->wsi, header, sizeof header, WSI_TOKEN_EXTENSIONS) <= 0 ||
        !pmd_choose(header, &offer) || offer.index != index)
        return false;
    s->inflater = xalloc(sizeof *s->inflater);
    s->inflater->no_takeover = offer.client_no_takeover;
    s->deflate_bits = PMD_WINDOW_BITS;
    return true;
}
