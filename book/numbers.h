/* Orders by running number in place of their ids, for those who do not keep ids.
 *
 * An order gets the next number when it is first heard of and keeps it until it is done. */
#ifndef BOOK_NUMBERS_H
#define BOOK_NUMBERS_H

#include "book/event.h"

struct order_numbers {
        struct orders *known; /* their size is the number */
        int64_t last;
};

void order_numbers_init(struct order_numbers *numbers);
void order_numbers_deinit(struct order_numbers *numbers);

/* Name the orders of @message by number; what their owners call them is left out. Unless @live, an
 * image may come that still has an order that is done: its number stays. */
void order_numbers_message(struct order_numbers *numbers, struct order_message *message, bool live);

/* Name the orders of an image by number, in place. */
void order_numbers_ids(struct order_numbers *numbers, struct order_id *ids, size_t count);

/* Nothing is known any more, for what was missed in a gap; numbers go on. */
void order_numbers_forget(struct order_numbers *numbers);

/* An id that is a number, or 0. */
uint64_t order_id_number(const struct order_id *id);

#endif
