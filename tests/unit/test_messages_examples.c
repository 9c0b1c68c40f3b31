/* The examples of schema/orders.md, schema/trades.md and schema/frame.md: the bytes that are drawn
 * there are those that are written, and mean what is said there. */
#include "tests/unit/message_help.h"

#define AT (INT64_C(1700000000000) * NS_PER_MS)

/* Columns of a block as the pages draw them: "number: bytes" a line, all others empty. */
static void assert_columns(struct bytes block, const char *expected)
{
        struct columns columns;
        struct buffer text;
        buffer_init(&text, 4096);
        columns_take(&columns, block);
        for (size_t i = 0; i < columns.count; i++) {
                const struct buffer *column = &columns.data[i];
                if (column->size)
                        buffer_printf(&text, "%zu:", i);
                for (size_t k = 0; k < column->size; k++)
                        buffer_printf(&text, " %02x", column->data[k]);
                if (column->size)
                        buffer_append_byte(&text, '\n');
        }
        buffer_append_byte(&text, '\0');
        assert_string_equal((const char *)text.data, expected);
        columns_free(&columns);
        buffer_deinit(&text);
}

/* 10111213-1415-4017-8019-1a1b1c1d1e1f for 0x10, and so on. */
static struct order_id uuid(uint8_t first)
{
        struct order_id id;
        for (uint8_t i = 0; i < sizeof(id.bytes); i++)
                id.bytes[i] = (uint8_t)(first + i);
        id.bytes[6] = 0x40;
        id.bytes[8] = 0x80;
        return id;
}

static const struct scale scale = {2, 3, true, 1, 1};

static void say(struct tape *tape, struct order_message order)
{
        int64_t id = tape->book.id + 1, time_ns = AT + (id - 101) * NS_PER_MS;
        struct event event = {.event_time_ns = time_ns,
            .receive_time_ns = time_ns + 1234000,
            .first_id = id,
            .last_id = id,
            .type = TYPE_ORDER,
            .order = &order};
        tape_add(tape, &event);
}

static struct order_message about(
    enum order_type type, uint8_t id, enum side side, int64_t price, int64_t size)
{
        return (struct order_message){.type = (uint8_t)type,
            .side = (uint8_t)side,
            .has = ORDER_HAS_PRICE | ORDER_HAS_SIZE,
            .id = uuid(id),
            .price = price,
            .size = size};
}

static void say_example(struct tape *tape)
{
        struct order_message order = about(ORDER_RECEIVED, 0x50, SIDE_BID, 10005, 2500);
        order.reason = REASON_LIMIT;
        say(tape, order);
        order = about(ORDER_MATCH, 0x30, SIDE_ASK, 10005, 1500);
        order.has |= ORDER_HAS_OTHER;
        order.other = uuid(0x50);
        order.trade_id = 70;
        say(tape, order);
        order = about(ORDER_DONE, 0x30, SIDE_ASK, 10005, 0);
        order.reason = REASON_FILLED;
        say(tape, order);
        say(tape, about(ORDER_OPEN, 0x50, SIDE_BID, 10005, 1000));
        order = about(ORDER_DONE, 0x20, SIDE_BID, 10000, 2000);
        order.reason = REASON_CANCELED;
        say(tape, order);
        say(tape, about(ORDER_OPEN, 0x30, SIDE_ASK, 10007, 1500));
}

static void orders_are_written_as_they_are_drawn(void **state)
{
        (void)state;
        struct tape *tape = memory_new(sizeof(*tape));
        static const struct {
                uint8_t id;
                enum side side;
                int64_t price, size;
        } orders[] = {{0x10, SIDE_BID, 10000, 1500}, {0x20, SIDE_BID, 10000, 2000},
            {0x30, SIDE_ASK, 10005, 1500}};
        tape_begin(tape, METHOD_ORDERS, &scale);
        for (size_t i = 0; i < COUNT(orders); i++) {
                struct order_id id = uuid(orders[i].id);
                book_add_order(&tape->book, orders[i].side, &id, orders[i].price, orders[i].size);
        }
        tape->book.id = 100;
        tape_image(tape, &tape->book);
        say_example(tape);
        tape_seal(tape);
        check_tape(tape);
        assert_columns(buffer_bytes(&tape->frames[1].block),
            "0: a0 23 22 22 20 22\n1: 01\n3: 00 87 87 87 87 87\n5: 00 00 00 00 00 00\n"
            "6: 00 00 00 00 00 00\n11: 00\n12: 01 01\n13: 01 01\n14: 01\n16: d0 a1 43 87 0e 1d\n"
            "17: 08\n18: 01 01\n19: 1b 23\n20: 02\n21: 03\n22: 03 03\n23: 23\n24: 03 03\n28: 00\n"
            "29: 01\n30: 01\n31: 00\n36: 01 00\n37: 02\n38: 01 02\n43: 00\n45: 00\n51: 00\n52: 01\n"
            "58: 00\n59: 00\n63: 00\n64: 03 00\n65: 03\n66: 03 03\n70: 01\n71: 80\n72: 00 00\n"
            "74: 00 00\n87: 05 8c\n88: 00\n89: 00\n95: 02 02\n96: 09 07\n98: 00 00\n"
            "100: 50 51 52 53 54 55 57 59 5a 5b 5c 5d 5e 5f 30 31 32 33 34 35 37 39 3a 3b 3c 3d 3e "
            "3f\n101: 40 40\n102: 80 80\n108: 51 2e 6e\n");
        tape_end(tape);
        free(tape);
}

