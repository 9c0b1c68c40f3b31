#include "codec/decoder.h"

#include <stdlib.h>

#include "base/limits.h"

void decoder_init(struct decoder *decoder)
{
        *decoder = (struct decoder){0};
        frame_packer_init(&decoder->packer);
        plain_decoder_init(&decoder->plain);
        token_decoder_init(&decoder->tokens);
        nibble_decoder_init(&decoder->nibbles);
        order_decoder_init(&decoder->orders);
        trade_decoder_init(&decoder->trades);
}

void decoder_deinit(struct decoder *decoder)
{
        frame_packer_deinit(&decoder->packer);
        plain_decoder_deinit(&decoder->plain);
        token_decoder_deinit(&decoder->tokens);
        nibble_decoder_deinit(&decoder->nibbles);
        order_decoder_deinit(&decoder->orders);
        trade_decoder_deinit(&decoder->trades);
        free(decoder->levels);
        free(decoder->befores);
        *decoder = (struct decoder){0};
}

/* A segment begins, or an image ends: what was carried is forgotten. */
static void decoder_reset(struct decoder *decoder)
{
        token_decoder_reset(&decoder->tokens);
        nibble_decoder_reset(&decoder->nibbles);
        order_coder_reset(&decoder->orders);
        trade_coder_reset(&decoder->trades);
}

bool decoder_continues(const struct decoder *decoder, const struct frame_info *info)
{
        return info->kind == FRAME_IMAGE || info->method == METHOD_PLAIN ||
            (info->segment == decoder->segment && info->method == decoder->method);
}

static int open_block(struct decoder *decoder, struct bytes block)
{
        const struct frame_info *info = &decoder->info;
        struct event first = {.first_id = info->first_id,
            .event_time_ns = info->first_event_time_ns,
            .receive_time_ns = info->first_receive_time_ns};
        int code;
        switch (info->method) {
        case METHOD_PLAIN:
                return plain_open(&decoder->plain, &info->scale, block);
        case METHOD_TOKENS:
                return token_open(&decoder->tokens, &info->scale, &first, block);
        case METHOD_NIBBLES:
                return nibble_open(&decoder->nibbles, &info->scale, &first, block);
        case METHOD_ORDERS:
                code = order_open(&decoder->orders, &info->scale, &first, block);
                decoder->scan = decoder->orders.heads;
                return code;
        default:
                code = trade_open(&decoder->trades, &info->scale, &first, block);
                decoder->scan = decoder->trades.heads;
                return code;
        }
}

int decoder_open(struct decoder *decoder, struct bytes frame, struct frame_info *ret_info)
{
        struct bytes block;
        int code = frame_unpack(&decoder->packer, frame, ret_info, &block);
        if (!code && !decoder_continues(decoder, ret_info))
                code = ERR_CORRUPT;
        if (code)
                return code;
        decoder->info = *ret_info;
        decoder->levels_left = LIMIT_BLOCK_SIZE;
        if (ret_info->kind == FRAME_IMAGE) {
                decoder_reset(decoder);
                decoder->segment = ret_info->segment;
                decoder->method = ret_info->method;
        }
        return open_block(decoder, block);
}

static void decoder_reserve(struct decoder *decoder, size_t count)
{
        if (decoder->levels && count <= decoder->capacity)
                return;
        decoder->capacity = count < 64 ? 64 : count + count / 2;
        decoder->levels = memory_resize(decoder->levels, decoder->capacity * sizeof(struct level));
        decoder->befores = memory_resize(decoder->befores, decoder->capacity * sizeof(int64_t));
}

/* Apply an order message; its levels are then those that it touched. */
static int apply_order(struct decoder *decoder, struct book *book, struct event *event)
{
        enum side side;
        decoder_reserve(decoder, ORDER_TOUCHES);
        if (book_room(book, event))
                return ERR_CORRUPT;
        unsigned count = book_touch(book, event->order, &side, decoder->levels, decoder->befores);
        book_apply(book, event);
        for (unsigned i = 0; i < count; i++)
                decoder->levels[i].quantity = book_quantity(book, side, decoder->levels[i].price);
        event->count[SIDE_BID] = event->count[SIDE_ASK] = 0;
        event->levels[SIDE_BID] = event->levels[SIDE_ASK] = decoder->levels;
        if (count)
                event->count[side] = count;
        return 0;
}

static int apply_levels(struct decoder *decoder, struct book *book, const struct event *event)
{
        int64_t *befores;
        decoder_reserve(decoder, event_level_count(event));
        befores = decoder->befores;
        if (book_room(book, event))
                return ERR_CORRUPT;
        for (enum side s = 0; s < SIDES; s++) {
                const struct level *levels = event->levels[s];
                for (uint32_t i = 0; i < event->count[s]; i++)
                        *befores++ = book_set(book, s, levels[i].price, levels[i].quantity);
        }
        book->id = event->last_id;
        return 0;
}

/* A trade leaves the book as it is. */
static int pass_trade(struct decoder *decoder, struct book *book, const struct event *event)
{
        decoder_reserve(decoder, 1);
        decoder->befores[0] = 0;
        book->id = event->last_id;
        return 0;
}

static int next_plain(struct decoder *decoder, struct book *book, struct event *ret_event)
{
        struct event event;
        int more = plain_next(&decoder->plain, &event);
        if (more != 1)
                return more;
        int code = !book               ? 0
            : event.type == TYPE_ORDER ? apply_order(decoder, book, &event)
            : event_is_trade(&event)   ? pass_trade(decoder, book, &event)
                                       : apply_levels(decoder, book, &event);
        if (code)
                return code;
        *ret_event = event;
        return 1;
}

