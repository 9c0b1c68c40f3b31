/* Reads messages of Coinbase Exchange; of a full capture it makes level2 and matches. */
#include "exchange_tape.h"

#include <string.h>

#include "base/clock.h"
#include "channels.h"
#include "orders.h"

#define TEXT_LIMIT (16u << 20)

static struct span text_of(struct span message, const char *key)
{
        struct span value = {"", 0};
        return scan_find(message, key, &value) ? span_unquote(value) : value;
}

static int64_t number_of(struct span message, const char *key)
{
        struct span value;
        int64_t number = 0;
        if (scan_find(message, key, &value))
                span_int(value, &number);
        return number;
}

static int wrong(struct loader *loader, const struct line *line)
{
        return error_set(loader->error, ERR_PARSE, "no message of Coinbase: %.*s",
            line->raw.size < 80 ? (int)line->raw.size : 80, line->raw.data);
}

/* A ticker may repeat an old trade: that is no begin of a pass. */
static void note_stamp(struct loader *loader, struct message *message, struct span stamp)
{
        if (loader->tape->streams[message->stream].channel != CHANNEL_TICKER)
                loader_note_stamp(loader, stamp);
        loader_add_number(loader, message, stamp, NUMBER_STAMP);
}

/* Note what every message may say: its sequence, trade and time. */
static void note_facts(struct loader *loader, struct message *message)
{
        struct scan scan;
        struct span key, value;
        if (!scan_begin(&scan, message->text, '{'))
                return;
        while (scan_member(&scan, &key, &value)) {
                if (span_is(key, "sequence"))
                        loader_add_number(loader, message, value, NUMBER_UPDATE);
                else if (span_is(key, "trade_id"))
                        loader_add_number(loader, message, value, NUMBER_TRADE);
                else if (span_is(key, "time"))
                        note_stamp(loader, message, span_unquote(value));
        }
        message->trade_id = number_of(message->text, "trade_id");
}

static int add_plain(
    struct loader *loader, const struct line *line, uint32_t symbol, enum channel channel)
{
        struct message *message;
        int result = channels_add_message(loader, line, symbol, channel, &message);
        struct id_range trades = loader->tape->symbols[symbol].trade_ids;
        if (message)
                note_facts(loader, message);
        if (channel == CHANNEL_TICKER) /* it begins with a trade before those of matches */
                loader->tape->symbols[symbol].trade_ids = trades;
        return result;
}

/* The image needs no place on the tape: every subscriber gets one of the moment. */
static int add_snapshot(struct loader *loader, const struct line *line, uint32_t index)
{
        struct symbol *symbol = &loader->tape->symbols[index];
        struct span bids, asks;
        uint32_t stream;
        if (symbol->has_image)
                return 0;
        if (!scan_find(line->raw, "bids", &bids) || !scan_find(line->raw, "asks", &asks))
                return wrong(loader, line);
        int result = channels_need_stream(loader, index, CHANNEL_LEVEL2, &stream);
        if (!result)
                result = loader_add_levels(loader, symbol, bids, false);
        if (!result)
                result = loader_add_levels(loader, symbol, asks, true);
        symbol->has_image = true;
        symbol->image_levels = symbol->level_count;
        if (symbol->depth_stream == TAPE_NONE)
                symbol->depth_stream = stream;
        return result;
}

static int add_changes(struct loader *loader, struct symbol *symbol, struct span changes)
{
        struct scan scan, parts;
        struct span change, side, price, size;
        int result = 0;
        if (!scan_begin(&scan, changes, '['))
                return error_set(loader->error, ERR_PARSE, "%s: no changes", symbol->name);
        while (!result && scan_element(&scan, &change)) {
                if (!scan_begin(&parts, change, '[') || !scan_element(&parts, &side) ||
                    !scan_element(&parts, &price) || !scan_element(&parts, &size))
                        return error_set(loader->error, ERR_PARSE, "%s: no change", symbol->name);
                result = loader_add_level(loader, symbol, span_unquote(price), span_unquote(size),
                    span_is(span_unquote(side), "sell"));
        }
        return result;
}

/* Events are counted from 1: this channel has no ids. */
static int add_update(
    struct loader *loader, const struct line *line, uint32_t index, int64_t sequence)
{
        struct symbol *symbol = &loader->tape->symbols[index];
        struct message *message;
        struct span changes;
        int64_t id = sequence ? sequence : (int64_t)symbol->event_count + 1;
        size_t level_start = symbol->level_count;
        if (!symbol->has_image)
                return 0;
        if (!scan_find(line->raw, "changes", &changes))
                return wrong(loader, line);
        int result = channels_add_message(loader, line, index, CHANNEL_LEVEL2, &message);
        if (!message)
                return result;
        note_facts(loader, message);
        result = add_changes(loader, symbol, changes);
        message->event = loader_add_event(symbol, id, id, level_start);
        return result;
}

static void note_time(struct said *said, struct span message)
{
        struct span time = text_of(message, "time");
        if (time.size < sizeof(said->time))
                memcpy(said->time, time.data, time.size);
}

static int note_last_match(struct loader *loader, const struct line *line, uint32_t index)
{
        uint32_t stream;
        struct said *said = &loader->tape->symbols[index].said;
        buffer_clear(&said->match);
        buffer_append(&said->match, line->raw.data, line->raw.size);
        said->sequence = number_of(line->raw, "sequence");
        said->trade_id = number_of(line->raw, "trade_id");
        note_time(said, line->raw);
        return channels_need_stream(loader, index, CHANNEL_MATCHES, &stream);
}

