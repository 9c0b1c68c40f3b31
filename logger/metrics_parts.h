/* The parts of what metrics_write tells, a file each. */
#ifndef LOGGER_METRICS_PARTS_H
#define LOGGER_METRICS_PARTS_H

#include "logger/exposition.h"

struct app;

/* metrics_exchange.c: what has a label exchange */
void metrics_exchanges(struct exposition *out, struct app *app);
/* metrics_stream.c: what has labels exchange, symbol and kind */
void metrics_streams(struct exposition *out, struct app *app);
/* metrics_process.c: what the system knows of this process, by the names that all programs use */
void metrics_process(struct exposition *out, int64_t started_wall_ns);

#endif
