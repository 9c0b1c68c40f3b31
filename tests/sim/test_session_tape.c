/* Trades: ids without a book, on one connection or two, and ids that begin anew. */
#include "sim.h"

static struct sim sim;

static int setup(void **state)
{
        static unsigned count;
        char name[32];
        (void)state;
        snprintf(name, sizeof(name), "tape-%u", count++);
        sim_open(&sim, &store_memory, name, 1);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        sim_close(&sim);
        return 0;
}

/* A tape whose connection 1 is up and subscribed. */
static struct sim_symbol *subscribed_tape(void)
{
        struct sim_symbol *btc = sim_add(&sim, "BTCUSDT");
        session_init(&btc->session, SYNC_TAPE, SIM_PERIOD_NS, 1, sim_mono(&sim));
        sim_connection(btc, INPUT_OPENED, 1);
        sim_at(&sim, 40);
        sim_connection(btc, INPUT_SUBSCRIBED, 1);
        return btc;
}

/* ... and trade 100 has come. The trace is empty. */
static struct sim_symbol *live_tape(void)
{
        struct sim_symbol *btc = subscribed_tape();
        sim_event(btc, 100, 100, "");
        buffer_clear(&sim.trace);
        return btc;
}

static void two_tape_connections(struct sim_symbol *btc)
{
        sim_connection(btc, INPUT_OPENED, 2);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        buffer_clear(&sim.trace);
}

static void trades(struct sim_symbol *symbol, int64_t first, int64_t last)
{
        for (int64_t id = first; id <= last; id++)
                sim_event(symbol, id, id, "");
}

static void expect_tape(struct sim_symbol *symbol, const char *expected, const char *file, int line)
{
        struct buffer text;
        buffer_init(&text, 1u << 20);
        if (symbol->tape.size)
                buffer_append(&text, symbol->tape.data, symbol->tape.size);
        sim_expect(&text, expected, file, line);
        buffer_deinit(&text);
}

/* What is recorded: a line a run, the ids in it, the gap that ends it. */
#define EXPECT_TAPE(symbol, ...) expect_tape(symbol, "" __VA_ARGS__, __FILE__, __LINE__)

/* ---- one connection ---- */

static void tape_begins_with_its_first_event(void **state)
{
        (void)state;
        struct sim_symbol *btc = subscribed_tape();
        sim_at(&sim, 55);
        sim_event(btc, 100, 100, "");
        sim_event(btc, 101, 103, "");
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[  40] binance:BTCUSDT  subscribed\n"
            "[  55] binance:BTCUSDT  event 100..100 -> begin (no record yet), apply (begins)\n"
            "[  55] binance:BTCUSDT  event 101..103 -> apply (follows)\n");
        EXPECT_TAPE(btc, "begin 100 103");
}

static void quiet_tape_is_live_and_never_asks_for_anything(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_add(&sim, "BTCUSDT");
        session_init(&btc->session, SYNC_TAPE, SIM_PERIOD_NS, 1, sim_mono(&sim));
        assert_int_equal(btc->session.state, SESSION_CONNECTING);
        sim_connection(btc, INPUT_OPENED, 1);
        assert_int_equal(btc->session.state, SESSION_SUBSCRIBING);
        sim_connection(btc, INPUT_SUBSCRIBED, 1);
        assert_int_equal(btc->session.state, SESSION_LIVE);
        sim_at(&sim, 7200000);
        sim_event(btc, 100, 100, "");
        sim_at(&sim, 14400000);
        assert_int_equal(btc->session.state, SESSION_LIVE);
        SIM_EXPECT(&sim,
            "[   0] binance:BTCUSDT  opened\n"
            "[   0] binance:BTCUSDT  subscribed\n"
            "[7200000] binance:BTCUSDT  event 100..100 -> begin (no record yet), apply (begins)\n");
        assert_int_equal(btc->fetches + btc->resubscribes, 0);
}

static void repeated_trade_is_dropped(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_tape();
        sim_event(btc, 100, 100, "");
        sim_event(btc, 101, 101, "");
        sim_event(btc, 99, 99, "");
        SIM_EXPECT(&sim,
            "[  40] binance:BTCUSDT  event 100..100 -> drop (known)\n"
            "[  40] binance:BTCUSDT  event 101..101 -> apply (follows)\n"
            "[  40] binance:BTCUSDT  event 99..99 -> drop (known)\n");
        EXPECT_TAPE(btc, "begin 100 101");
}

