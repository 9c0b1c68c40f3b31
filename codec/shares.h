/* Symbols coded by their shares of SHARE_TOTAL: a range coder (rANS).
 *
 * Two states take turns, so that the time of one symbol overlaps with the next. A state is kept at
 * 2^16 or above, and below 2^32, by 16 bits at a time. What is coded last is read first: the writer
 * keeps all symbols and codes them backwards at the end, so that the reader, which learns from each
 * symbol, goes forwards. Source: J. Duda, "Asymmetric numeral systems", arXiv 1311.2540. */
#ifndef CODEC_SHARES_H
#define CODEC_SHARES_H

#include "codec/columns.h"

#define SHARE_BITS 15
#define SHARE_TOTAL (1u << SHARE_BITS)
#define SHARE_LOW (UINT32_C(1) << 16)
#define SHARES_HEAD_SIZE 8

struct share_writer {
        uint32_t *symbols; /* start << 16 | share */
        size_t count, capacity;
};

struct share_reader {
        const uint8_t *at, *end;
        uint32_t states[2];
        unsigned turn; /* which of them is next */
};

/* More room; the symbols so far stay. */
void shares_grow(struct share_writer *writer);

/* Code all symbols into @column, which is cleared, and forget them. */
void shares_finish(struct share_writer *writer, struct column *column);

/* false: that is no column of shares_finish. COLUMN_PADDING bytes behind it must be readable. */
bool shares_open(struct share_reader *reader, const struct column *column);

/* Exactly what was written was read. */
static inline bool shares_are_spent(const struct share_reader *reader)
{
        return reader->at == reader->end && reader->states[0] == SHARE_LOW &&
            reader->states[1] == SHARE_LOW;
}

CODEC_INLINE void share_put(struct share_writer *writer, uint32_t start, uint32_t share)
{
        if (writer->count == writer->capacity)
                shares_grow(writer);
        writer->symbols[writer->count++] = start << 16 | share;
}

/* Where the next symbol lies, among SHARE_TOTAL. */
CODEC_INLINE uint32_t share_point(const struct share_reader *reader)
{
        return reader->states[reader->turn] & (SHARE_TOTAL - 1);
}

/* Go behind the symbol. Past the end *failed is set, and what is read means nothing. Whether a
 * state needs more bits is not foreseeable, so that there is no branch for it. */
CODEC_INLINE void share_advance(
    struct share_reader *reader, uint32_t start, uint32_t share, bool *failed)
{
        uint32_t state = reader->states[reader->turn], point = state & (SHARE_TOTAL - 1);
        uint32_t more = (uint32_t)reader->at[0] | (uint32_t)reader->at[1] << 8;
        state = share * (state >> SHARE_BITS) + point - start;
        uint32_t low = 0 - (uint32_t)(state < SHARE_LOW);
        reader->states[reader->turn] = state << (low & 16) | (more & low);
        reader->turn ^= 1;
        reader->at += low & 2;
        if (__builtin_expect(reader->at > reader->end, 0)) {
                reader->at = reader->end;
                *failed = true;
        }
}

#endif
