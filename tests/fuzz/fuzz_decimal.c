/* Decimals against a slow reference that works on strings of digits and never overflows. */
#include "base/decimal.h"
#include "base/error.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX 200
#define DIGITS_MAX (TEXT_MAX + 1100)
#define SAFE_DIGITS 19 /* more significant digits than these may be called too large early */

/* A number as sign, its digits without leading zeros, and the power of ten of the last one. */
struct number {
        bool negative;
        char digits[DIGITS_MAX];
        size_t count;
        int exponent;
};

static bool read_exponent(const char *text, size_t size, int *ret_exponent)
{
        bool signed_text = size && (*text == '-' || *text == '+');
        size_t digits = size - signed_text;
        *ret_exponent = 0;
        if (digits < 1 || digits > 3)
                return false;
        for (size_t i = signed_text; i < size; i++) {
                if (text[i] < '0' || text[i] > '9')
                        return false;
                *ret_exponent = *ret_exponent * 10 + text[i] - '0';
        }
        if (*text == '-')
                *ret_exponent = -*ret_exponent;
        return true;
}

/* [+-] digits [. digits] [e [+-] 1 to 3 digits], at least one digit before the e. */
static bool read_number(const char *text, size_t size, struct number *ret_number)
{
        struct number *number = ret_number;
        size_t i = 0, seen = 0;
        bool point = false;
        int decimals = 0;
        number->count = 0;
        number->exponent = 0;
        number->negative = size && text[0] == '-';
        if (size && (text[0] == '-' || text[0] == '+'))
                i++;
        for (; i < size && (text[i] == '.' || (text[i] >= '0' && text[i] <= '9')); i++) {
                if (text[i] == '.') {
                        if (point)
                                return false;
                        point = true;
                        continue;
                }
                seen++;
                decimals += point;
                if (number->count || text[i] != '0')
                        number->digits[number->count++] = text[i];
        }
        if (!seen)
                return false;
        if (i < size) {
                if ((text[i] != 'e' && text[i] != 'E') ||
                    !read_exponent(text + i + 1, size - i - 1, &number->exponent))
                        return false;
        }
        number->exponent -= decimals;
        return true;
}

static void strip_zeros(struct number *number)
{
        for (; number->count && number->digits[number->count - 1] == '0'; number->count--)
                number->exponent++;
        if (!number->count)
                number->exponent = 0;
}

/* The value in units of 10^-digits: 0, ERR_FULL, ERR_RANGE. @number has no zeros at its end. */
static int number_value(struct number number, unsigned digits, int64_t *ret_value)
{
        int shift = number.exponent + (int)digits;
        __int128 value = 0;
        if (number.count && shift < 0)
                return ERR_FULL;
        if (number.count && number.count + (size_t)shift > 20)
                return ERR_RANGE;
        for (int i = 0; number.count && i < shift; i++)
                number.digits[number.count++] = '0';
        for (size_t i = 0; i < number.count; i++)
                value = value * 10 + (number.digits[i] - '0');
        if (number.negative)
                value = -value;
        if (value > INT64_MAX || value < INT64_MIN)
                return ERR_RANGE;
        *ret_value = (int64_t)value;
        return 0;
}

static void check_parse(const char *text, size_t size, unsigned digits)
{
        static struct number number;
        int64_t value = 77, expected = 0;
        int code = decimal_parse(text, size, digits, &value);
        int needed = decimal_digits(text, size);
        LAW(!code || value == 77);
        if (!read_number(text, size, &number)) {
                LAW(code && needed == ERR_PARSE);
                return;
        }
        strip_zeros(&number);
        int expected_code = number_value(number, digits, &expected);
        if (number.count > SAFE_DIGITS && expected_code) {
                LAW(code == ERR_RANGE || code == expected_code);
                return;
        }
        LAW(code == expected_code);
        LAW(code || value == expected);
        LAW(needed == (number.exponent < 0 ? -number.exponent : 0));
        LAW(code != ERR_FULL || needed > (int)digits);
}

/* All digits, or none that says nothing; and the same value again. */
static void check_format(int64_t value, unsigned digits, bool fixed)
{
        char text[DECIMAL_TEXT_SIZE];
        int64_t again = ~value;
        size_t size = decimal_format(value, digits, fixed, text);
        LAW(size < sizeof(text) && text[size] == '\0' && strlen(text) == size);
        LAW(!decimal_parse(text, size, digits, &again) && again == value);
        const char *point = strchr(text, '.');
        LAW((text[0] == '-') == (value < 0));
        LAW(text[value < 0] >= '0' && text[value < 0] <= '9');
        if (fixed)
                LAW(digits ? point && strlen(point + 1) == digits : !point);
        else
                LAW(!point || (point[1] && text[size - 1] != '0'));
}

static void check_shift(int64_t value, unsigned shift)
{
        __int128 expected = value;
        int64_t shifted = 77;
        for (unsigned i = 0; i < shift; i++)
                expected *= 10;
        int code = decimal_shift(value, shift, &shifted);
        bool fits = expected >= INT64_MIN && expected <= INT64_MAX;
        LAW(fits ? !code && shifted == expected : code == ERR_RANGE && shifted == 77);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct source source = {data, size};
        unsigned digits = source_byte(&source) % 19;
        struct source number = source;
        size_t left = source.left < TEXT_MAX ? source.left : TEXT_MAX;
        if (left)
                check_parse((const char *)source.at, left, digits);
        int64_t value = source_i64(&number);
        check_format(value, digits, true);
        check_format(value, digits, false);
        check_shift(value, digits);
        return 0;
}
