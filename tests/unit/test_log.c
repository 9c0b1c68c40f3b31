/* The event log: first in, first out, never beyond its limit, compact while it runs. */
#include "base/error.h"
#include "book/log.h"
#include "tests/unit/help.h"

static struct level levels[64];

/* Event @number: everything in it follows from the number. */
static struct event event_of(int64_t number)
{
        struct event event = {.event_time_ns = number * 1000,
            .receive_time_ns = number * 1000 + 7,
            .first_id = number,
            .last_id = number,
            .flags = (uint32_t)(number & 1),
            .count = {(uint32_t)(number % 5), (uint32_t)(number % 3)}};
        for (uint32_t i = 0; i < event_level_count(&event); i++)
                levels[i] = (struct level){number + i, number * i};
        event.levels[SIDE_BID] = levels;
        event.levels[SIDE_ASK] = levels + event.count[SIDE_BID];
        return event;
}

static void assert_event(const struct event *got, int64_t number)
{
        struct event expected = event_of(number);
        assert_int_equal(got->first_id, number);
        assert_int_equal(got->event_time_ns, expected.event_time_ns);
        assert_int_equal(got->receive_time_ns, expected.receive_time_ns);
        assert_int_equal(got->flags, expected.flags);
        for (enum side s = 0; s < SIDES; s++) {
                assert_int_equal(got->count[s], expected.count[s]);
                for (uint32_t i = 0; i < got->count[s]; i++) {
                        assert_int_equal(got->levels[s][i].price, expected.levels[s][i].price);
                        assert_int_equal(
                            got->levels[s][i].quantity, expected.levels[s][i].quantity);
                }
        }
}

static void assert_holds(const struct event_log *log, int64_t from, int64_t to)
{
        struct event_log_cursor cursor = {0};
        struct event event;
        assert_int_equal(log->count, to - from);
        for (int64_t number = from; number < to; number++) {
                assert_true(event_log_next(log, &cursor, &event));
                assert_event(&event, number);
        }
        assert_false(event_log_next(log, &cursor, &event));
}

static void events_come_back_in_order(void **state)
{
        (void)state;
        struct event_log log;
        event_log_init(&log, 1 << 20);
        assert_holds(&log, 0, 0);
        event_log_drop(&log);
        for (int64_t number = 0; number < 1000; number++) {
                struct event event = event_of(number);
                assert_int_equal(event_log_append(&log, &event), 0);
        }
        assert_holds(&log, 0, 1000);
        for (int64_t number = 0; number < 1000; number++) {
                if (number % 50 == 0)
                        assert_holds(&log, number, 1000);
                event_log_drop(&log);
        }
        assert_holds(&log, 0, 0);
        event_log_deinit(&log);
}

static void a_full_log_is_left_unchanged(void **state)
{
        (void)state;
        struct event_log log;
        struct event event;
        int64_t count = 0;
        event_log_init(&log, 4096);
        for (;; count++) {
                event = event_of(count);
                if (event_log_append(&log, &event))
                        break;
        }
        assert_true(count > 10 && count < 60);
        event = event_of(4);
        assert_int_equal(event_log_append(&log, &event), ERR_FULL);
        assert_holds(&log, 0, count);
        event_log_clear(&log);
        assert_holds(&log, 0, 0);
        event = event_of(0);
        assert_int_equal(event_log_append(&log, &event), 0);
        assert_holds(&log, 0, 1);
        event_log_deinit(&log);
}

static void an_event_larger_than_the_log_is_refused(void **state)
{
        (void)state;
        struct event_log log;
        struct event event = {.count = {1u << 19, 1u << 19}, .levels = {levels, levels}};
        event_log_init(&log, 1024);
        assert_int_equal(event_log_append(&log, &event), ERR_FULL);
        assert_holds(&log, 0, 0);
        event_log_deinit(&log);
}

static void what_was_dropped_makes_room(void **state)
{
        (void)state;
        struct event_log log;
        struct chance chance = {9};
        int64_t first = 0, next = 0;
        event_log_init(&log, 16384);
        for (unsigned i = 0; i < 20000; i++) {
                if (next - first < 50 && !chance_one_in(&chance, 3)) {
                        struct event event = event_of(next++);
                        assert_int_equal(event_log_append(&log, &event), 0);
                } else if (first < next) {
                        event_log_drop(&log);
                        first++;
                }
                if (i % 97 == 0)
                        assert_holds(&log, first, next);
                assert_true(log.buffer.size <= 16384);
        }
        assert_true(next > 5000);
        event_log_deinit(&log);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(events_come_back_in_order),
            cmocka_unit_test(a_full_log_is_left_unchanged),
            cmocka_unit_test(an_event_larger_than_the_log_is_refused),
            cmocka_unit_test(what_was_dropped_makes_room),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
