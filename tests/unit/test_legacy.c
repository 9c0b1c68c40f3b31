/* The older system's documents: whatever form they have, what they say is kept, and what is missing
 * is told. */
#include "tests/unit/legacy_help.h"

#define AT "{'$date': {'$numberLong': '%lld'}}"
#define T0_MS ((long long)(T0 / NS_PER_MS))

/* ---- reading ---- */

static void numbers_of_any_type_become_their_text(void **state)
{
        static const struct {
                const char *json, *text;
        } cases[] = {{"'0.50000000'", "0.50000000"}, {"{'$numberInt': '7'}", "7"},
            {"{'$numberLong': '9007199254740993'}", "9007199254740993"},
            {"{'$numberDouble': '0.1'}", "0.1"}, {"{'$numberDouble': '1.54698'}", "1.54698"},
            {"{'$numberDouble': '61837.63'}", "61837.63"},
            {"{'$numberDouble': '0.30000000000000004'}", "0.30000000000000004"},
            {"{'$numberDouble': '0.00001'}", "1e-05"}, {"{'$numberDouble': '3'}", "3"},
            {"{'$numberDecimal': '1.54698000'}", "1.54698000"},
            {"{'$numberDecimal': '0.00000001'}", "1E-8"}};
        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct dump dump = dump_begin();
                dump_add(&dump,
                    "{'type': 'update', 'DateTime': " AT ", 'orberbook': {'bids': {'10.5': %s}}}",
                    T0_MS, cases[i].json);
                dump_end(&dump);
                struct legacy_source *source = source_must(dump.path);
                struct legacy_document document = next_must(source);
                assert_null(document.fault);
                assert_int_equal(document.levels[LEGACY_BIDS].count, 1);
                assert_string_equal(document.levels[LEGACY_BIDS].pairs[0].price, "10.5");
                assert_string_equal(document.levels[LEGACY_BIDS].pairs[0].quantity, cases[i].text);
                assert_int_equal(document.floating, strstr(cases[i].json, "Double") != NULL);
                assert_no_more(source);
                unlink(dump.path);
        }
}

/* What an exchange writes has at most 15 digits, and comes back out of a double as it was. */
static void a_double_gives_back_what_was_written_into_it(void **state)
{
        struct chance chance = {7};
        char text[DECIMAL_TEXT_SIZE];
        (void)state;
        for (unsigned i = 0; i < 200; i++) {
                struct dump dump = dump_begin();
                int64_t expected = (int64_t)chance_below(&chance, 1000000000000000), found = 0;
                unsigned digits = (unsigned)chance_below(&chance, 9);
                decimal_format(expected, digits, true, text);
                dump_add(&dump,
                    "{'type': 'update', 'DateTime': " AT
                    ", 'orberbook': {'bids': {'1': {'$numberDouble': '%s'}}}}",
                    T0_MS, text);
                dump_end(&dump);
                struct legacy_source *source = source_must(dump.path);
                struct legacy_document document = next_must(source);
                const char *quantity = document.levels[LEGACY_BIDS].pairs[0].quantity;
                assert_int_equal(decimal_parse(quantity, strlen(quantity), digits, &found), 0);
                assert_int_equal(found, expected);
                assert_no_more(source);
                unlink(dump.path);
        }
}

static void a_points_stand_in_is_read_as_a_point(void **state)
{
        struct dump dump = dump_begin();
        (void)state;
        dump_add(&dump,
            "{'type': 'Snapshot', 'DateTime': " AT
            ", 'orberbook': {'bids': {'61837_63': '1'}, 'asks': {'61838\uff0e04': '2'}}}",
            T0_MS);
        dump_end(&dump);
        struct legacy_source *source = source_must(dump.path);
        struct legacy_document document = next_must(source);
        assert_int_equal(document.type, LEGACY_SNAPSHOT);
        assert_string_equal(document.levels[LEGACY_BIDS].pairs[0].price, "61837.63");
        assert_string_equal(document.levels[LEGACY_ASKS].pairs[0].price, "61838.04");
        assert_no_more(source);
        unlink(dump.path);
}

