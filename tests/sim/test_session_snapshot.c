/* A book that the stream itself brings, without ids: snapshots, losses, two connections. */
#include "sim.h"

static struct sim sim;

static int setup(void **state)
{
        static unsigned count;
        char name[32];
        (void)state;
        snprintf(name, sizeof(name), "snapshot-%u", count++);
        sim_open(&sim, &store_memory, name, 1);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        sim_close(&sim);
        return 0;
}

/* A book whose connection 1 is up and subscribed, at 40 ms. */
static struct sim_symbol *subscribed_book(void)
{
        struct sim_symbol *btc = sim_add(&sim, "BTCUSDT");
        session_init(&btc->session, SYNC_SNAPSHOT, SIM_PERIOD_NS, 1, sim_mono(&sim));
        sim_connection(btc, INPUT_OPENED, 1);
        sim_at(&sim, 40);
        sim_connection(btc, INPUT_SUBSCRIBED, 1);
        return btc;
}

static void snapshot_on(struct sim_symbol *symbol, uint32_t connection, const char *levels)
{
        struct sim_levels parsed;
        sim_parse_levels(levels, &parsed);
        struct image image = {.id = symbol->session.id, .receive_time_ns = sim_wall(symbol->sim)};
        struct sim_context context = {.symbol = symbol, .image = &image};
        for (enum side s = 0; s < SIDES; s++) {
                image.count[s] = parsed.count[s];
                image.levels[s] = parsed.levels[s];
        }
        sim_step(&context,
            &(struct session_input){.kind = INPUT_SNAPSHOT,
                .connection = connection,
                .image_crossed = image.count[SIDE_BID] && image.count[SIDE_ASK] &&
                    image.levels[SIDE_BID][0].price >= image.levels[SIDE_ASK][0].price});
}

/* An event gets the number that the session gives it. */
static void event_on(struct sim_symbol *symbol, uint32_t connection, const char *levels)
{
        int64_t id = session_next_id(&symbol->session);
        sim_event_on(symbol, connection, id, id, levels);
}

/* ... and it is live with "b99=1 a101=1" since 50 ms. The trace is empty. */
static struct sim_symbol *live_book(void)
{
        struct sim_symbol *btc = subscribed_book();
        sim_at(&sim, 50);
        snapshot_on(btc, 1, "b99=1 a101=1");
        assert_int_equal(btc->session.state, SESSION_LIVE);
        buffer_clear(&sim.trace);
        return btc;
}

/* A successor is up and subscribed. The trace is empty. */
static struct sim_symbol *two_connections(void)
{
        struct sim_symbol *btc = live_book();
        sim_connection(btc, INPUT_OPENED, 2);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        buffer_clear(&sim.trace);
        return btc;
}

/* ---- the snapshot ---- */

static void snapshot_begins_the_book_and_events_are_counted(void **state)
{
        (void)state;
        struct sim_symbol *btc = subscribed_book();
        assert_int_equal(btc->session.state, SESSION_BUFFERING);
        sim_at(&sim, 55);
        snapshot_on(btc, 1, "b99=1 a101=1");
        event_on(btc, 1, "b99=2");
        sim_at(&sim, 60);
        event_on(btc, 1, "a101=0 a102=3");
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed\n"
            "[  55] binance:BTCUSDT  snapshot -> use image (snapshot), live\n"
            "[  55] binance:BTCUSDT  event 1..1 -> apply (counted)\n"
            "[  60] binance:BTCUSDT  event 2..2 -> apply (counted)\n");
        assert_int_equal(session_next_id(&btc->session), 3);
        SIM_EXPECT_BOOK(btc, "b99=2 a102=3");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 1 image sync 0\n"
            "2 epoch 1 changes 1..1\n"
            "3 epoch 1 changes 2..2\n");
}

