#include "codec/nibbles.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/limits.h"

/* Numbers are told in symbols up to where the values of the last one are all alike; what is below
 * that goes raw. Classes are what the shares of a symbol are told apart by. */
enum {
        LEFT_CLASSES = 16,
        DEPTH_CLASSES = 6,
        SKIP_CLASSES = 3,
        SKIP_FAR = 15, /* buckets below it hold skips below 192; this one any */
        SKIP_FAR_OCTAVE = 7,
        GAP_FIRST = 0, /* gaps between neighbours: nothing before, nothing behind, then by size */
        GAP_OPEN,
        GAP_KNOWN,
        GAP_CLASSES = 18,
        GAP_HALF_CLASSES = 30,
        STANDING_CLASSES = 40,
        LENGTH_FAR = 15, /* lengths below it hold distances below 2^14; this one any */
        LENGTH_BITS = 7,
        OFF_GRID = 127, /* instead of a length: the price follows raw */
        TOP_BITS = 3,
        AWAY_CLASSES = 24,
        ZEROS_WHOLE = 15, /* instead of a count of zeros: the quantity as it is */
        DIGIT_BITS = 14,
        LAST_BITS = 14,
        COUNT_BITS = 16,
        ALIGNMENT = 64,
};

enum quantity_mode {
        QUANTITY_LAST, /* what was there last time; among numbers: those of inserts */
        QUANTITY_PLAIN,
        QUANTITY_ADDED, /* the order that came, or went, beside what stood there */
        QUANTITY_TAKEN,
        QUANTITY_MODES,
};

struct nibble_model {
        union nibble skips[SIDES][LEFT_CLASSES][DEPTH_CLASSES];
        union nibble far_skip;
        union nibble kinds[DEPTH_CLASSES][SKIP_CLASSES][GAP_CLASSES];
        union nibble kinds_by_standing[STANDING_CLASSES][DEPTH_CLASSES][GAP_CLASSES];
        union nibble lengths[PRICE_CLASSES][GAP_HALF_CLASSES];
        union nibble tops[PRICE_CLASSES][GAP_HALF_CLASSES][LENGTH_FAR];
        union nibble modes[2][2][DEPTH_CLASSES];
        union nibble zeros[QUANTITY_MODES][AWAY_CLASSES];
        union nibble sizes[QUANTITY_MODES][NIBBLES][AWAY_CLASSES];
        union nibble digits[1 << DIGIT_BITS];
        union nibble digits_by_place[1 << DIGIT_BITS];
        int64_t last[1 << LAST_BITS]; /* quantities, by a hash of the price */
};

/* How often a quantity was told, by a hash of it. */
struct nibble_counts {
        uint8_t counts[1 << COUNT_BITS];
};

CODEC_INLINE unsigned code_symbol(
    struct nibble_coder *coder, union nibble *nibble, unsigned value, const bool decoding)
{
        return nibble_code(&coder->io, nibble, value, NIBBLE_PACE_SLOW, &coder->failed, decoding);
}

CODEC_INLINE unsigned at_most(unsigned value, unsigned limit)
{
        return value < limit ? value : limit;
}

CODEC_INLINE unsigned above(unsigned value, unsigned base)
{
        return value > base ? value - base : 0;
}

/* ---- the step ---- */

CODEC_INLINE unsigned class_of_depth(size_t depth)
{
        return at_most(depth ? octave_of(depth) / 2 + 1 : 0, DEPTH_CLASSES - 1);
}

CODEC_INLINE size_t code_far_skip(struct nibble_coder *coder, size_t skip, const bool decoding)
{
        unsigned octave = decoding ? 0 : octave_of(skip) - SKIP_FAR_OCTAVE;
        octave = SKIP_FAR_OCTAVE + code_symbol(coder, &coder->model->far_skip, octave, decoding);
        return UINT64_C(1) << octave |
            bits_code(&coder->bits, skip, octave, &coder->failed, decoding);
}

CODEC_INLINE size_t code_skip(
    struct nibble_coder *coder, const struct place *place, size_t skip, const bool decoding)
{
        unsigned left = at_most(bucket_of(place->left), LEFT_CLASSES - 1);
        unsigned bucket = decoding ? 0 : at_most(bucket_of(skip), SKIP_FAR);
        union nibble *nibble =
            &coder->model->skips[coder->side][left][class_of_depth(place->depth)];
        bucket = code_symbol(coder, nibble, bucket, decoding);
        if (bucket < 4)
                return bucket;
        if (bucket == SKIP_FAR)
                return code_far_skip(coder, skip, decoding);
        return bucket_base(bucket) |
            bits_code(&coder->bits, skip, bucket_bits(bucket), &coder->failed, decoding);
}

