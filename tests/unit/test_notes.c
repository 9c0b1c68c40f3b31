/* Remarks beside the record: their texts, delays of events counted, and when they are stored. */
#include "codec/note.h"
#include "logger/notes.h"
#include "record/delay.h"
#include "ship/describe.h"
#include "store/layout.h"
#include "tests/unit/metrics_help.h"

/* ---- texts ---- */

static const struct {
        const char *text;
        struct note_record note;
} examples[] = {
    {"clock_step_ns=-12345", {.kind = NOTE_CLOCK_STEP, .step_ns = -12345}},
    {"clock synchronized=1 offset_ns=-1500000 error_ns=250000",
        {.kind = NOTE_CLOCK, .synchronized = 1, .offset_ns = -1500000, .error_ns = 250000}},
    {"latency stream=4294967295 from_ns=1723161600000000000 count=100 early=2 min_ns=-7 "
     "p50_ns=20 p99_ns=30 max_ns=9223372036854775807",
        {.kind = NOTE_LATENCY,
            .stream = UINT32_MAX,
            .from_ns = T0,
            .count = 100,
            .early = 2,
            .min_ns = -7,
            .p50_ns = 20,
            .p99_ns = 30,
            .max_ns = INT64_MAX}},
};

#define EXAMPLES (sizeof(examples) / sizeof(examples[0]))

