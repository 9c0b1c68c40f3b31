/* A symbol's connections: lost ones, silent ones, and two at a time. */
#include "sim.h"

static struct sim sim;

static int setup(void **state)
{
        static unsigned count;
        char name[32];
        (void)state;
        snprintf(name, sizeof(name), "links-%u", count++);
        sim_open(&sim, &store_memory, name, 1);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        sim_close(&sim);
        return 0;
}

/* ---- lost connections ---- */

static void reconnect_that_continues_the_ids_is_no_gap(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_event(btc, 101, 101, "b99=2");
        sim_at(&sim, 2000);
        sim_connection(btc, INPUT_CLOSED, 1);
        sim_at(&sim, 3000);
        sim_connection(btc, INPUT_OPENED, 2);
        sim_at(&sim, 3050);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        sim_at(&sim, 3070);
        sim_event_on(btc, 2, 102, 103, "b99=3");
        sim_at(&sim, 3090);
        sim_image(btc, 103, "b99=3 a101=1");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 101..101 -> apply (follows)\n"
            "[2000] binance:BTCUSDT  closed\n"
            "[3000] binance:BTCUSDT  opened on 2\n"
            "[3050] binance:BTCUSDT  subscribed on 2 -> fetch probe (reconnected)\n"
            "[3070] binance:BTCUSDT  event 102..103 on 2 -> apply (follows)\n"
            "[3090] binance:BTCUSDT  image 103 -> drop (a quiet market)\n");
        SIM_EXPECT_BOOK(btc, "b99=3 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 100..100\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 changes 101..101\n"
            "4 epoch 1 changes 102..103\n");
}

static void reconnect_that_misses_ids_is_a_gap_by_disconnect(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_event(btc, 101, 101, "b99=2");
        sim_at(&sim, 2000);
        sim_connection(btc, INPUT_CLOSED, 1);
        sim_at(&sim, 3000);
        sim_connection(btc, INPUT_OPENED, 2);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        sim_event_on(btc, 2, 105, 105, "b99=3");
        sim_image(btc, 104, "b99=4 a101=1");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 101..101 -> apply (follows)\n"
            "[2000] binance:BTCUSDT  closed\n"
            "[3000] binance:BTCUSDT  opened on 2\n"
            "[3000] binance:BTCUSDT  subscribed on 2 -> fetch probe (reconnected)\n"
            "[3000] binance:BTCUSDT  event 105..105 on 2 -> gap disconnect, expected 102, keep "
            "anew (no book), fetch resync (resync)\n"
            "[3000] binance:BTCUSDT  image 104 -> use image (bridged), live\n");
        SIM_EXPECT_BOOK(btc, "b99=3 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 100..100\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 changes 101..101\n"
            "4 epoch 2 image sync 104\n"
            "5 epoch 2 changes 105..105\n"
            "gap disconnect from 101 to 105\n");
}

static void quiet_market_after_a_reconnect_is_proved_by_its_id(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_connection(btc, INPUT_CLOSED, 1);
        sim_connection(btc, INPUT_OPENED, 2);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        assert_true(btc->session.unconfirmed);
        sim_image(btc, 100, "b99=1");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  closed\n"
            "[  50] binance:BTCUSDT  opened on 2\n"
            "[  50] binance:BTCUSDT  subscribed on 2 -> fetch probe (reconnected)\n"
            "[  50] binance:BTCUSDT  image 100 -> drop (a quiet market)\n");
        assert_false(btc->session.unconfirmed);
        SIM_EXPECT_BOOK(btc, "b99=1 a101=1");
}

