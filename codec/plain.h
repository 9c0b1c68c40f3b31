/* Method 0, "plain": events as three columns of varints. Needs no book, so headless events can be
 * coded as well. The bytes are drawn in schema/frame.md.
 *
 * An encoder takes events one by one and gives a block; a decoder gives them back in order, equal
 * in every field. Nothing is carried from block to block. */
#ifndef CODEC_PLAIN_H
#define CODEC_PLAIN_H

#include "book/event.h"
#include "codec/messages.h"

/* What both directions remember of the events before. */
struct plain_state {
        struct scale scale;
        int64_t event_time_ns;
        int64_t delay_ns; /* receive time - event time */
        int64_t last_id;
        int64_t price[SIDES]; /* of the first level of that side, in the last event that had one */
};

struct plain_encoder {
        struct plain_state state;
        struct buffer heads;
        struct buffer prices;
        struct buffer quantities;
};

struct plain_decoder {
        struct plain_state state, scan_state;
        struct byte_reader heads, scan; /* scan reads ahead of the events, without their levels */
        struct byte_reader prices;
        struct byte_reader quantities;
        struct order_message order, scan_order; /* of the newest event */
        struct level *levels;                   /* likewise */
        size_t capacity;
};

void plain_encoder_init(struct plain_encoder *encoder);
void plain_encoder_deinit(struct plain_encoder *encoder);

/* Begin a block. @scale is copied. */
void plain_begin(struct plain_encoder *encoder, const struct scale *scale);

/* ERR_FULL: the block would exceed LIMIT_BLOCK_SIZE; it is left as it was. */
int plain_add(struct plain_encoder *encoder, const struct event *event);

/* Bytes that plain_finish would append. */
size_t plain_size(const struct plain_encoder *encoder);

/* Append the block to @block. The encoder then needs plain_begin. */
void plain_finish(struct plain_encoder *encoder, struct buffer *block);

void plain_decoder_init(struct plain_decoder *decoder);
void plain_decoder_deinit(struct plain_decoder *decoder);

/* Begin to read @block, which must stay until the last plain_next. ERR_CORRUPT. */
int plain_open(struct plain_decoder *decoder, const struct scale *scale, struct bytes block);

/* 1 and the next event without its levels, 0 at the end, or ERR_CORRUPT; independent of plain_next.
 */
int plain_scan(struct plain_decoder *decoder, struct event *ret_event);

/* 1 and the next event (levels borrowed until the next call), 0 at the end, or ERR_CORRUPT.
 * Never reads outside the block; allocates at most 24 times its size. */
int plain_next(struct plain_decoder *decoder, struct event *ret_event);

#endif
