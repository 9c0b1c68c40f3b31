/* The thread that ships: a target that is gone for a while, or for good, and what is kept of it. */
#include <stdatomic.h>
#include <time.h>

#include "recon/prune.h"
#include "ship/ship.h"
#include "tests/unit/follow_help.h"
#include "tests/unit/store_help.h"

#define TEST(body) cmocka_unit_test_setup_teardown(body, setup, teardown)

/* ---- a target of the name "test": a store in memory, where it answers ---- */

static atomic_bool down, commits_are_refused, hangs;
static atomic_uint opened, commits;

struct peer {
        struct store store;
        struct store *inner;
};

static struct store_ops peer_ops;

static struct store *peer_inner(struct store *store)
{
        return ((struct peer *)store)->inner;
}

static int peer_open(
    struct store **ret_store, const struct store_options *options, struct error *error)
{
        struct store *inner;
        if (down)
                return error_set(error, ERR_IO, "test: no answer");
        int code = store_memory.open(&inner, options, error);
        if (code)
                return code;
        assert_non_null(options->describe_cb);
        assert_non_null(options->identity);
        struct peer *peer = memory_new(sizeof(*peer));
        *peer = (struct peer){{&peer_ops}, inner};
        *ret_store = &peer->store;
        opened++;
        return 0;
}

static void peer_close(struct store *store)
{
        store_memory.close(peer_inner(store));
        free(store);
}

static int peer_begin(
    struct store *store, uint32_t place, bool write, struct store_txn *txn, struct error *error)
{
        return store_memory.begin(peer_inner(store), place, write, txn, error);
}

static int peer_commit(struct store_txn *txn, struct error *error)
{
        while (hangs)
                nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
        commits++;
        if (!commits_are_refused)
                return store_memory.commit(txn, error);
        store_memory.abort(txn);
        return error_set(error, ERR_IO, "test: refused");
}

static struct shipper *shipper_must(const char *target, bool is_down)
{
        struct shipper_options options = {
            .path = path, .ops = &peer_ops, .sink = {.path = target, .recorder = "main"}};
        struct shipper *shipper;
        struct error error = {0};
        peer_ops = store_memory;
        peer_ops.name = "test";
        peer_ops.atomic = false;
        peer_ops.open = peer_open;
        peer_ops.close = peer_close;
        peer_ops.begin = peer_begin;
        peer_ops.commit = peer_commit;
        down = is_down;
        commits_are_refused = hangs = false;
        if (shipper_open(&shipper, &options, &error))
                fail_msg("shipper: %s", error.text);
        return shipper;
}

/* ---- waiting for it, at most a while ---- */

static bool within(int64_t ns, bool (*is_so)(struct shipper *), struct shipper *shipper)
{
        int64_t end = clock_mono_ns() + ns;
        while (!is_so(shipper) && clock_mono_ns() < end)
                nanosleep(&(struct timespec){.tv_nsec = 5 * NS_PER_MS}, NULL);
        return is_so(shipper);
}

static bool is_waiting(struct shipper *shipper)
{
        struct shipper_stats stats = shipper_stats(shipper);
        return stats.state == SHIPPER_WAITING && stats.failures > 0;
}

static bool is_shipping(struct shipper *shipper)
{
        return shipper_stats(shipper).state == SHIPPER_SHIPPING;
}

static bool is_there(struct shipper *shipper)
{
        struct shipper_stats stats = shipper_stats(shipper);
        return stats.state == SHIPPER_SHIPPING && stats.frames > 0;
}

/* ---- positions in the local store ---- */

static bool get_sink(unsigned sink, uint32_t number, struct sink_record *ret_record)
{
        struct store *store = store_must(&store_lmdb, STORE_READ);
        struct store_txn meta = txn_must(store, STORE_META, false);
        struct bytes value;
        bool has = !store_lmdb.get(&meta, STORE_SINKS, key_sink(number, sink), &value);
        if (has)
                assert_int_equal(sink_read(value, ret_record), 0);
        store_lmdb.abort(&meta);
        store_lmdb.close(store);
        return has;
}

static void put_sink(unsigned sink, uint32_t number)
{
        struct store *store = store_must(&store_lmdb, STORE_MANAGE);
        struct store_txn meta = txn_must(store, STORE_META, true);
        struct buffer value;
        buffer_init(&value, 4096);
        sink_write(&value, &(struct sink_record){.day = 3, .position = 4});
        store_lmdb.put(&meta, STORE_SINKS, key_sink(number, sink), buffer_bytes(&value));
        commit_must(&meta);
        buffer_deinit(&value);
        store_lmdb.close(store);
}

