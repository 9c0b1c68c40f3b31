/* A stream that two connections carry all the time: which events count, and what a cut costs. */
#include "sim.h"

static struct sim sim;

static int setup(void **state)
{
        static unsigned count;
        char name[32];
        (void)state;
        snprintf(name, sizeof(name), "lines-%u", count++);
        sim_open(&sim, &store_memory, name, 1);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        sim_close(&sim);
        return 0;
}

/* Live at id 101; connections 1 and 2 have both brought it. The trace is empty. */
static struct sim_symbol *two_lines(void)
{
        struct sim_symbol *btc = sim_live(&sim);
        sim_connection(btc, INPUT_OPENED, 2);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        sim_event(btc, 101, 101, "b98=1");
        sim_event_on(btc, 2, 101, 101, "b98=1");
        buffer_clear(&sim.trace);
        return btc;
}

/* ---- both are there ---- */

static void whichever_line_is_first_brings_the_event(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_lines();
        sim_event(btc, 102, 102, "b99=2");
        sim_event_on(btc, 2, 102, 102, "b99=2");
        sim_event_on(btc, 2, 103, 103, "b99=3");
        sim_event_on(btc, 2, 104, 104, "b99=4");
        sim_event(btc, 103, 103, "b99=3");
        sim_event(btc, 104, 104, "b99=4");
        sim_event(btc, 105, 105, "b99=5");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 102..102 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 102..102 on 2 -> drop (known)\n"
            "[  50] binance:BTCUSDT  event 103..103 on 2 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 104..104 on 2 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 103..103 -> drop (known)\n"
            "[  50] binance:BTCUSDT  event 104..104 -> drop (known)\n"
            "[  50] binance:BTCUSDT  event 105..105 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b99=5 b98=1 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 100..100\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 changes 101..101\n"
            "4 epoch 1 changes 102..102\n"
            "5 epoch 1 changes 103..103\n"
            "6 epoch 1 changes 104..104\n"
            "7 epoch 1 changes 105..105\n");
}

/* The exchange need not cut its batches alike for both. */
static void batches_may_overlap(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_lines();
        sim_event(btc, 102, 105, "b99=5");
        sim_event_on(btc, 2, 102, 103, "b99=3");
        sim_event_on(btc, 2, 104, 108, "b99=8");
        sim_event(btc, 106, 109, "b99=9");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 102..105 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 102..103 on 2 -> drop (known)\n"
            "[  50] binance:BTCUSDT  event 104..108 on 2 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 106..109 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b99=9 b98=1 a101=1");
}

static void what_one_line_lost_the_other_fills_in(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_lines();
        sim_event(btc, 104, 104, "b99=4");
        sim_at(&sim, 60);
        sim_event(btc, 105, 105, "b99=5");
        sim_event_on(btc, 2, 102, 102, "b99=2");
        sim_event_on(btc, 2, 103, 103, "b99=3");
        sim_event_on(btc, 2, 104, 104, "b99=4");
        sim_event_on(btc, 2, 106, 106, "b99=6");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 104..104 -> hold (ahead)\n"
            "[  60] binance:BTCUSDT  event 105..105 -> hold (ahead)\n"
            "[  60] binance:BTCUSDT  event 102..102 on 2 -> apply (follows)\n"
            "[  60] binance:BTCUSDT  event 103..103 on 2 -> apply (follows), replay held "
            "(bridged)\n"
            "[  60] binance:BTCUSDT  event 104..104 on 2 -> apply (follows)\n"
            "[  60] binance:BTCUSDT  event 105..105 on 2 -> apply (follows)\n"
            "[  60] binance:BTCUSDT  event 104..104 on 2 -> drop (known)\n"
            "[  60] binance:BTCUSDT  event 106..106 on 2 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b99=6 b98=1 a101=1");
}

static void event_that_a_line_brings_late_fills_in_as_well(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_lines();
        sim_event(btc, 103, 103, "b99=3");
        sim_event(btc, 102, 102, "b99=2");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 103..103 -> hold (ahead)\n"
            "[  50] binance:BTCUSDT  event 102..102 -> apply (follows), replay held (bridged)\n"
            "[  50] binance:BTCUSDT  event 103..103 on 2 -> apply (follows)\n");
}

