/* Puts captures on the tape: streams, symbols, ids, levels and shiftable numbers by their place. */
#include "tape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advanced_tape.h"
#include "base/clock.h"
#include "exchange_tape.h"
#include "loader.h"
#include "orders.h"
#include "prices.h"
#include "products.h"
#include "seam.h"
#include "unpack.h"

#define TEXT_LIMIT (16u << 20)
#define SEAM_NS (100 * NS_PER_MS) /* from the last message of a pass to the first of the next */

static bool list_full(size_t count)
{
        return count == 0 || (count >= 64 && !(count & (count - 1)));
}

void *loader_grow(void *list, size_t count, size_t size)
{
        return list_full(count) ? memory_resize(list, (count ? count * 2 : 64) * size) : list;
}

struct span loader_keep_text(struct loader *loader, const struct buffer *text)
{
        struct capture *capture = loader->capture;
        capture->made = loader_grow(capture->made, capture->made_count, sizeof(char *));
        char *kept = memory_new(text->size + 1);
        memcpy(kept, text->data, text->size);
        capture->made[capture->made_count++] = kept;
        return (struct span){kept, text->size};
}

static bool copy_name(char to[TAPE_NAME_SIZE], struct span name)
{
        if (!name.size || name.size >= TAPE_NAME_SIZE)
                return false;
        memcpy(to, name.data, name.size);
        to[name.size] = '\0';
        return true;
}

uint32_t tape_find_stream(const struct tape *tape, enum venue venue, struct span name)
{
        for (uint32_t i = 0; i < tape->stream_count; i++) {
                const struct stream *stream = &tape->streams[i];
                if (stream->venue == venue && name.size &&
                    (span_is(name, stream->name) || span_is(name, stream->alias)))
                        return i;
        }
        return TAPE_NONE;
}

uint32_t tape_find_symbol(const struct tape *tape, enum venue venue, struct span name)
{
        for (uint32_t i = 0; i < tape->symbol_count; i++)
                if (tape->symbols[i].venue == venue && span_is(name, tape->symbols[i].name))
                        return i;
        return TAPE_NONE;
}

uint32_t tape_find_channel(const struct tape *tape, uint32_t symbol, enum channel channel)
{
        for (uint32_t i = 0; i < tape->stream_count; i++)
                if (tape->streams[i].channel == channel && tape->streams[i].symbol == symbol)
                        return i;
        return TAPE_NONE;
}

int loader_need_symbol(
    struct loader *loader, enum venue venue, struct span name, uint32_t *ret_index)
{
        struct tape *tape = loader->tape;
        uint32_t index = tape_find_symbol(tape, venue, name);
        if (index != TAPE_NONE && tape->symbols[index].capture != loader->capture_index)
                return error_set(
                    loader->error, ERR_USAGE, "%s is in two captures", tape->symbols[index].name);
        if (index == TAPE_NONE) {
                struct symbol *symbol = &tape->symbols[tape->symbol_count];
                if (tape->symbol_count == TAPE_SYMBOLS || !copy_name(symbol->name, name))
                        return error_set(loader->error, ERR_FULL, "too many symbols");
                symbol->venue = venue;
                buffer_init(&symbol->said.match, TEXT_LIMIT);
                symbol->capture = loader->capture_index;
                symbol->depth_stream = TAPE_NONE;
                symbol->update_ids = symbol->trade_ids = symbol->aggregate_ids =
                    (struct id_range){INT64_MAX, INT64_MIN};
                index = tape->symbol_count++;
        }
        *ret_index = index;
        return 0;
}

static void name_alias(struct stream *stream)
{
        const char *fast = "@depth@100ms", *slow = "@depth", *extra = "@100ms";
        size_t size = strlen(stream->name);
        bool is_fast = size > strlen(fast) && !strcmp(stream->name + size - strlen(fast), fast);
        bool is_slow = size > strlen(slow) && !strcmp(stream->name + size - strlen(slow), slow);
        stream->is_depth = is_fast || is_slow;
        if (is_fast)
                memcpy(stream->alias, stream->name, size - strlen(extra));
        else if (is_slow && size + strlen(extra) < TAPE_NAME_SIZE) {
                memcpy(stream->alias, stream->name, size);
                memcpy(stream->alias + size, extra, strlen(extra) + 1);
        }
}

