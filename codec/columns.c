#include "codec/columns.h"

#define COLUMN_FIRST 64

void column_grow(struct column *column)
{
        size_t size = column_size(column), capacity = (size_t)(column->end - column->begin);
        capacity = capacity ? capacity * 2 : COLUMN_FIRST;
        column->begin = memory_resize(column->begin, capacity);
        column->at = column->begin + size;
        column->end = column->begin + capacity;
}

void column_open(struct column *column, struct bytes bytes)
{
        column->begin = column->at = (uint8_t *)(uintptr_t)bytes.data; /* never written to */
        column->end = column->begin + bytes.size;
}

void bits_flush(struct bit_column *bits)
{
        for (; bits->pending_count; bits->pending >>= 8) {
                column_put(&bits->bytes, (uint8_t)bits->pending);
                bits->pending_count -= bits->pending_count < 8 ? bits->pending_count : 8;
        }
        bits->pending = 0;
}
