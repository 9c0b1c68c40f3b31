/* Ten minutes of faults by chance: what the record says without a gap is the exchange's own book,
 * and what was lost lies in a gap that is recorded. */
#include "sim_world.h"

#define SEEDS 200
#define SEEDS_OF_TWO_LINES 100
#define SEEDS_OF_CUTS 60
#define CUTTING_MS 300000
#define FAULTY_MS 480000
#define END_MS 600000
#define SAMPLES 300

/* What all seeds together came to: nothing is proved about what never happened. */
static struct {
        unsigned gaps[GAP_CAUSES], statuses[4], corrections, resubscribes, connections;
} totals, of_one_line;

/* The true book, walked along the market's events. */
struct walk {
        struct market *market;
        struct book book;
        size_t next; /* deal */
        bool seen[WORLD_DEALS_MAX];
        size_t seen_count;
};

static void walk_to(struct walk *walk, size_t next)
{
        for (; walk->next < next; walk->next++) {
                struct event event = deal_event(&walk->market->deals[walk->next], 0);
                book_apply(&walk->book, &event);
        }
}

static void expect_equal(const struct walk *walk, const struct book *book, const char *where)
{
        for (enum side s = 0; s < SIDES; s++) {
                struct book_cursor cursor = {0}, other = {0};
                struct level level, is;
                if (book_count(book, s) != book_count(&walk->book, s))
                        fail_msg("%s: %zu levels instead of %zu", where, book_count(book, s),
                            book_count(&walk->book, s));
                while (book_next(&walk->book, s, &cursor, &level)) {
                        assert_true(book_next(book, s, &other, &is));
                        if (is.price != level.price || is.quantity != level.quantity)
                                fail_msg("%s: %lld=%lld instead of %lld=%lld", where,
                                    (long long)is.price, (long long)is.quantity,
                                    (long long)level.price, (long long)level.quantity);
                }
        }
}

static int replay_cb(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        (void)befores;
        (void)scale, (void)epoch;
        struct walk *walk = user;
        size_t index = walk->next;
        while (
            index < walk->market->deal_count && walk->market->deals[index].last_id < event->last_id)
                index++;
        assert_true(index < walk->market->deal_count);
        assert_int_equal(walk->market->deals[index].first_id, event->first_id);
        assert_int_equal(walk->market->deals[index].last_id, event->last_id);
        assert_int_equal(walk->market->deals[index].time_ns, event->event_time_ns);
        walk_to(walk, index + 1);
        walk->seen[index] = true;
        walk->seen_count++;
        expect_equal(walk, book, "replay");
        return 0;
}

static bool gap_holds(const struct gap_list *gaps, const struct deal *deal)
{
        for (size_t i = 0; i < gaps->count; i++) {
                const struct gap_record *gap = &gaps->gaps[i];
                if (deal->last_id > gap->from_id && (gap->open || deal->last_id < gap->to_id))
                        return true;
        }
        return false;
}

/* Every event of the record is true, and every event that it lacks lies in a gap. */
static void check_events(
    struct reader *reader, const struct recon_stream *stream, struct market *market)
{
        struct walk *walk = memory_new(sizeof(*walk));
        struct replay_options options = {.from_ns = INT64_MIN, .to_ns = INT64_MAX};
        struct replay_callbacks callbacks = {.event_cb = replay_cb, .user = walk};
        struct gap_list gaps;
        struct error error = {0};
        size_t first = 0;
        walk->market = market;
        book_init(&walk->book);
        if (recon_replay(reader, stream, &options, &callbacks, &error))
                fail_msg("%s", error.text);
        assert_int_equal(recon_gaps(reader, stream, &gaps), 0);
        while (first < market->deal_count && !walk->seen[first])
                first++;
        for (size_t i = first; i < market->deal_count; i++) {
                if (!walk->seen[i] && !gap_holds(&gaps, &market->deals[i]))
                        fail_msg("%s: event %lld is lost without a gap", market->name,
                            (long long)market->deals[i].last_id);
        }
        for (size_t i = 0; i < gaps.count; i++)
                totals.gaps[gaps.gaps[i].cause]++;
        assert_in_range(walk->seen_count, market->deal_count / 10, market->deal_count);
        gap_list_deinit(&gaps);
        book_deinit(&walk->book);
        free(walk);
}