static void missing_trades_are_a_gap_and_the_tape_goes_on(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_tape();
        sim_event(btc, 103, 103, "");
        sim_event(btc, 104, 104, "");
        SIM_EXPECT(&sim,
            "[  40] binance:BTCUSDT  event 103..103 -> gap sequence, expected 101, begin (behind "
            "the gap), apply (begins)\n"
            "[  40] binance:BTCUSDT  event 104..104 -> apply (follows)\n");
        EXPECT_TAPE(btc,
            "begin 100 gap sequence\n"
            "begin 103 104");
}

static void what_an_earlier_record_has_is_known(void **state)
{
        (void)state;
        struct sim_symbol *btc = subscribed_tape();
        session_set_id(&btc->session, 99);
        buffer_clear(&sim.trace);
        sim_event(btc, 99, 99, "");
        sim_event(btc, 100, 100, "");
        SIM_EXPECT(&sim,
            "[  40] binance:BTCUSDT  event 99..99 -> drop (known)\n"
            "[  40] binance:BTCUSDT  event 100..100 -> begin (no record yet), apply (begins)\n");
}

static void impossible_ids_are_dropped(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_tape();
        sim_event(btc, 102, 101, "");
        sim_event(btc, -5, 101, "");
        sim_event(btc, 101, INT64_MAX, "");
        sim_event(btc, 101, 101, "");
        SIM_EXPECT(&sim,
            "[  40] binance:BTCUSDT  event 102..101 -> drop (ids go back)\n"
            "[  40] binance:BTCUSDT  event -5..101 -> drop (impossible ids)\n"
            "[  40] binance:BTCUSDT  event 101..9223372036854775807 -> drop (impossible ids)\n"
            "[  40] binance:BTCUSDT  event 101..101 -> apply (follows)\n");
}

/* Nothing that is meant for books reaches a tape. */
static void inputs_of_books_mean_nothing(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_tape();
        sim_connection(btc, INPUT_LOST, 1);
        sim_connection(btc, INPUT_SNAPSHOT, 1);
        sim_connection(btc, INPUT_CROSSED, 1);
        sim_connection(btc, INPUT_NOT_CARRIED, 1);
        sim_fetch_failed(btc, 0, 0);
        sim_event(btc, 101, 101, "");
        SIM_EXPECT(&sim,
            "[  40] binance:BTCUSDT  lost\n"
            "[  40] binance:BTCUSDT  snapshot -> drop (not asked for)\n"
            "[  40] binance:BTCUSDT  crossed by 0..0\n"
            "[  40] binance:BTCUSDT  not carried\n"
            "[  40] binance:BTCUSDT  fetch failed\n"
            "[  40] binance:BTCUSDT  event 101..101 -> apply (follows)\n");
        EXPECT_TAPE(btc, "begin 100 101");
}

static void refused_tape_ends_with_a_gap(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_tape();
        sim_connection(btc, INPUT_REFUSED, 0);
        sim_event(btc, 101, 101, "");
        SIM_EXPECT(&sim,
            "[  40] binance:BTCUSDT  refused -> gap silent, expected 101\n"
            "[  40] binance:BTCUSDT  event 101..101\n");
        assert_int_equal(btc->session.state, SESSION_REFUSED);
}

/* ---- lost connections ---- */

static void reconnect_that_continues_the_tape_is_no_gap(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_tape();
        sim_connection(btc, INPUT_CLOSED, 1);
        assert_true(btc->session.unconfirmed);
        sim_at(&sim, 2000);
        sim_connection(btc, INPUT_OPENED, 2);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        sim_event_on(btc, 2, 100, 100, ""); /* the last trade, repeated */
        sim_event_on(btc, 2, 101, 101, "");
        assert_false(btc->session.unconfirmed);
        SIM_EXPECT(&sim,
            "[  40] binance:BTCUSDT  closed\n"
            "[2000] binance:BTCUSDT  opened on 2\n"
            "[2000] binance:BTCUSDT  subscribed on 2\n"
            "[2000] binance:BTCUSDT  event 100..100 on 2 -> drop (known)\n"
            "[2000] binance:BTCUSDT  event 101..101 on 2 -> apply (follows)\n");
        EXPECT_TAPE(btc, "begin 100 101");
}

