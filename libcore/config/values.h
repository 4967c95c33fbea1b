/* Inside config: from the text of a setting to its value. Any thread. */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include <stdbool.h>

#include "config/config.h"

/* Sets the member of setting `id` from `text`, which must live as long as the config (texts are
 * borrowed). False with the reason alone in e->message ("\"x\" is no ..."). */
bool values_assign(config *c, int id, const char *text, error *e);

#endif
