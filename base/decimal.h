/* Decimals as integers: "61837.63" at 8 digits is 6183763000000. No floating point anywhere.
 *
 * digits is the number of decimals that one unit stands for: unit = 10^-digits. */
#ifndef BASE_DECIMAL_H
#define BASE_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DECIMAL_TEXT_SIZE 48 /* the longest text of decimal_format with its end */

/* The integer of @text (plain notation, optional sign, optional exponent) at @digits.
 *
 * Errors (@ret_value is left unchanged):
 *   ERR_PARSE  not a decimal number.
 *   ERR_FULL   decimals beyond @digits that are not zero; decimal_digits tells how many it needs.
 *   ERR_RANGE  does not fit int64. */
int decimal_parse(const char *text, size_t size, unsigned digits, int64_t *ret_value);

/* How many decimals @text needs to be kept whole (trailing zeros do not count), or ERR_PARSE. */
int decimal_digits(const char *text, size_t size);

/* The text of @value: with @fixed all @digits decimals, else the shortest form. Returns its
 * length. @ret_text holds DECIMAL_TEXT_SIZE bytes. */
size_t decimal_format(int64_t value, unsigned digits, bool fixed, char *ret_text);

/* @value moved by @shift decimals (value * 10^shift), or ERR_RANGE with @ret_value unchanged. */
int decimal_shift(int64_t value, unsigned shift, int64_t *ret_value);

#endif
