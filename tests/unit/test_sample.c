/* Samples on a grid: every point tells what the book at its time tells, whatever the stream did. */
#include "base/limits.h"
#include "recon/sample.h"
#include "tests/unit/record_help.h"

#define STEPS 700
#define LINE_SIZE 400

/* ---- a point and a book as lines ---- */

/* What a point has to say, told by the book at its time alone. */
static void line_of_book(const struct recon_book *book, size_t depth, char *ret_line)
{
        int size = snprintf(
            ret_line, LINE_SIZE, "%lld %s", (long long)book->at_ns, book_status_name(book->status));
        if (book->status != STATUS_EMPTY)
                size += snprintf(ret_line + size, LINE_SIZE - (size_t)size, " event %lld",
                    (long long)book->event_time_ns);
        for (enum side s = 0; s < SIDES && book->status == STATUS_OK; s++) {
                struct level levels[128] = {0};
                int64_t sum = 0;
                size_t count = book_count(&book->book, s);
                assert_true(count <= 128);
                book_levels(&book->book, s, levels);
                for (size_t i = 0; i < count && i < depth; i++)
                        sum += levels[i].quantity;
                size += snprintf(ret_line + size, LINE_SIZE - (size_t)size,
                    " %d: %lld x %lld, %lld digits %d", count != 0, (long long)levels[0].price,
                    (long long)levels[0].quantity, (long long)sum, book->scale.price_digits);
        }
}

static void line_of_point(const struct sample_point *point, char *ret_line)
{
        int size = snprintf(ret_line, LINE_SIZE, "%lld %s", (long long)point->at_ns,
            book_status_name(point->status));
        if (point->status != STATUS_EMPTY)
                size += snprintf(ret_line + size, LINE_SIZE - (size_t)size, " event %lld",
                    (long long)point->event_time_ns);
        for (enum side s = 0; s < SIDES; s++) {
                const struct sample_side *side = &point->sides[s];
                if (point->status == STATUS_OK)
                        size += snprintf(ret_line + size, LINE_SIZE - (size_t)size,
                            " %d: %lld x %lld, %lld digits %d", side->has_best,
                            (long long)side->best.price, (long long)side->best.quantity,
                            (long long)side->depth, point->scale.price_digits);
                else if (side->has_best || side->best.price || side->best.quantity || side->depth)
                        fail_msg("%s: a number beside it", ret_line);
        }
}

/* ---- the law ---- */

struct check {
        struct reader *reader; /* of its own: the other one is in use */
        const struct sample_options *options;
        struct recon_book book;
        int64_t next_ns;
        uint64_t points, of_status[4];
};

static int check_point(const struct sample_point *point, void *user)
{
        struct check *check = user;
        struct error error = {0};
        char line[LINE_SIZE], expected[LINE_SIZE];
        assert_int_equal(point->at_ns, check->next_ns);
        if (recon_book_at(check->reader, stream_must(check->reader), point->at_ns,
                check->options->clock, &check->book, &error))
                fail_msg("book at %lld: %s", (long long)point->at_ns, error.text);
        line_of_book(&check->book, check->options->depth, expected);
        line_of_point(point, line);
        assert_string_equal(line, expected);
        check->next_ns += check->options->every_ns;
        check->points++;
        check->of_status[point->status]++;
        return 0;
}

/* Each point of the grid is told, in order, and equals the book at its time. */
static struct check check_grid(struct reader *reader, const struct sample_options *options)
{
        struct reader second = reader_must(reader->store);
        struct check check = {.reader = &second, .options = options, .next_ns = options->from_ns};
        struct error error = {0};
        recon_book_init(&check.book);
        if (recon_sample(reader, stream_must(reader), options, check_point, &check, &error))
                fail_msg("sample: %s", error.text);
        assert_true(check.next_ns >= options->to_ns);
        assert_true(options->from_ns >= options->to_ns ||
            check.next_ns - options->every_ns < options->to_ns);
        recon_book_deinit(&check.book);
        reader_close(&second);
        return check;
}