static void quiet_market_after_a_reconnect_that_had_moved_on_is_a_gap(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_event(btc, 101, 101, "b99=2");
        sim_connection(btc, INPUT_CLOSED, 1);
        sim_connection(btc, INPUT_OPENED, 2);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        sim_image(btc, 107, "b99=1");
        sim_at(&sim, 6000);
        sim_image(btc, 107, "b98=1 a101=1");
        sim_event_on(btc, 2, 108, 108, "b98=2");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 101..101 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  closed\n"
            "[  50] binance:BTCUSDT  opened on 2\n"
            "[  50] binance:BTCUSDT  subscribed on 2 -> fetch probe (reconnected)\n"
            "[  50] binance:BTCUSDT  image 107 -> drop (the exchange is ahead)\n"
            "[5100] binance:BTCUSDT  tick -> gap disconnect, expected 102, resubscribe (dead "
            "subscription), fetch resync (resync)\n"
            "[6000] binance:BTCUSDT  image 107 -> wait (ahead of the stream)\n"
            "[6000] binance:BTCUSDT  event 108..108 on 2 -> keep anew (no book yet), use image "
            "(bridged), live\n");
        SIM_EXPECT_BOOK(btc, "b98=2 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 100..100\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 changes 101..101\n"
            "4 epoch 2 image sync 107\n"
            "5 epoch 2 changes 108..108\n"
            "gap disconnect from 101 to 108\n");
}

/* An image from a lagging host proves nothing about a reconnected symbol. */
static void probe_behind_the_book_proves_nothing_after_a_reconnect(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_event(btc, 101, 105, "b99=2");
        sim_connection(btc, INPUT_CLOSED, 1);
        sim_connection(btc, INPUT_OPENED, 2);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        sim_image(btc, 103, "b99=1");
        assert_true(btc->session.unconfirmed);
        sim_at(&sim, 1000);
        sim_image(btc, 105, "b99=2");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 101..105 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  closed\n"
            "[  50] binance:BTCUSDT  opened on 2\n"
            "[  50] binance:BTCUSDT  subscribed on 2 -> fetch probe (reconnected)\n"
            "[  50] binance:BTCUSDT  image 103 -> drop (the exchange is behind)\n"
            "[ 700] binance:BTCUSDT  tick -> fetch probe (behind before)\n"
            "[1000] binance:BTCUSDT  image 105 -> drop (a quiet market)\n");
        assert_false(btc->session.unconfirmed);
}

static void disconnect_while_buffering_keeps_what_was_stored(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        uint32_t old = btc->fetch;
        sim_event(btc, 101, 103, "b99=2");
        sim_connection(btc, INPUT_CLOSED, 1);
        struct image image = {.id = 103};
        sim_answer(btc, old, &image);
        sim_at(&sim, 1000);
        sim_connection(btc, INPUT_OPENED, 2);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        sim_event_on(btc, 2, 110, 111, "b99=3");
        sim_image(btc, 110, "b99=1 a101=1");
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed -> fetch first (subscribed)\n"
            "[  40] binance:BTCUSDT  event 101..103 -> keep anew (no book yet)\n"
            "[  40] binance:BTCUSDT  closed\n"
            "[  40] binance:BTCUSDT  image 103 -> drop (not asked for)\n"
            "[1000] binance:BTCUSDT  opened on 2\n"
            "[1000] binance:BTCUSDT  subscribed on 2 -> fetch first (subscribed)\n"
            "[1000] binance:BTCUSDT  event 110..111 on 2 -> keep anew (ids are missing, no book "
            "yet)\n"
            "[1000] binance:BTCUSDT  image 110 -> use image (bridged), live\n");
        SIM_EXPECT_BOOK(btc, "b99=3 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 101..103\n"
            "2 epoch 1 image sync 110\n"
            "3 epoch 1 changes 110..111\n");
}

/* What was kept before the disconnect is still there: an image before it must not jump into it. */
static void image_older_than_events_kept_before_a_disconnect_is_stale(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        sim_event(btc, 103, 105, "b98=2");
        sim_connection(btc, INPUT_CLOSED, 1);
        sim_connection(btc, INPUT_OPENED, 2);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        sim_image(btc, 100, "b99=1 a101=1");
        SIM_EXPECT_BOOK(btc, "none");
        sim_at(&sim, 1000);
        sim_image(btc, 103, "b99=1 a101=1");
        sim_event_on(btc, 2, 106, 106, "b97=1");
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed -> fetch first (subscribed)\n"
            "[  40] binance:BTCUSDT  event 103..105 -> keep anew (no book yet)\n"
            "[  40] binance:BTCUSDT  closed\n"
            "[  40] binance:BTCUSDT  opened on 2\n"
            "[  40] binance:BTCUSDT  subscribed on 2 -> fetch first (subscribed)\n"
            "[  40] binance:BTCUSDT  image 100 -> drop (stale image)\n"
            "[ 500] binance:BTCUSDT  tick -> fetch first (again)\n"
            "[1000] binance:BTCUSDT  image 103 -> use image (bridged), live\n"
            "[1000] binance:BTCUSDT  event 106..106 on 2 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b99=1 b98=2 b97=1 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 1 image sync 103\n"
            "2 epoch 1 changes 103..105\n"
            "3 epoch 1 changes 106..106\n");
}

