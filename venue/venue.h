/* One exchange: its messages, addresses and weights, as one struct of functions.
 *
 * An exchange is one file and one line in venue_table. Nothing here touches a socket. */
#ifndef VENUE_VENUE_H
#define VENUE_VENUE_H

#include "base/bytes.h"
#include "base/decimal.h"
#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "book/event.h"
#include "venue/session.h"

enum message_kind {
        MESSAGE_EVENTS,   /* of books and trades: venue->next_part gives each */
        MESSAGE_ANSWER,   /* to a command: id, refused, denied, text */
        MESSAGE_ALIVE,    /* heartbeat: symbol, newest ids, where it tells them */
        MESSAGE_SHUTDOWN, /* the exchange will end this connection */
        MESSAGE_OTHER,    /* something else, of no interest */
        MESSAGE_BAD,      /* none of its messages: text says why */
};

struct venue_message {
        enum message_kind kind;
        struct json_value root;
        int64_t sequence;        /* of the connection, counting every message; -1: it counts none */
        struct json_text symbol; /* ALIVE; empty: all */
        int64_t newest_id, newest_trade; /* ALIVE: of the symbol; -1: not told */
        int64_t answer_id;               /* -1: it named none */
        bool refused;
        bool denied; /* refused because of the key */
        const char *text;
        /* of next_part: */
        unsigned step;
        struct json_cursor parts;
};

/* One thing that a message tells of one symbol: an event, or an image. */
struct venue_part {
        uint8_t kind; /* enum stream_kind */
        bool image;   /* the whole book, then venue->parse_image */
        struct json_text symbol;
        struct json_text time; /* of the message around it, where that alone tells one */
        struct json_value body;
};

/* What parsing fills; kept and reused. */
struct level_list {
        struct level *levels;
        struct order_id *orders; /* of the levels of an order image */
        size_t count, capacity, order_capacity;
        struct order_message order;
};

struct symbol_info {
        char symbol[LIMIT_SYMBOL_SIZE + 1];
        char base[24], quote[24];
        char tick[DECIMAL_TEXT_SIZE], lot[DECIMAL_TEXT_SIZE]; /* as the exchange writes them */
        char min_quantity[DECIMAL_TEXT_SIZE];                 /* empty: it tells none */
        char min_notional[DECIMAL_TEXT_SIZE];                 /* in the quote currency */
        char status[24];                                      /* the exchange's own word */
        bool trading;
        bool gone; /* will not be traded again: not worth recording */
        bool auction;
        struct scale scale;
};

/* What the user chose, and what he has. */
struct venue_choice {
        unsigned period_ms; /* Binance depth: 100 or 1000 */
        bool aggregate;     /* trades: those of one taker order at one price as one */
        const char *key, *secret, *passphrase; /* Coinbase; NULL: none */
};

struct venue {
        const char *name; /* of the exchange */
        const char *feed; /* which of its feeds: "spot", "exchange", "advanced" */
        const char *ws_url;
        const char *rest_url;
        const char *ws_setting; /* names of the settings that replace them */
        const char *rest_setting;
        const char *ws_path;
        const char *example; /* a symbol as it spells them */
        uint32_t weight_per_minute;
        uint32_t info_weight;
        size_t info_symbols_max; /* symbols in one request */
        int64_t silence_ns;      /* a connection without any frame for so long is dead */
        int64_t life_ns;         /* ... and is replaced after so long; 0: never */
        bool counts_messages;    /* per connection: venue_message.sequence */
        bool orders_need_key;    /* a book of orders, to those who have a key */
        bool answers_by_id;      /* an answer names its command */
        bool refuses_whole;      /* one bad name, and nothing that a command names is subscribed */
        int64_t image_age_ns; /* an image may be so old when it is answered: it comes by a cache */

