/* How long events take from their receipt until they are on disk, as a histogram.
 *
 * The loop only counts an event into a slot by its receive time, in the batch that it goes into;
 * the writer turns the slots into latencies once the batch is committed. A slot is 2 ms wide, so an
 * event counts as up to 2 ms older than it is; the sum is exact. */
#ifndef RECORD_LATENCY_H
#define RECORD_LATENCY_H

#include <stdint.h>

#define LATENCY_BOUNDS 13
#define LATENCY_SLOTS 2048
#define LATENCY_SLOT_SHIFT 21
#define LATENCY_SPAN_NS ((int64_t)LATENCY_SLOTS << LATENCY_SLOT_SHIFT) /* 4.3 s */
#define LATENCY_BEFORE_NS INT64_C(2147000000) /* of it before the first event; whole ms */

/* Upper bounds of the histogram's buckets, in ms, ascending; beyond the last one is one more. */
extern const uint32_t latency_bounds_ms[LATENCY_BOUNDS];

struct latency {
        uint64_t counts[LATENCY_BOUNDS + 1]; /* of each bucket alone */
        uint64_t sum_us;
};

/* Events that are not on disk yet. All zero is none. */
struct latency_slots {
        int64_t begin_ns;       /* of the first slot */
        uint64_t count, sum_ns; /* of the receive times, from begin_ns on */
        uint32_t counts[LATENCY_SLOTS];
};

/* An event received then; one outside the slots counts in the nearest. */
static inline void latency_note(struct latency_slots *slots, int64_t receive_time_ns)
{
        if (!slots->count++)
                slots->begin_ns = (int64_t)((uint64_t)receive_time_ns - LATENCY_BEFORE_NS);
        int64_t at_ns = (int64_t)((uint64_t)receive_time_ns - (uint64_t)slots->begin_ns);
        if (at_ns < 0)
                at_ns = 0;
        if (at_ns >= LATENCY_SPAN_NS)
                at_ns = LATENCY_SPAN_NS - 1;
        slots->counts[at_ns >> LATENCY_SLOT_SHIFT]++;
        slots->sum_ns += (uint64_t)at_ns;
}

/* They are on disk since @durable_ns, by the clock of the receive times: add them to @latency.
 * Latencies count as 0 at least and as a day at most. */
void latency_take(struct latency *latency, const struct latency_slots *slots, int64_t durable_ns);

/* How many events the histogram has. */
uint64_t latency_count(const struct latency *latency);

#endif
