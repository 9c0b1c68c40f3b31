/* The tape: every message of the captures, found once at load and then only pointed at.
 *
 * A message keeps the exact text of its data object. Nothing of it is parsed again while it plays:
 * ids, levels and the places of the numbers that a repetition shifts are all noted here. */
#ifndef LAB_TAPE_H
#define LAB_TAPE_H

#include "base/bytes.h"
#include "base/error.h"
#include "scan.h"

#define TAPE_NAME_SIZE 96
#define TAPE_STREAMS 1024
#define TAPE_SYMBOLS 256
#define TAPE_CAPTURES 16
#define TAPE_NONE UINT32_MAX

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

struct symbol {
        char name[TAPE_NAME_SIZE];
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
};

enum number_kind {
        NUMBER_TIME,
        NUMBER_UPDATE,
        NUMBER_TRADE,
        NUMBER_AGGREGATE,
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
        bool is_depth;
        uint64_t count; /* messages played */
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
        int64_t last_id; /* 0 where there are none */
};

struct capture {
        struct buffer *texts;
        size_t text_count;
        struct message *messages;
        size_t message_count;
        struct number *numbers;
        size_t number_count;
        int64_t span_ns;       /* of a pass: from its first message to the first of the next */
        int64_t last_event_ms; /* the greatest E */
};

struct tape {
        struct capture captures[TAPE_CAPTURES];
        uint32_t capture_count;
        struct stream streams[TAPE_STREAMS];
        uint32_t stream_count;
        struct symbol symbols[TAPE_SYMBOLS];
        uint32_t symbol_count;
        const char *kinds; /* "depth,trade": the streams that are kept; NULL for all */
};

/* Add the capture @argument (FILE or FILE+FILE) to @tape.
 *
 * Errors: those of unpack_file; ERR_PARSE, ERR_FULL, ERR_USAGE for a symbol of another capture. */
int tape_load(struct tape *tape, const char *argument, struct error *error);
void tape_free(struct tape *tape);

/* By name; TAPE_NONE if there is none. A stream is found by its alias too. */
uint32_t tape_find_stream(const struct tape *tape, struct span name);
uint32_t tape_find_symbol(const struct tape *tape, struct span name);

#endif
