/* One exchange: its messages, addresses and weights, as one struct of functions.
 *
 * An exchange is one file and one line in venue_table. Nothing here touches a socket. */
#ifndef VENUE_VENUE_H
#define VENUE_VENUE_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "book/event.h"

enum message_kind {
        MESSAGE_EVENT,    /* of a book: symbol, then venue->parse_event */
        MESSAGE_ANSWER,   /* to a command: id, refused, text */
        MESSAGE_SHUTDOWN, /* the exchange will end this connection */
        MESSAGE_OTHER,    /* something else, of no interest */
        MESSAGE_BAD,      /* none of its messages: text says why */
};

struct venue_message {
        enum message_kind kind;
        struct json_text symbol;
        struct json_value body; /* of the event */
        int64_t answer_id;      /* -1: it named none */
        bool refused;
        const char *text;
};

/* Levels that parsing fills; kept and reused. */
struct level_list {
        struct level *levels;
        size_t count, capacity;
};

struct symbol_info {
        char symbol[LIMIT_SYMBOL_SIZE + 1];
        bool trading;
        char status[24];
        struct scale scale;
};

struct venue {
        const char *name;
        const char *ws_url;
        const char *rest_url;
        const char *ws_setting; /* names of the settings that replace them */
        const char *rest_setting;
        const char *ws_path;
        uint32_t weight_per_minute;
        uint32_t info_weight;
        size_t info_symbols_max; /* symbols in one request */
        bool sequenced;

        /* Is @symbol spelled as this exchange spells? */
        bool (*symbol_is_valid)(const char *symbol);
        /* The name of the book's stream; @period_ms as the setting says. */
        void (*stream_name)(const char *symbol, unsigned period_ms, char *ret_name, size_t size);
        void (*command)(bool subscribe, const char *const *names, size_t count, uint32_t id,
            struct buffer *ret_text);

        void (*parse)(struct json_value root, struct venue_message *ret_message);
        /* ERR_PARSE with @ret_reason; ERR_RANGE: too large; ERR_FULL: values are written with more
         * decimals than @scale has. @ret_digits (0, ERR_FULL): the decimals written, of prices [0]
         * and quantities [1]; those of @scale if there are no levels. */
        int (*parse_event)(const struct venue_message *message, const struct scale *scale,
            struct level_list *list, struct event *ret_event, unsigned ret_digits[2],
            const char **ret_reason);
        int (*parse_image)(struct json_value root, const struct scale *scale, uint32_t limit,
            struct level_list *list, struct image *ret_image, unsigned ret_digits[2],
            const char **ret_reason);
        uint32_t (*image_weight)(uint32_t limit);
        void (*image_url)(
            const char *rest_url, const char *symbol, uint32_t limit, struct buffer *ret_url);

        void (*info_url)(
            const char *rest_url, const char *const *symbols, size_t count, struct buffer *ret_url);
        /* The next symbol that an answer tells of: 1, 0 at the end, ERR_PARSE. Begin with
         * parse_info_begin. @ret_limit: the weight a minute that it states, 0: none. */
        int (*parse_info_begin)(
            struct json_value root, struct json_cursor *ret_cursor, uint32_t *ret_limit);
        int (*parse_info)(struct json_cursor *cursor, struct symbol_info *ret_info);
        /* An error body means that (one of) the symbols asked for does not exist. */
        bool (*is_unknown_symbol)(struct json_value root);
};

extern const struct venue venue_binance;

/* By name, or NULL. */
const struct venue *venue_find(const char *name);
const struct venue *venue_at(size_t index);

/* "binance:BTCUSDT", or "BTCUSDT" alone for binance. ERR_PARSE: @error says why. */
int venue_parse_symbol(const char *text, const struct venue **ret_venue, char *ret_symbol,
    size_t size, struct error *error);

void level_list_clear(struct level_list *list);
void level_list_add(struct level_list *list, struct level level);
void level_list_deinit(struct level_list *list);

/* Append @text percent-encoded. */
void url_append(struct buffer *url, const char *text);

#endif
