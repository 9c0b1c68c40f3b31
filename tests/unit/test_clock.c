/* Times and days as text: RFC 3339, Unix time by magnitude, lengths of time. */
#include <sys/timex.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "tests/unit/help.h"

#define UNTOUCHED INT64_C(-777)
#define AUGUST_9 (INT64_C(1723161600) * NS_PER_S)

static void assert_time(const char *text, int64_t expected)
{
        int64_t time = UNTOUCHED;
        int code = time_parse(text, &time);
        if (code || time != expected)
                fail_msg("%s: %d, %lld", text, code, (long long)time);
}

static void assert_no_time(const char *text)
{
        int64_t time = UNTOUCHED;
        if (time_parse(text, &time) != ERR_PARSE || time != UNTOUCHED)
                fail_msg("%s was taken for a time: %lld", text, (long long)time);
}

static void dates_are_read(void **state)
{
        (void)state;
        assert_time("2024-08-09T00:00:00Z", AUGUST_9);
        assert_time("2024-08-09 00:00:00z", AUGUST_9);
        assert_time("2024-08-09t00:00:00.5Z", AUGUST_9 + NS_PER_S / 2);
        assert_time("2024-08-09T00:00:00.000000001Z", AUGUST_9 + 1);
        assert_time("2024-08-09T02:30:00+02:30", AUGUST_9);
        assert_time("2024-08-08T19:00:00.25-05:00", AUGUST_9 + NS_PER_S / 4);
        assert_time("1970-01-01T00:00:00Z", 0);
        assert_time("2016-12-31T23:59:60Z", INT64_C(1483228800) * NS_PER_S);
        assert_time("2000-02-29T00:00:00Z", INT64_C(951782400) * NS_PER_S);
        assert_time("2024-02-29T00:00:00Z", INT64_C(1709164800) * NS_PER_S);
        assert_time("2024-12-31T23:59:59Z", INT64_C(1735689599) * NS_PER_S);
}

static void wrong_dates_are_refused(void **state)
{
        (void)state;
        static const char *const wrong[] = {"2023-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
            "2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z", "2024-04-31T00:00:00Z",
            "2024-08-00T00:00:00Z", "2024-08-09T24:00:00Z", "2024-08-09T00:60:00Z",
            "2024-08-09T00:00:61Z", "2024-08-09T00:00:00", "2024-08-09", "2024-08-09T00:00Z",
            "2024-08-09T00:00:00.Z", "2024-08-09T00:00:00.1234567890Z", "2024-08-09T00:00:00+2:00",
            "2024-08-09T00:00:00+24:00", "2024-08-09T00:00:00+02:60", "2024-08-09T00:00:00+-1:00",
            "2024-08-09T00:00:00+02:00Z", "2024-08-09T00:00:00Zx", "2024- 8-09T00:00:00Z",
            "2024-08-+9T00:00:00Z", "2024-08-9T00:00:00Z", "2024-08-09X00:00:00Z",
            "2024-08-09T 0:00:00Z", "1969-12-31T23:59:59Z", "9999-01-01T00:00:00Z",
            "2024-08-09T00:00:00.5", "2024-08-09T", "2024-08-09T00:00:00Z "};
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
                assert_no_time(wrong[i]);
}

static void unix_time_goes_by_magnitude(void **state)
{
        (void)state;
        assert_time("0", 0);
        assert_time("1723161600", AUGUST_9);
        assert_time("1723161600000", AUGUST_9);
        assert_time("1723161600000000", AUGUST_9);
        assert_time("1723161600000000000", AUGUST_9);
        assert_time("100000000000", INT64_C(100000000) * NS_PER_S); /* 1e11 are ms */
        assert_time("9223372036854", INT64_C(9223372036854) * NS_PER_MS);
        assert_no_time("99999999999999"); /* ms as well, too late for int64 ns */
        assert_time("100000000000000", INT64_C(100000000000000) * NS_PER_US); /* 1e14 are us */
}

