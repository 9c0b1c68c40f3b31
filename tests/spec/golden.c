/* obgolden write SET FOLDER: golden values as dump.jsonl, what they mean as expected.jsonl.
 * obgolden store SET PATH: the same values as a store.
 * obgolden record PATH SEED: a store that a recorder wrote, for comparing decoders.
 * obgolden orders PATH SEED: likewise, of orders and trades.
 * obgolden read DUMP: what codec/ makes of a dump, line by line as `obdecode.py records` prints it,
 * "refused" or "newer" for what it refuses. */
#include "base/error.h"
#include "record/record.h"
#include "tests/spec/golden_dense.h"
#include "tests/spec/golden_orders.h"
#include "tests/unit/golden_text.h"

#define USAGE                                                                                      \
        "usage: obgolden write SET FOLDER | obgolden store SET PATH | obgolden record PATH SEED |" \
        " obgolden orders PATH SEED | obgolden read DUMP\n"

static int fail(const char *what, const char *why)
{
        fprintf(stderr, "obgolden: %s: %s\n", what, why);
        return 1;
}

static int golden_plain_rows(golden_row_cb row_cb, void *user)
{
        golden_rows(row_cb, user);
        return 0;
}

static const struct {
        const char *name;
        int (*rows)(golden_row_cb row_cb, void *user);
} golden_sets[] = {
    {"v1", golden_plain_rows}, {"v2", golden_dense_rows}, {"v3", golden_orders_rows}};

static int set_rows(const char *name, golden_row_cb row_cb, void *user)
{
        for (size_t i = 0; i < sizeof(golden_sets) / sizeof(golden_sets[0]); i++) {
                if (!strcmp(name, golden_sets[i].name))
                        return golden_sets[i].rows(row_cb, user);
        }
        return ERR_NOT_FOUND;
}

/* ---- files ---- */

struct files {
        FILE *dump, *expected;
        struct text_reader reader;
        struct buffer text;
        int code;
};

static void write_row(const struct golden_row *row, void *user)
{
        struct files *files = user;
        buffer_clear(&files->text);
        text_dump(&files->text, row);
        fwrite(files->text.data, 1, files->text.size, files->dump);
        buffer_clear(&files->text);
        if (text_record(&files->text, &files->reader, row))
                files->code = ERR_CORRUPT;
        fwrite(files->text.data, 1, files->text.size, files->expected);
}

static int golden_write(const char *set, const char *folder)
{
        char dump[4096], expected[4096];
        struct files files = {0};
        snprintf(dump, sizeof(dump), "%s/dump.jsonl", folder);
        snprintf(expected, sizeof(expected), "%s/expected.jsonl", folder);
        files.dump = fopen(dump, "w");
        files.expected = files.dump ? fopen(expected, "w") : NULL;
        if (!files.expected)
                return fail(folder, "cannot be written");
        buffer_init(&files.text, 1 << 24);
        text_reader_init(&files.reader);
        int code = set_rows(set, write_row, &files);
        text_reader_deinit(&files.reader);
        buffer_deinit(&files.text);
        int failed = fclose(files.dump) | fclose(files.expected);
        return code || failed || files.code ? fail(folder, "a value cannot be written or read") : 0;
}

/* ---- store ---- */

struct target {
        struct store *store;
        struct error error;
        int code;
};

static void store_row(const struct golden_row *row, void *user)
{
        struct target *target = user;
        const struct store_ops *ops = target->store->ops;
        struct store_txn txn;
        if (!target->code)
                target->code = ops->begin(target->store, row->place, true, &txn, &target->error);
        if (target->code)
                return;
        ops->put(&txn, row->table, row->key, row->value);
        target->code = ops->commit(&txn, &target->error);
}

static int golden_store(const char *set, const char *path)
{
        struct target target = {0};
        struct store_options options = {.path = path, .mode = STORE_WRITE};
        if (store_lmdb.open(&target.store, &options, &target.error))
                return fail(path, target.error.text);
        int code = set_rows(set, store_row, &target);
        target.store->ops->close(target.store);
        return code || target.code ? fail(path, target.error.text) : 0;
}

/* ---- a dump, read ---- */

static void read_line(struct text_reader *reader, const char *line, struct buffer *value)
{
        struct golden_row row;
        struct buffer text;
        if (text_row(line, value, &row)) {
                printf("no row\n");
                return;
        }
        buffer_init(&text, SIZE_MAX);
        int code = text_record(&text, reader, &row);
        if (code)
                printf(code == ERR_VERSION ? "newer\n" : "refused\n");
        else
                fwrite(text.data, 1, text.size, stdout);
        buffer_deinit(&text);
}

static int golden_read(const char *path)
{
        FILE *dump = fopen(path, "r");
        if (!dump)
                return fail(path, "cannot be read");
        struct text_reader reader;
        struct buffer value;
        char *line = NULL;
        size_t capacity = 0;
        text_reader_init(&reader);
        buffer_init(&value, 1 << 24);
        while (getline(&line, &capacity, dump) > 0)
                read_line(&reader, line, &value);
        buffer_deinit(&value);
        text_reader_deinit(&reader);
        free(line);
        fclose(dump);
        return fflush(stdout) ? 1 : 0;
}

/* ---- a recorder's store ---- */

struct feed {
        struct recorder *recorder;
        struct record_stream *stream;
        uint64_t random;
        int64_t now_ns, id, factor; /* of prices, for a scale of more digits */
        struct level levels[SIDES][32];
};

static uint32_t feed_random(struct feed *feed, uint32_t below)
{
        feed->random = feed->random * UINT64_C(6364136223846793005) + 1442695040888963407;
        return (uint32_t)(feed->random >> 33) % below;
}