/* ---- silence ---- */

static void silence_with_an_equal_id_is_a_quiet_market(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_at(&sim, 61000);
        sim_image(btc, 100, "b99=1");
        sim_at(&sim, 200000);
        sim_image(btc, 100, "b99=1");
        sim_at(&sim, 430000);
        sim_event(btc, 101, 101, "b99=2");
        SIM_EXPECT(&sim,
            "[60100] binance:BTCUSDT  tick -> fetch probe (silent)\n"
            "[61000] binance:BTCUSDT  image 100 -> drop (a quiet market)\n"
            "[180100] binance:BTCUSDT  tick -> fetch probe (silent)\n"
            "[200000] binance:BTCUSDT  image 100 -> drop (a quiet market)\n"
            "[420100] binance:BTCUSDT  tick -> fetch probe (silent)\n"
            "[430000] binance:BTCUSDT  event 101..101 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b99=2 a101=1");
        assert_int_equal(btc->resubscribes, 0);
}

static void probe_that_is_ahead_but_reached_in_time_is_no_gap(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_at(&sim, 60500);
        sim_image(btc, 102, "b99=1");
        sim_at(&sim, 61000);
        sim_event(btc, 101, 102, "b99=2");
        sim_at(&sim, 70000);
        SIM_EXPECT(&sim,
            "[60100] binance:BTCUSDT  tick -> fetch probe (silent)\n"
            "[60500] binance:BTCUSDT  image 102 -> drop (the exchange is ahead)\n"
            "[61000] binance:BTCUSDT  event 101..102 -> apply (follows)\n");
        assert_int_equal(btc->resubscribes, 0);
}

static void probe_that_is_ahead_shows_a_dead_subscription(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_at(&sim, 100);
        sim_event(btc, 101, 101, "b99=2");
        sim_at(&sim, 60500);
        sim_image(btc, 150, "b99=1");
        sim_at(&sim, 66000);
        sim_connection(btc, INPUT_SUBSCRIBED, 1);
        sim_event(btc, 152, 153, "b98=2");
        sim_image(btc, 151, "b97=1 a101=1");
        SIM_EXPECT(&sim,
            "[ 100] binance:BTCUSDT  event 101..101 -> apply (follows)\n"
            "[60100] binance:BTCUSDT  tick -> fetch probe (silent)\n"
            "[60500] binance:BTCUSDT  image 150 -> drop (the exchange is ahead)\n"
            "[65500] binance:BTCUSDT  tick -> gap silent, expected 102, resubscribe (dead "
            "subscription), fetch resync (resync)\n"
            "[66000] binance:BTCUSDT  subscribed\n"
            "[66000] binance:BTCUSDT  event 152..153 -> keep anew (no book yet)\n"
            "[66000] binance:BTCUSDT  image 151 -> use image (bridged), live\n");
        assert_int_equal(btc->resubscribes, 1);
        SIM_EXPECT_BOOK(btc, "b98=2 b97=1 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 100..100\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 changes 101..101\n"
            "4 epoch 2 image sync 151\n"
            "5 epoch 2 changes 152..153\n"
            "gap silent from 101 to 153\n");
}

/* ---- heartbeats that tell the newest id ---- */

static void heartbeats_with_our_own_id_put_the_probe_off(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim.muted = true;
        for (int64_t second = 1; second <= 600; second++) {
                sim_at(&sim, 1000 * second);
                sim_proof(btc, 1, 100);
        }
        sim.muted = false;
        sim_at(&sim, 661000);
        SIM_EXPECT(&sim, "[660000] binance:BTCUSDT  tick -> fetch probe (silent)\n");
}

