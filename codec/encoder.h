/* Events and images to blocks of a dense method: the other direction of decoder.h.
 *
 * The book is applied to in the same pass. What a method carries from block to block lives as long
 * as a segment: encoder_reset begins one. */
#ifndef CODEC_ENCODER_H
#define CODEC_ENCODER_H

#include "codec/frame.h"
#include "codec/orders.h"
#include "codec/tokens.h"
#include "codec/trades.h"

struct encoder {
        uint8_t method;
        size_t bound; /* the block is not larger */
        struct token_encoder *tokens;
        struct order_coder *orders;
        struct trade_coder *trades;
};

/* The method that changes of a kind of stream are written in. */
uint8_t encoder_method(uint8_t kind);

/* @method: METHOD_TOKENS, METHOD_ORDERS or METHOD_TRADES. */
void encoder_init(struct encoder *encoder, uint8_t method);
void encoder_deinit(struct encoder *encoder);
void encoder_reset(struct encoder *encoder);

/* Begin a block, @first being its first event. */
void encoder_begin(struct encoder *encoder, const struct scale *scale, const struct event *first);

/* Encode @event and apply it to @book, which has room for it. ERR_FULL: nothing was done, since the
 * block might exceed LIMIT_BLOCK_SIZE: finish it first. */
int encoder_add(struct encoder *encoder, struct book *book, const struct event *event);

/* Take the last event, of levels, out of the block again; see token_undo. */
void encoder_undo(struct encoder *encoder);

/* Append the block to @ret_block. The encoder then needs encoder_begin. */
void encoder_finish(struct encoder *encoder, struct buffer *ret_block);

/* Append the block of an image of @book, which @info tells of, to @ret_block; it carries nothing in
 * or out. @scratch, @empty: memory to use again. */
void encoder_image(struct encoder *encoder, const struct book *book, const struct frame_info *info,
    struct buffer *scratch, struct book *empty, struct buffer *ret_block);

#endif
