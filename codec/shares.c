#include "codec/shares.h"

#include <stdlib.h>

#define SYMBOLS_FIRST 4096

void shares_grow(struct share_writer *writer)
{
        writer->capacity = writer->capacity ? writer->capacity * 2 : SYMBOLS_FIRST;
        writer->symbols =
            memory_resize(writer->symbols, writer->capacity * sizeof(*writer->symbols));
}

static void column_reserve(struct column *column, size_t size)
{
        if ((size_t)(column->end - column->begin) >= size)
                return;
        column->begin = memory_resize(column->begin, size);
        column->end = column->begin + size;
}

/* From the end to the beginning, into the end of the room: a symbol takes 16 bits at most. */
void shares_finish(struct share_writer *writer, struct column *column)
{
        uint32_t states[2] = {SHARE_LOW, SHARE_LOW};
        column_reserve(column, 2 * writer->count + SHARES_HEAD_SIZE);
        uint8_t *at = column->end;
        for (size_t i = writer->count; i-- > 0;) {
                uint32_t start = writer->symbols[i] >> 16, share = writer->symbols[i] & 0xffff;
                uint32_t state = states[i & 1];
                if (state >> (32 - SHARE_BITS) >= share) {
                        *--at = (uint8_t)(state >> 8);
                        *--at = (uint8_t)state;
                        state >>= 16;
                }
                states[i & 1] = (state / share << SHARE_BITS) + state % share + start;
        }
        if (writer->count) {
                at -= SHARES_HEAD_SIZE;
                store_u32(at, states[0]);
                store_u32(at + 4, states[1]);
        }
        memmove(column->begin, at, (size_t)(column->end - at));
        column->at = column->begin + (column->end - at);
        writer->count = 0;
}

bool shares_open(struct share_reader *reader, const struct column *column)
{
        size_t size = (size_t)(column->end - column->begin);
        *reader = (struct share_reader){column->begin, column->end, {SHARE_LOW, SHARE_LOW}, 0};
        if (!size)
                return true;
        if (size < SHARES_HEAD_SIZE || size % 2)
                return false;
        reader->states[0] = load_u32(reader->at);
        reader->states[1] = load_u32(reader->at + 4);
        reader->at += SHARES_HEAD_SIZE;
        return reader->states[0] >= SHARE_LOW && reader->states[1] >= SHARE_LOW;
}
