/* What several recorders have of the same stream, as one record: against a list of all events. */
#include "tests/unit/merge_help.h"

/* ---- books ---- */

/* The rule itself: the last event in the market's order whose time is not beyond @at_ns. */
static const struct told *told_at(const struct market *market, int64_t at_ns)
{
        for (size_t i = market->count; i-- > 0;) {
                if (market->told[i].event.event_time_ns <= at_ns)
                        return &market->told[i];
        }
        return NULL;
}

static void assert_book(struct fleet *fleet, int64_t at_ns, struct recon_book *book)
{
        struct error error = {0};
        size_t source = 99;
        const struct told *told = told_at(&fleet->market, at_ns);
        int code = merge_book_at(&fleet->merge, at_ns, CLOCK_EXCHANGE, book, &source, &error);
        if (code)
                fail_msg("book: %d %s", code, error.text);
        assert_int_equal(book->at_ns, at_ns);
        assert_in_range(source, 0, fleet->count - 1);
        if (!told) {
                assert_int_equal(book->status, STATUS_EMPTY);
                return;
        }
        assert_int_equal(book->status, STATUS_OK);
        assert_int_equal(book->event_time_ns, told->event.event_time_ns);
        if (!book_equal(&book->book, &told->book))
                fail_msg("book at %lld of %s: id %lld, not that behind id %lld", (long long)at_ns,
                    fleet->loggers[source].name, (long long)book->last_id,
                    (long long)told->event.last_id);
        size_t index = (size_t)(told - fleet->market.told);
        assert_true(logger_has(&fleet->loggers[source], index));
}

/* At each event and beside it. Only where nothing is lost. */
static void assert_books(struct fleet *fleet)
{
        struct recon_book book;
        recon_book_init(&book);
        int64_t end = merge_end(&fleet->merge, CLOCK_EXCHANGE);
        for (size_t i = 0; i < fleet->market.count; i++) {
                int64_t at = fleet->market.told[i].event.event_time_ns;
                for (int64_t shift = -1; shift <= 1; shift++) {
                        if (at + shift <= end)
                                assert_book(fleet, at + shift, &book);
                }
        }
        recon_book_deinit(&book);
}

/* ---- coverage ---- */

static struct merge_coverage coverage_must(struct fleet *fleet)
{
        struct merge_coverage coverage;
        struct error error = {0};
        if (merge_coverage(&fleet->merge, INT64_MIN, INT64_MAX, &coverage, &error))
                fail_msg("coverage: %s", error.text);
        return coverage;
}

static void assert_all_covered(struct fleet *fleet)
{
        struct merge_coverage coverage = coverage_must(fleet);
        const struct merge_range *ranges = coverage.ranges;
        assert_int_equal(coverage.coverage.gaps.count, 0);
        assert_int_equal(coverage.coverage.from_ns, fleet->market.told[0].event.event_time_ns);
        assert_int_equal(coverage.coverage.to_ns, merge_end(&fleet->merge, CLOCK_EXCHANGE));
        assert_int_equal(
            coverage.coverage.covered_ns, coverage.coverage.to_ns - coverage.coverage.from_ns);
        assert_true(coverage.range_count > 0);
        assert_int_equal(ranges[0].from_ns, coverage.coverage.from_ns);
        for (size_t i = 1; i < coverage.range_count && fleet->market.steady; i++)
                assert_int_equal(ranges[i].from_ns, ranges[i - 1].to_ns);
        assert_int_equal(ranges[coverage.range_count - 1].to_ns, coverage.coverage.to_ns);
        merge_coverage_deinit(&coverage);
}

/* ---- the grid ---- */

struct points {
        struct sample_point *points;
        size_t count;
};

static int keep_point(const struct sample_point *point, size_t source, void *user)
{
        struct points *points = user;
        (void)source;
        points->points =
            memory_resize(points->points, (points->count + 1) * sizeof(*points->points));
        points->points[points->count++] = *point;
        return 0;
}

static void assert_point(const struct sample_point *point, const struct recon_book *book)
{
        assert_int_equal(point->status, book->status);
        for (enum side s = 0; s < SIDES && point->status == STATUS_OK; s++) {
                struct level best = {0};
                assert_int_equal(point->sides[s].has_best, book_best(&book->book, s, &best));
                assert_int_equal(point->sides[s].best.price, best.price);
                assert_int_equal(point->sides[s].best.quantity, best.quantity);
        }
}

