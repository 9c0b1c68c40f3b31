/* Method 2, "nibbles": the walks of method 1, smaller and slower: every number becomes symbols of
 * 16 values, each with the shares that such symbols had so far.
 *
 * The encoder applies each event to the book that it is given and encodes it in the same pass; the
 * decoder gives it back and applies it. Both need the book as it stood before the block, and what
 * was learnt up to then, which is carried from block to block within a segment. The bytes are
 * drawn in schema/nibbles.md. */
#ifndef CODEC_NIBBLES_H
#define CODEC_NIBBLES_H

#include "book/book.h"
#include "codec/dense.h"
#include "codec/levels.h"
#include "codec/nibble_model.h"

enum nibble_column {
        NIBBLE_SYMBOLS, /* rANS */
        NIBBLE_PLAIN,   /* levels that came in no order */
        NIBBLE_COLUMNS,
};

#define NIBBLE_BLOCK_COLUMNS DENSE_COLUMNS(NIBBLE_COLUMNS)

struct nibble_model;
struct nibble_counts;

struct nibble_coder {
        struct heads heads;
        struct column columns[NIBBLE_COLUMNS];
        struct bit_column bits;
        struct nibble_io io;
        void *memory;                 /* about 1.5 MB, from the first block on; in it: */
        struct nibble_model *model;   /* what was learnt ... */
        struct nibble_counts *counts; /* ... and, when writing, what to choose by */
        bool stale;                   /* nothing of that counts any more */
        struct price_units units;
        uint64_t spacing;
        unsigned lot_class;
        /* of the side and the level that are being coded */
        int64_t best_price;
        enum side side;
        unsigned depth_class;
        bool failed;
};

struct nibble_encoder {
        struct nibble_coder coder;
};

void nibble_encoder_init(struct nibble_encoder *encoder);
void nibble_encoder_deinit(struct nibble_encoder *encoder);

/* A segment begins: nothing is carried. */
void nibble_encoder_reset(struct nibble_encoder *encoder);

/* Begin a block, @first being its first event. */
void nibble_begin(
    struct nibble_encoder *encoder, const struct scale *scale, const struct event *first);

/* Encode @event and apply it to @book, which has room for it (book_room). */
void nibble_add(struct nibble_encoder *encoder, struct book *book, const struct event *event);

/* Bytes that nibble_finish would append, at most; and what one more event can add to them. */
size_t nibble_size(struct nibble_encoder *encoder);
size_t nibble_event_size(const struct event *event);

/* Append the block to @block. The encoder then needs nibble_begin. */
void nibble_finish(struct nibble_encoder *encoder, struct buffer *block);

struct nibble_decoder {
        struct nibble_coder coder;
        struct heads scan; /* reads ahead of the events, without their levels */
};

void nibble_decoder_init(struct nibble_decoder *decoder);
void nibble_decoder_deinit(struct nibble_decoder *decoder);
void nibble_decoder_reset(struct nibble_decoder *decoder);

/* Begin to read @bytes, a block, which must stay until the last nibble_next, with COLUMN_PADDING
 * readable bytes behind it. @first: the first id and the times of its first event. ERR_CORRUPT. */
int nibble_open(struct nibble_decoder *decoder, const struct scale *scale,
    const struct event *first, struct bytes bytes);

/* 1 and the head of the next event, 0 at the end, or ERR_CORRUPT; independent of nibble_next. */
int nibble_scan(struct nibble_decoder *decoder, struct event *ret_event);

/* 1 and the head of the next event, whose levels are then to be read into room for as many; 0 at
 * the end; ERR_CORRUPT. */
int nibble_next(struct nibble_decoder *decoder, struct event *ret_event, unsigned *ret_bits);

/* The levels of the event that nibble_next gave, @befores (what stood at each price) beside them,
 * and apply them to @book, which has room. ERR_CORRUPT: the book is then of no use. */
int nibble_levels(struct nibble_decoder *decoder, struct book *book, const struct event *event,
    unsigned bits, struct level *ret_levels, int64_t *ret_befores);

#endif
