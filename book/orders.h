/* The orders behind the levels of a book: which rest where, and in what order of the queue.
 *
 * Orders of one side and price form a queue, oldest first: who stands first is traded with first.
 * A level's quantity is always the sum of its queue. Rules: Coinbase Exchange, channel "full". */
#ifndef BOOK_ORDERS_H
#define BOOK_ORDERS_H

#include "book/event.h"

#define ORDER_NONE UINT32_MAX

struct order {
        struct order_id id;
        int64_t price;
        int64_t size;
        uint32_t previous, next; /* in its queue; of a free one: the next free one */
        uint32_t chain;          /* with the same hash of the id */
        uint8_t side;
};

struct order_queue {
        int64_t price;
        uint32_t first, last; /* orders; of a free one: first is the next free one */
        uint32_t count;
        uint32_t chain;
        uint8_t side;
};

/* Places are numbers, so that memory may move; both tables are chains by hash. */
struct orders {
        struct order *orders;
        uint32_t count, used, capacity, free;
        uint32_t *by_id;
        uint32_t id_slots; /* a power of two */
        struct order_queue *queues;
        uint32_t queue_count, queue_used, queue_capacity, queue_free;
        uint32_t *by_price;
        uint32_t price_slots;
};

struct book;

struct orders *orders_new(void);
void orders_free(struct orders *orders);
void orders_clear(struct orders *orders);

/* The order's place, or ORDER_NONE. */
uint32_t orders_find(const struct orders *orders, const struct order_id *id);

/* The queue at that price, or NULL. */
const struct order_queue *orders_queue(const struct orders *orders, enum side side, int64_t price);

/* Put an order at the end of its price's queue; no level hears of it. */
void orders_add(
    struct orders *orders, enum side side, const struct order_id *id, int64_t price, int64_t size);

void orders_remove(struct orders *orders, uint32_t place);

/* For a new scale; nothing overflows, as the levels do not. */
void orders_rescale(struct orders *orders, int64_t price_factor, int64_t quantity_factor);

/* Put an order at the end of its price's queue; @id is not in the book, @size is above 0 and the
 * level can hold it. */
void book_add_order(
    struct book *book, enum side side, const struct order_id *id, int64_t price, int64_t size);

/* Many orders, those of a price mostly together: the book's levels are behind until the end. */
struct order_loader {
        struct book *book;
        enum side side;
        int64_t price;
        int64_t level; /* what the level holds ... */
        int64_t sum;   /* ... and what it lacks yet */
};

void order_loader_begin(struct order_loader *loader, struct book *book);

/* As book_add_order. ERR_FULL: more orders, levels or quantity than a book may hold. */
int order_loader_add(struct order_loader *loader, enum side side, const struct order_id *id,
    int64_t price, int64_t size);
void order_loader_end(struct order_loader *loader);

/* Take size from the order at @place, or add some; with nothing left the order is gone. */
void book_resize_order(struct book *book, uint32_t place, int64_t size);

/* What @message does to the book; the book has room (book_room). Messages about orders that are not
 * in the book are normal and do nothing. */
void book_apply_order(struct book *book, const struct order_message *message);

/* The levels that @message will touch, and what stands there before; returns how many. */
#define ORDER_TOUCHES 2
unsigned book_touch(const struct book *book, const struct order_message *message,
    enum side *ret_side, struct level ret_levels[ORDER_TOUCHES],
    int64_t ret_befores[ORDER_TOUCHES]);

/* Could @message make the book exceed what it can hold? ERR_FULL. */
int book_room_order(const struct book *book, const struct order_message *message);

/* Would @message leave bids at or above asks? */
bool book_order_crosses(const struct book *book, const struct order_message *message);

/* Where a walk through the orders stands; all zero is before the first of the best price. */
struct order_cursor {
        size_t chunk, slot; /* of the level */
        uint32_t next;      /* 1 + the place of the next order of this level's queue; 0: none */
};

/* The next order from the best outward, those of a price as they queue, or NULL at the end. */
const struct order *book_next_order(
    const struct book *book, enum side side, struct order_cursor *cursor);

/* Are the levels exactly what the orders add up to? */
bool book_orders_agree(const struct book *book);

#endif
