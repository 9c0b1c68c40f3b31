#include "codec/tokens.h"

#include "base/error.h"
#include "base/limits.h"
#include "codec/values.h"

/* A token is one byte: the bucket of the skip, and what happens there. */
enum {
        SKIP_FAR = 15, /* buckets below it hold skips below 192; this one any */
        TOKENS = (SKIP_FAR + 1) * WHAT_COUNT,
        OCTAVE_BITS = 6,
        CHANGE_MODES = 4,   /* plain, added, taken; one is free */
        OFF_GRID = BUCKETS, /* instead of a bucket: the price follows raw */
};

/* ---- the step ---- */

CODEC_INLINE unsigned step_context(const struct place *place)
{
        unsigned left = place->left < 2 ? 0
            : place->left < 5           ? 1
            : place->left < 12          ? 2
            : place->left < 30          ? 3
                                        : 4;
        return left * TOKEN_DEPTH_CLASSES + (place->depth >= 64);
}

CODEC_INLINE size_t code_far_skip(struct token_coder *coder, size_t skip, const bool decoding)
{
        unsigned octave = decoding ? 0 : octave_of(skip);
        octave = (unsigned)bits_code(&coder->bits, octave, OCTAVE_BITS, &coder->failed, decoding);
        return UINT64_C(1) << octave |
            bits_code_long(&coder->bits, skip, octave, &coder->failed, decoding);
}

CODEC_INLINE size_t code_skip(
    struct token_coder *coder, unsigned bucket, size_t skip, const bool decoding)
{
        if (bucket < 4)
                return bucket;
        if (bucket == SKIP_FAR)
                return code_far_skip(coder, skip, decoding);
        return bucket_base(bucket) |
            bits_code(&coder->bits, skip, bucket_bits(bucket), &coder->failed, decoding);
}

CODEC_INLINE bool code_step(struct token_coder *coder, struct book_walk *walk,
    const struct place *place, struct step *step, const bool decoding)
{
        struct column *column = &coder->columns[TOKEN_STEPS + step_context(place)];
        unsigned bucket = 0, what = 0;
        if (!decoding) {
                bucket = bucket_of(step->skip);
                bucket = bucket < SKIP_FAR ? bucket : SKIP_FAR;
                what = what_of(step);
        }
        unsigned token = column_code(column, bucket * WHAT_COUNT + what, &coder->failed, decoding);
        if (token >= TOKENS)
                return false;
        step->skip = code_skip(coder, token / WHAT_COUNT, step->skip, decoding);
        if (!decoding)
                return true;
        step_be(step, token % WHAT_COUNT);
        return book_walk_skip(walk, step->skip);
}

/* ---- the price ---- */

CODEC_INLINE unsigned gap_class(const struct price_base *base, int64_t unit)
{
        if (base->first)
                return TOKEN_GAP_FIRST;
        unsigned gap = bit_length(base->between), one = bit_length((uint64_t)unit);
        unsigned class = gap > one ? gap - one : 0;
        return class < TOKEN_GAP_CLASSES ? class : TOKEN_GAP_CLASSES - 1;
}

CODEC_INLINE uint64_t code_distance(struct token_coder *coder, const struct price_base *base,
    enum price_class class, uint64_t distance, bool *on_grid, const bool decoding)
{
        int64_t unit = coder->units.units[class];
        struct column *column = &coder->columns[TOKEN_PRICES + gap_class(base, unit)];
        unsigned bucket = 0;
        if (!decoding)
                bucket = *on_grid ? bucket_of(distance) : OFF_GRID;
        bucket = column_code(column, bucket, &coder->failed, decoding);
        if (bucket >= BUCKETS) {
                *on_grid = false;
                return bits_code_long(&coder->bits, distance, 64, &coder->failed, decoding);
        }
        return bucket_base(bucket) |
            bits_code_long(&coder->bits, distance, bucket_bits(bucket), &coder->failed, decoding);
}

/* ---- quantities ---- */

/* What quantities of all sides and events share. */
CODEC_INLINE struct value_coder values_of(struct token_coder *coder)
{
        return (struct value_coder){&coder->ranks, &coder->columns[TOKEN_ZEROS],
            &coder->columns[TOKEN_VALUES], &coder->bits, &coder->failed};
}

CODEC_INLINE int64_t code_insert(
    struct token_coder *coder, int64_t price, int64_t quantity, const bool decoding)
{
        unsigned mode = 0;
        (void)price;
        uint32_t rank = decoding ? 0 : ranks_find(&coder->ranks, quantity);
        return value_code(
            values_of(coder), &coder->columns[TOKEN_INSERTS], quantity, rank, &mode, 1, decoding);
}

enum {
        CHANGE_PLAIN,
        CHANGE_ADDED,
        CHANGE_TAKEN
};

/* The one of the three numbers that was used most lately. */
static inline int64_t choose_change(struct token_coder *coder, int64_t before, int64_t quantity,
    unsigned *ret_mode, uint32_t *ret_rank)
{
        int64_t added = difference(quantity, before), taken = difference(before, quantity);
        uint32_t plain_rank = ranks_find(&coder->ranks, quantity);
        uint32_t other_rank = ranks_find(&coder->ranks, added > 0 ? added : taken);
        *ret_rank = other_rank < plain_rank ? other_rank : plain_rank;
        *ret_mode = other_rank >= plain_rank ? CHANGE_PLAIN
            : added > 0                      ? CHANGE_ADDED
                                             : CHANGE_TAKEN;
        return other_rank >= plain_rank ? quantity : added > 0 ? added : taken;
}

