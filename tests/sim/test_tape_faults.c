/* Minutes of trades with faults by chance: nothing is recorded twice or out of order, what is
 * missing lies in a gap, and nobody stays deaf. */
#include "sim.h"

#define SEEDS 300
#define FAULTY_MS 300000
#define END_MS 500000
#define STEP_MS 50
#define PIPES_MAX 256
#define PACKETS_MAX 256

struct packet {
        int64_t due_ms, id;
        bool heartbeat;
};

/* One connection: trades and heartbeats under way, in order. */
struct pipe {
        bool open, dead;
        struct packet packets[PACKETS_MAX];
        size_t first, next;
};

static struct sim sim;

static struct {
        struct sim_symbol *symbol;
        struct pipe pipes[PIPES_MAX]; /* connection 1 is the first */
        uint32_t count;
        int64_t id; /* of the exchange's newest trade */
        bool faulty;
        unsigned lines;
} net;

/* What all seeds together came to: nothing is proved about what never happened. */
static unsigned gaps, resubscribes, trades, gaps_of_one_line;

static bool strikes(unsigned one_in)
{
        return net.faulty && sim_chance(&sim, one_in);
}

static void send_on(struct pipe *pipe, bool heartbeat)
{
        int64_t due = sim.now_ms + sim_between(&sim, 5, 400);
        if (!pipe->open || (!heartbeat && (pipe->dead || strikes(300))))
                return;
        assert_true(pipe->next - pipe->first < PACKETS_MAX);
        if (pipe->first < pipe->next && due < pipe->packets[(pipe->next - 1) % PACKETS_MAX].due_ms)
                due = pipe->packets[(pipe->next - 1) % PACKETS_MAX].due_ms;
        pipe->packets[pipe->next++ % PACKETS_MAX] = (struct packet){due, net.id, heartbeat};
}

static void send_all(bool heartbeat)
{
        for (uint32_t i = 0; i < net.count; i++)
                send_on(&net.pipes[i], heartbeat);
}

static void receive(uint32_t number)
{
        struct pipe *pipe = &net.pipes[number - 1];
        while (pipe->open && pipe->first < pipe->next &&
            pipe->packets[pipe->first % PACKETS_MAX].due_ms <= sim.now_ms) {
                struct packet packet = pipe->packets[pipe->first++ % PACKETS_MAX];
                if (packet.heartbeat)
                        sim_proof(net.symbol, number, packet.id);
                else
                        sim_event_on(net.symbol, number, packet.id, packet.id, "");
        }
}

static void open_pipe(void)
{
        assert_true(net.count < PIPES_MAX);
        struct pipe *pipe = &net.pipes[net.count++];
        *pipe = (struct pipe){.open = true, .dead = strikes(10)};
        sim_connection(net.symbol, INPUT_OPENED, net.count);
        sim_connection(net.symbol, INPUT_SUBSCRIBED, net.count);
        if (sim_chance(&sim, 2))
                send_on(pipe, false); /* the last trade, repeated */
}

static void close_pipe(uint32_t number)
{
        net.pipes[number - 1].open = false;
        sim_connection(net.symbol, INPUT_CLOSED, number);
}

static void resubscribe_cb(struct sim_symbol *symbol, uint32_t connection)
{
        (void)symbol;
        for (uint32_t i = 0; i < net.count; i++)
                net.pipes[i].dead &= connection && connection != i + 1;
}

/* Once a second. Of one line: a successor lives beside the old one for a while, then the old one
 * ends. */
static void change_connections(void)
{
        uint32_t oldest = 0;
        unsigned open = 0;
        for (uint32_t i = net.count; i > 0; i--) {
                struct pipe *pipe = &net.pipes[i - 1];
                if (pipe->open && strikes(40))
                        close_pipe(i);
                if (!pipe->open)
                        continue;
                pipe->dead |= strikes(60);
                oldest = i;
                open++;
        }
        if (!open || (open == 1 && (net.lines == 2 || strikes(15))))
                open_pipe();
        else if (open == 2 && net.lines == 1 && sim_chance(&sim, 5))
                close_pipe(oldest);
}

