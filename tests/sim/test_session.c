/* From events without a book to a live one, and what ids say about gaps. */
#include "sim.h"

static struct sim sim;

static int setup(void **state)
{
        static unsigned count;
        char name[32];
        (void)state;
        snprintf(name, sizeof(name), "session-%u", count++);
        sim_open(&sim, &store_memory, name, 1);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        sim_close(&sim);
        return 0;
}

/* ---- the first image ---- */

static void first_event_follows_the_image_directly(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        sim_at(&sim, 55);
        sim_event(btc, 101, 103, "b99=2");
        sim_at(&sim, 90);
        sim_image(btc, 100, "b99=1 a101=1");
        sim_at(&sim, 130);
        sim_event(btc, 104, 104, "a101=3");
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed -> fetch first (subscribed)\n"
            "[  55] binance:BTCUSDT  event 101..103 -> keep anew (no book yet)\n"
            "[  90] binance:BTCUSDT  image 100 -> use image (bridged), live\n"
            "[ 130] binance:BTCUSDT  event 104..104 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b99=2 a101=3");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 1 image sync 100\n"
            "2 epoch 1 changes 101..103\n"
            "3 epoch 1 changes 104..104\n");
}

static void image_lies_inside_an_event(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        sim_event(btc, 95, 98, "b98=7");
        sim_event(btc, 99, 103, "b99=2");
        sim_event(btc, 104, 105, "b99=3");
        sim_at(&sim, 90);
        sim_image(btc, 100, "b99=1 a101=1");
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed -> fetch first (subscribed)\n"
            "[  40] binance:BTCUSDT  event 95..98 -> keep anew (no book yet)\n"
            "[  40] binance:BTCUSDT  event 99..103 -> keep (no book yet)\n"
            "[  40] binance:BTCUSDT  event 104..105 -> keep (no book yet)\n"
            "[  90] binance:BTCUSDT  image 100 -> use image (bridged), live\n");
        SIM_EXPECT_BOOK(btc, "b99=3 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 95..98\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 changes 99..103\n"
            "4 epoch 1 changes 104..105\n");
}

static void stale_image_is_fetched_again_later(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        sim_event(btc, 101, 103, "b99=2");
        sim_at(&sim, 90);
        sim_image(btc, 99, "b99=1 a101=1");
        sim_event(btc, 104, 104, "b99=3");
        sim_at(&sim, 1000);
        sim_image(btc, 98, "b99=1 a101=1");
        sim_at(&sim, 3000);
        sim_image(btc, 102, "b99=1 a101=1");
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed -> fetch first (subscribed)\n"
            "[  40] binance:BTCUSDT  event 101..103 -> keep anew (no book yet)\n"
            "[  90] binance:BTCUSDT  image 99 -> drop (stale image)\n"
            "[  90] binance:BTCUSDT  event 104..104 -> keep (no book yet)\n"
            "[ 600] binance:BTCUSDT  tick -> fetch first (again)\n"
            "[1000] binance:BTCUSDT  image 98 -> drop (stale image)\n"
            "[1600] binance:BTCUSDT  tick -> fetch first (again)\n"
            "[3000] binance:BTCUSDT  image 102 -> use image (bridged), live\n");
        SIM_EXPECT_BOOK(btc, "b99=3 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 1 image sync 102\n"
            "2 epoch 1 changes 101..103\n"
            "3 epoch 1 changes 104..104\n");
}

static void image_ahead_of_the_events_drops_them(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        sim_event(btc, 101, 103, "b98=2");
        sim_image(btc, 110, "b99=1 a101=1");
        sim_event(btc, 104, 109, "b97=2");
        sim_event(btc, 110, 112, "b99=4");
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed -> fetch first (subscribed)\n"
            "[  40] binance:BTCUSDT  event 101..103 -> keep anew (no book yet)\n"
            "[  40] binance:BTCUSDT  image 110 -> wait (ahead of the stream)\n"
            "[  40] binance:BTCUSDT  event 104..109 -> keep (no book yet)\n"
            "[  40] binance:BTCUSDT  event 110..112 -> keep (no book yet), use image (bridged), "
            "live\n");
        SIM_EXPECT_BOOK(btc, "b99=4 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 101..103\n"
            "2 epoch 0 headless 104..109\n"
            "3 epoch 1 image sync 110\n"
            "4 epoch 1 changes 110..112\n");
}

