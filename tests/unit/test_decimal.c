/* Decimals as integers: laws, the edges of int64, and a slow reference that shifts digit by digit.
 */
#include "base/decimal.h"
#include "base/error.h"
#include "tests/unit/help.h"

#define UNTOUCHED INT64_C(-777)

static int parse(const char *text, unsigned digits, int64_t *ret_value)
{
        *ret_value = UNTOUCHED;
        return decimal_parse(text, strlen(text), digits, ret_value);
}

static void assert_value(const char *text, unsigned digits, int64_t expected)
{
        int64_t value;
        int code = parse(text, digits, &value);
        if (code || value != expected)
                fail_msg("%s at %u: %d, %lld", text, digits, code, (long long)value);
}

static void assert_refused(const char *text, unsigned digits, int expected)
{
        int64_t value;
        int code = parse(text, digits, &value);
        if (code != expected || value != UNTOUCHED)
                fail_msg("%s at %u: %d, %lld", text, digits, code, (long long)value);
}

static void plain_numbers_are_counted_in_units(void **state)
{
        (void)state;
        assert_value("61837.63", 8, INT64_C(6183763000000));
        assert_value("61837.63000000", 8, INT64_C(6183763000000));
        assert_value("0", 8, 0);
        assert_value("-0.0", 8, 0);
        assert_value("0.00000001", 8, 1);
        assert_value("+5", 0, 5);
        assert_value("-12.5", 1, -125);
        assert_value("00012.50", 1, 125);
        assert_value("1.000000000000000000000000000000", 0, 1);
        assert_value("0.000000000000000000000000000000", 0, 0);
}

static void exponents_are_read(void **state)
{
        (void)state;
        assert_value("1e3", 0, 1000);
        assert_value("1.5E+2", 0, 150);
        assert_value("125e-2", 2, 125);
        assert_value("1E-8", 8, 1);
        assert_value("0e999", 8, 0);
        assert_value("100e-2", 0, 1);
        assert_refused("1e-9", 8, ERR_FULL);
        assert_refused("1e30", 0, ERR_RANGE);
        assert_refused("1e", 0, ERR_PARSE);
        assert_refused("1e+", 0, ERR_PARSE);
        assert_refused("1e1000", 0, ERR_PARSE);
        assert_refused("1e1.0", 0, ERR_PARSE);
}

static void what_is_no_number_is_refused(void **state)
{
        (void)state;
        static const char *const wrong[] = {"", ".", "-", "+", "abc", "1,5", " 1", "1 ", "0x10",
            "1.2.3", "--1", "1-", "NaN", "inf", "e5", "1_000", "\xd9\xa1", "1\n"};
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                for (unsigned digits = 0; digits <= 18; digits += 6)
                        assert_refused(wrong[i], digits, ERR_PARSE);
                assert_int_equal(decimal_digits(wrong[i], strlen(wrong[i])), ERR_PARSE);
        }
        int64_t value = UNTOUCHED;
        assert_int_equal(decimal_parse("1\0002", 3, 0, &value), ERR_PARSE);
        assert_int_equal(value, UNTOUCHED);
}

static void the_edges_of_int64_hold(void **state)
{
        (void)state;
        assert_value("9223372036854775807", 0, INT64_MAX);
        assert_value("-9223372036854775807", 0, -INT64_MAX);
        assert_value("92233720368.54775807", 8, INT64_MAX);
        assert_value("9.223372036854775807", 18, INT64_MAX);
        assert_refused("9223372036854775808", 0, ERR_RANGE);
        assert_value("-9223372036854775808", 0, INT64_MIN);
        assert_value("-92233720368.54775808", 8, INT64_MIN);
        assert_refused("-9223372036854775809", 0, ERR_RANGE);
        assert_refused("-92233720368.54775809", 8, ERR_RANGE);
        assert_refused("92233720368.54775808", 8, ERR_RANGE);
        assert_refused("18446744073709551616", 0, ERR_RANGE);
        assert_refused("100000000000000000000000000", 0, ERR_RANGE);
        assert_refused("9.223372036854775808", 18, ERR_RANGE);
        assert_refused("99999999999999999.9", 8, ERR_RANGE);
}

static void decimals_beyond_the_scale_are_told(void **state)
{
        (void)state;
        assert_refused("0.123456789", 8, ERR_FULL);
        assert_int_equal(decimal_digits("0.123456789", 11), 9);
        assert_int_equal(decimal_digits("0.1200000000", 12), 2);
        assert_int_equal(decimal_digits("15", 2), 0);
        assert_int_equal(decimal_digits("1e-30", 5), 30);
        assert_int_equal(decimal_digits("1500e-1", 7), 0);
        assert_int_equal(decimal_digits("0.000", 5), 0);
}

