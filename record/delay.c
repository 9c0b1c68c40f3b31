#include "record/delay.h"

#include "base/clock.h"

const uint32_t delay_bounds_ms[DELAY_BOUNDS] = {
    0, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10000, 60000};

static unsigned slot_of(uint64_t delay_ns)
{
        if (delay_ns < UINT64_C(1) << DELAY_FIRST_BIT)
                return 0;
        if (delay_ns >= UINT64_C(1) << DELAY_END_BIT)
                return DELAY_SLOTS - 1;
        unsigned top = 63 - (unsigned)__builtin_clzll(delay_ns);
        return 1 + (top - DELAY_FIRST_BIT) * DELAY_STEPS +
            (unsigned)(delay_ns >> (top - 3)) % DELAY_STEPS;
}

/* The greatest delay that counts there; the last slot has all that are beyond. */
static int64_t slot_end_ns(unsigned slot)
{
        if (!slot)
                return (INT64_C(1) << DELAY_FIRST_BIT) - 1;
        unsigned top = DELAY_FIRST_BIT + (slot - 1) / DELAY_STEPS;
        int64_t step = DELAY_STEPS + (slot - 1) % DELAY_STEPS;
        return slot == DELAY_SLOTS - 1 ? INT64_MAX : ((step + 1) << (top - 3)) - 1;
}

static unsigned bucket_of(int64_t delay_ns)
{
        unsigned bucket = 0;
        while (bucket < DELAY_BOUNDS && delay_ns > delay_bounds_ms[bucket] * NS_PER_MS)
                bucket++;
        return bucket;
}

static void add_to_sum(struct delay_sum *sum, int64_t delay_ns)
{
        sum->count++;
        if (delay_ns < 0)
                sum->early++;
        else
                sum->sum_us += (uint64_t)(delay_ns / NS_PER_US);
}

static void add_to_hour(struct delay_hour *hour, int64_t delay_ns, int64_t receive_time_ns)
{
        if (!hour->count++) {
                hour->from_ns = receive_time_ns;
                hour->min_ns = hour->max_ns = delay_ns;
        }
        if (delay_ns < hour->min_ns)
                hour->min_ns = delay_ns;
        if (delay_ns > hour->max_ns)
                hour->max_ns = delay_ns;
        if (delay_ns < 0)
                hour->early++;
        else
                hour->counts[slot_of((uint64_t)delay_ns)]++;
}

bool delay_count(struct delays *delays, struct delay_histogram *histogram, int64_t event_time_ns,
    int64_t receive_time_ns)
{
        if (!time_is_plausible(event_time_ns) || !time_is_plausible(receive_time_ns))
                return false;
        int64_t delay_ns = receive_time_ns - event_time_ns;
        if (delay_ns > NS_PER_DAY)
                delay_ns = NS_PER_DAY;
        if (delay_ns < -NS_PER_DAY)
                delay_ns = -NS_PER_DAY;
        add_to_sum(&delays->sum, delay_ns);
        add_to_sum(&histogram->sum, delay_ns);
        histogram->counts[bucket_of(delay_ns)]++;
        add_to_hour(&delays->hour, delay_ns, receive_time_ns);
        return true;
}

/* So many of a hundred are not longer. */
static int64_t percentile(const struct delay_hour *hour, unsigned percent)
{
        uint64_t rank = hour->count / 100 * percent + (hour->count % 100 * percent + 99) / 100;
        uint64_t seen = hour->early;
        int64_t found_ns = 0;
        for (unsigned slot = 0; seen < rank && slot < DELAY_SLOTS; slot++) {
                seen += hour->counts[slot];
                found_ns = slot_end_ns(slot);
        }
        return found_ns < hour->max_ns ? found_ns : hour->max_ns;
}

bool delay_take_note(struct delays *delays, struct note_record *ret_note)
{
        struct delay_hour *hour = &delays->hour;
        if (!hour->count)
                return false;
        *ret_note = (struct note_record){.kind = NOTE_LATENCY,
            .from_ns = hour->from_ns,
            .count = (int64_t)hour->count,
            .early = (int64_t)hour->early,
            .min_ns = hour->min_ns,
            .p50_ns = percentile(hour, 50),
            .p99_ns = percentile(hour, 99),
            .max_ns = hour->max_ns};
        *hour = (struct delay_hour){0};
        return true;
}
