/* Dropping days beside a logger, and what a stream knows when it comes back. */

#include <stdlib.h>
#include <unistd.h>

#include "recon/prune.h"
#include "store/layout.h"
#include "tests/unit/record_help.h"

#define DAY_NS NS_PER_DAY

static const struct stream_name other_name = {"binance", "ETHUSDT", KIND_L2, true};
static char folder[] = "/tmp/oblogger-prune-XXXXXX";
static char path[96];

static int setup(void **state)
{
        (void)state;
        snprintf(folder, sizeof(folder), "/tmp/oblogger-prune-XXXXXX");
        if (!mkdtemp(folder))
                return -1;
        snprintf(path, sizeof(path), "%s/store", folder);
        return 0;
}

static struct store *open_disk(enum store_mode mode)
{
        struct store_options options = {.path = path, .mode = mode, .map_size = 64 << 20};
        struct error error = {0};
        struct store *store = NULL;
        if (store_lmdb.open(&store, &options, &error))
                fail_msg("%s", error.text);
        return store;
}

static int teardown(void **state)
{
        (void)state;
        struct error error;
        struct store *store = open_disk(STORE_WRITE);
        uint32_t *days;
        size_t count;
        assert_int_equal(store->ops->days(store, &days, &count), 0);
        for (size_t i = 0; i < count; i++)
                store->ops->drop(store, days[i], &error);
        free(days);
        store->ops->close(store);
        static const char *const left[] = {"meta/data.mdb", "meta/lock.mdb", "writer.lock"};
        for (size_t i = 0; i < 3; i++) {
                char name[160];
                snprintf(name, sizeof(name), "%s/%s", path, left[i]);
                unlink(name);
        }
        char meta[128];
        snprintf(meta, sizeof(meta), "%s/meta", path);
        rmdir(meta);
        rmdir(path);
        return rmdir(folder);
}

/* As obrebuild prune does it beside the logger. */
static size_t prune(uint32_t limit)
{
        struct store *store = open_disk(STORE_MANAGE);
        struct reader reader;
        struct error error = {0};
        struct prune_result result;
        if (reader_open(&reader, store, &error) || recon_prune(&reader, limit, &result, &error))
                fail_msg("%s", error.text);
        reader_close(&reader);
        store->ops->close(store);
        return result.dropped;
}

static struct record_stream *open_other(struct feed *feed, int64_t now_ns)
{
        struct record_stream *stream;
        struct error error = {0};
        if (record_stream_open(feed->recorder, &other_name, &feed->scale, now_ns, &stream, &error))
                fail_msg("%s", error.text);
        return stream;
}

static void other_image(struct record_stream *stream, int64_t now_ns, int64_t id)
{
        struct level levels[2] = {{900, 5}, {1100, 7}};
        struct image image = {
            .id = id, .receive_time_ns = now_ns, .count = {1, 1}, .levels = {levels, levels + 1}};
        assert_int_equal(record_image(stream, &image), 0);
}

static void other_event(struct record_stream *stream, int64_t now_ns, int64_t id)
{
        struct level levels[2] = {{900, 5}, {1100, 7}};
        struct event event = {.event_time_ns = now_ns - 20 * NS_PER_MS,
            .receive_time_ns = now_ns,
            .first_id = id,
            .last_id = id,
            .count = {1, 1},
            .levels = {levels, levels + 1}};
        assert_int_equal(record_event(stream, &event), 0);
}

static void expect_sound(struct store *store)
{
        struct problems problems;
        struct verify_result result = verify_store(store, &problems);
        assert_int_equal(result.problems, 0);
}

/* Half a second after midnight one stream is in the new day, the other not yet. */
static void begin_at_midnight(struct feed *feed, bool in_gap)
{
        feed_begin(feed, 7, open_disk(STORE_WRITE));
        feed->now_ns = T0 + DAY_NS - 40 * NS_PER_S;
        feed_open(feed);
        struct record_stream *other = open_other(feed, feed->now_ns);
        feed_bridge(feed, 2, 2);
        other_image(other, feed->now_ns, 10);
        for (int i = 0; i < 60; i++) {
                feed_event(feed);
                recorder_tick(feed->recorder, feed->now_ns);
        }
        assert_true(feed->now_ns < T0 + DAY_NS);
        if (in_gap) {
                feed_gap(feed, GAP_DISCONNECT);
                feed_make(feed);
                record_headless(feed->stream, &feed->event, true);
                recorder_tick(feed->recorder, feed->now_ns);
        }
        int64_t after_ns = T0 + DAY_NS + 500 * NS_PER_MS;
        other_event(other, after_ns, 11);
        recorder_tick(feed->recorder, after_ns);
        assert_int_equal(prune(day_of_time(after_ns)), 0);
        feed->now_ns = after_ns + 10 * NS_PER_S;
}

static void a_day_that_a_quiet_stream_is_still_in_stays(void **state)
{
        (void)state;
        struct feed feed;
        begin_at_midnight(&feed, false);
        for (int i = 0; i < 30; i++) {
                feed_event(&feed);
                recorder_tick(feed.recorder, feed.now_ns);
        }
        expect_sound(feed.store);
        feed_close(&feed);
        feed_end(&feed);
}

