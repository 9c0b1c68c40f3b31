/* Somebody changed the store: whatever was done to it, verify names it and coverage shows the hole.
 */
#include "codec/varint.h"
#include "tests/unit/record_help.h"

#define STREAM 1u

static struct feed feed;

/* A record of two hundred events, a repair early and a gap in its middle, cleanly stopped. */
static void record_make(unsigned number)
{
        char path[32];
        snprintf(path, sizeof(path), "falsify-%u", number);
        feed_begin(&feed, 99, feed_store(&store_memory, path));
        feed_open(&feed);
        feed_bridge(&feed, 2, 2);
        feed_tail(&feed);
        feed_event(&feed);
        feed_correct(&feed);
        for (unsigned i = 0; i < 99; i++)
                feed_event(&feed);
        recorder_tick(feed.recorder, feed.now_ns);
        feed_gap(&feed, GAP_SEQUENCE);
        feed_bridge(&feed, 0, 2);
        for (unsigned i = 0; i < 100; i++)
                feed_event(&feed);
        feed_close(&feed);
        struct problems problems;
        verify_store(feed.store, &problems);
        assert_int_equal(problems.count, 0);
}

static uint32_t record_day(void)
{
        return day_of_time(feed.now_ns);
}

static struct store_txn change_begin(void)
{
        struct store_txn txn;
        assert_int_equal(feed.store->ops->begin(feed.store, record_day(), true, &txn, NULL), 0);
        return txn;
}

static void change_commit(struct store_txn *txn)
{
        assert_int_equal(feed.store->ops->commit(txn, NULL), 0);
}

struct entry {
        struct store_key key;
        struct bytes value; /* a copy */
        struct frame_info info;
};

/* All entries of one table, copied. */
static size_t entries_read(enum store_table table, struct entry *entries, size_t capacity)
{
        const struct store_ops *ops = feed.store->ops;
        struct store_txn txn;
        struct store_cursor cursor;
        size_t count = 0;
        assert_int_equal(ops->begin(feed.store, record_day(), false, &txn, NULL), 0);
        int code = ops->seek(&txn, table, (struct store_key){STREAM, INT64_MIN, 0}, &cursor);
        for (; !code; code = ops->next(&cursor)) {
                assert_true(count < capacity);
                struct entry *entry = &entries[count++];
                uint8_t *copy = memory_new(cursor.value.size);
                if (cursor.value.size)
                        memcpy(copy, cursor.value.data, cursor.value.size);
                *entry = (struct entry){cursor.key, {copy, cursor.value.size}, {0}};
                if (table == STORE_FRAMES)
                        assert_int_equal(frame_read(entry->value, &entry->info), 0);
        }
        ops->done(&cursor);
        ops->abort(&txn);
        assert_int_equal(code, ERR_NOT_FOUND);
        return count;
}

static void entries_free(struct entry *entries, size_t count)
{
        for (size_t i = 0; i < count; i++)
                free((void *)(uintptr_t)entries[i].value.data);
}

static void entry_erase(enum store_table table, struct store_key key)
{
        struct store_txn txn = change_begin();
        feed.store->ops->erase(&txn, table, key, key, NULL);
        change_commit(&txn);
}

static void entry_put(enum store_table table, struct store_key key, struct bytes value)
{
        struct store_txn txn = change_begin();
        feed.store->ops->put(&txn, table, key, value);
        change_commit(&txn);
}

static void assert_problem(const char *words)
{
        struct problems problems;
        verify_store(feed.store, &problems);
        assert_true(problems.count > 0);
        for (size_t i = 0; i < problems.count && i < PROBLEMS_MAX; i++) {
                if (strstr(problems.text[i], words))
                        return;
        }
        fail_msg("no problem says \"%s\"; the first is \"%s\"", words, problems.text[0]);
}

static bool is_shown(const struct coverage *coverage, const struct moment *moment)
{
        for (size_t i = 0; i < coverage->gaps.count; i++) {
                const struct gap_record *gap = &coverage->gaps.gaps[i];
                if (moment->last_id > gap->from_id && (gap->open || moment->last_id < gap->to_id))
                        return true;
        }
        return false;
}