/* The gap in which the walk stands, in octaves of a tick. */
CODEC_INLINE unsigned class_of_gap(const struct nibble_coder *coder, const struct book_walk *walk)
{
        if (!walk->has_previous)
                return GAP_FIRST;
        if (book_walk_at_end(walk))
                return GAP_OPEN;
        uint64_t gap = (uint64_t)difference(book_walk_key(walk), walk->previous_key);
        uint64_t tick = (uint64_t)coder->units.units[PRICE_NEXT_TICK];
        unsigned octaves = gap <= tick ? 0 : 1 + octave_of(gap) - octave_of(tick);
        return at_most(GAP_KNOWN + octaves, GAP_CLASSES - 1);
}

/* The quantity that the walk stands before. */
CODEC_INLINE unsigned class_of_standing(
    const struct nibble_coder *coder, const struct book_walk *walk)
{
        if (book_walk_at_end(walk))
                return 0;
        unsigned bucket = bucket_of((uint64_t)book_walk_quantity(walk));
        return at_most(1 + above(bucket, coder->lot_class), STANDING_CLASSES - 1);
}

CODEC_INLINE void code_kind(struct nibble_coder *coder, const struct book_walk *walk, size_t skip,
    struct step *step, const bool decoding)
{
        struct nibble_model *model = coder->model;
        unsigned depth = coder->depth_class, gap = class_of_gap(coder, walk);
        union nibble *wide = &model->kinds[depth][skip == 0 ? 0 : skip < 4 ? 1 : 2][gap];
        union nibble *close = &model->kinds_by_standing[class_of_standing(coder, walk)][depth][gap];
        unsigned what = decoding ? 0 : what_of(step);
        what = nibble_code_two(
            &coder->io, wide, close, what, NIBBLE_PACE_SLOW, &coder->failed, decoding);
        if (!decoding)
                return;
        coder->failed |= what >= WHAT_COUNT;
        step_be(step, what < WHAT_COUNT ? what : STEP_REMOVE);
}

/* The kind depends on where the skip leads to, so it is told there. */
CODEC_INLINE bool code_step(struct nibble_coder *coder, struct book_walk *walk,
    const struct place *place, struct step *step, const bool decoding)
{
        step->skip = code_skip(coder, place, step->skip, decoding);
        coder->depth_class = class_of_depth(place->depth + step->skip);
        if (decoding && !book_walk_skip(walk, step->skip))
                return false;
        code_kind(coder, walk, step->skip, step, decoding);
        return true;
}

/* ---- the price ---- */

/* Any number, raw; *on_grid is told with it. */
CODEC_INLINE uint64_t code_number(
    struct nibble_coder *coder, uint64_t value, bool *on_grid, const bool decoding)
{
        unsigned length = !*on_grid ? OFF_GRID : bit_length(value);
        length = (unsigned)bits_code(&coder->bits, length, LENGTH_BITS, &coder->failed, decoding);
        *on_grid = length != OFF_GRID;
        coder->failed |= *on_grid && length > 64;
        return bits_code_long(&coder->bits, value, at_most(length, 64), &coder->failed, decoding);
}

/* The leading one of a number is known from its length; some bits behind it, then the rest. */
CODEC_INLINE uint64_t code_below(struct nibble_coder *coder, union nibble *nibbles, unsigned length,
    uint64_t value, const bool decoding)
{
        unsigned raw = above(length - 1, TOP_BITS), count = length - 1 - raw;
        unsigned top = (unsigned)(value >> raw) & ((1u << count) - 1);
        top = code_symbol(coder, &nibbles[length], top, decoding);
        coder->failed |= top >> count;
        return UINT64_C(1) << (length - 1) | (uint64_t)top << raw |
            bits_code(&coder->bits, value, raw, &coder->failed, decoding);
}

/* Every tenth place from @base on is told by a wider class: how many steps lie before the first. */
CODEC_INLINE unsigned tens_phase(const struct price_base *base, int64_t unit)
{
        int64_t from = base->price / unit, rest = base->price % unit;
        int64_t steps = base->up ? (from - (rest < 0)) % 10 : -((from + (rest > 0)) % 10);
        return (unsigned)(steps < 0 ? steps + 10 : steps);
}

