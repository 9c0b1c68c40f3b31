/* The laboratory's own book. */
#include "replica.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void apply(struct replica *replica, size_t start, size_t count)
{
        for (size_t i = start; i < start + count; i++) {
                const struct level *level = &replica->symbol->levels[i];
                struct span *side = level->is_ask ? replica->asks : replica->bids;
                side[level->slot] = (struct span){level->quantity, level->quantity_size};
        }
}

static void rewind_to_image(struct replica *replica)
{
        const struct symbol *symbol = replica->symbol;
        memset(replica->bids, 0, (symbol->price_count + 1) * sizeof(struct span));
        memset(replica->asks, 0, (symbol->price_count + 1) * sizeof(struct span));
        apply(replica, 0, symbol->image_levels);
        replica->position = symbol->first_event;
}

int64_t replica_id_shift(const struct symbol *symbol)
{
        if (symbol->venue != VENUE_BINANCE)
                return 0; /* its events are only counted */
        int64_t next = symbol->first_event < symbol->event_count
            ? symbol->events[symbol->first_event].first_id
            : symbol->image_id + 1;
        return symbol->update_ids.high + 2 - next;
}

int64_t replica_seam_id(const struct symbol *symbol, unsigned repetition)
{
        return symbol->update_ids.high + 1 + repetition * replica_id_shift(symbol);
}

static void go_to(struct replica *replica, unsigned repetition, size_t events_done)
{
        const struct symbol *symbol = replica->symbol;
        if (events_done < replica->position)
                rewind_to_image(replica);
        for (; replica->position < events_done; replica->position++) {
                const struct event *event = &symbol->events[replica->position];
                apply(replica, event->level_start, event->level_count);
        }
        if (events_done > symbol->first_event)
                replica->last_id =
                    symbol->events[events_done - 1].last_id + repetition * replica_id_shift(symbol);
        else
                replica->last_id =
                    repetition ? replica_seam_id(symbol, repetition - 1) : symbol->image_id;
}

void replica_init(struct replica *replica, const struct symbol *symbol, size_t behind)
{
        *replica = (struct replica){.symbol = symbol};
        replica->bids = memory_new((symbol->price_count + 1) * sizeof(struct span));
        replica->asks = memory_new((symbol->price_count + 1) * sizeof(struct span));
        rewind_to_image(replica);
        unsigned repetition = symbol->repetition;
        size_t done = symbol->events_done;
        while (repetition && done < symbol->first_event + behind) {
                behind -= done > symbol->first_event ? done - symbol->first_event : 0;
                done = symbol->event_count;
                repetition--;
                behind -= behind ? 1 : 0; /* the seam */
        }
        go_to(replica, repetition, done > behind ? done - behind : 0);
}

void replica_deinit(struct replica *replica)
{
        free(replica->bids);
        free(replica->asks);
        *replica = (struct replica){0};
}

void replica_advance(struct replica *replica)
{
        go_to(replica, replica->symbol->repetition, replica->symbol->events_done);
}

size_t replica_best_bid(const struct replica *replica)
{
        for (size_t slot = replica->symbol->price_count; slot > 0; slot--)
                if (replica->bids[slot - 1].size)
                        return slot - 1;
        return replica->symbol->price_count;
}

size_t replica_best_ask(const struct replica *replica)
{
        size_t slot = 0;
        while (slot < replica->symbol->price_count && !replica->asks[slot].size)
                slot++;
        return slot;
}

static void print_level(struct buffer *text, struct span price, struct span quantity, size_t index)
{
        buffer_append_text(text, index ? ",[\"" : "[\"");
        buffer_append(text, price.data, price.size);
        buffer_append_text(text, "\",\"");
        buffer_append(text, quantity.data, quantity.size);
        buffer_append_text(text, "\"]");
}

size_t replica_print_side(
    const struct replica *replica, bool is_ask, size_t limit, bool crossed, struct buffer *text)
{
        const struct symbol *symbol = replica->symbol;
        const struct span *side = is_ask ? replica->asks : replica->bids;
        size_t count = 0, above = replica_best_ask(replica) + 1;
        buffer_append_byte(text, '[');
        if (crossed && !is_ask && above < symbol->price_count)
                print_level(text, symbol->prices[above], (struct span){"1.00000000", 10}, count++);
        for (size_t i = 0; i < symbol->price_count && count < limit; i++) {
                size_t slot = is_ask ? i : symbol->price_count - 1 - i;
                if (side[slot].size)
                        print_level(text, symbol->prices[slot], side[slot], count++);
        }
        buffer_append_byte(text, ']');
        return count;
}

/* What differs from @image, with the image's quantity, or a zero as the exchange writes it. */
static void print_difference(
    const struct replica *replica, const struct replica *image, bool is_ask, struct buffer *text)
{
        const struct span *have = is_ask ? replica->asks : replica->bids;
        const struct span *want = is_ask ? image->asks : image->bids;
        size_t count = 0;
        buffer_append_byte(text, '[');
        for (size_t slot = 0; slot < replica->symbol->price_count; slot++) {
                struct span goal = want[slot].size ? want[slot] : (struct span){"0.00000000", 10};
                bool same = have[slot].size == want[slot].size &&
                    (!want[slot].size ||
                        !memcmp(have[slot].data, want[slot].data, want[slot].size));
                if (!same)
                        print_level(text, replica->symbol->prices[slot], goal, count++);
        }
        buffer_append_byte(text, ']');
}

void replica_print_seam(
    const struct replica *replica, unsigned repetition, int64_t event_ms, struct buffer *text)
{
        const struct symbol *symbol = replica->symbol;
        struct symbol begin = *symbol;
        struct replica image;
        begin.repetition = 0;
        begin.events_done = 0;
        replica_init(&image, &begin, 0);
        int64_t first_id = symbol->events[symbol->event_count - 1].last_id +
            repetition * replica_id_shift(symbol) + 1;
        buffer_printf(text,
            "{\"e\":\"depthUpdate\",\"E\":%" PRId64 ",\"s\":\"%s\",\"U\":%" PRId64 ",\"u\":%" PRId64
            ",\"b\":",
            event_ms, symbol->name, first_id, replica_seam_id(symbol, repetition));
        print_difference(replica, &image, false, text);
        buffer_append_text(text, ",\"a\":");
        print_difference(replica, &image, true, text);
        buffer_append_text(text, "}");
        replica_deinit(&image);
}
