/* The record's laws: what was fed comes back, exactly, at every moment; what was not kept is said.
 */
#include "tests/unit/record_help.h"

#define STEPS 900

/* ---- the law ---- */

static void assert_list_counts(const struct feed *feed, const struct recon_stream *stream)
{
        assert_int_equal(stream->mark.events, feed->events);
        assert_int_equal(stream->mark.level_updates, feed->level_updates);
        assert_int_equal(stream->mark.gaps, feed->gaps);
        assert_true(stream->mark.image_bytes > 0 && stream->mark.change_bytes > 0);
}

static void feed_law(struct feed *feed, uint64_t seed, unsigned steps)
{
        for (unsigned i = 0; i < steps; i++)
                feed_step(feed);
        recorder_tick(feed->recorder, feed->now_ns);
        struct reader reader = reader_must(feed->store);
        assert_all_moments(feed, &reader);
        assert_list_counts(feed, stream_must(&reader));
        reader_close(&reader);
        assert_sound(feed, seed);
}

static void the_rebuilt_book_is_the_live_book_at_every_moment(void **state)
{
        (void)state;
        for (uint64_t seed = 1; seed <= 6; seed++) {
                struct feed feed;
                char path[32];
                snprintf(path, sizeof(path), "law-%u", (unsigned)seed);
                feed_begin(&feed, seed, feed_store(&store_memory, path));
                feed_open(&feed);
                feed_law(&feed, seed, STEPS);
                feed_close(&feed);
                struct reader reader = reader_must(feed.store);
                assert_all_moments(&feed, &reader);
                reader_close(&reader);
                assert_sound(&feed, seed);
                feed_end(&feed);
        }
}

static void days_are_crossed_without_a_seam(void **state)
{
        (void)state;
        struct feed feed;
        feed_begin(&feed, 77, feed_store(&store_memory, "days"));
        feed.now_ns = T0 + NS_PER_DAY - 40 * NS_PER_S;
        feed_open(&feed);
        feed_law(&feed, 77, 400);
        feed.now_ns = T0 + 2 * NS_PER_DAY - 20 * NS_PER_S;
        feed_law(&feed, 77, 300);
        feed_close(&feed);
        struct reader reader = reader_must(feed.store);
        assert_int_equal(stream_must(&reader)->day_count, 3);
        reader_close(&reader);
        assert_sound(&feed, 77);
        feed_end(&feed);
}

static void a_quiet_book_opens_the_new_day_by_itself(void **state)
{
        (void)state;
        struct feed feed;
        struct recon_book book;
        feed_begin(&feed, 5, feed_store(&store_memory, "quiet"));
        feed_open(&feed);
        feed_bridge(&feed, 1, 2);
        feed.now_ns = T0 + NS_PER_DAY + 600 * NS_PER_S;
        recorder_tick(feed.recorder, feed.now_ns);
        recon_book_init(&book);
        struct reader reader = reader_must(feed.store);
        assert_int_equal(stream_must(&reader)->day_count, 2);
        assert_book_at(&feed, &reader, feed.now_ns, CLOCK_EXCHANGE, &book);
        reader_close(&reader);
        recon_book_deinit(&book);
        feed_event(&feed);
        feed_close(&feed);
        assert_sound(&feed, 5);
        feed_end(&feed);
}

/* ---- replay ---- */

struct replayed {
        const struct feed *feed;
        size_t index;
};

