/* Feeds a recorder with two streams over two days and a crash: sealed and open frames, images of
 * each sort, repairs, headless runs, a new scale, and levels in every order. */
#include "tests/spec/golden_dense.h"

#include "record/record.h"
#include "tests/spec/rows.h"

#define STORY_LEVELS 320
#define STORY_START (day_start_ns(GOLDEN_DAY + 1) - 100 * NS_PER_S)

struct story {
        struct store *store;
        struct recorder *recorder;
        struct record_stream *stream;
        uint64_t random;
        int64_t now_ns, id, repairs;
        int64_t price_unit, quantity_unit; /* what 1 of the first scale is now */
        struct level levels[SIDES][STORY_LEVELS];
        struct event event; /* in the making; its levels are those above */
        int code;           /* the first error */
};

static const struct stream_name story_names[] = {
    {"binance", "GOLDUSDT", KIND_L2, true}, {"binance_us", "EMPTYUSD", KIND_L2, true}};
static const struct scale story_scale = {2, 3, true, 5, 10};

static void story_check(struct story *story, int code)
{
        story->code = story->code ? story->code : code;
}

static int64_t story_random(struct story *story, uint32_t below)
{
        story->random = story->random * UINT64_C(6364136223846793005) + 1442695040888963407;
        return (int64_t)((story->random >> 33) % below);
}

/* ---- events ---- */

/* The next one, still without levels: received 23 ms after its time, some ms after the last. */
static void story_begin(struct story *story, int64_t later_ms)
{
        story->now_ns += later_ms * NS_PER_MS;
        story->event = (struct event){.event_time_ns = story->now_ns - 23 * NS_PER_MS,
            .receive_time_ns = story->now_ns,
            .first_id = story->id + 1,
            .levels = {story->levels[SIDE_BID], story->levels[SIDE_ASK]}};
}

static void story_level(struct story *story, enum side s, int64_t price, int64_t quantity)
{
        uint32_t i = story->event.count[s]++;
        story->levels[s][i] =
            (struct level){price * story->price_unit, quantity * story->quantity_unit};
}

static void story_end(struct story *story)
{
        uint32_t count = event_level_count(&story->event);
        story->event.last_id = story->event.first_id + (count ? count - 1 : 0);
        story->id = story->event.last_id;
}

static void story_send(struct story *story)
{
        story_end(story);
        story_check(story, record_event(story->stream, &story->event));
}

/* A few levels near the best ones: distinct prices, small changes often. */
static void story_usual(struct story *story)
{
        static const int64_t quantities[] = {0, 0, 0, 10, 10, 20, 50, 120, 1000, 2500};
        story_begin(story, 100 + 100 * (story_random(story, 8) == 0));
        story->event.receive_time_ns += story_random(story, 3) * NS_PER_MS / 8;
        for (enum side s = 0; s < SIDES; s++) {
                int64_t away = 0;
                for (int64_t left = story_random(story, 4); left > 0; left--) {
                        away += 5 * (1 + story_random(story, 1 + (uint32_t)story_random(story, 6)));
                        story_level(story, s, 10000 + (s == SIDE_BID ? -away : away),
                            quantities[story_random(story, 10)]);
                }
        }
}

static void story_run(struct story *story, unsigned count)
{
        for (unsigned i = 0; i < count; i++) {
                story_usual(story);
                story_send(story);
                if (i % 8 == 7)
                        recorder_tick(story->recorder, story->now_ns);
        }
}

/* ---- odd events ---- */

/* No order, a price twice, and the worst first. */
static void story_disorder(struct story *story)
{
        story_begin(story, 100);
        story_level(story, SIDE_BID, 9960, 70);
        story_level(story, SIDE_BID, 9970, 80);
        story_level(story, SIDE_BID, 9960, 0);
        story_level(story, SIDE_ASK, 10050, 0);
        story_level(story, SIDE_ASK, 10040, 10);
        story_send(story);
        story_begin(story, 100);
        story_level(story, SIDE_BID, 9950, 70);
        story_level(story, SIDE_BID, 9975, 80);
        story_level(story, SIDE_ASK, 10090, 310);
        story_level(story, SIDE_ASK, 10045, 20);
        story_level(story, SIDE_ASK, 10005, 20);
        story_send(story);
}