static void events_before_the_snapshot_belong_to_nothing(void **state)
{
        (void)state;
        struct sim_symbol *btc = subscribed_book();
        event_on(btc, 1, "b98=7");
        event_on(btc, 1, "b97=7");
        snapshot_on(btc, 1, "b99=1 a101=1");
        event_on(btc, 1, "b99=2");
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed\n"
            "[  40] binance:BTCUSDT  event 1..1 -> drop (no snapshot yet)\n"
            "[  40] binance:BTCUSDT  event 1..1 -> drop (no snapshot yet)\n"
            "[  40] binance:BTCUSDT  snapshot -> use image (snapshot), live\n"
            "[  40] binance:BTCUSDT  event 1..1 -> apply (counted)\n");
        SIM_EXPECT_BOOK(btc, "b99=2 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 1 image sync 0\n"
            "2 epoch 1 changes 1..1\n");
}

static void count_goes_on_from_an_earlier_record(void **state)
{
        (void)state;
        struct sim_symbol *btc = subscribed_book();
        session_set_id(&btc->session, 5000);
        buffer_clear(&sim.trace);
        snapshot_on(btc, 1, "b99=1 a101=1");
        event_on(btc, 1, "b99=2");
        SIM_EXPECT(&sim,
            "[  40] binance:BTCUSDT  snapshot -> use image (snapshot), live\n"
            "[  40] binance:BTCUSDT  event 5001..5001 -> apply (counted)\n");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 1 image sync 5000\n"
            "2 epoch 1 changes 5001..5001\n");
}

static void snapshot_may_come_before_the_acknowledgement(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_add(&sim, "BTCUSDT");
        session_init(&btc->session, SYNC_SNAPSHOT, SIM_PERIOD_NS, 1, sim_mono(&sim));
        sim_connection(btc, INPUT_OPENED, 1);
        snapshot_on(btc, 1, "b99=1 a101=1");
        sim_connection(btc, INPUT_SUBSCRIBED, 1);
        sim_at(&sim, 100000);
        assert_int_equal(btc->session.state, SESSION_LIVE);
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[   0] binance:BTCUSDT  snapshot -> use image (snapshot), live\n"
            "[   0] binance:BTCUSDT  subscribed\n");
}

static void new_snapshot_corrects_the_live_book(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_book();
        event_on(btc, 1, "b98=4");
        sim_at(&sim, 3000);
        snapshot_on(btc, 1, "b97=1 a101=1");
        event_on(btc, 1, "b96=1");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 1..1 -> apply (counted)\n"
            "[3000] binance:BTCUSDT  snapshot -> correct (new snapshot)\n"
            "[3000] binance:BTCUSDT  event 2..2 -> apply (counted)\n");
        assert_int_equal(btc->differences, 3);
        SIM_EXPECT_BOOK(btc, "b97=1 b96=1 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 1 image sync 0\n"
            "2 epoch 1 changes 1..1\n"
            "3 epoch 1 image sync correction 1\n"
            "4 epoch 1 changes 2..2\n");
}

static void snapshot_that_does_not_come_is_asked_for_with_growing_patience(void **state)
{
        (void)state;
        struct sim_symbol *btc = subscribed_book();
        sim_at(&sim, 20000);
        sim_connection(btc, INPUT_SUBSCRIBED, 1); /* told again for another member's sake */
        sim_at(&sim, 2000000);
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed\n"
            "[20000] binance:BTCUSDT  subscribed\n"
            "[30100] binance:BTCUSDT  tick -> resubscribe (no snapshot)\n"
            "[60100] binance:BTCUSDT  tick -> resubscribe (no snapshot)\n"
            "[120100] binance:BTCUSDT  tick -> resubscribe (no snapshot)\n"
            "[240100] binance:BTCUSDT  tick -> resubscribe (no snapshot)\n"
            "[480100] binance:BTCUSDT  tick -> resubscribe (no snapshot)\n"
            "[960100] binance:BTCUSDT  tick -> resubscribe (no snapshot)\n"
            "[1560100] binance:BTCUSDT  tick -> resubscribe (no snapshot)\n");
        snapshot_on(btc, 1, "b99=1 a101=1");
        sim_at(&sim, 4000000);
        SIM_EXPECT(&sim, "[2000000] binance:BTCUSDT  snapshot -> use image (snapshot), live\n");
}