/* The distance without those places, and back; close to 2^64 there is no way back. */
CODEC_INLINE uint64_t leave_tenths(uint64_t distance, unsigned phase)
{
        return distance - distance / 10 - (distance % 10 + phase) / 10;
}

CODEC_INLINE uint64_t take_tenths(uint64_t distance, unsigned phase)
{
        return distance + (distance + phase) / 9;
}

CODEC_INLINE uint64_t code_distance(struct nibble_coder *coder, const struct price_base *base,
    enum price_class class, uint64_t distance, bool *on_grid, const bool decoding)
{
        struct nibble_model *model = coder->model;
        int64_t unit = coder->units.units[class];
        unsigned gap = GAP_FIRST, length = LENGTH_FAR, phase = 0;
        if (!base->first)
                gap = at_most(
                    GAP_KNOWN + bucket_of(base->between / (uint64_t)unit), GAP_HALF_CLASSES - 1);
        if (class != PRICE_THOUSAND)
                phase = tens_phase(base, unit);
        bool tenths = class != PRICE_THOUSAND;
        if (!decoding && *on_grid) {
                uint64_t told = tenths ? leave_tenths(distance, phase) : distance;
                *on_grid = !tenths || take_tenths(told, phase) == distance;
                distance = *on_grid ? told : (uint64_t)price_from_distance(base, unit, distance);
                if (*on_grid)
                        length = at_most(bit_length(distance), LENGTH_FAR);
        }
        length = code_symbol(coder, &model->lengths[class][gap], length, decoding);
        if (length == LENGTH_FAR)
                distance = code_number(coder, distance, on_grid, decoding);
        else if (length < 2)
                distance = length;
        else
                distance = code_below(coder, model->tops[class][gap], length, distance, decoding);
        return decoding && *on_grid && tenths ? take_tenths(distance, phase) : distance;
}

/* ---- quantities ---- */

#define HASH UINT64_C(0x9e3779b97f4a7c15)

static const uint64_t tens[ZEROS_WHOLE] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000,
    100000000, 1000000000, 10000000000, 100000000000, 1000000000000, 10000000000000,
    100000000000000};

/* How far the price lies from the best one, in octaves of a tick. */
CODEC_INLINE unsigned class_of_away(const struct nibble_coder *coder, int64_t price)
{
        int64_t away = difference(price, coder->best_price);
        unsigned length = bit_length(away < 0 ? 0 - (uint64_t)away : (uint64_t)away);
        unsigned tick = bit_length((uint64_t)coder->units.units[PRICE_NEXT_TICK]);
        return at_most(above(length + 1, tick), AWAY_CLASSES - 1);
}

/* Hexadecimal digits, the shares of each by @known, which comes to hold all before it. */
CODEC_INLINE uint64_t code_digits(struct nibble_coder *coder, uint64_t value, unsigned count,
    uint64_t known, uint64_t place, const bool decoding)
{
        struct nibble_model *model = coder->model;
        uint64_t digits = 0;
        while (count-- > 0) {
                uint64_t hash = known * HASH;
                hash = (hash ^ hash >> 32) * HASH;
                union nibble *wide = &model->digits[hash >> (64 - DIGIT_BITS)];
                union nibble *close =
                    &model->digits_by_place[(hash + place * HASH) >> (64 - DIGIT_BITS)];
                unsigned digit =
                    nibble_code_two(&coder->io, wide, close, (unsigned)(value >> 4 * count) & 15,
                        NIBBLE_PACE_LIVELY, &coder->failed, decoding);
                digits = digits << 4 | digit;
                known = known << 4 | digit;
        }
        return digits;
}

/* A quantity is its digits and a power of ten. */
CODEC_INLINE int64_t code_value(struct nibble_coder *coder, enum quantity_mode mode, int64_t price,
    int64_t quantity, const bool decoding)
{
        struct nibble_model *model = coder->model;
        unsigned away = class_of_away(coder, price), zeros = 0, size = 0;
        uint64_t rest = (uint64_t)quantity;
        if (!decoding) {
                while (zeros < ZEROS_WHOLE && rest && rest % 10 == 0) {
                        rest /= 10;
                        zeros++;
                }
                if (zeros == ZEROS_WHOLE)
                        rest = (uint64_t)quantity;
                size = octave_of(rest | 1) / 4;
        }
        zeros = code_symbol(coder, &model->zeros[mode][away], zeros, decoding);
        size = code_symbol(coder, &model->sizes[mode][zeros][away], size, decoding);
        uint64_t known = (NIBBLES | zeros) << 4 | size, place = away * SIDES + coder->side + 1;
        rest = code_digits(coder, rest, size + 1, known, place, decoding);
        return (int64_t)(zeros == ZEROS_WHOLE ? rest : rest * tens[zeros]);
}

