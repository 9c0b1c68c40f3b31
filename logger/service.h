/* oblogger as a service: readiness, status line, watchdog, and settings read anew while it runs.
 *
 * The service manager hears of the loop what the loop did: ready is told from its first turn of
 * the second, and the watchdog is fed from those that follow. */
#ifndef LOGGER_SERVICE_H
#define LOGGER_SERVICE_H

#include <stdbool.h>

struct app;

/* Before the first turn. @env_file: of --env-file, or NULL; @reload: set by whoever wants the
 * settings read anew. Both are borrowed until service_stopping. */
void service_started(struct app *app, const char *env_file, bool volatile *reload);

/* Each second of the loop; does nothing for an app that was not started so. */
void service_second(struct app *app);

/* Take over a setting of a reload that was captured; others than those that decide what is recorded
 * are passed over. ERR_ of settings_override and settings_check. */
int service_take_setting(struct app *app, const char *name, const char *value);

void service_stopping(struct app *app);

#endif
