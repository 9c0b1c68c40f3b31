/* A replay with its decoder in a thread of its own gives what a plain one gives. */
#include "base/limits.h"
#include "recon/ahead.h"
#include "tests/unit/record_help.h"

#define STEPS 1500
#define STOPPED 77
#define WAIT_MS 10000

/* ---- what the callbacks were given, as lines ---- */

struct script {
        struct buffer text;
        size_t calls;   /* of event_cb */
        size_t stop_at; /* the call that stops the replay, or 0 */
        size_t largest; /* levels of an event */
        bool expect_book;
};

static struct script script_new(void)
{
        struct script script = {0};
        buffer_init(&script.text, 64u << 20);
        return script;
}

static void script_levels(
    struct script *script, const struct event *event, const int64_t *befores, enum side s)
{
        for (uint32_t i = 0; i < event->count[s]; i++)
                buffer_printf(&script->text, " %d %lld: %lld -> %lld", s,
                    (long long)event->levels[s][i].price, (long long)befores[i],
                    (long long)event->levels[s][i].quantity);
}

static void script_event(struct script *script, const char *kind, const struct event *event,
    const int64_t *befores, const struct scale *scale, uint32_t epoch)
{
        buffer_printf(&script->text, "%s %lld %lld %lld..%lld flags %u epoch %u", kind,
            (long long)event->event_time_ns, (long long)event->receive_time_ns,
            (long long)event->first_id, (long long)event->last_id, event->flags, epoch);
        buffer_printf(&script->text, " scale %u %u %d %lld %lld", scale->price_digits,
            scale->quantity_digits, scale->fixed, (long long)scale->tick, (long long)scale->lot);
        script_levels(script, event, befores, SIDE_BID);
        script_levels(script, event, befores + event->count[SIDE_BID], SIDE_ASK);
        buffer_append_byte(&script->text, '\n');
        if (event_level_count(event) > script->largest)
                script->largest = event_level_count(event);
}

static int note_event(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        struct script *script = user;
        assert_int_equal(book != NULL, script->expect_book);
        assert_true(!script->stop_at || script->calls < script->stop_at);
        script_event(script, "event", event, befores, scale, epoch);
        return ++script->calls == script->stop_at ? STOPPED : 0;
}

static int note_pass(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        struct script *script = user;
        assert_int_equal(book != NULL, script->expect_book);
        script_event(script, "pass", event, befores, scale, epoch);
        return 0;
}

static void note_sum(uint64_t sum, const struct scale *scale, void *user)
{
        struct script *script = user;
        buffer_printf(&script->text, "image %016llx scale %u %u\n", (unsigned long long)sum,
            scale->price_digits, scale->quantity_digits);
}

static void note_image(const struct book *book, const struct scale *scale, void *user)
{
        note_sum(digest_book(book, scale), scale, user);
}

static const struct replay_options everything = {INT64_MIN, INT64_MAX, CLOCK_EXCHANGE};

static int play_plain(struct store *store, const struct replay_options *options,
    struct script *script, struct error *error)
{
        struct reader reader = reader_must(store);
        struct replay_callbacks callbacks = {note_event, note_pass, note_image, script};
        script->expect_book = true;
        int code = recon_replay(&reader, stream_must(&reader), options, &callbacks, error);
        reader_close(&reader);
        assert_false(script->text.failed);
        return code;
}

static int play_ahead(struct store *store, const struct replay_options *options, bool apart,
    struct script *script, struct error *error)
{
        struct reader reader = reader_must(store);
        struct ahead_callbacks callbacks = {note_event, note_pass, digest_book, note_sum, script};
        int code = ahead_replay(&reader, stream_must(&reader), options, &callbacks, apart, error);
        reader_close(&reader);
        assert_false(script->text.failed);
        return code;
}

static void assert_same_text(const struct script *a, const struct script *b)
{
        assert_int_equal(a->calls, b->calls);
        assert_int_equal(a->text.size, b->text.size);
        if (a->text.size)
                assert_memory_equal(a->text.data, b->text.data, a->text.size);
}

