/* Two days of record: midnight, restarts, dropped and copied days; every book as it was. */
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recon/prune.h"
#include "sim_days.h"

#define SAMPLES 500
#define DAY_ONE 20778 /* 2026-11-21 */

static char folder[64], path[128], lone_path[128];

static int setup(void **state)
{
        (void)state;
        snprintf(folder, sizeof(folder), "/tmp/test-days-XXXXXX");
        if (!mkdtemp(folder))
                return -1;
        snprintf(path, sizeof(path), "%s/store", folder);
        snprintf(lone_path, sizeof(lone_path), "%s/lone", folder);
        return 0;
}

static int remove_entry(const char *name, const struct stat *status, int type, struct FTW *walk)
{
        (void)status, (void)type, (void)walk;
        return remove(name);
}

static int teardown(void **state)
{
        (void)state;
        nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        return 0;
}

/* ---- what must be there ---- */

static void expect_equal(const struct book *book, const struct book *truth, const char *where)
{
        struct buffer is, should;
        buffer_init(&is, 1u << 20);
        buffer_init(&should, 1u << 20);
        sim_book_text(book, &is);
        sim_book_text(truth, &should);
        buffer_append_byte(&is, 0);
        buffer_append_byte(&should, 0);
        if (strcmp((char *)is.data, (char *)should.data) != 0)
                fail_msg("%s:\n%s\ninstead of\n%s", where, (char *)is.data, (char *)should.data);
        buffer_deinit(&is);
        buffer_deinit(&should);
}

static int compare_times(const void *a, const void *b)
{
        const int64_t *left = a, *right = b;
        return *left < *right ? -1 : *left > *right;
}

/* Times by chance within [from, to), many of them around midnight, in order. */
static void choose_times(int64_t *times, int64_t from_ns, int64_t to_ns, uint64_t seed)
{
        int64_t midnight = SIM_WALL_NS + NS_PER_DAY, hour = 3600 * NS_PER_S;
        for (size_t i = 0; i < SAMPLES; i++) {
                uint64_t hash = days_hash(seed, i);
                times[i] = from_ns + (int64_t)(hash % (uint64_t)(to_ns - from_ns));
                int64_t near = midnight - hour + (int64_t)(hash % (uint64_t)(3 * hour));
                if (i % 3 == 0 && near >= from_ns && near < to_ns)
                        times[i] = near;
        }
        qsort(times, SAMPLES, sizeof(*times), compare_times);
}

/* The first event recorded with a book at or after @from_ns. */
static size_t first_good(const struct product *product, int64_t from_ns)
{
        size_t index = 0;
        while (
            index < product->count && (!product->good[index] || product->times_ns[index] < from_ns))
                index++;
        return index;
}

/* Two good events beside each other, no restart between them. */
static bool is_continuous(const struct product *product, size_t index)
{
        int64_t down_ns = SIM_WALL_NS + DAYS_DOWN_FROM * NS_PER_S;
        if (index + 1 >= product->count || !product->good[index] || !product->good[index + 1])
                return false;
        return !product->days->restart || product->times_ns[index] >= down_ns ||
            product->times_ns[index + 1] < down_ns;
}

static void check_time(struct reader *reader, const struct recon_stream *stream,
    struct days_walk *walk, int64_t at_ns, int64_t begin_ns)
{
        const struct product *product = walk->product;
        struct recon_book book;
        struct error error = {0};
        char where[128], time[TIME_TEXT_SIZE];
        size_t next = walk->next;
        while (next < product->count && product->times_ns[next] <= at_ns)
                next++;
        days_walk_to(walk, next);
        recon_book_init(&book);
        if (recon_book_at(reader, stream, at_ns, CLOCK_EXCHANGE, &book, &error))
                fail_msg("%s (at %s)", error.text, time_format(at_ns, time));
        snprintf(where, sizeof(where), "%s at %s (%s)", stream->name.symbol,
            time_format(at_ns, time), book_status_name(book.status));
        bool before = next <= first_good(product, begin_ns);
        if (!before && is_continuous(product, next - 1) && book.status != STATUS_OK)
                fail_msg("%s: should be ok", where);
        if (next && !product->good[next - 1] && book.status == STATUS_OK)
                fail_msg("%s: should not be ok", where);
        if (book.status == STATUS_OK)
                expect_equal(&book.book, &walk->book, where);
        recon_book_deinit(&book);
}

