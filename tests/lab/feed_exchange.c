/* Subscriptions of Coinbase Exchange: channels with their products, all or nothing. */
#include "feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "made.h"
#include "sign.h"

#define FAILED "Failed to subscribe"
#define NEEDS_KEY                                                                                  \
        "level2, level3, and full channels now require authentication. "                           \
        "https://docs.cloud.coinbase.com/exchange/docs/websocket-auth"

static const struct channel_word {
        const char *name;
        const char *inside; /* as the answer names it */
        bool is_signed;
        bool has_no_products;
} words[] = {
    {"heartbeat", "heartbeat", false, false},
    {"ticker", "ticker", false, false},
    {"ticker_batch", "ticker_1000", false, false},
    {"level2", "level2", true, false},
    {"level2_batch", "level2_50", false, false},
    {"level2_50", "level2_50", false, false},
    {"level3", "level3", true, false},
    {"full", "full", true, false},
    {"matches", "matches", false, false},
    {"auctionfeed", "auctionfeed", false, false},
    {"status", "status", false, true},
    {"rfq_matches", "rfq_matches", false, true},
};

#define WORDS (sizeof(words) / sizeof(words[0]))

struct request {
        struct conn *conn;
        struct json_value root;
        struct feed_names *names;
        bool is_signed;
        bool whole[WORDS]; /* the channel without any product */
        char reason[256];  /* why it fails; empty while it does not */
};

static void fail(struct request *request, struct json_text what, const char *why)
{
        if (!request->reason[0])
                snprintf(request->reason, sizeof(request->reason), "%.*s%s",
                    (int)(what.size < 100 ? what.size : 100), what.data, why);
}

static size_t add_products(
    struct request *request, struct json_value object, const struct channel_word *word)
{
        struct json_cursor cursor;
        struct json_value list, value;
        struct json_text product;
        size_t count = 0;
        if (!json_member(object, "product_ids", &list) || !json_array_begin(list, &cursor))
                return 0;
        for (; json_array_next(&cursor, &value); count++) {
                struct span id = {"", 0};
                if (json_string(value, &product))
                        id = (struct span){product.data, product.size};
                if (!feed_knows_product(request->conn->lab, VENUE_EXCHANGE, id))
                        fail(request, (struct json_text){id.data, id.size},
                            " is not a valid product");
                else
                        feed_add_name(request->names, word->inside, id);
        }
        return count;
}

static void add_channel(struct request *request, struct json_value channel, bool subscribes)
{
        struct json_text name = {"", 0};
        bool is_object = json_is_object(channel);
        if (is_object ? !json_member_string(channel, "name", &name) : !json_string(channel, &name))
                name.size = 0;
        size_t i = 0;
        while (i < WORDS && !json_text_is(name, words[i].name))
                i++;
        if (i == WORDS) {
                fail(request, name, " is not a valid channel");
                return;
        }
        request->is_signed = request->is_signed || words[i].is_signed;
        size_t count = add_products(request, request->root, &words[i]);
        if (is_object)
                count += add_products(request, channel, &words[i]);
        if (words[i].has_no_products)
                feed_add_name(request->names, words[i].inside, (struct span){"", 0});
        else if (!count && subscribes)
                fail(request, (struct json_text){"", 0}, " is not a valid product");
        request->whole[i] = !count;
}

static void add_channels(struct request *request, bool subscribes)
{
        struct json_cursor cursor;
        struct json_value list, channel;
        size_t count = 0;
        if (json_member(request->root, "channels", &list) && json_array_begin(list, &cursor))
                for (; json_array_next(&cursor, &channel); count++)
                        add_channel(request, channel, subscribes);
        if (!count)
                fail(request, (struct json_text){"", 0}, "No channels provided");
        if (request->names->too_many)
                fail(request, (struct json_text){"", 0}, "too many subscriptions");
}

static struct span member(struct json_value root, const char *key)
{
        struct json_text text;
        if (!json_member_string(root, key, &text))
                return (struct span){"", 0};
        return (struct span){text.data, text.size};
}

static void check_signature(struct request *request)
{
        static const char path[] = "GET/users/self/verify";
        struct signed_request parts = {.key = member(request->root, "key"),
            .passphrase = member(request->root, "passphrase"),
            .timestamp = member(request->root, "timestamp"),
            .signature = member(request->root, "signature"),
            .text = {path, sizeof(path) - 1}};
        const char *why = sign_is_missing(&parts)
            ? NEEDS_KEY
            : sign_refusal(&request->conn->lab->options, &parts);
        if (why)
                fail(request, (struct json_text){"", 0}, why);
}

/* One message lists everything that is subscribed. */
static void answer(struct conn *conn)
{
        struct buffer text;
        bool some = false;
        buffer_init(&text, MADE_LIMIT);
        buffer_append_text(&text, "{\"type\":\"subscriptions\",\"channels\":[");
        for (size_t i = 0; i < WORDS; i++) {
                size_t before = text.size;
                if (i && !strcmp(words[i].inside, words[i - 1].inside))
                        continue;
                buffer_printf(&text, "%s{\"name\":\"%s\",\"product_ids\":[", some ? "," : "",
                    words[i].inside);
                if (feed_print_products(conn, words[i].inside, &text)) {
                        buffer_append_text(&text, "],\"account_ids\":null}");
                        some = true;
                } else {
                        text.size = before;
                }
        }
        buffer_append_text(&text, "]}");
        made_send(conn, "subscriptions", (struct span){(char *)text.data, text.size});
        buffer_deinit(&text);
}

static void apply(struct request *request, bool subscribes)
{
        struct conn *conn = request->conn;
        size_t count = subscribes ? feed_subscribe(conn, request->names) : 0;
        if (!subscribes)
                feed_unsubscribe(conn, request->names);
        for (size_t i = 0; !subscribes && i < WORDS; i++)
                if (request->whole[i])
                        feed_unsubscribe_channel(conn, words[i].inside);
        answer(conn);
        for (size_t i = 0; i < count; i++)
                made_send_first(conn, request->names->names[i]);
}

void feed_exchange(struct conn *conn, struct json_value root, bool subscribes)
{
        struct request request = {.conn = conn, .root = root};
        request.names = memory_new(sizeof(*request.names));
        add_channels(&request, subscribes);
        if (subscribes && request.is_signed && !request.reason[0])
                check_signature(&request);
        if (request.reason[0])
                feed_refuse(conn, subscribes ? FAILED : "Failed to unsubscribe", request.reason);
        else
                apply(&request, subscribes);
        feed_free_names(request.names);
}
