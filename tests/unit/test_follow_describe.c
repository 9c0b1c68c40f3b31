/* What a document says of a value, field by field. */
#include "base/decimal.h"
#include "ship/describe.h"
#include "tests/unit/follow_help.h"

#define AT (T0 + 3600 * NS_PER_S)

static struct describer describer;

static const struct stream_name *name_cb(uint32_t stream, void *user)
{
        (void)user;
        return stream >= 1 && stream <= STREAMS ? &desk_names[stream - 1] : NULL;
}

static void setup_describer(void)
{
        describer_init(&describer);
        describer.name_cb = name_cb;
}

/* A line a field, in their order; times from AT on, in ns. */
static void tell_description(const struct store_description *description, struct buffer *out)
{
        for (unsigned i = 0; i < description->count; i++) {
                const struct store_field *field = &description->fields[i];
                buffer_printf(out, "%s%s=", i ? " " : "", field->name);
                if (field->kind == FIELD_TEXT)
                        buffer_printf(out, "'%s'", field->text);
                else if (field->kind == FIELD_TIME)
                        buffer_printf(out, "AT%+lld", (long long)(field->number - AT));
                else if (field->kind == FIELD_FLAG)
                        buffer_printf(out, "%s", field->number ? "yes" : "no");
                else
                        buffer_printf(out, "%lld", (long long)field->number);
        }
}

static void assert_described(enum store_table table, struct store_key key, struct bytes value,
    const char *part, const char *expected)
{
        struct store_description description = {0};
        struct buffer out;
        buffer_init(&out, 65536);
        describe(table, key, value, &description, &describer);
        tell_description(&description, &out);
        buffer_append_byte(&out, 0);
        assert_string_equal((const char *)out.data, expected);
        assert_string_equal(description.part ? description.part : "-", part);
        buffer_deinit(&out);
}

/* ---- the tables that hold records ---- */

static void each_record_is_told_in_its_fields(void **state)
{
        (void)state;
        struct buffer value;
        setup_describer();
        buffer_init(&value, 4096);
        stream_name_write(&value, &desk_names[2]);
        assert_described(STORE_STREAMS, key_stream(3), buffer_bytes(&value), "-",
            "exchange='coinbase' symbol='BTC-USD' kind='l3' sequenced=yes");
        assert_described(STORE_DAYS, key_day(4, 20000), (struct bytes){0}, "-",
            "exchange='coinbase' symbol='BTC-USD' kind='trades'");

        struct gap_record gap = {.cause = GAP_SEQUENCE,
            .open = true,
            .epoch = 3,
            .from_id = -5,
            .from_time_ns = AT - 1,
            .from_receive_ns = AT + 3,
            .from_position = 76,
            .detail = "ids 5 to 7"};
        buffer_clear(&value);
        gap_write(&value, &gap);
        assert_described(STORE_GAPS, key_position(1, 77), buffer_bytes(&value), "-",
            "exchange='binance' symbol='BTCUSDT' kind='l2' position=77 cause='sequence' open=yes "
            "epoch=3 from_id=-5 from_time=AT-1 detail='ids 5 to 7'");
        gap.open = false;
        gap.to_id = 9000000000000000001;
        gap.to_time_ns = AT + 1999999999;
        gap.to_position = 80;
        buffer_clear(&value);
        gap_write(&value, &gap);
        assert_described(STORE_GAPS, key_position(1, 77), buffer_bytes(&value), "-",
            "exchange='binance' symbol='BTCUSDT' kind='l2' position=77 cause='sequence' open=no "
            "epoch=3 from_id=-5 from_time=AT-1 to_id=9000000000000000001 to_time=AT+1999999999 "
            "detail='ids 5 to 7'");
        gap.cause = GAP_PRUNED;
        buffer_clear(&value);
        gap_write(&value, &gap);
        assert_described(STORE_PRUNED, key_day(2, 20000), buffer_bytes(&value), "-",
            "exchange='binance' symbol='ETHUSDT' kind='l2' position=76 cause='pruned' open=no "
            "epoch=3 from_id=-5 from_time=AT-1 to_id=9000000000000000001 to_time=AT+1999999999 "
            "detail='ids 5 to 7'");

        struct epoch_record epoch = {.cause = EPOCH_SCALE,
            .feed = "advanced",
            .note = "no trades",
            .position = 12,
            .image_id = 7,
            .receive_time_ns = AT + 5,
            .scale = {2, 8, true, 1, 1}};
        buffer_clear(&value);
        epoch_write(&value, &epoch);
        assert_described(STORE_EPOCHS, key_epoch(1, 4), buffer_bytes(&value), "-",
            "exchange='binance' symbol='BTCUSDT' kind='l2' epoch=4 cause='scale' position=12 "
            "receive_time=AT+5 price_digits=2 quantity_digits=8 feed='advanced' note='no trades'");
        struct audit_record audit = {.time_ns = AT + 1,
            .from_ns = AT - 9,
            .to_ns = AT,
            .score = 93,
            .network = true,
            .finding_total = 4};
        buffer_clear(&value);
        audit_write(&value, &audit);
        assert_described(STORE_AUDITS, key_audit(3, AT + 1), buffer_bytes(&value), "-",
            "exchange='coinbase' symbol='BTC-USD' kind='l3' time=AT+1 from_time=AT-9 to_time=AT+0 "
            "score=93 findings=4 network=yes");
        buffer_deinit(&value);
        describer_deinit(&describer);
}

