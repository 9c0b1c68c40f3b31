/* Later images of a live book, and books that cross. */
#include "sim.h"

static struct sim sim;

static int setup(void **state)
{
        static unsigned count;
        char name[32];
        (void)state;
        snprintf(name, sizeof(name), "images-%u", count++);
        sim_open(&sim, &store_memory, name, 1);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        sim_close(&sim);
        return 0;
}

/* A live book that has just asked for its timed re-image, at about 30 minutes. */
static struct sim_symbol *refreshing(void)
{
        struct sim_symbol *btc = sim_live(&sim);
        int64_t id = 100, ms = 30000;
        while (btc->purpose != FETCH_REFRESH) {
                sim_event(btc, id + 1, id + 1, "b99=1");
                id++;
                sim_at(&sim, ms);
                ms += 30000;
                assert_true(ms < 1900000);
        }
        assert_in_range(ms, 1800000 * 7 / 8 - 30000, 1800000 + 60000);
        sim.now_ms = 2000000;
        sim_event(btc, id + 1, 200, "b99=1 b98=9");
        record_tail_begin(btc->stream); /* the request goes out now */
        buffer_clear(&sim.trace);
        return btc;
}

static void image_behind_the_book_is_carried_forward_and_corrects_it(void **state)
{
        (void)state;
        struct sim_symbol *btc = refreshing();
        sim_event(btc, 201, 205, "b97=4");
        sim_event(btc, 206, 206, "b96=4");
        sim_image(btc, 203, "b99=1 b97=3 a101=1");
        SIM_EXPECT(&sim,
            "[2000000] binance:BTCUSDT  event 201..205 -> apply (follows)\n"
            "[2000000] binance:BTCUSDT  event 206..206 -> apply (follows)\n"
            "[2000000] binance:BTCUSDT  image 203 -> correct (answered)\n");
        SIM_EXPECT_BOOK(btc, "b99=1 b97=4 b96=4 a101=1");
        assert_int_equal(btc->corrections, 1);
        assert_int_equal(btc->differences, 1);
}

static void image_equal_to_the_book_changes_nothing(void **state)
{
        (void)state;
        struct sim_symbol *btc = refreshing();
        sim_image(btc, 200, "b99=1 b98=9 a101=1");
        SIM_EXPECT(&sim, "[2000000] binance:BTCUSDT  image 200 -> correct (answered)\n");
        assert_int_equal(btc->corrections, 1);
        assert_int_equal(btc->differences, 0);
        SIM_EXPECT_BOOK(btc, "b99=1 b98=9 a101=1");
}

static void image_ahead_of_the_book_waits_until_it_is_reached(void **state)
{
        (void)state;
        struct sim_symbol *btc = refreshing();
        sim_image(btc, 203, "b99=1 b97=3 a101=1");
        assert_int_equal(btc->corrections, 0);
        sim_event(btc, 201, 202, "b97=2");
        assert_int_equal(btc->corrections, 0);
        sim_event(btc, 203, 206, "b97=5");
        SIM_EXPECT(&sim,
            "[2000000] binance:BTCUSDT  image 203 -> wait (ahead of the stream)\n"
            "[2000000] binance:BTCUSDT  event 201..202 -> apply (follows)\n"
            "[2000000] binance:BTCUSDT  event 203..206 -> apply (follows), correct (reached)\n");
        assert_int_equal(btc->corrections, 1);
        SIM_EXPECT_BOOK(btc, "b99=1 b97=5 a101=1");
}

/* A probe that is answered meanwhile must not take the waiting image along. */
static void image_that_waits_outlives_a_probe(void **state)
{
        (void)state;
        struct sim_symbol *btc = refreshing();
        sim_at(&sim, sim.now_ms + 45000);
        sim_image(btc, 203, "b99=1 b97=3 a101=1");
        sim_at(&sim, sim.now_ms + 16000);
        sim_image(btc, 203, "b99=1");
        sim_event(btc, 201, 203, "b97=3");
        SIM_EXPECT(&sim,
            "[2045000] binance:BTCUSDT  image 203 -> wait (ahead of the stream)\n"
            "[2060000] binance:BTCUSDT  tick -> fetch probe (silent)\n"
            "[2061000] binance:BTCUSDT  image 203 -> drop (the exchange is ahead)\n"
            "[2061000] binance:BTCUSDT  event 201..203 -> apply (follows), correct (reached)\n");
        assert_int_equal(btc->corrections, 1);
        SIM_EXPECT_BOOK(btc, "b99=1 b97=3 a101=1");
}