/* Whatever comes of it, patience begins at half a minute again. */
static void snapshot_makes_patience_whole_again(void **state)
{
        (void)state;
        struct sim_symbol *btc = subscribed_book();
        sim_at(&sim, 200000);
        snapshot_on(btc, 1, "b99=1 a101=1");
        buffer_clear(&sim.trace);
        sim_connection(btc, INPUT_LOST, 1);
        sim_at(&sim, 231000);
        SIM_EXPECT(&sim,
            "[200000] binance:BTCUSDT  lost -> gap sequence, expected 1, resubscribe (a message is "
            "missing)\n"
            "[230000] binance:BTCUSDT  tick -> resubscribe (no snapshot)\n");
}

static void crossed_snapshot_is_not_taken(void **state)
{
        (void)state;
        struct sim_symbol *btc = subscribed_book();
        buffer_clear(&sim.trace);
        snapshot_on(btc, 1, "b101=1 a101=1");
        SIM_EXPECT_BOOK(btc, "none");
        event_on(btc, 1, "b98=1");
        snapshot_on(btc, 1, "b99=1 a101=1");
        SIM_EXPECT(&sim,
            "[  40] binance:BTCUSDT  snapshot crossed -> drop (crossed snapshot), resubscribe "
            "(crossed snapshot)\n"
            "[  40] binance:BTCUSDT  event 1..1 -> drop (no snapshot yet)\n"
            "[  40] binance:BTCUSDT  snapshot -> use image (snapshot), live\n");
        SIM_EXPECT_RECORD(btc, "1 epoch 1 image sync 0\n");
}

static void crossed_snapshot_of_a_live_book_is_a_gap(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_book();
        event_on(btc, 1, "b98=1");
        sim_at(&sim, 2000);
        snapshot_on(btc, 1, "b101=1 a101=1");
        snapshot_on(btc, 1, "b99=3 a101=1");
        event_on(btc, 1, "b98=2");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 1..1 -> apply (counted)\n"
            "[2000] binance:BTCUSDT  snapshot crossed -> drop (crossed snapshot), gap crossed, "
            "expected 2, resubscribe (crossed snapshot)\n"
            "[2000] binance:BTCUSDT  snapshot -> use image (snapshot), live\n"
            "[2000] binance:BTCUSDT  event 2..2 -> apply (counted)\n");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 1 image sync 0\n"
            "2 epoch 1 changes 1..1\n"
            "3 epoch 2 image sync 1\n"
            "4 epoch 2 changes 2..2\n"
            "gap crossed from 1 to 2\n");
}

/* Each snapshot is crossed, as in a long auction: the waits double, half of each by chance, and
 * never exceed a minute. */
static void crossed_snapshots_are_asked_for_by_back_off(void **state)
{
        (void)state;
        struct sim_symbol *btc = subscribed_book();
        sim.muted = true;
        snapshot_on(btc, 1, "b101=1 a101=1");
        assert_int_equal(btc->resubscribes, 1);
        for (unsigned i = 1; i <= 12; i++) {
                int64_t since = sim.now_ms, most = 500 << (i < 7 ? i : 7);
                most = most < 60000 ? most : 60000;
                snapshot_on(btc, 1, "b101=1 a101=1");
                while (btc->resubscribes == i && sim.now_ms - since < 70000)
                        sim_at(&sim, sim.now_ms + 10);
                assert_in_range(sim.now_ms - since, most / 2, most + SIM_TICK_MS);
        }
}

