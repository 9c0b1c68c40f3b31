/* Orders by number: who gets which, how long he keeps it, and what is left out. */
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

static struct order_id named(uint8_t byte)
{
        struct order_id id;
        memset(id.bytes, byte, sizeof(id.bytes));
        return id;
}

/* The number that @id gets in a message of @type. */
static uint64_t number_of(struct order_numbers *numbers, enum order_type type, uint8_t id)
{
        struct order_message message = {.type = (uint8_t)type, .id = named(id)};
        order_numbers_message(numbers, &message, true);
        return order_id_number(&message.id);
}

static void an_order_keeps_its_number_until_it_is_done(void **state)
{
        (void)state;
        struct order_numbers numbers;
        order_numbers_init(&numbers);
        assert_int_equal(number_of(&numbers, ORDER_RECEIVED, 7), 1);
        assert_int_equal(number_of(&numbers, ORDER_RECEIVED, 8), 2);
        assert_int_equal(number_of(&numbers, ORDER_OPEN, 7), 1);
        assert_int_equal(number_of(&numbers, ORDER_CHANGE, 8), 2);
        assert_int_equal(number_of(&numbers, ORDER_DONE, 7), 1);
        assert_int_equal(number_of(&numbers, ORDER_OPEN, 7), 3);
        assert_int_equal(number_of(&numbers, ORDER_DONE, 9), 4); /* never heard of */
        assert_int_equal(number_of(&numbers, ORDER_OPEN, 9), 5);
        struct order_id ids[] = {named(8), named(20), named(7)};
        order_numbers_ids(&numbers, ids, COUNT(ids));
        assert_int_equal(order_id_number(&ids[0]), 2);
        assert_int_equal(order_id_number(&ids[1]), 6);
        assert_int_equal(order_id_number(&ids[2]), 3);
        order_numbers_forget(&numbers);
        assert_int_equal(number_of(&numbers, ORDER_OPEN, 8), 7);
        order_numbers_deinit(&numbers);
}

/* Before there is an image, one may come that still has the order. */
static void an_order_that_is_done_before_the_image_keeps_its_number(void **state)
{
        (void)state;
        struct order_numbers numbers;
        struct order_message message = {.type = ORDER_DONE, .id = named(7)};
        struct order_id id = named(7);
        order_numbers_init(&numbers);
        assert_int_equal(number_of(&numbers, ORDER_RECEIVED, 7), 1);
        order_numbers_message(&numbers, &message, false);
        assert_int_equal(order_id_number(&message.id), 1);
        order_numbers_ids(&numbers, &id, 1);
        assert_int_equal(order_id_number(&id), 1);
        message.id = named(8); /* never heard of: it is known from now on */
        order_numbers_message(&numbers, &message, false);
        assert_int_equal(order_id_number(&message.id), 2);
        assert_int_equal(number_of(&numbers, ORDER_OPEN, 8), 2);
        order_numbers_deinit(&numbers);
}

static void numbers_name_takers_and_leave_owners_out(void **state)
{
        (void)state;
        struct order_numbers numbers;
        struct order_message match = {.type = ORDER_MATCH,
            .has = ORDER_HAS_OTHER | ORDER_HAS_SIZE,
            .id = named(1),
            .other = named(2)};
        struct order_message received = {.type = ORDER_RECEIVED,
            .has = ORDER_HAS_OTHER | ORDER_OTHER_PLAIN | ORDER_HAS_SIZE,
            .id = named(2),
            .other = named(99)};
        struct order_message other = {.type = ORDER_OTHER}, untouched = other;
        static const struct order_id none;
        order_numbers_init(&numbers);
        order_numbers_message(&numbers, &match, true);
        assert_int_equal(order_id_number(&match.id), 1);
        assert_int_equal(order_id_number(&match.other), 2);
        assert_int_equal(match.has, ORDER_HAS_OTHER | ORDER_HAS_SIZE);
        order_numbers_message(&numbers, &received, true);
        assert_int_equal(order_id_number(&received.id), 2);
        assert_int_equal(received.has, ORDER_HAS_SIZE);
        assert_true(order_id_equal(&received.other, &none));
        order_numbers_message(&numbers, &other, true);
        assert_true(order_message_equal(&other, &untouched));
        assert_int_equal(numbers.last, 2);
        order_numbers_deinit(&numbers);
}

static void only_ids_that_are_numbers_have_one(void **state)
{
        (void)state;
        struct order_id id = id_of(UINT64_MAX);
        assert_true(order_id_number(&id) == UINT64_MAX);
        for (unsigned i = 0; i < 8; i++) {
                id = id_of(5);
                id.bytes[i] = 1;
                assert_int_equal(order_id_number(&id), 0);
        }
        id = id_of(0x0102030405060708);
        assert_int_equal(id.bytes[8], 1);
        assert_int_equal(order_id_number(&id), 0x0102030405060708);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(an_order_keeps_its_number_until_it_is_done),
            cmocka_unit_test(an_order_that_is_done_before_the_image_keeps_its_number),
            cmocka_unit_test(numbers_name_takers_and_leave_owners_out),
            cmocka_unit_test(only_ids_that_are_numbers_have_one),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