static void a_time_may_be_a_date_a_text_or_a_number(void **state)
{
        static const char *const forms[] = {"{'$date': {'$numberLong': '1723161600500'}}",
            "'2024-08-09T00:00:00.5Z'", "'2024-08-09 00:00:00.500'",
            "'2024-08-09T02:00:00.5+02:00'", "{'$numberDouble': '1723161600.5'}",
            "{'$numberLong': '1723161600500'}", "{'$numberDouble': '1723161600500'}",
            "'1723161600.5'"};
        static const char *const none[] = {
            "'yesterday'", "null", "{'$numberInt': '5'}", "{'$numberDouble': 'NaN'}"};
        struct dump dump = dump_begin();
        size_t count = sizeof(forms) / sizeof(forms[0]);
        (void)state;
        for (size_t i = 0; i < count; i++)
                dump_add(&dump, "{'type': 'update', 'DateTime': %s, 'orberbook': {'bids': {}}}",
                    forms[i]);
        for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
                dump_add(&dump, "{'type': 'update', 'DateTime': %s, 'orberbook': {'bids': {}}}",
                    none[i]);
        dump_end(&dump);
        struct legacy_source *source = source_must(dump.path);
        for (size_t i = 0; i < count; i++) {
                struct legacy_document document = next_must(source);
                assert_null(document.fault);
                assert_int_equal(document.time_ns, T0 + NS_PER_S / 2);
        }
        for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
                assert_string_equal(next_must(source).fault, "it has no time");
        assert_no_more(source);
        unlink(dump.path);
}

static void trades_are_kept_in_any_form_that_has_both(void **state)
{
        static const struct {
                const char *json;
                size_t bought;
                uint32_t lost;
        } cases[] = {{"{'bought': {'10.5': '2', '11': '1'}}", 2, 0},
            {"{'bought': [['10.5', '2']]}", 1, 0}, {"{'bought': [['10.5', '2', 77], ['9']]}", 1, 1},
            {"{'bought': [{'price': 10.5, 'quantity': 2}, {'p': '1', 'q': '2'}]}", 2, 0},
            {"{'bought': {'price': 10.5, 'qty': 2}}", 1, 0},
            {"{'bought': 12.5, 'sold': '3'}", 0, 2}, {"{'bought': 0, 'sold': '0.000'}", 0, 0},
            {"{'bought': null, 'sold': []}", 0, 0}, {"'none'", 0, 0}};
        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct dump dump = dump_begin();
                dump_add(&dump,
                    "{'type': 'update', 'DateTime': " AT
                    ", 'orberbook': {'asks': {}}, 'trades': %s}",
                    T0_MS, cases[i].json);
                dump_end(&dump);
                struct legacy_source *source = source_must(dump.path);
                struct legacy_document document = next_must(source);
                assert_null(document.fault);
                assert_int_equal(document.trades[LEGACY_BOUGHT].count, cases[i].bought);
                assert_int_equal(document.trades_lost, cases[i].lost);
                assert_no_more(source);
                unlink(dump.path);
        }
}

static void documents_slightly_out_of_order_come_by_their_times(void **state)
{
        static const int order[] = {0, 2, 1, 3, 6, 5, 4, 8, 7, 9};
        struct dump dump = dump_begin();
        (void)state;
        for (int i = 0; i < 100; i++)
                dump_add(&dump, "{'type': 'update', 'DateTime': " AT ", 'orberbook': {'bids': {}}}",
                    T0_MS + 10 * (i / 10) + order[i % 10]);
        dump_end(&dump);
        struct legacy_source *source = source_must(dump.path);
        for (int i = 0; i < 100; i++)
                assert_int_equal(next_must(source).time_ns, T0 + i * NS_PER_MS);
        assert_no_more(source);
        unlink(dump.path);
}

/* Event times of some feeds go back: ids tell the order then. */
static void our_own_documents_keep_their_order(void **state)
{
        struct dump dump = dump_begin();
        (void)state;
        for (int i = 0; i < 40; i++)
                dump_add(&dump,
                    "{'type': 'update', 'DateTime': " AT ", 'orberbook': {'bids': {}}, 'recorder': "
                    "'main', 'first_id': %d, 'last_id': %d}",
                    T0_MS + (i % 2 ? -i : i), i, i);
        dump_end(&dump);
        struct legacy_source *source = source_must(dump.path);
        for (int i = 0; i < 40; i++)
                assert_int_equal(next_must(source).last_id, i);
        assert_no_more(source);
        unlink(dump.path);
}

/* ---- damage ---- */

static void write_updates(struct dump *dump, int count)
{
        for (int i = 0; i < count; i++)
                dump_add(dump, "{'type': 'update', 'DateTime': " AT ", 'orberbook': {'bids': {}}}",
                    T0_MS + i);
        fflush(dump->file);
}