static void a_mark_a_symbol_and_texts_are_told(void **state)
{
        (void)state;
        struct buffer value;
        setup_describer();
        buffer_init(&value, 4096);
        struct mark_record mark = {.clean = true,
            .first_position = 5,
            .next_position = 105,
            .last_position = 104,
            .last_id = 99,
            .first_event_time_ns = AT,
            .recorded_until_ns = AT + 60,
            .events = 98,
            .level_updates = 400,
            .images = 2,
            .gaps = 1,
            .image_bytes = 1000,
            .change_bytes = 2000};
        mark_write(&value, &mark);
        assert_described(STORE_MARKS, key_mark(1), buffer_bytes(&value), "-",
            "exchange='binance' symbol='BTCUSDT' kind='l2' next_position=105 first_time=AT+0 "
            "recorded_until=AT+60 last_id=99 events=98 level_updates=400 images=2 gaps=1 "
            "image_bytes=1000 change_bytes=2000 clean=yes");
        buffer_clear(&value);
        mark_write(&value, &(struct mark_record){.next_position = 1});
        assert_described(STORE_MARKS, key_mark(1), buffer_bytes(&value), "-",
            "exchange='binance' symbol='BTCUSDT' kind='l2' next_position=1 last_id=0 events=0 "
            "level_updates=0 images=0 gaps=0 image_bytes=0 change_bytes=0 clean=no");

        struct symbol_record symbol = {.valid_from_ns = AT,
            .exchange = "binance",
            .symbol = "BTCUSDT",
            .base = "BTC",
            .quote = "USDT",
            .tick = "0.010",
            .lot = "0.00001000",
            .status = "TRADING",
            .trading = true};
        buffer_clear(&value);
        symbol_record_write(&value, &symbol);
        assert_described(STORE_SYMBOLS, key_symbol(1, AT), buffer_bytes(&value), "-",
            "exchange='binance' symbol='BTCUSDT' base='BTC' quote='USDT' tick='0.010' "
            "lot='0.00001000' status='TRADING' trading=yes valid_from=AT+0");
        assert_described(STORE_NOTES, key_note(AT), BYTES("clock_step_ns=7"), "-",
            "clock_step_ns=7 text='clock_step_ns=7'");
        assert_described(STORE_INFO, key_note(1), BYTES("main"), "-", "text='main'");
        assert_described(STORE_TIMES, key_time(2, AT, 5), (struct bytes){0}, "-",
            "exchange='binance' symbol='ETHUSDT' kind='l2'");
        buffer_deinit(&value);
        describer_deinit(&describer);
}