static void reconnect_that_misses_trades_is_a_gap_by_disconnect(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_tape();
        sim_connection(btc, INPUT_CLOSED, 1);
        sim_at(&sim, 2000);
        sim_connection(btc, INPUT_OPENED, 2);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        sim_event_on(btc, 2, 105, 105, "");
        sim_event_on(btc, 2, 107, 107, "");
        SIM_EXPECT(&sim,
            "[  40] binance:BTCUSDT  closed\n"
            "[2000] binance:BTCUSDT  opened on 2\n"
            "[2000] binance:BTCUSDT  subscribed on 2\n"
            "[2000] binance:BTCUSDT  event 105..105 on 2 -> gap disconnect, expected 101, begin "
            "(behind the gap), apply (begins)\n"
            "[2000] binance:BTCUSDT  event 107..107 on 2 -> gap sequence, expected 106, begin "
            "(behind the gap), apply (begins)\n");
        EXPECT_TAPE(btc,
            "begin 100 gap disconnect\n"
            "begin 105 gap sequence\n"
            "begin 107");
}

/* ---- proofs ---- */

static void heartbeat_with_our_own_id_confirms_a_reconnected_tape(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_tape();
        sim_connection(btc, INPUT_CLOSED, 1);
        sim_connection(btc, INPUT_OPENED, 2);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        sim_proof(btc, 2, 99);
        assert_true(btc->session.unconfirmed);
        sim_proof(btc, 2, 100);
        assert_false(btc->session.unconfirmed);
        sim_at(&sim, 20000);
        SIM_EXPECT(&sim,
            "[  40] binance:BTCUSDT  closed\n"
            "[  40] binance:BTCUSDT  opened on 2\n"
            "[  40] binance:BTCUSDT  subscribed on 2\n"
            "[  40] binance:BTCUSDT  proof 99 on 2\n"
            "[  40] binance:BTCUSDT  proof 100 on 2\n");
        EXPECT_TAPE(btc, "begin 100");
}

static void heartbeat_that_is_reached_in_time_is_no_gap(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_tape();
        sim_proof(btc, 1, 102);
        sim_at(&sim, 4000);
        trades(btc, 101, 102);
        sim_at(&sim, 20000);
        SIM_EXPECT(&sim,
            "[  40] binance:BTCUSDT  proof 102\n"
            "[4000] binance:BTCUSDT  event 101..101 -> apply (follows)\n"
            "[4000] binance:BTCUSDT  event 102..102 -> apply (follows)\n");
        EXPECT_TAPE(btc, "begin 100 101 102");
}

/* The grace counts from the first heartbeat that is ahead, however many follow. */
static void heartbeat_that_is_not_reached_shows_a_dead_subscription(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_tape();
        sim_at(&sim, 1000);
        sim_proof(btc, 1, 102);
        sim_at(&sim, 5000);
        sim_proof(btc, 1, 104);
        sim_event(btc, 101, 101, "");
        sim_at(&sim, 7000);
        sim_connection(btc, INPUT_SUBSCRIBED, 1);
        sim_proof(btc, 1, 104);
        sim_event(btc, 101, 101, ""); /* the last trade that it sent, repeated */
        sim_event(btc, 105, 105, "");
        sim_at(&sim, 100000);
        SIM_EXPECT(&sim,
            "[1000] binance:BTCUSDT  proof 102\n"
            "[5000] binance:BTCUSDT  proof 104\n"
            "[5000] binance:BTCUSDT  event 101..101 -> apply (follows)\n"
            "[6000] binance:BTCUSDT  tick -> gap silent, expected 102, resubscribe (dead "
            "subscription)\n"
            "[7000] binance:BTCUSDT  subscribed\n"
            "[7000] binance:BTCUSDT  proof 104\n"
            "[7000] binance:BTCUSDT  event 101..101 -> drop (known)\n"
            "[7000] binance:BTCUSDT  event 105..105 -> begin (no record yet), apply (begins)\n");
        EXPECT_TAPE(btc,
            "begin 100 101 gap silent\n"
            "begin 105");
}