/* A book that held for a minute is not punished for what was before. */
static void lasting_book_resets_the_back_off(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_book();
        sim.muted = true;
        for (unsigned i = 0; i < 8; i++) {
                sim_connection(btc, INPUT_LOST, 1);
                sim_at(&sim, sim.now_ms + 100);
                snapshot_on(btc, 1, "b99=1 a101=1");
        }
        assert_int_equal(btc->resubscribes, 1);
        sim_at(&sim, sim.now_ms + 59000);
        sim_connection(btc, INPUT_LOST, 1);
        assert_int_equal(btc->resubscribes, 1);
        snapshot_on(btc, 1, "b99=1 a101=1");
        sim_at(&sim, sim.now_ms + 60000);
        sim_connection(btc, INPUT_LOST, 1);
        assert_int_equal(btc->resubscribes, 2);
}

/* ---- losses ---- */

static void lost_message_costs_the_book_until_the_next_snapshot(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_book();
        event_on(btc, 1, "b98=1");
        sim_at(&sim, 1000);
        sim_connection(btc, INPUT_LOST, 1);
        assert_int_equal(btc->session.state, SESSION_BUFFERING);
        SIM_EXPECT_BOOK(btc, "none");
        event_on(btc, 1, "b98=2");
        sim_connection(btc, INPUT_LOST, 1);
        sim_at(&sim, 1500);
        sim_connection(btc, INPUT_SUBSCRIBED, 1);
        snapshot_on(btc, 1, "b99=3 a101=1");
        event_on(btc, 1, "b98=3");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 1..1 -> apply (counted)\n"
            "[1000] binance:BTCUSDT  lost -> gap sequence, expected 2, resubscribe (a message is "
            "missing)\n"
            "[1000] binance:BTCUSDT  event 2..2 -> drop (no snapshot yet)\n"
            "[1000] binance:BTCUSDT  lost\n"
            "[1500] binance:BTCUSDT  subscribed\n"
            "[1500] binance:BTCUSDT  snapshot -> use image (snapshot), live\n"
            "[1500] binance:BTCUSDT  event 2..2 -> apply (counted)\n");
        SIM_EXPECT_BOOK(btc, "b99=3 b98=3 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 1 image sync 0\n"
            "2 epoch 1 changes 1..1\n"
            "3 epoch 2 image sync 1\n"
            "4 epoch 2 changes 2..2\n"
            "gap sequence from 1 to 2\n");
}

static void event_that_crosses_the_book_is_a_gap(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_book();
        event_on(btc, 1, "b98=1");
        event_on(btc, 1, "b101=1");
        event_on(btc, 1, "b97=1");
        sim_at(&sim, 1000);
        snapshot_on(btc, 1, "b100=1 a101=1");
        event_on(btc, 1, "b98=3");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 1..1 -> apply (counted)\n"
            "[  50] binance:BTCUSDT  event 2..2 -> apply (counted)\n"
            "[  50] binance:BTCUSDT  crossed by 2..2 -> gap crossed, expected 3, resubscribe (the "
            "book is crossed)\n"
            "[  50] binance:BTCUSDT  event 3..3 -> drop (no snapshot yet)\n"
            "[1000] binance:BTCUSDT  snapshot -> use image (snapshot), live\n"
            "[1000] binance:BTCUSDT  event 3..3 -> apply (counted)\n");
        SIM_EXPECT_BOOK(btc, "b100=1 b98=3 a101=1");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 1 image sync 0\n"
            "2 epoch 1 changes 1..1\n"
            "3 epoch 2 image sync 2\n"
            "4 epoch 2 changes 3..3\n"
            "gap crossed from 1 to 3\n");
}

static void correction_that_cannot_be_taken_is_a_gap(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_book();
        sim_connection(btc, INPUT_NOT_CARRIED, 1);
        sim_connection(btc, INPUT_NOT_CARRIED, 1);
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  not carried -> gap sequence, expected 1, resubscribe (the "
            "snapshot was not taken)\n"
            "[  50] binance:BTCUSDT  not carried\n");
}