/* Bids below 50,000 and asks above it, so that the book never crosses. */
static void feed_event(struct feed *feed, struct event *ret_event)
{
        int64_t late = feed_random(feed, 20) ? 5 * NS_PER_MS : 900 * NS_PER_MS;
        feed->now_ns += (int64_t)(1 + feed_random(feed, 400)) * NS_PER_MS;
        *ret_event = (struct event){.event_time_ns = feed->now_ns - late,
            .receive_time_ns = feed->now_ns + feed_random(feed, 1000000),
            .first_id = feed->id + 1,
            .last_id = feed->id + 1 + feed_random(feed, 9)};
        feed->id = ret_event->last_id;
        for (enum side s = 0; s < SIDES; s++) {
                ret_event->count[s] = feed_random(feed, 12);
                ret_event->levels[s] = feed->levels[s];
                for (uint32_t i = 0; i < ret_event->count[s]; i++) {
                        int64_t away = 1 + feed_random(feed, 300);
                        feed->levels[s][i] = (struct level){
                            feed->factor * (50000 + (s == SIDE_BID ? -away : away) * 5),
                            feed_random(feed, 3) ? 10 * feed_random(feed, 5000) : 0};
                        if (!feed_random(feed, 200))
                                feed->levels[s][i].quantity += 1;
                }
        }
}

static void feed_image(struct feed *feed, int64_t id)
{
        struct image image = {.id = id, .receive_time_ns = feed->now_ns};
        for (enum side s = 0; s < SIDES; s++) {
                image.count[s] = 20;
                image.levels[s] = feed->levels[s];
                image.bounded[s] = true;
                for (int64_t i = 0; i < 20; i++)
                        feed->levels[s][i] = (struct level){
                            50000 + (s == SIDE_BID ? -1 - i : 1 + i) * 5, 1000 + 10 * i};
        }
        record_image(feed->stream, &image);
}

/* Some events wait, an image comes in between them, then the book lives. */
static void feed_bridge(struct feed *feed)
{
        struct event event;
        int64_t id = feed->id;
        for (unsigned i = 0; i < 6; i++) {
                feed_event(feed, &event);
                record_headless(feed->stream, &event, i == 0);
                if (i == 2)
                        id = feed->id;
        }
        recorder_tick(feed->recorder, feed->now_ns);
        feed_image(feed, id);
}

static void feed_correct(struct feed *feed)
{
        struct event event;
        struct level level = {49000, 770};
        uint32_t differences;
        struct image image = {.id = feed->id,
            .receive_time_ns = feed->now_ns,
            .count = {1, 0},
            .levels = {&level, &level},
            .bounded = {true, false}};
        record_tail_begin(feed->stream);
        feed_event(feed, &event);
        record_event(feed->stream, &event);
        record_correct(feed->stream, &image, &differences);
}

static void feed_run(struct feed *feed, unsigned count)
{
        struct event event;
        for (unsigned i = 0; i < count; i++) {
                feed_event(feed, &event);
                record_event(feed->stream, &event);
                if (i % 4 == 0)
                        recorder_tick(feed->recorder, feed->now_ns);
        }
}

static void feed_all(struct feed *feed)
{
        feed_bridge(feed);
        feed_run(feed, 1200);
        feed_correct(feed);
        feed_run(feed, 100);
        record_gap(feed->stream, GAP_SEQUENCE, feed->now_ns, "ids are missing");
        feed->id += 100;
        feed_bridge(feed);
        feed_run(feed, 200);
        if (!record_rescale(feed->stream, 3, 3, 0, 0, feed->now_ns))
                feed->factor = 10;
        feed->now_ns += 600 * NS_PER_S; /* over midnight */
        feed_run(feed, 300);
}

static int golden_record(const char *path, const char *seed)
{
        static const struct stream_name name = {"binance", "FEEDUSDT", KIND_L2, true};
        static const struct scale scale = {2, 3, true, 5, 10};
        struct error error = {0};
        struct store *store;
        struct feed feed = {.random = strtoull(seed, NULL, 10), .id = 1000, .factor = 1};
        struct store_options options = {.path = path, .mode = STORE_WRITE};
        struct record_options record = record_defaults;
        record.without_thread = true;
        feed.now_ns = day_start_ns(GOLDEN_DAY + 1) - 500 * NS_PER_S;
        if (store_lmdb.open(&store, &options, &error))
                return fail(path, error.text);
        int code = recorder_open(&feed.recorder, store, &record, &error);
        if (!code) {
                code = record_stream_open(
                    feed.recorder, &name, &scale, feed.now_ns, &feed.stream, &error);
                if (!code)
                        feed_all(&feed);
                recorder_tick(feed.recorder, feed.now_ns);
                int closed = recorder_close(feed.recorder, feed.now_ns, NS_PER_S, &error);
                code = code ? code : closed;
        }
        store->ops->close(store);
        return code ? fail(path, error.text) : 0;
}

static int golden_orders(const char *path, const char *seed)
{
        struct error error = {0};
        int code = golden_orders_store(path, strtoull(seed, NULL, 10), &error);
        return code ? fail(path, error.text) : 0;
}

int main(int argc, char **argv)
{
        if (argc == 4 && !strcmp(argv[1], "write"))
                return golden_write(argv[2], argv[3]);
        if (argc == 4 && !strcmp(argv[1], "store"))
                return golden_store(argv[2], argv[3]);
        if (argc == 3 && !strcmp(argv[1], "read"))
                return golden_read(argv[2]);
        if (argc == 4 && !strcmp(argv[1], "record"))
                return golden_record(argv[2], argv[3]);
        if (argc == 4 && !strcmp(argv[1], "orders"))
                return golden_orders(argv[2], argv[3]);
        fprintf(stderr, USAGE);
        return 2;
}