static void image_that_is_never_reached_is_given_up(void **state)
{
        (void)state;
        struct sim_symbol *btc = refreshing();
        sim_image(btc, 300, "b99=1 a101=1");
        sim_at(&sim, sim.now_ms + 31000);
        SIM_EXPECT(&sim,
            "[2000000] binance:BTCUSDT  image 300 -> wait (ahead of the stream)\n"
            "[2030000] binance:BTCUSDT  tick -> forget image (no use)\n");
        assert_false(btc->waiting_there);
        assert_int_equal(btc->corrections, 0);
}

static void crossed_image_never_corrects(void **state)
{
        (void)state;
        struct sim_symbol *btc = refreshing();
        sim_image(btc, 200, "b105=1 a101=1");
        sim_at(&sim, sim.now_ms + 61000);
        SIM_EXPECT(&sim,
            "[2000000] binance:BTCUSDT  image 200 crossed -> drop (crossed image)\n"
            "[2060000] binance:BTCUSDT  tick -> fetch refresh (due)\n");
        assert_int_equal(btc->corrections, 0);
        SIM_EXPECT_BOOK(btc, "b99=1 b98=9 a101=1");
}

/* The image alone is not crossed, but the events after it make it so: our book is right. */
static void image_that_crosses_when_carried_is_not_taken(void **state)
{
        (void)state;
        struct sim_symbol *btc = refreshing();
        sim_event(btc, 201, 205, "b100=4");
        sim_image(btc, 202, "b99=1 a100=3");
        sim_at(&sim, sim.now_ms + 61000);
        SIM_EXPECT(&sim,
            "[2000000] binance:BTCUSDT  event 201..205 -> apply (follows)\n"
            "[2000000] binance:BTCUSDT  image 202 -> correct (answered)\n"
            "[2000000] binance:BTCUSDT  not carried\n"
            "[2060000] binance:BTCUSDT  tick -> fetch refresh (due)\n");
        assert_int_equal(btc->corrections, 0);
        SIM_EXPECT_BOOK(btc, "b100=4 b99=1 b98=9 a101=1");
}

/* Events between the image and the moment of asking were not kept: ask again. */
static void image_older_than_the_kept_events_is_asked_for_again(void **state)
{
        (void)state;
        struct sim_symbol *btc = refreshing();
        sim_image(btc, 150, "b90=1 a101=1");
        sim_at(&sim, sim.now_ms + 61000);
        SIM_EXPECT(&sim,
            "[2000000] binance:BTCUSDT  image 150 -> correct (answered)\n"
            "[2000000] binance:BTCUSDT  not carried\n"
            "[2060000] binance:BTCUSDT  tick -> fetch refresh (due)\n");
        assert_int_equal(btc->corrections, 0);
        SIM_EXPECT_BOOK(btc, "b99=1 b98=9 a101=1");
}

static void gap_while_a_re_image_is_awaited_forgets_it(void **state)
{
        (void)state;
        struct sim_symbol *btc = refreshing();
        uint32_t refresh = btc->fetch;
        sim_event(btc, 210, 211, "b97=4");
        struct image image = {.id = 211};
        sim_answer(btc, refresh, &image);
        sim_image(btc, 211, "b99=1 a101=1");
        SIM_EXPECT(&sim,
            "[2000000] binance:BTCUSDT  event 210..211 -> gap sequence, expected 201, keep anew "
            "(no book), fetch resync (resync)\n"
            "[2000000] binance:BTCUSDT  image 211 -> drop (not asked for)\n"
            "[2000000] binance:BTCUSDT  image 211 -> use image (bridged), live\n");
        SIM_EXPECT_BOOK(btc, "b99=1 a101=1");
}

static void gap_while_a_re_image_waits_forgets_it(void **state)
{
        (void)state;
        struct sim_symbol *btc = refreshing();
        sim_image(btc, 203, "b99=1 b97=3 a101=1");
        sim_event(btc, 202, 203, "b97=4");
        assert_false(btc->waiting_there);
        sim_image(btc, 203, "b97=4 a101=1");
        SIM_EXPECT(&sim,
            "[2000000] binance:BTCUSDT  image 203 -> wait (ahead of the stream)\n"
            "[2000000] binance:BTCUSDT  event 202..203 -> gap sequence, expected 201, forget image "
            "(no use), keep anew (no book), fetch resync (resync)\n"
            "[2000000] binance:BTCUSDT  image 203 -> use image (bridged), live\n");
        SIM_EXPECT_BOOK(btc, "b97=4 a101=1");
        assert_int_equal(btc->corrections, 0);
}

