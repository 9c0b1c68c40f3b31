/* What may be asked of a REST host, minute by minute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "venue/budget.h"

#define WALL_NS (INT64_C(1795219200) * NS_PER_S) /* the start of a minute */

static struct budget budget;

static int setup(void **state)
{
        (void)state;
        budget_init(&budget, 6000);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        budget_deinit(&budget);
        return 0;
}

static int64_t wall(int64_t ms)
{
        return WALL_NS + ms * NS_PER_MS;
}

/* How many requests may go out at @ms. */
static unsigned drain(int64_t ms)
{
        struct budget_request request;
        unsigned count = 0;
        while (budget_next(&budget, wall(ms), &request))
                count++;
        return count;
}

static void add(enum budget_priority priority, unsigned count, uint32_t weight)
{
        for (unsigned i = 0; i < count; i++)
                budget_add(&budget, priority, 1000 * priority + i, weight);
}

static uint64_t next_id(int64_t ms)
{
        struct budget_request request;
        return budget_next(&budget, wall(ms), &request) ? request.id : UINT64_MAX;
}

static void half_of_the_weight_is_used(void **state)
{
        (void)state;
        add(BUDGET_FIRST, 100, 250);
        assert_int_equal(drain(0), 12);
        assert_int_equal(drain(59999), 0);
        assert_int_equal(budget_waiting(&budget, BUDGET_FIRST), 88);
}

static void the_exchange_may_state_another_limit(void **state)
{
        (void)state;
        budget_set_limit(&budget, 1200);
        add(BUDGET_FIRST, 100, 50);
        assert_int_equal(drain(0), 12);
}

/* The exchange counts from minute to minute of the clock, not from our first request. */
static void weights_count_in_fixed_minutes_of_the_clock(void **state)
{
        (void)state;
        add(BUDGET_FIRST, 100, 250);
        assert_int_equal(drain(59000), 12);
        assert_int_equal(drain(59999), 0);
        assert_int_equal(drain(60000), 12);
        assert_int_equal(drain(119999), 0);
        assert_int_equal(drain(600000), 12);
}

static void a_clock_that_steps_back_is_another_minute(void **state)
{
        (void)state;
        add(BUDGET_FIRST, 100, 250);
        assert_int_equal(drain(120000), 12);
        assert_int_equal(drain(0), 12);
}

static void urgent_requests_go_first(void **state)
{
        (void)state;
        add(BUDGET_REFRESH, 1, 250);
        add(BUDGET_PROBE, 1, 5);
        add(BUDGET_FIRST, 2, 250);
        add(BUDGET_RESYNC, 1, 250);
        add(BUDGET_NAMES, 1, 20);
        assert_int_equal(next_id(0), 1000 * BUDGET_NAMES);
        assert_int_equal(next_id(0), 1000 * BUDGET_RESYNC);
        assert_int_equal(next_id(0), 1000 * BUDGET_FIRST);
        assert_int_equal(next_id(0), 1000 * BUDGET_FIRST + 1);
        assert_int_equal(next_id(0), 1000 * BUDGET_PROBE);
        assert_int_equal(next_id(0), 1000 * BUDGET_REFRESH);
        assert_int_equal(next_id(0), UINT64_MAX);
}

/* A lost book comes before re-images even when it is asked for later and the minute is used up. */
static void what_does_not_fit_is_not_overtaken(void **state)
{
        (void)state;
        add(BUDGET_REFRESH, 20, 250);
        assert_int_equal(drain(0), 12);
        add(BUDGET_RESYNC, 1, 250);
        budget_add(&budget, BUDGET_REFRESH, 7, 1);
        assert_int_equal(drain(30000), 0);
        assert_int_equal(next_id(60000), 1000 * BUDGET_RESYNC);
}

static void retry_after_stops_everything(void **state)
{
        (void)state;
        add(BUDGET_NAMES, 1, 1);
        budget_block(&budget, wall(1000), 90);
        assert_int_equal(drain(1000), 0);
        assert_int_equal(drain(90999), 0);
        assert_int_equal(drain(91000), 1);
}

