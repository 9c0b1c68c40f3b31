/* Binance spot (and Binance.US, the same by another host): depth streams, images, exchangeInfo.
 * Sources: Binance Spot API documentation, web-socket-streams and rest-api, state of 2026-07-21. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "venue/venue.h"

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

static void stream_name(const char *symbol, unsigned period_ms, char *ret_name, size_t size)
{
        size_t i = 0;
        for (; symbol[i] && i + 1 < size; i++)
                ret_name[i] = (char)tolower((unsigned char)symbol[i]);
        snprintf(ret_name + i, size - i, period_ms == 1000 ? "@depth" : "@depth@100ms");
}

static void command(
    bool subscribe, const char *const *names, size_t count, uint32_t id, struct buffer *text)
{
        buffer_printf(
            text, "{\"method\":\"%s\",\"params\":[", subscribe ? "SUBSCRIBE" : "UNSUBSCRIBE");
        for (size_t i = 0; i < count; i++) {
                buffer_append_text(text, i ? ",\"" : "\"");
                buffer_append_json(text, names[i]);
                buffer_append_byte(text, '"');
        }
        buffer_printf(text, "],\"id\":%u}", id);
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

static void parse_depth(struct json_value data, struct venue_message *message)
{
        message->body = data;
        message->kind = MESSAGE_EVENT;
        if (!json_member_string(data, "s", &message->symbol)) {
                message->kind = MESSAGE_BAD;
                message->text = "depthUpdate without a symbol";
        }
}

static void parse(struct json_value root, struct venue_message *message)
{
        struct json_value data;
        struct json_text type;
        *message = (struct venue_message){.kind = MESSAGE_OTHER, .answer_id = -1, .text = ""};
        if (!json_is_object(root)) {
                message->kind = MESSAGE_BAD;
                message->text = "not an object";
                return;
        }
        if (!json_member(root, "stream", &data) || !json_member(root, "data", &data))
                data = root;
        if (!json_member_string(data, "e", &type)) {
                parse_answer(root, message);
                return;
        }
        if (json_text_is(type, "depthUpdate"))
                parse_depth(data, message);
        else if (json_text_is(type, "serverShutdown"))
                message->kind = MESSAGE_SHUTDOWN;
}

/* Remember how many decimals the text has; the usual case, as many as the scale, is one look. */
static void note_digits(struct json_text text, unsigned usual, unsigned *digits)
{
        unsigned found = usual;
        if (!usual || text.size <= usual || text.data[text.size - usual - 1] != '.') {
                const char *point = memchr(text.data, '.', text.size);
                found = point ? (unsigned)(text.data + text.size - point - 1) : 0;
        }
        if (found > *digits)
                *digits = found;
}

/* What cannot be read at all outweighs what only needs another scale. */
static int worse_code(int a, int b)
{
        return !a || (a == ERR_FULL && b) ? b : a;
}

static int parse_side(struct json_value array, const struct scale *scale, struct level_list *list,
    unsigned digits[2], const char **reason)
{
        struct json_cursor cursor;
        struct json_text price, quantity;
        size_t begin = list->count;
        int code = 0, more;
        *reason = "sides are not arrays of [price, quantity]";
        if (!json_array_begin(array, &cursor))
                return ERR_PARSE;
        while ((more = json_pair_next(&cursor, &price, &quantity)) > 0) {
                struct level level = {0};
                int price_code =
                    decimal_parse(price.data, price.size, scale->price_digits, &level.price);
                int quantity_code = decimal_parse(
                    quantity.data, quantity.size, scale->quantity_digits, &level.quantity);
                note_digits(price, scale->price_digits, &digits[0]);
                note_digits(quantity, scale->quantity_digits, &digits[1]);
                code = worse_code(code, worse_code(price_code, quantity_code));
                if (level.quantity < 0 || level.price < 0)
                        code = ERR_RANGE;
                if (list->count - begin == LIMIT_EVENT_LEVELS)
                        return ERR_RANGE;
                level_list_add(list, level);
        }
        if (more < 0)
                return ERR_PARSE;
        if (code == ERR_PARSE)
                *reason = "a price or quantity is no decimal number";
        else if (code == ERR_RANGE)
                *reason = "a price or quantity is negative or too large";
        return code;
}

/* Both sides into @list: bids, then asks. */
static int parse_sides(struct json_value body, const char *const names[SIDES],
    const struct scale *scale, struct level_list *list, uint32_t ret_count[SIDES],
    unsigned digits[2], const char **reason)
{
        struct json_value array;
        int worst = 0;
        level_list_clear(list);
        digits[0] = digits[1] = 0;
        for (enum side s = 0; s < SIDES; s++) {
                size_t begin = list->count;
                *reason = "a side is missing";
                int code = json_member(body, names[s], &array)
                    ? parse_side(array, scale, list, digits, reason)
                    : ERR_PARSE;
                if (code && code != ERR_FULL)
                        return code;
                worst = code ? code : worst;
                ret_count[s] = (uint32_t)(list->count - begin);
        }
        if (!list->count) {
                digits[0] = scale->price_digits;
                digits[1] = scale->quantity_digits;
        }
        return digits[0] > scale->price_digits || digits[1] > scale->quantity_digits ? ERR_FULL
                                                                                     : worst;
}

/* An empty list has no array yet, and nothing may be added to NULL. */
static void set_levels(const struct level_list *list, const uint32_t count[SIDES],
    const struct level *ret_levels[SIDES])
{
        ret_levels[SIDE_BID] = list->levels;
        ret_levels[SIDE_ASK] = list->count ? list->levels + count[SIDE_BID] : NULL;
}