static void assert_damaged(const char *path, int before, const char *place)
{
        struct legacy_source *source = source_must(path);
        struct legacy_document document;
        struct error error = {0};
        for (int i = 0; i < before; i++)
                assert_int_equal(next_must(source).time_ns, T0 + i * NS_PER_MS);
        assert_int_equal(legacy_mongo.next(source, &document, &error), ERR_CORRUPT);
        if (!strstr(error.text, place))
                fail_msg("'%s' does not say '%s'", error.text, place);
        assert_int_equal(legacy_mongo.next(source, &document, &error), ERR_CORRUPT);
        legacy_mongo.close(source);
}

static void a_file_that_is_cut_gives_all_before_the_place(void **state)
{
        struct dump dump = dump_begin();
        (void)state;
        write_updates(&dump, 30);
        long size = ftell(dump.file), one = size / 30;
        for (long cut = 1; cut < one; cut++) {
                assert_int_equal(ftruncate(fileno(dump.file), size - cut), 0);
                assert_damaged(dump.path, 29, "after 29 documents: the document is cut");
        }
        dump_end(&dump);
        unlink(dump.path);
}

static void bytes_that_are_no_document_are_told_with_their_place(void **state)
{
        static const uint8_t heads[][4] = {
            {0, 0, 0, 0}, {4, 0, 0, 0}, {255, 255, 255, 127}, {0, 0, 0, 128}, {'{', '"', 't', 'y'}};
        char place[64];
        (void)state;
        for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
                struct dump dump = dump_begin();
                write_updates(&dump, 20);
                snprintf(place, sizeof(place), "byte %ld, after 20 documents", ftell(dump.file));
                fwrite(heads[i], 1, 4, dump.file);
                write_updates(&dump, 3);
                dump_end(&dump);
                assert_damaged(dump.path, 20, place);
                unlink(dump.path);
        }
}

/* Any flipped byte: whatever comes out, nothing is read beyond the bytes. */
static void a_flipped_byte_harms_nobody(void **state)
{
        struct dump dump = dump_begin();
        (void)state;
        dump_add(&dump,
            "{'type': 'snapshot', 'DateTime': " AT
            ", 'orberbook': {'bids': {'10': '1', '9': {'$numberDouble': '2'}}, 'asks': [['11', "
            "'2']]},"
            " 'trades': {'bought': [['1', '2']], 'sold': 3}, 'horizon': {'bid': '9', 'ask': null}}",
            T0_MS);
        fflush(dump.file);
        long size = ftell(dump.file);
        for (long i = 0; i < 8 * size; i++) {
                struct legacy_document document;
                uint8_t byte;
                assert_int_equal(pread(fileno(dump.file), &byte, 1, i / 8), 1);
                uint8_t flipped = (uint8_t)(byte ^ 1u << i % 8);
                assert_int_equal(pwrite(fileno(dump.file), &flipped, 1, i / 8), 1);
                struct legacy_source *source = source_must(dump.path);
                while (!legacy_mongo.next(source, &document, NULL))
                        assert_true(document.levels[LEGACY_BIDS].count <= 3);
                legacy_mongo.close(source);
                assert_int_equal(pwrite(fileno(dump.file), &byte, 1, i / 8), 1);
        }
        dump_end(&dump);
        unlink(dump.path);
}

/* ---- importing ---- */

/* One of a list of documents: update or snapshot, ms after T0, bids, asks, and what else. */
static void add(struct dump *dump, const char *type, long long ms, const char *bids,
    const char *asks, const char *more)
{
        dump_add(dump,
            "{'type': '%s', 'DateTime': " AT ", 'orberbook': {'bids': {%s}, 'asks': {%s}}%s}", type,
            T0_MS + ms, bids, asks, more);
}

static void add_quiet(struct dump *dump, int count, long long from_ms)
{
        for (int i = 0; i < count; i++)
                add(dump, "update", from_ms + 100 * i, "'10.00': '1'", "", "");
}

/* The book at a time, as "price:quantity ..." of bids, "|", asks; with the exchange's own digits
 * where they are @written. */
