#include "codec/heads.h"

#include "base/error.h"
#include "base/limits.h"

static const int64_t unit_ns[UNITS] = {1000000, 1000, 1};

static int64_t delay_of(const struct heads *heads, int64_t event_time_ns, int64_t receive_time_ns)
{
        return heads->messages ? receive_time_ns : difference(receive_time_ns, event_time_ns);
}

void heads_begin(
    struct heads *heads, int64_t first_id, int64_t event_time_ns, int64_t receive_time_ns)
{
        heads->last_id = difference(first_id, 1);
        heads->event_time_ns = event_time_ns;
        heads->delay_ns = delay_of(heads, event_time_ns, receive_time_ns);
        heads->class = CLASS_OTHER;
        heads->time_unit = UNIT_MS;
        heads->delay_unit = heads->messages ? UNIT_MS : UNIT_US;
}

/* Both directions of everything below are one text: facts go in when writing, come out when
 * reading. */
struct head_facts {
        struct event *event;
        unsigned bits;
        unsigned time_unit, delay_unit;
        int64_t delay_ns;
        bool failed;
};

static unsigned unit_of(int64_t time_ns, unsigned unit)
{
        while (time_ns % unit_ns[unit])
                unit++;
        return unit;
}

static unsigned count_class(uint64_t count)
{
        unsigned class = count < 4 ? 0 : octave_of(count) - 1;
        return class < HEAD_CLASSES ? class : HEAD_CLASSES - 1;
}

static void find_facts(const struct heads *heads, struct head_facts *facts)
{
        const struct event *event = facts->event;
        facts->delay_ns = delay_of(heads, event->event_time_ns, event->receive_time_ns);
        facts->time_unit = unit_of(event->event_time_ns, heads->time_unit);
        facts->delay_unit = unit_of(facts->delay_ns, heads->delay_unit);
        if (event->flags)
                facts->bits |= HEAD_FLAGS;
        if (event->first_id != sum(heads->last_id, 1))
                facts->bits |= HEAD_JUMP;
        if (event->last_id == event->first_id && event_level_count(event) != 1)
                facts->bits |= HEAD_ONE_ID;
        if (event->event_time_ns < heads->event_time_ns)
                facts->bits |= HEAD_BACK;
        if (facts->time_unit != heads->time_unit || facts->delay_unit != heads->delay_unit)
                facts->bits |= HEAD_UNITS;
}

CODEC_INLINE void code_unusual(struct heads *heads, struct head_facts *facts, const bool decoding)
{
        struct column *column = &heads->columns[HEAD_UNUSUAL];
        struct event *event = facts->event;
        unsigned units = facts->time_unit * UNITS + facts->delay_unit;
        if (facts->bits & HEAD_UNITS)
                units = column_code(column, units, &facts->failed, decoding);
        facts->time_unit = units / UNITS % UNITS;
        facts->delay_unit = units % UNITS;
        facts->failed |= units >= UNITS * UNITS;
        uint64_t flags = event->flags;
        if (facts->bits & HEAD_FLAGS)
                flags = number_code(column, &heads->bits, flags, &facts->failed, decoding);
        facts->failed |= flags > UINT32_MAX;
        event->flags = (uint32_t)flags;
        int64_t next = sum(heads->last_id, 1), jump = difference(event->first_id, next);
        if (facts->bits & HEAD_JUMP)
                jump = signed_code(column, &heads->bits, jump, &facts->failed, decoding);
        if (decoding)
                event->first_id = facts->bits & HEAD_JUMP ? sum(next, jump) : next;
}