static void a_day_that_a_gap_began_in_stays_while_it_is_open(void **state)
{
        (void)state;
        struct feed feed;
        struct error error = {0};
        begin_at_midnight(&feed, true);
        feed_make(&feed);
        record_headless(feed.stream, &feed.event, false);
        recorder_tick(feed.recorder, feed.now_ns);
        feed_close(&feed);
        if (recorder_open(&feed.recorder, feed.store, &feed.options, &error))
                fail_msg("the next start is refused: %s", error.text);
        assert_int_equal(recorder_close(feed.recorder, feed.now_ns, 0, &error), 0);
        feed_end(&feed);
}

static void a_stream_whose_days_are_all_pruned_comes_back_behind_a_gap(void **state)
{
        (void)state;
        struct feed feed;
        struct error error = {0};
        feed_begin(&feed, 8, open_disk(STORE_WRITE));
        feed_open(&feed);
        feed_bridge(&feed, 2, 2);
        for (int i = 0; i < 50; i++)
                feed_event(&feed);
        int64_t ended_ns = feed.now_ns, now_ns = T0 + 3 * DAY_NS;
        feed_close(&feed);
        assert_int_equal(recorder_open(&feed.recorder, feed.store, &feed.options, &error), 0);
        struct record_stream *other = open_other(&feed, now_ns);
        other_image(other, now_ns, 10);
        other_event(other, now_ns, 11);
        assert_int_equal(recorder_close(feed.recorder, now_ns, 0, &error), 0);
        assert_int_equal(prune(day_of_time(T0 + 2 * DAY_NS)), 1);
        feed.now_ns = T0 + 5 * DAY_NS;
        feed_open(&feed);
        feed_bridge(&feed, 2, 2);
        for (int i = 0; i < 50; i++)
                feed_event(&feed);
        feed_close(&feed);
        struct coverage coverage = cover_store(feed.store);
        assert_true(coverage.covered_ns < 3600 * NS_PER_S);
        const struct gap_record *last = &coverage.gaps.gaps[coverage.gaps.count - 1];
        assert_int_equal(last->cause, GAP_STOPPED);
        assert_true(last->from_time_ns <= ended_ns + 10 * NS_PER_S);
        assert_true(last->to_time_ns >= T0 + 5 * DAY_NS - 10 * NS_PER_S);
        gap_list_deinit(&coverage.gaps);
        feed_end(&feed);
}

static void a_pruned_day_without_events_is_not_covered(void **state)
{
        (void)state;
        struct feed feed;
        feed_begin(&feed, 12, open_disk(STORE_WRITE));
        feed_open(&feed);
        feed_bridge(&feed, 2, 2);
        for (int i = 0; i < 50; i++)
                feed_event(&feed);
        for (int64_t now_ns = feed.now_ns; now_ns < T0 + 3 * DAY_NS; now_ns += 600 * NS_PER_S) {
                record_alive(feed.stream, now_ns);
                recorder_tick(feed.recorder, now_ns);
        }
        feed.now_ns = T0 + 3 * DAY_NS + NS_PER_S;
        for (int i = 0; i < 50; i++)
                feed_event(&feed);
        recorder_tick(feed.recorder, feed.now_ns);
        assert_int_equal(prune(day_of_time(T0 + 3 * DAY_NS)), 3);
        struct coverage coverage = cover_store(feed.store);
        assert_true(coverage.covered_ns < 3600 * NS_PER_S);
        gap_list_deinit(&coverage.gaps);
        feed_close(&feed);
        feed_end(&feed);
}

#define BOOKS 8
#define LEVELS 2500

/* Images of every book at midnight are more than the queue holds; the disk is fine. */
/* A start on the next day, before anything has come: its gap is there, a frame is not. */
static void a_day_without_frames_is_passed_over(void **state)
{
        (void)state;
        struct feed feed;
        struct reader reader;
        struct recon_book book;
        struct error error = {0};
        feed_begin(&feed, 8, open_disk(STORE_WRITE));
        feed_open(&feed);
        feed_bridge(&feed, 2, 2);
        for (int i = 0; i < 50; i++)
                feed_event(&feed);
        feed_close(&feed);
        feed.now_ns = T0 + DAY_NS;
        feed_open(&feed);
        recorder_tick(feed.recorder, feed.now_ns + NS_PER_S);
        feed_close(&feed);
        int64_t last_id = feed.event.last_id, at_ns = feed.now_ns + NS_PER_S;
        feed_end(&feed);
        struct store *store = open_disk(STORE_READ);
        assert_int_equal(reader_open(&reader, store, &error), 0);
        size_t days = reader.streams[0].day_count;
        recon_book_init(&book);
        int code = recon_book_at(&reader, &reader.streams[0], at_ns, CLOCK_EXCHANGE, &book, &error);
        recon_book_deinit(&book);
        reader_close(&reader);
        store->ops->close(store);
        assert_int_equal(days, 2);
        assert_int_equal(code, 0);
        assert_int_equal(book.status, STATUS_GAP);
        assert_int_equal(book.last_id, last_id);
}

