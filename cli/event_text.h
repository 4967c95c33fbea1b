/* An event as a line for people. */
#ifndef CLI_EVENT_TEXT_H
#define CLI_EVENT_TEXT_H

#include <stdbool.h>

#include "base/buf.h"
#include "cli/scan.h"

/* Appends, without a line end:
 *   LSN TIME OP TABLE column=value ...        (an update: column=old->new for what changed)
 *   TIME channel:NAME [EVENT] MESSAGE
 * of a live query several, one per row:
 *   LSN result N rows             then the rows, "= VALUE VALUE ..."
 *   LSN diff N rows               then "- KEY" or "- ROW", "~ ROW" and "+ ROW"
 * of a topic of the daemon's own:
 *   TIME metrics NAME=VALUE ...   or   TIME TOPIC EVENT member=value ...
 * Values are JSON, except that control characters of any kind are shown, not sent. */
void event_text(buf *out, scan_text payload, bool color);

#endif
