/* What both feeds of Coinbase share: the first message, names, products, refusals. */
#include "feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "made.h"
#include "products.h"
#include "session.h"

#define NAME_SIZE (2 * TAPE_NAME_SIZE)

void feed_refuse(struct conn *conn, const char *message, const char *reason)
{
        struct buffer text;
        buffer_init(&text, FEED_FRAME_MAX);
        buffer_append_text(&text, "{\"type\":\"error\",\"message\":\"");
        buffer_append_json(&text, message);
        if (reason) {
                buffer_append_text(&text, "\",\"reason\":\"");
                buffer_append_json(&text, reason);
        }
        buffer_append_text(&text, "\"}");
        made_send(conn, "error", (struct span){(char *)text.data, text.size});
        buffer_deinit(&text);
}

bool feed_knows_product(struct lab *lab, enum venue venue, struct span id)
{
        const struct product *product = products_find(&lab->tape, id);
        if (product && products_has_status(product, "delisted"))
                return false;
        if (venue == VENUE_ADVANCED)
                return tape_find_symbol(&lab->tape, VENUE_ADVANCED, id) != TAPE_NONE;
        return product != NULL;
}

void feed_add_name(struct feed_names *names, const char *channel, struct span product)
{
        char name[NAME_SIZE];
        int size =
            snprintf(name, sizeof(name), "%s:%.*s", channel, (int)product.size, product.data);
        if (names->count == FEED_NAMES || size >= NAME_SIZE)
                names->too_many = true;
        for (size_t i = 0; i < names->count; i++)
                if (!strcmp(names->names[i], name))
                        return;
        if (!names->too_many)
                names->names[names->count++] = memory_text(name);
}

void feed_free_names(struct feed_names *names)
{
        for (size_t i = 0; i < names->count; i++)
                free(names->names[i]);
        free(names);
}

size_t feed_subscribe(struct conn *conn, struct feed_names *names)
{
        size_t count = 0;
        for (size_t i = 0; i < names->count; i++) {
                char *name = names->names[i];
                size_t before = conn->name_count;
                session_subscribe(conn, (struct span){name, strlen(name)});
                if (conn->name_count == before)
                        continue;
                names->names[i] = names->names[count];
                names->names[count++] = name;
        }
        if (!conn->heartbeat_at_ns)
                conn->heartbeat_at_ns = clock_mono_ns() + NS_PER_S;
        return count;
}

void feed_unsubscribe(struct conn *conn, const struct feed_names *names)
{
        for (size_t i = 0; i < names->count; i++)
                session_unsubscribe(conn, (struct span){names->names[i], strlen(names->names[i])});
}

static bool is_of_channel(const char *name, const char *channel)
{
        size_t size = strlen(channel);
        return !strncmp(name, channel, size) && name[size] == ':';
}

void feed_unsubscribe_channel(struct conn *conn, const char *channel)
{
        for (size_t i = conn->name_count; i > 0; i--) {
                const char *name = conn->names[i - 1];
                if (is_of_channel(name, channel))
                        session_unsubscribe(conn, (struct span){name, strlen(name)});
        }
}

bool feed_print_products(const struct conn *conn, const char *channel, struct buffer *text)
{
        bool some = false;
        for (size_t i = 0; i < conn->name_count; i++) {
                if (!is_of_channel(conn->names[i], channel))
                        continue;
                buffer_append_text(text, some ? ",\"" : "\"");
                buffer_append_json(text, strchr(conn->names[i], ':') + 1);
                buffer_append_text(text, "\"");
                some = true;
        }
        return some;
}

/* Which API it is shows in the first subscription. */
static void decide(struct conn *conn, struct json_value root)
{
        struct json_value value;
        if (!conn->undecided || !json_member(root, "channel", &value))
                return;
        conn->venue = VENUE_ADVANCED;
}

static void run(struct conn *conn, struct json_value root)
{
        struct json_text type;
        if (!json_member_string(root, "type", &type) ||
            (!json_text_is(type, "subscribe") && !json_text_is(type, "unsubscribe"))) {
                feed_refuse(conn, "Malformed message", "type is neither subscribe nor unsubscribe");
                return;
        }
        bool subscribes = json_text_is(type, "subscribe");
        decide(conn, root);
        conn->undecided = conn->undecided && !subscribes;
        if (conn->venue == VENUE_ADVANCED)
                feed_advanced(conn, root, subscribes);
        else
                feed_exchange(conn, root, subscribes);
}

static void journal_message(struct conn *conn, struct span text)
{
        struct journal *journal = &conn->lab->journal;
        journal_begin(journal, "command");
        journal_number(journal, "conn", conn->number);
        journal_text(journal, "raw", text);
        journal_end(journal);
}

void feed_take(struct conn *conn)
{
        struct buffer *text = &conn->message;
        size_t size = text->size;
        struct json_value root;
        uint8_t *padding = buffer_reserve(text, JSON_PADDING);
        if (!padding)
                return;
        memset(padding, 0, JSON_PADDING);
        if (json_parse(conn->lab->parser, (char *)text->data, size, &root)) {
                feed_refuse(conn, "Malformed JSON", NULL);
                return;
        }
        journal_message(conn, (struct span){(char *)text->data, size});
        run(conn, root);
}

void feed_tick(struct conn *conn, int64_t now_ns)
{
        if (conn->undecided && now_ns - conn->upgraded_ns > FEED_FIRST_NS)
                conn_close(conn, 1008, "No subscription");
        else
                made_tick(conn, now_ns);
}