/* Times fall back by up to 5 s here: so near to a hole, no book can be vouched for. */
static bool is_near_hole(const struct coverage *coverage, int64_t at_ns)
{
        for (size_t i = 0; i < coverage->gaps.count; i++) {
                const struct gap_record *gap = &coverage->gaps.gaps[i];
                if (at_ns > gap->from_time_ns - 10 * NS_PER_S &&
                    (gap->open || at_ns < gap->to_time_ns + 10 * NS_PER_S))
                        return true;
        }
        return false;
}

static void assert_missing(const struct coverage *coverage)
{
        for (size_t i = 0; i < coverage->gaps.count; i++) {
                if (coverage->gaps.gaps[i].cause == GAP_MISSING)
                        return;
        }
        fail_msg("coverage shows no hole");
}

/* A book is the right one or it is refused, and what is refused lies in a hole that coverage
 * shows. */
static void assert_holes_are_shown(void)
{
        struct coverage coverage = cover_store(feed.store);
        struct reader reader = reader_must(feed.store);
        struct recon_book book;
        recon_book_init(&book);
        assert_missing(&coverage);
        for (size_t i = 0; i < feed.count; i++) {
                int64_t at_ns = feed.moments[i].event_time_ns;
                const struct moment *right = feed_at(&feed, at_ns, CLOCK_EXCHANGE);
                int code = recon_book_at(
                    &reader, stream_must(&reader), at_ns, CLOCK_EXCHANGE, &book, NULL);
                if (!code && !book_is_moment(&book, right))
                        fail_msg("moment %zu: a wrong book is given (%s)", i,
                            book_status_name(book.status));
                if (code && !is_shown(&coverage, right) && !is_near_hole(&coverage, at_ns))
                        fail_msg("moment %zu is lost and not in a gap", i);
        }
        recon_book_deinit(&book);
        reader_close(&reader);
        gap_list_deinit(&coverage.gaps);
}

static int skip_event(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        (void)befores;
        (void)event, (void)scale, (void)book, (void)epoch, (void)user;
        return 0;
}

static int replay_all(void)
{
        struct reader reader = reader_must(feed.store);
        struct replay_options options = {INT64_MIN, INT64_MAX, CLOCK_EXCHANGE};
        struct replay_callbacks callbacks = {.event_cb = skip_event};
        int code = recon_replay(&reader, stream_must(&reader), &options, &callbacks, NULL);
        reader_close(&reader);
        return code;
}

#define ENTRIES 512

/* ---- frames ---- */

static void each_missing_frame_is_named(void **state)
{
        (void)state;
        struct entry entries[ENTRIES];
        record_make(0);
        size_t count = entries_read(STORE_FRAMES, entries, ENTRIES);
        assert_true(count > 10);
        for (size_t i = 0; i < count; i++) {
                entry_erase(STORE_FRAMES, entries[i].key);
                assert_problem("missing");
                if (entries[i].info.kind != FRAME_HEADLESS)
                        assert_holes_are_shown();
                if (i && i + 1 < count)
                        assert_int_equal(replay_all(), ERR_CORRUPT);
                entry_put(STORE_FRAMES, entries[i].key, entries[i].value);
        }
        entries_free(entries, count);
        feed_end(&feed);
}

static void each_flipped_byte_is_named(void **state)
{
        (void)state;
        struct entry entries[ENTRIES];
        struct chance chance = {7};
        record_make(1);
        size_t count = entries_read(STORE_FRAMES, entries, ENTRIES);
        for (size_t i = 0; i < count; i++) {
                uint8_t *bytes = memory_new(entries[i].value.size);
                memcpy(bytes, entries[i].value.data, entries[i].value.size);
                bytes[chance_below(&chance, entries[i].value.size)] ^=
                    (uint8_t)(1u << chance_below(&chance, 8));
                entry_put(
                    STORE_FRAMES, entries[i].key, (struct bytes){bytes, entries[i].value.size});
                struct problems problems;
                verify_store(feed.store, &problems);
                assert_true(problems.count > 0);
                if (entries[i].info.kind != FRAME_HEADLESS) {
                        assert_holes_are_shown();
                        assert_int_not_equal(replay_all(), 0);
                }
                entry_put(STORE_FRAMES, entries[i].key, entries[i].value);
                free(bytes);
        }
        entries_free(entries, count);
        feed_end(&feed);
}

