/* Method 4, "trades": each price from the one before it, each quantity by how lately it was used.
 *
 * There is no book. The last price, the last fill's number and the list of used quantities are
 * carried from block to block within a segment, which begins with an empty image. The bytes are
 * drawn in schema/trades.md. */
#ifndef CODEC_TRADES_H
#define CODEC_TRADES_H

#include "codec/dense.h"
#include "codec/ranks.h"

#define TRADE_CONTEXTS                                                                             \
        8 /* the side, that of the trade before, and whether their times are equal                 \
           */

enum trade_column {
        TC_TYPE,                              /* enum event_type; TYPE_LEVELS: the empty image */
        TC_PRICES,                            /* by context: ticks from the price before */
        TC_GRID = TC_PRICES + TRADE_CONTEXTS, /* 1: the price is off the grid, and told in units */
        TC_QUANTITIES,                        /* by whether the times are equal */
        TC_ZEROS = TC_QUANTITIES + 2,
        TC_VALUES,
        TC_FIRST, /* aggregate: how far the first fill's number jumps */
        TC_FILLS, /* ... and how many more there are */
        TC_COLUMNS,
};

struct trade_coder {
        struct heads heads;
        struct column columns[TC_COLUMNS];
        struct bit_column bits;
        int64_t tick;
        struct ranks ranks;
        int64_t price, time_ns; /* of the trade before */
        unsigned side;
        int64_t last_trade;
        bool failed;
};

void trade_encoder_init(struct trade_coder *coder);
void trade_encoder_deinit(struct trade_coder *coder);

/* A segment begins: nothing is carried. For both directions. */
void trade_coder_reset(struct trade_coder *coder);

/* Begin a block, @first being its first event. */
void trade_begin(struct trade_coder *coder, const struct scale *scale, const struct event *first);

/* Encode @event, a trade, or the empty image. */
void trade_add(struct trade_coder *coder, const struct event *event);

/* Bytes that trade_finish would append, at most; and what one more event can add to them. */
size_t trade_size(struct trade_coder *coder);
#define TRADE_EVENT_SIZE 256

void trade_finish(struct trade_coder *coder, struct buffer *ret_block);

void trade_decoder_init(struct trade_coder *coder);
void trade_decoder_deinit(struct trade_coder *coder);

/* Begin to read @bytes, which stay, with COLUMN_PADDING readable bytes behind them. ERR_CORRUPT. */
int trade_open(struct trade_coder *coder, const struct scale *scale, const struct event *first,
    struct bytes bytes);

/* 1 and the next event, its level in @ret_level; 0 at the end; ERR_CORRUPT. */
int trade_next(struct trade_coder *coder, struct event *ret_event, struct level *ret_level);

#endif