/* Each point is what the book of its time says. */
static void assert_grid(struct fleet *fleet)
{
        const struct market *market = &fleet->market;
        struct sample_options options = {market->told[0].event.event_time_ns - 3 * NS_PER_S,
            merge_end(&fleet->merge, CLOCK_EXCHANGE) + 5 * NS_PER_S, 700 * NS_PER_MS, 1,
            CLOCK_EXCHANGE};
        struct points points = {0};
        struct error error = {0};
        struct recon_book book;
        int64_t at_ns = options.from_ns;
        size_t source;
        recon_book_init(&book);
        if (merge_sample(&fleet->merge, &options, keep_point, &points, &error))
                fail_msg("sample: %s", error.text);
        for (size_t i = 0; i < points.count; i++, at_ns += options.every_ns) {
                assert_int_equal(points.points[i].at_ns, at_ns);
                assert_int_equal(
                    merge_book_at(&fleet->merge, at_ns, CLOCK_EXCHANGE, &book, &source, &error), 0);
                assert_point(&points.points[i], &book);
        }
        assert_true(at_ns >= options.to_ns);
        assert_true(points.count > 10);
        free(points.points);
        recon_book_deinit(&book);
}

static void assert_exact(struct fleet *fleet)
{
        assert_replay(fleet, NULL);
        assert_ranges(fleet, 20);
        if (fleet->market.kind != KIND_TRADES) {
                assert_books(fleet);
                assert_grid(fleet);
        }
        assert_all_covered(fleet);
}

/* ---- what each recorder lacks ---- */

static void two_recorders_with_gaps_at_different_places_are_one_record(void **state)
{
        (void)state;
        for (enum loss how = 0; how < LOSSES; how++) {
                struct fleet fleet;
                size_t source[300] = {0};
                fleet_begin(&fleet, 10 + how, KIND_L2);
                lose(fleet_add(&fleet, "a"), 60, 90, how);
                lose(fleet_add(&fleet, "b"), 150, 200, how);
                fleet.loggers[1].begin = 10;
                fleet_run(&fleet, 300);
                assert_int_equal(assert_replay(&fleet, source), 3);
                assert_int_equal(source[59], 0);
                assert_int_equal(source[60], 1);
                assert_int_equal(source[89], 1);
                assert_int_equal(source[149], 1);
                assert_int_equal(source[150], 0);
                assert_int_equal(source[299], 0);
                assert_exact(&fleet);
                fleet_end(&fleet);
        }
}

static void a_gap_may_end_where_the_other_begins(void **state)
{
        (void)state;
        /* b's first good event behind its gap is a's first lost one; nothing is lost by both */
        for (uint64_t seed = 1; seed <= 5; seed++) {
                struct fleet fleet;
                size_t source[200] = {0};
                fleet_begin(&fleet, seed, KIND_L2);
                struct logger *a = fleet_add(&fleet, "a"), *b = fleet_add(&fleet, "b");
                lose(b, 40, 80, LOSS_GAP);
                lose(a, 80, 120, seed % 2 ? LOSS_STOP : LOSS_GAP);
                lose(b, 120, 130, LOSS_GAP);
                lose(a, 130, 131, LOSS_GAP);
                fleet_run(&fleet, 200);
                assert_int_equal(assert_replay(&fleet, source), 4);
                assert_int_equal(source[79], 0);
                assert_int_equal(source[80], 1);
                assert_int_equal(source[119], 1);
                assert_int_equal(source[120], 0);
                assert_int_equal(source[129], 0);
                assert_int_equal(source[130], 1);
                assert_exact(&fleet);
                fleet_end(&fleet);
        }
}