static void quiet_book_is_live_without_events(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        sim_at(&sim, 90);
        sim_image(btc, 100, "b99=1 a101=1");
        sim_at(&sim, 2000);
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed -> fetch first (subscribed)\n"
            "[  90] binance:BTCUSDT  image 100 -> wait (ahead of the stream)\n"
            "[1600] binance:BTCUSDT  tick -> use image (bridged), live\n");
        assert_int_equal(btc->session.state, SESSION_LIVE);
        SIM_EXPECT_RECORD(btc, "1 epoch 1 image sync 100\n");
        sim_event(btc, 103, 104, "b99=2");
        sim_image(btc, 104, "b99=2 a102=1");
        SIM_EXPECT(&sim,
            "[2000] binance:BTCUSDT  event 103..104 -> gap sequence, expected 101, keep anew (no "
            "book), fetch resync (resync)\n"
            "[2000] binance:BTCUSDT  image 104 -> use image (bridged), live\n");
        SIM_EXPECT_BOOK(btc, "b99=2 a102=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 1 image sync 100\n"
            "2 epoch 1 headless 103..104\n"
            "3 epoch 2 image sync 104\n"
            "gap sequence from 0, open\n");
}

static void first_event_behind_the_image_does_not_bridge(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        sim_at(&sim, 90);
        sim_image(btc, 100, "b99=1 a101=1");
        sim_at(&sim, 120);
        sim_event(btc, 103, 104, "b99=2");
        SIM_EXPECT_BOOK(btc, "none");
        sim_at(&sim, 1000);
        sim_image(btc, 104, "b99=2 a102=1");
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed -> fetch first (subscribed)\n"
            "[  90] binance:BTCUSDT  image 100 -> wait (ahead of the stream)\n"
            "[ 120] binance:BTCUSDT  event 103..104 -> keep anew (no book yet), forget image (no "
            "use)\n"
            "[ 600] binance:BTCUSDT  tick -> fetch first (again)\n"
            "[1000] binance:BTCUSDT  image 104 -> use image (bridged), live\n");
        SIM_EXPECT_BOOK(btc, "b99=2 a102=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 103..104\n"
            "2 epoch 1 image sync 104\n");
}

/* Answers that are of no use must not take along the image that waits for the stream. */
static void image_that_waits_outlives_answers_of_no_use(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        struct image stale = {.id = 50};
        uint32_t first = btc->fetch;
        sim_event(btc, 101, 103, "b98=2");
        sim_image(btc, 110, "b99=1 a101=1");
        sim_answer(btc, first, &stale);
        sim_connection(btc, INPUT_SUBSCRIBED, 1);
        sim_at(&sim, 2000);
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed -> fetch first (subscribed)\n"
            "[  40] binance:BTCUSDT  event 101..103 -> keep anew (no book yet)\n"
            "[  40] binance:BTCUSDT  image 110 -> wait (ahead of the stream)\n"
            "[  40] binance:BTCUSDT  image 50 -> drop (not asked for)\n"
            "[  40] binance:BTCUSDT  subscribed\n"
            "[1600] binance:BTCUSDT  tick -> use image (bridged), live\n");
        SIM_EXPECT_BOOK(btc, "b99=1 a101=1");
}

static void events_before_the_acknowledgement_are_kept(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_add(&sim, "BTCUSDT");
        sim_connection(btc, INPUT_OPENED, 1);
        sim_at(&sim, 20);
        sim_event(btc, 101, 101, "b99=2");
        sim_at(&sim, 40);
        sim_connection(btc, INPUT_SUBSCRIBED, 1);
        sim_at(&sim, 90);
        sim_image(btc, 100, "b99=1 a101=1");
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  20] binance:BTCUSDT  event 101..101 -> keep anew (no book yet)\n"
            "[  40] binance:BTCUSDT  subscribed -> fetch first (subscribed)\n"
            "[  90] binance:BTCUSDT  image 100 -> use image (bridged), live\n");
        SIM_EXPECT_BOOK(btc, "b99=2 a101=1");
}

