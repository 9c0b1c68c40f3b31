/* What the tests of archiving share: a stream of days, all that a record tells as lines, its bytes,
 * and a store that lets others act between the transactions of a reader. */
#ifndef TESTS_UNIT_ARCHIVE_HELP_H
#define TESTS_UNIT_ARCHIVE_HELP_H

#include "base/limits.h"
#include "recon/archive.h"
#include "recon/sample.h"
#include "tests/unit/record_help.h"

#define TEXT_MAX ((size_t)256 << 20)
#define RUN_LENGTH (600 * NS_PER_S)

/* ---- a store between whose transactions something happens ---- */

struct beside {
        struct store store;
        struct store *inner;
        void (*begin_cb)(bool write, void *user); /* before each transaction of a reader; or NULL */
        void *user;
        bool inside; /* what begin_cb itself does is not watched */
        unsigned begins;
        unsigned commits_left; /* what comes behind them fails */
};

static struct store_ops beside_ops;

static inline struct beside *beside_of(struct store *store)
{
        return (struct beside *)store;
}

static inline int beside_begin(
    struct store *store, uint32_t place, bool write, struct store_txn *txn, struct error *error)
{
        struct beside *beside = beside_of(store);
        if (beside->begin_cb && !beside->inside) {
                beside->inside = true;
                beside->begins++;
                beside->begin_cb(write, beside->user);
                beside->inside = false;
        }
        return beside->inner->ops->begin(beside->inner, place, write, txn, error);
}

static struct beside *failing; /* the one whose commits are counted */

static inline int beside_commit(struct store_txn *txn, struct error *error)
{
        if (!failing || failing->commits_left-- > 0)
                return txn->store->ops->commit(txn, error);
        failing->commits_left = 0;
        txn->store->ops->abort(txn);
        return error_set(error, ERR_FULL, "the disk is full");
}

static inline int beside_days(struct store *store, uint32_t **ret_days, size_t *ret_count)
{
        struct store *inner = beside_of(store)->inner;
        return inner->ops->days(inner, ret_days, ret_count);
}

static inline void beside_close(struct store *store)
{
        struct store *inner = beside_of(store)->inner;
        inner->ops->close(inner);
        free(store);
}

static inline struct store *beside_new(const char *path)
{
        struct beside *beside = memory_new(sizeof(*beside));
        *beside = (struct beside){.inner = feed_store(&store_memory, path)};
        beside_ops = *beside->inner->ops;
        beside_ops.begin = beside_begin;
        beside_ops.commit = beside_commit;
        beside_ops.days = beside_days;
        beside_ops.close = beside_close;
        beside->store.ops = &beside_ops;
        return &beside->store;
}

/* ---- streams ---- */

static inline void slow_begin(struct feed *feed, uint64_t seed, const char *path)
{
        feed_begin(feed, seed, beside_new(path));
        feed->options.image_min_ns = 40 * NS_PER_S;
        feed->options.image_factor = 1;
        feed->options.seal_after_ns = 20 * NS_PER_S;
        feed->options.seal_levels = 2000;
}

/* About two seconds a step, so that a few hundred are a run. */
static inline void slow_steps(struct feed *feed, unsigned steps)
{
        for (unsigned i = 0; i < steps; i++) {
                feed->now_ns += (int64_t)chance_below(&feed->chance, 3500) * NS_PER_MS;
                feed_step(feed);
        }
        recorder_tick(feed->recorder, feed->now_ns);
}

/* The recorder ends without a word: what it had committed stays, open frames too. */
static inline void slow_crash(struct feed *feed)
{
        struct error error;
        recorder_tick(feed->recorder, feed->now_ns);
        feed->gaps += record_has_book(feed->stream);
        failing = beside_of(feed->store);
        failing->commits_left = 0;
        recorder_close(feed->recorder, feed->now_ns, 0, &error);
        failing = NULL;
        feed->recorder = NULL;
}

/* Three days with midnights, a crash and a stop; the recorder is left running. */
static inline void slow_days(struct feed *feed, uint64_t seed, const char *path)
{
        slow_begin(feed, seed, path);
        feed->now_ns = T0 + NS_PER_DAY - 1200 * NS_PER_S;
        feed_open(feed);
        slow_steps(feed, 900);
        slow_crash(feed);
        feed->now_ns += 60 * NS_PER_S;
        feed_open(feed);
        slow_steps(feed, 350);
        feed->now_ns = T0 + 2 * NS_PER_DAY - 300 * NS_PER_S;
        slow_steps(feed, 350);
        feed->gaps += record_has_book(feed->stream);
        feed_close(feed);
        feed->now_ns += 60 * NS_PER_S;
        feed_open(feed);
        slow_steps(feed, 400);
}