static void assert_written(
    struct store *store, long long ms, enum book_status status, bool written, const char *expected)
{
        struct reader reader = reader_must(store);
        struct recon_book book;
        struct buffer text;
        struct error error = {0};
        recon_book_init(&book);
        buffer_init(&text, 65536);
        assert_int_equal(recon_book_at(&reader, stream_must(&reader), T0 + ms * NS_PER_MS,
                             CLOCK_EXCHANGE, &book, &error),
            0);
        assert_int_equal(book.status, status);
        for (enum side s = 0; s < SIDES; s++) {
                struct book_cursor cursor = {0};
                struct level level;
                char price[DECIMAL_TEXT_SIZE], quantity[DECIMAL_TEXT_SIZE];
                while (book_next(&book.book, s, &cursor, &level)) {
                        decimal_format(level.price, book.scale.price_digits,
                            book.scale.fixed && written, price);
                        decimal_format(level.quantity, book.scale.quantity_digits,
                            book.scale.fixed && written, quantity);
                        buffer_printf(&text, "%s:%s ", price, quantity);
                }
                buffer_append_text(&text, s == SIDE_BID ? "| " : "");
        }
        buffer_append_byte(&text, 0);
        assert_string_equal((const char *)text.data, expected);
        buffer_deinit(&text);
        recon_book_deinit(&book);
        reader_close(&reader);
}

static void assert_imported(
    struct store *store, long long ms, enum book_status status, const char *expected)
{
        assert_written(store, ms, status, false, expected);
}

static struct import_result import_dump(struct dump *dump, struct store **ret_store)
{
        static unsigned number;
        char name[32];
        dump_end(dump);
        snprintf(name, sizeof(name), "legacy-%u", ++number);
        *ret_store = memory_must(name);
        struct import_result result = import_must(*ret_store, dump->path);
        unlink(dump->path);
        struct problems problems;
        verify_store(*ret_store, &problems);
        if (problems.count)
                fail_msg("verify: %s", problems.text[0]);
        return result;
}

static void close_store(struct store *store)
{
        store->ops->close(store);
}

static void a_snapshot_and_its_updates_are_a_book(void **state)
{
        struct dump dump = dump_begin();
        struct store *store;
        (void)state;
        add(&dump, "snapshot", 0, "'10.00000000': '1.5', '9.00000000': '2.5'",
            "'11.00000000': '3.5'", "");
        add(&dump, "update", 100, "'9': '0', '8.50': '4.0'", "'11.000': '7.5'", "");
        add(&dump, "update", 200, "", "'12.5': '1.25'", "");
        struct import_result result = import_dump(&dump, &store);
        assert_int_equal(result.documents, 3);
        assert_int_equal(result.snapshots, 1);
        assert_int_equal(result.updates, 2);
        assert_int_equal(result.gaps + result.skipped + result.headless, 0);
        assert_imported(store, 99, STATUS_EMPTY, "| ");
        assert_imported(store, 100, STATUS_OK, "10:1.5 8.5:4 | 11:7.5 ");
        assert_imported(store, 200, STATUS_OK, "10:1.5 8.5:4 | 11:7.5 12.5:1.25 ");
        close_store(store);
}

static void a_text_with_all_its_digits_comes_back_as_it_was(void **state)
{
        struct dump dump = dump_begin();
        struct store *store;
        (void)state;
        add(&dump, "snapshot", 0, "'61837.63000000': '1.54698000'",
            "'61838.00000000': '2.00000000'", "");
        add(&dump, "update", 100, "'61837.60000000': '0.10000000'", "", "");
        import_dump(&dump, &store);
        assert_written(store, 100, STATUS_OK, true,
            "61837.63000000:1.54698000 61837.60000000:0.10000000 | 61838.00000000:2.00000000 ");
        close_store(store);
}

static void a_finer_number_later_widens_the_scale(void **state)
{
        struct dump dump = dump_begin();
        struct store *store;
        (void)state;
        add(&dump, "snapshot", 0, "'10': '1'", "'11': '1'", "");
        for (int i = 1; i < 10100; i++)
                add(&dump, "update", 10 * i, "'10': '1'", "", "");
        add(&dump, "update", 101000, "'9.125': {'$numberDouble': '0.0625'}", "", "");
        struct import_result result = import_dump(&dump, &store);
        assert_int_equal(result.gaps + result.skipped, 0);
        assert_true(result.floating);
        assert_imported(store, 101000, STATUS_OK, "10:1 9.125:0.0625 | 11:1 ");
        close_store(store);
}

