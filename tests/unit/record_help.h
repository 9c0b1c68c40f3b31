/* What the tests of a record share: a stream of chance fed to a recorder, with what must come back
 * kept beside it. */
#ifndef TESTS_UNIT_RECORD_HELP_H
#define TESTS_UNIT_RECORD_HELP_H

#include "base/clock.h"
#include "codec/frame.h"
#include "recon/recon.h"
#include "record/record.h"
#include "store/layout.h"
#include "tests/unit/help.h"

#define T0 (INT64_C(1723161600) * NS_PER_S) /* 2024-08-09, midnight */

/* The book after one recorded event, and the event. */
struct moment {
        int64_t event_time_ns, receive_time_ns, first_id, last_id;
        struct scale scale;
        uint32_t count[SIDES];       /* of the book */
        struct level *levels;        /* bids, then asks, best first */
        uint32_t event_count[SIDES]; /* of the event */
        struct level *event_levels;
};

struct feed {
        struct chance chance;
        struct store *store;
        struct recorder *recorder;
        struct record_stream *stream;
        struct record_options options;
        struct scale scale;
        int64_t now_ns, id;
        struct level levels[64];
        struct event event; /* the newest */
        struct moment *moments;
        size_t count, capacity;
        uint64_t events, level_updates; /* stored */
        uint64_t gaps;
        bool tail;           /* record_tail_begin was called */
        struct book carried; /* the book when the tail began: an image for a correction */
};

static const struct stream_name feed_name = {"binance", "BTCUSDT", KIND_L2, true};

static inline void feed_begin(struct feed *feed, uint64_t seed, struct store *store)
{
        *feed = (struct feed){.chance = {seed},
            .store = store,
            .options = record_defaults,
            .scale = {2, 8, true, 1, 1},
            .now_ns = T0 + 3600 * NS_PER_S,
            .id = 1000};
        feed->options.without_thread = true;
        feed->options.image_min_ns = 2 * NS_PER_S;
        feed->options.image_factor = 3;
        feed->options.seal_after_ns = 5 * NS_PER_S;
        feed->options.seal_levels = 100;
        book_init(&feed->carried);
}

static inline struct store *feed_store(const struct store_ops *ops, const char *where)
{
        struct store_options options = {.path = where, .mode = STORE_WRITE};
        struct error error = {0};
        struct store *store = NULL;
        if (ops->open(&store, &options, &error))
                fail_msg("open: %s", error.text);
        return store;
}

static inline void feed_open(struct feed *feed)
{
        struct error error = {0};
        if (recorder_open(&feed->recorder, feed->store, &feed->options, &error) ||
            record_stream_open(
                feed->recorder, &feed_name, &feed->scale, feed->now_ns, &feed->stream, &error))
                fail_msg("recorder: %s", error.text);
        feed->tail = false;
}

static inline void feed_close(struct feed *feed)
{
        struct error error = {0};
        if (recorder_close(feed->recorder, feed->now_ns, NS_PER_S, &error))
                fail_msg("close: %s", error.text);
        feed->recorder = NULL;
}

static inline void feed_end(struct feed *feed)
{
        for (size_t i = 0; i < feed->count; i++) {
                free(feed->moments[i].levels);
                free(feed->moments[i].event_levels);
        }
        free(feed->moments);
        book_deinit(&feed->carried);
        feed->store->ops->close(feed->store);
}

/* Prices of bids lie below 1000 units, those of asks above, so that the book never crosses. */
static inline struct level feed_level(struct feed *feed, enum side s)
{
        int64_t unit = feed->scale.price_digits == 2 ? 1 : 10;
        int64_t price = s == SIDE_BID ? 961 + (int64_t)chance_below(&feed->chance, 39)
                                      : 1001 + (int64_t)chance_below(&feed->chance, 39);
        int64_t quantity = chance_one_in(&feed->chance, 3)
            ? 0
            : 1 + (int64_t)chance_below(&feed->chance, 1000000000);
        return (struct level){price * unit, quantity};
}