int loader_need_stream(
    struct loader *loader, enum venue venue, struct span name, uint32_t *ret_index)
{
        struct tape *tape = loader->tape;
        uint32_t index = tape_find_stream(tape, venue, name);
        if (index == TAPE_NONE) {
                struct stream *stream = &tape->streams[tape->stream_count];
                if (tape->stream_count == TAPE_STREAMS || !copy_name(stream->name, name))
                        return error_set(loader->error, ERR_FULL, "too many streams");
                stream->venue = venue;
                stream->symbol = TAPE_NONE;
                buffer_init(&stream->last, TEXT_LIMIT);
                if (venue == VENUE_BINANCE)
                        name_alias(stream);
                index = tape->stream_count++;
        }
        *ret_index = index;
        return 0;
}

bool loader_keeps(const struct tape *tape, struct span kind)
{
        if (!tape->kinds)
                return true;
        struct span kinds = {tape->kinds, strlen(tape->kinds)};
        while (kinds.size) {
                struct span word = span_cut(&kinds, ",");
                if (word.size == kind.size && !memcmp(word.data, kind.data, kind.size))
                        return true;
        }
        return false;
}

/* Is the stream's kind ("depth" in "btcusdt@depth@100ms") one that was asked for? */
static bool kind_kept(const struct tape *tape, struct span stream)
{
        struct span kind = stream;
        span_cut(&kind, "@");
        kind = span_cut(&kind, "@");
        return loader_keeps(tape, span_cut(&kind, "_"));
}

int loader_add_level(struct loader *loader, struct symbol *symbol, struct span price,
    struct span quantity, bool is_ask)
{
        if (!price.size || price.size > 40 || !quantity.size || quantity.size > 40)
                return error_set(loader->error, ERR_PARSE, "%s: no level", symbol->name);
        symbol->levels = loader_grow(symbol->levels, symbol->level_count, sizeof(struct level));
        symbol->levels[symbol->level_count++] = (struct level){.price = price.data,
            .price_size = (uint8_t)price.size,
            .quantity = quantity.data,
            .quantity_size = (uint8_t)quantity.size,
            .is_ask = is_ask};
        return 0;
}

int loader_add_levels(struct loader *loader, struct symbol *symbol, struct span side, bool is_ask)
{
        struct scan scan, pair;
        struct span element, price, quantity;
        if (!scan_begin(&scan, side, '['))
                return error_set(loader->error, ERR_PARSE, "%s: levels are no list", symbol->name);
        while (scan_element(&scan, &element)) {
                if (!scan_begin(&pair, element, '[') || !scan_element(&pair, &price) ||
                    !scan_element(&pair, &quantity))
                        return error_set(loader->error, ERR_PARSE, "%s: no level", symbol->name);
                int result = loader_add_level(
                    loader, symbol, span_unquote(price), span_unquote(quantity), is_ask);
                if (result)
                        return result;
        }
        return 0;
}

size_t loader_add_event(
    struct symbol *symbol, int64_t first_id, int64_t last_id, size_t level_start)
{
        struct event event = {first_id, last_id, level_start, symbol->level_count - level_start};
        symbol->events = loader_grow(symbol->events, symbol->event_count, sizeof(struct event));
        symbol->events[symbol->event_count] = event;
        return symbol->event_count++;
}

static void range_add(struct id_range *range, int64_t id)
{
        if (id < 0)
                return;
        range->low = id < range->low ? id : range->low;
        range->high = id > range->high ? id : range->high;
}

static void note_id(struct symbol *symbol, int64_t id, enum number_kind kind)
{
        if (kind == NUMBER_UPDATE)
                range_add(&symbol->update_ids, id);
        else if (kind == NUMBER_TRADE)
                range_add(&symbol->trade_ids, id);
        else if (kind == NUMBER_AGGREGATE)
                range_add(&symbol->aggregate_ids, id);
}

void loader_add_number(
    struct loader *loader, struct message *message, struct span value, enum number_kind kind)
{
        struct capture *capture = loader->capture;
        int64_t number = 0;
        if (kind != NUMBER_STAMP && (!span_int(value, &number) || number < 0))
                return;
        if (kind == NUMBER_UPDATE)
                message->last_id = number;
        note_id(&loader->tape->symbols[message->symbol], number, kind);
        capture->numbers =
            loader_grow(capture->numbers, capture->number_count, sizeof(struct number));
        capture->numbers[capture->number_count++] =
            (struct number){(uint32_t)(value.data - message->text.data), (uint8_t)value.size, kind};
        message->number_count++;
}

