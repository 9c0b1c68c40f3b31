#include "record/latency.h"

#include "base/clock.h"

const uint32_t latency_bounds_ms[LATENCY_BOUNDS] = {
    5, 10, 25, 50, 100, 250, 500, 750, 1000, 1500, 2500, 5000, 10000};

static unsigned bucket_of(int64_t latency_ns)
{
        unsigned bucket = 0;
        while (bucket < LATENCY_BOUNDS && latency_ns > latency_bounds_ms[bucket] * NS_PER_MS)
                bucket++;
        return bucket;
}

/* Between two clock readings that a step of the clock may have torn apart. */
static int64_t age_within_a_day(int64_t from_ns, int64_t to_ns)
{
        int64_t age_ns;
        if (__builtin_sub_overflow(to_ns, from_ns, &age_ns) || age_ns > NS_PER_DAY || age_ns < 0)
                return to_ns > from_ns ? NS_PER_DAY : 0;
        return age_ns;
}

void latency_take(struct latency *latency, const struct latency_slots *slots, int64_t durable_ns)
{
        if (!slots->count)
                return;
        int64_t age_ns = age_within_a_day(slots->begin_ns, durable_ns);
        uint64_t sum_us = (uint64_t)(age_ns / NS_PER_US) * slots->count;
        uint64_t received_us = slots->sum_ns / NS_PER_US;
        latency->sum_us += sum_us > received_us ? sum_us - received_us : 0;
        for (int64_t i = 0; i < LATENCY_SLOTS; i++) {
                if (slots->counts[i])
                        latency->counts[bucket_of(age_ns - (i << LATENCY_SLOT_SHIFT))] +=
                            slots->counts[i];
        }
}

uint64_t latency_count(const struct latency *latency)
{
        uint64_t count = 0;
        for (unsigned i = 0; i <= LATENCY_BOUNDS; i++)
                count += latency->counts[i];
        return count;
}
