/* Blocks of any method back to events, and to the book that they build.
 *
 * The frames of a segment are to be decoded in order from its image on: a dense block continues
 * what the ones before it left, in the book and in the decoder. */
#ifndef CODEC_DECODER_H
#define CODEC_DECODER_H

#include "book/book.h"
#include "codec/frame.h"
#include "codec/nibbles.h"
#include "codec/orders.h"
#include "codec/plain.h"
#include "codec/tokens.h"
#include "codec/trades.h"

struct decoder {
        struct frame_packer packer;
        struct plain_decoder plain;
        struct token_decoder tokens;
        struct nibble_decoder nibbles;
        struct order_coder orders;
        struct trade_coder trades;
        struct heads scan;          /* of orders and trades: reads ahead of the events */
        struct order_message order; /* of the newest event */
        struct frame_info info;     /* of the open frame */
        uint64_t segment;           /* whose image was opened last ... */
        uint8_t method;       /* ... and how it was coded: dense frames must go on from there */
        struct level *levels; /* of the newest event, and what stood at each price before */
        int64_t *befores;
        size_t capacity;
        size_t levels_left; /* a block of any method has no more than LIMIT_BLOCK_SIZE levels */
};

void decoder_init(struct decoder *decoder);
void decoder_deinit(struct decoder *decoder);

/* Can a frame with that head be decoded now? Dense ones need the image of their segment, coded
 * alike, and all frames since. */
bool decoder_continues(const struct decoder *decoder, const struct frame_info *info);

/* Unpack and begin to read @frame, which may go when this has returned. An image begins a segment.
 * ERR_CORRUPT (also a frame that does not continue), ERR_VERSION. */
int decoder_open(struct decoder *decoder, struct bytes frame, struct frame_info *ret_info);

/* 1 and the next event, its levels borrowed until the next call; 0 at the end; ERR_CORRUPT. It is
 * applied to @book, which must stand where the encoder's stood; what of it is damaged may be
 * applied in part. Without a book (NULL) only plain blocks can be read.
 *
 * The levels of an order message are what it did to the book: the new quantity of each level that
 * it touched. */
int decoder_next(struct decoder *decoder, struct book *book, struct event *ret_event);

/* The image of an open frame: @book becomes it. Not to be read by decoder_next alone: what an image
 * teaches is forgotten behind it. ERR_CORRUPT: the book is empty. */
int decoder_image(struct decoder *decoder, struct book *book);

/* The repair of an open frame: @book is mended by it. ERR_CORRUPT. */
int decoder_repair(struct decoder *decoder, struct book *book);

/* The horizon that the open frame, an image or a repair, tells of becomes the book's. */
void decoder_take_horizon(const struct decoder *decoder, struct book *book);

/* What stood at the price of each level of the newest event before it, bids first; where it was
 * applied to a book. */
static inline const int64_t *decoder_befores(const struct decoder *decoder)
{
        return decoder->befores;
}

/* How many events of the open frame lie up to the last one whose time is not later than @at_ns, by
 * the event's time or by that of its receipt. To be called before decoder_next. ERR_CORRUPT. */
int decoder_count(struct decoder *decoder, int64_t at_ns, bool received, uint32_t *ret_count);

#endif