/* SAMPLES books of [from, to); the store has events since @begin_ns. */
static void check_books(struct reader *reader, const struct product *product, int64_t from_ns,
    int64_t to_ns, int64_t begin_ns)
{
        const char *name = days_names[product->number];
        const struct recon_stream *stream = reader_find(reader, "binance", name, KIND_L2);
        struct days_walk walk = {.product = product};
        static int64_t times[SAMPLES];
        assert_non_null(stream);
        book_init(&walk.book);
        choose_times(times, from_ns, to_ns, product->number);
        for (size_t i = 0; i < SAMPLES; i++)
                check_time(reader, stream, &walk, times[i], begin_ns);
        book_deinit(&walk.book);
        sim_verify(reader, stream);
}

/* One line a gap; the times that they take are what coverage lacks. */
static void coverage_text(struct reader *reader, const char *name, struct buffer *text)
{
        const struct recon_stream *stream = reader_find(reader, "binance", name, KIND_L2);
        struct coverage coverage;
        struct error error = {0};
        int64_t lost = 0, until = INT64_MIN;
        assert_int_equal(
            recon_coverage(reader, stream, INT64_MIN, INT64_MAX, &coverage, &error), 0);
        for (size_t i = 0; i < coverage.gaps.count; i++) {
                const struct gap_record *gap = &coverage.gaps.gaps[i];
                char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];
                assert_false(gap->open);
                if (gap->to_time_ns > until)
                        lost += gap->to_time_ns -
                            (gap->from_time_ns > until ? gap->from_time_ns : until);
                until = gap->to_time_ns > until ? gap->to_time_ns : until;
                buffer_printf(text, "%s %s %.8s %.8s\n", name, gap_cause_name(gap->cause),
                    time_format(gap->from_time_ns, from) + 11,
                    time_format(gap->to_time_ns, to) + 11);
        }
        assert_int_equal(coverage.covered_ns, coverage.to_ns - coverage.from_ns - lost);
        gap_list_deinit(&coverage.gaps);
}

static struct store *open_store(const struct store_ops *ops, const char *at, enum store_mode mode)
{
        struct store_options options = {.path = at, .mode = mode};
        struct store *store = NULL;
        struct error error = {0};
        if (ops->open(&store, &options, &error))
                fail_msg("%s", error.text);
        return store;
}

static void open_reader(struct reader *reader, struct store *store)
{
        struct error error = {0};
        if (reader_open(reader, store, &error))
                fail_msg("%s", error.text);
}

static void check_all_books(
    const struct days *days, struct store *store, int64_t from_ns, int64_t to_ns)
{
        struct reader reader;
        open_reader(&reader, store);
        for (size_t i = 0; i < DAYS_PRODUCTS; i++)
                check_books(&reader, &days->products[i], from_ns, to_ns, from_ns);
        reader_close(&reader);
}

/* ---- parts of a store ---- */

static void copy_file(const char *from, const char *to)
{
        static char block[1 << 16];
        FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
        size_t size;
        assert_true(in && out);
        while ((size = fread(block, 1, sizeof(block), in)) > 0)
                assert_int_equal(fwrite(block, 1, size, out), size);
        fclose(in);
        assert_int_equal(fclose(out), 0);
}

static void copy_place(const char *name)
{
        char from[256], to[256];
        snprintf(to, sizeof(to), "%s/%s", lone_path, name);
        assert_int_equal(mkdir(to, 0755), 0);
        snprintf(from, sizeof(from), "%s/%s/data.mdb", path, name);
        snprintf(to, sizeof(to), "%s/%s/data.mdb", lone_path, name);
        copy_file(from, to);
}

