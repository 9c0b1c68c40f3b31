/* The life of connections: batches, acknowledgements, silence, back-off, successors. */
#include "sim_link.h"

/* ---- subscribing ---- */

static void connection_carries_1024_streams_and_no_more(void **state)
{
        (void)state;
        add_members(LINK_MEMBERS_MAX);
        assert_int_equal(link_add(&net.link, net.names[LINK_MEMBERS_MAX], &net), -1);
        link_remove(&net.link, 77);
        assert_int_equal(link_add(&net.link, net.names[LINK_MEMBERS_MAX], &net), 77);
}

static void commands_are_small_and_apart(void **state)
{
        (void)state;
        net.quiet = true;
        add_members(LINK_MEMBERS_MAX);
        at(2000);
        assert_false(link_is_complete(&net.link));
        at(10000);
        assert_true(link_is_complete(&net.link));
        for (size_t i = 0; i < LINK_MEMBERS_MAX; i++)
                assert_int_equal(net.subscribed[i], 1);
}

static void names_of_the_greatest_length_fit_as_well(void **state)
{
        (void)state;
        net.quiet = true;
        for (size_t i = 0; i < 200; i++) {
                snprintf(net.names[i], sizeof(net.names[i]), "%063zu", i);
                assert_int_equal(link_add(&net.link, net.names[i], &net.names[i]), i);
        }
        at(10000);
        assert_true(link_is_complete(&net.link));
        for (size_t i = 0; i < 200; i++)
                assert_int_equal(net.subscribed[i], 1);
}

static void members_are_told_of_opening_and_acknowledgement(void **state)
{
        (void)state;
        net.opening = net.answering = false;
        add_members(150);
        at(100);
        link_opened(&net.link, 1, mono());
        at(200);
        link_answered(&net.link, 1, net.command, false, mono());
        at(300);
        link_answered(&net.link, 1, net.command + 7, false, mono());
        at(600);
        link_answered(&net.link, 1, net.command, false, mono());
        at(1000);
        SIM_EXPECT("[0] connect 1\n"
                   "[100] tell 150: opened 1\n"
                   "[100] subscribe 90 on 1\n"
                   "[200] tell 90: subscribed 1\n"
                   "[450] subscribe 60 on 1\n"
                   "[600] tell 150: subscribed 1\n");
}

static void nothing_connects_without_members(void **state)
{
        (void)state;
        at(100000);
        SIM_EXPECT("");
}

static void command_without_an_answer_ends_the_connection(void **state)
{
        (void)state;
        net.answering = false;
        add_members(3);
        at(9000);
        link_answered(&net.link, 1, net.command + 7, false, mono());
        at(10100);
        net.answering = true;
        at(12000);
        SIM_EXPECT("[0] connect 1\n"
                   "[0] tell 3: opened 1\n"
                   "[0] subscribe 3 on 1\n"
                   "[10000] disconnect 1 (a command was not answered within 10 s)\n"
                   "[10000] tell 3: closed 1\n"
                   "[10500] connect 2\n"
                   "[10500] tell 3: opened 2\n"
                   "[10500] subscribe 3 on 2\n"
                   "[10500] tell 3: subscribed 2\n");
        assert_true(link_is_complete(&net.link));
}

static void member_that_comes_later_is_subscribed_alone(void **state)
{
        (void)state;
        three_subscribed();
        add_members(1);
        at(2000);
        SIM_EXPECT("[1000] subscribe 1 on 1\n"
                   "[1000] tell 4: subscribed 1\n");
        assert_int_equal(net.subscribed[0], 1);
        assert_int_equal(net.subscribed[3], 1);
}

static void member_that_left_is_never_spoken_of(void **state)
{
        (void)state;
        three_subscribed();
        link_remove(&net.link, 1);
        closed(1);
        at(3000);
        SIM_EXPECT("[1000] tell 2: closed 1\n"
                   "[1500] connect 2\n"
                   "[1500] tell 2: opened 2\n"
                   "[1500] subscribe 2 on 2\n"
                   "[1500] tell 2: subscribed 2\n");
        assert_int_equal(net.subscribed[1], 1);
}

static void dead_stream_is_subscribed_anew(void **state)
{
        (void)state;
        three_subscribed();
        link_resubscribe(&net.link, 1);
        at(3000);
        SIM_EXPECT("[1000] unsubscribe 1 on 1\n"
                   "[1000] tell 2: subscribed 1\n"
                   "[1350] subscribe 1 on 1\n"
                   "[1350] tell 3: subscribed 1\n");
        assert_int_equal(net.unsubscribed[0], 0);
        assert_int_equal(net.unsubscribed[1], 1);
        assert_int_equal(net.subscribed[1], 2);
}