/* One event lost by both is a gap; one less is none. */
static void what_both_lack_is_a_gap(void **state)
{
        (void)state;
        struct fleet fleet;
        fleet_begin(&fleet, 3, KIND_L2);
        fleet.market.steady = true;
        lose(fleet_add(&fleet, "a"), 100, 140, LOSS_GAP);
        lose(fleet_add(&fleet, "b"), 60, 101, LOSS_GAP);
        fleet_run(&fleet, 200);
        const struct told *told = fleet.market.told;
        assert_replay(&fleet, NULL);
        assert_ranges(&fleet, 20);
        assert_grid(&fleet);
        struct merge_coverage coverage = coverage_must(&fleet);
        assert_int_equal(coverage.coverage.gaps.count, 1);
        const struct gap_record *gap = &coverage.coverage.gaps.gaps[0];
        assert_int_equal(gap->from_id, told[99].event.last_id);
        assert_int_equal(gap->to_id, told[101].event.last_id);
        assert_int_equal(gap->from_time_ns, told[99].event.event_time_ns);
        assert_int_equal(gap->to_time_ns, told[101].event.event_time_ns);
        assert_int_equal(gap->cause, GAP_DISCONNECT);
        assert_false(gap->open);
        int64_t lost = told[101].event.event_time_ns - told[99].event.event_time_ns;
        assert_int_equal(coverage.coverage.covered_ns,
            coverage.coverage.to_ns - coverage.coverage.from_ns - lost);
        assert_int_equal(coverage.range_count, 2);
        assert_int_equal(coverage.ranges[0].source, 0);
        assert_int_equal(coverage.ranges[0].to_ns, told[99].event.event_time_ns);
        assert_int_equal(coverage.ranges[1].source, 1);
        assert_int_equal(coverage.ranges[1].from_ns, told[101].event.event_time_ns);
        merge_coverage_deinit(&coverage);
        struct recon_book book;
        size_t source;
        recon_book_init(&book);
        assert_int_equal(merge_book_at(&fleet.merge, told[99].event.event_time_ns + 1,
                             CLOCK_EXCHANGE, &book, &source, NULL),
            0);
        assert_int_equal(book.status, STATUS_GAP);
        assert_int_equal(book.last_id, told[99].event.last_id);
        assert_int_equal(source, 0);
        recon_book_deinit(&book);
        fleet_end(&fleet);
}

static void one_begins_later_and_one_ends_earlier(void **state)
{
        (void)state;
        struct fleet fleet;
        size_t source[300] = {0};
        fleet_begin(&fleet, 4, KIND_L2);
        struct logger *a = fleet_add(&fleet, "a"), *b = fleet_add(&fleet, "b");
        a->end = 150;
        b->begin = 149;
        fleet_run(&fleet, 300);
        assert_int_equal(assert_replay(&fleet, source), 2);
        assert_int_equal(source[149], 0);
        assert_int_equal(source[150], 1);
        assert_exact(&fleet);
        fleet_end(&fleet);
}

static void between_one_that_ended_and_one_that_begins_later_is_a_gap(void **state)
{
        (void)state;
        struct fleet fleet;
        fleet_begin(&fleet, 5, KIND_L2);
        struct logger *a = fleet_add(&fleet, "a"), *b = fleet_add(&fleet, "b");
        a->end = 100;
        b->begin = 101;
        fleet_run(&fleet, 200);
        assert_replay(&fleet, NULL);
        struct merge_coverage coverage = coverage_must(&fleet);
        assert_int_equal(coverage.coverage.gaps.count, 1);
        assert_int_equal(coverage.coverage.gaps.gaps[0].cause, GAP_STOPPED);
        assert_int_equal(
            coverage.coverage.gaps.gaps[0].from_id, fleet.market.told[99].event.last_id);
        assert_int_equal(
            coverage.coverage.gaps.gaps[0].to_id, fleet.market.told[101].event.last_id);
        merge_coverage_deinit(&coverage);
        fleet_end(&fleet);
}

static void an_open_gap_of_one_is_none_where_the_other_goes_on(void **state)
{
        (void)state;
        struct fleet fleet;
        fleet_begin(&fleet, 6, KIND_L2);
        lose(fleet_add(&fleet, "a"), 120, SIZE_MAX, LOSS_GAP);
        struct logger *b = fleet_add(&fleet, "b");
        fleet_run(&fleet, 200);
        assert_exact(&fleet);
        fleet_end(&fleet);
        fleet_begin(&fleet, 6, KIND_L2);
        lose(fleet_add(&fleet, "a"), 120, SIZE_MAX, LOSS_GAP);
        b = fleet_add(&fleet, "b");
        lose(b, 120, SIZE_MAX, LOSS_GAP);
        fleet_run(&fleet, 200);
        assert_replay(&fleet, NULL);
        struct merge_coverage coverage = coverage_must(&fleet);
        assert_int_equal(coverage.coverage.gaps.count, 1);
        assert_true(coverage.coverage.gaps.gaps[0].open);
        merge_coverage_deinit(&coverage);
        fleet_end(&fleet);
}