static int add_row(struct loader *loader, const struct line *line, uint32_t index)
{
        struct symbol *symbol = &loader->tape->symbols[index];
        int64_t sequence = number_of(line->raw, "sequence");
        if (!symbol->orders) {
                symbol->orders = orders_new(sequence);
                symbol->image_id = sequence;
                symbol->said.sequence = sequence;
        }
        if (symbol->orders->image_is_whole || sequence != symbol->image_id ||
            orders_add_row(symbol->orders, line->raw))
                return wrong(loader, line);
        return 0;
}

static int add_made(struct loader *loader, const struct line *line, uint32_t index,
    struct buffer *text, int64_t sequence)
{
        struct line made = {.time_ns = line->time_ns, .raw = loader_keep_text(loader, text)};
        return sequence ? add_update(loader, &made, index, sequence)
                        : add_snapshot(loader, &made, index);
}

/* The rows are all there: time begins now, and level2 gets its image. */
static int end_image(struct loader *loader, const struct line *line, uint32_t index)
{
        struct symbol *symbol = &loader->tape->symbols[index];
        struct buffer text;
        symbol->orders->image_is_whole = true;
        note_time(&symbol->said, line->raw);
        if (!loader->capture->message_count)
                loader->start_ns = line->time_ns;
        buffer_init(&text, TEXT_LIMIT);
        buffer_append_text(&text, "{\"asks\":");
        orders_print_groups(symbol->orders, true, &text);
        buffer_append_text(&text, ",\"bids\":");
        orders_print_groups(symbol->orders, false, &text);
        buffer_append_text(&text, "}");
        int result = add_made(loader, line, index, &text, 0);
        buffer_deinit(&text);
        return result;
}

static void print_changes(
    const struct orders *orders, const uint32_t *groups, size_t count, struct buffer *text)
{
        for (size_t i = 0; i < count; i++) {
                const struct order_group *group = &orders->groups[groups[i]];
                buffer_printf(text, "%s[\"%s\",\"%.*s\",\"", i ? "," : "",
                    group->is_ask ? "sell" : "buy", (int)group->price.size, group->price.data);
                orders_print_size(group->size, text);
                buffer_append_text(text, "\"]");
        }
}

/* What level2 says of a message of full. */
static int make_update(struct loader *loader, const struct line *line, uint32_t index,
    const uint32_t *groups, size_t count)
{
        const struct symbol *symbol = &loader->tape->symbols[index];
        struct span time = text_of(line->raw, "time");
        struct buffer text;
        buffer_init(&text, TEXT_LIMIT);
        buffer_printf(
            &text, "{\"type\":\"l2update\",\"product_id\":\"%s\",\"changes\":[", symbol->name);
        print_changes(symbol->orders, groups, count, &text);
        buffer_printf(&text, "],\"time\":\"%.*s\"}", (int)time.size, time.data);
        int result = add_made(loader, line, index, &text,
            symbol->orders->steps[symbol->orders->step_count - 1].sequence);
        buffer_deinit(&text);
        return result;
}

/* The image's place on the tape, for play to wait there. */
static int place_image(struct loader *loader, const struct line *line, uint32_t index)
{
        struct symbol *symbol = &loader->tape->symbols[index];
        if (symbol->orders->step_count != EXCHANGE_IMAGE_PLACE)
                return 0;
        loader_add_message(loader, line->time_ns)->symbol = index;
        return channels_need_stream(loader, index, CHANNEL_FULL, &symbol->depth_stream);
}

static int add_full(struct loader *loader, const struct line *line, uint32_t index, bool is_match)
{
        struct symbol *symbol = &loader->tape->symbols[index];
        struct orders *orders = symbol->orders;
        struct message *message;
        uint32_t groups[2];
        size_t count = 0;
        int result = orders->image_is_whole ? 0 : end_image(loader, line, index);
        if (!result)
                result = channels_add_message(loader, line, index, CHANNEL_FULL, &message);
        if (result)
                return result;
        int64_t sequence = number_of(line->raw, "sequence");
        if (!sequence || orders_take(orders, line->raw, sequence, groups, &count))
                return wrong(loader, line);
        if (message) {
                note_facts(loader, message);
                message->steps_done = orders->step_count;
        }
        if (is_match && !symbol->said.trade_id)
                symbol->said.trade_id = number_of(line->raw, "trade_id") - 1;
        if (is_match)
                result = add_plain(loader, line, index, CHANNEL_MATCHES);
        if (!result && count)
                result = make_update(loader, line, index, groups, count);
        return result ? result : place_image(loader, line, index);
}

int exchange_add_line(struct loader *loader, const struct line *line, struct span type)
{
        struct span product = text_of(line->raw, "product_id");
        uint32_t index;
        if (!product.size)
                return 0;
        int result = loader_need_symbol(loader, VENUE_EXCHANGE, product, &index);
        if (result)
                return result;
        loader->capture->venue = VENUE_EXCHANGE;
        if (span_is(type, "open") && !text_of(line->raw, "time").size)
                return add_row(loader, line, index);
        if (loader->tape->symbols[index].orders)
                return add_full(loader, line, index, span_is(type, "match"));
        if (span_is(type, "snapshot"))
                return add_snapshot(loader, line, index);
        if (span_is(type, "l2update"))
                return add_update(loader, line, index, 0);
        if (span_is(type, "ticker"))
                return add_plain(loader, line, index, CHANNEL_TICKER);
        if (span_is(type, "match"))
                return add_plain(loader, line, index, CHANNEL_MATCHES);
        if (span_is(type, "last_match"))
                return note_last_match(loader, line, index);
        return 0;
}