/* One day's folder and meta, sent to somebody who has nothing else. */
static void check_lone_day(const struct days *days, uint32_t day)
{
        char text[DAY_TEXT_SIZE];
        assert_int_equal(mkdir(lone_path, 0755), 0);
        copy_place("meta");
        copy_place(day_format(day, text));
        struct store *store = open_store(&store_lmdb, lone_path, STORE_READ);
        check_all_books(days, store, day_start_ns(day), day_start_ns(day) + NS_PER_DAY);
        store->ops->close(store);
        nftw(lone_path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void prune_first_day(struct store *store)
{
        struct reader reader;
        struct error error = {0};
        struct prune_result result;
        open_reader(&reader, store);
        if (recon_prune(&reader, DAY_ONE + 1, &result, &error))
                fail_msg("%s", error.text);
        assert_int_equal(result.dropped, 1);
        reader_close(&reader);
}

static void check_pruned_book_is_empty(struct store *store)
{
        struct reader reader;
        struct recon_book book;
        struct error error = {0};
        open_reader(&reader, store);
        recon_book_init(&book);
        assert_int_equal(recon_book_at(&reader, reader_find(&reader, "binance", "BUSY", KIND_L2),
                             SIM_WALL_NS + 3600 * NS_PER_S, CLOCK_EXCHANGE, &book, &error),
            0);
        assert_int_equal(book.status, STATUS_EMPTY);
        recon_book_deinit(&book);
        reader_close(&reader);
}

static void expect_coverage(struct store *store, const char *expected)
{
        struct reader reader;
        struct buffer text;
        buffer_init(&text, 1u << 16);
        open_reader(&reader, store);
        for (size_t i = 0; i < DAYS_PRODUCTS; i++)
                coverage_text(&reader, days_names[i], &text);
        sim_expect(&text, expected, __FILE__, __LINE__);
        reader_close(&reader);
        buffer_deinit(&text);
}

/* Everything there is to say of a record: whole, each day alone, then without its first day. */
static void check_record(struct days *days, const char *whole, const char *pruned)
{
        int64_t end_ns = SIM_WALL_NS + 2 * NS_PER_DAY;
        struct store *store = open_store(days->ops, days->path, STORE_WRITE);
        check_all_books(days, store, SIM_WALL_NS, end_ns);
        expect_coverage(store, whole);
        if (days->ops == &store_lmdb) {
                check_lone_day(days, DAY_ONE);
                check_lone_day(days, DAY_ONE + 1);
        }
        prune_first_day(store);
        check_all_books(days, store, SIM_WALL_NS + NS_PER_DAY, end_ns);
        check_pruned_book_is_empty(store);
        expect_coverage(store, pruned);
        store->ops->close(store);
}

/* ---- the tests ---- */

static const char whole_plain[] = "HEADLESS sequence 23:49:59 00:20:01\n"
                                  "GAP disconnect 23:49:59 00:15:01\n";
static const char pruned_plain[] = "BUSY pruned 00:00:00 23:59:59\n"
                                   "QUIET pruned 00:00:00 00:01:00\n"
                                   "HEADLESS pruned 00:00:00 23:50:00\n"
                                   "HEADLESS sequence 23:49:59 00:20:01\n"
                                   "GAP pruned 00:00:00 23:49:59\n"
                                   "GAP disconnect 23:49:59 00:15:01\n";
static const char whole_clean[] = "BUSY stopped 23:59:29 00:00:41\n"
                                  "QUIET stopped 23:59:29 00:45:00\n"
                                  "HEADLESS sequence 23:49:59 00:20:01\n"
                                  "GAP stopped 23:49:59 00:00:41\n";
static const char pruned_clean[] = "BUSY pruned 00:00:00 23:59:29\n"
                                   "BUSY stopped 23:59:29 00:00:41\n"
                                   "QUIET pruned 00:00:00 23:59:29\n"
                                   "QUIET stopped 23:59:29 00:45:00\n"
                                   "HEADLESS pruned 00:00:00 23:50:00\n"
                                   "HEADLESS sequence 23:49:59 00:20:01\n"
                                   "GAP pruned 00:00:00 23:49:59\n"
                                   "GAP stopped 23:49:59 00:00:41\n";
static const char whole_crash[] = "BUSY crashed 23:59:00 00:00:41\n"
                                  "QUIET crashed 23:59:00 00:45:00\n"
                                  "HEADLESS sequence 23:49:59 00:20:01\n"
                                  "GAP crashed 23:49:59 00:00:41\n";
static const char pruned_crash[] = "BUSY pruned 00:00:00 23:59:00\n"
                                   "BUSY crashed 23:59:00 00:00:41\n"
                                   "QUIET pruned 00:00:00 23:59:00\n"
                                   "QUIET crashed 23:59:00 00:45:00\n"
                                   "HEADLESS pruned 00:00:00 23:50:00\n"
                                   "HEADLESS sequence 23:49:59 00:20:01\n"
                                   "GAP pruned 00:00:00 23:49:59\n"
                                   "GAP crashed 23:49:59 00:00:41\n";

static void check_run(const struct store_ops *ops, const char *name, enum days_restart restart,
    const char *whole, const char *pruned)
{
        struct days *days = days_run(ops, name, restart);
        check_record(days, whole, pruned);
        days_free(days);
}

static void two_days_in_memory(void **state)
{
        (void)state;
        check_run(&store_memory, "days-plain", RESTART_NONE, whole_plain, pruned_plain);
}

static void two_days_on_disk(void **state)
{
        (void)state;
        check_run(&store_lmdb, path, RESTART_NONE, whole_plain, pruned_plain);
}

static void clean_restart_over_midnight_in_memory(void **state)
{
        (void)state;
        check_run(&store_memory, "days-clean", RESTART_CLEAN, whole_clean, pruned_clean);
}

static void clean_restart_over_midnight_on_disk(void **state)
{
        (void)state;
        check_run(&store_lmdb, path, RESTART_CLEAN, whole_clean, pruned_clean);
}

static void crash_over_midnight_in_memory(void **state)
{
        (void)state;
        check_run(&store_memory, "days-crash", RESTART_CRASH, whole_crash, pruned_crash);
}

static void crash_over_midnight_on_disk(void **state)
{
        (void)state;
        check_run(&store_lmdb, path, RESTART_CRASH, whole_crash, pruned_crash);
}

/* Frames of one stream in one day, in order: keys and bytes. */
static size_t compare_frames(struct store *a, struct store *b, uint32_t day, uint32_t stream)
{
        struct store *stores[2] = {a, b};
        struct store_txn txns[2];
        struct store_cursor cursors[2];
        int codes[2];
        size_t count = 0;
        for (int i = 0; i < 2; i++) {
                assert_int_equal(stores[i]->ops->begin(stores[i], day, false, &txns[i], NULL), 0);
                codes[i] = stores[i]->ops->seek(
                    &txns[i], STORE_FRAMES, key_position(stream, 0), &cursors[i]);
        }
        while (!codes[0] && cursors[0].key.stream == stream) {
                assert_int_equal(codes[1], 0);
                assert_int_equal(cursors[0].key.major, cursors[1].key.major);
                assert_int_equal(cursors[0].value.size, cursors[1].value.size);
                assert_memory_equal(
                    cursors[0].value.data, cursors[1].value.data, cursors[0].value.size);
                count++;
                for (int i = 0; i < 2; i++)
                        codes[i] = stores[i]->ops->next(&cursors[i]);
        }
        assert_true(codes[1] || cursors[1].key.stream != stream);
        for (int i = 0; i < 2; i++) {
                stores[i]->ops->done(&cursors[i]);
                stores[i]->ops->abort(&txns[i]);
        }
        return count;
}

/* The same input gives the same bytes: twice in memory, and on disk. */
static void same_input_gives_the_same_frames(void **state)
{
        (void)state;
        const struct store_ops *ops[3] = {&store_memory, &store_memory, &store_lmdb};
        const char *names[3] = {"same-one", "same-two", path};
        struct store *stores[3];
        for (int i = 0; i < 3; i++) {
                days_free(days_run(ops[i], names[i], RESTART_CLEAN));
                stores[i] = open_store(ops[i], names[i], STORE_READ);
        }
        for (uint32_t stream = 1; stream <= DAYS_PRODUCTS; stream++) {
                for (uint32_t day = DAY_ONE; day < DAY_ONE + 2; day++) {
                        size_t count = compare_frames(stores[0], stores[1], day, stream);
                        assert_in_range(count, 1000, 20000);
                        assert_int_equal(compare_frames(stores[0], stores[2], day, stream), count);
                }
        }
        for (int i = 0; i < 3; i++)
                stores[i]->ops->close(stores[i]);
}

#define DAYS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
            DAYS_TEST(two_days_in_memory),
            DAYS_TEST(two_days_on_disk),
            DAYS_TEST(clean_restart_over_midnight_in_memory),
            DAYS_TEST(clean_restart_over_midnight_on_disk),
            DAYS_TEST(crash_over_midnight_in_memory),
            DAYS_TEST(crash_over_midnight_on_disk),
            DAYS_TEST(same_input_gives_the_same_frames),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
