/* The record written in the older layout and read back is the same record. */
#include <time.h>

#include "ship/legacy.h"
#include "ship/legacy_follow.h"
#include "tests/unit/database_help.h"
#include "tests/unit/legacy_help.h"

#define STEPS 1500

/* ---- what a record holds, event by event ---- */

struct row {
        int64_t first_id, last_id, event_time_ns, receive_time_ns;
        uint64_t digest; /* of the book behind it, whatever the scale */
        uint32_t epoch;
};

struct rows {
        struct row *rows;
        size_t count, capacity;
};

static int row_cb(const struct event *event, const int64_t *befores, const struct scale *scale,
    const struct book *book, uint32_t epoch, void *user)
{
        struct rows *rows = user;
        struct scale plain = *scale;
        (void)befores;
        plain.fixed = false;
        if (rows->count == rows->capacity) {
                rows->capacity = rows->capacity ? 2 * rows->capacity : 1024;
                rows->rows = memory_resize(rows->rows, rows->capacity * sizeof(*rows->rows));
        }
        rows->rows[rows->count++] = (struct row){event->first_id, event->last_id,
            event->event_time_ns, event->receive_time_ns, digest_book(book, &plain), epoch};
        return 0;
}

static struct rows rows_of(struct store *store, uint8_t kind)
{
        struct reader reader = reader_must(store);
        struct rows rows = {0};
        struct error error = {0};
        struct replay_options options = {INT64_MIN, INT64_MAX, CLOCK_EXCHANGE};
        struct replay_callbacks callbacks = {.event_cb = row_cb, .user = &rows};
        const struct recon_stream *stream = reader_find(&reader, "binance", "BTCUSDT", kind);
        assert_non_null(stream);
        if (recon_replay(&reader, stream, &options, &callbacks, &error))
                fail_msg("replay: %s", error.text);
        reader_close(&reader);
        return rows;
}

static void assert_same_rows(const struct rows *a, const struct rows *b)
{
        assert_int_equal(a->count, b->count);
        for (size_t i = 0; i < a->count; i++) {
                assert_int_equal(a->rows[i].first_id, b->rows[i].first_id);
                assert_int_equal(a->rows[i].last_id, b->rows[i].last_id);
                assert_int_equal(a->rows[i].event_time_ns, b->rows[i].event_time_ns);
                assert_int_equal(a->rows[i].receive_time_ns, b->rows[i].receive_time_ns);
                assert_int_equal(a->rows[i].digest, b->rows[i].digest);
        }
}

/* ---- following ---- */

/* All that is new since @from into @dump; how many documents. */
static size_t follow_into(struct store *store, struct legacy_state *from, struct dump *dump)
{
        struct reader reader = reader_must(store);
        struct legacy_batch batch;
        struct error error = {0};
        size_t count = 0;
        legacy_batch_init(&batch);
        do {
                if (legacy_follow(&reader, stream_must(&reader), "main", from, &batch, &error))
                        fail_msg("follow: %s", error.text);
                for (size_t i = 0; i < batch.count; i++)
                        dump_bson(dump, batch.documents[i]);
                count += batch.count;
                *from = batch.state;
        } while (batch.more);
        legacy_batch_deinit(&batch);
        reader_close(&reader);
        return count;
}

/* Each gap that is over is told by the snapshot behind it. */
static void assert_same_gaps(struct store *before, struct store *after)
{
        struct coverage left = cover_store(before), right = cover_store(after);
        size_t closed = left.gaps.count;
        while (closed && left.gaps.gaps[closed - 1].open)
                closed--;
        assert_int_equal(right.gaps.count, closed);
        for (size_t i = 0; i < closed; i++) {
                assert_int_equal(left.gaps.gaps[i].cause, right.gaps.gaps[i].cause);
                assert_int_equal(left.gaps.gaps[i].from_id, right.gaps.gaps[i].from_id);
                assert_int_equal(left.gaps.gaps[i].to_time_ns, right.gaps.gaps[i].to_time_ns);
        }
        gap_list_deinit(&left.gaps);
        gap_list_deinit(&right.gaps);
}

