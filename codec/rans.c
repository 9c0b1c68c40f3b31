#include "codec/rans.h"

#include <string.h>

#include "base/error.h"
#include "codec/columns.h"

/* Two states take turns, byte by byte. A state lies in [STATE_MIN, 2^32); 16 bits at a time go out
 * of it when writing and into it when reading. The writer goes backwards through the bytes, so that
 * the reader goes forwards.
 *
 *   | table, in bits | state 0 u32 | state 1 u32 | u16 ... |
 *
 * The table: count of symbols - 1 (8 bits), then for each, ascending: how far it lies behind the
 * one before (in unary octaves, then raw), 4 bits for the octave of its count, and the next bits
 * of the count, at most MANTISSA of them. From these rounded counts both sides compute frequencies
 * that add up to 2^SCALE. */
enum {
        SCALE = 12,
        TOTAL = 1 << SCALE,
        MANTISSA = 3,
        OCTAVE_BITS = 4,
        STATES = 2,
        SYMBOLS = 256,
        TABLE_SIZE_MAX = 1 + SYMBOLS * 3, /* a symbol takes 24 bits at most */
};

#define STATE_MIN (UINT32_C(1) << 16)

struct rans_table {
        uint32_t weights[SYMBOLS]; /* rounded counts; 0: the symbol does not occur */
        uint16_t frequencies[SYMBOLS];
        uint16_t starts[SYMBOLS];
};

/* ---- the table ---- */

/* Counts are told by an octave of OCTAVE_BITS bits: larger ones are all scaled down. */
static void count_weights(struct bytes bytes, struct rans_table *table)
{
        uint32_t counts[SYMBOLS] = {0};
        unsigned shift = 0;
        for (size_t i = 0; i < bytes.size; i++)
                counts[bytes.data[i]]++;
        for (size_t i = 0; i < SYMBOLS; i++) {
                while (counts[i] >> shift >= UINT32_C(1) << (1 << OCTAVE_BITS))
                        shift++;
        }
        for (size_t i = 0; i < SYMBOLS; i++) {
                uint32_t count = counts[i] >> shift;
                if (counts[i] && !count)
                        count = 1;
                unsigned octave = count ? octave_of(count) : 0;
                unsigned drop = octave > MANTISSA ? octave - MANTISSA : 0;
                table->weights[i] = count >> drop << drop;
        }
}

/* Each symbol gets its share of TOTAL, at least 1; the most frequent one takes what the rounding
 * leaves, or gives what it took too much. */
static bool share_total(struct rans_table *table)
{
        uint64_t sum = 0;
        uint32_t shared = 0;
        size_t most = 0;
        for (size_t i = 0; i < SYMBOLS; i++) {
                sum += table->weights[i];
                most = table->weights[i] > table->weights[most] ? i : most;
        }
        for (size_t i = 0; i < SYMBOLS; i++) {
                uint32_t share = sum ? (uint32_t)((uint64_t)table->weights[i] * TOTAL / sum) : 0;
                share += table->weights[i] && !share;
                table->frequencies[i] = (uint16_t)share;
                shared += share;
        }
        int64_t rest = (int64_t)table->frequencies[most] + TOTAL - shared;
        if (rest < 1 || rest >= TOTAL)
                return false;
        table->frequencies[most] = (uint16_t)rest;
        uint32_t start = 0;
        for (size_t i = 0; i < SYMBOLS; i++) {
                table->starts[i] = (uint16_t)start;
                start += table->frequencies[i];
        }
        return true;
}

static void write_table(const struct rans_table *table, struct bit_column *bits)
{
        unsigned count = 0, before = 0;
        for (size_t i = 0; i < SYMBOLS; i++)
                count += table->weights[i] > 0;
        bits_put(bits, count - 1, 8);
        for (unsigned i = 0; i < SYMBOLS; i++) {
                uint32_t weight = table->weights[i];
                if (!weight)
                        continue;
                unsigned gap = i + 1 - before, octave = octave_of(gap);
                bits_put(bits, UINT64_C(1) << octave, octave + 1);
                bits_put(bits, gap & ((1u << octave) - 1), octave);
                octave = octave_of(weight);
                unsigned kept = octave < MANTISSA ? octave : MANTISSA;
                bits_put(bits, octave, OCTAVE_BITS);
                bits_put(bits, weight >> (octave - kept) & ((1u << kept) - 1), kept);
                before = i + 1;
        }
}