/* What a sink has of the first stream. */
static void put_sink(struct store *store, uint64_t position)
{
        struct sink_record sink = {.day = day_of_time(T0), .position = position};
        struct buffer value;
        struct store_txn meta;
        struct error error = {0};
        buffer_init(&value, 4096);
        sink_write(&value, &sink);
        assert_int_equal(store->ops->begin(store, STORE_META, true, &meta, &error), 0);
        store->ops->put(&meta, STORE_SINKS, key_sink(1, SINK_MONGODB), buffer_bytes(&value));
        assert_int_equal(store->ops->commit(&meta, &error), 0);
        buffer_deinit(&value);
}

static void a_day_that_is_not_copied_yet_stays(void **state)
{
        (void)state;
        struct feed feed;
        struct error error = {0};
        feed_begin(&feed, 8, open_disk(STORE_WRITE));
        feed_open(&feed);
        feed_bridge(&feed, 2, 2);
        for (int i = 0; i < 50; i++)
                feed_event(&feed);
        feed_close(&feed);
        int64_t now_ns = T0 + 3 * DAY_NS;
        assert_int_equal(recorder_open(&feed.recorder, feed.store, &feed.options, &error), 0);
        struct record_stream *other = open_other(&feed, now_ns);
        other_image(other, now_ns, 10);
        other_event(other, now_ns, 11);
        assert_int_equal(recorder_close(feed.recorder, now_ns, 0, &error), 0);
        static const uint64_t waiting[] = {0, 1, 20};
        for (unsigned i = 0; i < sizeof(waiting) / sizeof(waiting[0]); i++) {
                put_sink(feed.store, waiting[i]);
                assert_int_equal(prune(day_of_time(T0 + 2 * DAY_NS)), 0);
        }
        put_sink(feed.store, 1000);
        assert_int_equal(prune(day_of_time(T0 + 2 * DAY_NS)), 1);
        feed_end(&feed);
}

static void images_alone_never_suspend(void **state)
{
        (void)state;
        struct feed feed;
        struct error error = {0};
        static struct level levels[2][LEVELS];
        struct record_stream *streams[BOOKS];
        feed_begin(&feed, 10, open_disk(STORE_WRITE));
        feed.options.queue_size = 65536;
        assert_int_equal(recorder_open(&feed.recorder, feed.store, &feed.options, &error), 0);
        for (int i = 0; i < LEVELS; i++) {
                levels[0][i] = (struct level){100000 - i * 3, 1000003 + i * 7919};
                levels[1][i] = (struct level){100010 + i * 3, 999983 + i * 104729};
        }
        for (int k = 0; k < BOOKS; k++) {
                struct stream_name name = {"binance", "", KIND_L2, true};
                snprintf(name.symbol, sizeof(name.symbol), "S%d", k);
                assert_int_equal(record_stream_open(feed.recorder, &name, &feed.scale, feed.now_ns,
                                     &streams[k], &error),
                    0);
                struct image image = {.id = 1,
                    .receive_time_ns = feed.now_ns,
                    .count = {LEVELS, LEVELS},
                    .levels = {levels[0], levels[1]}};
                assert_int_equal(record_image(streams[k], &image), 0);
        }
        for (int64_t id = 2; id < 202; id++) {
                if (id == 102)
                        feed.now_ns = T0 + DAY_NS;
                for (int k = 0; k < BOOKS; k++) {
                        struct event event = {.event_time_ns = feed.now_ns,
                            .receive_time_ns = feed.now_ns,
                            .first_id = id,
                            .last_id = id,
                            .count = {1, 0},
                            .levels = {levels[0], levels[1]}};
                        assert_int_equal(record_event(streams[k], &event), 0);
                }
                recorder_tick(feed.recorder, feed.now_ns);
                assert_false(recorder_stats(feed.recorder).suspended);
                feed.now_ns += NS_PER_S / 5;
        }
        assert_int_equal(recorder_close(feed.recorder, feed.now_ns, 0, &error), 0);
        struct reader reader = reader_must(feed.store);
        const struct recon_stream *stream = reader_find(&reader, "binance", "S0", KIND_L2);
        assert_int_equal(stream->mark.events, 200);
        reader_close(&reader);
        feed_end(&feed);
}

#define PRUNE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
            PRUNE_TEST(a_day_that_a_quiet_stream_is_still_in_stays),
            PRUNE_TEST(a_day_that_a_gap_began_in_stays_while_it_is_open),
            PRUNE_TEST(a_stream_whose_days_are_all_pruned_comes_back_behind_a_gap),
            PRUNE_TEST(a_pruned_day_without_events_is_not_covered),
            PRUNE_TEST(a_day_without_frames_is_passed_over),
            PRUNE_TEST(a_day_that_is_not_copied_yet_stays),
            PRUNE_TEST(images_alone_never_suspend),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
