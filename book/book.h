/* Order book of one symbol, set by an image and kept by events.
 *
 * Levels of each side are sorted, best first, one per price, and never hold a zero quantity. The
 * book owns its memory and gives none of it back before deinit.
 *
 * Levels sit in the slots of chunks. A removed level leaves its slot dead, so that what is put in
 * next to it later seldom has to move others, and never more than a chunk; chunks and groups of
 * chunks know how many levels they hold, so that ranks are cheap at any depth (see walk.h). */
#ifndef BOOK_BOOK_H
#define BOOK_BOOK_H

#include "base/bytes.h"
#include "book/event.h"
#include "book/orders.h"

#define BOOK_SLOTS 64 /* of a chunk: one bit each in a word */
#define BOOK_GROUP 32 /* chunks that are counted together */

/* Levels hold a key in place of the price (book_key): both sides ascend from the best. */
struct book_chunk {
        uint64_t live; /* bit i: slot i holds a level */
        struct book_chunk *next_spare;
        int64_t keys[BOOK_SLOTS]; /* never descending, those of dead slots included */
        int64_t quantities[BOOK_SLOTS];
};

struct book_side {
        struct book_chunk **chunks; /* none is empty, but for the only one of an empty side */
        int64_t *first_keys;        /* of each chunk: its levels' keys are not below ... */
        uint8_t *counts;            /* ... and so many */
        uint32_t *group_counts;     /* levels of each BOOK_GROUP chunks */
        size_t chunk_count;
        size_t chunk_capacity;
        size_t count;
};

struct book {
        struct book_side sides[SIDES];
        struct book_chunk *spare; /* chunks to use again */
        struct orders *orders;    /* behind the levels, where by_order; else of no meaning */
        bool by_order;
        int64_t id;             /* of the last image or event applied */
        bool bounded[SIDES];    /* the image did not reach the end of the side ... */
        int64_t horizon[SIDES]; /* ... but only to this price */
};

/* Where a walk stands; all zero is before the best level. */
struct book_cursor {
        size_t chunk;
        size_t slot;
};

void book_init(struct book *book);
void book_deinit(struct book *book);
void book_clear(struct book *book);

/* Replace the whole content by @image. Levels may come in any order; the last of equal prices
 * counts; zero quantities are left out. An image of orders makes it a book of orders: they queue as
 * they come; of equal ids the first counts.
 *
 *   ERR_FULL   a side exceeds LIMIT_BOOK_LEVELS, or there are more than LIMIT_BOOK_ORDERS orders or
 *              more quantity than int64 holds: the book is left unchanged, or (orders) empty. */
int book_set_image(struct book *book, const struct image *image);

/* An empty book of orders. */
void book_begin_orders(struct book *book);

/* Has the book room for whatever @event brings? ERR_FULL: it could exceed its limits. */
int book_room(const struct book *book, const struct event *event);

/* Apply @event (only read). Removing a level that is not there is normal. A trade changes nothing.
 *
 *   ERR_FULL   no room (book_room): the book is left unchanged. */
int book_apply(struct book *book, const struct event *event);

/* Set one level; 0 removes. Returns the quantity that stood there before, or 0. */
int64_t book_set(struct book *book, enum side side, int64_t price, int64_t quantity);

/* Add to the quantity at a price, which then is 0 or more and fits int64. */
void book_add(struct book *book, enum side side, int64_t price, int64_t more);

/* Make @to equal @from. */
void book_copy(struct book *to, const struct book *from);

/* Multiply all prices and quantities, for a new scale. ERR_RANGE: left unchanged. */
int book_rescale(struct book *book, int64_t price_factor, int64_t quantity_factor);

size_t book_count(const struct book *book, enum side side);

/* The quantity at @price, or 0. */
int64_t book_quantity(const struct book *book, enum side side, int64_t price);

/* The best level, or false if the side is empty. */
bool book_best(const struct book *book, enum side side, struct level *ret_level);

/* Best bid at or above best ask. */
bool book_is_crossed(const struct book *book);

/* The next level from the best outward, or false at the end. The book must not change meanwhile. */
bool book_next(
    const struct book *book, enum side side, struct book_cursor *cursor, struct level *ret_level);

/* How many orders, or levels of both sides where they are not known. */
size_t book_size(const struct book *book);

/* The same levels on both sides, the same orders in the same queues? */
bool book_equal(const struct book *a, const struct book *b);

/* The book's levels as one event of inserts, kept in @scratch, into @ret_event. */
void book_to_event(const struct book *book, struct buffer *scratch, struct event *ret_event);

/* Write the levels of @side, best first, to @ret_levels, which holds book_count of them. */
void book_levels(const struct book *book, enum side side, struct level *ret_levels);

/* Ascending from the best level outward, on both sides; its own inverse. */
static inline int64_t book_key(enum side side, int64_t price)
{
        return side == SIDE_BID ? ~price : price;
}

#endif
