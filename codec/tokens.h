/* Method 1, "tokens": events as walks through the book, one byte a level for where and what.
 *
 * The encoder applies each event to the book that it is given and encodes it in the same pass; the
 * decoder gives it back and applies it. Both need the book as it stood before the block, and the
 * list of used quantities as it stood then: that one is carried from block to block within a
 * segment. The bytes are drawn in schema/tokens.md. */
#ifndef CODEC_TOKENS_H
#define CODEC_TOKENS_H

#include "book/book.h"
#include "codec/dense.h"
#include "codec/levels.h"
#include "codec/ranks.h"

#define TOKEN_LEFT_CLASSES 5
#define TOKEN_DEPTH_CLASSES 2
#define TOKEN_STEP_CONTEXTS (TOKEN_LEFT_CLASSES * TOKEN_DEPTH_CLASSES)
#define TOKEN_GAP_CLASSES 12 /* octaves of the space between levels, in units of the price */
#define TOKEN_GAP_FIRST TOKEN_GAP_CLASSES /* nothing before: counted from the other side */

enum token_column {
        TOKEN_STEPS,
        TOKEN_PRICES = TOKEN_STEPS + TOKEN_STEP_CONTEXTS,
        TOKEN_INSERTS = TOKEN_PRICES + TOKEN_GAP_FIRST + 1,
        TOKEN_CHANGES,
        TOKEN_ZEROS,  /* of a new quantity: how often 10 divides it ... */
        TOKEN_VALUES, /* ... and what is left */
        TOKEN_PLAIN,  /* levels that came in no order */
        TOKEN_COLUMNS,
};

#define TOKEN_BLOCK_COLUMNS DENSE_COLUMNS(TOKEN_COLUMNS)

struct token_coder {
        struct heads heads;
        struct column columns[TOKEN_COLUMNS];
        struct bit_column bits;
        struct ranks ranks;
        struct price_units units;
        uint64_t spacing;
        bool failed;
};

struct token_undo {
        struct heads heads;
        size_t sizes[TOKEN_BLOCK_COLUMNS];
        uint64_t pending;
        unsigned pending_count;
};

struct token_encoder {
        struct token_coder coder;
        struct token_undo undo; /* how it stood before the last event */
};

void token_encoder_init(struct token_encoder *encoder);
void token_encoder_deinit(struct token_encoder *encoder);

/* A segment begins: nothing is carried. */
void token_encoder_reset(struct token_encoder *encoder);

/* Begin a block, @first being its first event. */
void token_begin(
    struct token_encoder *encoder, const struct scale *scale, const struct event *first);

/* Encode @event and apply it to @book, which has room for it (book_room). */
void token_add(struct token_encoder *encoder, struct book *book, const struct event *event);

/* Take the last event out of the block again. Nothing may be added after that until reset; the book
 * keeps it. */
void token_undo(struct token_encoder *encoder);

/* Bytes that token_finish would append, at most; and what one more event can add to them. */
size_t token_size(struct token_encoder *encoder);
size_t token_event_size(const struct event *event);

/* Append the block to @block. The encoder then needs token_begin. */
void token_finish(struct token_encoder *encoder, struct buffer *block);

struct token_decoder {
        struct token_coder coder;
        struct heads scan; /* reads ahead of the events, without their levels */
};

void token_decoder_init(struct token_decoder *decoder);
void token_decoder_deinit(struct token_decoder *decoder);
void token_decoder_reset(struct token_decoder *decoder);

/* Begin to read @bytes, a block, which must stay until the last token_next, with COLUMN_PADDING
 * readable bytes behind it. @first: the first id and the times of its first event. ERR_CORRUPT. */
int token_open(struct token_decoder *decoder, const struct scale *scale, const struct event *first,
    struct bytes bytes);

/* 1 and the head of the next event, 0 at the end, or ERR_CORRUPT; independent of token_next. */
int token_scan(struct token_decoder *decoder, struct event *ret_event);

/* 1 and the head of the next event, whose levels are then to be read into room for as many; 0 at
 * the end; ERR_CORRUPT. */
int token_next(struct token_decoder *decoder, struct event *ret_event, unsigned *ret_bits);

/* The levels of the event that token_next gave, @befores (what stood at each price) beside them,
 * and apply them to @book, which has room. ERR_CORRUPT: the book is then of no use. */
int token_levels(struct token_decoder *decoder, struct book *book, const struct event *event,
    unsigned bits, struct level *ret_levels, int64_t *ret_befores);

#endif