static void re_image_is_forgotten_when_the_connection_is_lost(void **state)
{
        (void)state;
        struct sim_symbol *btc = refreshing();
        uint32_t refresh = btc->fetch;
        struct image image = {.id = 200};
        sim_connection(btc, INPUT_CLOSED, 1);
        sim_answer(btc, refresh, &image);
        sim_at(&sim, sim.now_ms + 10000);
        sim_connection(btc, INPUT_OPENED, 2);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        sim_event_on(btc, 2, 201, 201, "b99=5");
        sim_image(btc, 201, "b99=5");
        sim_at(&sim, sim.now_ms + 100);
        sim_image(btc, 201, "b99=5 b98=9 a101=1");
        SIM_EXPECT_BOOK(btc, "b99=5 b98=9 a101=1");
        SIM_EXPECT(&sim,
            "[2000000] binance:BTCUSDT  closed\n"
            "[2000000] binance:BTCUSDT  image 200 -> drop (not asked for)\n"
            "[2010000] binance:BTCUSDT  opened on 2\n"
            "[2010000] binance:BTCUSDT  subscribed on 2 -> fetch probe (reconnected)\n"
            "[2010000] binance:BTCUSDT  event 201..201 on 2 -> apply (follows)\n"
            "[2010000] binance:BTCUSDT  image 201 -> drop (a quiet market)\n"
            "[2010100] binance:BTCUSDT  tick -> fetch refresh (due)\n"
            "[2010100] binance:BTCUSDT  image 201 -> correct (answered)\n");
        assert_int_equal(btc->corrections, 1);
        assert_int_equal(btc->differences, 0);
}

/* The newest frame of a quiet symbol is an image, and other symbols lie behind it in the store. */
static void book_is_rebuilt_where_an_image_is_the_last_frame(void **state)
{
        (void)state;
        struct sim_symbol *btc = refreshing();
        struct reader reader;
        struct recon_book book;
        struct error error = {0};
        struct sim_symbol *eth = sim_add(&sim, "ETHUSDT");
        sim_connection(eth, INPUT_OPENED, 1);
        sim_event(eth, 1, 1, "b1=1");
        sim_image(btc, 200, "b99=1 b98=9 a101=1");
        recorder_tick(sim.recorder, sim_wall(&sim));
        const struct recon_stream *stream = sim_read(btc, &reader);
        recon_book_init(&book);
        int64_t now_ns = sim_wall(&sim), before_ns = now_ns - 60 * NS_PER_S;
        assert_int_equal(recon_book_at(&reader, stream, now_ns, CLOCK_EXCHANGE, &book, &error), 0);
        assert_int_equal(book.last_id, 200);
        assert_int_equal(
            recon_book_at(&reader, stream, before_ns, CLOCK_EXCHANGE, &book, &error), 0);
        assert_in_range(book.last_id, 150, 199);
        recon_book_deinit(&book);
        reader_close(&reader);
}

/* ---- crossed books ---- */

static void crossed_book_is_a_gap_from_the_last_uncrossed_event(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_at(&sim, 100);
        sim_event(btc, 101, 101, "b99=2");
        sim_at(&sim, 200);
        sim_event(btc, 102, 102, "b101=2");
        sim_at(&sim, 250);
        sim_event(btc, 103, 103, "a101=0 a102=1");
        sim_at(&sim, 300);
        sim_image(btc, 103, "b101=2 a102=1");
        sim_event(btc, 104, 104, "b101=3");
        SIM_EXPECT(&sim,
            "[ 100] binance:BTCUSDT  event 101..101 -> apply (follows)\n"
            "[ 200] binance:BTCUSDT  event 102..102 -> apply (follows)\n"
            "[ 200] binance:BTCUSDT  crossed by 102..102 -> gap crossed, expected 103, keep anew "
            "(no book), fetch resync (resync)\n"
            "[ 250] binance:BTCUSDT  event 103..103 -> keep (no book yet)\n"
            "[ 300] binance:BTCUSDT  image 103 -> use image (bridged), live\n"
            "[ 300] binance:BTCUSDT  event 104..104 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b101=3 a102=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 100..100\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 changes 101..101\n"
            "4 epoch 1 headless 102..102\n"
            "5 epoch 1 headless 103..103\n"
            "6 epoch 2 image sync 103\n"
            "7 epoch 2 changes 104..104\n"
            "gap crossed from 101 to 104\n");
}

static void first_image_that_is_crossed_is_refused(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        sim_event(btc, 101, 101, "b99=2");
        sim_image(btc, 100, "b102=1 a101=1");
        SIM_EXPECT_BOOK(btc, "none");
        sim_at(&sim, 1000);
        sim_image(btc, 100, "b99=1 a101=1");
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed -> fetch first (subscribed)\n"
            "[  40] binance:BTCUSDT  event 101..101 -> keep anew (no book yet)\n"
            "[  40] binance:BTCUSDT  image 100 crossed -> drop (crossed image)\n"
            "[ 500] binance:BTCUSDT  tick -> fetch first (again)\n"
            "[1000] binance:BTCUSDT  image 100 -> use image (bridged), live\n");
        SIM_EXPECT_BOOK(btc, "b99=2 a101=1");
}