/* The segment of a frame, decoded and encoded again. */
struct forge {
        struct decoder decoder;
        struct token_encoder encoder;
        struct frame_packer packer;
        struct book decoded, encoded;
        struct buffer block;
};

static void forge_begin(struct forge *forge)
{
        decoder_init(&forge->decoder);
        token_encoder_init(&forge->encoder);
        frame_packer_init(&forge->packer);
        book_init(&forge->decoded);
        book_init(&forge->encoded);
        buffer_init(&forge->block, LIMIT_BLOCK_SIZE);
}

static void forge_end(struct forge *forge)
{
        decoder_deinit(&forge->decoder);
        token_encoder_deinit(&forge->encoder);
        frame_packer_deinit(&forge->packer);
        book_deinit(&forge->decoded);
        book_deinit(&forge->encoded);
        buffer_deinit(&forge->block);
}

/* Encode the frame at @entry as it is; only its last event's last id is lower by @less. */
static void forge_frame(struct forge *forge, const struct entry *entry, int64_t less)
{
        struct frame_info info;
        struct event event;
        assert_int_equal(decoder_open(&forge->decoder, entry->value, &info), 0);
        assert_int_equal(info.method, METHOD_TOKENS);
        for (uint32_t i = 0; i < info.events; i++) {
                assert_int_equal(decoder_next(&forge->decoder, &forge->decoded, &event), 1);
                if (!i)
                        token_begin(&forge->encoder, &info.scale, &event);
                event.last_id -= i + 1 == info.events ? less : 0;
                token_add(&forge->encoder, &forge->encoded, &event);
        }
        buffer_clear(&forge->block);
        token_finish(&forge->encoder, &forge->block);
}

/* Frame @at with its last event's last id lower by @less, that of its head by @head_less, and a
 * right checksum. Its coding continues what the frames before it left, from the image of their
 * segment on. */
static void forge_id(const struct entry *entries, size_t at, int64_t less, int64_t head_less,
    struct buffer *ret_frame)
{
        struct forge forge;
        struct frame_info info;
        size_t from = at;
        forge_begin(&forge);
        while (entries[from].info.kind != FRAME_IMAGE)
                from--;
        assert_int_equal(decoder_open(&forge.decoder, entries[from].value, &info), 0);
        assert_int_equal(decoder_image(&forge.decoder, &forge.decoded), 0);
        book_copy(&forge.encoded, &forge.decoded);
        while (++from < at)
                forge_frame(&forge, &entries[from], 0);
        forge_frame(&forge, &entries[at], less);
        info = entries[at].info;
        info.last_id -= head_less;
        buffer_clear(ret_frame);
        assert_int_equal(
            frame_write(&forge.packer, &info, buffer_bytes(&forge.block), ret_frame), 0);
        forge_end(&forge);
}

static void an_altered_id_is_named_though_the_checksum_is_right(void **state)
{
        (void)state;
        struct entry entries[ENTRIES];
        struct buffer forged;
        record_make(2);
        buffer_init(&forged, LIMIT_BLOCK_SIZE);
        size_t count = entries_read(STORE_FRAMES, entries, ENTRIES);
        size_t at = 1;
        while (entries[at].info.kind != FRAME_CHANGES || entries[at].info.events < 3 ||
            entries[at - 1].info.kind != FRAME_REPAIR)
                assert_true(++at < count);
        forge_id(entries, at, 0, 0, &forged);
        assert_int_equal(forged.size, entries[at].value.size);
        assert_memory_equal(forged.data, entries[at].value.data, forged.size);
        for (int64_t head = 0; head < 2; head++) {
                forge_id(entries, at, 1, head, &forged);
                entry_put(STORE_FRAMES, entries[at].key, buffer_bytes(&forged));
                struct problems problems;
                verify_store(feed.store, &problems);
                assert_true(problems.count > 0);
                assert_problem(head ? "do not follow" : "ids or times");
        }
        buffer_deinit(&forged);
        entries_free(entries, count);
        feed_end(&feed);
}