CODEC_INLINE int64_t code_change(
    struct token_coder *coder, int64_t price, int64_t before, int64_t quantity, const bool decoding)
{
        unsigned mode = 0;
        (void)price;
        uint32_t rank = 0;
        int64_t value = 0;
        if (!decoding)
                value = choose_change(coder, before, quantity, &mode, &rank);
        value = value_code(values_of(coder), &coder->columns[TOKEN_CHANGES], value, rank, &mode,
            CHANGE_MODES, decoding);
        if (!decoding)
                return quantity;
        coder->failed |= mode > CHANGE_TAKEN;
        return mode == CHANGE_PLAIN ? value
            : mode == CHANGE_ADDED  ? sum(before, value)
                                    : difference(before, value);
}

CODEC_INLINE void code_begin(
    struct token_coder *coder, const struct book_walk *walk, enum side side)
{
        (void)coder;
        (void)walk;
        (void)side;
}

#define CODER struct token_coder
#define PLAIN_COLUMN TOKEN_PLAIN
#include "codec/side.h"

/* ---- columns of a block ---- */

static struct dense_block block_of(struct token_coder *coder)
{
        return (struct dense_block){&coder->heads, coder->columns, TOKEN_COLUMNS, &coder->bits};
}

void token_encoder_init(struct token_encoder *encoder)
{
        *encoder = (struct token_encoder){0};
        ranks_init(&encoder->coder.ranks);
}

void token_encoder_deinit(struct token_encoder *encoder)
{
        struct dense_block block = block_of(&encoder->coder);
        dense_free(&block);
        ranks_deinit(&encoder->coder.ranks);
}

void token_encoder_reset(struct token_encoder *encoder)
{
        ranks_clear(&encoder->coder.ranks);
}

void token_begin(
    struct token_encoder *encoder, const struct scale *scale, const struct event *first)
{
        struct token_coder *coder = &encoder->coder;
        struct dense_block block = block_of(coder);
        dense_begin(&block, first);
        coder->units = price_units_of(scale);
}

void token_add(struct token_encoder *encoder, struct book *book, const struct event *event)
{
        struct token_coder *coder = &encoder->coder;
        struct dense_block block = block_of(coder);
        struct token_undo *undo = &encoder->undo;
        unsigned bits = order_of(event);
        for (size_t i = 0; i < TOKEN_BLOCK_COLUMNS; i++)
                undo->sizes[i] = column_size(dense_column(&block, i));
        undo->heads = coder->heads;
        undo->pending = coder->bits.pending;
        undo->pending_count = coder->bits.pending_count;
        heads_write(&coder->heads, event, bits);
        code_event(coder, book, event, bits, NULL, NULL, false);
}

void token_undo(struct token_encoder *encoder)
{
        struct token_coder *coder = &encoder->coder;
        struct dense_block block = block_of(coder);
        const struct token_undo *undo = &encoder->undo;
        for (size_t i = 0; i < TOKEN_BLOCK_COLUMNS; i++) {
                struct column *column = dense_column(&block, i);
                column->at = column->begin + undo->sizes[i];
        }
        coder->heads.bits.pending = undo->heads.bits.pending;
        coder->heads.bits.pending_count = undo->heads.bits.pending_count;
        coder->bits.pending = undo->pending;
        coder->bits.pending_count = undo->pending_count;
}

size_t token_size(struct token_encoder *encoder)
{
        struct dense_block block = block_of(&encoder->coder);
        return dense_size(&block);
}

size_t token_event_size(const struct event *event)
{
        return 64 + (size_t)event_level_count(event) * 28;
}

void token_finish(struct token_encoder *encoder, struct buffer *ret_block)
{
        struct dense_block block = block_of(&encoder->coder);
        dense_finish(&block, ret_block);
}

/* ---- reading ---- */

void token_decoder_init(struct token_decoder *decoder)
{
        *decoder = (struct token_decoder){0};
        ranks_init(&decoder->coder.ranks);
}

void token_decoder_deinit(struct token_decoder *decoder)
{
        ranks_deinit(&decoder->coder.ranks);
}

void token_decoder_reset(struct token_decoder *decoder)
{
        ranks_clear(&decoder->coder.ranks);
}

int token_open(struct token_decoder *decoder, const struct scale *scale, const struct event *first,
    struct bytes bytes)
{
        struct token_coder *coder = &decoder->coder;
        struct dense_block block = block_of(coder);
        int code = dense_open(&block, first, bytes);
        coder->units = price_units_of(scale);
        coder->failed = false;
        decoder->scan = coder->heads;
        return code;
}

int token_scan(struct token_decoder *decoder, struct event *ret_event)
{
        return dense_scan(&decoder->scan, ret_event);
}

int token_next(struct token_decoder *decoder, struct event *ret_event, unsigned *ret_bits)
{
        struct dense_block block = block_of(&decoder->coder);
        return dense_next(&block, ret_event, ret_bits);
}

int token_levels(struct token_decoder *decoder, struct book *book, const struct event *event,
    unsigned bits, struct level *ret_levels, int64_t *ret_befores)
{
        return code_event(&decoder->coder, book, event, bits, ret_levels, ret_befores, true);
}