static void a_later_snapshot_corrects_the_book(void **state)
{
        struct dump dump = dump_begin();
        struct store *store;
        (void)state;
        add(&dump, "snapshot", 0, "'10.00': '1'", "'11.00': '1'", "");
        add_quiet(&dump, 50, 100);
        add(&dump, "snapshot", 5100, "'10.00': '1', '9.00': '5'", "'12.00': '2'", "");
        add(&dump, "update", 5200, "'9.00': '6'", "", "");
        struct import_result result = import_dump(&dump, &store);
        assert_int_equal(result.snapshots, 2);
        assert_int_equal(result.gaps, 0);
        assert_imported(store, 4000, STATUS_OK, "10:1 | 11:1 ");
        assert_imported(store, 5200, STATUS_OK, "10:1 9:6 | 12:2 ");
        close_store(store);
}

static void assert_one_gap(struct store *store, enum gap_cause cause, long long from_ms)
{
        struct coverage coverage = cover_store(store);
        assert_int_equal(coverage.gaps.count, 1);
        assert_int_equal(coverage.gaps.gaps[0].cause, cause);
        assert_int_equal(coverage.gaps.gaps[0].from_time_ns, T0 + from_ms * NS_PER_MS);
        gap_list_deinit(&coverage.gaps);
}

static void a_hole_in_the_times_is_a_gap_until_the_next_snapshot(void **state)
{
        struct dump dump = dump_begin();
        struct store *store;
        (void)state;
        add(&dump, "snapshot", 0, "'10.00': '1'", "'11.00': '1'", "");
        add_quiet(&dump, 50, 100);
        add_quiet(&dump, 50, 5000 + 5001);
        add(&dump, "snapshot", 16000, "'10.00': '3'", "'11.00': '1'", "");
        add_quiet(&dump, 10, 16100);
        struct import_result result = import_dump(&dump, &store);
        assert_int_equal(result.gaps, 1);
        assert_int_equal(result.headless, 50);
        assert_one_gap(store, GAP_SILENT, 5000);
        assert_imported(store, 5000, STATUS_OK, "10:1 | 11:1 ");
        assert_imported(store, 12000, STATUS_GAP, "10:1 | 11:1 ");
        assert_imported(store, 16100, STATUS_OK, "10:1 | 11:1 ");
        close_store(store);
}

static void a_quiet_market_is_no_hole(void **state)
{
        struct dump dump = dump_begin();
        struct store *store;
        (void)state;
        add(&dump, "snapshot", 0, "'10.00': '1'", "'11.00': '1'", "");
        for (int i = 1; i < 60; i++) /* every 3 s, once 29 s */
                add(&dump, "update", 3000 * i + (i > 30 ? 26000 : 0), "'10.00': '2'", "", "");
        struct import_result result = import_dump(&dump, &store);
        assert_int_equal(result.gaps, 0);
        close_store(store);
}

static void updates_before_any_snapshot_have_no_book(void **state)
{
        struct dump dump = dump_begin();
        struct store *store;
        (void)state;
        add_quiet(&dump, 20, 0);
        add(&dump, "snapshot", 2000, "'10.00': '4'", "'11.00': '1'", "");
        add(&dump, "update", 2100, "", "'12.00': '1'", "");
        struct import_result result = import_dump(&dump, &store);
        assert_int_equal(result.headless, 20);
        assert_imported(store, 1000, STATUS_EMPTY, "| ");
        assert_imported(store, 2100, STATUS_OK, "10:4 | 11:1 12:1 ");
        close_store(store);
}

static void a_crossing_update_is_a_gap(void **state)
{
        struct dump dump = dump_begin();
        struct store *store;
        (void)state;
        add(&dump, "snapshot", 0, "'10.00': '1'", "'11.00': '1'", "");
        add_quiet(&dump, 10, 100);
        add(&dump, "update", 1100, "'11.50': '1'", "", "");
        add(&dump, "snapshot", 1200, "'11.50': '1'", "'11.60': '1'", "");
        add(&dump, "update", 1300, "'11.55': '1'", "", "");
        struct import_result result = import_dump(&dump, &store);
        assert_int_equal(result.gaps, 1);
        assert_one_gap(store, GAP_CROSSED, 1000);
        assert_imported(store, 1300, STATUS_OK, "11.55:1 11.5:1 | 11.6:1 ");
        close_store(store);
}