static void headless_events_are_committed_and_then_rewritten_behind_the_image(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        sim_event(btc, 101, 102, "b98=2");
        sim_at(&sim, 1500);
        sim_event(btc, 103, 104, "b98=3");
        sim_at(&sim, 2500);
        sim_event(btc, 105, 106, "b98=4");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 101..102\n"
            "2 epoch 0 headless 103..104\n"
            "3 epoch 0 headless 105..106\n");
        sim_image(btc, 102, "b98=2 b99=1 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 101..102\n"
            "2 epoch 1 image sync 102\n"
            "3 epoch 1 changes 103..104\n"
            "4 epoch 1 changes 105..106\n");
        struct reader reader;
        const struct recon_stream *stream = sim_read(btc, &reader);
        assert_int_equal(stream->mark.events, 3);
        assert_int_equal(stream->mark.level_updates, 3);
        assert_int_equal(stream->mark.images, 1);
        reader_close(&reader);
        SIM_EXPECT_BOOK(btc, "b99=1 b98=4 a101=1");
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed -> fetch first (subscribed)\n"
            "[  40] binance:BTCUSDT  event 101..102 -> keep anew (no book yet)\n"
            "[1500] binance:BTCUSDT  event 103..104 -> keep (no book yet)\n"
            "[2500] binance:BTCUSDT  event 105..106 -> keep (no book yet)\n"
            "[2500] binance:BTCUSDT  image 102 -> use image (bridged), live\n");
}

static void image_replaces_the_book_and_never_merges(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_event(btc, 101, 101, "b50=7 a150=7");
        sim_event(btc, 105, 105, "b98=1");
        sim_image(btc, 105, "b97=1 a102=1");
        SIM_EXPECT_BOOK(btc, "b97=1 a102=1");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 101..101 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 105..105 -> gap sequence, expected 102, keep anew (no "
            "book), fetch resync (resync)\n"
            "[  50] binance:BTCUSDT  image 105 -> use image (bridged), live\n");
}

static void empty_book_has_no_id_of_its_own(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        sim_image(btc, -1, "");
        SIM_EXPECT_BOOK(btc, "");
        sim_event(btc, 5000, 5001, "b99=1");
        sim_event(btc, 5002, 5002, "a101=1");
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed -> fetch first (subscribed)\n"
            "[  40] binance:BTCUSDT  image -1 -> use image (bridged), live\n"
            "[  40] binance:BTCUSDT  event 5000..5001 -> apply (follows)\n"
            "[  40] binance:BTCUSDT  event 5002..5002 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b99=1 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 1 image sync -1\n"
            "2 epoch 1 changes 5000..5001\n"
            "3 epoch 1 changes 5002..5002\n");
}

static void empty_image_behind_kept_events_takes_them_all(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        sim_event(btc, 5000, 5001, "b99=1");
        sim_image(btc, -1, "");
        sim_event(btc, 5002, 5002, "a101=1");
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed -> fetch first (subscribed)\n"
            "[  40] binance:BTCUSDT  event 5000..5001 -> keep anew (no book yet)\n"
            "[  40] binance:BTCUSDT  image -1 -> use image (bridged), live\n"
            "[  40] binance:BTCUSDT  event 5002..5002 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b99=1 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 1 image sync -1\n"
            "2 epoch 1 changes 5000..5001\n"
            "3 epoch 1 changes 5002..5002\n");
}

/* ---- ids ---- */

static void duplicate_event_is_dropped(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_event(btc, 101, 102, "b99=2");
        sim_event(btc, 101, 102, "b99=2");
        sim_event(btc, 103, 103, "b99=3");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 101..102 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 101..102 -> drop (known)\n"
            "[  50] binance:BTCUSDT  event 103..103 -> apply (follows)\n");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 100..100\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 changes 101..102\n"
            "4 epoch 1 changes 103..103\n");
}

static void overlapping_ids_follow(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_event(btc, 101, 105, "b99=2");
        sim_event(btc, 104, 107, "b99=3");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 101..105 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 104..107 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b99=3 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 100..100\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 changes 101..105\n"
            "4 epoch 1 changes 104..107\n");
}