/* At times by chance: where the record says ok, the book is the true one. */
static void check_times(
    struct reader *reader, const struct recon_stream *stream, struct market *market)
{
        struct walk *walk = memory_new(sizeof(*walk));
        struct recon_book book;
        struct error error = {0};
        int64_t end = recon_end(stream, CLOCK_EXCHANGE);
        size_t next = 0;
        walk->market = market;
        book_init(&walk->book);
        recon_book_init(&book);
        for (unsigned i = 0; i < SAMPLES; i++) {
                int64_t at = SIM_WALL_NS + (end - SIM_WALL_NS) / SAMPLES * i;
                size_t near = next + 1 < market->deal_count ? next + 1 : next;
                if (i % 2 && market->deals[near].time_ns < at + (end - SIM_WALL_NS) / SAMPLES)
                        at = market->deals[near].time_ns - i / 2 % 2; /* at an event, just before */
                while (next < market->deal_count && market->deals[next].time_ns <= at)
                        next++;
                if (recon_book_at(reader, stream, at, CLOCK_EXCHANGE, &book, &error))
                        fail_msg("%s", error.text);
                walk_to(walk, next);
                totals.statuses[book.status]++;
                char where[64];
                snprintf(where, sizeof(where), "%s at %lld ms", market->name,
                    (long long)(at - SIM_WALL_NS) / NS_PER_MS);
                if (book.status == STATUS_OK)
                        expect_equal(walk, &book.book, where);
        }
        recon_book_deinit(&book);
        book_deinit(&walk->book);
        free(walk);
}

static void check_market(struct market *market)
{
        struct reader reader;
        const struct recon_stream *stream = sim_read(market->symbol, &reader);
        struct walk *walk = memory_new(sizeof(*walk));
        assert_int_equal(market->symbol->session.state, SESSION_LIVE);
        walk->market = market;
        book_init(&walk->book);
        walk_to(walk, market->deal_count);
        expect_equal(walk, record_book(market->symbol->stream), "the live book");
        book_deinit(&walk->book);
        free(walk);
        sim_verify(&reader, stream);
        check_events(&reader, stream, market);
        check_times(&reader, stream, market);
        reader_close(&reader);
        totals.corrections += market->symbol->corrections;
        totals.resubscribes += market->symbol->resubscribes;
}

/* Two thirds of the seeds have only some kinds of faults, so that rare ways are walked. */
static struct faults faults_by_chance(struct sim *sim)
{
        struct faults all = {.lost = 300,
            .doubled = 60,
            .swapped = 300,
            .dead_stream = 1500,
            .crossing = 300,
            .closed = 60,
            .stalled = 400,
            .shutdown = 80,
            .refused = 4,
            .unanswered = 20,
            .failed = 8,
            .stale = 8,
            .crossed_image = 20,
            .blocked = 4};
        unsigned *each = (unsigned *)&all;
        if (sim_chance(sim, 3))
                return all;
        for (size_t i = 0; i < sizeof(all) / sizeof(*each); i++) {
                if (sim_chance(sim, 2))
                        each[i] = 0;
        }
        return all;
}

static void finish(struct world *world, int64_t end_ms)
{
        world->faults = (struct faults){0};
        world_until(world, end_ms - 5000);
        world->still = true;
        world_until(world, end_ms);
        if (!world->sim.muted)
                fwrite(world->sim.trace.data, 1, world->sim.trace.size, stderr);
        for (size_t m = 0; m < WORLD_MARKETS; m++)
                check_market(&world->markets[m]);
        totals.connections += world->connection_count;
        world_free(world);
}