/* Off the grid, far away, and large. */
static void story_extremes(struct story *story)
{
        story_begin(story, 100);
        story_level(story, SIDE_BID, 9983, 10);
        story_level(story, SIDE_BID, 9901, 7);
        story_level(story, SIDE_BID, 5000, 10);
        story_level(story, SIDE_BID, 20, 0);
        story_level(story, SIDE_ASK, 12000, 10);
        story_level(story, SIDE_ASK, 12100, 20);
        story_level(story, SIDE_ASK, 13000, INT64_C(123456789012000));
        story_level(story, SIDE_ASK, INT64_C(1) << 53, INT64_C(999999999999999));
        story_send(story);
        story_begin(story, 100);
        story_level(story, SIDE_BID, 9901, 14);
        story_level(story, SIDE_BID, 1, 1);
        story_level(story, SIDE_ASK, 12000, 10);
        story_level(story, SIDE_ASK, 12100, 30);
        story_level(story, SIDE_ASK, INT64_C(1) << 53, 0);
        story_level(story, SIDE_ASK, (INT64_C(1) << 53) + 1, 0);
        story_send(story);
}

/* Times of all units, going back too; ids that were seen already and many at once; no levels. */
static void story_times(struct story *story)
{
        story_begin(story, 100);
        story->event.event_time_ns += 1001;
        story->event.receive_time_ns += 17;
        story_level(story, SIDE_ASK, 10010, 40);
        story_send(story);
        story_begin(story, 100);
        story->event.event_time_ns -= 1500 * NS_PER_MS;
        story->event.flags = EVENT_TIME_REPLACED;
        story_level(story, SIDE_ASK, 10010, 50);
        story_send(story);
        story_begin(story, 100);
        story->event.event_time_ns = story->now_ns + 4 * NS_PER_S;
        story->event.first_id -= 5;
        story->event.last_id = story->id += 300;
        story_check(story, record_event(story->stream, &story->event));
        story_begin(story, 100);
        story_level(story, SIDE_BID, 9990, 50);
        story_level(story, SIDE_BID, 9980, 40);
        story_end(story);
        story->event.last_id = story->id = story->event.first_id;
        story_check(story, record_event(story->stream, &story->event));
}

/* More levels than a count of one byte tells, deep in the book. */
static void story_crowd(struct story *story)
{
        story_begin(story, 100);
        for (int64_t i = 0; i < 40; i++)
                story_level(story, SIDE_BID, 9600 - 15 * i, 10 * (i % 3));
        for (int64_t i = 0; i < 9; i++)
                story_level(story, SIDE_ASK, 10400 + 25 * i, 60);
        story_send(story);
}

/* ---- images ---- */

/* Levels every 5 from the best on, their quantities over and over the same. */
static void story_image(struct story *story, int64_t id, uint32_t count)
{
        static const int64_t quantities[] = {150, 20, 20, 3300, 150, 70, 20, 480, 1270, 70, 90};
        story->event.count[SIDE_BID] = story->event.count[SIDE_ASK] = 0;
        for (int64_t i = 0; i < count; i++) {
                story_level(story, SIDE_BID, 9995 - 5 * i, quantities[i % 11]);
                story_level(story, SIDE_ASK, 10005 + 5 * i, quantities[i % 11]);
        }
        struct image image = {.id = id,
            .receive_time_ns = story->now_ns,
            .count = {count, count},
            .levels = {story->levels[SIDE_BID], story->levels[SIDE_ASK]},
            .bounded = {count > 0, count > 100}};
        story_check(story, record_image(story->stream, &image));
}

/* Some events wait; an image comes that contains the first half of them. */
static void story_bridge(struct story *story, uint32_t count)
{
        int64_t id = story->id;
        for (unsigned i = 0; i < 6; i++) {
                story_usual(story);
                story_end(story);
                record_headless(story->stream, &story->event, i == 0);
                id = i == 2 ? story->id : id;
        }
        recorder_tick(story->recorder, story->now_ns);
        story_image(story, id, count);
}

/* What the exchange says differs: the worst ask is gone, two levels are more. */
static void story_falsify(struct story *story, struct book *book)
{
        struct book_cursor cursor = {0};
        struct level level, worst = {0};
        while (book_next(book, SIDE_ASK, &cursor, &level))
                worst = level;
        book_set(book, SIDE_ASK, worst.price, 0);
        story->repairs++;
        book_set(book, SIDE_ASK, (20000 + story->repairs) * story->price_unit, 1000);
        book_set(book, SIDE_BID, (8000 - story->repairs) * story->price_unit, 77);
}

