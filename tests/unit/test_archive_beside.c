/* Archiving beside readers and a recorder: whenever frames are replaced or sealed under a reader,
 * it tells what it would have told. */
#include "tests/unit/archive_help.h"

#include <sys/syscall.h>
#include <time.h>

/* ---- a clock that makes every transaction of a reader old at any moment ---- */

#define ACTS_MAX 80

static bool restless;
static struct chance clock_chance;
static time_t clock_ahead;

int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
        if (syscall(SYS_clock_gettime, clock, ret_time))
                return -1;
        if (clock == CLOCK_MONOTONIC) {
                clock_ahead += restless && chance_one_in(&clock_chance, 2);
                ret_time->tv_sec += clock_ahead;
        }
        return 0;
}

/* ---- who acts between the transactions ---- */

struct other {
        struct chance chance;
        struct feed *feed;
        struct store *inner;
        int64_t reader_ns; /* where the reader is, by receive time */
        unsigned every;    /* before one in so many transactions, */
        unsigned only;     /* or before just that one */
        unsigned begins;
        bool archives, records;
        uint64_t archived;
        unsigned recorded;
};

/* Around the reader, in steps of a run or two. */
static void act(bool write, void *user)
{
        struct other *other = user;
        bool awake = restless;
        assert_false(write);
        other->begins++;
        if (other->only ? other->begins != other->only
                        : !chance_one_in(&other->chance, other->every))
                return;
        restless = false;
        if (other->records && other->recorded < ACTS_MAX) {
                slow_steps(other->feed, 1 + (unsigned)chance_below(&other->chance, 8));
                other->recorded++;
        }
        if (other->archives) {
                int64_t before = other->reader_ns +
                    ((int64_t)chance_below(&other->chance, 1800) - 600) * NS_PER_S;
                other->archived += archive_must(other->inner, before).frames;
        }
        restless = awake;
}

static void other_begin(struct other *other, struct feed *feed, uint64_t seed, unsigned every)
{
        struct beside *beside = beside_of(feed->store);
        *other = (struct other){.chance = {seed},
            .feed = feed,
            .inner = beside->inner,
            .every = every,
            .reader_ns = feed->moments[0].receive_time_ns};
        beside->begin_cb = act;
        beside->user = other;
        clock_chance = (struct chance){seed + 1000};
        restless = true;
}

static void other_end(struct feed *feed)
{
        restless = false;
        beside_of(feed->store)->begin_cb = NULL;
}

/* Without begin_cb for @store: a recorder in it writes to the inner one. */
static void recorder_goes_by(struct feed *feed, bool by)
{
        beside_of(feed->store)->inside = by;
}

/* ---- archived under a reader ---- */

struct followed {
        struct buffer text;
        struct other *other;
};

static int follow_event(const struct event *event, const int64_t *befores,
    const struct scale *scale, const struct book *book, uint32_t epoch, void *user)
{
        struct followed *followed = user;
        followed->other->reader_ns = event->receive_time_ns;
        return tell_event(event, befores, scale, book, epoch, &followed->text);
}

static void replay_beside(struct feed *feed, struct other *other,
    const struct replay_options *options, struct buffer *ret_text)
{
        struct followed followed = {.other = other};
        struct replay_callbacks callbacks = {.event_cb = follow_event, .user = &followed};
        struct error error = {0};
        buffer_init(&followed.text, TEXT_MAX);
        struct reader reader = reader_must(feed->store);
        if (recon_replay(&reader, stream_must(&reader), options, &callbacks, &error))
                fail_msg("replay: %s", error.text);
        reader_close(&reader);
        assert_false(followed.text.failed);
        *ret_text = followed.text;
}

static const struct replay_options everything = {INT64_MIN, INT64_MAX, CLOCK_EXCHANGE};

static void days_of(struct feed *feed, uint64_t seed, const char *name)
{
        char path[48];
        snprintf(path, sizeof(path), "%s-%u", name, (unsigned)seed);
        slow_days(feed, seed, path);
        feed_close(feed);
}

