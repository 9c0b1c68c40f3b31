/* Columns of a block: bytes of one kind each, and runs of raw bits, written and read in step.
 *
 * A number is one byte, its bucket, and the low bits of it raw in a run of bits: small numbers have
 * a bucket each, larger ones two an octave. What is read past the end is zero and sets *failed.
 * Columns that are read must be followed by COLUMN_PADDING readable bytes. */
#ifndef CODEC_COLUMNS_H
#define CODEC_COLUMNS_H

#include "codec/varint.h"

#define COLUMN_PADDING 8
#define BUCKETS 128 /* of bucket_of: 0, 1, 2, 3, 4..5, 6..7, 8..11, 12..15, 16..23, ... */

/* A whole coder is instantiated twice, for writing and for reading, from one text. */
#define CODEC_INLINE static inline __attribute__((always_inline))

struct column {
        uint8_t *begin;
        uint8_t *at;
        uint8_t *end; /* of the room (writing), of the data (reading) */
};

struct bit_column {
        struct column bytes;
        uint64_t pending; /* writing: bits that are not in the column yet ... */
        unsigned pending_count;
        uint64_t at, end; /* reading: in bits */
};

/* More room; the bytes so far stay. */
void column_grow(struct column *column);

/* Read @bytes, which stay. */
void column_open(struct column *column, struct bytes bytes);

/* Put what is pending into the column. */
void bits_flush(struct bit_column *bits);

static inline size_t column_size(const struct column *column)
{
        return (size_t)(column->at - column->begin);
}

CODEC_INLINE void column_put(struct column *column, uint8_t byte)
{
        if (column->at == column->end)
                column_grow(column);
        *column->at++ = byte;
}

CODEC_INLINE uint8_t column_get(struct column *column, bool *failed)
{
        if (column->at == column->end) {
                *failed = true;
                return 0;
        }
        return *column->at++;
}

CODEC_INLINE unsigned column_code(
    struct column *column, unsigned byte, bool *failed, const bool decoding)
{
        if (decoding)
                return column_get(column, failed);
        column_put(column, (uint8_t)byte);
        return byte;
}

CODEC_INLINE void bits_put(struct bit_column *bits, uint64_t value, unsigned count)
{
        struct column *bytes = &bits->bytes;
        bits->pending |= value << bits->pending_count;
        bits->pending_count += count;
        if (bits->pending_count < 32)
                return;
        if (bytes->end - bytes->at < 4)
                column_grow(bytes);
        store_u32(bytes->at, (uint32_t)bits->pending);
        bytes->at += 4;
        bits->pending >>= 32;
        bits->pending_count -= 32;
}

CODEC_INLINE uint64_t bits_get(struct bit_column *bits, unsigned count, bool *failed)
{
        if (count > bits->end - bits->at) {
                *failed = true;
                return 0;
        }
        uint64_t word = load_u64(bits->bytes.begin + bits->at / 8) >> bits->at % 8;
        bits->at += count;
        return word & ((UINT64_C(1) << count) - 1);
}

/* The lowest @count bits of @value, at most 32. */
CODEC_INLINE uint64_t bits_code(
    struct bit_column *bits, uint64_t value, unsigned count, bool *failed, const bool decoding)
{
        if (decoding)
                return bits_get(bits, count, failed);
        value &= (UINT64_C(1) << count) - 1;
        bits_put(bits, value, count);
        return value;
}

/* The lowest @count bits of @value, at most 64. */
CODEC_INLINE uint64_t bits_code_long(
    struct bit_column *bits, uint64_t value, unsigned count, bool *failed, const bool decoding)
{
        if (count <= 32)
                return bits_code(bits, value, count, failed, decoding);
        uint64_t low = bits_code(bits, value, 32, failed, decoding);
        return low | bits_code(bits, value >> 32, count - 32, failed, decoding) << 32;
}

/* ---- buckets ---- */

static inline unsigned octave_of(uint64_t value)
{
        return 63 - (unsigned)__builtin_clzll(value);
}

static inline unsigned bit_length(uint64_t value)
{
        return value ? octave_of(value) + 1 : 0;
}

static inline unsigned bucket_of(uint64_t value)
{
        if (value < 4)
                return (unsigned)value;
        unsigned octave = octave_of(value);
        return 2 * octave + (unsigned)(value >> (octave - 1) & 1);
}

/* Raw bits that tell the values of a bucket apart. */
static inline unsigned bucket_bits(unsigned bucket)
{
        return bucket < 4 ? 0 : bucket / 2 - 1;
}

/* Its smallest value. */
static inline uint64_t bucket_base(unsigned bucket)
{
        return bucket < 4 ? bucket : (uint64_t)(2 | (bucket & 1)) << (bucket / 2 - 1);
}

/* ---- numbers of which the small ones matter exactly: 0..127 a byte each, then buckets ---- */

#define NUMBER_SMALL 128
#define NUMBER_FIRST_BUCKET 14 /* bucket_of(NUMBER_SMALL) */

CODEC_INLINE uint64_t number_code(struct column *column, struct bit_column *bits, uint64_t value,
    bool *failed, const bool decoding)
{
        unsigned symbol = (unsigned)value;
        if (!decoding && value >= NUMBER_SMALL)
                symbol = NUMBER_SMALL + bucket_of(value) - NUMBER_FIRST_BUCKET;
        symbol = column_code(column, symbol, failed, decoding);
        if (symbol < NUMBER_SMALL)
                return symbol;
        unsigned bucket = symbol - NUMBER_SMALL + NUMBER_FIRST_BUCKET;
        if (bucket >= BUCKETS) {
                *failed = true;
                return 0;
        }
        return bucket_base(bucket) |
            bits_code_long(bits, value, bucket_bits(bucket), failed, decoding);
}

CODEC_INLINE int64_t signed_code(struct column *column, struct bit_column *bits, int64_t value,
    bool *failed, const bool decoding)
{
        return unzigzag(number_code(column, bits, zigzag(value), failed, decoding));
}

#endif
