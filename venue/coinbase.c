/* Coinbase Exchange: orders (full), levels (level2_batch), trades (matches), books and products.
 *
 * With a key the channel "full" tells every order, and trades among them; without one levels come
 * in batches that carry no ids, and begin with a snapshot. Numbers are written with as many
 * decimals as they need. Sources: Coinbase Exchange documentation, WebSocket channels and REST,
 * state of 2026-02-02. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "venue/coinbase.h"

#define VERIFY_PATH "/users/self/verify" /* what a subscription signs in place of its own path */

/* What a message tells, a bit each: those of venue_message.step are still to be told. */
enum part_bit {
        PART_ORDER = 1 << 0,
        PART_TRADE = 1 << 1,
        PART_LEVELS = 1 << 2,
        PART_IMAGE = 1 << 3,
};

/* What is known of a type of message. */
struct message_type {
        const char *name;
        enum message_kind kind;
        unsigned parts;
        enum order_type order;
};

static const struct message_type message_types[] = {
    {"received", MESSAGE_EVENTS, PART_ORDER, ORDER_RECEIVED},
    {"open", MESSAGE_EVENTS, PART_ORDER, ORDER_OPEN},
    {"done", MESSAGE_EVENTS, PART_ORDER, ORDER_DONE},
    {"match", MESSAGE_EVENTS, PART_ORDER | PART_TRADE, ORDER_MATCH},
    {"change", MESSAGE_EVENTS, PART_ORDER, ORDER_CHANGE},
    {"activate", MESSAGE_EVENTS, PART_ORDER, ORDER_ACTIVATE},
    {"l2update", MESSAGE_EVENTS, PART_LEVELS, ORDER_OTHER},
    {"snapshot", MESSAGE_EVENTS, PART_IMAGE, ORDER_OTHER},
    {"last_match", MESSAGE_EVENTS, PART_TRADE, ORDER_OTHER},
    {"heartbeat", MESSAGE_ALIVE, 0, ORDER_OTHER},
    {"subscriptions", MESSAGE_ANSWER, 0, ORDER_OTHER},
    {"error", MESSAGE_ANSWER, 0, ORDER_OTHER},
    {"ticker", MESSAGE_OTHER, 0, ORDER_OTHER},
    {"status", MESSAGE_OTHER, 0, ORDER_OTHER},
};

static const struct message_type *type_of(struct json_text name)
{
        for (size_t i = 0; i < sizeof(message_types) / sizeof(message_types[0]); i++) {
                if (json_text_is(name, message_types[i].name))
                        return &message_types[i];
        }
        return NULL;
}

static uint8_t book_kind(const struct venue_choice *choice)
{
        return coinbase_has_key(choice) ? KIND_L3 : KIND_L2;
}

static enum venue_sync sync_of(uint8_t kind)
{
        return kind == KIND_L3 ? SYNC_BRIDGE : kind == KIND_L2 ? SYNC_SNAPSHOT : SYNC_TAPE;
}

/* With a key trades come with the orders: the channel of matches would bring them twice. */
static const char *channel_of(uint8_t kind, const struct venue_choice *choice)
{
        if (kind == KIND_L2)
                return "level2_batch";
        return kind == KIND_L3 || coinbase_has_key(choice) ? "full" : "matches";
}

static void stream_name(uint8_t kind, const char *symbol, const struct venue_choice *choice,
    char *ret_name, size_t size)
{
        snprintf(ret_name, size, "%s:%s", channel_of(kind, choice), symbol);
}

/* ---- commands ---- */

static size_t channel_size(const char *name)
{
        return strcspn(name, ":");
}

static const char *product_of(const char *name)
{
        const char *colon = strchr(name, ':');
        return colon ? colon + 1 : "";
}

static bool same_channel(const char *a, const char *b)
{
        size_t size = channel_size(a);
        return size == channel_size(b) && !memcmp(a, b, size);
}