static int check_replayed(const struct event *event, const int64_t *befores,
    const struct scale *scale, const struct book *book, uint32_t epoch, void *user)
{
        (void)befores;
        struct replayed *replayed = user;
        (void)epoch;
        assert_true(replayed->index < replayed->feed->count);
        const struct moment *moment = &replayed->feed->moments[replayed->index++];
        assert_int_equal(event->event_time_ns, moment->event_time_ns);
        assert_int_equal(event->receive_time_ns, moment->receive_time_ns);
        assert_int_equal(event->first_id, moment->first_id);
        assert_int_equal(event->last_id, moment->last_id);
        assert_true(scale_equal(scale, &moment->scale));
        const struct level *expected = moment->event_levels;
        for (enum side s = 0; s < SIDES; s++) {
                assert_int_equal(event->count[s], moment->event_count[s]);
                assert_int_equal(book_count(book, s), moment->count[s]);
                for (uint32_t i = 0; i < event->count[s]; i++, expected++) {
                        assert_int_equal(event->levels[s][i].price, expected->price);
                        assert_int_equal(event->levels[s][i].quantity, expected->quantity);
                }
        }
        return 0;
}

static void a_replay_gives_the_events_as_sent(void **state)
{
        (void)state;
        struct feed feed;
        struct error error = {0};
        feed_begin(&feed, 11, feed_store(&store_memory, "replay"));
        feed_open(&feed);
        for (unsigned i = 0; i < STEPS; i++)
                feed_step(&feed);
        recorder_tick(feed.recorder, feed.now_ns);
        struct reader reader = reader_must(feed.store);
        struct replayed replayed = {&feed, 0};
        struct replay_options options = {INT64_MIN, INT64_MAX, CLOCK_EXCHANGE};
        struct replay_callbacks callbacks = {.event_cb = check_replayed, .user = &replayed};
        if (recon_replay(&reader, stream_must(&reader), &options, &callbacks, &error))
                fail_msg("replay: %s", error.text);
        assert_int_equal(replayed.index, feed.count);
        reader_close(&reader);
        feed_close(&feed);
        feed_end(&feed);
}

struct counted {
        int64_t from_ns, to_ns;
        size_t count;
};

static int count_replayed(const struct event *event, const int64_t *befores,
    const struct scale *scale, const struct book *book, uint32_t epoch, void *user)
{
        (void)befores;
        struct counted *counted = user;
        (void)scale, (void)book, (void)epoch;
        assert_in_range(event->event_time_ns, counted->from_ns, counted->to_ns - 1);
        counted->count++;
        return 0;
}

static void a_replay_of_a_range_holds_all_of_it_and_nothing_else(void **state)
{
        (void)state;
        struct feed feed;
        feed_begin(&feed, 12, feed_store(&store_memory, "range"));
        feed_open(&feed);
        for (unsigned i = 0; i < STEPS; i++)
                feed_step(&feed);
        recorder_tick(feed.recorder, feed.now_ns);
        struct reader reader = reader_must(feed.store);
        for (unsigned round = 0; round < 60; round++) {
                size_t a = chance_below(&feed.chance, feed.count);
                int64_t from = feed.moments[a].event_time_ns;
                int64_t to = from + (int64_t)chance_below(&feed.chance, 20000) * NS_PER_MS;
                struct counted counted = {from, to, 0};
                struct replay_options options = {from, to, CLOCK_EXCHANGE};
                struct replay_callbacks callbacks = {.event_cb = count_replayed, .user = &counted};
                size_t expected = 0;
                for (size_t i = 0; i < feed.count; i++)
                        expected += feed.moments[i].event_time_ns >= from &&
                            feed.moments[i].event_time_ns < to;
                assert_int_equal(
                    recon_replay(&reader, stream_must(&reader), &options, &callbacks, NULL), 0);
                assert_int_equal(counted.count, expected);
        }
        reader_close(&reader);
        feed_close(&feed);
        feed_end(&feed);
}

/* ---- gaps and ends ---- */

static enum book_status status_of(struct reader *reader, int64_t at_ns)
{
        struct recon_book book;
        recon_book_init(&book);
        assert_int_equal(
            recon_book_at(reader, stream_must(reader), at_ns, CLOCK_EXCHANGE, &book, NULL), 0);
        enum book_status status = book.status;
        recon_book_deinit(&book);
        return status;
}

