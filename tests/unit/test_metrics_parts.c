/* What the metrics stand on: the histogram of latencies, and what is known of the disk. */
#include <sys/stat.h>

#include "base/clock.h"
#include "logger/disk.h"
#include "record/latency.h"
#include "tests/unit/help.h"

#define T0 (INT64_C(1723161600) * NS_PER_S)
#define MIB (UINT64_C(1) << 20)

static struct latency_slots slots;
static struct latency latency;

static int begin(void **state)
{
        (void)state;
        slots = (struct latency_slots){0};
        latency = (struct latency){0};
        return 0;
}

/* ---- latencies ---- */

/* A latency counts as what it is, or as up to a slot more. */
static void every_latency_is_in_its_bucket(void **state)
{
        (void)state;
        struct chance chance = {1};
        for (int i = 0; i < 5000; i++) {
                int64_t age_ns = (int64_t)chance_below(&chance, 12 * NS_PER_S);
                unsigned bucket = 0, later = 0;
                begin(NULL);
                latency_note(&slots, T0);
                latency_take(&latency, &slots, T0 + age_ns);
                while (bucket < LATENCY_BOUNDS && age_ns > latency_bounds_ms[bucket] * NS_PER_MS)
                        bucket++;
                age_ns += 1 << LATENCY_SLOT_SHIFT;
                while (later < LATENCY_BOUNDS && age_ns > latency_bounds_ms[later] * NS_PER_MS)
                        later++;
                assert_int_equal(latency_count(&latency), 1);
                assert_int_equal(
                    latency.counts[bucket] + latency.counts[later], bucket == later ? 2 : 1);
        }
}

static void the_sum_is_exact(void **state)
{
        (void)state;
        struct chance chance = {2};
        int64_t received_ns = T0, done_ns = T0 + 2 * NS_PER_S;
        uint64_t sum_ns = 0;
        for (int i = 0; i < 1000; i++) {
                received_ns += (int64_t)chance_below(&chance, 2 * NS_PER_MS);
                sum_ns += (uint64_t)(done_ns - received_ns);
                latency_note(&slots, received_ns);
        }
        latency_take(&latency, &slots, done_ns);
        assert_int_equal(latency_count(&latency), 1000);
        int64_t off_us = (int64_t)(latency.sum_us - sum_ns / NS_PER_US);
        assert_true(off_us >= -1000 && off_us <= 1000); /* a microsecond each */
        latency_take(&latency, &slots, done_ns);
        assert_int_equal(latency_count(&latency), 2000);
}

/* Events that were held back come with times before the first one. */
static void an_earlier_event_is_older(void **state)
{
        (void)state;
        latency_note(&slots, T0);
        latency_note(&slots, T0 - 2 * NS_PER_S);
        latency_take(&latency, &slots, T0 + NS_PER_MS);
        assert_int_equal(latency.counts[0], 1);
        assert_int_equal(latency.counts[10], 1); /* 2.5 s */
        assert_int_equal(latency.sum_us, 2002000);
}

static void whatever_the_clock_does_nothing_breaks(void **state)
{
        (void)state;
        struct chance chance = {3};
        uint64_t count = 0;
        for (int i = 0; i < 2000; i++) {
                slots = (struct latency_slots){0};
                for (int e = 0; e < 5; e++, count++)
                        latency_note(&slots, chance_int64(&chance));
                latency_take(&latency, &slots, chance_int64(&chance));
                assert_int_equal(latency_count(&latency), count);
        }
        begin(NULL);
        latency_note(&slots, T0);
        latency_take(&latency, &slots, T0 - 3600 * NS_PER_S); /* the clock was set back */
        assert_int_equal(latency.counts[0], 1);
        assert_int_equal(latency.sum_us, 0);
        latency_take(&latency, &slots, T0 + 3000 * NS_PER_DAY); /* ... and forth */
        assert_int_equal(latency.counts[LATENCY_BOUNDS], 1);
        assert_true(latency.sum_us <= (uint64_t)(NS_PER_DAY / NS_PER_US));
}

static void no_event_is_no_latency(void **state)
{
        (void)state;
        latency_take(&latency, &slots, T0);
        assert_int_equal(latency_count(&latency), 0);
        assert_int_equal(latency.sum_us, 0);
}

/* ---- the disk ---- */

static void a_disk_that_fills_is_foretold(void **state)
{
        (void)state;
        struct disk_looks looks = {0};
        for (int i = 0; i < DISK_LOOKS_MIN - 1; i++) {
                assert_int_equal(disk_foretell(&looks), -1);
                disk_note(&looks, i * 60 * NS_PER_S, (uint64_t)(1000 - i) * MIB);
        }
        assert_int_equal(disk_foretell(&looks), -1); /* not long enough */
        disk_note(&looks, 9 * 60 * NS_PER_S, 991 * MIB);
        assert_int_equal(disk_foretell(&looks), 991 * 60);
}