/* More than a command can hold, some of them while another command is under way. */
static void every_dead_stream_is_unsubscribed_before_it_is_subscribed_anew(void **state)
{
        (void)state;
        net.quiet = true;
        add_members(300);
        at(5000);
        net.answering = false;
        for (int i = 0; i < 250; i++)
                link_resubscribe(&net.link, i);
        at(6000);
        for (int i = 250; i < 300; i++)
                link_resubscribe(&net.link, i);
        link_answered(&net.link, 1, net.command, false, mono());
        net.answering = true;
        at(15000);
        for (int i = 0; i < 300; i++) {
                assert_int_equal(net.unsubscribed[i], 1);
                assert_int_equal(net.subscribed[i], 2);
        }
}

/* ---- failures ---- */

static void silence_of_a_minute_ends_the_connection(void **state)
{
        (void)state;
        three_subscribed();
        net.mute = true;
        at(59900);
        SIM_EXPECT("");
        at(61500);
        net.mute = false;
        at(63000);
        SIM_EXPECT("[61000] disconnect 1 (no frame for 60 s)\n"
                   "[61000] tell 3: closed 1\n"
                   "[61500] connect 2\n"
                   "[61500] tell 3: opened 2\n"
                   "[61500] subscribe 3 on 2\n"
                   "[61500] tell 3: subscribed 2\n");
        assert_int_equal(net.subscribed[2], 2);
}

/* A shorter patience with silence shortens nothing else. */
static void silence_is_as_long_as_the_exchange_says(void **state)
{
        (void)state;
        link_init(&net.link, 1, 15 * NS_PER_S, LIFE_NS, mono());
        net.opening = net.answering = false;
        net.mute = true;
        add_members(3);
        at(19000);
        link_opened(&net.link, 1, mono());
        at(28900);
        link_answered(&net.link, 1, net.command, false, mono());
        at(43850);
        SIM_EXPECT("[0] connect 1\n"
                   "[19000] tell 3: opened 1\n"
                   "[19000] subscribe 3 on 1\n"
                   "[28900] tell 3: subscribed 1\n");
        at(43950);
        SIM_EXPECT("[43900] disconnect 1 (no frame for 15 s)\n"
                   "[43900] tell 3: closed 1\n");
}

static void connection_that_does_not_open_is_given_up(void **state)
{
        (void)state;
        net.opening = false;
        add_members(3);
        at(20000);
        net.opening = true;
        at(22000);
        SIM_EXPECT("[0] connect 1\n"
                   "[20000] disconnect 1 (not open after 20 s)\n"
                   "[20000] tell 3: closed 1\n"
                   "[20350] connect 2\n"
                   "[20350] tell 3: opened 2\n"
                   "[20350] subscribe 3 on 2\n"
                   "[20350] tell 3: subscribed 2\n");
}

static void everything_is_subscribed_again_after_a_reconnect(void **state)
{
        (void)state;
        three_subscribed();
        closed(1);
        at(3000);
        SIM_EXPECT("[1000] tell 3: closed 1\n"
                   "[1500] connect 2\n"
                   "[1500] tell 3: opened 2\n"
                   "[1500] subscribe 3 on 2\n"
                   "[1500] tell 3: subscribed 2\n");
        for (size_t i = 0; i < 3; i++)
                assert_int_equal(net.subscribed[i], 2);
        assert_true(link_is_complete(&net.link));
}

/* The waits before @count attempts that fail at once. */
static void failing_waits(uint64_t seed, int64_t *waits, unsigned count)
{
        int64_t last = net.now_ms;
        link_init(&net.link, seed, SILENCE_NS, LIFE_NS, mono());
        add_members(1);
        pump();
        for (unsigned i = 0, seen = net.connects; i < count; i++, seen = net.connects) {
                while (net.connects == seen) {
                        net.now_ms += 10;
                        pump();
                }
                waits[i] = net.now_ms - last;
                last = net.now_ms;
        }
}

static void back_off_of_connecting_doubles_with_jitter_and_is_bounded(void **state)
{
        (void)state;
        int64_t first[12], second[12];
        bool differ = false;
        net.failing = net.quiet = true;
        failing_waits(1, first, 12);
        failing_waits(2, second, 12);
        for (unsigned i = 0; i < 12; i++) {
                int64_t most = 500 << (i < 7 ? i : 7);
                most = most < 30000 ? most : 30000;
                assert_in_range(first[i], most / 2, most + 10);
                differ |= first[i] != second[i];
        }
        assert_true(differ);
}

/* The exchange allows 300 attempts in 5 minutes; connections that open and end at once count. */
static void attempts_stay_far_below_what_is_allowed(void **state)
{
        (void)state;
        add_members(1);
        net.quiet = true;
        while (net.now_ms < 300000) {
                net.now_ms += 50;
                pump();
                uint32_t number = link_open_number(&net.link, 0);
                if (number)
                        closed(number);
        }
        assert_in_range(net.connects, 5, 60);
}