static void a_time_inside_a_gap_says_so(void **state)
{
        (void)state;
        struct feed feed;
        feed_begin(&feed, 21, feed_store(&store_memory, "gap"));
        feed_open(&feed);
        feed_bridge(&feed, 2, 3);
        feed_event(&feed);
        int64_t last = feed.event.event_time_ns;
        feed_gap(&feed, GAP_SEQUENCE);
        feed.now_ns += 10 * NS_PER_S;
        feed_bridge(&feed, 0, 2);
        recorder_tick(feed.recorder, feed.now_ns);
        struct reader reader = reader_must(feed.store);
        int64_t first = feed.moments[feed.count - 2].event_time_ns;
        assert_int_equal(
            status_of(&reader, feed.moments[0].event_time_ns - NS_PER_DAY), STATUS_EMPTY);
        assert_int_equal(status_of(&reader, last), STATUS_OK);
        assert_int_equal(status_of(&reader, last + 1), STATUS_GAP);
        assert_int_equal(status_of(&reader, first - 1), STATUS_GAP);
        assert_int_equal(status_of(&reader, first), STATUS_OK);
        assert_int_equal(status_of(&reader, feed.now_ns + NS_PER_S), STATUS_ENDED);
        reader_close(&reader);
        struct coverage coverage = cover_store(feed.store);
        assert_int_equal(coverage.gaps.count, 1);
        const struct gap_record *gap = &coverage.gaps.gaps[0];
        assert_int_equal(gap->cause, GAP_SEQUENCE);
        assert_false(gap->open);
        assert_int_equal(gap->from_time_ns, last);
        assert_int_equal(gap->to_time_ns, first);
        int64_t lost = first - (last > coverage.from_ns ? last : coverage.from_ns);
        assert_int_equal(coverage.covered_ns, coverage.to_ns - coverage.from_ns - lost);
        gap_list_deinit(&coverage.gaps);
        feed_close(&feed);
        feed_end(&feed);
}

/* A store whose commits fail while the test says so. */
static bool commits_fail;
static struct store_ops failing_ops;

struct failing {
        struct store store;
        struct store *inner;
};

static struct store *inner_of(struct store *store)
{
        return ((struct failing *)store)->inner;
}

static int failing_begin(
    struct store *store, uint32_t place, bool write, struct store_txn *txn, struct error *error)
{
        struct store *inner = inner_of(store);
        return inner->ops->begin(inner, place, write, txn, error);
}

static int failing_commit(struct store_txn *txn, struct error *error)
{
        if (!commits_fail)
                return txn->store->ops->commit(txn, error);
        txn->store->ops->abort(txn);
        return error_set(error, ERR_FULL, "the disk is full");
}

static void failing_close(struct store *store)
{
        struct store *inner = inner_of(store);
        inner->ops->close(inner);
        free(store);
}

static int failing_days(struct store *store, uint32_t **ret_days, size_t *ret_count)
{
        struct store *inner = inner_of(store);
        return inner->ops->days(inner, ret_days, ret_count);
}

static struct store *failing_new(struct store *inner)
{
        struct failing *failing = memory_new(sizeof(*failing));
        failing_ops = *inner->ops;
        failing_ops.begin = failing_begin;
        failing_ops.commit = failing_commit;
        failing_ops.close = failing_close;
        failing_ops.days = failing_days;
        failing->store.ops = &failing_ops;
        failing->inner = inner;
        return &failing->store;
}

static void crash(struct feed *feed)
{
        struct error error;
        commits_fail = true;
        recorder_close(feed->recorder, feed->now_ns, 0, &error);
        commits_fail = false;
}

/* What was fed since the last tick is not in the store: forget it. */
static void feed_forget(struct feed *feed, size_t count, uint64_t events, uint64_t level_updates)
{
        while (feed->count > count) {
                free(feed->moments[--feed->count].levels);
                free(feed->moments[feed->count].event_levels);
        }
        feed->events = events;
        feed->level_updates = level_updates;
}

