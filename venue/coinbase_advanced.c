/* Coinbase Advanced Trade: levels and trades, for everybody, without a key.
 *
 * A connection counts its messages, whatever they tell: a number left out means that something was
 * lost for every product on it. Levels carry no ids and begin with a snapshot; trades come newest
 * first. Source: Coinbase Advanced Trade documentation, WebSocket channels, state of 2026. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "venue/coinbase.h"

#define TRADES_MAX 4096 /* of one event; a first one has 100 */

struct listed_trade {
        int64_t id;
        struct json_value body;
};

/* The trades of the event that next_part stands at, oldest first; venue_message.step is 0 in a
 * message of levels, and in one of trades 1 + the place here. */
static _Thread_local struct {
        struct listed_trade list[TRADES_MAX];
        size_t count;
} trades;

/* X-USDC is another name of X-USD, under which its messages come. */
static bool symbol_is_valid(const char *symbol)
{
        static const char alias[] = "-USDC";
        size_t size = strlen(symbol), tail = sizeof(alias) - 1;
        return coinbase_symbol_is_valid(symbol) &&
            (size <= tail || strcmp(symbol + size - tail, alias) != 0);
}

static uint8_t book_kind(const struct venue_choice *choice)
{
        (void)choice;
        return KIND_L2;
}

static enum venue_sync sync_of(uint8_t kind)
{
        return kind == KIND_TRADES ? SYNC_TAPE : SYNC_SNAPSHOT;
}

static const char *source_of(uint8_t kind, const struct venue_choice *choice)
{
        (void)kind;
        (void)choice;
        return "advanced";
}

static void stream_name(uint8_t kind, const char *symbol, const struct venue_choice *choice,
    char *ret_name, size_t size)
{
        (void)choice;
        snprintf(ret_name, size, "%s:%s", kind == KIND_TRADES ? "market_trades" : "level2", symbol);
}

static bool is_of_channel(const char *name, const char *channel, size_t size)
{
        return !strncmp(name, channel, size) && name[size] == ':';
}

/* One frame names one channel. */
static void append_frame(struct buffer *text, const char *word, const char *channel, size_t size,
    const char *const *names, size_t count)
{
        const char *comma = "";
        buffer_printf(text, "{\"type\":\"%s\",\"product_ids\":[", word);
        for (size_t i = 0; i < count; i++) {
                bool wanted = is_of_channel(names[i], channel, size);
                for (size_t k = 0; k < i && wanted; k++)
                        wanted = strcmp(names[k], names[i]) != 0;
                if (!wanted)
                        continue;
                buffer_printf(text, "%s\"", comma);
                buffer_append_json(text, names[i] + size + 1);
                buffer_append_byte(text, '"');
                comma = ",";
        }
        buffer_printf(text, "],\"channel\":\"%.*s\"}", (int)size, channel);
}

static unsigned command(bool subscribe, const char *const *names, size_t count, uint32_t id,
    const struct venue_choice *choice, int64_t wall_ns, struct buffer *text)
{
        static const char *const channels[] = {"level2", "market_trades"};
        const char *word = subscribe ? "subscribe" : "unsubscribe";
        unsigned frames = 0;
        (void)id;
        (void)choice;
        (void)wall_ns;
        for (size_t c = 0; c < sizeof(channels) / sizeof(channels[0]); c++) {
                size_t size = strlen(channels[c]), first = 0;
                while (first < count && !is_of_channel(names[first], channels[c], size))
                        first++;
                if (first == count)
                        continue;
                if (frames++)
                        buffer_append_byte(text, '\n');
                append_frame(text, word, channels[c], size, names, count);
        }
        if (subscribe) {
                buffer_append_text(text, frames++ ? "\n" : "");
                buffer_append_text(text, "{\"type\":\"subscribe\",\"channel\":\"heartbeats\"}");
        }
        return frames;
}

/* ---- messages ---- */

static void take_error(struct json_value root, struct venue_message *message)
{
        struct json_text type, text;
        if (!json_member_string(root, "type", &type) || !json_text_is(type, "error")) {
                message->kind = MESSAGE_BAD;
                message->text = "not an object with a channel";
                return;
        }
        message->kind = MESSAGE_ANSWER;
        message->refused = true;
        message->text =
            json_member_string(root, "message", &text) ? text.data : "refused without a reason";
        message->denied = values_tell_denial(message->text);
}

