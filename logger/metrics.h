/* What a running logger tells of itself over HTTP: numbers for Prometheus, and whether it is well.
 *
 * Everything is read on the loop's thread; docs/monitoring.md says what each number means. */
#ifndef LOGGER_METRICS_H
#define LOGGER_METRICS_H

#include <stdbool.h>

#include "base/bytes.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_SIZE (64u << 20) /* of the text; a stream has about a kilobyte */

struct app;

/* Append all numbers. */
void metrics_write(struct app *app, struct buffer *ret_text);

/* Can the store be written, and has every wanted book been live, or was it refused? The text is a
 * line that says how many are live now, and which are not. */
bool metrics_ready(const struct app *app, struct buffer *ret_text);

/* Does what comes reach the store? The text is a line that says why not. */
bool metrics_healthy(const struct app *app, struct buffer *ret_text);

#endif