/* Stopped and started again, with no event meanwhile: the ids tell that nothing was lost. */
static void a_pause_in_which_nothing_was_sent_is_no_gap(void **state)
{
        (void)state;
        for (unsigned both = 0; both < 2; both++) {
                struct fleet fleet;
                fleet_begin(&fleet, 8, KIND_L2);
                lose(fleet_add(&fleet, "a"), 60, 60, LOSS_STOP);
                struct logger *b = fleet_add(&fleet, "b");
                lose(b, 60, 60, LOSS_STOP);
                if (!both)
                        lose(b, 40, 55, LOSS_GAP);
                fleet.market.pause_at = 60;
                fleet_run(&fleet, 120);
                assert_int_equal(fleet.readers[0].streams[0].mark.gaps, 1);
                assert_exact(&fleet);
                fleet_end(&fleet);
        }
}

/* Long before its first event the next recorder had the book already. */
static void a_quiet_market_is_whose_record_comes_next(void **state)
{
        (void)state;
        struct fleet fleet;
        fleet_begin(&fleet, 9, KIND_L2);
        lose(fleet_add(&fleet, "a"), 60, 80, LOSS_GAP);
        fleet_add(&fleet, "b")->begin = 60;
        fleet.market.pause_at = 60;
        fleet_run(&fleet, 120);
        assert_exact(&fleet);
        fleet_end(&fleet);
}

static void three_recorders_take_turns(void **state)
{
        (void)state;
        struct fleet fleet;
        size_t source[400] = {0};
        fleet_begin(&fleet, 7, KIND_L2);
        struct logger *a = fleet_add(&fleet, "a"), *b = fleet_add(&fleet, "b"),
                      *c = fleet_add(&fleet, "c");
        lose(a, 50, 300, LOSS_STOP);
        lose(b, 120, 250, LOSS_GAP);
        b->begin = 20;
        c->begin = 100;
        lose(c, 260, 350, LOSS_HEADLESS);
        fleet_run(&fleet, 400);
        assert_replay(&fleet, source);
        assert_int_equal(source[49], 0);
        assert_int_equal(source[50], 1);
        assert_int_equal(source[120], 2);
        assert_int_equal(source[260], 1);
        assert_exact(&fleet);
        fleet_end(&fleet);
}

/* ---- other kinds of streams ---- */

static void trades_and_orders_join_by_their_ids(void **state)
{
        (void)state;
        for (unsigned round = 0; round < 4; round++) {
                struct fleet fleet;
                fleet_begin(&fleet, 20 + round, round % 2 ? KIND_TRADES : KIND_L3);
                lose(fleet_add(&fleet, "a"), 60, 90, round < 2 ? LOSS_GAP : LOSS_STOP);
                lose(fleet_add(&fleet, "b"), 150, 200, LOSS_GAP);
                fleet.loggers[1].begin = 10;
                fleet_run(&fleet, 300);
                assert_int_equal(assert_replay(&fleet, NULL), 3);
                assert_exact(&fleet);
                fleet_end(&fleet);
        }
}

/* Own counts say nothing: whether or not the stream is proved by them. */
static void without_ids_the_times_decide(void **state)
{
        (void)state;
        for (unsigned round = 0; round < 4; round++) {
                struct fleet fleet;
                fleet_begin(&fleet, 30 + round, KIND_L2);
                fleet.market.steady = true;
                fleet.market.sequenced = round % 2;
                fleet.market.feed = round % 2 ? "advanced" : "level2_batch";
                struct logger *a = fleet_add(&fleet, "a"), *b = fleet_add(&fleet, "b");
                b->counted = 5000;
                lose(a, 60, 90, round < 2 ? LOSS_GAP : LOSS_STOP);
                lose(b, 150, 200, LOSS_GAP);
                b->begin = 10;
                fleet_run(&fleet, 300);
                assert_int_equal(assert_replay(&fleet, NULL), 3);
                assert_false(fleet.merge.by_id);
                assert_exact(&fleet);
                fleet_end(&fleet);
        }
}