static void run_until(int64_t ms)
{
        while (sim.now_ms < ms) {
                sim_at(&sim, sim.now_ms + STEP_MS);
                if (sim_chance(&sim, 8)) {
                        net.id++;
                        send_all(false);
                }
                if (sim.now_ms % 1000 == 0) {
                        send_all(true);
                        change_connections();
                }
                for (uint32_t i = 1; i <= net.count; i++)
                        receive(i);
        }
}

/* A line a run: "begin 5 6 7 gap silent". Ids go up by one in a run, and up from run to run; only
 * the last run has no gap behind it. */
static void check_tape(struct buffer *tape)
{
        int64_t last = 0;
        buffer_append_byte(tape, 0);
        for (char *rest = (char *)tape->data, *run; (run = strsep(&rest, "\n"));) {
                bool begins = true;
                char *word = strsep(&run, " ");
                assert_string_equal(word, "begin");
                while ((word = strsep(&run, " ")) && strcmp(word, "gap") != 0) {
                        int64_t id = strtoll(word, NULL, 10);
                        if (begins ? id <= last : id != last + 1)
                                fail_msg("%lld after %lld", (long long)id, (long long)last);
                        begins = false;
                        last = id;
                        trades++;
                }
                assert_int_equal(!word, !rest);
                gaps += word != NULL;
        }
        assert_int_equal(last, net.id);
}

static void run_seed(uint64_t seed, unsigned lines, bool loud)
{
        char name[32];
        snprintf(name, sizeof(name), "tape-faults-%u-%llu", lines, (unsigned long long)seed);
        memset(&net, 0, sizeof(net));
        net.lines = lines;
        sim_open(&sim, &store_memory, name, seed);
        sim.muted = !loud;
        sim.resubscribe_cb = resubscribe_cb;
        net.symbol = sim_add(&sim, "BTCUSDT");
        session_init(&net.symbol->session, SYNC_TAPE, SIM_PERIOD_NS, seed, sim_mono(&sim));
        net.faulty = true;
        net.id = sim_between(&sim, 1, 3000);
        run_until(FAULTY_MS);
        net.faulty = false;
        run_until(END_MS);
        net.id++;
        send_all(false);
        sim_at(&sim, END_MS + 500);
        for (uint32_t i = 1; i <= net.count; i++)
                receive(i);
        if (loud)
                fwrite(sim.trace.data, 1, sim.trace.size, stderr);
        assert_int_equal(net.symbol->fetches, 0);
        check_tape(&net.symbol->tape);
        resubscribes += net.symbol->resubscribes;
        sim_close(&sim);
}

static uint64_t last_seed;

static int say_seed(void **state)
{
        (void)state;
        print_message("last seed: %llu (SIM_SEED=n runs one, with its trace)\n",
            (unsigned long long)last_seed);
        return 0;
}

/* false: one seed was wanted alone, with its trace. */
static bool run_seeds(unsigned lines)
{
        const char *only = getenv("SIM_SEED");
        gaps = resubscribes = trades = 0;
        if (only) {
                run_seed(strtoull(only, NULL, 10), lines, true);
                return false;
        }
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
                last_seed = seed;
                run_seed(seed, lines, false);
        }
        assert_in_range(resubscribes, SEEDS, UINT32_MAX);
        assert_in_range(trades, 500 * SEEDS, UINT32_MAX);
        return true;
}

static void tape_is_true_whatever_happens(void **state)
{
        (void)state;
        if (run_seeds(1))
                assert_in_range(gaps, 5 * SEEDS, UINT32_MAX);
        gaps_of_one_line = gaps;
}

static void tape_is_true_with_two_lines(void **state)
{
        (void)state;
        if (run_seeds(2))
                assert_in_range(gaps, SEEDS / 2, gaps_of_one_line / 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(tape_is_true_whatever_happens, NULL, say_seed),
            cmocka_unit_test_setup_teardown(tape_is_true_with_two_lines, NULL, say_seed),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