/* ---- archiving ---- */

struct archived {
        struct archive_result result;
        unsigned problems;
        uint32_t problem_day;
        uint64_t problem_position;
};

static inline void archive_problem(
    const struct recon_stream *stream, uint32_t day, uint64_t position, void *user)
{
        struct archived *archived = user;
        assert_string_equal(stream->name.symbol, "BTCUSDT");
        archived->problems++;
        archived->problem_day = day;
        archived->problem_position = position;
}

static inline int archive_try(
    struct store *store, int64_t before_ns, struct archived *ret_archived, struct error *error)
{
        struct reader reader = reader_must(store);
        struct archive_options options = {
            .before_ns = before_ns, .problem_cb = archive_problem, .user = ret_archived};
        *ret_archived = (struct archived){0};
        int code =
            recon_archive(&reader, stream_must(&reader), &options, &ret_archived->result, error);
        reader_close(&reader);
        assert_int_equal(ret_archived->problems, ret_archived->result.problems);
        return code;
}

static inline struct archive_result archive_must(struct store *store, int64_t before_ns)
{
        struct archived archived;
        struct error error = {0};
        if (archive_try(store, before_ns, &archived, &error))
                fail_msg("archive: %s", error.text);
        assert_int_equal(archived.problems, 0);
        return archived.result;
}

/* ---- what a store holds, byte for byte, but for its own name ---- */

static inline void dump_place(struct store *store, uint32_t place, struct buffer *out)
{
        struct store_txn txn;
        assert_int_equal(store->ops->begin(store, place, false, &txn, NULL), 0);
        for (enum store_table table = 0; table < STORE_TABLES; table++) {
                struct store_cursor cursor;
                if (store_table_is_meta(table) != (place == STORE_META) || table == STORE_INFO)
                        continue;
                int code =
                    store->ops->seek(&txn, table, (struct store_key){0, INT64_MIN, 0}, &cursor);
                for (; !code; code = store->ops->next(&cursor)) {
                        buffer_printf(out, "\n%u %d %u %lld %llu: ", place, table,
                            cursor.key.stream, (long long)cursor.key.major,
                            (unsigned long long)cursor.key.minor);
                        buffer_append(out, cursor.value.data, cursor.value.size);
                }
                store->ops->done(&cursor);
        }
        store->ops->abort(&txn);
}

static inline struct buffer dump_store(struct store *store)
{
        struct buffer out;
        uint32_t *days;
        size_t count;
        buffer_init(&out, TEXT_MAX);
        dump_place(store, STORE_META, &out);
        assert_int_equal(store->ops->days(store, &days, &count), 0);
        for (size_t i = 0; i < count; i++)
                dump_place(store, days[i], &out);
        free(days);
        assert_false(out.failed);
        return out;
}

static inline bool same_bytes(const struct buffer *a, const struct buffer *b)
{
        return a->size == b->size && !memcmp(a->data, b->data, a->size);
}

/* The line of @text at the first difference, to be shown. */
static inline void assert_same_lines(const struct buffer *a, const struct buffer *b)
{
        size_t at = 0, begin = 0;
        while (at < a->size && at < b->size && a->data[at] == b->data[at]) {
                if (a->data[at++] == '\n')
                        begin = at;
        }
        if (at < a->size || at < b->size)
                fail_msg("%.300s\n instead of\n%.300s", (const char *)b->data + begin,
                    (const char *)a->data + begin);
}

/* ---- all frames ---- */

struct stored {
        uint32_t day;
        uint64_t position, hash;
        size_t size;
        struct frame_info info;
};

struct stored_list {
        struct stored *frames;
        size_t count;
};

static inline uint64_t hash_bytes(struct bytes bytes)
{
        uint64_t hash = UINT64_C(0xcbf29ce484222325);
        for (size_t i = 0; i < bytes.size; i++)
                hash = (hash ^ bytes.data[i]) * UINT64_C(0x100000001b3);
        return hash;
}

static inline struct stored_list list_frames(struct store *store)
{
        struct stored_list list = {0};
        struct reader reader = reader_must(store);
        const struct recon_stream *stream = stream_must(&reader);
        struct frame_cursor cursor;
        int code = frame_seek(&cursor, &reader, stream, 0, 0, false);
        for (; !code; code = frame_next(&cursor)) {
                list.frames = memory_resize(list.frames, (list.count + 1) * sizeof(*list.frames));
                list.frames[list.count++] = (struct stored){.day = stream->days[cursor.day],
                    .position = cursor.position,
                    .hash = hash_bytes(cursor.frame),
                    .size = cursor.frame.size,
                    .info = cursor.info};
        }
        assert_int_equal(code, ERR_NOT_FOUND);
        frame_done(&cursor);
        reader_close(&reader);
        return list;
}