static void trades_that_are_numbered_otherwise_join_by_times(void **state)
{
        (void)state;
        struct fleet fleet;
        fleet_begin(&fleet, 40, KIND_TRADES);
        fleet.market.steady = true;
        lose(fleet_add(&fleet, "a"), 60, 90, LOSS_GAP);
        fleet_add(&fleet, "b")->feed = "aggTrade";
        fleet_run(&fleet, 150);
        assert_replay(&fleet, NULL);
        assert_false(fleet.merge.by_id);
        fleet_end(&fleet);
}

static void without_ids_what_both_lack_is_a_gap_too(void **state)
{
        (void)state;
        for (uint64_t seed = 1; seed <= 10; seed++) {
                struct fleet fleet;
                fleet_begin(&fleet, seed, KIND_L2);
                fleet.market.steady = true;
                fleet.market.feed = "level2_batch";
                fleet.market.sequenced = false;
                lose(fleet_add(&fleet, "a"), 60, 90, LOSS_GAP);
                lose(fleet_add(&fleet, "b"), 60 - seed, 95 + seed % 3, LOSS_GAP);
                fleet_run(&fleet, 200);
                assert_replay(&fleet, NULL);
                assert_ranges(&fleet, 20);
                struct merge_coverage coverage = coverage_must(&fleet);
                assert_int_equal(coverage.coverage.gaps.count, 1);
                merge_coverage_deinit(&coverage);
                fleet_end(&fleet);
        }
}

/* ---- damage ---- */

static void a_gap_without_its_record_shows_in_the_ids(void **state)
{
        (void)state;
        struct fleet fleet;
        fleet_begin(&fleet, 45, KIND_L2);
        struct logger *a = fleet_add(&fleet, "a");
        lose(a, 60, 90, LOSS_GAP);
        fleet_add(&fleet, "b")->begin = 10;
        fleet_run(&fleet, 150);
        erase_gaps(a);
        assert_int_equal(assert_replay(&fleet, NULL), 2);
        assert_replay(&fleet, NULL);
        assert_all_covered(&fleet);
        fleet_end(&fleet);
}

/* Every event of the market, whoever gives it. */
static void what_one_has_damaged_the_other_gives(void **state)
{
        (void)state;
        for (unsigned round = 0; round < 6; round++) {
                struct fleet fleet;
                fleet_begin(&fleet, 50 + round, round % 3 ? KIND_L2 : KIND_L3);
                struct logger *a = fleet_add(&fleet, "a");
                fleet_add(&fleet, "b");
                fleet_run(&fleet, 300);
                hurt_frame(a, 3 + round, round % 2);
                assert_true(assert_replay(&fleet, NULL) > 1);
                assert_exact(&fleet);
                fleet_end(&fleet);
        }
}

/* The last frames of one that ended are gone without a word. */
static void an_end_that_is_missing_comes_from_the_other(void **state)
{
        (void)state;
        struct fleet fleet;
        fleet_begin(&fleet, 61, KIND_L2);
        struct logger *a = fleet_add(&fleet, "a");
        lose(a, 150, SIZE_MAX, LOSS_GAP);
        fleet_add(&fleet, "b")->begin = 10;
        fleet_run(&fleet, 200);
        hurt_frame(a, count_frames(a) - 1, true);
        assert_true(assert_replay(&fleet, NULL) > 1);
        assert_all_covered(&fleet);
        fleet_end(&fleet);
}

static void coverage_sees_what_is_damaged(void **state)
{
        (void)state;
        struct fleet fleet;
        fleet_begin(&fleet, 62, KIND_L2);
        struct logger *a = fleet_add(&fleet, "a"), *b = fleet_add(&fleet, "b");
        fleet_run(&fleet, 300);
        hurt_frame(a, 4, true);
        struct gap_list gaps; /* what is recorded does not tell */
        assert_int_equal(merge_list_gaps(&fleet.merge, &gaps, NULL), 0);
        assert_int_equal(gaps.count, 0);
        gap_list_deinit(&gaps);
        struct merge_coverage coverage = coverage_must(&fleet);
        assert_int_equal(coverage.coverage.gaps.count, 0);
        assert_in_range(coverage.range_count, 1, 3);
        assert_int_equal(coverage.ranges[coverage.range_count - 1].source, 1);
        merge_coverage_deinit(&coverage);
        hurt_frame(b, 4, false);
        merge_deinit(&fleet.merge);
        fleet_merge(&fleet);
        coverage = coverage_must(&fleet);
        assert_int_equal(coverage.coverage.gaps.count, 1);
        assert_int_equal(coverage.coverage.gaps.gaps[0].cause, GAP_MISSING);
        merge_coverage_deinit(&coverage);
        fleet_end(&fleet);
}