static void missing_ids_are_a_gap(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_at(&sim, 100);
        sim_event(btc, 101, 103, "b99=2");
        sim_at(&sim, 130);
        sim_event(btc, 106, 107, "b99=3");
        sim_at(&sim, 160);
        sim_event(btc, 108, 108, "b99=4");
        sim_at(&sim, 190);
        sim_image(btc, 107, "b99=3 a102=1");
        SIM_EXPECT(&sim,
            "[ 100] binance:BTCUSDT  event 101..103 -> apply (follows)\n"
            "[ 130] binance:BTCUSDT  event 106..107 -> gap sequence, expected 104, keep anew (no "
            "book), fetch resync (resync)\n"
            "[ 160] binance:BTCUSDT  event 108..108 -> keep (no book yet)\n"
            "[ 190] binance:BTCUSDT  image 107 -> use image (bridged), live\n");
        SIM_EXPECT_BOOK(btc, "b99=4 a102=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 100..100\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 changes 101..103\n"
            "4 epoch 1 headless 106..107\n"
            "5 epoch 2 image sync 107\n"
            "6 epoch 2 changes 108..108\n"
            "gap sequence from 103 to 108\n");
}

static void missing_ids_while_buffering_begin_a_new_run(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        sim_event(btc, 101, 103, "b99=2");
        sim_event(btc, 106, 107, "b99=3");
        sim_image(btc, 102, "b99=1 a101=1");
        sim_at(&sim, 1000);
        sim_image(btc, 105, "b99=1 a101=1");
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed -> fetch first (subscribed)\n"
            "[  40] binance:BTCUSDT  event 101..103 -> keep anew (no book yet)\n"
            "[  40] binance:BTCUSDT  event 106..107 -> keep anew (ids are missing, no book yet)\n"
            "[  40] binance:BTCUSDT  image 102 -> drop (stale image)\n"
            "[ 500] binance:BTCUSDT  tick -> fetch first (again)\n"
            "[1000] binance:BTCUSDT  image 105 -> use image (bridged), live\n");
        SIM_EXPECT_BOOK(btc, "b99=3 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 101..103\n"
            "2 epoch 1 image sync 105\n"
            "3 epoch 1 changes 106..107\n");
}

static void swapped_events_are_a_gap(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_event(btc, 103, 104, "b99=3");
        sim_event(btc, 101, 102, "b99=2");
        sim_event(btc, 105, 105, "b99=5");
        sim_image(btc, 105, "b99=5 a101=1");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 103..104 -> gap sequence, expected 101, keep anew (no "
            "book), fetch resync (resync)\n"
            "[  50] binance:BTCUSDT  event 101..102 -> keep anew (ids went back, no book yet)\n"
            "[  50] binance:BTCUSDT  event 105..105 -> keep anew (ids are missing, no book yet)\n"
            "[  50] binance:BTCUSDT  image 105 -> use image (bridged), live\n");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 100..100\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 headless 103..104\n"
            "4 epoch 1 headless 101..102\n"
            "5 epoch 1 headless 105..105\n"
            "6 epoch 2 image sync 105\n"
            "gap sequence from 0, open\n");
}

static void event_that_ends_before_it_begins_is_dropped(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_event(btc, 103, 101, "b99=3");
        sim_event(btc, 101, 101, "b99=2");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 103..101 -> drop (ids go back)\n"
            "[  50] binance:BTCUSDT  event 101..101 -> apply (follows)\n");
}

/* Text that cannot be read never becomes an event; the next id tells whether one was lost. */
static void unreadable_text_is_a_gap_only_if_an_id_is_missing(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_event(btc, 101, 101, "b99=2");
        sim_event(btc, 102, 102, "b99=3");
        sim_event(btc, 104, 104, "b99=5");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 101..101 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 102..102 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 104..104 -> gap sequence, expected 103, keep anew (no "
            "book), fetch resync (resync)\n");
}