static int next_order(struct decoder *decoder, struct book *book, struct event *ret_event)
{
        struct event event;
        int more = book ? order_next(&decoder->orders, &event) : ERR_CORRUPT;
        if (more != 1)
                return more;
        if (!book->by_order || event_level_count(&event) ||
            order_read(&decoder->orders, book, &decoder->order))
                return ERR_CORRUPT;
        event.type = TYPE_ORDER;
        event.order = &decoder->order;
        if (apply_order(decoder, book, &event))
                return ERR_CORRUPT;
        *ret_event = event;
        return 1;
}

static int next_trade(struct decoder *decoder, struct book *book, struct event *ret_event)
{
        decoder_reserve(decoder, 1);
        int more = book ? trade_next(&decoder->trades, ret_event, decoder->levels) : ERR_CORRUPT;
        return more == 1 && pass_trade(decoder, book, ret_event) ? ERR_CORRUPT : more;
}

static int next_head(struct decoder *decoder, struct event *ret_event, unsigned *ret_bits)
{
        return decoder->info.method == METHOD_TOKENS
            ? token_next(&decoder->tokens, ret_event, ret_bits)
            : nibble_next(&decoder->nibbles, ret_event, ret_bits);
}

static int next_levels(
    struct decoder *decoder, struct book *book, const struct event *event, unsigned bits)
{
        struct level *levels = decoder->levels;
        return decoder->info.method == METHOD_TOKENS
            ? token_levels(&decoder->tokens, book, event, bits, levels, decoder->befores)
            : nibble_levels(&decoder->nibbles, book, event, bits, levels, decoder->befores);
}

static int next_dense(struct decoder *decoder, struct book *book, struct event *ret_event)
{
        struct event event;
        unsigned bits;
        int more = book ? next_head(decoder, &event, &bits) : ERR_CORRUPT;
        if (more != 1)
                return more;
        if (book_room(book, &event) || event_level_count(&event) > decoder->levels_left)
                return ERR_CORRUPT;
        decoder->levels_left -= event_level_count(&event);
        decoder_reserve(decoder, event_level_count(&event));
        event.levels[SIDE_BID] = decoder->levels;
        event.levels[SIDE_ASK] = decoder->levels + event.count[SIDE_BID];
        if (next_levels(decoder, book, &event, bits))
                return ERR_CORRUPT;
        *ret_event = event;
        return 1;
}

int decoder_next(struct decoder *decoder, struct book *book, struct event *ret_event)
{
        switch (decoder->info.method) {
        case METHOD_PLAIN:
                return next_plain(decoder, book, ret_event);
        case METHOD_ORDERS:
                return next_order(decoder, book, ret_event);
        case METHOD_TRADES:
                return next_trade(decoder, book, ret_event);
        default:
                return next_dense(decoder, book, ret_event);
        }
}

void decoder_take_horizon(const struct decoder *decoder, struct book *book)
{
        const struct frame_info *info = &decoder->info;
        for (enum side s = 0; s < SIDES; s++) {
                book->bounded[s] = info->flags & (FRAME_BOUNDED_BID << s);
                book->horizon[s] = info->horizon[s];
        }
}

/* The one event of an image or a repair, and what the frame's head tells of the book. */
static int decoder_book(struct decoder *decoder, struct book *book)
{
        struct event event;
        if (decoder_next(decoder, book, &event) != 1 || event.type != TYPE_LEVELS)
                return ERR_CORRUPT;
        decoder_take_horizon(decoder, book);
        book->id = decoder->info.last_id;
        return decoder_next(decoder, book, &event) == 0 ? 0 : ERR_CORRUPT;
}

static int decoder_orders(struct decoder *decoder, struct book *book)
{
        struct event event;
        book_begin_orders(book);
        if (order_next(&decoder->orders, &event) != 1 || event.flags ||
            order_image(&decoder->orders, book, &event))
                return ERR_CORRUPT;
        book->id = decoder->info.last_id;
        return order_next(&decoder->orders, &event) == 0 ? 0 : ERR_CORRUPT;
}

int decoder_image(struct decoder *decoder, struct book *book)
{
        int code = ERR_CORRUPT;
        book_clear(book);
        if (decoder->info.kind == FRAME_IMAGE)
                code = decoder->info.method == METHOD_ORDERS ? decoder_orders(decoder, book)
                                                             : decoder_book(decoder, book);
        if (code)
                book_clear(book);
        decoder_reset(decoder);
        return code;
}

int decoder_repair(struct decoder *decoder, struct book *book)
{
        bool levels = decoder->info.method <= METHOD_NIBBLES; /* of orders there are none */
        return decoder->info.kind == FRAME_REPAIR && levels ? decoder_book(decoder, book)
                                                            : ERR_CORRUPT;
}

static int scan_head(struct decoder *decoder, struct event *ret_event)
{
        switch (decoder->info.method) {
        case METHOD_PLAIN:
                return plain_scan(&decoder->plain, ret_event);
        case METHOD_TOKENS:
                return token_scan(&decoder->tokens, ret_event);
        case METHOD_NIBBLES:
                return nibble_scan(&decoder->nibbles, ret_event);
        default:
                return dense_scan(&decoder->scan, ret_event);
        }
}

int decoder_count(struct decoder *decoder, int64_t at_ns, bool received, uint32_t *ret_count)
{
        struct event event;
        uint32_t index = 0;
        int more;
        *ret_count = 0;
        while ((more = scan_head(decoder, &event)) > 0) {
                index++;
                if ((received ? event.receive_time_ns : event.event_time_ns) <= at_ns)
                        *ret_count = index;
        }
        return more;
}
