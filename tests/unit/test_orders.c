/* The order book: what each message does to it, who keeps his place in the queue, and what it
 * refuses; whole books are compared, in the order of their queues. */
#include <inttypes.h>

#include "base/error.h"
#include "base/limits.h"
#include "book/numbers.h"
#include "tests/unit/help.h"

#define TEXT_SIZE 4096

static struct order_id id_of(uint64_t number)
{
        struct order_id id = {0};
        for (unsigned i = 0; i < 8; i++)
                id.bytes[15 - i] = (uint8_t)(number >> 8 * i);
        return id;
}

/* ---- messages, and a book as text ---- */

static struct order_message opened(enum side side, uint64_t id, int64_t price, int64_t size)
{
        return (struct order_message){.type = ORDER_OPEN,
            .side = (uint8_t)side,
            .has = ORDER_HAS_PRICE | ORDER_HAS_SIZE,
            .id = id_of(id),
            .price = price,
            .size = size};
}

static struct order_message matched(uint64_t id, int64_t size)
{
        return (struct order_message){
            .type = ORDER_MATCH, .has = ORDER_HAS_SIZE, .id = id_of(id), .size = size};
}

static struct order_message finished(uint64_t id)
{
        return (struct order_message){
            .type = ORDER_DONE, .reason = REASON_CANCELED, .id = id_of(id)};
}

static struct order_message changed(enum order_reason reason, uint64_t id, int64_t size)
{
        return (struct order_message){.type = ORDER_CHANGE,
            .reason = (uint8_t)reason,
            .has = ORDER_HAS_SIZE,
            .id = id_of(id),
            .size = size};
}

static struct order_message moved(
    enum order_reason reason, uint64_t id, int64_t price, int64_t size)
{
        struct order_message message = changed(reason, id, size);
        message.has |= ORDER_HAS_PRICE;
        message.price = price;
        return message;
}

static int send(struct book *book, struct order_message message)
{
        struct event event = {.type = TYPE_ORDER, .order = &message, .last_id = book->id + 1};
        int code = book_apply(book, &event);
        assert_true(book_orders_agree(book));
        return code;
}

/* "b100 1x5 2x7, b99 3x1": each price with its queue, id x size. */
static void book_text(const struct book *book, char *ret_text)
{
        size_t size = 0;
        ret_text[0] = '\0';
        for (enum side s = 0; s < SIDES; s++) {
                struct order_cursor cursor = {0};
                const struct order *order;
                while ((order = book_next_order(book, s, &cursor))) {
                        if (order->previous == ORDER_NONE)
                                size += (size_t)snprintf(ret_text + size, TEXT_SIZE - size,
                                    "%s%c%" PRId64, size ? ", " : "", "ba"[s], order -> price);
                        size += (size_t)snprintf(ret_text + size, TEXT_SIZE - size,
                            " %" PRIu64 "x%" PRId64, order_id_number(&order->id), order->size);
                }
        }
}

static void assert_book(const struct book *book, const char *expected)
{
        char text[TEXT_SIZE];
        book_text(book, text);
        assert_string_equal(text, expected);
}

#define STANDARD "b100 1x5 2x7 3x9, b99 4x1, a101 5x6 6x2"

static void begin(struct book *book)
{
        book_init(book);
        book_begin_orders(book);
        send(book, opened(SIDE_BID, 1, 100, 5));
        send(book, opened(SIDE_BID, 2, 100, 7));
        send(book, opened(SIDE_BID, 4, 99, 1));
        send(book, opened(SIDE_ASK, 5, 101, 6));
        send(book, opened(SIDE_BID, 3, 100, 9));
        send(book, opened(SIDE_ASK, 6, 101, 2));
        assert_book(book, STANDARD);
}

/* What @message makes of the standard book. */
static void check(struct order_message message, const char *expected)
{
        struct book book;
        begin(&book);
        assert_int_equal(send(&book, message), 0);
        assert_book(&book, expected);
        assert_int_equal(book.id, 6);
        book_deinit(&book);
}

static struct order_message with(struct order_message message, uint8_t type, uint8_t has)
{
        message.type = type;
        message.has = has;
        return message;
}

/* ---- each message ---- */