static void the_edges_of_magnitude_do_not_wrap(void **state)
{
        (void)state;
        assert_time("9223372036", INT64_C(9223372036) * NS_PER_S);
        assert_no_time("9223372037"); /* does not fit int64 ns */
        assert_no_time("99999999999");
        assert_no_time("99999999999999999"); /* us, too late for int64 ns */
        assert_time("9223372036854775", INT64_C(9223372036854775) * NS_PER_US);
        assert_time("100000000000000000", INT64_C(100000000000000000)); /* 1e17 are ns */
        assert_time("9223372036854775807", INT64_MAX);
        assert_no_time("9223372036854775808");
        assert_time("00000000001723161600", AUGUST_9); /* zeros in front are no magnitude */
}

static void fractions_of_unix_time_are_taken(void **state)
{
        (void)state;
        assert_time("1723161600.5", AUGUST_9 + NS_PER_S / 2);
        assert_time("1723161600.123456789", AUGUST_9 + 123456789);
        assert_time("1723161600000.25", AUGUST_9 + NS_PER_MS / 4);
        assert_time("1723161600000000.001", AUGUST_9 + 1);
        assert_time("1723161600.", AUGUST_9);
        static const char *const wrong[] = {"", ".5", "-1", "+1", "1e9", "1723161600.1234567891",
            "1723161600,5", "1723161600 ", " 1723161600", "1.2.3", "now", "12ms"};
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
                assert_no_time(wrong[i]);
}

static void text_and_time_are_each_others_inverse(void **state)
{
        (void)state;
        struct chance chance = {5};
        char text[TIME_TEXT_SIZE], expected[TIME_TEXT_SIZE];
        static const int64_t units[] = {1, NS_PER_US, NS_PER_MS, NS_PER_S, NS_PER_DAY};
        for (unsigned i = 0; i < 100000; i++) {
                int64_t time = (int64_t)chance_below(&chance, UINT64_C(7200000000) * NS_PER_S);
                time -= time % units[chance_below(&chance, 5)];
                assert_time(time_format(time, text), time);
                time_t seconds = (time_t)(time / NS_PER_S);
                struct tm parts;
                gmtime_r(&seconds, &parts);
                strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", &parts);
                assert_memory_equal(text, expected, 19);
                size_t size = strlen(text);
                assert_true(size == 20 || size == 24 || size == 27 || size == 30);
        }
        assert_string_equal(time_format(AUGUST_9 + NS_PER_S / 2, text), "2024-08-09T00:00:00.500Z");
        assert_string_equal(time_format(-1, text), "1969-12-31T23:59:59.999999999Z");
        assert_string_equal(time_format(INT64_MIN, text), "1677-09-21T00:12:43.145224192Z");
        assert_string_equal(time_format(INT64_MAX, text), "2262-04-11T23:47:16.854775807Z");
}

static void lengths_of_time_have_a_unit(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                int64_t ns;
        } right[] = {{"1ns", 1}, {"7us", 7000}, {"250ms", 250 * NS_PER_MS}, {"60s", 60 * NS_PER_S},
            {"60 s", 60 * NS_PER_S}, {"5m", 300 * NS_PER_S}, {"30min", 1800 * NS_PER_S},
            {"6h", 21600 * NS_PER_S}, {"2d", 2 * NS_PER_DAY}, {"0s", 0}};
        static const char *const wrong[] = {
            "", "5", "s", "5 weeks", "-1s", "1.5s", "5S", "5s ", "0x5s", "99999999999999999999s"};
        int64_t ns;
        for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
                assert_int_equal(duration_parse(right[i].text, &ns), 0);
                assert_int_equal(ns, right[i].ns);
        }
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
                assert_int_equal(duration_parse(wrong[i], &ns), ERR_PARSE);
        assert_int_equal(duration_parse("9223372037s", &ns), ERR_RANGE);
}

static void days_begin_at_midnight(void **state)
{
        (void)state;
        char text[DAY_TEXT_SIZE];
        uint32_t parsed;
        for (uint32_t day = 0; day < 84000; day++) {
                assert_int_equal(day_of_time(day_start_ns(day)), day);
                assert_int_equal(day_of_time(day_start_ns(day) + NS_PER_DAY - 1), day);
                assert_int_equal(day_parse(day_format(day, text), &parsed), 0);
                assert_int_equal(parsed, day);
        }
        assert_string_equal(day_format(19944, text), "2024-08-09");
        assert_int_equal(day_of_time(-1), 0);
}