/* Grids of chance over [begin, end), about @points each, by both clocks. */
static void check_grids(struct feed *feed, struct reader *reader, int64_t begin_ns, int64_t end_ns,
    unsigned rounds, uint64_t points)
{
        for (unsigned round = 0; round < rounds; round++) {
                int64_t length = end_ns - begin_ns;
                int64_t a = begin_ns + (int64_t)chance_below(&feed->chance, (uint64_t)length);
                int64_t b = begin_ns + (int64_t)chance_below(&feed->chance, (uint64_t)length);
                struct sample_options options = {.from_ns = round ? (a < b ? a : b) : begin_ns,
                    .to_ns = round ? (a < b ? b : a) : end_ns,
                    .depth = 1 + chance_below(&feed->chance, 45),
                    .clock = round % 3 == 1 ? CLOCK_RECEIVE : CLOCK_EXCHANGE};
                uint64_t step = (uint64_t)(options.to_ns - options.from_ns) / points;
                options.every_ns = 1 + (int64_t)(step / 2 + chance_below(&feed->chance, step + 1));
                check_grid(reader, &options);
        }
}

static int64_t feed_begins(const struct feed *feed)
{
        return feed->moments[0].event_time_ns - 10 * NS_PER_S;
}

static void each_point_is_the_book_at_its_time(void **state)
{
        (void)state;
        for (uint64_t seed = 1; seed <= 6; seed++) {
                struct feed feed;
                char path[32];
                snprintf(path, sizeof(path), "sample-%u", (unsigned)seed);
                feed_begin(&feed, seed, feed_store(&store_memory, path));
                feed_open(&feed);
                for (unsigned i = 0; i < STEPS; i++)
                        feed_step(&feed);
                recorder_tick(feed.recorder, feed.now_ns);
                struct reader reader = reader_must(feed.store);
                assert_true(stream_must(&reader)->mark.fall_back_ns > 3 * NS_PER_S);
                check_grids(
                    &feed, &reader, feed_begins(&feed), feed.now_ns + 10 * NS_PER_S, 9, 800);
                reader_close(&reader);
                feed_close(&feed);
                feed_end(&feed);
        }
}

/* A grid that has a point on each event's time, and on the nanosecond before. */
static void points_on_the_very_time_of_an_event_take_it(void **state)
{
        (void)state;
        struct feed feed;
        feed_begin(&feed, 9, feed_store(&store_memory, "exact"));
        feed_open(&feed);
        while (feed.count < 60)
                feed_step(&feed);
        recorder_tick(feed.recorder, feed.now_ns);
        struct reader reader = reader_must(feed.store);
        for (size_t i = 0; i < feed.count; i++) {
                for (int64_t shift = -1; shift <= 1; shift++) {
                        int64_t at = feed.moments[i].event_time_ns + shift;
                        struct sample_options options = {
                            at, at + 50 * NS_PER_MS, NS_PER_MS, 2, CLOCK_EXCHANGE};
                        assert_int_equal(check_grid(&reader, &options).points, 50);
                }
        }
        reader_close(&reader);
        feed_close(&feed);
        feed_end(&feed);
}

/* An event of the live book at a time of its own, with one bid. */
static void feed_bid(struct feed *feed, int64_t time_ns, struct level bid)
{
        struct event event = {.event_time_ns = time_ns,
            .receive_time_ns = feed->now_ns += NS_PER_MS,
            .first_id = feed->id + 1,
            .last_id = feed->id + 1,
            .count = {[SIDE_BID] = 1},
            .levels = {[SIDE_BID] = &bid}};
        feed->id++;
        assert_int_equal(record_event(feed->stream, &event), 0);
        feed_count(feed, &event);
        feed_keep(feed, &event, record_book(feed->stream));
}

