#include "base/decimal.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"

/* A number taken apart: sign, significant digits, and the power of ten of the last one. */
struct parts {
        bool negative;
        uint64_t mantissa;
        int exponent;
};

static int parse_exponent(const char *text, size_t size, int *ret_exponent)
{
        size_t i = size && (text[0] == '-' || text[0] == '+');
        int exponent = 0;
        if (i == size || size - i > 3)
                return ERR_PARSE;
        for (; i < size; i++) {
                if (text[i] < '0' || text[i] > '9')
                        return ERR_PARSE;
                exponent = exponent * 10 + (text[i] - '0');
        }
        *ret_exponent = text[0] == '-' ? -exponent : exponent;
        return 0;
}

/* Keep a digit. Zeros are held back until a digit follows, so that trailing ones cost nothing. */
static int take_digit(struct parts *parts, unsigned *zeros, unsigned digit)
{
        if (digit == 0) {
                *zeros += 1;
                return 0;
        }
        for (; *zeros && parts->mantissa; *zeros -= 1) {
                if (parts->mantissa > UINT64_MAX / 10)
                        return ERR_RANGE;
                parts->mantissa *= 10;
        }
        *zeros = 0;
        if (parts->mantissa > (UINT64_MAX - digit) / 10)
                return ERR_RANGE;
        parts->mantissa = parts->mantissa * 10 + digit;
        return 0;
}

static int parse_parts(const char *text, size_t size, struct parts *parts)
{
        *parts = (struct parts){0};
        size_t i = 0;
        unsigned zeros = 0, count = 0;
        int decimals = 0, exponent = 0;
        bool point = false;
        if (size && (text[0] == '-' || text[0] == '+'))
                parts->negative = text[i++] == '-';
        for (; i < size; i++) {
                if (text[i] == '.' && !point) {
                        point = true;
                        continue;
                }
                if (text[i] < '0' || text[i] > '9')
                        break;
                int code = take_digit(parts, &zeros, (unsigned)(text[i] - '0'));
                if (code)
                        return code;
                count++;
                decimals += point;
        }
        if (count == 0)
                return ERR_PARSE;
        if (i < size) {
                if (text[i] != 'e' && text[i] != 'E')
                        return ERR_PARSE;
                int code = parse_exponent(text + i + 1, size - i - 1, &exponent);
                if (code)
                        return code;
        }
        parts->exponent = parts->mantissa ? exponent - decimals + (int)zeros : 0;
        return 0;
}

static int parts_scale(const struct parts *parts, unsigned digits, int64_t *ret_value)
{
        uint64_t value = parts->mantissa;
        int shift = parts->exponent + (int)digits;
        if (value && shift < 0)
                return ERR_FULL;
        for (; value && shift > 0; shift--) {
                if (value > (uint64_t)INT64_MAX / 10)
                        return ERR_RANGE;
                value *= 10;
        }
        if (value > (uint64_t)INT64_MAX + parts->negative)
                return ERR_RANGE;
        *ret_value = (int64_t)(parts->negative ? -value : value);
        return 0;
}

/* The usual text: digits, a point, as many decimals as the scale or fewer. Falls through to the
 * general way (0) for all else. */
static bool parse_plain(const char *text, size_t size, unsigned digits, int64_t *ret_value)
{
        uint64_t value = 0;
        size_t i = 0;
        if (size == 0 || size > 18)
                return false;
        for (; i < size && text[i] >= '0' && text[i] <= '9'; i++)
                value = value * 10 + (uint64_t)(text[i] - '0');
        if (i == 0 || i == size || text[i] != '.' || size - i - 1 != digits)
                return false;
        for (i++; i < size; i++) {
                unsigned digit = (unsigned)(text[i] - '0');
                if (digit > 9)
                        return false;
                value = value * 10 + digit;
        }
        *ret_value = (int64_t)value;
        return true;
}

int decimal_parse(const char *text, size_t size, unsigned digits, int64_t *ret_value)
{
        struct parts parts;
        if (parse_plain(text, size, digits, ret_value))
                return 0;
        int code = parse_parts(text, size, &parts);
        return code ? code : parts_scale(&parts, digits, ret_value);
}

int decimal_digits(const char *text, size_t size)
{
        struct parts parts;
        int code = parse_parts(text, size, &parts);
        if (code)
                return ERR_PARSE;
        return parts.exponent < 0 ? -parts.exponent : 0;
}

/* The last @count digits of @value, two at a time. */
static void write_digits(char *text, size_t count, uint64_t value)
{
        static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                    "25262728293031323334353637383940414243444546474849"
                                    "50515253545556575859606162636465666768697071727374"
                                    "75767778798081828384858687888990919293949596979899";
        for (; count >= 2; value /= 100) {
                count -= 2;
                memcpy(text + count, pairs + 2 * (value % 100), 2);
        }
        if (count)
                text[0] = (char)('0' + value % 10);
}

static size_t count_digits(uint64_t value)
{
        size_t count = 1;
        for (; value >= 10000; value /= 10000)
                count += 4;
        return count + (value >= 10) + (value >= 100) + (value >= 1000);
}

size_t decimal_format(int64_t value, unsigned digits, bool fixed, char *ret_text)
{
        uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
        size_t size = 0, count = count_digits(rest);
        count = count > digits ? count : digits + 1;
        if (value < 0)
                ret_text[size++] = '-';
        write_digits(ret_text + size, count, rest);
        size += count - digits;
        if (digits) {
                memmove(ret_text + size + 1, ret_text + size, digits);
                ret_text[size] = '.';
                size += digits + 1;
        }
        while (!fixed && digits && ret_text[size - 1] == '0') {
                size--;
                digits--;
        }
        if (!fixed && !digits && ret_text[size - 1] == '.')
                size--;
        ret_text[size] = '\0';
        return size;
}

int decimal_shift(int64_t value, unsigned shift, int64_t *ret_value)
{
        for (; shift && value; shift--) {
                if (__builtin_mul_overflow(value, 10, &value))
                        return ERR_RANGE;
        }
        *ret_value = value;
        return 0;
}
