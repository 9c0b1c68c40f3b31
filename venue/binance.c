/* Binance spot (and Binance.US, the same by another host): depth, trades, images, exchangeInfo.
 * Sources: Binance Spot API documentation, web-socket-streams and rest-api, state of 2026-07-21. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "venue/values.h"

#define DIGITS 8 /* prices and quantities come with 8 decimals, whatever the tick */

static bool symbol_is_valid(const char *symbol)
{
        if (!*symbol)
                return false;
        for (const unsigned char *c = (const unsigned char *)symbol; *c; c++) {
                if (*c <= ' ' || *c == 0x7f || islower(*c) || strchr("\"\\,/@:", *c))
                        return false;
        }
        return true;
}

static uint8_t book_kind(const struct venue_choice *choice)
{
        (void)choice;
        return KIND_L2;
}

static enum venue_sync sync_of(uint8_t kind)
{
        return kind == KIND_TRADES ? SYNC_TAPE : SYNC_BRIDGE;
}

static const char *source_of(uint8_t kind, const struct venue_choice *choice)
{
        return kind == KIND_L2 ? "spot" : choice->aggregate ? "aggTrade" : "trade";
}

static void stream_name(uint8_t kind, const char *symbol, const struct venue_choice *choice,
    char *ret_name, size_t size)
{
        const char *channel = choice->period_ms == 1000 ? "@depth" : "@depth@100ms";
        size_t i = 0;
        for (; symbol[i] && i + 1 < size; i++)
                ret_name[i] = (char)tolower((unsigned char)symbol[i]);
        if (kind == KIND_TRADES)
                channel = choice->aggregate ? "@aggTrade" : "@trade";
        snprintf(ret_name + i, size - i, "%s", channel);
}

static unsigned command(bool subscribe, const char *const *names, size_t count, uint32_t id,
    const struct venue_choice *choice, int64_t wall_ns, struct buffer *text)
{
        (void)choice;
        (void)wall_ns;
        buffer_printf(
            text, "{\"method\":\"%s\",\"params\":[", subscribe ? "SUBSCRIBE" : "UNSUBSCRIBE");
        for (size_t i = 0; i < count; i++) {
                buffer_append_text(text, i ? ",\"" : "\"");
                buffer_append_json(text, names[i]);
                buffer_append_byte(text, '"');
        }
        buffer_printf(text, "],\"id\":%u}", id);
        return 1;
}

/* Error answers come flat, {"code","msg"}, or nested, {"error":{"code","msg"},"id"}. */
static bool parse_answer(struct json_value root, struct venue_message *message)
{
        struct json_value error, result;
        struct json_text text;
        int64_t code;
        bool nested = json_member(root, "error", &error);
        bool flat = json_member_int(root, "code", &code) && json_member(root, "msg", &result);
        if (!nested && !flat && !json_member(root, "result", &result))
                return false;
        message->kind = MESSAGE_ANSWER;
        message->refused = nested || flat;
        if (!json_member_int(root, "id", &message->answer_id))
                message->answer_id = -1;
        if (json_member_string(nested ? error : root, "msg", &text))
                message->text = text.data;
        return true;
}

static bool brings_parts(struct json_text type)
{
        return json_text_is(type, "depthUpdate") || json_text_is(type, "trade") ||
            json_text_is(type, "aggTrade");
}

static void parse(struct json_value root, struct venue_message *message)
{
        struct json_value data;
        struct json_text type;
        *message = (struct venue_message){.kind = MESSAGE_OTHER,
            .sequence = -1,
            .symbol = {"", 0},
            .newest_id = -1,
            .newest_trade = -1,
            .answer_id = -1,
            .text = ""};
        if (!json_is_object(root)) {
                message->kind = MESSAGE_BAD;
                message->text = "not an object";
                return;
        }
        if (!json_member(root, "stream", &data) || !json_member(root, "data", &data))
                data = root;
        message->root = data;
        if (!json_member_string(data, "e", &type))
                parse_answer(root, message);
        else if (brings_parts(type))
                message->kind = MESSAGE_EVENTS;
        else if (json_text_is(type, "serverShutdown"))
                message->kind = MESSAGE_SHUTDOWN;
}