/* ---- what both lack ---- */

static void event_that_both_lines_lost_is_a_gap_at_once(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_lines();
        sim_event(btc, 103, 103, "b99=3");
        sim_event(btc, 104, 104, "b99=4");
        sim_event_on(btc, 2, 103, 103, "b99=3");
        sim_image(btc, 104, "b99=4 a101=1");
        sim_event_on(btc, 2, 104, 104, "b99=4");
        sim_event_on(btc, 2, 105, 105, "b99=5");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 103..103 -> hold (ahead)\n"
            "[  50] binance:BTCUSDT  event 104..104 -> hold (ahead)\n"
            "[  50] binance:BTCUSDT  event 103..103 on 2 -> drop (known), replay held (both lack "
            "it)\n"
            "[  50] binance:BTCUSDT  event 103..103 on 2 -> gap sequence, expected 102, keep anew "
            "(no book), fetch resync (resync)\n"
            "[  50] binance:BTCUSDT  event 104..104 on 2 -> keep (no book yet)\n"
            "[  50] binance:BTCUSDT  image 104 -> use image (bridged), live\n"
            "[  50] binance:BTCUSDT  event 104..104 on 2 -> drop (known)\n"
            "[  50] binance:BTCUSDT  event 105..105 on 2 -> apply (follows)\n");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 100..100\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 changes 101..101\n"
            "4 epoch 1 headless 103..103\n"
            "5 epoch 1 headless 104..104\n"
            "6 epoch 2 image sync 104\n"
            "7 epoch 2 changes 105..105\n"
            "gap sequence from 101 to 105\n");
}

/* Each has a part of what is behind the hole: all of it is kept, in order. */
static void parts_behind_a_hole_are_put_together(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_lines();
        sim_event(btc, 105, 105, "b99=5");
        sim_event_on(btc, 2, 103, 104, "b99=4");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 105..105 -> hold (ahead)\n"
            "[  50] binance:BTCUSDT  event 103..104 on 2 -> gap sequence, expected 102, keep anew "
            "(no book), fetch resync (resync), replay held (bridged)\n"
            "[  50] binance:BTCUSDT  event 105..105 on 2 -> keep (no book yet)\n");
        sim_image(btc, 103, "b99=3 a101=1");
        SIM_EXPECT_BOOK(btc, "b99=5 a101=1");
}

static void second_hole_behind_the_first_still_waits(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_lines();
        sim_event(btc, 103, 104, "b99=4");
        sim_event_on(btc, 2, 107, 107, "b99=7");
        sim_event(btc, 105, 106, "b99=6");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 103..104 -> hold (ahead)\n"
            "[  50] binance:BTCUSDT  event 107..107 on 2 -> hold (ahead), replay held (both lack "
            "it)\n"
            "[  50] binance:BTCUSDT  event 103..104 on 2 -> gap sequence, expected 102, keep anew "
            "(no book), fetch resync (resync)\n"
            "[  50] binance:BTCUSDT  event 107..107 on 2 -> hold (ahead)\n"
            "[  50] binance:BTCUSDT  event 105..106 -> keep (no book yet), replay held (bridged)\n"
            "[  50] binance:BTCUSDT  event 107..107 on 2 -> keep (no book yet)\n");
}

static void line_that_does_not_fill_in_is_waited_for_five_seconds(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_lines();
        sim_event(btc, 103, 103, "b99=3");
        sim_at(&sim, 3000);
        sim_event(btc, 104, 104, "b99=4");
        sim_at(&sim, 5200);
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 103..103 -> hold (ahead)\n"
            "[3000] binance:BTCUSDT  event 104..104 -> hold (ahead)\n"
            "[5100] binance:BTCUSDT  tick -> replay held (not filled in)\n"
            "[5100] binance:BTCUSDT  event 103..103 on 2 -> gap sequence, expected 102, keep anew "
            "(no book), fetch resync (resync)\n"
            "[5100] binance:BTCUSDT  event 104..104 on 2 -> keep (no book yet)\n");
}

