/* A block in the making: consecutive events of one stream, encoded as they come. */
#ifndef RECORD_BLOCK_H
#define RECORD_BLOCK_H

#include "codec/plain.h"
#include "record/batch.h"

struct block {
        struct plain_encoder encoder;
        struct frame_info info; /* complete at any time; events == 0: the block is empty */
        uint64_t position;      /* of its first event */
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

void block_init(struct block *block);
void block_deinit(struct block *block);
void block_clear(struct block *block);

/* Append @event; an empty block begins with @start. ERR_FULL: unchanged, seal it first. */
int block_add(struct block *block, const struct block_start *start, const struct event *event);

/* Put the block's frame into @batch, with @flags added, and empty it. */
void block_write(
    struct block *block, struct batch *batch, uint32_t day, uint32_t stream, uint32_t flags);

#endif