static void a_replay_gives_the_same_events(void **state)
{
        (void)state;
        uint64_t archived = 0;
        for (uint64_t seed = 1; seed <= 8; seed++) {
                struct feed feed;
                struct other other;
                struct buffer before, beside;
                days_of(&feed, seed, "beside-replay");
                other_begin(&other, &feed, seed, 1);
                replay_beside(&feed, &other, &everything, &before);
                other_end(&feed);
                other_begin(&other, &feed, seed, 5);
                other.archives = true;
                replay_beside(&feed, &other, &everything, &beside);
                other_end(&feed);
                archived += other.archived;
                assert_same_lines(&before, &beside);
                buffer_deinit(&before);
                buffer_deinit(&beside);
                assert_verified(feed.store);
                feed_end(&feed);
        }
        assert_true(archived > 200);
}

/* Each range begins while its frames are archived. */
static void a_range_gives_the_same_events(void **state)
{
        (void)state;
        for (uint64_t seed = 11; seed <= 40; seed++) {
                struct feed feed;
                struct other other;
                struct chance chance = {seed};
                struct buffer before, beside;
                days_of(&feed, seed, "beside-range");
                struct replay_options range = range_of(&feed, &chance);
                other_begin(&other, &feed, seed, 1);
                replay_beside(&feed, &other, &range, &before);
                other.reader_ns = range.from_ns;
                other.archives = true;
                other.every = 3;
                replay_beside(&feed, &other, &range, &beside);
                other_end(&feed);
                assert_same_lines(&before, &beside);
                buffer_deinit(&before);
                buffer_deinit(&beside);
                feed_end(&feed);
        }
}

static void the_book_at_a_time_is_the_same(void **state)
{
        (void)state;
        for (uint64_t seed = 51; seed <= 54; seed++) {
                struct feed feed;
                struct other other;
                struct chance chance = {seed};
                struct recon_book book;
                days_of(&feed, seed, "beside-book");
                recon_book_init(&book);
                struct reader reader = reader_must(feed.store);
                other_begin(&other, &feed, seed, 4);
                other.archives = true;
                for (size_t i = 0; i < 300; i++) {
                        enum recon_clock clock = i % 2 ? CLOCK_RECEIVE : CLOCK_EXCHANGE;
                        size_t at = i * feed.count / 300 + chance_below(&chance, 5);
                        const struct moment *moment =
                            &feed.moments[at < feed.count ? at : feed.count - 1];
                        other.reader_ns = moment->receive_time_ns;
                        assert_book_at(&feed, &reader, moment_time(moment, clock), clock, &book);
                }
                other_end(&feed);
                assert_true(other.archived > 0);
                reader_close(&reader);
                recon_book_deinit(&book);
                feed_end(&feed);
        }
}

static void samples_are_the_same(void **state)
{
        (void)state;
        for (uint64_t seed = 61; seed <= 68; seed++) {
                struct feed feed;
                struct other other;
                struct buffer before, beside;
                buffer_init(&before, TEXT_MAX);
                buffer_init(&beside, TEXT_MAX);
                days_of(&feed, seed, "beside-sample");
                struct reader reader = reader_must(feed.store);
                tell_samples(&before, &reader, CLOCK_EXCHANGE);
                other_begin(&other, &feed, seed, 20);
                other.archives = true;
                other.reader_ns = feed.moments[feed.count * (seed - 60) / 9].receive_time_ns;
                tell_samples(&beside, &reader, CLOCK_EXCHANGE);
                other_end(&feed);
                assert_same_lines(&before, &beside);
                reader_close(&reader);
                buffer_deinit(&before);
                buffer_deinit(&beside);
                feed_end(&feed);
        }
}

static void verify_finds_nothing(void **state)
{
        (void)state;
        uint64_t archived = 0;
        for (uint64_t seed = 71; seed <= 90; seed++) {
                struct feed feed;
                struct other other;
                days_of(&feed, seed, "beside-verify");
                other_begin(&other, &feed, seed, 20 + (unsigned)seed % 7 * 40);
                other.archives = true;
                other.reader_ns = feed.moments[feed.count * (seed - 70) / 21].receive_time_ns;
                assert_verified(feed.store);
                other_end(&feed);
                archived += other.archived;
                assert_sound(&feed, seed);
                feed_end(&feed);
        }
        assert_true(archived > 200);
}