/* They may be late, or the ids may have gone back: the probe has to tell. */
static void heartbeats_behind_the_book_do_not_put_the_probe_off(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim.muted = true;
        for (int64_t second = 1; second <= 60; second++) {
                sim_at(&sim, 1000 * second);
                sim_proof(btc, 1, 99);
        }
        sim.muted = false;
        sim_at(&sim, 61000);
        SIM_EXPECT(&sim, "[60100] binance:BTCUSDT  tick -> fetch probe (silent)\n");
}

static void heartbeat_with_our_own_id_confirms_a_reconnect(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_connection(btc, INPUT_CLOSED, 1);
        sim_connection(btc, INPUT_OPENED, 2);
        sim_proof(btc, 2, 100);
        assert_true(btc->session.unconfirmed); /* not subscribed: an event may be missed yet */
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        sim_proof(btc, 2, 99);
        assert_true(btc->session.unconfirmed);
        sim_proof(btc, 2, 100);
        assert_false(btc->session.unconfirmed);
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  closed\n"
            "[  50] binance:BTCUSDT  opened on 2\n"
            "[  50] binance:BTCUSDT  proof 100 on 2\n"
            "[  50] binance:BTCUSDT  subscribed on 2 -> fetch probe (reconnected)\n"
            "[  50] binance:BTCUSDT  proof 99 on 2\n"
            "[  50] binance:BTCUSDT  proof 100 on 2\n");
}

static void heartbeat_that_is_ahead_but_reached_in_time_is_no_gap(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_proof(btc, 1, 102);
        sim_at(&sim, 5000);
        sim_event(btc, 101, 103, "b99=2");
        sim_at(&sim, 20000);
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  proof 102\n"
            "[5000] binance:BTCUSDT  event 101..103 -> apply (follows)\n");
}

/* The grace counts from the first one that is ahead, however many follow. */
static void heartbeat_that_is_ahead_shows_a_dead_subscription(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_proof(btc, 1, 102);
        sim_at(&sim, 3000);
        sim_proof(btc, 1, 104);
        sim_event(btc, 101, 101, "b99=2");
        sim_at(&sim, 6000);
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  proof 102\n"
            "[3000] binance:BTCUSDT  proof 104\n"
            "[3000] binance:BTCUSDT  event 101..101 -> apply (follows)\n"
            "[5100] binance:BTCUSDT  tick -> gap silent, expected 102, resubscribe (dead "
            "subscription), fetch resync (resync)\n");
        assert_int_equal(btc->resubscribes, 1);
}

static void heartbeat_without_a_book_or_of_another_connection_proves_nothing(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        sim_proof(btc, 1, 500);
        sim_event(btc, 101, 101, "b99=2");
        sim_image(btc, 100, "b99=1 a101=1");
        sim_connection(btc, INPUT_OPENED, 2);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        sim_proof(btc, 2, 500);
        sim_at(&sim, 20000);
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed -> fetch first (subscribed)\n"
            "[  40] binance:BTCUSDT  proof 500\n"
            "[  40] binance:BTCUSDT  event 101..101 -> keep anew (no book yet)\n"
            "[  40] binance:BTCUSDT  image 100 -> use image (bridged), live\n"
            "[  40] binance:BTCUSDT  opened on 2\n"
            "[  40] binance:BTCUSDT  subscribed on 2\n"
            "[  40] binance:BTCUSDT  proof 500 on 2\n");
}

/* The next id tells whether something was lost. */
static void loss_that_the_connection_reports_is_left_to_the_ids(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_connection(btc, INPUT_LOST, 1);
        sim_connection(btc, INPUT_SNAPSHOT, 1);
        sim_event(btc, 101, 101, "b99=2");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  lost\n"
            "[  50] binance:BTCUSDT  snapshot -> drop (not asked for)\n"
            "[  50] binance:BTCUSDT  event 101..101 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b99=2 a101=1");
}

/* ---- two connections ---- */

static struct sim_symbol *two_connections(void)
{
        struct sim_symbol *btc = sim_live(&sim);
        sim_connection(btc, INPUT_OPENED, 2);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        buffer_clear(&sim.trace);
        return btc;
}