/* A message tells one thing. */
static bool next_part(struct venue_message *message, struct venue_part *ret_part)
{
        struct venue_part part = {.kind = KIND_TRADES, .time = {"", 0}, .body = message->root};
        struct json_text type;
        if (message->step++)
                return false;
        if (!json_member_string(part.body, "e", &type) ||
            !json_member_string(part.body, "s", &part.symbol)) {
                message->text = "it does not name its symbol";
                return false;
        }
        if (json_text_is(type, "depthUpdate"))
                part.kind = KIND_L2;
        *ret_part = part;
        return true;
}

static void take_side(struct values *values, struct json_value array, struct level_list *list)
{
        struct json_cursor cursor;
        struct json_text price, quantity;
        size_t begin = list->count;
        int more = ERR_PARSE;
        if (json_array_begin(array, &cursor)) {
                while ((more = json_pair_next(&cursor, &price, &quantity)) > 0) {
                        struct level level = {
                            values_price(values, price), values_quantity(values, quantity)};
                        if (list->count - begin == LIMIT_EVENT_LEVELS) {
                                values_refuse(values, ERR_RANGE, "more levels than are taken");
                                return;
                        }
                        level_list_add(list, level);
                }
        }
        if (more < 0)
                values_refuse(values, ERR_PARSE, "sides are not arrays of [price, quantity]");
}

/* Both sides into @list: bids, then asks. */
static void take_sides(struct values *values, struct json_value body,
    const char *const names[SIDES], struct level_list *list, uint32_t ret_count[SIDES])
{
        struct json_value array;
        level_list_clear(list);
        for (enum side s = 0; s < SIDES && !values->code; s++) {
                size_t begin = list->count;
                if (json_member(body, names[s], &array))
                        take_side(values, array, list);
                else
                        values_refuse(values, ERR_PARSE, "a side is missing");
                ret_count[s] = (uint32_t)(list->count - begin);
        }
}

/* Milliseconds; a connection asked for microseconds would give 1000 times as much. */
static void take_time(
    struct values *values, struct json_value body, const char *key, struct event *event)
{
        int64_t time = 0, time_ns = 0;
        if (!json_member_int(body, key, &time))
                values_refuse(values, ERR_PARSE, "its time is missing or no integer");
        int64_t unit = time >= INT64_C(100000000000000) ? NS_PER_US : NS_PER_MS;
        values_set_time(event, __builtin_mul_overflow(time, unit, &time_ns) ? 0 : time_ns);
}

static void take_depth(
    struct values *values, struct json_value body, struct level_list *list, struct event *event)
{
        static const char *const names[SIDES] = {"b", "a"};
        take_time(values, body, "E", event);
        if (!json_member_int(body, "U", &event->first_id) ||
            !json_member_int(body, "u", &event->last_id))
                values_refuse(values, ERR_PARSE, "U or u is missing or no integer");
        if (event->first_id < 0 || event->last_id < event->first_id || event->last_id == INT64_MAX)
                values_refuse(values, ERR_PARSE, "U and u are no range of ids");
        if (values->code)
                return;
        take_sides(values, body, names, list, event->count);
        values_set_levels(list, event->count, event->levels);
}

/* m: the buyer was the maker, so the seller came to him. */
static void take_trade(
    struct values *values, struct json_value body, struct level_list *list, struct event *event)
{
        static const char missing[] = "a trade's price or quantity is missing";
        struct json_text type;
        struct json_value maker;
        bool buyer = false;
        bool aggregate = json_member_string(body, "e", &type) && json_text_is(type, "aggTrade");
        int64_t id = values_id(
            values, body, aggregate ? "a" : "t", "a trade's id is missing or no positive integer");
        if (aggregate) {
                static const char none[] = "f and l are no range of ids";
                event->first_trade = values_id(values, body, "f", none);
                event->last_trade = values_id(values, body, "l", none);
                if (event->last_trade < event->first_trade)
                        values_refuse(values, ERR_PARSE, none);
        }
        if (!json_member(body, "m", &maker) || !json_bool(maker, &buyer))
                values_refuse(values, ERR_PARSE, "m is missing or neither true nor false");
        take_time(values, body, "T", event);
        struct json_text price = values_text(values, body, "p", missing);
        struct json_text quantity = values_text(values, body, "q", missing);
        values_set_trade(values, list, buyer ? SIDE_BID : SIDE_ASK, id, price, quantity, event);
        event->type = aggregate ? TYPE_AGGREGATE : TYPE_TRADE;
}