static void silence_proves_nothing_and_is_left_alone(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_book();
        sim_proof(btc, 1, 5000);
        sim_at(&sim, 7200000);
        event_on(btc, 1, "b98=1");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  proof 5000\n"
            "[7200000] binance:BTCUSDT  event 1..1 -> apply (counted)\n");
        assert_int_equal(btc->fetches + btc->resubscribes, 0);
}

static void answers_of_rest_are_not_asked_for(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_book();
        sim_image(btc, 0, "b1=1");
        sim_fetch_failed(btc, 0, 0);
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  image 0 -> drop (not asked for)\n"
            "[  50] binance:BTCUSDT  fetch failed\n");
        SIM_EXPECT_BOOK(btc, "b99=1 a101=1");
}

/* ---- connections ---- */

static void lost_connection_is_a_gap_at_once(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_book();
        event_on(btc, 1, "b98=1");
        sim_at(&sim, 1000);
        sim_connection(btc, INPUT_CLOSED, 1);
        assert_int_equal(btc->session.state, SESSION_CONNECTING);
        sim_at(&sim, 2000);
        sim_connection(btc, INPUT_OPENED, 2);
        assert_int_equal(btc->session.state, SESSION_SUBSCRIBING);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        event_on(btc, 1, "b97=9"); /* of the old socket */
        event_on(btc, 2, "b97=8");
        snapshot_on(btc, 1, "b1=1");
        snapshot_on(btc, 2, "b99=1 b98=1 a101=1");
        event_on(btc, 2, "b98=2");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 1..1 -> apply (counted)\n"
            "[1000] binance:BTCUSDT  closed -> gap disconnect, expected 2\n"
            "[2000] binance:BTCUSDT  opened on 2\n"
            "[2000] binance:BTCUSDT  subscribed on 2\n"
            "[2000] binance:BTCUSDT  event 2..2 -> drop (old connection)\n"
            "[2000] binance:BTCUSDT  event 2..2 on 2 -> drop (no snapshot yet)\n"
            "[2000] binance:BTCUSDT  snapshot -> drop (old connection)\n"
            "[2000] binance:BTCUSDT  snapshot on 2 -> use image (snapshot), live\n"
            "[2000] binance:BTCUSDT  event 2..2 on 2 -> apply (counted)\n");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 1 image sync 0\n"
            "2 epoch 1 changes 1..1\n"
            "3 epoch 2 image sync 1\n"
            "4 epoch 2 changes 2..2\n"
            "gap disconnect from 1 to 2\n");
}

static void nothing_is_asked_for_while_there_is_no_connection(void **state)
{
        (void)state;
        struct sim_symbol *btc = subscribed_book();
        buffer_clear(&sim.trace);
        sim_at(&sim, 29000);
        sim_connection(btc, INPUT_CLOSED, 1);
        sim_at(&sim, 100000);
        sim_connection(btc, INPUT_OPENED, 2);
        sim_at(&sim, 110000);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        sim_at(&sim, 141000);
        SIM_EXPECT(&sim,
            "[29000] binance:BTCUSDT  closed\n"
            "[100000] binance:BTCUSDT  opened on 2\n"
            "[110000] binance:BTCUSDT  subscribed on 2\n"
            "[140000] binance:BTCUSDT  tick -> resubscribe on 2 (no snapshot)\n");
}