static void connection_that_lasted_resets_the_back_off(void **state)
{
        (void)state;
        int64_t waits[8];
        net.failing = net.quiet = true;
        failing_waits(1, waits, 8);
        net.failing = false;
        at(net.now_ms + 100000);
        closed(link_open_number(&net.link, 0));
        unsigned seen = net.connects;
        at(net.now_ms + 600);
        assert_int_equal(net.connects, seen + 1);
}

/* ---- successors ---- */

/* A successor is up beside connection 1 after less than 23 hours; it is subscribed. */
static void rotated(void)
{
        three_subscribed();
        at(22 * HOUR_MS);
        SIM_EXPECT("");
        net.quiet = true;
        while (!link_open_number(&net.link, 1)) {
                at(net.now_ms + 1000);
                assert_true(net.now_ms < 23 * HOUR_MS + 2000);
        }
        at(net.now_ms + 1000);
        net.quiet = false;
}

static void successor_takes_over_once_it_delivers_everything(void **state)
{
        (void)state;
        rotated();
        assert_int_equal(link_open_number(&net.link, 0), 1);
        assert_int_equal(link_open_number(&net.link, 1), 2);
        bridged(0, 2, 2);
        SIM_EXPECT("");
        bridged(2, 3, 2);
        assert_int_equal(link_open_number(&net.link, 0), 2);
        assert_int_equal(link_open_number(&net.link, 1), 0);
        int64_t since = net.now_ms;
        at(since + 5000);
        buffer_clear(&net.trace);
        at(since + 22 * HOUR_MS);
        SIM_EXPECT("");
        at(since + 23 * HOUR_MS);
        assert_int_equal(net.connection, 3);
}

static void connection_without_a_limit_to_its_life_is_never_replaced(void **state)
{
        (void)state;
        link_init(&net.link, 1, SILENCE_NS, 0, mono());
        three_subscribed();
        at(2000 * HOUR_MS);
        SIM_EXPECT("");
        link_shutdown(&net.link, 1);
        at(net.now_ms + 50);
        assert_int_equal(link_open_number(&net.link, 1), 2);
}