static void a_record_written_and_imported_is_the_same(void **state)
{
        (void)state;
        for (uint64_t seed = 1; seed <= 12; seed++) {
                struct feed feed;
                struct legacy_state from = {0};
                struct dump dump = dump_begin();
                char name[32];
                snprintf(name, sizeof(name), "follow-%llu", (unsigned long long)seed);
                feed_begin(&feed, seed, memory_must(name));
                feed_open(&feed);
                for (unsigned i = 0; i < STEPS; i++)
                        feed_step(&feed);
                feed_close(&feed);
                size_t documents = follow_into(feed.store, &from, &dump);
                assert_true(documents >= feed.count);
                dump_end(&dump);
                snprintf(name, sizeof(name), "follow-%llu-back", (unsigned long long)seed);
                struct store *back = memory_must(name);
                struct import_result result = import_must(back, dump.path);
                assert_int_equal(result.skipped + result.repeated + result.headless, 0);
                assert_int_equal(result.documents, documents);
                struct rows before = rows_of(feed.store, KIND_L2), after = rows_of(back, KIND_L2);
                assert_int_equal(before.count, feed.count);
                assert_same_rows(&before, &after);
                assert_same_gaps(feed.store, back);
                struct problems problems;
                verify_store(back, &problems);
                if (problems.count)
                        fail_msg("verify: %s", problems.text[0]);
                free(before.rows);
                free(after.rows);
                back->ops->close(back);
                unlink(dump.path);
                feed_end(&feed);
        }
}

static void read_file(const char *name, struct buffer *ret_bytes)
{
        FILE *file = fopen(name, "rb");
        uint8_t bytes[4096];
        size_t size;
        assert_non_null(file);
        buffer_init(ret_bytes, SIZE_MAX / 2);
        while ((size = fread(bytes, 1, sizeof(bytes), file)))
                buffer_append(ret_bytes, bytes, size);
        fclose(file);
}

static void following_in_pieces_gives_the_same_documents(void **state)
{
        struct feed feed;
        struct legacy_state in_pieces = {0}, at_once = {0};
        struct dump pieces = dump_begin(), whole = dump_begin();
        struct buffer left, right;
        (void)state;
        feed_begin(&feed, 99, memory_must("pieces"));
        feed_open(&feed);
        for (unsigned i = 0; i < STEPS; i++) {
                feed_step(&feed);
                if (feed.count && i % 37 == 0) {
                        recorder_tick(feed.recorder, feed.now_ns);
                        follow_into(feed.store, &in_pieces, &pieces);
                }
        }
        feed_close(&feed);
        follow_into(feed.store, &in_pieces, &pieces);
        assert_int_equal(follow_into(feed.store, &in_pieces, &pieces), 0);
        follow_into(feed.store, &at_once, &whole);
        dump_end(&pieces);
        dump_end(&whole);
        read_file(pieces.path, &left);
        read_file(whole.path, &right);
        assert_int_equal(left.size, right.size);
        assert_memory_equal(left.data, right.data, left.size);
        assert_memory_equal(&in_pieces, &at_once, sizeof(at_once));
        buffer_deinit(&left);
        buffer_deinit(&right);
        unlink(pieces.path);
        unlink(whole.path);
        feed_end(&feed);
}

/* ---- documents ---- */

static void open_trades(struct feed *feed, struct record_stream **ret_stream)
{
        struct stream_name name = feed_name;
        struct image empty = {.receive_time_ns = feed->now_ns};
        struct error error;
        name.kind = KIND_TRADES;
        assert_int_equal(record_stream_open(
                             feed->recorder, &name, &feed->scale, feed->now_ns, ret_stream, &error),
            0);
        assert_int_equal(record_image(*ret_stream, &empty), 0);
}

static void trade(struct feed *feed, struct record_stream *stream, int64_t id, enum side maker)
{
        struct level level = {1000 + id, 5 * id};
        struct event event = {.event_time_ns = feed->now_ns,
            .receive_time_ns = feed->now_ns,
            .first_id = id,
            .last_id = id,
            .type = TYPE_TRADE};
        event.count[maker] = 1;
        event.levels[maker] = &level;
        assert_int_equal(record_event(stream, &event), 0);
}

static void trades_go_with_the_update_that_follows(void **state)
{
        struct feed feed;
        struct record_stream *trades;
        struct legacy_state from = {0};
        struct dump dump = dump_begin();
        uint64_t expected = 0;
        (void)state;
        feed_begin(&feed, 5, memory_must("trades"));
        feed_open(&feed);
        open_trades(&feed, &trades);
        feed_bridge(&feed, 0, 1);
        for (int64_t i = 1; i <= 500; i++) {
                trade(&feed, trades, i, i % 3 ? SIDE_ASK : SIDE_BID);
                if (i % 4 == 0)
                        feed_event(&feed);
                if (i % 50 == 0) {
                        recorder_tick(feed.recorder, feed.now_ns);
                        follow_into(feed.store, &from, &dump);
                }
        }
        feed_event(&feed);
        feed_close(&feed);
        follow_into(feed.store, &from, &dump);
        dump_end(&dump);
        struct legacy_source *source = source_must(dump.path);
        struct legacy_document document;
        while (!legacy_mongo.next(source, &document, NULL)) {
                expected += document.trades[LEGACY_BOUGHT].count;
                expected += document.trades[LEGACY_SOLD].count;
        }
        legacy_mongo.close(source);
        assert_int_equal(expected, 500);
        struct store *back = memory_must("trades-back");
        struct import_result result = import_must(back, dump.path);
        assert_int_equal(result.trades, 500);
        back->ops->close(back);
        unlink(dump.path);
        feed_end(&feed);
}