static void take_events(struct json_value root, bool of_trades, struct venue_message *message)
{
        struct json_value events;
        message->kind = MESSAGE_EVENTS;
        message->step = of_trades;
        trades.count = 0;
        if (!json_member(root, "events", &events) || !json_array_begin(events, &message->parts)) {
                message->kind = MESSAGE_BAD;
                message->text = "events are missing";
        }
}

static void parse(struct json_value root, struct venue_message *message)
{
        struct json_text channel;
        *message = (struct venue_message){.kind = MESSAGE_OTHER,
            .root = root,
            .symbol = {"", 0},
            .newest_id = -1,
            .newest_trade = -1,
            .answer_id = -1,
            .text = ""};
        if (!json_member_int(root, "sequence_num", &message->sequence) || message->sequence < 0)
                message->sequence = -1;
        if (!json_member_string(root, "channel", &channel))
                take_error(root, message);
        else if (json_text_is(channel, "l2_data") || json_text_is(channel, "market_trades"))
                take_events(root, !json_text_is(channel, "l2_data"), message);
        else if (json_text_is(channel, "subscriptions"))
                message->kind = MESSAGE_ANSWER;
        else if (json_text_is(channel, "heartbeats"))
                message->kind = MESSAGE_ALIVE;
}

static bool stop(struct venue_message *message, const char *reason)
{
        message->parts.at = message->parts.end;
        trades.count = 0;
        message->text = reason;
        return false;
}

static bool next_levels(struct venue_message *message, struct venue_part *part)
{
        struct json_text type;
        if (!json_array_next(&message->parts, &part->body))
                return false;
        if (!json_member_string(part->body, "product_id", &part->symbol))
                return stop(message, "it does not name its product");
        if (!json_member_string(part->body, "type", &type))
                return stop(message, "it does not name its type");
        part->kind = KIND_L2;
        part->image = json_text_is(type, "snapshot");
        if (!part->image && !json_text_is(type, "update"))
                return stop(message, "its type is neither snapshot nor update");
        return true;
}

static int compare_trades(const void *a, const void *b)
{
        const struct listed_trade *one = a, *other = b;
        return (one->id > other->id) - (one->id < other->id);
}

static bool trade_id_of(struct json_value trade, int64_t *ret_id)
{
        struct json_text text;
        return json_member_string(trade, "trade_id", &text) && text.size &&
            strspn(text.data, "0123456789") == text.size &&
            !decimal_parse(text.data, text.size, 0, ret_id) && *ret_id < INT64_MAX;
}

/* The reason why not, or NULL. */
static const char *list_trades(struct json_value event)
{
        struct json_value array;
        struct json_cursor cursor;
        struct listed_trade trade;
        trades.count = 0;
        if (!json_member(event, "trades", &array) || !json_array_begin(array, &cursor))
                return "trades are missing";
        while (json_array_next(&cursor, &trade.body)) {
                if (trades.count == TRADES_MAX)
                        return "more trades than are taken";
                if (!trade_id_of(trade.body, &trade.id))
                        return "trade_id is missing or no number";
                trades.list[trades.count++] = trade;
        }
        qsort(trades.list, trades.count, sizeof(trade), compare_trades);
        return NULL;
}

static bool next_trade(struct venue_message *message, struct venue_part *part)
{
        struct json_value event;
        while (message->step > trades.count) {
                if (!json_array_next(&message->parts, &event))
                        return false;
                const char *reason = list_trades(event);
                if (reason)
                        return stop(message, reason);
                message->step = 1;
        }
        part->kind = KIND_TRADES;
        part->body = trades.list[message->step++ - 1].body;
        if (!json_member_string(part->body, "product_id", &part->symbol))
                return stop(message, "it does not name its product");
        return true;
}

static bool next_part(struct venue_message *message, struct venue_part *ret_part)
{
        struct venue_part part = {.time = {"", 0}};
        bool found = message->step ? next_trade(message, &part) : next_levels(message, &part);
        if (!found)
                return false;
        json_member_string(message->root, "timestamp", &part.time);
        *ret_part = part;
        return true;
}

/* ---- levels ---- */

struct update {
        enum side side;
        struct json_text price, quantity;
};

static bool read_update(struct json_value value, struct update *ret_update)
{
        struct json_text side;
        if (!json_member_string(value, "side", &side) ||
            !json_member_string(value, "price_level", &ret_update->price) ||
            !json_member_string(value, "new_quantity", &ret_update->quantity))
                return false;
        ret_update->side = json_text_is(side, "bid") ? SIDE_BID : SIDE_ASK;
        return ret_update->side == SIDE_BID || json_text_is(side, "offer");
}