static void what_all_have_damaged_is_an_error(void **state)
{
        (void)state;
        struct fleet fleet;
        struct error error = {0};
        struct played played = {.from_ns = INT64_MIN, .to_ns = INT64_MAX};
        fleet_begin(&fleet, 60, KIND_L2);
        struct logger *a = fleet_add(&fleet, "a"), *b = fleet_add(&fleet, "b");
        fleet_run(&fleet, 300);
        hurt_frame(a, 4, true);
        hurt_frame(b, 4, false);
        assert_int_equal(play(&fleet, &played, &error), ERR_CORRUPT);
        assert_int_equal(error.code, ERR_CORRUPT);
        assert_non_null(strstr(error.text, "test:BTCUSDT"));
        assert_in_range(played.events, 1, 200);
        struct merge_coverage coverage = coverage_must(&fleet);
        assert_int_equal(coverage.coverage.gaps.count, 1);
        assert_int_equal(coverage.coverage.gaps.gaps[0].cause, GAP_MISSING);
        merge_coverage_deinit(&coverage);
        fleet_end(&fleet);
}

/* ---- the rest ---- */

static void a_callback_stops_it_with_its_code(void **state)
{
        (void)state;
        struct fleet fleet;
        fleet_begin(&fleet, 70, KIND_L2);
        lose(fleet_add(&fleet, "a"), 60, 90, LOSS_GAP);
        fleet_add(&fleet, "b");
        fleet_run(&fleet, 150);
        for (size_t stop = 1; stop < 150; stop += 7) {
                struct error error = {.code = 1}; /* to be left as it is */
                struct played played = {.from_ns = INT64_MIN, .to_ns = INT64_MAX, .stop_at = stop};
                assert_int_equal(play(&fleet, &played, &error), STOPPED);
                assert_int_equal(played.events, stop);
                assert_int_equal(error.code, 1);
        }
        fleet_end(&fleet);
}

static int count_event(const struct event *event, const int64_t *befores, const struct scale *own,
    const struct book *book, uint32_t epoch, void *user)
{
        struct played *played = user;
        (void)befores, (void)own, (void)book, (void)epoch;
        const struct logger *logger = &played->fleet->loggers[played->now];
        assert_in_range(event->receive_time_ns, played->from_ns, played->to_ns - 1);
        for (; played->index < played->fleet->market.count; played->index++) {
                if (played->fleet->market.told[played->index].event.last_id == event->last_id)
                        break;
        }
        assert_true(played->index < played->fleet->market.count); /* in order, each once */
        assert_int_equal(event->receive_time_ns,
            played->fleet->market.told[played->index++].event.receive_time_ns + logger->skew_ns);
        played->events++;
        return 0;
}

/* Each event by the clock of the recorder that it comes from. */
static void ranges_by_receive_times_are_those_of_whom_it_comes_from(void **state)
{
        (void)state;
        struct fleet fleet;
        size_t source[300] = {0};
        fleet_begin(&fleet, 80, KIND_L2);
        lose(fleet_add(&fleet, "a"), 60, 90, LOSS_GAP);
        lose(fleet_add(&fleet, "b"), 150, 200, LOSS_STOP);
        fleet_run(&fleet, 300);
        assert_replay(&fleet, source);
        for (unsigned round = 0; round < 60; round++) {
                size_t at = chance_below(&fleet.market.chance, 300), expected = 0;
                int64_t from = fleet.market.told[at].event.receive_time_ns;
                struct played played = {.fleet = &fleet,
                    .from_ns = from,
                    .to_ns = from + (int64_t)chance_below(&fleet.market.chance, 30) * NS_PER_S};
                struct replay_options options = {played.from_ns, played.to_ns, CLOCK_RECEIVE};
                struct merge_callbacks callbacks = {
                    {.event_cb = count_event, .user = &played}, play_source};
                assert_int_equal(merge_replay(&fleet.merge, &options, &callbacks, NULL), 0);
                for (size_t i = 0; i < 300; i++) {
                        int64_t time = fleet.market.told[i].event.receive_time_ns +
                            fleet.loggers[source[i]].skew_ns;
                        expected += time >= played.from_ns && time < played.to_ns;
                }
                assert_in_range(played.events, expected > 2 ? expected - 2 : 0, expected + 2);
        }
        fleet_end(&fleet);
}