/* The exchange counts anew: nothing follows, and the market only seems quiet. */
static void ids_that_went_back_are_found_out(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        for (int64_t i = 1; i <= 62; i++) {
                sim_at(&sim, i * 1000);
                sim_event(btc, i, i, "b98=1");
                if (i < 60)
                        buffer_clear(&sim.trace);
        }
        for (int64_t i = 0; i < 4; i++) {
                sim_at(&sim, 62000 + i * 3000);
                sim_image(btc, 62, "b98=1 a105=1");
        }
        sim_event(btc, 63, 63, "b98=2");
        sim_image(btc, 63, "b98=2 a105=1");
        sim_event(btc, 64, 64, "b98=3");
        SIM_EXPECT(&sim,
            "[60000] binance:BTCUSDT  event 60..60 -> drop (known)\n"
            "[60100] binance:BTCUSDT  tick -> fetch probe (silent)\n"
            "[61000] binance:BTCUSDT  event 61..61 -> drop (known)\n"
            "[62000] binance:BTCUSDT  event 62..62 -> drop (known)\n"
            "[62000] binance:BTCUSDT  image 62 -> drop (the exchange is behind)\n"
            "[62600] binance:BTCUSDT  tick -> fetch probe (behind before)\n"
            "[65000] binance:BTCUSDT  image 62 -> drop (the exchange is behind)\n"
            "[66500] binance:BTCUSDT  tick -> fetch probe (behind before)\n"
            "[68000] binance:BTCUSDT  image 62 -> drop (the exchange is behind)\n"
            "[71000] binance:BTCUSDT  tick -> fetch probe (behind before)\n"
            "[71000] binance:BTCUSDT  image 62 -> gap sequence, expected 101, fetch resync "
            "(resync)\n"
            "[71000] binance:BTCUSDT  event 63..63 -> keep anew (no book yet)\n"
            "[71000] binance:BTCUSDT  image 63 -> use image (bridged), live\n"
            "[71000] binance:BTCUSDT  event 64..64 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b98=3 a105=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 100..100\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 headless 63..63\n"
            "4 epoch 2 image sync 63\n"
            "5 epoch 2 changes 64..64\n"
            "gap sequence from 0 to 64\n");
}

static void ids_that_went_back_while_buffering_begin_a_new_run(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        sim_event(btc, 1001, 1003, "b99=2");
        sim_event(btc, 1, 2, "b98=1");
        sim_event(btc, 3, 3, "b98=2");
        sim_image(btc, 2, "b98=1 a101=1");
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed -> fetch first (subscribed)\n"
            "[  40] binance:BTCUSDT  event 1001..1003 -> keep anew (no book yet)\n"
            "[  40] binance:BTCUSDT  event 1..2 -> keep anew (ids went back, no book yet)\n"
            "[  40] binance:BTCUSDT  event 3..3 -> keep (no book yet)\n"
            "[  40] binance:BTCUSDT  image 2 -> use image (bridged), live\n");
        SIM_EXPECT_BOOK(btc, "b98=2 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 1001..1003\n"
            "2 epoch 0 headless 1..2\n"
            "3 epoch 1 image sync 2\n"
            "4 epoch 1 changes 3..3\n");
}

static void event_time_never_matters(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim.event_time_ns = SIM_WALL_NS - 3 * 365 * NS_PER_DAY;
        sim_event(btc, 101, 101, "b99=2");
        sim.event_time_ns = SIM_WALL_NS + 365 * NS_PER_DAY;
        sim_event(btc, 102, 102, "b99=3");
        sim.event_time_ns = SIM_WALL_NS - 7 * 365 * NS_PER_DAY;
        sim_event(btc, 103, 103, "b99=4");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 101..101 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 102..102 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 103..103 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b99=4 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 100..100\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 changes 101..101\n"
            "4 epoch 1 changes 102..102\n"
            "5 epoch 1 changes 103..103\n");
}

/* ---- trouble ---- */

static void refused_symbol_harms_nobody(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim), *bad = sim_add(&sim, "NOSUCH");
        sim_connection(bad, INPUT_OPENED, 1);
        sim_connection(bad, INPUT_SUBSCRIBED, 1);
        sim_connection(bad, INPUT_REFUSED, 0);
        sim_connection(bad, INPUT_OPENED, 2);
        sim_event(bad, 1, 1, "b1=1");
        sim_event(btc, 101, 101, "b99=2");
        sim_at(&sim, 50000);
        SIM_EXPECT(&sim,
            "[  50] binance:NOSUCH  opened\n"
            "[  50] binance:NOSUCH  subscribed -> fetch first (subscribed)\n"
            "[  50] binance:NOSUCH  refused\n"
            "[  50] binance:NOSUCH  opened on 2\n"
            "[  50] binance:NOSUCH  event 1..1\n"
            "[  50] binance:BTCUSDT  event 101..101 -> apply (follows)\n");
        assert_int_equal(bad->session.state, SESSION_REFUSED);
        assert_int_equal(bad->fetches, 1);
        SIM_EXPECT_BOOK(btc, "b99=2 a101=1");
}

