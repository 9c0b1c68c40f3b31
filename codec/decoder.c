#include "codec/decoder.h"

#include <stdlib.h>

#include "base/limits.h"

void decoder_init(struct decoder *decoder)
{
        *decoder = (struct decoder){0};
        frame_packer_init(&decoder->packer);
        plain_decoder_init(&decoder->plain);
        token_decoder_init(&decoder->tokens);
}

void decoder_deinit(struct decoder *decoder)
{
        frame_packer_deinit(&decoder->packer);
        plain_decoder_deinit(&decoder->plain);
        token_decoder_deinit(&decoder->tokens);
        free(decoder->levels);
        free(decoder->befores);
        *decoder = (struct decoder){0};
}

bool decoder_continues(const struct decoder *decoder, const struct frame_info *info)
{
        return info->kind == FRAME_IMAGE || info->method == METHOD_PLAIN ||
            (info->segment == decoder->segment && info->method == decoder->method);
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
        if (ret_info->kind == FRAME_IMAGE) {
                token_decoder_reset(&decoder->tokens);
                decoder->segment = ret_info->segment;
                decoder->method = ret_info->method;
        }
        struct event first = {.first_id = ret_info->first_id,
            .event_time_ns = ret_info->first_event_time_ns,
            .receive_time_ns = ret_info->first_receive_time_ns};
        return ret_info->method == METHOD_PLAIN
            ? plain_open(&decoder->plain, &ret_info->scale, block)
            : token_open(&decoder->tokens, &ret_info->scale, &first, block);
}

static void decoder_reserve(struct decoder *decoder, size_t count)
{
        if (decoder->levels && count <= decoder->capacity)
                return;
        decoder->capacity = count < 64 ? 64 : count + count / 2;
        decoder->levels = memory_resize(decoder->levels, decoder->capacity * sizeof(struct level));
        decoder->befores = memory_resize(decoder->befores, decoder->capacity * sizeof(int64_t));
}

static int next_plain(struct decoder *decoder, struct book *book, struct event *ret_event)
{
        struct event event;
        int more = plain_next(&decoder->plain, &event);
        if (more != 1)
                return more;
        if (book) {
                int64_t *befores;
                decoder_reserve(decoder, event_level_count(&event));
                befores = decoder->befores;
                if (book_room(book, &event))
                        return ERR_CORRUPT;
                for (enum side s = 0; s < SIDES; s++) {
                        const struct level *levels = event.levels[s];
                        for (uint32_t i = 0; i < event.count[s]; i++)
                                *befores++ = book_set(book, s, levels[i].price, levels[i].quantity);
                }
                book->id = event.last_id;
        }
        *ret_event = event;
        return 1;
}

static int next_tokens(struct decoder *decoder, struct book *book, struct event *ret_event)
{
        struct event event;
        unsigned bits;
        int more = book ? token_next(&decoder->tokens, &event, &bits) : ERR_CORRUPT;
        if (more != 1)
                return more;
        if (book_room(book, &event))
                return ERR_CORRUPT;
        decoder_reserve(decoder, event_level_count(&event));
        event.levels[SIDE_BID] = decoder->levels;
        event.levels[SIDE_ASK] = decoder->levels + event.count[SIDE_BID];
        if (token_levels(&decoder->tokens, book, &event, bits, decoder->levels, decoder->befores))
                return ERR_CORRUPT;
        *ret_event = event;
        return 1;
}

int decoder_next(struct decoder *decoder, struct book *book, struct event *ret_event)
{
        return decoder->info.method == METHOD_PLAIN ? next_plain(decoder, book, ret_event)
                                                    : next_tokens(decoder, book, ret_event);
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
        if (decoder_next(decoder, book, &event) != 1)
                return ERR_CORRUPT;
        decoder_take_horizon(decoder, book);
        book->id = decoder->info.last_id;
        return decoder_next(decoder, book, &event) == 0 ? 0 : ERR_CORRUPT;
}

int decoder_image(struct decoder *decoder, struct book *book)
{
        book_clear(book);
        int code = decoder->info.kind == FRAME_IMAGE ? decoder_book(decoder, book) : ERR_CORRUPT;
        token_decoder_reset(&decoder->tokens);
        return code;
}

int decoder_repair(struct decoder *decoder, struct book *book)
{
        return decoder->info.kind == FRAME_REPAIR ? decoder_book(decoder, book) : ERR_CORRUPT;
}

int decoder_count(struct decoder *decoder, int64_t at_ns, bool received, uint32_t *ret_count)
{
        struct event event;
        uint32_t index = 0;
        int more;
        *ret_count = 0;
        while ((more = decoder->info.method == METHOD_PLAIN
                       ? plain_scan(&decoder->plain, &event)
                       : token_scan(&decoder->tokens, &event)) > 0) {
                index++;
                if ((received ? event.receive_time_ns : event.event_time_ns) <= at_ns)
                        *ret_count = index;
        }
        return more;
}