static bool read_table(struct bit_column *bits, struct rans_table *table)
{
        bool failed = false;
        unsigned before = 0, count = (unsigned)bits_get(bits, 8, &failed) + 1;
        memset(table->weights, 0, sizeof(table->weights));
        for (unsigned i = 0; i < count; i++) {
                unsigned octave = 0;
                while (!failed && octave < 8 && !bits_get(bits, 1, &failed))
                        octave++;
                unsigned gap = 1u << octave | (unsigned)bits_get(bits, octave, &failed);
                octave = (unsigned)bits_get(bits, OCTAVE_BITS, &failed);
                unsigned kept = octave < MANTISSA ? octave : MANTISSA;
                uint32_t weight = (UINT32_C(1) << kept | (uint32_t)bits_get(bits, kept, &failed))
                    << (octave - kept);
                before += gap;
                if (failed || before > SYMBOLS)
                        return false;
                table->weights[before - 1] = weight;
        }
        return count >= RANS_SYMBOLS_MIN && share_total(table);
}

/* ---- writing ---- */

bool rans_encode(struct bytes bytes, struct buffer *out)
{
        struct rans_table table;
        uint8_t written[TABLE_SIZE_MAX + COLUMN_PADDING];
        struct bit_column head = {.bytes = {written, written, written + sizeof(written)}};
        uint32_t states[STATES] = {STATE_MIN, STATE_MIN};
        count_weights(bytes, &table);
        if (!share_total(&table))
                return false;
        write_table(&table, &head);
        bits_flush(&head);
        buffer_append(out, head.bytes.begin, column_size(&head.bytes));
        size_t begin = out->size, room = 2 * bytes.size + sizeof(states);
        uint8_t *data = buffer_reserve(out, room);
        if (!data)
                return false;
        uint8_t *at = data + room;
        for (size_t i = bytes.size; i-- > 0;) {
                uint32_t *state = &states[i % STATES];
                uint32_t frequency = table.frequencies[bytes.data[i]];
                if (*state >> (32 - SCALE) >= frequency) {
                        at -= 2;
                        at[0] = (uint8_t)*state;
                        at[1] = (uint8_t)(*state >> 8);
                        *state >>= 16;
                }
                *state = (*state / frequency << SCALE) + *state % frequency +
                    table.starts[bytes.data[i]];
        }
        for (size_t i = STATES; i-- > 0;) {
                at -= 4;
                store_u32(at, states[i]);
        }
        size_t size = (size_t)(data + room - at);
        memmove(data, at, size);
        out->size = begin + size;
        return true;
}

/* ---- reading ---- */

struct rans_slots {
        uint8_t symbols[TOTAL];
};

static void fill_slots(const struct rans_table *table, struct rans_slots *slots)
{
        for (size_t i = 0; i < SYMBOLS; i++)
                memset(slots->symbols + table->starts[i], (int)i, table->frequencies[i]);
}

/* Both states end where the writer's began, and nothing is left. */
static int decode_bytes(const struct rans_table *table, const struct rans_slots *slots,
    struct byte_reader *reader, uint8_t *room, size_t size)
{
        uint32_t states[STATES];
        const uint8_t *at = reader->at, *end = reader->end;
        if (reader_left(reader) < sizeof(states))
                return ERR_CORRUPT;
        for (size_t i = 0; i < STATES; i++, at += 4)
                states[i] = load_u32(at);
        for (size_t i = 0; i < size; i++) {
                uint32_t state = states[i % STATES], slot = state % TOTAL;
                uint8_t symbol = slots->symbols[slot];
                state =
                    table->frequencies[symbol] * (state >> SCALE) + slot - table->starts[symbol];
                if (state < STATE_MIN) {
                        if (end - at < 2)
                                return ERR_CORRUPT;
                        state = state << 16 | at[0] | (uint32_t)at[1] << 8;
                        at += 2;
                }
                states[i % STATES] = state;
                room[i] = symbol;
        }
        return at == end && states[0] == STATE_MIN && states[1] == STATE_MIN ? 0 : ERR_CORRUPT;
}

int rans_decode(struct bytes coded, uint8_t *room, size_t size)
{
        struct rans_table table;
        struct rans_slots slots;
        uint8_t padded[TABLE_SIZE_MAX + COLUMN_PADDING] = {0};
        size_t size_max = coded.size < TABLE_SIZE_MAX ? coded.size : TABLE_SIZE_MAX;
        struct bit_column head = {.end = 8 * (uint64_t)size_max};
        memcpy(padded, coded.data, size_max);
        column_open(&head.bytes, (struct bytes){padded, size_max});
        if (!read_table(&head, &table))
                return ERR_CORRUPT;
        fill_slots(&table, &slots);
        size_t head_size = (head.at + 7) / 8;
        struct byte_reader reader =
            reader_of((struct bytes){coded.data + head_size, coded.size - head_size});
        return decode_bytes(&table, &slots, &reader, room, size);
}