static void heartbeat_ahead_after_a_reconnect_is_a_gap_by_disconnect(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_tape();
        sim_connection(btc, INPUT_CLOSED, 1);
        sim_connection(btc, INPUT_OPENED, 2);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        sim_at(&sim, 1000);
        sim_proof(btc, 2, 104);
        sim_at(&sim, 6000);
        SIM_EXPECT(&sim,
            "[  40] binance:BTCUSDT  closed\n"
            "[  40] binance:BTCUSDT  opened on 2\n"
            "[  40] binance:BTCUSDT  subscribed on 2\n"
            "[1000] binance:BTCUSDT  proof 104 on 2\n"
            "[6000] binance:BTCUSDT  tick -> gap disconnect, expected 101, resubscribe (dead "
            "subscription)\n");
}

/* Asked again as long as the exchange moves on, with growing patience. */
static void dead_tape_is_subscribed_anew_until_something_comes(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_tape();
        sim.muted = true;
        for (int64_t second = 1; second <= 120; second++) {
                sim_at(&sim, 1000 * second);
                sim.muted = true;
                sim_proof(btc, 1, 100 + second);
                sim.muted = false;
        }
        SIM_EXPECT(&sim,
            "[6000] binance:BTCUSDT  tick -> gap silent, expected 101, resubscribe (dead "
            "subscription)\n"
            "[67000] binance:BTCUSDT  tick -> resubscribe (still silent)\n");
        sim_event(btc, 221, 221, "");
        sim_proof(btc, 1, 221);
        sim_at(&sim, 1000000);
        SIM_EXPECT(&sim,
            "[120000] binance:BTCUSDT  event 221..221 -> begin (no record yet), apply (begins)\n"
            "[120000] binance:BTCUSDT  proof 221\n");
}

/* The subscription may be shared with a book, which pays for each new one. */
static void dead_tape_that_has_become_quiet_is_left_alone(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_tape();
        sim_proof(btc, 1, 104);
        sim_at(&sim, 6000);
        buffer_clear(&sim.trace);
        sim.muted = true;
        for (int64_t second = 7; second <= 1200; second++) {
                sim_at(&sim, 1000 * second);
                sim_proof(btc, 1, 104);
        }
        assert_int_equal(btc->resubscribes, 1);
}

static void tape_that_is_dead_from_its_beginning_is_found_out(void **state)
{
        (void)state;
        struct sim_symbol *btc = subscribed_tape();
        buffer_clear(&sim.trace);
        sim_at(&sim, 1000);
        sim_proof(btc, 1, 100);
        sim_at(&sim, 2000);
        sim_proof(btc, 1, 101);
        sim_at(&sim, 40000);
        sim_event(btc, 103, 103, "");
        sim_at(&sim, 100000);
        SIM_EXPECT(&sim,
            "[1000] binance:BTCUSDT  proof 100\n"
            "[2000] binance:BTCUSDT  proof 101\n"
            "[32000] binance:BTCUSDT  tick -> resubscribe (still silent)\n"
            "[40000] binance:BTCUSDT  event 103..103 -> begin (no record yet), apply (begins)\n");
}

static void heartbeat_of_another_connection_proves_nothing(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_tape();
        two_tape_connections(btc);
        sim_proof(btc, 2, 200);
        sim_proof(btc, 3, 200);
        sim_at(&sim, 20000);
        SIM_EXPECT(&sim,
            "[  40] binance:BTCUSDT  proof 200 on 2\n"
            "[  40] binance:BTCUSDT  proof 200 on 3\n");
}

/* ---- two connections ---- */

static void successor_that_is_behind_takes_over_at_once(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_tape();
        two_tape_connections(btc);
        sim_event_on(btc, 2, 100, 100, "");
        sim_event(btc, 101, 101, "");
        sim_event_on(btc, 2, 101, 101, "");
        sim_connection(btc, INPUT_CLOSED, 1);
        SIM_EXPECT(&sim,
            "[  40] binance:BTCUSDT  event 100..100 on 2 -> drop (known)\n"
            "[  40] binance:BTCUSDT  event 101..101 -> apply (follows)\n"
            "[  40] binance:BTCUSDT  event 101..101 on 2 -> drop (known)\n"
            "[  40] binance:BTCUSDT  closed\n");
        EXPECT_TAPE(btc, "begin 100 101");
}

