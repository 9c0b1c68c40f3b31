#include "record/block.h"

void block_init(struct block *block)
{
        *block = (struct block){0};
        plain_encoder_init(&block->encoder);
}

void block_deinit(struct block *block)
{
        plain_encoder_deinit(&block->encoder);
}

void block_clear(struct block *block)
{
        block->info.events = 0;
}

static void block_begin(
    struct block *block, const struct block_start *start, const struct event *event)
{
        plain_begin(&block->encoder, start->scale);
        block->position = start->position;
        block->info = (struct frame_info){
            .kind = start->kind,
            .method = METHOD_PLAIN,
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

int block_add(struct block *block, const struct block_start *start, const struct event *event)
{
        struct frame_info *info = &block->info;
        if (!info->events)
                block_begin(block, start, event);
        int code = plain_add(&block->encoder, event);
        if (code)
                return code;
        info->events++;
        info->level_updates += event_level_count(event);
        info->last_id = event->last_id;
        info->last_event_time_ns = event->event_time_ns;
        info->last_receive_time_ns = event->receive_time_ns;
        if (event->event_time_ns < info->min_event_time_ns)
                info->min_event_time_ns = event->event_time_ns;
        if (event->event_time_ns > info->max_event_time_ns)
                info->max_event_time_ns = event->event_time_ns;
        return 0;
}

void block_write(
    struct block *block, struct batch *batch, uint32_t day, uint32_t stream, uint32_t flags)
{
        if (!block->info.events)
                return;
        block->info.flags |= flags;
        batch_begin_frame(batch, day, stream, block->position, &block->info);
        plain_finish(&block->encoder, &batch->arena);
        batch_end_frame(batch);
        block_clear(block);
}