static void run_seed(uint64_t seed, unsigned lines, bool loud)
{
        char name[32];
        snprintf(name, sizeof(name), "faults-%u-%llu", lines, (unsigned long long)seed);
        struct world *world = world_open(name, seed);
        link_set_lines(&world->link, lines);
        world->sim.muted = !loud;
        world->faults = faults_by_chance(&world->sim);
        world->heartbeats = seed % 2;
        world_until(world, FAULTY_MS);
        finish(world, END_MS);
}

static uint64_t last_seed;

static int say_seed(void **state)
{
        (void)state;
        print_message("last seed: %llu (SIM_SEED=n runs one, with its trace)\n",
            (unsigned long long)last_seed);
        return 0;
}

static void run_seeds(uint64_t seeds, unsigned lines)
{
        const char *only = getenv("SIM_SEED"); /* one seed alone, with its trace */
        memset(&totals, 0, sizeof(totals));
        if (only)
                run_seed(strtoull(only, NULL, 10), lines, true);
        for (uint64_t seed = 1; seed <= seeds && !only; seed++) {
                last_seed = seed;
                run_seed(seed, lines, false);
        }
}

static void record_is_true_whatever_happens(void **state)
{
        (void)state;
        run_seeds(SEEDS, 1);
        if (getenv("SIM_SEED"))
                return;
        assert_in_range(totals.gaps[GAP_SEQUENCE], SEEDS, UINT32_MAX);
        assert_in_range(totals.gaps[GAP_DISCONNECT], SEEDS, UINT32_MAX);
        assert_in_range(totals.gaps[GAP_CROSSED], SEEDS / 4, UINT32_MAX);
        assert_in_range(totals.gaps[GAP_SILENT], SEEDS / 10, UINT32_MAX);
        assert_in_range(totals.statuses[STATUS_OK], SEEDS * SAMPLES, UINT32_MAX);
        assert_in_range(totals.statuses[STATUS_GAP], SEEDS * SAMPLES / 100, UINT32_MAX);
        assert_in_range(totals.corrections, SEEDS, UINT32_MAX);
        assert_in_range(totals.resubscribes, SEEDS / 10, UINT32_MAX);
        assert_in_range(totals.connections, 2 * SEEDS, UINT32_MAX);
        of_one_line = totals;
}

/* The faults are the same, on either line; fewer of them are gaps. */
static void record_is_true_with_two_lines(void **state)
{
        (void)state;
        run_seeds(SEEDS_OF_TWO_LINES, 2);
        if (getenv("SIM_SEED"))
                return;
        for (int cause = GAP_SEQUENCE; cause <= GAP_DISCONNECT; cause++)
                assert_in_range(totals.gaps[cause] * SEEDS / SEEDS_OF_TWO_LINES, 1,
                    of_one_line.gaps[cause] / 2);
        assert_in_range(totals.gaps[GAP_CROSSED], SEEDS_OF_TWO_LINES / 4, UINT32_MAX);
        assert_in_range(totals.resubscribes, SEEDS_OF_TWO_LINES / 10, UINT32_MAX);
        assert_in_range(totals.connections, 4 * SEEDS_OF_TWO_LINES, UINT32_MAX);
}

/* ---- one fault at a time ---- */

static unsigned all_gaps(void)
{
        unsigned count = 0;
        for (size_t i = 0; i < GAP_CAUSES; i++)
                count += totals.gaps[i];
        return count;
}

/* How many of its lines have carried everything long enough? */
static unsigned ripe_lines(const struct world *world)
{
        unsigned count = 0;
        for (int i = 0; i < 2; i++) {
                const struct connection *connection =
                    &world->connections[link_open_number(&world->link, i)];
                count += connection->open && connection->subscribed[WORLD_MARKETS - 1] &&
                    world->sim.now_ms - connection->subscribed_ms > 2000;
        }
        return count;
}