/* The frame at exactly that position, or NULL. */
static inline const struct stored *list_at(const struct stored_list *list, uint64_t position)
{
        for (size_t i = 0; i < list->count; i++) {
                if (list->frames[i].position == position)
                        return &list->frames[i];
        }
        return NULL;
}

static inline void list_free(struct stored_list *list)
{
        free(list->frames);
}

static inline bool is_archived(const struct stored *frame)
{
        return frame->info.method == METHOD_NIBBLES;
}

/* ---- what a record tells ---- */

static inline void tell_scale(struct buffer *out, const struct scale *scale)
{
        buffer_printf(out, " scale %u %u %d %lld %lld", scale->price_digits, scale->quantity_digits,
            scale->fixed, (long long)scale->tick, (long long)scale->lot);
}

static inline void tell_book(struct buffer *out, const struct recon_book *book)
{
        buffer_printf(out, "at %lld %s id %lld times %lld %lld epoch %u", (long long)book->at_ns,
            book_status_name(book->status), (long long)book->last_id,
            (long long)book->event_time_ns, (long long)book->receive_time_ns, book->epoch);
        tell_scale(out, &book->scale);
        buffer_printf(
            out, " digest %016llx", (unsigned long long)digest_book(&book->book, &book->scale));
        for (enum side s = 0; s < SIDES; s++)
                buffer_printf(out, " %zu %d %lld", book_count(&book->book, s),
                    book->book.bounded[s], (long long)book->book.horizon[s]);
        buffer_append_byte(out, '\n');
}

static inline void tell_book_at(struct buffer *out, struct reader *reader, int64_t at_ns,
    enum recon_clock clock, struct recon_book *book)
{
        struct error error = {0};
        if (recon_book_at(reader, stream_must(reader), at_ns, clock, book, &error))
                fail_msg("book at %lld: %s", (long long)at_ns, error.text);
        tell_book(out, book);
}

/* Beside events, and anywhere, in gaps and before and behind it all. */
static inline void tell_books(
    struct buffer *out, struct reader *reader, const struct feed *feed, unsigned count)
{
        struct chance chance = {17};
        struct recon_book book;
        int64_t begin = feed->moments[0].event_time_ns - 60 * NS_PER_S;
        recon_book_init(&book);
        for (unsigned i = 0; i < count; i++) {
                const struct moment *moment = &feed->moments[chance_below(&chance, feed->count)];
                enum recon_clock clock = i % 2 ? CLOCK_RECEIVE : CLOCK_EXCHANGE;
                int64_t beside = (int64_t)chance_below(&chance, 3) - 1;
                int64_t any = begin +
                    (int64_t)chance_below(
                        &chance, (uint64_t)(feed->now_ns + 120 * NS_PER_S - begin));
                tell_book_at(out, reader, moment_time(moment, clock) + beside, clock, &book);
                if (i % 4 == 0)
                        tell_book_at(
                            out, reader, any, i % 8 ? CLOCK_RECEIVE : CLOCK_EXCHANGE, &book);
        }
        recon_book_deinit(&book);
}

static inline int tell_event(const struct event *event, const int64_t *befores,
    const struct scale *scale, const struct book *book, uint32_t epoch, void *user)
{
        struct buffer *out = user;
        buffer_printf(out, "event %lld %lld %lld..%lld flags %u epoch %u digest %016llx",
            (long long)event->event_time_ns, (long long)event->receive_time_ns,
            (long long)event->first_id, (long long)event->last_id, event->flags, epoch,
            (unsigned long long)digest_book(book, scale));
        tell_scale(out, scale);
        for (enum side s = 0; s < SIDES; s++) {
                for (uint32_t i = 0; i < event->count[s]; i++)
                        buffer_printf(out, " %d %lld: %lld -> %lld", s,
                            (long long)event->levels[s][i].price, (long long)*befores++,
                            (long long)event->levels[s][i].quantity);
        }
        buffer_append_byte(out, '\n');
        return 0;
}

static inline void tell_replay(
    struct buffer *out, struct reader *reader, const struct replay_options *options)
{
        struct error error = {0};
        struct replay_callbacks callbacks = {.event_cb = tell_event, .user = out};
        if (recon_replay(reader, stream_must(reader), options, &callbacks, &error))
                fail_msg("replay: %s", error.text);
}

