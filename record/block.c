#include "record/block.h"

#include <stdlib.h>

#include "base/limits.h"

void block_init(struct block *block, uint8_t method)
{
        *block = (struct block){0};
        plain_encoder_init(&block->plain);
        if (method == METHOD_PLAIN)
                return;
        block->encoder = memory_new(sizeof(*block->encoder));
        encoder_init(block->encoder, method);
}

void block_deinit(struct block *block)
{
        plain_encoder_deinit(&block->plain);
        if (block->encoder)
                encoder_deinit(block->encoder);
        free(block->encoder);
}

void block_clear(struct block *block)
{
        block->info.events = 0;
}

void block_reset(struct block *block)
{
        encoder_reset(block->encoder);
}

static void block_begin(
    struct block *block, const struct block_start *start, const struct event *event)
{
        bool dense = block->encoder && start->kind == FRAME_CHANGES;
        if (dense)
                encoder_begin(block->encoder, start->scale, event);
        else
                plain_begin(&block->plain, start->scale);
        block->position = start->position;
        block->info = (struct frame_info){
            .kind = start->kind,
            .method = dense ? block->encoder->method : METHOD_PLAIN,
            .flags = start->timed ? FRAME_TIMED : 0,
            .scale = *start->scale,
            .epoch = start->epoch,
            .segment = start->segment,
            .first_id = event->first_id,
            .first_event_time_ns = event->event_time_ns,
            .min_event_time_ns = event->event_time_ns,
            .max_event_time_ns = event->event_time_ns,
            .running_max_ns = start->running_max_ns,
            .first_receive_time_ns = event->receive_time_ns,
        };
}

static int block_encode(struct block *block, const struct event *event, struct book *book)
{
        return block->info.method == METHOD_PLAIN ? plain_add(&block->plain, event)
                                                  : encoder_add(block->encoder, book, event);
}

int block_add(struct block *block, const struct block_start *start, const struct event *event,
    struct book *book)
{
        struct frame_info *info = &block->info;
        block->undo = *info;
        if (!info->events)
                block_begin(block, start, event);
        int code = block_encode(block, event, book);
        if (code)
                return code;
        info->events++;
        info->level_updates += event_update_count(event);
        info->last_id = event->last_id;
        info->last_event_time_ns = event->event_time_ns;
        info->last_receive_time_ns = event->receive_time_ns;
        if (event->event_time_ns < info->min_event_time_ns)
                info->min_event_time_ns = event->event_time_ns;
        if (event->event_time_ns > info->max_event_time_ns)
                info->max_event_time_ns = event->event_time_ns;
        return 0;
}

void block_undo(struct block *block)
{
        encoder_undo(block->encoder);
        block->info = block->undo;
}

void block_write(
    struct block *block, struct batch *batch, uint32_t day, uint32_t stream, uint32_t flags)
{
        if (!block->info.events)
                return;
        block->info.flags |= flags;
        batch_begin_frame(batch, day, stream, block->position, &block->info);
        if (block->info.method == METHOD_PLAIN)
                plain_finish(&block->plain, &batch->arena);
        else
                encoder_finish(block->encoder, &batch->arena);
        batch_end_frame(batch);
        block_clear(block);
}
