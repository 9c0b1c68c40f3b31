/* Reads messages of Coinbase Advanced Trade. */
#include "advanced_tape.h"

#include "channels.h"

static const struct word {
        const char *name;
        enum channel channel;
        const char *list; /* where an event keeps its elements */
} words[] = {
    {"l2_data", CHANNEL_LEVEL2, "updates"},
    {"market_trades", CHANNEL_TRADES, "trades"},
    {"ticker", CHANNEL_TICKER, "tickers"},
    {"candles", CHANNEL_CANDLES, "candles"},
};

bool advanced_event_member(struct span message, const char *key, struct span *ret_value)
{
        struct scan scan;
        struct span events, event;
        return scan_find(message, "events", &events) && scan_begin(&scan, events, '[') &&
            scan_element(&scan, &event) && scan_find(event, key, ret_value);
}

/* The product of a message: its event's, or that of the first element. */
static struct span product_of(struct span message, const char *list)
{
        struct scan scan;
        struct span value, element;
        if (advanced_event_member(message, "product_id", &value))
                return span_unquote(value);
        if (advanced_event_member(message, list, &value) && scan_begin(&scan, value, '[') &&
            scan_element(&scan, &element) && scan_find(element, "product_id", &value))
                return span_unquote(value);
        return (struct span){"", 0};
}

static int add_updates(struct loader *loader, struct symbol *symbol, struct span message)
{
        struct scan scan;
        struct span updates, update, side, price, size;
        int result = 0;
        if (!advanced_event_member(message, "updates", &updates) ||
            !scan_begin(&scan, updates, '['))
                return error_set(loader->error, ERR_PARSE, "%s: no updates", symbol->name);
        while (!result && scan_element(&scan, &update)) {
                if (!scan_find(update, "side", &side) ||
                    !scan_find(update, "price_level", &price) ||
                    !scan_find(update, "new_quantity", &size))
                        return error_set(loader->error, ERR_PARSE, "%s: no update", symbol->name);
                result = loader_add_level(loader, symbol, span_unquote(price), span_unquote(size),
                    !span_is(span_unquote(side), "bid"));
        }
        return result;
}

static int take_snapshot(struct loader *loader, struct span raw, uint32_t index, uint32_t stream)
{
        struct symbol *symbol = &loader->tape->symbols[index];
        struct stream *of = &loader->tape->streams[stream];
        if (of->snapshot.size)
                return 0;
        of->snapshot = raw;
        if (of->channel != CHANNEL_LEVEL2)
                return 0;
        int result = add_updates(loader, symbol, raw);
        symbol->has_image = true;
        symbol->image_levels = symbol->level_count;
        symbol->depth_stream = stream;
        return result;
}

/* Where sequence_num stands: each connection has its own. */
static int note_turn(struct loader *loader, struct message *message)
{
        struct span value;
        if (!scan_find(message->text, "sequence_num", &value) || !value.size || value.size > 20)
                return error_set(loader->error, ERR_PARSE, "a message has no sequence_num");
        message->turn_offset = (uint32_t)(value.data - message->text.data);
        message->turn_size = (uint8_t)value.size;
        if (scan_find(message->text, "timestamp", &value)) {
                loader_note_stamp(loader, span_unquote(value));
                loader_add_number(loader, message, span_unquote(value), NUMBER_STAMP);
        }
        return 0;
}

/* Times and trades of the elements, in the order of the text. */
static void note_elements(struct loader *loader, struct message *message, const char *list)
{
        struct scan scan, members;
        struct span elements, element, key, value;
        if (!advanced_event_member(message->text, list, &elements) ||
            !scan_begin(&scan, elements, '['))
                return;
        while (scan_element(&scan, &element)) {
                if (!scan_begin(&members, element, '{'))
                        return;
                while (scan_member(&members, &key, &value)) {
                        value = span_unquote(value);
                        if (span_is(key, "trade_id"))
                                loader_add_number(loader, message, value, NUMBER_TRADE);
                        else if (span_is(key, "time") || span_is(key, "event_time"))
                                loader_add_number(loader, message, value, NUMBER_STAMP);
                }
        }
}

static int add_message(
    struct loader *loader, const struct line *line, uint32_t index, const struct word *word)
{
        enum channel channel = word->channel;
        struct symbol *symbol = &loader->tape->symbols[index];
        struct message *message;
        size_t level_start = symbol->level_count;
        if (channel == CHANNEL_LEVEL2 && !symbol->has_image)
                return 0;
        int result = channels_add_message(loader, line, index, channel, &message);
        if (!message)
                return result;
        result = note_turn(loader, message);
        note_elements(loader, message, word->list);
        if (result || channel != CHANNEL_LEVEL2)
                return result;
        result = add_updates(loader, symbol, line->raw);
        int64_t id = (int64_t)symbol->event_count + 1;
        message->event = loader_add_event(symbol, id, id, level_start);
        return result;
}

static int add_word(struct loader *loader, const struct line *line, const struct word *word)
{
        struct span type, product = product_of(line->raw, word->list);
        uint32_t index, stream;
        if (!product.size || !advanced_event_member(line->raw, "type", &type))
                return 0;
        int result = loader_need_symbol(loader, VENUE_ADVANCED, product, &index);
        if (!result)
                result = channels_need_stream(loader, index, word->channel, &stream);
        if (result || stream == TAPE_NONE)
                return result;
        if (span_is(type, "\"snapshot\""))
                return take_snapshot(loader, line->raw, index, stream);
        return add_message(loader, line, index, word);
}

int advanced_add_line(struct loader *loader, const struct line *line, struct span channel)
{
        loader->capture->venue = VENUE_ADVANCED;
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (span_is(channel, words[i].name))
                        return add_word(loader, line, &words[i]);
        return 0;
}