CODEC_INLINE int64_t *last_at(struct nibble_coder *coder, int64_t price)
{
        return &coder->model->last[(uint64_t)price * HASH >> (64 - LAST_BITS)];
}

static inline uint8_t *count_of(struct nibble_coder *coder, int64_t quantity)
{
        return &coder->counts->counts[(uint64_t)quantity * HASH >> (64 - COUNT_BITS)];
}

static inline void count_use(struct nibble_coder *coder, int64_t quantity)
{
        uint8_t *count = count_of(coder, quantity);
        *count += *count < UINT8_MAX;
}

CODEC_INLINE int64_t code_insert(
    struct nibble_coder *coder, int64_t price, int64_t quantity, const bool decoding)
{
        int64_t *last = last_at(coder, price);
        unsigned mode = quantity == *last ? QUANTITY_LAST : QUANTITY_PLAIN;
        union nibble *nibble = &coder->model->modes[0][*last != 0][coder->depth_class];
        mode = code_symbol(coder, nibble, mode, decoding);
        coder->failed |= mode > QUANTITY_PLAIN;
        if (mode == QUANTITY_LAST)
                return *last;
        quantity = code_value(coder, QUANTITY_LAST, price, quantity, decoding);
        if (!decoding)
                count_use(coder, quantity);
        *last = quantity;
        return quantity;
}

/* Of the new total and the order that makes it, the one that was told more often. */
static inline enum quantity_mode choose_mode(
    struct nibble_coder *coder, int64_t before, int64_t quantity, int64_t last)
{
        int64_t added = difference(quantity, before), taken = difference(before, quantity);
        int64_t order = added > 0 ? added : taken;
        if (quantity == last)
                return QUANTITY_LAST;
        if (*count_of(coder, order) <= *count_of(coder, quantity))
                return QUANTITY_PLAIN;
        return added > 0 ? QUANTITY_ADDED : QUANTITY_TAKEN;
}

/* The number that stands for @quantity, and back: the same either way, but for QUANTITY_ADDED. */
CODEC_INLINE int64_t mode_turn(
    enum quantity_mode mode, int64_t before, int64_t number, const bool decoding)
{
        if (mode == QUANTITY_PLAIN)
                return number;
        if (mode == QUANTITY_TAKEN)
                return difference(before, number);
        return decoding ? sum(before, number) : difference(number, before);
}

CODEC_INLINE int64_t code_change(struct nibble_coder *coder, int64_t price, int64_t before,
    int64_t quantity, const bool decoding)
{
        int64_t *last = last_at(coder, price), number = 0;
        unsigned mode = decoding ? 0 : choose_mode(coder, before, quantity, *last);
        union nibble *nibble = &coder->model->modes[1][*last != 0][coder->depth_class];
        mode = code_symbol(coder, nibble, mode, decoding);
        if (mode == QUANTITY_LAST)
                return *last;
        if (mode >= QUANTITY_MODES) {
                coder->failed = true;
                return 0;
        }
        if (!decoding)
                number = mode_turn(mode, before, quantity, false);
        number = code_value(coder, mode, price, number, decoding);
        if (decoding)
                quantity = mode_turn(mode, before, number, true);
        else
                count_use(coder, number);
        *last = quantity;
        return quantity;
}

CODEC_INLINE void code_begin(
    struct nibble_coder *coder, const struct book_walk *walk, enum side side)
{
        bool empty = book_walk_at_end(walk);
        coder->best_price = empty ? 0 : book_key(side, book_walk_key(walk));
        coder->side = side;
}

#define CODER struct nibble_coder
#define PLAIN_COLUMN NIBBLE_PLAIN
#include "codec/side.h"

/* ---- what is learnt ---- */

static void coder_init(struct nibble_coder *coder)
{
        *coder = (struct nibble_coder){.stale = true};
}