static void what_cannot_be_used_is_a_gap_if_it_was_an_update(void **state)
{
        static const char *const bad[] = {"'10.00': 'x'", "'price': '1'", "'10.00': '-1'",
            "'10.00': {'$numberDouble': 'NaN'}", "'10.00': null", "'10.00': '1e300'",
            "'10.00': {'a': 1}"};
        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                struct dump dump = dump_begin();
                struct store *store;
                add(&dump, "snapshot", 0, "'10.00': '1'", "'11.00': '1'", "");
                add_quiet(&dump, 10, 100);
                add(&dump, "remark", 1050, "", "", "");
                add(&dump, "update", 1100, bad[i], "", "");
                add_quiet(&dump, 10, 1200);
                struct import_result result = import_dump(&dump, &store);
                assert_int_equal(result.skipped, 2);
                assert_int_equal(result.gaps, 1);
                assert_int_equal(result.headless, 10);
                assert_imported(store, 1000, STATUS_OK, "10:1 | 11:1 ");
                assert_imported(store, 1200, STATUS_GAP, "10:1 | 11:1 ");
                close_store(store);
        }
}

static void trades_become_a_stream_of_their_own(void **state)
{
        struct dump dump = dump_begin();
        struct store *store;
        (void)state;
        add(&dump, "snapshot", 0, "'10.00': '1'", "'11.00': '1'", "");
        add(&dump, "update", 100, "", "",
            ", 'trades': {'bought': [['11.00', '0.25']], 'sold': {'10.00': '0.5'}}");
        add(&dump, "update", 200, "", "", ", 'trades': {'bought': 3.5, 'sold': 0}");
        struct import_result result = import_dump(&dump, &store);
        assert_int_equal(result.trades, 2);
        assert_int_equal(result.trades_lost, 1);
        struct reader reader = reader_must(store);
        const struct recon_stream *stream = reader_find(&reader, "binance", "BTCUSDT", KIND_TRADES);
        assert_non_null(stream);
        assert_int_equal(stream->mark.events, 2);
        reader_close(&reader);
        close_store(store);
}

static void ids_tell_what_is_missing_and_what_came_twice(void **state)
{
        struct dump dump = dump_begin();
        struct store *store;
        (void)state;
        add(&dump, "snapshot", 100, "'10.00': '1'", "'11.00': '1'",
            ", 'first_id': 100, 'last_id': 100, 'horizon': {'bid': null, 'ask': '11.00'}");
        add(&dump, "update", 100, "'9.00': '1'", "", ", 'first_id': 99, 'last_id': 103");
        add(&dump, "update", 60000, "'9.00': '2'", "", ", 'first_id': 104, 'last_id': 105");
        add(&dump, "update", 60000, "'9.00': '2'", "", ", 'first_id': 104, 'last_id': 105");
        add(&dump, "update", 60100, "'9.00': '3'", "", ", 'first_id': 107, 'last_id': 107");
        add(&dump, "snapshot", 60200, "'10.00': '2'", "'11.00': '1'",
            ", 'first_id': 106, 'last_id': 106");
        add(&dump, "update", 60200, "'9.00': '4'", "", ", 'first_id': 108, 'last_id': 108");
        struct import_result result = import_dump(&dump, &store);
        assert_int_equal(result.gaps, 1);
        assert_int_equal(result.repeated, 1);
        assert_one_gap(store, GAP_SEQUENCE, 60000);
        struct reader reader = reader_must(store);
        assert_true(stream_must(&reader)->name.sequenced);
        assert_int_equal(stream_must(&reader)->mark.last_id, 108);
        reader_close(&reader);
        assert_imported(store, 30000, STATUS_OK, "10:1 9:1 | 11:1 ");
        assert_imported(store, 60200, STATUS_OK, "10:2 9:4 | 11:1 ");
        close_store(store);
}