/* A line that says nothing delays nothing. */
static void line_that_says_nothing_is_not_waited_for(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_lines();
        sim_event(btc, 102, 102, "b99=2");
        sim_at(&sim, 5050);
        sim_event(btc, 104, 104, "b99=4");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 102..102 -> apply (follows)\n"
            "[5050] binance:BTCUSDT  event 104..104 -> gap sequence, expected 103, keep anew (no "
            "book), fetch resync (resync)\n");
}

static void more_than_can_be_held_is_left_to_the_ids(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_lines();
        sim_event(btc, 103, 103, "b99=3");
        event_log_clear(&btc->held);
        session_held_lost(&btc->session);
        sim_event_on(btc, 2, 102, 102, "b99=2");
        sim_event_on(btc, 2, 103, 103, "b99=3");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 103..103 -> hold (ahead)\n"
            "[  50] binance:BTCUSDT  event 102..102 on 2 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 103..103 on 2 -> apply (follows)\n");
}

/* ---- cuts ---- */

static void cut_of_either_line_loses_nothing(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_lines();
        sim_event(btc, 102, 103, "b99=3");
        sim_connection(btc, INPUT_CLOSED, 1);
        sim_event_on(btc, 2, 102, 103, "b99=3");
        sim_event_on(btc, 2, 104, 104, "b99=4");
        sim_connection(btc, INPUT_OPENED, 3);
        sim_connection(btc, INPUT_SUBSCRIBED, 3);
        sim_event_on(btc, 2, 105, 105, "b99=5");
        sim_connection(btc, INPUT_CLOSED, 2);
        sim_event_on(btc, 3, 106, 106, "b99=6");
        sim_at(&sim, 20000);
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 102..103 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  closed\n"
            "[  50] binance:BTCUSDT  event 102..103 on 2 -> drop (known)\n"
            "[  50] binance:BTCUSDT  event 104..104 on 2 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  opened on 3\n"
            "[  50] binance:BTCUSDT  subscribed on 3\n"
            "[  50] binance:BTCUSDT  event 105..105 on 2 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  closed on 2\n"
            "[  50] binance:BTCUSDT  event 106..106 on 3 -> apply (follows)\n");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 100..100\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 changes 101..101\n"
            "4 epoch 1 changes 102..103\n"
            "5 epoch 1 changes 104..104\n"
            "6 epoch 1 changes 105..105\n"
            "7 epoch 1 changes 106..106\n");
}

static void cut_of_the_line_that_is_ahead_of_a_hole_loses_nothing(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_lines();
        sim_event(btc, 103, 103, "b99=3");
        sim_connection(btc, INPUT_CLOSED, 1);
        sim_event_on(btc, 2, 102, 102, "b99=2");
        sim_event_on(btc, 2, 103, 103, "b99=3");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 103..103 -> hold (ahead)\n"
            "[  50] binance:BTCUSDT  closed -> forget held (no use)\n"
            "[  50] binance:BTCUSDT  event 102..102 on 2 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 103..103 on 2 -> apply (follows)\n");
}

static void cut_of_the_line_that_was_to_fill_in_is_a_gap(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_lines();
        sim_event(btc, 103, 103, "b99=3");
        sim_connection(btc, INPUT_CLOSED, 2);
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 103..103 -> hold (ahead)\n"
            "[  50] binance:BTCUSDT  closed on 2 -> replay held (the other is gone)\n"
            "[  50] binance:BTCUSDT  event 103..103 -> gap disconnect, expected 102, keep anew (no "
            "book), fetch resync (resync)\n");
}

/* The one that is left has said nothing: is it dead? */
static void cut_of_the_only_line_that_speaks_is_in_doubt(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_lines();
        sim_event(btc, 102, 102, "b99=2");
        sim_at(&sim, 6000);
        sim_connection(btc, INPUT_CLOSED, 1);
        sim_at(&sim, 6100);
        sim_image(btc, 104, "");
        sim_at(&sim, 12000);
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 102..102 -> apply (follows)\n"
            "[6000] binance:BTCUSDT  closed\n"
            "[6100] binance:BTCUSDT  tick -> fetch probe (reconnected)\n"
            "[6100] binance:BTCUSDT  image 104 -> drop (the exchange is ahead)\n"
            "[11100] binance:BTCUSDT  tick -> gap disconnect, expected 103, resubscribe (dead "
            "subscription), fetch resync (resync)\n");
}