/* All is archived between two transactions, whichever they are. */
static void verify_finds_nothing_wherever_it_happens(void **state)
{
        (void)state;
        unsigned only = 0;
        for (bool reached = true; reached;) {
                struct feed feed;
                struct other other;
                days_of(&feed, 200 + only % 3, "beside-all");
                other_begin(&other, &feed, 1, 1);
                restless = only % 2;
                other.archives = true;
                other.reader_ns = feed.now_ns + NS_PER_DAY;
                other.only = ++only;
                assert_verified(feed.store);
                other_end(&feed);
                reached = other.begins >= only;
                assert_int_equal(other.archived > 0, reached);
                feed_end(&feed);
        }
        assert_true(only > 10);
}

static void coverage_is_the_same(void **state)
{
        (void)state;
        for (uint64_t seed = 91; seed <= 100; seed++) {
                struct feed feed;
                struct other other;
                struct buffer before, beside;
                buffer_init(&before, TEXT_MAX);
                buffer_init(&beside, TEXT_MAX);
                days_of(&feed, seed, "beside-coverage");
                tell_coverage(&before, feed.store);
                other_begin(&other, &feed, seed, 10);
                other.archives = true;
                other.reader_ns = feed.moments[feed.count * (seed - 90) / 11].receive_time_ns;
                tell_coverage(&beside, feed.store);
                other_end(&feed);
                assert_same_lines(&before, &beside);
                buffer_deinit(&before);
                buffer_deinit(&beside);
                feed_end(&feed);
        }
}

/* ---- sealed under a reader ---- */

struct compared {
        const struct feed *feed;
        struct other *other;
        size_t index;
};

static int compare_event(const struct event *event, const int64_t *befores,
    const struct scale *scale, const struct book *book, uint32_t epoch, void *user)
{
        struct compared *compared = user;
        (void)befores, (void)epoch;
        assert_true(compared->index < compared->feed->count);
        const struct moment *moment = &compared->feed->moments[compared->index++];
        struct recon_book rebuilt = {.book = *book,
            .scale = *scale,
            .event_time_ns = event->event_time_ns,
            .last_id = event->last_id};
        assert_int_equal(event->first_id, moment->first_id);
        assert_true(book_is_moment(&rebuilt, moment));
        compared->other->reader_ns = event->receive_time_ns;
        return 0;
}

/* A recorder that goes on while its stream is read, its newest frames open. */
static void live_begin(
    struct feed *feed, struct other *other, uint64_t seed, const char *name, unsigned steps)
{
        char path[48];
        snprintf(path, sizeof(path), "%s-%u", name, (unsigned)seed);
        slow_begin(feed, seed, path);
        feed->options.seal_after_ns = 60 * NS_PER_S;
        recorder_goes_by(feed, true);
        feed_open(feed);
        slow_steps(feed, steps);
        recorder_goes_by(feed, false);
        other_begin(other, feed, seed, 1 + (unsigned)seed % 3);
        other->records = true;
}

static void live_end(struct feed *feed, uint64_t seed)
{
        other_end(feed);
        feed_close(feed);
        assert_sound(feed, seed);
        feed_end(feed);
}

static void a_replay_beside_a_recorder_is_exact(void **state)
{
        (void)state;
        unsigned recorded = 0;
        for (uint64_t seed = 101; seed <= 130; seed++) {
                struct feed feed;
                struct other other;
                struct error error = {0};
                live_begin(&feed, &other, seed, "live-replay", 300);
                other.archives = seed % 2;
                size_t count = feed.count;
                struct compared compared = {&feed, &other, 0};
                struct replay_callbacks callbacks = {.event_cb = compare_event, .user = &compared};
                struct reader reader = reader_must(feed.store);
                if (recon_replay(&reader, stream_must(&reader), &everything, &callbacks, &error))
                        fail_msg("seed %u: replay: %s", (unsigned)seed, error.text);
                assert_true(compared.index >= count);
                recorded += other.recorded;
                reader_close(&reader);
                live_end(&feed, seed);
        }
        assert_true(recorded > 100);
}

