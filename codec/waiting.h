/* Orders that were heard of and do not rest in the book: received and not open yet, or traded away
 * and not said to be done yet. Both sides of a record keep the same list; what comes next is mostly
 * about one of the newest. It lives as long as a segment. */
#ifndef CODEC_WAITING_H
#define CODEC_WAITING_H

#include "book/event.h"

#define WAITING_MAX 1024 /* the oldest is forgotten then: it is told anew */
#define WAITING_NONE UINT32_MAX

struct waiting_order {
        struct order_id id;
        int64_t price, size;
        uint8_t side;
};

struct waiting {
        uint32_t count;
        struct waiting_order orders[WAITING_MAX]; /* oldest first */
};

void waiting_add(struct waiting *waiting, const struct waiting_order *order);

/* Rank 0 is the newest; WAITING_NONE: not there. */
uint32_t waiting_find(const struct waiting *waiting, const struct order_id *id);

void waiting_remove(struct waiting *waiting, uint32_t rank);

/* @rank is below the count. */
static inline struct waiting_order *waiting_at(struct waiting *waiting, uint32_t rank)
{
        return &waiting->orders[waiting->count - 1 - rank];
}

#endif