/* Only the last hour counts. */
static void what_was_before_the_hour_is_forgotten(void **state)
{
        (void)state;
        struct disk_looks looks = {0};
        uint64_t left = 100000 * MIB;
        for (int i = 0; i < 100; i++)
                disk_note(&looks, i * 60 * NS_PER_S, left -= 500 * MIB);
        assert_int_equal(disk_foretell(&looks), 100 * 60);
        for (int i = 100; i < 100 + DISK_LOOKS; i++)
                disk_note(&looks, i * 60 * NS_PER_S, left -= MIB);
        assert_int_equal(disk_foretell(&looks), (int64_t)(left / MIB) * 60);
}

static void a_disk_that_does_not_fill_is_never_full(void **state)
{
        (void)state;
        struct disk_looks looks = {0};
        for (int i = 0; i < 2 * DISK_LOOKS; i++) {
                disk_note(&looks, i * 60 * NS_PER_S, 1000 * MIB + (uint64_t)(i % 2));
                if (i >= DISK_LOOKS && i % 2)
                        assert_int_equal(disk_foretell(&looks), -1);
        }
        for (int i = 0; i < DISK_LOOKS; i++)
                disk_note(&looks, i * 60 * NS_PER_S, UINT64_MAX - (uint64_t)i);
        assert_true(disk_foretell(&looks) > NS_PER_DAY / NS_PER_S);
        for (int i = 0; i < DISK_LOOKS; i++)
                disk_note(&looks, 0, i ? 0 : UINT64_MAX); /* a clock that stands still */
        assert_int_equal(disk_foretell(&looks), -1);
}

static void write_file(const char *folder, const char *name, size_t size, off_t hole)
{
        char path[256];
        char *zeros = memory_new(size);
        snprintf(path, sizeof(path), "%s/%s", folder, name);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
        memset(zeros, 1, size);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, zeros, size, 0), (ssize_t)size);
        assert_int_equal(ftruncate(fd, (off_t)size + hole), 0);
        assert_int_equal(fsync(fd), 0);
        close(fd);
        free(zeros);
}

static void remove_file(const char *folder, const char *name)
{
        char path[256];
        snprintf(path, sizeof(path), "%s/%s", folder, name);
        assert_int_equal(remove(path), 0);
}

static void the_store_is_measured_without_its_holes(void **state)
{
        (void)state;
        char folder[] = "/tmp/test_metrics_XXXXXX", day[64];
        struct disk *disk;
        struct disk_state known = {0};
        struct error error;
        assert_non_null(mkdtemp(folder));
        snprintf(day, sizeof(day), "%s/2024-08-09", folder);
        assert_int_equal(mkdir(day, 0700), 0);
        write_file(day, "data.mdb", 3 * MIB, (off_t)(1000 * MIB));
        write_file(folder, "writer.lock", MIB, 0);
        assert_int_equal(disk_open(&disk, folder, &error), 0);
        for (int i = 0; i < 500 && !known.known; i++) {
                usleep(10000);
                known = disk_state(disk);
        }
        disk_close(disk);
        assert_true(known.known);
        assert_in_range(known.store_bytes, 4 * MIB, 5 * MIB);
        assert_true(known.free_bytes > 0 && known.free_bytes <= known.size_bytes);
        assert_int_equal(known.full_in_s, -1);
        remove_file(day, "data.mdb");
        remove_file(folder, "2024-08-09");
        remove_file(folder, "writer.lock");
        assert_int_equal(rmdir(folder), 0);
}

static void a_store_that_is_gone_is_not_known(void **state)
{
        (void)state;
        struct disk *disk;
        struct error error;
        assert_int_equal(disk_open(&disk, "/nonexistent/store", &error), 0);
        usleep(50000);
        assert_false(disk_state(disk).known);
        disk_close(disk);
        disk_close(NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup(every_latency_is_in_its_bucket, begin),
            cmocka_unit_test_setup(the_sum_is_exact, begin),
            cmocka_unit_test_setup(an_earlier_event_is_older, begin),
            cmocka_unit_test_setup(whatever_the_clock_does_nothing_breaks, begin),
            cmocka_unit_test_setup(no_event_is_no_latency, begin),
            cmocka_unit_test(a_disk_that_fills_is_foretold),
            cmocka_unit_test(what_was_before_the_hour_is_forgotten),
            cmocka_unit_test(a_disk_that_does_not_fill_is_never_full),
            cmocka_unit_test(the_store_is_measured_without_its_holes),
            cmocka_unit_test(a_store_that_is_gone_is_not_known),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