/* Memory at first use; nothing learnt at the first use of a segment. */
static void coder_prepare(struct nibble_coder *coder, const struct scale *scale)
{
        size_t size = sizeof(*coder->model);
        coder->units = price_units_of(scale);
        coder->lot_class = bucket_of((uint64_t)scale->lot);
        coder->failed = false;
        if (!coder->memory) {
                coder->memory = memory_new(ALIGNMENT + size + sizeof(*coder->counts));
                uintptr_t at = ((uintptr_t)coder->memory + ALIGNMENT) / ALIGNMENT * ALIGNMENT;
                coder->model = (struct nibble_model *)at;
                coder->counts = (struct nibble_counts *)(at + size);
        }
        if (!coder->stale)
                return;
        nibbles_init((union nibble *)coder->model,
            offsetof(struct nibble_model, last) / sizeof(union nibble));
        memset(coder->model->last, 0, sizeof(coder->model->last));
        memset(coder->counts, 0, sizeof(*coder->counts));
        coder->stale = false;
}

/* ---- columns of a block ---- */

static struct dense_block block_of(struct nibble_coder *coder)
{
        return (struct dense_block){&coder->heads, coder->columns, NIBBLE_COLUMNS, &coder->bits};
}

void nibble_encoder_init(struct nibble_encoder *encoder)
{
        coder_init(&encoder->coder);
}

void nibble_encoder_deinit(struct nibble_encoder *encoder)
{
        struct dense_block block = block_of(&encoder->coder);
        dense_free(&block);
        free(encoder->coder.io.writer.symbols);
        free(encoder->coder.memory);
}

void nibble_encoder_reset(struct nibble_encoder *encoder)
{
        encoder->coder.stale = true;
}

void nibble_begin(
    struct nibble_encoder *encoder, const struct scale *scale, const struct event *first)
{
        struct nibble_coder *coder = &encoder->coder;
        struct dense_block block = block_of(coder);
        coder_prepare(coder, scale);
        dense_begin(&block, first);
        coder->io.writer.count = 0;
}

void nibble_add(struct nibble_encoder *encoder, struct book *book, const struct event *event)
{
        struct nibble_coder *coder = &encoder->coder;
        unsigned bits = order_of(event);
        heads_write(&coder->heads, event, bits);
        code_event(coder, book, event, bits, NULL, NULL, false);
}

size_t nibble_size(struct nibble_encoder *encoder)
{
        struct dense_block block = block_of(&encoder->coder);
        return dense_size(&block) + 2 * encoder->coder.io.writer.count + SHARES_HEAD_SIZE;
}

size_t nibble_event_size(const struct event *event)
{
        return 64 + (size_t)event_level_count(event) * 64;
}

void nibble_finish(struct nibble_encoder *encoder, struct buffer *ret_block)
{
        struct nibble_coder *coder = &encoder->coder;
        struct dense_block block = block_of(coder);
        shares_finish(&coder->io.writer, &coder->columns[NIBBLE_SYMBOLS]);
        dense_finish(&block, ret_block);
}

/* ---- reading ---- */

void nibble_decoder_init(struct nibble_decoder *decoder)
{
        coder_init(&decoder->coder);
}

void nibble_decoder_deinit(struct nibble_decoder *decoder)
{
        free(decoder->coder.memory);
}

void nibble_decoder_reset(struct nibble_decoder *decoder)
{
        decoder->coder.stale = true;
}

int nibble_open(struct nibble_decoder *decoder, const struct scale *scale,
    const struct event *first, struct bytes bytes)
{
        struct nibble_coder *coder = &decoder->coder;
        struct column *symbols = &coder->columns[NIBBLE_SYMBOLS];
        struct dense_block block = block_of(coder);
        int code = dense_open(&block, first, bytes);
        coder_prepare(coder, scale);
        decoder->scan = coder->heads;
        if (!shares_open(&coder->io.reader, symbols))
                code = ERR_CORRUPT;
        symbols->at = symbols->end; /* read from io */
        return code;
}

int nibble_scan(struct nibble_decoder *decoder, struct event *ret_event)
{
        return dense_scan(&decoder->scan, ret_event);
}

int nibble_next(struct nibble_decoder *decoder, struct event *ret_event, unsigned *ret_bits)
{
        struct dense_block block = block_of(&decoder->coder);
        int more = dense_next(&block, ret_event, ret_bits);
        return !more && !shares_are_spent(&decoder->coder.io.reader) ? ERR_CORRUPT : more;
}

int nibble_levels(struct nibble_decoder *decoder, struct book *book, const struct event *event,
    unsigned bits, struct level *ret_levels, int64_t *ret_befores)
{
        return code_event(&decoder->coder, book, event, bits, ret_levels, ret_befores, true);
}