static void next_connection_that_is_behind_takes_over_at_once(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_connections();
        sim_event(btc, 101, 105, "b99=2");
        sim_event_on(btc, 2, 101, 105, "b99=2");
        sim_event_on(btc, 2, 106, 107, "b99=3");
        sim_event(btc, 106, 107, "b99=3");
        sim_connection(btc, INPUT_CLOSED, 1);
        sim_event_on(btc, 2, 108, 108, "b99=4");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 101..105 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 101..105 on 2 -> drop (known)\n"
            "[  50] binance:BTCUSDT  event 106..107 on 2 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 106..107 -> drop (known)\n"
            "[  50] binance:BTCUSDT  closed\n"
            "[  50] binance:BTCUSDT  event 108..108 on 2 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b99=4 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 100..100\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 changes 101..105\n"
            "4 epoch 1 changes 106..107\n"
            "5 epoch 1 changes 108..108\n");
}

static void next_connection_that_is_level_takes_over_at_once(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_connections();
        sim_event_on(btc, 2, 101, 102, "b99=2");
        sim_event(btc, 101, 102, "b99=2");
        sim_connection(btc, INPUT_CLOSED, 1);
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 101..102 on 2 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 101..102 -> drop (known)\n"
            "[  50] binance:BTCUSDT  closed\n");
        SIM_EXPECT_BOOK(btc, "b99=2 a101=1");
}

static void next_connection_that_is_ahead_is_held_until_it_bridges(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_connections();
        sim_event_on(btc, 2, 103, 104, "b99=4");
        sim_event_on(btc, 2, 103, 104, "b99=4");
        sim_event_on(btc, 2, 105, 105, "b99=5");
        sim_event(btc, 101, 101, "b99=2");
        sim_event(btc, 102, 102, "b99=3");
        sim_event(btc, 103, 104, "b99=4");
        sim_connection(btc, INPUT_CLOSED, 1);
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 103..104 on 2 -> hold (ahead)\n"
            "[  50] binance:BTCUSDT  event 103..104 on 2 -> drop (known)\n"
            "[  50] binance:BTCUSDT  event 105..105 on 2 -> hold (ahead)\n"
            "[  50] binance:BTCUSDT  event 101..101 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 102..102 -> apply (follows), replay held (bridged)\n"
            "[  50] binance:BTCUSDT  event 103..104 on 2 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 105..105 on 2 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 103..104 -> drop (known)\n"
            "[  50] binance:BTCUSDT  closed\n");
        SIM_EXPECT_BOOK(btc, "b99=5 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 100..100\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 changes 101..101\n"
            "4 epoch 1 changes 102..102\n"
            "5 epoch 1 changes 103..104\n"
            "6 epoch 1 changes 105..105\n");
}

static void old_connection_that_ends_while_the_next_is_held_is_a_gap(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_connections();
        sim_event_on(btc, 2, 103, 104, "b99=4");
        sim_event(btc, 101, 101, "b99=2");
        sim_connection(btc, INPUT_CLOSED, 1);
        sim_image(btc, 104, "b99=4 a101=1");
        sim_event_on(btc, 2, 105, 105, "b99=5");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 103..104 on 2 -> hold (ahead)\n"
            "[  50] binance:BTCUSDT  event 101..101 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  closed -> replay held (the other is gone)\n"
            "[  50] binance:BTCUSDT  event 103..104 on 2 -> gap disconnect, expected 102, keep "
            "anew (no book), fetch resync (resync)\n"
            "[  50] binance:BTCUSDT  image 104 -> use image (bridged), live\n"
            "[  50] binance:BTCUSDT  event 105..105 on 2 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b99=5 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 100..100\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 changes 101..101\n"
            "4 epoch 1 headless 103..104\n"
            "5 epoch 2 image sync 104\n"
            "6 epoch 2 changes 105..105\n"
            "gap disconnect from 101 to 105\n");
}

