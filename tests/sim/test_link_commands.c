/* What is sent and answered: commands of several frames, refusals, names that members share. */
#include "sim_link.h"

/* ---- answers ---- */

static void command_of_three_frames_waits_for_three_answers(void **state)
{
        (void)state;
        net.answering = false;
        net.frames = 3;
        add_members(3);
        at(100);
        link_answered(&net.link, 1, LINK_ANY, false, mono());
        at(200);
        link_answered(&net.link, 1, net.command, false, mono());
        at(300);
        assert_false(link_is_complete(&net.link));
        link_answered(&net.link, 1, LINK_ANY, false, mono());
        at(400);
        SIM_EXPECT("[0] connect 1\n"
                   "[0] tell 3: opened 1\n"
                   "[0] subscribe 3 on 1\n"
                   "[300] tell 3: subscribed 1\n");
        assert_true(link_is_complete(&net.link));
}

static void command_that_is_answered_in_part_ends_the_connection(void **state)
{
        (void)state;
        net.answering = false;
        net.frames = 2;
        add_members(3);
        at(9000);
        link_answered(&net.link, 1, LINK_ANY, false, mono());
        at(10100);
        SIM_EXPECT("[0] connect 1\n"
                   "[0] tell 3: opened 1\n"
                   "[0] subscribe 3 on 1\n"
                   "[10000] disconnect 1 (a command was not answered within 10 s)\n"
                   "[10000] tell 3: closed 1\n");
}

/* An answer without an id that nobody waits for, and one of a frame count that was never told. */
static void answers_without_an_id_count_only_while_a_command_waits(void **state)
{
        (void)state;
        three_subscribed();
        link_answered(&net.link, 1, LINK_ANY, true, mono());
        link_answered(&net.link, 1, LINK_ANY, false, mono());
        link_sent(&net.link, 1, 5);
        at(2000);
        SIM_EXPECT("");
        add_members(1);
        at(3000);
        SIM_EXPECT("[2000] subscribe 1 on 1\n"
                   "[2000] tell 4: subscribed 1\n");
}

/* ---- refusals ---- */

/* Answer whatever is asked as an exchange that knows no name of @bad: one of them, and the whole
 * command is refused. */
static uint32_t judged; /* the newest command that was */

static void judge(size_t bad, size_t count, int64_t until_ms)
{
        net.answering = false;
        for (; net.now_ms < until_ms; net.now_ms += 50) {
                link_alive(&net.link, 1, mono());
                pump();
                if (net.command == judged)
                        continue;
                judged = net.command;
                bool refused = false;
                for (size_t i = 0; i < count; i++)
                        refused |= net.link.connections[0].members[bad + i] == MEMBER_SENT;
                link_answered(&net.link, 1, LINK_ANY, refused, mono());
        }
        pump();
}

static void what_is_refused_is_asked_for_in_halves(void **state)
{
        (void)state;
        net.answering = false;
        judged = 0;
        add_members(8);
        judge(5, 1, 4000);
        SIM_EXPECT("[0] connect 1\n"
                   "[0] tell 8: opened 1\n"
                   "[0] subscribe 8 on 1\n"
                   "[350] subscribe 4 on 1\n"
                   "[400] tell 4: subscribed 1\n"
                   "[700] subscribe 4 on 1\n"
                   "[1050] subscribe 2 on 1\n"
                   "[1400] subscribe 1 on 1\n"
                   "[1450] tell 5: subscribed 1\n"
                   "[1750] subscribe 2 on 1\n"
                   "[2100] subscribe 1 on 1\n"
                   "[2450] subscribe 1 on 1\n"
                   "[2500] tell 6: subscribed 1\n"
                   "[2800] subscribe 1 on 1\n"
                   "[2850] tell 7: subscribed 1\n");
        assert_int_equal(net.connects, 1);
}

/* It is asked for again after 10 s, then 20, and harms nobody; until it is known. */
static void name_that_is_refused_alone_waits(void **state)
{
        (void)state;
        net.answering = false;
        judged = 0;
        add_members(8);
        judge(5, 1, 4000);
        buffer_clear(&net.trace);
        judge(5, 1, 13000);
        SIM_EXPECT("[12100] subscribe 1 on 1\n");
        judge(5, 1, 35000);
        SIM_EXPECT("[32100] subscribe 1 on 1\n");
        judge(5, 0, 80000);
        SIM_EXPECT("[72100] subscribe 1 on 1\n"
                   "[72150] tell 8: subscribed 1\n");
        assert_int_equal(net.connects, 1);
        assert_true(link_is_complete(&net.link));
}

/* An exchange that refuses everything is asked less and less often. */
static void twenty_refusals_take_five_minutes_and_more(void **state)
{
        (void)state;
        net.answering = false;
        net.quiet = true;
        judged = 0;
        add_members(100);
        while (judged < 20 && net.now_ms < 1200000)
                judge(0, 100, net.now_ms + 50);
        assert_in_range(net.now_ms, 300000, 600000);
        assert_int_equal(net.connects, 1);
}

