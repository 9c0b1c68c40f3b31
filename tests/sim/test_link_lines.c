/* Two lines all the time: brought up, kept, replaced one at a time. */
#include "sim_link.h"

/* Three symbols on two lines, 1 and 2; all are subscribed on both. No trace. */
static void two_lines(void)
{
        link_set_lines(&net.link, 2);
        add_members(3);
        at(2000);
        assert_int_equal(link_open_number(&net.link, 0), 1);
        assert_int_equal(link_open_number(&net.link, 1), 2);
        buffer_clear(&net.trace);
}

static void second_line_comes_once_the_first_is_complete(void **state)
{
        (void)state;
        link_set_lines(&net.link, 2);
        net.answering = false;
        add_members(3);
        at(3000);
        SIM_EXPECT("[0] connect 1\n"
                   "[0] tell 3: opened 1\n"
                   "[0] subscribe 3 on 1\n");
        net.answering = true;
        link_answered(&net.link, 1, net.command, false, mono());
        at(4000);
        SIM_EXPECT("[3000] tell 3: subscribed 1\n"
                   "[3000] connect 2\n"
                   "[3000] tell 3: opened 2\n"
                   "[3000] subscribe 3 on 2\n"
                   "[3000] tell 3: subscribed 2\n");
}

/* Though each member is carried by the second one, the first one is not let go. */
static void both_lines_are_kept(void **state)
{
        (void)state;
        two_lines();
        bridged(0, 3, 2);
        at(HOUR_MS);
        SIM_EXPECT("");
        assert_int_equal(link_open_number(&net.link, 0), 1);
        assert_int_equal(link_open_number(&net.link, 1), 2);
}

static void second_line_that_dies_is_replaced(void **state)
{
        (void)state;
        two_lines();
        at(100000);
        closed(2);
        at(102000);
        SIM_EXPECT("[100000] tell 3: closed 2\n"
                   "[100350] connect 3\n"
                   "[100350] tell 3: opened 3\n"
                   "[100350] subscribe 3 on 3\n"
                   "[100350] tell 3: subscribed 3\n");
        assert_int_equal(link_open_number(&net.link, 0), 1);
        assert_int_equal(link_open_number(&net.link, 1), 3);
}

static void first_line_that_dies_leaves_the_second_in_use(void **state)
{
        (void)state;
        two_lines();
        at(100000);
        closed(1);
        assert_int_equal(link_open_number(&net.link, 0), 2);
        assert_true(link_is_complete(&net.link));
        at(102000);
        SIM_EXPECT("[100000] tell 3: closed 1\n"
                   "[100350] connect 3\n"
                   "[100350] tell 3: opened 3\n"
                   "[100350] subscribe 3 on 3\n"
                   "[100350] tell 3: subscribed 3\n");
        assert_int_equal(link_open_number(&net.link, 1), 3);
}

static void silence_ends_one_line_alone(void **state)
{
        (void)state;
        two_lines();
        net.mute = true;
        while (net.now_ms < 70000) {
                net.now_ms += 50;
                link_alive(&net.link, 1, mono());
                pump();
        }
        assert_int_equal(link_open_number(&net.link, 0), 1);
        assert_int_equal(link_open_number(&net.link, 1), 3);
        SIM_EXPECT("[62000] disconnect 2 (no frame for 60 s)\n"
                   "[62000] tell 3: closed 2\n"
                   "[62350] connect 3\n"
                   "[62350] tell 3: opened 3\n"
                   "[62350] subscribe 3 on 3\n"
                   "[62350] tell 3: subscribed 3\n");
}

/* ---- lives ---- */