static const char *text_at(const bson_t *document, const char *place)
{
        bson_iter_t at, found;
        assert_true(bson_iter_init(&at, document));
        if (!bson_iter_find_descendant(&at, place, &found))
                fail_msg("no %s", place);
        return bson_iter_utf8(&found, NULL);
}

static void documents_have_the_layouts_names_and_ours(void **state)
{
        struct feed feed;
        struct legacy_state from = {0};
        struct legacy_batch batch;
        struct error error;
        bson_iter_t at;
        char collection[META_SYMBOL_SIZE];
        (void)state;
        feed_begin(&feed, 3, memory_must("names"));
        feed_open(&feed);
        feed_bridge(&feed, 0, 1);
        feed_close(&feed);
        struct reader reader = reader_must(feed.store);
        const struct recon_stream *stream = stream_must(&reader);
        legacy_batch_init(&batch);
        assert_int_equal(legacy_follow(&reader, stream, "a b", &from, &batch, &error), 0);
        assert_int_equal(batch.count, 2);
        assert_string_equal(text_at(batch.documents[0], "type"), "snapshot");
        assert_string_equal(text_at(batch.documents[1], "type"), "update");
        assert_string_equal(text_at(batch.documents[1], "exchange"), "binance");
        assert_string_equal(text_at(batch.documents[1], "symbol"), "BTCUSDT");
        assert_string_equal(text_at(batch.documents[1], "recorder"), "a b");
        char id[96];
        snprintf(id, sizeof(id), "a%%20b/%08x/00000001/80000000%08llx/event", stream->number,
            (long long)feed.event.last_id);
        assert_string_equal(text_at(batch.documents[1], "_id"), id);
        assert_true(bson_iter_init_find(&at, batch.documents[1], "DateTime"));
        assert_int_equal(bson_iter_date_time(&at), feed.event.event_time_ns / NS_PER_MS);
        assert_true(bson_iter_init_find(&at, batch.documents[1], "event_time_ns"));
        assert_true(BSON_ITER_HOLDS_INT64(&at));
        legacy_collection(&stream->name, collection);
        assert_string_equal(collection, "btcusdt");
        legacy_batch_deinit(&batch);
        reader_close(&reader);
        feed_end(&feed);
}

/* A field stands once in a document. */
static void of_two_changes_of_a_price_the_last_one_counts(void **state)
{
        struct feed feed;
        struct legacy_state from = {0};
        struct legacy_batch batch;
        struct error error;
        bson_iter_t at, side;
        const struct level levels[] = {{970, 5}, {980, 6}, {970, 7}};
        unsigned found = 0;
        (void)state;
        feed_begin(&feed, 6, memory_must("twice"));
        feed_open(&feed);
        feed_bridge(&feed, 0, 1);
        struct event event = {.event_time_ns = feed.now_ns,
            .receive_time_ns = feed.now_ns,
            .first_id = feed.id + 1,
            .last_id = feed.id + 1,
            .count = {3, 0},
            .levels = {levels, NULL}};
        assert_int_equal(record_event(feed.stream, &event), 0);
        feed_close(&feed);
        struct reader reader = reader_must(feed.store);
        legacy_batch_init(&batch);
        assert_int_equal(
            legacy_follow(&reader, stream_must(&reader), "main", &from, &batch, &error), 0);
        assert_int_equal(batch.count, 3);
        assert_true(bson_iter_init(&at, batch.documents[2]) &&
            bson_iter_find_descendant(&at, "orberbook.bids", &side) &&
            bson_iter_recurse(&side, &at));
        while (bson_iter_next(&at)) {
                bool seven = !strcmp(bson_iter_key(&at), "9.70");
                assert_string_equal(bson_iter_utf8(&at, NULL), seven ? "0.00000007" : "0.00000006");
                found++;
        }
        assert_int_equal(found, 2);
        legacy_batch_deinit(&batch);
        reader_close(&reader);
        feed_end(&feed);
}