/* The first point's event comes behind later ones, and one that is too early for all points. */
static void what_came_before_the_first_points_event_is_in_it(void **state)
{
        (void)state;
        struct feed feed;
        feed_begin(&feed, 14, feed_store(&store_memory, "first"));
        feed_open(&feed);
        feed_bridge(&feed, 1, 1);
        int64_t begin = feed.now_ns;
        feed_bid(&feed, begin + 12, (struct level){999, 111});
        feed_bid(&feed, begin + 8, (struct level){1000, 222});
        feed_bid(&feed, begin + 9, (struct level){950, 333});
        feed_bid(&feed, begin + 20, (struct level){951, 444});
        recorder_tick(feed.recorder, feed.now_ns);
        struct reader reader = reader_must(feed.store);
        for (int64_t from = 0; from < 25; from++) {
                struct sample_options options = {begin + from, begin + 25, 1, 2, CLOCK_EXCHANGE};
                check_grid(&reader, &options);
        }
        reader_close(&reader);
        feed_close(&feed);
        feed_end(&feed);
}

static void days_are_crossed_without_a_seam(void **state)
{
        (void)state;
        struct feed feed;
        feed_begin(&feed, 77, feed_store(&store_memory, "sample-days"));
        feed.now_ns = T0 + NS_PER_DAY - 40 * NS_PER_S;
        feed_open(&feed);
        for (unsigned i = 0; i < 400; i++)
                feed_step(&feed);
        feed.now_ns = T0 + 2 * NS_PER_DAY - 20 * NS_PER_S;
        for (unsigned i = 0; i < 300; i++)
                feed_step(&feed);
        feed_close(&feed);
        struct reader reader = reader_must(feed.store);
        assert_int_equal(stream_must(&reader)->day_count, 3);
        check_grids(&feed, &reader, feed_begins(&feed), feed.now_ns + NS_PER_DAY, 6, 700);
        for (int64_t day = 1; day <= 2; day++) {
                int64_t midnight = T0 + day * NS_PER_DAY;
                check_grids(
                    &feed, &reader, midnight - 30 * NS_PER_S, midnight + 30 * NS_PER_S, 6, 700);
        }
        reader_close(&reader);
        feed_end(&feed);
}

/* ---- statuses ---- */

/* A few events, a gap of ten seconds, and a few more. */
static void feed_with_gap(struct feed *feed, const char *path, enum gap_cause cause)
{
        feed_begin(feed, 21, feed_store(&store_memory, path));
        feed_open(feed);
        feed_bridge(feed, 2, 3);
        feed_event(feed);
        feed_gap(feed, cause);
        feed->now_ns += 10 * NS_PER_S;
        feed_bridge(feed, 0, 2);
        feed_event(feed);
        recorder_tick(feed->recorder, feed->now_ns);
}

static void what_is_not_known_has_its_status_and_no_numbers(void **state)
{
        (void)state;
        struct feed feed;
        feed_with_gap(&feed, "sample-gap", GAP_SEQUENCE);
        struct reader reader = reader_must(feed.store);
        struct sample_options options = {feed.moments[0].event_time_ns - 20 * NS_PER_S,
            feed.now_ns + 20 * NS_PER_S, 10 * NS_PER_MS, 3, CLOCK_EXCHANGE};
        struct check check = check_grid(&reader, &options);
        assert_true(check.of_status[STATUS_EMPTY] >= 1500);
        assert_true(check.of_status[STATUS_GAP] >= 400);
        assert_true(check.of_status[STATUS_ENDED] >= 1500);
        assert_true(check.of_status[STATUS_OK] >= 10);
        options.clock = CLOCK_RECEIVE;
        assert_int_equal(check_grid(&reader, &options).points, check.points);
        reader_close(&reader);
        feed_close(&feed);
        feed_end(&feed);
}