/* The older one has half a life at most, so that never both end; each end is made good at once. */
static void lines_are_replaced_one_at_a_time_half_a_life_apart(void **state)
{
        (void)state;
        int64_t ended_ms[8];
        unsigned ends = 0;
        two_lines();
        uint32_t older = 1, newer = 2;
        int64_t start_ms = net.now_ms;
        net.quiet = true;
        while (ends < 8) {
                at(net.now_ms + 1000);
                assert_true(net.now_ms < start_ms + 120 * HOUR_MS);
                assert_true(link_is_complete(&net.link));
                if (link_open_number(&net.link, 0) == older)
                        continue;
                assert_int_equal(link_open_number(&net.link, 0), newer);
                ended_ms[ends++] = net.now_ms;
                at(net.now_ms + 1000);
                older = newer;
                newer = link_open_number(&net.link, 1);
                assert_int_equal(newer, 2 + ends);
        }
        for (unsigned i = 0; i < ends; i++) {
                int64_t before = i ? ended_ms[i - 1] : start_ms;
                assert_in_range(
                    ended_ms[i] - before, 23 * HOUR_MS / 2 - HOUR_MS, 23 * HOUR_MS / 2 + 60000);
        }
}

static void line_of_a_dying_pair_is_not_given_a_shorter_life_than_half(void **state)
{
        (void)state;
        two_lines();
        net.quiet = true;
        for (int hour = 1; hour <= 10; hour++) {
                at(hour * HOUR_MS);
                closed(link_open_number(&net.link, 1));
                at(net.now_ms + 1000);
                assert_int_equal(link_open_number(&net.link, 0), 1);
        }
        at(11 * HOUR_MS);
        assert_int_equal(link_open_number(&net.link, 0), 1);
        at(12 * HOUR_MS);
        assert_int_equal(link_open_number(&net.link, 0), 12);
        assert_int_equal(link_open_number(&net.link, 1), 13);
}

/* Those that go over to a new line late must have done so. */
static void line_at_its_end_waits_for_the_other_to_settle(void **state)
{
        (void)state;
        two_lines();
        net.quiet = true;
        at(23 * HOUR_MS / 2 - HOUR_MS / 2);
        closed(2);
        at(23 * HOUR_MS / 2 - 600000);
        closed(3);
        at(23 * HOUR_MS / 2 + 200000);
        assert_int_equal(link_open_number(&net.link, 0), 1);
        at(23 * HOUR_MS / 2 + 400000);
        assert_int_equal(link_open_number(&net.link, 0), 4);
}

static void lines_without_a_limit_to_their_life_are_never_replaced(void **state)
{
        (void)state;
        link_init(&net.link, 1, SILENCE_NS, 0, mono());
        two_lines();
        at(2000 * HOUR_MS);
        SIM_EXPECT("");
}

/* Both are told to go: the second only when the first has been made good, and carries all. */
static void announced_shutdown_of_both_ends_one_after_the_other(void **state)
{
        (void)state;
        two_lines();
        at(100000);
        link_shutdown(&net.link, 1);
        link_shutdown(&net.link, 2);
        at(101000);
        bridged(0, 3, 3);
        at(102000);
        SIM_EXPECT("[100000] disconnect 1 (replaced)\n"
                   "[100000] tell 3: closed 1\n"
                   "[100350] connect 3\n"
                   "[100350] tell 3: opened 3\n"
                   "[100350] subscribe 3 on 3\n"
                   "[100350] tell 3: subscribed 3\n"
                   "[101000] disconnect 2 (replaced)\n"
                   "[101000] tell 3: closed 2\n"
                   "[101500] connect 4\n"
                   "[101500] tell 3: opened 4\n"
                   "[101500] subscribe 3 on 4\n"
                   "[101500] tell 3: subscribed 4\n");
}

static void line_is_kept_at_its_end_while_it_is_the_only_one(void **state)
{
        (void)state;
        two_lines();
        closed(2);
        net.failing = net.quiet = true;
        link_shutdown(&net.link, 1);
        at(300000);
        assert_int_equal(link_open_number(&net.link, 0), 1);
        net.failing = false;
        at(340000);
        assert_int_not_equal(link_open_number(&net.link, 0), 0);
        bridged(0, 3, link_open_number(&net.link, 1));
        at(400000);
        assert_int_not_equal(link_open_number(&net.link, 0), 1);
        assert_int_not_equal(link_open_number(&net.link, 1), 0);
}

/* ---- trouble with one of them ---- */

