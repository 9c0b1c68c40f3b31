/* Quantities as ranks in the list of those used lately (ranks.h), or as decimals without their
 * trailing zeros: what the dense methods do with them alike. */
#ifndef CODEC_VALUES_H
#define CODEC_VALUES_H

#include "codec/columns.h"
#include "codec/ranks.h"

#define VALUE_TENS 20 /* powers of ten below 2^64 */

/* Where a coder keeps what belongs to its quantities. */
struct value_coder {
        struct ranks *ranks;
        struct column *zeros;  /* of a new value: how often 10 divides it ... */
        struct column *values; /* ... and what is left */
        struct bit_column *bits;
        bool *failed;
};

static inline uint64_t value_ten(unsigned power)
{
        static const uint64_t tens[VALUE_TENS] = {1, 10, 100, 1000, 10000, 100000, 1000000,
            10000000, 100000000, 1000000000, 10000000000, 100000000000, 1000000000000,
            10000000000000, 100000000000000, 1000000000000000, 10000000000000000,
            100000000000000000, 1000000000000000000, 10000000000000000000u};
        return tens[power];
}

/* A value that the list lacks. */
CODEC_INLINE int64_t value_code_new(
    const struct value_coder coder, int64_t value, const bool decoding)
{
        uint64_t rest = (uint64_t)value;
        unsigned zeros = 0, bucket = 0;
        if (!decoding) {
                for (; rest && rest % 10 == 0; rest /= 10)
                        zeros++;
                bucket = bucket_of(rest);
        }
        zeros = column_code(coder.zeros, zeros, coder.failed, decoding);
        bucket = column_code(coder.values, bucket, coder.failed, decoding);
        if (zeros >= VALUE_TENS || bucket >= BUCKETS) {
                *coder.failed = true;
                return 0;
        }
        rest = bucket_base(bucket) |
            bits_code_long(coder.bits, rest, bucket_bits(bucket), coder.failed, decoding);
        value = (int64_t)(rest * value_ten(zeros));
        ranks_add(coder.ranks, value, !decoding);
        return value;
}

/* A value by its rank in the list, @rank when writing; the symbol shares its byte with a mode. */
CODEC_INLINE int64_t value_code(const struct value_coder coder, struct column *column,
    int64_t value, uint32_t rank, unsigned *mode, unsigned modes, const bool decoding)
{
        uint64_t place = (uint32_t)(rank + 1); /* 0: a new value */
        unsigned symbol = 0;
        if (!decoding)
                symbol = bucket_of(place) * modes + *mode;
        symbol = column_code(column, symbol, coder.failed, decoding);
        unsigned bucket = symbol / modes;
        *mode = symbol % modes;
        if (!bucket)
                return value_code_new(coder, value, decoding);
        if (decoding && bucket >= BUCKETS) {
                *coder.failed = true;
                return 0;
        }
        place = bucket_base(bucket) |
            bits_code_long(coder.bits, place, bucket_bits(bucket), coder.failed, decoding);
        if (decoding && place > coder.ranks->count) {
                *coder.failed = true;
                return 0;
        }
        value = coder.ranks->values[place - 1];
        ranks_use(coder.ranks, (uint32_t)(place - 1), !decoding);
        return value;
}

#endif
