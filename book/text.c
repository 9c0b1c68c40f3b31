#include "book/text.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/decimal.h"
#include "book/numbers.h"
#include "book/orders.h"

size_t order_id_format_bytes(
    const struct order_id *id, bool dashes, char ret_text[ORDER_ID_TEXT_SIZE])
{
        static const char digits[] = "0123456789abcdef";
        size_t size = 0;
        for (unsigned i = 0; i < sizeof(id->bytes); i++) {
                if (dashes && (i == 4 || i == 6 || i == 8 || i == 10))
                        ret_text[size++] = '-';
                ret_text[size++] = digits[id->bytes[i] >> 4];
                ret_text[size++] = digits[id->bytes[i] & 15];
        }
        ret_text[size] = '\0';
        return size;
}

size_t order_id_format(const struct order_id *id, char ret_text[ORDER_ID_TEXT_SIZE])
{
        uint64_t number = order_id_number(id);
        return number ? (size_t)snprintf(ret_text, ORDER_ID_TEXT_SIZE, "#%" PRIu64, number)
                      : order_id_format_bytes(id, true, ret_text);
}

static void append_pair(
    struct buffer *text, struct level level, const struct scale *scale, bool first)
{
        char price[DECIMAL_TEXT_SIZE], quantity[DECIMAL_TEXT_SIZE];
        decimal_format(level.price, scale->price_digits, scale->fixed, price);
        decimal_format(level.quantity, scale->quantity_digits, scale->fixed, quantity);
        buffer_printf(text, "%s[\"%s\",\"%s\"", first ? "" : ",", price, quantity);
}

static void append_levels(const struct book *book, enum side side, const struct scale *scale,
    size_t depth, struct buffer *text)
{
        struct book_cursor cursor = {0};
        struct level level;
        for (size_t i = 0; i < depth && book_next(book, side, &cursor, &level); i++) {
                append_pair(text, level, scale, i == 0);
                buffer_append_byte(text, ']');
        }
}

static void append_orders(const struct book *book, enum side side, const struct scale *scale,
    size_t depth, struct buffer *text)
{
        struct order_cursor cursor = {0};
        const struct order *order;
        char id[ORDER_ID_TEXT_SIZE];
        size_t prices = 0;
        int64_t price = 0;
        while ((order = book_next_order(book, side, &cursor))) {
                bool begins = !prices || order->price != price;
                if (begins && prices == depth)
                        break;
                append_pair(
                    text, (struct level){order->price, order->size}, scale, begins && !prices);
                order_id_format(&order->id, id);
                buffer_printf(text, ",\"%s\"]", id);
                prices += begins;
                price = order->price;
        }
}

void book_side_json(const struct book *book, enum side side, const struct scale *scale,
    size_t depth, struct buffer *ret_text)
{
        buffer_append_byte(ret_text, '[');
        if (book->by_order)
                append_orders(book, side, scale, depth, ret_text);
        else
                append_levels(book, side, scale, depth, ret_text);
        buffer_append_byte(ret_text, ']');
}
