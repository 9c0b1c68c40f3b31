#include "codec/trades.h"

#include "base/error.h"
#include "codec/values.h"

/* ---- one trade ---- */

CODEC_INLINE int64_t code_price(
    struct trade_coder *coder, unsigned context, int64_t price, const bool decoding)
{
        int64_t step = 0;
        unsigned off_grid = 0;
        if (!decoding) {
                step = difference(price, coder->price);
                off_grid = step % coder->tick != 0;
                step = off_grid ? step : step / coder->tick;
        }
        off_grid = column_code(&coder->columns[TC_GRID], off_grid, &coder->failed, decoding);
        step = signed_code(
            &coder->columns[TC_PRICES + context], &coder->bits, step, &coder->failed, decoding);
        if (off_grid)
                return sum(coder->price, step);
        return sum(coder->price, (int64_t)((uint64_t)step * (uint64_t)coder->tick));
}

CODEC_INLINE int64_t code_quantity(
    struct trade_coder *coder, unsigned together, int64_t quantity, const bool decoding)
{
        struct value_coder values = {&coder->ranks, &coder->columns[TC_ZEROS],
            &coder->columns[TC_VALUES], &coder->bits, &coder->failed};
        unsigned mode = 0;
        uint32_t rank = decoding ? 0 : ranks_find(&coder->ranks, quantity);
        return value_code(
            values, &coder->columns[TC_QUANTITIES + together], quantity, rank, &mode, 1, decoding);
}

CODEC_INLINE void code_fills(struct trade_coder *coder, struct event *event, const bool decoding)
{
        int64_t next = sum(coder->last_trade, 1);
        int64_t jump = difference(event->first_trade, next);
        int64_t more = difference(event->last_trade, event->first_trade);
        jump = signed_code(&coder->columns[TC_FIRST], &coder->bits, jump, &coder->failed, decoding);
        more = signed_code(&coder->columns[TC_FILLS], &coder->bits, more, &coder->failed, decoding);
        event->first_trade = sum(next, jump);
        event->last_trade = sum(event->first_trade, more);
        coder->last_trade = event->last_trade;
}

/* The head of @event is known; its level and fills are coded. */
CODEC_INLINE void code_trade(
    struct trade_coder *coder, struct event *event, struct level *level, const bool decoding)
{
        unsigned side = event->count[SIDE_ASK] ? SIDE_ASK : SIDE_BID;
        unsigned together = event->event_time_ns == coder->time_ns;
        unsigned context = side << 2 | coder->side << 1 | together;
        level->price = code_price(coder, context, level->price, decoding);
        level->quantity = code_quantity(coder, together, level->quantity, decoding);
        if (event->type == TYPE_AGGREGATE)
                code_fills(coder, event, decoding);
        coder->price = level->price;
        coder->time_ns = event->event_time_ns;
        coder->side = side;
}

/* ---- blocks ---- */

static struct dense_block block_of(struct trade_coder *coder)
{
        return (struct dense_block){&coder->heads, coder->columns, TC_COLUMNS, &coder->bits};
}

void trade_encoder_init(struct trade_coder *coder)
{
        *coder = (struct trade_coder){0};
        ranks_init(&coder->ranks);
}

void trade_encoder_deinit(struct trade_coder *coder)
{
        struct dense_block block = block_of(coder);
        dense_free(&block);
        ranks_deinit(&coder->ranks);
}

void trade_coder_reset(struct trade_coder *coder)
{
        ranks_clear(&coder->ranks);
        coder->price = coder->time_ns = coder->last_trade = 0;
        coder->side = SIDE_BID;
}

void trade_begin(struct trade_coder *coder, const struct scale *scale, const struct event *first)
{
        struct dense_block block = block_of(coder);
        dense_begin(&block, first);
        coder->tick = scale->tick;
}

void trade_add(struct trade_coder *coder, const struct event *event)
{
        struct event copy = *event;
        enum side side = event->count[SIDE_ASK] ? SIDE_ASK : SIDE_BID;
        heads_write(&coder->heads, event, 0);
        column_code(&coder->columns[TC_TYPE], event->type, &coder->failed, false);
        if (!event->count[side])
                return;
        struct level level = event->levels[side][0];
        code_trade(coder, &copy, &level, false);
}

size_t trade_size(struct trade_coder *coder)
{
        struct dense_block block = block_of(coder);
        return dense_size(&block);
}

void trade_finish(struct trade_coder *coder, struct buffer *ret_block)
{
        struct dense_block block = block_of(coder);
        dense_finish(&block, ret_block);
}

void trade_decoder_init(struct trade_coder *coder)
{
        *coder = (struct trade_coder){0};
        ranks_init(&coder->ranks);
}

void trade_decoder_deinit(struct trade_coder *coder)
{
        ranks_deinit(&coder->ranks);
}

int trade_open(struct trade_coder *coder, const struct scale *scale, const struct event *first,
    struct bytes bytes)
{
        struct dense_block block = block_of(coder);
        coder->tick = scale->tick;
        coder->failed = false;
        return dense_open(&block, first, bytes);
}

int trade_next(struct trade_coder *coder, struct event *ret_event, struct level *ret_level)
{
        struct dense_block block = block_of(coder);
        struct event event;
        unsigned bits;
        int more = dense_next(&block, &event, &bits);
        if (more != 1)
                return more;
        event.type = (uint8_t)column_code(&coder->columns[TC_TYPE], 0, &coder->failed, true);
        if (event.type == TYPE_ORDER ||
            !event_is_sound(event.type, event.count[SIDE_BID], event.count[SIDE_ASK]) ||
            event_is_trade(&event) != (event_level_count(&event) == 1))
                return ERR_CORRUPT;
        if (event_level_count(&event))
                code_trade(coder, &event, ret_level, true);
        if (coder->failed)
                return ERR_CORRUPT;
        event.levels[SIDE_BID] = event.levels[SIDE_ASK] = ret_level;
        *ret_event = event;
        return 1;
}