void loader_note_time(struct loader *loader, int64_t ms)
{
        if (!loader->first_event_ms || ms < loader->first_event_ms)
                loader->first_event_ms = ms;
        if (ms > loader->capture->last_event_ms)
                loader->capture->last_event_ms = ms;
}

void loader_note_stamp(struct loader *loader, struct span stamp)
{
        char text[TIME_TEXT_SIZE] = {0};
        int64_t time_ns;
        if (stamp.size < sizeof(text))
                memcpy(text, stamp.data, stamp.size);
        if (!time_parse(text, &time_ns))
                loader_note_time(loader, time_ns / NS_PER_MS);
}

/* The members of a message whose numbers another pass shifts: "e:event type, key, kind". */
static const struct {
        const char *type;
        const char *key;
        enum number_kind kind;
} shifted[] = {
    {"depthUpdate", "U", NUMBER_UPDATE},
    {"depthUpdate", "u", NUMBER_UPDATE},
    {"", "u", NUMBER_UPDATE},
    {"trade", "T", NUMBER_TIME},
    {"trade", "t", NUMBER_TRADE},
    {"aggTrade", "T", NUMBER_TIME},
    {"aggTrade", "a", NUMBER_AGGREGATE},
    {"aggTrade", "f", NUMBER_TRADE},
    {"aggTrade", "l", NUMBER_TRADE},
    {"k", "t", NUMBER_TIME},
    {"k", "T", NUMBER_TIME},
    {"k", "f", NUMBER_TRADE},
    {"k", "L", NUMBER_TRADE},
};

static void note_numbers(
    struct loader *loader, struct message *message, struct span object, struct span type)
{
        struct scan scan;
        struct span key, value;
        int64_t ms;
        if (!scan_begin(&scan, object, '{'))
                return;
        while (scan_member(&scan, &key, &value)) {
                if (span_is(key, "E")) {
                        if (span_int(value, &ms))
                                loader_note_time(loader, ms);
                        loader_add_number(loader, message, value, NUMBER_TIME);
                }
                if (span_is(key, "k"))
                        note_numbers(loader, message, value, (struct span){"k", 1});
                for (size_t i = 0; i < sizeof(shifted) / sizeof(shifted[0]); i++)
                        if (span_is(type, shifted[i].type) && span_is(key, shifted[i].key))
                                loader_add_number(loader, message, value, shifted[i].kind);
        }
}

static int note_event(struct loader *loader, struct message *message)
{
        struct symbol *symbol = &loader->tape->symbols[message->symbol];
        struct span first, last, bids, asks;
        if (!scan_find(message->text, "U", &first) || !span_int(first, &message->first_id) ||
            !scan_find(message->text, "u", &last) || !span_int(last, &message->last_id) ||
            !scan_find(message->text, "b", &bids) || !scan_find(message->text, "a", &asks))
                return error_set(loader->error, ERR_PARSE, "%s: no depthUpdate", symbol->name);
        size_t level_start = symbol->level_count;
        int result = loader_add_levels(loader, symbol, bids, false);
        if (!result)
                result = loader_add_levels(loader, symbol, asks, true);
        message->event = loader_add_event(symbol, message->first_id, message->last_id, level_start);
        symbol->depth_stream = message->stream;
        return result;
}

struct message *loader_add_message(struct loader *loader, int64_t time_ns)
{
        struct capture *capture = loader->capture;
        capture->messages =
            loader_grow(capture->messages, capture->message_count, sizeof(struct message));
        struct message *message = &capture->messages[capture->message_count++];
        *message = (struct message){.time_ns = time_ns - loader->start_ns,
            .stream = TAPE_NONE,
            .symbol = TAPE_NONE,
            .number_start = (uint32_t)capture->number_count};
        return message;
}

/* The envelope is {"stream":"NAME","data":DATA}, and is written again just so. */
static bool envelope_is_plain(struct span raw, struct span stream, struct span data)
{
        const char *head = "{\"stream\":\"", *middle = "\",\"data\":";
        return raw.data + strlen(head) == stream.data && span_starts(raw, head) &&
            stream.data + stream.size + strlen(middle) == data.data &&
            !memcmp(stream.data + stream.size, middle, strlen(middle)) &&
            data.data + data.size + 1 == raw.data + raw.size;
}