/* What the successor delivers already is subscribed anew there. */
static void dead_stream_of_the_successor_is_subscribed_anew_on_it(void **state)
{
        (void)state;
        three_subscribed();
        link_shutdown(&net.link, 1);
        at(2000);
        link_bridged(&net.link, 1, 2);
        buffer_clear(&net.trace);
        link_resubscribe(&net.link, 0);
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

static void quiet_symbols_let_go_after_half_a_minute(void **state)
{
        (void)state;
        rotated();
        bridged(0, 2, 2);
        bridged(2, 3, 1); /* of the old connection: does not count */
        at(net.now_ms + 27000);
        SIM_EXPECT("");
        at(net.now_ms + 4000);
        assert_int_equal(link_open_number(&net.link, 0), 2);
        assert_int_equal(link_open_number(&net.link, 1), 0);
}

static void announced_shutdown_brings_a_successor_at_once(void **state)
{
        (void)state;
        three_subscribed();
        at(100000);
        link_shutdown(&net.link, 1);
        at(100050);
        at(101000);
        bridged(0, 3, 2);
        at(110000);
        SIM_EXPECT("[100000] connect 2\n"
                   "[100000] tell 3: opened 2\n"
                   "[100000] subscribe 3 on 2\n"
                   "[100000] tell 3: subscribed 2\n"
                   "[101000] disconnect 1 (replaced)\n"
                   "[101000] tell 3: closed 1\n");
}

static void shutdown_of_the_successor_brings_the_next_one(void **state)
{
        (void)state;
        three_subscribed();
        at(100000);
        link_shutdown(&net.link, 1);
        at(101000);
        link_shutdown(&net.link, 2);
        bridged(0, 3, 2);
        at(103000);
        SIM_EXPECT("[100000] connect 2\n"
                   "[100000] tell 3: opened 2\n"
                   "[100000] subscribe 3 on 2\n"
                   "[100000] tell 3: subscribed 2\n"
                   "[101000] disconnect 1 (replaced)\n"
                   "[101000] tell 3: closed 1\n"
                   "[101350] connect 3\n"
                   "[101350] tell 3: opened 3\n"
                   "[101350] subscribe 3 on 3\n"
                   "[101350] tell 3: subscribed 3\n");
        assert_int_equal(link_open_number(&net.link, 1), 3);
}

static void successor_that_fails_is_tried_again_and_disturbs_nobody(void **state)
{
        (void)state;
        three_subscribed();
        at(100000);
        net.failing = true;
        link_shutdown(&net.link, 1);
        at(103000);
        assert_int_equal(link_open_number(&net.link, 0), 1);
        net.failing = false;
        at(110000);
        SIM_EXPECT("[100000] connect 2\n"
                   "[100000] tell 3: closed 2\n"
                   "[100500] connect 3\n"
                   "[100500] tell 3: closed 3\n"
                   "[101100] connect 4\n"
                   "[101100] tell 3: closed 4\n"
                   "[102300] connect 5\n"
                   "[102300] tell 3: closed 5\n"
                   "[104550] connect 6\n"
                   "[104550] tell 3: opened 6\n"
                   "[104550] subscribe 3 on 6\n"
                   "[104550] tell 3: subscribed 6\n");
        assert_int_not_equal(link_open_number(&net.link, 1), 0);
}

static void successor_is_alone_when_the_old_one_ends_first(void **state)
{
        (void)state;
        three_subscribed();
        at(100000);
        net.opening = false;
        link_shutdown(&net.link, 1);
        at(100050);
        closed(1);
        link_opened(&net.link, 2, mono());
        at(102000);
        SIM_EXPECT("[100000] connect 2\n"
                   "[100050] tell 3: closed 1\n"
                   "[100050] tell 3: opened 2\n"
                   "[100050] subscribe 3 on 2\n"
                   "[100050] tell 3: subscribed 2\n");
        assert_int_equal(link_open_number(&net.link, 0), 2);
        assert_true(link_is_complete(&net.link));
}

static void both_connections_fail_and_a_third_carries_all(void **state)
{
        (void)state;
        three_subscribed();
        at(100000);
        link_shutdown(&net.link, 1);
        at(101000);
        closed(2);
        closed(1);
        at(105000);
        SIM_EXPECT("[100000] connect 2\n"
                   "[100000] tell 3: opened 2\n"
                   "[100000] subscribe 3 on 2\n"
                   "[100000] tell 3: subscribed 2\n"
                   "[101000] tell 3: closed 2\n"
                   "[101000] tell 3: closed 1\n"
                   "[101450] connect 3\n"
                   "[101450] tell 3: opened 3\n"
                   "[101450] subscribe 3 on 3\n"
                   "[101450] tell 3: subscribed 3\n");
        assert_true(link_is_complete(&net.link));
}

static void member_that_comes_during_a_handover_is_on_both(void **state)
{
        (void)state;
        three_subscribed();
        at(100000);
        link_shutdown(&net.link, 1);
        at(101000);
        add_members(1);
        bridged(0, 3, 2);
        at(102000);
        assert_int_equal(link_open_number(&net.link, 0), 1);
        assert_int_equal(net.subscribed[3], 2);
        bridged(3, 4, 2);
        at(103000);
        assert_int_equal(link_open_number(&net.link, 0), 2);
}

#define LINK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
            LINK_TEST(connection_carries_1024_streams_and_no_more),
            LINK_TEST(commands_are_small_and_apart),
            LINK_TEST(names_of_the_greatest_length_fit_as_well),
            LINK_TEST(members_are_told_of_opening_and_acknowledgement),
            LINK_TEST(nothing_connects_without_members),
            LINK_TEST(command_without_an_answer_ends_the_connection),
            LINK_TEST(member_that_comes_later_is_subscribed_alone),
            LINK_TEST(member_that_left_is_never_spoken_of),
            LINK_TEST(dead_stream_is_subscribed_anew),
            LINK_TEST(every_dead_stream_is_unsubscribed_before_it_is_subscribed_anew),
            LINK_TEST(silence_of_a_minute_ends_the_connection),
            LINK_TEST(silence_is_as_long_as_the_exchange_says),
            LINK_TEST(connection_that_does_not_open_is_given_up),
            LINK_TEST(everything_is_subscribed_again_after_a_reconnect),
            LINK_TEST(back_off_of_connecting_doubles_with_jitter_and_is_bounded),
            LINK_TEST(attempts_stay_far_below_what_is_allowed),
            LINK_TEST(connection_that_lasted_resets_the_back_off),
            LINK_TEST(successor_takes_over_once_it_delivers_everything),
            LINK_TEST(connection_without_a_limit_to_its_life_is_never_replaced),
            LINK_TEST(dead_stream_of_the_successor_is_subscribed_anew_on_it),
            LINK_TEST(quiet_symbols_let_go_after_half_a_minute),
            LINK_TEST(announced_shutdown_brings_a_successor_at_once),
            LINK_TEST(shutdown_of_the_successor_brings_the_next_one),
            LINK_TEST(successor_that_fails_is_tried_again_and_disturbs_nobody),
            LINK_TEST(successor_is_alone_when_the_old_one_ends_first),
            LINK_TEST(both_connections_fail_and_a_third_carries_all),
            LINK_TEST(member_that_comes_during_a_handover_is_on_both),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