/* The old feed until the new snapshot, then the new one; nothing is merged, nothing is lost. */
static void successor_takes_over_with_its_snapshot(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_connections();
        event_on(btc, 1, "b98=1");
        event_on(btc, 2, "b98=1");
        sim_at(&sim, 1000);
        snapshot_on(btc, 2, "b99=1 b98=1 a101=2");
        event_on(btc, 1, "a101=2");
        event_on(btc, 2, "a102=4");
        snapshot_on(btc, 1, "b1=1");
        sim_connection(btc, INPUT_LOST, 1);
        sim_connection(btc, INPUT_CLOSED, 1);
        event_on(btc, 2, "a102=5");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 1..1 -> apply (counted)\n"
            "[  50] binance:BTCUSDT  event 2..2 on 2 -> drop (no snapshot yet)\n"
            "[1000] binance:BTCUSDT  snapshot on 2 -> correct (next connection)\n"
            "[1000] binance:BTCUSDT  event 2..2 -> drop (old connection)\n"
            "[1000] binance:BTCUSDT  event 2..2 on 2 -> apply (counted)\n"
            "[1000] binance:BTCUSDT  snapshot -> drop (old connection)\n"
            "[1000] binance:BTCUSDT  lost\n"
            "[1000] binance:BTCUSDT  closed\n"
            "[1000] binance:BTCUSDT  event 3..3 on 2 -> apply (counted)\n");
        assert_int_equal(btc->differences, 1);
        SIM_EXPECT_BOOK(btc, "b99=1 b98=1 a101=2 a102=5");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 1 image sync 0\n"
            "2 epoch 1 changes 1..1\n"
            "3 epoch 1 repair sync 1\n"
            "4 epoch 1 changes 2..2\n"
            "5 epoch 1 changes 3..3\n");
}

static void old_connection_that_ends_before_the_snapshot_is_a_gap(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_connections();
        event_on(btc, 1, "b98=1");
        sim_connection(btc, INPUT_CLOSED, 1);
        assert_int_equal(btc->session.state, SESSION_BUFFERING);
        event_on(btc, 2, "b98=2");
        sim_at(&sim, 500);
        snapshot_on(btc, 2, "b99=1 b98=2 a101=1");
        sim_at(&sim, 100000);
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  event 1..1 -> apply (counted)\n"
            "[  50] binance:BTCUSDT  closed -> gap disconnect, expected 2\n"
            "[  50] binance:BTCUSDT  event 2..2 on 2 -> drop (no snapshot yet)\n"
            "[ 500] binance:BTCUSDT  snapshot on 2 -> use image (snapshot), live\n");
        SIM_EXPECT_RECORD(btc,
            "1 epoch 1 image sync 0\n"
            "2 epoch 1 changes 1..1\n"
            "3 epoch 2 image sync 1\n"
            "gap disconnect from 1, open\n");
}

static void successor_that_never_brings_a_snapshot_is_asked_again_once_it_is_alone(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_connections();
        sim_at(&sim, 60000);
        sim_connection(btc, INPUT_CLOSED, 1);
        sim_at(&sim, 91000);
        SIM_EXPECT(&sim,
            "[60000] binance:BTCUSDT  closed -> gap disconnect, expected 1\n"
            "[90000] binance:BTCUSDT  tick -> resubscribe on 2 (no snapshot)\n");
}

static void successor_with_a_crossed_snapshot_disturbs_nobody(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_connections();
        snapshot_on(btc, 2, "b101=1 a101=1");
        event_on(btc, 2, "b97=1");
        event_on(btc, 1, "b98=1");
        sim_connection(btc, INPUT_LOST, 2);
        sim_connection(btc, INPUT_CLOSED, 2);
        event_on(btc, 1, "b98=2");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  snapshot crossed on 2 -> drop (crossed snapshot)\n"
            "[  50] binance:BTCUSDT  event 1..1 on 2 -> drop (no snapshot yet)\n"
            "[  50] binance:BTCUSDT  event 1..1 -> apply (counted)\n"
            "[  50] binance:BTCUSDT  lost on 2\n"
            "[  50] binance:BTCUSDT  closed on 2\n"
            "[  50] binance:BTCUSDT  event 2..2 -> apply (counted)\n");
        SIM_EXPECT_BOOK(btc, "b99=1 b98=2 a101=1");
}

