/* Subscriptions of Coinbase Advanced Trade: one channel a message, answered in its envelope. */
#include "feed.h"

#include <stdio.h>
#include <string.h>

#include "made.h"

static const struct channel_word {
        const char *name;
        const char *delivered; /* what its messages and streams are called */
        bool has_no_products;
} words[] = {
    {"candles", "candles", false},
    {"heartbeats", "heartbeats", true},
    {"level2", "l2_data", false},
    {"market_trades", "market_trades", false},
    {"status", "status", false},
    {"ticker", "ticker", false},
    {"ticker_batch", "ticker_batch", false},
};

#define WORDS (sizeof(words) / sizeof(words[0]))

static const struct channel_word *find_word(struct json_value root)
{
        struct json_text name;
        if (!json_member_string(root, "channel", &name))
                return NULL;
        for (size_t i = 0; i < WORDS; i++)
                if (json_text_is(name, words[i].name))
                        return &words[i];
        return NULL;
}

/* "BTC-USDC" is another name of "BTC-USD" here. */
static struct span product_of(struct lab *lab, struct json_value value)
{
        struct json_text text;
        if (!json_string(value, &text))
                return (struct span){"", 0};
        struct span id = {text.data, text.size};
        if (!feed_knows_product(lab, VENUE_ADVANCED, id) && id.size > 5 &&
            !memcmp(id.data + id.size - 5, "-USDC", 5))
                id.size--;
        return id;
}

/* False when a product is unknown. */
static bool take_products(struct conn *conn, struct json_value root,
    const struct channel_word *word, struct feed_names *names)
{
        struct json_cursor cursor;
        struct json_value list, value;
        if (!json_member(root, "product_ids", &list) || !json_array_begin(list, &cursor))
                return true;
        while (json_array_next(&cursor, &value)) {
                struct span id = product_of(conn->lab, value);
                if (!feed_knows_product(conn->lab, VENUE_ADVANCED, id))
                        return false;
                feed_add_name(names, word->delivered, id);
        }
        return true;
}

static void answer(struct conn *conn)
{
        struct buffer text;
        bool some = false;
        buffer_init(&text, MADE_LIMIT);
        made_begin_advanced(conn, "subscriptions", &text);
        buffer_append_text(&text, "{\"subscriptions\":{");
        for (size_t i = 0; i < WORDS; i++) {
                size_t before = text.size;
                buffer_printf(&text, "%s\"%s\":[", some ? "," : "", words[i].name);
                if (feed_print_products(conn, words[i].delivered, &text)) {
                        buffer_append_text(&text, "]");
                        some = true;
                } else {
                        text.size = before;
                }
        }
        buffer_append_text(&text, "}}]}");
        made_send(conn, "subscriptions", (struct span){(char *)text.data, text.size});
        buffer_deinit(&text);
}

static void run(struct conn *conn, struct json_value root, const struct channel_word *word,
    bool subscribes, struct feed_names *names)
{
        if (word->has_no_products)
                feed_add_name(
                    names, word->delivered, (struct span){word->name, strlen(word->name)});
        else if (!take_products(conn, root, word, names)) {
                feed_refuse(conn, "subscription rejected", "a product is not valid");
                return;
        }
        if (!subscribes && names->count)
                feed_unsubscribe(conn, names);
        else if (!subscribes)
                feed_unsubscribe_channel(conn, word->delivered);
        size_t count = subscribes ? feed_subscribe(conn, names) : 0;
        for (size_t i = 0; i < count; i++)
                made_send_first(conn, names->names[i]);
        answer(conn);
}

void feed_advanced(struct conn *conn, struct json_value root, bool subscribes)
{
        const struct channel_word *word = find_word(root);
        struct json_text name;
        if (!word) {
                bool needs_key = json_member_string(root, "channel", &name) &&
                    (json_text_is(name, "user") || json_text_is(name, "futures_balance_summary"));
                feed_refuse(
                    conn, needs_key ? "authentication failure" : "channel is not valid", NULL);
                return;
        }
        struct feed_names *names = memory_new(sizeof(*names));
        run(conn, root, word, subscribes, names);
        feed_free_names(names);
}
