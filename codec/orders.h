/* Method 3, "orders": the messages of an order-by-order feed, told by what the book already knows.
 *
 * An id is stored once, where the exchange first names it. Later messages name their order by its
 * place in the book (rank of its price, place in the queue) or among those that wait (waiting.h);
 * what the book can foretell of prices and sizes is one bit. The encoder applies each message to
 * the book in the same pass, the decoder likewise. The list of used sizes, the waiting orders, the
 * last number and trade are carried from block to block within a segment. An image is all orders of
 * the book. The bytes are drawn in schema/orders.md. */
#ifndef CODEC_ORDERS_H
#define CODEC_ORDERS_H

#include "book/book.h"
#include "codec/dense.h"
#include "codec/ranks.h"
#include "codec/waiting.h"

#define ORDER_GAP_CLASSES 12 /* octaves of the space between levels, in ticks */

enum order_column {
        OC_WHAT,                                   /* by class: type, reason */
        OC_HAS = OC_WHAT + MESSAGE_CLASSES,        /* by type: which fields there are */
        OC_SIDE = OC_HAS + ORDER_TYPES,            /* by type */
        OC_WHERE = OC_SIDE + ORDER_TYPES,          /* by type: how the order is named */
        OC_WAITING = OC_WHERE + ORDER_TYPES,       /* by type: its rank among those that wait */
        OC_LEVEL = OC_WAITING + ORDER_TYPES,       /* by type: the rank of its price */
        OC_PLACE = OC_LEVEL + ORDER_TYPES,         /* by type: its place in the queue */
        OC_SAME = OC_PLACE + ORDER_TYPES,          /* by type: what is as foretold */
        OC_TAKER = OC_SAME + ORDER_TYPES,          /* match: 1 + its rank among those that wait */
        OC_TRADE,                                  /* match: how far its id jumps */
        OC_STANDS,                                 /* a price: is there a level? */
        OC_RANK_OLD,                               /* levels before it, if so ... */
        OC_RANK_NEW,                               /* ... and if not */
        OC_GAP,                                    /* ticks to the level before it */
        OC_SIZES = OC_GAP + ORDER_GAP_CLASSES + 1, /* by type */
        OC_ZEROS = OC_SIZES + ORDER_TYPES,
        OC_VALUES,
        OC_QUEUES, /* image: prices between this order's and the one before; 0: the same price */
        OC_NAMING, /* how an id is told */
        OC_NUMBERS,
        OC_ID_BYTES, /* 14 of 16, the other two apart: they hold the version of the UUID */
        OC_ID_VERSION,
        OC_ID_VARIANT,
        OC_OTHER_BYTES, /* of the owners' own ids: likewise */
        OC_OTHER_VERSION,
        OC_OTHER_VARIANT,
        OC_COUNTER, /* owners' ids without dashes: from the one before */
        OC_FUNDS,
        OC_COLUMNS,
};

struct order_coder {
        struct heads heads;
        struct column columns[OC_COLUMNS];
        struct bit_column bits;
        int64_t tick;
        struct ranks ranks;
        struct waiting waiting;
        uint64_t last_number; /* of ids that are numbers */
        struct order_id last_plain;
        int64_t last_trade;
        bool failed;
};

void order_encoder_init(struct order_coder *coder);
void order_encoder_deinit(struct order_coder *coder);

/* A segment begins: nothing is carried. For both directions. */
void order_coder_reset(struct order_coder *coder);

/* Begin a block, @first being its first event. */
void order_begin(struct order_coder *coder, const struct scale *scale, const struct event *first);

/* Encode @event, an order message, and apply it to @book, which has room for it (book_room). */
void order_add(struct order_coder *coder, struct book *book, const struct event *event);

/* Encode all orders of @book as the only event of the block; @event is its head. */
void order_add_image(struct order_coder *coder, const struct book *book, struct event event);

/* Bytes that order_finish would append, at most; and what one more event can add to them. */
size_t order_size(struct order_coder *coder);
#define ORDER_EVENT_SIZE 512

void order_finish(struct order_coder *coder, struct buffer *ret_block);

void order_decoder_init(struct order_coder *coder);
void order_decoder_deinit(struct order_coder *coder);

/* Begin to read @bytes, which stay, with COLUMN_PADDING readable bytes behind them. ERR_CORRUPT. */
int order_open(struct order_coder *coder, const struct scale *scale, const struct event *first,
    struct bytes bytes);

/* 1 and the head of the next event, 0 at the end, ERR_CORRUPT. A scan needs a copy of the heads. */
int order_next(struct order_coder *coder, struct event *ret_event);

/* The message of the event that order_next gave, to be applied to @book. ERR_CORRUPT. */
int order_read(struct order_coder *coder, struct book *book, struct order_message *ret_message);

/* The orders of an image's event into @book, which is empty. ERR_CORRUPT. */
int order_image(struct order_coder *coder, struct book *book, const struct event *event);

#endif