/* The next event of the exchange. Its time falls back by up to 5 s now and then. */
static inline void feed_make(struct feed *feed)
{
        struct event *event = &feed->event;
        feed->now_ns += (int64_t)chance_below(&feed->chance, 400) * NS_PER_MS +
            (int64_t)chance_below(&feed->chance, 1000) * NS_PER_US;
        int64_t back = chance_one_in(&feed->chance, 4)
            ? (int64_t)chance_below(&feed->chance, 5000) * NS_PER_MS
            : 0;
        *event = (struct event){.receive_time_ns = feed->now_ns,
            .event_time_ns = (feed->now_ns - 20 * NS_PER_MS) / NS_PER_MS * NS_PER_MS - back,
            .first_id = feed->id + 1,
            .last_id = feed->id + 1 + (int64_t)chance_below(&feed->chance, 5)};
        feed->id = event->last_id;
        struct level *at = feed->levels;
        for (enum side s = 0; s < SIDES; s++) {
                event->count[s] = (uint32_t)chance_below(&feed->chance, 8);
                event->levels[s] = at;
                for (uint32_t i = 0; i < event->count[s]; i++)
                        *at++ = feed_level(feed, s);
        }
}

static inline struct level *levels_copy(const struct level *from, size_t count)
{
        struct level *to = memory_new((count + 1) * sizeof(*to));
        if (count)
                memcpy(to, from, count * sizeof(*to));
        return to;
}

/* Keep what the logger holds now as what must be rebuilt. */
static inline void feed_keep(struct feed *feed, const struct event *event, const struct book *book)
{
        if (feed->count == feed->capacity) {
                feed->capacity = feed->capacity ? 2 * feed->capacity : 256;
                feed->moments =
                    memory_resize(feed->moments, feed->capacity * sizeof(*feed->moments));
        }
        struct moment *moment = &feed->moments[feed->count++];
        *moment = (struct moment){.event_time_ns = event->event_time_ns,
            .receive_time_ns = event->receive_time_ns,
            .first_id = event->first_id,
            .last_id = event->last_id,
            .scale = feed->scale};
        size_t bids = book_count(book, SIDE_BID), asks = book_count(book, SIDE_ASK);
        moment->levels = memory_new((bids + asks + 1) * sizeof(struct level));
        book_levels(book, SIDE_BID, moment->levels);
        book_levels(book, SIDE_ASK, moment->levels + bids);
        moment->count[SIDE_BID] = (uint32_t)bids;
        moment->count[SIDE_ASK] = (uint32_t)asks;
        for (enum side s = 0; s < SIDES; s++)
                moment->event_count[s] = event->count[s];
        moment->event_levels = levels_copy(event->levels[SIDE_BID], event_level_count(event));
}

static inline void feed_count(struct feed *feed, const struct event *event)
{
        feed->events++;
        feed->level_updates += event_level_count(event);
}

/* One more event of the live book. */
static inline void feed_event(struct feed *feed)
{
        feed_make(feed);
        assert_int_equal(record_event(feed->stream, &feed->event), 0);
        feed_count(feed, &feed->event);
        feed_keep(feed, &feed->event, record_book(feed->stream));
}

/* @before headless events, the image, @after headless ones that it takes behind it. */
static inline void feed_bridge(struct feed *feed, unsigned before, unsigned after)
{
        struct level levels[SIDES][40];
        struct image image = {.receive_time_ns = feed->now_ns};
        struct book book;
        struct event event[16];
        struct level *kept[16];
        for (enum side s = 0; s < SIDES; s++) {
                image.levels[s] = levels[s];
                image.count[s] = 20;
                for (uint32_t i = 0; i < image.count[s]; i++) {
                        levels[s][i] = feed_level(feed, s);
                        levels[s][i].quantity += !levels[s][i].quantity;
                }
        }
        assert_true(after <= 16);
        book_init(&book);
        for (unsigned i = 0; i < before + after; i++) {
                feed_make(feed);
                record_headless(feed->stream, &feed->event, i == 0);
                feed_count(feed, &feed->event);
                if (i + 1 == before || (!before && !i))
                        image.id = before ? feed->id : feed->event.first_id;
                if (i < before)
                        continue;
                event[i - before] = feed->event;
                kept[i - before] =
                    levels_copy(feed->event.levels[SIDE_BID], event_level_count(&feed->event));
        }
        if (!before)
                image.id = after ? event[0].first_id - 1 : feed->id;
        image.receive_time_ns = feed->now_ns;
        assert_int_equal(book_set_image(&book, &image), 0);
        assert_int_equal(record_image(feed->stream, &image), 0);
        for (unsigned i = 0; i < after; i++) {
                event[i].levels[SIDE_BID] = kept[i];
                event[i].levels[SIDE_ASK] = kept[i] + event[i].count[SIDE_BID];
                assert_int_equal(book_apply(&book, &event[i]), 0);
                feed_keep(feed, &event[i], &book);
                free(kept[i]);
        }
        book_deinit(&book);
}

