/* How long events take from their time, by the exchange's clock, to their receipt, by ours.
 *
 * Counted as they come, at a few instructions each: sums for good, and a histogram for the note
 * that is stored of a stream each hour. Its slots are an eighth of an octave wide, from 1.024 us to
 * 69 s: so a percentile is up to an eighth above the true one, never below; least and greatest are
 * exact. The two clocks' difference is in each delay. One below 0, an early event, counts as 0, and
 * is counted by itself. */
#ifndef RECORD_DELAY_H
#define RECORD_DELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "codec/note.h"

#define DELAY_FIRST_BIT 10
#define DELAY_END_BIT 36
#define DELAY_STEPS 8 /* slots of an octave */
#define DELAY_SLOTS (2 + (DELAY_END_BIT - DELAY_FIRST_BIT) * DELAY_STEPS)
#define DELAY_BOUNDS 14

/* Upper bounds of a histogram's buckets, in ms, ascending; beyond the last one is one more. The
 * first bucket, 0, has the early events. */
extern const uint32_t delay_bounds_ms[DELAY_BOUNDS];

/* Since the start. */
struct delay_sum {
        uint64_t count, early, sum_us;
};

/* The same, of many streams. */
struct delay_histogram {
        struct delay_sum sum;
        uint64_t counts[DELAY_BOUNDS + 1]; /* of each bucket alone */
};

/* Since the last note. */
struct delay_hour {
        int64_t from_ns; /* receipt of the first one */
        int64_t min_ns, max_ns;
        uint64_t count, early;
        uint32_t counts[DELAY_SLOTS]; /* without the early ones */
};

struct delays {
        struct delay_sum sum;
        struct delay_hour hour;
};

/* false: one of the times is none, nothing was counted. A delay counts as a day at most. */
bool delay_count(struct delays *delays, struct delay_histogram *histogram, int64_t event_time_ns,
    int64_t receive_time_ns);

/* What there was since the last one, which begins anew; false: no event. The stream is named by
 * who stores it. */
bool delay_take_note(struct delays *delays, struct note_record *ret_note);

#endif