/* An image of a moment ago, with or without a difference. */
static void story_repair(struct story *story, bool differs)
{
        struct book book;
        struct level *levels[SIDES];
        uint32_t differences = 0;
        struct image image = {.id = story->id, .receive_time_ns = story->now_ns};
        record_tail_begin(story->stream);
        book_init(&book);
        book_copy(&book, record_book(story->stream));
        if (differs)
                story_falsify(story, &book);
        for (enum side s = 0; s < SIDES; s++) {
                image.count[s] = (uint32_t)book_count(&book, s);
                image.levels[s] = levels[s] =
                    memory_new((image.count[s] + 1) * sizeof(struct level));
                book_levels(&book, s, levels[s]);
                image.bounded[s] = s == SIDE_BID;
        }
        story_run(story, 3);
        story_check(story, record_correct(story->stream, &image, &differences));
        story_check(story, differences == (differs ? 3 : 0) ? 0 : ERR_CORRUPT);
        free(levels[SIDE_BID]);
        free(levels[SIDE_ASK]);
        book_deinit(&book);
}

/* The exchange knows next to nothing: its image is shorter than a repair would be. */
static void story_replace(struct story *story)
{
        struct level bid = {9000 * story->price_unit, 770 * story->quantity_unit};
        struct level ask = {11000 * story->price_unit, 33 * story->quantity_unit};
        uint32_t differences;
        struct image image = {.id = story->id,
            .receive_time_ns = story->now_ns,
            .count = {1, 1},
            .levels = {&bid, &ask},
            .bounded = {false, true}};
        record_tail_begin(story->stream);
        story_run(story, 1);
        story_check(story, record_correct(story->stream, &image, &differences));
}

/* ---- the recorder ---- */

static void story_open(struct story *story, const char *path, unsigned name)
{
        struct error error = {0};
        struct store_options options = {.path = path, .mode = STORE_WRITE};
        struct record_options record = record_defaults;
        record.without_thread = true;
        record.seal_after_ns = 15 * NS_PER_S;
        record.image_factor = 1;
        record.image_min_ns = 20 * NS_PER_S;
        if (store_memory.open(&story->store, &options, &error) ||
            recorder_open(&story->recorder, story->store, &record, &error) ||
            record_stream_open(story->recorder, &story_names[name], &story_scale, story->now_ns,
                &story->stream, &error)) {
                fprintf(stderr, "%s\n", error.text);
                abort();
        }
}

static void story_close(struct story *story)
{
        struct error error = {0};
        story_check(story, recorder_close(story->recorder, story->now_ns, NS_PER_S, &error));
        story->store->ops->close(story->store);
}

static void copy_row(uint32_t place, const struct store_cursor *row, void *user)
{
        struct error error = {0};
        struct store_txn txn;
        struct store *to = user;
        if (row->table == STORE_INFO)
                return;
        if (to->ops->begin(to, place, true, &txn, &error))
                abort();
        to->ops->put(&txn, row->table, row->key, row->value);
        if (to->ops->commit(&txn, &error))
                abort();
}

/* What the store holds now is all that the next recorder finds. */
static void story_crash(struct story *story)
{
        struct error error = {0};
        struct store *to;
        struct store_options options = {.path = "crashed", .mode = STORE_WRITE};
        story_check(story, store_memory.open(&to, &options, &error));
        story_check(story, rows_each(story->store, copy_row, to, &error));
        to->ops->close(to);
        story_close(story);
}

static void story_first_day(struct story *story)
{
        story_bridge(story, 130);
        story_run(story, 20);
        story_disorder(story);
        story_extremes(story);
        story_times(story);
        story_crowd(story);
        story_run(story, 130);
        story_repair(story, true);
        story_run(story, 60);
        story_repair(story, false);
        story_replace(story);
        story_run(story, 20);
        record_gap(story->stream, GAP_SEQUENCE, story->now_ns, "ids are missing");
        story_usual(story);
        story_end(story);
        record_headless(story->stream, &story->event, true);
        recorder_tick(story->recorder, story->now_ns);
        story->id += 50;
        story_bridge(story, 12);
        story_run(story, 10);
}

static void story_second_day(struct story *story)
{
        story->now_ns = day_start_ns(GOLDEN_DAY + 1) + 10 * NS_PER_S;
        story_run(story, 40);
        story_check(story, record_rescale(story->stream, 4, 4, 0, 0, story->now_ns));
        story->price_unit = 100;
        story->quantity_unit = 10;
        story_run(story, 30);
        story_repair(story, true);
        story_run(story, 15);
        recorder_tick(story->recorder, story->now_ns);
        story_crash(story);
        story->now_ns += 30 * NS_PER_S;
        story->id += 1000;
        story_open(story, "crashed", 0);
        story->price_unit = story->quantity_unit = 1;
        story_bridge(story, 12);
        story_run(story, 20);
        story_close(story);
}