static void held_events_with_a_hole_begin_anew(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_connections();
        sim_event_on(btc, 2, 103, 104, "b99=4");
        sim_event_on(btc, 2, 107, 107, "b99=7");
        sim_event(btc, 101, 106, "b99=6");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 103..104 on 2 -> hold (ahead)\n"
            "[  50] binance:BTCUSDT  event 107..107 on 2 -> forget held (no use), hold (ahead)\n"
            "[  50] binance:BTCUSDT  event 101..106 -> apply (follows), replay held (bridged)\n"
            "[  50] binance:BTCUSDT  event 107..107 on 2 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b99=7 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 100..100\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 changes 101..106\n"
            "4 epoch 1 changes 107..107\n");
}

static void quiet_symbol_changes_its_connection_without_a_word(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_connections();
        sim_connection(btc, INPUT_CLOSED, 1);
        assert_int_equal(btc->session.primary, 2);
        assert_false(btc->session.unconfirmed);
        sim_event_on(btc, 2, 101, 101, "b99=2");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  closed\n"
            "[  50] binance:BTCUSDT  event 101..101 on 2 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b99=2 a101=1");
}

static void next_connection_that_is_not_subscribed_yet_proves_nothing(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_connection(btc, INPUT_OPENED, 2);
        sim_connection(btc, INPUT_CLOSED, 1);
        assert_true(btc->session.unconfirmed);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        sim_event_on(btc, 2, 101, 101, "b99=2");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  opened on 2\n"
            "[  50] binance:BTCUSDT  closed\n"
            "[  50] binance:BTCUSDT  subscribed on 2 -> fetch probe (reconnected)\n"
            "[  50] binance:BTCUSDT  event 101..101 on 2 -> apply (follows)\n");
        assert_false(btc->session.unconfirmed);
}

static void old_connection_counts_as_long_as_it_is_up(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_connections();
        sim_event_on(btc, 2, 101, 101, "b99=2");
        sim_event(btc, 101, 101, "b99=2");
        sim_event(btc, 102, 102, "b99=3");
        sim_connection(btc, INPUT_CLOSED, 2);
        sim_at(&sim, 6000);
        sim_event(btc, 103, 103, "b99=4");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 101..101 on 2 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 101..101 -> drop (known)\n"
            "[  50] binance:BTCUSDT  event 102..102 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  closed on 2\n"
            "[6000] binance:BTCUSDT  event 103..103 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b99=4 a101=1");
}

static void old_connection_that_continues_the_ids_is_no_gap(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_connections();
        sim_event_on(btc, 2, 101, 102, "b99=2");
        sim_connection(btc, INPUT_CLOSED, 2);
        sim_event(btc, 101, 102, "b99=2");
        sim_event(btc, 103, 103, "b99=3");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 101..102 on 2 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  closed on 2\n"
            "[  50] binance:BTCUSDT  event 101..102 -> drop (known)\n"
            "[  50] binance:BTCUSDT  event 103..103 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b99=3 a101=1");
}

static void next_connection_that_ends_first_is_forgotten(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_connections();
        sim_event_on(btc, 2, 103, 104, "b99=4");
        sim_connection(btc, INPUT_CLOSED, 2);
        sim_event_on(btc, 2, 105, 105, "b99=4");
        sim_event(btc, 101, 102, "b99=2");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 103..104 on 2 -> hold (ahead)\n"
            "[  50] binance:BTCUSDT  closed on 2 -> forget held (no use)\n"
            "[  50] binance:BTCUSDT  event 105..105 on 2 -> drop (old connection)\n"
            "[  50] binance:BTCUSDT  event 101..102 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b99=2 a101=1");
}

static void next_connection_joins_while_there_is_no_book(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        sim_event(btc, 101, 101, "b99=2");
        sim_connection(btc, INPUT_OPENED, 2);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        sim_event_on(btc, 2, 103, 103, "b99=4");
        sim_event(btc, 102, 102, "b99=3");
        sim_image(btc, 100, "b99=1 a101=1");
        sim_event_on(btc, 2, 104, 104, "b99=5");
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed -> fetch first (subscribed)\n"
            "[  40] binance:BTCUSDT  event 101..101 -> keep anew (no book yet)\n"
            "[  40] binance:BTCUSDT  opened on 2\n"
            "[  40] binance:BTCUSDT  subscribed on 2\n"
            "[  40] binance:BTCUSDT  event 103..103 on 2 -> hold (ahead)\n"
            "[  40] binance:BTCUSDT  event 102..102 -> keep (no book yet), replay held "
            "(bridged)\n"
            "[  40] binance:BTCUSDT  event 103..103 on 2 -> keep (no book yet)\n"
            "[  40] binance:BTCUSDT  image 100 -> use image (bridged), live\n"
            "[  40] binance:BTCUSDT  event 104..104 on 2 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b99=5 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 1 image sync 100\n"
            "2 epoch 1 changes 101..101\n"
            "3 epoch 1 changes 102..102\n"
            "4 epoch 1 changes 103..103\n"
            "5 epoch 1 changes 104..104\n");
}