static int parse_event(const struct venue_part *part, const struct scale *scale,
    struct level_list *list, struct event *ret_event, unsigned digits[2], const char **reason)
{
        struct event event = {.receive_time_ns = ret_event->receive_time_ns};
        struct values values;
        values_begin(&values, scale, true);
        if (part->kind == KIND_L2)
                take_depth(&values, part->body, list, &event);
        else
                take_trade(&values, part->body, list, &event);
        int code = values_end(&values, digits, reason);
        if (!code)
                *ret_event = event;
        return code;
}

static int parse_image(struct json_value root, uint8_t kind, const struct scale *scale,
    uint32_t limit, struct level_list *list, struct image *ret_image, unsigned digits[2],
    const char **reason)
{
        static const char *const names[SIDES] = {"bids", "asks"};
        struct image image = {.kind = kind, .receive_time_ns = ret_image->receive_time_ns};
        struct values values;
        values_begin(&values, scale, true);
        if (!json_member_int(root, "lastUpdateId", &image.id) || image.id < -1 ||
            image.id == INT64_MAX)
                values_refuse(&values, ERR_PARSE, "lastUpdateId is missing or no integer");
        take_sides(&values, root, names, list, image.count);
        int code = values_end(&values, digits, reason);
        if (code)
                return code;
        values_set_levels(list, image.count, image.levels);
        for (enum side s = 0; s < SIDES; s++)
                image.bounded[s] = image.count[s] >= limit;
        *ret_image = image;
        return 0;
}

static uint32_t image_weight(uint8_t kind, uint32_t limit)
{
        (void)kind;
        return limit <= 100 ? 5 : limit <= 500 ? 25 : limit <= 1000 ? 50 : 250;
}

static void image_url(
    const char *rest_url, uint8_t kind, const char *symbol, uint32_t limit, struct buffer *url)
{
        (void)kind;
        buffer_printf(url, "%s/api/v3/depth?symbol=", rest_url);
        url_append(url, symbol);
        buffer_printf(url, "&limit=%u", limit);
}

static void info_url(
    const char *rest_url, const char *const *symbols, size_t count, struct buffer *url)
{
        buffer_printf(url, "%s/api/v3/exchangeInfo%s", rest_url, count ? "?symbols=" : "");
        for (size_t i = 0; i < count; i++) {
                url_append(url, i ? ",\"" : "[\"");
                url_append(url, symbols[i]);
                url_append(url, i + 1 == count ? "\"]" : "\"");
        }
}

static uint32_t parse_weight_limit(struct json_value root)
{
        struct json_value limits, limit;
        struct json_cursor cursor;
        struct json_text type, interval;
        int64_t weight, minutes;
        if (!json_member(root, "rateLimits", &limits) || !json_array_begin(limits, &cursor))
                return 0;
        while (json_array_next(&cursor, &limit)) {
                if (json_member_string(limit, "rateLimitType", &type) &&
                    json_text_is(type, "REQUEST_WEIGHT") &&
                    json_member_string(limit, "interval", &interval) &&
                    json_text_is(interval, "MINUTE") &&
                    json_member_int(limit, "intervalNum", &minutes) && minutes >= 1 &&
                    json_member_int(limit, "limit", &weight) && weight >= 100 && weight <= 10000000)
                        return (uint32_t)(weight / minutes);
        }
        return 0;
}

