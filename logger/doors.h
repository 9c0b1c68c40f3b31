/* Where people and programs reach the running logger: obmanage's socket and port, and the pages
 * /metrics, /healthz, /readyz. */
#ifndef LOGGER_DOORS_H
#define LOGGER_DOORS_H

#include "base/error.h"
#include "base/settings.h"

struct app;

/* Are the settings of the doors such that they may be opened? ERR_USAGE. */
int doors_check(const struct settings *settings, struct error *error);

int doors_open(struct app *app, struct error *error);
/* Take what was asked, give what is known. */
void doors_tick(struct app *app);
void doors_close(struct app *app);

#endif
