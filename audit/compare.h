/* A recorded book and the exchange's own, level for level. */
#ifndef AUDIT_COMPARE_H
#define AUDIT_COMPARE_H

#include "book/book.h"

#define COMPARE_SHOWN 8

struct difference {
        uint8_t side;
        int64_t price, ours, theirs; /* quantities; 0: the level is missing */
};

struct comparison {
        uint64_t compared; /* levels that either has */
        uint64_t wrong;
        struct difference first[COMPARE_SHOWN]; /* the best ones of each side */
        size_t shown;
};

/* Compare as far as both horizons reach. @except (may be NULL): an event that the exchange's book
 * may hold a part of only: the prices that it names are not judged. ERR_FULL: the image is more
 * than a book holds; it is left uncompared. */
int compare_books(const struct book *ours, const struct image *image, const struct event *except,
    struct comparison *ret_comparison);

#endif
