/* The best prices of a book by the second: what a trade of that time may have cost.
 *
 * Prices are kept with 18 decimals, so that those of different scales compare exactly. */
#ifndef AUDIT_QUOTES_H
#define AUDIT_QUOTES_H

#include "book/book.h"

#define QUOTES_STEP_NS INT64_C(1000000000)
#define QUOTES_SLACK 1000      /* a trade may be so small a part of its price outside: 0.1 % */
#define QUOTES_MAX (8 * 86400) /* seconds that are kept: 27 MB */

/* The lowest best bid and the highest best ask that stood at any moment of one second. */
struct quote {
        __int128 low, high;
};

struct quotes {
        int64_t from_ns;
        size_t count;
        struct quote *quotes; /* low above high: not known */
        struct quote now;     /* what stands since the last event ... */
        bool stands;          /* ... if something does */
        size_t next;          /* second that it is to be carried to */
};

enum quotes_verdict {
        QUOTES_UNKNOWN,
        QUOTES_INSIDE,
        QUOTES_OUTSIDE,
};

void quotes_init(struct quotes *quotes);
void quotes_deinit(struct quotes *quotes);

/* Forget all, and keep [from, to); of a range that is too long the end. */
void quotes_begin(struct quotes *quotes, int64_t from_ns, int64_t to_ns);

/* The book stands like this from @time_ns on. */
void quotes_take(
    struct quotes *quotes, int64_t time_ns, const struct book *book, unsigned price_digits);

/* From here on it is not known how the book stands. */
void quotes_break(struct quotes *quotes);

/* Could a trade at @time_ns have had that price? One second before and behind counts as well: the
 * exchange tells of books in steps, by another clock than of trades. One that took many levels was
 * outside for less than a step, hence the slack. */
enum quotes_verdict quotes_judge(
    const struct quotes *quotes, int64_t time_ns, int64_t price, unsigned price_digits);

#endif