/* The products of one channel, each once; of every channel without one. */
static void append_channel(
    struct buffer *text, const char *channel, const char *const *names, size_t count)
{
        const char *comma = "";
        char plain[64];
        snprintf(plain, sizeof(plain), "%.*s", channel ? (int)channel_size(channel) : 9,
            channel ? channel : "heartbeat");
        buffer_append_text(text, "{\"name\":\"");
        buffer_append_json(text, plain);
        buffer_append_text(text, "\",\"product_ids\":[");
        for (size_t i = 0; i < count; i++) {
                bool wanted = !channel || same_channel(channel, names[i]);
                for (size_t k = 0; k < i && wanted; k++)
                        wanted = strcmp(product_of(names[k]), product_of(names[i])) != 0 ||
                            (channel && !same_channel(channel, names[k]));
                if (!wanted)
                        continue;
                buffer_printf(text, "%s\"", comma);
                buffer_append_json(text, product_of(names[i]));
                buffer_append_byte(text, '"');
                comma = ",";
        }
        buffer_append_text(text, "]}");
}

static void append_text(struct buffer *text, const char *key, const char *value)
{
        buffer_printf(text, ",\"%s\":\"", key);
        buffer_append_json(text, value);
        buffer_append_byte(text, '"');
}

static void append_signature(
    struct buffer *text, const struct venue_choice *choice, int64_t wall_ns)
{
        char time[24], signature[SIGNATURE_TEXT_SIZE];
        coinbase_sign(choice, wall_ns, VERIFY_PATH, time, signature);
        append_text(text, "signature", signature);
        append_text(text, "key", choice->key);
        append_text(text, "passphrase", choice->passphrase);
        append_text(text, "timestamp", time);
}

/* All channels in one frame: the answer then tells of all of them. */
static unsigned command(bool subscribe, const char *const *names, size_t count, uint32_t id,
    const struct venue_choice *choice, int64_t wall_ns, struct buffer *text)
{
        bool orders = false;
        (void)id;
        buffer_printf(
            text, "{\"type\":\"%s\",\"channels\":[", subscribe ? "subscribe" : "unsubscribe");
        for (size_t i = 0; i < count; i++) {
                bool begun = false;
                for (size_t k = 0; k < i && !begun; k++)
                        begun = same_channel(names[k], names[i]);
                if (begun)
                        continue;
                append_channel(text, names[i], names, count);
                buffer_append_byte(text, ',');
                orders = orders || same_channel(names[i], "full");
        }
        append_channel(text, NULL, names, count);
        buffer_append_byte(text, ']');
        if (orders && coinbase_has_key(choice))
                append_signature(text, choice, wall_ns);
        buffer_append_byte(text, '}');
        return 1;
}

/* ---- messages ---- */

static void take_error(struct json_value root, struct venue_message *message)
{
        struct json_text text;
        message->refused = true;
        message->text = "refused without a reason";
        if (json_member_string(root, "reason", &text) || json_member_string(root, "message", &text))
                message->text = text.data;
        message->denied = values_tell_denial(message->text);
}

static void take_heartbeat(struct json_value root, struct venue_message *message)
{
        int64_t id;
        if (!json_member_string(root, "product_id", &message->symbol))
                return;
        if (json_member_int(root, "sequence", &id) && id >= 0)
                message->newest_id = id;
        if (json_member_int(root, "last_trade_id", &id) && id >= 0)
                message->newest_trade = id;
}

/* Types that nobody knew: those with a sequence number took one from the product's count. */
static void take_unknown(struct json_value root, struct venue_message *message)
{
        struct json_value member;
        if (!json_member(root, "sequence", &member) || !json_member(root, "product_id", &member))
                return;
        message->kind = MESSAGE_EVENTS;
        message->step = PART_ORDER;
}

static void take_known(
    const struct message_type *type, struct json_value root, struct venue_message *message)
{
        struct json_value sequence;
        message->kind = type->kind;
        message->step = type->parts;
        if (type->parts & PART_ORDER && !json_member(root, "sequence", &sequence))
                message->kind = MESSAGE_OTHER; /* of one's own: it is not counted */
        else if (type->kind == MESSAGE_ALIVE)
                take_heartbeat(root, message);
        else if (type->kind == MESSAGE_ANSWER && !strcmp(type->name, "error"))
                take_error(root, message);
}