static void successor_that_is_ahead_is_held_until_it_bridges(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_tape();
        two_tape_connections(btc);
        sim_event_on(btc, 2, 102, 102, "");
        sim_event_on(btc, 2, 103, 103, "");
        sim_event(btc, 101, 101, "");
        sim_event_on(btc, 2, 104, 104, "");
        SIM_EXPECT(&sim,
            "[  40] binance:BTCUSDT  event 102..102 on 2 -> hold (ahead)\n"
            "[  40] binance:BTCUSDT  event 103..103 on 2 -> hold (ahead)\n"
            "[  40] binance:BTCUSDT  event 101..101 -> apply (follows), replay held (bridged)\n"
            "[  40] binance:BTCUSDT  event 102..102 on 2 -> apply (follows)\n"
            "[  40] binance:BTCUSDT  event 103..103 on 2 -> apply (follows)\n"
            "[  40] binance:BTCUSDT  event 104..104 on 2 -> apply (follows)\n");
        EXPECT_TAPE(btc, "begin 100 101 102 103 104");
}

static void old_connection_that_ends_too_early_is_a_gap_by_disconnect(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_tape();
        two_tape_connections(btc);
        sim_event_on(btc, 2, 103, 103, "");
        sim_connection(btc, INPUT_CLOSED, 1);
        SIM_EXPECT(&sim,
            "[  40] binance:BTCUSDT  event 103..103 on 2 -> hold (ahead)\n"
            "[  40] binance:BTCUSDT  closed -> replay held (the other is gone)\n"
            "[  40] binance:BTCUSDT  event 103..103 on 2 -> gap disconnect, expected 101, begin "
            "(behind the gap), apply (begins)\n");
        assert_int_equal(btc->session.state, SESSION_LIVE);
        EXPECT_TAPE(btc,
            "begin 100 gap disconnect\n"
            "begin 103");
}

static void quiet_tape_changes_its_connection_without_a_word(void **state)
{
        (void)state;
        struct sim_symbol *btc = subscribed_tape();
        two_tape_connections(btc);
        sim_connection(btc, INPUT_CLOSED, 1);
        assert_int_equal(btc->session.state, SESSION_LIVE);
        sim_event_on(btc, 2, 101, 101, "");
        SIM_EXPECT(&sim,
            "[  40] binance:BTCUSDT  closed\n"
            "[  40] binance:BTCUSDT  event 101..101 on 2 -> begin (no record yet), apply "
            "(begins)\n");
}

static void tape_is_live_by_its_successor_alone(void **state)
{
        (void)state;
        struct sim_symbol *btc = sim_add(&sim, "BTCUSDT");
        session_init(&btc->session, SYNC_TAPE, SIM_PERIOD_NS, 1, sim_mono(&sim));
        sim_connection(btc, INPUT_OPENED, 1);
        sim_connection(btc, INPUT_OPENED, 2);
        sim_connection(btc, INPUT_SUBSCRIBED, 2);
        assert_int_equal(btc->session.state, SESSION_SUBSCRIBING);
        sim_connection(btc, INPUT_CLOSED, 1);
        assert_int_equal(btc->session.state, SESSION_LIVE);
}

static void old_connection_goes_on_where_its_successor_ends_first(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_tape();
        two_tape_connections(btc);
        sim_event_on(btc, 2, 101, 101, "");
        sim_event(btc, 101, 101, "");
        sim_connection(btc, INPUT_CLOSED, 2);
        sim_event(btc, 102, 102, "");
        sim_connection(btc, INPUT_CLOSED, 1);
        assert_int_equal(btc->session.primary, 0);
        SIM_EXPECT(&sim,
            "[  40] binance:BTCUSDT  event 101..101 on 2 -> apply (follows)\n"
            "[  40] binance:BTCUSDT  event 101..101 -> drop (known)\n"
            "[  40] binance:BTCUSDT  closed on 2\n"
            "[  40] binance:BTCUSDT  event 102..102 -> apply (follows)\n"
            "[  40] binance:BTCUSDT  closed\n");
        EXPECT_TAPE(btc, "begin 100 101 102");
}