static int parse_info_begin(
    struct json_value root, struct json_cursor *ret_cursor, uint32_t *ret_limit)
{
        struct json_value symbols;
        *ret_limit = parse_weight_limit(root);
        return json_member(root, "symbols", &symbols) && json_array_begin(symbols, ret_cursor)
            ? 0
            : ERR_PARSE;
}

/* A filter's value as written, where it is a number; else it stays as it is. */
static void copy_number(struct json_value filter, const char *key, char ret_text[DECIMAL_TEXT_SIZE])
{
        struct json_text text;
        if (json_member_string(filter, key, &text) && decimal_digits(text.data, text.size) >= 0)
                values_copy(text, ret_text, DECIMAL_TEXT_SIZE);
}

/* A step of 0 or one that is no number switches that part of the filter off. */
static int64_t step_of(const char *text)
{
        int64_t step;
        return decimal_parse(text, strlen(text), DIGITS, &step) || step < 1 ? 1 : step;
}

static void parse_filters(struct json_value symbol, struct symbol_info *info)
{
        struct json_value filters, filter;
        struct json_cursor cursor;
        struct json_text type;
        if (!json_member(symbol, "filters", &filters) || !json_array_begin(filters, &cursor))
                return;
        while (json_array_next(&cursor, &filter)) {
                if (!json_member_string(filter, "filterType", &type))
                        continue;
                if (json_text_is(type, "PRICE_FILTER")) {
                        copy_number(filter, "tickSize", info->tick);
                } else if (json_text_is(type, "LOT_SIZE")) {
                        copy_number(filter, "stepSize", info->lot);
                        copy_number(filter, "minQty", info->min_quantity);
                } else if (json_text_is(type, "NOTIONAL") || json_text_is(type, "MIN_NOTIONAL")) {
                        copy_number(filter, "minNotional", info->min_notional);
                }
        }
        info->scale.tick = step_of(info->tick);
        info->scale.lot = step_of(info->lot);
}

static int parse_info(struct json_cursor *cursor, struct symbol_info *ret_info)
{
        struct json_value symbol;
        struct json_text name, status, currency;
        struct symbol_info info = {.scale = {DIGITS, DIGITS, true, 1, 1}};
        if (!json_array_next(cursor, &symbol))
                return 0;
        if (!json_member_string(symbol, "symbol", &name) ||
            !values_copy(name, info.symbol, sizeof(info.symbol)) ||
            !json_member_string(symbol, "status", &status))
                return ERR_PARSE;
        if (json_member_string(symbol, "baseAsset", &currency))
                values_copy(currency, info.base, sizeof(info.base));
        if (json_member_string(symbol, "quoteAsset", &currency))
                values_copy(currency, info.quote, sizeof(info.quote));
        snprintf(info.status, sizeof(info.status), "%s", status.data);
        info.trading = json_text_is(status, "TRADING");
        info.gone = json_text_is(status, "BREAK");
        parse_filters(symbol, &info);
        *ret_info = info;
        return 1;
}

static bool is_unknown_symbol(int status, struct json_value root)
{
        int64_t code;
        return status == 400 && json_member_int(root, "code", &code) &&
            (code == -1121 || code == -1100);
}

const struct venue venue_binance = {
    .name = "binance",
    .feed = "spot",
    .ws_url = "wss://data-stream.binance.vision",
    .rest_url = "https://data-api.binance.vision",
    .ws_setting = "BINANCE_WS_URL",
    .rest_setting = "BINANCE_REST_URL",
    .ws_path = "/stream",
    .example = "BTCUSDT",
    .weight_per_minute = 6000,
    .info_weight = 20,
    .info_symbols_max = 100,
    .answers_by_id = true,
    .silence_ns = 60 * NS_PER_S,     /* it pings every 20 s */
    .life_ns = 23 * 3600 * NS_PER_S, /* it ends connections after 24 h */
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
    .image_weight = image_weight,
    .image_url = image_url,
    .info_url = info_url,
    .parse_info_begin = parse_info_begin,
    .parse_info = parse_info,
    .is_unknown_symbol = is_unknown_symbol,
};
