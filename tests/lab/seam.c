/* Makes the seams of Coinbase captures. */
#include "seam.h"

#include <stdlib.h>
#include <string.h>

#include "advanced_tape.h"
#include "base/clock.h"
#include "exchange_tape.h"
#include "orders.h"
#include "prices.h"
#include "replica.h"

#define TEXT_LIMIT (64u << 20)
#define SEAM_AFTER_NS (50 * NS_PER_MS)

/* The time that the symbol's last message has; TAPE_NONE: the capture's. */
static struct span last_time(const struct loader *loader, uint32_t index, const char *key)
{
        const struct capture *capture = loader->capture;
        struct span value;
        for (size_t i = capture->seam_start; i > 0; i--) {
                const struct message *message = &capture->messages[i - 1];
                if ((index == TAPE_NONE || message->symbol == index) &&
                    message->stream != TAPE_NONE && scan_find(message->text, key, &value))
                        return span_unquote(value);
        }
        return (struct span){"", 0};
}

static void print_change(const struct replica *replica, struct span quantity, size_t slot,
    bool is_ask, const char *time, bool *first, struct buffer *text)
{
        struct span price = replica->symbol->prices[slot];
        if (!quantity.size)
                quantity = (struct span){"0", 1};
        buffer_append_text(text, *first ? "" : ",");
        *first = false;
        if (replica->symbol->venue == VENUE_EXCHANGE)
                buffer_printf(text, "[\"%s\",\"%.*s\",\"%.*s\"]", is_ask ? "sell" : "buy",
                    (int)price.size, price.data, (int)quantity.size, quantity.data);
        else
                buffer_printf(text,
                    "{\"side\":\"%s\",\"event_time\":\"%s\",\"price_level\":\"%.*s\","
                    "\"new_quantity\":\"%.*s\"}",
                    is_ask ? "offer" : "bid", time, (int)price.size, price.data, (int)quantity.size,
                    quantity.data);
}

static bool same(struct span a, struct span b)
{
        return a.size == b.size && (!a.size || !memcmp(a.data, b.data, a.size));
}

/* What differs between the book at the end and the image. */
static bool print_changes(const struct symbol *symbol, const char *time, struct buffer *text)
{
        struct symbol end = *symbol;
        struct replica last, image;
        bool first = true;
        end.events_done = end.event_count;
        replica_init(&last, &end, 0);
        replica_init(&image, symbol, 0);
        for (int is_ask = 0; is_ask < 2; is_ask++) {
                const struct span *have = is_ask ? last.asks : last.bids;
                const struct span *want = is_ask ? image.asks : image.bids;
                for (size_t slot = 0; slot < symbol->price_count; slot++)
                        if (!same(have[slot], want[slot]))
                                print_change(&last, want[slot], slot, is_ask, time, &first, text);
        }
        replica_deinit(&last);
        replica_deinit(&image);
        return !first;
}

static int add_exchange(struct loader *loader, uint32_t index, int64_t time_ns)
{
        const struct symbol *symbol = &loader->tape->symbols[index];
        struct span time = last_time(loader, index, "time");
        struct buffer text;
        int result = 0;
        buffer_init(&text, TEXT_LIMIT);
        buffer_printf(
            &text, "{\"type\":\"l2update\",\"product_id\":\"%s\",\"changes\":[", symbol->name);
        if (print_changes(symbol, "", &text)) {
                buffer_printf(&text, "],\"time\":\"%.*s\"}", (int)time.size, time.data);
                struct line line = {.time_ns = time_ns, .raw = loader_keep_text(loader, &text)};
                result = exchange_add_line(loader, &line, (struct span){"l2update", 8});
        }
        buffer_deinit(&text);
        return result;
}

static int add_advanced(struct loader *loader, uint32_t index, int64_t time_ns)
{
        const struct symbol *symbol = &loader->tape->symbols[index];
        struct span time = last_time(loader, TAPE_NONE, "timestamp");
        char stamp[TIME_TEXT_SIZE] = {0};
        struct buffer text;
        int result = 0;
        if (time.size < sizeof(stamp))
                memcpy(stamp, time.data, time.size);
        buffer_init(&text, TEXT_LIMIT);
        buffer_printf(&text,
            "{\"channel\":\"l2_data\",\"timestamp\":\"%s\",\"sequence_num\":0,\"events\":["
            "{\"type\":\"update\",\"product_id\":\"%s\",\"updates\":[",
            stamp, symbol->name);
        if (print_changes(symbol, stamp, &text)) {
                buffer_append_text(&text, "]}]}");
                struct line line = {.time_ns = time_ns, .raw = loader_keep_text(loader, &text)};
                result = advanced_add_line(loader, &line, (struct span){"l2_data", 7});
        }
        buffer_deinit(&text);
        return result;
}

static int add_orders(struct loader *loader, uint32_t index, int64_t time_ns)
{
        const struct symbol *symbol = &loader->tape->symbols[index];
        struct span time = last_time(loader, index, "time");
        struct buffer text;
        int result = 0;
        if (!time.size)
                return 0;
        buffer_init(&text, TEXT_LIMIT);
        orders_print_seam(symbol->orders, symbol->name, time, &text);
        struct span rest = loader_keep_text(loader, &text);
        while (rest.size && !result) {
                struct line line = {.time_ns = time_ns, .raw = span_cut(&rest, "\n")};
                result = exchange_add_line(loader, &line, (struct span){"done", 4});
        }
        buffer_deinit(&text);
        return result;
}

/* Slots are needed to compare books, and change with what is added: they are made again later. */
static int add_levels(struct loader *loader, uint32_t index, int64_t time_ns)
{
        struct symbol *symbol = &loader->tape->symbols[index];
        prices_index(symbol);
        int result = symbol->venue == VENUE_EXCHANGE ? add_exchange(loader, index, time_ns)
                                                     : add_advanced(loader, index, time_ns);
        free(symbol->prices);
        symbol->prices = NULL;
        symbol->price_count = 0;
        symbol->tick = symbol->step = 0;
        return result;
}

int seam_add(struct loader *loader)
{
        const struct capture *capture = loader->capture;
        int result = 0;
        if (!capture->message_count)
                return 0;
        int64_t time_ns =
            loader->start_ns + capture->messages[capture->seam_start - 1].time_ns + SEAM_AFTER_NS;
        for (uint32_t i = 0; !result && i < loader->tape->symbol_count; i++) {
                const struct symbol *symbol = &loader->tape->symbols[i];
                if (symbol->capture != loader->capture_index)
                        continue;
                if (symbol->orders && symbol->orders->step_count)
                        result = add_orders(loader, i, time_ns);
                else if (symbol->has_image && symbol->event_count)
                        result = add_levels(loader, i, time_ns);
        }
        return result;
}