static int add_stream_message(struct loader *loader, const struct line *line, struct span stream)
{
        struct span data, name, type = {"", 0};
        uint32_t stream_index = TAPE_NONE, symbol_index = TAPE_NONE;
        stream = span_unquote(stream);
        if (!scan_find(line->raw, "data", &data) || !envelope_is_plain(line->raw, stream, data))
                return error_set(
                    loader->error, ERR_PARSE, "no plain envelope: %.60s", line->raw.data);
        if (!kind_kept(loader->tape, stream) || !scan_find(data, "s", &name))
                return 0;
        int result = loader_need_stream(loader, VENUE_BINANCE, stream, &stream_index);
        if (!result)
                result =
                    loader_need_symbol(loader, VENUE_BINANCE, span_unquote(name), &symbol_index);
        if (result)
                return result;
        if (scan_find(data, "e", &type))
                type = span_unquote(type);
        struct message *message = loader_add_message(loader, line->time_ns);
        message->text = data;
        message->stream = stream_index;
        message->symbol = symbol_index;
        note_numbers(loader, message, data, type);
        return span_is(type, "depthUpdate") ? note_event(loader, message) : 0;
}

/* The image of a symbol: its place on the tape now, its levels when the symbol is known. */
static int add_image(struct loader *loader, const struct line *line)
{
        struct span url = line->url, name = {0};
        span_cut(&url, "symbol=");
        name = span_cut(&url, "&");
        struct message *message = loader_add_message(loader, line->time_ns);
        message->text = line->raw;
        return name.size ? loader_need_symbol(loader, VENUE_BINANCE, name, &message->symbol) : 0;
}

static int add_line(struct loader *loader, const struct line *line)
{
        struct span value;
        if (scan_find(line->raw, "stream", &value))
                return add_stream_message(loader, line, value);
        if (scan_find(line->raw, "lastUpdateId", &value))
                return add_image(loader, line);
        if (scan_find(line->raw, "channel", &value))
                return advanced_add_line(loader, line, span_unquote(value));
        if (scan_find(line->raw, "type", &value))
                return exchange_add_line(loader, line, span_unquote(value));
        if (line->url.size)
                return products_add_line(loader, line);
        return 0;
}

static int only_symbol(struct loader *loader, uint32_t *ret_index)
{
        const struct tape *tape = loader->tape;
        uint32_t found = TAPE_NONE, count = 0;
        for (uint32_t i = 0; i < tape->symbol_count; i++)
                if (tape->symbols[i].capture == loader->capture_index) {
                        found = i;
                        count++;
                }
        if (count != 1)
                return error_set(loader->error, ERR_PARSE, "an image belongs to no known symbol");
        *ret_index = found;
        return 0;
}

/* Put the image's levels in front of those of the events. */
static int take_image(struct loader *loader, const struct message *message)
{
        struct symbol *symbol = &loader->tape->symbols[message->symbol];
        struct span id, bids, asks;
        if (symbol->has_image)
                return 0;
        if (!scan_find(message->text, "lastUpdateId", &id) || !span_int(id, &symbol->image_id) ||
            !scan_find(message->text, "bids", &bids) || !scan_find(message->text, "asks", &asks))
                return error_set(loader->error, ERR_PARSE, "%s: no image", symbol->name);
        struct level *later = symbol->levels;
        size_t later_count = symbol->level_count;
        symbol->levels = NULL;
        symbol->level_count = 0;
        int result = loader_add_levels(loader, symbol, bids, false);
        if (!result)
                result = loader_add_levels(loader, symbol, asks, true);
        symbol->has_image = true;
        symbol->image_levels = symbol->level_count;
        symbol->levels = memory_resize(
            symbol->levels, (symbol->level_count + later_count + 1) * sizeof(struct level));
        if (later_count)
                memcpy(symbol->levels + symbol->level_count, later,
                    later_count * sizeof(struct level));
        symbol->level_count += later_count;
        for (size_t i = 0; i < symbol->event_count; i++)
                symbol->events[i].level_start += symbol->image_levels;
        free(later);
        return result;
}