/* However long the second one has failed: when the first ends, the next attempt is made soon. */
static void second_line_that_cannot_be_had_costs_the_first_nothing(void **state)
{
        (void)state;
        two_lines();
        closed(2);
        net.failing = net.quiet = true;
        at(300000);
        assert_in_range(net.connects, 10, 40);
        assert_int_equal(link_open_number(&net.link, 0), 1);
        net.failing = net.quiet = false;
        closed(1);
        buffer_clear(&net.trace);
        at(301000);
        assert_int_not_equal(link_open_number(&net.link, 0), 0);
}

static void line_that_hangs_while_connecting_is_not_waited_for(void **state)
{
        (void)state;
        two_lines();
        at(100000);
        net.opening = false;
        closed(2);
        at(101000);
        closed(1);
        net.opening = true;
        at(107000);
        SIM_EXPECT("[100000] tell 3: closed 2\n"
                   "[100350] connect 3\n"
                   "[101000] tell 3: closed 1\n"
                   "[105350] connect 4\n"
                   "[105350] tell 3: opened 4\n"
                   "[105350] subscribe 3 on 4\n"
                   "[105350] tell 3: subscribed 4\n");
        at(125000);
        assert_int_equal(link_open_number(&net.link, 0), 4);
        assert_int_equal(link_open_number(&net.link, 1), 5);
}

/* ---- members ---- */

/* Commands stay apart on each line: sim_link.h asserts it. */
static void every_stream_is_subscribed_once_on_each_line(void **state)
{
        (void)state;
        net.quiet = true;
        link_set_lines(&net.link, 2);
        add_members(LINK_MEMBERS_MAX);
        at(20000);
        for (size_t i = 0; i < LINK_MEMBERS_MAX; i++)
                assert_int_equal(net.subscribed[i], 2);
        link_remove(&net.link, 7);
        at(25000);
        assert_int_equal(net.unsubscribed[7], 2);
}

static void stream_that_is_dead_on_one_line_is_subscribed_anew_there(void **state)
{
        (void)state;
        two_lines();
        link_resubscribe_on(&net.link, 1, 2);
        link_resubscribe_on(&net.link, 1, 77);
        at(3000);
        SIM_EXPECT("[2000] unsubscribe 1 on 2\n"
                   "[2000] tell 2: subscribed 2\n"
                   "[2350] subscribe 1 on 2\n"
                   "[2350] tell 3: subscribed 2\n");
}

static void stream_that_is_dead_is_subscribed_anew_on_both_lines(void **state)
{
        (void)state;
        two_lines();
        link_resubscribe(&net.link, 1);
        at(3000);
        SIM_EXPECT("[2000] unsubscribe 1 on 1\n"
                   "[2000] tell 2: subscribed 1\n"
                   "[2000] unsubscribe 1 on 2\n"
                   "[2000] tell 2: subscribed 2\n"
                   "[2350] subscribe 1 on 1\n"
                   "[2350] tell 3: subscribed 1\n"
                   "[2350] subscribe 1 on 2\n"
                   "[2350] tell 3: subscribed 2\n");
}

#define LINK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
            LINK_TEST(second_line_comes_once_the_first_is_complete),
            LINK_TEST(both_lines_are_kept),
            LINK_TEST(second_line_that_dies_is_replaced),
            LINK_TEST(first_line_that_dies_leaves_the_second_in_use),
            LINK_TEST(silence_ends_one_line_alone),
            LINK_TEST(lines_are_replaced_one_at_a_time_half_a_life_apart),
            LINK_TEST(line_of_a_dying_pair_is_not_given_a_shorter_life_than_half),
            LINK_TEST(line_at_its_end_waits_for_the_other_to_settle),
            LINK_TEST(lines_without_a_limit_to_their_life_are_never_replaced),
            LINK_TEST(announced_shutdown_of_both_ends_one_after_the_other),
            LINK_TEST(line_is_kept_at_its_end_while_it_is_the_only_one),
            LINK_TEST(second_line_that_cannot_be_had_costs_the_first_nothing),
            LINK_TEST(line_that_hangs_while_connecting_is_not_waited_for),
            LINK_TEST(every_stream_is_subscribed_once_on_each_line),
            LINK_TEST(stream_that_is_dead_on_one_line_is_subscribed_anew_there),
            LINK_TEST(stream_that_is_dead_is_subscribed_anew_on_both_lines),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