/* ---- ids that went back ---- */

/* At 5,000,000, no trace of it. */
static struct sim_symbol *far_tape(void)
{
        struct sim_symbol *btc = subscribed_tape();
        sim_event(btc, 5000000, 5000000, "");
        buffer_clear(&sim.trace);
        return btc;
}

static void exchange_that_counts_anew_is_found_out(void **state)
{
        (void)state;
        struct sim_symbol *btc = far_tape();
        sim.muted = true;
        for (int64_t id = 1; id <= 15; id++) {
                sim_at(&sim, 100 * id);
                sim_event(btc, id, id, "");
        }
        sim.muted = false;
        EXPECT_TAPE(btc, "begin 5000000");
        sim_event(btc, 16, 16, "");
        sim_event(btc, 17, 17, "");
        SIM_EXPECT(&sim,
            "[1500] binance:BTCUSDT  event 16..16 -> gap sequence, expected 5000001, begin (ids "
            "went back), apply (begins)\n"
            "[1500] binance:BTCUSDT  event 17..17 -> apply (follows)\n");
        EXPECT_TAPE(btc,
            "begin 5000000 gap sequence\n"
            "begin 16 17");
}

/* A fall of less than a million ids is told by its half, one of less than a half by the million. */
static void both_ways_to_fall_back_far_are_found_out(void **state)
{
        (void)state;
        static const int64_t falls[2][2] = {{500000, 249000}, {5000000, 3999000}};
        for (int i = 0; i < 2; i++) {
                struct sim_symbol *btc = sim_add(&sim, i ? "ETHUSDT" : "BTCUSDT");
                int64_t since = sim.now_ms, again = falls[i][1];
                session_init(&btc->session, SYNC_TAPE, SIM_PERIOD_NS, 1, sim_mono(&sim));
                sim_connection(btc, INPUT_OPENED, 1);
                sim_connection(btc, INPUT_SUBSCRIBED, 1);
                sim_event(btc, falls[i][0], falls[i][0], "");
                sim.muted = true;
                for (int64_t id = again; id < again + 16; id++) {
                        sim_at(&sim, since += 100);
                        sim_event(btc, id, id, "");
                }
                assert_int_equal(btc->session.id, again + 15);
        }
}

static void fall_that_is_not_far_is_none(void **state)
{
        (void)state;
        struct sim_symbol *btc = far_tape();
        sim.muted = true;
        for (int64_t id = 4000000; id < 4000100; id++) {
                sim_at(&sim, sim.now_ms + 100);
                sim_event(btc, id, id, "");
        }
        EXPECT_TAPE(btc, "begin 5000000");
}

/* However fast it trades, a second must pass; however slow it trades, 16 must come. */
static void counting_anew_needs_a_second(void **state)
{
        (void)state;
        struct sim_symbol *btc = far_tape();
        sim_at(&sim, 1000);
        sim.muted = true;
        trades(btc, 1, 500);
        EXPECT_TAPE(btc, "begin 5000000");
        sim_at(&sim, 2000);
        trades(btc, 501, 502);
        EXPECT_TAPE(btc,
            "begin 5000000 gap sequence\n"
            "begin 501 502");
}

static void tail_of_the_tape_that_is_repeated_is_no_counting_anew(void **state)
{
        (void)state;
        struct sim_symbol *btc = far_tape();
        sim.muted = true;
        for (int64_t id = 4999000; id <= 5000000; id++) {
                sim_at(&sim, sim.now_ms + 10);
                sim_event(btc, id, id, "");
        }
        sim.muted = false;
        sim_event(btc, 5000001, 5000001, "");
        SIM_EXPECT(&sim, "[10050] binance:BTCUSDT  event 5000001..5000001 -> apply (follows)\n");
        EXPECT_TAPE(btc, "begin 5000000 5000001");
}

/* A young market's whole tape in one message is behind half of its ids, but comes at once. */
static void whole_tape_that_is_repeated_at_once_is_no_counting_anew(void **state)
{
        (void)state;
        struct sim_symbol *btc = live_tape();
        sim.muted = true;
        trades(btc, 1, 101);
        EXPECT_TAPE(btc, "begin 100 101");
}