static void a_number_of_a_megabyte_is_read(void **state)
{
        (void)state;
        size_t size = 1 << 20;
        char *text = memory_new(size + 1);
        int64_t value;
        memset(text, '0', size);
        text[0] = '7';
        text[1] = '.';
        assert_int_equal(decimal_parse(text, size, 8, &value), 0);
        assert_int_equal(value, INT64_C(700000000));
        text[size - 1] = '1';
        assert_int_not_equal(decimal_parse(text, size, 8, &value), 0);
        assert_int_equal(value, INT64_C(700000000));
        free(text);
}

/* ---- random, against a reference ---- */

/* The text of @value at @digits, all of them, by string work alone. */
static void reference_format(int64_t value, unsigned digits, char *ret_text)
{
        char raw[64];
        const char *sign = value < 0 ? "-" : "";
        int size = snprintf(raw, sizeof(raw), "%0*llu", (int)digits + 1,
            value < 0 ? -(unsigned long long)value : (unsigned long long)value);
        snprintf(ret_text, DECIMAL_TEXT_SIZE, "%s%.*s%s%s", sign, size - (int)digits, raw,
            digits ? "." : "", raw + size - digits);
}

static void shorten(char *text)
{
        if (!strchr(text, '.'))
                return;
        size_t size = strlen(text);
        while (text[size - 1] == '0')
                text[--size] = '\0';
        if (text[size - 1] == '.')
                text[--size] = '\0';
}

static void text_and_value_are_each_others_inverse(void **state)
{
        (void)state;
        struct chance chance = {2};
        char text[DECIMAL_TEXT_SIZE], expected[DECIMAL_TEXT_SIZE];
        for (unsigned i = 0; i < 200000; i++) {
                int64_t value = chance_int64(&chance);
                unsigned digits = (unsigned)chance_below(&chance, 19);
                reference_format(value, digits, expected);
                assert_int_equal(decimal_format(value, digits, true, text), strlen(expected));
                assert_string_equal(text, expected);
                assert_value(text, digits, value);
                shorten(expected);
                decimal_format(value, digits, false, text);
                assert_string_equal(text, expected);
                assert_value(text, digits, value);
        }
}

/* A number of chance written in chance ways; the value by 128-bit arithmetic. */
static void any_spelling_has_the_same_value(void **state)
{
        (void)state;
        struct chance chance = {3};
        for (unsigned i = 0; i < 200000; i++) {
                int64_t mantissa =
                    (int64_t)(chance_next(&chance) >> (1 + chance_below(&chance, 63)));
                int exponent = (int)chance_below(&chance, 41) - 20;
                unsigned digits = (unsigned)chance_below(&chance, 19);
                char text[96];
                snprintf(text, sizeof(text), "%s%lld%se%d", chance_one_in(&chance, 2) ? "000" : "",
                    (long long)mantissa, chance_one_in(&chance, 2) ? ".00" : "", exponent);
                __int128 value = mantissa;
                int code = 0;
                int shift = exponent + (int)digits;
                for (; mantissa && shift > 0 && !code; shift--) {
                        value *= 10;
                        code = value > INT64_MAX ? ERR_RANGE : 0;
                }
                for (; mantissa && shift < 0 && !code; shift++) {
                        code = value % 10 ? ERR_FULL : 0;
                        value /= 10;
                }
                if (code)
                        assert_refused(text, digits, code);
                else
                        assert_value(text, digits, (int64_t)value);
        }
}

static void a_shift_multiplies_or_is_refused(void **state)
{
        (void)state;
        int64_t value = UNTOUCHED;
        assert_int_equal(decimal_shift(5, 3, &value), 0);
        assert_int_equal(value, 5000);
        assert_int_equal(decimal_shift(-5, 18, &value), 0);
        assert_int_equal(value, INT64_C(-5000000000000000000));
        assert_int_equal(decimal_shift(0, 4000000000u, &value), 0);
        assert_int_equal(value, 0);
        assert_int_equal(decimal_shift(10, 18, &value), ERR_RANGE);
        assert_int_equal(decimal_shift(-10, 18, &value), ERR_RANGE);
        assert_int_equal(value, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(plain_numbers_are_counted_in_units),
            cmocka_unit_test(exponents_are_read),
            cmocka_unit_test(what_is_no_number_is_refused),
            cmocka_unit_test(the_edges_of_int64_hold),
            cmocka_unit_test(decimals_beyond_the_scale_are_told),
            cmocka_unit_test(a_number_of_a_megabyte_is_read),
            cmocka_unit_test(text_and_value_are_each_others_inverse),
            cmocka_unit_test(any_spelling_has_the_same_value),
            cmocka_unit_test(a_shift_multiplies_or_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
