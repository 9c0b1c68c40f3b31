/* A store made again from a raw capture: the same loop, on what came then. */
#ifndef LOGGER_REDERIVE_H
#define LOGGER_REDERIVE_H

#include "base/error.h"
#include "base/settings.h"

struct rederive_stats {
        uint64_t runs, cut_runs; /* ... that did not end in order */
        uint64_t lines, bytes, lost;
        uint64_t unasked; /* answers to what this program did not ask for */
        uint64_t unknown; /* lines of connections that nobody has */
};

/* Every run in @folder, one after the other, into the store that @settings names; the settings of
 * each run are its own. A run that did not end in order ends as by a kill. ERR_NOT_FOUND no
 * capture, ERR_CORRUPT (what came before it is made), ERR_VERSION, ERR_IO. */
int rederive(struct settings *settings, const char *folder, struct rederive_stats *ret_stats,
    struct error *error);

#endif