static struct bytes bytes_of(const char *text)
{
        return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static void a_note_is_the_text_that_the_format_draws(void **state)
{
        (void)state;
        struct buffer text;
        buffer_init(&text, NOTE_SIZE);
        for (size_t i = 0; i < EXAMPLES; i++) {
                struct note_record note;
                buffer_clear(&text);
                note_write(&text, &examples[i].note);
                assert_int_equal(text.size, strlen(examples[i].text));
                assert_memory_equal(text.data, examples[i].text, text.size);
                note_read(buffer_bytes(&text), &note);
                assert_memory_equal(&note, &examples[i].note, sizeof(note));
        }
        buffer_deinit(&text);
}

static void a_longest_text_fits(void **state)
{
        (void)state;
        struct buffer text;
        struct note_record note = {NOTE_LATENCY, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN,
            INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN};
        buffer_init(&text, NOTE_SIZE);
        note_write(&text, &note);
        assert_false(text.failed);
        buffer_deinit(&text);
}

static void assert_kind(const char *text, enum note_kind kind)
{
        struct note_record note;
        note_read(bytes_of(text), &note);
        if (note.kind != kind)
                fail_msg("\"%s\" is %s", text, note_kind_name(note.kind));
}

static void words_of_a_later_version_are_passed_over(void **state)
{
        (void)state;
        assert_kind("clock_step_ns=7 by=ntpd", NOTE_CLOCK_STEP);
        assert_kind("clock synchronized=0 offset_ns=0 error_ns=0 leap=1", NOTE_CLOCK);
}

static void what_is_no_note_is_none(void **state)
{
        (void)state;
        static const char *const texts[] = {"", " ", "begin", "clock", "clock ", "latency",
            "clock_step_ns=", "clock_step_ns=-", "clock_step_ns=x", "clock_step_ns=1x",
            "clock_step_ns=1.5", "clock_step_ns=+1", "clock_step_ns= 1",
            "clock_step_ns=9223372036854775808", "clock_steps_ns=1", " clock_step_ns=1",
            "clock synchronized=2 offset_ns=0 error_ns=0",
            "clock synchronized=1 offset_ns=0 error_ns=-1", "clock synchronized=1 offset_ns=0",
            "clock offset_ns=0 synchronized=1 error_ns=0",
            "clock  synchronized=1 offset_ns=0 error_ns=0",
            "latency stream=0 from_ns=1 count=1 early=0 min_ns=1 p50_ns=1 p99_ns=1 max_ns=1",
            "latency stream=4294967296 from_ns=1 count=1 early=0 min_ns=1 p50_ns=1 p99_ns=1 "
            "max_ns=1",
            "latency stream=1 from_ns=1 count=0 early=0 min_ns=1 p50_ns=1 p99_ns=1 max_ns=1"};
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert_kind(texts[i], NOTE_OTHER);
}

/* Behind the end stands what would go on with the number. */
static void a_text_is_not_read_beyond_its_end(void **state)
{
        (void)state;
        struct note_record note;
        const char text[] = "clock_step_ns=12345";
        for (size_t cut = sizeof("clock_step_ns="); cut < sizeof(text); cut++) {
                uint8_t *copy = memory_new(cut); /* a sanitizer sees what is read behind it */
                int64_t value = 0;
                memcpy(copy, text, cut);
                for (size_t i = sizeof("clock_step_ns=") - 1; i < cut; i++)
                        value = value * 10 + text[i] - '0';
                note_read((struct bytes){copy, cut}, &note);
                assert_int_equal(note.kind, NOTE_CLOCK_STEP);
                assert_int_equal(note.step_ns, value);
                free(copy);
        }
        note_read((struct bytes){(const uint8_t *)text, 14}, &note);
        assert_int_equal(note.kind, NOTE_OTHER);
}

/* ---- delays ---- */

static int compare_times(const void *a, const void *b)
{
        int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
        return (left > right) - (left < right);
}

/* What the format says of a percentile, of delays in ascending order. */
static void assert_percentile(
    const int64_t *sorted, size_t count, unsigned percent, int64_t said_ns, int64_t max_ns)
{
        int64_t true_ns = sorted[(count * percent + 99) / 100 - 1];
        int64_t least_ns = true_ns < 0 ? 0 : true_ns;
        int64_t most_ns = true_ns < 1024 ? 1023 : true_ns + true_ns / 8;
        if (true_ns < 0)
                most_ns = 0;
        if (true_ns >= INT64_C(1) << DELAY_END_BIT)
                most_ns = max_ns;
        if (least_ns > max_ns)
                least_ns = max_ns;
        if (most_ns > max_ns)
                most_ns = max_ns;
        if (said_ns < least_ns || said_ns > most_ns)
                fail_msg("%u%% of %zu: %lld, not %lld to %lld", percent, count, (long long)said_ns,
                    (long long)least_ns, (long long)most_ns);
}

/* Of any size from early to hours, most of them near a size of the round. */
static int64_t chance_delay(struct chance *chance, unsigned bits)
{
        unsigned size = chance_one_in(chance, 10) ? (unsigned)chance_below(chance, 44) : bits;
        int64_t delay_ns = (int64_t)chance_below(chance, UINT64_C(1) << (size + 1));
        return chance_one_in(chance, 20) ? -delay_ns : delay_ns;
}

static void percentiles_are_as_exact_as_the_format_says(void **state)
{
        (void)state;
        static int64_t delays_ns[5000];
        struct chance chance = {11};
        for (unsigned round = 0; round < 200; round++) {
                struct delays delays = {0};
                struct delay_histogram histogram = {0};
                struct note_record note;
                size_t count = 1 + (size_t)chance_below(&chance, round < 100 ? 12 : 5000);
                for (size_t i = 0; i < count; i++) {
                        delays_ns[i] = chance_delay(&chance, round % 40);
                        assert_true(delay_count(&delays, &histogram, T0, T0 + delays_ns[i]));
                }
                qsort(delays_ns, count, sizeof(delays_ns[0]), compare_times);
                assert_true(delay_take_note(&delays, &note));
                assert_int_equal(note.count, count);
                assert_int_equal(note.min_ns, delays_ns[0]);
                assert_int_equal(note.max_ns, delays_ns[count - 1]);
                assert_percentile(delays_ns, count, 50, note.p50_ns, note.max_ns);
                assert_percentile(delays_ns, count, 99, note.p99_ns, note.max_ns);
        }
}

static void each_delay_is_in_one_bucket_and_in_the_sums(void **state)
{
        (void)state;
        struct delays delays = {0};
        struct delay_histogram histogram = {0};
        uint64_t count = 0;
        for (unsigned i = 0; i < DELAY_BOUNDS; i++) {
                int64_t bound_ns = delay_bounds_ms[i] * NS_PER_MS;
                assert_true(delay_count(&delays, &histogram, T0, T0 + bound_ns));
                assert_true(delay_count(&delays, &histogram, T0, T0 + bound_ns + 1));
        }
        assert_true(delay_count(&delays, &histogram, T0, T0 - 3));
        for (unsigned i = 0; i <= DELAY_BOUNDS; i++) {
                assert_int_equal(histogram.counts[i], i && i < DELAY_BOUNDS ? 2 : i ? 1 : 2);
                count += histogram.counts[i];
        }
        assert_int_equal(histogram.sum.count, count);
        assert_int_equal(histogram.sum.early, 1);
        assert_int_equal(histogram.sum.sum_us, 2 * UINT64_C(74443000));
        assert_memory_equal(&delays.sum, &histogram.sum, sizeof(delays.sum));
}

static void what_has_no_time_is_not_counted(void **state)
{
        (void)state;
        struct delays delays = {0};
        struct delay_histogram histogram = {0};
        struct note_record note;
        assert_false(delay_count(&delays, &histogram, 0, T0));
        assert_false(delay_count(&delays, &histogram, T0, INT64_MIN));
        assert_false(delay_count(&delays, &histogram, INT64_MAX, T0));
        assert_int_equal(delays.sum.count + histogram.sum.count, 0);
        assert_false(delay_take_note(&delays, &note));
        assert_true(delay_count(&delays, &histogram, T0, T0 + 400 * NS_PER_DAY));
        assert_true(delay_take_note(&delays, &note));
        assert_int_equal(note.max_ns, NS_PER_DAY);
        assert_false(delay_take_note(&delays, &note)); /* it began anew */
        assert_int_equal(delays.sum.count, 1);
}

/* ---- what is stored, and when ---- */

/* The notes of the store, a line each: seconds since T0, and the text. */
static const char *stored(struct store *store)
{
        static char text[4096];
        struct store_txn txn;
        struct store_cursor cursor;
        struct error error;
        int size = 0;
        *text = '\0';
        for (uint32_t day = day_of_time(T0) - 1; day <= day_of_time(T0) + 1; day++) {
                if (store->ops->begin(store, day, false, &txn, &error))
                        continue;
                int code = store->ops->seek(&txn, STORE_NOTES, key_note(INT64_MIN), &cursor);
                while (!code) {
                        size += snprintf(text + size, sizeof(text) - (size_t)size, "%lld %.*s\n",
                            (long long)(cursor.key.major - T0), (int)cursor.value.size,
                            (const char *)cursor.value.data);
                        assert_int_equal(day_of_time(cursor.key.major), day);
                        code = store->ops->next(&cursor);
                }
                store->ops->done(&cursor);
                store->ops->abort(&txn);
        }
        return text;
}

static void no_two_notes_have_the_same_time(void **state)
{
        (void)state;
        struct world world;
        int64_t midnight = T0 + NS_PER_DAY;
        static const int64_t at[] = {-1, -1, 5, 5, 5, 4, 2 * NS_PER_S, 0};
        world_begin(&world, "notes", 0);
        for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
                recorder_note_clock_step(world.app.recorder, T0 + at[i], (int64_t)i);
        recorder_note_clock_step(world.app.recorder, midnight - 1, 8);
        recorder_note_clock_step(world.app.recorder, midnight - 1, 9);
        recorder_tick(world.app.recorder, midnight);
        /* set back by more than a second: by the new time */
        assert_string_equal(stored(world.store),
            "-1 clock_step_ns=0\n0 clock_step_ns=7\n5 clock_step_ns=2\n6 clock_step_ns=3\n"
            "7 clock_step_ns=4\n8 clock_step_ns=5\n2000000000 clock_step_ns=6\n"
            "86399999999999 clock_step_ns=8\n86400000000000 clock_step_ns=9\n");
        world_end(&world);
}

static struct clock_state told;
static int told_code;
static unsigned looks;

static int tell_clock(struct network *network, struct clock_state *ret_state)
{
        (void)network;
        looks++;
        if (!told_code)
                *ret_state = told;
        return told_code;
}

static const struct network_ops clock_ops = {.clock = tell_clock};
static struct network clock_network = {&clock_ops};

/* Seconds of the loop's turns. */
static void pass(struct world *world, unsigned seconds)
{
        for (unsigned i = 0; i < seconds; i++) {
                notes_second(&world->app);
                world->app.mono_ns += NS_PER_S;
                world->app.wall_ns += NS_PER_S;
        }
        recorder_tick(world->app.recorder, world->app.wall_ns);
}

static void world_with_clock(struct world *world, const char *name, int64_t wall_ns)
{
        world_begin(world, name, 0);
        world->app.network = &clock_network;
        world->app.wall_ns = wall_ns;
        told = (struct clock_state){.synchronized = true, .offset_ns = 3, .error_ns = 4};
        told_code = 0;
        looks = 0;
}

static void the_clock_is_noted_at_the_start_at_a_change_and_every_ten_minutes(void **state)
{
        (void)state;
        struct world world;
        world_with_clock(&world, "clock", T0);
        pass(&world, 15);
        told.offset_ns = 5; /* no change: it always does */
        pass(&world, 10);
        told.synchronized = false;
        pass(&world, 606);
        assert_string_equal(stored(world.store),
            "0 clock synchronized=1 offset_ns=3 error_ns=4\n"
            "30000000000 clock synchronized=0 offset_ns=5 error_ns=4\n"
            "630000000000 clock synchronized=0 offset_ns=5 error_ns=4\n");
        assert_int_equal(looks, 64);
        world_end(&world);
}

static void a_clock_that_is_not_told_is_not_noted(void **state)
{
        (void)state;
        struct world world;
        world_with_clock(&world, "no-clock", T0);
        told_code = ERR_IO;
        pass(&world, 15);
        assert_string_equal(stored(world.store), "");
        told_code = 0;
        pass(&world, 6);
        assert_string_equal(
            stored(world.store), "20000000000 clock synchronized=1 offset_ns=3 error_ns=4\n");
        world_end(&world);
}

static void receive(struct tracked *tracked, int64_t now_ns, int64_t delay_ns)
{
        delay_count(
            &tracked->delays, &tracked->site->delays[tracked->kind], now_ns - delay_ns, now_ns);
}

static void delays_are_noted_as_the_hour_turns_and_at_the_end(void **state)
{
        (void)state;
        struct world world;
        int64_t hour = T0 + 3600 * NS_PER_S;
        world_with_clock(&world, "hours", hour - 2 * NS_PER_S);
        world.app.network = &(struct network){&(struct network_ops){0}}; /* knows no clock */
        struct tracked *book = world_add(&world, 0, "BTCUSDT", KIND_L2);
        struct tracked *quiet = world_add(&world, 0, "ETHUSDT", KIND_L2);
        world_add(&world, 1, "BTC-USD", KIND_L3); /* not confirmed */
        world_confirm(&world, book);
        world_confirm(&world, quiet);
        receive(book, hour - NS_PER_S, 1000);
        receive(book, hour - NS_PER_S, -20);
        pass(&world, 2);
        assert_string_equal(stored(world.store), "");
        pass(&world, 1);
        receive(book, hour + NS_PER_S, 7);
        receive(quiet, hour + NS_PER_S, 1023);
        notes_end_all(&world.app);
        recorder_tick(world.app.recorder, world.app.wall_ns);
        assert_string_equal(stored(world.store),
            "3600000000000 latency stream=1 from_ns=1723165199000000000 count=2 early=1 min_ns=-20 "
            "p50_ns=0 p99_ns=1000 max_ns=1000\n"
            "3601000000000 latency stream=2 from_ns=1723165201000000000 count=1 early=0 "
            "min_ns=1023 p50_ns=1023 p99_ns=1023 max_ns=1023\n"
            "3601000000001 latency stream=1 from_ns=1723165201000000000 count=1 early=0 min_ns=7 "
            "p50_ns=7 p99_ns=7 max_ns=7\n");
        world_end(&world);
}

/* ---- in a database ---- */

static const struct stream_name *name_of(uint32_t stream, void *user)
{
        static const struct stream_name name = {"binance", "BTCUSDT", KIND_L2, true};
        (void)user;
        return stream == 3 ? &name : NULL;
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

static void a_document_tells_a_note_in_fields(void **state)
{
        (void)state;
        struct describer describer;
        struct store_description description = {0};
        describer_init(&describer);
        describer.name_cb = name_of;
        describe(STORE_NOTES, key_note(1),
            bytes_of("latency stream=3 from_ns=1 count=9 early=0 min_ns=-2 p50_ns=3 p99_ns=4 "
                     "max_ns=5"),
            &description, &describer);
        assert_string_equal(field_of(&description, "symbol")->text, "BTCUSDT");
        assert_string_equal(field_of(&description, "kind")->text, "l2");
        assert_int_equal(field_of(&description, "min_ns")->number, -2);
        assert_int_equal(field_of(&description, "count")->number, 9);
        assert_null(field_of(&description, "stream"));
        assert_memory_equal(field_of(&description, "text")->text, "latency stream=3", 16);
        description = (struct store_description){0};
        describe(STORE_NOTES, key_note(1), bytes_of(examples[1].text), &description, &describer);
        assert_int_equal(field_of(&description, "synchronized")->kind, FIELD_FLAG);
        assert_int_equal(field_of(&description, "offset_ns")->number, -1500000);
        assert_null(field_of(&description, "symbol"));
        describer_deinit(&describer);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_note_is_the_text_that_the_format_draws),
            cmocka_unit_test(a_longest_text_fits),
            cmocka_unit_test(words_of_a_later_version_are_passed_over),
            cmocka_unit_test(what_is_no_note_is_none),
            cmocka_unit_test(a_text_is_not_read_beyond_its_end),
            cmocka_unit_test(percentiles_are_as_exact_as_the_format_says),
            cmocka_unit_test(each_delay_is_in_one_bucket_and_in_the_sums),
            cmocka_unit_test(what_has_no_time_is_not_counted),
            cmocka_unit_test(no_two_notes_have_the_same_time),
            cmocka_unit_test(the_clock_is_noted_at_the_start_at_a_change_and_every_ten_minutes),
            cmocka_unit_test(a_clock_that_is_not_told_is_not_noted),
            cmocka_unit_test(delays_are_noted_as_the_hour_turns_and_at_the_end),
            cmocka_unit_test(a_document_tells_a_note_in_fields),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