/* ---- a subscription that is dead on one line ---- */

static void line_that_says_nothing_is_subscribed_anew(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_lines();
        for (int64_t second = 1; second <= 100; second++) {
                sim.muted = second % 30 != 2;
                sim_at(&sim, 1000 * second);
                sim_event(btc, 101 + second, 101 + second, "b99=2");
        }
        SIM_EXPECT(&sim,
            "[2000] binance:BTCUSDT  event 103..103 -> apply (follows)\n"
            "[32000] binance:BTCUSDT  event 133..133 -> apply (follows)\n"
            "[62000] binance:BTCUSDT  event 163..163 -> apply (follows)\n"
            "[92000] binance:BTCUSDT  event 193..193 -> apply (follows)\n");
        assert_int_equal(btc->resubscribes, 2);
        sim_event_on(btc, 2, 201, 201, "b99=2");
        sim_at(&sim, 129000);
        sim_event(btc, 202, 202, "b99=2");
        sim_at(&sim, 159000);
        sim.muted = false;
        sim_event(btc, 203, 203, "b99=2");
        SIM_EXPECT(&sim,
            "[159000] binance:BTCUSDT  event 203..203 -> resubscribe on 2 (says nothing), apply "
            "(follows)\n");
}

static void quiet_lines_that_both_speak_are_left_alone(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_lines();
        sim.muted = true;
        for (int64_t minute = 1; minute <= 20; minute++) {
                sim_at(&sim, 40000 * minute);
                sim_event_on(btc, 1 + minute % 2, 101 + minute, 101 + minute, "b99=2");
                sim_event_on(btc, 2 - minute % 2, 101 + minute, 101 + minute, "b99=2");
        }
        assert_int_equal(btc->resubscribes, 0);
        assert_int_equal(btc->session.id, 121);
}

static void line_that_never_spoke_is_subscribed_anew(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_connection(btc, INPUT_OPENED, 2);
        sim_event(btc, 101, 101, "b99=2");
        sim_at(&sim, 60000);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        sim_event(btc, 102, 102, "b99=2");
        sim_at(&sim, 90000);
        buffer_clear(&sim.trace);
        sim_event(btc, 103, 103, "b99=2");
        SIM_EXPECT(&sim,
            "[90000] binance:BTCUSDT  event 103..103 -> resubscribe on 2 (says nothing), apply "
            "(follows)\n");
}

/* ---- no book yet ---- */

static void line_that_lags_does_not_begin_the_run_anew(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        sim_event(btc, 105, 105, "b99=5");
        sim_connection(btc, INPUT_OPENED, 2);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        buffer_clear(&sim.trace);
        sim_event_on(btc, 2, 103, 103, "b99=3");
        sim_event(btc, 106, 106, "b99=6");
        sim_event_on(btc, 2, 104, 104, "b99=4");
        sim_event_on(btc, 2, 105, 105, "b99=5");
        sim_event_on(btc, 2, 108, 108, "b99=8");
        sim_image(btc, 105, "b99=5 a101=1");
        sim_event(btc, 107, 107, "b99=7");
        SIM_EXPECT(&sim,
            "[  40] binance:BTCUSDT  event 103..103 on 2 -> drop (known)\n"
            "[  40] binance:BTCUSDT  event 106..106 -> keep (no book yet)\n"
            "[  40] binance:BTCUSDT  event 104..104 on 2 -> drop (known)\n"
            "[  40] binance:BTCUSDT  event 105..105 on 2 -> drop (known)\n"
            "[  40] binance:BTCUSDT  event 108..108 on 2 -> hold (ahead)\n"
            "[  40] binance:BTCUSDT  image 105 -> use image (bridged), live\n"
            "[  40] binance:BTCUSDT  event 107..107 -> apply (follows), replay held (bridged)\n"
            "[  40] binance:BTCUSDT  event 108..108 on 2 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b99=8 a101=1");
}