static void crossing_event_and_held_events_part_in_order(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_connections();
        sim_event_on(btc, 2, 102, 102, "b98=4");
        sim_event(btc, 101, 101, "b101=2");
        sim_image(btc, 102, "b98=4 a101=1");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 102..102 on 2 -> hold (ahead)\n"
            "[  50] binance:BTCUSDT  event 101..101 -> apply (follows), replay held (bridged)\n"
            "[  50] binance:BTCUSDT  crossed by 101..101 -> gap crossed, expected 102, keep anew "
            "(no book), fetch resync (resync)\n"
            "[  50] binance:BTCUSDT  event 102..102 on 2 -> keep (no book yet)\n"
            "[  50] binance:BTCUSDT  image 102 -> use image (bridged), live\n");
        SIM_EXPECT_BOOK(btc, "b98=4 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 100..100\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 headless 101..101\n"
            "4 epoch 1 headless 102..102\n"
            "5 epoch 2 image sync 102\n"
            "gap crossed from 0, open\n");
}

#define SIM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
            SIM_TEST(reconnect_that_continues_the_ids_is_no_gap),
            SIM_TEST(reconnect_that_misses_ids_is_a_gap_by_disconnect),
            SIM_TEST(quiet_market_after_a_reconnect_is_proved_by_its_id),
            SIM_TEST(quiet_market_after_a_reconnect_that_had_moved_on_is_a_gap),
            SIM_TEST(probe_behind_the_book_proves_nothing_after_a_reconnect),
            SIM_TEST(disconnect_while_buffering_keeps_what_was_stored),
            SIM_TEST(image_older_than_events_kept_before_a_disconnect_is_stale),
            SIM_TEST(silence_with_an_equal_id_is_a_quiet_market),
            SIM_TEST(probe_that_is_ahead_but_reached_in_time_is_no_gap),
            SIM_TEST(probe_that_is_ahead_shows_a_dead_subscription),
            SIM_TEST(heartbeats_with_our_own_id_put_the_probe_off),
            SIM_TEST(heartbeats_behind_the_book_do_not_put_the_probe_off),
            SIM_TEST(heartbeat_with_our_own_id_confirms_a_reconnect),
            SIM_TEST(heartbeat_that_is_ahead_but_reached_in_time_is_no_gap),
            SIM_TEST(heartbeat_that_is_ahead_shows_a_dead_subscription),
            SIM_TEST(heartbeat_without_a_book_or_of_another_connection_proves_nothing),
            SIM_TEST(loss_that_the_connection_reports_is_left_to_the_ids),
            SIM_TEST(next_connection_that_is_behind_takes_over_at_once),
            SIM_TEST(next_connection_that_is_level_takes_over_at_once),
            SIM_TEST(next_connection_that_is_ahead_is_held_until_it_bridges),
            SIM_TEST(old_connection_that_ends_while_the_next_is_held_is_a_gap),
            SIM_TEST(held_events_with_a_hole_begin_anew),
            SIM_TEST(quiet_symbol_changes_its_connection_without_a_word),
            SIM_TEST(next_connection_that_is_not_subscribed_yet_proves_nothing),
            SIM_TEST(old_connection_counts_as_long_as_it_is_up),
            SIM_TEST(old_connection_that_continues_the_ids_is_no_gap),
            SIM_TEST(next_connection_that_ends_first_is_forgotten),
            SIM_TEST(next_connection_joins_while_there_is_no_book),
            SIM_TEST(crossing_event_and_held_events_part_in_order),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