/* With nothing to ask for there is no use in a connection. */
static void nobody_connects_while_every_name_waits(void **state)
{
        (void)state;
        net.answering = false;
        judged = 0;
        add_members(1);
        judge(0, 1, 500);
        buffer_clear(&net.trace);
        link_closed(&net.link, 1, mono());
        at(14000);
        SIM_EXPECT("[500] tell 1: closed 1\n"
                   "[10000] connect 2\n"
                   "[10000] tell 1: opened 2\n"
                   "[10000] subscribe 1 on 2\n");
}

static void refusal_to_unsubscribe_ends_the_connection(void **state)
{
        (void)state;
        three_subscribed();
        net.answering = false;
        link_remove(&net.link, 1);
        at(2000);
        link_answered(&net.link, 1, LINK_ANY, true, mono());
        at(2050);
        SIM_EXPECT("[1000] unsubscribe 1 on 1\n"
                   "[2000] disconnect 1 (the exchange refused to unsubscribe)\n"
                   "[2000] tell 2: closed 1\n");
}

/* The answers to the other frames of a refused command are not those of the next one. */
static void answers_behind_a_refusal_belong_to_it(void **state)
{
        (void)state;
        net.answering = false;
        net.frames = 3;
        add_members(2);
        at(100);
        link_answered(&net.link, 1, LINK_ANY, true, mono());
        at(1000);
        link_answered(&net.link, 1, LINK_ANY, false, mono());
        link_answered(&net.link, 1, LINK_ANY, false, mono());
        at(1100);
        SIM_EXPECT("[0] connect 1\n"
                   "[0] tell 2: opened 1\n"
                   "[0] subscribe 2 on 1\n"
                   "[1000] subscribe 1 on 1\n");
        for (unsigned i = 0; i < 3; i++)
                link_answered(&net.link, 1, LINK_ANY, false, mono());
        at(1200);
        SIM_EXPECT("[1100] tell 1: subscribed 1\n");
}

/* ---- names ---- */

/* A book and its trades on one channel: two members, one name. */
static void pair_subscribed(void)
{
        snprintf(net.names[0], sizeof(net.names[0]), "full:BTC-USD");
        snprintf(net.names[1], sizeof(net.names[1]), "full:ETH-USD");
        assert_int_equal(link_add(&net.link, net.names[0], &net.names[0]), 0);
        assert_int_equal(link_add(&net.link, net.names[1], &net.names[1]), 1);
        assert_int_equal(link_add(&net.link, net.names[0], &net.names[2]), 2);
        net.naming = true;
        at(1000);
        assert_true(link_is_complete(&net.link));
}

static void name_of_two_members_is_subscribed_once(void **state)
{
        (void)state;
        pair_subscribed();
        SIM_EXPECT("[0] connect 1\n"
                   "[0] tell 3: opened 1\n"
                   "[0] subscribe 2 on 1 full:BTC-USD full:ETH-USD\n"
                   "[0] tell 3: subscribed 1\n");
}

static void dead_stream_of_two_members_is_subscribed_anew_for_both(void **state)
{
        (void)state;
        pair_subscribed();
        buffer_clear(&net.trace);
        link_resubscribe(&net.link, 2);
        link_resubscribe(&net.link, 0);
        at(3000);
        SIM_EXPECT("[1000] unsubscribe 1 on 1 full:BTC-USD\n"
                   "[1000] tell 1: subscribed 1\n"
                   "[1350] subscribe 1 on 1 full:BTC-USD\n"
                   "[1350] tell 3: subscribed 1\n");
}

static void member_that_leaves_is_unsubscribed(void **state)
{
        (void)state;
        pair_subscribed();
        buffer_clear(&net.trace);
        link_remove(&net.link, 1);
        at(2000);
        SIM_EXPECT("[1000] unsubscribe 1 on 1 full:ETH-USD\n"
                   "[1000] tell 2: subscribed 1\n");
}

static void name_is_unsubscribed_when_its_last_member_leaves(void **state)
{
        (void)state;
        pair_subscribed();
        buffer_clear(&net.trace);
        link_remove(&net.link, 0);
        at(2000);
        SIM_EXPECT("");
        link_remove(&net.link, 2);
        at(3000);
        SIM_EXPECT("[2000] unsubscribe 1 on 1 full:BTC-USD\n"
                   "[2000] tell 1: subscribed 1\n");
}