static void ids_that_go_back_on_both_lines_begin_the_run_anew(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        sim_connection(btc, INPUT_OPENED, 2);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        sim_event_on(btc, 2, 105, 105, "b99=5");
        buffer_clear(&sim.trace);
        sim_event(btc, 7, 7, "b99=3");
        sim_event_on(btc, 2, 7, 7, "b99=3");
        sim_event(btc, 8, 8, "b99=4");
        SIM_EXPECT(&sim,
            "[  40] binance:BTCUSDT  event 7..7 -> drop (known)\n"
            "[  40] binance:BTCUSDT  event 7..7 on 2 -> keep anew (ids went back, no book yet)\n"
            "[  40] binance:BTCUSDT  event 8..8 -> keep (no book yet)\n");
}

/* ---- books without ids ---- */

static void line_of_a_book(struct sim_symbol *symbol, enum session_input_kind kind, uint32_t line)
{
        struct image image = {.id = symbol->session.id,
            .receive_time_ns = sim_wall(&sim),
            .count = {1, 1},
            .levels = {&(struct level){99, 1}, &(struct level){101, 1}}};
        struct sim_context context = {.symbol = symbol, .image = &image};
        sim_step(&context, &(struct session_input){.kind = kind, .connection = line});
}

/* Connection 1 is in use, 2 has brought its snapshot as well. The trace is empty. */
static struct sim_symbol *book_of_two_lines(void)
{
        struct sim_symbol *btc = sim_add(&sim, "BTCUSDT");
        session_init(&btc->session, SYNC_SNAPSHOT, SIM_PERIOD_NS, 1, sim_mono(&sim));
        session_keep_two(&btc->session);
        for (uint32_t line = 1; line <= 2; line++) {
                sim_connection(btc, INPUT_OPENED, line);
                sim_connection(btc, INPUT_SUBSCRIBED, line);
                line_of_a_book(btc, INPUT_SNAPSHOT, line);
        }
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[   0] binance:BTCUSDT  subscribed\n"
            "[   0] binance:BTCUSDT  snapshot -> use image (snapshot), live\n"
            "[   0] binance:BTCUSDT  opened on 2\n"
            "[   0] binance:BTCUSDT  subscribed on 2\n"
            "[   0] binance:BTCUSDT  snapshot on 2 -> drop (spare)\n");
        return btc;
}

/* Nothing tells how the events of two connections belong together: only one is in use. */
static void book_without_ids_goes_over_to_a_line_that_has_lasted(void **state)
{
        (void)state;
        struct sim_symbol *btc = book_of_two_lines();
        sim_event(btc, 1, 1, "b98=1");
        sim_event_on(btc, 2, 2, 2, "b98=1");
        sim_connection(btc, INPUT_SUBSCRIBED, 2); /* told again for another member's sake */
        sim_at(&sim, 600200);
        line_of_a_book(btc, INPUT_SNAPSHOT, 2);
        sim_event_on(btc, 2, 2, 2, "b98=2");
        sim_event(btc, 3, 3, "b98=2");
        sim_connection(btc, INPUT_CLOSED, 1);
        sim_at(&sim, 1800000);
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  event 1..1 -> apply (counted)\n"
            "[   0] binance:BTCUSDT  event 2..2 on 2 -> drop (no snapshot yet)\n"
            "[   0] binance:BTCUSDT  subscribed on 2\n"
            "[600000] binance:BTCUSDT  tick -> resubscribe on 2 (settled)\n"
            "[600200] binance:BTCUSDT  snapshot on 2 -> correct (next connection)\n"
            "[600200] binance:BTCUSDT  event 2..2 on 2 -> apply (counted)\n"
            "[600200] binance:BTCUSDT  event 3..3 -> drop (old connection)\n"
            "[600200] binance:BTCUSDT  closed\n");
        SIM_EXPECT_BOOK(btc, "b99=1 b98=2 a101=1");
}