        /* Is @symbol spelled as this exchange spells? */
        bool (*symbol_is_valid)(const char *symbol);
        /* The kind of book that is recorded with that choice (L3 wants a key), and how streams of a
         * kind are kept. */
        uint8_t (*book_kind)(const struct venue_choice *choice);
        enum venue_sync (*sync)(uint8_t kind);
        /* What a stream comes from, for the record: the feed, or its channel. */
        const char *(*source)(uint8_t kind, const struct venue_choice *choice);
        /* The name by which a stream is subscribed, "channel:symbol" or the exchange's own. */
        void (*stream_name)(uint8_t kind, const char *symbol, const struct venue_choice *choice,
            char *ret_name, size_t size);
        /* The frames that (un)subscribe @names, one a line (no newline after the last one); returns
         * how many, each of which the exchange answers. @wall_ns: for the signature, where the
         * choice has a key. */
        unsigned (*command)(bool subscribe, const char *const *names, size_t count, uint32_t id,
            const struct venue_choice *choice, int64_t wall_ns, struct buffer *ret_text);

        void (*parse)(struct json_value root, struct venue_message *ret_message);
        /* The next thing that a message of MESSAGE_EVENTS tells, oldest first, or false: then a
         * message->text that is not empty says why the rest of it cannot be read. Messages are read
         * to their end one after the other. */
        bool (*next_part)(struct venue_message *message, struct venue_part *ret_part);
        /* ERR_PARSE with @ret_reason; ERR_RANGE: too large; ERR_FULL: values are written with more
         * decimals than @scale has. @ret_digits (0, ERR_FULL): the decimals written, of prices [0]
         * and quantities [1]; those of @scale if there are no levels. Events of a stream without
         * ids get first_id = last_id = 0. */
        int (*parse_event)(const struct venue_part *part, const struct scale *scale,
            struct level_list *list, struct event *ret_event, unsigned ret_digits[2],
            const char **ret_reason);
        /* @body: of a REST answer, or of a part; @kind: what it is an image of. */
        int (*parse_image)(struct json_value body, uint8_t kind, const struct scale *scale,
            uint32_t limit, struct level_list *list, struct image *ret_image,
            unsigned ret_digits[2], const char **ret_reason);
        uint32_t (*image_weight)(uint8_t kind, uint32_t limit);
        void (*image_url)(const char *rest_url, uint8_t kind, const char *symbol, uint32_t limit,
            struct buffer *ret_url);
        /* Header lines ("Name: value", each with a newline) that a request of @path, with its
         * query, needs; none for most. NULL: never any. */
        void (*headers)(const struct venue_choice *choice, const char *path, int64_t wall_ns,
            struct buffer *ret_lines);

        /* Of all symbols that it lists, where count is 0. */
        void (*info_url)(
            const char *rest_url, const char *const *symbols, size_t count, struct buffer *ret_url);
        /* The next symbol that an answer tells of: 1, 0 at the end, ERR_PARSE. Begin with
         * parse_info_begin. @ret_limit: the weight a minute that it states, 0: none. */
        int (*parse_info_begin)(
            struct json_value root, struct json_cursor *ret_cursor, uint32_t *ret_limit);
        int (*parse_info)(struct json_cursor *cursor, struct symbol_info *ret_info);
        /* An error body means that (one of) the symbols asked for does not exist. */
        bool (*is_unknown_symbol)(int status, struct json_value root);
};

extern const struct venue venue_binance;
extern const struct venue venue_coinbase;
extern const struct venue venue_coinbase_advanced;

/* By name, or NULL; of an exchange with several feeds the first one. */
const struct venue *venue_find(const char *name);
const struct venue *venue_at(size_t index);
/* Another feed of the same exchange, by its name. */
const struct venue *venue_feed(const char *name, const char *feed);

/* "binance:BTCUSDT", or "BTCUSDT" alone for binance. ERR_PARSE: @error says why. */
int venue_parse_symbol(const char *text, const struct venue **ret_venue, char *ret_symbol,
    size_t size, struct error *error);

void level_list_clear(struct level_list *list);
void level_list_add(struct level_list *list, struct level level);
/* Of an order image: all levels are added with an order, or none. */
void level_list_add_order(
    struct level_list *list, struct level level, const struct order_id *order);
void level_list_deinit(struct level_list *list);

/* Append @text percent-encoded. */
void url_append(struct buffer *url, const char *text);

#endif