static void parse(struct json_value root, struct venue_message *message)
{
        struct json_text name;
        *message = (struct venue_message){.kind = MESSAGE_OTHER,
            .root = root,
            .sequence = -1,
            .symbol = {"", 0},
            .newest_id = -1,
            .newest_trade = -1,
            .answer_id = -1,
            .text = ""};
        if (!json_member_string(root, "type", &name)) {
                message->kind = MESSAGE_BAD;
                message->text = "not an object with a type";
                return;
        }
        const struct message_type *type = type_of(name);
        if (type)
                take_known(type, root, message);
        else
                take_unknown(root, message);
}

static bool next_part(struct venue_message *message, struct venue_part *ret_part)
{
        struct venue_part part = {.body = message->root, .time = {"", 0}};
        unsigned bit = message->step & -message->step;
        if (!bit)
                return false;
        message->step &= ~bit;
        if (!json_member_string(part.body, "product_id", &part.symbol)) {
                message->step = 0;
                message->text = "it does not name its product";
                return false;
        }
        part.kind = bit == PART_ORDER ? KIND_L3 : bit == PART_TRADE ? KIND_TRADES : KIND_L2;
        part.image = bit == PART_IMAGE;
        *ret_part = part;
        return true;
}

static bool side_of(struct json_text text, enum side *ret_side)
{
        *ret_side = json_text_is(text, "sell") ? SIDE_ASK : SIDE_BID;
        return *ret_side == SIDE_ASK || json_text_is(text, "buy");
}

static enum side take_side(struct values *values, struct json_value body)
{
        struct json_text text;
        enum side side = SIDE_BID;
        if (!json_member_string(body, "side", &text) || !side_of(text, &side))
                values_refuse(values, ERR_PARSE, "its side is neither buy nor sell");
        return side;
}

static int64_t time_of(struct json_value body)
{
        struct json_text text;
        int64_t time_ns = 0;
        if (json_member_string(body, "time", &text))
                return values_time(text);
        /* activate */
        if (json_member_string(body, "timestamp", &text) && strlen(text.data) == text.size &&
            time_parse(text.data, &time_ns))
                time_ns = 0;
        return time_ns;
}

/* ---- levels ---- */

static void take_changes(
    struct values *values, struct json_value body, struct level_list *list, struct event *event)
{
        struct json_value changes, change;
        struct json_cursor cursor;
        struct json_text texts[3];
        enum side side;
        level_list_clear(list);
        if (!json_member(body, "changes", &changes) || !json_array_begin(changes, &cursor)) {
                values_refuse(values, ERR_PARSE, "changes are missing");
                return;
        }
        while (json_array_next(&cursor, &change)) {
                if (!values_triple(change, texts) || !side_of(texts[0], &side)) {
                        values_refuse(values, ERR_PARSE, "changes are not [side, price, size]");
                        return;
                }
                values_add(values, list, side, texts[1], texts[2]);
        }
        values_settle(values, list, event->count, event->levels);
}

static void take_match(
    struct values *values, struct json_value body, struct level_list *list, struct event *event)
{
        static const char missing[] = "a match's price or size is missing";
        int64_t id = values_id(values, body, "trade_id", "trade_id is missing or no number");
        struct json_text price = values_text(values, body, "price", missing);
        struct json_text size = values_text(values, body, "size", missing);
        values_set_trade(values, list, take_side(values, body), id, price, size, event);
}

/* ---- orders ---- */

/* Where the fields of an order message go; the fault stays in @values. */
struct order_reader {
        struct values *values;
        struct json_value body;
        struct order_message *order;
};

/* The text of a member; false if it is absent or null. */
static bool find_text(struct order_reader *reader, const char *key, struct json_text *ret_text)
{
        struct json_value member;
        if (!json_member(reader->body, key, &member) || json_is_null(member))
                return false;
        if (!json_string(member, ret_text)) {
                values_refuse(reader->values, ERR_PARSE, "a field of the order is no text");
                return false;
        }
        return true;
}

static bool read_price(
    struct order_reader *reader, const char *key, enum order_field field, int64_t *price)
{
        struct json_text text;
        if (!find_text(reader, key, &text))
                return false;
        *price = values_price(reader->values, text);
        reader->order->has |= field;
        return true;
}

static bool read_size(
    struct order_reader *reader, const char *key, enum order_field field, int64_t *size)
{
        struct json_text text;
        if (!find_text(reader, key, &text))
                return false;
        *size = values_quantity(reader->values, text);
        reader->order->has |= field;
        return true;
}