/* A part of the record, its begin anywhere. */
static inline struct replay_options range_of(const struct feed *feed, struct chance *chance)
{
        enum recon_clock clock = chance_one_in(chance, 2) ? CLOCK_RECEIVE : CLOCK_EXCHANGE;
        int64_t from = moment_time(&feed->moments[chance_below(chance, feed->count)], clock);
        return (struct replay_options){
            from, from + (int64_t)chance_below(chance, 400) * NS_PER_S, clock};
}

static inline void tell_coverage(struct buffer *out, struct store *store)
{
        struct coverage coverage = cover_store(store);
        buffer_printf(out, "coverage %lld..%lld covered %lld corrections %llu\n",
            (long long)coverage.from_ns, (long long)coverage.to_ns, (long long)coverage.covered_ns,
            (unsigned long long)coverage.corrections);
        for (size_t i = 0; i < coverage.gaps.count; i++) {
                const struct gap_record *gap = &coverage.gaps.gaps[i];
                buffer_printf(out, "gap %s open %d epoch %u ids %lld..%lld positions %llu..%llu",
                    gap_cause_name(gap->cause), gap->open, gap->epoch, (long long)gap->from_id,
                    (long long)gap->to_id, (unsigned long long)gap->from_position,
                    (unsigned long long)gap->to_position);
                buffer_printf(out, " times %lld..%lld %lld..%lld\n", (long long)gap->from_time_ns,
                    (long long)gap->to_time_ns, (long long)gap->from_receive_ns,
                    (long long)gap->to_receive_ns);
        }
        gap_list_deinit(&coverage.gaps);
}

static inline int tell_point(const struct sample_point *point, void *user)
{
        struct buffer *out = user;
        buffer_printf(out, "point %lld %s %lld", (long long)point->at_ns,
            book_status_name(point->status), (long long)point->event_time_ns);
        tell_scale(out, &point->scale);
        for (enum side s = 0; s < SIDES; s++)
                buffer_printf(out, " %lld x %lld, %lld", (long long)point->sides[s].best.price,
                    (long long)point->sides[s].best.quantity, (long long)point->sides[s].depth);
        buffer_append_byte(out, '\n');
        return 0;
}

static inline void tell_samples(struct buffer *out, struct reader *reader, enum recon_clock clock)
{
        struct error error = {0};
        struct sample_options options = {INT64_MIN, INT64_MAX, 17 * NS_PER_S, 5, clock};
        if (recon_sample(reader, stream_must(reader), &options, tell_point, out, &error))
                fail_msg("sample: %s", error.text);
}

static inline void tell_list(struct buffer *out, const struct recon_stream *stream)
{
        const struct mark_record *mark = &stream->mark;
        buffer_printf(out, "list %zu days, position %llu..%llu clean %d events %llu levels %llu",
            stream->day_count, (unsigned long long)stream->first_position,
            (unsigned long long)mark->next_position, mark->clean, (unsigned long long)mark->events,
            (unsigned long long)mark->level_updates);
        buffer_printf(out, " gaps %llu times %lld %lld until %lld %lld\n",
            (unsigned long long)mark->gaps, (long long)mark->first_event_time_ns,
            (long long)mark->last_event_time_ns, (long long)mark->recorded_until_ns,
            (long long)mark->recorded_until_receive_ns);
}

/* All that a record tells but the number and the bytes of its images. */
static inline struct buffer tell_record(
    struct store *store, const struct feed *feed, unsigned books)
{
        static const struct replay_options everything = {INT64_MIN, INT64_MAX, CLOCK_EXCHANGE};
        struct chance chance = {23};
        struct buffer out;
        struct reader reader = reader_must(store);
        buffer_init(&out, TEXT_MAX);
        tell_list(&out, stream_must(&reader));
        tell_coverage(&out, store);
        tell_replay(&out, &reader, &everything);
        for (unsigned i = 0; i < books / 20; i++) {
                struct replay_options range = range_of(feed, &chance);
                tell_replay(&out, &reader, &range);
        }
        tell_samples(&out, &reader, CLOCK_EXCHANGE);
        tell_samples(&out, &reader, CLOCK_RECEIVE);
        tell_books(&out, &reader, feed, books);
        reader_close(&reader);
        assert_false(out.failed);
        return out;
}

static inline void assert_verified(struct store *store)
{
        struct problems problems;
        verify_store(store, &problems);
        if (problems.count)
                fail_msg("%zu problems: %s", problems.count, problems.text[0]);
}

#endif