/* The image of the tape has other times: its head is its own. */
static void an_image_of_orders_is_written_as_it_is_drawn(void **state)
{
        (void)state;
        struct tape *tape = memory_new(sizeof(*tape));
        struct order_id a = uuid(0x10), b = uuid(0x20), c = uuid(0x30);
        struct buffer block;
        struct frame_info info = {.scale = scale,
            .first_id = 100,
            .last_id = 100,
            .first_event_time_ns = AT,
            .first_receive_time_ns = AT + 40 * NS_PER_MS};
        tape_begin(tape, METHOD_ORDERS, &scale);
        buffer_init(&block, 4096);
        book_add_order(&tape->book, SIDE_BID, &a, 10000, 1500);
        book_add_order(&tape->book, SIDE_BID, &b, 10000, 2000);
        book_add_order(&tape->book, SIDE_ASK, &c, 10005, 1500);
        encoder_image(
            &tape->image_encoder, &tape->book, &info, &tape->scratch, &tape->empty, &block);
        assert_columns(buffer_bytes(&block),
            "0: 23\n3: 00\n5: 02\n6: 01\n14: 00\n89: 00 00 02\n95: 02 03\n96: 07 02\n97: 01 00 01\n"
            "98: 00 00 00\n100: 10 11 12 13 14 15 17 19 1a 1b 1c 1d 1e 1f 20 21 22 23 24 25 27 29 "
            "2a 2b 2c 2d 2e 2f 30 31 32 33 34 35 37 39 3a 3b 3c 3d 3e 3f\n101: 40 40 40\n"
            "102: 80 80 80\n108: ef d8 ff ff ff ff ff ff 57 9c 00 00 00 00 00 00 00\n");
        buffer_deinit(&block);
        tape_end(tape);
        free(tape);
}

static struct event trade(enum side side, const struct level *level, int64_t id, int64_t after_ms)
{
        struct event event = {.event_time_ns = AT + after_ms * NS_PER_MS,
            .receive_time_ns = AT + after_ms * NS_PER_MS + 1234000,
            .first_id = id,
            .last_id = id,
            .type = TYPE_TRADE,
            .levels = {level, level}};
        event.count[side] = 1;
        return event;
}

static void trades_are_written_as_they_are_drawn(void **state)
{
        (void)state;
        static const struct level levels[] = {{10005, 1500}, {10006, 500}, {10000, 1500}};
        struct tape *tape = memory_new(sizeof(*tape));
        tape_begin(tape, METHOD_TRADES, &scale);
        tape_image(tape, &tape->book);
        struct event event = trade(SIDE_ASK, &levels[0], 101, 0);
        event.type = TYPE_AGGREGATE;
        event.first_trade = event.last_trade = 70;
        tape_add(tape, &event);
        event = trade(SIDE_ASK, &levels[1], 102, 0);
        event.type = TYPE_AGGREGATE;
        event.first_trade = 71;
        event.last_trade = 73;
        tape_add(tape, &event);
        event = trade(SIDE_BID, &levels[2], 103, 40);
        tape_add(tape, &event);
        tape_seal(tape);
        check_tape(tape);
        assert_columns(buffer_bytes(&tape->frames[1].block),
            "0: 00 00 00\n2: 00 00 28\n3: 00 00 00\n4: 04 04 20\n17: 03 03 02\n20: 0b\n22: 8e\n"
            "25: 02\n26: 00 00 00\n27: 00 02\n28: 00\n29: 02 02\n30: 07 04\n31: 80 00\n32: 00 04\n"
            "33: 2a 6e 25\n");
        tape_end(tape);
        free(tape);
}

static void plain_messages_are_written_as_they_are_drawn(void **state)
{
        (void)state;
        static const uint8_t expected[] = {0x41, 0x03, 0xa4, 0x01, 0xc8, 0x01, 0x00, 0x80, 0xa0,
            0xab, 0xfe, 0xf9, 0x62, 0xa4, 0x13, 0x00, 0x00, 0x0a, 0x23, 0x30, 0x31, 0x32, 0x33,
            0x34, 0x35, 0x40, 0x37, 0x80, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x50, 0x51,
            0x52, 0x53, 0x54, 0x55, 0x40, 0x57, 0x80, 0x59, 0x5a, 0x5b, 0x5c, 0x5d, 0x5e, 0x5f,
            0xaa, 0x9c, 0x01, 0xb8, 0x17, 0x8c, 0x01, 0xa0, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01,
            0x3f, 0x04, 0xaa, 0x9c, 0x01, 0xb8, 0x17};
        struct order_message order = about(ORDER_MATCH, 0x30, SIDE_ASK, 10005, 1500);
        struct level level = {10005, 1500};
        struct event event = trade(SIDE_ASK, &level, 101, 0);
        struct plain_encoder encoder;
        struct buffer block;
        plain_encoder_init(&encoder);
        plain_begin(&encoder, &scale);
        buffer_init(&block, 4096);
        order.has |= ORDER_HAS_OTHER;
        order.other = uuid(0x50);
        order.trade_id = 70;
        event.type = TYPE_ORDER;
        event.order = &order;
        event.count[SIDE_ASK] = 0;
        assert_int_equal(plain_add(&encoder, &event), 0);
        event = trade(SIDE_ASK, &level, 102, 0);
        event.type = TYPE_AGGREGATE;
        event.first_trade = 70;
        event.last_trade = 72;
        assert_int_equal(plain_add(&encoder, &event), 0);
        plain_finish(&encoder, &block);
        assert_int_equal(block.size, sizeof(expected));
        assert_memory_equal(block.data, expected, sizeof(expected));
        buffer_deinit(&block);
        plain_encoder_deinit(&encoder);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(orders_are_written_as_they_are_drawn),
            cmocka_unit_test(an_image_of_orders_is_written_as_it_is_drawn),
            cmocka_unit_test(trades_are_written_as_they_are_drawn),
            cmocka_unit_test(plain_messages_are_written_as_they_are_drawn),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