static inline void feed_gap(struct feed *feed, enum gap_cause cause)
{
        record_gap(feed->stream, cause, feed->now_ns, "test");
        feed->gaps++;
        feed->tail = false;
        feed->id += 100; /* ids that never came */
}

/* An image of the exchange, seen when the tail began, comes now: it differs in a few levels. */
static inline void feed_tail(struct feed *feed)
{
        book_copy(&feed->carried, record_book(feed->stream));
        for (unsigned i = 0; i < 3; i++) {
                struct level level = feed_level(feed, i & 1);
                book_set(&feed->carried, i & 1, level.price, level.quantity);
        }
        record_tail_begin(feed->stream);
        feed->tail = true;
}

static inline void feed_correct(struct feed *feed)
{
        struct level levels[SIDES][128];
        struct image image = {.id = feed->carried.id, .receive_time_ns = feed->now_ns};
        uint32_t differences = 0;
        for (enum side s = 0; s < SIDES; s++) {
                image.count[s] = (uint32_t)book_count(&feed->carried, s);
                book_levels(&feed->carried, s, levels[s]);
                image.levels[s] = levels[s];
        }
        assert_int_equal(record_correct(feed->stream, &image, &differences), 0);
        feed->tail = false;
}

static inline void feed_rescale(struct feed *feed)
{
        if (feed->scale.price_digits != 2)
                return;
        assert_int_equal(record_rescale(feed->stream, 3, 8, 0, 0, feed->now_ns), 0);
        feed->scale = *record_scale(feed->stream);
        assert_int_equal(feed->scale.price_digits, 3);
        feed->tail = false;
}

/* One of all that can happen, mostly an event. */
static inline void feed_step(struct feed *feed)
{
        uint64_t dice = chance_below(&feed->chance, 200);
        if (!record_has_book(feed->stream))
                feed_bridge(feed, (unsigned)chance_below(&feed->chance, 5),
                    (unsigned)chance_below(&feed->chance, 5));
        else if (dice == 0)
                feed_gap(feed, (enum gap_cause)chance_below(&feed->chance, GAP_OVERFLOW));
        else if (dice < 4 && !feed->tail)
                feed_tail(feed);
        else if (dice < 20 && feed->tail)
                feed_correct(feed);
        else if (dice == 20 && feed->count > 500)
                feed_rescale(feed);
        else
                feed_event(feed);
        if (chance_one_in(&feed->chance, 3))
                recorder_tick(feed->recorder, feed->now_ns);
        if (chance_one_in(&feed->chance, 7))
                record_alive(feed->stream, feed->now_ns);
}

/* ---- reading back ---- */

static inline struct reader reader_must(struct store *store)
{
        struct reader reader;
        struct error error = {0};
        if (reader_open(&reader, store, &error))
                fail_msg("reader: %s", error.text);
        return reader;
}

static inline const struct recon_stream *stream_must(const struct reader *reader)
{
        const struct recon_stream *stream = reader_find(reader, "binance", "BTCUSDT", KIND_L2);
        assert_non_null(stream);
        return stream;
}

static inline bool book_is_moment(const struct recon_book *book, const struct moment *moment)
{
        if (book->last_id != moment->last_id || !scale_equal(&book->scale, &moment->scale) ||
            book->event_time_ns != moment->event_time_ns)
                return false;
        const struct level *expected = moment->levels;
        for (enum side s = 0; s < SIDES; s++) {
                struct book_cursor cursor = {0};
                struct level level;
                if (book_count(&book->book, s) != moment->count[s])
                        return false;
                for (; book_next(&book->book, s, &cursor, &level); expected++) {
                        if (level.price != expected->price || level.quantity != expected->quantity)
                                return false;
                }
        }
        return true;
}