static void book_without_ids_asks_the_other_line_when_its_own_is_cut(void **state)
{
        (void)state;
        struct sim_symbol *btc = book_of_two_lines();
        sim_event(btc, 1, 1, "b98=1");
        sim_connection(btc, INPUT_CLOSED, 1);
        sim_event_on(btc, 2, 2, 2, "b98=2");
        line_of_a_book(btc, INPUT_SNAPSHOT, 2);
        sim_event_on(btc, 2, 2, 2, "b98=3");
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  event 1..1 -> apply (counted)\n"
            "[   0] binance:BTCUSDT  closed -> gap disconnect, expected 2, resubscribe on 2 (on "
            "to the next connection)\n"
            "[   0] binance:BTCUSDT  event 2..2 on 2 -> drop (no snapshot yet)\n"
            "[   0] binance:BTCUSDT  snapshot on 2 -> use image (snapshot), live\n"
            "[   0] binance:BTCUSDT  event 2..2 on 2 -> apply (counted)\n");
        SIM_EXPECT_BOOK(btc, "b99=1 b98=3 a101=1");
}

/* Its snapshot is on its way. */
static void line_that_has_just_come_need_not_be_asked(void **state)
{
        (void)state;
        struct sim_symbol *btc = book_of_two_lines();
        sim_connection(btc, INPUT_CLOSED, 2);
        sim_connection(btc, INPUT_OPENED, 3);
        sim_connection(btc, INPUT_SUBSCRIBED, 3);
        sim_connection(btc, INPUT_CLOSED, 1);
        line_of_a_book(btc, INPUT_SNAPSHOT, 3);
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  closed on 2\n"
            "[   0] binance:BTCUSDT  opened on 3\n"
            "[   0] binance:BTCUSDT  subscribed on 3\n"
            "[   0] binance:BTCUSDT  closed -> gap disconnect, expected 1\n"
            "[   0] binance:BTCUSDT  snapshot on 3 -> use image (snapshot), live\n");
}

static void line_that_comes_and_goes_costs_a_book_nothing(void **state)
{
        (void)state;
        struct sim_symbol *btc = book_of_two_lines();
        sim.muted = true;
        sim_connection(btc, INPUT_CLOSED, 2);
        for (uint32_t line = 3; line < 12; line++) {
                sim_at(&sim, sim.now_ms + 60000);
                sim_connection(btc, INPUT_OPENED, line);
                sim_connection(btc, INPUT_SUBSCRIBED, line);
                line_of_a_book(btc, INPUT_SNAPSHOT, line);
                sim_at(&sim, sim.now_ms + 540000);
                sim_connection(btc, INPUT_CLOSED, line);
        }
        assert_int_equal(btc->resubscribes + btc->corrections, 0);
        assert_int_equal(btc->session.primary, 1);
        SIM_EXPECT_RECORD(btc, "1 epoch 1 image sync 0\n");
}

#define SIM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
            SIM_TEST(whichever_line_is_first_brings_the_event),
            SIM_TEST(batches_may_overlap),
            SIM_TEST(what_one_line_lost_the_other_fills_in),
            SIM_TEST(event_that_a_line_brings_late_fills_in_as_well),
            SIM_TEST(event_that_both_lines_lost_is_a_gap_at_once),
            SIM_TEST(parts_behind_a_hole_are_put_together),
            SIM_TEST(second_hole_behind_the_first_still_waits),
            SIM_TEST(line_that_does_not_fill_in_is_waited_for_five_seconds),
            SIM_TEST(line_that_says_nothing_is_not_waited_for),
            SIM_TEST(more_than_can_be_held_is_left_to_the_ids),
            SIM_TEST(cut_of_either_line_loses_nothing),
            SIM_TEST(cut_of_the_line_that_is_ahead_of_a_hole_loses_nothing),
            SIM_TEST(cut_of_the_line_that_was_to_fill_in_is_a_gap),
            SIM_TEST(cut_of_the_only_line_that_speaks_is_in_doubt),
            SIM_TEST(line_that_says_nothing_is_subscribed_anew),
            SIM_TEST(quiet_lines_that_both_speak_are_left_alone),
            SIM_TEST(line_that_never_spoke_is_subscribed_anew),
            SIM_TEST(line_that_lags_does_not_begin_the_run_anew),
            SIM_TEST(ids_that_go_back_on_both_lines_begin_the_run_anew),
            SIM_TEST(book_without_ids_goes_over_to_a_line_that_has_lasted),
            SIM_TEST(book_without_ids_asks_the_other_line_when_its_own_is_cut),
            SIM_TEST(line_that_has_just_come_need_not_be_asked),
            SIM_TEST(line_that_comes_and_goes_costs_a_book_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