/* An exchange that knows no level yet, and gives no id. */
static void story_empty(struct story *story)
{
        story_open(story, "crashed", 1);
        story_image(story, -1, 0);
        story_run(story, 5);
        story_close(story);
}

struct rows {
        golden_row_cb row_cb;
        void *user;
};

static void give_row(uint32_t place, const struct store_cursor *row, void *user)
{
        const struct rows *rows = user;
        struct golden_row golden = {place, row->table, row->key, row->value};
        if (row->table != STORE_INFO)
                rows->row_cb(&golden, rows->user);
}

/* Archiving wrote something about a stream that nobody knows. */
static void give_archive(golden_row_cb row_cb, void *user)
{
        struct buffer value;
        struct archive_record archive = {-1, INT64_MIN, INT64_MAX};
        buffer_init(&value, 64);
        archive_write(&value, &archive);
        struct golden_row row = {GOLDEN_DAY, STORE_MARKS, key_archive(3), buffer_bytes(&value)};
        row_cb(&row, user);
        buffer_deinit(&value);
}

static void give_symbol(
    uint32_t number, const struct symbol_record *record, golden_row_cb row_cb, void *user)
{
        struct buffer value;
        buffer_init(&value, 4096);
        symbol_record_write(&value, record);
        struct golden_row row = {STORE_META, STORE_SYMBOLS,
            key_symbol(number, record->valid_from_ns), buffer_bytes(&value)};
        row_cb(&row, user);
        buffer_deinit(&value);
}

/* A symbol whose tick changes, one of which hardly anything is known, and the longest of all. */
static void give_symbols(golden_row_cb row_cb, void *user)
{
        struct symbol_record record = {.valid_from_ns = STORY_START,
            .exchange = "binance",
            .symbol = "BTCUSDT",
            .base = "BTC",
            .quote = "USDT",
            .tick = "0.01000000",
            .lot = "0.00001000",
            .min_quantity = "0.00001000",
            .min_notional = "5.00000000",
            .status = "TRADING",
            .trading = true};
        give_symbol(1, &record, row_cb, user);
        record.valid_from_ns += NS_PER_DAY;
        record.tick[3] = '5';
        give_symbol(1, &record, row_cb, user);
        record = (struct symbol_record){.exchange = "coinbase", .symbol = "BTC-USD"};
        give_symbol(2, &record, row_cb, user);
        record =
            (struct symbol_record){.valid_from_ns = INT64_MIN, .trading = true, .auction = true};
        memset(record.exchange, 'e', META_EXCHANGE_SIZE - 1);
        memset(record.symbol, 's', META_SYMBOL_SIZE - 1);
        memset(record.base, 'b', META_WORD_SIZE - 1);
        memset(record.quote, 'q', META_WORD_SIZE - 1);
        memset(record.tick, '1', DECIMAL_TEXT_SIZE - 1);
        memset(record.lot, '2', DECIMAL_TEXT_SIZE - 1);
        memset(record.min_quantity, '3', DECIMAL_TEXT_SIZE - 1);
        memset(record.min_notional, '4', DECIMAL_TEXT_SIZE - 1);
        memset(record.status, 'w', META_WORD_SIZE - 1);
        give_symbol(UINT32_MAX, &record, row_cb, user);
}

int golden_dense_rows(golden_row_cb row_cb, void *user)
{
        struct rows rows = {row_cb, user};
        struct story *story = memory_new(sizeof(*story));
        struct store_options options = {.path = "crashed", .mode = STORE_READ};
        struct error error = {0};
        *story = (struct story){
            .random = 1, .now_ns = STORY_START, .id = 1000, .price_unit = 1, .quantity_unit = 1};
        story_open(story, "first", 0);
        story_first_day(story);
        story_second_day(story);
        story_empty(story);
        story_check(story, store_memory.open(&story->store, &options, &error));
        story_check(story, rows_each(story->store, give_row, &rows, &error));
        story->store->ops->close(story->store);
        give_archive(row_cb, user);
        give_symbols(row_cb, user);
        int code = story->code;
        free(story);
        return code;
}