static int parse_event(const struct venue_message *message, const struct scale *scale,
    struct level_list *list, struct event *ret_event, unsigned digits[2], const char **reason)
{
        static const char *const names[SIDES] = {"b", "a"};
        struct event event = {.receive_time_ns = ret_event->receive_time_ns};
        int64_t time;
        *reason = "E, U or u is missing or no integer";
        if (!json_member_int(message->body, "E", &time) ||
            !json_member_int(message->body, "U", &event.first_id) ||
            !json_member_int(message->body, "u", &event.last_id))
                return ERR_PARSE;
        *reason = "U and u are no range of ids";
        if (event.first_id < 0 || event.last_id < event.first_id || event.last_id == INT64_MAX)
                return ERR_PARSE;
        int code = parse_sides(message->body, names, scale, list, event.count, digits, reason);
        if (code)
                return code;
        /* Milliseconds; a connection asked for microseconds would give 1000 times as much. */
        int64_t unit = time >= INT64_C(100000000000000) ? NS_PER_US : NS_PER_MS;
        if (__builtin_mul_overflow(time, unit, &event.event_time_ns) ||
            !time_is_plausible(event.event_time_ns)) {
                event.event_time_ns = event.receive_time_ns;
                event.flags |= EVENT_TIME_REPLACED;
        }
        set_levels(list, event.count, event.levels);
        *ret_event = event;
        return 0;
}

static int parse_image(struct json_value root, const struct scale *scale, uint32_t limit,
    struct level_list *list, struct image *ret_image, unsigned digits[2], const char **reason)
{
        static const char *const names[SIDES] = {"bids", "asks"};
        struct image image = {.receive_time_ns = ret_image->receive_time_ns};
        *reason = "lastUpdateId is missing or no integer";
        if (!json_member_int(root, "lastUpdateId", &image.id) || image.id < -1 ||
            image.id == INT64_MAX)
                return ERR_PARSE;
        int code = parse_sides(root, names, scale, list, image.count, digits, reason);
        if (code)
                return code;
        set_levels(list, image.count, image.levels);
        for (enum side s = 0; s < SIDES; s++)
                image.bounded[s] = image.count[s] >= limit;
        *ret_image = image;
        return 0;
}

static uint32_t image_weight(uint32_t limit)
{
        return limit <= 100 ? 5 : limit <= 500 ? 25 : limit <= 1000 ? 50 : 250;
}

static void image_url(const char *rest_url, const char *symbol, uint32_t limit, struct buffer *url)
{
        buffer_printf(url, "%s/api/v3/depth?symbol=", rest_url);
        url_append(url, symbol);
        buffer_printf(url, "&limit=%u", limit);
}

static void info_url(
    const char *rest_url, const char *const *symbols, size_t count, struct buffer *url)
{
        buffer_printf(url, "%s/api/v3/exchangeInfo?symbols=", rest_url);
        for (size_t i = 0; i < count; i++) {
                url_append(url, i ? ",\"" : "[\"");
                url_append(url, symbols[i]);
                url_append(url, "\"");
        }
        url_append(url, "]");
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

/* A step of 0 or one that is no number switches that part of the filter off. */
static int64_t parse_step(struct json_value filter, const char *key)
{
        struct json_text text;
        int64_t step;
        if (!json_member_string(filter, key, &text) ||
            decimal_parse(text.data, text.size, DIGITS, &step) || step < 1)
                return 1;
        return step;
}

static void parse_filters(struct json_value symbol, struct scale *scale)
{
        struct json_value filters, filter;
        struct json_cursor cursor;
        struct json_text type;
        if (!json_member(symbol, "filters", &filters) || !json_array_begin(filters, &cursor))
                return;
        while (json_array_next(&cursor, &filter)) {
                if (!json_member_string(filter, "filterType", &type))
                        continue;
                if (json_text_is(type, "PRICE_FILTER"))
                        scale->tick = parse_step(filter, "tickSize");
                else if (json_text_is(type, "LOT_SIZE"))
                        scale->lot = parse_step(filter, "stepSize");
        }
}

static int parse_info(struct json_cursor *cursor, struct symbol_info *ret_info)
{
        struct json_value symbol;
        struct json_text name, status;
        if (!json_array_next(cursor, &symbol))
                return 0;
        if (!json_member_string(symbol, "symbol", &name) || name.size >= sizeof(ret_info->symbol) ||
            strlen(name.data) != name.size || !json_member_string(symbol, "status", &status))
                return ERR_PARSE;
        *ret_info = (struct symbol_info){
            .trading = json_text_is(status, "TRADING"), .scale = {DIGITS, DIGITS, true, 1, 1}};
        snprintf(ret_info->symbol, sizeof(ret_info->symbol), "%s", name.data);
        snprintf(ret_info->status, sizeof(ret_info->status), "%s", status.data);
        parse_filters(symbol, &ret_info->scale);
        return 1;
}

static bool is_unknown_symbol(struct json_value root)
{
        int64_t code;
        return json_member_int(root, "code", &code) && (code == -1121 || code == -1100);
}

const struct venue venue_binance = {
    .name = "binance",
    .ws_url = "wss://data-stream.binance.vision",
    .rest_url = "https://data-api.binance.vision",
    .ws_setting = "BINANCE_WS_URL",
    .rest_setting = "BINANCE_REST_URL",
    .ws_path = "/stream",
    .weight_per_minute = 6000,
    .info_weight = 20,
    .info_symbols_max = 100,
    .sequenced = true,
    .symbol_is_valid = symbol_is_valid,
    .stream_name = stream_name,
    .command = command,
    .parse = parse,
    .parse_event = parse_event,
    .parse_image = parse_image,
    .image_weight = image_weight,
    .image_url = image_url,
    .info_url = info_url,
    .parse_info_begin = parse_info_begin,
    .parse_info = parse_info,
    .is_unknown_symbol = is_unknown_symbol,
};