/* @time_ns (may be NULL): the latest time of all, or 0. */
static void take_updates(struct values *values, struct json_value body, struct level_list *list,
    bool image, int64_t *time_ns)
{
        struct json_value array, value;
        struct json_cursor cursor;
        struct json_text text;
        struct update update;
        level_list_clear(list);
        if (!json_member(body, "updates", &array) || !json_array_begin(array, &cursor)) {
                values_refuse(values, ERR_PARSE, "updates are missing");
                return;
        }
        while (!values->code && json_array_next(&cursor, &value)) {
                if (!read_update(value, &update)) {
                        values_refuse(values, ERR_PARSE,
                            "an update is not side, price_level and new_quantity");
                        return;
                }
                if (!image || !coinbase_is_no_size(update.quantity))
                        values_add(values, list, update.side, update.price, update.quantity);
                if (!image && json_member_string(value, "event_time", &text)) {
                        int64_t at = values_time(text);
                        *time_ns = at > *time_ns ? at : *time_ns;
                }
        }
}

static void take_trade(struct values *values, const struct venue_part *part,
    struct level_list *list, struct event *event)
{
        static const char missing[] = "a trade's price or size is missing";
        int64_t id = 0;
        struct json_text time = {"", 0};
        struct json_text price = values_text(values, part->body, "price", missing);
        struct json_text size = values_text(values, part->body, "size", missing);
        struct json_text side = values_text(values, part->body, "side", "its side is missing");
        enum side maker = json_text_is(side, "BUY") ? SIDE_BID : SIDE_ASK;
        if (maker == SIDE_ASK && !json_text_is(side, "SELL"))
                values_refuse(values, ERR_PARSE, "its side is neither BUY nor SELL");
        if (!trade_id_of(part->body, &id))
                values_refuse(values, ERR_PARSE, "trade_id is missing or no number");
        json_member_string(part->body, "time", &time);
        values_set_trade(values, list, maker, id, price, size, event);
        values_set_time(event, values_time(time));
}

static int parse_event(const struct venue_part *part, const struct scale *scale,
    struct level_list *list, struct event *ret_event, unsigned digits[2], const char **reason)
{
        struct event event = {.receive_time_ns = ret_event->receive_time_ns};
        struct values values;
        values_begin(&values, scale, false);
        if (part->kind == KIND_TRADES) {
                take_trade(&values, part, list, &event);
        } else {
                int64_t time_ns = 0;
                take_updates(&values, part->body, list, false, &time_ns);
                values_settle(&values, list, event.count, event.levels);
                values_set_time(&event, time_ns ? time_ns : values_time(part->time));
        }
        int code = values_end(&values, digits, reason);
        if (!code)
                *ret_event = event;
        return code;
}

static int parse_image(struct json_value body, uint8_t kind, const struct scale *scale,
    uint32_t limit, struct level_list *list, struct image *ret_image, unsigned digits[2],
    const char **reason)
{
        struct image image = {.kind = kind, .receive_time_ns = ret_image->receive_time_ns};
        struct json_value updates;
        struct values values;
        if (!json_member(body, "updates", &updates))
                return coinbase_parse_image(
                    body, kind, scale, limit, list, ret_image, digits, reason);
        values_begin(&values, scale, false);
        take_updates(&values, body, list, true, NULL);
        values_settle(&values, list, image.count, image.levels);
        int code = values_end(&values, digits, reason);
        if (!code)
                *ret_image = image;
        return code;
}

const struct venue venue_coinbase_advanced = {
    .name = "coinbase",
    .feed = "advanced",
    .ws_url = "wss://advanced-trade-ws.coinbase.com",
    .rest_url = "https://api.exchange.coinbase.com", /* the same products, without a key */
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
    .image_age_ns = COINBASE_IMAGE_AGE_NS,
    .counts_messages = true,
    .symbol_is_valid = symbol_is_valid,
    .book_kind = book_kind,
    .sync = sync_of,
    .source = source_of,
    .stream_name = stream_name,
    .command = command,
    .parse = parse,
    .next_part = next_part,
    .parse_event = parse_event,
    .parse_image = parse_image,
    .image_weight = coinbase_image_weight,
    .image_url = coinbase_image_url,
    .info_url = coinbase_info_url,
    .parse_info_begin = coinbase_parse_info_begin,
    .parse_info = coinbase_parse_info,
    .is_unknown_symbol = coinbase_is_unknown_symbol,
};
