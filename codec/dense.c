#include "codec/dense.h"

#include <stdlib.h>

#include "base/error.h"

struct column *dense_column(const struct dense_block *block, size_t i)
{
        if (i < HEAD_COLUMNS)
                return &block->heads->columns[i];
        if (i == HEAD_COLUMNS)
                return &block->heads->bits.bytes;
        i -= HEAD_COLUMNS + 1;
        return i < block->count ? &block->columns[i] : &block->bits->bytes;
}

void dense_free(const struct dense_block *block)
{
        for (size_t i = 0; i < DENSE_COLUMNS(block->count); i++)
                free(dense_column(block, i)->begin);
}

void dense_begin(const struct dense_block *block, const struct event *first)
{
        for (size_t i = 0; i < DENSE_COLUMNS(block->count); i++) {
                struct column *column = dense_column(block, i);
                column->at = column->begin;
        }
        block->bits->pending = block->heads->bits.pending = 0;
        block->bits->pending_count = block->heads->bits.pending_count = 0;
        heads_begin(block->heads, first->first_id, first->event_time_ns, first->receive_time_ns);
}

size_t dense_size(const struct dense_block *block)
{
        size_t size = DENSE_COLUMNS(block->count) * VARINT_SIZE_MAX;
        for (size_t i = 0; i < DENSE_COLUMNS(block->count); i++)
                size += column_size(dense_column(block, i)) + COLUMN_PADDING;
        return size;
}

void dense_finish(const struct dense_block *block, struct buffer *ret_block)
{
        bits_flush(&block->heads->bits);
        bits_flush(block->bits);
        write_varint(ret_block, DENSE_COLUMNS(block->count));
        for (size_t i = 0; i < DENSE_COLUMNS(block->count); i++)
                write_varint(ret_block, column_size(dense_column(block, i)));
        for (size_t i = 0; i < DENSE_COLUMNS(block->count); i++) {
                const struct column *column = dense_column(block, i);
                if (column->begin)
                        buffer_append(ret_block, column->begin, column_size(column));
        }
}

/* ---- reading ---- */

static void bits_open(struct bit_column *bits)
{
        bits->at = 0;
        bits->end = 8 * (uint64_t)(bits->bytes.end - bits->bytes.begin);
}

int dense_open(const struct dense_block *block, const struct event *first, struct bytes bytes)
{
        struct byte_reader sizes = reader_of(bytes), reader;
        sizes.failed |= read_varint(&sizes) != DENSE_COLUMNS(block->count);
        reader = sizes;
        for (size_t i = 0; i < DENSE_COLUMNS(block->count); i++)
                read_varint(&reader);
        for (size_t i = 0; i < DENSE_COLUMNS(block->count); i++)
                column_open(dense_column(block, i), read_bytes(&reader, read_varint(&sizes)));
        bits_open(&block->heads->bits);
        bits_open(block->bits);
        heads_begin(block->heads, first->first_id, first->event_time_ns, first->receive_time_ns);
        return reader.failed || reader_left(&reader) ? ERR_CORRUPT : 0;
}

/* Less than a byte of bits is left, and nothing of the columns. */
static bool dense_is_spent(const struct dense_block *block)
{
        const struct bit_column *head_bits = &block->heads->bits, *bits = block->bits;
        bool spent = bits->end - bits->at < 8 && head_bits->end - head_bits->at < 8;
        for (size_t i = 0; i < HEAD_COLUMNS; i++)
                spent &= block->heads->columns[i].at == block->heads->columns[i].end;
        for (size_t i = 0; i < block->count; i++)
                spent &= block->columns[i].at == block->columns[i].end;
        return spent;
}

int dense_next(const struct dense_block *block, struct event *ret_event, unsigned *ret_bits)
{
        if (heads_at_end(block->heads))
                return dense_is_spent(block) ? 0 : ERR_CORRUPT;
        return heads_read(block->heads, ret_event, ret_bits) ? ERR_CORRUPT : 1;
}

int dense_scan(struct heads *scan, struct event *ret_event)
{
        unsigned bits;
        if (heads_at_end(scan))
                return 0;
        return heads_read(scan, ret_event, &bits) ? ERR_CORRUPT : 1;
}