/* The three ways to replay: plain, with a thread, without one. */
static size_t check_alike(struct store *store, const struct replay_options *options, int expected)
{
        struct script plain = script_new();
        struct error error = {0};
        assert_int_equal(play_plain(store, options, &plain, &error), expected);
        for (int apart = 0; apart < 2; apart++) {
                struct script ahead = script_new();
                struct error ahead_error = {0};
                assert_int_equal(play_ahead(store, options, apart, &ahead, &ahead_error), expected);
                assert_same_text(&ahead, &plain);
                assert_int_equal(ahead_error.code, expected);
                assert_string_equal(ahead_error.text, error.text);
                buffer_deinit(&ahead.text);
        }
        buffer_deinit(&plain.text);
        return plain.calls;
}

/* ---- streams ---- */

static void stream_make(struct feed *feed, uint64_t seed, const char *path, unsigned steps)
{
        feed_begin(feed, seed, feed_store(&store_memory, path));
        feed_open(feed);
        for (unsigned i = 0; i < steps; i++)
                feed_step(feed);
        feed_close(feed);
}

/* Add an event of @count asks, with an image to go on from. */
static void record_wide(struct feed *feed, uint32_t count, int64_t quantity)
{
        struct level *levels = memory_new(count * sizeof(*levels));
        for (uint32_t i = 0; i < count; i++)
                levels[i] = (struct level){2000 + i, quantity + i};
        feed->now_ns += 100 * NS_PER_MS;
        feed->id++;
        struct event event = {.event_time_ns = feed->now_ns,
            .receive_time_ns = feed->now_ns,
            .first_id = feed->id,
            .last_id = feed->id,
            .count[SIDE_ASK] = count,
            .levels = {levels, levels}};
        assert_int_equal(record_event(feed->stream, &event), 0);
        recorder_tick(feed->recorder, feed->now_ns);
        free(levels);
}

/* Far more than all chunks hold, in events of 400 levels. */
static void stream_make_long(struct feed *feed, const char *path)
{
        feed_begin(feed, 3, feed_store(&store_memory, path));
        feed->options.seal_levels = 10000;
        feed_open(feed);
        feed_bridge(feed, 1, 1);
        for (unsigned i = 0; i < 4000; i++)
                record_wide(feed, 400, 1 + i % 7);
        feed_close(feed);
}

#define LONG_BYTES (4000u * 400 * (sizeof(struct level) + sizeof(int64_t)))

/* ---- the law ---- */

static void the_callbacks_are_those_of_a_plain_replay(void **state)
{
        (void)state;
        for (uint64_t seed = 1; seed <= 5; seed++) {
                struct feed feed;
                char path[32];
                snprintf(path, sizeof(path), "ahead-%u", (unsigned)seed);
                stream_make(&feed, seed, path, STEPS);
                assert_int_equal(check_alike(feed.store, &everything, 0), feed.count);
                feed_end(&feed);
        }
}

static void a_range_and_what_it_passes_are_those_of_a_plain_replay(void **state)
{
        (void)state;
        struct feed feed;
        size_t calls = 0;
        stream_make(&feed, 6, "ahead-range", STEPS);
        for (unsigned round = 0; round < 20; round++) {
                size_t at = chance_below(&feed.chance, feed.count);
                int64_t from = feed.moments[at].event_time_ns;
                struct replay_options options = {from,
                    from + (int64_t)chance_below(&feed.chance, 60) * NS_PER_S,
                    round % 2 ? CLOCK_RECEIVE : CLOCK_EXCHANGE};
                calls += check_alike(feed.store, &options, 0);
        }
        assert_true(calls > 100);
        feed_end(&feed);
}

static int count_event(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        (void)event, (void)befores, (void)scale, (void)book, (void)epoch;
        ++*(size_t *)user;
        return 0;
}

