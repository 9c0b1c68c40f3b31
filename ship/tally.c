/* The mark of a copy: counted from the frames that are there, so that it never tells of more. */
#include "ship/internal.h"

static int64_t later(int64_t a, int64_t b)
{
        return a > b ? a : b;
}

static void tally_good(struct mark_record *mark, uint64_t position, const struct frame_info *info)
{
        int64_t until = mark->last_position ? mark->recorded_until_ns : info->max_event_time_ns;
        mark->last_position = position + info->events - 1;
        mark->last_id = info->last_id;
        mark->last_event_time_ns = info->last_event_time_ns;
        mark->last_receive_ns = info->last_receive_time_ns;
        mark->recorded_until_ns = later(until, info->max_event_time_ns);
        mark->recorded_until_receive_ns =
            later(mark->recorded_until_receive_ns, info->last_receive_time_ns);
}

void tally_frame(
    struct mark_record *mark, uint64_t position, const struct frame_info *info, size_t size)
{
        bool image = info->kind == FRAME_IMAGE;
        mark->next_position = position + frame_positions(info);
        mark->epoch = info->epoch;
        mark->images += image;
        if (image)
                mark->image_bytes += size;
        else
                mark->change_bytes += size;
        if (frame_is_image(info))
                return;
        bool timed = info->flags & FRAME_TIMED;
        mark->running_max_ns =
            timed ? later(info->running_max_ns, info->max_event_time_ns) : info->max_event_time_ns;
        mark->timed = true;
        mark->events += info->events;
        mark->level_updates += info->level_updates;
        if (info->kind == FRAME_CHANGES)
                tally_good(mark, position, info);
}

void tally_damaged(struct mark_record *mark, uint64_t position, size_t size)
{
        mark->next_position = position + 1;
        mark->change_bytes += size;
}

/* Where all is there it is the source's own, but for what depends on how frames are coded. */
struct mark_record tally_mark(const struct mark_record *mark, const struct mark_record *whole)
{
        struct mark_record result = *mark;
        result.clean = result.removed = false;
        if (mark->next_position == whole->next_position) {
                result = *whole;
                result.images = mark->images;
                result.image_bytes = mark->image_bytes;
                result.change_bytes = mark->change_bytes;
        }
        result.first_position = whole->first_position;
        result.fall_back_ns = whole->fall_back_ns;
        result.first_event_time_ns = mark->events ? whole->first_event_time_ns : 0;
        return result;
}