static void live_symbol_that_is_refused_leaves_an_open_gap(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_event(btc, 101, 101, "b99=2");
        sim_connection(btc, INPUT_REFUSED, 0);
        sim_event(btc, 102, 102, "b99=3");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 101..101 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  refused -> gap silent, expected 102\n"
            "[  50] binance:BTCUSDT  event 102..102\n");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 100..100\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 changes 101..101\n"
            "gap silent from 101, open\n");
}

/* Waits double, half of each by chance, and never exceed a minute. */
static void back_off_grows_and_is_bounded(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        int64_t ms = sim.now_ms, longest = 0;
        sim.muted = true;
        for (unsigned failures = 0; failures < 14; failures++) {
                uint32_t fetch = btc->fetch;
                int64_t most = 500 << (failures < 7 ? failures : 7), from = ms;
                sim_fetch_failed(btc, fetch, 0);
                while (btc->fetch == fetch && ms - from < 61000)
                        sim_at(&sim, ++ms);
                most = most < 60000 ? most : 60000;
                assert_in_range(ms - from, most / 2, most + SIM_TICK_MS);
                longest = ms - from > longest ? ms - from : longest;
        }
        assert_in_range(longest, 30000, 60000 + SIM_TICK_MS);
}

static void retry_after_is_obeyed(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        sim_fetch_failed(btc, btc->fetch, 30000);
        sim_at(&sim, 31000);
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed -> fetch first (subscribed)\n"
            "[  40] binance:BTCUSDT  fetch failed\n"
            "[30000] binance:BTCUSDT  tick -> fetch first (again)\n");
}

static void answers_that_nobody_waits_for_are_forgotten(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_image(btc, 101, "b1=1");
        sim_fetch_failed(btc, btc->fetch, 0);
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  image 101 -> drop (not asked for)\n"
            "[  50] binance:BTCUSDT  fetch failed\n");
        SIM_EXPECT_BOOK(btc, "b99=1 a101=1");
}

#define SIM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
            SIM_TEST(first_event_follows_the_image_directly),
            SIM_TEST(image_lies_inside_an_event),
            SIM_TEST(stale_image_is_fetched_again_later),
            SIM_TEST(image_ahead_of_the_events_drops_them),
            SIM_TEST(quiet_book_is_live_without_events),
            SIM_TEST(first_event_behind_the_image_does_not_bridge),
            SIM_TEST(image_that_waits_outlives_answers_of_no_use),
            SIM_TEST(events_before_the_acknowledgement_are_kept),
            SIM_TEST(headless_events_are_committed_and_then_rewritten_behind_the_image),
            SIM_TEST(image_replaces_the_book_and_never_merges),
            SIM_TEST(empty_book_has_no_id_of_its_own),
            SIM_TEST(empty_image_behind_kept_events_takes_them_all),
            SIM_TEST(duplicate_event_is_dropped),
            SIM_TEST(overlapping_ids_follow),
            SIM_TEST(missing_ids_are_a_gap),
            SIM_TEST(missing_ids_while_buffering_begin_a_new_run),
            SIM_TEST(swapped_events_are_a_gap),
            SIM_TEST(event_that_ends_before_it_begins_is_dropped),
            SIM_TEST(unreadable_text_is_a_gap_only_if_an_id_is_missing),
            SIM_TEST(ids_that_went_back_are_found_out),
            SIM_TEST(ids_that_went_back_while_buffering_begin_a_new_run),
            SIM_TEST(event_time_never_matters),
            SIM_TEST(refused_symbol_harms_nobody),
            SIM_TEST(live_symbol_that_is_refused_leaves_an_open_gap),
            SIM_TEST(back_off_grows_and_is_bounded),
            SIM_TEST(retry_after_is_obeyed),
            SIM_TEST(answers_that_nobody_waits_for_are_forgotten),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