static void callbacks_that_are_not_given_are_not_called(void **state)
{
        (void)state;
        struct feed feed;
        stream_make(&feed, 7, "ahead-few", STEPS);
        struct reader reader = reader_must(feed.store);
        int64_t middle = feed.moments[feed.count / 2].event_time_ns;
        struct replay_options options = {middle, middle + 20 * NS_PER_S, CLOCK_EXCHANGE};
        for (int apart = 0; apart < 2; apart++) {
                size_t counted = 0, expected = 0;
                struct ahead_callbacks callbacks = {.event_cb = count_event, .user = &counted};
                struct replay_callbacks plain = {.event_cb = count_event, .user = &expected};
                assert_int_equal(
                    ahead_replay(&reader, stream_must(&reader), &options, &callbacks, apart, NULL),
                    0);
                assert_int_equal(
                    recon_replay(&reader, stream_must(&reader), &options, &plain, NULL), 0);
                assert_true(counted > 0);
                assert_int_equal(counted, expected);
        }
        reader_close(&reader);
        feed_end(&feed);
}

/* ---- large events ---- */

static void an_event_larger_than_a_chunk_comes_whole_and_in_its_place(void **state)
{
        (void)state;
        struct feed feed;
        feed_begin(&feed, 8, feed_store(&store_memory, "ahead-large"));
        feed_open(&feed);
        feed_bridge(&feed, 1, 1);
        for (unsigned i = 0; i < 12; i++) {
                for (unsigned j = 0; j < 20 * (i % 3); j++)
                        feed_event(&feed);
                /* around the size of a chunk, and far beyond all chunks */
                record_wide(&feed, i == 5 ? 200000 : 10900 + i * 5, i + 1);
        }
        feed_close(&feed);
        struct script script = script_new();
        assert_int_equal(play_ahead(feed.store, &everything, true, &script, NULL), 0);
        assert_int_equal(script.largest, 200000);
        assert_true(200000 * sizeof(struct level) > LIMIT_AHEAD_CHUNK);
        buffer_deinit(&script.text);
        assert_int_equal(check_alike(feed.store, &everything, 0), feed.count + 12);
        feed_end(&feed);
}

/* ---- the end before the end ---- */

/* Stop at each of some calls: what was told before is the beginning of the whole. */
static void a_callback_stops_it_with_its_code(void **state)
{
        (void)state;
        struct feed feed;
        stream_make(&feed, 9, "ahead-stop", STEPS);
        struct script whole = script_new();
        assert_int_equal(play_plain(feed.store, &everything, &whole, NULL), 0);
        for (unsigned round = 0; round < 30; round++) {
                struct script script = script_new();
                struct error error = {.code = 1}; /* to be left as it is */
                script.stop_at = round ? 1 + chance_below(&feed.chance, whole.calls) : 1;
                assert_int_equal(
                    play_ahead(feed.store, &everything, round % 5 != 0, &script, &error), STOPPED);
                assert_int_equal(script.calls, script.stop_at);
                assert_int_equal(error.code, 1);
                assert_true(script.text.size <= whole.text.size);
                assert_memory_equal(script.text.data, whole.text.data, script.text.size);
                buffer_deinit(&script.text);
        }
        buffer_deinit(&whole.text);
        feed_end(&feed);
}

/* The frame with the event of about that index, one bit of it changed. */
static void damage_frame(struct feed *feed, unsigned index)
{
        const struct store_ops *ops = feed->store->ops;
        struct store_txn txn;
        struct store_cursor cursor;
        struct buffer frame;
        uint32_t day = day_of_time(feed->now_ns);
        buffer_init(&frame, LIMIT_BLOCK_SIZE);
        assert_int_equal(ops->begin(feed->store, day, true, &txn, NULL), 0);
        int code = ops->seek(&txn, STORE_FRAMES, (struct store_key){1, INT64_MIN, 0}, &cursor);
        for (unsigned i = 0; i < index && !code; i++)
                code = ops->next(&cursor);
        assert_int_equal(code, 0);
        buffer_append(&frame, cursor.value.data, cursor.value.size);
        struct store_key key = cursor.key;
        ops->done(&cursor);
        frame.data[frame.size - 1] ^= 4;
        ops->put(&txn, STORE_FRAMES, key, buffer_bytes(&frame));
        assert_int_equal(ops->commit(&txn, NULL), 0);
        buffer_deinit(&frame);
}