static void an_opened_order_is_put_at_the_end_of_its_queue(void **state)
{
        (void)state;
        check(opened(SIDE_BID, 7, 99, 3), "b100 1x5 2x7 3x9, b99 4x1 7x3, a101 5x6 6x2");
        check(opened(SIDE_ASK, 7, 100, 3), "b100 1x5 2x7 3x9, b99 4x1, a100 7x3, a101 5x6 6x2");
        check(opened(SIDE_BID, 7, -4, 3), "b100 1x5 2x7 3x9, b99 4x1, b-4 7x3, a101 5x6 6x2");
}

static void what_does_not_open_does_nothing(void **state)
{
        (void)state;
        struct order_message message = opened(SIDE_BID, 7, 99, 3);
        check(with(message, ORDER_OPEN, ORDER_HAS_PRICE), STANDARD);
        check(with(message, ORDER_OPEN, ORDER_HAS_SIZE), STANDARD);
        check(opened(SIDE_BID, 7, 99, 0), STANDARD);
        check(opened(SIDE_BID, 7, 99, -3), STANDARD);
        check(opened(SIDE_BID, 7, 99, INT64_MIN), STANDARD);
        for (uint8_t type = 0; type < ORDER_TYPES; type++) {
                if (type != ORDER_OPEN)
                        check(with(message, type, message.has), STANDARD);
        }
}

static void an_order_that_rests_is_not_opened_again(void **state)
{
        (void)state;
        check(opened(SIDE_BID, 2, 100, 50), STANDARD);
        check(opened(SIDE_BID, 2, 98, 50), STANDARD);
        check(opened(SIDE_ASK, 2, 102, 50), STANDARD);
}

static void received_activate_and_other_change_nothing(void **state)
{
        (void)state;
        static const uint8_t types[] = {ORDER_RECEIVED, ORDER_ACTIVATE, ORDER_OTHER};
        for (size_t i = 0; i < sizeof(types); i++)
                check(with(moved(REASON_MODIFY, 2, 98, 50), types[i],
                          ORDER_HAS_PRICE | ORDER_HAS_SIZE),
                    STANDARD);
}

static void a_match_takes_size_and_leaves_the_place(void **state)
{
        (void)state;
        check(matched(1, 2), "b100 1x3 2x7 3x9, b99 4x1, a101 5x6 6x2");
        check(matched(2, 6), "b100 1x5 2x1 3x9, b99 4x1, a101 5x6 6x2");
        check(matched(2, 7), "b100 1x5 3x9, b99 4x1, a101 5x6 6x2");
        check(matched(1, 5), "b100 2x7 3x9, b99 4x1, a101 5x6 6x2");
        check(matched(3, INT64_MAX), "b100 1x5 2x7, b99 4x1, a101 5x6 6x2");
        check(matched(4, 1), "b100 1x5 2x7 3x9, a101 5x6 6x2");
        check(matched(6, 1), "b100 1x5 2x7 3x9, b99 4x1, a101 5x6 6x1");
}

static void a_match_of_nothing_does_nothing(void **state)
{
        (void)state;
        check(matched(2, 0), STANDARD);
        check(matched(2, -7), STANDARD);
        check(matched(2, INT64_MIN), STANDARD);
        check(matched(9, 5), STANDARD);
}

static void done_removes_the_order_whatever_else_it_says(void **state)
{
        (void)state;
        struct order_message message = finished(2);
        const char *without = "b100 1x5 3x9, b99 4x1, a101 5x6 6x2";
        check(message, without);
        message.side = SIDE_ASK;
        message.reason = REASON_FILLED;
        message.has = ORDER_HAS_PRICE | ORDER_HAS_SIZE;
        message.price = 12345;
        message.size = 999;
        check(message, without);
        check(finished(5), "b100 1x5 2x7 3x9, b99 4x1, a101 6x2");
        check(finished(9), STANDARD);
}

static void a_smaller_size_keeps_the_place(void **state)
{
        (void)state;
        check(changed(REASON_STP, 2, 6), "b100 1x5 2x6 3x9, b99 4x1, a101 5x6 6x2");
        check(changed(REASON_MODIFY, 2, 1), "b100 1x5 2x1 3x9, b99 4x1, a101 5x6 6x2");
        check(changed(REASON_NONE, 1, 4), "b100 1x4 2x7 3x9, b99 4x1, a101 5x6 6x2");
        check(changed(REASON_MODIFY, 2, 7), STANDARD);
        check(moved(REASON_MODIFY, 2, 100, 4), "b100 1x5 2x4 3x9, b99 4x1, a101 5x6 6x2");
}

