#include "codec/messages.h"

enum {
        SIDE_SHIFT = 3,
        REASON_SHIFT = 4
};

static void write_order(struct buffer *out, const struct order_message *order)
{
        buffer_append_byte(out,
            (uint8_t)(order->type | order->side << SIDE_SHIFT | order->reason << REASON_SHIFT));
        buffer_append_byte(out, order->has);
        buffer_append(out, order->id.bytes, sizeof(order->id.bytes));
        if (order->has & ORDER_HAS_OTHER)
                buffer_append(out, order->other.bytes, sizeof(order->other.bytes));
        if (order->has & ORDER_HAS_PRICE)
                write_signed(out, order->price);
        if (order->has & ORDER_HAS_SIZE)
                write_signed(out, order->size);
        if (order->has & ORDER_HAS_OLD_PRICE)
                write_signed(out, order->old_price);
        if (order->has & ORDER_HAS_OLD_SIZE)
                write_signed(out, order->old_size);
        if (order->has & ORDER_HAS_FUNDS)
                write_text(out, order->funds);
        if (order->type == ORDER_MATCH)
                write_signed(out, order->trade_id);
}

void message_write(struct buffer *out, const struct event *event)
{
        if (event->type == TYPE_ORDER)
                write_order(out, event->order);
        if (event->type == TYPE_AGGREGATE) {
                write_signed(out, difference(event->first_trade, event->last_id));
                write_signed(out, difference(event->last_trade, event->first_trade));
        }
}

static void read_id(struct byte_reader *reader, struct order_id *ret_id)
{
        struct bytes bytes = read_bytes(reader, sizeof(ret_id->bytes));
        if (bytes.size)
                memcpy(ret_id->bytes, bytes.data, sizeof(ret_id->bytes));
}

static void read_order(struct byte_reader *reader, struct order_message *ret_order)
{
        uint8_t what = read_byte(reader);
        struct order_message order = {.type = what & 7,
            .side = what >> SIDE_SHIFT & 1,
            .reason = what >> REASON_SHIFT,
            .has = read_byte(reader)};
        read_id(reader, &order.id);
        if (order.has & ORDER_HAS_OTHER)
                read_id(reader, &order.other);
        if (order.has & ORDER_HAS_PRICE)
                order.price = read_signed(reader);
        if (order.has & ORDER_HAS_SIZE)
                order.size = read_signed(reader);
        if (order.has & ORDER_HAS_OLD_PRICE)
                order.old_price = read_signed(reader);
        if (order.has & ORDER_HAS_OLD_SIZE)
                order.old_size = read_signed(reader);
        if (order.has & ORDER_HAS_FUNDS)
                read_text(reader, order.funds, sizeof(order.funds));
        if (order.type == ORDER_MATCH)
                order.trade_id = read_signed(reader);
        reader->failed |= !message_is_sound(&order);
        *ret_order = order;
}

void message_read(struct byte_reader *reader, struct event *event, struct order_message *ret_order)
{
        if (event->type == TYPE_ORDER)
                read_order(reader, ret_order);
        if (event->type == TYPE_AGGREGATE) {
                event->first_trade = sum(event->last_id, read_signed(reader));
                event->last_trade = sum(event->first_trade, read_signed(reader));
        }
}

bool message_is_sound(const struct order_message *message)
{
        return message->type < ORDER_TYPES && message->side < SIDES && message->reason < REASONS &&
            !(message->has & ~ORDER_FIELDS) &&
            (message->has & ORDER_HAS_OTHER || !(message->has & ORDER_OTHER_PLAIN)) &&
            (message->type != ORDER_OTHER || !message->has);
}