static void a_shorter_retry_after_never_ends_a_longer_one(void **state)
{
        (void)state;
        add(BUDGET_NAMES, 1, 1);
        budget_block(&budget, wall(0), 90);
        budget_block(&budget, wall(10), 5);
        assert_int_equal(drain(89999), 0);
        assert_int_equal(drain(90000), 1);
}

static void retry_after_without_a_time_or_with_a_mad_one_is_bounded(void **state)
{
        (void)state;
        add(BUDGET_NAMES, 2, 1);
        budget_block(&budget, wall(0), -1);
        assert_int_equal(drain(1999), 0);
        assert_int_equal(next_id(2000), 0);
        budget_block(&budget, wall(0), INT64_MAX);
        assert_int_equal(drain(3 * 86400000 - 1), 0);
        assert_int_equal(drain(3 * 86400000), 1);
}

static void what_the_exchange_says_was_used_wins(void **state)
{
        (void)state;
        add(BUDGET_FIRST, 100, 250);
        assert_int_equal(next_id(0), 1000 * BUDGET_FIRST);
        budget_used(&budget, wall(10), 2500); /* somebody else on this address */
        assert_int_equal(drain(20), 2);
        budget_used(&budget, wall(30), 100); /* an answer that was late */
        budget_used(&budget, wall(30), -1);
        assert_int_equal(drain(40), 0);
        budget_used(&budget, wall(60000), 3000);
        assert_int_equal(drain(60001), 0);
        assert_int_equal(drain(120000), 12);
}

static void mad_used_weights_let_nothing_through(void **state)
{
        (void)state;
        add(BUDGET_FIRST, 10, 250);
        budget_used(&budget, wall(0), UINT32_MAX);
        assert_int_equal(drain(0), 0);
        budget_used(&budget, wall(60000), INT64_MAX);
        assert_int_equal(drain(60000), 0);
}

static void a_request_heavier_than_the_whole_budget_goes_alone(void **state)
{
        (void)state;
        budget_set_limit(&budget, 400);
        add(BUDGET_FIRST, 2, 250);
        add(BUDGET_REFRESH, 1, 1);
        assert_int_equal(drain(0), 1);
        assert_int_equal(drain(59999), 0);
        assert_int_equal(drain(60000), 1);
        assert_int_equal(drain(120000), 1);
}

static void requests_keep_their_order_through_thousands(void **state)
{
        (void)state;
        uint64_t added = 0, taken = 0;
        budget_set_limit(&budget, 2000000);
        for (int64_t minute = 0; minute < 50; minute++) {
                for (int i = 0; i < 37 + minute % 5; i++)
                        budget_add(&budget, BUDGET_PROBE, added++, 1);
                for (int i = 0; i < 30; i++)
                        assert_int_equal(next_id(minute * 60000), taken++);
        }
        while (taken < added)
                assert_int_equal(next_id(3600000), taken++);
        assert_int_equal(budget_waiting(&budget, BUDGET_PROBE), 0);
}

#define BUDGET_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
            BUDGET_TEST(half_of_the_weight_is_used),
            BUDGET_TEST(the_exchange_may_state_another_limit),
            BUDGET_TEST(weights_count_in_fixed_minutes_of_the_clock),
            BUDGET_TEST(a_clock_that_steps_back_is_another_minute),
            BUDGET_TEST(urgent_requests_go_first),
            BUDGET_TEST(what_does_not_fit_is_not_overtaken),
            BUDGET_TEST(retry_after_stops_everything),
            BUDGET_TEST(a_shorter_retry_after_never_ends_a_longer_one),
            BUDGET_TEST(retry_after_without_a_time_or_with_a_mad_one_is_bounded),
            BUDGET_TEST(what_the_exchange_says_was_used_wins),
            BUDGET_TEST(mad_used_weights_let_nothing_through),
            BUDGET_TEST(a_request_heavier_than_the_whole_budget_goes_alone),
            BUDGET_TEST(requests_keep_their_order_through_thousands),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