static void more_size_goes_to_the_end_of_the_queue(void **state)
{
        (void)state;
        check(changed(REASON_MODIFY, 2, 8), "b100 1x5 3x9 2x8, b99 4x1, a101 5x6 6x2");
        check(changed(REASON_NONE, 1, 6), "b100 2x7 3x9 1x6, b99 4x1, a101 5x6 6x2");
        check(moved(REASON_MODIFY, 5, 101, 7), "b100 1x5 2x7 3x9, b99 4x1, a101 6x2 5x7");
        check(changed(REASON_MODIFY, 3, 10), "b100 1x5 2x7 3x10, b99 4x1, a101 5x6 6x2");
}

static void another_price_goes_to_the_end_of_its_queue(void **state)
{
        (void)state;
        check(moved(REASON_MODIFY, 2, 99, 3), "b100 1x5 3x9, b99 4x1 2x3, a101 5x6 6x2");
        check(moved(REASON_MODIFY, 4, 100, 1), "b100 1x5 2x7 3x9 4x1, a101 5x6 6x2");
        check(moved(REASON_MODIFY, 5, 102, 6), "b100 1x5 2x7 3x9, b99 4x1, a101 6x2, a102 5x6");
        struct order_message message = moved(REASON_MODIFY, 1, 98, 55);
        message.has = ORDER_HAS_PRICE; /* the size stays */
        check(message, "b100 2x7 3x9, b99 4x1, b98 1x5, a101 5x6 6x2");
        message.side = SIDE_ASK; /* so does the side */
        check(message, "b100 2x7 3x9, b99 4x1, b98 1x5, a101 5x6 6x2");
}

/* The price that others name is not the order's to go to. */
static void only_its_owner_moves_an_order(void **state)
{
        (void)state;
        for (uint8_t reason = 0; reason < REASONS; reason++) {
                if (reason == REASON_MODIFY)
                        continue;
                check(moved(reason, 2, 98, 6), "b100 1x5 2x6 3x9, b99 4x1, a101 5x6 6x2");
                check(moved(reason, 2, 98, 8),
                    reason == REASON_STP ? "b100 1x5 2x8 3x9, b99 4x1, a101 5x6 6x2"
                                         : "b100 1x5 3x9 2x8, b99 4x1, a101 5x6 6x2");
        }
}

static void self_trade_prevention_never_costs_the_place(void **state)
{
        (void)state;
        check(changed(REASON_STP, 1, 6), "b100 1x6 2x7 3x9, b99 4x1, a101 5x6 6x2");
        check(changed(REASON_STP, 1, 4), "b100 1x4 2x7 3x9, b99 4x1, a101 5x6 6x2");
        check(moved(REASON_STP, 5, 102, 60), "b100 1x5 2x7 3x9, b99 4x1, a101 5x60 6x2");
}

static void a_change_to_nothing_removes_the_order(void **state)
{
        (void)state;
        const char *without = "b100 1x5 3x9, b99 4x1, a101 5x6 6x2";
        check(changed(REASON_STP, 2, 0), without);
        check(changed(REASON_MODIFY, 2, -1), without);
        check(changed(REASON_MODIFY, 2, INT64_MIN), without);
        check(moved(REASON_MODIFY, 2, 98, 0), without);
        check(moved(REASON_MODIFY, 2, 98, -5), without);
}

static void a_change_of_nothing_does_nothing(void **state)
{
        (void)state;
        check(with(changed(REASON_MODIFY, 2, 99), ORDER_CHANGE, 0), STANDARD);
        check(moved(REASON_MODIFY, 9, 98, 5), STANDARD);
}

/* ---- what a message touches ---- */

static void check_touch(struct order_message message, unsigned count, enum side side,
    struct level first, struct level second)
{
        struct book book;
        struct level levels[ORDER_TOUCHES];
        int64_t befores[ORDER_TOUCHES];
        enum side touched;
        begin(&book);
        assert_int_equal(book_touch(&book, &message, &touched, levels, befores), count);
        if (count) {
                assert_int_equal(touched, side);
                assert_int_equal(levels[0].price, first.price);
                assert_int_equal(befores[0], first.quantity);
        }
        if (count > 1) {
                assert_int_equal(levels[1].price, second.price);
                assert_int_equal(befores[1], second.quantity);
        }
        assert_book(&book, STANDARD);
        book_deinit(&book);
}