static int take_images(struct loader *loader)
{
        struct capture *capture = loader->capture;
        for (size_t i = 0; i < capture->message_count; i++) {
                struct message *message = &capture->messages[i];
                if (message->stream != TAPE_NONE || capture->venue != VENUE_BINANCE)
                        continue;
                int result = 0;
                if (message->symbol == TAPE_NONE)
                        result = only_symbol(loader, &message->symbol);
                if (!result)
                        result = take_image(loader, message);
                if (result)
                        return result;
        }
        return 0;
}

static void finish_symbol(struct symbol *symbol)
{
        if (!symbol->has_image)
                symbol->image_id = symbol->event_count ? symbol->events[0].first_id - 1 : 0;
        while (symbol->first_event < symbol->event_count &&
            symbol->events[symbol->first_event].last_id <= symbol->image_id)
                symbol->first_event++;
        prices_index(symbol);
}

static void finish_capture(struct loader *loader)
{
        struct capture *capture = loader->capture;
        struct tape *tape = loader->tape;
        int64_t last = capture->messages[capture->message_count - 1].time_ns;
        int64_t event_span = (capture->last_event_ms - loader->first_event_ms) * NS_PER_MS;
        capture->span_ns = (last > event_span ? last : event_span) + SEAM_NS;
        capture->span_ns -= capture->span_ns % NS_PER_MS;
        for (uint32_t i = 0; i < tape->symbol_count; i++)
                if (tape->symbols[i].capture == loader->capture_index)
                        finish_symbol(&tape->symbols[i]);
}

static int read_files(
    struct capture *capture, const char *argument, struct line_list *ret_list, struct error *error)
{
        struct line_list all = {0};
        struct span rest = {argument, strlen(argument)};
        int result = 0;
        while (rest.size && !result) {
                struct span name = span_cut(&rest, "+");
                char *path = strndup(name.data, name.size);
                capture->texts = memory_resize(
                    capture->texts, (capture->text_count + 1) * sizeof(struct buffer));
                struct buffer *text = &capture->texts[capture->text_count++];
                struct line_list list = {0};
                result = unpack_file(path, text, error);
                if (!result)
                        result = lines_read(text, &list, error);
                all = lines_merge(all, list);
                free(path);
        }
        *ret_list = all;
        return result;
}

int tape_load(struct tape *tape, const char *argument, struct error *error)
{
        if (tape->capture_count == TAPE_CAPTURES)
                return error_set(error, ERR_FULL, "more than %d captures", TAPE_CAPTURES);
        struct loader loader = {.tape = tape,
            .capture_index = tape->capture_count,
            .error = error,
            .capture = &tape->captures[tape->capture_count]};
        struct line_list list;
        tape->capture_count++;
        int result = read_files(loader.capture, argument, &list, error);
        if (list.count)
                loader.start_ns = list.lines[0].time_ns;
        for (size_t i = 0; !result && i < list.count; i++)
                result = add_line(&loader, &list.lines[i]);
        free(list.lines);
        if (!result)
                result = take_images(&loader);
        if (!result && !loader.capture->message_count && !loader.capture->has_products)
                result = error_set(error, ERR_PARSE, "%s: no messages", argument);
        loader.capture->seam_start = loader.capture->message_count;
        if (!result && loader.capture->venue != VENUE_BINANCE)
                result = seam_add(&loader);
        if (!result && loader.capture->message_count)
                finish_capture(&loader);
        return result;
}

void tape_free(struct tape *tape)
{
        for (uint32_t i = 0; i < tape->capture_count; i++) {
                struct capture *capture = &tape->captures[i];
                for (size_t j = 0; j < capture->text_count; j++)
                        buffer_deinit(&capture->texts[j]);
                free(capture->texts);
                for (size_t j = 0; j < capture->made_count; j++)
                        free(capture->made[j]);
                free(capture->made);
                free(capture->messages);
                free(capture->numbers);
        }
        for (uint32_t i = 0; i < tape->symbol_count; i++) {
                free(tape->symbols[i].levels);
                free(tape->symbols[i].events);
                free(tape->symbols[i].prices);
                orders_free(tape->symbols[i].orders);
                buffer_deinit(&tape->symbols[i].said.match);
        }
        for (uint32_t i = 0; i < tape->stream_count; i++)
                buffer_deinit(&tape->streams[i].last);
        for (uint32_t i = 0; i < tape->product_count; i++)
                free(tape->products[i].text);
}
