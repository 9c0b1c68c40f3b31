/* What the exchange says about a market, as integers: levels, orders, trades, events, images.
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

/* What a stream records of a symbol. */
enum stream_kind {
        KIND_L2,     /* levels */
        KIND_L3,     /* orders */
        KIND_TRADES, /* no book */
        KINDS,
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

/* Of an order: what the exchange calls it. Where ids are not kept the first half is zero, and the
 * other one, big-endian, the order's running number within the epoch. */
struct order_id {
        uint8_t bytes[16];
};

enum order_type {
        ORDER_RECEIVED, /* the exchange has it; not in the book yet, perhaps never */
        ORDER_OPEN,     /* it rests in the book */
        ORDER_MATCH,    /* a trade took size from it */
        ORDER_DONE,     /* it is gone */
        ORDER_CHANGE,   /* its size, or price, is another one */
        ORDER_ACTIVATE, /* a stop order was triggered */
        ORDER_OTHER,    /* a message that only took a sequence number */
        ORDER_TYPES,
};

enum order_reason {
        REASON_NONE,
        REASON_LIMIT,    /* received */
        REASON_MARKET,   /* received */
        REASON_FILLED,   /* done */
        REASON_CANCELED, /* done */
        REASON_STP,      /* change: self-trade prevention took size */
        REASON_MODIFY,   /* change: by its owner */
        REASON_ENTRY,    /* activate: the kind of stop */
        REASON_LOSS,     /* activate */
        REASON_OTHER,    /* a word that we do not know */
        REASONS,
};

/* Which of the fields below were sent. */
enum order_field {
        ORDER_HAS_PRICE = 1 << 0,
        ORDER_HAS_SIZE = 1 << 1,
        ORDER_HAS_OLD_PRICE = 1 << 2,
        ORDER_HAS_OLD_SIZE = 1 << 3,
        ORDER_HAS_FUNDS = 1 << 4,
        ORDER_HAS_OTHER = 1 << 5,
        ORDER_OTHER_PLAIN = 1 << 6, /* the other id was written as 32 digits, without dashes */
        ORDER_FIELDS = (1 << 7) - 1,
};

#define ORDER_FUNDS_SIZE 40

/* One message of an order-by-order feed (Coinbase Exchange, channel "full"). */
struct order_message {
        uint8_t type;
        uint8_t side; /* of the order; match: of the maker */
        uint8_t reason;
        uint8_t has;
        struct order_id id;    /* match: the maker */
        struct order_id other; /* match: the taker; received: what its owner calls it */
        int64_t price;         /* change: the new one; activate: the stop price */
        int64_t size;          /* open, done: what remains; match: what was traded; change: new */
        int64_t old_price, old_size;  /* change */
        int64_t trade_id;             /* match */
        char funds[ORDER_FUNDS_SIZE]; /* in the quote currency, as sent */
};

enum event_type {
        TYPE_LEVELS,    /* changes of levels */
        TYPE_ORDER,     /* an order message; no levels */
        TYPE_TRADE,     /* one level, on the maker's side: what was traded at which price */
        TYPE_AGGREGATE, /* a trade of several fills, first_trade..last_trade */
        EVENT_TYPES,
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
        uint8_t type;                      /* enum event_type */
        const struct order_message *order; /* TYPE_ORDER, else NULL */
        int64_t first_trade, last_trade;   /* TYPE_AGGREGATE, else 0 */
};

/* The whole book at one id, best level first; or every order, those of one price as they queue. */
struct image {
        uint8_t kind; /* KIND_L2, KIND_L3 */
        int64_t id;
        int64_t receive_time_ns;
        uint32_t count[SIDES];
        const struct level *levels[SIDES];
        const struct order_id *orders[SIDES]; /* KIND_L3: whose price and size each level is */
        bool auction;                         /* an auction is on: the book may be crossed */
        bool bounded[SIDES]; /* the exchange may hold more levels beyond the last one */
};

static inline uint32_t event_level_count(const struct event *event)
{
        return event->count[SIDE_BID] + event->count[SIDE_ASK];
}

/* What it counts for in limits and figures: its levels, or one order. */
static inline uint32_t event_update_count(const struct event *event)
{
        return event->type == TYPE_ORDER ? 1 : event_level_count(event);
}

static inline bool event_is_trade(const struct event *event)
{
        return event->type == TYPE_TRADE || event->type == TYPE_AGGREGATE;
}

/* May an event of that type have so many levels? */
static inline bool event_is_sound(uint8_t type, uint64_t bids, uint64_t asks)
{
        if (type == TYPE_LEVELS)
                return true;
        uint64_t count = type == TYPE_ORDER ? 0 : 1;
        return type < EVENT_TYPES && bids <= count && asks == count - bids;
}

static inline bool order_id_equal(const struct order_id *a, const struct order_id *b)
{
        return !memcmp(a, b, sizeof(*a));
}

/* The first (0) or second (1) half of an id, as the big-endian number that it is. */
static inline uint64_t order_id_half(const struct order_id *id, unsigned half)
{
        uint64_t value = 0;
        for (unsigned i = 0; i < 8; i++)
                value = value << 8 | id->bytes[8 * half + i];
        return value;
}

static inline void order_id_set_half(struct order_id *id, unsigned half, uint64_t value)
{
        for (unsigned i = 8; i-- > 0; value >>= 8)
                id->bytes[8 * half + i] = (uint8_t)value;
}

static inline bool order_message_equal(const struct order_message *a, const struct order_message *b)
{
        return a->type == b->type && a->side == b->side && a->reason == b->reason &&
            a->has == b->has && order_id_equal(&a->id, &b->id) &&
            order_id_equal(&a->other, &b->other) && a->price == b->price && a->size == b->size &&
            a->old_price == b->old_price && a->old_size == b->old_size &&
            a->trade_id == b->trade_id && !strcmp(a->funds, b->funds);
}

/* In every field, levels in the same order. */
static inline bool event_equal(const struct event *a, const struct event *b)
{
        bool equal = a->event_time_ns == b->event_time_ns &&
            a->receive_time_ns == b->receive_time_ns && a->first_id == b->first_id &&
            a->last_id == b->last_id && a->flags == b->flags && a->type == b->type &&
            a->first_trade == b->first_trade && a->last_trade == b->last_trade &&
            !a->order == !b->order && (!a->order || order_message_equal(a->order, b->order));
        for (enum side s = 0; s < SIDES && equal && a->type != TYPE_ORDER; s++)
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