static void one_recorder_alone_is_what_it_is(void **state)
{
        (void)state;
        struct fleet fleet;
        fleet_begin(&fleet, 90, KIND_L2);
        lose(fleet_add(&fleet, "a"), 60, 90, LOSS_GAP);
        fleet_run(&fleet, 150);
        assert_int_equal(assert_replay(&fleet, NULL), 1);
        struct merge_coverage coverage = coverage_must(&fleet);
        assert_int_equal(coverage.coverage.gaps.count, 1);
        assert_int_equal(coverage.range_count, 2);
        assert_int_equal(coverage.ranges[0].to_ns, coverage.coverage.gaps.gaps[0].from_time_ns);
        assert_int_equal(coverage.ranges[1].from_ns, coverage.coverage.gaps.gaps[0].to_time_ns);
        merge_coverage_deinit(&coverage);
        fleet_end(&fleet);
}

/* Stretches of chance are lost, with @whole never all at once. */
static void lose_by_chance(struct fleet *fleet, size_t events, bool whole)
{
        struct chance *chance = &fleet->market.chance;
        for (size_t at = 5 + chance_below(chance, 60); at + 60 < events;) {
                struct logger *logger = &fleet->loggers[chance_below(chance, fleet->count)];
                size_t length = 1 + chance_below(chance, 50);
                if (logger->lost_count < LOST_MAX && !lost_at(logger, at) &&
                    !(at && lost_at(logger, at - 1)))
                        lose(logger, at, at + length, chance_below(chance, LOSSES));
                /* a headless event is not in the record either: one more that the other needs */
                at += (whole ? length + 2 : 0) + chance_below(chance, 40);
        }
}

static void whatever_is_lost_the_rest_is_exact(void **state)
{
        (void)state;
        static const uint8_t kinds[] = {KIND_L2, KIND_L2, KIND_L3, KIND_TRADES};
        for (uint64_t seed = 1; seed <= 40; seed++) {
                struct fleet fleet;
                fleet_begin(&fleet, 1000 + seed, kinds[seed % 4]);
                fleet_add(&fleet, "a");
                fleet_add(&fleet, "b");
                if (seed % 3 == 0)
                        fleet_add(&fleet, "c");
                bool whole = seed % 2;
                lose_by_chance(&fleet, 400, whole);
                fleet_run(&fleet, 400);
                if (whole) {
                        assert_exact(&fleet);
                } else {
                        assert_replay(&fleet, NULL);
                        assert_ranges(&fleet, 20);
                }
                fleet_end(&fleet);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(two_recorders_with_gaps_at_different_places_are_one_record),
            cmocka_unit_test(a_gap_may_end_where_the_other_begins),
            cmocka_unit_test(what_both_lack_is_a_gap),
            cmocka_unit_test(one_begins_later_and_one_ends_earlier),
            cmocka_unit_test(between_one_that_ended_and_one_that_begins_later_is_a_gap),
            cmocka_unit_test(an_open_gap_of_one_is_none_where_the_other_goes_on),
            cmocka_unit_test(a_pause_in_which_nothing_was_sent_is_no_gap),
            cmocka_unit_test(a_quiet_market_is_whose_record_comes_next),
            cmocka_unit_test(three_recorders_take_turns),
            cmocka_unit_test(trades_and_orders_join_by_their_ids),
            cmocka_unit_test(without_ids_the_times_decide),
            cmocka_unit_test(trades_that_are_numbered_otherwise_join_by_times),
            cmocka_unit_test(without_ids_what_both_lack_is_a_gap_too),
            cmocka_unit_test(a_gap_without_its_record_shows_in_the_ids),
            cmocka_unit_test(an_end_that_is_missing_comes_from_the_other),
            cmocka_unit_test(coverage_sees_what_is_damaged),
            cmocka_unit_test(what_one_has_damaged_the_other_gives),
            cmocka_unit_test(what_all_have_damaged_is_an_error),
            cmocka_unit_test(a_callback_stops_it_with_its_code),
            cmocka_unit_test(ranges_by_receive_times_are_those_of_whom_it_comes_from),
            cmocka_unit_test(one_recorder_alone_is_what_it_is),
            cmocka_unit_test(whatever_is_lost_the_rest_is_exact),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