/* A restart's gap begins where the record still vouched for the book, after its last event. */
static void a_gap_begins_as_its_record_says(void **state)
{
        (void)state;
        struct feed feed;
        feed_begin(&feed, 22, feed_store(&store_memory, "sample-restart"));
        feed_open(&feed);
        feed_bridge(&feed, 1, 3);
        feed.now_ns += 7 * NS_PER_S;
        record_alive(feed.stream, feed.now_ns);
        feed_close(&feed);
        feed.now_ns += 30 * NS_PER_S;
        feed_open(&feed);
        for (unsigned open = 0; open < 2; open++) {
                if (!open)
                        recorder_tick(feed.recorder, feed.now_ns);
                else
                        feed_bridge(&feed, 1, 3);
                feed_close(&feed);
                struct reader reader = reader_must(feed.store);
                struct sample_options options = {feed_begins(&feed), feed.now_ns + 5 * NS_PER_S,
                    13 * NS_PER_MS, 1, CLOCK_EXCHANGE};
                struct check check = check_grid(&reader, &options);
                assert_true(check.of_status[STATUS_GAP] >= 1000);
                assert_true(check.of_status[STATUS_OK] >= 500);
                options.clock = CLOCK_RECEIVE;
                check_grid(&reader, &options);
                reader_close(&reader);
                feed.now_ns += NS_PER_S;
                feed_open(&feed);
        }
        feed_close(&feed);
        feed_end(&feed);
}

static void erase_gaps(struct store *store, uint32_t day)
{
        struct store_txn txn;
        assert_int_equal(store->ops->begin(store, day, true, &txn, NULL), 0);
        store->ops->erase(&txn, STORE_GAPS, key_position(1, 0), key_position(1, INT64_MAX), NULL);
        assert_int_equal(store->ops->commit(&txn, NULL), 0);
}

static void a_gap_whose_record_is_lost_is_one(void **state)
{
        (void)state;
        struct feed feed;
        feed_with_gap(&feed, "sample-lost", GAP_SEQUENCE);
        feed_close(&feed);
        erase_gaps(feed.store, day_of_time(feed.now_ns));
        struct reader reader = reader_must(feed.store);
        struct sample_options options = {
            feed_begins(&feed), feed.now_ns + 5 * NS_PER_S, 10 * NS_PER_MS, 1, CLOCK_EXCHANGE};
        assert_true(check_grid(&reader, &options).of_status[STATUS_GAP] >= 400);
        reader_close(&reader);
        feed_end(&feed);
}

/* An exchange whose ids begin anew: the gap after an id of the first epoch is not the second's. */
static void an_id_that_comes_again_is_another(void **state)
{
        (void)state;
        struct feed feed;
        feed_begin(&feed, 23, feed_store(&store_memory, "sample-ids"));
        feed_open(&feed);
        for (unsigned epoch = 1; epoch <= 2; epoch++) {
                feed_bridge(&feed, 1, 1);
                feed.now_ns += NS_PER_S;
                feed.id = 5000;
                feed_bid(&feed, feed.now_ns, (struct level){999, epoch});
                if (epoch == 1)
                        feed_gap(&feed, GAP_DISCONNECT);
        }
        recorder_tick(feed.recorder, feed.now_ns);
        struct reader reader = reader_must(feed.store);
        struct sample_options options = {
            feed_begins(&feed), feed.now_ns + 5 * NS_PER_S, 10 * NS_PER_MS, 1, CLOCK_EXCHANGE};
        assert_true(check_grid(&reader, &options).of_status[STATUS_ENDED] >= 400);
        reader_close(&reader);
        feed_close(&feed);
        feed_end(&feed);
}

/* ---- the grid ---- */

struct span {
        int64_t first_ns, last_ns;
        uint64_t points;
        uint64_t stop_at;
};

static int note_span(const struct sample_point *point, void *user)
{
        struct span *span = user;
        if (!span->points++)
                span->first_ns = point->at_ns;
        span->last_ns = point->at_ns;
        return span->points == span->stop_at ? -1234 : 0;
}

