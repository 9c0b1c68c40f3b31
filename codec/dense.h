/* The columns of a dense block, and what the dense methods do with them alike.
 *
 * A block is the count of its columns, their sizes, and their bytes: those of the heads, the raw
 * bits of the heads, those of the method, its raw bits. */
#ifndef CODEC_DENSE_H
#define CODEC_DENSE_H

#include "codec/heads.h"

/* A coder's columns, wherever it keeps them. */
struct dense_block {
        struct heads *heads;
        struct column *columns;
        size_t count;
        struct bit_column *bits;
};

#define DENSE_COLUMNS(count) (HEAD_COLUMNS + 1 + (count) + 1)

/* Column @i of DENSE_COLUMNS(count). What is pending of bits is not counted in it. */
struct column *dense_column(const struct dense_block *block, size_t i);

/* Release what the columns of a writer hold. */
void dense_free(const struct dense_block *block);

/* Empty the columns for a block that begins with @first. */
void dense_begin(const struct dense_block *block, const struct event *first);

/* Bytes that dense_finish would append, at most. */
size_t dense_size(const struct dense_block *block);

/* Append the block to @ret_block. */
void dense_finish(const struct dense_block *block, struct buffer *ret_block);

/* Take @bytes apart into the columns, to be read; they stay, with COLUMN_PADDING bytes behind them.
 * @first: the first id and the times of its first event. ERR_CORRUPT. */
int dense_open(const struct dense_block *block, const struct event *first, struct bytes bytes);

/* 1 and the next head; 0 at the end, when everything has been read; ERR_CORRUPT. */
int dense_next(const struct dense_block *block, struct event *ret_event, unsigned *ret_bits);

/* 1 and the next head that @scan, a copy of a block's heads, comes to; 0 at the end; ERR_CORRUPT.
 */
int dense_scan(struct heads *scan, struct event *ret_event);

#endif