/* What is no record of ours keeps the name of its stream, and nothing more. */
static void what_cannot_be_read_has_no_fields(void **state)
{
        (void)state;
        static const enum store_table tables[] = {
            STORE_FRAMES, STORE_GAPS, STORE_EPOCHS, STORE_MARKS, STORE_PRUNED};
        struct bytes bad = BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff");
        setup_describer();
        for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
                assert_described(tables[i], key_position(1, 0), bad, "-",
                    "exchange='binance' symbol='BTCUSDT' kind='l2'");
                assert_described(tables[i], key_position(99, 0), bad, "-", "");
        }
        assert_described(STORE_FRAMES, key_position(4, 1), bad, "trades",
            "exchange='coinbase' symbol='BTC-USD' kind='trades'");
        assert_described(STORE_STREAMS, key_stream(1), bad, "-", "");
        assert_described(STORE_SYMBOLS, key_symbol(1, 1), bad, "-", "");
        assert_described(STORE_NOTES, key_note(1), BYTES("with\0zero"), "-", "");
        describer_deinit(&describer);
}

/* ---- frames ---- */

static struct record_stream *stream_of(struct recorder *recorder, unsigned index)
{
        struct record_stream *stream;
        struct error error = {0};
        struct scale scale = {2, 8, true, 1, 1};
        if (record_stream_open(recorder, &desk_names[index], &scale, AT, &stream, &error))
                fail_msg("%s", error.text);
        return stream;
}

static void record_levels(struct record_stream *stream)
{
        static const struct level bids[] = {{9999, 5}, {9990, 6}}, asks[] = {{10001, 7}};
        static const struct level level = {9999, 0};
        struct image image = {
            .id = 50, .receive_time_ns = AT + 10, .count = {2, 1}, .levels = {bids, asks}};
        assert_int_equal(record_image(stream, &image), 0);
        for (int i = 1; i <= 2; i++) {
                struct event event = {.event_time_ns = AT + i * 1000,
                    .receive_time_ns = AT + i * 1000 + 20,
                    .first_id = 50 + i,
                    .last_id = 50 + i,
                    .count = {1, 0},
                    .levels = {&level, &level}};
                assert_int_equal(record_event(stream, &event), 0);
        }
}

static void record_trade(struct record_stream *stream)
{
        static const struct level level = {10000, 3};
        struct image image = {.id = 7, .receive_time_ns = AT + 30};
        struct event event = {.event_time_ns = AT + 40,
            .receive_time_ns = AT + 50,
            .first_id = 8,
            .last_id = 8,
            .type = TYPE_TRADE,
            .count = {0, 1},
            .levels = {&level, &level}};
        assert_int_equal(record_image(stream, &image), 0);
        assert_int_equal(record_event(stream, &event), 0);
}

/* A # in @expected stands for the frame's size. */
static void assert_frame(
    struct store *store, uint32_t number, uint64_t position, const char *part, const char *expected)
{
        struct store_txn txn;
        struct bytes value;
        char text[1024];
        assert_int_equal(store->ops->begin(store, day_of_time(AT), false, &txn, NULL), 0);
        assert_int_equal(
            store->ops->get(&txn, STORE_FRAMES, key_position(number, position), &value), 0);
        snprintf(text, sizeof(text), "%.*s%zu%s", (int)strcspn(expected, "#"), expected, value.size,
            expected + strcspn(expected, "#") + 1);
        assert_described(STORE_FRAMES, key_position(number, position), value, part, text);
        store->ops->abort(&txn);
}

static void frames_are_told_by_their_heads(void **state)
{
        (void)state;
        struct store *store = memory_store("describe", 1);
        struct record_options options = record_defaults;
        struct recorder *recorder;
        struct error error = {0};
        setup_describer();
        options.without_thread = true;
        assert_int_equal(recorder_open(&recorder, store, &options, &error), 0);
        record_levels(stream_of(recorder, 0));
        stream_of(recorder, 1);
        stream_of(recorder, 2);
        record_trade(stream_of(recorder, 3));
        assert_int_equal(recorder_close(recorder, AT + 5000, NS_PER_S, &error), 0);
        assert_frame(store, 1, 1, "images",
            "exchange='binance' symbol='BTCUSDT' kind='l2' what='image' method='tokens' position=1 "
            "epoch=1 segment=1 time=AT+10 to_time=AT+10 receive_time=AT+10 first_id=50 last_id=50 "
            "events=0 level_updates=3 bytes=# bids=2 best_bid='99.99' asks=1 best_ask='100.01'");
        assert_frame(store, 1, 2, "changes",
            "exchange='binance' symbol='BTCUSDT' kind='l2' what='changes' method='tokens' "
            "position=2 epoch=1 segment=1 time=AT+1000 to_time=AT+2000 receive_time=AT+1020 "
            "first_id=51 last_id=52 events=2 level_updates=2 bytes=#");
        assert_frame(store, 4, 1, "trades",
            "exchange='coinbase' symbol='BTC-USD' kind='trades' what='image' method='trades' "
            "position=1 epoch=1 segment=1 time=AT+30 to_time=AT+30 receive_time=AT+30 first_id=7 "
            "last_id=7 events=0 level_updates=0 bytes=#");
        assert_frame(store, 4, 2, "trades",
            "exchange='coinbase' symbol='BTC-USD' kind='trades' what='changes' method='trades' "
            "position=2 epoch=1 segment=1 time=AT+40 to_time=AT+40 receive_time=AT+50 first_id=8 "
            "last_id=8 events=1 level_updates=1 bytes=#");
        describer_deinit(&describer);
        store->ops->close(store);
}

