/* The gaps since the start, the newest GAPS_KEPT of them: what obmanage shows. The record has all.
 */
#ifndef LOGGER_GAPS_H
#define LOGGER_GAPS_H

#include "logger/app.h"

#define GAPS_KEPT 1024

struct listed_gap {
        const struct tracked *tracked; /* while it may still be open; else NULL */
        const struct venue *venue;
        char symbol[LIMIT_SYMBOL_SIZE + 1];
        uint8_t kind;
        struct gap_record gap;
};

/* The record of that stream may have a new gap. */
void gaps_note(struct tracked *tracked);
/* The stream ends: its last gap stays as it is. */
void gaps_forget(const struct tracked *tracked);

/* The @index-th oldest that is kept, as it is now, or NULL. */
const struct listed_gap *gaps_at(struct app *app, size_t index);
void gaps_free(struct app *app);

#endif