static void a_restart_leaves_a_gap_with_its_cause(void **state)
{
        (void)state;
        for (unsigned clean = 0; clean < 2; clean++) {
                struct feed feed;
                feed_begin(&feed, 31 + clean,
                    failing_new(feed_store(&store_memory, clean ? "stopped" : "crashed")));
                feed_open(&feed);
                feed_bridge(&feed, 3, 3);
                for (unsigned i = 0; i < 50; i++)
                        feed_event(&feed);
                recorder_tick(feed.recorder, feed.now_ns);
                size_t count = feed.count;
                uint64_t events = feed.events, level_updates = feed.level_updates;
                for (unsigned i = 0; i < 5; i++)
                        feed_event(&feed);
                if (clean) {
                        feed_close(&feed);
                } else {
                        crash(&feed);
                        feed_forget(&feed, count, events, level_updates);
                }
                feed.now_ns += 60 * NS_PER_S;
                feed.gaps++;
                feed_open(&feed);
                feed_law(&feed, 31 + clean, 200);
                feed_close(&feed);
                struct coverage coverage = cover_store(feed.store);
                assert_int_equal(coverage.gaps.gaps[0].cause, clean ? GAP_STOPPED : GAP_CRASHED);
                gap_list_deinit(&coverage.gaps);
                feed_end(&feed);
        }
}

static void a_removed_stream_says_so_when_it_comes_back(void **state)
{
        (void)state;
        struct feed feed;
        struct error error;
        feed_begin(&feed, 41, feed_store(&store_memory, "removed"));
        feed_open(&feed);
        feed_bridge(&feed, 0, 4);
        record_stream_close(feed.stream, feed.now_ns, true);
        recorder_tick(feed.recorder, feed.now_ns);
        assert_int_equal(record_stream_open(feed.recorder, &feed_name, &feed.scale,
                             feed.now_ns + NS_PER_S, &feed.stream, &error),
            0);
        assert_int_equal(record_stream_open(feed.recorder, &feed_name, &feed.scale, feed.now_ns,
                             &(struct record_stream *){0}, &error),
            ERR_BUSY);
        feed.gaps++;
        feed_law(&feed, 41, 100);
        feed_close(&feed);
        struct coverage coverage = cover_store(feed.store);
        assert_int_equal(coverage.gaps.gaps[0].cause, GAP_REMOVED);
        gap_list_deinit(&coverage.gaps);
        feed_end(&feed);
}

/* ---- the queue runs over ---- */

static void an_overflow_is_a_gap_and_all_else_is_exact(void **state)
{
        (void)state;
        struct feed feed;
        feed_begin(&feed, 51, failing_new(feed_store(&store_memory, "overflow")));
        feed.options.queue_size = 65536;
        feed_open(&feed);
        feed_bridge(&feed, 2, 2);
        for (unsigned i = 0; i < 60; i++)
                feed_event(&feed);
        recorder_tick(feed.recorder, feed.now_ns);
        commits_fail = true;
        while (!recorder_stats(feed.recorder).suspended) {
                feed_event(&feed);
                recorder_tick(feed.recorder, feed.now_ns);
                assert_true(feed.count < 5000);
        }
        assert_true(recorder_stats(feed.recorder).failed_commits > 0);
        size_t kept = feed.count;
        uint64_t events = feed.events, level_updates = feed.level_updates;
        for (unsigned i = 0; i < 100; i++)
                feed_event(&feed);
        feed_forget(&feed, kept, events, level_updates);
        commits_fail = false;
        recorder_tick(feed.recorder, feed.now_ns);
        assert_false(recorder_stats(feed.recorder).suspended);
        feed.gaps++;
        feed_law(&feed, 51, 200);
        feed_close(&feed);
        struct coverage coverage = cover_store(feed.store);
        assert_int_equal(coverage.gaps.gaps[0].cause, GAP_OVERFLOW);
        assert_int_equal(coverage.gaps.gaps[0].from_id, feed.moments[kept - 1].last_id);
        assert_int_equal(coverage.gaps.gaps[0].to_id, feed.moments[kept].last_id);
        gap_list_deinit(&coverage.gaps);
        feed_end(&feed);
}