static void a_message_touches_one_level_or_two(void **state)
{
        (void)state;
        struct level none = {0}, bid = {100, 21}, lower = {99, 1}, ask = {101, 8}, free = {97, 0};
        check_touch(opened(SIDE_BID, 9, 100, 4), 1, SIDE_BID, bid, none);
        check_touch(opened(SIDE_ASK, 9, 97, 4), 1, SIDE_ASK, free, none);
        check_touch(opened(SIDE_BID, 9, 100, 0), 0, SIDE_BID, none, none);
        check_touch(opened(SIDE_BID, 2, 97, 4), 0, SIDE_BID, none, none);
        check_touch(matched(6, 1), 1, SIDE_ASK, ask, none);
        check_touch(matched(9, 1), 0, SIDE_ASK, none, none);
        check_touch(finished(4), 1, SIDE_BID, lower, none);
        check_touch(finished(9), 0, SIDE_BID, none, none);
        check_touch(changed(REASON_STP, 1, 2), 1, SIDE_BID, bid, none);
        check_touch(moved(REASON_STP, 1, 97, 2), 1, SIDE_BID, bid, none);
        check_touch(moved(REASON_MODIFY, 1, 99, 2), 2, SIDE_BID, bid, lower);
        check_touch(moved(REASON_MODIFY, 1, 97, 2), 2, SIDE_BID, bid, free);
        check_touch(moved(REASON_MODIFY, 1, 100, 2), 1, SIDE_BID, bid, none);
        check_touch(with(matched(1, 1), ORDER_RECEIVED, 0), 0, SIDE_BID, none, none);
        check_touch(with(matched(1, 1), ORDER_ACTIVATE, 0), 0, SIDE_BID, none, none);
}

static void check_crosses(struct order_message message, bool crosses)
{
        struct book book;
        begin(&book);
        assert_int_equal(book_order_crosses(&book, &message), crosses);
        send(&book, message);
        assert_int_equal(book_is_crossed(&book), crosses);
        book_deinit(&book);
}

static void what_would_cross_is_known_before(void **state)
{
        (void)state;
        check_crosses(opened(SIDE_BID, 9, 101, 1), true);
        check_crosses(opened(SIDE_BID, 9, 102, 1), true);
        check_crosses(opened(SIDE_BID, 9, 102, 0), false);
        check_crosses(opened(SIDE_ASK, 9, 100, 1), true);
        check_crosses(opened(SIDE_ASK, 9, 101, 1), false);
        check_crosses(opened(SIDE_BID, 1, 105, 1), false);
        check_crosses(moved(REASON_MODIFY, 1, 101, 1), true);
        check_crosses(moved(REASON_STP, 1, 101, 1), false);
        check_crosses(moved(REASON_MODIFY, 6, 99, 1), true);
        check_crosses(moved(REASON_MODIFY, 6, 99, 0), false);
        check_crosses(matched(1, 5), false);
}

/* ---- room ---- */

static void a_level_holds_no_more_than_a_number_can(void **state)
{
        (void)state;
        struct book book;
        begin(&book);
        int64_t room = INT64_MAX - 21;
        assert_int_equal(send(&book, opened(SIDE_BID, 9, 100, room + 1)), ERR_FULL);
        assert_int_equal(send(&book, moved(REASON_MODIFY, 4, 100, room + 1)), ERR_FULL);
        assert_int_equal(send(&book, changed(REASON_MODIFY, 2, INT64_MAX)), ERR_FULL);
        assert_book(&book, STANDARD);
        assert_int_equal(book.id, 5); /* six messages on a book of id -1 */
        assert_int_equal(send(&book, opened(SIDE_BID, 9, 100, room)), 0);
        assert_int_equal(book_quantity(&book, SIDE_BID, 100), INT64_MAX);
        assert_int_equal(send(&book, opened(SIDE_BID, 10, 100, 1)), ERR_FULL);
        assert_int_equal(send(&book, opened(SIDE_BID, 10, 98, INT64_MAX)), 0);
        assert_int_equal(send(&book, finished(9)), 0);
        assert_int_equal(send(&book, opened(SIDE_BID, 11, 100, 1)), 0);
        book_deinit(&book);
}

static void fill_book(struct book *book, uint32_t orders, int64_t price_step)
{
        for (uint32_t i = 0; i < orders; i++) {
                struct order_id id = id_of(i + 1);
                book_add_order(book, SIDE_ASK, &id, 1000 + i * price_step, 1);
        }
}