static inline int64_t moment_time(const struct moment *moment, enum recon_clock clock)
{
        return clock == CLOCK_RECEIVE ? moment->receive_time_ns : moment->event_time_ns;
}

/* The rule itself: the last event in stream order whose time is not beyond @at_ns. */
static inline const struct moment *feed_at(
    const struct feed *feed, int64_t at_ns, enum recon_clock clock)
{
        for (size_t i = feed->count; i-- > 0;) {
                if (moment_time(&feed->moments[i], clock) <= at_ns)
                        return &feed->moments[i];
        }
        return NULL;
}

static inline void assert_book_at(const struct feed *feed, struct reader *reader, int64_t at_ns,
    enum recon_clock clock, struct recon_book *book)
{
        struct error error = {0};
        const struct moment *moment = feed_at(feed, at_ns, clock);
        if (recon_book_at(reader, stream_must(reader), at_ns, clock, book, &error))
                fail_msg("book at %lld: %s", (long long)at_ns, error.text);
        if (!moment)
                assert_int_equal(book->status, STATUS_EMPTY);
        else if (!book_is_moment(book, moment))
                fail_msg("book at %lld: id %lld is not the one after id %lld", (long long)at_ns,
                    (long long)book->last_id, (long long)moment->last_id);
}

#define PROBLEMS_MAX 32

struct problems {
        size_t count;
        char text[PROBLEMS_MAX][RECON_TEXT_SIZE];
};

static inline void problem_note(const struct recon_stream *stream, uint32_t day, uint64_t position,
    const char *text, void *user)
{
        struct problems *problems = user;
        (void)stream, (void)day;
        if (problems->count < PROBLEMS_MAX)
                snprintf(problems->text[problems->count], RECON_TEXT_SIZE, "%llu: %.200s",
                    (unsigned long long)position, text);
        problems->count++;
}

static inline struct verify_result verify_store(struct store *store, struct problems *problems)
{
        struct reader reader = reader_must(store);
        struct verify_result result;
        struct error error = {0};
        *problems = (struct problems){0};
        if (recon_verify(
                &reader, stream_must(&reader), problem_note, NULL, problems, &result, &error))
                fail_msg("verify: %s", error.text);
        reader_close(&reader);
        assert_int_equal(result.problems, problems->count);
        return result;
}

static inline struct coverage cover_store(struct store *store)
{
        struct reader reader = reader_must(store);
        struct coverage coverage;
        struct error error = {0};
        if (recon_coverage(&reader, stream_must(&reader), INT64_MIN, INT64_MAX, &coverage, &error))
                fail_msg("coverage: %s", error.text);
        reader_close(&reader);
        return coverage;
}

/* ---- the laws ---- */

/* The book at every moment, beside every moment, by both clocks. */
static inline void assert_all_moments(const struct feed *feed, struct reader *reader)
{
        struct recon_book book;
        recon_book_init(&book);
        for (size_t i = 0; i < feed->count; i++) {
                const struct moment *moment = &feed->moments[i];
                for (int64_t shift = -1; shift <= 1; shift++) {
                        assert_book_at(
                            feed, reader, moment->event_time_ns + shift, CLOCK_EXCHANGE, &book);
                        assert_book_at(
                            feed, reader, moment->receive_time_ns + shift, CLOCK_RECEIVE, &book);
                }
        }
        recon_book_deinit(&book);
}

/* Verify finds nothing, counts all, and no hole is without its record. */
static inline void assert_sound(const struct feed *feed, uint64_t seed)
{
        struct problems problems;
        struct verify_result result = verify_store(feed->store, &problems);
        if (problems.count)
                fail_msg("seed %llu: %zu problems: %s", (unsigned long long)seed, problems.count,
                    problems.text[0]);
        assert_int_equal(result.events, feed->events);
        assert_int_equal(result.level_updates, feed->level_updates);
        struct coverage coverage = cover_store(feed->store);
        assert_int_equal(coverage.gaps.count, feed->gaps);
        for (size_t i = 0; i < coverage.gaps.count; i++)
                assert_int_not_equal(coverage.gaps.gaps[i].cause, GAP_MISSING);
        gap_list_deinit(&coverage.gaps);
}

#endif