static void assert_sinks_are_ends(struct store *source)
{
        struct reader reader = reader_must(source);
        for (unsigned i = 0; i < STREAMS; i++) {
                const struct recon_stream *stream = find_stream(&reader, i);
                struct sink_record sink;
                assert_true(get_sink(SINK_MONGODB, stream->number, &sink));
                assert_int_equal(sink.day, stream->days[stream->day_count - 1]);
                assert_int_equal(sink.position, stream->mark.next_position);
                assert_int_equal(sink.until_ns, stream->mark.recorded_until_receive_ns);
        }
        reader_close(&reader);
}

static void desk_on_disk(struct desk *desk, uint64_t seed)
{
        desk_begin(desk, seed, front_new(store_must(&store_lmdb, STORE_WRITE)));
        desk_open(desk);
        desk_steps(desk, 150);
}

static void nothing_is_lost_while_the_target_is_gone(void **state)
{
        (void)state;
        struct desk desk;
        struct sink_record sink;
        desk_on_disk(&desk, 1);
        struct shipper *shipper = shipper_must("shipped", false);
        assert_true(within(5 * NS_PER_S, is_there, shipper));
        uint64_t failures = shipper_stats(shipper).failures;
        assert_int_equal(failures, 0);
        commits_are_refused = true;
        assert_true(within(5 * NS_PER_S, is_waiting, shipper));
        desk_steps(&desk, 150);
        desk_restart(&desk, false);
        desk_steps(&desk, 150);
        commits_are_refused = false;
        assert_true(within(10 * NS_PER_S, is_shipping, shipper));
        assert_true(shipper_stats(shipper).failures > 0);
        desk_close(&desk);
        shipper_close(shipper, 10 * NS_PER_S);
        struct store *copy = feed_store(&store_memory, "shipped");
        assert_same_store(desk.store, copy);
        assert_string_equal(copy->ops->uuid(copy), desk.store->ops->uuid(desk.store));
        assert_sinks_are_ends(desk.store);
        assert_false(get_sink(SINK_LEGACY, 1, &sink));
        copy->ops->close(copy);
        desk_end(&desk);
}

/* It cannot even be opened: what it lacks is held back in the local store from the first moment. */
static void what_waits_is_claimed(void **state)
{
        (void)state;
        struct desk desk;
        struct sink_record sink;
        struct prune_result result;
        struct error error = {0};
        desk_on_disk(&desk, 2);
        desk_close(&desk);
        struct shipper *shipper = shipper_must("claimed", true);
        assert_true(within(5 * NS_PER_S, is_waiting, shipper));
        for (uint32_t number = 1; number <= STREAMS; number++) {
                assert_true(get_sink(SINK_MONGODB, number, &sink));
                assert_int_equal(sink.position, 0);
        }
        struct reader reader = reader_must(desk.store);
        uint32_t end = day_of_time(desk.now_ns) + 1;
        assert_int_equal(recon_prune(&reader, end, &result, &error), 0);
        assert_int_equal(result.dropped, 0);
        reader_close(&reader);
        down = false;
        assert_true(within(10 * NS_PER_S, is_there, shipper));
        shipper_close(shipper, 10 * NS_PER_S);
        assert_sinks_are_ends(desk.store);
        desk_end(&desk);
}

static void a_target_that_hangs_does_not_hold_up_the_end(void **state)
{
        (void)state;
        struct desk desk;
        desk_on_disk(&desk, 3);
        struct shipper *shipper = shipper_must("hung", false);
        assert_true(within(5 * NS_PER_S, is_there, shipper));
        hangs = true;
        desk_steps(&desk, 100);
        nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 500 * NS_PER_MS}, NULL);
        int64_t begin_ns = clock_mono_ns();
        shipper_close(shipper, 100 * NS_PER_MS);
        assert_in_range(clock_mono_ns() - begin_ns, 0, 3 * NS_PER_S);
        desk_close(&desk);
        desk_end(&desk);
}

static void a_sink_is_forgotten_alone(void **state)
{
        (void)state;
        struct desk desk;
        struct sink_record sink;
        struct error error = {0};
        desk_on_disk(&desk, 4);
        for (uint32_t number = 1; number <= STREAMS; number++) {
                put_sink(SINK_MONGODB, number);
                if (number % 2)
                        put_sink(SINK_LEGACY, number);
        }
        assert_int_equal(shipper_forget(path, SINK_MONGODB, &error), 0);
        for (uint32_t number = 1; number <= STREAMS; number++) {
                assert_false(get_sink(SINK_MONGODB, number, &sink));
                assert_int_equal(get_sink(SINK_LEGACY, number, &sink), number % 2);
        }
        desk_steps(&desk, 10); /* beside a recorder */
        desk_close(&desk);
        desk_end(&desk);
        path[strlen(path) - 1]++;
        assert_int_equal(shipper_forget(path, SINK_MONGODB, &error), ERR_NOT_FOUND);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            TEST(nothing_is_lost_while_the_target_is_gone), TEST(what_waits_is_claimed),
            TEST(a_sink_is_forgotten_alone),
            TEST(a_target_that_hangs_does_not_hold_up_the_end), /* last: its thread stays */
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