static int apply(struct book *book, struct order_message message)
{
        struct event event = {.type = TYPE_ORDER, .order = &message};
        return book_apply(book, &event);
}

static void a_book_holds_so_many_orders(void **state)
{
        (void)state;
        struct book book;
        begin(&book);
        book_begin_orders(&book);
        fill_book(&book, LIMIT_BOOK_ORDERS, 0);
        assert_int_equal(apply(&book, opened(SIDE_BID, LIMIT_BOOK_ORDERS + 1, 5, 1)), ERR_FULL);
        assert_int_equal(apply(&book, opened(SIDE_BID, 7, 5, 1)), 0); /* it rests already */
        assert_int_equal(apply(&book, matched(7, 1)), 0);
        assert_int_equal(apply(&book, opened(SIDE_BID, LIMIT_BOOK_ORDERS + 1, 5, 1)), 0);
        assert_int_equal(book_size(&book), LIMIT_BOOK_ORDERS);
        assert_true(book_orders_agree(&book));
        book_deinit(&book);
}

static void a_side_holds_so_many_levels(void **state)
{
        (void)state;
        struct book book;
        begin(&book);
        book_begin_orders(&book);
        fill_book(&book, LIMIT_BOOK_LEVELS - 1, 2);
        uint64_t id = LIMIT_BOOK_LEVELS;
        assert_int_equal(apply(&book, opened(SIDE_ASK, id, 1, 1)), 0);
        assert_int_equal(apply(&book, opened(SIDE_ASK, id + 1, 3, 1)), ERR_FULL);
        assert_int_equal(apply(&book, finished(id)), 0);
        assert_int_equal(apply(&book, opened(SIDE_ASK, id + 1, 3, 1)), 0);
        assert_true(book_orders_agree(&book));
        book_deinit(&book);
}

static void a_book_of_levels_takes_no_orders(void **state)
{
        (void)state;
        struct book book;
        struct order_message message = opened(SIDE_BID, 1, 100, 5);
        struct event event = {.type = TYPE_ORDER, .order = &message};
        book_init(&book);
        assert_int_equal(book_apply(&book, &event), ERR_FULL);
        book_begin_orders(&book);
        assert_int_equal(book_apply(&book, &event), 0);
        book_clear(&book);
        assert_int_equal(book_apply(&book, &event), ERR_FULL);
        assert_int_equal(book_count(&book, SIDE_BID), 0);
        book_deinit(&book);
}

static void a_book_of_orders_takes_no_levels(void **state)
{
        (void)state;
        struct level level = {100, 5};
        struct event event = {.count = {1, 0}, .levels = {&level, &level}};
        struct book book;
        begin(&book);
        assert_int_equal(book_apply(&book, &event), ERR_FULL);
        event.type = TYPE_TRADE; /* which changes nothing */
        assert_int_equal(book_apply(&book, &event), 0);
        assert_book(&book, STANDARD);
        book_deinit(&book);
}

/* ---- images, copies, scales ---- */

struct image_order {
        enum side side;
        uint64_t id;
        int64_t price, size;
};

