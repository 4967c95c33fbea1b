#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/text.h"

enum { REDRAW_US = 100000, BAR = 30 };

void progress_start(progress *p, const output *o, const char *label, int64_t total)
{
    *p = (progress){.shown = o->progress,
                    .utf8 = o->utf8,
                    .label = label,
                    .total = total,
                    .started_us = clock_mono_us()};
}

static void add_bytes(buf *out, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    while (bytes >= 1024 && unit < 4) {
        bytes /= 1024;
        unit++;
    }
    buf_addf(out, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

void progress_line(const progress *p, int64_t elapsed_us, int columns, buf *out)
{
    buf_addf(out, "%.40s ", p->label);
    if (p->total > 0 && columns >= 60) {
        int full = (int)((double)p->done * BAR / (double)p->total);
        full = full > BAR ? BAR : full;
        text_repeat(out, p->utf8 ? "█" : "#", full);
        text_repeat(out, p->utf8 ? "░" : ".", BAR - full);
        buf_addf(out, " %3d%% ", (int)((double)p->done * 100 / (double)p->total));
    }
    add_bytes(out, (double)p->done);
    if (elapsed_us > 0) {
        buf_adds(out, ", ");
        add_bytes(out, (double)p->done * 1e6 / (double)elapsed_us);
        buf_adds(out, "/s");
    }
}

void progress_add(progress *p, int64_t n)
{
    p->done += n;
    int64_t now = clock_mono_us();
    if (!p->shown || now - p->drawn_us < REDRAW_US)
        return;
    struct winsize size = {0};
    buf line = BUF_INIT;
    ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
    buf_adds(&line, "\r\033[K");
    progress_line(p, now - p->started_us, size.ws_col ? size.ws_col : 80, &line);
    fwrite(line.data, 1, line.len, stderr);
    buf_free(&line);
    p->drawn_us = now;
}

void progress_end(progress *p)
{
    if (p->shown && p->drawn_us)
        fputs("\r\033[K", stderr);
    p->shown = false;
}
