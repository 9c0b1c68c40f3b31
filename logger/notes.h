/* Remarks that are stored beside the record: what the system knows of the clock, and how long the
 * events of each stream took to come. */
#ifndef LOGGER_NOTES_H
#define LOGGER_NOTES_H

#include "base/clock.h"
#include "codec/note.h"

struct app;
struct tracked;

/* Of the clock: at the start, when its state changes, every ten minutes. Of all streams: as the
 * hour turns (UTC). */
void notes_second(struct app *app);

/* Of a stream that ends, of all that do: what came since the last note. */
void notes_end(struct tracked *tracked);
void notes_end_all(struct app *app);

struct note_record note_of_clock(const struct clock_state *state);
struct clock_state clock_of_note(const struct note_record *note);

#endif