/* A time is counted in whole units from the time before, that one cut to a unit. */
CODEC_INLINE void code_times(struct heads *heads, struct head_facts *facts, const bool decoding)
{
        struct event *event = facts->event;
        int64_t unit = unit_ns[facts->time_unit], delay_unit = unit_ns[facts->delay_unit];
        int64_t before = heads->event_time_ns / unit, delay_before = heads->delay_ns / delay_unit;
        bool back = facts->bits & HEAD_BACK;
        uint64_t step = 0;
        int64_t delay = 0;
        if (!decoding) {
                int64_t time = event->event_time_ns / unit;
                step = (uint64_t)(back ? difference(before, time) : difference(time, before));
                delay = difference(facts->delay_ns / delay_unit, delay_before);
        }
        struct column *times = &heads->columns[HEAD_TIME];
        if (heads->messages)
                times = &heads->columns[HEAD_CLASS_TIMES + (facts->bits & HEAD_CLASS_MASK)];
        step = number_code(times, &heads->bits, step, &facts->failed, decoding);
        delay =
            signed_code(&heads->columns[HEAD_DELAY], &heads->bits, delay, &facts->failed, decoding);
        if (!decoding)
                return;
        int64_t time = back ? difference(before, (int64_t)step) : sum(before, (int64_t)step);
        facts->failed |= __builtin_mul_overflow(time, unit, &event->event_time_ns);
        facts->failed |=
            __builtin_mul_overflow(sum(delay_before, delay), delay_unit, &facts->delay_ns);
        event->receive_time_ns = sum(heads->messages ? 0 : event->event_time_ns, facts->delay_ns);
}

CODEC_INLINE int64_t code_ids(struct heads *heads, struct head_facts *facts, uint64_t levels,
    int64_t more, const bool decoding)
{
        return signed_code(&heads->columns[HEAD_IDS + count_class(levels)], &heads->bits, more,
            &facts->failed, decoding);
}

struct head_counts {
        uint64_t bids, asks;
        int64_t more; /* ids than levels */
};

CODEC_INLINE void code_large_counts(
    struct heads *heads, struct head_facts *facts, struct head_counts *counts, const bool decoding)
{
        struct column *columns = heads->columns;
        counts->bids =
            number_code(&columns[HEAD_BIDS], &heads->bits, counts->bids, &facts->failed, decoding);
        counts->asks = number_code(&columns[HEAD_ASKS + count_class(counts->bids)], &heads->bits,
            counts->asks, &facts->failed, decoding);
        if (counts->bids > LIMIT_EVENT_LEVELS || counts->asks > LIMIT_EVENT_LEVELS) {
                counts->bids = counts->asks = 0;
                facts->failed = true;
        }
        if (!(facts->bits & HEAD_ONE_ID))
                counts->more =
                    code_ids(heads, facts, counts->bids + counts->asks, counts->more, decoding);
}

/* Few levels: one byte for both counts, and for the ids where they are about as many. */
CODEC_INLINE void code_small_counts(struct heads *heads, struct head_facts *facts, unsigned symbol,
    struct head_counts *counts, const bool decoding)
{
        counts->bids = symbol / HEAD_MORE / HEAD_SMALL;
        counts->asks = symbol / HEAD_MORE % HEAD_SMALL;
        if (symbol % HEAD_MORE == HEAD_MORE - 1)
                counts->more =
                    code_ids(heads, facts, counts->bids + counts->asks, counts->more, decoding);
        else
                counts->more = symbol % HEAD_MORE;
}

static unsigned counts_symbol(const struct head_counts *counts)
{
        if (counts->bids >= HEAD_SMALL || counts->asks >= HEAD_SMALL ||
            counts->bids + counts->asks == 0)
                return HEAD_LARGE;
        bool few = counts->more >= 0 && counts->more < HEAD_MORE - 1;
        return (unsigned)(counts->bids * HEAD_SMALL + counts->asks) * HEAD_MORE +
            (few ? (unsigned)counts->more : HEAD_MORE - 1);
}

