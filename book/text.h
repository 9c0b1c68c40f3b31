/* What a book holds as text: ids of orders, and whole sides as JSON. */
#ifndef BOOK_TEXT_H
#define BOOK_TEXT_H

#include "base/bytes.h"
#include "book/book.h"

#define ORDER_ID_TEXT_SIZE 40

/* "d50ec984-77a8-460a-b958-66f114b0de9b", or "#7" of an order by number. Returns the size. */
size_t order_id_format(const struct order_id *id, char ret_text[ORDER_ID_TEXT_SIZE]);
/* Its sixteen bytes, whatever they mean. */
size_t order_id_format_bytes(
    const struct order_id *id, bool dashes, char ret_text[ORDER_ID_TEXT_SIZE]);

/* [[price,quantity],...], of a book of orders [[price,size,id],...], best first, of @depth prices
 * at most. */
void book_side_json(const struct book *book, enum side side, const struct scale *scale,
    size_t depth, struct buffer *ret_text);

#endif