static void must(struct order_reader *reader, bool found)
{
        if (!found)
                values_refuse(reader->values, ERR_PARSE, "a price or size of the order is missing");
}

static void read_id(struct order_reader *reader, const char *key, struct order_id *id)
{
        struct json_text text;
        if (!json_member_string(reader->body, key, &text) || !values_uuid(text, id))
                values_refuse(reader->values, ERR_PARSE, "an order's id is no UUID");
}

/* Its owner may call an order as he likes: what is no UUID is not kept. */
static void read_client_id(struct order_reader *reader)
{
        struct json_text text;
        if (!json_member_string(reader->body, "client_oid", &text))
                return;
        if (values_uuid(text, &reader->order->other))
                reader->order->has |= ORDER_HAS_OTHER;
        else if (values_hex(text, &reader->order->other))
                reader->order->has |= ORDER_HAS_OTHER | ORDER_OTHER_PLAIN;
}

static bool is_plain_decimal(struct json_text text)
{
        size_t whole = strspn(text.data, "0123456789"), decimals = 0;
        if (whole < text.size && text.data[whole] == '.') {
                decimals = strspn(text.data + whole + 1, "0123456789");
                return whole && decimals && whole + 1 + decimals == text.size;
        }
        return whole && whole == text.size;
}

static bool read_funds(struct order_reader *reader, const char *key)
{
        struct json_text text;
        if (!find_text(reader, key, &text))
                return false;
        if (!is_plain_decimal(text) ||
            !values_copy(text, reader->order->funds, sizeof(reader->order->funds)))
                values_refuse(reader->values, ERR_PARSE, "its funds are no decimal number");
        reader->order->has |= ORDER_HAS_FUNDS;
        return true;
}

/* One of two words, or none at all; the second one's reason follows the first one's. */
static void read_reason(struct order_reader *reader, const char *key, const char *first_word,
    const char *second_word, enum order_reason first)
{
        struct json_text text;
        if (!find_text(reader, key, &text))
                return;
        reader->order->reason = (uint8_t)(json_text_is(text, first_word) ? first
                : json_text_is(text, second_word)                        ? first + 1
                                                                         : REASON_OTHER);
}

static void read_received(struct order_reader *reader)
{
        struct order_message *order = reader->order;
        read_id(reader, "order_id", &order->id);
        read_client_id(reader);
        read_reason(reader, "order_type", "limit", "market", REASON_LIMIT);
        read_price(reader, "price", ORDER_HAS_PRICE, &order->price);
        read_size(reader, "size", ORDER_HAS_SIZE, &order->size);
        read_funds(reader, "funds");
}

static void read_open(struct order_reader *reader)
{
        struct order_message *order = reader->order;
        read_id(reader, "order_id", &order->id);
        must(reader, read_price(reader, "price", ORDER_HAS_PRICE, &order->price));
        must(reader, read_size(reader, "remaining_size", ORDER_HAS_SIZE, &order->size));
}

static void read_match(struct order_reader *reader)
{
        struct order_message *order = reader->order;
        read_id(reader, "maker_order_id", &order->id);
        read_id(reader, "taker_order_id", &order->other);
        order->has |= ORDER_HAS_OTHER;
        order->trade_id =
            values_id(reader->values, reader->body, "trade_id", "trade_id is missing or no number");
        must(reader, read_price(reader, "price", ORDER_HAS_PRICE, &order->price));
        must(reader, read_size(reader, "size", ORDER_HAS_SIZE, &order->size));
}

static void read_done(struct order_reader *reader)
{
        struct order_message *order = reader->order;
        read_id(reader, "order_id", &order->id);
        read_reason(reader, "reason", "filled", "canceled", REASON_FILLED);
        read_price(reader, "price", ORDER_HAS_PRICE, &order->price);
        read_size(reader, "remaining_size", ORDER_HAS_SIZE, &order->size);
}