static void verify_beside_a_recorder_finds_nothing(void **state)
{
        (void)state;
        unsigned recorded = 0;
        for (uint64_t seed = 131; seed <= 160; seed++) {
                struct feed feed;
                struct other other;
                live_begin(&feed, &other, seed, "live-verify", 300);
                other.archives = seed % 2;
                other.every = 3 + (unsigned)seed % 5;
                other.reader_ns = feed.moments[feed.count / 2].receive_time_ns;
                assert_verified(feed.store);
                recorded += other.recorded;
                live_end(&feed, seed);
        }
        assert_true(recorded > 100);
}

static void coverage_beside_a_recorder_misses_nothing(void **state)
{
        (void)state;
        unsigned recorded = 0;
        for (uint64_t seed = 201; seed <= 350; seed++) {
                struct feed feed;
                struct other other;
                live_begin(&feed, &other, seed, "live-coverage", 60);
                other.archives = seed % 2;
                struct coverage coverage;
                struct reader reader = reader_must(feed.store);
                assert_int_equal(recon_coverage(&reader, stream_must(&reader), T0, T0 + NS_PER_DAY,
                                     &coverage, NULL),
                    0);
                uint64_t end = stream_must(&reader)->mark.next_position;
                reader_close(&reader);
                for (size_t i = 0; i < coverage.gaps.count; i++) {
                        const struct gap_record *gap = &coverage.gaps.gaps[i];
                        if (gap->cause == GAP_MISSING && gap->from_position + 1 < end)
                                fail_msg("seed %u: %s, positions %llu..%llu", (unsigned)seed,
                                    gap->detail, (unsigned long long)gap->from_position,
                                    (unsigned long long)gap->to_position);
                }
                gap_list_deinit(&coverage.gaps);
                recorded += other.recorded;
                live_end(&feed, seed);
        }
        assert_true(recorded > 500);
}

static void the_book_beside_a_recorder_is_exact(void **state)
{
        (void)state;
        for (uint64_t seed = 191; seed <= 196; seed++) {
                struct feed feed;
                struct other other;
                struct recon_book book;
                live_begin(&feed, &other, seed, "live-book", 300);
                recon_book_init(&book);
                for (unsigned i = 0; i < 40; i++) {
                        struct reader reader = reader_must(feed.store);
                        size_t at = feed.count - 1 - chance_below(&other.chance, 30);
                        int64_t at_ns = feed.moments[at].receive_time_ns;
                        other.reader_ns = at_ns;
                        other.archives = seed % 2 && i % 4 == 0;
                        assert_int_equal(recon_book_at(&reader, stream_must(&reader), at_ns,
                                             CLOCK_RECEIVE, &book, NULL),
                            0);
                        assert_true(book_is_moment(&book, feed_at(&feed, at_ns, CLOCK_RECEIVE)));
                        reader_close(&reader);
                }
                recon_book_deinit(&book);
                live_end(&feed, seed);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_replay_gives_the_same_events),
            cmocka_unit_test(a_range_gives_the_same_events),
            cmocka_unit_test(the_book_at_a_time_is_the_same),
            cmocka_unit_test(samples_are_the_same),
            cmocka_unit_test(verify_finds_nothing),
            cmocka_unit_test(verify_finds_nothing_wherever_it_happens),
            cmocka_unit_test(coverage_is_the_same),
            cmocka_unit_test(a_replay_beside_a_recorder_is_exact),
            cmocka_unit_test(verify_beside_a_recorder_finds_nothing),
            cmocka_unit_test(coverage_beside_a_recorder_misses_nothing),
            cmocka_unit_test(the_book_beside_a_recorder_is_exact),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
