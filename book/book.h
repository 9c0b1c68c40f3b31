/* Order book of one symbol, set by an image and kept by events.
 *
 * Levels of each side are sorted, best first, one per price, and never hold a zero quantity. The
 * book owns its memory and gives none of it back before deinit. Levels sit in chunks of at most
 * BOOK_CHUNK, so that a change moves at most 2 KB whatever the depth of the book. */
#ifndef BOOK_BOOK_H
#define BOOK_BOOK_H

#include "book/event.h"

#define BOOK_CHUNK 128

struct book_chunk;

struct book_side {
        struct book_chunk **chunks; /* never empty ones */
        int64_t *first_keys; /* the best key of each chunk, beside each other for the search */
        size_t chunk_count;
        size_t chunk_capacity;
        size_t count;
};

struct book {
        struct book_side sides[SIDES];
        struct book_chunk *spare; /* chunks to use again */
        int64_t id;               /* of the last image or event applied */
        bool bounded[SIDES];      /* the image did not reach the end of the side ... */
        int64_t horizon[SIDES];   /* ... but only to this price */
};

/* Where a walk stands; all zero is before the best level. */
struct book_cursor {
        size_t chunk;
        size_t index;
};

void book_init(struct book *book);
void book_deinit(struct book *book);
void book_clear(struct book *book);

/* Replace the whole content by @image. Levels may come in any order; the last of equal prices
 * counts; zero quantities are left out.
 *
 *   ERR_FULL   a side exceeds LIMIT_BOOK_LEVELS: the book is left unchanged. */
int book_set_image(struct book *book, const struct image *image);

/* Apply @event (only read). Removing a level that is not there is normal.
 *
 *   ERR_FULL   a side could exceed LIMIT_BOOK_LEVELS: the book is left unchanged. */
int book_apply(struct book *book, const struct event *event);

/* Set one level; 0 removes. Returns the quantity that stood there before, or 0. */
int64_t book_set(struct book *book, enum side side, int64_t price, int64_t quantity);

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

/* Write the levels of @side, best first, to @ret_levels, which holds book_count of them. */
void book_levels(const struct book *book, enum side side, struct level *ret_levels);

#endif