static void a_grid_without_ends_is_that_of_the_record(void **state)
{
        (void)state;
        struct feed feed;
        feed_with_gap(&feed, "sample-open", GAP_SEQUENCE);
        struct reader reader = reader_must(feed.store);
        const struct recon_stream *stream = stream_must(&reader);
        for (enum recon_clock clock = CLOCK_EXCHANGE; clock <= CLOCK_RECEIVE; clock++) {
                struct span span = {0};
                struct sample_options options = {INT64_MIN, INT64_MAX, 7 * NS_PER_MS, 1, clock};
                int64_t first = moment_time(&feed.moments[0], clock);
                int64_t from = (first + options.every_ns - 1) / options.every_ns * options.every_ns;
                int64_t points = (recon_end(stream, clock) - from - 1) / options.every_ns + 1;
                assert_int_equal(
                    recon_sample(&reader, stream, &options, note_span, &span, NULL), 0);
                assert_int_equal(span.first_ns, from);
                assert_int_equal(span.points, points);
                assert_int_equal(span.last_ns, from + (points - 1) * options.every_ns);
        }
        reader_close(&reader);
        feed_close(&feed);
        feed_end(&feed);
}

static void a_range_without_a_point_is_no_error(void **state)
{
        (void)state;
        struct feed feed;
        feed_with_gap(&feed, "sample-none", GAP_SEQUENCE);
        struct reader reader = reader_must(feed.store);
        struct span span = {0};
        struct sample_options options[] = {{T0, T0, NS_PER_S, 1, CLOCK_EXCHANGE},
            {INT64_MIN, T0, NS_PER_S, 1, CLOCK_EXCHANGE},
            {feed.now_ns + NS_PER_DAY, INT64_MAX, NS_PER_S, 1, CLOCK_EXCHANGE},
            {INT64_MIN, INT64_MAX, INT64_MAX, 1, CLOCK_EXCHANGE}};
        for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
                assert_int_equal(recon_sample(&reader, stream_must(&reader), &options[i], note_span,
                                     &span, NULL),
                    0);
        assert_int_equal(span.points, 0);
        reader_close(&reader);
        feed_close(&feed);
        feed_end(&feed);
}

static void the_last_point_before_the_end_of_time_is_told(void **state)
{
        (void)state;
        struct feed feed;
        feed_with_gap(&feed, "sample-far", GAP_SEQUENCE);
        struct reader reader = reader_must(feed.store);
        struct span span = {0};
        struct sample_options options = {
            feed.moments[0].event_time_ns, INT64_MAX - 1, INT64_MAX / 2, 1, CLOCK_EXCHANGE};
        assert_int_equal(
            recon_sample(&reader, stream_must(&reader), &options, note_span, &span, NULL), 0);
        assert_int_equal(span.points, 2);
        assert_int_equal(span.last_ns, options.from_ns + options.every_ns);
        reader_close(&reader);
        feed_close(&feed);
        feed_end(&feed);
}

static void the_callback_can_stop_it(void **state)
{
        (void)state;
        struct feed feed;
        feed_with_gap(&feed, "sample-stop", GAP_SEQUENCE);
        struct reader reader = reader_must(feed.store);
        struct sample_options options = {
            feed_begins(&feed), feed.now_ns + 10 * NS_PER_S, 100 * NS_PER_MS, 1, CLOCK_EXCHANGE};
        struct span all = {0};
        const struct recon_stream *stream = stream_must(&reader);
        assert_int_equal(recon_sample(&reader, stream, &options, note_span, &all, NULL), 0);
        for (uint64_t stop = 1; stop <= all.points; stop++) {
                struct span span = {.stop_at = stop};
                assert_int_equal(
                    recon_sample(&reader, stream, &options, note_span, &span, NULL), -1234);
                assert_int_equal(span.points, stop);
        }
        reader_close(&reader);
        feed_close(&feed);
        feed_end(&feed);
}

/* ---- limits ---- */