/* The layout has no parts: what is deeper than fits is left out, and that is said. */
static void a_book_too_large_for_a_document_is_cut(void **state)
{
        struct feed feed;
        struct legacy_state from = {0};
        struct legacy_batch batch;
        struct error error;
        struct level *levels[SIDES];
        bson_iter_t at, side;
        uint32_t count = 250000, found = 0;
        (void)state;
        feed_begin(&feed, 4, memory_must("large"));
        feed.scale.fixed = true;
        feed_open(&feed);
        struct image image = {.id = feed.id, .receive_time_ns = feed.now_ns};
        for (enum side s = 0; s < SIDES; s++) {
                levels[s] = memory_new(count * sizeof(struct level));
                for (uint32_t i = 0; i < count; i++)
                        levels[s][i] =
                            (struct level){s == SIDE_BID ? 10000000 - i : 10000001 + i, 1000000000};
                image.levels[s] = levels[s];
                image.count[s] = count;
        }
        assert_int_equal(record_image(feed.stream, &image), 0);
        struct event event = {.event_time_ns = feed.now_ns,
            .receive_time_ns = feed.now_ns,
            .first_id = feed.id + 1,
            .last_id = feed.id + 1};
        assert_int_equal(record_event(feed.stream, &event), 0);
        feed_close(&feed);
        struct reader reader = reader_must(feed.store);
        legacy_batch_init(&batch);
        assert_int_equal(
            legacy_follow(&reader, stream_must(&reader), "main", &from, &batch, &error), 0);
        assert_in_range(batch.documents[0]->len, 10u << 20, 15u << 20);
        assert_true(bson_iter_init_find(&at, batch.documents[0], "cut") && bson_iter_bool(&at));
        assert_true(bson_iter_init(&at, batch.documents[0]) &&
            bson_iter_find_descendant(&at, "orberbook.bids", &side) &&
            bson_iter_recurse(&side, &at));
        while (bson_iter_next(&at))
                found++;
        assert_in_range(found, 100000, count - 1);
        for (enum side s = 0; s < SIDES; s++)
                free(levels[s]);
        legacy_batch_deinit(&batch);
        reader_close(&reader);
        feed_end(&feed);
}

/* ---- the thread, and a database ---- */

static struct store *local_must(const char *name, char ret_path[128])
{
        snprintf(ret_path, 128, "%s/%s", folder, name);
        return feed_store(&store_lmdb, ret_path);
}

/* Opened, and closed again: all that is committed is written by then. */
static void write_all(const char *local)
{
        struct legacy_options options = {.store = local,
            .endpoint = getenv("TEST_MONGODB_URI"),
            .database = folder + sizeof("/tmp/") - 1,
            .recorder = "main"};
        struct legacy *legacy;
        struct error error;
        if (legacy_open(&legacy, &options, &error))
                fail_msg("legacy: %s", error.text);
        legacy_close(legacy, 60 * NS_PER_S);
}

/* What the database holds, as a record. */
static struct rows import_database(const char *name, struct import_result *ret_result)
{
        struct legacy_source_options from = {.path = getenv("TEST_MONGODB_URI"),
            .database = folder + sizeof("/tmp/") - 1,
            .collection = "btcusdt"};
        struct store *back = memory_must(name);
        *ret_result = import_from(back, &from);
        struct rows rows = rows_of(back, KIND_L2);
        back->ops->close(back);
        return rows;
}

static void erase_positions(struct store *store)
{
        struct store_txn txn;
        struct error error;
        assert_int_equal(store->ops->begin(store, STORE_META, true, &txn, &error), 0);
        store->ops->erase(&txn, STORE_SINKS, (struct store_key){0},
            (struct store_key){UINT32_MAX, INT64_MAX, UINT64_MAX}, NULL);
        assert_int_equal(store->ops->commit(&txn, &error), 0);
}

/* What a try whose position was not kept had written otherwise. */
static void spoil_one(const char *id)
{
        struct mongo_options options = {
            .uri = getenv("TEST_MONGODB_URI"), .database = folder + sizeof("/tmp/") - 1};
        struct mongo *mongo;
        struct error error;
        bson_t reply, *one = BCON_NEW("_id", BCON_UTF8(id)),
                      *other = BCON_NEW("_id", BCON_UTF8(id), "type", BCON_UTF8("remark"));
        assert_int_equal(mongo_open(&mongo, &options, &error), 0);
        struct mongo_bulk *bulk = mongo_bulk_begin(mongo, "btcusdt", true);
        mongo_bulk_replace(bulk, one, other);
        assert_int_equal(mongo_bulk_run(bulk, &reply, &error), 0);
        bson_destroy(&reply);
        bson_destroy(one);
        bson_destroy(other);
        mongo_close(mongo);
}