static void what_is_no_day_is_refused(void **state)
{
        (void)state;
        static const char *const wrong[] = {"", "2024-8-9", "2024-02-30", "2024-08-09Z",
            "2024- 8- 9", "2024-+8-09", "2024/08/09", "meta", "1969-12-31", "2024-08-0x"};
        uint32_t day = 777;
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
                assert_int_equal(day_parse(wrong[i], &day), ERR_PARSE);
        assert_int_equal(day, 777);
}

static void only_this_century_is_plausible(void **state)
{
        (void)state;
        assert_true(time_is_plausible(AUGUST_9));
        assert_true(time_is_plausible(INT64_C(1230768000) * NS_PER_S));
        assert_false(time_is_plausible(INT64_C(1230768000) * NS_PER_S - 1));
        assert_false(time_is_plausible(INT64_C(4102444800) * NS_PER_S));
        assert_false(time_is_plausible(0));
        assert_false(time_is_plausible(INT64_MIN));
        assert_false(time_is_plausible(INT64_MAX));
}

static void state_of_the_clock_is_in_nanoseconds(void **state)
{
        (void)state;
        struct timex kernel = {
            .status = STA_NANO | STA_PLL, .offset = -1234567, .esterror = 250, .maxerror = 16000};
        struct clock_state clock;
        clock_state_read(TIME_OK, &kernel, &clock);
        assert_true(clock.synchronized);
        assert_int_equal(clock.offset_ns, -1234567);
        assert_int_equal(clock.error_ns, 250000);
        assert_int_equal(clock.error_most_ns, 16000000);
        kernel.status = STA_PLL;
        clock_state_read(TIME_INS, &kernel, &clock);
        assert_true(clock.synchronized);
        assert_int_equal(clock.offset_ns, INT64_C(-1234567000));
}

static void clock_that_nobody_sets_is_not_synchronized(void **state)
{
        (void)state;
        struct timex kernel = {.status = STA_NANO | STA_UNSYNC, .maxerror = 16000000};
        struct clock_state clock;
        clock_state_read(TIME_ERROR, &kernel, &clock);
        assert_false(clock.synchronized);
        assert_int_equal(clock.error_most_ns, 16 * NS_PER_S);
        clock_state_read(TIME_OK, &kernel, &clock);
        assert_false(clock.synchronized);
        kernel.status = STA_NANO; /* a pulse is lost, or the clock was */
        clock_state_read(TIME_ERROR, &kernel, &clock);
        assert_false(clock.synchronized);
}

/* The kernel may refuse to tell; what it tells is what adjtimex says. */
static void kernel_is_asked_for_the_state_of_the_clock(void **state)
{
        (void)state;
        struct timex kernel = {.modes = 0};
        struct clock_state clock = {.offset_ns = 77, .error_most_ns = -1};
        int code = adjtimex(&kernel);
        assert_int_equal(clock_sync(&clock), code < 0 ? ERR_IO : 0);
        assert_int_equal(
            clock.synchronized, code >= 0 && code != TIME_ERROR && !(kernel.status & STA_UNSYNC));
        if (code < 0)
                assert_int_equal(clock.offset_ns, 77);
        else
                assert_in_range(clock.error_most_ns, 0, 100 * NS_PER_S);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(dates_are_read),
            cmocka_unit_test(wrong_dates_are_refused),
            cmocka_unit_test(unix_time_goes_by_magnitude),
            cmocka_unit_test(the_edges_of_magnitude_do_not_wrap),
            cmocka_unit_test(fractions_of_unix_time_are_taken),
            cmocka_unit_test(text_and_time_are_each_others_inverse),
            cmocka_unit_test(lengths_of_time_have_a_unit),
            cmocka_unit_test(days_begin_at_midnight),
            cmocka_unit_test(what_is_no_day_is_refused),
            cmocka_unit_test(only_this_century_is_plausible),
            cmocka_unit_test(state_of_the_clock_is_in_nanoseconds),
            cmocka_unit_test(clock_that_nobody_sets_is_not_synchronized),
            cmocka_unit_test(kernel_is_asked_for_the_state_of_the_clock),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