/* An update that is not there cannot be bridged over. */
static void a_snapshot_older_than_the_updates_is_passed_over(void **state)
{
        (void)state;
        for (int hole = 0; hole <= 1; hole++) {
                struct dump dump = dump_begin();
                struct store *store;
                add(&dump, "update", 0, "'9.00': '1'", "", ", 'first_id': 105, 'last_id': 106");
                add(&dump, "update", 100, hole ? "'9.00': 'x'" : "'9.00': '2'", "",
                    ", 'first_id': 107, 'last_id': 108");
                add(&dump, "update", 200, "'8.00': '3'", "", ", 'first_id': 109, 'last_id': 110");
                add(&dump, "snapshot", 250, "'10.00': '1'", "'11.00': '1'",
                    ", 'first_id': 103, 'last_id': 103");
                add(&dump, "snapshot", 300, "'10.00': '1', '9.00': '1'", "'11.00': '1'",
                    ", 'first_id': 106, 'last_id': 106");
                add(&dump, "snapshot", 350, "'10.00': '1', '9.00': '2'", "'11.00': '1'",
                    ", 'first_id': 108, 'last_id': 108");
                add(&dump, "update", 400, "'7.00': '4'", "", ", 'first_id': 111, 'last_id': 112");
                struct import_result result = import_dump(&dump, &store);
                assert_int_equal(result.skipped, hole ? 3 : 1);
                assert_int_equal(result.repeated, hole ? 0 : 1);
                assert_imported(
                    store, 100, hole ? STATUS_EMPTY : STATUS_OK, hole ? "| " : "10:1 9:2 | 11:1 ");
                assert_imported(store, 400, STATUS_OK, "10:1 9:2 8:3 7:4 | 11:1 ");
                close_store(store);
        }
}

static void our_own_times_are_exact(void **state)
{
        struct dump dump = dump_begin();
        (void)state;
        dump_add(&dump,
            "{'type': 'update', 'DateTime': " AT ", 'orberbook': {'bids': {}},"
            " 'event_time_ns': {'$numberLong': '%lld'}, 'receive_time_ns': {'$numberLong': "
            "'%lld'}}",
            T0_MS, (long long)T0 + 123456, (long long)T0 + 234567);
        dump_end(&dump);
        struct legacy_source *source = source_must(dump.path);
        struct legacy_document document = next_must(source);
        assert_int_equal(document.time_ns, T0 + 123456);
        assert_int_equal(document.receive_time_ns, T0 + 234567);
        assert_no_more(source);
        unlink(dump.path);
}

static void a_second_recorders_documents_are_left_out(void **state)
{
        struct dump dump = dump_begin();
        struct store *store;
        (void)state;
        add(&dump, "snapshot", 0, "'10.00': '1'", "'11.00': '1'", ", 'recorder': 'main'");
        add(&dump, "update", 100, "'9.00': '1'", "", ", 'recorder': 'main'");
        add(&dump, "update", 200, "'9.00': '7'", "", ", 'recorder': 'other'");
        struct import_result result = import_dump(&dump, &store);
        assert_int_equal(result.others, 1);
        assert_int_equal(result.updates, 1);
        assert_imported(store, 100, STATUS_OK, "10:1 9:1 | 11:1 ");
        close_store(store);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(numbers_of_any_type_become_their_text),
            cmocka_unit_test(a_double_gives_back_what_was_written_into_it),
            cmocka_unit_test(a_points_stand_in_is_read_as_a_point),
            cmocka_unit_test(a_time_may_be_a_date_a_text_or_a_number),
            cmocka_unit_test(trades_are_kept_in_any_form_that_has_both),
            cmocka_unit_test(documents_slightly_out_of_order_come_by_their_times),
            cmocka_unit_test(our_own_documents_keep_their_order),
            cmocka_unit_test(a_file_that_is_cut_gives_all_before_the_place),
            cmocka_unit_test(bytes_that_are_no_document_are_told_with_their_place),
            cmocka_unit_test(a_flipped_byte_harms_nobody),
            cmocka_unit_test(a_snapshot_and_its_updates_are_a_book),
            cmocka_unit_test(a_text_with_all_its_digits_comes_back_as_it_was),
            cmocka_unit_test(a_finer_number_later_widens_the_scale),
            cmocka_unit_test(a_later_snapshot_corrects_the_book),
            cmocka_unit_test(a_hole_in_the_times_is_a_gap_until_the_next_snapshot),
            cmocka_unit_test(a_quiet_market_is_no_hole),
            cmocka_unit_test(updates_before_any_snapshot_have_no_book),
            cmocka_unit_test(a_crossing_update_is_a_gap),
            cmocka_unit_test(what_cannot_be_used_is_a_gap_if_it_was_an_update),
            cmocka_unit_test(trades_become_a_stream_of_their_own),
            cmocka_unit_test(ids_tell_what_is_missing_and_what_came_twice),
            cmocka_unit_test(a_snapshot_older_than_the_updates_is_passed_over),
            cmocka_unit_test(our_own_times_are_exact),
            cmocka_unit_test(a_second_recorders_documents_are_left_out),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