static void a_grid_too_fine_for_late_events_is_refused(void **state)
{
        (void)state;
        struct feed feed;
        feed_begin(&feed, 30, feed_store(&store_memory, "sample-fine"));
        feed_open(&feed);
        for (unsigned i = 0; i < 200; i++)
                feed_step(&feed);
        recorder_tick(feed.recorder, feed.now_ns);
        struct reader reader = reader_must(feed.store);
        const struct recon_stream *stream = stream_must(&reader);
        int64_t finest = stream->mark.fall_back_ns / LIMIT_SAMPLE_POINTS + 1;
        int64_t middle = feed.moments[feed.count / 2].event_time_ns;
        struct sample_options options = {middle, middle + 2000 * finest, finest, 2, CLOCK_EXCHANGE};
        struct span span = {0};
        struct error error = {0};
        assert_int_equal(check_grid(&reader, &options).points, 2000);
        options.every_ns = finest / 2;
        assert_int_equal(
            recon_sample(&reader, stream, &options, note_span, &span, &error), ERR_FULL);
        assert_non_null(strstr(error.text, "binance:BTCUSDT: a point every "));
        assert_int_equal(span.points, 0);
        options.clock = CLOCK_RECEIVE; /* these do not fall back */
        assert_int_equal(recon_sample(&reader, stream, &options, note_span, &span, &error), 0);
        assert_true(span.points >= 4000);
        reader_close(&reader);
        feed_close(&feed);
        feed_end(&feed);
}

/* A mark that does not know how far times fall back costs late events their points, no more. */
static void a_wrong_fall_back_does_no_harm(void **state)
{
        (void)state;
        static const int64_t wrong[] = {0, 1, NS_PER_MS, NS_PER_S, -1, INT64_MIN};
        struct feed feed;
        feed_begin(&feed, 32, feed_store(&store_memory, "sample-wrong"));
        feed_open(&feed);
        for (unsigned i = 0; i < 400; i++)
                feed_step(&feed);
        if (!record_has_book(feed.stream))
                feed_bridge(&feed, 1, 1);
        int64_t late = feed.now_ns - 4 * NS_PER_S;
        for (unsigned i = 0; i < 20; i++) /* late, and one later than the other */
                feed_bid(&feed, late += 200 * NS_PER_MS, (struct level){999, 1 + i});
        recorder_tick(feed.recorder, feed.now_ns);
        struct reader reader = reader_must(feed.store);
        struct recon_stream stream = *stream_must(&reader);
        struct sample_options options = {
            feed_begins(&feed), feed.now_ns, 100 * NS_PER_MS, 2, CLOCK_EXCHANGE};
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                struct span span = {0};
                stream.mark.fall_back_ns = wrong[i];
                assert_int_equal(
                    recon_sample(&reader, &stream, &options, note_span, &span, NULL), 0);
                assert_int_equal(
                    span.points, (options.to_ns - options.from_ns - 1) / options.every_ns + 1);
        }
        stream.mark.fall_back_ns = INT64_MAX;
        assert_int_equal(
            recon_sample(&reader, &stream, &options, note_span, &(struct span){0}, NULL), ERR_FULL);
        reader_close(&reader);
        feed_close(&feed);
        feed_end(&feed);
}

/* Two bids, whose quantities fit into a number only one by one; then the second one shrinks. */
static void feed_heavy(struct feed *feed)
{
        static const struct level bids[] = {{990, INT64_MAX - 5}, {980, 6}}, less = {980, 5};
        struct image image = {.id = 1,
            .receive_time_ns = T0,
            .count = {[SIDE_BID] = 2},
            .levels = {[SIDE_BID] = bids}};
        struct event event = {
            .event_time_ns = T0, .receive_time_ns = T0, .first_id = 2, .last_id = 2};
        feed_begin(feed, 31, feed_store(&store_memory, "sample-heavy"));
        feed->now_ns = T0;
        feed_open(feed);
        record_headless(feed->stream, &event, true);
        assert_int_equal(record_image(feed->stream, &image), 0);
        event = (struct event){.event_time_ns = T0 + NS_PER_S,
            .receive_time_ns = T0 + NS_PER_S,
            .first_id = 3,
            .last_id = 3,
            .count = {[SIDE_BID] = 1},
            .levels = {[SIDE_BID] = &less}};
        assert_int_equal(record_event(feed->stream, &event), 0);
        recorder_tick(feed->recorder, T0 + NS_PER_S);
}

