/* Symbols of at most 16 values whose shares are learnt while they are coded.
 *
 * A nibble holds where the share of each value starts, of SHARE_TOTAL; every value keeps at least
 * one. Coding a value moves the starts towards those at which it would have everything: fast at
 * first, then slower, so that few uses teach something and many are not forgotten. The place of
 * the first start, which is always zero, tells how far that has come: it rises from -NIBBLE_FRESH
 * towards 0 by the same sum as the others.
 *
 * Eight 16-bit numbers are handled at once, as vectors that every compiler in use knows. */
#ifndef CODEC_NIBBLE_MODEL_H
#define CODEC_NIBBLE_MODEL_H

#include "codec/shares.h"

#define NIBBLES 16
#define NIBBLE_FRESH 32767   /* what there is to learn at first */
#define NIBBLE_LEARNED 1024  /* where little of it is left */
#define NIBBLE_PACE_SLOW 7   /* steps of 1/4 at first, of 1/128 in the end ... */
#define NIBBLE_PACE_LIVELY 5 /* ... or no smaller than 1/32: where the past tells less */

typedef int16_t nibble_lanes __attribute__((vector_size(16)));

union nibble {
        int16_t starts[NIBBLES];
        nibble_lanes lanes[2];
};

struct nibble_io {
        struct share_writer writer;
        struct share_reader reader;
};

/* Nothing learnt: equal shares. */
void nibbles_init(union nibble *nibbles, size_t count);

/* The starts at which a value has all but what the others keep, for each value. */
extern const union nibble nibble_goals[NIBBLES];

/* By what is left to learn, in NIBBLE_FRESH / 128. */
extern const uint8_t nibble_paces[128];

CODEC_INLINE void nibble_learn(union nibble *nibble, unsigned value, unsigned slowest)
{
        const union nibble *goal = &nibble_goals[value];
        unsigned pace = nibble_paces[-nibble->starts[0] >> 8];
        pace = pace < slowest ? pace : slowest;
        for (int i = 0; i < 2; i++)
                nibble->lanes[i] += (goal->lanes[i] - nibble->lanes[i]) >> (int16_t)pace;
}

/* The value that holds @point: the last one, less as many as start above it. */
CODEC_INLINE unsigned nibble_find(const union nibble *nibble, uint32_t point)
{
        nibble_lanes above =
            -((nibble->lanes[0] > (int16_t)point) + (nibble->lanes[1] > (int16_t)point));
        uint64_t halves[2];
        memcpy(halves, &above, sizeof(halves));
        uint64_t sum = (halves[0] + halves[1]) * UINT64_C(0x0001000100010001);
        return NIBBLES - 1 - (unsigned)(sum >> 48);
}

/* Code @value, or read it, by the shares of @nibble, which does not learn. The first place is not
 * above zero, which serves both ends. */
CODEC_INLINE unsigned nibble_pass(struct nibble_io *io, const union nibble *nibble, unsigned value,
    bool *failed, const bool decoding)
{
        if (decoding)
                value = nibble_find(nibble, share_point(&io->reader));
        int start = nibble->starts[value], end = nibble->starts[(value + 1) % NIBBLES];
        start = start > 0 ? start : 0;
        end = end > 0 ? end : (int)SHARE_TOTAL;
        if (decoding)
                share_advance(&io->reader, (uint32_t)start, (uint32_t)(end - start), failed);
        else
                share_put(&io->writer, (uint32_t)start, (uint32_t)(end - start));
        return value;
}

CODEC_INLINE unsigned nibble_code(struct nibble_io *io, union nibble *nibble, unsigned value,
    unsigned slowest, bool *failed, const bool decoding)
{
        value = nibble_pass(io, nibble, value, failed, decoding);
        nibble_learn(nibble, value, slowest);
        return value;
}

/* A value of which two nibbles know something: half of each, or three quarters of @close, which
 * has learnt less often but in a place more like this one, once it has learnt enough. */
CODEC_INLINE unsigned nibble_code_two(struct nibble_io *io, union nibble *wide, union nibble *close,
    unsigned value, unsigned slowest, bool *failed, const bool decoding)
{
        union nibble mixed;
        int16_t trusted = (int16_t) - (close->starts[0] > -NIBBLE_LEARNED);
        for (int i = 0; i < 2; i++) {
                nibble_lanes half =
                    wide->lanes[i] + ((close->lanes[i] - wide->lanes[i]) >> (int16_t)1);
                mixed.lanes[i] = half + (((close->lanes[i] - half) >> (int16_t)1) & trusted);
        }
        value = nibble_pass(io, &mixed, value, failed, decoding);
        nibble_learn(wide, value, slowest);
        nibble_learn(close, value, slowest);
        return value;
}

#endif
