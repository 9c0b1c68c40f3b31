/* The order-by-order book of a capture of the full channel, at any position of play.
 *
 * Every order that was ever open is in one list, in the order of arrival: that is the queue order
 * too, because what goes to the back of a queue is entered anew. An event sets one order's size. */
#ifndef LAB_ORDERS_H
#define LAB_ORDERS_H

#include "tape.h"

#define ORDERS_DIGITS 8
#define ORDERS_NONE UINT32_MAX
#define ORDERS_BUCKETS 4096

/* All orders of one side and price, as they stand while the capture is read. */
struct order_group {
        struct span price;
        int64_t size;
        uint32_t next;
        bool is_ask;
};

struct order {
        struct span id;
        int64_t size; /* as entered */
        int64_t left; /* while the capture is read */
        uint32_t group;
        uint32_t next;
};

struct order_event {
        uint32_t order;
        int64_t size;
};

/* A message of the full channel: its sequence, and the events up to and with it. */
struct order_step {
        int64_t sequence;
        size_t event_count;
};

struct orders {
        int64_t image_sequence;
        struct order *list;
        size_t count;
        size_t image_count;
        struct order_group *groups;
        size_t group_count;
        struct order_event *events;
        size_t event_count;
        struct order_step *steps;
        size_t step_count;
        size_t steps_done; /* the position of play */
        bool image_is_whole;
        uint32_t order_heads[ORDERS_BUCKETS];
        uint32_t group_heads[ORDERS_BUCKETS];
};

struct orders *orders_new(int64_t image_sequence);
void orders_free(struct orders *orders);

/* Add a row of the image. ERR_PARSE. */
int orders_add_row(struct orders *orders, struct span row);

/* Take a message of the full channel as the next step; at most two groups are touched. ERR_PARSE.
 */
int orders_take(struct orders *orders, struct span message, int64_t sequence,
    uint32_t ret_touched[2], size_t *ret_count);

/* The sequence @behind messages before the position of play. */
int64_t orders_sequence(const struct orders *orders, size_t behind);

/* Append a side of the book @behind messages before the position of play: level 3 is
 * [price,size,order_id] in queue order, level 2 [price,size,count], level 1 the best of it;
 * @crossed puts a bid above the best ask in front. Returns how many. */
size_t orders_print_side(const struct orders *orders, size_t behind, bool is_ask, int level,
    bool crossed, struct buffer *text);

/* Append the messages, a line each, that lead from the book as it stands to the image, queue order
 * included: orders at prices that differ are done, and those of the image opened again. */
void orders_print_seam(
    const struct orders *orders, const char *product, struct span time, struct buffer *text);

/* Append [["price","size"],...] of a side, as it stands while the capture is read. */
void orders_print_groups(const struct orders *orders, bool is_ask, struct buffer *text);

/* Append a size as text. */
void orders_print_size(int64_t size, struct buffer *text);

#endif