static int note_point(const struct sample_point *point, void *user)
{
        *(struct sample_point *)user = *point;
        return 0;
}

static void a_depth_beyond_all_numbers_is_said(void **state)
{
        (void)state;
        struct feed feed;
        feed_heavy(&feed);
        struct reader reader = reader_must(feed.store);
        const struct recon_stream *stream = stream_must(&reader);
        struct sample_options options = {T0, T0 + 1, 1, 2, CLOCK_EXCHANGE};
        struct sample_point point = {0};
        struct error error = {0};
        assert_int_equal(
            recon_sample(&reader, stream, &options, note_point, &point, &error), ERR_RANGE);
        assert_non_null(strstr(error.text, "2 levels at 2024-08-09T00:00:00Z"));
        options.depth = 1;
        assert_int_equal(recon_sample(&reader, stream, &options, note_point, &point, &error), 0);
        assert_int_equal(point.sides[SIDE_BID].depth, INT64_MAX - 5);
        assert_false(point.sides[SIDE_ASK].has_best);
        options = (struct sample_options){T0 + NS_PER_S, T0 + NS_PER_S + 1, 1, 2, CLOCK_EXCHANGE};
        assert_int_equal(recon_sample(&reader, stream, &options, note_point, &point, &error), 0);
        assert_int_equal(point.sides[SIDE_BID].depth, INT64_MAX);
        assert_int_equal(point.sides[SIDE_BID].best.quantity, INT64_MAX - 5);
        reader_close(&reader);
        feed_close(&feed);
        feed_end(&feed);
}

static void a_grid_that_is_none_is_refused(void **state)
{
        (void)state;
        struct feed feed;
        feed_with_gap(&feed, "sample-usage", GAP_SEQUENCE);
        struct reader reader = reader_must(feed.store);
        struct span span = {0};
        struct sample_options options[] = {{T0, T0 + 1, 0, 1, CLOCK_EXCHANGE},
            {T0, T0 + 1, -1, 1, CLOCK_EXCHANGE}, {T0, T0 + 1, 1, 0, CLOCK_EXCHANGE}};
        for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
                assert_int_equal(recon_sample(&reader, stream_must(&reader), &options[i], note_span,
                                     &span, NULL),
                    ERR_USAGE);
        assert_int_equal(span.points, 0);
        reader_close(&reader);
        feed_close(&feed);
        feed_end(&feed);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(each_point_is_the_book_at_its_time),
            cmocka_unit_test(points_on_the_very_time_of_an_event_take_it),
            cmocka_unit_test(what_came_before_the_first_points_event_is_in_it),
            cmocka_unit_test(days_are_crossed_without_a_seam),
            cmocka_unit_test(what_is_not_known_has_its_status_and_no_numbers),
            cmocka_unit_test(a_gap_begins_as_its_record_says),
            cmocka_unit_test(a_gap_whose_record_is_lost_is_one),
            cmocka_unit_test(an_id_that_comes_again_is_another),
            cmocka_unit_test(a_grid_without_ends_is_that_of_the_record),
            cmocka_unit_test(a_range_without_a_point_is_no_error),
            cmocka_unit_test(the_last_point_before_the_end_of_time_is_told),
            cmocka_unit_test(the_callback_can_stop_it),
            cmocka_unit_test(a_grid_too_fine_for_late_events_is_refused),
            cmocka_unit_test(a_wrong_fall_back_does_no_harm),
            cmocka_unit_test(a_depth_beyond_all_numbers_is_said),
            cmocka_unit_test(a_grid_that_is_none_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