static void single_old_trades_are_no_counting_anew(void **state)
{
        (void)state;
        struct sim_symbol *btc = far_tape();
        sim.muted = true;
        for (int64_t i = 1; i <= 60; i++) {
                sim_at(&sim, 200 * i);
                sim_event(btc, 10 + i % 15, 10 + i % 15, ""); /* 15 in a row, again and again */
        }
        EXPECT_TAPE(btc, "begin 5000000");
}

static void event_that_follows_ends_the_suspicion(void **state)
{
        (void)state;
        struct sim_symbol *btc = far_tape();
        sim.muted = true;
        for (int64_t id = 1; id <= 30; id++) {
                sim_at(&sim, 200 * id);
                sim_event(btc, id, id, "");
                if (id % 15 == 0)
                        sim_event(btc, btc->session.id + 1, btc->session.id + 1, "");
        }
        EXPECT_TAPE(btc, "begin 5000000 5000001 5000002");
}

static void counting_anew_within_a_gap_opens_no_second_one(void **state)
{
        (void)state;
        struct sim_symbol *btc = far_tape();
        sim_proof(btc, 1, 5000004);
        sim_at(&sim, 6000);
        sim.muted = true;
        for (int64_t id = 1; id <= 16; id++) {
                sim_at(&sim, 6000 + 100 * id);
                sim_event(btc, id, id, "");
        }
        EXPECT_TAPE(btc,
            "begin 5000000 gap silent\n"
            "begin 16");
}

#define SIM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
            SIM_TEST(tape_begins_with_its_first_event),
            SIM_TEST(quiet_tape_is_live_and_never_asks_for_anything),
            SIM_TEST(repeated_trade_is_dropped),
            SIM_TEST(missing_trades_are_a_gap_and_the_tape_goes_on),
            SIM_TEST(what_an_earlier_record_has_is_known),
            SIM_TEST(impossible_ids_are_dropped),
            SIM_TEST(inputs_of_books_mean_nothing),
            SIM_TEST(refused_tape_ends_with_a_gap),
            SIM_TEST(reconnect_that_continues_the_tape_is_no_gap),
            SIM_TEST(reconnect_that_misses_trades_is_a_gap_by_disconnect),
            SIM_TEST(heartbeat_with_our_own_id_confirms_a_reconnected_tape),
            SIM_TEST(heartbeat_that_is_reached_in_time_is_no_gap),
            SIM_TEST(heartbeat_that_is_not_reached_shows_a_dead_subscription),
            SIM_TEST(heartbeat_ahead_after_a_reconnect_is_a_gap_by_disconnect),
            SIM_TEST(dead_tape_is_subscribed_anew_until_something_comes),
            SIM_TEST(dead_tape_that_has_become_quiet_is_left_alone),
            SIM_TEST(tape_that_is_dead_from_its_beginning_is_found_out),
            SIM_TEST(heartbeat_of_another_connection_proves_nothing),
            SIM_TEST(successor_that_is_behind_takes_over_at_once),
            SIM_TEST(successor_that_is_ahead_is_held_until_it_bridges),
            SIM_TEST(old_connection_that_ends_too_early_is_a_gap_by_disconnect),
            SIM_TEST(quiet_tape_changes_its_connection_without_a_word),
            SIM_TEST(tape_is_live_by_its_successor_alone),
            SIM_TEST(old_connection_goes_on_where_its_successor_ends_first),
            SIM_TEST(exchange_that_counts_anew_is_found_out),
            SIM_TEST(both_ways_to_fall_back_far_are_found_out),
            SIM_TEST(fall_that_is_not_far_is_none),
            SIM_TEST(counting_anew_needs_a_second),
            SIM_TEST(tail_of_the_tape_that_is_repeated_is_no_counting_anew),
            SIM_TEST(whole_tape_that_is_repeated_at_once_is_no_counting_anew),
            SIM_TEST(single_old_trades_are_no_counting_anew),
            SIM_TEST(event_that_follows_ends_the_suspicion),
            SIM_TEST(counting_anew_within_a_gap_opens_no_second_one),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