/* What the old one brought meanwhile was dropped: it must bring a new snapshot. */
static void successor_that_ends_after_taking_over_leaves_the_old_connection_to_go_on(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_connections();
        snapshot_on(btc, 2, "b99=1 a101=1");
        sim_connection(btc, INPUT_CLOSED, 2);
        assert_int_equal(btc->session.state, SESSION_BUFFERING);
        event_on(btc, 1, "b98=1");
        snapshot_on(btc, 1, "b99=1 b98=1 a101=1");
        event_on(btc, 1, "b98=2");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  snapshot on 2 -> correct (next connection)\n"
            "[  50] binance:BTCUSDT  closed on 2 -> gap disconnect, expected 1, resubscribe (back "
            "to the former connection)\n"
            "[  50] binance:BTCUSDT  event 1..1 -> drop (no snapshot yet)\n"
            "[  50] binance:BTCUSDT  snapshot -> use image (snapshot), live\n"
            "[  50] binance:BTCUSDT  event 1..1 -> apply (counted)\n");
        SIM_EXPECT_BOOK(btc, "b99=1 b98=2 a101=1");
}

/* The next connection comes while the book is lost: whichever brings a snapshot first. */
static void successor_mends_a_lost_book(void **state)
{
        (void)state;
        struct sim_symbol *btc = two_connections();
        sim_connection(btc, INPUT_LOST, 1);
        snapshot_on(btc, 2, "b99=1 a101=1");
        snapshot_on(btc, 1, "b1=1");
        event_on(btc, 2, "b98=1");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  lost -> gap sequence, expected 1, resubscribe (a message is "
            "missing)\n"
            "[  50] binance:BTCUSDT  snapshot on 2 -> use image (snapshot), live\n"
            "[  50] binance:BTCUSDT  snapshot -> drop (old connection)\n"
            "[  50] binance:BTCUSDT  event 1..1 on 2 -> apply (counted)\n");
}

static void refused_book_ends_with_a_gap(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_book();
        sim_connection(btc, INPUT_REFUSED, 0);
        snapshot_on(btc, 1, "b99=1");
        SIM_EXPECT(&sim,
            "[  50] binance:BTCUSDT  refused -> gap silent, expected 1\n"
            "[  50] binance:BTCUSDT  snapshot\n");
        assert_int_equal(btc->session.state, SESSION_REFUSED);
}

#define SIM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
            SIM_TEST(snapshot_begins_the_book_and_events_are_counted),
            SIM_TEST(events_before_the_snapshot_belong_to_nothing),
            SIM_TEST(count_goes_on_from_an_earlier_record),
            SIM_TEST(snapshot_may_come_before_the_acknowledgement),
            SIM_TEST(new_snapshot_corrects_the_live_book),
            SIM_TEST(snapshot_that_does_not_come_is_asked_for_with_growing_patience),
            SIM_TEST(snapshot_makes_patience_whole_again),
            SIM_TEST(crossed_snapshot_is_not_taken),
            SIM_TEST(crossed_snapshot_of_a_live_book_is_a_gap),
            SIM_TEST(crossed_snapshots_are_asked_for_by_back_off),
            SIM_TEST(lasting_book_resets_the_back_off),
            SIM_TEST(lost_message_costs_the_book_until_the_next_snapshot),
            SIM_TEST(event_that_crosses_the_book_is_a_gap),
            SIM_TEST(correction_that_cannot_be_taken_is_a_gap),
            SIM_TEST(silence_proves_nothing_and_is_left_alone),
            SIM_TEST(answers_of_rest_are_not_asked_for),
            SIM_TEST(lost_connection_is_a_gap_at_once),
            SIM_TEST(nothing_is_asked_for_while_there_is_no_connection),
            SIM_TEST(successor_takes_over_with_its_snapshot),
            SIM_TEST(old_connection_that_ends_before_the_snapshot_is_a_gap),
            SIM_TEST(successor_that_never_brings_a_snapshot_is_asked_again_once_it_is_alone),
            SIM_TEST(successor_with_a_crossed_snapshot_disturbs_nobody),
            SIM_TEST(successor_that_ends_after_taking_over_leaves_the_old_connection_to_go_on),
            SIM_TEST(successor_mends_a_lost_book),
            SIM_TEST(refused_book_ends_with_a_gap),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
