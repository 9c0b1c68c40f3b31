/* What the exchange says about a book, as integers: levels, events, images.
 *
 * A price is an integer of 10^-price_digits, a quantity one of 10^-quantity_digits; tick and lot
 * are counted in the same units. All arrays are borrowed; who gives them says for how long. */
#ifndef BOOK_EVENT_H
#define BOOK_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum side {
        SIDE_BID,
        SIDE_ASK,
        SIDES,
};

struct level {
        int64_t price;
        int64_t quantity; /* of an event: the new total at that price, 0 removes the level */
};

struct scale {
        uint8_t price_digits;
        uint8_t quantity_digits;
        bool fixed;   /* the exchange writes all digits always: print them so */
        int64_t tick; /* prices are multiples of it, as a rule; at least 1 */
        int64_t lot;  /* quantities likewise */
};

enum event_flag {
        EVENT_TIME_REPLACED = 1, /* its own time was none; the receive time stands in */
};

/* One exchange message, applied as a whole. */
struct event {
        int64_t event_time_ns;
        int64_t receive_time_ns;
        int64_t first_id; /* Binance: U */
        int64_t last_id;  /* Binance: u */
        uint32_t flags;
        uint32_t count[SIDES];
        const struct level *levels[SIDES]; /* in the order sent */
};

/* The whole book at one id, best level first. */
struct image {
        int64_t id;
        int64_t receive_time_ns;
        uint32_t count[SIDES];
        const struct level *levels[SIDES];
        bool bounded[SIDES]; /* the exchange may hold more levels beyond the last one */
};

static inline uint32_t event_level_count(const struct event *event)
{
        return event->count[SIDE_BID] + event->count[SIDE_ASK];
}

/* In every field, levels in the same order. */
static inline bool event_equal(const struct event *a, const struct event *b)
{
        bool equal = a->event_time_ns == b->event_time_ns &&
            a->receive_time_ns == b->receive_time_ns && a->first_id == b->first_id &&
            a->last_id == b->last_id && a->flags == b->flags;
        for (enum side s = 0; s < SIDES && equal; s++)
                equal = a->count[s] == b->count[s] &&
                    (!a->count[s] ||
                        !memcmp(a->levels[s], b->levels[s], a->count[s] * sizeof(struct level)));
        return equal;
}

static inline bool scale_equal(const struct scale *a, const struct scale *b)
{
        return a->price_digits == b->price_digits && a->quantity_digits == b->quantity_digits &&
            a->fixed == b->fixed && a->tick == b->tick && a->lot == b->lot;
}

#endif