/* Exchanges number their updates: an event of n levels mostly spans n ids or a few more. */
CODEC_INLINE void code_counts(struct heads *heads, struct head_facts *facts, const bool decoding)
{
        struct event *event = facts->event;
        struct head_counts counts = {event->count[SIDE_BID], event->count[SIDE_ASK], 0};
        unsigned symbol = HEAD_LARGE;
        if (!decoding) {
                counts.more = difference(sum(difference(event->last_id, event->first_id), 1),
                    (int64_t)event_level_count(event));
                if (!(facts->bits & HEAD_ONE_ID))
                        symbol = counts_symbol(&counts);
        }
        if (!(facts->bits & HEAD_ONE_ID))
                symbol =
                    column_code(&heads->columns[HEAD_COUNTS], symbol, &facts->failed, decoding);
        if (symbol == HEAD_LARGE)
                code_large_counts(heads, facts, &counts, decoding);
        else
                code_small_counts(heads, facts, symbol, &counts, decoding);
        if (!decoding)
                return;
        int64_t span =
            facts->bits & HEAD_ONE_ID ? 1 : sum((int64_t)(counts.bids + counts.asks), counts.more);
        event->last_id = sum(event->first_id, difference(span, 1));
        event->count[SIDE_BID] = (uint32_t)counts.bids;
        event->count[SIDE_ASK] = (uint32_t)counts.asks;
}

/* What is received is opened, what is opened soon done: the likeliest class comes first. Each row
 * is its own inverse: from a class to its place, and back. */
static unsigned class_place(unsigned before, unsigned bits)
{
        static const uint8_t places[MESSAGE_CLASSES][MESSAGE_CLASSES] = {
            [CLASS_RECEIVED] = {1, 0, 2, 3}, /* open, received, done */
            [CLASS_OPEN] = {2, 1, 0, 3},     /* done, open, received */
            [CLASS_DONE] = {0, 2, 1, 3},     /* received, done, open */
            [CLASS_OTHER] = {0, 1, 2, 3}};
        return (bits & ~(unsigned)HEAD_CLASS_MASK) | places[before][bits & HEAD_CLASS_MASK];
}

CODEC_INLINE void code_bits(struct heads *heads, struct head_facts *facts, const bool decoding)
{
        struct column *column = &heads->columns[HEAD_BITS];
        if (heads->messages && !decoding)
                facts->bits = class_place(heads->class, facts->bits);
        facts->bits = column_code(column, facts->bits, &facts->failed, decoding);
        if (!heads->messages)
                return;
        facts->bits = class_place(heads->class, facts->bits);
        heads->class = facts->bits & HEAD_CLASS_MASK;
}

CODEC_INLINE void code_head(struct heads *heads, struct head_facts *facts, const bool decoding)
{
        code_bits(heads, facts, decoding);
        if (facts->bits & (HEAD_UNITS | HEAD_FLAGS | HEAD_JUMP))
                code_unusual(heads, facts, decoding);
        else if (decoding)
                facts->event->first_id = sum(heads->last_id, 1);
        code_times(heads, facts, decoding);
        code_counts(heads, facts, decoding);
        heads->event_time_ns = facts->event->event_time_ns;
        heads->delay_ns = facts->delay_ns;
        heads->last_id = facts->event->last_id;
        heads->time_unit = facts->time_unit;
        heads->delay_unit = facts->delay_unit;
}

void heads_write(struct heads *heads, const struct event *event, unsigned bits)
{
        struct event copy = *event;
        struct head_facts facts = {.event = &copy, .bits = bits};
        find_facts(heads, &facts);
        code_head(heads, &facts, false);
}

int heads_read(struct heads *heads, struct event *ret_event, unsigned *ret_bits)
{
        struct event event = {0};
        struct head_facts facts = {
            .event = &event, .time_unit = heads->time_unit, .delay_unit = heads->delay_unit};
        code_head(heads, &facts, true);
        if (facts.failed)
                return ERR_CORRUPT;
        *ret_event = event;
        *ret_bits = facts.bits;
        return 0;
}