static void a_short_outage_loses_nothing(void **state)
{
        (void)state;
        struct feed feed;
        feed_begin(&feed, 52, failing_new(feed_store(&store_memory, "outage")));
        feed_open(&feed);
        feed_bridge(&feed, 2, 2);
        for (unsigned i = 0; i < 300; i++) {
                commits_fail = i >= 50 && i < 250;
                feed_event(&feed);
                if (i % 3 == 0)
                        recorder_tick(feed.recorder, feed.now_ns);
        }
        feed_law(&feed, 52, 50);
        feed_close(&feed);
        feed_end(&feed);
}

static void the_writers_thread_keeps_the_same_law(void **state)
{
        (void)state;
        struct feed feed;
        feed_begin(&feed, 53, feed_store(&store_memory, "thread"));
        feed.options.without_thread = false;
        feed_open(&feed);
        for (unsigned i = 0; i < STEPS; i++)
                feed_step(&feed);
        feed_close(&feed);
        struct reader reader = reader_must(feed.store);
        assert_all_moments(&feed, &reader);
        reader_close(&reader);
        assert_sound(&feed, 53);
        feed_end(&feed);
}

/* ---- refusals ---- */

static void a_crossing_event_is_refused(void **state)
{
        (void)state;
        struct feed feed;
        struct level level = {2000, 5};
        feed_begin(&feed, 61, feed_store(&store_memory, "crossed"));
        feed_open(&feed);
        feed_bridge(&feed, 0, 3);
        struct event event = {.event_time_ns = feed.now_ns,
            .receive_time_ns = feed.now_ns,
            .first_id = feed.id + 1,
            .last_id = feed.id + 1,
            .count = {1, 0},
            .levels = {&level, NULL}};
        assert_int_equal(record_event(feed.stream, &event), ERR_GAP);
        feed_gap(&feed, GAP_CROSSED);
        assert_false(record_has_book(feed.stream));
        feed_law(&feed, 61, 100);
        feed_close(&feed);
        feed_end(&feed);
}

static void an_image_too_large_changes_nothing(void **state)
{
        (void)state;
        struct feed feed;
        feed_begin(&feed, 62, feed_store(&store_memory, "large"));
        feed_open(&feed);
        feed_bridge(&feed, 0, 3);
        size_t bids = book_count(record_book(feed.stream), SIDE_BID);
        struct level *levels = memory_new((LIMIT_BOOK_LEVELS + 1) * sizeof(*levels));
        struct image image = {
            .id = feed.id, .count = {0, LIMIT_BOOK_LEVELS + 1}, .levels = {levels, levels}};
        assert_int_equal(record_image(feed.stream, &image), ERR_FULL);
        assert_int_equal(book_count(record_book(feed.stream), SIDE_BID), bids);
        free(levels);
        feed_law(&feed, 62, 50);
        feed_close(&feed);
        feed_end(&feed);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(the_rebuilt_book_is_the_live_book_at_every_moment),
            cmocka_unit_test(days_are_crossed_without_a_seam),
            cmocka_unit_test(a_quiet_book_opens_the_new_day_by_itself),
            cmocka_unit_test(a_replay_gives_the_events_as_sent),
            cmocka_unit_test(a_replay_of_a_range_holds_all_of_it_and_nothing_else),
            cmocka_unit_test(a_time_inside_a_gap_says_so),
            cmocka_unit_test(a_restart_leaves_a_gap_with_its_cause),
            cmocka_unit_test(a_removed_stream_says_so_when_it_comes_back),
            cmocka_unit_test(an_overflow_is_a_gap_and_all_else_is_exact),
            cmocka_unit_test(a_short_outage_loses_nothing),
            cmocka_unit_test(the_writers_thread_keeps_the_same_law),
            cmocka_unit_test(a_crossing_event_is_refused),
            cmocka_unit_test(an_image_too_large_changes_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
