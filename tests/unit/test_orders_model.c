/* The order book against a naive one, which walks through all its orders: whatever messages come to
 * both, they stay equal, queue for queue. */
#include "book/numbers.h"
#include "tests/unit/help.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct order_id id_of(uint64_t number)
{
        struct order_id id = {0};
        for (unsigned i = 0; i < 8; i++)
                id.bytes[15 - i] = (uint8_t)(number >> 8 * i);
        return id;
}

#define NAIVE_ORDERS 400

struct naive_order {
        uint64_t id;
        enum side side;
        int64_t price, size;
        uint64_t queued; /* when: smaller stands before */
};

struct naive_orders {
        struct naive_order orders[NAIVE_ORDERS];
        size_t count;
        uint64_t queued;
};

static void naive_put(struct naive_orders *naive, struct naive_order order)
{
        order.queued = ++naive->queued;
        naive->orders[naive->count++] = order;
}

static void naive_drop(struct naive_orders *naive, size_t at)
{
        naive->orders[at] = naive->orders[--naive->count];
}

static void naive_change(struct naive_orders *naive, size_t at, const struct order_message *message)
{
        struct naive_order order = naive->orders[at];
        bool priced = message->reason == REASON_MODIFY && message->has & ORDER_HAS_PRICE;
        if (priced)
                order.price = message->price;
        if (message->has & ORDER_HAS_SIZE)
                order.size = message->size;
        bool grows = order.size > naive->orders[at].size && message->reason != REASON_STP;
        bool behind = grows || order.price != naive->orders[at].price;
        naive_drop(naive, at);
        if (order.size <= 0)
                return;
        uint64_t queued = order.queued;
        naive_put(naive, order);
        if (!behind)
                naive->orders[naive->count - 1].queued = queued;
}

static void naive_send(struct naive_orders *naive, const struct order_message *message)
{
        uint64_t id = order_id_number(&message->id);
        size_t at = 0;
        while (at < naive->count && naive->orders[at].id != id)
                at++;
        if (at == naive->count) {
                bool whole = message->has & ORDER_HAS_PRICE && message->has & ORDER_HAS_SIZE;
                if (message->type == ORDER_OPEN && whole && message->size > 0)
                        naive_put(naive,
                            (struct naive_order){
                                id, message->side, message->price, message->size, 0});
        } else if (message->type == ORDER_DONE) {
                naive_drop(naive, at);
        } else if (message->type == ORDER_MATCH && message->size >= naive->orders[at].size) {
                naive_drop(naive, at);
        } else if (message->type == ORDER_MATCH && message->size > 0) {
                naive->orders[at].size -= message->size;
        } else if (message->type == ORDER_CHANGE) {
                naive_change(naive, at, message);
        }
}

static int compare_naive(const void *a, const void *b)
{
        const struct naive_order *left = a, *right = b;
        int64_t left_key = book_key(left->side, left->price);
        int64_t right_key = book_key(right->side, right->price);
        if (left->side != right->side)
                return left->side < right->side ? -1 : 1;
        if (left_key != right_key)
                return left_key < right_key ? -1 : 1;
        return left->queued < right->queued ? -1 : 1;
}

static void assert_is_naive(const struct book *book, struct naive_orders *naive)
{
        size_t at = 0;
        qsort(naive->orders, naive->count, sizeof(naive->orders[0]), compare_naive);
        for (enum side s = 0; s < SIDES; s++) {
                struct order_cursor cursor = {0};
                const struct order *order;
                for (; (order = book_next_order(book, s, &cursor)); at++) {
                        assert_true(at < naive->count);
                        assert_int_equal(order_id_number(&order->id), naive->orders[at].id);
                        assert_int_equal(s, naive->orders[at].side);
                        assert_int_equal(order->price, naive->orders[at].price);
                        assert_int_equal(order->size, naive->orders[at].size);
                }
        }
        assert_int_equal(at, naive->count);
        assert_int_equal(book_size(book), naive->count);
        assert_true(book_orders_agree(book));
}

static struct order_message any_message(struct chance *chance)
{
        static const uint8_t types[] = {ORDER_OPEN, ORDER_OPEN, ORDER_OPEN, ORDER_MATCH, ORDER_DONE,
            ORDER_CHANGE, ORDER_CHANGE, ORDER_RECEIVED, ORDER_ACTIVATE, ORDER_OTHER};
        struct order_message message = {.type = types[chance_below(chance, COUNT(types))],
            .side = (uint8_t)chance_below(chance, SIDES),
            .reason = (uint8_t)chance_below(chance, REASONS),
            .has = ORDER_HAS_PRICE | ORDER_HAS_SIZE,
            .id = id_of(1 + chance_below(chance, NAIVE_ORDERS)),
            .price = (int64_t)chance_below(chance, 30) - 10,
            .size = (int64_t)chance_below(chance, 12) - 1};
        if (chance_one_in(chance, 8))
                message.has = (uint8_t)chance_below(chance, ORDER_FIELDS + 1);
        if (chance_one_in(chance, 2))
                message.reason = REASON_MODIFY;
        return message;
}

static void any_messages_do_what_they_do_to_the_model(void **state)
{
        (void)state;
        for (uint64_t seed = 0; seed < 20; seed++) {
                static struct naive_orders naive;
                struct chance chance = {seed};
                struct book book, copy;
                book_init(&book);
                book_init(&copy);
                book_begin_orders(&book);
                naive.count = 0;
                for (unsigned i = 0; i < 3000; i++) {
                        struct order_message message = any_message(&chance);
                        struct event event = {.type = TYPE_ORDER, .order = &message, .last_id = i};
                        assert_int_equal(book_apply(&book, &event), 0);
                        naive_send(&naive, &message);
                        if (i % 10 == 0)
                                assert_is_naive(&book, &naive);
                }
                book_copy(&copy, &book);
                assert_is_naive(&copy, &naive);
                book_deinit(&book);
                book_deinit(&copy);
        }
}

/* Prices come back in an image, ids twice, sizes are none: as if its orders were opened one by one.
 */
static void an_image_is_what_its_orders_open(void **state)
{
        (void)state;
        struct book book;
        book_init(&book);
        for (uint64_t seed = 0; seed < 300; seed++) {
                static struct naive_orders naive;
                static struct level levels[SIDES][NAIVE_ORDERS];
                static struct order_id ids[SIDES][NAIVE_ORDERS];
                struct chance chance = {seed};
                struct image image = {
                    .kind = KIND_L3, .levels = {levels[0], levels[1]}, .orders = {ids[0], ids[1]}};
                naive.count = 0;
                for (enum side s = 0; s < SIDES; s++) {
                        image.count[s] = (uint32_t)chance_below(&chance, NAIVE_ORDERS / 2);
                        for (uint32_t i = 0; i < image.count[s]; i++) {
                                struct order_message message = any_message(&chance);
                                message.type = ORDER_OPEN;
                                message.side = (uint8_t)s;
                                message.has = ORDER_HAS_PRICE | ORDER_HAS_SIZE;
                                levels[s][i] = (struct level){message.price, message.size};
                                ids[s][i] = message.id;
                                naive_send(&naive, &message);
                        }
                }
                assert_int_equal(book_set_image(&book, &image), 0);
                assert_is_naive(&book, &naive);
        }
        book_deinit(&book);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(any_messages_do_what_they_do_to_the_model),
            cmocka_unit_test(an_image_is_what_its_orders_open),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
