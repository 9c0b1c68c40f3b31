/* What the parsers of exchanges share: numbers, sides, ids and times as exchanges write them.
 *
 * A reader is sticky: a body reads straight on, the first fault stays, and values_end tells it. A
 * value that only needs a finer scale (ERR_FULL) gives way to one that cannot be read at all. */
#ifndef VENUE_VALUES_H
#define VENUE_VALUES_H

#include "venue/venue.h"

struct values {
        const struct scale *scale;
        bool as_written; /* digits: the decimals written; else those needed, the scale's at least */
        unsigned digits[2]; /* of prices, of quantities */
        bool any;           /* a number was read */
        int code;
        const char *reason;
};

void values_begin(struct values *values, const struct scale *scale, bool as_written);

/* The fault, if it is the first. */
void values_refuse(struct values *values, int code, const char *reason);

/* 0, or the fault with its reason; the digits go out with 0 and ERR_FULL. */
int values_end(struct values *values, unsigned ret_digits[2], const char **ret_reason);

/* A price or a quantity; negative ones are refused. After a fault the number means nothing. */
int64_t values_price(struct values *values, struct json_text text);
int64_t values_quantity(struct values *values, struct json_text text);

/* The text of a member that must be there: refused with @reason, and then empty, if it is not. */
struct json_text values_text(
    struct values *values, struct json_value body, const char *key, const char *reason);

/* An id of trades, or a sequence: from 0, and another one must fit after it. */
int64_t values_id(
    struct values *values, struct json_value body, const char *key, const char *reason);

/* Levels that come with their sides mixed: add each, then settle: bids, then asks, in the order
 * added. The list is to be cleared before. */
void values_add(struct values *values, struct level_list *list, enum side side,
    struct json_text price, struct json_text quantity);
void values_settle(struct values *values, struct level_list *list, uint32_t ret_count[SIDES],
    const struct level *ret_levels[SIDES]);

/* Where the levels of both sides are, after all have been added: bids, then asks. */
void values_set_levels(const struct level_list *list, const uint32_t count[SIDES],
    const struct level *ret_levels[SIDES]);

/* Make @event the trade @id, of its maker's side. */
void values_set_trade(struct values *values, struct level_list *list, enum side maker, int64_t id,
    struct json_text price, struct json_text quantity, struct event *event);

/* RFC 3339 in UTC with 0 to 9 decimals, or 0: not so written, or outside what is plausible. */
int64_t values_time(struct json_text text);

/* The event's own time; the receive time in place of one that is none. */
void values_set_time(struct event *event, int64_t time_ns);

/* 32 hex digits, in the form 8-4-4-4-12, or without dashes. */
bool values_uuid(struct json_text text, struct order_id *ret_id);
bool values_hex(struct json_text text, struct order_id *ret_id);

/* The texts of the first three elements of an array. */
bool values_triple(struct json_value array, struct json_text ret_texts[3]);

/* Does the exchange refuse because of the key, and not of what was asked for? */
bool values_tell_denial(const char *text);

/* A copy, or false with @ret_text empty: too long, or with an end inside. */
bool values_copy(struct json_text text, char *ret_text, size_t size);

#endif