static const struct store_field *field_of(
    const struct store_description *description, const char *name)
{
        for (unsigned i = 0; i < description->count; i++) {
                if (!strcmp(description->fields[i].name, name))
                        return &description->fields[i];
        }
        return NULL;
}

/* Best prices, as the exchange writes them, and counts: those of the book that the frame holds. */
static void assert_best(struct decoder *decoder, struct book *book, struct store_key key,
    struct bytes value, const struct frame_info *info)
{
        static const char *const names[SIDES][2] = {{"best_bid", "bids"}, {"best_ask", "asks"}};
        struct store_description description = {0};
        struct frame_info same;
        assert_int_equal(decoder_open(decoder, value, &same), 0);
        assert_int_equal(decoder_image(decoder, book), 0);
        describe(STORE_FRAMES, key, value, &description, &describer);
        for (enum side s = 0; s < SIDES; s++) {
                struct level best;
                char text[DECIMAL_TEXT_SIZE];
                const struct store_field *field = field_of(&description, names[s][0]);
                assert_int_equal(field_of(&description, names[s][1])->number, book_count(book, s));
                assert_int_equal(field != NULL, book_best(book, s, &best));
                if (!field)
                        continue;
                decimal_format(best.price, info->scale.price_digits, info->scale.fixed, text);
                assert_string_equal(field->text, text);
        }
}

static void best_prices_are_the_books(void **state)
{
        (void)state;
        struct desk desk;
        struct decoder decoder;
        struct book book;
        unsigned images[KINDS] = {0};
        setup_describer();
        decoder_init(&decoder);
        book_init(&book);
        desk_begin(&desk, 5, front_new(memory_store("describe", 5)));
        desk.now_ns = AT;
        desk_open(&desk);
        desk_steps(&desk, 600);
        desk_close(&desk);
        struct store_txn txn;
        struct store_cursor cursor;
        struct frame_info info;
        assert_int_equal(desk.store->ops->begin(desk.store, day_of_time(AT), false, &txn, NULL), 0);
        int code = desk.store->ops->seek(&txn, STORE_FRAMES, (struct store_key){0}, &cursor);
        for (; !code; code = desk.store->ops->next(&cursor)) {
                uint8_t kind = desk_names[cursor.key.stream - 1].kind;
                assert_int_equal(frame_read(cursor.value, &info), 0);
                if (info.kind != FRAME_IMAGE || kind == KIND_TRADES)
                        continue;
                assert_best(&decoder, &book, cursor.key, cursor.value, &info);
                images[kind]++;
        }
        assert_true(images[KIND_L2] > 5 && images[KIND_L3] > 1);
        desk.store->ops->done(&cursor);
        desk.store->ops->abort(&txn);
        desk_end(&desk);
        book_deinit(&book);
        decoder_deinit(&decoder);
        describer_deinit(&describer);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(each_record_is_told_in_its_fields),
            cmocka_unit_test(a_mark_a_symbol_and_texts_are_told),
            cmocka_unit_test(what_cannot_be_read_has_no_fields),
            cmocka_unit_test(frames_are_told_by_their_heads),
            cmocka_unit_test(best_prices_are_the_books),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