static void the_database_gets_it_once_however_often_it_is_written(void **state)
{
        struct feed feed;
        char local[128];
        struct import_result once, again, more;
        (void)state;
        feed_begin(&feed, 21, local_must("record", local));
        feed_open(&feed);
        for (unsigned i = 0; i < STEPS; i++)
                feed_step(&feed);
        feed_close(&feed);
        write_all(local);
        struct rows recorded = rows_of(feed.store, KIND_L2);
        struct rows first = import_database("once", &once);
        assert_same_rows(&recorded, &first);
        char id[96];
        snprintf(id, sizeof(id), "main/00000001/00000001/80000000%08llx/event",
            (long long)first.rows[0].last_id);
        spoil_one(id);
        erase_positions(feed.store);
        write_all(local);
        assert_int_equal(first.rows[0].epoch, 1);
        struct rows second = import_database("again", &again);
        assert_int_equal(again.documents, once.documents);
        assert_same_rows(&recorded, &second);
        feed.id += 100;
        feed_open(&feed);
        for (unsigned i = 0; i < STEPS; i++)
                feed_step(&feed);
        feed_close(&feed);
        write_all(local);
        struct rows all = rows_of(feed.store, KIND_L2), third = import_database("more", &more);
        assert_true(third.count > first.count + STEPS / 2);
        assert_same_rows(&all, &third);
        free(recorded.rows);
        free(first.rows);
        free(second.rows);
        free(all.rows);
        free(third.rows);
        feed_end(&feed);
}

static void the_collections_of_the_layout_are_found(void **state)
{
        struct feed feed;
        char local[128], **names;
        size_t count = 0;
        struct error error;
        struct legacy_source_options from = {
            .path = getenv("TEST_MONGODB_URI"), .database = folder + sizeof("/tmp/") - 1};
        (void)state;
        feed_begin(&feed, 22, local_must("record", local));
        feed_open(&feed);
        feed_bridge(&feed, 0, 1);
        feed_close(&feed);
        write_all(local);
        if (legacy_mongo.collections(&from, &names, &count, &error))
                fail_msg("collections: %s", error.text);
        assert_int_equal(count, 1);
        assert_string_equal(names[0], "btcusdt");
        free(names[0]);
        free(names);
        feed_end(&feed);
}

/* Nobody listens there: the record goes on, and closing does not wait for ever. */
static void without_a_database_closing_takes_no_longer_than_asked(void **state)
{
        struct feed feed;
        struct legacy *legacy;
        struct error error;
        char local[128];
        (void)state;
        feed_begin(&feed, 23, local_must("record", local));
        feed_open(&feed);
        feed_bridge(&feed, 0, 1);
        feed_close(&feed);
        struct legacy_options options = {.store = local,
            .endpoint = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200",
            .database = "none",
            .recorder = "main"};
        assert_int_equal(legacy_open(&legacy, &options, &error), 0);
        int64_t begin_ns = clock_mono_ns();
        legacy_close(legacy, 5 * NS_PER_S);
        assert_true(clock_mono_ns() - begin_ns < 5 * NS_PER_S);
        options.endpoint = "127.0.0.1:1/none?";
        assert_int_equal(legacy_open(&legacy, &options, &error), ERR_USAGE);
        feed_end(&feed);
}

static int run_in_database(void)
{
        const struct CMUnitTest tests[] = {
            IN_DATABASE(the_database_gets_it_once_however_often_it_is_written),
            IN_DATABASE(the_collections_of_the_layout_are_found),
        };
        return cmocka_run_group_tests_name("legacy: mongodb", tests, NULL, NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_record_written_and_imported_is_the_same),
            cmocka_unit_test(following_in_pieces_gives_the_same_documents),
            cmocka_unit_test(trades_go_with_the_update_that_follows),
            cmocka_unit_test(documents_have_the_layouts_names_and_ours),
            cmocka_unit_test(of_two_changes_of_a_price_the_last_one_counts),
            cmocka_unit_test(a_book_too_large_for_a_document_is_cut),
            cmocka_unit_test_setup_teardown(
                without_a_database_closing_takes_no_longer_than_asked, setup, teardown),
        };
        int failed = cmocka_run_group_tests(tests, NULL, NULL);
        return failed + (has_database() ? run_in_database() : 0);
}