/* Of a market order by its funds the funds change: new_funds in place of new_size. */
static void read_change(struct order_reader *reader)
{
        struct order_message *order = reader->order;
        read_id(reader, "order_id", &order->id);
        read_reason(reader, "reason", "STP", "modify_order", REASON_STP);
        if (!read_price(reader, "new_price", ORDER_HAS_PRICE, &order->price))
                read_price(reader, "price", ORDER_HAS_PRICE, &order->price);
        read_price(reader, "old_price", ORDER_HAS_OLD_PRICE, &order->old_price);
        read_size(reader, "old_size", ORDER_HAS_OLD_SIZE, &order->old_size);
        bool sized = read_size(reader, "new_size", ORDER_HAS_SIZE, &order->size);
        must(reader, read_funds(reader, "new_funds") || sized);
}

static void read_activate(struct order_reader *reader)
{
        struct order_message *order = reader->order;
        read_id(reader, "order_id", &order->id);
        read_reason(reader, "stop_type", "entry", "loss", REASON_ENTRY);
        read_price(reader, "stop_price", ORDER_HAS_PRICE, &order->price);
        read_size(reader, "size", ORDER_HAS_SIZE, &order->size);
        read_funds(reader, "funds");
}

static void take_order(
    struct values *values, struct json_value body, struct level_list *list, struct event *event)
{
        static void (*const read[ORDER_TYPES])(struct order_reader *) = {
            [ORDER_RECEIVED] = read_received,
            [ORDER_OPEN] = read_open,
            [ORDER_MATCH] = read_match,
            [ORDER_DONE] = read_done,
            [ORDER_CHANGE] = read_change,
            [ORDER_ACTIVATE] = read_activate};
        struct order_reader reader = {values, body, &list->order};
        struct json_text name;
        const struct message_type *type =
            json_member_string(body, "type", &name) ? type_of(name) : NULL;
        list->order = (struct order_message){.type = (uint8_t)(type ? type->order : ORDER_OTHER)};
        event->type = TYPE_ORDER;
        event->order = &list->order;
        event->first_id = event->last_id =
            values_id(values, body, "sequence", "sequence is missing or no number");
        if (list->order.type == ORDER_OTHER)
                return;
        list->order.side = (uint8_t)take_side(values, body);
        read[list->order.type](&reader);
}

static int parse_event(const struct venue_part *part, const struct scale *scale,
    struct level_list *list, struct event *ret_event, unsigned digits[2], const char **reason)
{
        struct event event = {.receive_time_ns = ret_event->receive_time_ns};
        struct values values;
        values_begin(&values, scale, false);
        if (part->kind == KIND_L3)
                take_order(&values, part->body, list, &event);
        else if (part->kind == KIND_TRADES)
                take_match(&values, part->body, list, &event);
        else
                take_changes(&values, part->body, list, &event);
        values_set_time(&event, time_of(part->body));
        int code = values_end(&values, digits, reason);
        if (!code)
                *ret_event = event;
        return code;
}

const struct venue venue_coinbase = {
    .name = "coinbase",
    .feed = "exchange",
    .ws_url = "wss://ws-feed.exchange.coinbase.com",
    .rest_url = "https://api.exchange.coinbase.com",
    .ws_setting = "COINBASE_WS_URL",
    .rest_setting = "COINBASE_REST_URL",
    .ws_path = "/",
    .example = "BTC-USD",
    .weight_per_minute = COINBASE_WEIGHT_PER_MINUTE,
    .info_weight = 1,
    .info_symbols_max = 1,
    .silence_ns = COINBASE_SILENCE_NS,
    .life_ns = COINBASE_LIFE_NS,
    .refuses_whole = true,
    .orders_need_key = true,
    .image_age_ns = COINBASE_IMAGE_AGE_NS,
    .symbol_is_valid = coinbase_symbol_is_valid,
    .book_kind = book_kind,
    .sync = sync_of,
    .source = channel_of,
    .stream_name = stream_name,
    .command = command,
    .parse = parse,
    .next_part = next_part,
    .parse_event = parse_event,
    .parse_image = coinbase_parse_image,
    .image_weight = coinbase_image_weight,
    .image_url = coinbase_image_url,
    .headers = coinbase_headers,
    .info_url = coinbase_info_url,
    .parse_info_begin = coinbase_parse_info_begin,
    .parse_info = coinbase_parse_info,
    .is_unknown_symbol = coinbase_is_unknown_symbol,
};
