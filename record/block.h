/* A block in the making: consecutive events of one stream, encoded as they come. */
#ifndef RECORD_BLOCK_H
#define RECORD_BLOCK_H

#include "codec/encoder.h"
#include "codec/plain.h"
#include "record/batch.h"

/* An open block is plain, so that it can be cut anywhere. A sealed one is dense: it takes events
 * together with the book that they change; headless ones have none, and stay plain. */
struct block {
        struct plain_encoder plain;
        struct encoder *encoder; /* NULL: always plain */
        struct frame_info info;  /* complete at any time; events == 0: the block is empty */
        struct frame_info undo;  /* as it was before the last event */
        uint64_t position;       /* of its first event */
};

/* What a block must know of the stream when its first event comes. */
struct block_start {
        uint8_t kind;
        const struct scale *scale;
        uint32_t epoch;
        uint64_t segment;
        uint64_t position;
        bool timed; /* running_max_ns is known */
        int64_t running_max_ns;
};

/* @method: of a sealed one, as encoder_init takes it; METHOD_PLAIN: an open one. */
void block_init(struct block *block, uint8_t method);
void block_deinit(struct block *block);
void block_clear(struct block *block);

/* A segment begins: what a dense block carried from the one before is forgotten. */
void block_reset(struct block *block);

/* Append @event; an empty block begins with @start. A dense block applies it to @book, which has
 * room for it. ERR_FULL: unchanged, seal it first. */
int block_add(struct block *block, const struct block_start *start, const struct event *event,
    struct book *book);

/* Take the last event out of a dense block again; the book keeps it. The block can only be written
 * then; after that a segment must begin. */
void block_undo(struct block *block);

/* Put the block's frame into @batch, with @flags added, and empty it. */
void block_write(
    struct block *block, struct batch *batch, uint32_t day, uint32_t stream, uint32_t flags);

#endif
