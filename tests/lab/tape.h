/* The tape: every message of the captures, found once at load and then only pointed at.
 *
 * A message keeps the exact text of its data object. Nothing of it is parsed again while it plays:
 * ids, levels and the places of the numbers that a repetition shifts are all noted here. */
#ifndef LAB_TAPE_H
#define LAB_TAPE_H

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "scan.h"

#define TAPE_NAME_SIZE 96
#define TAPE_STREAMS 1024
#define TAPE_SYMBOLS 1024
#define TAPE_CAPTURES 16
#define TAPE_NONE UINT32_MAX
#define TAPE_PRODUCTS 2048

enum venue {
        VENUE_BINANCE,
        VENUE_EXCHANGE, /* Coinbase Exchange */
        VENUE_ADVANCED, /* Coinbase Advanced Trade */
};

/* What a stream of Coinbase carries; their names are in channels.c. */
enum channel {
        CHANNEL_NONE,
        CHANNEL_LEVEL2,
        CHANNEL_FULL,
        CHANNEL_MATCHES,
        CHANNEL_TICKER,
        CHANNEL_TRADES,
        CHANNEL_CANDLES,
};

/* One price of an image or event; slot is the price's place among all prices of its symbol. */
struct level {
        const char *price;
        const char *quantity; /* size 0: the level goes */
        uint32_t slot;
        uint8_t price_size;
        uint8_t quantity_size;
        bool is_ask;
};

struct event {
        int64_t first_id;
        int64_t last_id;
        size_t level_start;
        size_t level_count;
};

/* Smallest and largest of a kind of id; empty while high < low. */
struct id_range {
        int64_t low;
        int64_t high;
};

/* What a symbol of Coinbase said last, for heartbeats and REST. */
struct said {
        int64_t sequence;
        int64_t trade_id;
        struct buffer match; /* the last match or last_match; empty before the first */
        char time[TIME_TEXT_SIZE];
};

struct orders;

struct symbol {
        char name[TAPE_NAME_SIZE];
        enum venue venue;
        uint32_t capture;
        uint32_t depth_stream; /* TAPE_NONE without one */
        struct level *levels;  /* those of the image first, then those of the events */
        size_t level_count;
        struct event *events;
        size_t event_count;
        size_t first_event; /* the first that follows the image */
        bool has_image;
        int64_t image_id;
        size_t image_levels;
        struct span *prices; /* every price once, ascending */
        size_t price_count;
        struct id_range update_ids;
        struct id_range trade_ids;
        struct id_range aggregate_ids;
        int64_t tick; /* in 10^-8 */
        int64_t step;
        unsigned repetition; /* the position of play: which pass, how many events of it */
        size_t events_done;
        struct said said;
        struct orders *orders; /* NULL without an order-by-order capture */
        char status[24];       /* what a fault or option made of them; else empty */
        char tick_text[48];
        char step_text[48];
};

enum number_kind {
        NUMBER_TIME,
        NUMBER_UPDATE,
        NUMBER_TRADE,
        NUMBER_AGGREGATE,
        NUMBER_STAMP, /* a time as text */
};

/* A number inside a message's text that another pass shifts. */
struct number {
        uint32_t offset;
        uint8_t size;
        uint8_t kind;
};

struct stream {
        char name[TAPE_NAME_SIZE];
        char alias[TAPE_NAME_SIZE]; /* @depth for @depth@100ms and the reverse; empty for others */
        enum venue venue;
        enum channel channel;
        bool is_depth;
        uint32_t symbol;      /* of Coinbase */
        struct span snapshot; /* of Advanced Trade: as captured; empty before */
        struct buffer last;   /* of Coinbase: the message played last */
        uint64_t count;       /* messages played */
};

struct message {
        struct span text; /* the data object */
        int64_t time_ns;  /* received, since the begin of its capture */
        uint32_t stream;  /* TAPE_NONE: this is the symbol's image */
        uint32_t symbol;
        uint32_t number_start;
        uint32_t number_count;
        size_t event; /* of the symbol, in depth messages */
        int64_t first_id;
        int64_t last_id;      /* 0 where there are none; of Coinbase the sequence */
        int64_t trade_id;     /* of Coinbase */
        uint32_t turn_offset; /* of Advanced Trade: where sequence_num stands */
        uint8_t turn_size;
        size_t steps_done; /* of full: the order book's position after it */
};

struct capture {
        enum venue venue;
        bool has_products;
        struct buffer *texts;
        size_t text_count;
        char **made; /* texts of messages that were made at load */
        size_t made_count;
        struct message *messages;
        size_t message_count;
        size_t seam_start; /* of Coinbase: what follows only leads to another pass */
        struct number *numbers;
        size_t number_count;
        int64_t span_ns;       /* of a pass: from its first message to the first of the next */
        int64_t last_event_ms; /* the greatest E */
};

/* What REST says of a product of Coinbase: one JSON object. */
struct product {
        char id[TAPE_NAME_SIZE];
        char *text;
};

struct tape {
        struct capture captures[TAPE_CAPTURES];
        uint32_t capture_count;
        struct stream streams[TAPE_STREAMS];
        uint32_t stream_count;
        struct symbol symbols[TAPE_SYMBOLS];
        uint32_t symbol_count;
        struct product products[TAPE_PRODUCTS];
        uint32_t product_count;
        const char *kinds; /* "depth,trade": the streams that are kept; NULL for all */
};

/* Add the capture @argument (FILE or FILE+FILE) to @tape.
 *
 * Errors: those of unpack_file; ERR_PARSE, ERR_FULL, ERR_USAGE for a symbol of another capture. */
int tape_load(struct tape *tape, const char *argument, struct error *error);
void tape_free(struct tape *tape);

/* By name; TAPE_NONE if there is none. A stream is found by its alias too. */
uint32_t tape_find_stream(const struct tape *tape, enum venue venue, struct span name);
uint32_t tape_find_symbol(const struct tape *tape, enum venue venue, struct span name);

/* The symbol's stream of that channel, or TAPE_NONE. */
uint32_t tape_find_channel(const struct tape *tape, uint32_t symbol, enum channel channel);

#endif