static void an_error_comes_after_the_events_before_it(void **state)
{
        (void)state;
        struct feed feed;
        stream_make(&feed, 10, "ahead-damage", STEPS);
        size_t before = feed.count + 1;
        for (unsigned index = 40; index > 0; index -= 10) {
                damage_frame(&feed, index);
                size_t calls = check_alike(feed.store, &everything, ERR_CORRUPT);
                assert_true(calls < before);
                assert_true(calls > 0 || index == 10);
                before = calls;
        }
        feed_end(&feed);
}

/* ---- bounded ---- */

/* Images that the decoder came to: the mark of how far it is. */
static _Atomic size_t images_decoded;

static uint64_t count_image(const struct book *book, const struct scale *scale)
{
        (void)book, (void)scale;
        return ++images_decoded;
}

struct held {
        size_t events, hold_at, stop_at;
        size_t images_taken, images_held; /* images_held: those that the decoder stood still at */
};

/* Wait until the decoder has stood still for a while. */
static size_t await_standstill(void)
{
        size_t seen = images_decoded;
        for (unsigned ms = 0, quiet = 0; ms < WAIT_MS && quiet < 200; ms++, quiet++) {
                usleep(1000);
                if (images_decoded != seen)
                        quiet = 0;
                seen = images_decoded;
        }
        return seen;
}

static int hold_event(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        struct held *held = user;
        (void)event, (void)befores, (void)scale, (void)book, (void)epoch;
        if (++held->events == held->hold_at)
                held->images_held = await_standstill() - held->images_taken;
        return held->events == held->stop_at ? STOPPED : 0;
}

static void hold_image(uint64_t sum, const struct scale *scale, void *user)
{
        struct held *held = user;
        (void)scale;
        assert_int_equal(sum, ++held->images_taken);
}

/* Both the decoder's lead and its way after a stop are a small part of the stream. */
static void the_decoder_is_a_bounded_way_ahead_and_stops_there(void **state)
{
        (void)state;
        struct feed feed;
        stream_make_long(&feed, "ahead-long");
        struct reader reader = reader_must(feed.store);
        size_t images = stream_must(&reader)->mark.images;
        size_t bound = images * LIMIT_AHEAD_CHUNKS * LIMIT_AHEAD_CHUNK / LONG_BYTES + 2;
        assert_true(images > 100);
        assert_true(bound < images / 10);
        for (size_t stop = 0; stop < 2; stop++) {
                struct held held = {.hold_at = 1000, .stop_at = stop * 1000};
                struct ahead_callbacks callbacks = {
                    hold_event, NULL, count_image, hold_image, &held};
                images_decoded = 0;
                int code = ahead_replay(
                    &reader, stream_must(&reader), &everything, &callbacks, true, NULL);
                assert_int_equal(code, stop ? STOPPED : 0);
                assert_int_equal(held.events, stop ? 1000 : 4001);
                assert_in_range(held.images_held, 1, bound);
                assert_int_equal(images_decoded,
                    stop ? held.images_taken + held.images_held : held.images_taken);
        }
        reader_close(&reader);
        feed_end(&feed);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(the_callbacks_are_those_of_a_plain_replay),
            cmocka_unit_test(a_range_and_what_it_passes_are_those_of_a_plain_replay),
            cmocka_unit_test(callbacks_that_are_not_given_are_not_called),
            cmocka_unit_test(an_event_larger_than_a_chunk_comes_whole_and_in_its_place),
            cmocka_unit_test(a_callback_stops_it_with_its_code),
            cmocka_unit_test(an_error_comes_after_the_events_before_it),
            cmocka_unit_test(the_decoder_is_a_bounded_way_ahead_and_stops_there),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