/* ---- what stands beside the frames ---- */

static void a_removed_gap_record_is_named(void **state)
{
        (void)state;
        struct entry entries[ENTRIES];
        record_make(3);
        size_t count = entries_read(STORE_GAPS, entries, ENTRIES);
        assert_int_equal(count, 1);
        entry_erase(STORE_GAPS, entries[0].key);
        assert_problem("without a gap record");
        struct coverage coverage = cover_store(feed.store);
        assert_missing(&coverage);
        gap_list_deinit(&coverage.gaps);
        entries_free(entries, count);
        feed_end(&feed);
}

static void a_removed_open_gap_is_named(void **state)
{
        (void)state;
        struct entry entries[ENTRIES];
        record_make(4);
        feed_open(&feed);
        feed_close(&feed);
        size_t count = entries_read(STORE_GAPS, entries, ENTRIES);
        assert_int_equal(count, 2);
        entry_erase(STORE_GAPS, entries[1].key);
        assert_problem("open gap");
        entries_free(entries, count);
        feed_end(&feed);
}

static void each_entry_of_the_time_index_counts(void **state)
{
        (void)state;
        struct entry entries[ENTRIES];
        record_make(5);
        size_t count = entries_read(STORE_TIMES, entries, ENTRIES);
        for (size_t i = 0; i < count; i++) {
                entry_erase(STORE_TIMES, entries[i].key);
                assert_problem("time index");
                entry_put(STORE_TIMES, entries[i].key, entries[i].value);
        }
        entries_free(entries, count);
        feed_end(&feed);
}

static void each_counter_of_the_mark_counts(void **state)
{
        (void)state;
        struct entry entry;
        struct mark_record mark;
        record_make(6);
        assert_int_equal(entries_read(STORE_MARKS, &entry, 1), 1);
        assert_int_equal(mark_read(entry.value, &mark), 0);
        uint64_t *counters[] = {&mark.events, &mark.level_updates, &mark.images, &mark.image_bytes,
            &mark.change_bytes, &mark.next_position, &mark.first_position};
        for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
                struct buffer value;
                buffer_init(&value, 4096);
                ++*counters[i];
                mark_write(&value, &mark);
                --*counters[i];
                entry_put(STORE_MARKS, entry.key, buffer_bytes(&value));
                struct problems problems;
                verify_store(feed.store, &problems);
                if (!problems.count)
                        fail_msg("counter %zu of the mark was changed, nobody saw it", i);
                buffer_deinit(&value);
        }
        entries_free(&entry, 1);
        feed_end(&feed);
}

static void nothing_left_is_a_hole_from_end_to_end(void **state)
{
        (void)state;
        record_make(7);
        struct store_txn txn = change_begin();
        feed.store->ops->erase(
            &txn, STORE_FRAMES, key_position(STREAM, 0), key_position(STREAM, 1 << 20), NULL);
        change_commit(&txn);
        assert_problem("missing");
        struct coverage coverage = cover_store(feed.store);
        assert_int_equal(coverage.covered_ns, 0);
        gap_list_deinit(&coverage.gaps);
        feed_end(&feed);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(each_missing_frame_is_named),
            cmocka_unit_test(each_flipped_byte_is_named),
            cmocka_unit_test(an_altered_id_is_named_though_the_checksum_is_right),
            cmocka_unit_test(a_removed_gap_record_is_named),
            cmocka_unit_test(a_removed_open_gap_is_named),
            cmocka_unit_test(each_entry_of_the_time_index_counts),
            cmocka_unit_test(each_counter_of_the_mark_counts),
            cmocka_unit_test(nothing_left_is_a_hole_from_end_to_end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
