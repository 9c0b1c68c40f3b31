#include "codec/encoder.h"

#include <stdlib.h>

#include "base/limits.h"

uint8_t encoder_method(uint8_t kind)
{
        static const uint8_t methods[KINDS] = {METHOD_TOKENS, METHOD_ORDERS, METHOD_TRADES};
        return methods[kind];
}

void encoder_init(struct encoder *encoder, uint8_t method)
{
        *encoder = (struct encoder){.method = method};
        if (method == METHOD_TOKENS) {
                encoder->tokens = memory_new(sizeof(*encoder->tokens));
                token_encoder_init(encoder->tokens);
        } else if (method == METHOD_ORDERS) {
                encoder->orders = memory_new(sizeof(*encoder->orders));
                order_encoder_init(encoder->orders);
        } else {
                encoder->trades = memory_new(sizeof(*encoder->trades));
                trade_encoder_init(encoder->trades);
        }
}

void encoder_deinit(struct encoder *encoder)
{
        if (encoder->tokens)
                token_encoder_deinit(encoder->tokens);
        if (encoder->orders)
                order_encoder_deinit(encoder->orders);
        if (encoder->trades)
                trade_encoder_deinit(encoder->trades);
        free(encoder->tokens);
        free(encoder->orders);
        free(encoder->trades);
}

void encoder_reset(struct encoder *encoder)
{
        if (encoder->tokens)
                token_encoder_reset(encoder->tokens);
        if (encoder->orders)
                order_coder_reset(encoder->orders);
        if (encoder->trades)
                trade_coder_reset(encoder->trades);
}

static size_t encoder_size(struct encoder *encoder)
{
        return encoder->tokens ? token_size(encoder->tokens)
            : encoder->orders  ? order_size(encoder->orders)
                               : trade_size(encoder->trades);
}

static size_t event_size(const struct encoder *encoder, const struct event *event)
{
        return encoder->tokens ? token_event_size(event)
            : encoder->orders  ? ORDER_EVENT_SIZE
                               : TRADE_EVENT_SIZE;
}

void encoder_begin(struct encoder *encoder, const struct scale *scale, const struct event *first)
{
        if (encoder->tokens)
                token_begin(encoder->tokens, scale, first);
        else if (encoder->orders)
                order_begin(encoder->orders, scale, first);
        else
                trade_begin(encoder->trades, scale, first);
        encoder->bound = encoder_size(encoder);
}

int encoder_add(struct encoder *encoder, struct book *book, const struct event *event)
{
        size_t more = event_size(encoder, event);
        if (encoder->bound + more > LIMIT_BLOCK_SIZE)
                encoder->bound = encoder_size(encoder);
        if (encoder->bound + more > LIMIT_BLOCK_SIZE)
                return ERR_FULL;
        encoder->bound += more;
        if (encoder->tokens) {
                token_add(encoder->tokens, book, event);
        } else if (encoder->orders) {
                order_add(encoder->orders, book, event);
        } else {
                trade_add(encoder->trades, event);
                book->id = event->last_id;
        }
        return 0;
}

void encoder_undo(struct encoder *encoder)
{
        token_undo(encoder->tokens);
}

void encoder_finish(struct encoder *encoder, struct buffer *ret_block)
{
        if (encoder->tokens)
                token_finish(encoder->tokens, ret_block);
        else if (encoder->orders)
                order_finish(encoder->orders, ret_block);
        else
                trade_finish(encoder->trades, ret_block);
}

void encoder_image(struct encoder *encoder, const struct book *book, const struct frame_info *info,
    struct buffer *scratch, struct book *empty, struct buffer *ret_block)
{
        struct event event = {.event_time_ns = info->first_event_time_ns,
            .receive_time_ns = info->first_receive_time_ns,
            .first_id = info->first_id,
            .last_id = info->last_id};
        encoder_reset(encoder);
        encoder_begin(encoder, &info->scale, &event);
        if (encoder->orders) {
                order_add_image(encoder->orders, book, event);
        } else {
                book_to_event(book, scratch, &event);
                book_clear(empty);
                encoder_add(encoder, empty, &event);
        }
        encoder_finish(encoder, ret_block);
        encoder_reset(encoder);
}
