/* Minutes of a book without ids on one connection or two, with faults by chance: whenever there is
 * a book, it is the exchange's own, as the connection in use has brought it. */
#include "sim.h"

#define SEEDS 30
#define END_MS 3600000
#define STEP_MS 250
#define LINES_MAX 1024
#define PRICES 20

/* One connection: it delivers the exchange's events in order, behind its newest snapshot. */
struct line {
        bool open, fed;
        int64_t ack_ms, snapshot_ms; /* due then; 0: no */
        int64_t at;                  /* the newest event that it has brought */
};

static struct sim sim;

static struct {
        struct sim_symbol *symbol;
        struct line lines[LINES_MAX]; /* the first one is none */
        uint32_t count;
        unsigned wanted;
        int64_t newest;
} net;

/* What all seeds together came to. */
static unsigned checks, gaps, swaps, cuts;

/* Event n sets one bid to n. */
static int64_t price_of(int64_t n)
{
        return 50 + n % PRICES;
}

static int64_t quantity_at(int64_t price, int64_t n)
{
        int64_t last = n - (n - (price - 50) + PRICES) % PRICES;
        return last > 0 ? last : 1;
}

static void bring_snapshot(uint32_t number)
{
        struct line *line = &net.lines[number];
        struct level bids[PRICES], ask = {101, 1};
        struct image image = {.id = net.symbol->session.id,
            .receive_time_ns = sim_wall(&sim),
            .count = {PRICES, 1},
            .levels = {bids, &ask}};
        struct sim_context context = {.symbol = net.symbol, .image = &image};
        line->snapshot_ms = 0;
        line->fed = true;
        line->at = net.newest;
        for (int64_t i = 0; i < PRICES; i++)
                bids[i] = (struct level){50 + i, quantity_at(50 + i, line->at)};
        sim_step(&context, &(struct session_input){.kind = INPUT_SNAPSHOT, .connection = number});
}

static void bring_event(uint32_t number)
{
        struct line *line = &net.lines[number];
        int64_t id = session_next_id(&net.symbol->session);
        char level[48];
        line->at++;
        snprintf(
            level, sizeof(level), "b%lld=%lld", (long long)price_of(line->at), (long long)line->at);
        sim_event_on(net.symbol, number, id, id, level);
}

static void lose_event(uint32_t number)
{
        net.lines[number].at++;
        sim_connection(net.symbol, INPUT_LOST, number);
}

static void ask(uint32_t number)
{
        net.lines[number].fed = false;
        net.lines[number].snapshot_ms =
            sim_chance(&sim, 10) ? 0 : sim.now_ms + sim_between(&sim, 50, 3000);
}

static void resubscribe_cb(struct sim_symbol *symbol, uint32_t connection)
{
        (void)symbol;
        assert_true(net.lines[connection].open);
        ask(connection);
}

static void open_line(void)
{
        assert_true(net.count + 1 < LINES_MAX);
        struct line *line = &net.lines[++net.count];
        *line = (struct line){.open = true, .ack_ms = sim.now_ms + sim_between(&sim, 50, 1000)};
        sim_connection(net.symbol, INPUT_OPENED, net.count);
        ask(net.count);
}

static void close_line(uint32_t number)
{
        cuts++;
        net.lines[number].open = false;
        sim_connection(net.symbol, INPUT_CLOSED, number);
}

static void check_book(void)
{
        const struct line *line = &net.lines[net.symbol->session.primary];
        const struct book *book = record_book(net.symbol->stream);
        struct book_cursor cursor = {0};
        struct level level;
        if (!record_has_book(net.symbol->stream))
                return;
        assert_true(line->open && line->fed);
        assert_int_equal(book_count(book, SIDE_BID), PRICES);
        while (book_next(book, SIDE_BID, &cursor, &level))
                assert_int_equal(level.quantity, quantity_at(level.price, line->at));
        checks++;
}

static void run_line(uint32_t number)
{
        struct line *line = &net.lines[number];
        if (line->ack_ms && sim.now_ms >= line->ack_ms) {
                line->ack_ms = 0;
                sim_connection(net.symbol, INPUT_SUBSCRIBED, number);
        }
        if (line->snapshot_ms && sim.now_ms >= line->snapshot_ms)
                bring_snapshot(number);
        for (int64_t n = sim_between(&sim, 0, 3); line->fed && line->at < net.newest && n > 0;
             n--) {
                if (sim_chance(&sim, 3000))
                        lose_event(number);
                else
                        bring_event(number);
                check_book();
        }
}

/* One that is replaced ends when its successor is in use. */
static void change_lines(void)
{
        unsigned open = 0;
        uint32_t oldest = 0;
        for (uint32_t i = net.count; i > 0; i--) {
                if (net.lines[i].open && sim_chance(&sim, 4000))
                        close_line(i);
                if (!net.lines[i].open)
                        continue;
                open++;
                oldest = i;
        }
        if (open == 2 && net.wanted == 1 && net.symbol->session.primary != oldest)
                close_line(oldest);
        else if (!open || (open < 2 && (net.wanted == 2 || sim_chance(&sim, 2000))))
                open_line();
}

static void run_seed(uint64_t seed, unsigned wanted)
{
        char name[40];
        snprintf(name, sizeof(name), "snapshot-faults-%u-%llu", wanted, (unsigned long long)seed);
        memset(&net, 0, sizeof(net));
        sim_open(&sim, &store_memory, name, seed);
        sim.muted = true;
        sim.resubscribe_cb = resubscribe_cb;
        net.symbol = sim_add(&sim, "BTCUSDT");
        net.wanted = wanted;
        session_init(&net.symbol->session, SYNC_SNAPSHOT, SIM_PERIOD_NS, seed, sim_mono(&sim));
        if (wanted == 2)
                session_keep_two(&net.symbol->session);
        while (sim.now_ms < END_MS) {
                sim_at(&sim, sim.now_ms + STEP_MS);
                net.newest += sim_between(&sim, 0, 2);
                change_lines();
                for (uint32_t i = 1; i <= net.count; i++) {
                        if (net.lines[i].open)
                                run_line(i);
                }
                check_book();
        }
        swaps += net.symbol->corrections;
        gaps += (unsigned)record_gap_count(net.symbol->stream);
        sim_close(&sim);
}

static void run_seeds(unsigned wanted)
{
        checks = gaps = swaps = cuts = 0;
        for (uint64_t seed = 1; seed <= SEEDS; seed++)
                run_seed(seed, wanted);
        assert_in_range(checks, SEEDS * 10000, UINT32_MAX);
        assert_in_range(cuts, SEEDS, UINT32_MAX);
        assert_in_range(swaps, SEEDS / 2, UINT32_MAX);
        assert_in_range(gaps, SEEDS / 2, UINT32_MAX);
}

static void book_is_that_of_the_connection_in_use(void **state)
{
        (void)state;
        run_seeds(1);
}

static void book_is_that_of_one_of_two_lines(void **state)
{
        (void)state;
        run_seeds(2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(book_is_that_of_the_connection_in_use),
            cmocka_unit_test(book_is_that_of_one_of_two_lines),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