static void book_that_crosses_behind_its_first_image_is_fetched_anew(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_subscribed(&sim);
        sim_event(btc, 101, 101, "b99=2");
        sim_event(btc, 102, 102, "b101=2");
        sim_event(btc, 103, 103, "b98=2");
        sim_image(btc, 100, "b99=1 a101=1");
        SIM_EXPECT_BOOK(btc, "none");
        sim_event(btc, 104, 104, "b98=3");
        sim_at(&sim, 1000);
        sim_image(btc, 103, "b101=2 b98=2 a102=1");
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed -> fetch first (subscribed)\n"
            "[  40] binance:BTCUSDT  event 101..101 -> keep anew (no book yet)\n"
            "[  40] binance:BTCUSDT  event 102..102 -> keep (no book yet)\n"
            "[  40] binance:BTCUSDT  event 103..103 -> keep (no book yet)\n"
            "[  40] binance:BTCUSDT  image 100 -> use image (bridged), live\n"
            "[  40] binance:BTCUSDT  crossed by 102..103 kept\n"
            "[  40] binance:BTCUSDT  event 104..104 -> keep (no book yet)\n"
            "[ 400] binance:BTCUSDT  tick -> fetch first (again)\n"
            "[1000] binance:BTCUSDT  image 103 -> use image (bridged), live\n");
        SIM_EXPECT_BOOK(btc, "b101=2 b98=3 a102=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 1 image sync 100\n"
            "2 epoch 1 changes 101..101\n"
            "3 epoch 1 headless 102..102\n"
            "4 epoch 1 headless 103..103\n"
            "5 epoch 2 image sync 103\n"
            "6 epoch 2 changes 104..104\n"
            "gap crossed from 101 to 104\n");
}

static void book_that_crosses_behind_a_later_image_keeps_its_gap(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_live(&sim);
        sim_event(btc, 101, 101, "b99=2");
        sim_event(btc, 104, 104, "b101=2");
        sim_event(btc, 105, 105, "b98=2");
        sim_image(btc, 103, "b99=1 a101=1");
        sim_at(&sim, 1000);
        sim_image(btc, 105, "b98=2 a101=1");
        sim_event(btc, 106, 106, "b98=3");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 101..101 -> apply (follows)\n"
            "[  50] binance:BTCUSDT  event 104..104 -> gap sequence, expected 102, keep anew (no "
            "book), fetch resync (resync)\n"
            "[  50] binance:BTCUSDT  event 105..105 -> keep (no book yet)\n"
            "[  50] binance:BTCUSDT  image 103 -> use image (bridged), live\n"
            "[  50] binance:BTCUSDT  crossed by 104..105 kept\n"
            "[ 500] binance:BTCUSDT  tick -> fetch resync (again)\n"
            "[1000] binance:BTCUSDT  image 105 -> use image (bridged), live\n"
            "[1000] binance:BTCUSDT  event 106..106 -> apply (follows)\n");
        SIM_EXPECT_BOOK(btc, "b98=3 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 0 headless 100..100\n"
            "2 epoch 1 image sync 100\n"
            "3 epoch 1 changes 101..101\n"
            "4 epoch 2 image sync 103\n"
            "5 epoch 2 headless 104..104\n"
            "6 epoch 2 headless 105..105\n"
            "7 epoch 3 image sync 105\n"
            "8 epoch 3 changes 106..106\n"
            "gap sequence from 101 to 106\n");
}

#define SIM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
            SIM_TEST(image_behind_the_book_is_carried_forward_and_corrects_it),
            SIM_TEST(image_equal_to_the_book_changes_nothing),
            SIM_TEST(image_ahead_of_the_book_waits_until_it_is_reached),
            SIM_TEST(image_that_waits_outlives_a_probe),
            SIM_TEST(image_that_is_never_reached_is_given_up),
            SIM_TEST(crossed_image_never_corrects),
            SIM_TEST(image_that_crosses_when_carried_is_not_taken),
            SIM_TEST(image_older_than_the_kept_events_is_asked_for_again),
            SIM_TEST(gap_while_a_re_image_is_awaited_forgets_it),
            SIM_TEST(gap_while_a_re_image_waits_forgets_it),
            SIM_TEST(re_image_is_forgotten_when_the_connection_is_lost),
            SIM_TEST(book_is_rebuilt_where_an_image_is_the_last_frame),
            SIM_TEST(crossed_book_is_a_gap_from_the_last_uncrossed_event),
            SIM_TEST(first_image_that_is_crossed_is_refused),
            SIM_TEST(book_that_crosses_behind_its_first_image_is_fetched_anew),
            SIM_TEST(book_that_crosses_behind_a_later_image_keeps_its_gap),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