/* Either line is cut at any moment, as long as the other one stands; each lags as it likes. */
static unsigned run_cuts(uint64_t seed, unsigned lines)
{
        char name[32];
        unsigned cuts = 0;
        snprintf(name, sizeof(name), "cuts-%u-%llu", lines, (unsigned long long)seed);
        struct world *world = world_open(name, seed);
        struct sim *sim = &world->sim;
        link_set_lines(&world->link, lines);
        sim->muted = true;
        world->heartbeats = seed % 2;
        world_until(world, 5000);
        while (sim->now_ms < CUTTING_MS) {
                world_until(world, sim->now_ms + sim_between(sim, 1, 100) * WORLD_STEP_MS);
                uint32_t number =
                    link_open_number(&world->link, (int)sim_between(sim, 0, lines - 1));
                if (ripe_lines(world) < lines)
                        continue;
                if (sim_chance(sim, 3)) {
                        world_close(world, number);
                        cuts++;
                } else {
                        world->connections[number].lag_ms = sim_between(sim, 0, 900);
                }
        }
        finish(world, CUTTING_MS + 60000);
        return cuts;
}

static void cut_of_either_of_two_lines_is_no_gap(void **state)
{
        (void)state;
        unsigned cuts = 0;
        memset(&totals, 0, sizeof(totals));
        for (last_seed = 1; last_seed <= SEEDS_OF_CUTS; last_seed++) {
                cuts += run_cuts(last_seed, 2);
                assert_int_equal(all_gaps(), 0);
        }
        assert_int_equal(totals.statuses[STATUS_GAP], 0);
        assert_in_range(cuts, 5 * SEEDS_OF_CUTS, UINT32_MAX);
        run_cuts(1, 1);
        assert_in_range(all_gaps(), 1, UINT32_MAX); /* one line has them */
}

/* What one line loses the other brings. */
static void run_losses(uint64_t seed, unsigned lines)
{
        char name[32];
        snprintf(name, sizeof(name), "losses-%u-%llu", lines, (unsigned long long)seed);
        struct world *world = world_open(name, seed);
        struct sim *sim = &world->sim;
        link_set_lines(&world->link, lines);
        sim->muted = true;
        world_until(world, 10000);
        world->faults.lost_once = 20;
        world->faults.doubled = 50;
        while (sim->now_ms < CUTTING_MS) {
                world_until(world, sim->now_ms + 2000);
                uint32_t number = link_open_number(&world->link, (int)sim_between(sim, 0, 1));
                world->connections[number].lag_ms = sim_between(sim, 0, 900);
        }
        finish(world, CUTTING_MS + 60000);
}

static void event_that_one_of_two_lines_loses_is_no_gap(void **state)
{
        (void)state;
        memset(&totals, 0, sizeof(totals));
        for (last_seed = 1; last_seed <= SEEDS_OF_CUTS; last_seed++) {
                run_losses(last_seed, 2);
                assert_int_equal(all_gaps(), 0);
        }
        run_losses(1, 1);
        assert_in_range(all_gaps(), 1, UINT32_MAX);
}

/* The same seed gives the same minutes. */
static void same_seed_gives_the_same_trace(void **state)
{
        (void)state;
        struct buffer first = {0};
        for (int i = 0; i < 2; i++) {
                struct world *world = world_open(i ? "same-b" : "same-a", 7);
                world->faults = faults_by_chance(&world->sim);
                world_until(world, 60000);
                assert_true(world->sim.trace.size > 1000);
                if (i) {
                        assert_int_equal(first.size, world->sim.trace.size);
                        assert_memory_equal(first.data, world->sim.trace.data, first.size);
                } else {
                        buffer_init(&first, 1u << 24);
                        buffer_append(&first, world->sim.trace.data, world->sim.trace.size);
                }
                world_free(world);
        }
        buffer_deinit(&first);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(same_seed_gives_the_same_trace),
            cmocka_unit_test_setup_teardown(record_is_true_whatever_happens, NULL, say_seed),
            cmocka_unit_test_setup_teardown(record_is_true_with_two_lines, NULL, say_seed),
            cmocka_unit_test_setup_teardown(cut_of_either_of_two_lines_is_no_gap, NULL, say_seed),
            cmocka_unit_test_setup_teardown(
                event_that_one_of_two_lines_loses_is_no_gap, NULL, say_seed),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