static int set_image(struct book *book, const struct image_order *orders, size_t count)
{
        struct level levels[SIDES][16];
        struct order_id ids[SIDES][16];
        struct image image = {.kind = KIND_L3,
            .id = 77,
            .levels = {levels[0], levels[1]},
            .orders = {ids[0], ids[1]}};
        for (size_t i = 0; i < count; i++) {
                uint32_t at = image.count[orders[i].side]++;
                levels[orders[i].side][at] = (struct level){orders[i].price, orders[i].size};
                ids[orders[i].side][at] = id_of(orders[i].id);
        }
        int code = book_set_image(book, &image);
        assert_true(code || book_orders_agree(book));
        return code;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void an_image_queues_orders_as_they_come(void **state)
{
        (void)state;
        static const struct image_order orders[] = {{SIDE_BID, 8, 50, 1}, {SIDE_BID, 3, 50, 2},
            {SIDE_BID, 9, 51, 3}, {SIDE_BID, 1, 50, 4}, {SIDE_ASK, 6, 60, 5}, {SIDE_ASK, 5, 60, 6}};
        struct book book;
        begin(&book);
        assert_int_equal(set_image(&book, orders, COUNT(orders)), 0);
        assert_book(&book, "b51 9x3, b50 8x1 3x2 1x4, a60 6x5 5x6");
        assert_int_equal(book.id, 77);
        assert_int_equal(book_size(&book), 6);
        assert_int_equal(book_quantity(&book, SIDE_BID, 50), 7);
        assert_int_equal(set_image(&book, orders, 0), 0);
        assert_book(&book, "");
        assert_true(book.by_order);
        book_deinit(&book);
}

static void of_equal_ids_of_an_image_the_first_counts(void **state)
{
        (void)state;
        static const struct image_order orders[] = {{SIDE_BID, 1, 50, 2}, {SIDE_BID, 2, 50, 3},
            {SIDE_BID, 1, 50, 9}, {SIDE_BID, 1, 49, 9}, {SIDE_ASK, 2, 60, 9}, {SIDE_ASK, 3, 60, 1}};
        struct book book;
        book_init(&book);
        assert_int_equal(set_image(&book, orders, COUNT(orders)), 0);
        assert_book(&book, "b50 1x2 2x3, a60 3x1");
        book_deinit(&book);
}

static void orders_without_a_size_are_left_out_of_an_image(void **state)
{
        (void)state;
        static const struct image_order orders[] = {{SIDE_BID, 1, 50, 0}, {SIDE_BID, 2, 50, -3},
            {SIDE_BID, 1, 48, 4}, {SIDE_ASK, 3, 60, INT64_MIN}};
        struct book book;
        book_init(&book);
        assert_int_equal(set_image(&book, orders, COUNT(orders)), 0);
        assert_book(&book, "b48 1x4");
        book_deinit(&book);
}

static void an_image_of_too_much_leaves_nothing(void **state)
{
        (void)state;
        static const struct image_order orders[] = {
            {SIDE_BID, 1, 50, INT64_MAX}, {SIDE_BID, 2, 49, INT64_MAX}, {SIDE_BID, 3, 50, 1}};
        struct book book;
        begin(&book);
        assert_int_equal(set_image(&book, orders, 2), 0);
        assert_int_equal(set_image(&book, orders, 3), ERR_FULL);
        assert_int_equal(book_count(&book, SIDE_BID) + book_count(&book, SIDE_ASK), 0);
        assert_int_equal(book_size(&book), 0);
        assert_int_equal(set_image(&book, orders + 1, 2), 0);
        assert_book(&book, "b50 3x1, b49 2x9223372036854775807");
        book_deinit(&book);
}

static void an_image_of_levels_makes_it_a_book_of_levels(void **state)
{
        (void)state;
        struct level level = {100, 4};
        struct image image = {.kind = KIND_L2, .id = 5, .count = {1, 0}, .levels = {&level, NULL}};
        struct book book;
        begin(&book);
        assert_int_equal(book_set_image(&book, &image), 0);
        assert_false(book.by_order);
        assert_int_equal(book_size(&book), 1);
        assert_int_equal(book_quantity(&book, SIDE_BID, 100), 4);
        book_begin_orders(&book); /* no order of old is left behind */
        assert_int_equal(send(&book, opened(SIDE_BID, 1, 100, 2)), 0);
        assert_book(&book, "b100 1x2");
        book_deinit(&book);
}

static void a_copy_is_equal_and_of_its_own(void **state)
{
        (void)state;
        struct book book, copy;
        begin(&book);
        begin(&copy);
        send(&copy, finished(1));
        send(&copy, opened(SIDE_ASK, 44, 300, 1));
        book_copy(&copy, &book);
        assert_true(book_equal(&copy, &book));
        assert_int_equal(copy.id, book.id);
        assert_true(book_orders_agree(&copy));
        send(&book, matched(1, 2));
        assert_book(&copy, STANDARD);
        assert_false(book_equal(&copy, &book));
        send(&copy, matched(1, 2));
        assert_true(book_equal(&copy, &book));
        book_clear(&book);
        book_copy(&copy, &book); /* of levels now */
        assert_false(copy.by_order);
        assert_int_equal(book_count(&copy, SIDE_BID), 0);
        book_deinit(&book);
        book_deinit(&copy);
}

static void books_are_equal_only_with_their_queues(void **state)
{
        (void)state;
        static const struct image_order orders[] = {
            {SIDE_BID, 1, 50, 2}, {SIDE_BID, 2, 50, 3}, {SIDE_ASK, 3, 60, 1}};
        struct image_order others[COUNT(orders)];
        struct book book, other;
        book_init(&book);
        book_init(&other);
        set_image(&book, orders, 3);
        for (unsigned way = 0; way < 7; way++) {
                memcpy(others, orders, sizeof(orders));
                others[0].id += way == 1 ? 8 : 0;
                others[1].size += way == 2;
                others[2].price += way == 3;
                others[2].side = way == 4 ? SIDE_BID : SIDE_ASK;
                if (way == 5) {
                        others[0] = orders[1]; /* the same levels, another queue */
                        others[1] = orders[0];
                }
                set_image(&other, others, way == 6 ? 2 : 3);
                assert_int_equal(book_equal(&book, &other), way == 0);
                assert_int_equal(book_equal(&other, &book), way == 0);
        }
        book_clear(&other);
        book_clear(&book);
        book_begin_orders(&other);
        assert_false(book_equal(&book, &other));
        book_deinit(&book);
        book_deinit(&other);
}

static void a_new_scale_leaves_the_queues_as_they_are(void **state)
{
        (void)state;
        struct book book;
        begin(&book);
        send(&book, finished(5)); /* places that are free again */
        send(&book, finished(4));
        assert_int_equal(book_rescale(&book, 10, 1000), 0);
        assert_book(&book, "b1000 1x5000 2x7000 3x9000, a1010 6x2000");
        assert_true(book_orders_agree(&book));
        assert_null(orders_queue(book.orders, SIDE_BID, 100));
        send(&book, opened(SIDE_BID, 4, 1000, 1));
        send(&book, matched(2, 6999));
        send(&book, moved(REASON_MODIFY, 1, 990, 5));
        send(&book, opened(SIDE_ASK, 9, 1010, 3));
        assert_book(&book, "b1000 2x1 3x9000 4x1, b990 1x5, a1010 6x2000 9x3");
        book_deinit(&book);
}

static void a_scale_that_overflows_leaves_the_book(void **state)
{
        (void)state;
        struct book book;
        begin(&book);
        assert_int_equal(book_rescale(&book, INT64_MAX / 100, 1), ERR_RANGE);
        assert_int_equal(book_rescale(&book, 1, INT64_MAX / 9), ERR_RANGE);
        assert_book(&book, STANDARD);
        assert_true(book_orders_agree(&book));
        book_deinit(&book);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(an_opened_order_is_put_at_the_end_of_its_queue),
            cmocka_unit_test(what_does_not_open_does_nothing),
            cmocka_unit_test(an_order_that_rests_is_not_opened_again),
            cmocka_unit_test(received_activate_and_other_change_nothing),
            cmocka_unit_test(a_match_takes_size_and_leaves_the_place),
            cmocka_unit_test(a_match_of_nothing_does_nothing),
            cmocka_unit_test(done_removes_the_order_whatever_else_it_says),
            cmocka_unit_test(a_smaller_size_keeps_the_place),
            cmocka_unit_test(more_size_goes_to_the_end_of_the_queue),
            cmocka_unit_test(another_price_goes_to_the_end_of_its_queue),
            cmocka_unit_test(only_its_owner_moves_an_order),
            cmocka_unit_test(self_trade_prevention_never_costs_the_place),
            cmocka_unit_test(a_change_to_nothing_removes_the_order),
            cmocka_unit_test(a_change_of_nothing_does_nothing),
            cmocka_unit_test(a_message_touches_one_level_or_two),
            cmocka_unit_test(what_would_cross_is_known_before),
            cmocka_unit_test(a_level_holds_no_more_than_a_number_can),
            cmocka_unit_test(a_book_holds_so_many_orders),
            cmocka_unit_test(a_side_holds_so_many_levels),
            cmocka_unit_test(a_book_of_levels_takes_no_orders),
            cmocka_unit_test(a_book_of_orders_takes_no_levels),
            cmocka_unit_test(an_image_queues_orders_as_they_come),
            cmocka_unit_test(of_equal_ids_of_an_image_the_first_counts),
            cmocka_unit_test(orders_without_a_size_are_left_out_of_an_image),
            cmocka_unit_test(an_image_of_too_much_leaves_nothing),
            cmocka_unit_test(an_image_of_levels_makes_it_a_book_of_levels),
            cmocka_unit_test(a_copy_is_equal_and_of_its_own),
            cmocka_unit_test(books_are_equal_only_with_their_queues),
            cmocka_unit_test(a_new_scale_leaves_the_queues_as_they_are),
            cmocka_unit_test(a_scale_that_overflows_leaves_the_book),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