/* The name's owner may be gone by the time that the command goes out. */
static void names_are_copied(void **state)
{
        (void)state;
        pair_subscribed();
        buffer_clear(&net.trace);
        add_members(1);
        pump();
        link_remove(&net.link, 1);
        at(1200);
        SIM_EXPECT("[1000] subscribe 1 on 1 averylongsymbolname0003usdt@depth@100ms\n"
                   "[1000] tell 4: subscribed 1\n");
        char gone[sizeof(net.names[8])] = "full:LTC-USD";
        snprintf(net.names[8], sizeof(net.names[8]), "%s", gone);
        int member = link_add(&net.link, gone, &net.names[8]);
        memset(gone, 'x', sizeof(gone) - 1);
        at(3000);
        SIM_EXPECT("[1350] unsubscribe 1 on 1 full:ETH-USD\n"
                   "[1350] tell 3: subscribed 1\n"
                   "[1700] subscribe 1 on 1 full:LTC-USD\n"
                   "[1700] tell 4: subscribed 1\n");
        assert_int_equal(member, 4); /* not the place of the one that was leaving */
        assert_int_equal(link_add(&net.link, net.names[5], &net.names[5]), 1);
}

static void name_that_is_too_long_finds_no_place(void **state)
{
        (void)state;
        char name[LINK_NAME_SIZE + 1];
        memset(name, 'x', sizeof(name) - 1);
        name[LINK_NAME_SIZE] = 0;
        assert_int_equal(link_add(&net.link, name, &net), -1);
        name[LINK_NAME_SIZE - 1] = 0;
        assert_int_equal(link_add(&net.link, name, &net), 0);
}

static void member_that_leaves_before_the_answer_is_unsubscribed_after_it(void **state)
{
        (void)state;
        net.answering = false;
        net.naming = true;
        snprintf(net.names[0], sizeof(net.names[0]), "full:BTC-USD");
        assert_int_equal(link_add(&net.link, net.names[0], &net.names[0]), 0);
        at(100);
        link_remove(&net.link, 0);
        at(1000);
        net.answering = true;
        link_answered(&net.link, 1, net.command, false, mono());
        at(2000);
        SIM_EXPECT("[0] connect 1\n"
                   "[0] tell 1: opened 1\n"
                   "[0] subscribe 1 on 1 full:BTC-USD\n"
                   "[1000] unsubscribe 1 on 1 full:BTC-USD\n");
}

/* Gone and back before the command is out: the exchange hears both, in that order. */
static void member_that_leaves_and_comes_back_is_subscribed_at_last(void **state)
{
        (void)state;
        pair_subscribed();
        buffer_clear(&net.trace);
        link_remove(&net.link, 1);
        assert_int_equal(link_add(&net.link, net.names[1], &net.names[1]), 3);
        at(2000);
        SIM_EXPECT("[1000] unsubscribe 1 on 1 full:ETH-USD\n"
                   "[1000] tell 2: subscribed 1\n"
                   "[1350] subscribe 1 on 1 full:ETH-USD\n"
                   "[1350] tell 3: subscribed 1\n");
}

/* One of two leaves while their name is being subscribed anew: the other one must not go deaf. */
static void member_that_leaves_during_a_resubscription_harms_nobody(void **state)
{
        (void)state;
        pair_subscribed();
        buffer_clear(&net.trace);
        net.answering = false;
        link_resubscribe(&net.link, 0);
        at(1100);
        link_remove(&net.link, 0);
        net.answering = true;
        link_answered(&net.link, 1, net.command, false, mono());
        at(2000);
        SIM_EXPECT("[1000] unsubscribe 1 on 1 full:BTC-USD\n"
                   "[1100] tell 1: subscribed 1\n"
                   "[1350] subscribe 1 on 1 full:BTC-USD\n"
                   "[1350] tell 2: subscribed 1\n");
}

#define LINK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
            LINK_TEST(command_of_three_frames_waits_for_three_answers),
            LINK_TEST(command_that_is_answered_in_part_ends_the_connection),
            LINK_TEST(answers_without_an_id_count_only_while_a_command_waits),
            LINK_TEST(what_is_refused_is_asked_for_in_halves),
            LINK_TEST(name_that_is_refused_alone_waits),
            LINK_TEST(twenty_refusals_take_five_minutes_and_more),
            LINK_TEST(nobody_connects_while_every_name_waits),
            LINK_TEST(refusal_to_unsubscribe_ends_the_connection),
            LINK_TEST(answers_behind_a_refusal_belong_to_it),
            LINK_TEST(name_of_two_members_is_subscribed_once),
            LINK_TEST(dead_stream_of_two_members_is_subscribed_anew_for_both),
            LINK_TEST(member_that_leaves_is_unsubscribed),
            LINK_TEST(name_is_unsubscribed_when_its_last_member_leaves),
            LINK_TEST(names_are_copied),
            LINK_TEST(name_that_is_too_long_finds_no_place),
            LINK_TEST(member_that_leaves_before_the_answer_is_unsubscribed_after_it),
            LINK_TEST(member_that_leaves_and_comes_back_is_subscribed_at_last),
            LINK_TEST(member_that_leaves_during_a_resubscription_harms_nobody),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
