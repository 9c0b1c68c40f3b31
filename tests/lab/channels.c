/* Names the streams of Coinbase's channels. */
#include "channels.h"

#include <stdio.h>
#include <string.h>

static const struct word {
        enum venue venue;
        enum channel channel;
        const char *name;
        const char *alias; /* a second name that subscribers may use */
        bool is_depth;
} words[] = {
    {VENUE_EXCHANGE, CHANNEL_LEVEL2, "level2", "level2_50", true},
    {VENUE_EXCHANGE, CHANNEL_FULL, "full", NULL, true},
    {VENUE_EXCHANGE, CHANNEL_MATCHES, "matches", NULL, false},
    {VENUE_EXCHANGE, CHANNEL_TICKER, "ticker", NULL, false},
    {VENUE_ADVANCED, CHANNEL_LEVEL2, "l2_data", NULL, true},
    {VENUE_ADVANCED, CHANNEL_TRADES, "market_trades", NULL, false},
    {VENUE_ADVANCED, CHANNEL_TICKER, "ticker", NULL, false},
    {VENUE_ADVANCED, CHANNEL_CANDLES, "candles", NULL, false},
};

static const struct word *find_word(enum venue venue, enum channel channel)
{
        size_t i = 0;
        while (words[i].venue != venue || words[i].channel != channel)
                i++;
        return &words[i];
}

int channels_need_stream(
    struct loader *loader, uint32_t symbol_index, enum channel channel, uint32_t *ret_stream)
{
        struct symbol *symbol = &loader->tape->symbols[symbol_index];
        const struct word *word = find_word(symbol->venue, channel);
        char name[2 * TAPE_NAME_SIZE];
        *ret_stream = TAPE_NONE;
        if (!loader_keeps(loader->tape, (struct span){word->name, strlen(word->name)}))
                return 0;
        int size = snprintf(name, sizeof(name), "%s:%s", word->name, symbol->name);
        int result = loader_need_stream(
            loader, symbol->venue, (struct span){name, (size_t)size}, ret_stream);
        if (result)
                return result;
        struct stream *stream = &loader->tape->streams[*ret_stream];
        stream->channel = channel;
        stream->symbol = symbol_index;
        stream->is_depth = word->is_depth;
        if (word->alias && strlen(word->alias) + strlen(symbol->name) + 2 <= TAPE_NAME_SIZE) {
                size = snprintf(name, sizeof(name), "%s:%s", word->alias, symbol->name);
                memcpy(stream->alias, name, (size_t)size + 1);
        }
        return 0;
}

int channels_add_message(struct loader *loader, const struct line *line, uint32_t symbol,
    enum channel channel, struct message **ret_message)
{
        uint32_t stream = TAPE_NONE;
        int result = channels_need_stream(loader, symbol, channel, &stream);
        *ret_message = NULL;
        if (result || stream == TAPE_NONE)
                return result;
        struct message *message = loader_add_message(loader, line->time_ns);
        message->text = line->raw;
        message->stream = stream;
        message->symbol = symbol;
        *ret_message = message;
        return 0;
}
